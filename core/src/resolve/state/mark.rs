//! What a change is about: who looked at it, and which ports it is behind.

use crate::api::Object;
use crate::key::{Kind, ObjectKey};
use crate::resolve::context::{GrantQuery, Looked};
use crate::resolve::grant;
use crate::resources::{Resource, Resources, SERVICE_NAME};
use crate::rule::ServicePort;

use super::{Changed, State, Work};

impl State {
    /// Whoever looked at something becomes dirty.
    pub(super) fn mark_lookers(&self, looked: &Looked, work: &mut Work) {
        if let Some(lookers) = self.lookers.get(looked) {
            work.dirty.extend(lookers.iter().cloned());
        }
    }

    pub(super) fn set_looked(&mut self, who: &ObjectKey, looked: Vec<Looked>) {
        let old = match looked.is_empty() {
            true => self.looked.remove(who),
            false => self.looked.insert(who.clone(), looked.clone()),
        };
        let old = old.unwrap_or_default();
        if old == looked {
            return;
        }
        for one in &old {
            if looked.binary_search(one).is_ok() {
                continue;
            }
            if let Some(lookers) = self.lookers.get_mut(one) {
                lookers.remove(who);
                if lookers.is_empty() {
                    self.lookers.remove(one);
                }
            }
        }
        for one in looked {
            if old.binary_search(&one).is_err() {
                self.lookers.entry(one).or_default().insert(who.clone());
            }
        }
    }

    pub(super) fn mark(&self, resources: &Resources, changes: &[Changed], work: &mut Work) {
        for change in changes {
            let new = resources.get(&change.key);
            if self.resolved.finds(&change.key) {
                // Its generation may be another.
                work.touched.findings.insert(change.key.clone());
            }
            if !matters(change.old.as_deref(), new.map(AsRef::as_ref)) {
                continue;
            }
            work.dirty.insert(change.key.clone());
            self.mark_lookers(&Looked::Object(change.key.clone()), work);
            for resource in [change.old.as_ref(), new].into_iter().flatten() {
                self.mark_about(resource, work);
            }
        }
    }

    /// Marks what an object is about without being looked at by name.
    pub(super) fn mark_about(&self, resource: &Resource, work: &mut Work) {
        let key = resource.key();
        match resource.object() {
            Object::ReferenceGrant(grant) => {
                for (query, all) in grant::about(&key.namespace, grant) {
                    if !all {
                        self.mark_lookers(&Looked::Grant(query), work);
                        continue;
                    }
                    let same = |other: &GrantQuery| {
                        let named = GrantQuery {
                            to_name: String::new(),
                            ..other.clone()
                        };
                        named == query
                    };
                    let lookers = self.lookers.range(Looked::Grant(query.clone())..);
                    for (looked, lookers) in lookers {
                        match looked {
                            Looked::Grant(other) if same(other) => {
                                work.dirty.extend(lookers.iter().cloned());
                            }
                            _ => break,
                        }
                    }
                }
            }
            Object::EndpointSlice(slice) => {
                if let Some(service) = slice.metadata.label(SERVICE_NAME) {
                    self.mark_ports(Kind::Service, &key.namespace, Some(service), work);
                }
            }
            Object::Service(_) => {
                self.mark_ports(Kind::Service, &key.namespace, Some(&key.name), work);
            }
            Object::XBackend(_) => {
                self.mark_ports(Kind::XBackend, &key.namespace, Some(&key.name), work);
            }
            Object::Pod(_) => self.mark_ports(Kind::XBackend, &key.namespace, None, work),
            _ => {}
        }
    }

    pub(super) fn mark_ports(
        &self,
        kind: Kind,
        namespace: &str,
        name: Option<&str>,
        work: &mut Work,
    ) {
        let first = ServicePort {
            kind,
            namespace: namespace.into(),
            name: name.unwrap_or_default().into(),
            port: 0,
        };
        let ports = self.ports.range(first..).map(|(port, _)| port);
        let ports = ports.take_while(|port| {
            port.kind == kind
                && *port.namespace == *namespace
                && name.is_none_or(|name| *port.name == *name)
        });
        work.ports.extend(ports.cloned());
    }

    pub(super) fn dirty_of(work: &Work, kinds: &[Kind]) -> Vec<ObjectKey> {
        let of = |kind: &Kind| {
            let kind = *kind;
            work.dirty
                .range(ObjectKey::new(kind, "", "")..)
                .take_while(move |key| key.kind == kind)
                .cloned()
        };
        kinds.iter().flat_map(of).collect()
    }
}

/// Whether resolution can tell the two apart: statuses and bookkeeping do not matter.
fn matters(old: Option<&Resource>, new: Option<&Resource>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return true;
    };
    let (a, b) = (old.object(), new.object());
    if a.metadata().created() != b.metadata().created() {
        return true;
    }
    match (a, b) {
        (Object::HttpRoute(a), Object::HttpRoute(b)) => a.spec != b.spec,
        (Object::GrpcRoute(a), Object::GrpcRoute(b)) => a.spec != b.spec,
        (Object::TlsRoute(a), Object::TlsRoute(b)) => a.spec != b.spec,
        (Object::TcpRoute(a), Object::TcpRoute(b)) => a.spec != b.spec,
        (Object::UdpRoute(a), Object::UdpRoute(b)) => a.spec != b.spec,
        (Object::GatewayClass(a), Object::GatewayClass(b)) => a.spec != b.spec,
        (Object::Gateway(a), Object::Gateway(b)) => {
            a.spec != b.spec || a.metadata.annotations != b.metadata.annotations
        }
        (Object::ListenerSet(a), Object::ListenerSet(b)) => a.spec != b.spec,
        (Object::BackendTlsPolicy(a), Object::BackendTlsPolicy(b)) => a.spec != b.spec,
        (Object::XBackend(a), Object::XBackend(b)) => a.spec != b.spec,
        (Object::XBackendTrafficPolicy(a), Object::XBackendTrafficPolicy(b)) => a.spec != b.spec,
        (Object::XTelemetryPolicy(a), Object::XTelemetryPolicy(b)) => a.spec != b.spec,
        (Object::Service(a), Object::Service(b)) => a.spec != b.spec,
        (Object::ReferenceGrant(a), Object::ReferenceGrant(b)) => a.spec != b.spec,
        (Object::Namespace(a), Object::Namespace(b)) => a.metadata.labels != b.metadata.labels,
        (a, b) => a != b,
    }
}
