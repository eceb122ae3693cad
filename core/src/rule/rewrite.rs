//! URLRewrite, and the path modifier that it shares with redirects.

/// `HTTPURLRewriteFilter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// `hostname`: the new authority.
    pub hostname: Option<Box<str>>,
    /// `path`.
    pub path: Option<PathModifier>,
}

/// `HTTPPathModifier`, its value in canonical form and with a leading slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathModifier {
    /// `ReplaceFullPath`: the whole path becomes this; the query stays.
    Full(Box<[u8]>),
    /// `ReplacePrefixMatch`: the prefix that matched becomes this (no trailing slash, so that `/` is the empty string).
    Prefix(Box<[u8]>),
}
