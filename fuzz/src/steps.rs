//! Filters of any texts on requests of any bytes: what comes out can be sent as it is. Paths are canonical, fields that
//! belong to the connection stay what they were, redirects lead to URLs, CORS opens no more than was said.

use std::sync::Arc;

use gatepost::controller::Controller;
use gatepost::resources::{Resource, Resources};
use gatepost::rule::Cors;
use gatepost::table::{Action, Head, Match, ResponseStep, Step};
use gatepost::target::{EncodedSlash, PathPolicy, Raw, Target, canonical_path};
use gatepost_conformance::entropy::Entropy;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, CONTENT_LENGTH,
    HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, ORIGIN, TE, TRANSFER_ENCODING, UPGRADE,
    VARY,
};
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::bend::{raw, text};

/// Fields that are the connection's, not a filter's.
const FRAMING: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE];

const NAMES: [&str; 12] = [
    "x-a",
    "X-A",
    "x-b",
    "host",
    "Content-Length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "location",
    "cookie",
    "access-control-allow-origin",
];
const PATHS: [&str; 16] = [
    "/",
    "",
    "/a",
    "/a/",
    "a",
    "//",
    "/a//b",
    "/..",
    "/./a",
    "/%61",
    "/%2f",
    "/a?b",
    "/a#b",
    "/ ",
    "//evil.test",
    "/é",
];
const TARGETS: [&str; 14] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a//b",
    "/a/../b",
    "/a%2fb",
    "/a/%2e%2e/b",
    "/a;p",
    "/a?q=1&r",
    "/a/?",
    "http://b.test/a/x",
    "*",
    "//evil.test/a",
];
const ORIGINS: [&str; 9] = [
    "*",
    "http://a.test",
    "https://a.test:8443",
    "https://*.a.test",
    "https://*",
    "null",
    "http://A.test:80",
    "https://a.test.evil",
    "",
];

/// The claim; see the module.
///
/// # Panics
///
/// If it does not hold.
pub fn holds(bytes: &[u8]) {
    let mut entropy = Entropy::from_bytes(bytes);
    let resources = resources(&mut entropy);
    let resolution = Controller::default().resolve(&resources);
    let Some(plane) = resolution.planes().first() else {
        return;
    };
    let mut scratch = plane.table.scratch();
    for _ in 0..4 {
        let (target, headers) = request(&mut entropy);
        let method = if entropy.random_bool(0.3) {
            Method::OPTIONS
        } else {
            Method::GET
        };
        let mut buffer = Vec::new();
        let mut hosts = std::iter::once(&b"a.test"[..]);
        let raw = Raw {
            target: &target,
            authority: None,
            hosts: &mut hosts,
            host_required: true,
            connect: false,
        };
        let Ok(target) = plane.table.target(raw, &mut buffer) else {
            continue;
        };
        let head = Head {
            port: 80,
            sni: None,
            method: method.as_str().as_bytes(),
            target,
            headers: &headers,
        };
        if let Ok(found) = plane.table.find(&head, &mut scratch) {
            carry_out(
                &found,
                &target,
                &method,
                &headers,
                entropy.random_range(0..=u64::MAX),
            );
        }
    }
}

fn carry_out(
    found: &Match<'_>,
    target: &Target<'_>,
    method: &Method,
    headers: &HeaderMap,
    ticket: u64,
) {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = method.clone();
    parts.headers = headers.clone();
    for step in found.steps() {
        if let Step::Cors(cors) = step {
            preflight(cors, method, headers);
        }
    }
    match found.apply(target, &mut parts) {
        Action::Respond(response) => answered(&response, target),
        Action::Forward(backends) => {
            forwarded(&parts, target, headers);
            let Ok(picked) = backends.pick(ticket) else {
                return;
            };
            if found.apply_backend(&picked, target, &mut parts).is_ok() {
                forwarded(&parts, target, headers);
            }
            let mut answer = framing();
            for step in found.response_steps(Some(&picked)) {
                match step {
                    ResponseStep::ResponseHeaders(edits) => edits.apply(&mut answer),
                    ResponseStep::Cors(cors) => {
                        cors.mark(headers.get(ORIGIN), &mut answer);
                        marked(cors, headers.get(ORIGIN), &answer);
                    }
                }
            }
            same_framing(&answer, &framing());
        }
    }
}

fn framing() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers
}

fn same_framing(after: &HeaderMap, before: &HeaderMap) {
    for name in &FRAMING {
        let values =
            |headers: &HeaderMap| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(values(after), values(before), "a filter changed {name}");
    }
}

