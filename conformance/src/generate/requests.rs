//! Requests and connections bent from the objects that have to serve them.

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;

use super::{Generator, HEADERS, HOSTS, PARAMETERS};
use crate::request::{Protocol, Request};

/// Values of `Origin`.
const ORIGINS: [&str; 10] = [
    "https://a.test",
    "https://a.test:443",
    "https://b.a.test",
    "HTTPS://B.A.Test",
    "http://x.test:8080",
    "https://x.test:9",
    "https://ba.test",
    "null",
    "*",
    "",
];
/// What backends answer.
const ANSWERS: [(&str, &str); 5] = [
    ("x-a", "1"),
    ("x-b", "2"),
    ("access-control-allow-origin", "https://evil.test"),
    ("access-control-expose-headers", "x-secret"),
    ("vary", "accept"),
];

impl Generator {
    /// A request bent from the routes: their own names, paths and fields, in other spellings.
    pub fn request(&mut self, objects: &[Value]) -> Request {
        if self.chance(0.15) {
            return self.connection(objects);
        }
        let routes: Vec<&Value> = objects
            .iter()
            .filter(|object| object["kind"] == "HTTPRoute" || object["kind"] == "GRPCRoute")
            .collect();
        let route = *self.pick(&routes);
        let name = route["spec"]["hostnames"]
            .as_array()
            .and_then(|names| names.choose(&mut self.rng))
            .and_then(Value::as_str);
        let name = if self.chance(0.08) { None } else { name }
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
        let mut named = None;
        for wanted in one["headers"].as_array().into_iter().flatten() {
            let name = wanted["name"].as_str().unwrap_or_default();
            if name.eq_ignore_ascii_case("host") {
                named = wanted["value"].as_str().map(str::to_owned);
                continue;
            }
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
                let value = match wanted["type"].as_str() {
                    Some(_) => (*self.pick(&["1", "12", "x y", "x"])).to_owned(),
                    None => text(&wanted["value"]),
                };
                let spelled = self.spell_parameter(&text(&wanted["name"]), &value);
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
            method = (*self.pick(&["GET", "POST", "OPTIONS"])).to_owned();
        } else if self.chance(0.04) {
            method = "CONNECT".to_owned();
        }
        self.origin(&rule, &mut method, &mut headers);
        let host = named.filter(|_| self.chance(0.7)).unwrap_or(host);
        let mut target = self.spell_path(&path);
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let port = *self.pick(&[80, 80, 80, 443, 443, 8080]);
        let sni = (port == 443).then(|| {
            if self.chance(0.65) {
                host.clone()
            } else {
                self.pick(&HOSTS).replacen('*', "w", 1)
            }
        });
        let mut hosts = self.spell_host(&host);
        let (mut protocol, mut authority) = (Protocol::Http11, None);
        match self.below(20) {
            0 => protocol = Protocol::Http10,
            1 => {
                protocol = Protocol::Http2;
                authority = hosts.first().cloned();
                if self.chance(0.8) {
                    hosts.clear();
                }
            }
            _ => {}
        }
        if method == "CONNECT" {
            target = host.clone() + ":443";
        }
        // The model judges the target of CONNECT as any other; what is compared is that it is not served.
        let target = if method == "CONNECT" {
            b"/".to_vec()
        } else {
            target.into_bytes()
        };
        let mut answer = Vec::new();
        while self.chance(0.3) {
            let (name, value) = *self.pick(&ANSWERS);
            answer.push((name.to_owned(), value.to_owned()));
        }
        Request {
            protocol,
            port,
            sni,
            method,
            target,
            authority,
            hosts,
            headers,
            answer,
            ticket: self.rng.random(),
        }
    }

    /// A request of a script, or its preflight.
    fn origin(&mut self, rule: &Value, method: &mut String, headers: &mut Vec<(String, Vec<u8>)>) {
        let filters = rule["filters"].as_array();
        let cors = filters.is_some_and(|all| all.iter().any(|one| one["type"] == "CORS"));
        if !self.chance(if cors { 0.8 } else { 0.05 }) {
            return;
        }
        let origin = *self.pick(&ORIGINS);
        headers.push(("origin".to_owned(), origin.as_bytes().to_vec()));
        if !self.chance(0.6) {
            return;
        }
        if self.chance(0.9) {
            *method = "OPTIONS".to_owned();
        }
        let asks = [("method", "PUT", 0.9), ("headers", "x-a, X-C", 0.6)];
        for (name, value, probability) in asks {
            if self.chance(probability) {
                let name = format!("access-control-request-{name}");
                headers.push((name, value.as_bytes().to_vec()));
            }
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
