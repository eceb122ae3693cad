//! Gateways and ListenerSets, each by itself, and then all of them beside each other (digest 3.14, 3.15).

use std::collections::BTreeMap;

use super::Settings;
use super::certificate;
use super::conflict::{self, Claims};
use super::context::Context;
use super::finding::{
    Finding, GatewayFinding, Infrastructure, ListenerFinding, ListenerSetFinding, Reason,
};
use super::frontend::Frontend;
use super::listener;
use crate::api::gateway::{AddressType, DefaultScope, Gateway};
use crate::api::listener_set::ListenerSet;
use crate::key::{GATEWAY_GROUP, Kind, NamespacedName, ObjectKey};
use crate::resources::Resources;
use crate::timestamp::Timestamp;

/// Judges a Gateway of a class of ours by itself.
pub(super) fn judge(context: &Context<'_>, key: &ObjectKey, gateway: &Gateway) -> GatewayFinding {
    let frontend = Frontend::read(context, key, gateway);
    let listeners = gateway
        .spec
        .listeners
        .iter()
        .map(|spec| listener::judge(context, key, spec, &frontend));
    let mut listeners: Vec<ListenerFinding> = listeners.collect();
    conflict::inside(&mut listeners);
    let (client_certificate, unresolved) = match client_certificate(context, key, gateway) {
        Ok(certificate) => (certificate, None),
        Err(finding) => (None, Some(finding)),
    };
    let infrastructure = gateway.spec.infrastructure.clone().unwrap_or_default();
    let mut finding = GatewayFinding {
        addresses: Vec::new(),
        unusable: None,
        requested: (0, 0),
        rejected: None,
        unresolved,
        client_certificate,
        insecure: frontend.insecure(),
        default_scope: gateway.spec.default_scope == Some(DefaultScope::All),
        listeners,
        attached_sets: 0,
        infrastructure: Infrastructure {
            labels: infrastructure.labels.unwrap_or_default(),
            annotations: infrastructure.annotations.unwrap_or_default(),
        },
        telemetry: None,
    };
    addresses(gateway, &mut finding);
    if let Some(parameters) = &infrastructure.parameters_ref {
        let message = format!(
            "infrastructure.parametersRef names {} `{}`: no kind of parameters is supported, so remove the reference",
            parameters.kind, parameters.name
        );
        finding.rejected = Some(Finding::new(Reason::InvalidParameters, message));
    }
    finding
}

fn addresses(gateway: &Gateway, finding: &mut GatewayFinding) {
    let mut routability = 0;
    let mut unusable = Vec::new();
    let entries = gateway.spec.addresses.as_deref().unwrap_or_default();
    for (index, address) in entries.iter().enumerate() {
        let value = address.value.as_deref().filter(|value| !value.is_empty());
        if *address.address_type() != AddressType::IpAddress {
            let message = format!(
                "addresses[{index}] `{}` has type {}, expected IPAddress",
                value.unwrap_or_default(),
                address.address_type()
            );
            finding
                .rejected
                .get_or_insert_with(|| Finding::new(Reason::UnsupportedAddress, message));
            continue;
        }
        let wanted = address.routability.as_deref().unwrap_or_default();
        if !wanted.is_empty() {
            // Another scope is never put in place of the one that is asked for.
            routability += 1;
            unusable.push(format!(
                "addresses[{index}]: routability `{wanted}` cannot be promised"
            ));
            continue;
        }
        match value {
            Some(value) if value.parse::<std::net::IpAddr>().is_ok() => {
                finding.addresses.push(value.to_owned());
            }
            Some(value) => unusable.push(format!("addresses[{index}] `{value}` is no IP address")),
            // One that the caller assigns.
            None => {}
        }
    }
    finding.requested = (entries.len(), routability);
    if !unusable.is_empty() {
        finding.unusable = Some(Finding::new(Reason::AddressNotUsable, unusable.join("; ")));
    }
}

/// `spec.tls.backend.clientCertificateRef`.
fn client_certificate(
    context: &Context<'_>,
    key: &ObjectKey,
    gateway: &Gateway,
) -> Result<Option<std::sync::Arc<crate::rule::Certificate>>, Finding> {
    let tls = gateway.spec.tls.as_ref();
    let backend = tls.and_then(|tls| tls.backend.as_ref());
    let Some(reference) = backend.and_then(|backend| backend.client_certificate_ref.as_ref())
    else {
        return Ok(None);
    };
    certificate::read(context, key, reference)
        .map(Some)
        .map_err(|finding| {
            let reason = match finding.reason {
                Reason::RefNotPermitted => Reason::RefNotPermitted,
                _ => Reason::InvalidClientCertificateRef,
            };
            let message = format!("tls.backend.clientCertificateRef: {}", finding.message);
            Finding::new(reason, message)
        })
}

