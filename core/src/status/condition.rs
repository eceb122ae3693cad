//! Conditions.

use std::borrow::Cow;

use crate::resolve::finding::{Finding, Reason};

macro_rules! types {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// The type of a condition (digest 4.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "the names are the specification's")]
        pub enum Type {
            $($name,)*
        }

        impl Type {
            /// All that are written.
            pub const ALL: &'static [Type] = &[$(Type::$name),*];

            /// The type on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Type::$name => $text,)*
                }
            }
        }
    };
}

types!(
    Accepted = "Accepted",
    AddressesAssigned = "AddressesAssigned",
    Conflicted = "Conflicted",
    InsecureFrontendValidationMode = "InsecureFrontendValidationMode",
    OverlappingTlsConfig = "OverlappingTLSConfig",
    PartiallyInvalid = "PartiallyInvalid",
    Programmed = "Programmed",
    ResolvedRefs = "ResolvedRefs",
    SupportedVersion = "SupportedVersion",
);

/// Types of ours that go away when they do not hold any more.
pub(super) const PASSING: [Type; 5] = [
    Type::AddressesAssigned,
    Type::Conflicted,
    Type::InsecureFrontendValidationMode,
    Type::OverlappingTlsConfig,
    Type::PartiallyInvalid,
];

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
    pub message: Cow<'static, str>,
}

impl Condition {
    pub(super) fn yes(
        kind: Type,
        reason: Reason,
        message: impl Into<Cow<'static, str>>,
    ) -> Condition {
        Condition {
            kind,
            status: true,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn no(kind: Type, finding: &Finding) -> Condition {
        Condition {
            kind,
            status: false,
            reason: finding.reason,
            message: finding.message.clone().into(),
        }
    }

    /// `False` for a finding, `True` without one.
    pub(super) fn unless(
        kind: Type,
        finding: Option<&Finding>,
        reason: Reason,
        message: &'static str,
    ) -> Condition {
        match finding {
            Some(finding) => Condition::no(kind, finding),
            None => Condition::yes(kind, reason, message),
        }
    }
}
