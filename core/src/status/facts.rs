//! What resources cannot know.

use std::collections::BTreeMap;

use crate::key::NamespacedName;

/// What the caller knows of the world: which addresses there are, which ports are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Facts {
    /// The addresses of Gateways that have their own.
    pub addresses: BTreeMap<NamespacedName, Vec<String>>,
    /// The addresses of all others.
    pub default_addresses: Vec<String>,
    /// Gateways whose `spec.addresses` cannot be used, and why.
    pub unusable: BTreeMap<NamespacedName, String>,
    /// Ports that could not be opened, and why.
    pub unavailable: BTreeMap<(NamespacedName, u16), String>,
}

impl Facts {
    /// A world in which everything works: addresses are there, ports are free.
    pub fn ideal() -> Facts {
        Facts {
            default_addresses: vec!["127.0.0.1".to_owned()],
            ..Facts::default()
        }
    }
}
