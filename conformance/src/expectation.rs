//! One line of what a case about statuses expects: what it speaks of, and what is found there.
//!
//! A line that could hold whatever comes of the case is refused: one about an object that is not there, or about a condition
//! that does not exist.

use gatepost::controller::Resolution;
use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::resources::Resources;
use gatepost::rule::{
    BackendProtocol, BackendTls, Listener, ServicePort, SubjectAltName, TrustAnchors,
};
use gatepost::status::Statuses;
use gatepost::status::condition::Type;
use gatepost::timestamp::Timestamp;
use serde_json::Value;

/// What a case came to.
pub(crate) struct Found<'c> {
    pub(crate) resources: &'c Resources,
    pub(crate) resolution: &'c Resolution,
    pub(crate) statuses: &'c Statuses,
}

/// Members of a status that a line may be about besides its conditions.
const MEMBERS: [&str; 5] = [
    "addresses",
    "attachedListenerSets",
    "attachedRoutes",
    "listeners",
    "supportedKinds",
];

impl Found<'_> {
    /// What there is in the words of `wanted`, so that the two are equal where it is as wanted.
    ///
    /// # Errors
    ///
    /// If the line speaks of what there cannot be.
    pub(crate) fn of(&self, what: &str, wanted: &str) -> Result<String, String> {
        let (about, rest) = what.split_once('/').unwrap_or(("", what));
        match about {
            "Endpoints" => endpoints(self.resolution, rest),
            "Backends" => Ok(self.backends(&self.object(rest)?)),
            "Listener" => self.listener(rest),
            "Infrastructure" => self.infrastructure(rest),
            "Finalizers" => {
                let key = self.object(rest)?;
                let found = self.statuses.finalizers(&key, self.resources);
                Ok(found.map_or_else(|| "as they are".to_owned(), |all| all.join(",")))
            }
            _ => self.status(what, wanted),
        }
    }

    /// The key of an object of the case, `Kind/[namespace/]name`.
    fn object(&self, text: &str) -> Result<ObjectKey, String> {
        let parts = text.split_once('/').and_then(|(kind, name)| {
            let kind = Kind::all().find(|one| one.as_str() == kind)?;
            let (namespace, name) = name.split_once('/').unwrap_or(("", name));
            Some(ObjectKey::new(kind, namespace, name))
        });
        parts
            .filter(|key| self.resources.get(key).is_some())
            .ok_or_else(|| format!("the case has no {text}"))
    }

    /// Reads `Kind/namespace/name`, `…#listener` or `…@parent[#section]`, and there what `wanted` speaks of.
    fn status(&self, what: &str, wanted: &str) -> Result<String, String> {
        let (object, part) = match what.split_once('@') {
            Some((object, parent)) => {
                let (name, section) = parent
                    .split_once('#')
                    .map_or((parent, None), |(name, section)| (name, Some(section)));
                if !self.resources.iter().any(|(key, _)| key.name == name) {
                    return Err(format!("the case has nothing that is called {name}"));
                }
                (object, Part::Entry(name, section))
            }
            None => match what.split_once('#') {
                Some((object, name)) => (object, Part::Listener(name)),
                None => (what, Part::Whole),
            },
        };
        let key = self.object(object)?;
        let (word, says) = match wanted.split_once('=') {
            Some((word, _)) => (word, Says::Something),
            None => match wanted.strip_prefix('!') {
                Some(word) => (word, Says::Absent),
                None => (wanted, Says::Nothing),
            },
        };
        let is_condition = Type::ALL.iter().any(|one| one.as_str() == word);
        let known = match says {
            Says::Something => is_condition || MEMBERS.contains(&word),
            Says::Absent => is_condition,
            Says::Nothing => ["no status", "no entry"].contains(&word),
        };
        if !known {
            return Err(format!("there is no condition and no member `{word}`"));
        }
        let now = Timestamp::from_unix_seconds(0);
        let Some(status) = self.statuses.status(&key, self.resources, now) else {
            return Ok("no status".to_owned());
        };
        let Some(part) = part.of(&status) else {
            return Ok("no entry".to_owned());
        };
        Ok(said(&part, word, wanted))
    }

    /// The backends of a route's rules in the tables: each `namespace/name:port`, what is spoken there, and how it is trusted.
    fn backends(&self, route: &ObjectKey) -> String {
        let planes = self.resolution.planes().iter();
        let rules = planes.flat_map(|plane| plane.table.rules());
        let mut backends: Vec<String> = Vec::new();
        for (_, rule) in rules.filter(|(key, _)| *key == route) {
            for backend in rule.backends.entries() {
                backends.push(match &backend.destination {
                    Err(invalid) => invalid.reason.to_owned(),
                    Ok(to) => {
                        let protocol = match to.protocol {
                            BackendProtocol::Unspecified => "",
                            BackendProtocol::Http1 => " HTTP/1.1",
                            BackendProtocol::Http2 => " HTTP/2",
                            BackendProtocol::WebSocket => " WebSocket",
                            _ => " TCP",
                        };
                        let tls = to.tls.as_deref().map(tls).unwrap_or_default();
                        format!("{}{protocol}{tls}", to.port)
                    }
                });
            }
        }
        if backends.is_empty() {
            return "none".to_owned();
        }
        backends.join(", ")
    }

    /// `namespace/gateway#listener` → what a listener that serves shows and asks for.
    fn listener(&self, what: &str) -> Result<String, String> {
        let (gateway, name) = what.split_once('#').unwrap_or((what, ""));
        let key = self.object(&format!("Gateway/{gateway}"))?;
        let planes = self.resolution.planes().iter();
        let mut all = planes.flat_map(|plane| plane.table.listeners());
        let found = all.find(|one| one.owner == key && *one.name == *name);
        Ok(found.map_or_else(|| "does not serve".to_owned(), |found| shows(found)))
    }

    /// `namespace/gateway` → the labels and annotations of what is made for it, as `a:b`.
    fn infrastructure(&self, gateway: &str) -> Result<String, String> {
        let key = self.object(&format!("Gateway/{gateway}"))?;
        let gateways = &self.resolution.resolved().gateways;
        let Some(found) = gateways.get(&key.namespaced_name()) else {
            return Ok("not ours".to_owned());
        };
        let listed = |all: &std::collections::BTreeMap<String, String>| {
            let all: Vec<String> = all
                .iter()
                .map(|(key, value)| format!("{key}:{value}"))
                .collect();
            all.join(",")
        };
        let made = &found.infrastructure;
        Ok(format!(
            "labels={} annotations={}",
            listed(&made.labels),
            listed(&made.annotations)
        ))
    }
}

