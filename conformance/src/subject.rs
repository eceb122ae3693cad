//! Whatever has to answer requests: the table of the library, and the model itself.

use std::time::Duration;

use gatepost::controller::{Controller, Resolution};
use gatepost::resources::Resources;
use gatepost::rule::{
    self, Backend, Certificate, EditHeaders, EditRequest, ExternalAuth, ExternalAuthProtocol,
    ListenerFilter, Picked, Rule, SessionToken,
};
use gatepost::table::{Action, Head, Match, NoMatch, ResponseStep, RouteTable, Step};
use gatepost::target::{Raw, Target};
use http::header::{HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method};

use crate::model::{self, Objects};
use crate::request::{Fields, Outcome, Protocol, Request, Served};

/// Something that answers requests for some resources.
pub trait Subject {
    /// Its name in reports.
    fn name(&self) -> &'static str;
    /// What becomes of a request.
    fn answer(&self, request: &Request) -> Outcome;
}

/// The reference model.
#[derive(Debug)]
pub struct Model(Objects);

impl Model {
    /// A model of these resources.
    pub fn new(resources: &Resources) -> Model {
        Model(
            resources
                .iter()
                .map(|(key, resource)| (key.clone(), resource.object().clone()))
                .collect(),
        )
    }
}

impl Subject for Model {
    fn name(&self) -> &'static str {
        "model"
    }

    fn answer(&self, request: &Request) -> Outcome {
        model::answer(&self.0, request)
    }
}

/// The library's table.
#[derive(Debug)]
pub struct Table(Resolution);

impl Table {
    /// The table that these resources resolve to.
    pub fn new(resources: &Resources) -> Table {
        Table(Controller::default().resolve(resources))
    }
}

impl Subject for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn answer(&self, request: &Request) -> Outcome {
        let Some(plane) = self.0.planes().first() else {
            return model::answer(&Vec::new(), request);
        };
        let table = &plane.table;
        if let Protocol::Tls | Protocol::Tcp | Protocol::Udp = request.protocol {
            return connection(table, request);
        }
        let (mut buffer, mut scratch) = (Vec::new(), table.scratch());
        let mut hosts = request.hosts.iter().map(Vec::as_slice);
        let raw = Raw {
            target: &request.target,
            authority: request.authority.as_deref(),
            hosts: &mut hosts,
            host_required: request.protocol == Protocol::Http11,
            connect: false,
        };
        let Ok(target) = table.target(raw, &mut buffer) else {
            return Outcome::Refused;
        };
        let mut parts = parts(request);
        let headers = parts.0.headers.clone();
        let head = Head {
            port: request.port,
            sni: request.sni.as_deref(),
            method: request.method.as_bytes(),
            target,
            headers: &headers,
        };
        // The listener's filters come before its routes, whether or not one of these serves.
        let listener = match table.listener(&head) {
            Ok(listener) => listener,
            Err(none) => return not_served(none, Vec::new()),
        };
        let mut plan = Vec::new();
        for filter in &listener.listener().filters {
            match filter {
                ListenerFilter::ExternalAuth(auth) => plan.push(authorize(auth)),
                ListenerFilter::Fault(_) => return Outcome::NotServed { status: 500, plan },
            }
        }
        let found = table.find(&head, &mut scratch);
        let in_two_steps = listener.find(&head, &mut scratch);
        assert_eq!(
            found.as_ref().map(Match::id).ok(),
            in_two_steps.as_ref().map(Match::id).ok(),
            "both ways lead to the same rule"
        );
        let found = match found {
            Ok(found) => found,
            Err(none) => return not_served(none, plan),
        };
        let resumed = table.resume(found.id()).map(|found| found.route().clone());
        assert_eq!(
            resumed.as_ref(),
            Some(found.route()),
            "a match has to survive as its id"
        );
        Carrier {
            found,
            target,
            request,
            plan,
            copies: 0,
        }
        .carry_out(&mut parts)
    }
}

fn not_served(none: NoMatch, plan: Vec<String>) -> Outcome {
    let status = match none {
        NoMatch::NotFound => 404,
        NoMatch::Misdirected => 421,
        NoMatch::NotImplemented => 501,
    };
    Outcome::NotServed { status, plan }
}

