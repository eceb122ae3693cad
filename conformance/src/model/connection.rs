//! Connections and datagrams: TLS by server name, TCP and UDP by port (digest 2.2, 2.6).

use gatepost::api::Object;
use gatepost::api::gateway::{ProtocolType, TlsModeType};

use super::Objects;
use super::attach::{self, Kinds, Listener};
use super::filters::{destination, pick};
use super::host::{intersect, means};
use super::order::{self, Candidate, Rank};
use crate::request::{Outcome, Protocol, Request, Served};

pub(super) fn answer(objects: &Objects, request: &Request) -> Outcome {
    let listeners = attach::listeners(objects);
    let (protocols, name): (&[ProtocolType], _) = match request.protocol {
        Protocol::Tls => (
            &[ProtocolType::Https, ProtocolType::Tls],
            request.sni.as_deref(),
        ),
        Protocol::Tcp => (&[ProtocolType::Tcp], None),
        _ => (&[ProtocolType::Udp], None),
    };
    let Some(chosen) = attach::most_specific(&listeners, request.port, protocols, name) else {
        return Outcome::Closed;
    };
    let listener = &listeners[chosen];
    let certificate = certificate(objects, listener, name);
    if let (ProtocolType::Https, Some(certificate)) = (&listener.spec.protocol, &certificate) {
        let certificate = certificate.clone();
        return Outcome::Secured { certificate };
    }
    let attached = attach::routes(objects, &listeners, chosen);
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for route in &attached {
        let hostnames = route.hostnames.iter().copied().map(Some);
        let none = route.hostnames.is_empty().then_some(None);
        for hostname in hostnames.chain(none) {
            let fits = hostname.is_none_or(|hostname| {
                let own = listener.spec.hostname();
                own.is_none_or(|own| intersect(own, hostname))
                    && name.is_some_and(|name| means(hostname, name))
            });
            if fits {
                candidates.push(Candidate::new(route, hostname, 0, 0, Rank::default()));
            }
        }
    }
    candidates.sort_by(order::compare);
    let Some(best) = candidates.first() else {
        return Outcome::Closed;
    };
    let Kinds::Layer4(rules) = best.route.route else {
        return Outcome::Closed;
    };
    let references = rules.first().and_then(|rule| rule.backend_refs.as_deref());
    let references = references.unwrap_or_default();
    let weights: Vec<i32> = references.iter().map(|backend| backend.weight()).collect();
    let picked = pick(&weights, request.ticket).map(|picked| references[picked].object());
    let backend = picked.and_then(|backend| destination(objects, best.route.key, &backend));
    match backend {
        Some(backend) => Outcome::Connected {
            rule: Served {
                route: best.route.key.to_string(),
                rule: 0,
                matching: 0,
            },
            certificate,
            backend,
        },
        None => Outcome::Closed,
    }
}

/// S:certificate: of a listener's certificates the one with the exact name, else with the longest wildcard that means the
/// name by one label, else the first. What names a certificate has stands in an annotation of the generated Secret.
fn certificate(objects: &Objects, listener: &Listener<'_>, name: Option<&str>) -> Option<String> {
    let tls = listener.spec.tls.as_ref()?;
    if *tls.mode() == TlsModeType::Passthrough {
        return None;
    }
    let mut best: Option<((u8, usize), String)> = None;
    for reference in tls.certificate_refs.iter().flatten() {
        let namespace = reference.namespace(&listener.gateway.namespace).to_owned();
        let secret = objects.iter().find_map(|(key, object)| match object {
            Object::Secret(secret) if key.namespace == namespace && key.name == reference.name => {
                Some(secret)
            }
            _ => None,
        });
        let names = secret
            .and_then(|secret| secret.metadata.annotations.as_ref()?.get("names").cloned())
            .unwrap_or_default();
        let rank = |own: &str| match (own.strip_prefix("*."), name) {
            (None, Some(name)) if own == name => (2, own.len()),
            (Some(rest), Some(name)) if name.split_once('.').is_some_and(|n| n.1 == rest) => {
                (1, own.len())
            }
            _ => (0, 0),
        };
        let rank = names.split(',').map(rank).max().unwrap_or((0, 0));
        if best.as_ref().is_none_or(|(earlier, _)| rank > *earlier) {
            best = Some((rank, format!("{namespace}/{}", reference.name)));
        }
    }
    best.map(|(_, secret)| secret)
}
