//! The plain part of YAML, to which nearly all manifests keep, read line by line.
//!
//! Block mappings and lists, literal blocks, comments, and scalars and flow collections that begin and end in one line. A
//! document with anything else is left, from its first line, to the full parser, and so is one in which anything is wrong:
//! this reader has no errors of its own. What it does read has the values and the places that the full parser would give.

use super::reader::{Builder, Root};
use super::scalar;
use super::tree::{Node, Value};
use crate::problem::Place;

/// Where a document begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Bytes before it.
    pub(super) at: usize,
    /// Its first line, counted from 1.
    pub(super) line: u32,
}

/// Reads documents as long as they are plain; gives back where the first one begins that is not, or the end of the text.
pub(super) fn read(
    text: &str,
    start: Start,
    builder: &mut Builder<'_>,
    roots: &mut Vec<Root>,
) -> Start {
    let mut lines = Lines {
        text,
        next: start,
        line: None,
    };
    lines.advance();
    let mut frames = Vec::new();
    loop {
        let begin = lines.begin();
        if lines.line.is_none() {
            return begin;
        }
        let before = builder.count_so_far();
        frames.clear();
        let mut document = Document {
            builder: &mut *builder,
            lines: &mut lines,
            frames: &mut frames,
            wanted: None,
        };
        match document.read() {
            Some(root) => {
                roots.extend(root.map(|root| (root, builder.take_duplicates())));
            }
            None => {
                builder.reset(before);
                return begin;
            }
        }
    }
}

/// A line without its break.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    start: Start,
    seen: u8,
    /// Whether a line break ends it.
    broken: bool,
}

/// Kinds of bytes that a line may hold.
const ODD: u8 = 1;
const TAB: u8 = 2;
const BEYOND_ASCII: u8 = 4;
const RETURN: u8 = 8;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte {
            0x09 => TAB,
            0x0d => RETURN,
            0..0x20 | 0x7f => ODD,
            0x80.. => BEYOND_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

impl<'t> Line<'t> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The first byte from here on that is no space.
    fn skip(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    fn place(&self, at: usize) -> Place {
        let before = if self.seen & BEYOND_ASCII == 0 {
            at
        } else {
            self.slice(0, at).chars().count()
        };
        Place {
            line: self.start.line,
            column: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// Whether nothing but a comment follows; `at` lies behind something, so that a comment needs a space before it.
    fn ends(&self, at: usize) -> bool {
        let next = self.skip(at);
        match self.byte(next) {
            None => true,
            Some(b'#') => next > at,
            Some(_) => false,
        }
    }

    /// Whether an item of a list begins here.
    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && matches!(self.byte(at + 1), None | Some(b' '))
    }

    fn is_marker(&self) -> bool {
        self.text.starts_with("---") && matches!(self.byte(3), None | Some(b' ' | b'\t'))
    }
}

/// The lines of a text, with the one that comes next.
struct Lines<'t> {
    text: &'t str,
    /// Where the line after the next begins.
    next: Start,
    line: Option<Line<'t>>,
}

impl<'t> Lines<'t> {
    fn begin(&self) -> Start {
        self.line.map_or(self.next, |line| line.start)
    }

    fn advance(&mut self) {
        let start = self.next;
        let bytes = self.text.as_bytes().get(start.at..).unwrap_or_default();
        if bytes.is_empty() {
            self.line = None;
            return;
        }
        let mut seen = 0;
        let mut length = 0;
        let mut broken = false;
        for &byte in bytes {
            if byte == b'\n' {
                broken = true;
                break;
            }
            seen |= KINDS[usize::from(byte)];
            length += 1;
        }
        self.next = Start {
            at: start.at + length + usize::from(broken),
            line: start.line.saturating_add(1),
        };
        if seen & RETURN != 0 {
            let returns = bytes[..length]
                .iter()
                .filter(|&&byte| byte == b'\r')
                .count();
            if broken && returns == 1 && bytes[..length].ends_with(b"\r") {
                length -= 1;
            } else {
                seen |= ODD;
            }
        }
        let text = self
            .text
            .get(start.at..start.at + length)
            .unwrap_or_default();
        // A byte order mark ends what the full parser takes for a line's text.
        if seen & BEYOND_ASCII != 0 && text.contains('\u{feff}') {
            seen |= ODD;
        }
        self.line = Some(Line {
            text,
            start,
            seen,
            broken,
        });
    }
}

/// A mapping or list that is open, by the column of its keys or dashes.
#[derive(Clone, Copy)]
struct Frame {
    column: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mapping,
    Sequence,
    /// A list whose dashes stand in the column of the key that it belongs to.
    Indentless,
}

/// Every function gives `None` for what is not plain.
struct Document<'d, 't, 'l> {
    builder: &'d mut Builder<'l>,
    lines: &'d mut Lines<'t>,
    frames: &'d mut Vec<Frame>,
    /// A key or dash has nothing behind it in its line; `null` would stand here.
    wanted: Option<Place>,
}

