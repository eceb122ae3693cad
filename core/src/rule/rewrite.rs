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

impl PathModifier {
    /// Appends the new path to `out`. `prefix` is the prefix that matched, without trailing slashes.
    ///
    /// A prefix is replaced by whole elements (`HTTPPathModifier.replacePrefixMatch`); the result is never empty.
    pub fn apply(&self, path: &[u8], prefix: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            PathModifier::Full(full) => out.extend_from_slice(full),
            PathModifier::Prefix(replacement) => {
                out.extend_from_slice(replacement);
                out.extend_from_slice(path.strip_prefix(prefix).unwrap_or_default());
            }
        }
        if out.len() == start {
            out.push(b'/');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of digest 3.4; values are canonical here, so without trailing slashes.
    #[test]
    fn prefixes_are_replaced_by_whole_elements() {
        for (path, prefix, replacement, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/strip-prefix/three", "/strip-prefix", "", "/three"),
            ("/any", "", "/new", "/new/any"),
            ("/", "", "/new", "/new/"),
        ] {
            let mut out = Vec::new();
            PathModifier::Prefix(replacement.as_bytes().into()).apply(
                path.as_bytes(),
                prefix.as_bytes(),
                &mut out,
            );
            assert_eq!(
                String::from_utf8_lossy(&out),
                expected,
                "{path} {prefix} {replacement}"
            );
        }
    }
}
