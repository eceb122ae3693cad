//! News → resolution → tables swapped → sockets opened and closed → statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use gatepost::controller::{Resolution, Resolver};
use gatepost::key::ObjectKey;
use gatepost::problem::{Level, Problem};
use gatepost::resources::{Change, Resources};
use gatepost::rule::Protocol;
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::backend_tls::TlsClients;
use crate::endpoints::EndpointTable;
use crate::listen::{self, Sockets, Transport};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::pool::Pool;
use crate::source::files::{Files, Reading};
use crate::state::{Plane, Rules, Served};

/// What everybody may look at.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct View {
    /// The resources, statuses of ours written into them.
    pub statuses: Vec<Value>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is resolved.
    pub resolution: Option<Arc<Resolution>>,
    /// Counts the configurations taken up.
    pub generation: u64,
}

/// Keeps what is served in step with what the source says.
#[derive(Debug)]
pub struct Reconciler {
    options: Options,
    files: Files,
    resolver: Resolver,
    sockets: Sockets,
    planes: BTreeMap<Vec<String>, Arc<Plane>>,
    metrics: Arc<Metrics>,
    pool: Arc<Pool>,
    tls_clients: Arc<TlsClients>,
    mirrors: Arc<Semaphore>,
    endpoints: Arc<EndpointTable>,
    view: Arc<ArcSwap<View>>,
    problems: Vec<Problem>,
    failed: BTreeMap<(Transport, SocketAddr), String>,
}

impl Reconciler {
    /// A reconciler that serves nothing yet.
    pub fn new(options: Options, metrics: Arc<Metrics>, view: Arc<ArcSwap<View>>) -> Reconciler {
        Reconciler {
            files: Files::new(options.paths.clone(), options.channel),
            resolver: Resolver::new(options.controller.clone()),
            sockets: Sockets::new(),
            planes: BTreeMap::new(),
            pool: Arc::new(Pool::new(options.connect_timeout)),
            tls_clients: Arc::default(),
            mirrors: Arc::new(Semaphore::new(options.limits.mirrors)),
            endpoints: Arc::default(),
            metrics,
            view,
            problems: Vec::new(),
            failed: BTreeMap::new(),
            options,
        }
    }

    /// Reads the source and takes up what is new. The reading is given back for whoever starts.
    pub async fn step(&mut self) -> Reading {
        let reading = self.files.read();
        let changes = changes(self.resolver.resources(), &reading.resources);
        let delta = self.resolver.apply(changes);
        let problems_changed = self.problems != reading.problems;
        let first = self.view.load().resolution.is_none();
        if !(delta.changed || problems_changed || first || !self.failed.is_empty()) {
            return reading;
        }
        if problems_changed {
            for problem in reading
                .problems
                .iter()
                .filter(|problem| !self.problems.contains(problem))
            {
                match problem.level {
                    Level::Error => tracing::error!("{problem}"),
                    Level::Warning => tracing::warn!("{problem}"),
                    Level::Note => tracing::info!("{problem}"),
                }
            }
            self.problems = reading.problems.clone();
        }
        if delta.changed || first || !self.failed.is_empty() {
            self.program().await;
        }
        if delta.changed || first {
            self.metrics.reloads.inc();
        }
        let errors = self
            .problems
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .count();
        self.metrics
            .problems
            .set(i64::try_from(errors).unwrap_or(i64::MAX));
        self.publish(delta.changed || first);
        reading
    }

