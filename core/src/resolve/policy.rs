//! Policies about backends: BackendTLSPolicy and XBackendTrafficPolicy (digest 3.9, 3.11).
//!
//! Of several about one target the oldest counts, then the one whose name comes first; one about a port counts before one
//! about the whole Service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::Context;
use super::finding::{Finding, Reason};
use super::rule;
use super::trust::{self, CaReference};
use crate::api::Object;
use crate::api::backend_tls_policy::{
    BackendTlsPolicyValidation, SubjectAltName as SubjectAltNameSpec, SubjectAltNameType,
};
use crate::api::x_backend_traffic_policy::{RetryConstraint, XBackendTrafficPolicySpec};
use crate::hostname::Hostname;
use crate::key::{Kind, ObjectKey};
use crate::rule::{BackendTls, RetryBudget, SessionPersistence, SubjectAltName, TrustAnchors};
use crate::timestamp::Timestamp;

/// What a policy is about: an object, and a section of it or all.
pub(super) type Target = (ObjectKey, Option<String>);

/// Who comes first among policies about one target.
type Rank = (bool, Option<Timestamp>, ObjectKey);

/// All policies about backends, by what they are about.
#[derive(Clone, Debug, Default)]
pub(super) struct BackendPolicies {
    policies: BTreeMap<ObjectKey, Policy>,
    claims: BTreeMap<(Kind, Target), BTreeSet<Rank>>,
}

/// A policy as it is carried out.
#[derive(Clone, Debug)]
struct Policy {
    rank: Rank,
    targets: Vec<Target>,
    /// What can be said of it without a look at its targets.
    rejected: Option<Finding>,
    unresolved: Option<Finding>,
    effect: Effect,
}

#[derive(Clone, Debug)]
enum Effect {
    Tls(Arc<BackendTls>),
    Traffic(Traffic),
}

/// What an XBackendTrafficPolicy asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    pub(super) retry_budget: Option<Arc<RetryBudget>>,
    pub(super) session: Option<Arc<SessionPersistence>>,
}

/// What a policy comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) rejected: Option<Finding>,
    pub(super) unresolved: Option<Finding>,
}

impl BackendPolicies {
    /// Takes a policy in, or out; gives back what it was and is about.
    pub(super) fn update(&mut self, context: &Context<'_>, key: &ObjectKey) -> Vec<ObjectKey> {
        let mut touched = Vec::new();
        if let Some(old) = self.policies.remove(key) {
            for target in old.targets {
                touched.push(target.0.clone());
                if let Some(claims) = self.claims.get_mut(&(key.kind, target.clone())) {
                    claims.remove(&old.rank);
                    if claims.is_empty() {
                        self.claims.remove(&(key.kind, target));
                    }
                }
            }
        }
        let object = context.resources.get(key).map(|resource| resource.object());
        let Some(policy) = object.and_then(|object| compile(context, key, object)) else {
            return touched;
        };
        for target in &policy.targets {
            touched.push(target.0.clone());
            self.claims
                .entry((key.kind, target.clone()))
                .or_default()
                .insert(policy.rank.clone());
        }
        self.policies.insert(key.clone(), policy);
        touched
    }

    fn winner(&self, kind: Kind, target: Target) -> Option<&Policy> {
        let (_, _, key) = self.claims.get(&(kind, target))?.first()?;
        self.policies.get(key)
    }

    /// How a port of a backend is spoken to.
    pub(super) fn tls(&self, backend: &ObjectKey, port: Option<&str>) -> Option<&Arc<BackendTls>> {
        if self.claims.is_empty() {
            return None;
        }
        let kind = Kind::BackendTlsPolicy;
        let of_port = port.filter(|port| !port.is_empty());
        let winner = of_port
            .and_then(|port| self.winner(kind, (backend.clone(), Some(port.to_owned()))))
            .or_else(|| self.winner(kind, (backend.clone(), None)))?;
        match &winner.effect {
            Effect::Tls(tls) => Some(tls),
            Effect::Traffic(_) => None,
        }
    }

    /// How traffic to a backend is kept in bounds.
    pub(super) fn traffic(&self, backend: &ObjectKey) -> Traffic {
        if self.claims.is_empty() {
            return Traffic::default();
        }
        match self
            .winner(Kind::XBackendTrafficPolicy, (backend.clone(), None))
            .map(|policy| &policy.effect)
        {
            Some(Effect::Traffic(traffic)) => traffic.clone(),
            Some(Effect::Tls(_)) | None => Traffic::default(),
        }
    }

    /// The policies about an object.
    pub(super) fn about(&self, target: &ObjectKey) -> BTreeSet<ObjectKey> {
        let mut found = BTreeSet::new();
        for kind in [Kind::BackendTlsPolicy, Kind::XBackendTrafficPolicy] {
            let claims = self.claims.range((kind, (target.clone(), None))..);
            let claims = claims.take_while(|((of, (about, _)), _)| *of == kind && about == target);
            found.extend(claims.flat_map(|(_, ranks)| ranks.iter().map(|(_, _, key)| key.clone())));
        }
        found
    }

