//! Five hundred mistakes in files as hands write them: the line and the column that are reported are the value's own.
//!
//! The files are written here from sound objects, with a mistake put in, and the writer notes where each value begins.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest;
use gatepost::problem::{FieldPath, Segment};
use gatepost::validate::validate;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// The way to a value: names of fields, and indices as `#0`.
type Way = Vec<String>;
/// A line and a column.
type Spot = (usize, usize);

const KINDS: &[&str] = &[
    "HTTPRoute",
    "GRPCRoute",
    "Gateway",
    "ListenerSet",
    "BackendTLSPolicy",
    "XBackend",
    "TLSRoute",
    "ReferenceGrant",
];

/// What is done to an object.
const MISTAKES: &[&str] = &[
    "wrong type",
    "out of bounds",
    "empty",
    "no such value",
    "too long",
    "too many",
    "unknown field",
    "missing field",
    "key again",
];

#[test]
fn mistakes_are_reported_at_their_own_line_and_column() {
    let objects: Vec<Value> = KINDS.iter().flat_map(|kind| sound(kind)).collect();
    assert!(objects.len() >= KINDS.len());
    let mut rng = StdRng::seed_from_u64(500);
    let mut wrong = Vec::new();
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for mistake in MISTAKES.iter().cycle().take(540) {
        // Not every change is a mistake: a map of options takes any key.
        let (text, places) = loop {
            let file = File::with(mistake, &objects, &mut rng);
            let loaded = manifest::read("file", file.text.as_bytes(), &Limits::default());
            assert!(
                loaded.problems.is_empty(),
                "{:?}\n{}",
                loaded.problems,
                file.text
            );
            let document = loaded.documents.last().expect("an object");
            let found = validate(document, Channel::Experimental);
            let places: Vec<(String, String, Option<Spot>)> = found
                .iter()
                .map(|one| {
                    *rules.entry(one.rule).or_default() += 1;
                    let spot = if one.rule == "duplicate key" {
                        file.again
                    } else {
                        file.spot(&one.field)
                    };
                    (
                        format!("{}: {}", one.field, one.rule),
                        one.place.to_string(),
                        spot,
                    )
                })
                .collect();
            if !places.is_empty() {
                break (file.text, places);
            }
        };
        for (what, found, spot) in places {
            let expected = spot.map(|(line, column)| format!("{line}:{column}"));
            if expected.as_ref() != Some(&found) {
                wrong.push(format!(
                    "{what}: expected {expected:?}, found {found} in\n{text}"
                ));
            }
        }
    }
    println!("{rules:?}");
    for rule in [
        "type",
        "enum",
        "pattern",
        "maxLength",
        "minLength",
        "maxItems",
        "minimum",
        "maximum",
        "required",
        "unknown field",
        "duplicate key",
    ] {
        assert!(
            rules.get(rule).is_some_and(|times| *times >= 5),
            "{rule} too rarely: {rules:?}"
        );
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong[0]);
}

/// Objects that an API server takes, without their statuses.
fn sound(kind: &str) -> Vec<Value> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../core/tests/wire/{kind}.json"));
    let text = fs::read_to_string(file).expect("objects of the kind");
    let mut objects: Vec<Value> = match serde_json::from_str(&text).expect("JSON") {
        Value::Array(objects) => objects,
        object => vec![object],
    };
    objects.retain_mut(|object| {
        object.as_object_mut().expect("an object").remove("status");
        let document = gatepost::document::Document::from_json("wire", object);
        validate(&document, Channel::Experimental).is_empty()
    });
    objects
}

/// All values below one, with their ways.
fn ways(value: &Value, way: &mut Way, out: &mut Vec<Way>) {
    out.push(way.clone());
    let mut below = |name: String, value: &Value| {
        way.push(name);
        ways(value, way, out);
        way.pop();
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| below(name.clone(), value)),
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                below(format!("#{index}"), value);
            }
        }
        _ => {}
    }
}

