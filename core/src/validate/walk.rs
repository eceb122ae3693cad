//! Judging a document by a schema, as the API server does: structure first, then the validation rules.

use super::sameness::{is_null, repeated, replaced, unchanged};
use super::schema::{Field, Format, Schema, Shape, Test};
use super::view::View;
use super::{Findings, Severity};
use crate::document::path::{Path, Step};
use crate::document::{Node, Value};
use crate::key::Channel;
use crate::problem::excerpt;

/// Judges `root`, which replaces `old` if there is one.
pub(super) fn judge(
    schema: &'static Schema,
    root: &Node,
    old: Option<&Node>,
    channel: Channel,
    out: &mut Findings<'_>,
) {
    let nameless = out
        .violations
        .iter()
        .any(|found| matches!(found.rule, "required" | "too long"));
    let mut walk = Walk {
        channel,
        out,
        blocked: nameless,
    };
    walk.structure(schema, root, old, &Path::ROOT);
    // The sameness of items is judged apart, and forgiven to an update of an object that has such items already.
    let old_repeats = old.is_some_and(|old| {
        let mut any = false;
        repeated(schema, old, channel, &Path::ROOT, &mut |_, _| any = true);
        any
    });
    if !old_repeats {
        repeated(schema, root, channel, &Path::ROOT, &mut |path, text| {
            let message = format!("`{}` stands in the list already", excerpt(text));
            walk.refuse(path, "duplicate", message);
        });
    }
    // The API server does not run rules on an object whose structure is wrong in a way that rules rely on.
    if !walk.blocked {
        walk.rules(schema, root, old, &Path::ROOT);
    }
}

struct Walk<'o, 'd> {
    channel: Channel,
    out: &'o mut Findings<'d>,
    blocked: bool,
}

impl Walk<'_, '_> {
    fn report(&mut self, path: &Path<'_>, severity: Severity, rule: &'static str, message: String) {
        self.blocked |= matches!(
            rule,
            "type" | "oneOf" | "required" | "enum" | "maxLength" | "maxItems" | "maxProperties"
        );
        self.out.add(severity, rule, path.to_field_path(), message);
    }

    fn refuse(&mut self, path: &Path<'_>, rule: &'static str, message: String) {
        self.report(path, Severity::Refused, rule, message);
    }

    fn wrong_type(&mut self, path: &Path<'_>, node: &Node, expected: &str) {
        let value = match node.value() {
            Value::String(text) => format!(" `{}`", excerpt(text)),
            Value::Number(number) => format!(" `{number}`"),
            Value::Bool(value) => format!(" `{value}`"),
            _ => String::new(),
        };
        self.strays(node, path);
        self.refuse(
            path,
            "type",
            format!(
                "expected {expected}, found {}{value}",
                article(node.type_name())
            ),
        );
    }

