//! News → resolution → data plane → statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gatepost::controller::{Delta, Resolver};
use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::problem::{Level, Problem};
use gatepost::status::Facts;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::addresses::{Addresses, Assigned, Request, bindable};
use super::api::Api;
use super::board::{Board, Update};
use super::intake::{Intake, Sighting, Taken};
use super::kinds::{self, WATCHED};
use super::upkeep::{self, Wanted};
use super::watch::News;
use crate::data_plane::{DataPlane, Placed};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::reconcile::View;

/// How long the data plane waits for objects that something new refers to, so that it is not told half of a change.
const PATIENCE: Duration = Duration::from_millis(300);
/// The same at the start, when everything is new.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// Objects that are asked for at once.
const AT_ONCE: usize = 32;
/// News that are taken up together at the most.
const TOGETHER: usize = 4096;
/// How often a socket that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Keeps what is served, and what the API server is told, in step with what it says.
#[derive(Debug)]
pub(super) struct Controller {
    api: Api,
    intake: Intake,
    resolver: Resolver,
    data_plane: DataPlane,
    addresses: Addresses,
    board: Arc<Board>,
    wanted: watch::Sender<Wanted>,
    metrics: Arc<Metrics>,
    view: Arc<ArcSwap<View>>,
    news: mpsc::Sender<News>,
    crds: watch::Sender<u64>,
    room: Arc<Semaphore>,
    /// Kinds that nothing is known of yet.
    unknown: BTreeSet<Kind>,
    /// What cannot be read, by kind.
    failing: BTreeMap<Kind, String>,
    /// What cannot be written.
    refused: Arc<watch::Sender<Option<String>>>,
    /// Objects that cannot be used, and why.
    broken: BTreeMap<ObjectKey, String>,
    taken: Taken,
    /// What was last known of the world.
    facts: Facts,
    /// Until when the data plane waits.
    held: Option<Instant>,
    started: bool,
    /// Whether something besides the resources has changed.
    stale: bool,
}

/// What a controller is made of.
pub(super) struct Parts {
    pub(super) api: Api,
    pub(super) addresses: Addresses,
    pub(super) board: Arc<Board>,
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) view: Arc<ArcSwap<View>>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) crds: watch::Sender<u64>,
    pub(super) refused: Arc<watch::Sender<Option<String>>>,
}

impl Controller {
    pub(super) fn new(options: &Options, parts: Parts) -> Controller {
        let mut settings = options.controller.clone();
        settings.kubernetes = true;
        Controller {
            api: parts.api,
            intake: Intake::new(settings.controller_name.clone()),
            resolver: Resolver::new(settings),
            data_plane: DataPlane::new(options.clone(), parts.metrics.clone()),
            addresses: parts.addresses,
            board: parts.board,
            wanted: parts.wanted,
            metrics: parts.metrics,
            view: parts.view,
            news: parts.news,
            crds: parts.crds,
            room: Arc::new(Semaphore::new(AT_ONCE)),
            unknown: WATCHED.iter().map(|(kind, _)| *kind).collect(),
            failing: BTreeMap::new(),
            refused: parts.refused,
            broken: BTreeMap::new(),
            taken: Taken::default(),
            facts: Facts::default(),
            held: None,
            started: false,
            stale: false,
        }
    }

