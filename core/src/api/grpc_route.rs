//! GRPCRoute.

use super::filter::HttpRouteFilter;
use super::gateway::DefaultScope;
use super::http_route::{HttpBackendRef, HttpHeaderMatch, SessionPersistence, ValueMatchType};
use super::reference::ParentReference;
use super::status::RouteStatus;

kind! {
    /// gRPC requests of some hostnames, and what becomes of them.
    GrpcRoute { GrpcRouteSpec, RouteStatus }
}

wire! {
    /// `GRPCRouteSpec`.
    GrpcRouteSpec {
        ;
        parent_refs: Vec<ParentReference>,
        hostnames: Vec<String>,
        rules: Vec<GrpcRouteRule>,
        use_default_gateways: DefaultScope,
    }
}

wire! {
    /// `GRPCRouteRule`.
    GrpcRouteRule {
        ;
        name: String,
        matches: Vec<GrpcRouteMatch>,
        filters: Vec<HttpRouteFilter>,
        backend_refs: Vec<HttpBackendRef>,
        session_persistence: SessionPersistence,
    }
}

wire! {
    /// `GRPCRouteMatch`.
    GrpcRouteMatch {
        ;
        method: GrpcMethodMatch,
        headers: Vec<HttpHeaderMatch>,
    }
}

wire! {
    /// `GRPCMethodMatch`.
    GrpcMethodMatch {
        ;
        #[serde(rename = "type")]
        match_type: ValueMatchType,
        service: String,
        method: String,
    }
}

impl GrpcMethodMatch {
    /// `type`, `Exact` by default.
    pub fn match_type(&self) -> &ValueMatchType {
        self.match_type.as_ref().unwrap_or(&ValueMatchType::Exact)
    }
}
