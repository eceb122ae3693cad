//! CORS: which origins may read what, and the answers that say so (the Fetch standard, section 3.3).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN,
    VARY,
};
use http::{Method, Response, StatusCode};

use super::edit::{EditHeaders, Headers};

/// `HTTPCORSFilter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// `allowOrigins`.
    pub origins: Vec<CorsOrigin>,
    /// `allowCredentials`.
    pub credentials: bool,
    /// `allowMethods`; `None` stands for `*`.
    pub methods: Option<Vec<Method>>,
    /// `allowHeaders`; `None` stands for `*`.
    pub headers: Option<Vec<HeaderName>>,
    /// `exposeHeaders`; `None` stands for `*`.
    pub expose_headers: Option<Vec<HeaderName>>,
    /// `maxAge`, in seconds.
    pub max_age: u32,
}

/// One entry of `allowOrigins`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigin {
    /// `*`.
    Any,
    /// `scheme://host[:port]`.
    Url {
        /// `http` or `https`.
        scheme: Box<str>,
        /// A name in lower case, `*.name` for every name below it, or `*`.
        host: Box<str>,
        /// The port written, or the scheme's default.
        port: u16,
        /// Whether the port was written: `https://*` without a port allows every port.
        port_given: bool,
    },
}

impl Cors {
    /// Whether `allowOrigins` has an entry for an `Origin` field: scheme, host and port are compared, a default port is
    /// one that is written, and `*.` stands for one or more labels. `*` is no origin, and would stand for all if it were
    /// said back.
    pub fn allows(&self, origin: &[u8]) -> bool {
        if origin == b"*" {
            return false;
        }
        let parsed = std::str::from_utf8(origin).ok().and_then(parse);
        self.origins.iter().any(|allowed| match allowed {
            CorsOrigin::Any => true,
            CorsOrigin::Url {
                scheme,
                host,
                port,
                port_given,
            } => parsed
                .as_ref()
                .is_some_and(|(own_scheme, own_host, own_port)| {
                    let ports = port == own_port || &**host == "*" && !port_given;
                    scheme.eq_ignore_ascii_case(own_scheme) && ports && covers(host, own_host)
                }),
        })
    }

    /// The answer to a preflight, a request `OPTIONS` with `Origin` and `Access-Control-Request-Method`; `None` for any
    /// other request, which goes on. An origin that is not allowed gets 403 and no field of CORS.
    pub fn preflight(&self, method: &Method, request: &dyn Headers) -> Option<Response<()>> {
        if method != Method::OPTIONS {
            return None;
        }
        let origin = first(request, &ORIGIN)?;
        let wanted = first(request, &ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::NO_CONTENT;
        self.mark(Some(&origin), response.headers_mut());
        if !self.allows(origin.as_bytes()) {
            *response.status_mut() = StatusCode::FORBIDDEN;
            return Some(response);
        }
        let headers = response.headers_mut();
        let methods = self
            .methods
            .as_ref()
            .map(|list| joined(list, Method::as_str));
        let methods = self.or_any(methods, Some(&wanted));
        put(headers, &ACCESS_CONTROL_ALLOW_METHODS, methods);
        let names = self
            .headers
            .as_ref()
            .map(|list| joined(list, HeaderName::as_str));
        let asked = first(request, &ACCESS_CONTROL_REQUEST_HEADERS);
        let names = self.or_any(names, asked.as_ref());
        put(headers, &ACCESS_CONTROL_ALLOW_HEADERS, names);
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age));
        Some(response)
    }

    /// Marks the answer to a request with this `Origin`: what a backend said of CORS goes, and an origin that is allowed
    /// may read the answer.
    pub fn mark(&self, origin: Option<&HeaderValue>, response: &mut (impl EditHeaders + ?Sized)) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            response.remove(&name);
        }
        // One answer for everybody may be kept for everybody; any other depends on who asks.
        let open = !self.credentials && self.origins.contains(&CorsOrigin::Any);
        if !open {
            response.append(&VARY, &HeaderValue::from_static("Origin"));
        }
        let Some(origin) = origin.filter(|origin| self.allows(origin.as_bytes())) else {
            return;
        };
        let shown = if open {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        };
        response.set(&ACCESS_CONTROL_ALLOW_ORIGIN, &shown);
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            response.set(&ACCESS_CONTROL_ALLOW_CREDENTIALS, &yes);
        }
        let exposed = self.expose_headers.as_ref();
        let exposed = exposed.map(|list| joined(list, HeaderName::as_str));
        put(
            response,
            &ACCESS_CONTROL_EXPOSE_HEADERS,
            self.or_any(exposed, None),
        );
    }

    /// A list as it is; in the place of `*` what was asked for if credentials are allowed, since `*` then stands for
    /// itself (Fetch, section 3.3.5).
    fn or_any(
        &self,
        list: Option<HeaderValue>,
        asked: Option<&HeaderValue>,
    ) -> Option<HeaderValue> {
        match list {
            Some(list) => Some(list),
            None if self.credentials => asked.cloned(),
            None => Some(HeaderValue::from_static("*")),
        }
    }
}

fn put(headers: &mut (impl EditHeaders + ?Sized), name: &HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        headers.set(name, &value);
    }
}

/// The first field of a name, if it is a value at all.
fn first(headers: &dyn Headers, name: &HeaderName) -> Option<HeaderValue> {
    let mut found = None;
    headers.each(name, &mut |value| {
        if found.is_none() {
            found = Some(HeaderValue::from_bytes(value).ok());
        }
    });
    found.flatten()
}

