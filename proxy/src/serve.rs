//! One request: judged, matched, its steps carried out, forwarded or answered.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use gatepost::key::Kind;
use gatepost::rule::{BackendDestination, ListenerFilter, Mirror, NoBackend, Picked};
use gatepost::table::{Action, Head, Match, NoMatch, ResponseStep, Scratch, is_grpc};
use gatepost::target::{Raw, Refused, Target as RequestTarget};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use crate::authorize::{Body, Denied, authorize};
use crate::body::{Answer, Payload};
use crate::error::ForwardError;
use crate::fields::{forwarded, framed, join_cookies, max_forwards, remove_hop_by_hop};
use crate::forward::{self, Order, Target};
use crate::guard::Exchange;
use crate::head;
use crate::mirror;
use crate::session::Session;
use crate::state::{Outcome, Plane, Served};
use crate::upgrade;
use crate::upload::Upload;

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
    /// What the reader of the connection has to say.
    pub exchange: Option<Arc<Exchange>>,
}

/// Why a request is answered by us: the status, and why for the log.
#[derive(Debug)]
struct Fault(StatusCode, Cow<'static, str>);

impl Fault {
    fn new(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Fault {
        Fault(status, why.into())
    }
}

impl From<ForwardError> for Fault {
    fn from(error: ForwardError) -> Fault {
        Fault::new(error.status(), error.to_string())
    }
}

/// Answers a request.
pub async fn serve(plane: Arc<Plane>, peer: Peer, request: Request<Incoming>) -> Response<Answer> {
    let start = Instant::now();
    let log = plane
        .access_log
        .then(|| (request.method().clone(), request.uri().clone()));
    let grpc = is_grpc(request.method().as_str().as_bytes(), request.headers());
    let served = plane.served.load_full();
    let mut outcome = Outcome::default();
    let exchange = peer.exchange.as_deref();
    let judged = exchange.filter(|_| request.version() <= Version::HTTP_11);
    let refused = exchange
        .and_then(Exchange::begin)
        .filter(|_| judged.is_some());
    let mut response = match refused {
        Some(refused) => close(refused, &mut outcome),
        None => match answer(&plane, &served, &peer, request, start, &mut outcome).await {
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
        response.body_mut().tell(exchange.clone());
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
    // Hop-by-hop fields of ours are written by the server.
    response.headers_mut().remove("keep-alive");
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
    request: Request<Incoming>,
    start: Instant,
    outcome: &mut Outcome,
) -> Result<Response<Answer>, Fault> {
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri);
    let mut buffer = Vec::new();
    let hosts: Vec<HeaderValue> = parts.headers.get_all(HOST).iter().cloned().collect();
    let target = target(served, &uri, &parts, &hosts, &mut buffer)
        .map_err(|refused| Fault::new(StatusCode::BAD_REQUEST, refused.to_string()))?;
    // RFC 9112 section 3.2.2: what the target says goes before what the field said.
    if let Some(value) = uri
        .authority()
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
    {
        parts.headers.insert(HOST, value);
    }
    if parts.version == Version::HTTP_2 {
        if parts.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "more than one content-length field",
            ));
        }
        join_cookies(&mut parts.headers);
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

fn target<'r>(
    served: &Served,
    uri: &'r Uri,
    parts: &http::request::Parts,
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

/// A request on its way.
struct Asked<'r> {
    plane: &'r Arc<Plane>,
    served: &'r Served,
    peer: &'r Peer,
    start: Instant,
    target: RequestTarget<'r>,
    /// The protocol that the client asks to change to.
    wanted: Option<HeaderValue>,
    parts: http::request::Parts,
    body: Body,
}

impl<'r> Asked<'r> {
    /// The rule, after the listener's own filters; or the answer that one of these gave.
    async fn find(
        &mut self,
        outcome: &mut Outcome,
    ) -> Result<Result<Match<'r>, Response<Answer>>, Fault> {
        let served = self.served;
        let method = self.parts.method.clone();
        if served.filtered()
            && let Some(denied) = self.listener_filters(&method, outcome).await?
        {
            return Ok(Err(denied));
        }
        let head = self.head(&method);
        let found = SCRATCH.with_borrow_mut(|scratch| served.table.find(&head, scratch));
        found.map(Ok).map_err(no_match)
    }

    /// The filters of a listener come before its routes, whether or not one serves the request (GEP-5224).
    async fn listener_filters(
        &mut self,
        method: &Method,
        outcome: &mut Outcome,
    ) -> Result<Option<Response<Answer>>, Fault> {
        let served = self.served;
        let listener = {
            let found = served
                .table
                .listener(&self.head(method))
                .map_err(no_match)?;
            found.listener()
        };
        outcome.listener = served.listener(listener);
        for filter in &listener.filters {
            match filter {
                ListenerFilter::Fault(fault) => {
                    return Err(Fault::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        fault.reason.to_string(),
                    ));
                }
                ListenerFilter::ExternalAuth(auth) => {
                    if let Some(denied) = self.authorize(listener, auth, outcome).await? {
                        return Ok(Some(denied));
                    }
                }
            }
        }
        Ok(None)
    }

    fn head<'h>(&'h self, method: &'h Method) -> Head<'h> {
        Head {
            port: self.peer.port,
            sni: self.peer.sni.as_deref(),
            method: method.as_str().as_bytes(),
            target: self.target,
            headers: &self.parts.headers,
        }
    }

    async fn authorize(
        &mut self,
        listener: &gatepost::rule::Listener,
        auth: &gatepost::rule::ExternalAuth,
        outcome: &mut Outcome,
    ) -> Result<Option<Response<Answer>>, Fault> {
        // Whoever is asked sees the path that routes see.
        if let Ok(uri) = String::from_utf8(self.target.path().to_vec())
            .unwrap_or_default()
            .parse::<Uri>()
            && self.parts.uri == Uri::default()
        {
            self.parts.uri = with_query(uri, self.target.query());
        }
        let body = std::mem::replace(&mut self.body, Body::Read(bytes::Bytes::new()));
        match authorize(
            self.plane,
            self.served,
            listener,
            auth,
            &mut self.parts,
            body,
        )
        .await
        {
            Ok(body) => {
                self.body = body;
                Ok(None)
            }
            Err(Denied::Answer(response)) => {
                outcome.why = "external authorisation denied it".into();
                Ok(Some(*response))
            }
            Err(Denied::Fault(status, why)) => Err(Fault::new(status, why)),
        }
    }

    /// Carries out the steps of a rule.
    async fn carry_out(
        mut self,
        found: Match<'r>,
        outcome: &mut Outcome,
    ) -> Result<Response<Answer>, Fault> {
        let (plane, served, rule) = (self.plane, self.served, found.rule());
        let fault = |reason: &gatepost::rule::Fault| {
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, reason.reason.to_string())
        };
        if let Some(reason) = &rule.filters.fault {
            return Err(fault(reason));
        }
        if let Some(auth) = &rule.filters.external_auth
            && let Some(denied) = self.authorize(found.listener(), auth, outcome).await?
        {
            return Ok(denied);
        }
        remove_hop_by_hop(&mut self.parts.headers);
        forwarded(&mut self.parts.headers, self.peer);
        if let Action::Respond(response) = found.apply(&self.target, &mut self.parts) {
            outcome.why = "answered by a filter".into();
            return Ok(response.map(|()| Answer::whole("")));
        }
        let payload = self.payload(rule.retry.is_some());
        let grpc = found.route().kind == Kind::GrpcRoute;
        let mirrors = |mirrors: &[Mirror], parts: &http::request::Parts| {
            for one in mirrors {
                mirror::send(
                    plane,
                    served,
                    (found.listener(), grpc),
                    one,
                    parts,
                    &payload,
                );
            }
        };
        let copied = self.wanted.is_none();
        if copied {
            mirrors(&rule.filters.mirrors, &self.parts);
        }
        let ticket = served.ticket(found.rule_id());
        let picked = found.backends().pick(ticket).map_err(no_backend)?;
        outcome.backend = Some(picked.index);
        found
            .apply_backend(&picked, &self.target, &mut self.parts)
            .map_err(fault)?;
        if copied {
            mirrors(&picked.backend.filters.mirrors, &self.parts);
        }
        let destination = picked.backend.destination.as_ref();
        let destination = destination.map_err(|invalid| {
            Fault::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                invalid.message.to_string(),
            )
        })?;
        self.forward(&found, &picked, destination, &payload).await
    }

    /// The body, which may have been read already.
    fn payload(&mut self, retried: bool) -> Payload {
        let limits = &self.plane.limits;
        match std::mem::replace(&mut self.body, Body::Read(bytes::Bytes::new())) {
            Body::Read(bytes) => Payload::Whole(bytes),
            Body::Client(body) if body.is_end_stream() => Payload::Nothing,
            Body::Client(body) => {
                let room = if retried { limits.retry_body } else { 0 };
                let grpc = is_grpc(self.parts.method.as_str().as_bytes(), &self.parts.headers);
                let idle = if grpc { ENDLESS } else { limits.body_idle };
                Payload::Upload(Upload::new(body, room, idle))
            }
        }
    }

    async fn forward(
        mut self,
        found: &Match<'r>,
        picked: &Picked<'r>,
        destination: &'r BackendDestination,
        payload: &Payload,
    ) -> Result<Response<Answer>, Fault> {
        let (plane, rule) = (self.plane, found.rule());
        let client = self
            .wanted
            .as_ref()
            .and_then(|_| self.parts.extensions.remove::<OnUpgrade>());
        if let (Some(protocol), Some(_)) = (&self.wanted, &client) {
            let headers = &mut self.parts.headers;
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol.clone());
        }
        let addresses = self
            .served
            .endpoints
            .get(&destination.port)
            .ok_or(ForwardError::NoEndpoint)?;
        let session = destination.session.as_deref().or(rule.session.as_ref());
        let route = (found.route(), rule.index);
        let session = session.map(|session| Session::new(session, route, &destination.port));
        let pinned = session
            .as_ref()
            .and_then(|session| session.endpoint(&self.parts.headers, addresses));
        let before = pinned.as_ref().map(|endpoint| endpoint.address);
        let grpc = found.route().kind == Kind::GrpcRoute;
        let target = Target::new(plane, destination, found.listener(), grpc)?;
        let head = forward::head(&target, self.parts)
            .map_err(|error| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let order = Order {
            head,
            payload,
            addresses,
            target: &target,
            pinned,
            retry: rule.retry.as_ref(),
            timeouts: rule.timeouts,
            start: self.start,
        };
        let arrived = forward::send(&plane.pool, order).await?;
        let (mut response, busy) = (arrived.response, arrived.busy);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let backend = response.extensions_mut().remove::<OnUpgrade>();
            let (Some(client), Some(backend)) = (client, backend) else {
                return Err(Fault::new(
                    StatusCode::BAD_GATEWAY,
                    "the backend changed the protocol unasked",
                ));
            };
            upgrade::join(client, backend, busy);
            return Ok(response.map(|_| Answer::whole("")));
        }
        if !framed(response.headers()) {
            return Err(Fault::new(
                StatusCode::BAD_GATEWAY,
                "the backend leaves open where its answer ends",
            ));
        }
        *response.version_mut() = Version::HTTP_11;
        remove_hop_by_hop(response.headers_mut());
        for step in found.response_steps(Some(picked)) {
            match step {
                ResponseStep::ResponseHeaders(edits) => edits.apply(response.headers_mut()),
                // Every answer of the rule is marked, ours included: where they come together.
                ResponseStep::Cors(_) => {}
            }
        }
        let endpoint = busy.endpoint();
        if let Some(session) = session.filter(|_| before != Some(endpoint.address)) {
            session.remember(endpoint, response.headers_mut());
        }
        Ok(response.map(|body| Answer::stream(body, busy, arrived.deadline)))
    }
}

