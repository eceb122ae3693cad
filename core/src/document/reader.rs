//! Bytes → trees, within limits; what JSON and YAML share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::json;
use super::limits::Limits;
use super::tree::{Document, Duplicate, Entry, Mapping, Node, Value};
use crate::problem::{FieldPath, Place, Segment};

/// Why a text cannot be read: it is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where reading stopped.
    pub place: Option<Place>,
    /// What is wrong there.
    pub message: String,
}

impl Refused {
    pub(super) fn new(place: Option<Place>, message: impl Into<String>) -> Refused {
        Refused {
            place,
            message: message.into(),
        }
    }
}

/// Reads all documents of a text, YAML or JSON, empty ones left out. Lists are not taken apart.
///
/// # Errors
///
/// If the text is not UTF-8, is neither YAML nor JSON, or exceeds a limit. The first error ends the reading.
pub fn read(source: &Arc<str>, text: &[u8], limits: &Limits) -> Result<Vec<Document>, Refused> {
    read_by(roots, source, text, limits)
}

/// The same as [`read`], but all YAML goes through the full parser: slower, to compare the two.
///
/// # Errors
///
/// As [`read`].
#[cfg(feature = "yaml")]
pub fn read_in_full(
    source: &Arc<str>,
    text: &[u8],
    limits: &Limits,
) -> Result<Vec<Document>, Refused> {
    let roots = |text: &str, limits: &Limits| json_or(super::yaml::read_in_full, text, limits);
    read_by(roots, source, text, limits)
}

fn read_by(
    roots: impl Fn(&str, &Limits) -> Result<Vec<Root>, Refused>,
    source: &Arc<str>,
    text: &[u8],
    limits: &Limits,
) -> Result<Vec<Document>, Refused> {
    if text.len() > limits.bytes {
        let message = format!(
            "the text has {} bytes, more than the limit of {}",
            text.len(),
            limits.bytes
        );
        return Err(Refused::new(None, message));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let place = place_of(text.get(..error.valid_up_to()).unwrap_or_default());
            return Err(Refused::new(Some(place), "the text is not UTF-8"));
        }
    };
    if let Some(at) = text.find('\0') {
        let place = place_of(&text.as_bytes()[..at]);
        return Err(Refused::new(Some(place), "a NUL byte is not text"));
    }
    let roots = roots(text, limits)?;
    let documents = roots
        .into_iter()
        .filter(|(root, _)| !matches!(root.value(), Value::Null));
    Ok(documents
        .map(|(root, duplicates)| Document::new(source.clone(), root, duplicates))
        .collect())
}

/// A tree, and the keys that stand twice in it.
pub(super) type Root = (Node, Vec<Duplicate>);

#[cfg(feature = "yaml")]
fn roots(text: &str, limits: &Limits) -> Result<Vec<Root>, Refused> {
    json_or(super::yaml::read, text, limits)
}

/// A text that begins like JSON is read as JSON; what is not JSON after all may still be YAML in flow style.
#[cfg(feature = "yaml")]
fn json_or(
    yaml: fn(&str, &Limits) -> Result<Vec<Root>, Refused>,
    text: &str,
    limits: &Limits,
) -> Result<Vec<Root>, Refused> {
    if text.trim_start().starts_with(['{', '['])
        && let Ok(roots) = json::read(text, limits)
    {
        return Ok(roots);
    }
    yaml(text, limits)
}

#[cfg(not(feature = "yaml"))]
fn roots(text: &str, limits: &Limits) -> Result<Vec<Root>, Refused> {
    json::read(text, limits)
}

fn place_of(before: &[u8]) -> Place {
    let text = String::from_utf8_lossy(before);
    let line = text.bytes().filter(|&byte| byte == b'\n').count();
    let column = text.chars().rev().take_while(|&c| c != '\n').count();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX - 1) + 1;
    Place {
        line: number(line),
        column: number(column),
    }
}