/// An answer of the rule's own: a redirect to a URL, 400 or 500.
fn answered(response: &http::Response<()>, target: &Target<'_>) {
    let Some(location) = response.headers().get(LOCATION) else {
        let status = response.status();
        assert!(
            status == StatusCode::INTERNAL_SERVER_ERROR || status == StatusCode::BAD_REQUEST,
            "{status}"
        );
        return;
    };
    assert!(response.status().is_redirection());
    let sound = |&byte: &u8| byte > b' ' && byte != 0x7f;
    assert!(location.as_bytes().iter().all(sound), "{location:?}");
    // What is beyond ASCII can only be the query, which is as the client wrote it.
    let end = location.as_bytes().iter().position(|&byte| byte == b'?');
    let before = &location.as_bytes()[..end.unwrap_or(location.len())];
    // Browsers read `\` as `/`, but for the query.
    assert!(!before.contains(&b'\\'), "{location:?}");
    let url: Uri = std::str::from_utf8(before)
        .expect("ASCII")
        .parse()
        .unwrap_or_else(|error| panic!("{location:?} is no URL: {error}"));
    assert!(
        matches!(url.scheme_str(), Some("http" | "https")),
        "{location:?}"
    );
    assert!(
        url.host().is_some_and(|host| !host.is_empty()),
        "{location:?}"
    );
    canonical(url.path().as_bytes());
    let query = end.map(|end| &location.as_bytes()[end + 1..]);
    assert_eq!(query, target.query(), "a redirect keeps the query");
}

/// A request on its way to a backend.
fn forwarded(parts: &Parts, target: &Target<'_>, before: &HeaderMap) {
    if target.path() != b"*" {
        canonical(parts.uri.path().as_bytes());
    }
    assert_eq!(
        parts.uri.query().map(str::as_bytes),
        target.query(),
        "the query is kept"
    );
    same_framing(&parts.headers, before);
    assert!(
        parts.headers.get_all(HOST).iter().count() <= 1,
        "several Host fields"
    );
    for value in parts.headers.values() {
        assert!(
            !value
                .as_bytes()
                .iter()
                .any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        );
    }
}

fn canonical(path: &[u8]) {
    let policy = PathPolicy {
        encoded_slash: EncodedSlash::Keep,
        merge_slashes: false,
    };
    let mut buffer = Vec::new();
    let text = String::from_utf8_lossy(path).into_owned();
    assert_eq!(
        canonical_path(path, &policy, &mut buffer),
        Ok(false),
        "{text:?}"
    );
    assert!(!path.starts_with(b"//"), "{text:?} reads as an authority");
}

fn preflight(cors: &Cors, method: &Method, request: &HeaderMap) {
    if let Some(answer) = cors.preflight(method, request) {
        assert_eq!(method, Method::OPTIONS);
        marked(cors, request.get(ORIGIN), answer.headers());
        let readable = answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(readable, answer.status() == StatusCode::NO_CONTENT);
    }
}

/// Who may read the answer: the origin that asked, if it is allowed, or everybody, but then without credentials.
fn marked(cors: &Cors, origin: Option<&HeaderValue>, answer: &HeaderMap) {
    assert!(answer.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().count() <= 1);
    let Some(allowed) = answer.get(ACCESS_CONTROL_ALLOW_ORIGIN) else {
        return;
    };
    let origin = origin.expect("nobody asked");
    assert!(cors.allows(origin.as_bytes()));
    if allowed == "*" {
        assert!(
            !answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS),
            "everybody with credentials"
        );
    } else {
        assert_eq!(allowed, origin);
        assert!(
            answer.contains_key(VARY),
            "an answer for one origin is kept for all"
        );
    }
}

fn request(entropy: &mut Entropy) -> (Vec<u8>, HeaderMap) {
    let mut target = (*TARGETS.choose(entropy).expect("targets")).to_owned();
    if entropy.random_bool(0.4) {
        target.push_str(&raw(entropy));
    }
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("a.test"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("3"));
    if entropy.random_bool(0.5) {
        let origin = origin(entropy);
        if let Ok(value) = HeaderValue::from_str(origin.trim()) {
            headers.insert(ORIGIN, value);
        }
        headers.insert(
            "access-control-request-method",
            HeaderValue::from_static("PUT"),
        );
    }
    for _ in 0..entropy.random_range(0..3) {
        let name = *NAMES.choose(entropy).expect("names");
        if let (Ok(name), Ok(value)) = (
            name.parse::<HeaderName>(),
            HeaderValue::from_str(&raw(entropy)),
        ) && name != HOST
        {
            headers.append(name, value);
        }
    }
    (target.into_bytes(), headers)
}

