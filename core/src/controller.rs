//! Resources in; tables, endpoints and statuses out.
//!
//! ```
//! use gatepost::{controller::Controller, document::Limits, key::{Channel, NamespacedName}, manifest};
//! let text = br#"
//! apiVersion: gateway.networking.k8s.io/v1
//! kind: Gateway
//! metadata: {name: gw, namespace: infra}
//! spec: {gatewayClassName: gatepost, listeners: [{name: http, port: 80, protocol: HTTP}]}
//! "#;
//! let loaded = manifest::read("gateway.yaml", text, &Limits::default());
//! let collected = manifest::collect([loaded], Channel::Standard, &Limits::default());
//! let resolution = Controller::default().resolve(&collected.resources);
//! let table = resolution.table(&NamespacedName::new("infra", "gw")).expect("the Gateway is ours");
//! assert_eq!(table.listeners()[0].port, 80);
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::filter::FilterType;
use crate::key::{Kind, NamespacedName, ObjectKey};
use crate::pattern::PatternLimits;
use crate::resolve::endpoints::Endpoints;
use crate::resolve::{Changed, Resolved, Settings, State, Touched};
use crate::resources::{Change, Resource, Resources};
use crate::rule::ServicePort;
use crate::status::{Facts, Statuses};
use crate::table::{RouteTable, TableInput, TableSettings};
use crate::target::{EncodedSlash, PathPolicy};
use crate::timestamp::Timestamp;

/// The controller name that classes of ours carry, unless the caller says another.
pub const CONTROLLER_NAME: &str = "gatepost.dev/gateway-controller";

/// The annotation of a Gateway that sets its path policy.
pub const PATH_POLICY_ANNOTATION: &str = "gatepost.dev/path-policy";

/// Plain settings of resolution.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Controller {
    /// `GatewayClass.spec.controllerName` of the classes that are ours.
    pub controller_name: String,
    /// Whether this is Kubernetes: classes have to be defined, and every Gateway has an address of its own.
    pub kubernetes: bool,
    /// How request paths are brought into canonical form.
    pub path_policy: PathPolicy,
    /// The key of the tables' hashes: see [`TableSettings::hash_key`].
    pub hash_key: [u64; 2],
    /// What a regular expression may cost.
    pub pattern_limits: PatternLimits,
    /// Types of filters that the caller's data plane does not carry out: rules that use them are invalid
    /// (`UnsupportedValue`), because a filter is never skipped.
    pub unsupported_filters: Vec<FilterType>,
    /// Whether the caller's data plane sends spans: without, an XTelemetryPolicy that asks for them is not accepted.
    pub tracing: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            controller_name: CONTROLLER_NAME.to_owned(),
            kubernetes: false,
            path_policy: PathPolicy::default(),
            hash_key: [0; 2],
            pattern_limits: PatternLimits::default(),
            unsupported_filters: Vec::new(),
            tracing: false,
        }
    }
}

impl Controller {
    /// Resolves all resources. Total: whatever they are, tables and statuses come out.
    ///
    /// The cost is linear in the resources, but for sorting and for looking up grants. To follow changes, keep a [`Resolver`].
    pub fn resolve(&self, resources: &Resources) -> Resolution {
        let mut resolution = self.nothing();
        let settings = self.settings();
        State::once(&mut resolution.resolved, resources, &settings);
        let all = &mut BTreeSet::new();
        resolution.planes = self.planes(resources, &resolution, &[], all);
        resolution
    }

    /// What no resources come to, but for tables.
    fn nothing(&self) -> Resolution {
        Resolution {
            controller_name: self.controller_name.clone(),
            resolved: Resolved::default(),
            planes: Vec::new(),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            controller_name: self.controller_name.clone(),
            implicit_class: (!self.kubernetes).then(|| "gatepost".to_owned()),
            shared_address: !self.kubernetes,
            pattern_limits: self.pattern_limits.clone(),
            unsupported_filters: self.unsupported_filters.clone(),
            tracing: self.tracing,
        }
    }

