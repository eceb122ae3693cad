//! One request: judged, matched, its steps carried out, forwarded or answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost::rule::{BackendProtocol, HeaderEdits, NoBackend};
use gatepost::table::{Action, Head, NoMatch, ResponseStep, Scratch, is_grpc};
use gatepost::target::{Raw, Refused, Target};
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::error::{BoxError, ForwardError};
use crate::forward::Body;
use crate::guard::Exchange;
use crate::head;
use crate::metrics::Labels;
use crate::state::{Plane, Served};
use crate::upgrade;

/// What is known of the connection that a request came in by.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Peer {
    /// The client.
    pub address: SocketAddr,
    /// The port of the specification.
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The server name of its TLS handshake, in lower case.
    pub sni: Option<Arc<str>>,
    /// What the reader of an HTTP/1 connection has to say.
    pub exchange: Option<Arc<Exchange>>,
}

/// What became of a request, for metrics and the access log.
#[derive(Debug, Default)]
struct Outcome {
    labels: Labels,
    why: String,
}

/// Answers a request.
pub async fn serve(plane: Arc<Plane>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let start = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let grpc = is_grpc(method.as_str().as_bytes(), request.headers());
    let mut outcome = Outcome::default();
    let exchange = peer
        .exchange
        .as_deref()
        .filter(|_| request.version() <= Version::HTTP_11);
    let mut response = match exchange.and_then(Exchange::begin) {
        Some(refused) => close(refused, &mut outcome),
        None => match answer(&plane, &peer, request, &mut outcome).await {
            Ok(response) => response,
            // The backend broke off because the client's body did.
            Err(status) => match exchange.and_then(Exchange::body) {
                Some(refused) => close(refused, &mut outcome),
                None => refusal(status, grpc),
            },
        },
    };
    if let Some(exchange) = exchange {
        exchange.answer(response.status() == StatusCode::SWITCHING_PROTOCOLS);
    }
    outcome.labels.status = response.status().as_u16();
    let elapsed = start.elapsed();
    plane.metrics.latency.observe(elapsed.as_secs_f64());
    if plane.access_log {
        let labels = &outcome.labels;
        tracing::info!(
            target: "gatepost::access",
            client = %peer.address, %method, %uri, status = labels.status, listener = labels.listener, route = labels.route,
            rule = labels.rule, backend = labels.backend, why = outcome.why, microseconds = elapsed.as_micros(), "request"
        );
    }
    plane.metrics.requests.get_or_create(&outcome.labels).inc();
    // Hop-by-hop fields of ours are written by the server.
    response.headers_mut().remove("keep-alive");
    response
}

/// The answer to a request whose bytes were refused: the connection ends with it.
fn close(refused: head::Refusal, outcome: &mut Outcome) -> Response<Body> {
    outcome.why = refused.why.to_owned();
    let mut response = refusal(refused.status, false);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A short answer of our own; for gRPC a status that its clients understand.
fn refusal(status: StatusCode, grpc: bool) -> Response<Body> {
    let text = format!(
        "{}\n",
        status.canonical_reason().unwrap_or("error").to_lowercase()
    );
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed());
    if grpc {
        let code = match status {
            StatusCode::NOT_FOUND => "12",
            StatusCode::GATEWAY_TIMEOUT => "4",
            StatusCode::BAD_REQUEST => "13",
            _ => "14",
        };
        *response.body_mut() = crate::forward::empty();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
            .headers_mut()
            .insert("grpc-status", HeaderValue::from_static(code));
        return response;
    }
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

async fn answer(
    plane: &Arc<Plane>,
    peer: &Peer,
    request: Request<Incoming>,
    outcome: &mut Outcome,
) -> Result<Response<Body>, StatusCode> {
    let served = plane.served.load_full();
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri);
    let mut buffer = Vec::new();
    let hosts: Vec<HeaderValue> = parts.headers.get_all(HOST).iter().cloned().collect();
    let target = target(&served, &uri, &parts, &hosts, &mut buffer).map_err(|refused| {
        outcome.why = refused.to_string();
        StatusCode::BAD_REQUEST
    })?;
    // RFC 9112 section 3.2.2: what the target says goes before what the field said.
    if let Some(value) = uri
        .authority()
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
    {
        parts.headers.insert(HOST, value);
    }
    if parts.version == Version::HTTP_2 {
        if parts.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
            outcome.why = "more than one content-length field".to_owned();
            return Err(StatusCode::BAD_REQUEST);
        }
        join_cookies(&mut parts.headers);
    }
    max_forwards(&parts.method, &mut parts.headers)
        .inspect_err(|_| outcome.why = "Max-Forwards is used up".to_owned())?;
    // Matching ends before anything is awaited, so that its borrows do too.
    let plan = plan(&served, peer, &target, &mut parts, outcome)?;
    forward(plane, &served, plan, parts, body, outcome).await
}

