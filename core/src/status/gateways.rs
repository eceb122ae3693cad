//! Statuses of classes, Gateways, ListenerSets and their listeners.

use super::condition::{Condition, Type};
use super::{Desired, Facts, ListenerStatus};
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::Resolved;
use crate::resolve::finding::{
    ClassFinding, Finding, GatewayFinding, ListenerFinding, ListenerSetFinding, Reason,
};

pub(super) fn class(class: &ClassFinding) -> Desired {
    Desired::Class {
        conditions: vec![
            Condition::unless(
                Type::Accepted,
                class.rejected.as_ref(),
                Reason::Accepted,
                "the class is served",
            ),
            Condition::unless(
                Type::SupportedVersion,
                class.version.as_ref(),
                Reason::SupportedVersion,
                "Gateway API v1.7 is supported",
            ),
        ],
        channel: class.channel,
        used: class.used,
    }
}

fn addresses<'f>(
    name: &NamespacedName,
    gateway: &'f GatewayFinding,
    facts: &'f Facts,
) -> &'f [String] {
    match facts.addresses.get(name) {
        Some(addresses) => addresses,
        None if gateway.addresses.is_empty() => &facts.default_addresses,
        None => &gateway.addresses,
    }
}

/// Why nothing can reach a Gateway.
fn unreachable(name: &NamespacedName, gateway: &GatewayFinding, facts: &Facts) -> Option<Finding> {
    let (all, routability) = gateway.requested;
    if all > 0 && routability == all {
        let message = gateway
            .unusable
            .as_ref()
            .map_or("", |finding| &finding.message);
        return Some(Finding::new(Reason::AddressNotAssigned, message));
    }
    // An address that is asked for in vain leaves the rest in service only where the request was for a routability.
    let unusable = gateway.unusable.as_ref().filter(|_| routability == 0);
    if let Some(finding) = unusable {
        return Some(finding.clone());
    }
    if let Some(why) = facts.unusable.get(name) {
        return Some(Finding::new(Reason::AddressNotUsable, why.clone()));
    }
    addresses(name, gateway, facts)
        .is_empty()
        .then(|| Finding::new(Reason::AddressNotAssigned, "no address is assigned"))
}

/// `AddressesAssigned`: said where a routability is asked for.
fn assigned(gateway: &GatewayFinding) -> Option<Condition> {
    let (all, routability) = gateway.requested;
    if routability == 0 {
        return None;
    }
    let reason = if routability == all {
        Reason::NotAssigned
    } else {
        Reason::PartiallyAssigned
    };
    let message = gateway
        .unusable
        .as_ref()
        .map_or("", |finding| &finding.message);
    Some(Condition::no(
        Type::AddressesAssigned,
        &Finding::new(reason, message),
    ))
}

pub(super) fn gateway(
    name: &NamespacedName,
    resolved: &Resolved,
    facts: &Facts,
) -> Option<Desired> {
    let gateway = resolved.gateways.get(name)?;
    let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
    let listeners = listeners(resolved, &key, name, &gateway.listeners, facts);
    let bad = bad(&gateway.listeners);
    let usable = gateway.listeners.iter().any(ListenerFinding::accepted);
    let accepted = match &gateway.rejected {
        Some(finding) => Condition::no(Type::Accepted, finding),
        None => valid(usable, &bad, "the Gateway is accepted"),
    };
    let reached = unreachable(name, gateway, facts);
    let programmed = if gateway.rejected.is_some() || !usable {
        Some(Finding::new(Reason::Invalid, "the Gateway is not accepted"))
    } else if reached.is_some() {
        reached.clone()
    } else if serving(&listeners) {
        None
    } else {
        Some(Finding::new(Reason::Invalid, "no listener serves"))
    };
    let programmed = Condition::unless(
        Type::Programmed,
        programmed.as_ref(),
        Reason::Programmed,
        "the data plane serves it",
    );
    let broken: Vec<String> = gateway
        .listeners
        .iter()
        .filter(|listener| listener.unresolved.is_some())
        .map(|listener| format!("`{}`", listener.name))
        .collect();
    let unresolved = gateway.unresolved.clone().or_else(|| {
        (!broken.is_empty()).then(|| {
            let message = format!(
                "references of listeners do not resolve: {}",
                broken.join(", ")
            );
            Finding::new(Reason::ListenersNotResolved, message)
        })
    });
    let mut conditions = vec![accepted, programmed, resolved_refs(unresolved.as_ref())];
    conditions.extend(assigned(gateway));
    if gateway.insecure {
        conditions.push(Condition::yes(
            Type::InsecureFrontendValidationMode,
            Reason::ConfigurationChanged,
            "clients without a valid certificate are served (tls.frontend, AllowInsecureFallback)",
        ));
    }
    let addresses = match reached {
        Some(_) => &[],
        None => addresses(name, gateway, facts),
    };
    Some(Desired::Gateway {
        addresses: addresses.to_vec(),
        conditions,
        listeners,
        attached_sets: gateway.attached_sets,
    })
}

