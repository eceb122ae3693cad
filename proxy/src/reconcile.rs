//! News → resolution → tables swapped → sockets opened and closed → statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gatepost::controller::{Plane, Resolver};
use gatepost::key::ObjectKey;
use gatepost::problem::{Level, Problem};
use gatepost::resources::{Change, Resources};
use gatepost::status::{Facts, Statuses};
use gatepost::timestamp::Timestamp;
use serde_json::Value;

use crate::data_plane::{DataPlane, Placed};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::source::files::{Files, Reading};
use crate::time;

/// What everybody may look at.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct View {
    /// Our objects by name, each with its status; of Kubernetes none, as the API server has them.
    pub statuses: Vec<Arc<Value>>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Why traffic should rather go elsewhere, one line each: readiness is false while there is any.
    pub unready: Vec<String>,
    /// What is served where; `None` before the first configuration.
    pub planes: Option<Vec<Plane>>,
    /// Counts the configurations taken up.
    pub generation: u64,
}

/// Keeps what is served in step with what the source says.
#[derive(Debug)]
pub struct Reconciler {
    options: Options,
    files: Files,
    resolver: Resolver,
    data_plane: DataPlane,
    metrics: Arc<Metrics>,
    view: Arc<ArcSwap<View>>,
    problems: Vec<Problem>,
    /// What was last known of the world.
    facts: Facts,
    /// What is published of each object.
    objects: BTreeMap<ObjectKey, Arc<Value>>,
}

impl Reconciler {
    /// A reconciler that serves nothing yet.
    pub fn new(options: Options, metrics: Arc<Metrics>, view: Arc<ArcSwap<View>>) -> Reconciler {
        Reconciler {
            files: Files::new(options.paths.clone(), options.channel),
            resolver: Resolver::new(options.controller.clone()),
            data_plane: DataPlane::new(options.clone(), metrics.clone()),
            metrics,
            view,
            problems: Vec::new(),
            facts: Facts::default(),
            objects: BTreeMap::new(),
            options,
        }
    }

    /// Reads the source and takes up what is new. The reading is given back for whoever starts.
    pub async fn step(&mut self) -> Reading {
        let reading = self.files.read();
        let changes = changes(self.resolver.resources(), &reading.resources);
        let delta = self.resolver.apply(changes);
        let problems_changed = self.problems != reading.problems;
        let first = self.view.load().planes.is_none();
        if !(delta.changed || problems_changed || first || self.data_plane.failing()) {
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
        if delta.changed || first || self.data_plane.failing() {
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
        self.publish(delta.statuses, delta.changed || first);
        reading
    }

    async fn program(&mut self) {
        let resolution = self.resolver.resolution();
        let bind = self.options.bind;
        let placed: Vec<Placed> = resolution
            .planes()
            .iter()
            .map(|plane| Placed {
                addresses: addresses(&plane.addresses, bind),
                table: plane.table.clone(),
            })
            .collect();
        self.data_plane.program(resolution, &placed).await;
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
            let at = addresses(&gateway.addresses, bind);
            facts
                .unavailable
                .extend(self.data_plane.unavailable(name, &at));
        }
        facts
    }

    /// Publishes what there is; `touched` are the objects whose statuses may be others.
    fn publish(&mut self, mut touched: BTreeSet<ObjectKey>, count: bool) {
        let now = time::now();
        let facts = self.facts();
        let before = std::mem::replace(&mut self.facts, facts);
        let resolution = self.resolver.resolution();
        if before != self.facts {
            touched.extend(resolution.touched_by(&before, &self.facts));
        }
        let statuses = resolution.statuses_of(&touched, &self.facts);
        let resources = self.resolver.resources();
        let mut changed = false;
        for key in touched {
            let ours = resolution.resolved().finds(&key);
            let earlier = self.objects.get(&key);
            let object = ours
                .then(|| object(&key, resources, earlier.map(AsRef::as_ref), &statuses, now))
                .flatten();
            if object.as_ref() == earlier.map(AsRef::as_ref) {
                continue;
            }
            changed = true;
            match object {
                Some(object) => self.objects.insert(key, Arc::new(object)),
                None => self.objects.remove(&key),
            };
        }
        let last = self.view.load();
        self.view.store(Arc::new(View {
            problems: self.problems.clone(),
            unready: Vec::new(),
            planes: Some(resolution.planes().to_vec()),
            generation: last.generation + u64::from(count),
            statuses: self.objects.values().cloned().collect(),
        }));
        if let Some(path) = self.options.status_file.as_deref().filter(|_| changed)
            && let Err(error) = write(path, self.objects.values())
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
        self.data_plane.addresses()
    }

    /// Closes every socket and waits for requests to end.
    pub async fn close(&mut self) {
        self.data_plane.close().await;
    }
}

/// An object with its status: what was published before is what conditions keep their times from.
fn object(
    key: &ObjectKey,
    resources: &Resources,
    earlier: Option<&Value>,
    statuses: &Statuses,
    now: Timestamp,
) -> Option<Value> {
    let resource = resources.get(key)?;
    let status = match earlier.and_then(|earlier| earlier.get("status")) {
        None => statuses.status(key, resources, now)?,
        Some(earlier) => {
            let generation = resource.object().metadata().generation();
            statuses.over(key, earlier, generation, now)?
        }
    };
    let mut object = serde_json::json!({
        "apiVersion": key.kind.api_version(),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.name},
        "status": status,
    });
    if !key.namespace.is_empty() {
        object["metadata"]["namespace"] = Value::String(key.namespace.clone());
    }
    Some(object)
}

/// One JSON document after the other, which is a YAML stream; the file is replaced at once.
fn write<'o>(path: &Path, objects: impl Iterator<Item = &'o Arc<Value>>) -> std::io::Result<()> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_json::to_string_pretty(&**object)?);
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
    let mut changes = Vec::new();
    let (mut before, mut after) = (old.iter().peekable(), new.iter().peekable());
    loop {
        // Both ascend. What was not read anew is the very same.
        let (gone, come) = match (before.peek(), after.peek()) {
            (None, None) => return changes,
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) => (true, true),
            (Some((old, _)), Some((new, _))) => (old <= new, new <= old),
        };
        let gone = gone.then(|| before.next()).flatten();
        let come = come.then(|| after.next()).flatten();
        match (gone, come) {
            (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) || old == new => {}
            (_, Some((_, new))) => changes.push(Change::Put(new.clone())),
            (Some((key, _)), None) => changes.push(Change::Delete(key.clone())),
            (None, None) => {}
        }
    }
}
