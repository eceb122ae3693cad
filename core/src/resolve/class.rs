//! GatewayClasses: which are ours.

use std::collections::BTreeMap;

use super::Settings;
use super::finding::{ClassFinding, Finding, Reason};
use crate::resources::Resources;

/// The classes of our controller, by name.
pub fn classes(resources: &Resources, settings: &Settings) -> BTreeMap<String, ClassFinding> {
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
            },
        );
    }
    classes
}
