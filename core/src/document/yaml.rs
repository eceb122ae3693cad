//! YAML events → trees: tags, anchors, aliases and merge keys as kubectl takes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::limits::Limits;
use super::plain::{self, Start};
use super::reader::{Builder, Refused, Root};
use super::scalar;
use super::tree::{Entry, Mapping, Node, Value};
use crate::problem::{Place, excerpt};

/// Reads a stream of YAML documents: the plain ones line by line, the others by the full parser.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Vec<Root>, Refused> {
    let mut reader = Reader::new(limits);
    let mut roots = Vec::new();
    let mut start = Some(Start { at: 0, line: 1 });
    while let Some(begin) = start {
        let rest = plain::read(text, begin, &mut reader.builder, &mut roots);
        start = reader.documents(text, rest, true, &mut roots)?;
    }
    Ok(roots)
}

/// The same by the full parser alone.
pub(super) fn read_in_full(text: &str, limits: &Limits) -> Result<Vec<Root>, Refused> {
    let mut reader = Reader::new(limits);
    let mut roots = Vec::new();
    let start = Start { at: 0, line: 1 };
    reader.documents(text, start, false, &mut roots)?;
    Ok(roots)
}

/// Where a text ends. The parser takes a last line without a line break for one that has it, and may point behind it.
fn end(text: &str) -> Place {
    let breaks = text.replace("\r\n", "\n");
    let mut lines = breaks.split(['\n', '\r']);
    let last = lines.next_back().unwrap_or_default();
    Place {
        line: number(lines.count() + 1),
        column: number(last.chars().count()).saturating_add(1),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The lines of a text, found as far as somebody asked.
struct Lines<'t> {
    text: &'t str,
    /// Where each begins.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Lines<'t> {
        Lines {
            text,
            starts: vec![0],
        }
    }

    /// Where a line begins, counted from 1, and the text from there.
    fn from(&mut self, line: usize) -> Option<(usize, &'t str)> {
        let bytes = self.text.as_bytes();
        while self.starts.len() < line {
            let last = *self.starts.last()?;
            let rest = bytes.get(last..)?;
            let at = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
            let length = if rest[at..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
            self.starts.push(last + at + length);
        }
        let start = *self.starts.get(line.checked_sub(1)?)?;
        Some((start, self.text.get(start..)?))
    }

    /// Where the document begins whose first line this is, if `---` says so.
    fn marked(&mut self, line: usize) -> Option<usize> {
        let (start, text) = self.from(line)?;
        let after = text.strip_prefix("---")?;
        let ends = after.is_empty() || after.starts_with([' ', '\t', '\n', '\r']);
        ends.then_some(start)
    }
}

struct Reader<'l> {
    builder: Builder<'l>,
    limits: &'l Limits,
    /// The line of the text that is the parser's first.
    first_line: u32,
    /// Finished nodes that an alias may name, with their size.
    anchors: BTreeMap<usize, (Node, usize)>,
    /// The anchor of each open mapping or sequence, 0 for none.
    pending: Vec<usize>,
    /// For each open mapping or sequence, what `<<` merges into it.
    merges: Vec<Vec<Node>>,
    alias_nodes: usize,
}

impl<'l> Reader<'l> {
    fn new(limits: &'l Limits) -> Reader<'l> {
        Reader {
            builder: Builder::new(limits),
            limits,
            first_line: 1,
            anchors: BTreeMap::new(),
            pending: Vec::new(),
            merges: Vec::new(),
            alias_nodes: 0,
        }
    }

    /// Reads documents from `start` on: all, or up to the first that begins with `---` at which another reader may go on,
    /// which is told then.
    fn documents(
        &mut self,
        text: &str,
        start: Start,
        one: bool,
        roots: &mut Vec<Root>,
    ) -> Result<Option<Start>, Refused> {
        let text = text.get(start.at..).unwrap_or_default();
        self.first_line = start.line;
        let mut lines = Lines::new(text);
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| self.refused(&error, text))?;
            let ended = event == Event::DocumentEnd;
            if let Some(root) = self.event(event, span, &mut lines)? {
                roots.push((root, self.builder.take_duplicates()));
            }
            // Tags and anchors end with their document, so nothing of this one is known in the next.
            if one
                && ended
                && let Some(at) = lines.marked(span.start.line()).filter(|at| *at > 0)
            {
                return Ok(Some(Start {
                    at: start.at + at,
                    line: self.place(span.start).line,
                }));
            }
        }
        Ok(None)
    }

    fn place(&self, mark: Marker) -> Place {
        Place {
            line: number(mark.line().max(1)).saturating_add(self.first_line - 1),
            column: number(mark.col()).saturating_add(1),
        }
    }

    fn refused(&self, error: &ScanError, text: &str) -> Refused {
        let mut end = end(text);
        end.line = end.line.saturating_add(self.first_line - 1);
        let place = self.place(*error.marker()).min(end);
        // The parser remembers anchors of earlier documents, which are as unknown as any other.
        if error.info() == "while parsing node, found unknown anchor" {
            return unknown_anchor(place);
        }
        Refused::new(Some(place), format!("this is not YAML: {}", error.info()))
    }

    fn event(
        &mut self,
        event: Event<'_>,
        span: Span,
        lines: &mut Lines<'_>,
    ) -> Result<Option<Node>, Refused> {
        let place = self.place(span.start);
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
                    return Err(unknown_anchor(place));
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
                let place = self.first_dash(place, span.start.line(), lines);
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

    /// Where a list begins. For one whose dashes stand below the key that it belongs to, the parser names what follows the
    /// first of them.
    fn first_dash(&self, place: Place, line: usize, lines: &mut Lines<'_>) -> Place {
        let Some((_, key)) = self.builder.pending_key() else {
            return place;
        };
        // Nothing but spaces stands before such a dash.
        let before = usize::try_from(key.column - 1).unwrap_or(usize::MAX);
        let dash = lines.from(line).is_some_and(|(_, text)| {
            let rest = text.trim_start_matches(' ');
            text.len() - rest.len() == before && rest.starts_with('-')
        });
        if dash && place.line > key.line {
            Place {
                line: place.line,
                column: key.column,
            }
        } else {
            place
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
            .is_some_and(|(key, _)| &**key == MERGE)
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

fn unknown_anchor(place: Place) -> Refused {
    Refused::new(
        Some(place),
        "this alias names no anchor whose value ends before it in the same document",
    )
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