fn at<'v>(value: &'v mut Value, way: &[String]) -> &'v mut Value {
    way.iter()
        .fold(value, |value, step| match step.strip_prefix('#') {
            Some(index) => &mut value[index.parse::<usize>().expect("an index")],
            None => &mut value[step.as_str()],
        })
}

/// A file with a mistake, and where everything stands in it.
struct File {
    text: String,
    places: BTreeMap<Way, Spot>,
    again: Option<Spot>,
}

impl File {
    /// Puts a mistake into one of the objects and writes it.
    fn with(mistake: &str, objects: &[Value], rng: &mut StdRng) -> File {
        let mut object = objects.choose(rng).expect("objects").clone();
        let mut all = Vec::new();
        ways(&object["spec"], &mut vec!["spec".to_owned()], &mut all);
        // Most values are texts; a mistake is put where it can be one.
        all.retain(|way| match (mistake, at(&mut object, way)) {
            ("out of bounds", value) => value.is_number(),
            ("empty" | "no such value" | "too long", value) => value.is_string(),
            ("too many", value) => value.is_array(),
            ("unknown field", value) => value.is_object(),
            ("missing field" | "key again", _) => {
                way.last().is_some_and(|last| !last.starts_with('#'))
            }
            _ => true,
        });
        let Some(way) = all.choose(rng).cloned() else {
            return File::write(&object, None, rng);
        };
        let mut again = None;
        let (last, parent) = way.split_last().expect("a step");
        let value = at(&mut object, &way);
        let text = |texts: &[&str], rng: &mut StdRng| json!(texts.choose(rng).expect("a text"));
        match (mistake, &mut *value) {
            ("wrong type", Value::Object(_)) => {
                *value = [json!([]), json!("x"), json!(1)]
                    .choose(rng)
                    .expect("one")
                    .clone()
            }
            ("wrong type", Value::Array(_)) => {
                *value = [json!({}), json!("ü"), json!(true)]
                    .choose(rng)
                    .expect("one")
                    .clone()
            }
            ("wrong type", Value::String(_)) => {
                *value = [json!([1]), json!({"a": "b"}), json!(80), json!(false)]
                    .choose(rng)
                    .expect("one")
                    .clone()
            }
            ("wrong type", _) => {
                *value = [json!([]), json!({}), json!("80"), json!(1.5)]
                    .choose(rng)
                    .expect("one")
                    .clone()
            }
            ("out of bounds", Value::Number(_)) => {
                *value = [json!(-1), json!(0), json!(70_000), json!(1_u64 << 40)]
                    .choose(rng)
                    .expect("one")
                    .clone()
            }
            ("empty", Value::String(_)) => *value = json!(""),
            ("no such value", Value::String(_)) => {
                *value = text(
                    &["No~Such Value", "ü", "{", "a: b", "# c", "it's", "\"q\"\n"],
                    rng,
                )
            }
            ("too long", Value::String(_)) => *value = json!("l".repeat(5_000)),
            ("too many", Value::Array(items)) if !items.is_empty() => {
                let item = items[0].clone();
                items.resize(130, item);
            }
            ("unknown field", Value::Object(fields)) => {
                fields.insert(
                    "unheard".to_owned(),
                    [json!(1), json!("x"), json!({"a": [1]})]
                        .choose(rng)
                        .expect("one")
                        .clone(),
                );
            }
            ("missing field", _) => {
                if let Value::Object(fields) = at(&mut object, parent) {
                    fields.remove(last);
                }
            }
            ("key again", _) if !last.starts_with('#') => again = Some(way.clone()),
            _ => {}
        }
        File::write(&object, again, rng)
    }

