//! What an object refers to, as far as the objects referred to are not kept otherwise.

use std::collections::BTreeSet;

use gatepost::key::{Kind, ObjectKey};
use serde_json::Value;

/// The Secrets and ConfigMaps that an object names, and the Services whose endpoints it needs.
///
/// Fields are found by their names, wherever they stand, so that a field of a later version is not missed. Whether a
/// reference is permitted is resolution's business: here it is only found.
pub(super) fn of(object: &Value) -> BTreeSet<ObjectKey> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut found = BTreeSet::new();
    let mut open = vec![&object["spec"]];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                for (field, value) in fields {
                    let default = match field.as_str() {
                        "backendRef" | "backendRefs" => Some("Service"),
                        "certificateRefs" | "clientCertificateRef" => Some("Secret"),
                        "caCertificateRef" | "caCertificateRefs" => Some("ConfigMap"),
                        _ => None,
                    };
                    if let Some(default) = default {
                        let list = match value {
                            Value::Array(items) => items.as_slice(),
                            one => std::slice::from_ref(one),
                        };
                        let keys = list.iter();
                        found.extend(keys.filter_map(|item| reference(item, default, namespace)));
                    }
                    open.push(value);
                }
            }
            _ => {}
        }
    }
    found
}

fn reference(value: &Value, default: &str, namespace: &str) -> Option<ObjectKey> {
    let text = |field: &str| value[field].as_str();
    if !text("group").unwrap_or_default().is_empty() {
        return None;
    }
    let kind = match text("kind").unwrap_or(default) {
        "Service" => Kind::Service,
        "Secret" => Kind::Secret,
        "ConfigMap" => Kind::ConfigMap,
        _ => return None,
    };
    let namespace = text("namespace").unwrap_or(namespace);
    Some(ObjectKey::new(kind, namespace, text("name")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let gateway = json!({
            "metadata": {"name": "gw", "namespace": "a"},
            "spec": {
                "listeners": [{"tls": {"certificateRefs": [{"name": "one"}, {"kind": "Secret", "name": "two", "namespace": "b"}]}}],
                "tls": {
                    "backend": {"clientCertificateRef": {"name": "three"}},
                    "frontend": {"default": {"validation": {"caCertificateRefs": [{"kind": "ConfigMap", "group": "", "name": "four"}]}}},
                },
            },
        });
        let found: Vec<String> = of(&gateway).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "Secret/a/one",
                "Secret/a/three",
                "Secret/b/two",
                "ConfigMap/a/four"
            ]
        );
        let route = json!({
            "metadata": {"name": "r", "namespace": "a"},
            "spec": {"rules": [{
                "filters": [{"requestMirror": {"backendRef": {"name": "copy", "port": 80}}}],
                "backendRefs": [{"name": "x", "port": 80}, {"group": "example.com", "kind": "Service", "name": "y"}, {"name": 7}],
            }]},
        });
        let found: Vec<String> = of(&route).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["Service/a/copy", "Service/a/x"]);
        assert!(of(&Value::Null).is_empty());
    }
}
