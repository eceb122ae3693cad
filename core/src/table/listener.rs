//! Which listener a request or a connection belongs to: the most specific one, and only that (listener isolation).

use std::sync::Arc;

use super::dictionary::{Find, Kind, key};
use super::hash::Hasher;
use super::index::{Index, IndexBuilder, Key};
use super::names::Names;
use super::texts::{Interner, Texts};
use super::{NoMatch, RouteTable};
use crate::rule::{Backends, Listener, Protocol, TlsMode};

/// A listener, and the hosts of the routes attached to it.
#[derive(Clone, Debug)]
pub(super) struct ListenerTable {
    pub(super) listener: Arc<Listener>,
    pub(super) hosts: Names,
    /// How many hosts there are with an exact name, then for each [`super::names::bit`] how many wildcards.
    pub(super) tally: Arc<[u32; 65]>,
}

/// The listeners by port and hostname.
#[derive(Debug, Default)]
pub(super) struct Ports {
    ports: Vec<Port>,
    names: Index,
    texts: Texts,
}

impl Find for Ports {
    #[inline]
    fn number(&self, key: &Key<'_>) -> Option<u32> {
        self.names.find(key, &self.texts)
    }
}

/// The listeners of one port, by what asks for one.
#[derive(Clone, Copy, Debug)]
struct Port {
    number: u16,
    /// HTTP and HTTPS, asked for by the host of a request.
    web: Names,
    /// HTTPS, asked for by the server name of a request's connection.
    https: Names,
    /// HTTPS and TLS, asked for by the server name of a new connection.
    tls: Names,
    tcp: Names,
    udp: Names,
}

impl Ports {
    /// Sorts listeners in by number; they come in order, so of two for one name the first is kept.
    pub(super) fn build(listeners: &[Arc<Listener>], numbers: &[u32], hasher: &Hasher) -> Ports {
        let mut ports = Ports::default();
        let mut by_name = IndexBuilder::default();
        let mut interner = Interner::default();
        for (listener, &number) in listeners.iter().zip(numbers) {
            if ports.ports.last().map(|port| port.number) != Some(listener.port) {
                let scope = u32::from(listener.port) << 3;
                ports.ports.push(Port {
                    number: listener.port,
                    web: Names::new(scope),
                    https: Names::new(scope + 1),
                    tls: Names::new(scope + 2),
                    tcp: Names::new(scope + 3),
                    udp: Names::new(scope + 4),
                });
            }
            let Some(port) = ports.ports.last_mut() else {
                continue;
            };
            let kinds: &mut [&mut Names] = match listener.protocol {
                Protocol::Http => &mut [&mut port.web],
                Protocol::Https => &mut [&mut port.web, &mut port.https, &mut port.tls],
                Protocol::Tls => &mut [&mut port.tls],
                Protocol::Tcp => &mut [&mut port.tcp],
                Protocol::Udp => &mut [&mut port.udp],
            };
            for names in kinds {
                let name = match listener.protocol {
                    // TCPRoute, UDPRoute: the port says everything.
                    Protocol::Tcp | Protocol::Udp => None,
                    _ => listener.hostname.as_ref(),
                };
                names.add(name, number, &mut by_name, &mut interner, hasher);
            }
        }
        ports.names = by_name.finish();
        ports.texts = interner.finish();
        ports
    }

    fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }

    pub(super) fn memory(&self) -> usize {
        self.ports.capacity() * size_of::<Port>() + self.names.memory() + self.texts.memory()
    }
}

impl RouteTable {
    /// The number of the listener that a request belongs to. `hash` is that of its host.
    ///
    /// Over TLS the server name says which listener the connection belongs to; a host that belongs to another one is
    /// misdirected (RFC 9110 section 15.5.20).
    #[inline]
    pub(super) fn listener_of(
        &self,
        port: u16,
        sni: Option<&str>,
        host: Option<&[u8]>,
        hash: u64,
    ) -> Result<u32, NoMatch> {
        let port = self.ports.port(port).ok_or(NoMatch::NotFound)?;
        let names = &*self.ports;
        let most_specific = |kind: &Names, name: Option<&[u8]>, hash: u64| {
            kind.first(names, &self.hasher, name, hash, Some)
        };
        let number = most_specific(&port.web, host, hash).ok_or(NoMatch::NotFound)?;
        if port.https.is_empty() || self.protocol(number) != Some(Protocol::Https) {
            return Ok(number);
        }
        let sni = sni.map(str::as_bytes);
        let own = if sni == host {
            most_specific(&port.https, host, hash)
        } else {
            let hash = self.hasher.text(sni.unwrap_or_default());
            most_specific(&port.https, sni, hash)
        };
        if own == Some(number) {
            Ok(number)
        } else {
            Err(NoMatch::Misdirected)
        }
    }