fn target<'r>(
    served: &Served,
    uri: &'r Uri,
    parts: &http::request::Parts,
    hosts: &'r [HeaderValue],
    buffer: &'r mut Vec<u8>,
) -> Result<Target<'r>, Refused> {
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let connect = parts.method == Method::CONNECT;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut hosts = hosts.iter().map(HeaderValue::as_bytes);
    let raw = Raw {
        target: if connect {
            authority.unwrap_or_default()
        } else {
            path.as_bytes()
        },
        authority,
        hosts: &mut hosts,
        host_required: parts.version == Version::HTTP_11,
        connect,
    };
    served.table.target(raw, buffer)
}

thread_local! {
    /// What a thread matches with: it grows to what the tables need, and serves those that follow.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What is to be done, free of the table's borrows.
enum Plan {
    Respond(Response<()>),
    Forward(Box<Forwarding>),
}

struct Forwarding {
    uri: Uri,
    /// The protocol that the client asks to change to.
    wanted: Option<HeaderValue>,
    port: gatepost::rule::ServicePort,
    http2: bool,
    response: Vec<HeaderEdits>,
    limit: Option<Duration>,
}

fn plan(
    served: &Served,
    peer: &Peer,
    target: &Target<'_>,
    parts: &mut http::request::Parts,
    outcome: &mut Outcome,
) -> Result<Plan, StatusCode> {
    let method = parts.method.clone();
    let found = {
        let head = Head {
            port: peer.port,
            sni: peer.sni.as_deref(),
            method: method.as_str().as_bytes(),
            target: *target,
            headers: &parts.headers,
        };
        SCRATCH.with_borrow_mut(|scratch| served.table.find(&head, scratch))
    };
    let found = found.map_err(|no_match| match no_match {
        NoMatch::NotFound => {
            outcome.why = "no rule serves it".to_owned();
            StatusCode::NOT_FOUND
        }
        NoMatch::Misdirected => {
            outcome.why = "the host belongs to another listener than the connection".to_owned();
            StatusCode::MISDIRECTED_REQUEST
        }
        NoMatch::NotImplemented => {
            outcome.why = "CONNECT".to_owned();
            StatusCode::NOT_IMPLEMENTED
        }
    })?;
    let listener = found.listener();
    outcome.labels.listener = format!("{}/{}", listener.gateway, listener.name);
    outcome.labels.route = found.route().namespaced_name().to_string();
    outcome.labels.rule = found.rule().index.to_string();
    // What the client says of its connection goes before filters add fields: it may not take theirs away.
    let wanted = upgrade::wanted(&parts.headers);
    remove_hop_by_hop(&mut parts.headers);
    forwarded(&mut parts.headers, peer);
    match found.apply(target, parts) {
        Action::Respond(response) => {
            outcome.why = "answered by a filter".to_owned();
            return Ok(Plan::Respond(response));
        }
        Action::Forward(_) => {}
    }
    let picked = found
        .backends()
        .pick(served.ticket(found.rule_id()))
        .map_err(|none| {
            outcome.why = match none {
                NoBackend::Empty => "the rule has no backends".to_owned(),
                NoBackend::ZeroWeights => "all weights are zero".to_owned(),
                NoBackend::Invalid { reason, .. } => reason.message.to_string(),
            };
            StatusCode::INTERNAL_SERVER_ERROR
        })?;
    found
        .apply_backend(&picked, target, parts)
        .map_err(|fault| {
            outcome.why = fault.reason.to_string();
            StatusCode::INTERNAL_SERVER_ERROR
        })?;
    let Ok(destination) = &picked.backend.destination else {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    };
    outcome.labels.backend = destination.port.to_string();
    let grpc = found.route().kind == gatepost::key::Kind::GrpcRoute;
    let http2 = match destination.protocol {
        BackendProtocol::Http2 => true,
        BackendProtocol::Unspecified => grpc,
        _ => false,
    };
    let edits = found
        .response_steps(Some(&picked))
        .filter_map(|step| match step {
            ResponseStep::ResponseHeaders(edits) => Some(edits.clone()),
            ResponseStep::Cors(_) => None,
        });
    let timeouts = found.rule().timeouts;
    let limits = [timeouts.request, timeouts.backend_request]
        .into_iter()
        .flatten()
        .filter(|limit| !limit.is_zero());
    Ok(Plan::Forward(Box::new(Forwarding {
        uri: parts.uri.clone(),
        wanted,
        port: destination.port.clone(),
        http2,
        response: edits.collect(),
        limit: limits.min(),
    })))
}

async fn forward(
    plane: &Arc<Plane>,
    served: &Served,
    plan: Plan,
    mut parts: http::request::Parts,
    body: Incoming,
    outcome: &mut Outcome,
) -> Result<Response<Body>, StatusCode> {
    let forwarding = match plan {
        Plan::Respond(response) => return Ok(response.map(|()| crate::forward::empty())),
        Plan::Forward(forwarding) => forwarding,
    };
    let client = forwarding
        .wanted
        .as_ref()
        .and_then(|_| parts.extensions.remove::<hyper::upgrade::OnUpgrade>());
    if let (Some(protocol), Some(_)) = (&forwarding.wanted, &client) {
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(UPGRADE, protocol.clone());
    }
    let mut request = Request::new(body.map_err(|error| -> BoxError { error.into() }).boxed());
    *request.method_mut() = parts.method;
    *request.uri_mut() = uri(&forwarding, &parts.headers).map_err(|why| {
        outcome.why = why;
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    *request.version_mut() = if forwarding.http2 {
        Version::HTTP_2
    } else {
        Version::HTTP_11
    };
    *request.headers_mut() = parts.headers;
    if forwarding.http2 {
        request.headers_mut().remove(HOST);
    }
    let sent = match served.endpoints.get(&forwarding.port) {
        Some(addresses) => {
            let sending = plane.forwarder.send(request, addresses, forwarding.http2);
            match forwarding.limit {
                Some(limit) => tokio::time::timeout(limit, sending)
                    .await
                    .unwrap_or(Err(ForwardError::Timeout)),
                None => sending.await,
            }
        }
        None => Err(ForwardError::NoEndpoint),
    };
    let mut response = sent.map_err(|error| {
        outcome.why = error.to_string();
        error.status()
    })?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let backend = response
            .extensions_mut()
            .remove::<hyper::upgrade::OnUpgrade>();
        let (Some(client), Some(backend)) = (client, backend) else {
            outcome.why = "the backend changed the protocol unasked".to_owned();
            return Err(StatusCode::BAD_GATEWAY);
        };
        upgrade::join(client, backend);
        return Ok(response.map(|_| crate::forward::empty()));
    }
    if !framed(response.headers()) {
        outcome.why = "the backend leaves open where its answer ends".to_owned();
        return Err(StatusCode::BAD_GATEWAY);
    }
    remove_hop_by_hop(response.headers_mut());
    for edits in &forwarding.response {
        edits.apply(response.headers_mut());
    }
    Ok(response.map(|body| body.map_err(|error| -> BoxError { error.into() }).boxed()))
}

/// HTTP/1.1 takes path and query; HTTP/2 the authority too.
fn uri(forwarding: &Forwarding, headers: &HeaderMap) -> Result<Uri, String> {
    if !forwarding.http2 {
        return Ok(forwarding.uri.clone());
    }
    let authority = headers
        .get(HOST)
        .map(HeaderValue::as_bytes)
        .unwrap_or(b"localhost");
    let path = forwarding
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let uri = Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query(path);
    uri.build().map_err(|error| error.to_string())
}

/// RFC 9112 section 6.3, of an answer: chunked, or a length, or neither; anything else leaves its end open to doubt.
fn framed(headers: &HeaderMap) -> bool {
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
fn join_cookies(headers: &mut HeaderMap) {
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
fn max_forwards(method: &Method, headers: &mut HeaderMap) -> Result<(), StatusCode> {
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
fn remove_hop_by_hop(headers: &mut HeaderMap) {
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
fn forwarded(headers: &mut HeaderMap, peer: &Peer) {
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