    /// Works until `stop`, then closes every socket.
    pub(super) async fn run(
        mut self,
        mut receiver: mpsc::Receiver<News>,
        mut leading: watch::Receiver<bool>,
        mut stop: watch::Receiver<bool>,
        told: watch::Sender<Vec<SocketAddr>>,
    ) {
        let mut refused = self.refused.subscribe();
        let mut again = tokio::time::interval(AGAIN);
        loop {
            let held = self.held;
            tokio::select! {
                _ = stop.changed() => break,
                news = receiver.recv() => {
                    let Some(news) = news else { break };
                    self.take(news);
                    for _ in 1..TOGETHER {
                        let Ok(news) = receiver.try_recv() else { break };
                        self.take(news);
                    }
                }
                changed = leading.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.board.lead(*leading.borrow_and_update());
                    self.stale = true;
                }
                changed = refused.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.publish(false);
                    continue;
                }
                () = tokio::time::sleep_until(held.unwrap_or_else(Instant::now)), if held.is_some() => {}
                _ = again.tick() => {
                    if !self.data_plane.failing() {
                        continue;
                    }
                    self.stale = true;
                }
            }
            self.step().await;
            told.send_replace(self.data_plane.addresses());
        }
        self.data_plane.close().await;
    }

    fn take(&mut self, news: News) {
        match &news {
            News::Listed(kind, version, objects) => {
                tracing::debug!(%kind, version, objects = objects.len(), "listed");
                self.known(*kind);
            }
            News::Absent(kind) => {
                tracing::info!(%kind, "the API server does not have this kind; it is taken up when it appears");
                self.known(*kind);
            }
            News::Failing(kind, verb, failure) => {
                if failure.forbidden() {
                    let group = kind.group();
                    let of = if group.is_empty() {
                        String::new()
                    } else {
                        format!(".{group}")
                    };
                    let line = format!(
                        "permission to {verb} {}{of} is missing: {failure}",
                        kinds::plural(*kind)
                    );
                    self.unknown.remove(kind);
                    if self.failing.get(kind) != Some(&line) {
                        tracing::error!("{line}");
                        self.failing.insert(*kind, line);
                        self.stale = true;
                    }
                } else {
                    tracing::debug!(%kind, verb, %failure, "the API server does not answer as it should");
                }
            }
            News::Fetched(key, Err(failure)) if !failure.missing() => {
                let plural = kinds::plural(key.kind);
                if failure.forbidden() {
                    let line = format!("permission to get {plural} is missing: {failure}");
                    if self.failing.get(&key.kind) != Some(&line) {
                        tracing::error!("{line}");
                        self.failing.insert(key.kind, line);
                        self.stale = true;
                    }
                }
                // It is needed all the same.
                self.fetch(key.clone(), Some(failure.down()));
                return;
            }
            News::Fetched(key, Ok(_)) => {
                self.failing.remove(&key.kind);
            }
            News::Fetched(..) | News::Put(..) | News::Gone(..) => {}
        }
        if let News::Put(Kind::CustomResourceDefinition, _)
        | News::Listed(Kind::CustomResourceDefinition, ..) = &news
        {
            self.crds
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        let subject = match &news {
            News::Put(kind, object) => kinds::key(*kind, object),
            News::Gone(key) => Some(key.clone()),
            _ => None,
        };
        if let Some(key) = subject
            && self.broken.remove(&key).is_some()
        {
            self.stale = true;
        }
        self.intake.take(news, &mut self.taken);
        for (key, why) in std::mem::take(&mut self.taken.broken) {
            tracing::warn!(object = %key, why, "cannot be understood");
            self.broken.insert(key, why);
            self.stale = true;
        }
        for key in std::mem::take(&mut self.taken.fetch) {
            self.fetch(key, None);
        }
    }

    fn known(&mut self, kind: Kind) {
        self.unknown.remove(&kind);
        if self.failing.remove(&kind).is_some() {
            tracing::info!(%kind, "can be read again");
            self.stale = true;
        }
    }

    /// Asks for an object; after a failure with a pause, or once the API server answers.
    fn fetch(&self, key: ObjectKey, failed: Option<bool>) {
        let (api, room, news) = (self.api.clone(), self.room.clone(), self.news.clone());
        tokio::spawn(async move {
            match failed {
                None => {}
                Some(true) => api.returns().await,
                Some(false) => tokio::time::sleep(AGAIN).await,
            }
            let Ok(_permit) = room.acquire().await else {
                return;
            };
            let answer = api.object(&key, key.kind.version()).await;
            // Nobody listens any more when all ends.
            let _ = news.send(News::Fetched(key, answer)).await;
        });
    }

    async fn step(&mut self) {
        if !self.unknown.is_empty() {
            return;
        }
        if self.intake.waiting() {
            let patience = if self.started {
                PATIENCE
            } else {
                FIRST_PATIENCE
            };
            let until = *self.held.get_or_insert_with(|| Instant::now() + patience);
            if Instant::now() < until {
                return;
            }
        }
        self.held = None;
        let taken = std::mem::take(&mut self.taken);
        let delta = self.resolver.apply(taken.changes);
        let changed = delta.changed;
        let first = !std::mem::replace(&mut self.started, true);
        let mut stale = std::mem::take(&mut self.stale);
        // Who does not write has addresses of the statuses that another writes.
        let gateways = |sighting: &Sighting| sighting.key.kind == Kind::Gateway;
        stale |= !self.board.leading() && taken.observed.iter().any(gateways);
        let update = if changed || first || stale {
            let facts = self.program(&taken.observed).await;
            self.update(facts, delta, first)
        } else {
            Update::Nothing
        };
        self.board.desire(update, taken.observed);
        self.tend();
        if changed || first {
            self.metrics.reloads.inc();
        }
        if changed || first || stale {
            self.publish(changed || first);
        }
    }

    /// The data plane first, then what is said of it.
    async fn program(&mut self, seen: &[Sighting]) -> Facts {
        let resolution = self.resolver.resolution().clone();
        let assigned = self.assign(seen);
        let at = |name: &NamespacedName| -> Vec<IpAddr> {
            assigned
                .get(name)
                .map(|assigned| assigned.addresses.clone())
                .unwrap_or_default()
        };
        let placed: Vec<Placed> = resolution
            .planes()
            .iter()
            .map(|plane| Placed {
                addresses: plane.gateways.iter().flat_map(at).collect(),
                table: plane.table.clone(),
            })
            .collect();
        self.data_plane.program(&resolution, &placed).await;
        let mut facts = Facts::default();
        for (name, assigned) in assigned {
            let unavailable = self.data_plane.unavailable(&name, &assigned.addresses);
            facts.unavailable.extend(unavailable);
            if let Some(why) = assigned.refused {
                facts.unusable.insert(name.clone(), why);
            }
            let addresses = assigned.addresses.iter().map(ToString::to_string);
            facts.addresses.insert(name, addresses.collect());
        }
        facts
    }

    /// The statuses that a change of resources or of the world touches.
    fn update(&mut self, facts: Facts, delta: Delta, first: bool) -> Update {
        let resolution = self.resolver.resolution();
        let before = std::mem::replace(&mut self.facts, facts);
        if first {
            return Update::Whole(resolution.statuses(&self.facts));
        }
        let mut touched = delta.statuses;
        if before != self.facts {
            touched.extend(resolution.touched_by(&before, &self.facts));
        }
        let statuses = resolution.statuses_of(&touched, &self.facts);
        Update::Some(touched, statuses)
    }

    fn assign(&mut self, seen: &[Sighting]) -> BTreeMap<NamespacedName, Assigned> {
        let resolved = self.resolver.resolution().resolved();
        let requests: Vec<Request> = resolved
            .gateways
            .iter()
            .filter(|(_, gateway)| gateway.rejected.is_none())
            .map(|(name, gateway)| {
                let key = ObjectKey::new(Kind::Gateway, name.namespace.clone(), name.name.clone());
                Request {
                    gateway: name.clone(),
                    wanted: gateway.addresses.clone(),
                    published: self.published(&key, seen),
                }
            })
            .collect();
        self.addresses
            .assign(&requests, self.board.leading(), bindable)
    }

    /// The addresses that a Gateway's status tells; `seen` is what the board does not know yet.
    fn published(&self, key: &ObjectKey, seen: &[Sighting]) -> Vec<IpAddr> {
        let newest = seen.iter().rev().find(|sighting| sighting.key == *key);
        let observed = match newest {
            Some(sighting) => sighting.observed.clone(),
            None => self.board.observed(key),
        };
        let status = observed.map(|observed| observed.status).unwrap_or_default();
        let addresses = status["addresses"].as_array().into_iter().flatten();
        addresses
            .filter_map(|address| address["value"].as_str()?.parse().ok())
            .collect()
    }

    /// Finalizers and ServiceAccounts.
    fn tend(&self) {
        let resolved = self.resolver.resolution().resolved();
        let wanted = upkeep::wanted(
            self.resolver.resources(),
            self.board.finalizers(self.resolver.resources()),
            resolved.gateways.keys(),
        );
        let leading = self.board.leading();
        self.wanted.send_if_modified(|before| {
            let changed = *before != wanted || leading;
            *before = wanted;
            changed
        });
    }

    fn publish(&self, count: bool) {
        let last = self.view.load();
        let problems: Vec<Problem> = self
            .broken
            .iter()
            .map(|(key, why)| Problem {
                level: Level::Warning,
                source: "the API server".into(),
                place: None,
                object: Some(key.to_string()),
                field: None,
                message: why.clone(),
            })
            .collect();
        let mut unready: Vec<String> = self.failing.values().cloned().collect();
        unready.extend(self.refused.borrow().clone());
        self.metrics
            .problems
            .set(i64::try_from(problems.len() + unready.len()).unwrap_or(i64::MAX));
        self.view.store(Arc::new(View {
            problems,
            unready,
            planes: self
                .started
                .then(|| self.resolver.resolution().planes().to_vec()),
            generation: last.generation + u64::from(count),
            statuses: Vec::new(),
        }));
    }
}
