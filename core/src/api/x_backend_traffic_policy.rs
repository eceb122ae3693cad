//! XBackendTrafficPolicy (experimental).

use super::http_route::SessionPersistence;
use super::reference::LocalObjectReference;
use super::status::PolicyStatus;

kind! {
    /// A retry budget for backends.
    XBackendTrafficPolicy { XBackendTrafficPolicySpec, PolicyStatus }
}

wire! {
    /// `BackendTrafficPolicySpec`.
    XBackendTrafficPolicySpec {
        target_refs: Vec<LocalObjectReference>;
        retry_constraint: RetryConstraint,
        session_persistence: SessionPersistence,
    }
}

wire! {
    /// `RetryConstraint`.
    RetryConstraint {
        ;
        budget: BudgetDetails,
        min_retry_rate: RequestRate,
    }
}

wire! {
    /// `BudgetDetails`.
    BudgetDetails {
        ;
        percent: i32,
        interval: String,
    }
}

wire! {
    /// `RequestRate`.
    RequestRate {
        ;
        count: i32,
        interval: String,
    }
}