    /// Brings a resolution up to resources that have changed; the Gateways whose tables are others come second.
    fn follow(
        &self,
        state: &mut State,
        resolution: &mut Resolution,
        resources: &Resources,
        changes: &[Changed],
    ) -> (Touched, BTreeSet<NamespacedName>) {
        let settings = self.settings();
        let touched = state.update(&mut resolution.resolved, resources, &settings, changes);
        let gateway = |change: &Changed| change.key.kind == Kind::Gateway;
        let mut tables = touched.gateways.clone();
        if !tables.is_empty() || changes.iter().any(gateway) {
            let before = std::mem::take(&mut resolution.planes);
            resolution.planes = self.planes(resources, resolution, &before, &mut tables);
        }
        (touched, tables)
    }

    fn planes(
        &self,
        resources: &Resources,
        resolution: &Resolution,
        before: &[Plane],
        tables: &mut BTreeSet<NamespacedName>,
    ) -> Vec<Plane> {
        let resolved = &resolution.resolved;
        let mut groups: BTreeMap<&[String], Vec<&NamespacedName>> = BTreeMap::new();
        let mut planes: Vec<(&[String], Vec<&NamespacedName>)> = Vec::new();
        for (name, gateway) in &resolved.gateways {
            if self.kubernetes {
                planes.push((&gateway.addresses, vec![name]));
            } else {
                groups.entry(&gateway.addresses).or_default().push(name);
            }
        }
        planes.extend(groups);
        let old: BTreeMap<&[NamespacedName], &Plane> = before
            .iter()
            .map(|plane| (plane.gateways.as_slice(), plane))
            .collect();
        // One that gains or loses a Gateway still has most of what it had.
        let near: BTreeMap<&[String], &Plane> = before
            .iter()
            .filter(|_| !self.kubernetes)
            .map(|plane| (plane.addresses.as_slice(), plane))
            .collect();
        let plane = |(addresses, gateways): (&[String], Vec<&NamespacedName>)| {
            let gateways: Vec<NamespacedName> = gateways.into_iter().cloned().collect();
            // Gateways that share an address share the strictest policy.
            let policies = gateways.iter().filter_map(|name| {
                let gateway = resources.gateway(&name.namespace, &name.name)?;
                Some(
                    parse_path_policy(gateway.metadata.annotation(PATH_POLICY_ANNOTATION)?)
                        .unwrap_or_default(),
                )
            });
            let path_policy = policies.reduce(strictest).unwrap_or(self.path_policy);
            let same = old.get(gateways.as_slice());
            let kept = same.filter(|old| {
                old.addresses == addresses
                    && old.table.settings().path_policy == path_policy
                    && !gateways.iter().any(|gateway| tables.contains(gateway))
            });
            if let Some(kept) = kept {
                return (*kept).clone();
            }
            let listeners = gateways
                .iter()
                .filter_map(|name| resolved.listeners.get(name));
            let input = TableInput {
                listeners: listeners.flatten().cloned().collect(),
                settings: TableSettings {
                    path_policy,
                    hash_key: self.hash_key,
                },
            };
            let table = match same.or_else(|| near.get(addresses)) {
                Some(before) => before.table.update(&input),
                None => RouteTable::build(&input),
            };
            Plane {
                addresses: addresses.to_vec(),
                gateways,
                table: Arc::new(table),
            }
        };
        let planes: Vec<Plane> = planes.into_iter().map(plane).collect();
        for plane in &planes {
            let kept = old.get(plane.gateways.as_slice());
            if kept.is_none_or(|kept| !Arc::ptr_eq(&kept.table, &plane.table)) {
                tables.extend(plane.gateways.iter().cloned());
            }
        }
        planes
    }
}

fn strictest(one: PathPolicy, two: PathPolicy) -> PathPolicy {
    PathPolicy {
        encoded_slash: one.encoded_slash.max(two.encoded_slash),
        merge_slashes: one.merge_slashes || two.merge_slashes,
    }
}

