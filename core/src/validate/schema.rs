//! The form of a schema: what OpenAPI and the list types of Kubernetes say, and the validation rules.

use super::view::View;
use crate::key::Channel;

/// What a value has to look like.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) shape: Shape,
    pub(super) rules: &'static [Rule],
    /// Whether rules stand here or below, so that walks for them pass over what has none.
    pub(super) ruled: bool,
    /// Whether a list of different items stands here or below, likewise.
    pub(super) distinct: bool,
}

#[derive(Debug)]
pub(super) enum Shape {
    Boolean,
    Integer {
        /// The width that the CRD names: `int32`, `int64` or none.
        format: Option<&'static str>,
        /// `i64::MIN` for no bound.
        minimum: i64,
        /// `i64::MAX` for no bound.
        maximum: i64,
        values: &'static [i64],
    },
    Text {
        least: usize,
        /// `usize::MAX` for no bound; so for all lengths here.
        most: usize,
        format: Option<&'static Format>,
        values: &'static [&'static str],
    },
    /// A point in time (RFC 3339). It stands in statuses only, which are not judged.
    Time,
    List {
        items: &'static Schema,
        least: usize,
        most: usize,
        unique: Unique,
    },
    Object {
        fields: &'static [Field],
        /// `minProperties`.
        least: usize,
        /// `x-kubernetes-map-type: atomic`.
        atomic: bool,
        /// Whether fields that the schema does not name are passed over.
        open: bool,
    },
    Map {
        values: &'static Schema,
        least: usize,
        most: usize,
    },
    IntOrString,
    /// Not looked at, beyond its type; `None` for any.
    Any(Option<&'static str>),
}

/// What makes two items of a list the same.
#[derive(Debug)]
pub(super) enum Unique {
    No,
    /// `x-kubernetes-list-type: map`: these fields.
    Keys(&'static [&'static str]),
    /// `x-kubernetes-list-type: set`.
    Values,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) schema: &'static Schema,
    pub(super) required: bool,
    /// The channel whose CRD has it like this; `None` for both.
    pub(super) channel: Option<Channel>,
    /// What the API server puts in when the field is absent or `null`.
    pub(super) default: Option<&'static Literal>,
}

/// A value that stands in a schema.
#[derive(Debug)]
pub(super) enum Literal {
    Text(&'static str),
    Integer(i64),
    List(&'static [Literal]),
    Object(&'static [(&'static str, Literal)]),
}

/// A pattern of a CRD, checked by a function.
#[derive(Debug)]
pub(super) struct Format {
    /// The CRD's text.
    pub(super) pattern: &'static str,
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
    pub(super) test: Test,
}

/// What a rule looks at. Defaults are in the values that it is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// The value alone.
    Value(fn(View<'_>) -> bool),
    /// The value and the one that it replaces (`oldSelf`); not asked when an object is made.
    Update(fn(View<'_>, View<'_>) -> bool),
    /// A part of the structure that the other words of a schema do not say (`oneOf`), and the member that it is about.
    Structure {
        member: &'static str,
        /// What is expected, after "expected".
        expected: &'static str,
        holds: fn(View<'_>) -> bool,
    },
}

pub(super) const fn rule(message: &'static str, holds: fn(View<'_>) -> bool) -> Rule {
    Rule {
        message,
        channel: None,
        test: Test::Value(holds),
    }
}

pub(super) const fn rule_in(
    channel: Channel,
    message: &'static str,
    holds: fn(View<'_>) -> bool,
) -> Rule {
    Rule {
        message,
        channel: Some(channel),
        test: Test::Value(holds),
    }
}

pub(super) const fn required(name: &'static str, schema: &'static Schema) -> Field {
    Field {
        name,
        schema,
        required: true,
        channel: None,
        default: None,
    }
}

pub(super) const fn optional(name: &'static str, schema: &'static Schema) -> Field {
    Field {
        name,
        schema,
        required: false,
        channel: None,
        default: None,
    }
}

pub(super) const fn defaulted(
    name: &'static str,
    schema: &'static Schema,
    default: &'static Literal,
) -> Field {
    Field {
        name,
        schema,
        required: false,
        channel: None,
        default: Some(default),
    }
}

pub(super) const fn experimental(name: &'static str, schema: &'static Schema) -> Field {
    optional(name, schema).only(Channel::Experimental)
}

impl Field {
    /// The same in one channel only; a field that differs between the channels stands once for each.
    pub(super) const fn only(self, channel: Channel) -> Field {
        Field {
            name: self.name,
            schema: self.schema,
            required: self.required,
            channel: Some(channel),
            default: self.default,
        }
    }

    pub(super) fn stands_in(&self, channel: Channel) -> bool {
        self.channel.is_none_or(|only| only == channel)
    }
}

pub(super) const fn plain(shape: Shape) -> Schema {
    let (ruled, distinct) = below(&shape);
    Schema {
        shape,
        rules: &[],
        ruled,
        distinct,
    }
}

/// Whether rules, and lists of different items, stand in a shape.
const fn below(shape: &Shape) -> (bool, bool) {
    match shape {
        Shape::List { items, unique, .. } => {
            (items.ruled, items.distinct || !matches!(unique, Unique::No))
        }
        Shape::Map { values, .. } => (values.ruled, values.distinct),
        Shape::Object { fields, .. } => {
            let (mut ruled, mut distinct, mut at) = (false, false, 0);
            while at < fields.len() {
                ruled |= fields[at].schema.ruled;
                distinct |= fields[at].schema.distinct;
                at += 1;
            }
            (ruled, distinct)
        }
        _ => (false, false),
    }
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

/// An integer without a width.
pub(super) const fn integer(minimum: i64, maximum: i64) -> Schema {
    plain(Shape::Integer {
        format: None,
        minimum,
        maximum,
        values: &[],
    })
}

pub(super) const fn int32(minimum: i64, maximum: i64) -> Schema {
    plain(Shape::Integer {
        format: Some("int32"),
        minimum,
        maximum,
        values: &[],
    })
}

pub(super) const fn one_of_integers(values: &'static [i64]) -> Schema {
    plain(Shape::Integer {
        format: None,
        minimum: i64::MIN,
        maximum: i64::MAX,
        values,
    })
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
    keys: &'static [&'static str],
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
    map_between(values, 0, most)
}

pub(super) const fn map_between(values: &'static Schema, least: usize, most: usize) -> Schema {
    plain(Shape::Map {
        values,
        least,
        most,
    })
}

pub(super) const fn object(fields: &'static [Field]) -> Schema {
    object_of(fields, 0, false)
}

pub(super) const fn object_of(fields: &'static [Field], least: usize, atomic: bool) -> Schema {
    plain(Shape::Object {
        fields,
        least,
        atomic,
        open: false,
    })
}

/// An object of Kubernetes' own, of which routing reads some fields; the rest is not judged.
pub(super) const fn open_object(fields: &'static [Field]) -> Schema {
    plain(Shape::Object {
        fields,
        least: 0,
        atomic: false,
        open: true,
    })
}

impl Schema {
    pub(super) const fn with(self, rules: &'static [Rule]) -> Schema {
        Schema {
            shape: self.shape,
            rules,
            ruled: true,
            distinct: self.distinct,
        }
    }
}

pub(super) const BOOLEAN: Schema = plain(Shape::Boolean);
pub(super) const ANY: Schema = plain(Shape::Any(None));
pub(super) const INT32: Schema = int32(i64::MIN, i64::MAX);
pub(super) const PORT: Schema = int32(1, 65_535);
