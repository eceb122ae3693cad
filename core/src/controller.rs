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

use crate::api::filter::FilterType;
use crate::key::{NamespacedName, ObjectKey};
use crate::pattern::PatternLimits;
use crate::resolve::endpoints::Endpoints;
use crate::resolve::{Resolved, Settings, resolve};
use crate::resources::{Change, Resources};
use crate::rule::ServicePort;
use crate::status::{Facts, Statuses, statuses};
use crate::table::{RouteTable, TableInput, TableSettings};
use crate::target::{EncodedSlash, PathPolicy};

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
        }
    }
}

impl Controller {
    /// Resolves all resources. Total: whatever they are, tables and statuses come out.
    ///
    /// The cost is linear in the resources, but for sorting and for looking up grants.
    pub fn resolve(&self, resources: &Resources) -> Resolution {
        let settings = Settings {
            controller_name: self.controller_name.clone(),
            implicit_class: (!self.kubernetes).then(|| "gatepost".to_owned()),
            shared_address: !self.kubernetes,
            pattern_limits: self.pattern_limits.clone(),
            unsupported_filters: self.unsupported_filters.clone(),
        };
        let resolved = resolve(resources, &settings);
        let planes = self.planes(resources, &resolved);
        Resolution {
            controller_name: self.controller_name.clone(),
            resolved,
            planes,
        }
    }

    fn planes(&self, resources: &Resources, resolved: &Resolved) -> Vec<Plane> {
        let mut groups: BTreeMap<Vec<String>, Vec<&NamespacedName>> = BTreeMap::new();
        let mut planes = Vec::new();
        for (name, gateway) in &resolved.gateways {
            if self.kubernetes {
                planes.push((gateway.addresses.clone(), vec![name]));
            } else {
                groups
                    .entry(gateway.addresses.clone())
                    .or_default()
                    .push(name);
            }
        }
        planes.extend(groups);
        let plane = |(addresses, gateways): (Vec<String>, Vec<&NamespacedName>)| {
            let listeners = gateways
                .iter()
                .flat_map(|name| resolved.listeners.get(*name))
                .flatten()
                .cloned()
                .collect();
            // Gateways that share an address share the strictest policy.
            let policies = gateways.iter().filter_map(|name| {
                let gateway = resources.gateway(&name.namespace, &name.name)?;
                Some(
                    parse_path_policy(gateway.metadata.annotation(PATH_POLICY_ANNOTATION)?)
                        .unwrap_or_default(),
                )
            });
            let path_policy = policies.reduce(strictest).unwrap_or(self.path_policy);
            let table = RouteTable::build(&TableInput {
                listeners,
                settings: TableSettings {
                    path_policy,
                    hash_key: self.hash_key,
                },
            });
            Plane {
                addresses,
                gateways: gateways.into_iter().cloned().collect(),
                table: Arc::new(table),
            }
        };
        planes.into_iter().map(plane).collect()
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
        statuses(&self.resolved, &self.controller_name, facts)
    }
}

/// Keeps resources and their resolution together while they change.
///
/// A change resolves everything again; what did not change compares equal.
#[derive(Debug)]
pub struct Resolver {
    controller: Controller,
    resources: Resources,
    resolution: Arc<Resolution>,
}

/// What a change touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// Whether the resources are any different, and the resolution with them.
    pub changed: bool,
    /// The Service ports whose addresses are others now.
    pub endpoints: BTreeSet<ServicePort>,
    /// The objects that were put or deleted.
    pub objects: BTreeSet<ObjectKey>,
}

impl Resolver {
    /// Starts without resources.
    pub fn new(controller: Controller) -> Resolver {
        let resources = Resources::default();
        let resolution = Arc::new(controller.resolve(&resources));
        Resolver {
            controller,
            resources,
            resolution,
        }
    }

    /// Carries out changes together.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Delta {
        let mut delta = Delta::default();
        for change in changes {
            let key = match &change {
                Change::Put(resource) => resource.key().clone(),
                Change::Delete(key) => key.clone(),
            };
            if self.resources.apply(change) {
                delta.changed = true;
                delta.objects.insert(key);
            }
        }
        if !delta.changed {
            return delta;
        }
        let resolution = self.controller.resolve(&self.resources);
        let (old, new) = (
            &self.resolution.resolved.endpoints,
            &resolution.resolved.endpoints,
        );
        let changed = |port: &&ServicePort| old.get(*port) != new.get(*port);
        delta.endpoints = old
            .keys()
            .chain(new.keys())
            .filter(changed)
            .cloned()
            .collect();
        self.resolution = Arc::new(resolution);
        delta
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