impl<'t> Document<'_, 't, '_> {
    /// The root; there is none in a text of comments.
    fn read(&mut self) -> Option<Option<Node>> {
        let first = self.lines.line?;
        let explicit = first.is_marker();
        if explicit {
            self.lines.advance();
            if first.seen & (ODD | TAB) != 0 || !first.ends(3) {
                return None;
            }
        }
        while let Some(line) = self.lines.line {
            if line.is_marker() {
                break;
            }
            self.lines.advance();
            let column = line.skip(0);
            match line.byte(column) {
                _ if line.seen & ODD != 0 => return None,
                None | Some(b'#') => continue,
                _ if line.seen & TAB != 0 => return None,
                Some(b'.' | b'%') if column == 0 => return None,
                Some(_) => self.line(&line, column)?,
            }
        }
        if self.frames.is_empty() {
            // Nobody asks where an empty document stands.
            return if explicit {
                self.builder.scalar(first.place(0), Value::Null).ok()
            } else {
                Some(None)
            };
        }
        if let Some(place) = self.wanted.take() {
            self.builder.scalar(place, Value::Null).ok()?;
        }
        let mut root = None;
        for _ in self.frames.drain(..) {
            root = self.builder.close().ok()?;
        }
        Some(root)
    }

    fn line(&mut self, line: &Line<'t>, column: usize) -> Option<()> {
        let dash = line.is_dash(column);
        let Some(top) = self.frames.last().copied() else {
            return self.node(line, column);
        };
        if let Some(place) = self.wanted.take() {
            let inside =
                column > top.column || column == top.column && dash && top.kind == Kind::Mapping;
            if inside {
                return self.node(line, column);
            }
            self.builder.scalar(place, Value::Null).ok()?;
        }
        let top = loop {
            // What is left of the root's column is an error.
            let top = self.frames.last().copied()?;
            let within = top.column < column
                || top.column == column && (dash || top.kind != Kind::Indentless);
            if within {
                break top;
            }
            self.frames.pop();
            self.builder.close().ok()?;
        };
        match top.kind {
            // A line further in would go on with the scalar before it.
            _ if top.column != column => None,
            Kind::Mapping => self.entry(line, column, key(line, column)??),
            Kind::Sequence | Kind::Indentless if dash => self.item(line, column),
            Kind::Sequence | Kind::Indentless => None,
        }
    }

    /// A mapping or list that begins here.
    fn node(&mut self, line: &Line<'t>, column: usize) -> Option<()> {
        if line.is_dash(column) {
            let indentless = self
                .frames
                .last()
                .is_some_and(|top| top.kind == Kind::Mapping && top.column == column);
            let kind = if indentless {
                Kind::Indentless
            } else {
                Kind::Sequence
            };
            self.builder.open_sequence(line.place(column)).ok()?;
            self.frames.push(Frame { column, kind });
            return self.item(line, column);
        }
        let found = key(line, column)??;
        self.open_mapping(line, column)?;
        self.entry(line, column, found)
    }

    fn open_mapping(&mut self, line: &Line<'t>, column: usize) -> Option<()> {
        self.builder.open_mapping(line.place(column)).ok()?;
        self.frames.push(Frame {
            column,
            kind: Kind::Mapping,
        });
        Some(())
    }

    /// `- …`.
    fn item(&mut self, line: &Line<'t>, mut dash: usize) -> Option<()> {
        loop {
            if line.ends(dash + 1) {
                self.wanted = Some(line.place(line.text.len()));
                return Some(());
            }
            let content = line.skip(dash + 1);
            if !line.is_dash(content) {
                let Some(found) = key(line, content)? else {
                    return self.value(line, content);
                };
                self.open_mapping(line, content)?;
                return self.entry(line, content, found);
            }
            self.builder.open_sequence(line.place(content)).ok()?;
            self.frames.push(Frame {
                column: content,
                kind: Kind::Sequence,
            });
            dash = content;
        }
    }