pub(super) fn listener_set(
    name: &NamespacedName,
    resolved: &Resolved,
    facts: &Facts,
) -> Option<Desired> {
    let set = resolved.listener_sets.get(name)?;
    let key = ObjectKey::new(Kind::ListenerSet, name.namespace.clone(), name.name.clone());
    if let Some(finding) = &set.rejected {
        return Some(Desired::ListenerSet {
            conditions: vec![
                Condition::no(Type::Accepted, finding),
                Condition::no(Type::Programmed, finding),
            ],
            listeners: Vec::new(),
        });
    }
    let listeners = listeners(resolved, &key, &set.gateway, &set.listeners, facts);
    let bad = bad(&set.listeners);
    let accepted = valid(set.accepted(), &bad, "the ListenerSet is accepted");
    let programmed = programmed_set(set, resolved, facts, &accepted, &listeners);
    let programmed = Condition::unless(
        Type::Programmed,
        programmed.as_ref(),
        Reason::Programmed,
        "the data plane serves it",
    );
    Some(Desired::ListenerSet {
        conditions: vec![accepted, programmed],
        listeners,
    })
}

fn programmed_set(
    set: &ListenerSetFinding,
    resolved: &Resolved,
    facts: &Facts,
    accepted: &Condition,
    listeners: &[ListenerStatus],
) -> Option<Finding> {
    if !accepted.status {
        return Some(Finding::new(accepted.reason, &*accepted.message));
    }
    let gateway = resolved.gateways.get(&set.gateway)?;
    if let Some(why) = unreachable(&set.gateway, gateway, facts) {
        let message = format!(
            "Gateway `{}` is not programmed: {}",
            set.gateway, why.message
        );
        return Some(Finding::new(Reason::ParentNotProgrammed, message));
    }
    (!serving(listeners)).then(|| Finding::new(Reason::Invalid, "no listener serves"))
}

/// The names of the listeners that have a fault.
fn bad(listeners: &[ListenerFinding]) -> Vec<String> {
    let good = |listener: &&ListenerFinding| listener.accepted() && listener.unresolved.is_none();
    listeners
        .iter()
        .filter(|listener| !good(listener))
        .map(|listener| format!("`{}`", listener.name))
        .collect()
}

fn valid(usable: bool, bad: &[String], message: &'static str) -> Condition {
    if !usable {
        let message = format!("no listener is valid: {}", bad.join(", "));
        return Condition::no(
            Type::Accepted,
            &Finding::new(Reason::ListenersNotValid, message),
        );
    }
    if bad.is_empty() {
        return Condition::yes(Type::Accepted, Reason::Accepted, message);
    }
    let message = format!("not valid: {}", bad.join(", "));
    Condition::yes(Type::Accepted, Reason::ListenersNotValid, message)
}

fn serving(listeners: &[ListenerStatus]) -> bool {
    let programmed = |condition: &Condition| condition.kind == Type::Programmed && condition.status;
    listeners
        .iter()
        .any(|listener| listener.conditions.iter().any(programmed))
}

fn resolved_refs(unresolved: Option<&Finding>) -> Condition {
    Condition::unless(
        Type::ResolvedRefs,
        unresolved,
        Reason::ResolvedRefs,
        "all references resolve",
    )
}

fn listeners(
    resolved: &Resolved,
    owner: &ObjectKey,
    gateway: &NamespacedName,
    listeners: &[ListenerFinding],
    facts: &Facts,
) -> Vec<ListenerStatus> {
    let counts = resolved.attached.get(owner);
    let status = |(number, listener): (usize, &ListenerFinding)| {
        let attached = counts.and_then(|counts| counts.get(number));
        let unavailable = facts.unavailable.get(&(gateway.clone(), listener.port));
        let attached = attached.and_then(|count| u32::try_from(*count).ok());
        listener_status(owner, listener, unavailable, attached.unwrap_or(0))
    };
    listeners.iter().enumerate().map(status).collect()
}

fn listener_status(
    owner: &ObjectKey,
    listener: &ListenerFinding,
    unavailable: Option<&String>,
    attached: u32,
) -> ListenerStatus {
    let port = unavailable.map(|why| {
        Finding::new(
            Reason::PortUnavailable,
            format!("port {}: {why}", listener.port),
        )
    });
    let rejected = listener.rejected.as_ref().or(listener.conflict.as_ref());
    let programmed = match (rejected, &listener.conflict) {
        // A ListenerSet's conflict is the reason of all its conditions.
        (Some(_), Some(conflict)) if owner.kind == Kind::ListenerSet => Some(conflict.clone()),
        (Some(_), _) => Some(Finding::new(
            Reason::Invalid,
            "the listener is not accepted",
        )),
        (None, _) if !listener.serves() => Some(Finding::new(
            Reason::Invalid,
            "its certificates cannot be used",
        )),
        (None, _) => port,
    };
    let mut conditions = vec![
        Condition::unless(
            Type::Accepted,
            rejected,
            Reason::Accepted,
            "the listener is valid",
        ),
        Condition::unless(
            Type::Programmed,
            programmed.as_ref(),
            Reason::Programmed,
            "the data plane serves it",
        ),
        resolved_refs(listener.unresolved.as_ref()),
    ];
    // Negative polarity: present only when True.
    let passing = [
        (Type::Conflicted, &listener.conflict),
        (Type::OverlappingTlsConfig, &listener.overlap),
    ];
    for (kind, finding) in passing {
        let finding = finding.as_ref();
        conditions.extend(finding.map(|f| Condition::yes(kind, f.reason, f.message.clone())));
    }
    // A listener whose value is not supported serves no kind at all.
    let nothing = listener
        .rejected
        .as_ref()
        .is_some_and(|finding| finding.reason == Reason::UnsupportedValue);
    ListenerStatus {
        name: listener.name.to_string(),
        attached,
        kinds: if nothing {
            Vec::new()
        } else {
            listener.kinds.clone()
        },
        conditions,
    }
}
