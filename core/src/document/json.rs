//! JSON with places (RFC 8259), without recursion.

use serde_json::Number;

use super::limits::Limits;
use super::reader::{Builder, Refused, Root};
use super::tree::{Node, Value};
use crate::problem::Place;

/// Reads one JSON value after the other.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Vec<Root>, Refused> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
    };
    let mut builder = Builder::new(limits);
    let mut roots = Vec::new();
    loop {
        reader.skip_space();
        if reader.at == text.len() {
            return Ok(roots);
        }
        let root = value(&mut reader, &mut builder)?;
        roots.push((root, builder.take_duplicates()));
    }
}

/// Reads one value; what is open stands on the builder's stack.
fn value(reader: &mut Reader<'_>, builder: &mut Builder<'_>) -> Result<Node, Refused> {
    loop {
        reader.skip_space();
        let place = reader.place();
        let done = match reader.peek() {
            Some(b'{') => {
                reader.at += 1;
                builder.open_mapping(place)?;
                reader.skip_space();
                if reader.take(b'}') {
                    builder.close()?
                } else {
                    key(reader, builder)?;
                    continue;
                }
            }
            Some(b'[') => {
                reader.at += 1;
                builder.open_sequence(place)?;
                reader.skip_space();
                if !reader.take(b']') {
                    continue;
                }
                builder.close()?
            }
            _ => {
                let value = scalar(reader)?;
                builder.scalar(place, value)?
            }
        };
        let Some(root) = after(done, reader, builder)? else {
            continue;
        };
        return Ok(root);
    }
}

/// What follows a finished value: a comma and the next one, or the end of what is open.
fn after(
    mut done: Option<Node>,
    reader: &mut Reader<'_>,
    builder: &mut Builder<'_>,
) -> Result<Option<Node>, Refused> {
    while done.is_none() {
        reader.skip_space();
        let mapping = builder.in_mapping();
        let end = if mapping { b'}' } else { b']' };
        if reader.take(b',') {
            if mapping {
                key(reader, builder)?;
            }
            return Ok(None);
        }
        if !reader.take(end) {
            let what = format!("expected `,` or `{}`", char::from(end));
            return Err(reader.unexpected(&what));
        }
        done = builder.close()?;
    }
    Ok(done)
}

fn key(reader: &mut Reader<'_>, builder: &mut Builder<'_>) -> Result<(), Refused> {
    reader.skip_space();
    let place = reader.place();
    if reader.peek() != Some(b'"') {
        return Err(reader.unexpected("expected a key in double quotes"));
    }
    let text = string(reader)?;
    reader.skip_space();
    if !reader.take(b':') {
        return Err(reader.unexpected("expected `:` after the key"));
    }
    builder.key(place, &text)
}

fn scalar(reader: &mut Reader<'_>) -> Result<Value, Refused> {
    match reader.peek() {
        Some(b'"') => Ok(Value::String(string(reader)?.into())),
        Some(b'-' | b'0'..=b'9') => number(reader),
        _ => {
            for (word, value) in [
                ("null", Value::Null),
                ("true", Value::Bool(true)),
                ("false", Value::Bool(false)),
            ] {
                if reader.rest().starts_with(word) {
                    reader.at += word.len();
                    return Ok(value);
                }
            }
            Err(reader.unexpected("expected a value"))
        }
    }
}

fn number(reader: &mut Reader<'_>) -> Result<Value, Refused> {
    let rest = reader.rest();
    let end = rest
        .bytes()
        .position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        .unwrap_or(rest.len());
    // `serde_json` holds the grammar of numbers.
    match serde_json::from_str::<Number>(&rest[..end]) {
        Ok(number) => {
            reader.at += end;
            Ok(Value::Number(super::tree::whole(number)))
        }
        Err(_) => Err(reader.unexpected("expected a number")),
    }
}

fn string(reader: &mut Reader<'_>) -> Result<String, Refused> {
    let place = reader.place();
    let rest = reader.rest();
    let mut escaped = false;
    let end = rest.bytes().enumerate().skip(1).find(|&(_, byte)| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    });
    let Some((end, _)) = end else {
        return Err(Refused::new(Some(place), "this string is never closed"));
    };
    // `serde_json` holds the grammar of escapes, surrogate pairs included.
    match serde_json::from_str::<String>(&rest[..=end]) {
        Ok(text) => {
            reader.at += end + 1;
            Ok(text)
        }
        Err(_) => Err(Refused::new(
            Some(place),
            "this string has an escape or a control character that JSON does not allow",
        )),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    line_start: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.line_start = self.at;
            }
        }
    }

    fn place(&self) -> Place {
        let before = self.text.get(self.line_start..self.at).unwrap_or_default();
        let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX);
        Place {
            line: self.line,
            column: column.saturating_add(1),
        }
    }

    fn unexpected(&self, expected: &str) -> Refused {
        let found = match self.rest().chars().next() {
            Some(character) => format!("found `{}`", character.escape_debug()),
            None => "the text ends here".to_owned(),
        };
        Refused::new(Some(self.place()), format!("{expected}, {found}"))
    }
}
