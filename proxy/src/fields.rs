//! Header fields that belong to a connection, or that a proxy writes.

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::serve::Peer;

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
        .get("max-forwards")
        .and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    match left {
        Some(0) => Err(StatusCode::NOT_IMPLEMENTED),
        Some(left) => {
            headers.insert("max-forwards", HeaderValue::from(left - 1));
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
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
    // gRPC servers ask for it.
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Who asked for what: what the client says of that is replaced by what we know.
pub fn forwarded(headers: &mut HeaderMap, peer: &Peer) {
    headers.remove("forwarded");
    for name in [
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-real-ip",
    ] {
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
        headers.insert("x-forwarded-host", host);
    }
    if let Ok(address) = HeaderValue::from_str(&peer.address.ip().to_string()) {
        headers.insert("x-forwarded-for", address);
    }
    let scheme = if peer.tls { "https" } else { "http" };
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
}