/// Longer than any connection lasts.
const ENDLESS: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);

thread_local! {
    /// What a thread matches with: it grows to what the tables need, and serves those that follow.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn no_match(no_match: NoMatch) -> Fault {
    match no_match {
        NoMatch::NotFound => Fault::new(StatusCode::NOT_FOUND, "no rule serves it"),
        NoMatch::Misdirected => Fault::new(
            StatusCode::MISDIRECTED_REQUEST,
            "the host belongs to another listener than the connection",
        ),
        NoMatch::NotImplemented => Fault::new(StatusCode::NOT_IMPLEMENTED, "CONNECT"),
    }
}

fn no_backend(none: NoBackend<'_>) -> Fault {
    let why = match none {
        NoBackend::Empty => Cow::Borrowed("the rule has no backends"),
        NoBackend::ZeroWeights => Cow::Borrowed("all weights are zero"),
        NoBackend::Invalid { reason, .. } => Cow::Owned(reason.message.to_string()),
    };
    Fault(StatusCode::INTERNAL_SERVER_ERROR, why)
}

fn with_query(path: Uri, query: Option<&[u8]>) -> Uri {
    let Some(query) = query.and_then(|query| std::str::from_utf8(query).ok()) else {
        return path;
    };
    format!("{path}?{query}").parse().unwrap_or(path)
}