    /// `key: …`.
    fn entry(
        &mut self,
        line: &Line<'t>,
        column: usize,
        (name, colon): (Scalar<'t>, usize),
    ) -> Option<()> {
        self.say_key(line, column, name)?;
        if line.ends(colon + 1) {
            self.wanted = Some(line.place(colon));
            return Some(());
        }
        self.value(line, line.skip(colon + 1))
    }

    fn say_key(&mut self, line: &Line<'t>, at: usize, name: Scalar<'t>) -> Option<()> {
        let place = line.place(at);
        match name {
            Scalar::Plain("<<") => None,
            Scalar::Plain(text) => match scalar::resolve(text) {
                Ok(Value::String(_)) => self.builder.key(place, text).ok(),
                _ => None,
            },
            Scalar::Quoted(text) => self.builder.key(place, text).ok(),
            Scalar::Written(text) => self.builder.key(place, &text).ok(),
        }
    }

    /// A value that begins in this line and, but for a literal block, ends in it.
    fn value(&mut self, line: &Line<'t>, at: usize) -> Option<()> {
        match line.byte(at)? {
            b'|' => self.literal(line, at),
            b'{' | b'[' => {
                let end = self.flow(line, at)?;
                line.ends(end).then_some(())
            }
            b'"' | b'\'' => {
                let (found, end) = quoted(line, at)?;
                self.say(line, at, found)?;
                line.ends(end).then_some(())
            }
            _ => match plain(line, at)? {
                (_, Some(_)) => None,
                (end, None) => self.say(line, at, Scalar::Plain(line.slice(at, end))),
            },
        }
    }

    fn say(&mut self, line: &Line<'t>, at: usize, found: Scalar<'t>) -> Option<()> {
        let value = match found {
            Scalar::Plain(text) => scalar::resolve(text).ok()?,
            Scalar::Quoted(text) => scalar::string(text),
            Scalar::Written(text) => Value::String(text.into()),
        };
        self.builder.scalar(line.place(at), value).ok()?;
        Some(())
    }

    /// A mapping or list in one line; gives back where it ends.
    fn flow(&mut self, line: &Line<'t>, mut at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        loop {
            let place = line.place(at);
            match line.byte(at)? {
                open @ (b'{' | b'[') => {
                    depth += 1;
                    at = line.skip(at + 1);
                    if open == b'{' {
                        self.builder.open_mapping(place).ok()?;
                    } else {
                        self.builder.open_sequence(place).ok()?;
                    }
                    if !matches!(line.byte(at)?, b'}' | b']') {
                        if open == b'{' {
                            at = self.flow_key(line, at)?;
                        }
                        continue;
                    }
                }
                _ => {
                    let (found, end) = flow_scalar(line, at)?;
                    self.say(line, at, found)?;
                    at = end;
                }
            }
            loop {
                at = line.skip(at);
                let mapping = self.builder.in_mapping();
                match line.byte(at)? {
                    b',' => {
                        at = line.skip(at + 1);
                        if mapping {
                            at = self.flow_key(line, at)?;
                        }
                        break;
                    }
                    b'}' if mapping => {}
                    b']' if !mapping => {}
                    _ => return None,
                }
                at += 1;
                depth -= 1;
                self.builder.close().ok()?;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }

    /// `key: ` in a mapping in one line; gives back where its value begins.
    fn flow_key(&mut self, line: &Line<'t>, at: usize) -> Option<usize> {
        let (name, colon) = match line.byte(at)? {
            b'"' | b'\'' => quoted(line, at)?,
            _ => {
                let length = line.slice(at, line.text.len()).find(": ")?;
                let name = line.slice(at, at + length);
                let end = unspaced(line, at)?;
                // The colon ends what a scalar would go on to.
                (
                    Scalar::Plain(name),
                    (end == at + length + 1).then_some(at + length)?,
                )
            }
        };
        if line.byte(colon) != Some(b':') || line.byte(colon + 1) != Some(b' ') {
            return None;
        }
        self.say_key(line, at, name)?;
        Some(line.skip(colon + 1))
    }

    /// A literal block: `|` or `|-`, and the lines that are further in.
    fn literal(&mut self, line: &Line<'t>, at: usize) -> Option<()> {
        let strip = line.byte(at + 1) == Some(b'-');
        if !line.ends(at + 1 + usize::from(strip)) {
            return None;
        }
        let parent = self.frames.last()?.column;
        let first = self.lines.line?;
        let indent = first.skip(0);
        if indent <= parent || matches!(first.byte(indent), None | Some(b'\t')) {
            return None;
        }
        let mut text = String::new();
        let mut breaks = 0;
        while let Some(line) = self.lines.line {
            let column = line.skip(0);
            let blank = column == line.text.len();
            if column < indent && !blank {
                if column > parent {
                    return None;
                }
                break;
            }
            if line.seen & ODD != 0 || !line.broken {
                return None;
            }
            self.lines.advance();
            if blank && column <= indent {
                breaks += 1;
                continue;
            }
            for _ in 0..breaks {
                text.push('\n');
            }
            text.push_str(line.slice(indent, line.text.len()));
            breaks = 1;
        }
        if !strip {
            text.push('\n');
        }
        let value = Value::String(text.into());
        self.builder.scalar(first.place(indent), value).ok()?;
        Some(())
    }
}

enum Scalar<'t> {
    Plain(&'t str),
    Quoted(&'t str),
    /// Quoted, with escapes that were resolved.
    Written(String),
}

/// Keys that the full parser takes have at most 1,024 characters.
const LONGEST_KEY: usize = 1_000;

/// The key that stands here, with the place of its colon; `Some(None)` if what stands here is no key.
fn key<'t>(line: &Line<'t>, at: usize) -> Option<Option<(Scalar<'t>, usize)>> {
    let (name, colon) = match line.byte(at)? {
        b'"' | b'\'' => {
            let (name, end) = quoted(line, at)?;
            if line.byte(end) != Some(b':') {
                return Some(None);
            }
            if !matches!(line.byte(end + 1), None | Some(b' ')) {
                return None;
            }
            (name, end)
        }
        b'{' | b'[' | b'|' => return Some(None),
        _ => match plain(line, at)? {
            (_, None) => return Some(None),
            (end, Some(colon)) if end == colon => (Scalar::Plain(line.slice(at, end)), colon),
            (_, Some(_)) => return None,
        },
    };
    (colon - at <= LONGEST_KEY).then_some(Some((name, colon)))
}

/// Whether a scalar without quotes may begin with a byte; a `-` may if no space follows.
fn begins_plain(line: &Line<'_>, at: usize) -> bool {
    match line.byte(at) {
        Some(b'-') => !matches!(
            line.byte(at + 1),
            None | Some(b' ' | b',' | b'[' | b']' | b'{' | b'}')
        ),
        Some(byte) => !matches!(
            byte,
            b' ' | b'?'
                | b':'
                | b','
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'#'
                | b'&'
                | b'*'
                | b'!'
                | b'|'
                | b'>'
                | b'\''
                | b'"'
                | b'%'
                | b'@'
                | b'`'
        ),
        None => false,
    }
}

/// A scalar without quotes in block style: where it ends, and the colon behind it if it is a key.
fn plain(line: &Line<'_>, at: usize) -> Option<(usize, Option<usize>)> {
    if !begins_plain(line, at) {
        return None;
    }
    let bytes = line.text.as_bytes();
    let (mut end, mut next) = (at, at);
    while let Some(&byte) = bytes.get(next) {
        match byte {
            b' ' => {}
            b':' if matches!(bytes.get(next + 1), None | Some(b' ')) => {
                return Some((end, Some(next)));
            }
            b'#' if end < next => break,
            _ => end = next + 1,
        }
        next += 1;
    }
    Some((end, None))
}

/// A scalar in flow style: quoted, or a single word.
fn flow_scalar<'t>(line: &Line<'t>, at: usize) -> Option<(Scalar<'t>, usize)> {
    if let b'"' | b'\'' = line.byte(at)? {
        return quoted(line, at);
    }
    let end = unspaced(line, at)?;
    // A colon at its end would make it a key.
    (line.byte(end - 1) != Some(b':')).then(|| (Scalar::Plain(line.slice(at, end)), end))
}

/// Where a word of flow style ends that begins here; it has at least a byte.
fn unspaced(line: &Line<'_>, at: usize) -> Option<usize> {
    if !begins_plain(line, at) {
        return None;
    }
    let rest = line.text.as_bytes().get(at..)?;
    let ends = |byte: &u8| matches!(byte, b' ' | b',' | b'[' | b']' | b'{' | b'}');
    Some(at + rest.iter().position(ends).unwrap_or(rest.len()))
}

/// A scalar in quotes that are closed in the same line, and where it ends.
fn quoted<'t>(line: &Line<'t>, at: usize) -> Option<(Scalar<'t>, usize)> {
    let bytes = line.text.as_bytes();
    let quote = bytes.get(at).copied()?;
    let mut escaped = false;
    let mut next = at + 1;
    let end = loop {
        match *bytes.get(next)? {
            b'\\' if quote == b'"' => {
                escaped = true;
                next += 1;
            }
            byte if byte == quote => {
                if quote == b'"' || bytes.get(next + 1) != Some(&quote) {
                    break next;
                }
                escaped = true;
                next += 1;
            }
            _ => {}
        }
        next += 1;
    };
    let inside = line.slice(at + 1, end);
    let found = match (escaped, quote) {
        (false, _) => Scalar::Quoted(inside),
        (true, b'\'') => Scalar::Written(inside.replace("''", "'")),
        (true, _) => Scalar::Written(unescaped(inside)?),
    };
    Some((found, end + 1))
}

/// Resolves the escapes that JSON has as well, but for those by number.
fn unescaped(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                same @ ('"' | '\\' | '/') => same,
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}