/// What TLS, TCP and UDP come to.
fn connection(table: &RouteTable, request: &Request) -> Outcome {
    let port = request.port;
    let (certificate, backends) = match request.protocol {
        Protocol::Tls => {
            let sni = request.sni.as_deref();
            let Ok(found) = table.find_tls(port, sni) else {
                return Outcome::Closed;
            };
            let certificates = found.listener.tls.iter().flat_map(|tls| &tls.certificates);
            let certificates: Vec<&Certificate> = certificates.map(|own| &**own).collect();
            let chosen = Certificate::choose(certificates.iter().copied(), sni);
            let secret = chosen.map(|at| &certificates[at].secret);
            let secret = secret.map(|key| format!("{}/{}", key.namespace, key.name));
            match (found.listener.protocol, found.backends) {
                (rule::Protocol::Https, _) => {
                    let certificate = secret.unwrap_or_default();
                    return Outcome::Secured { certificate };
                }
                (_, Some(backends)) => (secret.filter(|_| !found.passthrough), backends),
                (_, None) => return Outcome::Closed,
            }
        }
        Protocol::Tcp => match table.find_tcp(port) {
            Ok(backends) => (None, backends),
            Err(_) => return Outcome::Closed,
        },
        _ => match table.find_udp(port) {
            Ok(backends) => (None, backends),
            Err(_) => return Outcome::Closed,
        },
    };
    let owner = table
        .rules()
        .find(|(_, rule)| std::ptr::eq(&rule.backends, backends));
    let (route, rule) = owner.expect("backends belong to a rule of the table");
    match backends.pick(request.ticket) {
        Ok(picked) => Outcome::Connected {
            rule: Served {
                route: route.to_string(),
                rule: usize::from(rule.index),
                matching: 0,
            },
            certificate,
            backend: name(picked.backend),
        },
        Err(_) => Outcome::Closed,
    }
}

/// `namespace/service:port`.
fn name(backend: &Backend) -> String {
    let destination = backend.destination.as_ref();
    destination
        .map(|destination| destination.port.to_string())
        .unwrap_or_default()
}

/// Carries out the steps of a match as a proxy does, but for the network.
struct Carrier<'t, 'r> {
    found: Match<'t>,
    target: Target<'r>,
    request: &'r Request,
    plan: Vec<String>,
    copies: u32,
}

impl<'t> Carrier<'t, '_> {
    fn carry_out(mut self, parts: &mut Held) -> Outcome {
        for step in self.found.steps() {
            match step {
                // Nothing else is done of a rule with such a filter.
                Step::Fault(_) => return self.answered(500, None),
                Step::Cors(cors) => {
                    let method = request_method(self.request);
                    if let Some(response) = cors.preflight(&method, &parts.0.headers) {
                        return Outcome::Answered {
                            rule: self.served(),
                            status: response.status().as_u16(),
                            location: None,
                            plan: self.plan,
                            answer: fields(response.headers()),
                        };
                    }
                }
                Step::Authorize(auth) => self.plan.push(authorize(auth)),
                Step::Redirect(_)
                | Step::RequestHeaders(_)
                | Step::Rewrite(_)
                | Step::Mirror(_) => {}
            }
        }
        if let Action::Respond(response) = self.found.apply(&self.target, parts) {
            let location = response
                .headers()
                .get("location")
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            return self.answered(response.status().as_u16(), location);
        }
        for step in self.found.steps() {
            self.mirror(step);
        }
        let Ok(picked) = self.found.backends().pick(self.request.ticket) else {
            return self.answered(500, None);
        };
        if self
            .found
            .apply_backend(&picked, &self.target, parts)
            .is_err()
        {
            return self.answered(500, None);
        }
        for step in self.found.backend_steps(&picked) {
            self.mirror(step);
        }
        settings(self.found.rule(), &mut self.plan);
        let host = parts.0.headers.remove(HOST);
        let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        Outcome::Forwarded {
            rule: self.served(),
            backend: name(picked.backend),
            target: String::from_utf8_lossy(&parts.1).into_owned(),
            host: host.unwrap_or_default(),
            headers: fields(&parts.0.headers),
            answer: self.answer(&picked),
            plan: self.plan,
        }
    }

    fn served(&self) -> Served {
        Served {
            route: self.found.route().to_string(),
            rule: usize::from(self.found.rule().index),
            matching: usize::from(self.found.position()),
        }
    }

    /// An answer of ours, which CORS marks as it does those of backends.
    fn answered(self, status: u16, location: Option<String>) -> Outcome {
        let mut answer = HeaderMap::new();
        if let Some(cors) = &self.found.rule().filters.cors {
            cors.mark(self.origin().as_ref(), &mut answer);
        }
        Outcome::Answered {
            rule: self.served(),
            status,
            location,
            plan: self.plan,
            answer: fields(&answer),
        }
    }

    fn origin(&self) -> Option<HeaderValue> {
        let mut all = self.request.headers.iter();
        let (_, value) = all.find(|(name, _)| name == "origin")?;
        HeaderValue::from_bytes(value).ok()
    }

    fn mirror(&mut self, step: Step<'t>) {
        let Step::Mirror(mirror) = step else {
            return;
        };
        if mirror.takes(self.request.draw(self.copies)) {
            self.plan.push(format!("mirror {}", name(&mirror.backend)));
        }
        self.copies += 1;
    }

    /// The backend's answer as the client gets it.
    fn answer(&self, picked: &Picked<'t>) -> Fields {
        let mut answer = HeaderMap::new();
        for (name, value) in &self.request.answer {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                HeaderMap::append(&mut answer, name, value);
            }
        }
        for step in self.found.response_steps(Some(picked)) {
            match step {
                ResponseStep::ResponseHeaders(edits) => edits.apply(&mut answer),
                ResponseStep::Cors(cors) => cors.mark(self.origin().as_ref(), &mut answer),
            }
        }
        fields(&answer)
    }
}

