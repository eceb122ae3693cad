//! Tables, counted, with what a host keeps beside them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use gatepost::rule::{Backend, Protocol, ServicePort};
use gatepost::table::{Match, MatchId, RouteTable};

use crate::code::{Code, GATEPOST_E_ARGUMENT, GATEPOST_E_STALE, GATEPOST_OK};
use crate::error::answering;
use crate::guard;
use crate::pointers::{
    Attached, Context, DestroyFn, Lent, Out, Shared, plain_struct, shared_struct,
};

/// The number of a backend that is none of the table's.
pub const GATEPOST_NO_ID: u32 = u32::MAX;

/// Numbers of tables: they grow within a process and are never 0.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// A table of routes: it never changes, is counted, and is shared by threads.
#[derive(Debug)]
pub struct Table {
    pub(crate) routes: Arc<RouteTable>,
    generation: u64,
    /// The port of the HTTP and HTTPS listeners, if there is just one.
    only_port: Option<u16>,
    /// All destinations in order: a backend's number is its position here.
    destinations: Vec<ServicePort>,
    /// For each rule the numbers of its backends: `numbers[starts[rule]..]`.
    starts: Vec<usize>,
    numbers: Vec<u32>,
    attached: OnceLock<Attached>,
}

/// A match by number. It survives the phases of a server, and outlives the memory of the request; together with the table it
/// is the match.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// The table's number (`gatepost_table_generation`); 0 in an id that was never set.
    pub table: u64,
    /// The match in it.
    pub matched: u64,
}

impl Id {
    /// Never set.
    pub(crate) const EMPTY: Id = Id {
        table: 0,
        matched: 0,
    };
}

plain_struct!(Id { table, matched });

/// Bytes that a table holds, by part. Expressions of header and query matches are not counted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// `sizeof(gatepost_memory)`; `GATEPOST_MEMORY_INIT` sets it.
    pub size: u32,
    /// How many rules there are: ids of rules are below.
    pub rules_len: u32,
    /// How many backends there are: ids of backends are below.
    pub backends_len: u32,
    /// Always 0.
    pub reserved: u32,
    /// All of it.
    pub total: u64,
    /// Hostnames, paths and values, each stored once.
    pub texts: u64,
    /// Listeners and hosts.
    pub hosts: u64,
    /// Paths.
    pub paths: u64,
    /// Candidates, and how they are told apart.
    pub candidates: u64,
    /// Automata of the expressions over paths.
    pub patterns: u64,
    /// Numbers of rules and backends.
    pub rules: u64,
}

impl Memory {
    const EMPTY: Memory = Memory {
        size: 0,
        rules_len: 0,
        backends_len: 0,
        reserved: 0,
        total: 0,
        texts: 0,
        hosts: 0,
        paths: 0,
        candidates: 0,
        patterns: 0,
        rules: 0,
    };
}

shared_struct!(Memory {
    size,
    rules_len,
    backends_len,
    reserved,
    total,
    texts,
    hosts,
    paths,
    candidates,
    patterns,
    rules
});

impl Table {
    /// Numbers the backends of a table.
    pub fn new(routes: Arc<RouteTable>) -> Table {
        let ports = routes.listeners().iter().filter_map(|listener| {
            let web = matches!(listener.protocol, Protocol::Http | Protocol::Https);
            web.then_some(listener.port)
        });
        let only_port = ports
            .map(Some)
            .reduce(|one, two| if one == two { one } else { None })
            .flatten();
        let of_rule = |rule: &gatepost::rule::Rule| {
            let mirrors = rule.filters.mirrors.iter().map(|mirror| &mirror.backend);
            let auth = rule.filters.external_auth.iter().map(|auth| &auth.backend);
            let own = rule.backends.entries().iter().flat_map(|backend| {
                let mirrors = backend.filters.mirrors.iter().map(|mirror| &mirror.backend);
                std::iter::once(backend).chain(mirrors)
            });
            let all = own.chain(mirrors).chain(auth);
            let known = all.filter_map(|backend| backend.destination.as_ref().ok());
            known
                .map(|destination| destination.port.clone())
                .collect::<Vec<_>>()
        };
        let mut destinations: Vec<ServicePort> =
            routes.rules().flat_map(|(_, rule)| of_rule(rule)).collect();
        destinations.sort_unstable();
        destinations.dedup();
        destinations.shrink_to_fit();
        let mut table = Table {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            only_port,
            destinations,
            starts: Vec::with_capacity(routes.rule_slots() as usize),
            numbers: Vec::new(),
            attached: OnceLock::new(),
            routes: routes.clone(),
        };
        // A number that is free has no backends.
        for rule in routes.rules_by_number() {
            table.starts.push(table.numbers.len());
            let backends = rule.map_or(&[][..], |(_, rule)| rule.backends.entries());
            for backend in backends {
                let number = table.number(backend);
                table.numbers.push(number);
            }
        }
        table.numbers.shrink_to_fit();
        table
    }

