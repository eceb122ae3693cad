//! Which listeners cannot stand beside each other (digest 2.2, 3.15, 4.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{Finding, ListenerFinding, Reason};
use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::rule::Protocol;

/// What cannot share a port: everything but UDP is one family there.
fn family(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 0,
        Protocol::Tcp => 1,
        Protocol::Http => 2,
        // HTTPS and TLS are told apart by the server name.
        Protocol::Https | Protocol::Tls => 3,
    }
}

/// A socket: UDP and the rest do not collide.
fn socket(listener: &ListenerFinding, protocol: Protocol) -> (bool, u16) {
    (protocol == Protocol::Udp, listener.port)
}

/// The name by which connections at one socket are told apart; TCP and UDP have none.
fn name(listener: &ListenerFinding, protocol: Protocol) -> Option<&Hostname> {
    match protocol {
        Protocol::Tcp | Protocol::Udp => None,
        _ => listener.hostname.as_ref(),
    }
}

/// Conflicts inside one Gateway have no winner (digest 4.4).
pub(super) fn inside(listeners: &mut [ListenerFinding]) {
    let mut sockets: BTreeMap<(bool, u16), Vec<usize>> = BTreeMap::new();
    for (at, listener) in listeners.iter().enumerate() {
        if let Some(protocol) = listener.protocol {
            sockets
                .entry(socket(listener, protocol))
                .or_default()
                .push(at);
        }
    }
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for numbers in sockets.values() {
        for &at in numbers {
            let others = numbers.iter().filter(|other| **other != at);
            let finding = listeners.get(at).and_then(|one| {
                others
                    .filter_map(|&other| between(one, listeners.get(other)?))
                    .next()
            });
            found.extend(finding.map(|finding| (at, finding)));
        }
    }
    for (at, finding) in found {
        if let Some(listener) = listeners.get_mut(at) {
            listener.conflict = Some(finding);
        }
    }
}

fn between(one: &ListenerFinding, other: &ListenerFinding) -> Option<Finding> {
    let (a, b) = (one.protocol?, other.protocol?);
    if family(a) != family(b) {
        return Some(protocols(one, &other.name, ""));
    }
    (name(one, a) == name(other, b)).then(|| names(one, &other.name, ""))
}

fn protocols(one: &ListenerFinding, other: &str, of: &str) -> Finding {
    let message = format!(
        "port {} is used with another protocol by listener `{other}`{of}",
        one.port
    );
    Finding::new(Reason::ProtocolConflict, message)
}

fn names(one: &ListenerFinding, other: &str, of: &str) -> Finding {
    let host = one
        .hostname
        .as_ref()
        .map_or("no hostname", Hostname::as_str);
    let message = format!(
        "port {} with {host} is used by listener `{other}`{of} too",
        one.port
    );
    Finding::new(Reason::HostnameConflict, message)
}

/// What listeners that come earlier hold: they keep it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    sockets: BTreeMap<(bool, u16), Held>,
}

#[derive(Debug)]
struct Held {
    family: u8,
    by: (ObjectKey, Arc<str>),
    names: BTreeMap<Option<Hostname>, (ObjectKey, Arc<str>)>,
}

impl Claims {
    /// Takes listeners in, in order; one that asks for what is held is in conflict.
    pub(super) fn admit(&mut self, owner: &ObjectKey, listeners: &mut [ListenerFinding]) {
        for listener in listeners.iter_mut() {
            self.admit_one(owner, listener);
        }
    }

    fn admit_one(&mut self, owner: &ObjectKey, listener: &mut ListenerFinding) {
        let Some(protocol) = listener.protocol.filter(|_| listener.accepted()) else {
            return;
        };
        let held = self
            .sockets
            .entry(socket(listener, protocol))
            .or_insert_with(|| Held {
                family: family(protocol),
                by: (owner.clone(), listener.name.clone()),
                names: BTreeMap::new(),
            });
        let of = |holder: &ObjectKey| {
            if holder == owner {
                String::new()
            } else {
                format!(" of {holder}")
            }
        };
        if held.family != family(protocol) {
            listener.conflict = Some(protocols(listener, &held.by.1, &of(&held.by.0)));
            return;
        }
        let name = name(listener, protocol).cloned();
        match held.names.get(&name) {
            Some((holder, other)) => listener.conflict = Some(names(listener, other, &of(holder))),
            None => {
                held.names
                    .insert(name, (owner.clone(), listener.name.clone()));
            }
        }
    }
}

/// Marks the HTTPS and TLS listeners of one port whose hostnames overlap (`OverlappingTLSConfig`).
pub(super) fn overlaps<'l>(listeners: impl Iterator<Item = &'l mut ListenerFinding>) {
    let mut ports: BTreeMap<u16, Vec<&mut ListenerFinding>> = BTreeMap::new();
    for listener in listeners {
        let tls = matches!(listener.protocol, Some(Protocol::Https | Protocol::Tls));
        if tls && listener.accepted() {
            ports.entry(listener.port).or_default().push(listener);
        }
    }
    for mut listeners in ports.into_values().filter(|listeners| listeners.len() > 1) {
        // Names read from the right: what a wildcard covers follows it directly.
        listeners.sort_by_cached_key(|listener| reversed(listener.hostname.as_ref()));
        let keys: Vec<Vec<u8>> = listeners
            .iter()
            .map(|listener| reversed(listener.hostname.as_ref()))
            .collect();
        let names: Vec<Arc<str>> = listeners
            .iter()
            .map(|listener| listener.name.clone())
            .collect();
        let mut partner: Vec<Option<usize>> = vec![None; keys.len()];
        let mut open: Vec<usize> = Vec::new();
        for at in 0..keys.len() {
            while open.last().is_some_and(|&outer| !covers(&keys, outer, at)) {
                open.pop();
            }
            if let Some(&outer) = open.last() {
                if let Some(slot) = partner.get_mut(at) {
                    *slot = Some(outer);
                }
                if let Some(slot) = partner.get_mut(outer) {
                    slot.get_or_insert(at);
                }
            }
            let wildcard = listeners.get(at).is_some_and(|listener| {
                listener.hostname.as_ref().is_none_or(Hostname::is_wildcard)
            });
            if wildcard {
                open.push(at);
            }
        }
        for (listener, partner) in listeners.iter_mut().zip(partner) {
            listener.overlap = partner.and_then(|partner| names.get(partner)).map(|other| {
                let message = format!(
                    "its hostname overlaps with the one of listener `{other}` on port {}: a client may reuse a connection for both",
                    listener.port
                );
                Finding::new(Reason::OverlappingHostnames, message)
            });
        }
    }
}

/// A hostname from its end, `*` cut; no hostname is empty.
fn reversed(hostname: Option<&Hostname>) -> Vec<u8> {
    let Some(hostname) = hostname else {
        return Vec::new();
    };
    match hostname.suffix() {
        Some(suffix) => suffix.bytes().rev().collect(),
        None => hostname.as_str().bytes().rev().collect(),
    }
}

fn covers(keys: &[Vec<u8>], outer: usize, inner: usize) -> bool {
    match (keys.get(outer), keys.get(inner)) {
        (Some(outer), Some(inner)) => inner.starts_with(outer),
        _ => false,
    }
}
