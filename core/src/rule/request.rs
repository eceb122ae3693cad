//! What an HTTPRoute match asks of a request.

use http::{HeaderName, Method};

use super::rare::{Empty, Rare};
use crate::pattern::Pattern;

/// One entry of `HTTPRouteRule.matches`: all of it has to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestMatch {
    /// Position in the rule's `matches`.
    pub index: u16,
    /// `path`.
    pub path: PathMatch,
    /// What it asks for besides.
    pub conditions: Rare<RequestConditions>,
}

/// What an HTTPRoute match asks for besides its path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestConditions {
    /// `method`.
    pub method: Option<Method>,
    /// `headers`, at most one entry a name: of duplicates only the first counts.
    pub headers: Vec<HeaderMatch>,
    /// `queryParams`, at most one entry a name: of duplicates only the first counts.
    pub query: Vec<QueryMatch>,
}

impl Empty for RequestConditions {
    fn empty() -> &'static Self {
        static EMPTY: RequestConditions = RequestConditions {
            method: None,
            headers: Vec::new(),
            query: Vec::new(),
        };
        &EMPTY
    }
}

/// `HTTPPathMatch`, with its value in canonical form (see [`crate::target`]).
#[derive(Clone, Debug, PartialEq)]
pub enum PathMatch {
    /// The whole canonical path.
    Exact(Box<[u8]>),
    /// Path elements from the start; without trailing slashes, so that `/` is the empty string.
    Prefix(Box<[u8]>),
    /// A regular expression over the whole canonical path.
    Pattern(Pattern),
}

/// The value of a header, query parameter or gRPC name.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueMatch {
    /// The whole value, byte for byte.
    Exact(Box<[u8]>),
    /// A regular expression over the whole value.
    Pattern(Pattern),
}

/// `HTTPHeaderMatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderMatch {
    /// The field's name; case does not matter.
    pub name: HeaderName,
    /// What its value has to be; repeated fields are joined (`,`, for Cookie `; `) before they are compared.
    pub value: ValueMatch,
}

/// `HTTPQueryParamMatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryMatch {
    /// The decoded name; case matters.
    pub name: Box<str>,
    /// What the first decoded value of that name has to be.
    pub value: ValueMatch,
}
