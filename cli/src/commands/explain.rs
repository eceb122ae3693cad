//! `gatepost explain`: which rule serves a request, and why no other does.

use std::fmt::Write;

use gatepost::analysis::{Candidate, Explanation, Verdict, describe, explain};
use gatepost::manifest::Collected;
use gatepost::problem::FieldPath;
use gatepost::rule::{Protocol, Rule};
use gatepost::table::{Head, NoMatch, RouteTable};
use gatepost::target::Raw;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::arguments::{Explain, TextFormat};
use crate::{input, output};

/// A request as it is typed.
struct Request {
    method: String,
    url: String,
    https: bool,
    authority: String,
    port: u16,
    target: String,
    headers: HeaderMap,
    sni: Option<String>,
}

pub(crate) fn run(arguments: &Explain) -> u8 {
    let request = match parse(arguments) {
        Ok(request) => request,
        Err(message) => {
            output::tell(&format!("gatepost: {message}"));
            return 2;
        }
    };
    let collected = input::load(&arguments.input);
    if input::report_unreadable(&collected) {
        return 2;
    }
    let resolution = input::settings(&arguments.input.reading).resolve(&collected.resources);
    let tables: Vec<&RouteTable> = resolution
        .planes()
        .iter()
        .map(|plane| &*plane.table)
        .filter(|table| {
            table
                .listeners()
                .iter()
                .any(|listener| listener.port == request.port)
        })
        .collect();
    if tables.is_empty() {
        let ports: Vec<String> = resolution
            .planes()
            .iter()
            .flat_map(|plane| plane.table.listeners())
            .map(|l| l.port.to_string())
            .collect();
        output::print(&format!(
            "no listener on port {}; there are listeners on: {}\n",
            request.port,
            ports.join(", ")
        ));
        return 1;
    }
    let mut code = 0;
    for table in tables {
        code = one(table, &request, &collected, arguments.output).max(code);
    }
    code
}

fn parse(arguments: &Explain) -> Result<Request, String> {
    let (method, url) = match arguments.request.as_slice() {
        [url] => ("GET", url.as_str()),
        [method, url] => (method.as_str(), url.as_str()),
        _ => return Err("expected METHOD URL".to_owned()),
    };
    let (https, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => {
            return Err(format!(
                "`{url}` is not a URL, expected something like https://shop.example.com/cart"
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
                .map_err(|_| format!("`{port}` is not a port"))?,
        ),
        None => (authority, if https { 443 } else { 80 }),
    };
    let mut headers = HeaderMap::new();
    for field in &arguments.headers {
        let parsed = field.split_once(':').and_then(|(name, value)| {
            Some((
                HeaderName::from_bytes(name.trim().as_bytes()).ok()?,
                HeaderValue::from_str(value.trim()).ok()?,
            ))
        });
        let (name, value) = parsed
            .ok_or_else(|| format!("`{field}` is not a header field, expected `name: value`"))?;
        headers.append(name, value);
    }
    let sni = arguments
        .sni
        .clone()
        .or_else(|| https.then(|| host.to_ascii_lowercase()));
    Ok(Request {
        method: method.to_owned(),
        url: url.to_owned(),
        https,
        authority: authority.to_owned(),
        port,
        target,
        headers,
        sni,
    })
}

fn one(table: &RouteTable, request: &Request, collected: &Collected, format: TextFormat) -> u8 {
    let mut buffer = Vec::new();
    let mut hosts = std::iter::once(request.authority.as_bytes());
    let raw = Raw {
        target: request.target.as_bytes(),
        authority: None,
        hosts: &mut hosts,
        host_required: true,
        connect: false,
    };
    let target = match table.target(raw, &mut buffer) {
        Ok(target) => target,
        Err(refused) => {
            output::print(&match format {
                TextFormat::Text => {
                    format!("{} {}\n\n ✗ 400  {refused}\n", request.method, request.url)
                }
                TextFormat::Json => format!(
                    "{:#}\n",
                    json!({"schema": "gatepost/explain/v1", "status": 400, "reason": refused.as_str()})
                ),
            });
            return 1;
        }
    };
    let sni = request.sni.as_deref().filter(|_| request.https);
    let head = Head {
        port: request.port,
        sni,
        method: request.method.as_bytes(),
        target,
        headers: &request.headers,
    };
    let explanation = explain(table, &head);
    let path = String::from_utf8_lossy(target.path()).into_owned();
    output::print(&match format {
        TextFormat::Text => text(request, &path, &explanation, collected),
        TextFormat::Json => format!("{:#}\n", machine(request, &path, &explanation, collected)),
    });
    u8::from(explanation.found.is_err())
}

/// `file:line:column` of a match, as far as the file writes it.
fn place(candidate: &Candidate<'_>, collected: &Collected) -> String {
    let Some(document) = collected.documents.get(&candidate.route.key) else {
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

fn status(no_match: NoMatch) -> (u16, &'static str) {
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
    collected: &Collected,
) -> String {
    let colours = output::colours();
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
        let at = place(candidate, collected);
        match verdict {
            Verdict::Won => {
                let _ = writeln!(
                    out,
                    " {} {}   {at}",
                    output::paint("✓ WIN ", "32", colours),
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
            Verdict::Lost(step) => {
                let _ = writeln!(
                    out,
                    " {} {}   {at}",
                    output::paint("✗ lost", "33", colours),
                    title(candidate)
                );
                let _ = writeln!(
                    out,
                    "         {}   decided by: {}",
                    describe::match_of(candidate),
                    step.as_str()
                );
            }
            Verdict::AfterGrpc => {
                let _ = writeln!(
                    out,
                    " {} {}   {at}",
                    output::paint("✗ lost", "33", colours),
                    title(candidate)
                );
                let _ = writeln!(
                    out,
                    "         {}   decided by: a GRPCRoute of this host takes gRPC requests first",
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
            output::paint(&format!("✗ {code}  "), "31", colours)
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
    collected: &Collected,
) -> Value {
    let entry = |candidate: &Candidate<'_>| {
        json!({
            "route": candidate.route.key.to_string(), "rule": candidate.rule.index, "name": candidate.rule.name.as_deref(),
            "match": candidate.position, "matches": describe::match_of(candidate), "backends": describe::backends(candidate.rule),
            "place": place(candidate, collected),
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
