//! What resolution looks things up through: every look is noted, so that a change finds whoever looked.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Settings;
use super::policy::BackendPolicies;
use crate::api::Object;
use crate::api::cluster_trust_bundle::ClusterTrustBundle;
use crate::api::config_map::ConfigMap;
use crate::api::gateway::FromNamespaces;
use crate::api::meta::LabelSelector;
use crate::api::secret::Secret;
use crate::api::service::Service;
use crate::api::x_backend::XBackend;
use crate::key::{Kind, ObjectKey};
use crate::resources::Resources;

/// Something that was looked at, whether or not it was there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Looked {
    /// An object.
    Object(ObjectKey),
    /// A Gateway or ListenerSet as what routes attach to: its listeners as they were judged.
    Parent(ObjectKey),
    /// The Gateways with a default scope.
    DefaultGateways,
    /// The grants for a reference.
    Grant(GrantQuery),
}

/// A reference from one namespace to another, in the order in which a grant says what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GrantQuery {
    pub(super) namespace: String,
    pub(super) from_group: &'static str,
    pub(super) from_kind: &'static str,
    pub(super) from_namespace: String,
    pub(super) to_group: &'static str,
    pub(super) to_kind: &'static str,
    pub(super) to_name: String,
}

/// Resources and settings, and a note of what was looked at.
#[derive(Debug)]
pub(super) struct Context<'r> {
    pub(super) resources: &'r Resources,
    pub(super) settings: &'r Settings,
    pub(super) policies: &'r BackendPolicies,
    looked: RefCell<Vec<Looked>>,
}

impl<'r> Context<'r> {
    pub(super) fn new(
        resources: &'r Resources,
        settings: &'r Settings,
        policies: &'r BackendPolicies,
    ) -> Context<'r> {
        Context {
            resources,
            settings,
            policies,
            looked: RefCell::default(),
        }
    }

    /// What was looked at since this was last asked, each once.
    pub(super) fn take_looked(&self) -> Vec<Looked> {
        let mut looked = self.looked.take();
        looked.sort_unstable();
        looked.dedup();
        looked
    }

    pub(super) fn look(&self, at: Looked) {
        self.looked.borrow_mut().push(at);
    }

    pub(super) fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<&'r Object> {
        let key = ObjectKey::new(kind, namespace, name);
        let found = self.resources.get(&key).map(|resource| resource.object());
        self.look(Looked::Object(key));
        found
    }

    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'r Service> {
        match self.object(Kind::Service, namespace, name)? {
            Object::Service(service) => Some(service),
            _ => None,
        }
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

    pub(super) fn x_backend(&self, namespace: &str, name: &str) -> Option<&'r XBackend> {
        match self.object(Kind::XBackend, namespace, name)? {
            Object::XBackend(backend) => Some(backend),
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

    fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut labels = match self.object(Kind::Namespace, "", namespace) {
            Some(object) => object.metadata().labels.clone().unwrap_or_default(),
            None => BTreeMap::new(),
        };
        // Kubernetes puts this label on every namespace; files rarely have it.
        labels
            .entry("kubernetes.io/metadata.name".to_owned())
            .or_insert_with(|| namespace.to_owned());
        labels
    }
}
