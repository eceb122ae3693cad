//! Addresses by Service port: which endpoint is asked next, and which is left alone for a while.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use gatepost::controller::Resolution;
use gatepost::resolve::endpoints::Endpoints;
use gatepost::rule::ServicePort;

use crate::budget::Budget;
use crate::kept::Kept;

/// Endpoints that are looked at for one request.
const LOOKED_AT: usize = 64;
/// How long an endpoint that could not be connected to is left alone: doubled at each failure, up to 32 times this.
const LEFT_ALONE: Duration = Duration::from_millis(500);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The usable addresses of all Service ports that routes refer to.
#[derive(Debug, Default)]
pub struct EndpointTable {
    ports: HashMap<ServicePort, Port>,
}

/// A port: what was resolved, and what became of it.
#[derive(Clone, Debug)]
struct Port {
    resolved: Arc<Endpoints>,
    addresses: Arc<Addresses>,
}

/// The addresses of one port.
#[derive(Debug, Default)]
pub struct Addresses {
    list: Vec<Arc<Endpoint>>,
    turn: AtomicUsize,
    budget: Arc<Budget>,
}

/// One address, with what is known of it.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: SocketAddr,
    /// Connections to it that are not in use.
    pub kept: Arc<Kept>,
    /// Requests and connections that it has now.
    active: AtomicUsize,
    /// Failures to connect since the last success.
    failures: AtomicU32,
    /// Milliseconds after [`START`] when it may be tried again.
    again: AtomicU64,
}

impl EndpointTable {
    /// What a resolution says, and for ports without any address what the user says. What is known of an address that
    /// was there before stays; where nothing has changed, it is the table that was there before.
    pub fn following(
        before: &Arc<EndpointTable>,
        resolution: &Resolution,
        overrides: &BTreeMap<String, Vec<SocketAddr>>,
    ) -> Arc<EndpointTable> {
        let same = |(port, endpoints): (&ServicePort, &Arc<Endpoints>)| {
            let known = before.ports.get(port);
            known.is_some_and(|known| Arc::ptr_eq(&known.resolved, endpoints))
        };
        if resolution.all_endpoints().count() == before.ports.len()
            && resolution.all_endpoints().all(same)
        {
            return before.clone();
        }
        let ports = resolution.all_endpoints().map(|(port, endpoints)| {
            let known = before.ports.get(port);
            if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.resolved, endpoints)) {
                return (port.clone(), known.clone());
            }
            let mut list: Vec<SocketAddr> = endpoints
                .usable()
                .map(|endpoint| endpoint.address)
                .collect();
            if list.is_empty() {
                let given = overrides.get(&port.to_string());
                list = given.cloned().unwrap_or_default();
            }
            let known = known.map(|known| &*known.addresses);
            let port_now = Port {
                resolved: endpoints.clone(),
                addresses: Arc::new(Addresses::new(list, known)),
            };
            (port.clone(), port_now)
        });
        Arc::new(EndpointTable {
            ports: ports.collect(),
        })
    }

    /// The addresses of a port.
    pub fn get(&self, port: &ServicePort) -> Option<&Arc<Addresses>> {
        self.ports.get(port).map(|port| &port.addresses)
    }
}

impl Addresses {
    fn new(list: Vec<SocketAddr>, before: Option<&Addresses>) -> Addresses {
        let known: BTreeMap<SocketAddr, &Arc<Endpoint>> = before
            .into_iter()
            .flat_map(|before| &before.list)
            .map(|endpoint| (endpoint.address, endpoint))
            .collect();
        let endpoint = |address: SocketAddr| match known.get(&address) {
            Some(endpoint) => (*endpoint).clone(),
            None => Arc::new(Endpoint::new(address)),
        };
        Addresses {
            list: list.into_iter().map(endpoint).collect(),
            turn: AtomicUsize::new(0),
            budget: before
                .map(|before| before.budget.clone())
                .unwrap_or_default(),
        }
    }

    /// All of them.
    pub fn list(&self) -> &[Arc<Endpoint>] {
        &self.list
    }

