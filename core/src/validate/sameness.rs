//! What is the same: items of a list among each other, and values before and after an update.

use std::collections::BTreeMap;

use super::schema::{Field, Schema, Shape, Unique};
use super::view::{View, items};
use crate::document::path::{Path, Step};
use crate::document::{Node, Value};
use crate::key::Channel;

/// Says the items that stand twice in a list of different ones.
pub(super) fn repeated(
    schema: &'static Schema,
    node: &Node,
    channel: Channel,
    path: &Path<'_>,
    say: &mut dyn FnMut(&Path<'_>, &str),
) {
    if !schema.distinct {
        return;
    }
    match (&schema.shape, node.value()) {
        (Shape::List { items, unique, .. }, Value::Sequence(nodes)) => {
            for (index, text) in duplicates(nodes, unique) {
                say(&path.child(Step::Index(index)), &text);
            }
            for (index, node) in nodes.iter().enumerate() {
                repeated(items, node, channel, &path.child(Step::Index(index)), say);
            }
        }
        (Shape::Object { fields, .. }, Value::Mapping(mapping)) => {
            for entry in mapping.entries() {
                let path = path.child(Step::Field(&entry.key));
                let field = fields
                    .iter()
                    .find(|field| field.name == &*entry.key && field.stands_in(channel));
                if let Some(field) = field.filter(|_| !path.is_status()) {
                    repeated(field.schema, &entry.value, channel, &path, say);
                }
            }
        }
        _ => {}
    }
}

/// Whether an update leaves a value as it was, defaults put in: items with keys are compared with those of the same keys.
pub(super) fn unchanged(old: View<'_>, new: View<'_>) -> bool {
    match &new.schema().shape {
        Shape::Object {
            fields,
            open: false,
            ..
        } if old.is_object() && new.is_object() => {
            let kept = |field: &Field| match (old.field(field.name), new.field(field.name)) {
                (Some(old), Some(new)) => unchanged(old, new),
                (old, new) => old.is_none() && new.is_none(),
            };
            // A field that nobody knows has to be told, wherever it stands.
            !new.has_strays() && fields.iter().all(kept)
        }
        Shape::List { unique, .. } if old.is_list() && new.is_list() => {
            let (olds, news) = (items(old), items(new));
            let kept = |(old, new): (View<'_>, View<'_>)| match unique {
                Unique::Keys(keys) => {
                    correlated(olds.iter(), new, keys).is_some_and(|old| unchanged(old, new))
                }
                _ => unchanged(old, new),
            };
            olds.len() == news.len() && olds.iter().zip(news.iter()).all(kept)
        }
        _ => match (old.written(), new.written()) {
            (Some(old), Some(new)) => same(old, new),
            _ => old.agrees_as_scalar(new),
        },
    }
}

/// The item of a list that an update replaces by `node`: only keys tell which one that is.
pub(super) fn replaced<'n>(
    schema: &'static Schema,
    old: &'n Node,
    node: &'n Node,
    channel: Channel,
) -> Option<&'n Node> {
    let Shape::List {
        items: schema,
        unique: Unique::Keys(keys),
        ..
    } = &schema.shape
    else {
        return None;
    };
    let view = |node| View::new(schema, node, channel);
    let olds = old.as_sequence()?.iter().map(view);
    correlated(olds, view(node), keys)?.written()
}

fn correlated<'v>(
    mut olds: impl Iterator<Item = View<'v>>,
    new: View<'_>,
    keys: &[&str],
) -> Option<View<'v>> {
    olds.find(|old| {
        keys.iter()
            .all(|key| match (old.field(key), new.field(key)) {
                (Some(old), Some(new)) => unchanged(old, new),
                (old, new) => old.is_none() && new.is_none(),
            })
    })
}

/// Whether two values are the same, `null`s and the order of fields left out.
fn same(a: &Node, b: &Node) -> bool {
    match (a.value(), b.value()) {
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(one), Value::Mapping(two)) => {
            let within = |one: &crate::document::Mapping, two: &crate::document::Mapping| {
                let there = one.entries().iter().filter(|entry| !is_null(&entry.value));
                there.clone().all(|entry| {
                    two.get(&entry.key)
                        .is_some_and(|value| same(&entry.value, value))
                })
            };
            within(one, two) && within(two, one)
        }
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        _ => false,
    }
}

/// The items of a list that stand in it before, each once, with what makes them the same.
fn duplicates(nodes: &[Node], unique: &Unique) -> Vec<(usize, String)> {
    let keyed = matches!(unique, Unique::Keys(_));
    // Where an item is no object, and so has no keys, the API server compares none; `null` is an object without any.
    if keyed
        && nodes
            .iter()
            .any(|node| node.as_mapping().is_none() && !is_null(node))
    {
        return Vec::new();
    }
    if surely_differ(nodes, unique) {
        return Vec::new();
    }
    let mut seen: BTreeMap<Vec<Option<String>>, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let key: Vec<Option<String>> = match unique {
            Unique::No => break,
            Unique::Values => vec![Some(scalar(node))],
            Unique::Keys(keys) => keys.iter().map(|name| node.get(name).map(scalar)).collect(),
        };
        let text = key
            .iter()
            .flatten()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("/");
        let times = seen.entry(key).or_default();
        *times += 1;
        if *times == 2 {
            found.push((index, text));
        }
    }
    found
}

/// Lists up to this length are compared item by item before anything is copied.
const FEW: usize = 8;

/// Whether a glance tells that no two items are the same, as it is with most lists.
fn surely_differ(nodes: &[Node], unique: &Unique) -> bool {
    let differ = |a: Option<&Node>, b: Option<&Node>| match (a, b) {
        (Some(a), Some(b)) => matches!((a.as_str(), b.as_str()), (Some(a), Some(b)) if a != b),
        (None, None) => false,
        _ => true,
    };
    let two = |a: &Node, b: &Node| match unique {
        Unique::No => true,
        Unique::Values => differ(Some(a), Some(b)),
        Unique::Keys(keys) => keys.iter().any(|key| differ(a.get(key), b.get(key))),
    };
    nodes.len() <= FEW
        && nodes
            .iter()
            .enumerate()
            .all(|(at, a)| nodes.iter().skip(at + 1).all(|b| two(a, b)))
}

fn scalar(node: &Node) -> String {
    match node.value() {
        Value::String(text) => text.to_string(),
        _ => node.to_json().to_string(),
    }
}

pub(super) fn is_null(node: &Node) -> bool {
    matches!(node.value(), Value::Null)
}
