//! Conditions.

use crate::resolve::finding::{Finding, Reason};

/// The type of a condition (digest 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Type {
    Accepted,
    Conflicted,
    PartiallyInvalid,
    Programmed,
    ResolvedRefs,
    SupportedVersion,
}

impl Type {
    /// The type on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Accepted => "Accepted",
            Type::Conflicted => "Conflicted",
            Type::PartiallyInvalid => "PartiallyInvalid",
            Type::Programmed => "Programmed",
            Type::ResolvedRefs => "ResolvedRefs",
            Type::SupportedVersion => "SupportedVersion",
        }
    }
}

/// A condition without generation and time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Condition {
    /// Its type.
    pub kind: Type,
    /// `True` or `False`.
    pub status: bool,
    /// Its reason.
    pub reason: Reason,
    /// Its message.
    pub message: String,
}

impl Condition {
    pub(super) fn yes(kind: Type, reason: Reason, message: &str) -> Condition {
        Condition {
            kind,
            status: true,
            reason,
            message: message.to_owned(),
        }
    }

    pub(super) fn no(kind: Type, finding: &Finding) -> Condition {
        Condition {
            kind,
            status: false,
            reason: finding.reason,
            message: finding.message.clone(),
        }
    }
}
