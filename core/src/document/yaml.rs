//! YAML events → trees: tags, anchors, aliases and merge keys as kubectl takes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::limits::Limits;
use super::reader::{Builder, Refused, Root};
use super::scalar;
use super::tree::{Entry, Mapping, Node, Value};
use crate::problem::{Place, excerpt};

/// Reads a stream of YAML documents.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Vec<Root>, Refused> {
    let mut reader = Reader {
        builder: Builder::new(limits),
        limits,
        anchors: BTreeMap::new(),
        pending: Vec::new(),
        merges: Vec::new(),
        alias_nodes: 0,
    };
    let mut roots = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| refused(&error, text))?;
        if let Some(root) = reader.event(event, span)? {
            let duplicates = reader.builder.take_duplicates();
            roots.push((root, duplicates));
        }
    }
    Ok(roots)
}

fn refused(error: &ScanError, text: &str) -> Refused {
    let marker = error.marker();
    let place = place(marker.line(), marker.col()).min(end(text));
    Refused::new(Some(place), format!("this is not YAML: {}", error.info()))
}

/// Where a text ends. The parser takes a last line without a line break for one that has it, and may point behind it.
fn end(text: &str) -> Place {
    let breaks = text.replace("\r\n", "\n");
    let mut lines = breaks.split(['\n', '\r']);
    let last = lines.next_back().unwrap_or_default();
    place(lines.count() + 1, last.chars().count())
}

fn place(line: usize, column: usize) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place {
        line: number(line.max(1)),
        column: number(column).saturating_add(1),
    }
}

struct Reader<'l> {
    builder: Builder<'l>,
    limits: &'l Limits,
    /// Finished nodes that an alias may name, with their size.
    anchors: BTreeMap<usize, (Node, usize)>,
    /// The anchor of each open mapping or sequence, 0 for none.
    pending: Vec<usize>,
    /// For each open mapping or sequence, what `<<` merges into it.
    merges: Vec<Vec<Node>>,
    alias_nodes: usize,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, Refused> {
        let place = place(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if self.builder.wants_key() {
                    return self.key(place, &text, plain, tag.as_deref()).map(|()| None);
                }
                let value = value(place, text, plain, tag.as_deref())?;
                self.builder.count(place, 1)?;
                let node = Node::new(place, value);
                self.done(node, anchor)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(Refused::new(
                        Some(place),
                        "this alias names an anchor that is not finished yet",
                    ));
                };
                self.alias_nodes = self.alias_nodes.saturating_add(*size);
                if self.alias_nodes > self.limits.alias_nodes {
                    let message = format!(
                        "aliases add more values than the limit of {}",
                        self.limits.alias_nodes
                    );
                    return Err(Refused::new(Some(place), message));
                }
                let (node, size) = (node.clone(), *size);
                if self.builder.wants_key() {
                    let Some(text) = node.as_str() else {
                        return Err(Refused::new(Some(place), "a key has to be a scalar"));
                    };
                    return self.builder.key(place, text).map(|()| None);
                }
                self.builder.count(place, size)?;
                self.done(node, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(place, anchor, tag.as_deref(), "seq")?;
                self.builder.open_sequence(place).map(|()| None)
            }
            Event::MappingStart(anchor, tag) => {
                self.start(place, anchor, tag.as_deref(), "map")?;
                self.builder.open_mapping(place).map(|()| None)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let anchor = self.pending.pop().unwrap_or(0);
                let merges = self.merges.pop().unwrap_or_default();
                match self.builder.finish() {
                    Some(node) => {
                        let node = self.merge(node, merges)?;
                        self.done(node, anchor)
                    }
                    None => Ok(None),
                }
            }
            Event::DocumentEnd => {
                // Anchors end with their document.
                self.anchors.clear();
                Ok(None)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {
                Ok(None)
            }
        }
    }

    fn start(
        &mut self,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
        natural: &str,
    ) -> Result<(), Refused> {
        if self.builder.wants_key() {
            return Err(Refused::new(Some(place), "a key has to be a scalar"));
        }
        if let Some(tag) = tag.filter(|tag| core_tag(tag) != Some(natural)) {
            return Err(unknown_tag(place, tag));
        }
        self.pending.push(anchor);
        self.merges.push(Vec::new());
        Ok(())
    }

    /// A finished node: kept under its anchor, merged, or put where it belongs.
    fn done(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, Refused> {
        if let Value::String(text) = node.value()
            && text.len() > self.limits.scalar
        {
            let message = format!(
                "this string has {} bytes, more than the limit of {}",
                text.len(),
                self.limits.scalar
            );
            return Err(Refused::new(Some(node.place()), message));
        }
        if anchor > 0 {
            let size = node.size();
            self.builder.count(node.place(), size)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        if self
            .builder
            .pending_key()
            .is_some_and(|key| &**key == MERGE)
            && let Some(merges) = self.merges.last_mut()
        {
            merges.push(node.clone());
        }
        Ok(self.builder.put(node))
    }

    /// A key; numbers and booleans become their JSON text, as Kubernetes' reader makes them.
    fn key(
        &mut self,
        place: Place,
        text: &str,
        plain: bool,
        tag: Option<&Tag>,
    ) -> Result<(), Refused> {
        if plain && text == "<<" && tag.is_none() {
            return self.builder.key(place, MERGE);
        }
        let key = match value(place, Cow::Borrowed(text), plain, tag)? {
            Value::String(text) => return self.builder.key(place, &text),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            _ => return Err(Refused::new(Some(place), "a key may not be null")),
        };
        self.builder.key(place, &key)
    }

    /// Takes the merge key out of a mapping and adds what it names; keys of the mapping itself win.
    fn merge(&mut self, node: Node, merges: Vec<Node>) -> Result<Node, Refused> {
        let Value::Mapping(mapping) = node.value() else {
            return Ok(node);
        };
        if merges.is_empty() {
            return Ok(node);
        }
        let mut entries: Vec<Entry> = mapping
            .entries
            .iter()
            .filter(|e| &*e.key != MERGE)
            .cloned()
            .collect();
        for merge in &merges {
            let sources: Vec<&Node> = match merge.value() {
                Value::Sequence(items) => items.iter().collect(),
                _ => vec![merge],
            };
            for source in sources {
                let Value::Mapping(more) = source.value() else {
                    return Err(Refused::new(
                        Some(source.place()),
                        "a merge key takes a mapping or a list of mappings",
                    ));
                };
                for entry in &more.entries {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        entries.push(entry.clone());
                    }
                }
            }
        }
        Ok(Node::new(node.place(), Value::Mapping(Mapping { entries })))
    }
}