fn request_method(request: &Request) -> Method {
    Method::from_bytes(request.method.as_bytes()).unwrap_or_default()
}

fn fields(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        fields.entry(name.to_string()).or_default().push(value);
    }
    fields
}

fn names(names: &[HeaderName]) -> String {
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    names.join(",")
}

fn authorize(auth: &ExternalAuth) -> String {
    let (path, asked, copied) = match &auth.protocol {
        ExternalAuthProtocol::Http {
            path,
            allowed_headers,
            allowed_response_headers,
        } => (
            &**path,
            names(allowed_headers),
            names(allowed_response_headers),
        ),
        ExternalAuthProtocol::Grpc { allowed_headers } => {
            ("grpc", names(allowed_headers), String::new())
        }
    };
    let (backend, body) = (name(&auth.backend), auth.forward_body);
    format!("authorize {backend} path={path} ask={asked} copy={copied} body={body}")
}

/// Limits, retries and sessions, a line each.
fn settings(rule: &Rule, plan: &mut Vec<String>) {
    let limit = |limit: Option<Duration>| {
        limit.map_or_else(|| "-".to_owned(), |limit| limit.as_millis().to_string())
    };
    let timeouts = &rule.timeouts;
    if timeouts.request.is_some() || timeouts.backend_request.is_some() {
        let (request, attempt) = (limit(timeouts.request), limit(timeouts.backend_request));
        plan.push(format!("timeouts request={request} backend={attempt}"));
    }
    if let Some(retry) = &rule.retry {
        let codes: Vec<String> = retry.codes.iter().map(ToString::to_string).collect();
        let (attempts, backoff) = (retry.attempts, limit(retry.backoff));
        plan.push(format!(
            "retry {attempts} codes={} backoff={backoff}",
            codes.join(",")
        ));
    }
    if let Some(session) = &rule.session {
        let token = match &session.token {
            SessionToken::Cookie {
                name,
                path,
                permanent,
            } => format!(
                "cookie {} path={path} permanent={permanent}",
                name.as_deref().unwrap_or("-")
            ),
            SessionToken::Header(name) => format!("header {name}"),
        };
        let timeout = limit(session.absolute_timeout);
        plan.push(format!("session {token} timeout={timeout}"));
    }
}

/// A request as a proxy holds it that passes on any bytes of a query: `http::Uri` holds some of them only (S:query-bytes).
struct Held(http::request::Parts, Vec<u8>);

impl EditHeaders for Held {
    fn remove(&mut self, name: &HeaderName) {
        EditHeaders::remove(&mut self.0, name);
    }

    fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.0.set(name, value);
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.0.append(name, value);
    }
}

impl EditRequest for Held {
    fn set_host(&mut self, host: &HeaderValue) {
        self.0.set_host(host);
    }

    fn set_target(&mut self, path: &[u8], query: Option<&[u8]>) -> bool {
        let held = self.0.set_target(path, query);
        let text = query.map(|query| [path, b"?", query].concat());
        self.1 = text.unwrap_or_else(|| path.to_vec());
        // What is UTF-8 and has none of three characters is held by `http` as well, and as it is.
        match std::str::from_utf8(&self.1) {
            Ok(text) if !text.contains(['"', '<', '>']) => {
                let uri = self.0.uri.path_and_query().map(|uri| uri.as_str());
                assert!(held && uri == Some(text), "{uri:?} of {text}");
            }
            _ => assert!(!held, "{:?} is no URI", self.1),
        }
        true
    }
}

fn parts(request: &Request) -> Held {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    let mut headers = HeaderMap::new();
    if let Some(host) = request
        .hosts
        .first()
        .and_then(|host| HeaderValue::from_bytes(host).ok())
    {
        headers.insert(HOST, host);
    }
    for (name, value) in &request.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    parts.headers = headers;
    Held(parts, Vec::new())
}