    fn write(object: &Value, again: Option<Way>, rng: &mut StdRng) -> File {
        let mut writer = Writer {
            out: String::new(),
            at: (1, 1),
            places: BTreeMap::new(),
            again,
            spot: None,
            json: rng.random_bool(0.2),
            windows: rng.random_bool(0.2),
            anchors: 0,
            rng,
        };
        let list = writer.rng.random_bool(0.25);
        if !writer.json && writer.rng.random_bool(0.3) {
            writer.put(
                "# ünd\napiVersion: v1\nkind: Namespace\nmetadata: &m\n  name: &n shop\n---\n",
            );
        }
        if list {
            let items = json!([object]);
            let list = json!({"apiVersion": "v1", "items": items, "kind": "List"});
            writer.root(&list);
        } else {
            writer.root(object);
        }
        let mut places = writer.places;
        if list {
            // Ways begin at the object.
            let inner = places
                .into_iter()
                .filter(|(way, _)| way.len() >= 2 && way[0] == "items");
            places = inner.map(|(way, spot)| (way[2..].to_vec(), spot)).collect();
        }
        File {
            text: writer.out,
            places,
            again: writer.spot,
        }
    }

    /// Where a field stands, or else the nearest thing around it.
    fn spot(&self, field: &FieldPath) -> Option<Spot> {
        let mut way: Way = field
            .segments()
            .iter()
            .map(|segment| match segment {
                Segment::Index(index) => format!("#{index}"),
                Segment::Field(name) | Segment::Key(name) => name.to_string(),
            })
            .collect();
        loop {
            if let Some(spot) = self.places.get(&way) {
                return Some(*spot);
            }
            way.pop()?;
        }
    }
}

struct Writer<'r> {
    out: String,
    at: Spot,
    places: BTreeMap<Way, Spot>,
    /// A key that is written twice.
    again: Option<Way>,
    spot: Option<Spot>,
    json: bool,
    windows: bool,
    anchors: usize,
    rng: &'r mut StdRng,
}

