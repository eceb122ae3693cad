//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use gatepost::timestamp::Timestamp;

/// Now, in whole seconds.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
