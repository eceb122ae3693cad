//! Manifests and requests that are likely to tell the model and the table apart: routes first, then requests bent from
//! their own names, paths and fields.

use std::sync::{Arc, OnceLock};

use gatepost::resources::{Resource, Resources};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::entropy::Entropy;
use crate::request::Request;

const HOSTS: [&str; 9] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "*.a.test",
    "*.b.a.test",
    "*.test",
    "x.test",
    "a-b.test",
    "aa.test",
];
const PATHS: [&str; 12] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/c",
    "/ab",
    "/A",
    "/a%20b",
    "/a.b",
    "/~a",
    "/v1/items",
    "/v1",
];
const PATTERNS: [&str; 9] = [
    "/a.*",
    "/[a-c]+",
    "/a|/ab",
    "/(v1|v2)/[^/]+",
    "/.*",
    "(?i)/A",
    "/[a&&b]+",
    "foo)|(?:.*",
    "/a{1,3}/b",
];
const HEADERS: [(&str, &str); 6] = [
    ("x-a", "1"),
    ("X-A", "2"),
    ("x-b", "1"),
    ("x-b", "1,2"),
    ("cookie", "a=1; b=2"),
    ("x-c", ""),
];
const PARAMETERS: [(&str, &str); 5] =
    [("a", "1"), ("a", "2"), ("b", "x y"), ("B", "1"), ("c", "%")];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "HEAD"];
const AGES: [&str; 3] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:01Z",
    "2026-02-01T00:00:00Z",
];
const NAMESPACES: [&str; 3] = ["n", "n-a", "m"];

/// Generates from a seed; the same seed makes the same things.
#[derive(Debug)]
pub struct Generator {
    rng: Entropy,
}

/// Chain and key of the HTTPS listeners, in PEM: made once, nothing depends on what they are.
fn certificate() -> &'static (String, String) {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let made =
            rcgen::generate_simple_self_signed(["*.test".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    })
}

impl Generator {
    /// A generator of a seed.
    pub fn new(seed: u64) -> Generator {
        Generator::of(Entropy::from_seed(seed))
    }

    /// A generator whose choices are taken from somewhere.
    pub fn of(rng: Entropy) -> Generator {
        Generator { rng }
    }

    /// Where the choices are taken from.
    pub fn entropy(&mut self) -> &mut Entropy {
        &mut self.rng
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        from.choose(&mut self.rng)
            .expect("a list that is not empty")
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng.random_range(0..limit)
    }