/// Reads `encodedSlash=keep,mergeSlashes=false`; what is not named is strict.
///
/// # Errors
///
/// Says which part is not understood.
pub fn parse_path_policy(text: &str) -> Result<PathPolicy, String> {
    let mut policy = PathPolicy::default();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        match part
            .split_once(['=', ':'])
            .map(|(key, value)| (key.trim(), value.trim()))
        {
            Some(("encodedSlash", "reject")) => policy.encoded_slash = EncodedSlash::Reject,
            Some(("encodedSlash", "keep")) => policy.encoded_slash = EncodedSlash::Keep,
            Some(("encodedSlash", "decode")) => policy.encoded_slash = EncodedSlash::Decode,
            Some(("mergeSlashes", "true")) => policy.merge_slashes = true,
            Some(("mergeSlashes", "false")) => policy.merge_slashes = false,
            _ => {
                return Err(format!(
                    "`{}` is not understood, expected encodedSlash=reject, keep or decode, and mergeSlashes=true or false",
                    crate::problem::excerpt(part)
                ));
            }
        }
    }
    Ok(policy)
}

/// The Gateways that share an address, and the table that serves them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plane {
    /// Their addresses; empty: the address that all Gateways without one share.
    pub addresses: Vec<String>,
    /// The Gateways.
    pub gateways: Vec<NamespacedName>,
    /// The table.
    pub table: Arc<RouteTable>,
}

/// What resources came to.
#[derive(Clone, Debug)]
pub struct Resolution {
    controller_name: String,
    resolved: Resolved,
    planes: Vec<Plane>,
}

impl Resolution {
    /// The tables, each with the addresses and Gateways that it serves.
    pub fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// The table of a Gateway; `None` if it is not ours.
    pub fn table(&self, gateway: &NamespacedName) -> Option<&Arc<RouteTable>> {
        let plane = self
            .planes
            .iter()
            .find(|plane| plane.gateways.contains(gateway))?;
        Some(&plane.table)
    }

    /// The addresses behind a Service port that a route refers to.
    pub fn endpoints(&self, port: &ServicePort) -> Option<&Arc<Endpoints>> {
        self.resolved.endpoints.get(port)
    }

    /// All Service ports that routes refer to.
    pub fn all_endpoints(&self) -> impl Iterator<Item = (&ServicePort, &Arc<Endpoints>)> {
        self.resolved.endpoints.iter()
    }

    /// What resolution found out.
    pub fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// The statuses, given what the caller knows of the world.
    pub fn statuses(&self, facts: &Facts) -> Statuses {
        Statuses::all(&self.resolved, &self.controller_name, facts)
    }

    /// The objects whose statuses differ between two worlds: the Gateways of which something else is known, and their
    /// ListenerSets.
    pub fn touched_by(&self, before: &Facts, after: &Facts) -> BTreeSet<ObjectKey> {
        let resolved = &self.resolved;
        let default = before.default_addresses != after.default_addresses;
        let ports = |facts: &'_ Facts, name: &NamespacedName| -> Vec<(u16, String)> {
            let first = (name.clone(), 0);
            let of = facts.unavailable.range(first..);
            let of = of.take_while(|((gateway, _), _)| gateway == name);
            of.map(|((_, port), why)| (*port, why.clone())).collect()
        };
        let differs = |name: &&NamespacedName| {
            default
                || before.addresses.get(*name) != after.addresses.get(*name)
                || before.unusable.get(*name) != after.unusable.get(*name)
                || ports(before, name) != ports(after, name)
        };
        let key = |kind: Kind, name: &NamespacedName| {
            ObjectKey::new(kind, name.namespace.clone(), name.name.clone())
        };
        let gateways: BTreeSet<&NamespacedName> =
            resolved.gateways.keys().filter(differs).collect();
        let sets = resolved.listener_sets.iter();
        let sets = sets.filter(|(_, set)| gateways.contains(&set.gateway));
        let sets = sets.map(|(name, _)| key(Kind::ListenerSet, name));
        let gateways = gateways.iter().map(|name| key(Kind::Gateway, name));
        sets.chain(gateways).collect()
    }

    /// The statuses of some objects, such as those that a [`Delta`] names; what is not ours is left out.
    pub fn statuses_of<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k ObjectKey>,
        facts: &Facts,
    ) -> Statuses {
        Statuses::of(keys, &self.resolved, &self.controller_name, facts)
    }
}

