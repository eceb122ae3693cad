//! Values as the validation rules see them: `null`s dropped and defaults put in, without copying the document.

use super::schema::{Field, Literal, Schema, Shape};
use crate::document::{Mapping, Node, Value};
use crate::key::Channel;

/// A value, with the schema that says its defaults.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    schema: &'static Schema,
    channel: Channel,
    value: Given<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Given<'a> {
    Written(&'a Node),
    Default(&'static Literal),
}

impl<'a> View<'a> {
    pub(super) fn new(schema: &'static Schema, node: &'a Node, channel: Channel) -> View<'a> {
        View {
            schema,
            channel,
            value: Given::Written(node),
        }
    }

    fn of(self, schema: &'static Schema, value: Given<'a>) -> View<'a> {
        View {
            schema,
            channel: self.channel,
            value,
        }
    }

    /// A field of an object: what is written, or else its default.
    pub(super) fn field(self, name: &str) -> Option<View<'a>> {
        let Shape::Object { fields, .. } = &self.schema.shape else {
            return None;
        };
        let field: &'static Field = fields
            .iter()
            .find(|field| field.name == name && field.stands_in(self.channel))?;
        let written = match self.value {
            Given::Written(node) => node
                .get(name)
                .filter(|node| !matches!(node.value(), Value::Null))
                .map(Given::Written),
            Given::Default(Literal::Object(entries)) => entries
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| Given::Default(value)),
            Given::Default(_) => None,
        };
        let value = written.or_else(|| field.default.map(Given::Default))?;
        Some(self.of(field.schema, value))
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.field(name).is_some()
    }

    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.field(name)?.as_str()
    }

    pub(super) fn number(self, name: &str) -> Option<i64> {
        self.field(name)?.as_i64()
    }

    /// The items of a list in a field; none if it is absent.
    pub(super) fn items(self, name: &str) -> Items<'a> {
        Items(self.field(name))
    }

    /// Whether two objects have the same text in some fields; an absent one counts as empty.
    pub(super) fn agrees(self, other: View<'_>, names: &[&str]) -> bool {
        names
            .iter()
            .all(|name| self.text(name).unwrap_or("") == other.text(name).unwrap_or(""))
    }

    pub(super) fn as_str(self) -> Option<&'a str> {
        match self.value {
            Given::Written(node) => node.as_str(),
            Given::Default(Literal::Text(text)) => Some(text),
            Given::Default(_) => None,
        }
    }

    fn as_i64(self) -> Option<i64> {
        match self.value {
            Given::Written(node) => node.as_i64(),
            Given::Default(Literal::Integer(number)) => Some(*number),
            Given::Default(_) => None,
        }
    }

    pub(super) fn is_list(self) -> bool {
        match self.value {
            Given::Written(node) => node.as_sequence().is_some(),
            Given::Default(literal) => matches!(literal, Literal::List(_)),
        }
    }

    pub(super) fn is_object(self) -> bool {
        match self.value {
            Given::Written(node) => node.as_mapping().is_some(),
            Given::Default(literal) => matches!(literal, Literal::Object(_)),
        }
    }

    /// Whether an object has fields that its schema does not name.
    pub(super) fn has_strays(self) -> bool {
        let (Shape::Object { fields, .. }, Given::Written(node)) = (&self.schema.shape, self.value)
        else {
            return false;
        };
        let known = |name: &str| {
            fields
                .iter()
                .any(|field| field.name == name && field.stands_in(self.channel))
        };
        let entries = node.as_mapping().map(Mapping::entries).unwrap_or_default();
        entries.iter().any(|entry| !known(&entry.key))
    }

    pub(super) fn schema(self) -> &'static Schema {
        self.schema
    }

    /// The value, unless it is a default.
    pub(super) fn written(self) -> Option<&'a Node> {
        match self.value {
            Given::Written(node) => Some(node),
            Given::Default(_) => None,
        }
    }

    /// Whether both are the same text, or the same integer.
    pub(super) fn agrees_as_scalar(self, other: View<'_>) -> bool {
        match (self.as_str(), self.as_i64()) {
            (None, None) => false,
            (text, number) => text == other.as_str() && number == other.as_i64(),
        }
    }

    /// The keys of a map; an entry that is `null` is not there.
    pub(super) fn keys(self) -> impl Iterator<Item = &'a str> {
        let entries = match self.value {
            Given::Written(node) => node.as_mapping().map(|mapping| mapping.entries()),
            Given::Default(_) => None,
        };
        let there = |entry: &&crate::document::Entry| !matches!(entry.value.value(), Value::Null);
        entries
            .unwrap_or_default()
            .iter()
            .filter(there)
            .map(|entry| &*entry.key)
    }
}

/// The items of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items<'a>(Option<View<'a>>);

/// The items of a list that a rule is put on.
pub(super) fn items(list: View<'_>) -> Items<'_> {
    Items(Some(list))
}

impl<'a> Items<'a> {
    pub(super) fn len(self) -> usize {
        match self.0.map(|list| list.value) {
            Some(Given::Written(node)) => node.as_sequence().map_or(0, <[Node]>::len),
            Some(Given::Default(Literal::List(items))) => items.len(),
            _ => 0,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub(super) fn get(self, index: usize) -> Option<View<'a>> {
        let list = self.0?;
        let Shape::List { items: schema, .. } = &list.schema.shape else {
            return None;
        };
        let value = match list.value {
            Given::Written(node) => Given::Written(node.as_sequence()?.get(index)?),
            Given::Default(Literal::List(items)) => Given::Default(items.get(index)?),
            Given::Default(_) => return None,
        };
        Some(list.of(schema, value))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = View<'a>> + Clone {
        (0..self.len()).filter_map(move |index| self.get(index))
    }

    /// Whether something holds for every two different items.
    pub(super) fn every_two(self, holds: impl Fn(View<'a>, View<'a>) -> bool) -> bool {
        self.iter()
            .enumerate()
            .all(|(at, a)| self.iter().skip(at + 1).all(|b| holds(a, b)))
    }
}