    /// Objects as JSON.
    pub fn objects(&mut self) -> Vec<Value> {
        let mut objects = vec![self.gateway(), self.secret()];
        for namespace in NAMESPACES {
            for name in ["s", "t"] {
                objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"port": 80}]}}));
            }
        }
        if self.chance(0.5) {
            objects.push(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant", "metadata": {"name": "g", "namespace": "m"},
                "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "n"}], "to": [{"group": "", "kind": "Service", "name": "s"}]},
            }));
        }
        let routes = 1 + self.below(6);
        for number in 0..routes {
            objects.push(self.http_route(number));
        }
        if self.chance(0.3) {
            objects.push(self.grpc_route());
        }
        objects
    }

    /// The same as resources.
    ///
    /// # Panics
    ///
    /// If an object is not one: the generator is wrong.
    pub fn resources(objects: &[Value]) -> Resources {
        let resource = |value: &Value| {
            Arc::new(Resource::from_json(value.clone()).expect("a generated object"))
        };
        objects.iter().map(resource).collect()
    }

    fn gateway(&mut self) -> Value {
        let mut listeners = Vec::new();
        for (port, protocol) in [(80, "HTTP"), (443, "HTTPS"), (8080, "HTTP")] {
            let mut names: Vec<Option<&str>> = vec![None];
            if port != 8080 {
                for name in HOSTS {
                    if self.chance(0.25) {
                        names.push(Some(name));
                    }
                }
                if names.len() > 1 && self.chance(0.3) {
                    names.remove(0);
                }
            }
            for name in names {
                let mut listener = json!({"name": format!("l{}", listeners.len()), "port": port, "protocol": protocol, "allowedRoutes": {"namespaces": {"from": "All"}}});
                if let Some(name) = name {
                    listener["hostname"] = json!(name);
                }
                if protocol == "HTTPS" {
                    listener["tls"] = json!({"certificateRefs": [{"name": "cert"}]});
                }
                if self.chance(0.1) {
                    listener["allowedRoutes"] = json!({"namespaces": {"from": "Same"}});
                }
                if self.chance(0.1) {
                    listener["allowedRoutes"]["kinds"] = json!([{"kind": "HTTPRoute"}]);
                }
                listeners.push(listener);
            }
        }
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "n"},
            "spec": {"gatewayClassName": "gatepost", "listeners": listeners},
        })
    }

    fn secret(&self) -> Value {
        let (chain, key) = certificate();
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert", "namespace": "n"}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": chain, "tls.key": key},
        })
    }

    fn metadata(&mut self, name: String) -> Value {
        let mut metadata = json!({"name": name, "namespace": self.pick(&NAMESPACES)});
        if self.chance(0.7) {
            metadata["creationTimestamp"] = json!(self.pick(&AGES));
        }
        metadata
    }

    fn parent(&mut self) -> Value {
        let mut parent = json!({"name": "gw", "namespace": "n"});
        if self.chance(0.15) {
            parent["sectionName"] = json!(format!("l{}", self.below(4)));
        }
        if self.chance(0.15) {
            parent["port"] = json!(self.pick(&[80, 443, 8080]));
        }
        parent
    }

    fn hostnames(&mut self) -> Value {
        let count = self.below(4);
        let names: Vec<&str> = (0..count).map(|_| *self.pick(&HOSTS)).collect();
        json!(names)
    }

    fn http_route(&mut self, number: usize) -> Value {
        let rules: Vec<Value> = (0..1 + self.below(3)).map(|_| self.http_rule()).collect();
        let (parent, hostnames, metadata) = (
            self.parent(),
            self.hostnames(),
            self.metadata(format!("r{number}")),
        );
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata,
            "spec": {"parentRefs": [parent], "hostnames": hostnames, "rules": rules},
        })
    }

    fn http_rule(&mut self) -> Value {
        let count = self.below(3);
        let mut rule =
            json!({"matches": (0..count).map(|_| self.http_match()).collect::<Vec<Value>>()});
        let prefix = count == 1
            && rule["matches"][0]["path"]["type"]
                .as_str()
                .unwrap_or("PathPrefix")
                == "PathPrefix"
            || count == 0;
        let mut filters = Vec::new();
        if self.chance(0.2) {
            filters.push(self.header_filter());
        }
        let redirect = self.chance(0.12);
        if redirect {
            filters.push(self.redirect(prefix));
        } else if self.chance(0.2) {
            let path = self.modifier(prefix);
            filters.push(
                json!({"type": "URLRewrite", "urlRewrite": {"hostname": "new.test", "path": path}}),
            );
        }
        if self.chance(0.03) {
            filters.push(json!({"type": "ExtensionRef", "extensionRef": {"group": "g.test", "kind": "K", "name": "n"}}));
        }
        rule["filters"] = json!(filters);
        if !redirect {
            rule["backendRefs"] = self.backends(true);
        }
        rule
    }

    fn backends(&mut self, filters: bool) -> Value {
        let count = if self.chance(0.05) {
            0
        } else {
            1 + self.below(3)
        };
        let backends: Vec<Value> = (0..count)
            .map(|_| {
                let mut backend = json!({"name": self.pick(&["s", "s", "s", "s", "t", "t", "t", "missing"]), "port": self.pick(&[80, 80, 80, 80, 80, 80, 80, 81])});
                if self.chance(0.6) {
                    backend["weight"] = json!(self.pick(&[0, 1, 1, 2, 10, 90, 1_000_000]));
                }
                if self.chance(0.2) {
                    backend["namespace"] = json!(self.pick(&NAMESPACES));
                }
                if filters && self.chance(0.15) {
                    backend["filters"] = json!([self.header_filter()]);
                }
                backend
            })
            .collect();
        json!(backends)
    }

    fn header_filter(&mut self) -> Value {
        let mut edits = json!({"set": [], "add": [], "remove": []});
        for action in ["set", "add", "remove"] {
            if self.chance(0.5) {
                let (name, _) = *self.pick(&HEADERS);
                edits[action] = if action == "remove" {
                    json!([name])
                } else {
                    json!([{"name": name, "value": "edited"}])
                };
            }
        }
        json!({"type": "RequestHeaderModifier", "requestHeaderModifier": edits})
    }

    fn modifier(&mut self, prefix: bool) -> Value {
        let value = *self.pick(&["/new", "/new/", "/", "", "new"]);
        if prefix && self.chance(0.6) {
            json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": value})
        } else {
            json!({"type": "ReplaceFullPath", "replaceFullPath": value})
        }
    }

    fn redirect(&mut self, prefix: bool) -> Value {
        let mut redirect = json!({});
        if self.chance(0.5) {
            redirect["scheme"] = json!(self.pick(&["http", "https"]));
        }
        if self.chance(0.4) {
            redirect["port"] = json!(self.pick(&[80, 443, 8443]));
        }
        if self.chance(0.3) {
            redirect["hostname"] = json!("new.test");
        }
        if self.chance(0.4) {
            redirect["path"] = self.modifier(prefix);
        }
        if self.chance(0.4) {
            redirect["statusCode"] = json!(self.pick(&[301, 302, 307]));
        }
        json!({"type": "RequestRedirect", "requestRedirect": redirect})
    }

    fn http_match(&mut self) -> Value {
        let mut one = json!({});
        match self.below(10) {
            0 => {}
            1..=2 => one["path"] = json!({"type": "Exact", "value": self.pick(&PATHS)}),
            3..=4 => {
                one["path"] = json!({"type": "RegularExpression", "value": self.pick(&PATTERNS)})
            }
            _ => one["path"] = json!({"type": "PathPrefix", "value": self.pick(&PATHS)}),
        }
        if self.chance(0.15) {
            one["method"] = json!(self.pick(&METHODS));
        }
        if self.chance(0.25) {
            let headers: Vec<Value> = (0..1 + self.below(2))
                .map(|_| self.header_match())
                .collect();
            one["headers"] = json!(headers);
        }
        if self.chance(0.2) {
            let parameters: Vec<Value> = (0..1 + self.below(2))
                .map(|_| {
                    let (name, value) = *self.pick(&PARAMETERS);
                    json!({"name": name, "value": value})
                })
                .collect();
            one["queryParams"] = json!(parameters);
        }
        one
    }

    fn header_match(&mut self) -> Value {
        let (name, value) = *self.pick(&HEADERS);
        if self.chance(0.2) {
            return json!({"type": "RegularExpression", "name": name, "value": "[0-9,]+"});
        }
        json!({"name": name, "value": if value.is_empty() { "z" } else { value }})
    }

    fn grpc_route(&mut self) -> Value {
        let rules: Vec<Value> = (0..1 + self.below(2))
            .map(|_| {
                let mut one = json!({});
                if self.chance(0.7) {
                    let mut method = json!({"service": self.pick(&["v1", "a", "a.b"])});
                    if self.chance(0.5) {
                        method["method"] = json!(self.pick(&["items", "b"]));
                    }
                    one["method"] = method;
                }
                if self.chance(0.3) {
                    one["headers"] = json!([self.header_match()]);
                }
                let matches = if self.chance(0.2) {
                    json!([])
                } else {
                    json!([one])
                };
                json!({"matches": matches, "backendRefs": self.backends(false)})
            })
            .collect();
        let (parent, hostnames, metadata) = (
            self.parent(),
            self.hostnames(),
            self.metadata("grpc".to_owned()),
        );
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": metadata,
            "spec": {"parentRefs": [parent], "hostnames": hostnames, "rules": rules},
        })
    }

    /// A request bent from the routes: their own names, paths and fields, in other spellings.
    pub fn request(&mut self, objects: &[Value]) -> Request {
        let routes: Vec<&Value> = objects
            .iter()
            .filter(|object| object["kind"] == "HTTPRoute" || object["kind"] == "GRPCRoute")
            .collect();
        let route = *self.pick(&routes);
        let name = route["spec"]["hostnames"]
            .as_array()
            .and_then(|names| names.choose(&mut self.rng))
            .and_then(Value::as_str);
        let name = if self.chance(0.12) { None } else { name }
            .unwrap_or_else(|| HOSTS[self.rng.random_range(0..HOSTS.len())])
            .to_owned();
        let label = *self.pick(&["w", "b", "c.b"]);
        let host = name.replacen('*', label, 1);
        let rule = route["spec"]["rules"]
            .as_array()
            .and_then(|rules| rules.choose(&mut self.rng))
            .cloned()
            .unwrap_or_default();
        let one = rule["matches"]
            .as_array()
            .and_then(|matches| matches.choose(&mut self.rng))
            .cloned()
            .unwrap_or_default();
        let grpc = route["kind"] == "GRPCRoute";
        let path = if grpc {
            let text =
                |value: &Value, otherwise: &str| value.as_str().unwrap_or(otherwise).to_owned();
            format!(
                "/{}/{}",
                text(&one["method"]["service"], "a"),
                text(&one["method"]["method"], "b")
            )
        } else {
            match one["path"]["type"].as_str() {
                Some("RegularExpression") => {
                    (*self.pick(&["/a", "/ab", "/abc", "/v1/items", "/aa/b", "/A", "/&b"]))
                        .to_owned()
                }
                _ => one["path"]["value"].as_str().unwrap_or("/").to_owned(),
            }
        };
        let mut headers = Vec::new();
        for wanted in one["headers"].as_array().into_iter().flatten() {
            if self.chance(0.9) {
                let value = if wanted["type"] == "RegularExpression" {
                    "12"
                } else {
                    wanted["value"].as_str().unwrap_or_default()
                };
                self.field(
                    wanted["name"].as_str().unwrap_or_default(),
                    value,
                    &mut headers,
                );
            }
        }
        if self.chance(0.3) {
            let (name, value) = *self.pick(&HEADERS);
            headers.push((name.to_lowercase(), value.as_bytes().to_vec()));
        }
        let mut query: Vec<String> = Vec::new();
        for wanted in one["queryParams"].as_array().into_iter().flatten() {
            if self.chance(0.9) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let spelled = self.spell_parameter(&text(&wanted["name"]), &text(&wanted["value"]));
                query.push(spelled);
            }
        }
        if self.chance(0.2) {
            let (name, value) = *self.pick(&PARAMETERS);
            let spelled = self.spell_parameter(name, value);
            query.push(spelled);
        }
        let mut method = one["method"]
            .as_str()
            .filter(|_| !grpc)
            .unwrap_or("GET")
            .to_owned();
        if grpc || self.chance(0.03) {
            method = "POST".to_owned();
            let kind = *self.pick(&[
                "application/grpc",
                "application/grpc+proto",
                "application/grpc-web",
                "Application/GRPC",
            ]);
            headers.push(("content-type".to_owned(), kind.as_bytes().to_vec()));
        } else if self.chance(0.05) {
            method = (*self.pick(&["GET", "POST", "CONNECT", "OPTIONS"])).to_owned();
        }
        let mut target = self.spell_path(&path);
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let port = *self.pick(&[80, 80, 80, 443, 443, 8080]);
        let sni = (port == 443).then(|| {
            if self.chance(0.7) {
                host.clone()
            } else {
                self.pick(&HOSTS).replacen('*', "w", 1)
            }
        });
        let hosts = self.spell_host(&host);
        if method == "CONNECT" {
            target = host.clone() + ":443";
        }
        // The model judges the target of CONNECT as any other; what is compared is that it is not served.
        let target = if method == "CONNECT" {
            b"/".to_vec()
        } else {
            target.into_bytes()
        };
        Request {
            port,
            sni,
            method,
            target,
            hosts,
            headers,
            ticket: self.rng.random(),
        }
    }

    /// A field once, or in parts where its value is a list.
    fn field(&mut self, name: &str, value: &str, headers: &mut Vec<(String, Vec<u8>)>) {
        let name = name.to_lowercase();
        let separator = if name == "cookie" { "; " } else { "," };
        if value.contains(separator) && self.chance(0.5) {
            headers.extend(
                value
                    .split(separator)
                    .map(|part| (name.clone(), part.as_bytes().to_vec())),
            );
        } else {
            headers.push((name, value.as_bytes().to_vec()));
        }
    }

    fn spell_parameter(&mut self, name: &str, value: &str) -> String {
        let value = match self.below(3) {
            0 => value.replace('%', "%25").replace(' ', "%20"),
            1 => value.replace('%', "%25").replace(' ', "+"),
            _ => value.replace(' ', "+").replace('1', "%31"),
        };
        let name = if self.chance(0.1) {
            name.replace('a', "%61")
        } else {
            name.to_owned()
        };
        format!("{name}={value}")
    }

    fn spell_path(&mut self, path: &str) -> String {
        let mut spelled = path.to_owned();
        if self.chance(0.35) {
            spelled = spelled.trim_end_matches('/').to_owned()
                + self.pick::<&str>(&[
                    "/", "/x", "/b", "/b/c", "//x", "/./x", "/y/../x", "/%2e/", "/;p",
                ]);
        }
        if self.chance(0.1) {
            spelled = spelled.replacen('a', "%61", 1);
        }
        if self.chance(0.06) {
            spelled = (*self.pick(&["/x/..", "//", "/z/../..", "/."])).to_owned() + &spelled;
        }
        if self.chance(0.04) {
            spelled += self.pick::<&str>(&[
                "%2Fx", "%5c", "%", "%zz", "/..;/x", "%00", "\\", "%C3%A9", "|",
            ]);
        }
        if self.chance(0.02) {
            spelled = format!("http://x.test{spelled}");
        }
        if self.chance(0.01) {
            spelled = (*self.pick(&["*", "x", "ftp://a.test/", ""])).to_owned();
        }
        spelled
    }

    fn spell_host(&mut self, host: &str) -> Vec<Vec<u8>> {
        let spelled = match self.below(40) {
            0..=3 => host.to_uppercase(),
            4..=6 => format!("{host}:8080"),
            7 => format!("{host}."),
            8 => (*self.pick(&["127.0.0.1", "[::1]:80", "[::1"])).to_owned(),
            9 => (*self.pick(&["", "a..test", "u@a.test", "a.test:99999", "a b"])).to_owned(),
            _ => host.to_owned(),
        };
        match self.below(100) {
            0 => Vec::new(),
            1 => vec![spelled.clone().into_bytes(), spelled.into_bytes()],
            _ => vec![spelled.into_bytes()],
        }
    }
}
