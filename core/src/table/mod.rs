//! Finding the rule of a request.
//!
//! A [`RouteTable`] is built once of what [`crate::resolve`] found, never changes, and is shared by all threads. It is
//! asked in two steps: which listener a request belongs to, then which rule of it serves the request. Candidates lie in
//! the order of [`crate::rule::Precedence`], so the first that matches is the answer.

mod build;
mod find;
mod listener;
mod matched;
mod predicate;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use find::{Head, Headers, NoMatch, Scratch};
pub use matched::{Action, ListenerMatch, Match, MatchId, ResponseStep, RuleId, Step};
pub use predicate::{Predicate, first_failure, first_grpc_failure, is_grpc};

use crate::key::ObjectKey;
use crate::rule::{Backends, Listener, Precedence, Route, Rule};
use crate::target::{PathPolicy, Raw, Refused, Target};

/// What a table is built of: the listeners of all Gateways that share an address, with the routes attached to them.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain inputs")]
pub struct TableInput {
    /// The listeners, in any order.
    pub listeners: Vec<Arc<Listener>>,
    /// Settings of the table.
    pub settings: TableSettings,
}

/// Settings of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain settings")]
pub struct TableSettings {
    /// How request paths are brought into canonical form.
    pub path_policy: PathPolicy,
}

/// An immutable table of routes. Cheap to share as `Arc`; `Send` and `Sync`.
#[derive(Debug)]
pub struct RouteTable {
    settings: TableSettings,
    listeners: Vec<ListenerTable>,
    inputs: Vec<Arc<Listener>>,
    rules: Vec<RuleSlot>,
}

/// A rule with the route that it belongs to.
#[derive(Debug)]
struct RuleSlot {
    route: Arc<Route>,
    rule: Arc<Rule>,
}

/// One listener and the hostnames of the routes attached to it.
#[derive(Debug)]
struct ListenerTable {
    listener: Arc<Listener>,
    exact: BTreeMap<Box<str>, u32>,
    /// By what follows the `*`, with its dot.
    wildcard: BTreeMap<Box<str>, u32>,
    any: Option<u32>,
    hosts: Vec<HostTable>,
    /// TLSRoute, TCPRoute and UDPRoute: the oldest route serves.
    connection: Option<u32>,
}

/// The candidates of one hostname, in the order in which they are tried.
#[derive(Debug, Default)]
struct HostTable {
    http: Vec<Candidate>,
    grpc: Vec<Candidate>,
    /// The TLSRoute that serves the name.
    connection: Option<u32>,
}

/// One match of one rule.
#[derive(Debug)]
struct Candidate {
    precedence: Precedence,
    slot: u32,
    position: u16,
}

impl RouteTable {
    /// Builds a table. It never fails: everything that could be wrong was refused when it was resolved.
    ///
    /// The cost is that of sorting the matches of each host.
    pub fn build(input: &TableInput) -> RouteTable {
        build::table(input)
    }

    /// The listeners, ordered by port, then the most specific hostname first.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.inputs
    }

    /// The settings it was built with.
    pub fn settings(&self) -> &TableSettings {
        &self.settings
    }

    /// Judges the target of a request by the table's path policy: see [`Target::parse`].
    ///
    /// # Errors
    ///
    /// If the request has to be refused with 400.
    pub fn target<'r>(
        &self,
        raw: Raw<'r, '_>,
        buffer: &'r mut Vec<u8>,
    ) -> Result<Target<'r>, Refused> {
        Target::parse(raw, &self.settings.path_policy, buffer)
    }

    /// Memory for one thread to match with.
    pub fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    /// A rule by its number.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0 as usize).map(|slot| &*slot.rule)
    }

    /// The route of a rule.
    pub fn route(&self, id: RuleId) -> Option<&ObjectKey> {
        self.rules.get(id.0 as usize).map(|slot| &slot.route.key)
    }

    /// All rules with their routes, in the order of their numbers.
    pub fn rules(&self) -> impl Iterator<Item = (&ObjectKey, &Rule)> {
        self.rules.iter().map(|slot| (&slot.route.key, &*slot.rule))
    }

    /// How many numbers of rules are in use: callers may keep arrays of that length beside the table.
    pub fn rule_slots(&self) -> u32 {
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX)
    }

    /// The backends that TCP connections to a port go to.
    ///
    /// # Errors
    ///
    /// If nothing serves them: they are closed.
    pub fn find_tcp(&self, port: u16) -> Result<&Backends, NoMatch> {
        self.connection(port, crate::rule::Protocol::Tcp)
    }

    /// The backends that datagrams to a port go to.
    ///
    /// # Errors
    ///
    /// If nothing serves them: they are dropped.
    pub fn find_udp(&self, port: u16) -> Result<&Backends, NoMatch> {
        self.connection(port, crate::rule::Protocol::Udp)
    }

    fn connection(&self, port: u16, protocol: crate::rule::Protocol) -> Result<&Backends, NoMatch> {
        let table = self
            .listeners
            .iter()
            .find(|table| table.listener.port == port && table.listener.protocol == protocol);
        let slot = table
            .and_then(|table| table.connection)
            .ok_or(NoMatch::NotFound)?;
        let slot = self.rules.get(slot as usize).ok_or(NoMatch::NotFound)?;
        Ok(&slot.rule.backends)
    }
}

#[cfg(test)]
mod tests;
