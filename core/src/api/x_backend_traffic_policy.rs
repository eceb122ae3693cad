//! XBackendTrafficPolicy (experimental).

use super::duration::Duration;
use super::http_route::SessionPersistence;
use super::reference::LocalObjectReference;
use super::status::PolicyStatus;
use crate::duration::InvalidDuration;

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
        interval: Duration,
    }
}

wire! {
    /// `RequestRate`.
    RequestRate {
        ;
        count: i32,
        interval: Duration,
    }
}

/// An interval, or so many seconds where there is none.
fn interval(
    written: Option<&Duration>,
    default: u64,
) -> Result<std::time::Duration, InvalidDuration> {
    let default = std::time::Duration::from_secs(default);
    written.map_or(Ok(default), Duration::parse)
}

impl BudgetDetails {
    /// `percent`, 20 by default.
    pub fn percent(&self) -> i32 {
        self.percent.unwrap_or(20)
    }

    /// `interval`, ten seconds by default.
    ///
    /// # Errors
    ///
    /// If it is not a duration.
    pub fn interval(&self) -> Result<std::time::Duration, InvalidDuration> {
        interval(self.interval.as_ref(), 10)
    }
}

impl RequestRate {
    /// `count`, 10 by default.
    pub fn count(&self) -> i32 {
        self.count.unwrap_or(10)
    }

    /// `interval`, one second by default.
    ///
    /// # Errors
    ///
    /// If it is not a duration.
    pub fn interval(&self) -> Result<std::time::Duration, InvalidDuration> {
        interval(self.interval.as_ref(), 1)
    }
}
