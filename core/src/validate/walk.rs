//! Judging a document by a schema, as the API server does: structure first, then the validation rules.

use std::collections::BTreeSet;

use super::schema::{Field, Format, Schema, Shape, Unique};
use super::{Severity, Violation};
use crate::document::{Node, Value};
use crate::key::Channel;
use crate::problem::{FieldPath, Segment, excerpt};

pub(super) fn judge(
    schema: &'static Schema,
    root: &Node,
    channel: Channel,
    out: &mut Vec<Violation>,
) {
    let mut walk = Walk {
        channel,
        path: FieldPath::default(),
        out,
        blocked: false,
    };
    walk.structure(schema, root);
    // The API server does not run rules on an object whose structure is wrong in a way that rules rely on.
    if !walk.blocked {
        walk.rules(schema, root);
    }
}

struct Walk<'o> {
    channel: Channel,
    path: FieldPath,
    out: &'o mut Vec<Violation>,
    blocked: bool,
}

impl Walk<'_> {
    fn report(&mut self, severity: Severity, rule: &'static str, message: String) {
        self.blocked |= matches!(
            rule,
            "type" | "required" | "enum" | "maxLength" | "maxItems"
        );
        let field = self.path.clone();
        self.out.push(Violation {
            severity,
            rule,
            field,
            message,
        });
    }

    fn refuse(&mut self, rule: &'static str, message: String) {
        self.report(Severity::Refused, rule, message);
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let value = match node.value() {
            Value::String(text) => format!(" `{}`", excerpt(text)),
            Value::Number(number) => format!(" `{number}`"),
            Value::Bool(value) => format!(" `{value}`"),
            _ => String::new(),
        };
        self.refuse(
            "type",
            format!(
                "expected {expected}, found {}{value}",
                article(node.type_name())
            ),
        );
    }

    fn structure(&mut self, schema: &'static Schema, node: &Node) {
        match &schema.shape {
            Shape::Any => {}
            Shape::Boolean => {
                if !matches!(node.value(), Value::Bool(_)) {
                    self.wrong_type(node, "a boolean");
                }
            }
            Shape::Integer { minimum, maximum } => self.integer(node, *minimum, *maximum),
            Shape::IntOrString => {
                if !matches!(node.type_name(), "integer" | "string") {
                    self.wrong_type(node, "an integer or a string");
                }
            }
            Shape::Text {
                least,
                most,
                format,
                values,
            } => match node.as_str() {
                Some(text) => self.text(text, (*least, *most), *format, values),
                None => self.wrong_type(node, "a string"),
            },
            Shape::List {
                items,
                least,
                most,
                unique,
            } => match node.as_sequence() {
                Some(nodes) => {
                    self.length(nodes.len(), *least, *most);
                    for (index, node) in nodes.iter().enumerate() {
                        self.path.push(Segment::Index(index));
                        if matches!(node.value(), Value::Null) {
                            self.refuse("type", "expected a value, found null".to_owned());
                        } else {
                            self.structure(items, node);
                        }
                        self.path.pop();
                    }
                    self.unique(nodes, unique);
                }
                None => self.wrong_type(node, "a list"),
            },
            Shape::Map { values, most } => match node.as_mapping() {
                Some(mapping) => {
                    if mapping.entries().len() > *most {
                        self.refuse(
                            "maxProperties",
                            format!(
                                "has {} entries, expected at most {most}",
                                mapping.entries().len()
                            ),
                        );
                    }
                    for entry in mapping.entries() {
                        self.path.push(Segment::Key(entry.key.clone()));
                        if !matches!(entry.value.value(), Value::Null) {
                            self.structure(values, &entry.value);
                        }
                        self.path.pop();
                    }
                }
                None => self.wrong_type(node, "a mapping"),
            },
            Shape::Object { fields, open } => self.object(node, fields, *open),
        }
    }

    fn object(&mut self, node: &Node, fields: &'static [Field], open: bool) {
        let Some(mapping) = node.as_mapping() else {
            self.wrong_type(node, "a mapping");
            return;
        };
        for entry in mapping.entries() {
            self.path.push(Segment::Field(entry.key.clone()));
            match fields.iter().find(|field| field.name == &*entry.key) {
                Some(field) => {
                    if field.experimental && self.channel == Channel::Standard {
                        self.report(
                            Severity::Experimental,
                            "experimental",
                            "is known in the experimental channel only".to_owned(),
                        );
                    } else if !matches!(entry.value.value(), Value::Null) {
                        self.structure(field.schema, &entry.value);
                    }
                }
                None if open => {}
                None => {
                    let near = nearest(&entry.key, fields);
                    let hint =
                        near.map_or(String::new(), |name| format!(", did you mean `{name}`?"));
                    self.report(
                        Severity::Unknown,
                        "unknown field",
                        format!("unknown field `{}`{hint}", excerpt(&entry.key)),
                    );
                }
            }
            self.path.pop();
        }
        for field in fields.iter().filter(|field| field.required) {
            if node
                .get(field.name)
                .is_none_or(|node| matches!(node.value(), Value::Null))
            {
                self.path.push(Segment::Field(field.name.into()));
                self.refuse("required", "is required and missing".to_owned());
                self.path.pop();
            }
        }
    }

    fn integer(&mut self, node: &Node, minimum: i64, maximum: i64) {
        let Value::Number(number) = node.value() else {
            self.wrong_type(node, "an integer");
            return;
        };
        if number.is_f64() {
            self.wrong_type(node, "an integer");
            return;
        }
        let value = number.as_i64();
        if value.is_some_and(|value| value < minimum) {
            self.refuse(
                "minimum",
                format!("is {number}, expected at least {minimum}"),
            );
        } else if value.is_none_or(|value| value > maximum) {
            self.refuse(
                "maximum",
                format!("is {number}, expected at most {maximum}"),
            );
        }
    }

    fn text(
        &mut self,
        text: &str,
        (least, most): (usize, usize),
        format: Option<&Format>,
        values: &[&str],
    ) {
        // A string never has more characters than bytes.
        let characters = if text.len() > least && text.len() <= most {
            text.len()
        } else {
            text.chars().count()
        };
        if characters > most {
            self.refuse(
                "maxLength",
                format!(
                    "`{}` has {characters} characters, expected at most {most}",
                    excerpt(text)
                ),
            );
        }
        if characters < least {
            self.refuse(
                "minLength",
                format!(
                    "`{}` is too short, expected at least {least} character{}",
                    excerpt(text),
                    if least == 1 { "" } else { "s" }
                ),
            );
        }
        if !values.is_empty() && !values.contains(&text) {
            self.refuse(
                "enum",
                format!(
                    "`{}` is not supported, expected one of {}",
                    excerpt(text),
                    values.join(", ")
                ),
            );
        }
        if let Some(format) = format
            && !(format.holds)(text)
        {
            self.refuse(
                "pattern",
                format!(
                    "`{}` is not valid, expected {}",
                    excerpt(text),
                    format.expected
                ),
            );
        }
    }

    fn length(&mut self, length: usize, least: usize, most: usize) {
        if length > most {
            self.refuse(
                "maxItems",
                format!("has {length} items, expected at most {most}"),
            );
        }
        if length < least {
            self.refuse(
                "minItems",
                format!("has {length} items, expected at least {least}"),
            );
        }
    }

    fn unique(&mut self, nodes: &[Node], unique: &Unique) {
        let mut seen = BTreeSet::new();
        for (index, node) in nodes.iter().enumerate() {
            let key: Vec<String> = match unique {
                Unique::No => return,
                Unique::Values => vec![scalar(node)],
                Unique::Keys(keys) => keys
                    .iter()
                    .map(|(name, absent)| {
                        node.get(name).map_or_else(|| (*absent).to_owned(), scalar)
                    })
                    .collect(),
            };
            let text = key.join("/");
            if !seen.insert(key) {
                self.path.push(Segment::Index(index));
                self.refuse(
                    "duplicate",
                    format!("`{}` stands in the list already", excerpt(&text)),
                );
                self.path.pop();
            }
        }
    }

    /// The validation rules, from the inside out where they stand.
    fn rules(&mut self, schema: &'static Schema, node: &Node) {
        match (&schema.shape, node.value()) {
            (Shape::List { items, .. }, Value::Sequence(nodes)) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.path.push(Segment::Index(index));
                    self.rules(items, node);
                    self.path.pop();
                }
            }
            (Shape::Object { fields, .. }, Value::Mapping(mapping)) => {
                for entry in mapping.entries() {
                    let field = fields.iter().find(|field| field.name == &*entry.key);
                    let Some(field) =
                        field.filter(|f| !f.experimental || self.channel == Channel::Experimental)
                    else {
                        continue;
                    };
                    if matches!(entry.value.value(), Value::Null) {
                        continue;
                    }
                    self.path.push(Segment::Field(entry.key.clone()));
                    self.rules(field.schema, &entry.value);
                    self.path.pop();
                }
            }
            _ => {}
        }
        for rule in schema.rules {
            if rule.channel.is_none_or(|channel| channel == self.channel) && !(rule.holds)(node) {
                let value = node
                    .as_str()
                    .map_or_else(String::new, |text| format!("`{}`: ", excerpt(text)));
                self.refuse(rule.message, format!("{value}{}", rule.message));
            }
        }
    }
}

fn article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "integer" => "an integer".to_owned(),
        name => format!("a {name}"),
    }
}

fn scalar(node: &Node) -> String {
    match node.value() {
        Value::String(text) => text.to_string(),
        _ => node.to_json().to_string(),
    }
}

/// The field that a typing mistake may have meant: the same letters in another case, or at most two edits away.
fn nearest(key: &str, fields: &'static [Field]) -> Option<&'static str> {
    let names = || fields.iter().map(|field| field.name);
    names()
        .find(|name| name.eq_ignore_ascii_case(key))
        .or_else(|| {
            let distance = |name: &str| edits(key.as_bytes(), name.as_bytes());
            names()
                .filter(|name| key.len() <= 64 && distance(name) <= 2)
                .min_by_key(|name| distance(name))
        })
}

/// Levenshtein's distance.
fn edits(one: &[u8], two: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in two.iter().enumerate() {
            let replaced = before + usize::from(a != b);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    row[two.len()]
}
