//! Filters and the rest of a rule: what is done with a request that matches.

use serde_json::{Value, json};

use super::{Generator, HEADERS, NAMESPACES};

/// Lists of `allowOrigins`.
const ORIGINS: [&[&str]; 6] = [
    &["*"],
    &["https://a.test"],
    &["https://*.a.test", "http://x.test:8080"],
    &["https://*"],
    &["http://*:8080", "https://b.a.test:443"],
    &["https://x.test", "*"],
];

impl Generator {
    /// Filters of an HTTPRoute's rule; the second of the pair says whether one redirects.
    pub(super) fn filters(&mut self, prefix: bool) -> (Value, bool) {
        let mut filters = Vec::new();
        if self.chance(0.2) {
            filters.push(self.header_filter("Request"));
        }
        if self.chance(0.15) {
            filters.push(self.header_filter("Response"));
        }
        if self.chance(0.27) {
            filters.push(self.cors());
        }
        if self.chance(0.08) {
            filters.push(self.external_auth());
        }
        let redirect = self.chance(0.12);
        if redirect {
            filters.push(self.redirect(prefix));
        } else if self.chance(0.2) {
            filters.push(self.rewrite(prefix));
        }
        while self.chance(0.15) {
            filters.push(self.mirror());
        }
        if self.chance(0.03) {
            filters.push(self.extension());
        }
        (json!(filters), redirect)
    }

    /// `filters.requests` of a listener.
    pub(super) fn listener_filters(&mut self) -> Value {
        let mut filters = vec![self.external_auth()];
        while self.chance(0.3) {
            filters.push(self.external_auth());
        }
        if self.chance(0.05) {
            filters.push(self.extension());
        }
        json!(filters)
    }

    /// Filters of a GRPCRoute's rule.
    pub(super) fn grpc_filters(&mut self) -> Value {
        let mut filters = Vec::new();
        if self.chance(0.3) {
            filters.push(self.header_filter("Request"));
        }
        if self.chance(0.2) {
            filters.push(self.header_filter("Response"));
        }
        if self.chance(0.2) {
            filters.push(self.mirror());
        }
        json!(filters)
    }

    /// Timeouts, retries and sessions.
    pub(super) fn settings(&mut self, rule: &mut Value) {
        if self.chance(0.1) {
            rule["timeouts"] = json!({"request": self.pick(&["10s", "0s", "1m30s", "2h"])});
            if self.chance(0.5) {
                rule["timeouts"]["backendRequest"] = json!(self.pick(&["500ms", "1s", "0s"]));
            }
        }
        if self.chance(0.1) {
            rule["retry"] = json!({});
            if self.chance(0.6) {
                rule["retry"]["codes"] =
                    json!(self.pick::<&[u16]>(&[&[500], &[503, 500], &[502, 504, 429]]));
            }
            if self.chance(0.5) {
                rule["retry"]["attempts"] = json!(self.pick(&[0, 1, 3, 100]));
            }
            if self.chance(0.3) {
                rule["retry"]["backoff"] = json!(self.pick(&["100ms", "1s500ms"]));
            }
        }
        self.session(rule);
    }

    /// `sessionPersistence`, now and then.
    pub(super) fn session(&mut self, rule: &mut Value) {
        if !self.chance(0.1) {
            return;
        }
        rule["sessionPersistence"] = match self.below(4) {
            0 => json!({}),
            1 => json!({"type": "Header", "header": {"name": "X-Session"}}),
            2 => {
                json!({"type": "Cookie", "absoluteTimeout": "1h", "cookie": {"name": "sid", "lifetimeType": "Permanent"}})
            }
            _ => json!({"cookie": {"path": "/a"}, "absoluteTimeout": "30m"}),
        };
    }