fn joined<T>(list: &[T], text: fn(&T) -> &str) -> HeaderValue {
    let texts: Vec<&str> = list.iter().map(text).collect();
    // INVARIANT: methods and names are tokens, so what is joined is a value.
    HeaderValue::from_str(&texts.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Scheme, host and port of an origin (RFC 6454 section 7).
fn parse(origin: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = origin.split_once("://")?;
    let default = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some((scheme, host, port.parse().ok()?)),
        _ => Some((scheme, rest, default)),
    }
}

fn covers(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => {
            let cut = host.len().checked_sub(suffix.len()).filter(|cut| *cut > 0);
            let tail = cut.and_then(|cut| host.get(cut..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
        }
        None => allowed.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn url(scheme: &str, host: &str, port: Option<u16>) -> CorsOrigin {
        let default = if scheme == "https" { 443 } else { 80 };
        CorsOrigin::Url {
            scheme: scheme.into(),
            host: host.into(),
            port: port.unwrap_or(default),
            port_given: port.is_some(),
        }
    }

    fn cors(origins: Vec<CorsOrigin>, credentials: bool) -> Cors {
        Cors {
            origins,
            credentials,
            methods: Some(vec![Method::GET, Method::PUT]),
            headers: None,
            expose_headers: Some(vec![HeaderName::from_static("x-id")]),
            max_age: 5,
        }
    }

    fn preflight(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (ORIGIN, HeaderValue::from_static(origin)),
            (
                ACCESS_CONTROL_REQUEST_METHOD,
                HeaderValue::from_static("PUT"),
            ),
            (
                ACCESS_CONTROL_REQUEST_HEADERS,
                HeaderValue::from_static("x-a, x-b"),
            ),
        ])
    }

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        let cors = cors(
            vec![
                url("https", "*.bar.com", None),
                url("http", "one.test", Some(8080)),
                url("https", "*", None),
            ],
            false,
        );
        for allowed in [
            "https://www.bar.com",
            "https://xpto.www.BAR.com:443",
            "http://one.test:8080",
            "https://foobar.com:12345",
        ] {
            assert!(cors.allows(allowed.as_bytes()), "{allowed}");
        }
        for refused in [
            "http://www.bar.com",
            "http://one.test",
            "null",
            "http://",
            "",
            "http://a:b:c",
        ] {
            assert!(!cors.allows(refused.as_bytes()), "{refused}");
        }
        let below = Cors {
            origins: vec![url("https", "*.bar.com", None)],
            ..cors
        };
        for refused in [
            "https://foobar.com",
            "https://.bar.com.evil",
            "https://bar.com",
            "https://www.bar.com:444",
        ] {
            assert!(!below.allows(refused.as_bytes()), "{refused}");
        }
    }

    #[test]
    fn a_preflight_is_answered_and_nothing_else() {
        let cors = cors(vec![url("https", "a.test", None)], true);
        let asked = preflight("https://a.test");
        assert!(cors.preflight(&Method::GET, &asked).is_none());
        assert!(
            cors.preflight(&Method::OPTIONS, &HeaderMap::new())
                .is_none()
        );
        let answer = cors.preflight(&Method::OPTIONS, &asked).expect("an answer");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let field = |name: HeaderName| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        assert_eq!(field(ACCESS_CONTROL_ALLOW_ORIGIN), Some("https://a.test"));
        assert_eq!(field(ACCESS_CONTROL_ALLOW_CREDENTIALS), Some("true"));
        assert_eq!(field(ACCESS_CONTROL_ALLOW_METHODS), Some("GET, PUT"));
        assert_eq!(field(ACCESS_CONTROL_ALLOW_HEADERS), Some("x-a, x-b"));
        assert_eq!(field(ACCESS_CONTROL_EXPOSE_HEADERS), Some("x-id"));
        assert_eq!(field(ACCESS_CONTROL_MAX_AGE), Some("5"));
        assert_eq!(field(VARY), Some("Origin"));
        let refused = cors
            .preflight(&Method::OPTIONS, &preflight("https://b.test"))
            .expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(refused.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
        assert!(refused.headers().get(ACCESS_CONTROL_MAX_AGE).is_none());
    }

    #[test]
    fn everybody_never_gets_credentials() {
        let cors = cors(vec![CorsOrigin::Any, url("https", "*", None)], true);
        for (origin, readable) in [("https://a.test", true), ("null", true), ("*", false)] {
            let mut headers = HeaderMap::new();
            cors.mark(Some(&HeaderValue::from_static(origin)), &mut headers);
            let shown = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(
                shown.is_some_and(|shown| shown == origin),
                readable,
                "{origin}"
            );
            assert_eq!(
                headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS),
                readable,
                "{origin}"
            );
        }
    }

    #[test]
    fn what_a_backend_says_of_origins_is_replaced() {
        let open = cors(vec![CorsOrigin::Any], false);
        let said = || {
            HeaderMap::from_iter([(
                ACCESS_CONTROL_ALLOW_ORIGIN,
                HeaderValue::from_static("https://evil.test"),
            )])
        };
        let mut headers = said();
        open.mark(
            Some(&HeaderValue::from_static("https://a.test")),
            &mut headers,
        );
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(headers.get(VARY).is_none());
        let narrow = cors(vec![url("https", "a.test", None)], false);
        let mut headers = said();
        narrow.mark(
            Some(&HeaderValue::from_static("https://b.test")),
            &mut headers,
        );
        assert!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
        let mut headers = said();
        narrow.mark(None, &mut headers);
        assert!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    }
}
