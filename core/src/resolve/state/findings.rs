//! What is known last: policies, XBackends, and the addresses behind ports.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::resolve::backend;
use crate::resolve::context::{Context, Looked};
use crate::resolve::finding::PolicyFinding;
use crate::resolve::policy::BackendPolicies;
use crate::resolve::{Settings, endpoints};
use crate::resources::Resources;

use super::{State, Work};

impl State {
    pub(super) fn update_policies(
        &mut self,
        resources: &Resources,
        settings: &Settings,
        work: &mut Work,
    ) {
        let none = BackendPolicies::default();
        let context = Context::new(resources, settings, &none);
        let kinds = [Kind::BackendTlsPolicy, Kind::XBackendTrafficPolicy];
        for key in Self::dirty_of(work, &kinds) {
            let backends = self.policies.update(&context, &key);
            for target in self.policies.targets(&key) {
                context.look(Looked::Object(target.clone()));
            }
            self.set_looked(&key, context.take_looked());
            for backend in backends {
                self.mark_lookers(&Looked::Object(backend.clone()), work);
                work.backends.insert(backend);
            }
        }
    }

    pub(super) fn set_policy(
        &mut self,
        key: ObjectKey,
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
        work.touched.findings.insert(key);
    }

    pub(super) fn ancestors<'k>(
        &self,
        backends: impl Iterator<Item = &'k ObjectKey>,
    ) -> BTreeSet<NamespacedName> {
        backends
            .filter_map(|backend| self.users.get(backend))
            .flat_map(|users| users.keys().cloned())
            .collect()
    }

    /// What policies and XBackends come to: which Gateways they matter to is known last.
    pub(super) fn update_findings(
        &mut self,
        resources: &Resources,
        settings: &Settings,
        work: &mut Work,
    ) {
        let kinds = [Kind::BackendTlsPolicy, Kind::XBackendTrafficPolicy];
        let mut keys: BTreeSet<ObjectKey> = Self::dirty_of(work, &kinds).into_iter().collect();
        for backend in &work.backends {
            keys.extend(self.policies.about(backend));
        }
        let mut found = Vec::new();
        let context = Context::new(resources, settings, &self.policies);
        for key in keys {
            let finding = self
                .policies
                .verdict(&context, &key)
                .map(|verdict| PolicyFinding {
                    ancestors: self.ancestors(self.policies.targets(&key)),
                    rejected: verdict.rejected,
                    unresolved: verdict.unresolved,
                });
            found.push((key, finding));
        }
        let mut backends: BTreeSet<ObjectKey> = Self::dirty_of(work, &[Kind::XBackend])
            .into_iter()
            .collect();
        let users = work
            .backends
            .iter()
            .filter(|key| key.kind == Kind::XBackend);
        backends.extend(users.cloned());
        context.take_looked();
        let mut looks = Vec::new();
        for key in backends {
            let object = resources.x_backend(&key.namespace, &key.name);
            let finding = object.map(|object| {
                let tls = backend::x_backend_tls(&context, &key, object);
                PolicyFinding {
                    ancestors: self.ancestors(std::iter::once(&key)),
                    rejected: backend::unusable(&key, object)
                        .or_else(|| tls.and_then(|tls| tls.rejected)),
                    unresolved: None,
                }
            });
            looks.push((key.clone(), context.take_looked()));
            found.push((key, finding));
        }
        for (key, looked) in looks {
            self.set_looked(&key, looked);
        }
        for (key, finding) in found {
            self.set_policy(key, finding, work);
        }
    }

    pub(super) fn update_endpoints(&mut self, resources: &Resources, work: &mut Work) {
        for port in std::mem::take(&mut work.ports) {
            if !self.ports.contains_key(&port) {
                if self.resolved.endpoints.remove(&port).is_some() {
                    work.touched.endpoints.insert(port);
                }
                continue;
            }
            let new = endpoints::of(resources, &port);
            if self.resolved.endpoints.get(&port).map(AsRef::as_ref) != Some(&new) {
                self.resolved.endpoints.insert(port.clone(), Arc::new(new));
                work.touched.endpoints.insert(port);
            }
        }
    }
}
