//! XTelemetryPolicy: tracing of Gateways (digest 3.20).

use std::collections::BTreeMap;

use super::backend::{self, BackendReference, Reached};
use super::context::Context;
use super::finding::{Finding, PolicyFinding, Reason};
use crate::api::x_telemetry_policy::{TelemetryMode, XTelemetryPolicy};
use crate::key::{GATEWAY_GROUP, NamespacedName, ObjectKey};

/// What the policies come to, and which of them counts for each Gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Telemetry {
    pub(super) findings: BTreeMap<ObjectKey, PolicyFinding>,
    pub(super) winners: BTreeMap<NamespacedName, ObjectKey>,
    pub(super) reached: BTreeMap<ObjectKey, Reached>,
}

/// Judges all policies; `ours` says whether a Gateway is.
pub(super) fn all(context: &Context<'_>, ours: impl Fn(&NamespacedName) -> bool) -> Telemetry {
    let mut telemetry = Telemetry::default();
    let mut policies: Vec<(&ObjectKey, &XTelemetryPolicy)> =
        context.resources.x_telemetry_policies().collect();
    // The oldest counts, then the one whose name comes first.
    policies.sort_by_cached_key(|(key, policy)| {
        let created = policy.metadata.created();
        (
            created.is_none(),
            created,
            key.namespaced_name().to_string(),
        )
    });
    for (key, policy) in policies {
        let mut finding = PolicyFinding::default();
        let mut missing = Vec::new();
        for target in &policy.spec.target_refs {
            if target.group != GATEWAY_GROUP || target.kind != "Gateway" {
                let message = format!(
                    "targetRefs names {} `{}` of group `{}`, expected a Gateway",
                    target.kind, target.name, target.group
                );
                finding
                    .rejected
                    .get_or_insert_with(|| Finding::new(Reason::Invalid, message));
                continue;
            }
            let name = NamespacedName::new(key.namespace.clone(), target.name.clone());
            if !ours(&name) {
                missing.push(format!(
                    "Gateway `{name}` does not exist, or is another controller's"
                ));
                continue;
            }
            finding.ancestors.insert(name.clone());
            match telemetry.winners.get(&name) {
                Some(winner) => {
                    let message = format!(
                        "{winner} is older and is about Gateway `{name}` too: only one can count"
                    );
                    finding
                        .rejected
                        .get_or_insert_with(|| Finding::new(Reason::Conflicted, message));
                }
                None => {
                    telemetry.winners.insert(name, key.clone());
                }
            }
        }
        if finding.ancestors.is_empty() && !missing.is_empty() {
            finding
                .rejected
                .get_or_insert_with(|| Finding::new(Reason::TargetNotFound, missing.join("; ")));
        }
        let mut reached = Reached::default();
        tracing(context, key, policy, &mut finding, &mut reached);
        telemetry.findings.insert(key.clone(), finding);
        telemetry.reached.insert(key.clone(), reached);
    }
    telemetry
}

fn tracing(
    context: &Context<'_>,
    key: &ObjectKey,
    policy: &XTelemetryPolicy,
    finding: &mut PolicyFinding,
    reached: &mut Reached,
) {
    let Some(tracing) = &policy.spec.tracing else {
        return;
    };
    let invalid = |message: String| Finding::new(Reason::Invalid, message);
    match tracing.mode() {
        TelemetryMode::Enabled => {}
        TelemetryMode::Disabled | TelemetryMode::ImplementationDefault => return,
        TelemetryMode::Other(other) => {
            let message = format!(
                "spec.tracing.mode `{}` is not known, expected Enabled, Disabled or ImplementationDefault",
                crate::problem::excerpt(other)
            );
            finding.rejected.get_or_insert_with(|| invalid(message));
            return;
        }
    }
    let Some(provider) = &tracing.provider else {
        let message = "spec.tracing.provider is missing, expected one with mode Enabled".to_owned();
        finding.rejected.get_or_insert_with(|| invalid(message));
        return;
    };
    let reference = BackendReference::of(&provider.backend_ref, &key.namespace);
    if let Err(found) = backend::destination(context, key, reference, reached) {
        let message = format!("spec.tracing.provider.backendRef: {}", found.message);
        finding.unresolved = Some(Finding::new(found.reason, message));
    }
    if !context.settings.tracing {
        let message = "spec.tracing.mode Enabled: this data plane sends no spans".to_owned();
        finding.rejected.get_or_insert_with(|| invalid(message));
    }
}