fn origin(entropy: &mut Entropy) -> String {
    let mut origin = (*ORIGINS.choose(entropy).expect("origins")).to_owned();
    match entropy.random_range(0..6) {
        0 => origin.push_str(&raw(entropy)),
        1 => origin = origin.replace('*', "w"),
        _ => {}
    }
    origin
}

/// A route whose rules have filters of all kinds, not validated.
fn resources(entropy: &mut Entropy) -> Resources {
    let rules: Vec<Value> = (0..1 + entropy.random_range(0..3))
        .map(|_| rule(entropy))
        .collect();
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "n"},
        "spec": {"gatewayClassName": "gatepost", "listeners": [{"name": "l", "port": 80, "protocol": "HTTP"}]},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": {"ports": [{"port": 80}]},
    });
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "n"},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": rules},
    });
    [gateway, service, route]
        .into_iter()
        .filter_map(|value| Resource::from_json(value).ok().map(Arc::new))
        .collect()
}

fn rule(entropy: &mut Entropy) -> Value {
    let path = match entropy.random_range(0..4) {
        0 => json!({"type": "Exact", "value": some(&PATHS, entropy)}),
        1 => json!({"type": "PathPrefix", "value": some(&PATHS, entropy)}),
        2 => json!({"type": "RegularExpression", "value": "/.*"}),
        _ => json!({"value": some(&["/", "/a"], entropy)}),
    };
    let filters: Vec<Value> = (0..entropy.random_range(0..4))
        .map(|_| filter(entropy))
        .collect();
    let own: Vec<Value> = (0..entropy.random_range(0..2))
        .map(|_| filter(entropy))
        .collect();
    json!({
        "matches": [{"path": path}], "filters": filters,
        "backendRefs": [{"name": "s", "port": 80, "filters": own}],
    })
}

fn filter(entropy: &mut Entropy) -> Value {
    match entropy.random_range(0..5) {
        0 => json!({"type": "RequestHeaderModifier", "requestHeaderModifier": edits(entropy)}),
        1 => json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": edits(entropy)}),
        2 => {
            json!({"type": "URLRewrite", "urlRewrite": {"hostname": host(entropy), "path": modifier(entropy)}})
        }
        3 => {
            let mut redirect = json!({"hostname": host(entropy), "path": modifier(entropy)});
            if entropy.random_bool(0.5) {
                redirect["scheme"] = json!(some(&["http", "https", "ftp"], entropy));
            }
            if entropy.random_bool(0.5) {
                let ports = [1, 80, 443, 8443, 65_535, 65_536, 0];
                redirect["port"] = json!(ports.choose(entropy));
            }
            if entropy.random_bool(0.3) {
                redirect["statusCode"] = json!([301, 302, 307, 200, 999].choose(entropy));
            }
            json!({"type": "RequestRedirect", "requestRedirect": redirect})
        }
        _ => json!({"type": "CORS", "cors": {
            "allowOrigins": [origin(entropy), origin(entropy)], "allowCredentials": entropy.random_bool(0.5),
            "allowMethods": [some(&["*", "GET", "PUT"], entropy)], "allowHeaders": [some(&["*", "x-a"], entropy)],
            "exposeHeaders": [some(&["*", "x-b"], entropy)],
        }}),
    }
}

fn edits(entropy: &mut Entropy) -> Value {
    let one = |entropy: &mut Entropy| json!([{"name": some(&NAMES, entropy), "value": some(&["1", "a b"], entropy)}]);
    let mut edits = json!({});
    if entropy.random_bool(0.5) {
        edits["set"] = one(entropy);
    }
    if entropy.random_bool(0.5) {
        edits["add"] = one(entropy);
    }
    if entropy.random_bool(0.5) {
        edits["remove"] = json!([some(&NAMES, entropy)]);
    }
    edits
}

fn modifier(entropy: &mut Entropy) -> Value {
    let value = some(&PATHS, entropy);
    match entropy.random_range(0..3) {
        0 => Value::Null,
        1 => json!({"type": "ReplaceFullPath", "replaceFullPath": value}),
        _ => json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": value}),
    }
}

fn host(entropy: &mut Entropy) -> Value {
    match entropy.random_range(0..4) {
        0 => json!("new.test"),
        1 => json!(text(entropy)),
        2 => json!(raw(entropy)),
        _ => Value::Null,
    }
}

/// One of the words, seldom bent.
fn some(words: &[&str], entropy: &mut Entropy) -> String {
    let mut word = (*words.choose(entropy).expect("words")).to_owned();
    if entropy.random_bool(0.2) {
        word.push_str(&raw(entropy));
    }
    word
}