/// Which part of a status a line is about.
enum Part<'c> {
    Whole,
    Listener(&'c str),
    Entry(&'c str, Option<&'c str>),
}

/// What a line says of a condition or member.
enum Says {
    Something,
    Absent,
    Nothing,
}

impl Part<'_> {
    fn of(&self, status: &Value) -> Option<Value> {
        let list = |name: &str| status[name].as_array().cloned().unwrap_or_default();
        match self {
            Part::Whole => Some(status.clone()),
            Part::Listener(name) => list("listeners")
                .into_iter()
                .find(|one| one["name"] == **name),
            Part::Entry(name, section) => {
                let all = list("parents").into_iter().chain(list("ancestors"));
                let mut all = all.filter(|one| {
                    let reference = one.get("parentRef").unwrap_or_else(|| &one["ancestorRef"]);
                    reference["name"] == **name && reference["sectionName"].as_str() == *section
                });
                all.next()
            }
        }
    }
}

fn said(part: &Value, word: &str, wanted: &str) -> String {
    match word {
        "attachedRoutes" | "attachedListenerSets" => format!("{word}={}", part[word]),
        "supportedKinds" => format!("{word}={}", joined(&part[word], "kind")),
        "addresses" => format!("{word}={}", joined(&part[word], "value")),
        "listeners" => format!("{word}={}", joined(&part[word], "name")),
        word => {
            let conditions = part["conditions"].as_array().cloned().unwrap_or_default();
            let Some(one) = conditions.iter().find(|one| one["type"] == word) else {
                return format!("!{word}");
            };
            let text = |member: &str| one[member].as_str().unwrap_or_default().to_owned();
            let base = format!("{word}={}/{}", text("status"), text("reason"));
            // `… ~ text`: the message has to hold the text.
            match wanted.split_once(" ~ ") {
                Some((_, part)) if text("message").contains(part) => format!("{base} ~ {part}"),
                Some(_) => format!("{base} ~ {}", text("message")),
                None => base,
            }
        }
    }
}