    /// Its own number.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The port of its HTTP and HTTPS listeners, if there is just one.
    pub fn only_port(&self) -> Option<u16> {
        self.only_port
    }

    /// All destinations, in the order of their numbers.
    pub fn destinations(&self) -> &[ServicePort] {
        &self.destinations
    }

    /// The number of a backend, looked up.
    pub fn number(&self, backend: &Backend) -> u32 {
        let destination = backend.destination.as_ref().ok();
        let position = destination.and_then(|one| self.destinations.binary_search(&one.port).ok());
        position
            .and_then(|position| u32::try_from(position).ok())
            .unwrap_or(GATEPOST_NO_ID)
    }

    /// The number of a rule's backend, by the rule's number and the backend's place in its list.
    pub fn number_in(&self, rule: u32, index: u16) -> u32 {
        let start = self.starts.get(rule as usize).copied();
        let number = start.and_then(|start| self.numbers.get(start + usize::from(index)));
        number.copied().unwrap_or(GATEPOST_NO_ID)
    }

    /// The id of a match that was found here.
    pub fn id(&self, id: MatchId) -> Id {
        Id {
            table: self.generation,
            matched: id.to_bits(),
        }
    }

    /// The match of an id.
    ///
    /// # Errors
    ///
    /// If it was found in another table.
    pub fn resume(&self, id: Id) -> Result<Match<'_>, Code> {
        if id.table != self.generation {
            return Err(GATEPOST_E_STALE);
        }
        let found = self.routes.resume(MatchId::from_bits(id.matched));
        found.ok_or(GATEPOST_E_STALE)
    }

    /// The table that a caller names, and the match of it that an id means.
    pub fn resumed(table: Option<&Table>, id: Id) -> Result<(&Table, Match<'_>), Code> {
        let table = table.ok_or(GATEPOST_E_ARGUMENT)?;
        Ok((table, table.resume(id)?))
    }

    fn memory(&self) -> Memory {
        let part = |bytes: usize| bytes as u64;
        let core = self.routes.memory();
        let own = self.destinations.capacity() * size_of::<ServicePort>()
            + self.starts.capacity() * size_of::<usize>()
            + self.numbers.capacity() * size_of::<u32>();
        Memory {
            size: 0,
            rules_len: self.routes.rule_slots(),
            backends_len: u32::try_from(self.destinations.len()).unwrap_or(u32::MAX),
            reserved: 0,
            total: part(core.total() + own),
            texts: part(core.texts),
            hosts: part(core.hosts),
            paths: part(core.paths),
            candidates: part(core.candidates),
            patterns: part(core.patterns),
            rules: part(core.rules + own),
        }
    }
}

/// One more reference to a table, to be ended by `gatepost_table_release`. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_table_retain(table: Lent<Table>) -> Shared<Table> {
    table.share().map_or(Shared::NONE, Shared::new)
}

/// Ends one reference to a table; the last one ends the table. That takes milliseconds for large ones. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_table_release(table: Shared<Table>) {
    guard::or((), || drop(table.take()));
}

/// The number of a table: it grows within a process and is never 0, but for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_table_generation(table: Option<&Table>) -> u64 {
    table.map_or(0, Table::generation)
}

/// What a table holds, in bytes, and how many rules and backends it numbers. The rules themselves (names, filters) are not
/// counted.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_table_memory(table: Option<&Table>, mut out: Out<Memory>) -> Code {
    answering(|| {
        out.check()?;
        let table = table.ok_or(GATEPOST_E_ARGUMENT)?;
        out.write(&table.memory())?;
        Ok(GATEPOST_OK)
    })
}

/// Hangs the host's own data on a table (its upstreams by number of backend, say). Once for each table, best before it is
/// published. `destroy` runs on whichever thread drops the last reference; it may be NULL. `GATEPOST_E_ARGUMENT` if there is
/// data already: what was given stays the caller's then.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_table_attach(
    table: Option<&Table>,
    data: Context,
    destroy: DestroyFn,
) -> Code {
    answering(|| {
        let table = table.ok_or(GATEPOST_E_ARGUMENT)?;
        match table.attached.set(Attached::new(data, destroy)) {
            Ok(()) => Ok(GATEPOST_OK),
            Err(refused) => {
                refused.give_back();
                Err(GATEPOST_E_ARGUMENT)
            }
        }
    })
}

/// The data that was hung on a table; NULL if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_table_attached(table: Option<&Table>) -> Context {
    let attached = table.and_then(|table| table.attached.get());
    attached.map_or(Context::NONE, Attached::data)
}
