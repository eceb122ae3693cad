//! Looking a request up.

use http::{HeaderMap, HeaderName};

use super::matched::{ListenerMatch, Match, MatchId, RuleId};
use super::predicate::{first_failure, first_grpc_failure, is_grpc};
use super::{Candidate, HostTable, RouteTable};
use crate::rule::{Listener, Matches, Protocol};
use crate::target::Target;

/// The header fields of a request, wherever the caller keeps them.
pub trait Headers {
    /// Calls `visit` with the value of each field of a name, in order.
    fn each(&self, name: &HeaderName, visit: &mut dyn FnMut(&[u8]));
}

impl Headers for HeaderMap {
    fn each(&self, name: &HeaderName, visit: &mut dyn FnMut(&[u8])) {
        for value in self.get_all(name) {
            visit(value.as_bytes());
        }
    }
}

/// What a request is matched by.
pub struct Head<'r> {
    /// The port of the listener that it came in by, as the specification counts it.
    pub port: u16,
    /// The server name of its TLS connection, in lower case; `None` without TLS or without a name.
    pub sni: Option<&'r str>,
    /// Its method.
    pub method: &'r [u8],
    /// Its target.
    pub target: Target<'r>,
    /// Its header fields.
    pub headers: &'r dyn Headers,
}

impl std::fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head")
            .field("port", &self.port)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Why no rule serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers have to answer each")]
pub enum NoMatch {
    /// No listener takes the host, or no rule of the listener matches: 404, gRPC UNIMPLEMENTED.
    NotFound,
    /// The host belongs to another listener than the TLS connection: 421.
    Misdirected,
    /// `CONNECT`: 501.
    NotImplemented,
}

/// Memory that one thread matches with, so that matching does not allocate.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) value: Vec<u8>,
}

impl RouteTable {
    /// The listener that a request belongs to.
    ///
    /// Over TLS the server name says which listener the connection belongs to; a host that belongs to another one is
    /// misdirected (RFC 9110 section 15.5.20).
    ///
    /// # Errors
    ///
    /// If no listener takes the host, or the request came in by the wrong connection.
    pub fn listener(&self, head: &Head<'_>) -> Result<ListenerMatch<'_>, NoMatch> {
        if head.method == b"CONNECT" {
            return Err(NoMatch::NotImplemented);
        }
        let web =
            |listener: &Listener| matches!(listener.protocol, Protocol::Http | Protocol::Https);
        let host = head.target.host().name();
        let number = self
            .most_specific(head.port, host, web)
            .ok_or(NoMatch::NotFound)?;
        let table = self.listeners.get(number).ok_or(NoMatch::NotFound)?;
        if table.listener.protocol == Protocol::Https {
            let https = |listener: &Listener| listener.protocol == Protocol::Https;
            if self.most_specific(head.port, head.sni, https) != Some(number) {
                return Err(NoMatch::Misdirected);
            }
        }
        Ok(ListenerMatch {
            table: self,
            number,
            listener: &table.listener,
        })
    }

    /// The rule that serves a request: listener, then rule.
    ///
    /// # Errors
    ///
    /// If none does.
    pub fn find(&self, head: &Head<'_>, scratch: &mut Scratch) -> Result<Match<'_>, NoMatch> {
        self.listener(head)?.find(head, scratch)
    }

    /// The match of an id that this table gave out; `None` for one of another table, where that can be seen.
    pub fn resume(&self, id: MatchId) -> Option<Match<'_>> {
        let listener = self.listeners.get(id.listener as usize)?;
        let host = listener.hosts.get(id.host as usize)?;
        let list = if id.grpc { &host.grpc } else { &host.http };
        let candidate = list.get(id.candidate as usize)?;
        let slot = self.rules.get(candidate.slot as usize)?;
        Some(Match {
            id,
            rule_id: RuleId(candidate.slot),
            listener: &listener.listener,
            route: &slot.route,
            rule: &slot.rule,
            position: candidate.position,
            precedence: &candidate.precedence,
        })
    }

    pub(super) fn find_in(
        &self,
        number: usize,
        head: &Head<'_>,
        scratch: &mut Scratch,
    ) -> Result<Match<'_>, NoMatch> {
        let table = self.listeners.get(number).ok_or(NoMatch::NotFound)?;
        let grpc = is_grpc(head.method, head.headers);
        // The next less specific host gets its turn when no rule of a host matches.
        for host_number in table.hosts_of(head.target.host().name()) {
            let Some(host) = table.hosts.get(host_number as usize) else {
                continue;
            };
            let found = if grpc {
                self.first(host, true, head, scratch)
            } else {
                None
            };
            let found = found.map(|at| (true, at));
            if let Some((grpc, at)) =
                found.or_else(|| Some((false, self.first(host, false, head, scratch)?)))
            {
                let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
                let id = MatchId {
                    listener: small(number),
                    host: host_number,
                    candidate: small(at),
                    grpc,
                };
                return self.resume(id).ok_or(NoMatch::NotFound);
            }
        }
        Err(NoMatch::NotFound)
    }

    /// The first candidate of a host that fits: they lie in the order of precedence.
    fn first(
        &self,
        host: &HostTable,
        grpc: bool,
        head: &Head<'_>,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        let list = if grpc { &host.grpc } else { &host.http };
        list.iter()
            .position(|candidate| self.fits(candidate, head, scratch))
    }

    fn fits(&self, candidate: &Candidate, head: &Head<'_>, scratch: &mut Scratch) -> bool {
        let Some(slot) = self.rules.get(candidate.slot as usize) else {
            return false;
        };
        let position = usize::from(candidate.position);
        match &slot.rule.matches {
            Matches::Http(matches) => matches
                .get(position)
                .is_some_and(|one| first_failure(one, head, scratch).is_none()),
            Matches::Grpc(matches) => matches
                .get(position)
                .is_some_and(|one| first_grpc_failure(one, head, scratch).is_none()),
            Matches::Connection => false,
        }
    }
}
