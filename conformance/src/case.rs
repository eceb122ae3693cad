//! Cases as data: manifests, requests, and what has to come of them.
//!
//! See `conformance/README.md` for the form.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{collect, read};
use gatepost::resources::{Resource, Resources};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::certificates;
use crate::folder::{files, text};
use crate::request::{Outcome, Protocol, Request};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<C> {
    case: Vec<C>,
}

/// The cases of all files in a folder, in the order of their names: [`Case`], or those of
/// [`status_case`](crate::status_case).
///
/// # Errors
///
/// If a file cannot be read or is not of its form.
pub fn read_folder<C: DeserializeOwned>(folder: &Path) -> Result<Vec<C>, String> {
    let mut cases = Vec::new();
    for path in files(folder)? {
        let file: File<C> = toml::from_str(&text(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        cases.extend(file.case);
    }
    Ok(cases)
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct Case {
    /// A claim, such as `exact-path-beats-longer-header-list`.
    pub name: String,
    /// Where the rule stands: rows of `conformance/coverage`, or decisions of `docs/semantics.md`.
    pub source: Sources,
    /// Manifests besides the preset ones.
    pub manifests: String,
    /// Whether the preset Gateway is left out, because the case brings its own.
    #[serde(default)]
    pub own_gateway: bool,
    /// The requests.
    pub request: Vec<Ask>,
}

/// The rows that a case holds: one, or a list.
#[derive(Debug, Deserialize)]
#[serde(from = "OneOrMore")]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct Sources(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Sources {
    fn from(sources: OneOrMore) -> Sources {
        Sources(match sources {
            OneOrMore::One(source) => vec![source],
            OneOrMore::More(sources) => sources,
        })
    }
}

/// One request of a case and what it comes to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct Ask {
    /// `METHOD target`, or the target of a GET; `TLS`, `TCP` or `UDP` for a connection or datagram.
    pub ask: String,
    /// The Host, the authority of HTTP/2; `a.test` if absent, none if empty.
    pub host: Option<String>,
    /// More Host fields.
    #[serde(default)]
    pub more_hosts: Vec<String>,
    /// `HTTP/1.0` or `HTTP/2`; HTTP/1.1 if absent.
    pub over: Option<String>,
    /// The port; 80 if absent.
    pub port: Option<u16>,
    /// The server name of a TLS connection.
    pub sni: Option<String>,
    /// Header fields as `name: value`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Header fields of the backend's answer, as `name: value`.
    #[serde(default)]
    pub backend_answers: Vec<String>,
    /// The ticket that the backend is picked by.
    #[serde(default)]
    pub ticket: u64,
    /// The status, if no backend gets the request.
    pub status: Option<u16>,
    /// The route that serves, as `namespace/name`.
    pub route: Option<String>,
    /// Its rule.
    pub rule: Option<usize>,
    /// The match of the rule.
    pub matching: Option<usize>,
    /// The backend, as `namespace/service:port`.
    pub backend: Option<String>,
    /// The target that the backend gets.
    pub target: Option<String>,
    /// The Host that the backend gets.
    pub forwarded_host: Option<String>,
    /// Fields that the backend gets; an empty list says that it gets none of the name.
    #[serde(default)]
    pub fields: BTreeMap<String, Vec<String>>,
    /// What else is to be done (see [`Outcome::Forwarded`]).
    pub plan: Option<Vec<String>>,
    /// Fields that the client gets; an empty list says that it gets none of the name.
    #[serde(default)]
    pub answer: BTreeMap<String, Vec<String>>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// Whether the connection is closed, the datagram dropped.
    #[serde(default)]
    pub closed: bool,
    /// The Secret of the certificate that TLS is ended with, as `namespace/name`; empty: it is not ended.
    pub certificate: Option<String>,
}

/// What every case may refer to: namespace `app` with a Gateway `gw` (HTTP on 80 and 8080), Services `s`, `t`,
/// `u`, and Secrets `any` (`*.test`), `exact` (`a.test`) and `wild` (`*.a.test`).
const PRESET: &str = "
apiVersion: v1
kind: Service
metadata: {name: s, namespace: app}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: t, namespace: app}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: u, namespace: app}
spec: {ports: [{port: 80}]}
";
const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: app}
spec:
  gatewayClassName: gatepost
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - {name: other, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
";

impl Case {
    /// The resources of the case.
    ///
    /// # Errors
    ///
    /// If the manifests do not read without a problem.
    pub fn resources(&self) -> Result<Resources, String> {
        let limits = Limits::default();
        let mut texts = vec![PRESET, &self.manifests];
        if !self.own_gateway {
            texts.push(GATEWAY);
        }
        let loads = texts
            .iter()
            .map(|text| read(&self.name, text.as_bytes(), &limits));
        let mut collected = collect(loads, Channel::Experimental, &limits);
        if collected.problems.is_empty() {
            for (name, host) in [("any", "*.test"), ("exact", "a.test"), ("wild", "*.a.test")] {
                let secret = certificates::secret("app", name, &[host]);
                let secret = Resource::from_json(secret).map_err(|error| error.to_string())?;
                collected.resources.insert(Arc::new(secret));
            }
            return Ok(collected.resources);
        }
        let problems: Vec<String> = collected.problems.iter().map(ToString::to_string).collect();
        Err(problems.join("\n"))
    }
}

impl Ask {
    /// The request.
    pub fn request(&self) -> Request {
        let (method, target) = self.ask.split_once(' ').unwrap_or(("GET", &self.ask));
        let field = |text: &String| {
            let (name, value) = text.split_once(':').unwrap_or((text, ""));
            (name.trim().to_lowercase(), value.trim().as_bytes().to_vec())
        };
        let protocol = match (self.ask.as_str(), self.over.as_deref()) {
            ("TLS", _) => Protocol::Tls,
            ("TCP", _) => Protocol::Tcp,
            ("UDP", _) => Protocol::Udp,
            (_, Some("HTTP/1.0")) => Protocol::Http10,
            (_, Some("HTTP/2")) => Protocol::Http2,
            _ => Protocol::Http11,
        };
        let host = self.host.as_deref().unwrap_or("a.test");
        let host = Some(host.as_bytes().to_vec()).filter(|host| !host.is_empty());
        let (authority, host) = match protocol {
            Protocol::Http2 => (host, None),
            _ => (None, host),
        };
        let more = self.more_hosts.iter().map(|host| host.as_bytes().to_vec());
        Request {
            protocol,
            port: self.port.unwrap_or(80),
            sni: self.sni.clone(),
            method: method.to_owned(),
            target: target.as_bytes().to_vec(),
            authority,
            hosts: host.into_iter().chain(more).collect(),
            headers: self.headers.iter().map(field).collect(),
            answer: self
                .backend_answers
                .iter()
                .map(|text| {
                    let (name, value) = field(text);
                    (name, String::from_utf8_lossy(&value).into_owned())
                })
                .collect(),
            ticket: self.ticket,
        }
    }

    /// What is wrong about an outcome.
    pub fn judge(&self, outcome: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |what: &str, expected: Option<String>, found: Option<String>| {
            if expected.is_some() && expected != found {
                wrong.push(format!(
                    "{what}: expected {}, found {}",
                    expected.unwrap_or_default(),
                    found.unwrap_or_else(|| "none".to_owned())
                ));
            }
        };
        let (status, served) = match outcome {
            Outcome::Refused => ("400".to_owned(), None),
            Outcome::NotServed { status, .. } => (status.to_string(), None),
            Outcome::Answered { rule, status, .. } => (status.to_string(), Some(rule)),
            Outcome::Forwarded { rule, .. } => ("forwarded".to_owned(), Some(rule)),
            Outcome::Closed => ("closed".to_owned(), None),
            Outcome::Secured { .. } => ("secured".to_owned(), None),
            Outcome::Connected { rule, .. } => ("connected".to_owned(), Some(rule)),
        };
        let wanted = match (self.status, self.closed) {
            (Some(status), _) => status.to_string(),
            (None, true) => "closed".to_owned(),
            (None, false) if self.backend.is_none() && self.certificate.is_some() => {
                "secured".to_owned()
            }
            (None, false) => match self.request().protocol {
                Protocol::Tls | Protocol::Tcp | Protocol::Udp => "connected".to_owned(),
                _ => "forwarded".to_owned(),
            },
        };
        expect("outcome", Some(wanted), Some(status));
        let name = |served: &crate::request::Served| {
            let name = served.route.split_once('/');
            name.map_or_else(String::new, |(_, name)| name.to_owned())
        };
        expect("route", self.route.clone(), served.map(name));
        expect(
            "rule",
            self.rule.map(|rule| rule.to_string()),
            served.map(|served| served.rule.to_string()),
        );
        expect(
            "match",
            self.matching.map(|matching| matching.to_string()),
            served.map(|served| served.matching.to_string()),
        );
        let shown = |plan: &Vec<String>| format!("{plan:?}");
        let mut answered = None;
        match outcome {
            Outcome::Answered {
                location,
                plan,
                answer,
                ..
            } => {
                expect("location", self.location.clone(), location.clone());
                expect("plan", self.plan.as_ref().map(shown), Some(shown(plan)));
                answered = Some(answer);
            }
            Outcome::Forwarded {
                backend,
                target,
                host,
                headers,
                plan,
                answer,
                ..
            } => {
                expect("backend", self.backend.clone(), Some(backend.clone()));
                expect("target", self.target.clone(), Some(target.clone()));
                expect("host", self.forwarded_host.clone(), Some(host.clone()));
                expect("plan", self.plan.as_ref().map(shown), Some(shown(plan)));
                for (name, values) in &self.fields {
                    let found = headers.get(name).cloned().unwrap_or_default();
                    expect(name, Some(shown(values)), Some(shown(&found)));
                }
                answered = Some(answer);
            }
            Outcome::Secured { certificate } => {
                expect(
                    "certificate",
                    self.certificate.clone(),
                    Some(certificate.clone()),
                );
            }
            Outcome::Connected {
                backend,
                certificate,
                ..
            } => {
                expect("backend", self.backend.clone(), Some(backend.clone()));
                let found = certificate.clone().unwrap_or_default();
                expect("certificate", self.certificate.clone(), Some(found));
            }
            Outcome::NotServed { plan, .. } => {
                expect("plan", self.plan.as_ref().map(shown), Some(shown(plan)));
            }
            Outcome::Refused | Outcome::Closed => {}
        }
        for (name, values) in &self.answer {
            let found = answered.and_then(|answer| answer.get(name)).cloned();
            let found = format!("{:?}", found.unwrap_or_default());
            expect(name, Some(format!("{values:?}")), Some(found));
        }
        wrong
    }
}
