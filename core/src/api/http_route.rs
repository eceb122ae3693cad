//! HTTPRoute.

use serde::{Deserialize, Serialize};

use super::duration::Duration;
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

/// What a rule has when it says nothing.
static DEFAULT_RULE: HttpRouteRule = HttpRouteRule {
    name: None,
    matches: None,
    filters: None,
    backend_refs: None,
    timeouts: None,
    retry: None,
    session_persistence: None,
};
static DEFAULT_MATCH: HttpRouteMatch = HttpRouteMatch {
    path: None,
    headers: None,
    query_params: None,
    method: None,
};
static DEFAULT_PATH: HttpPathMatch = HttpPathMatch {
    match_type: None,
    value: None,
};

impl HttpRouteSpec {
    /// `rules`, one rule that takes everything by default.
    pub fn rules(&self) -> &[HttpRouteRule] {
        let default = std::slice::from_ref(&DEFAULT_RULE);
        self.rules.as_deref().unwrap_or(default)
    }
}

impl HttpRouteRule {
    /// `matches`, one match of the prefix `/` where there is none.
    pub fn matches(&self) -> &[HttpRouteMatch] {
        match self.matches.as_deref() {
            None | Some([]) => std::slice::from_ref(&DEFAULT_MATCH),
            Some(matches) => matches,
        }
    }
}

impl HttpRouteMatch {
    /// `path`, the prefix `/` by default.
    pub fn path(&self) -> &HttpPathMatch {
        self.path.as_ref().unwrap_or(&DEFAULT_PATH)
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

/// `HTTPBackendRef`; GRPCBackendRef is the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "FlatBackendRef")]
#[non_exhaustive]
pub struct HttpBackendRef {
    #[serde(flatten)]
    #[expect(missing_docs, reason = "the field is what its type says")]
    pub backend: BackendRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "the field is what its type says")]
    pub filters: Option<Vec<HttpRouteFilter>>,
}

/// All its fields beside each other, as they are read: serde buffers what it flattens, and loses what nobody asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FlatBackendRef {
    name: String,
    group: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    port: Option<i32>,
    weight: Option<i32>,
    filters: Option<Vec<HttpRouteFilter>>,
}

impl From<FlatBackendRef> for HttpBackendRef {
    fn from(flat: FlatBackendRef) -> Self {
        Self {
            backend: BackendRef {
                name: flat.name,
                group: flat.group,
                kind: flat.kind,
                namespace: flat.namespace,
                port: flat.port,
                weight: flat.weight,
            },
            filters: flat.filters,
        }
    }
}

wire! {
    /// `HTTPRouteTimeouts`.
    HttpRouteTimeouts {
        ;
        request: Duration,
        backend_request: Duration,
    }
}

wire! {
    /// `HTTPRouteRetry`. The CRD names no width for `attempts` and no bound above.
    HttpRouteRetry {
        ;
        codes: Vec<i32>,
        attempts: i64,
        backoff: Duration,
    }
}

impl HttpRouteRetry {
    /// `attempts`, 1 by default.
    pub fn attempts(&self) -> i64 {
        self.attempts.unwrap_or(1)
    }
}

wire! {
    /// `SessionPersistence` (experimental).
    SessionPersistence {
        ;
        #[serde(rename = "type")]
        persistence_type: SessionPersistenceType,
        absolute_timeout: Duration,
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

impl SessionPersistence {
    /// `type`, `Cookie` by default.
    pub fn persistence_type(&self) -> &SessionPersistenceType {
        self.persistence_type
            .as_ref()
            .unwrap_or(&SessionPersistenceType::Cookie)
    }
}

impl SessionCookie {
    /// `path`, `/` by default.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/")
    }

    /// `lifetimeType`, `Session` by default.
    pub fn lifetime_type(&self) -> &CookieLifetimeType {
        self.lifetime_type
            .as_ref()
            .unwrap_or(&CookieLifetimeType::Session)
    }
}
