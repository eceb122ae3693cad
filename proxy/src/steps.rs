//! The steps of a request, in the order of the specification: who may pass, what is changed, who gets copies, where it goes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use gatepost::key::Kind;
use gatepost::rule::{BackendDestination, ListenerFilter, Mirror, NoBackend, Picked};
use gatepost::table::{Action, Head, Match, NoMatch, ResponseStep, Scratch, is_grpc};
use gatepost::target::Target as RequestTarget;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, Response, StatusCode, Uri, Version};
use hyper::body::Body as _;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use crate::authorize::{Body, Denied, authorize};
use crate::body::{Answer, Payload, Reply};
use crate::error::ForwardError;
use crate::fields::{forwarded, remove_hop_by_hop};
use crate::forward::{self, Order, Target};
use crate::mirror;
use crate::serve::Peer;
use crate::session::Session;
use crate::state::{Outcome, Plane, Served};
use crate::upgrade;
use crate::upload::Upload;

/// Why a request is answered by us: the status, and why for the log.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) StatusCode, pub(crate) Cow<'static, str>);

impl Fault {
    pub(crate) fn new(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Fault {
        Fault(status, why.into())
    }
}

impl From<ForwardError> for Fault {
    fn from(error: ForwardError) -> Fault {
        Fault::new(error.status(), error.to_string())
    }
}

/// A request on its way.
pub(crate) struct Asked<'r> {
    pub(crate) plane: &'r Arc<Plane>,
    pub(crate) served: &'r Served,
    pub(crate) peer: &'r Peer,
    pub(crate) start: Instant,
    pub(crate) target: RequestTarget<'r>,
    /// The protocol that the client asks to change to.
    pub(crate) wanted: Option<HeaderValue>,
    pub(crate) parts: &'r mut http::request::Parts,
    pub(crate) body: Body,
    /// Whether the fields are ours already: what an authority added stays.
    pub(crate) owned: bool,
}

impl<'r> Asked<'r> {
    /// The rule, after the listener's own filters; or the answer that one of these gave.
    pub(crate) async fn find(
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

    /// Drops what the client says of its connection, before anything adds fields: a client may not take these away.
    fn own_fields(&mut self) {
        if std::mem::replace(&mut self.owned, true) {
            return;
        }
        remove_hop_by_hop(&mut self.parts.headers);
        forwarded(&mut self.parts.headers, self.peer, self.plane.forwarded);
    }

    async fn authorize(
        &mut self,
        listener: &gatepost::rule::Listener,
        auth: &gatepost::rule::ExternalAuth,
        outcome: &mut Outcome,
    ) -> Result<Option<Response<Answer>>, Fault> {
        self.own_fields();
        // Whoever is asked sees the path that routes see.
        if let Ok(uri) = String::from_utf8(self.target.path().to_vec())
            .unwrap_or_default()
            .parse::<Uri>()
            && self.parts.uri == Uri::default()
        {
            self.parts.uri = with_query(uri, self.target.query());
        }
        let body = std::mem::replace(&mut self.body, Body::Read(bytes::Bytes::new()));
        // What few requests need takes its memory when they do.
        let asking = authorize(self.plane, self.served, listener, auth, self.parts, body);
        match Box::pin(asking).await {
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
    pub(crate) async fn carry_out(
        &mut self,
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
        self.own_fields();
        if let Some(auth) = &rule.filters.external_auth
            && let Some(denied) = self.authorize(found.listener(), auth, outcome).await?
        {
            return Ok(denied);
        }
        if let Action::Respond(response) = found.apply(&self.target, self.parts) {
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
            mirrors(&rule.filters.mirrors, self.parts);
        }
        let ticket = served.ticket(found.rule_id());
        let picked = found.backends().pick(ticket).map_err(no_backend)?;
        outcome.backend = Some(picked.index);
        found
            .apply_backend(&picked, &self.target, self.parts)
            .map_err(fault)?;
        if copied {
            mirrors(&picked.backend.filters.mirrors, self.parts);
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
        &mut self,
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
        let session = destination.session.as_deref().or(rule.session.as_deref());
        let route = (found.route(), rule.index);
        let session = session.map(|session| Session::new(session, route, &destination.port));
        let pinned = session
            .as_ref()
            .and_then(|session| session.endpoint(&self.parts.headers, addresses));
        let before = pinned.as_ref().map(|endpoint| endpoint.address);
        let grpc = found.route().kind == Kind::GrpcRoute;
        let target = Target::new(plane, destination, found.listener(), grpc)?;
        forward::head(&target, self.parts)
            .map_err(|error| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let order = Order {
            head: self.parts,
            payload,
            addresses,
            target: &target,
            pinned,
            retry: rule.retry.as_deref(),
            timeouts: *rule.timeouts,
            start: self.start,
        };
        let arrived = forward::send(&plane.pool, order).await?;
        let (mut response, busy) = (arrived.response, arrived.busy);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let backend = match std::mem::replace(response.body_mut(), Reply::Nothing) {
                Reply::Changed(changed) => Some(*changed),
                _ => None,
            };
            let asked = self.wanted.as_ref().is_some_and(|wanted| {
                upgrade::fits(wanted, response.headers().get_all(UPGRADE).iter())
            });
            let (Some(client), Some(backend), true) = (client, backend, asked) else {
                return Err(Fault::new(
                    StatusCode::BAD_GATEWAY,
                    "the backend changed the protocol unasked",
                ));
            };
            upgrade::join(client, backend, busy, self.peer.hold.clone());
            return Ok(response.map(|_| Answer::whole("")));
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
