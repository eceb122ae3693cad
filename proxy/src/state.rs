//! What is served right now: swapped whole, read without waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatepost::key::ObjectKey;
use gatepost::rule::Tickets;
use gatepost::table::{RouteTable, RuleId};

use crate::endpoints::EndpointTable;
use crate::metrics::Metrics;

/// One table with what it needs to run.
#[derive(Debug)]
pub struct Served {
    /// The table.
    pub table: Arc<RouteTable>,
    /// Where backends are.
    pub endpoints: Arc<EndpointTable>,
    tickets: Vec<Arc<Tickets>>,
}

/// The counters of rules, kept from table to table so that shares stay exact over a change elsewhere.
#[derive(Debug, Default)]
pub struct Counters(BTreeMap<(ObjectKey, u16), Arc<Tickets>>);

impl Served {
    /// Takes the counters of rules that were there before, and makes those that were not.
    pub fn new(
        table: Arc<RouteTable>,
        endpoints: Arc<EndpointTable>,
        counters: &Counters,
    ) -> Served {
        let tickets = rules(&table).map(|key| match counters.0.get(&key) {
            Some(tickets) => tickets.clone(),
            None => Arc::new(Tickets::new(random())),
        });
        Served {
            tickets: tickets.collect(),
            endpoints,
            table,
        }
    }

    /// The next ticket of a rule.
    pub fn ticket(&self, rule: RuleId) -> u64 {
        self.tickets
            .get(rule.number() as usize)
            .map_or(0, |tickets| tickets.draw())
    }
}

impl Counters {
    /// The counters of all tables.
    pub fn of<'s>(served: impl Iterator<Item = &'s Arc<Served>>) -> Counters {
        let pairs =
            served.flat_map(|served| rules(&served.table).zip(served.tickets.iter().cloned()));
        Counters(pairs.collect())
    }
}

fn rules(table: &RouteTable) -> impl Iterator<Item = (ObjectKey, u16)> + '_ {
    table
        .rules()
        .map(|(route, rule)| (route.clone(), rule.index))
}

/// A number that differs from process to process, of the standard library's hash seed.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// What sockets share: the table that is served there, and the counters.
#[derive(Debug)]
pub struct Plane {
    /// The table.
    pub served: ArcSwap<Served>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Whether a line is logged for each request.
    pub access_log: bool,
    /// Connections to backends.
    pub forwarder: Arc<crate::forward::Forwarder>,
}