    /// Swaps tables, then opens sockets that are new and closes those that nothing asks for any more.
    async fn program(&mut self) {
        let resolution = self.resolver.resolution();
        let endpoints = EndpointTable::new(resolution, &self.options.endpoints, &self.endpoints);
        let endpoints = Arc::new(endpoints);
        self.endpoints = endpoints.clone();
        let served: Vec<Arc<Served>> = self
            .planes
            .values()
            .map(|plane| plane.served.load_full())
            .collect();
        let rules = Rules::of(served.iter());
        let mut wanted: BTreeMap<(Transport, SocketAddr), (u16, Arc<Plane>)> = BTreeMap::new();
        let mut planes = BTreeMap::new();
        for plane in resolution.planes() {
            let served = Arc::new(Served::new(plane.table.clone(), endpoints.clone(), &rules));
            let running = match self.planes.get(&plane.addresses) {
                Some(running) => {
                    running.served.store(served);
                    running.clone()
                }
                None => Arc::new(Plane {
                    served: ArcSwap::new(served),
                    metrics: self.metrics.clone(),
                    access_log: self.options.access_log,
                    pool: self.pool.clone(),
                    tls_clients: self.tls_clients.clone(),
                    mirrors: self.mirrors.clone(),
                    limits: self.options.limits,
                }),
            };
            let ports: BTreeSet<(Transport, u16)> = plane
                .table
                .listeners()
                .iter()
                .map(|listener| (transport(listener.protocol), listener.port))
                .collect();
            for (transport, port) in ports {
                for address in addresses(&plane.addresses, self.options.bind) {
                    match port.checked_add(self.options.port_offset) {
                        Some(bound) => {
                            let address = SocketAddr::new(address, bound);
                            wanted.insert((transport, address), (port, running.clone()));
                        }
                        None => tracing::error!(
                            port,
                            offset = self.options.port_offset,
                            "the port and the offset exceed 65535"
                        ),
                    }
                }
            }
            planes.insert(plane.addresses.clone(), running);
        }
        self.planes = planes;
        let served: Vec<Arc<Served>> = self
            .planes
            .values()
            .map(|plane| plane.served.load_full())
            .collect();
        rules.forget(&Rules::of(served.iter()), &self.metrics);
        self.failed.clear();
        let kept = |address: &(Transport, SocketAddr), socket: &listen::Socket| {
            wanted
                .get(address)
                .is_some_and(|(_, plane)| Arc::ptr_eq(plane, socket.plane()))
        };
        let gone: Vec<(Transport, SocketAddr)> = self
            .sockets
            .iter()
            .filter(|(address, socket)| !kept(address, socket))
            .map(|(address, _)| *address)
            .collect();
        for address in gone {
            if let Some(socket) = self.sockets.remove(&address) {
                tracing::info!(transport = ?address.0, address = %address.1, "closed");
                // Requests under way end by themselves; the socket itself is closed at once.
                tokio::spawn(socket.close());
            }
        }
        for (address, (port, plane)) in wanted {
            if self.sockets.contains_key(&address) {
                continue;
            }
            match listen::open(address, port, plane, self.options.drain).await {
                Ok(socket) => {
                    tracing::info!(transport = ?address.0, address = %address.1, port, "listening");
                    self.sockets.insert(address, socket);
                }
                Err(error) => {
                    tracing::error!(transport = ?address.0, address = %address.1, port, %error, "cannot listen");
                    self.failed.insert(address, error.to_string());
                }
            }
        }
    }

