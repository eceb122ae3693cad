//! A request in words: which rule of a table serves it, and why no other does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use gatepost::analysis::{Candidate, Explanation, Verdict, describe, explain as judge};
use gatepost::document::Document;
use gatepost::key::ObjectKey;
use gatepost::problem::{FieldPath, excerpt};
use gatepost::rule::{Protocol, Rule};
use gatepost::table::{Head, NoMatch, RouteTable};
use gatepost::target::{Raw, Refused};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::output::paint;

/// The documents of objects, for places in files.
pub type Documents = BTreeMap<ObjectKey, Arc<Document>>;

/// A request as people write it: a method, a URL, header fields.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    url: String,
    authority: String,
    port: u16,
    target: String,
    headers: HeaderMap,
    sni: Option<String>,
}

impl Request {
    /// Takes a request apart.
    ///
    /// A `Host` among the fields stands for the URL's own, as it does for curl; the server name of the TLS connection is
    /// the URL's host in lower case unless `sni` says another.
    ///
    /// # Errors
    ///
    /// If the method is no token or the URL is none of `http` or `https`. Whether a gateway takes such a request is not
    /// judged here: see [`Request::with_head`].
    pub fn new(
        method: &str,
        url: &str,
        mut headers: HeaderMap,
        sni: Option<&str>,
    ) -> Result<Request, String> {
        if Method::from_bytes(method.as_bytes()).is_err() {
            return Err(format!("`{}` is not a method", excerpt(method)));
        }
        let (https, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => {
                return Err(format!(
                    "`{}` is not a URL, expected something like https://shop.example.com/cart",
                    excerpt(url)
                ));
            }
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("/{target}")
        };
        let (host, port) = match authority
            .rsplit_once(':')
            .filter(|(host, _)| !host.starts_with('[') || host.ends_with(']'))
        {
            Some((host, port)) => (
                host,
                port.parse()
                    .map_err(|_| format!("`{}` is not a port", excerpt(port)))?,
            ),
            None => (authority, if https { 443 } else { 80 }),
        };
        if !headers.contains_key(HOST) {
            let value = HeaderValue::from_bytes(authority.as_bytes())
                .map_err(|_| format!("`{}` is not a host", excerpt(authority)))?;
            headers.insert(HOST, value);
        }
        let name = || host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        Ok(Request {
            method: method.to_owned(),
            url: url.to_owned(),
            authority: authority.to_owned(),
            port,
            target,
            headers,
            sni: https.then(|| sni.map_or_else(name, str::to_ascii_lowercase)),
        })
    }

    /// The port of the URL.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Judges the target by a table's path policy and hands on what the table is asked by.
    ///
    /// # Errors
    ///
    /// If the request has to be refused with 400.
    pub fn with_head<T>(
        &self,
        table: &RouteTable,
        buffer: &mut Vec<u8>,
        then: impl FnOnce(&Head<'_>) -> T,
    ) -> Result<T, Refused> {
        let mut hosts = self.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
        let connect = self.method == "CONNECT";
        let raw = Raw {
            target: if connect {
                &self.authority
            } else {
                &self.target
            }
            .as_bytes(),
            authority: None,
            hosts: &mut hosts,
            host_required: true,
            connect,
        };
        let target = table.target(raw, buffer)?;
        let head = Head {
            port: self.port,
            sni: self.sni.as_deref(),
            method: self.method.as_bytes(),
            target,
            headers: &self.headers,
        };
        Ok(then(&head))
    }
}

/// What a table makes of a request, in words and as JSON (`gatepost/explain/v1`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// Whether a rule serves it.
    pub found: bool,
}

/// Explains what a table does with a request. `colours` puts those of ANSI into the text.
pub fn explain(
    table: &RouteTable,
    request: &Request,
    documents: &Documents,
    colours: bool,
) -> Report {
    let listened = table
        .listeners()
        .iter()
        .any(|listener| listener.port == request.port);
    if !listened {
        return no_listener(request, [table]);
    }
    let mut buffer = Vec::new();
    let report = request.with_head(table, &mut buffer, |head| {
        let explanation = judge(table, head);
        let path = String::from_utf8_lossy(head.target.path()).into_owned();
        Report {
            text: text(request, &path, &explanation, documents, colours),
            json: machine(request, &path, &explanation, documents),
            found: explanation.found.is_ok(),
        }
    });
    report.unwrap_or_else(|refused| Report {
        text: format!("{} {}\n\n ✗ 400  {refused}\n", request.method, request.url),
        json: json!({"schema": "gatepost/explain/v1", "method": request.method, "url": request.url, "status": 400, "reason": refused.as_str()}),
        found: false,
    })
}

