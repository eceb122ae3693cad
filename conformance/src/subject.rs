//! Whatever has to answer requests: the table of the library, and the model itself.

use std::collections::BTreeMap;

use gatepost::controller::{Controller, Resolution};
use gatepost::resources::Resources;
use gatepost::table::{Action, Head, Match, NoMatch};
use gatepost::target::Raw;
use http::HeaderMap;
use http::header::HOST;

use crate::model::{self, Objects};
use crate::request::{Outcome, Request, Served};

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
        let (mut buffer, mut scratch) = (Vec::new(), table.scratch());
        let mut hosts = request.hosts.iter().map(Vec::as_slice);
        let raw = Raw {
            target: &request.target,
            authority: None,
            hosts: &mut hosts,
            host_required: true,
            connect: false,
        };
        let Ok(target) = table.target(raw, &mut buffer) else {
            return Outcome::Refused;
        };
        let mut parts = parts(request);
        let found = {
            let headers = parts.headers.clone();
            let head = Head {
                port: request.port,
                sni: request.sni.as_deref(),
                method: request.method.as_bytes(),
                target,
                headers: &headers,
            };
            table.find(&head, &mut scratch)
        };
        let found = match found {
            Ok(found) => found,
            Err(NoMatch::NotFound) => return Outcome::NotServed(404),
            Err(NoMatch::Misdirected) => return Outcome::NotServed(421),
            Err(NoMatch::NotImplemented) => return Outcome::NotServed(501),
        };
        let resumed = table.resume(found.id()).map(|found| found.route().clone());
        assert_eq!(
            resumed.as_ref(),
            Some(found.route()),
            "a match has to survive as its id"
        );
        outcome(&found, &target, &mut parts, request.ticket)
    }
}

fn outcome(
    found: &Match<'_>,
    target: &gatepost::target::Target<'_>,
    parts: &mut http::request::Parts,
    ticket: u64,
) -> Outcome {
    let rule = Served {
        route: found.route().to_string(),
        rule: usize::from(found.rule().index),
        matching: usize::from(found.position()),
    };
    if let Action::Respond(response) = found.apply(target, parts) {
        let location = response
            .headers()
            .get("location")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        return Outcome::Answered {
            rule,
            status: response.status().as_u16(),
            location,
        };
    }
    let Ok(picked) = found.backends().pick(ticket) else {
        return Outcome::Answered {
            rule,
            status: 500,
            location: None,
        };
    };
    if found.apply_backend(&picked, target, parts).is_err() {
        return Outcome::Answered {
            rule,
            status: 500,
            location: None,
        };
    }
    let backend = picked
        .backend
        .destination
        .as_ref()
        .map(|destination| destination.port.to_string())
        .unwrap_or_default();
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        if *name != HOST {
            headers
                .entry(name.as_str().to_owned())
                .or_default()
                .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
    }
    let host = parts
        .headers
        .get(HOST)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default();
    let target = parts
        .uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    Outcome::Forwarded {
        rule,
        backend,
        target,
        host,
        headers,
    }
}

fn parts(request: &Request) -> http::request::Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    let mut headers = HeaderMap::new();
    if let Some(host) = request
        .hosts
        .first()
        .and_then(|host| http::HeaderValue::from_bytes(host).ok())
    {
        headers.insert(HOST, host);
    }
    for (name, value) in &request.headers {
        if let (Ok(name), Ok(value)) = (
            name.parse::<http::HeaderName>(),
            http::HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
    parts.headers = headers;
    parts
}
