//! The filters of a rule and of a backend, in the one order in which they run.

use std::sync::Arc;

use super::cors::Cors;
use super::external_auth::ExternalAuth;
use super::headers::HeaderEdits;
use super::mirror::Mirror;
use super::rare::Empty;
use super::redirect::Redirect;
use super::rewrite::Rewrite;

/// The filters of a rule (`HTTPRouteRule.filters`). They run in the order of the fields, whatever the order of the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// Why no request may pass: a filter that could not be resolved is never skipped.
    pub fault: Option<Fault>,
    /// CORS.
    pub cors: Option<Cors>,
    /// ExternalAuth.
    pub external_auth: Option<ExternalAuth>,
    /// RequestRedirect: ends the request.
    pub redirect: Option<Redirect>,
    /// RequestHeaderModifier.
    pub request_headers: Option<HeaderEdits>,
    /// URLRewrite.
    pub rewrite: Option<Rewrite>,
    /// RequestMirror, in list order.
    pub mirrors: Vec<Mirror>,
    /// ResponseHeaderModifier.
    pub response_headers: Option<HeaderEdits>,
}

impl Empty for Filters {
    fn empty() -> &'static Self {
        static EMPTY: Filters = Filters {
            fault: None,
            cors: None,
            external_auth: None,
            redirect: None,
            request_headers: None,
            rewrite: None,
            mirrors: Vec::new(),
            response_headers: None,
        };
        &EMPTY
    }
}

/// The filters of one backend (`HTTPBackendRef.filters`): they run after the rule's, when that backend is picked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackendFilters {
    /// Why no request may reach this backend.
    pub fault: Option<Fault>,
    /// RequestHeaderModifier.
    pub request_headers: Option<HeaderEdits>,
    /// URLRewrite.
    pub rewrite: Option<Rewrite>,
    /// RequestMirror.
    pub mirrors: Vec<Mirror>,
    /// ResponseHeaderModifier.
    pub response_headers: Option<HeaderEdits>,
}

impl Empty for BackendFilters {
    fn empty() -> &'static Self {
        static EMPTY: BackendFilters = BackendFilters {
            fault: None,
            request_headers: None,
            rewrite: None,
            mirrors: Vec::new(),
            response_headers: None,
        };
        &EMPTY
    }
}

/// Requests get a 500 (gRPC: UNAVAILABLE) for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// For logs and `explain`; never sent to clients.
    pub reason: Arc<str>,
}
