//! RequestRedirect.

use http::StatusCode;

use super::rewrite::PathModifier;

/// `HTTPRequestRedirectFilter`. What is absent is taken from the request and its listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `scheme`: `http` or `https`.
    pub scheme: Option<Box<str>>,
    /// `hostname`.
    pub hostname: Option<Box<str>>,
    /// `path`.
    pub path: Option<PathModifier>,
    /// `port`.
    pub port: Option<u16>,
    /// `statusCode`: 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

/// What a redirect takes from the request and its listener.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain inputs")]
pub struct Origin<'r> {
    /// Whether the listener ends TLS.
    pub https: bool,
    /// The host of the request, without port.
    pub host: &'r str,
    /// The listener's port of the specification.
    pub port: u16,
    /// The canonical path.
    pub path: &'r [u8],
    /// The query, without `?`.
    pub query: Option<&'r [u8]>,
    /// The prefix that matched, without trailing slashes.
    pub prefix: &'r [u8],
}

impl Redirect {
    /// The value of `Location`: an absolute URL (`HTTPRequestRedirectFilter`, digest 3.3).
    ///
    /// The port is left out where it is the scheme's own.
    pub fn location(&self, origin: &Origin<'_>) -> Vec<u8> {
        let scheme = self
            .scheme
            .as_deref()
            .unwrap_or(if origin.https { "https" } else { "http" });
        let own = if scheme == "https" { 443 } else { 80 };
        let port = match (self.port, &self.scheme) {
            (Some(port), _) => port,
            (None, Some(_)) => own,
            (None, None) => origin.port,
        };
        let mut location = Vec::with_capacity(64 + origin.path.len());
        location.extend_from_slice(scheme.as_bytes());
        location.extend_from_slice(b"://");
        location.extend_from_slice(self.hostname.as_deref().unwrap_or(origin.host).as_bytes());
        if port != own {
            location.push(b':');
            location.extend_from_slice(port.to_string().as_bytes());
        }
        match &self.path {
            Some(modifier) => modifier.apply(origin.path, origin.prefix, &mut location),
            None => location.extend_from_slice(origin.path),
        }
        if let Some(query) = origin.query {
            location.push(b'?');
            location.extend_from_slice(query);
        }
        location
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of digest 3.3.
    #[test]
    fn ports_and_schemes_are_derived() {
        for (https, listener, scheme, port, expected) in [
            (false, 80, None, None, "http://h"),
            (false, 80, None, Some(80), "http://h"),
            (false, 80, None, Some(8080), "http://h:8080"),
            (false, 80, Some("https"), None, "https://h"),
            (false, 80, Some("https"), Some(443), "https://h"),
            (false, 80, Some("https"), Some(8443), "https://h:8443"),
            (false, 8080, None, None, "http://h:8080"),
            (false, 8080, None, Some(80), "http://h"),
            (false, 8080, Some("https"), None, "https://h"),
            (true, 443, None, None, "https://h"),
            (true, 443, None, Some(443), "https://h"),
            (true, 443, None, Some(8443), "https://h:8443"),
            (true, 443, Some("http"), None, "http://h"),
            (true, 443, Some("http"), Some(8080), "http://h:8080"),
        ] {
            let redirect = Redirect {
                scheme: scheme.map(Into::into),
                hostname: None,
                path: None,
                port,
                status: StatusCode::FOUND,
            };
            let origin = Origin {
                https,
                host: "h",
                port: listener,
                path: b"/p",
                query: Some(b"q=1"),
                prefix: b"",
            };
            let location = redirect.location(&origin);
            assert_eq!(
                String::from_utf8_lossy(&location),
                format!("{expected}/p?q=1")
            );
        }
    }
}
