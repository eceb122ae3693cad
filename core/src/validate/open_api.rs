//! The schemas as a CRD writes them, so that they can be compared with the real ones.

use serde_json::{Map, Value, json};

use super::schema::{Literal, Schema, Shape, Test, Unique};
use super::schema_of;
use crate::key::{Channel, Kind};

/// The schema of a version of a kind in a channel, as `openAPIV3Schema` of its CRD: without descriptions, and with rules
/// by their messages alone, since the expressions of CRDs are functions here. `None` for kinds of Kubernetes' own and
/// for versions that the channel does not serve.
///
/// ```
/// use gatepost::{key::{Channel, Kind}, validate::open_api};
/// let schema = open_api(Kind::HttpRoute, "v1", Channel::Standard).unwrap();
/// let rules = &schema["properties"]["spec"]["properties"]["rules"];
/// assert_eq!((&rules["minItems"], &rules["maxItems"]), (&1.into(), &16.into()));
/// ```
pub fn open_api(kind: Kind, version: &str, channel: Channel) -> Option<Value> {
    let crd =
        kind.group() == crate::key::GATEWAY_GROUP || kind.group() == crate::key::EXPERIMENTAL_GROUP;
    if !crd || !kind.served(version, channel) {
        return None;
    }
    Some(Value::Object(write(schema_of(kind, version)?, channel)))
}

fn write(schema: &Schema, channel: Channel) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    match &schema.shape {
        Shape::Boolean => put("type", json!("boolean")),
        Shape::Time => {
            put("type", json!("string"));
            put("format", json!("date-time"));
        }
        Shape::Integer {
            format,
            minimum,
            maximum,
            values,
        } => {
            put("type", json!("integer"));
            if let Some(format) = format {
                put("format", json!(format));
            }
            if *minimum > i64::MIN {
                put("minimum", json!(minimum));
            }
            if *maximum < i64::MAX {
                put("maximum", json!(maximum));
            }
            if !values.is_empty() {
                put("enum", json!(values));
            }
        }
        Shape::Text {
            least,
            most,
            format,
            values,
        } => {
            put("type", json!("string"));
            bounds(("minLength", *least), ("maxLength", *most), &mut put);
            if let Some(format) = format {
                put("pattern", json!(format.pattern));
            }
            if !values.is_empty() {
                put("enum", json!(values));
            }
        }
        Shape::List {
            items,
            least,
            most,
            unique,
        } => {
            put("type", json!("array"));
            bounds(("minItems", *least), ("maxItems", *most), &mut put);
            put("items", Value::Object(write(items, channel)));
            let list_type = match unique {
                Unique::No => "atomic",
                Unique::Values => "set",
                Unique::Keys(keys) => {
                    put("x-kubernetes-list-map-keys", json!(keys));
                    "map"
                }
            };
            put("x-kubernetes-list-type", json!(list_type));
        }
        Shape::Map {
            values,
            least,
            most,
        } => {
            put("type", json!("object"));
            bounds(
                ("minProperties", *least),
                ("maxProperties", *most),
                &mut put,
            );
            put(
                "additionalProperties",
                Value::Object(write(values, channel)),
            );
        }
        Shape::Object {
            fields,
            least,
            atomic,
            ..
        } => {
            put("type", json!("object"));
            bounds(("minProperties", *least), ("", usize::MAX), &mut put);
            if *atomic {
                put("x-kubernetes-map-type", json!("atomic"));
            }
            let fields = || fields.iter().filter(|field| field.stands_in(channel));
            let property = |field: &super::schema::Field| {
                let mut schema = write(field.schema, channel);
                if let Some(default) = field.default {
                    schema.insert("default".to_owned(), literal(default));
                }
                (field.name.to_owned(), Value::Object(schema))
            };
            put(
                "properties",
                Value::Object(fields().map(property).collect()),
            );
            let required: Vec<&str> = fields()
                .filter(|field| field.required)
                .map(|field| field.name)
                .collect();
            if !required.is_empty() {
                put("required", json!(required));
            }
        }
        Shape::IntOrString => put("x-kubernetes-int-or-string", json!(true)),
        Shape::Any(Some(kind)) => put("type", json!(kind)),
        Shape::Any(None) => put("x-kubernetes-preserve-unknown-fields", json!(true)),
    }
    let rules = schema
        .rules
        .iter()
        .filter(|rule| rule.channel.is_none_or(|only| only == channel));
    let mut messages = Vec::new();
    for rule in rules {
        match rule.test {
            Test::Structure { .. } => put("oneOf", address_is_ip()),
            Test::Value(_) | Test::Update(_) => messages.push(json!({"message": rule.message})),
        }
    }
    if !messages.is_empty() {
        put("x-kubernetes-validations", Value::Array(messages));
    }
    out
}

fn bounds(
    (below, least): (&str, usize),
    (above, most): (&str, usize),
    put: &mut impl FnMut(&str, Value),
) {
    if least > 0 {
        put(below, json!(least));
    }
    if most < usize::MAX {
        put(above, json!(most));
    }
}

fn literal(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Integer(number) => json!(number),
        Literal::List(items) => Value::Array(items.iter().map(self::literal).collect()),
        Literal::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), self::literal(value)));
            Value::Object(entries.collect())
        }
    }
}

/// The one structural rule beyond words: an address of type `IPAddress` is one.
fn address_is_ip() -> Value {
    json!([
        {"properties": {
            "type": {"enum": ["IPAddress"]},
            "value": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        }},
        {"properties": {"type": {"not": {"enum": ["IPAddress"]}}}},
    ])
}