/// What a value follows in block style, with the column of the block that it belongs to.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Nothing,
    Key(usize),
    Dash(usize),
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        for character in text.chars() {
            if character == '\n' {
                self.at = (self.at.0 + 1, 1);
                self.out.push_str(if self.windows { "\r\n" } else { "\n" });
            } else {
                self.at.1 += 1;
                self.out.push(character);
            }
        }
    }

    fn spaces(&mut self, from: usize, to: usize) {
        let count = self.rng.random_range(from..=to);
        self.put(&" ".repeat(count));
    }

    fn note(&mut self, way: &Way) {
        self.places.insert(way.clone(), self.at);
    }

    fn root(&mut self, value: &Value) {
        if self.json {
            let lines = self.rng.random_range(0..3);
            self.put(&"\n".repeat(lines));
            self.flow(value, &mut Way::new(), 0);
            self.put("\n");
        } else {
            if self.rng.random_bool(0.3) {
                self.put("# a comment\n---\n");
            }
            self.block(value, &mut Way::new(), After::Nothing);
        }
    }

    /// Writes what comes behind a key, behind a dash, or at the start; ends with a line break.
    fn block(&mut self, value: &Value, way: &mut Way, after: After) {
        let flow = after != After::Nothing && self.rng.random_bool(0.2);
        match value {
            Value::Object(fields) if !fields.is_empty() && !flow => {
                let column = self.begin(after, false);
                self.note(way);
                let mut first = true;
                for (name, value) in fields {
                    way.push(name.clone());
                    let twice = self.again.as_ref() == Some(way);
                    for time in 0..=usize::from(twice) {
                        if !first {
                            self.between();
                            self.put(&" ".repeat(column));
                        }
                        first = false;
                        if time == 1 {
                            self.spot = Some(self.at);
                        }
                        self.key(name);
                        self.put(":");
                        if time == 1 {
                            // The value is read and left out.
                            self.put(" again\n");
                        } else {
                            self.block(value, way, After::Key(column));
                        }
                    }
                    way.pop();
                }
            }
            Value::Array(items) if !items.is_empty() && !flow => {
                let column = self.begin(after, true);
                self.note(way);
                for (index, value) in items.iter().enumerate() {
                    if index > 0 {
                        self.between();
                        self.put(&" ".repeat(column));
                    }
                    self.put("-");
                    way.push(format!("#{index}"));
                    self.block(value, way, After::Dash(column));
                    way.pop();
                }
            }
            _ => {
                let parent = match after {
                    After::Nothing => 0,
                    After::Key(column) | After::Dash(column) => column,
                };
                self.spaces(1, 3);
                if self.rng.random_bool(0.05) {
                    // A value begins with its anchor.
                    self.anchors += 1;
                    self.note(way);
                    let (spot, anchor) = (self.at, format!("&a{} ", self.anchors));
                    self.put(&anchor);
                    self.flow(value, way, parent + 2);
                    self.places.insert(way.clone(), spot);
                } else {
                    self.flow(value, way, parent + 2);
                }
                if self.rng.random_bool(0.1) {
                    self.put(" # ünd: a comment");
                }
                self.put("\n");
            }
        }
    }

    /// Goes to where a block begins: in the same line or in the next, in its column, which is given back.
    fn begin(&mut self, after: After, list: bool) -> usize {
        let column = match after {
            After::Nothing => 0,
            After::Dash(_) if self.rng.random_bool(0.8) => {
                self.spaces(1, 3);
                return self.at.1 - 1;
            }
            // Dashes may stand below the key.
            After::Key(column) if list && self.rng.random_bool(0.5) => column,
            After::Key(column) | After::Dash(column) => column + self.rng.random_range(1..5),
        };
        if after != After::Nothing {
            self.spaces(0, 1);
            self.put("\n");
            self.put(&" ".repeat(column));
        }
        column
    }

    /// Lines between entries that say nothing.
    fn between(&mut self) {
        if self.rng.random_bool(0.05) {
            let text = *["\n", "# c\n", "      # ünd: - a comment\n"]
                .choose(self.rng)
                .expect("a line");
            self.put(text);
        }
    }

    /// Writes a value in flow style, or JSON; further lines lie at least as far in as `indent` says.
    fn flow(&mut self, value: &Value, way: &mut Way, indent: usize) {
        self.note(way);
        match value {
            Value::Object(fields) => {
                self.put("{");
                let mut first = true;
                for (name, value) in fields {
                    way.push(name.clone());
                    let twice = self.again.as_ref() == Some(way);
                    for time in 0..=usize::from(twice) {
                        if !first {
                            self.put(",");
                        }
                        self.gap(indent, !first);
                        first = false;
                        if time == 1 {
                            self.spot = Some(self.at);
                        }
                        self.key(name);
                        self.put(": ");
                        if time == 1 {
                            self.put("1");
                        } else {
                            self.flow(value, way, indent);
                        }
                    }
                    way.pop();
                }
                self.gap(indent, false);
                self.put("}");
            }
            Value::Array(items) => {
                self.put("[");
                for (index, value) in items.iter().enumerate() {
                    if index > 0 {
                        self.put(",");
                    }
                    self.gap(indent, index > 0);
                    way.push(format!("#{index}"));
                    self.flow(value, way, indent);
                    way.pop();
                }
                self.gap(indent, false);
                self.put("]");
            }
            Value::String(text) => self.text(text),
            other => self.put(&other.to_string()),
        }
    }

    /// Space within flow style.
    fn gap(&mut self, indent: usize, needed: bool) {
        if self.rng.random_bool(0.05) {
            self.put("\n");
            self.put(&" ".repeat(indent));
            self.spaces(0, 4);
        } else {
            self.spaces(usize::from(needed), 1);
        }
    }

    fn key(&mut self, name: &str) {
        if self.json || !plain(name) || self.rng.random_bool(0.05) {
            self.put(&json!(name).to_string());
        } else {
            self.put(name);
        }
    }

    fn text(&mut self, text: &str) {
        if !self.json && plain(text) && self.rng.random_bool(0.7) {
            self.put(text);
        } else if !self.json && !text.contains('\n') && self.rng.random_bool(0.3) {
            self.put(&format!("'{}'", text.replace('\'', "''")));
        } else {
            self.put(&json!(text).to_string());
        }
    }
}

/// Whether a text needs no quotes in any style.
fn plain(text: &str) -> bool {
    text.len() > 3
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"./-".contains(&byte))
        && !["true", "false", "null"].contains(&text.to_ascii_lowercase().as_str())
}