    pub(super) fn backends(&mut self, filters: bool) -> Value {
        let count = if self.chance(0.05) {
            0
        } else {
            1 + self.below(3)
        };
        let backends: Vec<Value> = (0..count)
            .map(|_| {
                let mut backend = self.service();
                if self.chance(0.6) {
                    backend["weight"] = json!(self.pick(&[0, 1, 1, 2, 10, 90, 1_000_000]));
                }
                if filters && self.chance(0.2) {
                    let mut own = Vec::new();
                    if self.chance(0.6) {
                        own.push(self.header_filter("Request"));
                    }
                    if self.chance(0.3) {
                        own.push(self.header_filter("Response"));
                    }
                    if self.chance(0.2) {
                        own.push(self.mirror());
                    }
                    if self.chance(0.3) {
                        own.push(self.rewrite(false));
                    }
                    if self.chance(0.05) {
                        own.push(self.extension());
                    }
                    backend["filters"] = json!(own);
                }
                backend
            })
            .collect();
        json!(backends)
    }

    fn service(&mut self) -> Value {
        let mut service = json!({
            "name": self.pick(&["s", "s", "s", "s", "t", "t", "t", "missing"]),
            "port": self.pick(&[80, 80, 80, 80, 80, 80, 80, 81]),
        });
        if self.chance(0.2) {
            service["namespace"] = json!(self.pick(&NAMESPACES));
        }
        service
    }

    fn header_filter(&mut self, of: &str) -> Value {
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
        if of == "Request" {
            json!({"type": "RequestHeaderModifier", "requestHeaderModifier": edits})
        } else {
            json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": edits})
        }
    }

    fn cors(&mut self) -> Value {
        let mut cors = json!({"allowOrigins": self.pick(&ORIGINS)});
        if self.chance(0.5) {
            cors["allowCredentials"] = json!(self.chance(0.7));
        }
        let names: [(&str, [&[&str]; 3]); 3] = [
            ("allowMethods", [&["GET", "PUT"], &["*"], &["DELETE"]]),
            (
                "allowHeaders",
                [&["X-A", "x-b"], &["*"], &["Authorization"]],
            ),
            ("exposeHeaders", [&["X-Id"], &["*"], &["x-a", "X-B"]]),
        ];
        for (name, lists) in names {
            if self.chance(0.6) {
                cors[name] = json!(self.pick(&lists));
            }
        }
        if self.chance(0.3) {
            cors["maxAge"] = json!(self.pick(&[1, 600]));
        }
        json!({"type": "CORS", "cors": cors})
    }

    fn external_auth(&mut self) -> Value {
        let mut auth = json!({"protocol": "HTTP", "backendRef": self.service(), "http": {}});
        if self.chance(0.5) {
            auth["http"]["path"] = json!(self.pick(&["/check", "/check/", "check", "/"]));
        }
        if self.chance(0.3) {
            auth["http"]["allowedHeaders"] = json!(["X-A", "cookie"]);
        }
        if self.chance(0.3) {
            auth["http"]["allowedResponseHeaders"] = json!(["X-User"]);
        }
        if self.chance(0.3) {
            auth["forwardBody"] = json!({"maxSize": self.pick(&[0, 1024])});
        }
        json!({"type": "ExternalAuth", "externalAuth": auth})
    }

    fn mirror(&mut self) -> Value {
        let mut mirror = json!({"backendRef": self.service()});
        match self.below(4) {
            0 => mirror["percent"] = json!(self.pick(&[0, 20, 100])),
            1 => {
                mirror["fraction"] =
                    json!({"numerator": self.pick(&[0, 25, 50]), "denominator": 50})
            }
            2 => mirror["fraction"] = json!({"numerator": 35}),
            _ => {}
        }
        json!({"type": "RequestMirror", "requestMirror": mirror})
    }

    fn extension(&mut self) -> Value {
        json!({"type": "ExtensionRef", "extensionRef": {"group": "g.test", "kind": "K", "name": "n"}})
    }

    fn rewrite(&mut self, prefix: bool) -> Value {
        let path = self.modifier(prefix);
        json!({"type": "URLRewrite", "urlRewrite": {"hostname": "new.test", "path": path}})
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
}
