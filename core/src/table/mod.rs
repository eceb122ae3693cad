//! Finding the rule of a request.
//!
//! A [`RouteTable`] is built once of what [`crate::resolve`] found, never changes, and is shared by all threads. It is
//! asked in two steps: which listener a request belongs to, then which rule of it serves the request. Candidates lie in
//! the order of [`crate::rule::Precedence`], so the first that matches is the answer.

mod apply;
mod automata;
mod candidate;
mod changes;
mod conditions;
mod crowd;
mod dictionary;
mod entry;
mod filing;
mod find;
mod grouping;
mod groups;
mod grpc;
mod hash;
mod heads;
mod host;
mod index;
mod listener;
mod matched;
mod merge;
mod method;
mod names;
mod pages;
mod predicate;
mod routes;
mod rules;
mod texts;
mod update;

use std::sync::Arc;

pub use crate::rule::Headers;
pub use find::{Head, NoMatch, Scratch};
pub use listener::TlsMatch;
pub use matched::{Action, ListenerMatch, Match, MatchId, ResponseStep, RuleId, Step};
pub(crate) use predicate::each;
pub use predicate::{Predicate, first_failure, first_grpc_failure, is_grpc};

use automata::Automata;
use crowd::Subject;
use dictionary::Dictionary;
use hash::Hasher;
use host::{Host, HostInfo};
use listener::{ListenerTable, Ports};
use pages::{Numbers, Pages};
use routes::AllRoutes;
use rules::Rules;

use crate::key::ObjectKey;
use crate::rule::{Listener, Routes, Rule};
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
///
/// Its parts lie behind `Arc`, so that [`RouteTable::update`] shares those that do not change.
#[derive(Clone, Debug)]
pub struct RouteTable {
    settings: TableSettings,
    hasher: Hasher,
    /// In the order of [`RouteTable::listeners`].
    inputs: Arc<[Arc<Listener>]>,
    /// The numbers of these.
    input_numbers: Arc<[u32]>,
    listeners: Pages<Option<ListenerTable>>,
    listener_numbers: Numbers,
    ports: Arc<Ports>,
    dictionary: Dictionary,
    hosts: Pages<Host>,
    host_infos: Pages<HostInfo>,
    host_numbers: Numbers,
    /// What crowds are filed by.
    subjects: Pages<Subject>,
    subject_numbers: Numbers,
    /// The most path elements of any prefix that there was.
    deepest: u32,
    /// Bytes of the longest value that was ever filed.
    longest_value: usize,
    automata: Automata,
    rules: Rules,
    rule_numbers: Numbers,
    routes: AllRoutes,
    no_routes: Routes,
}

/// Bytes that the parts of a table hold. Rules, names and expressions that the caller shares with it are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// Hostnames, paths and values.
    pub texts: usize,
    /// Listeners and hosts.
    pub hosts: usize,
    /// Keys: hostnames, paths and values, and what they lead to.
    pub paths: usize,
    /// Candidates, and how they are told apart.
    pub candidates: usize,
    /// Automata of the expressions over paths.
    pub patterns: usize,
    /// Routes and the numbers of their rules.
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
        let hasher = Hasher::new(input.settings.hash_key);
        let empty = RouteTable {
            settings: input.settings,
            hasher,
            inputs: Arc::from([]),
            input_numbers: Arc::from([]),
            listeners: Pages::default(),
            listener_numbers: Numbers::default(),
            ports: Arc::default(),
            dictionary: Dictionary::default(),
            hosts: Pages::default(),
            host_infos: Pages::default(),
            host_numbers: Numbers::default(),
            subjects: Pages::default(),
            subject_numbers: Numbers::default(),
            deepest: 0,
            longest_value: 0,
            automata: Automata::default(),
            rules: Rules::default(),
            rule_numbers: Numbers::default(),
            routes: AllRoutes::default(),
            no_routes: Routes::default(),
        };
        update::table(&empty, input)
    }

    /// The table of another input, which is what [`RouteTable::build`] makes of it but for the numbers of rules: a rule keeps
    /// its number while it is equal, and numbers that became free are used again by tables that follow.
    ///
    /// The cost is that of what differs: listeners, routes and rules that are the same `Arc` are not looked at. Listeners are
    /// told apart by owner, name, port, protocol and hostname. Other settings need a table of their own.
    pub fn update(&self, input: &TableInput) -> RouteTable {
        if self.settings == input.settings {
            update::table(self, input)
        } else {
            RouteTable::build(input)
        }
    }

    /// The numbers whose rules are others than in a table before, in ascending order: what is kept beside the table for all
    /// other numbers may stay. The cost is that of what differs.
    pub fn changed_rules<'t>(
        &'t self,
        before: &'t RouteTable,
    ) -> impl Iterator<Item = RuleId> + 't {
        self.rules.differing(&before.rules).map(RuleId)
    }

    /// Bytes that it holds; what it shares with other tables is counted in each.
    pub fn memory(&self) -> Memory {
        let (paths, texts, candidates) = self.dictionary.memory();
        let infos = self.host_infos.iter().map(HostInfo::memory).sum::<usize>();
        Memory {
            texts,
            hosts: self.ports.memory()
                + self.listeners.memory()
                + self.hosts.memory()
                + self.host_infos.memory()
                + infos,
            paths,
            candidates: candidates + self.subjects.memory(),
            patterns: self.automata.memory(),
            rules: self.rules.memory() + self.routes.memory(),
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
        self.rules.get(id.0).map(|slot| &*slot.rule)
    }

    /// The route of a rule.
    pub fn route(&self, id: RuleId) -> Option<&ObjectKey> {
        self.rules.get(id.0).map(|slot| &*slot.route.key)
    }

    /// All rules with their routes, in the order of their numbers.
    pub fn rules(&self) -> impl Iterator<Item = (&ObjectKey, &Rule)> {
        self.rules
            .iter()
            .map(|slot| (&*slot.route.key, &*slot.rule))
    }

    /// The rules by number, `None` where a number is free: as many as [`RouteTable::rule_slots`].
    pub fn rules_by_number(&self) -> impl Iterator<Item = Option<(&ObjectKey, &Rule)>> {
        (0..self.rule_slots()).map(|number| {
            let slot = self.rules.get(number)?;
            Some((&*slot.route.key, &*slot.rule))
        })
    }

    /// Above the number of every rule: callers may keep arrays of that length beside the table. Some numbers may be free.
    pub fn rule_slots(&self) -> u32 {
        self.rule_numbers.end()
    }
}

#[cfg(test)]
mod tests;
