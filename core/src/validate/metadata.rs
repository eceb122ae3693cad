//! `metadata`: what every API server asks of the name of an object.

use super::formats::{LABEL_VALUE, label, qualified_name, subdomain};
use super::{Findings, Severity};
use crate::document::{Mapping, Node, Value};
use crate::key::Kind;
use crate::problem::{FieldPath, excerpt};

/// The fields of `ObjectMeta`.
const FIELDS: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Fields of `ObjectMeta` that are texts, besides the names.
const TEXTS: &[&str] = &[
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
];
/// Those that are whole numbers of 64 bits.
const NUMBERS: &[&str] = &["generation", "deletionGracePeriodSeconds"];

pub(super) fn judge(kind: Kind, root: &Node, out: &mut Findings<'_>) {
    // Paths are made where something is wrong, which is rare.
    let path = || FieldPath::default().field("metadata");
    let mut refuse = |rule: &'static str, field: FieldPath, message: String| {
        out.add(Severity::Refused, rule, field, message);
    };
    let Some(metadata) = root
        .get("metadata")
        .filter(|node| !matches!(node.value(), Value::Null))
    else {
        refuse(
            "required",
            path().field("name"),
            "is required and missing".to_owned(),
        );
        return;
    };
    if metadata.as_mapping().is_none() {
        refuse(
            "type",
            path(),
            format!("expected a mapping, found a {}", metadata.type_name()),
        );
        return;
    }
    for entry in metadata
        .as_mapping()
        .map(Mapping::entries)
        .unwrap_or_default()
    {
        if !FIELDS.contains(&&*entry.key) {
            let message = format!("unknown field `{}`", excerpt(&entry.key));
            out.add(
                Severity::Unknown,
                "unknown field",
                path().field(&entry.key),
                message,
            );
        }
    }
    let mut refuse = |rule: &'static str, field: FieldPath, message: String| {
        out.add(Severity::Refused, rule, field, message);
    };
    let field = || path().field("name");
    match metadata.get("name").map(Node::value) {
        None | Some(Value::Null) => {
            refuse("required", field(), "is required and missing".to_owned())
        }
        Some(Value::String(name)) if name.is_empty() => {
            refuse("required", field(), "is required and empty".to_owned())
        }
        Some(Value::String(name)) => {
            let (longest, holds, expected): (usize, fn(&str) -> bool, _) = match kind {
                // RFC 1123 labels; a Service has to be an RFC 1035 label.
                Kind::Namespace => (63, label, "letters in lower case, digits and `-`"),
                Kind::Service => (
                    63,
                    service_name,
                    "letters in lower case, digits and `-`, with a letter first",
                ),
                _ => (
                    253,
                    subdomain,
                    "letters in lower case, digits, `-` and `.`, with a letter or a digit at both ends",
                ),
            };
            let prefix = signer_prefix(kind, root);
            let after = name.strip_prefix(&*prefix);
            if after.is_none_or(|name| name.len() > longest || !holds(name)) {
                let prefix = match &*prefix {
                    "" => String::new(),
                    prefix => format!("`{}` and then ", excerpt(prefix)),
                };
                refuse(
                    "name",
                    field(),
                    format!(
                        "`{}` is not a name, expected {prefix}at most {longest} characters: {expected}",
                        excerpt(name)
                    ),
                );
            }
        }
        Some(_) => refuse("type", field(), not_text(metadata, "name")),
    }
    let field = || path().field("namespace");
    match metadata.get("namespace").map(Node::value) {
        None | Some(Value::Null) => {}
        Some(Value::String(namespace)) if namespace.is_empty() => {}
        Some(Value::String(namespace)) if !kind.namespaced() => {
            refuse(
                "namespace",
                field(),
                format!(
                    "`{}` is not expected: {kind} lies in no namespace",
                    excerpt(namespace)
                ),
            );
        }
        Some(Value::String(namespace)) => {
            if namespace.len() > 63 || !label(namespace) {
                refuse(
                    "namespace",
                    field(),
                    format!(
                        "`{}` is not a namespace, expected at most 63 letters in lower case, digits and `-`",
                        excerpt(namespace)
                    ),
                );
            }
        }
        Some(_) => refuse("type", field(), not_text(metadata, "namespace")),
    }
    for (names, expected) in [(TEXTS, "a string"), (NUMBERS, "a whole number")] {
        for name in names {
            let holds = match metadata.get(name).map(Node::value) {
                None | Some(Value::Null) => true,
                Some(Value::String(_)) => names == TEXTS,
                Some(Value::Number(number)) => names == NUMBERS && number.as_i64().is_some(),
                Some(_) => false,
            };
            if !holds {
                let found = metadata.get(name).map_or("null", Node::type_name);
                let message = format!("expected {expected}, found a {found}");
                refuse("type", path().field(name), message);
            }
        }
    }
    if let Some(owners) = metadata.get("ownerReferences")
        && !matches!(owners.value(), Value::Null | Value::Sequence(_))
    {
        let message = format!("expected a list, found a {}", owners.type_name());
        refuse("type", path().field("ownerReferences"), message);
    }
    if let Some(finalizers) = metadata.get("finalizers") {
        let texts = match finalizers.value() {
            Value::Null => true,
            Value::Sequence(items) => items.iter().all(|item| item.as_str().is_some()),
            _ => false,
        };
        if !texts {
            let message = "expected a list of strings".to_owned();
            refuse("type", path().field("finalizers"), message);
        }
    }
    for name in ["labels", "annotations"] {
        let labels = || path().field(name);
        match metadata.get(name).map(Node::value) {
            None | Some(Value::Null) => {}
            Some(Value::Mapping(mapping)) => {
                let mut bytes = 0;
                for entry in mapping.entries() {
                    let field = || labels().key(&entry.key);
                    bytes += entry.key.len();
                    // The domain of an annotation may be written in capitals.
                    let named = match name {
                        "labels" => qualified_name(&entry.key),
                        _ => qualified_name(&entry.key.to_ascii_lowercase()),
                    };
                    if !named {
                        refuse(
                            "key",
                            field(),
                            format!(
                                "`{}` is not a key, expected an optional domain with `/` and a name of at most 63 characters",
                                excerpt(&entry.key)
                            ),
                        );
                    }
                    match entry.value.value() {
                        Value::String(text)
                            if name == "labels"
                                && (text.len() > 63 || !(LABEL_VALUE.holds)(text)) =>
                        {
                            refuse(
                                "value",
                                field(),
                                format!(
                                    "`{}` is not the value of a label, expected at most 63 characters: {}",
                                    excerpt(text),
                                    LABEL_VALUE.expected
                                ),
                            );
                        }
                        Value::String(text) => bytes += text.len(),
                        // Read as the empty string.
                        Value::Null => {}
                        _ => refuse(
                            "type",
                            field(),
                            format!("expected a string, found a {}", entry.value.type_name()),
                        ),
                    }
                }
                if name == "annotations" && bytes > 256 << 10 {
                    refuse(
                        "too long",
                        labels(),
                        format!(
                            "all annotations have {bytes} bytes, expected at most {}",
                            256 << 10
                        ),
                    );
                }
            }
            Some(_) => refuse("type", labels(), "expected a mapping".to_owned()),
        }
    }
}