    /// How many retries are left.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The endpoint with the least requests among those not tried yet, in turn among equals. One that could not be
    /// connected to is passed over for a while, then tried by one request; where there is no other it is asked all the same.
    pub fn choose(&self, tried: &[SocketAddr]) -> Option<Arc<Endpoint>> {
        let count = self.list.len();
        if count == 0 {
            return None;
        }
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let (before, after) = self.list.split_at(start);
        let mut best: Option<(usize, &Arc<Endpoint>)> = None;
        let mut down: Option<&Arc<Endpoint>> = None;
        for endpoint in after.iter().chain(before).take(LOOKED_AT) {
            if tried.contains(&endpoint.address) {
                continue;
            }
            if !endpoint.usable() {
                down.get_or_insert(endpoint);
                continue;
            }
            let active = endpoint.active.load(Ordering::Relaxed);
            if best.is_none_or(|(least, _)| active < least) {
                best = Some((active, endpoint));
            }
            if active == 0 {
                break;
            }
        }
        best.map(|(_, endpoint)| endpoint).or(down).cloned()
    }
}

impl Endpoint {
    /// An endpoint of which nothing is known.
    pub fn new(address: SocketAddr) -> Endpoint {
        Endpoint {
            address,
            kept: Arc::default(),
            active: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            again: AtomicU64::new(0),
        }
    }

    /// It could be connected to.
    pub fn alive(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// It could not.
    pub fn dead(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(5);
        self.again.store(now() + pause(failures), Ordering::Relaxed);
    }

    /// Whether it may be asked; of those that ask when the time has come, one gets a yes.
    fn usable(&self) -> bool {
        let failures = self.failures.load(Ordering::Relaxed);
        if failures == 0 {
            return true;
        }
        let (again, now) = (self.again.load(Ordering::Relaxed), now());
        let later = now + pause(failures.min(5));
        again <= now
            && self
                .again
                .compare_exchange(again, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Counts something that it has to do, until that is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.active.fetch_add(1, Ordering::Relaxed);
        Busy {
            endpoint: self.clone(),
        }
    }
}

fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn pause(failures: u32) -> u64 {
    let least = u64::try_from(LEFT_ALONE.as_millis()).unwrap_or(u64::MAX);
    least << failures.min(5)
}

/// A request or connection that an endpoint has.
#[derive(Debug)]
pub struct Busy {
    endpoint: Arc<Endpoint>,
}

impl Busy {
    /// The endpoint.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.endpoint.active.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u16) -> Addresses {
        let list = (1..=count).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        Addresses::new(list.collect(), None)
    }

    #[test]
    fn the_least_busy_is_chosen_and_equals_take_turns() {
        let addresses = addresses(3);
        let mut held = Vec::new();
        for round in 1..=3 {
            for _ in 0..3 {
                held.push(addresses.choose(&[]).expect("one").busy());
            }
            let counts: Vec<usize> = addresses
                .list
                .iter()
                .map(|one| one.active.load(Ordering::Relaxed))
                .collect();
            assert_eq!(counts, [round; 3]);
        }
        let free = held.remove(4);
        let address = free.endpoint().address;
        drop(free);
        assert_eq!(addresses.choose(&[]).expect("one").address, address);
    }

    #[test]
    fn a_dead_endpoint_is_skipped_and_one_request_tries_it_later() {
        let addresses = addresses(2);
        let dead = addresses.list[0].clone();
        dead.dead();
        for _ in 0..10 {
            assert_ne!(addresses.choose(&[]).expect("one").address, dead.address);
        }
        // With nothing else left it is asked all the same.
        let other = addresses.list[1].address;
        assert_eq!(
            addresses.choose(&[other]).expect("one").address,
            dead.address
        );
        dead.again.store(0, Ordering::Relaxed);
        assert!(dead.usable() && !dead.usable());
        dead.alive();
        assert!(dead.usable() && dead.usable());
    }

    #[test]
    fn what_is_known_of_an_address_outlives_a_change() {
        let before = addresses(2);
        before.list[0].dead();
        let after = Addresses::new(vec![before.list[0].address], Some(&before));
        assert_eq!(after.list[0].failures.load(Ordering::Relaxed), 1);
    }
}