/// Keeps resources and their resolution together while they change.
///
/// What is resolved is always what [`Controller::resolve`] makes of the same resources; a change costs what it touches. An
/// EndpointSlice touches addresses alone, a status nothing, a Secret the listeners that present it, a grant the routes
/// that asked for it.
///
/// ```
/// use std::sync::Arc;
/// use gatepost::{controller::{Controller, Resolver}, resources::{Change, Resource}, status::Facts, timestamp::Timestamp};
/// let gateway = serde_json::json!({
///     "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "infra"},
///     "spec": {"gatewayClassName": "gatepost", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
/// });
/// let mut resolver = Resolver::new(Controller::default());
/// let delta = resolver.apply([Change::Put(Arc::new(Resource::from_json(gateway)?))]);
/// assert!(delta.tables.iter().any(|name| name.to_string() == "infra/gw"));
/// let now = Timestamp::from_unix_seconds(1_800_000_000);
/// assert_eq!(resolver.status_changes(&delta, &Facts::ideal(), now).len(), 1);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct Resolver {
    controller: Controller,
    resources: Resources,
    state: State,
    resolution: Arc<Resolution>,
}

/// What a change touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// Whether the resources are any different.
    pub changed: bool,
    /// The Gateways whose tables are others now, or that are not ours any more.
    pub tables: BTreeSet<NamespacedName>,
    /// The ports whose addresses are others now.
    pub endpoints: BTreeSet<ServicePort>,
    /// The objects whose statuses may be others now, those that are not ours any more among them.
    pub statuses: BTreeSet<ObjectKey>,
    /// The objects that were put or deleted.
    pub objects: BTreeSet<ObjectKey>,
}

impl Resolver {
    /// Starts without resources.
    pub fn new(controller: Controller) -> Resolver {
        let resources = Resources::default();
        let mut state = State::default();
        let mut resolution = controller.nothing();
        controller.follow(&mut state, &mut resolution, &resources, &[]);
        Resolver {
            controller,
            resources,
            state,
            resolution: Arc::new(resolution),
        }
    }

    /// Carries out changes together.
    ///
    /// Whoever keeps a clone of [`Resolver::resolution`] makes the next change pay for a copy of the findings: keep tables
    /// and addresses instead.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Delta {
        let mut delta = Delta::default();
        let mut changed: BTreeMap<Arc<ObjectKey>, Option<Arc<Resource>>> = BTreeMap::new();
        for change in changes {
            let key = match &change {
                Change::Put(resource) => resource.shared_key().clone(),
                Change::Delete(key) => Arc::new(key.clone()),
            };
            let old = self.resources.get(&key).cloned();
            if self.resources.apply(change) {
                delta.changed = true;
                // Of several changes of one object the state before the first counts.
                changed.entry(key).or_insert(old);
            }
        }
        if !delta.changed {
            return delta;
        }
        let changed: Vec<Changed> = changed
            .into_iter()
            .map(|(key, old)| {
                let new = self.resources.get(&key).cloned();
                Changed { key, old, new }
            })
            .collect();
        let objects = changed.iter().map(|changed| ObjectKey::clone(&changed.key));
        delta.objects = objects.collect();
        let resolution = Arc::make_mut(&mut self.resolution);
        let (touched, tables) =
            self.controller
                .follow(&mut self.state, resolution, &self.resources, &changed);
        delta.tables = tables;
        delta.endpoints = touched.endpoints;
        let mut findings = touched.findings;
        findings.sort();
        findings.dedup();
        delta.statuses = findings.iter().map(|key| ObjectKey::clone(key)).collect();
        delta
    }

    /// The statuses to be written after a change: of the objects that the delta names, those that differ from what the
    /// resources hold. [`Statuses::changes`] of all statuses says the same, and looks at everything.
    ///
    /// When the world changes, not the resources, add what [`Resolution::touched_by`] names to [`Delta::statuses`].
    pub fn status_changes(
        &self,
        delta: &Delta,
        facts: &Facts,
        now: Timestamp,
    ) -> Vec<(ObjectKey, Value)> {
        let statuses = self.resolution.statuses_of(&delta.statuses, facts);
        statuses.changes(&self.resources, now)
    }

    /// The resources as they are now.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// What they come to.
    pub fn resolution(&self) -> &Arc<Resolution> {
        &self.resolution
    }
}
