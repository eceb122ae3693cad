//! TLSRoutes, TCPRoutes and UDPRoutes, and what connects to them.

use rand::RngExt;
use serde_json::{Value, json};

use super::{Generator, HOSTS};
use crate::request::{Protocol, Request};

/// Ports of listeners by protocol.
const PORTS: [(u16, &str); 4] = [(8443, "TLS"), (9000, "TCP"), (9001, "TCP"), (5300, "UDP")];

impl Generator {
    pub(super) fn layer4_listeners(&mut self, listeners: &mut Vec<Value>) {
        for (port, protocol) in PORTS {
            if !self.chance(0.85) {
                continue;
            }
            if protocol != "TLS" {
                self.listener(port, protocol, None, listeners);
                continue;
            }
            for name in HOSTS.map(Some).into_iter().chain([None]) {
                if self.chance(0.35) {
                    self.listener(port, protocol, name, listeners);
                }
            }
        }
    }

    pub(super) fn layer4_routes(&mut self, objects: &mut Vec<Value>) {
        for (kind, probability) in [("TLSRoute", 0.8), ("TCPRoute", 0.65), ("UDPRoute", 0.6)] {
            let mut number = 0;
            while self.chance(probability) && number < 4 {
                let metadata = self.metadata(format!("{}{number}", kind.to_lowercase()));
                let parent = match self.below(10) {
                    0 => self.parent(),
                    1..=2 => json!({"name": "gw", "namespace": "n", "port": self.pick(&PORTS).0}),
                    _ => json!({"name": "gw", "namespace": "n"}),
                };
                let mut spec = json!({"parentRefs": [parent], "rules": [{"backendRefs": self.backends(false)}]});
                if kind == "TLSRoute" {
                    let names: Vec<&str> =
                        (0..1 + self.below(2)).map(|_| *self.pick(&HOSTS)).collect();
                    spec["hostnames"] = json!(names);
                }
                objects.push(json!({
                    "apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": kind, "metadata": metadata, "spec": spec,
                }));
                number += 1;
            }
        }
    }

    /// A connection, bent from the names of TLSRoutes.
    pub(super) fn connection(&mut self, objects: &[Value]) -> Request {
        let names: Vec<&str> = objects
            .iter()
            .filter(|object| object["kind"] == "TLSRoute")
            .filter_map(|route| route["spec"]["hostnames"][0].as_str())
            .collect();
        let name = if names.is_empty() || self.chance(0.2) {
            *self.pick(&HOSTS)
        } else {
            *self.pick(&names)
        };
        let label = *self.pick(&["w", "b", "c.b"]);
        let sni = (!self.chance(0.05)).then(|| name.replacen('*', label, 1));
        let (protocol, port) = match self.below(10) {
            0..=1 => (Protocol::Tls, 443),
            2..=5 => (Protocol::Tls, 8443),
            6..=7 => (Protocol::Tcp, *self.pick(&[9000, 9000, 9001, 9001, 80])),
            _ => (Protocol::Udp, *self.pick(&[5300, 5300, 5300, 5300, 9000])),
        };
        Request {
            protocol,
            port,
            sni: sni.filter(|_| protocol == Protocol::Tls),
            ticket: self.rng.random(),
            ..Request::default()
        }
    }
}
