//! Trees → typed values, through serde: nothing is copied but what the value keeps.

use std::cell::RefCell;
use std::fmt;
use std::slice::Iter;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::path::{Path, Step};
use super::tree::{Entry, Node, Value};
use crate::problem::FieldPath;

/// What a type has no field for, in the order in which it was met.
pub(crate) type Unknown = RefCell<Vec<(FieldPath, serde_json::Value)>>;

/// A value that does not fit the type of its field.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    /// The innermost value that serde was at.
    pub(crate) field: Option<FieldPath>,
}

impl Wrong {
    fn at(mut self, path: &Path<'_>) -> Wrong {
        self.field.get_or_insert_with(|| path.to_field_path());
        self
    }
}

impl Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Wrong {
            message: message.to_string(),
            field: None,
        }
    }
}

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field.as_ref().filter(|f| !f.segments().is_empty()) {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Hands a node to serde. A `null` in a mapping is absent, as the API server drops it.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'n, 'p> {
    node: &'n Node,
    path: &'p Path<'p>,
    unknown: &'p Unknown,
}

impl<'n, 'p> Reader<'n, 'p> {
    pub(crate) fn new(root: &'n Node, unknown: &'p Unknown) -> Reader<'n, 'p> {
        Reader {
            node: root,
            path: &Path::ROOT,
            unknown,
        }
    }
}

impl<'n> Deserializer<'n> for Reader<'n, '_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let read = match self.node.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => visitor.visit_i64(number),
                (None, Some(number)) => visitor.visit_u64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(nodes) => visitor.visit_seq(Items {
                reader: self,
                nodes: nodes.iter().enumerate(),
            }),
            Value::Mapping(mapping) => visitor.visit_map(Fields {
                reader: self,
                entries: mapping.entries().iter(),
                entry: None,
            }),
        };
        read.map_err(|wrong| wrong.at(self.path))
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.value() {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let text = self.node.as_str().unwrap_or_default();
        let variant: StrDeserializer<'_, Wrong> = text.into_deserializer();
        visitor
            .visit_enum(variant)
            .map_err(|wrong| wrong.at(self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let found = (self.path.to_field_path(), self.node.to_json());
        self.unknown.borrow_mut().push(found);
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <W: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

struct Items<'n, 'p> {
    reader: Reader<'n, 'p>,
    nodes: std::iter::Enumerate<Iter<'n, Node>>,
}

impl<'n> SeqAccess<'n> for Items<'n, '_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some((index, node)) = self.nodes.next() else {
            return Ok(None);
        };
        let path = self.reader.path.child(Step::Index(index));
        let reader = Reader {
            node,
            path: &path,
            ..self.reader
        };
        seed.deserialize(reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len())
    }
}

struct Fields<'n, 'p> {
    reader: Reader<'n, 'p>,
    entries: Iter<'n, Entry>,
    /// The entry whose value comes next.
    entry: Option<&'n Entry>,
}

impl<'n> MapAccess<'n> for Fields<'n, '_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let there = |entry: &&Entry| !matches!(entry.value.value(), Value::Null);
        self.entry = self.entries.find(there);
        match self.entry {
            Some(entry) => seed
                .deserialize(BorrowedStrDeserializer::new(&entry.key))
                .map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let Some(entry) = self.entry else {
            return Err(Wrong::custom("a value without a key"));
        };
        let path = self.reader.path.child(Step::Field(&entry.key));
        let reader = Reader {
            node: &entry.value,
            path: &path,
            ..self.reader
        };
        seed.deserialize(reader)
    }
}
