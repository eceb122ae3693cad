//! GatewayClasses: which are ours.

use std::collections::BTreeMap;

use super::Settings;
use super::finding::{ClassFinding, Finding, Reason};
use crate::api::Object;
use crate::key::{Channel, GATEWAY_GROUP, Kind};
use crate::resources::Resources;

/// The annotation of the Gateway API's CRDs that says which release they are of.
const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";
/// The annotation that says of which channel they are.
const CHANNEL: &str = "gateway.networking.k8s.io/channel";
/// The release that is served.
const RELEASE: &str = "v1.7.";

/// The classes of our controller, by name.
pub(super) fn classes(
    resources: &Resources,
    settings: &Settings,
) -> BTreeMap<String, ClassFinding> {
    let version = version(resources);
    let channel = channel(resources);
    let mut classes = BTreeMap::new();
    for (key, class) in resources.gateway_classes() {
        if class.spec.controller_name != settings.controller_name {
            continue;
        }
        let rejected = class.spec.parameters_ref.as_ref().map(|parameters| {
            let message = format!(
                "parametersRef names {} `{}`: no kind of parameters is supported, so remove the reference",
                parameters.kind, parameters.name
            );
            Finding::new(Reason::InvalidParameters, message)
        });
        classes.insert(
            key.name.clone(),
            ClassFinding {
                defined: true,
                rejected,
                version: version.clone(),
                channel,
                used: false,
            },
        );
    }
    if let Some(name) = &settings.implicit_class
        && resources.gateway_class("", name).is_none()
    {
        classes.insert(
            name.clone(),
            ClassFinding {
                defined: false,
                rejected: None,
                version: None,
                channel,
                used: false,
            },
        );
    }
    classes
}

/// The channel of the CRDs; without CRDs among the resources everything is there.
fn channel(resources: &Resources) -> Channel {
    let mut crds = resources.of(Kind::CustomResourceDefinition);
    let standard = crds.any(|(_, resource)| match resource.object() {
        Object::CustomResourceDefinition(crd) => {
            crd.spec.group == GATEWAY_GROUP && crd.metadata.annotation(CHANNEL) == Some("standard")
        }
        _ => false,
    });
    if standard {
        Channel::Standard
    } else {
        Channel::Experimental
    }
}

/// Which CRD is of another release; without CRDs among the resources nothing speaks against it.
fn version(resources: &Resources) -> Option<Finding> {
    let crds = resources.of(Kind::CustomResourceDefinition);
    let other = crds.filter_map(|(key, resource)| match resource.object() {
        Object::CustomResourceDefinition(crd) if crd.spec.group == GATEWAY_GROUP => {
            let version = crd.metadata.annotation(BUNDLE_VERSION).unwrap_or("none");
            (!version.starts_with(RELEASE)).then(|| (key.name.clone(), version.to_owned()))
        }
        _ => None,
    });
    let (name, version) = other.into_iter().next()?;
    let message = format!(
        "CustomResourceDefinition `{name}` is of bundle version {}, expected {RELEASE}x: what it has in common is served",
        crate::problem::excerpt(&version)
    );
    Some(Finding::new(Reason::UnsupportedVersion, message))
}