/// What the name of a ClusterTrustBundle starts with: `example.com:roots:` for the signer `example.com/roots`.
fn signer_prefix(kind: Kind, root: &Node) -> String {
    let signer = root
        .get("spec")
        .and_then(|spec| spec.get("signerName"))
        .and_then(Node::as_str)
        .filter(|signer| kind == Kind::ClusterTrustBundle && !signer.is_empty());
    signer.map_or(String::new(), |signer| {
        format!("{}:", signer.replace('/', ":"))
    })
}

fn service_name(text: &str) -> bool {
    label(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// YAML makes numbers and booleans of words such as `1`, `n` and `on`, which surprises people in names.
fn not_text(metadata: &Node, field: &str) -> String {
    let kind = metadata.get(field).map_or("null", Node::type_name);
    let value = metadata
        .get(field)
        .map(|node| node.to_json().to_string())
        .unwrap_or_default();
    format!(
        "expected a string, found the {kind} `{}`: write it in quotes",
        excerpt(&value)
    )
}

#[cfg(test)]
mod tests {
    use super::super::validate;
    use crate::document::Document;
    use crate::key::Channel;

    #[test]
    fn fields_of_metadata_have_their_types() {
        let refused = |field: &str, value: serde_json::Value| {
            let mut object = serde_json::json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"},
            });
            object["metadata"][field] = value;
            let document = Document::from_json("b.json", &object);
            let violations = validate(&document, Channel::Standard);
            let mut fields = violations.iter().map(|one| one.field.to_string());
            fields.any(|found| found == format!("metadata.{field}"))
        };
        use serde_json::json;
        for text in ["uid", "deletionTimestamp", "generateName"] {
            assert!(
                refused(text, json!([])) && refused(text, json!(5)),
                "{text}"
            );
            assert!(!refused(text, json!(null)), "{text}");
        }
        assert!(!refused("deletionTimestamp", json!("2026-01-01T00:00:00Z")));
        assert!(refused("generation", json!("1")) && refused("generation", json!(1.5)));
        assert!(!refused("generation", json!(1)));
        assert!(refused("finalizers", json!("f")) && refused("finalizers", json!([1])));
        assert!(!refused("finalizers", json!(["example.com/f"])));
    }

    #[test]
    fn a_trust_bundle_of_a_signer_carries_its_name() {
        let refused = |name: &str, signer: &str| {
            let value = serde_json::json!({
                "apiVersion": "certificates.k8s.io/v1beta1",
                "kind": "ClusterTrustBundle",
                "metadata": {"name": name},
                "spec": {"signerName": signer, "trustBundle": "x"},
            });
            let violations = validate(&Document::from_json("b.json", &value), Channel::Standard);
            violations
                .iter()
                .any(|violation| violation.field.to_string() == "metadata.name")
        };
        assert!(!refused("example.com:roots:v1", "example.com/roots"));
        assert!(!refused("roots", ""));
        assert!(refused("roots", "example.com/roots"));
        assert!(refused("example.com:roots:", "example.com/roots"));
        assert!(refused("example.com:roots:v1", ""));
    }
}
