//! HTTPRoute.

use super::filter::HttpRouteFilter;
use super::gateway::DefaultScope;
use super::reference::{BackendRef, ParentReference};
use super::status::RouteStatus;

kind! {
    /// HTTP requests of some hostnames, and what becomes of them.
    HttpRoute { HttpRouteSpec, RouteStatus }
}

wire! {
    /// `HTTPRouteSpec`.
    HttpRouteSpec {
        ;
        parent_refs: Vec<ParentReference>,
        hostnames: Vec<String>,
        rules: Vec<HttpRouteRule>,
        use_default_gateways: DefaultScope,
    }
}

wire! {
    /// `HTTPRouteRule`.
    HttpRouteRule {
        ;
        name: String,
        matches: Vec<HttpRouteMatch>,
        filters: Vec<HttpRouteFilter>,
        backend_refs: Vec<HttpBackendRef>,
        timeouts: HttpRouteTimeouts,
        retry: HttpRouteRetry,
        session_persistence: SessionPersistence,
    }
}

wire! {
    /// `HTTPRouteMatch`.
    HttpRouteMatch {
        ;
        path: HttpPathMatch,
        headers: Vec<HttpHeaderMatch>,
        query_params: Vec<HttpQueryParamMatch>,
        method: String,
    }
}

wire! {
    /// `HTTPPathMatch`.
    HttpPathMatch {
        ;
        #[serde(rename = "type")]
        match_type: PathMatchType,
        value: String,
    }
}

open_enum! {
    /// `PathMatchType`.
    PathMatchType = PathPrefix { PathPrefix = "PathPrefix", Exact = "Exact", RegularExpression = "RegularExpression" }
}

impl HttpPathMatch {
    /// `type`, `PathPrefix` by default.
    pub fn match_type(&self) -> &PathMatchType {
        self.match_type
            .as_ref()
            .unwrap_or(&PathMatchType::PathPrefix)
    }

    /// `value`, `/` by default.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("/")
    }
}

wire! {
    /// `HTTPHeaderMatch`; GRPCHeaderMatch is the same.
    HttpHeaderMatch {
        name: String,
        value: String;
        #[serde(rename = "type")]
        match_type: ValueMatchType,
    }
}

wire! {
    /// `HTTPQueryParamMatch`.
    HttpQueryParamMatch {
        name: String,
        value: String;
        #[serde(rename = "type")]
        match_type: ValueMatchType,
    }
}

open_enum! {
    /// `HeaderMatchType`, `QueryParamMatchType` and `GRPCMethodMatchType`.
    ValueMatchType = Exact { Exact = "Exact", RegularExpression = "RegularExpression" }
}

impl HttpHeaderMatch {
    /// `type`, `Exact` by default.
    pub fn match_type(&self) -> &ValueMatchType {
        self.match_type.as_ref().unwrap_or(&ValueMatchType::Exact)
    }
}

impl HttpQueryParamMatch {
    /// `type`, `Exact` by default.
    pub fn match_type(&self) -> &ValueMatchType {
        self.match_type.as_ref().unwrap_or(&ValueMatchType::Exact)
    }
}

wire! {
    /// `HTTPBackendRef`; GRPCBackendRef is the same.
    HttpBackendRef {
        #[serde(flatten)]
        backend: BackendRef;
        filters: Vec<HttpRouteFilter>,
    }
}

wire! {
    /// `HTTPRouteTimeouts`.
    HttpRouteTimeouts {
        ;
        request: String,
        backend_request: String,
    }
}

wire! {
    /// `HTTPRouteRetry`.
    HttpRouteRetry {
        ;
        codes: Vec<i32>,
        attempts: i32,
        backoff: String,
    }
}

impl HttpRouteRetry {
    /// `attempts`, 1 by default.
    pub fn attempts(&self) -> i32 {
        self.attempts.unwrap_or(1)
    }
}

wire! {
    /// `SessionPersistence` (experimental).
    SessionPersistence {
        ;
        #[serde(rename = "type")]
        persistence_type: SessionPersistenceType,
        absolute_timeout: String,
        cookie: SessionCookie,
        header: SessionHeader,
    }
}

open_enum! {
    /// `SessionPersistenceType`.
    SessionPersistenceType = Cookie { Cookie = "Cookie", Header = "Header" }
}

wire! {
    /// `CookieConfig`.
    SessionCookie {
        ;
        name: String,
        path: String,
        lifetime_type: CookieLifetimeType,
    }
}

open_enum! {
    /// `CookieLifetimeType`.
    CookieLifetimeType = Session { Session = "Session", Permanent = "Permanent" }
}

wire! {
    /// `HeaderConfig`.
    SessionHeader { name: String; }
}