    /// What a policy is about.
    pub(super) fn targets(&self, key: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        self.policies
            .get(key)
            .into_iter()
            .flat_map(|policy| policy.targets.iter().map(|(target, _)| target))
    }

    /// What a policy comes to, its targets looked at.
    pub(super) fn verdict(&self, context: &Context<'_>, key: &ObjectKey) -> Option<Verdict> {
        let policy = self.policies.get(key)?;
        let lost = |target: &Target| {
            let first = self.claims.get(&(key.kind, target.clone()))?.first()?;
            (first.2 != *key).then_some(&first.2)
        };
        let winners: Vec<(&Target, &ObjectKey)> = policy
            .targets
            .iter()
            .filter_map(|target| Some((target, lost(target)?)))
            .collect();
        let missing: Vec<String> = policy
            .targets
            .iter()
            .filter_map(|target| missing(context, target))
            .collect();
        let conflict = || {
            let (target, winner) = winners.first()?;
            (winners.len() == policy.targets.len()).then(|| {
                let message = format!(
                    "{winner} is older and is about {} too: only one can count",
                    shown(target)
                );
                Finding::new(Reason::Conflicted, message)
            })
        };
        let absent = || {
            (!missing.is_empty() && missing.len() == policy.targets.len())
                .then(|| Finding::new(Reason::TargetNotFound, missing.join("; ")))
        };
        Some(Verdict {
            rejected: policy.rejected.clone().or_else(conflict).or_else(absent),
            unresolved: policy.unresolved.clone(),
        })
    }
}

fn shown((key, section): &Target) -> String {
    match section {
        Some(section) => format!("{key}, port `{section}`"),
        None => key.to_string(),
    }
}

fn missing(context: &Context<'_>, (key, section): &Target) -> Option<String> {
    let Some(Object::Service(service)) = context.object(Kind::Service, &key.namespace, &key.name)
    else {
        return Some(format!("{key} does not exist"));
    };
    let section = section.as_deref()?;
    let ports = service.spec.ports.as_deref().unwrap_or_default();
    if ports
        .iter()
        .any(|port| port.name.as_deref() == Some(section))
    {
        return None;
    }
    let names: Vec<&str> = ports
        .iter()
        .filter_map(|port| port.name.as_deref())
        .collect();
    Some(format!(
        "{key} has no port named `{section}`; it has {}",
        if names.is_empty() {
            "no named port".to_owned()
        } else {
            names.join(", ")
        }
    ))
}

fn compile(context: &Context<'_>, key: &ObjectKey, object: &Object) -> Option<Policy> {
    let created = object.metadata().created();
    let rank = (created.is_none(), created, key.clone());
    let mut rejected = None;
    let mut target = |group: &str, kind: &str, name: &str, section: Option<&String>| {
        if group.is_empty() && kind == "Service" {
            let service = ObjectKey::new(Kind::Service, key.namespace.clone(), name);
            return Some((service, section.cloned()));
        }
        rejected.get_or_insert_with(|| {
            Finding::new(
                Reason::Invalid,
                format!("targetRefs names {kind} `{name}` of group `{group}`, expected a Service of the core group"),
            )
        });
        None
    };
    let (targets, effect, unresolved): (Vec<Target>, Effect, Option<Finding>) = match object {
        Object::BackendTlsPolicy(policy) => {
            let targets = policy.spec.target_refs.iter().filter_map(|one| {
                target(&one.group, &one.kind, &one.name, one.section_name.as_ref())
            });
            let targets = targets.collect();
            let made = backend_tls(context, key, &policy.spec.validation);
            if rejected.is_none() {
                rejected = made.rejected;
            }
            (targets, Effect::Tls(Arc::new(made.tls)), made.unresolved)
        }
        Object::XBackendTrafficPolicy(policy) => {
            let targets = policy
                .spec
                .target_refs
                .iter()
                .filter_map(|one| target(&one.group, &one.kind, &one.name, None));
            let targets = targets.collect();
            let traffic = traffic(&policy.spec).unwrap_or_else(|finding| {
                rejected.get_or_insert(finding);
                Traffic::default()
            });
            (targets, Effect::Traffic(traffic), None)
        }
        _ => return None,
    };
    Some(Policy {
        rank,
        targets,
        rejected,
        unresolved,
        effect,
    })
}

