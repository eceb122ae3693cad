//! Files and streams → documents → resources, problems collected.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::document::{Document, Limits, Node, Value};
use crate::key::{Channel, EXPERIMENTAL_GROUP, GATEWAY_GROUP, Kind, ObjectKey};
use crate::problem::{FieldPath, Level, Place, Problem, excerpt};
use crate::resources::{DEFAULT_NAMESPACE, Resource, Resources};
use crate::validate::{Severity, validate};

/// One text, read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Its objects, lists taken apart.
    pub documents: Vec<Arc<Document>>,
    /// Why the text was refused; empty if it was read.
    pub problems: Vec<Problem>,
    /// What was found out about the documents, at the same places: an object is judged once, however often its text is
    /// collected with others.
    verdicts: Vec<Arc<OnceLock<Verdict>>>,
}

/// What an object by itself comes to.
#[derive(Debug)]
struct Verdict {
    document: Arc<Document>,
    channel: Channel,
    problems: Vec<Problem>,
    resource: Option<Arc<Resource>>,
}

impl Verdict {
    fn of(document: &Arc<Document>, channel: Channel) -> Verdict {
        let mut problems = Vec::new();
        let mut sound = true;
        for violation in validate(document, channel) {
            let level = match violation.severity {
                Severity::Refused => Level::Error,
                Severity::Unknown | Severity::Experimental => Level::Warning,
            };
            sound &= level != Level::Error;
            problems.push(Problem {
                place: Some(violation.place),
                ..problem(document, level, &violation.field, violation.message)
            });
        }
        let resource = match Resource::from_document(document) {
            Ok(resource) => Some(Arc::new(resource)).filter(|_| sound),
            Err(problem) => {
                // What validation has found says it better.
                if sound {
                    problems.push(problem);
                }
                None
            }
        };
        Verdict {
            document: document.clone(),
            channel,
            problems,
            resource,
        }
    }
}

/// Reads a text: a YAML stream, JSON, or either with objects in a `List`.
///
/// `source` is what problems call the text, such as the file's path. A text that cannot be read gives a problem and
/// no document. The cost is linear in the text.
///
/// ```
/// use gatepost::{document::Limits, manifest};
/// let loaded = manifest::read("ns.yaml", b"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n", &Limits::default());
/// assert_eq!(loaded.documents[0].name(), Some("shop"));
/// let loaded = manifest::read("bad.yaml", b"a: [", &Limits::default());
/// assert!(loaded.problems[0].to_string().starts_with("bad.yaml:"));
/// ```
pub fn read(source: &str, text: &[u8], limits: &Limits) -> Loaded {
    let source: Arc<str> = source.into();
    let mut loaded = Loaded::default();
    match crate::document::read(&source, text, limits) {
        Ok(documents) => {
            for document in documents {
                flatten(document, &mut loaded);
            }
        }
        Err(refused) => {
            let problem = Problem::error(&source, refused.place, refused.message);
            loaded.problems.push(problem);
        }
    }
    if loaded.documents.len() > limits.objects {
        let message = format!(
            "the text has {} objects, more than the limit of {}",
            loaded.documents.len(),
            limits.objects
        );
        loaded.documents.clear();
        loaded.problems.push(Problem::error(&source, None, message));
    }
    loaded
        .verdicts
        .resize_with(loaded.documents.len(), Arc::default);
    loaded
}

/// Takes a `List` apart; everything else is kept as it is.
fn flatten(document: Document, loaded: &mut Loaded) {
    let root = document.root();
    let list = document.kind().is_some_and(|kind| kind.ends_with("List"));
    match root.get("items").and_then(Node::as_sequence) {
        Some(items) if list => {
            let parts = (0..items.len()).filter_map(|index| document.item("items", index));
            loaded.documents.extend(parts.map(Arc::new));
        }
        _ => loaded.documents.push(Arc::new(document)),
    }
}

/// What a load of texts came to.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// The objects that are sound.
    pub resources: Resources,
    /// Their documents, and those of objects that were refused but have a key.
    pub documents: BTreeMap<ObjectKey, Arc<Document>>,
    /// The objects that were refused, where a key could be made out.
    pub refused: BTreeSet<ObjectKey>,
    /// Everything that is wrong, in the order of texts and places.
    pub problems: Vec<Problem>,
    /// Whether a text could not be read at all.
    pub unreadable: bool,
}