/// What is said where no table listens on the request's port.
pub(crate) fn no_listener<'t>(
    request: &Request,
    tables: impl IntoIterator<Item = &'t RouteTable>,
) -> Report {
    let ports: Vec<u16> = tables
        .into_iter()
        .flat_map(RouteTable::listeners)
        .map(|listener| listener.port)
        .collect();
    let listed: Vec<String> = ports.iter().map(u16::to_string).collect();
    Report {
        text: format!(
            "no listener on port {}; there are listeners on: {}\n",
            request.port,
            listed.join(", ")
        ),
        json: json!({"schema": "gatepost/explain/v1", "method": request.method, "url": request.url, "reason": format!("no listener on port {}", request.port), "ports": ports}),
        found: false,
    }
}

/// `file:line:column` of a match, as far as the file writes it.
fn place(candidate: &Candidate<'_>, documents: &Documents) -> String {
    let Some(document) = documents.get(&*candidate.route.key) else {
        return String::new();
    };
    let path = FieldPath::default()
        .field("spec")
        .field("rules")
        .index(usize::from(candidate.rule.index))
        .field("matches")
        .index(candidate.position);
    format!("{}:{}", document.source(), document.place(&path))
}

fn title(candidate: &Candidate<'_>) -> String {
    let name = candidate
        .rule
        .name
        .as_deref()
        .map(|name| format!(" {name:?}"))
        .unwrap_or_default();
    format!(
        "{}  rule[{}]{name}  match[{}]",
        candidate.route.key.namespaced_name(),
        candidate.rule.index,
        candidate.position
    )
}

/// The status of a request without a rule, and why in words.
pub fn status(no_match: NoMatch) -> (u16, &'static str) {
    match no_match {
        NoMatch::NotFound => (404, "no rule serves it"),
        NoMatch::Misdirected => (
            421,
            "the host belongs to another listener than the TLS connection",
        ),
        NoMatch::NotImplemented => (501, "CONNECT is not served"),
    }
}

fn text(
    request: &Request,
    path: &str,
    explanation: &Explanation<'_>,
    documents: &Documents,
    colours: bool,
) -> String {
    let mut out = format!("{} {}", request.method, request.url);
    // Writing to a String cannot fail.
    if let Some(listener) = explanation.listener {
        let host = listener.hostname.as_ref().map_or("*", |name| name.as_str());
        let protocol = if listener.protocol == Protocol::Https {
            "HTTPS"
        } else {
            "HTTP"
        };
        let _ = write!(
            out,
            "   listener {}[{}] {protocol} :{}  host {host}",
            listener.gateway, listener.name, listener.port
        );
    }
    out.push_str("\n\n");
    let sent = request.target.split('?').next().unwrap_or_default();
    if sent != path {
        let _ = writeln!(out, "   path compared and forwarded: {path}");
    }
    let mut elsewhere = 0;
    for (number, (candidate, verdict)) in explanation.candidates.iter().enumerate() {
        let at = place(candidate, documents);
        match verdict {
            Verdict::Won => {
                let _ = writeln!(
                    out,
                    " {} {}   {at}",
                    paint("✓ WIN ", "32", colours),
                    title(candidate)
                );
                let _ = writeln!(out, "         {}", describe::match_of(candidate));
                let _ = writeln!(
                    out,
                    "         → {}{}",
                    describe::backends(candidate.rule),
                    details(candidate.rule)
                );
            }
            Verdict::Lost(_) | Verdict::AfterGrpc => {
                let decided = match verdict {
                    Verdict::Lost(step) => step.as_str(),
                    _ => "a GRPCRoute of this host takes gRPC requests first",
                };
                let _ = writeln!(
                    out,
                    " {} {}   {at}\n         {}   decided by: {decided}",
                    paint("✗ lost", "33", colours),
                    title(candidate),
                    describe::match_of(candidate)
                );
            }
            Verdict::Failed(reasons) => {
                let reason = reasons.join("; ");
                let mark = if explanation.nearest == Some(number) {
                    "≈ near"
                } else {
                    "– no  "
                };
                let _ = writeln!(out, " {mark} {}   {reason}", title(candidate));
            }
            Verdict::OtherHost => elsewhere += 1,
        }
    }
    if let Err(no_match) = explanation.found {
        let (code, reason) = status(no_match);
        let _ = writeln!(
            out,
            " {} {reason}",
            paint(&format!("✗ {code}  "), "31", colours)
        );
    }
    if let Some((candidate, Verdict::Failed(reasons))) = explanation
        .nearest
        .and_then(|at| explanation.candidates.get(at))
    {
        let _ = writeln!(
            out,
            "\n Nearest miss: {}: {}",
            title(candidate),
            reasons.join("; ")
        );
    }
    if elsewhere > 0 {
        let _ = writeln!(
            out,
            "\n {elsewhere} other match{} do not serve this host.",
            if elsewhere == 1 { "" } else { "es" }
        );
    }
    out.push_str(" Order: hostname > path (exact > regex > prefix, then length) > method > headers > query > age > name > rule.\n");
    out
}

