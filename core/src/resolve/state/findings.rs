//! What is known last: policies, XBackends, and the addresses behind ports.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::context::{Context, Inputs};
use crate::resolve::finding::PolicyFinding;
use crate::resolve::graph::{self, Graph};
use crate::resolve::policy::BackendPolicies;
use crate::resolve::{backend, endpoints};

use super::{State, Work};

const POLICIES: [Kind; 2] = [Kind::BackendTlsPolicy, Kind::XBackendTrafficPolicy];

impl State {
    pub(super) fn update_policies(&mut self, inputs: Inputs<'_>, work: &mut Work) {
        let none = BackendPolicies::default();
        let context = Context::new(inputs, &none);
        let dirty = POLICIES.map(|kind| work.dirty(kind, inputs.resources));
        for key in dirty.into_iter().flatten() {
            let backends = self.policies.update(&context, &key);
            for target in self.policies.targets(&key) {
                context.resource((target.kind, &target.namespace, &target.name));
            }
            let mut graph = inputs.graph.borrow_mut();
            graph.set([(key, context.take_looked())]);
            for backend in backends {
                work.mark(graph.lookers(&backend));
                work.shifted.backends.insert(Arc::new(backend));
            }
        }
    }

    pub(super) fn set_policy(
        &mut self,
        key: Arc<ObjectKey>,
        finding: Option<PolicyFinding>,
        work: &mut Work,
    ) {
        if self.resolved.policies.get(&key) == finding.as_ref() {
            return;
        }
        match finding {
            Some(finding) => self.resolved.policies.insert(key.clone(), finding),
            None => self.resolved.policies.remove(&key),
        };
        work.touch(&key);
    }

    /// What policies and XBackends come to: which Gateways they matter to is known last.
    pub(super) fn update_findings(&mut self, inputs: Inputs<'_>, work: &mut Work) {
        let dirty = POLICIES
            .into_iter()
            .flat_map(|kind| work.dirty(kind, inputs.resources));
        let mut keys: BTreeSet<Arc<ObjectKey>> = dirty.collect();
        for backend in &work.shifted.backends {
            keys.extend(self.policies.about(backend).into_iter().map(Arc::new));
        }
        let mut found = Vec::new();
        let context = Context::new(inputs, &self.policies);
        for key in keys {
            let verdict = self.policies.verdict(&context, &key);
            let graph = inputs.graph.borrow();
            let finding = verdict.map(|verdict| PolicyFinding {
                ancestors: ancestors(&graph, self.policies.targets(&key)),
                rejected: verdict.rejected,
                unresolved: verdict.unresolved,
            });
            found.push((key, finding));
        }
        let mut backends: BTreeSet<Arc<ObjectKey>> = work
            .dirty(Kind::XBackend, inputs.resources)
            .into_iter()
            .collect();
        let users = work.shifted.backends.iter();
        backends.extend(users.filter(|key| key.kind == Kind::XBackend).cloned());
        context.take_looked();
        for key in backends {
            let object = inputs.resources.x_backend(&key.namespace, &key.name);
            let finding = object.map(|object| {
                let tls = backend::x_backend_tls(&context, &key, object);
                PolicyFinding {
                    ancestors: ancestors(&inputs.graph.borrow(), std::iter::once(&*key)),
                    rejected: backend::unusable(&key, object)
                        .or_else(|| tls.and_then(|tls| tls.rejected)),
                    unresolved: None,
                }
            });
            let mut graph = inputs.graph.borrow_mut();
            graph.set([(key.clone(), context.take_looked())]);
            found.push((key, finding));
        }
        for (key, finding) in found {
            self.set_policy(key, finding, work);
        }
    }

    pub(super) fn update_endpoints(&mut self, inputs: Inputs<'_>, work: &mut Work) {
        let graph = inputs.graph.borrow();
        let mut all = Vec::new();
        for port in std::mem::take(&mut work.shifted.ports) {
            if !graph.uses(&port) {
                if self.resolved.endpoints.remove(&port).is_some() {
                    work.touched.endpoints.insert(port);
                }
                continue;
            }
            let new = endpoints::of(inputs.resources, &port);
            if self.resolved.endpoints.get(&port).map(AsRef::as_ref) != Some(&new) {
                all.push((port.clone(), Arc::new(new)));
                if !work.once {
                    work.touched.endpoints.insert(port);
                }
            }
        }
        graph::add_all(&mut self.resolved.endpoints, all);
    }
}

fn ancestors<'k>(
    graph: &Graph,
    backends: impl Iterator<Item = &'k ObjectKey>,
) -> BTreeSet<NamespacedName> {
    backends
        .flat_map(|backend| graph.gateways(backend).cloned())
        .collect()
}