fn traffic(spec: &XBackendTrafficPolicySpec) -> Result<Traffic, Finding> {
    let invalid = |message: String| Finding::new(Reason::Invalid, message);
    let session = spec.session_persistence.as_ref();
    let session = session
        .map(|spec| rule::session(spec, format_args!("spec")))
        .transpose()
        .map_err(|finding| invalid(finding.message))?;
    let budget = |constraint: &RetryConstraint| {
        let budget = constraint.budget.clone().unwrap_or_default();
        let rate = constraint.min_retry_rate.clone().unwrap_or_default();
        let positive = |number: i32| u32::try_from(number).unwrap_or(0);
        let interval = |parsed: Result<std::time::Duration, crate::duration::InvalidDuration>,
                        at| {
            parsed.map_err(|error| invalid(format!("spec.retryConstraint.{at}.interval: {error}")))
        };
        Ok(RetryBudget {
            percent: positive(budget.percent()).min(100),
            interval: interval(budget.interval(), "budget")?,
            least: positive(rate.count()),
            least_interval: interval(rate.interval(), "minRetryRate")?,
        })
    };
    let retry_budget = spec.retry_constraint.as_ref().map(budget).transpose()?;
    Ok(Traffic {
        retry_budget: retry_budget.map(Arc::new),
        session: session.map(Arc::new),
    })
}

/// `BackendTLSPolicy.spec.validation` as it is carried out.
#[derive(Debug)]
pub(super) struct MadeTls {
    pub(super) tls: BackendTls,
    pub(super) rejected: Option<Finding>,
    pub(super) unresolved: Option<Finding>,
}

/// Reads a validation; what cannot be carried out trusts nobody, so that no connection is made without it.
pub(super) fn backend_tls(
    context: &Context<'_>,
    owner: &ObjectKey,
    spec: &BackendTlsPolicyValidation,
) -> MadeTls {
    let references = spec.ca_certificate_refs.as_deref().unwrap_or_default();
    let authorities = trust::read(
        context,
        owner,
        references.iter().map(|reference| CaReference {
            group: &reference.group,
            kind: &reference.kind,
            name: &reference.name,
            namespace: None,
        }),
        Reason::InvalidKind,
    );
    let well_known = spec
        .well_known_ca_certificates
        .as_deref()
        .filter(|name| !name.is_empty());
    let invalid = |message: String| Finding::new(Reason::Invalid, message);
    let trust = match (well_known, references.is_empty()) {
        (Some("System"), true) => Ok(TrustAnchors::System),
        (Some(other), true) => Err(invalid(format!(
            "validation.wellKnownCACertificates `{other}` is not known, expected System"
        ))),
        (Some(_), false) => Err(invalid(
            "validation has caCertificateRefs and wellKnownCACertificates, expected one of them"
                .to_owned(),
        )),
        (None, true) => Err(invalid(
            "validation has neither caCertificateRefs nor wellKnownCACertificates".to_owned(),
        )),
        (None, false) if authorities.certificates.is_empty() => {
            let why = authorities
                .unresolved
                .as_ref()
                .map_or("", |finding| &finding.message);
            let message = format!("no certificate of an authority can be used: {why}");
            Err(Finding::new(Reason::NoValidCACertificate, message))
        }
        (None, false) => Ok(TrustAnchors::Certificates(authorities.certificates)),
    };
    let names: Result<Vec<SubjectAltName>, Finding> = spec
        .subject_alt_names
        .iter()
        .flatten()
        .map(|name| subject_alt_name(name).map_err(invalid))
        .collect();
    let hostname = match Hostname::parse(&spec.hostname) {
        Ok(name) if name.is_wildcard() => Err(invalid(format!(
            "validation.hostname `{}` is a wildcard, expected one name",
            spec.hostname
        ))),
        Ok(_) => Ok(()),
        Err(error) => Err(invalid(format!("validation.hostname: {error}"))),
    };
    let (subject_alt_names, bad_name) = match names {
        Ok(names) => (names, None),
        Err(finding) => (Vec::new(), Some(finding)),
    };
    let rejected = hostname.err().or(bad_name);
    let (trust, rejected) = match (trust, rejected) {
        (Ok(trust), None) => (Ok(trust), None),
        (Ok(_), Some(finding)) | (Err(finding), _) => {
            (Err(finding.message.as_str().into()), Some(finding))
        }
    };
    MadeTls {
        tls: BackendTls {
            hostname: spec.hostname.as_str().into(),
            trust,
            subject_alt_names,
            client_certificate: None,
        },
        rejected,
        unresolved: authorities.unresolved,
    }
}

fn subject_alt_name(spec: &SubjectAltNameSpec) -> Result<SubjectAltName, String> {
    match spec.name_type {
        SubjectAltNameType::Hostname => {
            let text = spec.hostname.as_deref().unwrap_or_default();
            match Hostname::parse(text) {
                Ok(_) => Ok(SubjectAltName::Hostname(text.into())),
                Err(error) => Err(format!("validation.subjectAltNames: {error}")),
            }
        }
        SubjectAltNameType::Uri => match spec.uri.as_deref().filter(|uri| !uri.is_empty()) {
            Some(uri) => Ok(SubjectAltName::Uri(uri.into())),
            None => Err("validation.subjectAltNames: a name of type URI has no uri".to_owned()),
        },
        SubjectAltNameType::Other(ref other) => Err(format!(
            "validation.subjectAltNames: type `{other}` is not known, expected Hostname or URI"
        )),
    }
}