    fn protocol(&self, listener: u32) -> Option<Protocol> {
        let table = self.listener_table(listener)?;
        Some(table.listener.protocol)
    }

    /// The listener that a TLS connection belongs to: whose certificate is shown, or whose bytes are passed on.
    ///
    /// # Errors
    ///
    /// If no listener takes the server name: the connection is closed.
    pub fn find_tls(&self, port: u16, sni: Option<&str>) -> Result<TlsMatch<'_>, NoMatch> {
        let port = self.ports.port(port).ok_or(NoMatch::NotFound)?;
        let name = sni.map(str::as_bytes);
        let hash = self.hasher.text(name.unwrap_or_default());
        let found = port.tls.first(&*self.ports, &self.hasher, name, hash, Some);
        let number = found.ok_or(NoMatch::NotFound)?;
        let table = self.listener_table(number);
        let table = table.ok_or(NoMatch::NotFound)?;
        let passes = |tls: &crate::rule::ListenerTls| tls.mode == TlsMode::Passthrough;
        Ok(TlsMatch {
            listener: &table.listener,
            passthrough: table.listener.tls.as_ref().is_some_and(passes),
            backends: self.connection(table, name, hash),
        })
    }

    /// The backends that TCP connections to a port go to.
    ///
    /// # Errors
    ///
    /// If nothing serves them: they are closed.
    pub fn find_tcp(&self, port: u16) -> Result<&Backends, NoMatch> {
        self.find_port(port, |port| &port.tcp)
    }

    /// The backends that datagrams to a port go to.
    ///
    /// # Errors
    ///
    /// If nothing serves them: they are dropped.
    pub fn find_udp(&self, port: u16) -> Result<&Backends, NoMatch> {
        self.find_port(port, |port| &port.udp)
    }

    fn find_port(&self, port: u16, kind: fn(&Port) -> &Names) -> Result<&Backends, NoMatch> {
        let port = self.ports.port(port).ok_or(NoMatch::NotFound)?;
        let found = kind(port).first(&*self.ports, &self.hasher, None, 0, Some);
        let number = found.ok_or(NoMatch::NotFound)?;
        let table = self.listener_table(number);
        let table = table.ok_or(NoMatch::NotFound)?;
        self.connection(table, None, 0).ok_or(NoMatch::NotFound)
    }

    /// The backends of a listener's TLSRoutes, TCPRoutes or UDPRoutes for a name: the most specific name that has any.
    fn connection(
        &self,
        table: &ListenerTable,
        name: Option<&[u8]>,
        hash: u64,
    ) -> Option<&Backends> {
        let served = table
            .hosts
            .first(&self.dictionary, &self.hasher, name, hash, |host| {
                let hash = self.hasher.text(b"");
                let key = key(&self.hasher, hash, Kind::Connection, host, b"");
                let (parts, value) = self.dictionary.find(&key)?;
                // The first is the one of the oldest route.
                parts.candidates.first(value)
            })?;
        Some(&self.rules.get(served.rule)?.rule.backends)
    }

    #[inline]
    pub(super) fn listener_table(&self, number: u32) -> Option<&ListenerTable> {
        self.listeners.get(number)?.as_ref()
    }
}

/// Where a TLS connection goes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TlsMatch<'t> {
    /// The listener.
    pub listener: &'t Listener,
    /// Whether the bytes are passed on as they are.
    pub passthrough: bool,
    /// For listeners of protocol TLS: the backends of the TLSRoute that serves the name; `None` closes the connection.
    pub backends: Option<&'t Backends>,
}
