//! Counters for Prometheus, their labels bounded by the configuration: never by what clients send. Those of rules that are
//! gone are taken back (see [`crate::state`]).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// By what requests are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Labels {
    /// `namespace/gateway/listener`, empty if none took the request.
    pub listener: Arc<str>,
    /// `namespace/name` of the route, empty if none served.
    pub route: Arc<str>,
    /// The rule's number, empty if none served.
    pub rule: Arc<str>,
    /// `namespace/service:port`, empty if none was asked.
    pub backend: Arc<str>,
    /// The status.
    pub status: u16,
}

/// All metrics of a proxy.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests answered.
    pub requests: Family<Labels, Counter>,
    /// Seconds until the head of the answer.
    pub latency: Histogram,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections closed because there were too many.
    pub connections_refused: Counter,
    /// Copies for mirrors that were left out: too many under way, or no endpoint.
    pub mirrors_dropped: Counter,
    /// Sessions of UDP that are open.
    pub udp_sessions: Gauge,
    /// Configurations taken up.
    pub reloads: Counter,
    /// Statuses written to the API server.
    pub status_writes: Counter,
    /// Statuses that somebody else wrote first, so that they were tried again.
    pub status_conflicts: Counter,
    /// Problems that the configuration has now.
    pub problems: Gauge<i64>,
    /// Number of the configuration that is served.
    pub generation: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("gatepost");
        let requests = Family::<Labels, Counter>::default();
        let latency = Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let (connections, reloads, problems) =
            (Gauge::default(), Counter::default(), Gauge::default());
        registry.register("requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "request",
            "Time until the head of the answer",
            Unit::Seconds,
            latency.clone(),
        );
        registry.register(
            "connections",
            "Connections that are open",
            connections.clone(),
        );
        let (connections_refused, mirrors_dropped, udp_sessions) =
            (Counter::default(), Counter::default(), Gauge::default());
        registry.register(
            "connections_refused",
            "Connections closed because there were too many",
            connections_refused.clone(),
        );
        registry.register(
            "mirrors_dropped",
            "Copies for mirrors that were left out",
            mirrors_dropped.clone(),
        );
        registry.register(
            "udp_sessions",
            "Sessions of UDP that are open",
            udp_sessions.clone(),
        );
        let (status_writes, status_conflicts) = (Counter::default(), Counter::default());
        registry.register(
            "status_writes",
            "Statuses written to the API server",
            status_writes.clone(),
        );
        registry.register(
            "status_conflicts",
            "Statuses that somebody else wrote first, so that they were tried again",
            status_conflicts.clone(),
        );
        registry.register("reloads", "Configurations taken up", reloads.clone());
        registry.register(
            "problems",
            "Problems that the configuration has now",
            problems.clone(),
        );
        Self {
            registry,
            requests,
            latency,
            connections,
            connections_refused,
            mirrors_dropped,
            udp_sessions,
            reloads,
            status_writes,
            status_conflicts,
            problems,
            generation: Counter::default(),
        }
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
