//! One request: judged, matched, sent through its steps, answered.

use std::net::SocketAddr;
use std::sync::Arc;

use gatepost::table::is_grpc;
use gatepost::target::{Raw, Refused, Target as RequestTarget};
use http::header::{CONNECTION, CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::authorize::Body;
use crate::body::Answer;
use crate::exchange::Exchange;
use crate::fields::{join_cookies, judge_http2, max_forwards};
use crate::head;
use crate::listen::Hold;
use crate::state::{Outcome, Plane, Served};
use crate::steps::{Asked, Fault};
use crate::upgrade;

/// What is known of the connection that a request came in by.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Peer {
    /// The client.
    pub address: SocketAddr,
    /// Its address, as `X-Forwarded-For` says it.
    pub node: HeaderValue,
    /// The port of the specification.
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The server name of its TLS handshake, in lower case.
    pub sni: Option<Arc<str>>,
    /// What the reader of the connection has to say.
    pub exchange: Option<Arc<Exchange>>,
    /// What its place among the connections of the socket is held by.
    pub hold: Arc<Hold>,
}

/// Answers a request.
pub async fn serve(
    plane: Arc<Plane>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let start = Instant::now();
    let log = plane
        .access_log
        .then(|| (request.method().clone(), request.uri().clone()));
    let grpc = is_grpc(request.method().as_str().as_bytes(), request.headers());
    let served = plane.served.load_full();
    let mut outcome = Outcome::default();
    let exchange = peer.exchange.as_deref();
    let version = request.version();
    let (mut parts, body) = request.into_parts();
    let judged = exchange.filter(|_| version <= Version::HTTP_11);
    let refused = exchange
        .and_then(Exchange::begin)
        .filter(|_| judged.is_some());
    let mut response = match refused {
        Some(refused) => close(refused, &mut outcome),
        None => match answer(
            &plane,
            &served,
            &peer,
            &mut parts,
            body,
            start,
            &mut outcome,
        )
        .await
        {
            Ok(response) => response,
            // The backend broke off because the client's body did.
            Err(fault) => match judged.and_then(Exchange::body) {
                Some(refused) => close(refused, &mut outcome),
                None => {
                    outcome.why = fault.1;
                    refusal(fault.0, grpc)
                }
            },
        },
    };
    if let Some(exchange) = exchange {
        exchange.answer(response.status() == StatusCode::SWITCHING_PROTOCOLS);
    }
    if let Some(exchange) = &peer.exchange {
        response.body_mut().tell(exchange.clone(), version);
    }
    outcome.status = response.status().as_u16();
    let elapsed = start.elapsed();
    plane.metrics.latency.observe(elapsed.as_secs_f64());
    if let Some((method, uri)) = log {
        let (route, rule) = served.rule(&outcome);
        tracing::info!(
            target: "gatepost::access",
            client = %peer.address, %method, %uri, status = outcome.status, listener = &*outcome.listener, route, rule,
            backend = &*served.backend(&outcome), why = &*outcome.why, microseconds = elapsed.as_micros(), "request"
        );
    }
    served.count(&plane.metrics, &outcome);
    response
}

/// The answer to a request whose bytes were refused: the connection ends with it.
fn close(refused: head::Refusal, outcome: &mut Outcome) -> Response<Answer> {
    outcome.why = refused.why.into();
    let mut response = refusal(refused.status, false);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A short answer of our own; for gRPC a status that its clients understand.
fn refusal(status: StatusCode, grpc: bool) -> Response<Answer> {
    if grpc {
        let mut response = Response::new(Answer::whole(""));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static(grpc_status(status)));
        return response;
    }
    let text = format!(
        "{}\n",
        status.canonical_reason().unwrap_or("error").to_lowercase()
    );
    let mut response = Response::new(Answer::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// The code of gRPC for a status of ours.
fn grpc_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 413 | 431 => "13",
        401 => "16",
        403 => "7",
        404 | 501 => "12",
        408 | 504 => "4",
        _ => "14",
    }
}

async fn answer(
    plane: &Arc<Plane>,
    served: &Served,
    peer: &Peer,
    parts: &mut Parts,
    body: Incoming,
    start: Instant,
    outcome: &mut Outcome,
) -> Result<Response<Answer>, Fault> {
    let uri = rooted(std::mem::take(&mut parts.uri));
    let mut buffer = Vec::new();
    let (host, more) = {
        let mut hosts = parts.headers.get_all(HOST).iter();
        (hosts.next().cloned(), hosts.next().is_some())
    };
    if more {
        let why = Refused::SeveralHosts.to_string();
        return Err(Fault::new(StatusCode::BAD_REQUEST, why));
    }
    let hosts = host.as_slice();
    let target = target(served, &uri, parts, hosts, &mut buffer)
        .map_err(|refused| Fault::new(StatusCode::BAD_REQUEST, refused.to_string()))?;
    // RFC 9112 section 3.2.2: what the target says goes before what the field said.
    if let Some(value) = uri
        .authority()
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
    {
        parts.headers.insert(HOST, value);
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
        // RFC 9113 section 8.3.1: a Host that says something else makes the request malformed.
        let other = |authority: &str| {
            let own =
                |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
            !hosts.iter().all(own)
        };
        if uri
            .authority()
            .is_some_and(|authority| other(authority.as_str()))
        {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "host differs from :authority",
            ));
        }
        judge_http2(&uri, &parts.headers)
            .map_err(|refusal| Fault::new(refusal.status, refusal.why))?;
    }
    max_forwards(&parts.method, &mut parts.headers)
        .map_err(|status| Fault::new(status, "Max-Forwards is used up"))?;
    // What the client says of its connection goes before filters add fields: it may not take theirs away.
    let wanted = upgrade::wanted(&parts.headers);
    let mut request = Asked {
        plane,
        served,
        peer,
        start,
        target,
        wanted,
        parts,
        body: Body::Client(body),
        owned: false,
    };
    let found = match request.find(outcome).await? {
        Ok(found) => found,
        Err(response) => return Ok(response),
    };
    outcome.listener = served.listener(found.listener());
    outcome.rule = Some(found.rule_id());
    let grpc = is_grpc(
        request.parts.method.as_str().as_bytes(),
        &request.parts.headers,
    );
    let Some(cors) = &found.rule().filters.cors else {
        return request.carry_out(found, outcome).await;
    };
    let origin = request.parts.headers.get(ORIGIN).cloned();
    if found.rule().filters.fault.is_none()
        && let Some(response) = cors.preflight(&request.parts.method, &request.parts.headers)
    {
        outcome.why = "preflight".into();
        return Ok(response.map(|()| Answer::whole("")));
    }
    let mut response = match request.carry_out(found, outcome).await {
        Ok(response) => response,
        // A script may read why its request failed.
        Err(Fault(status, why)) => {
            outcome.why = why;
            refusal(status, grpc)
        }
    };
    cors.mark(origin.as_ref(), response.headers_mut());
    Ok(response)
}

/// RFC 9112 section 3.2.1: a URL without a path means the root.
fn rooted(uri: Uri) -> Uri {
    let query = uri.path_and_query().map(|path| path.as_str());
    let Some(query) = query.filter(|query| query.starts_with('?')) else {
        return uri;
    };
    let Ok(path) = format!("/{query}").parse() else {
        return uri;
    };
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).unwrap_or_default()
}

fn target<'r>(
    served: &Served,
    uri: &'r Uri,
    parts: &Parts,
    hosts: &'r [HeaderValue],
    buffer: &'r mut Vec<u8>,
) -> Result<RequestTarget<'r>, Refused> {
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
