//! Expressions over whole values (S:regex-match): parsed alone, then wrapped.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};

thread_local! {
    /// What was compiled before.
    static COMPILED: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

/// `None` if the expression is not valid.
pub(super) fn matches(pattern: &str, value: &[u8]) -> Option<bool> {
    COMPILED.with_borrow_mut(|all| {
        let known = all.entry(pattern.to_owned());
        let regex = known.or_insert_with(|| compile(&plain(pattern)));
        Some(regex.as_ref()?.is_match(value))
    })
}

fn compile(pattern: &str) -> Option<Regex> {
    let bytes = |pattern: &str| RegexBuilder::new(pattern).unicode(false).build().ok();
    bytes(pattern)?;
    // The pattern is sound by itself, so a group around it holds.
    bytes(&format!("^(?:{pattern})$"))
}

/// `&&`, `--` and `~~` inside classes are plain characters, but a range may end in `-`: `[%--]`.
fn plain(pattern: &str) -> String {
    let characters: Vec<char> = pattern.chars().collect();
    let (mut out, mut at, mut inside) = (String::new(), 0, false);
    while at < characters.len() {
        let character = characters[at];
        if character == '\\' {
            out.extend(&characters[at..(at + 2).min(characters.len())]);
            at += 2;
            continue;
        }
        match character {
            '[' if !inside => inside = true,
            ']' if inside => inside = false,
            '-' if inside && characters.get(at + 1) == Some(&'-') => {
                let range = "!\"#$%&'()*+,-".contains(characters[at - 1]);
                out.push_str(if range { "-\\-" } else { "\\-\\-" });
                at += 2;
                continue;
            }
            '&' | '~' if inside && characters.get(at + 1) == Some(&character) => out.push('\\'),
            _ => {}
        }
        out.push(character);
        at += 1;
    }
    out
}