    fn facts(&self) -> Facts {
        let bind = self.options.bind;
        let default = if bind.is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            bind.to_string()
        };
        let mut facts = Facts {
            default_addresses: vec![default],
            ..Facts::default()
        };
        for (name, gateway) in &self.resolver.resolution().resolved().gateways {
            if !gateway.addresses.is_empty() {
                facts
                    .addresses
                    .insert(name.clone(), gateway.addresses.clone());
            }
            for address in addresses(&gateway.addresses, bind) {
                for listener in &gateway.listeners {
                    let bound = listener.port.checked_add(self.options.port_offset);
                    let transport = listener.protocol.map(transport);
                    let failed = transport.zip(bound).and_then(|(transport, bound)| {
                        self.failed
                            .get(&(transport, SocketAddr::new(address, bound)))
                    });
                    if let Some(why) = failed {
                        facts
                            .unavailable
                            .insert((name.clone(), listener.port), why.clone());
                    }
                }
            }
        }
        facts
    }

    fn publish(&mut self, count: bool) {
        let now = Timestamp::from_unix_seconds(unix_seconds());
        let statuses = self.resolver.resolution().statuses(&self.facts());
        let before: BTreeMap<String, Value> = self
            .view
            .load()
            .statuses
            .iter()
            .map(|object| (name(object), object.clone()))
            .collect();
        let resources = self.resolver.resources();
        let objects: Vec<Value> = statuses
            .keys()
            .filter_map(|key| object(key, resources, &before, &statuses, now))
            .collect();
        let last = self.view.load();
        let changed = last.statuses != objects;
        self.view.store(Arc::new(View {
            problems: self.problems.clone(),
            resolution: Some(Arc::new(self.resolver.resolution().clone())),
            generation: last.generation + u64::from(count),
            statuses: objects,
        }));
        if let Some(path) = self.options.status_file.as_deref().filter(|_| changed)
            && let Err(error) = write(path, &self.view.load().statuses)
        {
            tracing::error!(path = %path.display(), %error, "statuses cannot be written");
        }
    }

    /// The view that everybody may look at.
    pub fn view(&self) -> &Arc<ArcSwap<View>> {
        &self.view
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.keys().map(|(_, address)| *address).collect()
    }

    /// Closes every socket and waits for requests to end.
    pub async fn close(&mut self) {
        let closing: Vec<_> = std::mem::take(&mut self.sockets)
            .into_values()
            .map(|socket| tokio::spawn(socket.close()))
            .collect();
        for close in closing {
            // A task that panicked has closed its socket too.
            let _ = close.await;
        }
    }
}

/// An object with its status: what was published before is what conditions keep their times from.
fn object(
    key: &ObjectKey,
    resources: &Resources,
    before: &BTreeMap<String, Value>,
    statuses: &gatepost::status::Statuses,
    now: Timestamp,
) -> Option<Value> {
    let resource = resources.get(key)?;
    let mut object = serde_json::json!({
        "apiVersion": key.kind.api_version(),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.name},
    });
    if !key.namespace.is_empty() {
        object["metadata"]["namespace"] = Value::String(key.namespace.clone());
    }
    let earlier = before
        .get(&name(&object))
        .and_then(|earlier| earlier.get("status"))
        .cloned();
    object["status"] = match earlier {
        None => statuses.status(key, resources, now)?,
        Some(earlier) => {
            let mut whole = resource.to_json();
            whole["status"] = earlier;
            let resource = gatepost::resources::Resource::from_json(whole).ok()?;
            let one: Resources = std::iter::once(Arc::new(resource)).collect();
            statuses.status(key, &one, now)?
        }
    };
    Some(object)
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    format!(
        "{}/{}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

fn transport(protocol: Protocol) -> Transport {
    match protocol {
        Protocol::Udp => Transport::Udp,
        Protocol::Http | Protocol::Https | Protocol::Tls | Protocol::Tcp => Transport::Tcp,
    }
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// One JSON document after the other, which is a YAML stream; the file is replaced at once.
fn write(path: &Path, objects: &[Value]) -> std::io::Result<()> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_json::to_string_pretty(object)?);
        text.push('\n');
    }
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text)?;
    std::fs::rename(&draft, path)
}

fn addresses(own: &[String], bind: IpAddr) -> Vec<IpAddr> {
    if own.is_empty() {
        vec![bind]
    } else {
        own.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

/// What it takes to make the old resources the new ones.
fn changes(old: &Resources, new: &Resources) -> Vec<Change> {
    let put = new
        .iter()
        .filter(|(key, resource)| old.get(key) != Some(resource))
        .map(|(_, resource)| Change::Put(resource.clone()));
    let gone = old
        .iter()
        .filter(|(key, _)| new.get(key).is_none())
        .map(|(key, _)| Change::Delete(key.clone()));
    put.chain(gone).collect()
}
