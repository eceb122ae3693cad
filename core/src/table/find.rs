//! Looking a request up.

use super::RouteTable;
use super::candidate::Served;
use super::host::Mark;
use super::listener::ListenerTable;
use super::matched::{ListenerMatch, Match, MatchId};
use super::predicate::is_grpc;
use crate::rule::{Headers, Matches};
use crate::target::Target;

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

/// Memory that one thread matches with, so that matching does not allocate: see [`RouteTable::scratch`].
#[derive(Debug, Default)]
pub struct Scratch {
    /// A value that is looked up.
    pub(super) value: Vec<u8>,
    /// The ends of path elements.
    pub(super) marks: Vec<Mark>,
}

/// A request that is being looked up.
pub(super) struct Request<'h, 's> {
    pub(super) head: &'h Head<'h>,
    pub(super) scratch: &'s mut Scratch,
}

impl RouteTable {
    /// Memory for one thread to match with: with it, matching does not allocate.
    ///
    /// It serves tables that follow this one, too, and grows if one of them needs more.
    pub fn scratch(&self) -> Scratch {
        Scratch {
            value: Vec::with_capacity(self.longest_value + 1),
            marks: Vec::with_capacity(self.deepest as usize),
        }
    }

    /// The listener that a request belongs to.
    ///
    /// Over TLS the server name says which listener the connection belongs to; a host that belongs to another one is
    /// misdirected (RFC 9110 section 15.5.20).
    ///
    /// # Errors
    ///
    /// If no listener takes the host, or the request came in by the wrong connection.
    pub fn listener(&self, head: &Head<'_>) -> Result<ListenerMatch<'_>, NoMatch> {
        let (host, hash) = self.host_of(head);
        let number = self.listener_by(head, host, hash)?;
        let table = self.listener_table(number).ok_or(NoMatch::NotFound)?;
        Ok(ListenerMatch {
            table: self,
            number,
            listener: &table.listener,
        })
    }

    /// The rule that serves a request: listener, then rule.
    ///
    /// The cost does not grow with the number of rules: one look-up for the host and one for each depth at which the host
    /// has paths. Rules that tie in host and path are found by the rarest value that they ask for. Regular expressions
    /// take one step for each byte and group of expressions.
    ///
    /// # Errors
    ///
    /// If none does.
    pub fn find(&self, head: &Head<'_>, scratch: &mut Scratch) -> Result<Match<'_>, NoMatch> {
        let (host, hash) = self.host_of(head);
        let listener = self.listener_by(head, host, hash)?;
        self.find_in(listener, head, host, hash, scratch)
    }

    /// The match of an id that this table gave out; `None` for one of another table, where that can be seen.
    pub fn resume(&self, id: MatchId) -> Option<Match<'_>> {
        let host = self.hosts.get(id.host)?;
        let listener = self.listener_table(host.listener)?;
        let slot = self.rules.get(id.served.rule)?;
        let matches = match &slot.rule.matches {
            Matches::Http(matches) => matches.len(),
            Matches::Grpc(matches) => matches.len(),
            Matches::Connection => 0,
        };
        (usize::from(id.served.position) < matches).then_some(Match {
            id,
            table: self,
            listener: &listener.listener,
            slot,
        })
    }

    /// The host that a request asks for, and its hash.
    #[inline]
    pub(super) fn host_of<'h>(&self, head: &Head<'h>) -> (Option<&'h [u8]>, u64) {
        let host = head.target.host().name().map(str::as_bytes);
        (host, self.hasher.text(host.unwrap_or_default()))
    }

    #[inline]
    fn listener_by(&self, head: &Head<'_>, host: Option<&[u8]>, hash: u64) -> Result<u32, NoMatch> {
        if head.method == b"CONNECT" {
            return Err(NoMatch::NotImplemented);
        }
        self.listener_of(head.port, head.sni, host, hash)
    }

    #[inline]
    pub(super) fn find_in(
        &self,
        listener: u32,
        head: &Head<'_>,
        name: Option<&[u8]>,
        hash: u64,
        scratch: &mut Scratch,
    ) -> Result<Match<'_>, NoMatch> {
        let table = self.listener_table(listener).ok_or(NoMatch::NotFound)?;
        let mut request = Request { head, scratch };
        let mut grpc = None;
        // The next less specific host gets its turn when no rule of a host matches.
        let in_host = |number| {
            let host = self.hosts.get(number)?;
            let by_grpc = if host.has_grpc()
                && *grpc.get_or_insert_with(|| is_grpc(head.method, head.headers))
            {
                self.first_grpc(number, host, &mut request)
            } else {
                None
            };
            let served = by_grpc.or_else(|| self.first_http(number, host, &mut request))?;
            self.matched(number, table, served)
        };
        table
            .hosts
            .first(&self.dictionary, &self.hasher, name, hash, in_host)
            .ok_or(NoMatch::NotFound)
    }

    #[inline]
    fn matched<'t>(
        &'t self,
        host: u32,
        table: &'t ListenerTable,
        served: Served,
    ) -> Option<Match<'t>> {
        Some(Match {
            id: MatchId { host, served },
            table: self,
            listener: &table.listener,
            slot: self.rules.get(served.rule)?,
        })
    }
}