/// Redirects and rewrites in words.
fn details(rule: &Rule) -> String {
    let mut out = String::new();
    if let Some(redirect) = &rule.filters.redirect {
        let parts = [
            redirect
                .scheme
                .as_ref()
                .map(|scheme| format!("scheme {scheme}")),
            redirect
                .hostname
                .as_ref()
                .map(|name| format!("host {name}")),
            redirect.port.map(|port| format!("port {port}")),
            redirect.path.as_ref().map(describe::modifier),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let _ = write!(out, "  {}", parts.join(", "));
    }
    if let Some(rewrite) = &rule.filters.rewrite {
        let parts = [
            rewrite.hostname.as_ref().map(|name| format!("host {name}")),
            rewrite.path.as_ref().map(describe::modifier),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let _ = write!(out, "  URLRewrite {}", parts.join(", "));
    }
    out
}

fn machine(
    request: &Request,
    path: &str,
    explanation: &Explanation<'_>,
    documents: &Documents,
) -> Value {
    let entry = |candidate: &Candidate<'_>| {
        json!({
            "route": candidate.route.key.to_string(), "rule": candidate.rule.index, "name": candidate.rule.name.as_deref(),
            "match": candidate.position, "matches": describe::match_of(candidate), "backends": describe::backends(candidate.rule),
            "place": place(candidate, documents),
        })
    };
    let candidates = explanation.candidates.iter().map(|(candidate, verdict)| {
        let mut value = entry(candidate);
        let (word, reason) = match verdict {
            Verdict::Won => ("won", None),
            Verdict::Lost(step) => ("lost", Some(step.as_str().to_owned())),
            Verdict::AfterGrpc => (
                "lost",
                Some("a GRPCRoute of this host takes gRPC requests first".to_owned()),
            ),
            Verdict::Failed(reasons) => ("failed", Some(reasons.join("; "))),
            Verdict::OtherHost => ("other-host", None),
        };
        value["verdict"] = json!(word);
        value["reason"] = json!(reason);
        value
    });
    let candidates: Vec<Value> = candidates.collect();
    let winner = candidates
        .iter()
        .find(|candidate| candidate["verdict"] == "won")
        .cloned();
    let status = explanation
        .found
        .as_ref()
        .err()
        .map(|no_match| status(*no_match).0);
    json!({
        "schema": "gatepost/explain/v1", "method": request.method, "url": request.url, "path": path,
        "listener": explanation.listener.map(|listener| json!({"gateway": listener.gateway.to_string(), "name": &*listener.name, "port": listener.port})),
        "status": status, "winner": winner, "candidates": candidates,
        "nearest": explanation.nearest.and_then(|at| candidates.get(at)).cloned(),
    })
}
