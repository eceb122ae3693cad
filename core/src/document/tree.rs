//! The tree and its documents.

use std::sync::Arc;

use serde_json::{Map, Number};

use crate::problem::{FieldPath, Place, Segment};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    place: Place,
    value: Value,
}

/// What a node holds, scalars resolved.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "JSON has no more")]
pub enum Value {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; integers stay integers.
    Number(Number),
    /// A string.
    String(Box<str>),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping.
    Mapping(Mapping),
}

/// A mapping in the order in which it was written; no key stands twice.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pub(super) entries: Vec<Entry>,
}

/// A key of a mapping and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

impl Node {
    pub(super) fn new(place: Place, value: Value) -> Node {
        Node { place, value }
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What it holds.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// A field of a mapping; `None` for everything else. A `null` counts as present.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.get(key)
    }

    /// A mapping but for one field.
    pub(crate) fn without(&self, key: &str) -> Node {
        let entries = self.as_mapping().map(Mapping::entries).unwrap_or_default();
        let others = entries.iter().filter(|entry| &*entry.key != key);
        let entries = others.cloned().collect();
        Node::new(self.place, Value::Mapping(Mapping { entries }))
    }

    /// `null`, `boolean`, `integer`, `number` (what is no integer of 64 bits), `string`, `list` or `mapping`.
    pub fn type_name(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.as_i64().is_none() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Sequence(_) => "list",
            Value::Mapping(_) => "mapping",
        }
    }

    /// The same without places.
    ///
    /// INVARIANT: readers bound the depth of trees, so the recursion is bounded.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => serde_json::Value::String(text.to_string()),
            Value::Sequence(items) => {
                serde_json::Value::Array(items.iter().map(Node::to_json).collect())
            }
            Value::Mapping(mapping) => {
                let entry = |entry: &Entry| (entry.key.to_string(), entry.value.to_json());
                serde_json::Value::Object(mapping.entries.iter().map(entry).collect())
            }
        }
    }

    /// How many nodes the tree has, this one included.
    #[cfg(feature = "yaml")]
    pub(super) fn size(&self) -> usize {
        1 + match &self.value {
            Value::Sequence(items) => items.iter().map(Node::size).sum(),
            Value::Mapping(mapping) => mapping.entries.iter().map(|e| e.value.size()).sum(),
            _ => 0_usize,
        }
    }
}

impl Mapping {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key with its place and value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    /// All entries, as written.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// A key that stands in its mapping already; its value was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The path of the key.
    pub field: FieldPath,
    /// Where it stands again.
    pub place: Place,
    /// Where it stands first.
    pub earlier: Place,
}

/// One object of a text, untyped.
#[derive(Clone, Debug)]
pub struct Document {
    source: Arc<str>,
    root: Node,
    duplicates: Vec<Duplicate>,
}

impl Document {
    pub(super) fn new(source: Arc<str>, root: Node, duplicates: Vec<Duplicate>) -> Document {
        Document {
            source,
            root,
            duplicates,
        }
    }

    /// A document of JSON that has no text; every place in it is line 1, column 1.
    pub fn from_json(source: &str, value: &serde_json::Value) -> Document {
        Document::new(source.into(), node(value), Vec::new())
    }

    /// A document of an item of a list in a field of this one; places stay what they are.
    pub fn item(&self, field: &str, index: usize) -> Option<Document> {
        let item = self.root.get(field)?.as_sequence()?.get(index)?.clone();
        let at = FieldPath::default().field(field).index(index);
        let duplicates = self.duplicates.iter().filter_map(|duplicate| {
            let field = duplicate.field.below(&at)?;
            Some(Duplicate {
                field,
                ..duplicate.clone()
            })
        });
        Some(Document::new(
            self.source.clone(),
            item,
            duplicates.collect(),
        ))
    }

    /// The keys that stand twice in a mapping, in the order of the text.
    pub fn duplicates(&self) -> &[Duplicate] {
        &self.duplicates
    }

    /// The file, or what the caller called the text.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The root of the tree.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// `apiVersion`, if it is a string.
    pub fn api_version(&self) -> Option<&str> {
        self.root.get("apiVersion")?.as_str()
    }

    /// `kind`, if it is a string.
    pub fn kind(&self) -> Option<&str> {
        self.root.get("kind")?.as_str()
    }

    /// `metadata.name`, if it is a string.
    pub fn name(&self) -> Option<&str> {
        self.root.get("metadata")?.get("name")?.as_str()
    }

    /// `metadata.namespace`, if it is a string that is not empty.
    pub fn namespace(&self) -> Option<&str> {
        let namespace = self.root.get("metadata")?.get("namespace")?.as_str()?;
        Some(namespace).filter(|namespace| !namespace.is_empty())
    }

    /// The node at a path.
    pub fn node(&self, field: &FieldPath) -> Option<&Node> {
        field.segments().iter().try_fold(&self.root, step)
    }

    /// Where a field stands, or else the nearest thing around it: the value's own place, for entries of mappings.
    pub fn place(&self, field: &FieldPath) -> Place {
        let mut node = &self.root;
        for segment in field.segments() {
            match step(node, segment) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.place()
    }

    /// The same without places.
    pub fn to_json(&self) -> serde_json::Value {
        self.root.to_json()
    }
}

fn step<'n>(node: &'n Node, segment: &Segment) -> Option<&'n Node> {
    match segment {
        Segment::Field(key) | Segment::Key(key) => node.get(key),
        Segment::Index(index) => node.as_sequence()?.get(*index),
    }
}

fn node(value: &serde_json::Value) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(whole(number.clone())),
        serde_json::Value::String(text) => Value::String(text.as_str().into()),
        serde_json::Value::Array(items) => Value::Sequence(items.iter().map(node).collect()),
        serde_json::Value::Object(map) => Value::Mapping(mapping(map)),
    };
    Node::new(Place { line: 1, column: 1 }, value)
}

/// A whole number such as `1e3` or `80.0` is an integer where 64 bits hold it: kubectl writes it as one.
pub(super) fn whole(number: Number) -> Number {
    /// 2^63, the first float beyond.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the value is whole and within the integers of 64 bits"
    )]
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) if value.fract() == 0.0 && (-BEYOND..BEYOND).contains(&value) => {
            Number::from(value as i64)
        }
        _ => number,
    }
}

fn mapping(map: &Map<String, serde_json::Value>) -> Mapping {
    let place = Place { line: 1, column: 1 };
    let entry = |(key, value): (&String, &serde_json::Value)| Entry {
        key: key.as_str().into(),
        place,
        value: node(value),
    };
    Mapping {
        entries: map.iter().map(entry).collect(),
    }
}
