//! Finding the rule of a request.
//!
//! A [`RouteTable`] is built once of what [`crate::resolve`] found, never changes, and is shared by all threads. It is
//! asked in two steps: which listener a request belongs to, then which rule of it serves the request. Candidates lie in
//! the order of [`crate::rule::Precedence`], so the first that matches is the answer.

mod build;
mod candidate;
mod conditions;
mod find;
mod grpc;
mod hash;
mod host;
mod index;
mod leaf_index;
mod listener;
mod matched;
mod method;
mod names;
mod patterns;
mod predicate;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use crate::rule::Headers;
pub use find::{Head, NoMatch, Scratch};
pub use listener::TlsMatch;
pub use matched::{Action, ListenerMatch, Match, MatchId, ResponseStep, RuleId, Step};
pub(crate) use predicate::each;
pub use predicate::{Predicate, first_failure, first_grpc_failure, is_grpc};

use candidate::Candidates;
use grpc::GrpcHost;
use hash::Hasher;
use host::Host;
use index::Index;
use listener::{ListenerTable, Ports};
use patterns::Patterns;
use texts::Texts;

use crate::key::ObjectKey;
use crate::rule::{Listener, Route, Rule};
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
    /// The key of the table's hashes, best drawn at random once for each process: who does not know it cannot make
    /// requests or names that collide. It changes no answer.
    pub hash_key: [u64; 2],
}

/// An immutable table of routes. Cheap to share as `Arc`; `Send` and `Sync`.
#[derive(Debug)]
pub struct RouteTable {
    settings: TableSettings,
    hasher: Hasher,
    texts: Texts,
    inputs: Vec<Arc<Listener>>,
    listeners: Vec<ListenerTable>,
    ports: Ports,
    hosts_by_name: Index,
    hosts: Vec<Host>,
    grpc: Vec<GrpcHost>,
    /// The most path elements of any prefix.
    deepest: u32,
    /// Paths, heads of expressions and gRPC names below a host.
    paths: Index,
    candidates: Candidates,
    patterns: Patterns,
    /// TLSRoute, TCPRoute and UDPRoute: the rule's slot, by host.
    connections: BTreeMap<u32, u32>,
    rules: Vec<RuleSlot>,
}

/// A rule with the route that it belongs to.
#[derive(Debug)]
struct RuleSlot {
    route: Arc<Route>,
    rule: Arc<Rule>,
}

/// Bytes that the parts of a table hold. Rules, names and expressions that the caller shares with it are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// Hostnames, paths and values, each stored once.
    pub texts: usize,
    /// Listeners and hosts.
    pub hosts: usize,
    /// Paths.
    pub paths: usize,
    /// Candidates, and how they are told apart.
    pub candidates: usize,
    /// Automata of the expressions over paths.
    pub patterns: usize,
    /// Numbers of rules.
    pub rules: usize,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.texts + self.hosts + self.paths + self.candidates + self.patterns + self.rules
    }
}

impl RouteTable {
    /// Builds a table. It never fails: everything that could be wrong was refused when it was resolved.
    ///
    /// The cost is linear in the matches, but for sorting them. Routes that hang on several listeners are best given as
    /// one `Arc`: their rules are then numbered once.
    pub fn build(input: &TableInput) -> RouteTable {
        build::table(input)
    }

    /// The table of another input, which is what [`RouteTable::build`] makes of it but for the numbers of rules: a rule keeps
    /// its number while it is equal, and numbers that became free are used again later.
    pub fn update(&self, input: &TableInput) -> RouteTable {
        build::table(input)
    }

    /// Bytes that it holds.
    pub fn memory(&self) -> Memory {
        Memory {
            texts: self.texts.memory(),
            hosts: self.hosts_by_name.memory()
                + self.hosts.capacity() * size_of::<Host>()
                + self.ports.memory(),
            paths: self.paths.memory(),
            candidates: self.candidates.memory(),
            patterns: self.patterns.memory(),
            rules: self.rules.capacity() * size_of::<RuleSlot>(),
        }
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
}

#[cfg(test)]
mod tests;