/// Judges the documents of all texts of a load together.
///
/// An object that an API server would refuse is refused alone; an unknown field is a warning here (callers that want an
/// error say so, see `check`). The same object twice refuses both. Kinds of other groups are passed over, with one note
/// a kind.
pub fn collect(
    loads: impl IntoIterator<Item = Loaded>,
    channel: Channel,
    limits: &Limits,
) -> Collected {
    let mut collected = Collected::default();
    let mut skipped: BTreeMap<(String, String), (usize, Arc<str>, Place)> = BTreeMap::new();
    let mut objects = 0_usize;
    for load in loads {
        collected.unreadable |= !load.problems.is_empty();
        collected.problems.extend(load.problems);
        for (number, document) in load.documents.into_iter().enumerate() {
            objects += 1;
            if objects > limits.objects {
                continue;
            }
            let kind = match identify(&document, channel) {
                Identity::Known(kind) => kind,
                Identity::Wrong(problem) => {
                    collected.problems.push(problem);
                    continue;
                }
                Identity::Foreign(api_version, kind) => {
                    let place = document.root().place();
                    let seen = || (0, document.source().clone(), place);
                    skipped.entry((api_version, kind)).or_insert_with(seen).0 += 1;
                    continue;
                }
            };
            if let Some(key) = key(kind, &document) {
                match collected.documents.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(document.clone());
                    }
                    Entry::Occupied(earlier) => {
                        let (source, place) =
                            (earlier.get().source(), earlier.get().root().place());
                        let message = format!(
                            "the same object stands at {source}:{place} already, so both are refused"
                        );
                        let field = FieldPath::default().field("metadata");
                        collected
                            .problems
                            .push(problem(&document, Level::Error, &field, message));
                        collected.resources.remove(earlier.key());
                        collected.refused.insert(earlier.key().clone());
                        continue;
                    }
                }
            }
            let fresh;
            let known = load
                .verdicts
                .get(number)
                .map(|verdict| verdict.get_or_init(|| Verdict::of(&document, channel)))
                .filter(|known| {
                    Arc::ptr_eq(&known.document, &document) && known.channel == channel
                });
            let verdict = match known {
                Some(known) => known,
                None => {
                    fresh = Verdict::of(&document, channel);
                    &fresh
                }
            };
            collected.problems.extend(verdict.problems.iter().cloned());
            match &verdict.resource {
                Some(resource) => {
                    collected.resources.insert(resource.clone());
                }
                None => collected.refused.extend(key(kind, &document)),
            }
        }
    }
    if objects > limits.objects {
        let message = format!(
            "there are {objects} objects, more than the limit of {}; the rest is left out",
            limits.objects
        );
        collected
            .problems
            .push(Problem::error(&"input".into(), None, message));
        collected.unreadable = true;
    }
    for ((api_version, kind), (count, source, place)) in skipped {
        let more = if count > 1 {
            format!(", {count} times")
        } else {
            String::new()
        };
        collected.problems.push(Problem {
            level: Level::Note,
            source,
            place: Some(place),
            object: Some(excerpt(&kind)),
            field: None,
            message: format!(
                "passed over{more}: kinds of `{}` are none of ours",
                excerpt(&api_version)
            ),
        });
    }
    collected
}

enum Identity {
    Known(Kind),
    Foreign(String, String),
    Wrong(Problem),
}

fn identify(document: &Document, channel: Channel) -> Identity {
    let wrong = |field: &str, message: String| {
        let field = FieldPath::default().field(field);
        Identity::Wrong(problem(document, Level::Error, &field, message))
    };
    if !matches!(document.root().value(), Value::Mapping(_)) {
        let message = format!(
            "expected an object, found a {}",
            document.root().type_name()
        );
        return Identity::Wrong(problem(
            document,
            Level::Error,
            &FieldPath::default(),
            message,
        ));
    }
    let Some(api_version) = document.api_version() else {
        return wrong(
            "apiVersion",
            "`apiVersion` is missing: expected text such as `gateway.networking.k8s.io/v1`"
                .to_owned(),
        );
    };
    let Some(kind) = document.kind() else {
        return wrong(
            "kind",
            "`kind` is missing: expected text such as `HTTPRoute`".to_owned(),
        );
    };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let ours = group == GATEWAY_GROUP || group == EXPERIMENTAL_GROUP;
    match Kind::from_group_kind(group, kind) {
        Some(known) if known.served(version, channel) => Identity::Known(known),
        Some(known) if ours => {
            let served: Vec<&str> = known.versions(channel).collect();
            let served = match served.as_slice() {
                [] => "none in the standard channel".to_owned(),
                versions => versions.join(", "),
            };
            wrong(
                "apiVersion",
                format!(
                    "{known} has no version `{}`: served are {served}",
                    excerpt(version)
                ),
            )
        }
        None if ours => {
            let kinds: Vec<&str> = Kind::all()
                .filter(|k| k.group() == group)
                .map(Kind::as_str)
                .collect();
            wrong(
                "kind",
                format!(
                    "there is no kind `{}` in `{group}`: expected one of {}",
                    excerpt(kind),
                    kinds.join(", ")
                ),
            )
        }
        _ => Identity::Foreign(api_version.to_owned(), kind.to_owned()),
    }
}

/// The key of a document whose kind is known; `None` if it has no name.
pub fn key(kind: Kind, document: &Document) -> Option<ObjectKey> {
    let name = document.name().filter(|name| !name.is_empty())?;
    let namespace = match document.namespace() {
        _ if !kind.namespaced() => "",
        None => DEFAULT_NAMESPACE,
        Some(namespace) => namespace,
    };
    Some(ObjectKey::new(kind, namespace, name))
}

/// `Kind/namespace/name` as far as the document says it.
pub fn object_name(document: &Document) -> String {
    let kind = document.kind().unwrap_or("object");
    let namespaced = document
        .api_version()
        .and_then(|version| {
            Kind::from_group_kind(version.rsplit_once('/').map_or("", |(g, _)| g), kind)
        })
        .is_none_or(Kind::namespaced);
    match (document.namespace(), document.name()) {
        (_, None) => excerpt(kind),
        (_, Some(name)) if !namespaced => excerpt(&format!("{kind}/{name}")),
        (namespace, Some(name)) => excerpt(&format!(
            "{kind}/{}/{name}",
            namespace.unwrap_or(DEFAULT_NAMESPACE)
        )),
    }
}

/// A problem of a field, at the field's place.
pub fn problem(document: &Document, level: Level, field: &FieldPath, message: String) -> Problem {
    Problem {
        level,
        source: document.source().clone(),
        place: Some(document.place(field)),
        object: Some(object_name(document)),
        field: Some(field.clone()),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_about_a_foreign_kind_is_one_line() {
        let text = b"{\"apiVersion\": \"other.test/v1\", \"kind\": \"A\\u0002\\nB\"}";
        let loaded = read("x", text, &Limits::default());
        let collected = collect([loaded], Channel::Standard, &Limits::default());
        let lines: Vec<String> = collected.problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].chars().any(char::is_control), "{lines:?}");
    }
}
