//! The form of a schema: what OpenAPI and the list types of Kubernetes say, and the validation rules.

use crate::document::Node;
use crate::key::Channel;

/// What a value has to look like.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) shape: Shape,
    pub(super) rules: &'static [Rule],
}

#[derive(Debug)]
pub(super) enum Shape {
    Boolean,
    Integer {
        minimum: i64,
        maximum: i64,
    },
    Text {
        least: usize,
        most: usize,
        format: Option<&'static Format>,
        values: &'static [&'static str],
    },
    List {
        items: &'static Schema,
        least: usize,
        most: usize,
        unique: Unique,
    },
    Object {
        fields: &'static [Field],
        open: bool,
    },
    Map {
        values: &'static Schema,
        most: usize,
    },
    IntOrString,
    /// Not looked at.
    Any,
}

/// What makes two items of a list the same.
#[derive(Debug)]
pub(super) enum Unique {
    No,
    /// `x-kubernetes-list-type: map`: these fields, each with the value that it has when absent.
    Keys(&'static [(&'static str, &'static str)]),
    /// `x-kubernetes-list-type: set`.
    Values,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) schema: &'static Schema,
    pub(super) required: bool,
    pub(super) experimental: bool,
}

/// A pattern, checked by a function.
#[derive(Debug)]
pub(super) struct Format {
    /// What is expected, after "expected".
    pub(super) expected: &'static str,
    pub(super) holds: fn(&str) -> bool,
}

/// A validation rule of a CRD.
#[derive(Debug)]
pub(super) struct Rule {
    /// The CRD's message.
    pub(super) message: &'static str,
    /// The channel whose CRD has it; `None` for both.
    pub(super) channel: Option<Channel>,
    /// Whether a value keeps it. Defaults are not in the value; the rule knows them.
    pub(super) holds: fn(&Node) -> bool,
}

pub(super) const fn rule(message: &'static str, holds: fn(&Node) -> bool) -> Rule {
    Rule {
        message,
        channel: None,
        holds,
    }
}

pub(super) const fn rule_in(
    channel: Channel,
    message: &'static str,
    holds: fn(&Node) -> bool,
) -> Rule {
    Rule {
        message,
        channel: Some(channel),
        holds,
    }
}

pub(super) const fn required(name: &'static str, schema: &'static Schema) -> Field {
    Field {
        name,
        schema,
        required: true,
        experimental: false,
    }
}

pub(super) const fn optional(name: &'static str, schema: &'static Schema) -> Field {
    Field {
        name,
        schema,
        required: false,
        experimental: false,
    }
}

pub(super) const fn experimental(name: &'static str, schema: &'static Schema) -> Field {
    Field {
        name,
        schema,
        required: false,
        experimental: true,
    }
}

pub(super) const fn plain(shape: Shape) -> Schema {
    Schema { shape, rules: &[] }
}

pub(super) const fn text(least: usize, most: usize) -> Schema {
    plain(Shape::Text {
        least,
        most,
        format: None,
        values: &[],
    })
}

pub(super) const fn formatted(least: usize, most: usize, format: &'static Format) -> Schema {
    plain(Shape::Text {
        least,
        most,
        format: Some(format),
        values: &[],
    })
}

pub(super) const fn one_of(values: &'static [&'static str]) -> Schema {
    plain(Shape::Text {
        least: 0,
        most: usize::MAX,
        format: None,
        values,
    })
}

pub(super) const fn integer(minimum: i64, maximum: i64) -> Schema {
    plain(Shape::Integer { minimum, maximum })
}

pub(super) const fn list(items: &'static Schema, least: usize, most: usize) -> Schema {
    plain(Shape::List {
        items,
        least,
        most,
        unique: Unique::No,
    })
}

/// A list whose items differ in the fields named.
pub(super) const fn list_map(
    items: &'static Schema,
    least: usize,
    most: usize,
    keys: &'static [(&'static str, &'static str)],
) -> Schema {
    plain(Shape::List {
        items,
        least,
        most,
        unique: Unique::Keys(keys),
    })
}

pub(super) const fn set(items: &'static Schema, most: usize) -> Schema {
    plain(Shape::List {
        items,
        least: 0,
        most,
        unique: Unique::Values,
    })
}

pub(super) const fn map(values: &'static Schema, most: usize) -> Schema {
    plain(Shape::Map { values, most })
}

pub(super) const fn object(fields: &'static [Field]) -> Schema {
    plain(Shape::Object {
        fields,
        open: false,
    })
}

/// An object of Kubernetes' own, of which routing reads some fields; the rest is not judged.
pub(super) const fn open_object(fields: &'static [Field]) -> Schema {
    plain(Shape::Object { fields, open: true })
}

impl Schema {
    pub(super) const fn with(self, rules: &'static [Rule]) -> Schema {
        Schema {
            shape: self.shape,
            rules,
        }
    }
}

pub(super) const BOOLEAN: Schema = plain(Shape::Boolean);
pub(super) const ANY: Schema = plain(Shape::Any);
pub(super) const INT32: Schema = integer(i32::MIN as i64, i32::MAX as i64);
pub(super) const PORT: Schema = integer(1, 65_535);

/// Reading fields in rules: `null` counts as absent, as the API server drops it.
pub(super) trait Fields {
    fn field(&self, name: &str) -> Option<&Node>;
    fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }
    fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }
    fn items(&self, name: &str) -> &[Node] {
        self.field(name)
            .and_then(Node::as_sequence)
            .unwrap_or_default()
    }
}

impl Fields for Node {
    fn field(&self, name: &str) -> Option<&Node> {
        self.get(name).filter(|node| node.type_name() != "null")
    }
}

/// The items of a list that a rule is put on.
pub(super) fn items(list: &Node) -> &[Node] {
    list.as_sequence().unwrap_or_default()
}