/// Builds a tree from the outside in, without recursion, and counts what it costs.
pub(super) struct Builder<'l> {
    limits: &'l Limits,
    open: Vec<Open>,
    /// The entries of all open mappings and the items of all open lists, the innermost last: each takes one allocation,
    /// of its size, when it is finished.
    entries: Vec<Entry>,
    items: Vec<Node>,
    nodes: usize,
    duplicates: Vec<Duplicate>,
    names: Names,
}

/// The same few keys stand in every object, so most of them are shared.
struct Names([Option<Arc<str>>; NAMES]);

const NAMES: usize = 256;

impl Names {
    fn shared(&mut self, text: &str) -> Arc<str> {
        let at = text.bytes().fold(text.len(), |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        // INVARIANT: the remainder lies within the array.
        let known = &mut self.0[at % NAMES];
        match known {
            Some(name) if **name == *text => name.clone(),
            _ => known.insert(Arc::from(text)).clone(),
        }
    }
}

struct Open {
    place: Place,
    items: Items,
}

impl Open {
    fn first_item(&self) -> Option<usize> {
        match self.items {
            Items::Sequence { from } => Some(from),
            Items::Mapping { .. } => None,
        }
    }
}

enum Items {
    Sequence {
        /// How many items belong to lists around this one.
        from: usize,
    },
    Mapping {
        /// How many entries belong to mappings around this one.
        from: usize,
        key: Option<(Arc<str>, Place)>,
        /// Whether the key stands in the mapping already, so that its value is read and left out.
        again: bool,
        /// Positions by key, once a mapping is too long to be searched for each key.
        index: BTreeMap<Arc<str>, usize>,
    },
}

/// Mappings up to this length are searched entry by entry.
const SEARCHED: usize = 24;

impl<'l> Builder<'l> {
    pub(super) fn new(limits: &'l Limits) -> Builder<'l> {
        Builder {
            limits,
            open: Vec::new(),
            entries: Vec::new(),
            items: Vec::new(),
            nodes: 0,
            duplicates: Vec::new(),
            names: Names([const { None }; NAMES]),
        }
    }

    pub(super) fn in_mapping(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                items: Items::Mapping { .. },
                ..
            })
        )
    }

    /// Whether the next value is the key of a mapping.
    #[cfg(feature = "yaml")]
    pub(super) fn wants_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                items: Items::Mapping { key: None, .. },
                ..
            })
        )
    }

    /// The key whose value comes next, with its place.
    #[cfg(feature = "yaml")]
    pub(super) fn pending_key(&self) -> Option<&(Arc<str>, Place)> {
        match self.open.last()? {
            Open {
                items: Items::Mapping { key: Some(key), .. },
                ..
            } => Some(key),
            _ => None,
        }
    }

    pub(super) fn open_mapping(&mut self, place: Place) -> Result<(), Refused> {
        self.open(
            place,
            Items::Mapping {
                from: self.entries.len(),
                key: None,
                again: false,
                index: BTreeMap::new(),
            },
        )
    }

    pub(super) fn open_sequence(&mut self, place: Place) -> Result<(), Refused> {
        let from = self.items.len();
        self.open(place, Items::Sequence { from })
    }

    fn open(&mut self, place: Place, items: Items) -> Result<(), Refused> {
        self.count(place, 1)?;
        if self.open.len() >= self.limits.depth {
            let message = format!(
                "mappings and lists are nested deeper than the limit of {}",
                self.limits.depth
            );
            return Err(Refused::new(Some(place), message));
        }
        self.open.push(Open { place, items });
        Ok(())
    }

    /// Counts nodes against the limit of the text.
    pub(super) fn count(&mut self, place: Place, nodes: usize) -> Result<(), Refused> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let message = format!(
                "the text has more values than the limit of {}",
                self.limits.nodes
            );
            return Err(Refused::new(Some(place), message));
        }
        Ok(())
    }

    /// How many nodes were counted.
    #[cfg(feature = "yaml")]
    pub(super) fn count_so_far(&self) -> usize {
        self.nodes
    }

    /// Forgets the tree that is being built, back to an earlier count.
    #[cfg(feature = "yaml")]
    pub(super) fn reset(&mut self, nodes: usize) {
        self.nodes = nodes;
        self.open.clear();
        self.entries.clear();
        self.items.clear();
        self.duplicates.clear();
    }

    /// The keys of the finished tree that stand twice.
    pub(super) fn take_duplicates(&mut self) -> Vec<Duplicate> {
        std::mem::take(&mut self.duplicates)
    }

    /// The path of what is being read.
    fn path(&self) -> FieldPath {
        let mut path = FieldPath::default();
        // A list has the items up to where the next list inside it begins.
        let mut ends: Vec<usize> = self
            .open
            .iter()
            .filter_map(Open::first_item)
            .skip(1)
            .collect();
        ends.push(self.items.len());
        let mut ends = ends.into_iter();
        for open in &self.open {
            match &open.items {
                Items::Sequence { from } => {
                    let end = ends.next().unwrap_or_default();
                    path.push(Segment::Index(end.saturating_sub(*from)));
                }
                Items::Mapping { key, .. } => {
                    if let Some((key, _)) = key {
                        path.push(Segment::Field(key.clone()));
                    }
                }
            }
        }
        path
    }

    /// Says the key of the next value. The value of one that stands already is left out, and the object refused later.
    pub(super) fn key(&mut self, place: Place, text: &str) -> Result<(), Refused> {
        self.count(place, 1)?;
        let text = self.names.shared(text);
        let Some(Open {
            items:
                Items::Mapping {
                    from,
                    key,
                    again,
                    index,
                },
            ..
        }) = self.open.last_mut()
        else {
            return Ok(());
        };
        let entries = self.entries.get(*from..).unwrap_or_default();
        let earlier = if entries.len() < SEARCHED {
            entries.iter().position(|entry| entry.key == text)
        } else {
            if index.is_empty() {
                index.extend(
                    entries
                        .iter()
                        .enumerate()
                        .map(|(at, e)| (e.key.clone(), at)),
                );
            }
            index.insert(text.clone(), entries.len())
        };
        let earlier = earlier
            .and_then(|at| entries.get(at))
            .map(|entry| entry.place);
        *again = earlier.is_some();
        *key = Some((text, place));
        if let Some(earlier) = earlier {
            let field = self.path();
            self.duplicates.push(Duplicate {
                field,
                place,
                earlier,
            });
        }
        Ok(())
    }

    pub(super) fn scalar(&mut self, place: Place, value: Value) -> Result<Option<Node>, Refused> {
        self.count(place, 1)?;
        if let Value::String(text) = &value
            && text.len() > self.limits.scalar
        {
            let message = format!(
                "this string has {} bytes, more than the limit of {}",
                text.len(),
                self.limits.scalar
            );
            return Err(Refused::new(Some(place), message));
        }
        Ok(self.put(Node::new(place, value)))
    }

    /// Ends the innermost mapping or sequence; the root comes back when nothing is open any more.
    pub(super) fn close(&mut self) -> Result<Option<Node>, Refused> {
        Ok(self.finish().and_then(|node| self.put(node)))
    }

    /// Ends the innermost mapping or sequence without putting it anywhere.
    pub(super) fn finish(&mut self) -> Option<Node> {
        let open = self.open.pop()?;
        let value = match open.items {
            Items::Sequence { from } => Value::Sequence(self.items.drain(from..).collect()),
            Items::Mapping { from, .. } => Value::Mapping(Mapping {
                entries: self.entries.drain(from..).collect(),
            }),
        };
        Some(Node::new(open.place, value))
    }

    /// Puts a finished node where it belongs, or gives it back if it is the root.
    pub(super) fn put(&mut self, node: Node) -> Option<Node> {
        match self.open.last_mut() {
            None => return Some(node),
            Some(Open {
                items: Items::Sequence { .. },
                ..
            }) => self.items.push(node),
            Some(Open {
                items: Items::Mapping { key, again, .. },
                ..
            }) => {
                if let Some((key, place)) = key.take()
                    && !*again
                {
                    self.entries.push(Entry {
                        key,
                        place,
                        value: node,
                    });
                }
            }
        }
        None
    }
}