/// The merge key inside the reader. No text holds a NUL, so no key that a user writes is this one.
const MERGE: &str = "\0<<";

/// The name of a tag of YAML's own (`!!str`), or `None`.
fn core_tag(tag: &Tag) -> Option<&str> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("tag:yaml.org,2002:" | "!!", name) => Some(name),
        ("" | "!", name) => name.strip_prefix("tag:yaml.org,2002:"),
        _ => None,
    }
}

fn unknown_tag(place: Place, tag: &Tag) -> Refused {
    let text = excerpt(&format!("{}{}", tag.handle, tag.suffix));
    Refused::new(Some(place), format!("the tag `{text}` means nothing here"))
}

fn value(
    place: Place,
    text: Cow<'_, str>,
    plain: bool,
    tag: Option<&Tag>,
) -> Result<Value, Refused> {
    let resolved = |text: &str| {
        scalar::resolve(text)
            .map_err(|what| Refused::new(Some(place), format!("`{}` is {what}", excerpt(text))))
    };
    let Some(tag) = tag else {
        return if plain {
            resolved(&text)
        } else {
            Ok(scalar::string(&text))
        };
    };
    let Some(name) = core_tag(tag) else {
        // The non-specific tag `!` makes a string of everything.
        if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty()
        {
            return Ok(scalar::string(&text));
        }
        return Err(unknown_tag(place, tag));
    };
    let value = match name {
        "str" => return Ok(scalar::string(&text)),
        "bool" | "int" | "float" | "null" => resolved(&text)?,
        _ => return Err(unknown_tag(place, tag)),
    };
    let fits = matches!(
        (name, &value),
        ("bool", Value::Bool(_)) | ("int" | "float", Value::Number(_)) | ("null", Value::Null)
    );
    if fits {
        Ok(value)
    } else {
        Err(Refused::new(
            Some(place),
            format!("`{}` is no {name}", excerpt(&text)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of_error(text: &str) -> Option<String> {
        let refused = read(text, &Limits::default()).expect_err("it is not YAML");
        refused.place.map(|place| place.to_string())
    }

    #[test]
    fn an_error_at_the_end_lies_within_the_text() {
        assert_eq!(place_of_error("a: b\nc").as_deref(), Some("2:2"));
        assert_eq!(place_of_error("a: b\r\nc").as_deref(), Some("2:2"));
        assert_eq!(place_of_error("a: b\nc\n").as_deref(), Some("3:1"));
        assert_eq!(place_of_error("a: [b").as_deref(), Some("1:6"));
    }
}