/// The Gateway that a ListenerSet names.
pub(super) fn parent(key: &ObjectKey, set: &ListenerSet) -> Option<ObjectKey> {
    let reference = &set.spec.parent_ref;
    (reference.group() == GATEWAY_GROUP && reference.kind() == "Gateway").then(|| {
        ObjectKey::new(
            Kind::Gateway,
            reference.namespace(&key.namespace),
            reference.name.clone(),
        )
    })
}

/// Judges a ListenerSet by itself; `gateway` is the parent, which is ours.
pub(super) fn judge_set(
    context: &Context<'_>,
    key: &ObjectKey,
    set: &ListenerSet,
    (parent, gateway): (&ObjectKey, &Gateway),
    rejected: Option<&Finding>,
) -> ListenerSetFinding {
    context.resource((parent.kind, &parent.namespace, &parent.name));
    let frontend = Frontend::read(context, parent, gateway);
    let listeners = set
        .spec
        .listeners
        .iter()
        .map(|spec| listener::judge(context, key, spec, &frontend));
    let admitted = context.namespace_meant(
        gateway.spec.listeners_from(),
        gateway.spec.listeners_selector(),
        &key.namespace,
        &parent.namespace,
    );
    let rejected = if !admitted {
        let message = format!(
            "{parent} does not admit ListenerSets of namespace `{}`: its allowedListeners.namespaces has from `{}`",
            key.namespace,
            gateway.spec.listeners_from()
        );
        Some(Finding::new(Reason::NotAllowed, message))
    } else {
        rejected.map(|why| {
            let message = format!("{parent} is not accepted: {}", why.message);
            Finding::new(Reason::ParentNotAccepted, message)
        })
    };
    ListenerSetFinding {
        gateway: parent.namespaced_name(),
        rejected,
        listeners: listeners.collect(),
    }
}

/// Older first; what has no age counts as newest.
fn by_age<'a, T>(
    resources: &Resources,
    kind: Kind,
    all: &'a mut BTreeMap<NamespacedName, T>,
) -> Vec<(ObjectKey, &'a mut T)> {
    let mut sorted: Vec<(ObjectKey, Option<Timestamp>, &mut T)> = all
        .iter_mut()
        .map(|(name, finding)| {
            let key = ObjectKey::new(kind, name.namespace.clone(), name.name.clone());
            let created = resources
                .get(&key)
                .and_then(|resource| resource.object().metadata().created());
            (key, created, finding)
        })
        .collect();
    let age = |(key, created, _): &(ObjectKey, Option<Timestamp>, &mut T)| {
        (
            created.is_none(),
            *created,
            key.namespaced_name().to_string(),
        )
    };
    sorted.sort_by_cached_key(age);
    sorted
        .into_iter()
        .map(|(key, _, finding)| (key, finding))
        .collect()
}

/// Puts all of them beside each other: who comes first keeps what two ask for. A Gateway's own listeners come before those of
/// ListenerSets, the older object before the younger.
pub(super) fn merge(
    resources: &Resources,
    settings: &Settings,
    gateways: &mut BTreeMap<NamespacedName, GatewayFinding>,
    sets: &mut BTreeMap<NamespacedName, ListenerSetFinding>,
) {
    let mut shared = Claims::default();
    let mut own: BTreeMap<NamespacedName, Claims> = BTreeMap::new();
    let shares = |gateway: &GatewayFinding| settings.shared_address && gateway.addresses.is_empty();
    for (key, gateway) in by_age(resources, Kind::Gateway, gateways) {
        if shares(gateway) {
            shared.admit(&key, &mut gateway.listeners);
        } else {
            own.entry(key.namespaced_name())
                .or_default()
                .admit(&key, &mut gateway.listeners);
        }
    }
    for (key, set) in by_age(resources, Kind::ListenerSet, sets) {
        if set.rejected.is_some() {
            continue;
        }
        let claims = match own.get_mut(&set.gateway) {
            Some(claims) => claims,
            None => &mut shared,
        };
        claims.admit(&key, &mut set.listeners);
        if set.accepted()
            && let Some(gateway) = gateways.get_mut(&set.gateway)
        {
            gateway.attached_sets = gateway.attached_sets.saturating_add(1);
        }
    }
    let mut of: BTreeMap<&NamespacedName, Vec<&mut ListenerFinding>> = BTreeMap::new();
    for set in sets.values_mut().filter(|set| set.rejected.is_none()) {
        of.entry(&set.gateway)
            .or_default()
            .extend(&mut set.listeners);
    }
    for (name, gateway) in gateways.iter_mut() {
        let more = of.remove(name).unwrap_or_default();
        conflict::overlaps(gateway.listeners.iter_mut().chain(more));
    }
}
