//! Routes of all kinds, seen alike.

use std::sync::Arc;

use crate::api::Object;
use crate::api::gateway::DefaultScope;
use crate::api::grpc_route::GrpcRouteRule;
use crate::api::http_route::HttpRouteRule;
use crate::api::layer4_route::Layer4Rule;
use crate::api::meta::ObjectMeta;
use crate::api::reference::ParentReference;
use crate::key::ObjectKey;
use crate::resources::Resource;

/// What attachment looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteView<'r> {
    pub(super) key: &'r Arc<ObjectKey>,
    pub(super) metadata: &'r ObjectMeta,
    pub(super) parents: &'r [ParentReference],
    pub(super) hostnames: &'r [String],
    /// Whether it asks for default Gateways.
    pub(super) default_gateways: bool,
    pub(super) rules: RulesView<'r>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum RulesView<'r> {
    Http(&'r [HttpRouteRule]),
    Grpc(&'r [GrpcRouteRule]),
    Layer4(&'r [Layer4Rule]),
}

pub(super) fn view(resource: &Resource) -> Option<RouteView<'_>> {
    let (parents, hostnames, scope, rules) = match resource.object() {
        Object::HttpRoute(route) => {
            let spec = &route.spec;
            (
                &spec.parent_refs,
                &spec.hostnames,
                &spec.use_default_gateways,
                RulesView::Http(spec.rules()),
            )
        }
        Object::GrpcRoute(route) => {
            let spec = &route.spec;
            (
                &spec.parent_refs,
                &spec.hostnames,
                &spec.use_default_gateways,
                RulesView::Grpc(spec.rules.as_deref().unwrap_or_default()),
            )
        }
        Object::TlsRoute(route) => {
            let spec = &route.spec;
            (
                &spec.parent_refs,
                &spec.hostnames,
                &spec.use_default_gateways,
                RulesView::Layer4(&spec.rules),
            )
        }
        Object::TcpRoute(route) => (
            &route.spec.parent_refs,
            &None,
            &route.spec.use_default_gateways,
            RulesView::Layer4(&route.spec.rules),
        ),
        Object::UdpRoute(route) => (
            &route.spec.parent_refs,
            &None,
            &route.spec.use_default_gateways,
            RulesView::Layer4(&route.spec.rules),
        ),
        _ => return None,
    };
    Some(RouteView {
        key: resource.shared_key(),
        metadata: resource.object().metadata(),
        parents: parents.as_deref().unwrap_or_default(),
        hostnames: hostnames.as_deref().unwrap_or_default(),
        default_gateways: *scope == Some(DefaultScope::All),
        rules,
    })
}
