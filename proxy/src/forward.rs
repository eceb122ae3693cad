//! Toward a backend: attempt after attempt, within the time and the number that are allowed.

use std::net::SocketAddr;
use std::sync::Arc;

use gatepost::rule::{BackendDestination, BackendProtocol, Listener, Retry, Timeouts, TlsMode};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri, Version};
use tokio::time::{Instant, timeout_at};

use crate::backend_tls::TlsClient;
use crate::body::{Outgoing, Payload, Reply};
use crate::endpoints::{Addresses, Busy, Endpoint};
use crate::error::{BoxError, ForwardError};
use crate::pool::Pool;
use crate::random;
use crate::state::Plane;

/// Endpoints that one attempt goes on to when it cannot connect.
const FAIL_OVERS: usize = 8;

/// How a backend is talked to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whether by HTTP/2.
    pub http2: bool,
    /// TLS.
    pub tls: Option<Arc<TlsClient>>,
}

impl Target {
    /// What a destination asks for; `grpc` says that HTTP/2 is spoken where nothing is said.
    ///
    /// # Errors
    ///
    /// If its TLS cannot be set up: nothing goes there, least of all in clear.
    pub fn new(
        plane: &Plane,
        destination: &BackendDestination,
        listener: &Listener,
        grpc: bool,
    ) -> Result<Target, ForwardError> {
        let certificate = listener.backend_client_certificate.as_ref();
        // What a listener passes on is the client's own TLS.
        let passed_on = listener
            .tls
            .as_ref()
            .is_some_and(|tls| tls.mode == TlsMode::Passthrough);
        let tls = destination.tls.as_ref().filter(|_| !passed_on);
        let tls = tls
            .map(|tls| plane.tls_clients.get(tls, certificate))
            .transpose();
        Ok(Target {
            http2: match destination.protocol {
                BackendProtocol::Http2 => true,
                BackendProtocol::Unspecified => grpc,
                _ => false,
            },
            tls: tls.map_err(|error| ForwardError::Connect(error.into()))?,
        })
    }

    /// The number of the TLS settings; 0: clear.
    pub fn tls_id(&self) -> u64 {
        self.tls.as_ref().map_or(0, |tls| tls.id)
    }
}

/// Makes a request's head what the target's protocol writes: over HTTP/2 the authority is part of the target.
///
/// # Errors
///
/// If there is no such URI.
pub fn head(target: &Target, parts: &mut Parts) -> Result<(), BoxError> {
    if target.http2 {
        let authority = parts.headers.remove(HOST);
        let authority = authority
            .as_ref()
            .map_or(&b"localhost"[..], HeaderValue::as_bytes);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let scheme = if target.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path);
        parts.uri = uri.build()?;
        parts.version = Version::HTTP_2;
    } else {
        parts.version = Version::HTTP_11;
    }
    Ok(())
}

/// What is to be sent, and within which limits.
#[derive(Debug)]
pub struct Order<'r> {
    /// The head, as the target's protocol writes it.
    pub head: &'r mut Parts,
    /// The body.
    pub payload: &'r Payload,
    /// Where.
    pub addresses: &'r Addresses,
    /// How.
    pub target: &'r Target,
    /// The endpoint that a session asks for.
    pub pinned: Option<Arc<Endpoint>>,
    /// `retry` of the rule.
    pub retry: Option<&'r Retry>,
    /// `timeouts` of the rule.
    pub timeouts: Timeouts,
    /// When the request came in.
    pub start: Instant,
}

/// The answer of a backend.
#[derive(Debug)]
pub struct Arrived {
    /// What it said.
    pub response: Response<Reply>,
    /// That it is at work.
    pub busy: Busy,
    /// When its body has to have ended.
    pub deadline: Option<Instant>,
}

/// Sends a request, and sends it again as far as the rule and the request allow.
///
/// # Errors
///
/// If no attempt brought an answer.
pub async fn send(pool: &Pool, mut order: Order<'_>) -> Result<Arrived, ForwardError> {
    let retry = order.retry.filter(|retry| retry.attempts > 0);
    if retry.is_some() {
        order.addresses.budget().request();
    }
    let limit = |limit: Option<std::time::Duration>| limit.filter(|limit| !limit.is_zero());
    let whole = limit(order.timeouts.request).map(|limit| order.start + limit);
    let each = limit(order.timeouts.backend_request);
    // RFC 9110 section 9.2.2: what is not idempotent goes out again only if it has certainly not been acted upon.
    let idempotent = order.head.method.is_idempotent();
    let mut again = 0;
    loop {
        let deadline = each
            .map(|each| Instant::now() + each)
            .into_iter()
            .chain(whole)
            .min();
        // Over HTTP/2 a head is given away.
        let spare = (retry.is_some() && order.target.http2).then(|| copy(order.head));
        let mut body = order.payload.attempt();
        let result = {
            let attempt = std::pin::pin!(attempt(pool, &mut order, &mut body));
            match deadline {
                Some(deadline) => timeout_at(deadline, attempt)
                    .await
                    .unwrap_or(Err(ForwardError::Timeout)),
                None => attempt.await,
            }
        };
        let (asks, unprocessed) = match (&result, retry) {
            (_, None) => (false, false),
            (Ok((response, _)), Some(retry)) => (retry.asks(response.status().as_u16()), false),
            (Err(ForwardError::Timeout), Some(retry)) => (retry.asks(504), false),
            (Err(error), Some(_)) => (error.unprocessed(), error.unprocessed()),
        };
        let left = retry.is_some_and(|retry| again < retry.attempts);
        let may = asks && left && (idempotent || unprocessed) && order.payload.again();
        if !may || !order.addresses.budget().retry() {
            if matches!(order.payload, Payload::Upload(upload) if upload.overdue()) {
                return Err(ForwardError::Upload);
            }
            return result.map(|(response, busy)| Arrived {
                response,
                busy,
                deadline,
            });
        }
        drop(result);
        let pause = retry
            .map(|retry| retry.pause(again, random::draw()))
            .unwrap_or_default();
        let resume = Instant::now() + pause;
        if whole.is_some_and(|whole| resume >= whole) {
            // The time ends in the pause: the client hears it when it does, not earlier.
            tokio::time::sleep_until(whole.unwrap_or(resume)).await;
            return Err(ForwardError::Timeout);
        }
        tokio::time::sleep_until(resume).await;
        again += 1;
        if let Some(spare) = spare {
            *order.head = spare;
        }
    }
}

/// One attempt: an endpoint that cannot be connected to is passed over for the next.
async fn attempt(
    pool: &Pool,
    order: &mut Order<'_>,
    body: &mut Outgoing,
) -> Result<(Response<Reply>, Busy), ForwardError> {
    let mut tried: Vec<SocketAddr> = Vec::new();
    let mut last = ForwardError::NoEndpoint;
    while tried.len() < FAIL_OVERS {
        let pinned = order.pinned.take();
        let Some(endpoint) = pinned.or_else(|| order.addresses.choose(&tried)) else {
            break;
        };
        match pool.send(&endpoint, order.target, order.head, body).await {
            Ok(arrived) => return Ok(arrived),
            Err((error, true)) => {
                tracing::debug!(address = %endpoint.address, %error, "endpoint skipped");
                tried.push(endpoint.address);
                last = error;
            }
            Err((error, false)) => return Err(error),
        }
    }
    Err(last)
}

fn copy(head: &Parts) -> Parts {
    let mut copy = Request::new(()).into_parts().0;
    copy.method = head.method.clone();
    copy.uri = head.uri.clone();
    copy.version = head.version;
    copy.headers = head.headers.clone();
    copy
}
