//! Header fields that belong to a connection, or that a proxy writes.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED as STANDARD, HOST, HeaderName, MAX_FORWARDS,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::head::{self, Refusal};
use crate::options::ForwardedPolicy;
use crate::serve::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields that say something of one connection.
static HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// RFC 9112 section 6.3, of an answer: chunked, or one length, or neither; anything else leaves its end open to doubt.
pub fn framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next().is_none_or(|length| {
        !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit)
    }) && lengths.next().is_none();
    match (codings.next(), codings.next()) {
        (None, _) => length,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
        }
        _ => false,
    }
}

/// The trailers of an answer, without what has no place there (RFC 9110 section 6.5.1): framing, connection and authority.
pub fn trailers(mut trailers: HeaderMap) -> HeaderMap {
    remove_hop_by_hop(&mut trailers);
    for name in [CONTENT_LENGTH, HOST, TE] {
        trailers.remove(name);
    }
    trailers
}

/// The fields of an HTTP/2 request, held against the same limits as those of HTTP/1 (RFC 9113 section 8.2.1).
///
/// # Errors
///
/// If there are too many, one is too long, or one could be read in two ways further on.
pub fn judge_http2(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    if target.len() > head::REQUEST_LINE {
        return Err(Refusal::with(
            StatusCode::URI_TOO_LONG,
            "the path is longer than 16 KiB",
        ));
    }
    if !head::is_target(target.as_bytes()) {
        return Err(Refusal::bad(
            "the path has a character that has to be encoded",
        ));
    }
    let too_large = |why| {
        Err(Refusal::with(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            why,
        ))
    };
    if headers.len() > head::FIELDS {
        return too_large("more than 128 fields");
    }
    let blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    let mut lengths = 0;
    for (name, value) in headers {
        let value = value.as_bytes();
        if name.as_str().len() + value.len() > head::FIELD_LINE {
            return too_large("a field is longer than 16 KiB");
        }
        if blank(value.first()) || blank(value.last()) {
            return Err(Refusal::bad("a field's value has a space around it"));
        }
        lengths += usize::from(*name == CONTENT_LENGTH);
    }
    if lengths > 1 {
        return Err(Refusal::bad("more than one content-length field"));
    }
    Ok(())
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
    // Most messages have none of them: one walk over their few fields costs less than a look-up of each name.
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| HOP_BY_HOP.contains(name))
        .cloned()
        .collect();
    if own.is_empty() {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in listed {
        headers.remove(name);
    }
    let trailers = headers
        .get(TE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in own {
        headers.remove(name);
    }
    // gRPC servers ask for it.
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Who asked for what, by the policy: what the client says of that is replaced by what we know, or believed and completed.
pub fn forwarded(headers: &mut HeaderMap, peer: &Peer, policy: ForwardedPolicy) {
    let trusted = policy == ForwardedPolicy::Append;
    // Backends that read fields as environment variables take `_` for `-`, so twins go in any case.
    let named = |name: &HeaderName| {
        let name = name.as_str();
        let bytes = name.as_bytes();
        if !matches!(bytes, [b'x', b'-' | b'_', ..] | [b'f', b'o', b'r', ..]) {
            return false;
        }
        let own = |of: &str| {
            bytes.len() >= of.len()
                && bytes
                    .iter()
                    .zip(of.as_bytes())
                    .all(|(&byte, &wanted)| byte == wanted || (byte == b'_' && wanted == b'-'))
        };
        let ours = own("x-forwarded-") || (own("x-real-ip") && bytes.len() == 9);
        (ours && (!trusted || name.contains('_'))) || (!trusted && *name == *STANDARD.as_str())
    };
    let dropped: Vec<HeaderName> = headers.keys().filter(|name| named(name)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
    let scheme = if peer.tls { "https" } else { "http" };
    if trusted {
        append(headers, &X_FORWARDED_FOR, peer.node.as_bytes());
        if headers.contains_key(&STANDARD) {
            let node = match peer.address.ip().to_canonical() {
                IpAddr::V4(address) => format!("for={address};proto={scheme}"),
                IpAddr::V6(address) => format!("for=\"[{address}]\";proto={scheme}"),
            };
            append(headers, &STANDARD, node.as_bytes());
        }
    } else {
        headers.insert(X_FORWARDED_FOR, peer.node.clone());
    }
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(X_FORWARDED_HOST).or_insert(host);
    }
    let scheme = HeaderValue::from_static(scheme);
    headers.entry(X_FORWARDED_PROTO).or_insert(scheme);
}

/// Adds an element to a list, which is one field afterwards.
fn append(headers: &mut HeaderMap, name: &HeaderName, element: &[u8]) {
    let before = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let all: Vec<&[u8]> = before.chain([element]).collect();
    if let Ok(value) = HeaderValue::from_bytes(&all.join(&b", "[..])) {
        headers.insert(name.clone(), value);
    }
}