fn joined(list: &Value, member: &str) -> String {
    let list = list.as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = list.iter().filter_map(|one| one[member].as_str()).collect();
    names.join(",")
}

fn trust(anchors: &TrustAnchors) -> String {
    match anchors {
        TrustAnchors::System => "system".to_owned(),
        TrustAnchors::Certificates(all) => all.len().to_string(),
    }
}

/// ` TLS hostname trust=N`, with the alternative names and the certificate that is presented, if there are any.
fn tls(tls: &BackendTls) -> String {
    let anchors = tls
        .trust
        .as_ref()
        .map_or_else(|_| "nobody".to_owned(), trust);
    let names = tls.subject_alt_names.iter().map(|name| match name {
        SubjectAltName::Hostname(name) | SubjectAltName::Uri(name) => &**name,
    });
    let names: Vec<&str> = names.collect();
    let mut text = format!(" TLS {} trust={anchors}", tls.hostname);
    if !names.is_empty() {
        text.push_str(&format!(" names={}", names.join(",")));
    }
    if let Some(own) = &tls.client_certificate {
        text.push_str(&format!(" presents={}", own.secret.namespaced_name()));
    }
    text
}

fn shows(listener: &Listener) -> String {
    let mut said = Vec::new();
    if let Some(tls) = &listener.tls {
        let certificates = tls.certificates.iter();
        let secrets = certificates.map(|own| own.secret.namespaced_name().to_string());
        let secrets: Vec<String> = secrets.collect();
        said.push(format!("shows={}", secrets.join(",")));
        if let Some(asked) = &tls.client_validation {
            let fallback = if asked.insecure_fallback {
                " or none"
            } else {
                ""
            };
            said.push(format!("asks={}{fallback}", trust(&asked.trust)));
        }
    }
    if let Some(own) = &listener.backend_client_certificate {
        said.push(format!("presents={}", own.secret.namespaced_name()));
    }
    if said.is_empty() {
        said.push("serves".to_owned());
    }
    said.join(" ")
}

/// `[Kind/]namespace/name:port` → the usable addresses.
fn endpoints(resolution: &Resolution, port: &str) -> Result<String, String> {
    let (kind, rest) = match port.strip_prefix("XBackend/") {
        Some(rest) => (Kind::XBackend, rest),
        None => (Kind::Service, port),
    };
    let (name, number) = rest.split_once(':').unwrap_or((rest, "80"));
    let name: NamespacedName = name
        .parse()
        .map_err(|_| format!("{rest} is no namespace/name:port"))?;
    let number = number.parse().map_err(|_| format!("{number} is no port"))?;
    let port = ServicePort {
        kind,
        namespace: name.namespace.into(),
        name: name.name.into(),
        port: number,
    };
    let Some(endpoints) = resolution.endpoints(&port) else {
        return Ok("unknown".to_owned());
    };
    if let Some(external) = &endpoints.external {
        return Ok(format!("{}:{}", external.hostname, external.port));
    }
    let addresses: Vec<String> = endpoints
        .usable()
        .map(|one| one.address.to_string())
        .collect();
    if addresses.is_empty() {
        return Ok("none".to_owned());
    }
    Ok(addresses.join(","))
}
