//! Header fields that belong to a connection, or that a proxy writes.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED as STANDARD, HOST, HeaderName, MAX_FORWARDS,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::serve::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a client may not say of itself; `X-Forwarded-For` and `X-Forwarded-Proto` are written over.
static FORWARDED: [HeaderName; 5] = [
    STANDARD,
    X_FORWARDED_HOST,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-real-ip"),
];

/// Fields that say something of one connection.
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// RFC 9112 section 6.3, of an answer: chunked, or a length, or neither; anything else leaves its end open to doubt.
pub fn framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
        }
        _ => false,
    }
}

/// RFC 9113 section 8.2.3: crumbs of cookies are one field again before they go anywhere else.
pub fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// RFC 9110 section 7.6.2: `TRACE` and `OPTIONS` go so many steps and no further.
///
/// # Errors
///
/// At zero steps: 501, since there is nothing here that could answer instead.
pub fn max_forwards(method: &Method, headers: &mut HeaderMap) -> Result<(), StatusCode> {
    if !matches!(*method, Method::TRACE | Method::OPTIONS) {
        return Ok(());
    }
    let left = headers
        .get(MAX_FORWARDS)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    match left {
        Some(0) => Err(StatusCode::NOT_IMPLEMENTED),
        Some(left) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            Ok(())
        }
        None => Ok(()),
    }
}

/// RFC 9110 section 7.6.1: fields of the connection, and those that `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in listed {
        headers.remove(name);
    }
    let trailers = headers
        .get(TE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    // gRPC servers ask for it.
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Who asked for what: what the client says of that is replaced by what we know.
pub fn forwarded(headers: &mut HeaderMap, peer: &Peer) {
    for name in &FORWARDED {
        headers.remove(name);
    }
    // Backends that read fields as environment variables take `_` for `-`.
    let twins: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| {
            let twin = name.as_str().replace('_', "-");
            twin.starts_with("x-forwarded-") || twin == "x-real-ip"
        })
        .cloned()
        .collect();
    for name in twins {
        headers.remove(name);
    }
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if let Ok(address) = HeaderValue::from_str(&peer.address.ip().to_string()) {
        headers.insert(X_FORWARDED_FOR, address);
    }
    let scheme = if peer.tls { "https" } else { "http" };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
}
