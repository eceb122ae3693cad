//! What resolution looks things up through: every look is noted, so that a change finds whoever looked.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settings;
use super::destinations::{Destinations, Reference};
use super::graph::{GrantQuery, Graph, Node};
use super::policy::BackendPolicies;
use crate::api::Object;
use crate::api::cluster_trust_bundle::ClusterTrustBundle;
use crate::api::config_map::ConfigMap;
use crate::api::gateway::FromNamespaces;
use crate::api::meta::LabelSelector;
use crate::api::secret::Secret;
use crate::key::{Kind, ObjectKey};
use crate::resources::{Resource, Resources};
use crate::rule::BackendDestination;

/// What an update works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'r> {
    pub(super) resources: &'r Resources,
    pub(super) settings: &'r Settings,
    pub(super) graph: &'r RefCell<Graph>,
    /// Whether no change will follow: then nobody asks who looked at what.
    pub(super) once: bool,
}

/// Resources and settings, and a note of what was looked at.
#[derive(Debug)]
pub(super) struct Context<'r> {
    pub(super) resources: &'r Resources,
    pub(super) settings: &'r Settings,
    pub(super) policies: &'r BackendPolicies,
    graph: &'r RefCell<Graph>,
    looked: RefCell<Vec<Node>>,
    once: bool,
    destinations: RefCell<Destinations<'r>>,
}

impl<'r> Context<'r> {
    pub(super) fn new(inputs: Inputs<'r>, policies: &'r BackendPolicies) -> Context<'r> {
        Context {
            resources: inputs.resources,
            settings: inputs.settings,
            policies,
            graph: inputs.graph,
            looked: RefCell::default(),
            once: inputs.once,
            destinations: RefCell::default(),
        }
    }

    /// What was looked at since this was last asked, each once, ascending.
    pub(super) fn take_looked(&self) -> Vec<Node> {
        let mut looked = self.looked.borrow_mut();
        looked.sort_unstable();
        looked.dedup();
        let taken = looked.to_vec();
        looked.clear();
        taken
    }

    /// Notes a look.
    pub(super) fn look(&self, at: Node) {
        if !self.once {
            self.looked.borrow_mut().push(at);
        }
    }

    /// The node of a parent of routes.
    pub(super) fn parent(&self, key: &Arc<ObjectKey>) -> Node {
        self.graph.borrow_mut().parent(key)
    }

    pub(super) fn look_for_default_gateways(&self) {
        let node = self.graph.borrow_mut().default_gateways();
        self.look(node);
    }

    pub(super) fn look_for_grants(&self, query: impl FnOnce() -> GrantQuery) {
        if !self.once {
            let node = self.graph.borrow_mut().grant(query());
            self.look(node);
        }
    }

    /// Looks at an object.
    pub(super) fn resource(&self, key: (Kind, &str, &str)) -> (Node, Option<&'r Arc<Resource>>) {
        let found = self.resources.find(key);
        let shared = found.map(|resource| resource.shared_key());
        let node = self.graph.borrow_mut().object(key, shared);
        self.look(node);
        (node, found)
    }

    /// Looks at a Service that was looked at for the same reference before.
    pub(super) fn known(
        &self,
        reference: &Reference<'_>,
    ) -> Option<(Node, Arc<BackendDestination>)> {
        let known = self.destinations.borrow_mut().get(reference)?;
        self.look(known.0);
        Some(known)
    }

    /// Notes what a reference came to.
    pub(super) fn know(
        &self,
        reference: &Reference<'r>,
        node: Node,
        destination: Arc<BackendDestination>,
    ) {
        let mut all = self.destinations.borrow_mut();
        all.insert(reference, (node, destination));
    }

    pub(super) fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<&'r Object> {
        let (_, found) = self.resource((kind, namespace, name));
        found.map(|resource| resource.object())
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<&'r Secret> {
        match self.object(Kind::Secret, namespace, name)? {
            Object::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Option<&'r ConfigMap> {
        match self.object(Kind::ConfigMap, namespace, name)? {
            Object::ConfigMap(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn trust_bundle(&self, name: &str) -> Option<&'r ClusterTrustBundle> {
        match self.object(Kind::ClusterTrustBundle, "", name)? {
            Object::ClusterTrustBundle(bundle) => Some(bundle),
            _ => None,
        }
    }

    /// Whether a namespace is one of those meant, seen from namespace `local`.
    pub(super) fn namespace_meant(
        &self,
        from: &FromNamespaces,
        selector: Option<&LabelSelector>,
        namespace: &str,
        local: &str,
    ) -> bool {
        match from {
            FromNamespaces::All => true,
            FromNamespaces::Same => namespace == local,
            FromNamespaces::Selector => {
                selector.is_some_and(|selector| selector.matches(&self.labels(namespace)))
            }
            FromNamespaces::None | FromNamespaces::Other(_) => false,
        }
    }

    fn labels(&self, namespace: &str) -> Cow<'r, BTreeMap<String, String>> {
        const NAME: &str = "kubernetes.io/metadata.name";
        let object = self.object(Kind::Namespace, "", namespace);
        let labels = object.and_then(|object| object.metadata().labels.as_ref());
        // Kubernetes puts this label on every namespace; files rarely have it.
        match labels {
            Some(labels) if labels.contains_key(NAME) => Cow::Borrowed(labels),
            _ => {
                let mut labels = labels.cloned().unwrap_or_default();
                labels.insert(NAME.to_owned(), namespace.to_owned());
                Cow::Owned(labels)
            }
        }
    }
}
