//! Durations as users write them.

use serde::{Deserialize, Serialize};

use crate::duration::{InvalidDuration, parse};

/// `Duration` of GEP-2257. The text is kept as written, because `60s` and `1m` are one duration and two manifests.
///
/// ```
/// use gatepost::api::duration::Duration;
/// let timeout = Duration::from("0m90s");
/// assert_eq!(timeout.parse(), Ok(std::time::Duration::from_secs(90)));
/// assert_eq!(timeout.as_str(), "0m90s");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(String);

impl Duration {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it says.
    ///
    /// # Errors
    ///
    /// If the text is not of the form that GEP-2257 asks for.
    pub fn parse(&self) -> Result<std::time::Duration, InvalidDuration> {
        parse(&self.0)
    }
}

impl From<&str> for Duration {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