    /// Fields where no fields are: the API server knows none of them.
    fn strays(&mut self, node: &Node, path: &Path<'_>) {
        match node.value() {
            Value::Mapping(mapping) => {
                for entry in mapping.entries() {
                    self.unknown(
                        &path.child(Step::Field(&entry.key)),
                        &entry.key,
                        (&[], false),
                    );
                }
            }
            Value::Sequence(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.strays(node, &path.child(Step::Index(index)));
                }
            }
            _ => {}
        }
    }

    fn unchanged(&self, schema: &'static Schema, old: &Node, new: &Node) -> bool {
        let view = |node| View::new(schema, node, self.channel);
        unchanged(view(old), view(new))
    }

    fn structure(
        &mut self,
        schema: &'static Schema,
        node: &Node,
        old: Option<&Node>,
        path: &Path<'_>,
    ) {
        // What an update leaves as it was is not judged again.
        if old.is_some_and(|old| self.unchanged(schema, old, node)) {
            return;
        }
        match &schema.shape {
            Shape::Any(None) | Shape::Time => {}
            // `metadata`, whose type is judged with its fields.
            Shape::Any(Some(_)) => self.blocked |= node.as_mapping().is_none(),
            Shape::Boolean => {
                if !matches!(node.value(), Value::Bool(_)) {
                    self.wrong_type(path, node, "a boolean");
                }
            }
            Shape::Integer {
                format,
                minimum,
                maximum,
                values,
            } => {
                self.integer(path, node, *format, (*minimum, *maximum), values);
            }
            Shape::IntOrString => {
                if !matches!(node.type_name(), "integer" | "string") {
                    self.wrong_type(path, node, "an integer or a string");
                }
            }
            Shape::Text {
                least,
                most,
                format,
                values,
            } => match node.as_str() {
                Some(text) => self.text(path, text, (*least, *most), *format, values),
                None => {
                    self.wrong_type(path, node, "a string");
                    if !values.is_empty() {
                        self.not_among(path, node, values.join(", "));
                    }
                }
            },
            Shape::List {
                items, least, most, ..
            } => match node.as_sequence() {
                Some(nodes) => {
                    self.between(
                        path,
                        nodes.len(),
                        (*least, *most),
                        ("minItems", "maxItems"),
                        "items",
                    );
                    for (index, node) in nodes.iter().enumerate() {
                        let old = old.and_then(|old| replaced(schema, old, node, self.channel));
                        self.structure(items, node, old, &path.child(Step::Index(index)));
                    }
                }
                None => self.wrong_type(path, node, "a list"),
            },
            Shape::Map {
                values,
                least,
                most,
            } => match node.as_mapping() {
                Some(mapping) => {
                    let there = mapping
                        .entries()
                        .iter()
                        .filter(|entry| !is_null(&entry.value));
                    self.between(
                        path,
                        there.clone().count(),
                        (*least, *most),
                        ("minProperties", "maxProperties"),
                        "entries",
                    );
                    for entry in there {
                        let old = old.and_then(|old| old.get(&entry.key));
                        self.structure(
                            values,
                            &entry.value,
                            old,
                            &path.child(Step::Key(&entry.key)),
                        );
                    }
                }
                None => self.wrong_type(path, node, "a mapping"),
            },
            Shape::Object {
                fields,
                least,
                open,
                ..
            } => self.object(path, node, old, schema, (fields, *open), *least),
        }
    }

    fn object(
        &mut self,
        path: &Path<'_>,
        node: &Node,
        old: Option<&Node>,
        schema: &'static Schema,
        (fields, open): (&'static [Field], bool),
        least: usize,
    ) {
        let Some(mapping) = node.as_mapping() else {
            self.wrong_type(path, node, "a mapping");
            return;
        };
        let mut there = 0;
        for entry in mapping.entries() {
            let path = path.child(Step::Field(&entry.key));
            match self.field(fields, &entry.key) {
                Some(_) if is_null(&entry.value) => {}
                Some(field) if path.is_status() => {
                    there += 1;
                    self.names(field.schema, &entry.value, &path);
                }
                Some(field) => {
                    there += 1;
                    let old = old.and_then(|old| old.get(&entry.key));
                    self.structure(field.schema, &entry.value, old, &path);
                }
                None => self.unknown(&path, &entry.key, (fields, open)),
            }
        }
        let channel = self.channel;
        for field in fields
            .iter()
            .filter(|field| field.required && field.stands_in(channel))
        {
            if node.get(field.name).is_none_or(is_null) {
                self.refuse(
                    &path.child(Step::Field(field.name)),
                    "required",
                    "is required and missing".to_owned(),
                );
            }
        }
        for rule in schema.rules {
            if let Test::Structure {
                member,
                expected,
                holds,
            } = rule.test
            {
                let view = View::new(schema, node, self.channel);
                if !holds(view) {
                    let value = view.text(member).unwrap_or_default();
                    self.refuse(
                        &path.child(Step::Field(member)),
                        rule.message,
                        format!("`{}` is not valid, expected {expected}", excerpt(value)),
                    );
                }
            }
        }
        if least > 0 {
            self.between(
                path,
                there,
                (least, usize::MAX),
                ("minProperties", "maxProperties"),
                "fields",
            );
        }
    }

    fn field(&self, fields: &'static [Field], name: &str) -> Option<&'static Field> {
        fields
            .iter()
            .find(|field| field.name == name && field.stands_in(self.channel))
    }

    fn unknown(&mut self, path: &Path<'_>, key: &str, (fields, open): (&'static [Field], bool)) {
        if fields.iter().any(|field| field.name == key) {
            self.report(
                path,
                Severity::Experimental,
                "experimental",
                "is known in the experimental channel only".to_owned(),
            );
        } else if !open {
            let hint = nearest(key, fields)
                .map_or(String::new(), |name| format!(", did you mean `{name}`?"));
            self.report(
                path,
                Severity::Unknown,
                "unknown field",
                format!("unknown field `{}`{hint}", excerpt(key)),
            );
        }
    }

    /// Only the names of fields, not what they hold.
    fn names(&mut self, schema: &'static Schema, node: &Node, path: &Path<'_>) {
        match (&schema.shape, node.value()) {
            (Shape::List { items, .. }, Value::Sequence(nodes)) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.names(items, node, &path.child(Step::Index(index)));
                }
            }
            (Shape::Object { fields, open, .. }, Value::Mapping(mapping)) => {
                for entry in mapping.entries() {
                    let path = path.child(Step::Field(&entry.key));
                    match self.field(fields, &entry.key) {
                        Some(field) => self.names(field.schema, &entry.value, &path),
                        None => self.unknown(&path, &entry.key, (fields, *open)),
                    }
                }
            }
            _ => {}
        }
    }

    fn integer(
        &mut self,
        path: &Path<'_>,
        node: &Node,
        format: Option<&str>,
        (minimum, maximum): (i64, i64),
        values: &[i64],
    ) {
        let among = || {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            values.join(", ")
        };
        let Value::Number(number) = node.value() else {
            self.wrong_type(path, node, "an integer");
            if !values.is_empty() {
                self.not_among(path, node, among());
            }
            return;
        };
        // What 64 bits do not hold is a float to the API server, which has read it as one.
        let value = match number.as_i64() {
            Some(value) => value,
            None => {
                self.wrong_type(path, node, "an integer");
                rounded(number.as_f64().unwrap_or(f64::INFINITY))
            }
        };
        let float = number.as_i64().is_none();
        if !values.is_empty() && (float || !values.contains(&value)) {
            self.not_among(path, node, among());
        }
        let wide = format == Some("int32") && i32::try_from(value).is_err();
        if float || wide {
            self.refuse(
                path,
                "format",
                format!("`{number}` is no integer of the width that is expected"),
            );
        }
        if value < minimum {
            self.refuse(
                path,
                "minimum",
                format!("is {number}, expected at least {minimum}"),
            );
        } else if value > maximum {
            self.refuse(
                path,
                "maximum",
                format!("is {number}, expected at most {maximum}"),
            );
        }
    }

    fn text(
        &mut self,
        path: &Path<'_>,
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
        if !values.is_empty() && !values.contains(&text) {
            self.refuse(
                path,
                "enum",
                format!(
                    "`{}` is not supported, expected one of {}",
                    excerpt(text),
                    values.join(", ")
                ),
            );
        }
        // The first of these is the one that the API server names.
        if characters > most {
            self.refuse(
                path,
                "maxLength",
                format!(
                    "`{}` has {characters} characters, expected at most {most}",
                    excerpt(text)
                ),
            );
        } else if characters < least {
            self.refuse(
                path,
                "minLength",
                format!(
                    "`{}` is too short, expected at least {least} character{}",
                    excerpt(text),
                    if least == 1 { "" } else { "s" }
                ),
            );
        } else if let Some(format) = format
            && !(format.holds)(text)
        {
            self.refuse(
                path,
                "pattern",
                format!(
                    "`{}` is not valid, expected {}",
                    excerpt(text),
                    format.expected
                ),
            );
        }
    }

    fn not_among(&mut self, path: &Path<'_>, node: &Node, values: String) {
        let value = excerpt(&node.to_json().to_string());
        self.refuse(
            path,
            "enum",
            format!("`{value}` is not supported, expected one of {values}"),
        );
    }

    fn between(
        &mut self,
        path: &Path<'_>,
        count: usize,
        (least, most): (usize, usize),
        (below, above): (&'static str, &'static str),
        what: &str,
    ) {
        if count > most {
            self.refuse(
                path,
                above,
                format!("has {count} {what}, expected at most {most}"),
            );
        }
        if count < least {
            self.refuse(
                path,
                below,
                format!("has {count} {what}, expected at least {least}"),
            );
        }
    }

    /// The validation rules, from the inside out.
    fn rules(&mut self, schema: &'static Schema, node: &Node, old: Option<&Node>, path: &Path<'_>) {
        let ruled = schema.ruled && !is_null(node);
        if !ruled || old.is_some_and(|old| self.unchanged(schema, old, node)) {
            return;
        }
        match (&schema.shape, node.value()) {
            (Shape::List { items, .. }, Value::Sequence(nodes)) => {
                for (index, node) in nodes.iter().enumerate() {
                    let old = old.and_then(|old| replaced(schema, old, node, self.channel));
                    self.rules(items, node, old, &path.child(Step::Index(index)));
                }
            }
            (Shape::Map { values, .. }, Value::Mapping(mapping)) => {
                for entry in mapping.entries() {
                    let old = old.and_then(|old| old.get(&entry.key));
                    self.rules(
                        values,
                        &entry.value,
                        old,
                        &path.child(Step::Key(&entry.key)),
                    );
                }
            }
            (Shape::Object { fields, .. }, Value::Mapping(mapping)) => {
                for entry in mapping.entries() {
                    let path = path.child(Step::Field(&entry.key));
                    if let Some(field) =
                        self.field(fields, &entry.key).filter(|_| !path.is_status())
                    {
                        let old = old.and_then(|old| old.get(&entry.key));
                        self.rules(field.schema, &entry.value, old, &path);
                    }
                }
            }
            _ => {}
        }
        let view = |node| View::new(schema, node, self.channel);
        let broken = |test: Test| match test {
            Test::Value(holds) => !holds(view(node)),
            Test::Structure { .. } => false,
            Test::Update(holds) => old.is_some_and(|old| !holds(view(node), view(old))),
        };
        let rules = schema
            .rules
            .iter()
            .filter(|rule| rule.channel.is_none_or(|channel| channel == self.channel));
        let broken: Vec<&'static str> = rules
            .filter(|rule| broken(rule.test))
            .map(|rule| rule.message)
            .collect();
        for message in broken {
            let value = node
                .as_str()
                .map_or_else(String::new, |text| format!("`{}`: ", excerpt(text)));
            self.refuse(path, message, format!("{value}{message}"));
        }
    }
}

/// The integer that lies on the same side of every bound of a CRD.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond 64 bits is beyond the bounds of the CRDs as well"
)]
fn rounded(value: f64) -> i64 {
    if value < 0.0 {
        value.floor() as i64
    } else {
        value.ceil() as i64
    }
}

fn article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "integer" => "an integer".to_owned(),
        name => format!("a {name}"),
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
