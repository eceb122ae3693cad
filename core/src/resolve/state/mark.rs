//! What a change is about: who looked at it, and which ports it is behind.

use std::sync::Arc;

use crate::api::Object;
use crate::key::{Kind, ObjectKey};
use crate::resolve::grant;
use crate::resolve::graph::Graph;
use crate::resources::{Resource, SERVICE_NAME};

use super::{Changed, State, Work};

impl State {
    pub(super) fn mark(&self, graph: &Graph, changes: &[Changed], work: &mut Work) {
        for change in changes {
            if self.finds(&change.key) {
                // Its generation may be another.
                work.touch(&change.key);
            }
            if !matters(change.old.as_deref(), change.new.as_deref()) {
                continue;
            }
            if is_judged(change.key.kind) {
                work.mark([&change.key]);
            }
            work.mark(graph.lookers(&change.key));
            for resource in [&change.old, &change.new].into_iter().flatten() {
                mark_about(graph, resource, work);
            }
        }
    }

    fn finds(&self, key: &Arc<ObjectKey>) -> bool {
        let routes = &self.resolved.routes;
        // A first resolution finds nothing yet.
        match key.kind {
            kind if kind.is_route() => !routes.is_empty() && routes.get(key).is_some(),
            _ => self.resolved.finds(key),
        }
    }
}

/// Whether objects of a kind are judged themselves: of all others only what looked at them is.
fn is_judged(kind: Kind) -> bool {
    kind.is_route()
        || matches!(
            kind,
            Kind::Gateway
                | Kind::ListenerSet
                | Kind::BackendTlsPolicy
                | Kind::XBackend
                | Kind::XBackendTrafficPolicy
                | Kind::XTelemetryPolicy
        )
}

/// Marks what an object is about without being looked at by name.
fn mark_about(graph: &Graph, resource: &Resource, work: &mut Work) {
    let key = resource.key();
    let ports = &mut work.shifted.ports;
    match resource.object() {
        Object::ReferenceGrant(grant) => {
            for query in grant::about(&key.namespace, grant) {
                work.mark(graph.askers(&query));
            }
        }
        Object::EndpointSlice(slice) => {
            if let Some(service) = slice.metadata.label(SERVICE_NAME) {
                ports.extend(graph.ports((Kind::Service, &key.namespace, service)));
            }
        }
        Object::Service(_) | Object::XBackend(_) => {
            ports.extend(graph.ports((key.kind, &key.namespace, &key.name)));
        }
        Object::Pod(_) => ports.extend(graph.ports_in(Kind::XBackend, &key.namespace)),
        _ => {}
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
