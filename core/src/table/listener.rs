//! Which listener a request or a connection belongs to: the most specific one, and only that (listener isolation).

use super::{ListenerTable, NoMatch, RouteTable};
use crate::rule::{Listener, Protocol, TlsMode};

impl RouteTable {
    /// The most specific listener of a port that takes a host, among those that `takes` admits.
    ///
    /// Listeners lie in that order, so the first is the answer.
    pub(super) fn most_specific(
        &self,
        port: u16,
        host: Option<&str>,
        takes: impl Fn(&Listener) -> bool,
    ) -> Option<usize> {
        let start = self
            .listeners
            .partition_point(|table| table.listener.port < port);
        let of_port = self.listeners.iter().enumerate().skip(start);
        of_port
            .take_while(|(_, table)| table.listener.port == port)
            .find(|(_, table)| takes(&table.listener) && admits(&table.listener, host))
            .map(|(number, _)| number)
    }

    /// The listener that a TLS connection belongs to: whose certificate is shown, or whose bytes are passed on.
    ///
    /// # Errors
    ///
    /// If no listener takes the server name: the connection is closed.
    pub fn find_tls(&self, port: u16, sni: Option<&str>) -> Result<TlsMatch<'_>, NoMatch> {
        let secure =
            |listener: &Listener| matches!(listener.protocol, Protocol::Https | Protocol::Tls);
        let number = self
            .most_specific(port, sni, secure)
            .ok_or(NoMatch::NotFound)?;
        let table = self.listeners.get(number).ok_or(NoMatch::NotFound)?;
        let backends = || {
            table
                .connection_of(sni)
                .and_then(|slot| self.rules.get(slot as usize))
        };
        Ok(TlsMatch {
            listener: &table.listener,
            passthrough: table
                .listener
                .tls
                .as_ref()
                .is_some_and(|tls| tls.mode == TlsMode::Passthrough),
            backends: backends().map(|slot| &slot.rule.backends),
        })
    }
}

fn admits(listener: &Listener, host: Option<&str>) -> bool {
    match (&listener.hostname, host) {
        (None, _) => true,
        (Some(name), Some(host)) => name.matches(host),
        (Some(_), None) => false,
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
    pub backends: Option<&'t crate::rule::Backends>,
}

impl ListenerTable {
    /// The tables of a host, most specific first.
    pub(super) fn hosts_of<'t>(&'t self, host: Option<&'t str>) -> impl Iterator<Item = u32> + 't {
        let exact = host.and_then(|host| self.exact.get(host)).copied();
        let name = host
            .filter(|_| !self.wildcard.is_empty())
            .unwrap_or_default();
        // The first dot gives the longest suffix, which is the most specific wildcard. One stands for at least one label.
        let wildcards = name
            .match_indices('.')
            .filter(|(at, _)| *at > 0)
            .filter_map(|(at, _)| self.wildcard.get(name.get(at..)?).copied());
        exact.into_iter().chain(wildcards).chain(self.any)
    }

    fn connection_of(&self, sni: Option<&str>) -> Option<u32> {
        self.hosts_of(sni)
            .find_map(|host| self.hosts.get(host as usize)?.connection)
    }
}
