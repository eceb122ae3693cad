//! Cases as data: manifests, requests, and what has to come of them.
//!
//! See `conformance/README.md` for the form.

use std::collections::BTreeMap;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{collect, read};
use gatepost::resources::Resources;
use serde::Deserialize;

use crate::request::{Outcome, Request};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct File {
    /// Its cases.
    pub case: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct Case {
    /// A claim, such as `exact-path-beats-longer-header-list`.
    pub name: String,
    /// Where the rule stands: a section of the digest, or the id of a decision in `docs/semantics.md`.
    pub source: String,
    /// Manifests besides the preset ones.
    pub manifests: String,
    /// Whether the preset Gateway is left out, because the case brings its own.
    #[serde(default)]
    pub own_gateway: bool,
    /// The requests.
    pub request: Vec<Ask>,
}

/// One request of a case and what it comes to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the form of a file")]
pub struct Ask {
    /// `METHOD target`, or the target of a GET.
    pub ask: String,
    /// The Host; `a.test` if absent.
    pub host: Option<String>,
    /// The port; 80 if absent.
    pub port: Option<u16>,
    /// The server name of a TLS connection.
    pub sni: Option<String>,
    /// Header fields as `name: value`.
    #[serde(default)]
    pub headers: Vec<String>,
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
    /// Where a redirect leads.
    pub location: Option<String>,
}

/// What every case may refer to: namespace `app` with a Gateway `gw` (HTTP on 80 and 8080) and Services `s`, `t`, `u`.
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
        let collected = collect(loads, Channel::Experimental, &limits);
        if collected.problems.is_empty() {
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
        Request {
            port: self.port.unwrap_or(80),
            sni: self.sni.clone(),
            method: method.to_owned(),
            target: target.as_bytes().to_vec(),
            hosts: vec![
                self.host
                    .clone()
                    .unwrap_or_else(|| "a.test".to_owned())
                    .into_bytes(),
            ],
            headers: self.headers.iter().map(field).collect(),
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
            Outcome::Refused => (Some(400), None),
            Outcome::NotServed(status) => (Some(*status), None),
            Outcome::Answered { rule, status, .. } => (Some(*status), Some(rule)),
            Outcome::Forwarded { rule, .. } => (None, Some(rule)),
        };
        let forwarded = self.status.is_none();
        expect(
            "status",
            Some(
                self.status
                    .map_or_else(|| "forwarded".to_owned(), |s| s.to_string()),
            ),
            Some(status.map_or_else(|| "forwarded".to_owned(), |s| s.to_string())),
        );
        expect(
            "route",
            self.route.clone(),
            served.map(|served| {
                served
                    .route
                    .split_once('/')
                    .map_or_else(String::new, |(_, name)| name.to_owned())
            }),
        );
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
        if let Outcome::Answered { location, .. } = outcome {
            expect("location", self.location.clone(), location.clone());
        }
        if let Outcome::Forwarded {
            backend,
            target,
            host,
            headers,
            ..
        } = outcome
        {
            expect("backend", self.backend.clone(), Some(backend.clone()));
            expect("target", self.target.clone(), Some(target.clone()));
            expect("host", self.forwarded_host.clone(), Some(host.clone()));
            for (name, values) in &self.fields {
                let found = headers.get(name).cloned().unwrap_or_default();
                expect(
                    name,
                    Some(format!("{values:?}")),
                    Some(format!("{found:?}")),
                );
            }
        } else if forwarded {
            wrong.push(format!("the request did not reach a backend: {outcome:?}"));
        }
        wrong
    }
}
