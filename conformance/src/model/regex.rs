//! Expressions over whole values (S:regex-match): parsed alone, then wrapped.

/// `None` if the expression is not valid.
pub(super) fn matches(pattern: &str, value: &[u8]) -> Option<bool> {
    let plain = plain(pattern);
    regex::bytes::Regex::new(&plain).ok()?;
    // The pattern is sound by itself, so a group around it holds.
    let whole = regex::bytes::Regex::new(&format!("^(?:{plain})$")).ok()?;
    Some(whole.is_match(value))
}

/// `&&`, `--` and `~~` inside classes are plain characters.
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
            '&' | '-' | '~' if inside && characters.get(at + 1) == Some(&character) => {
                out.push('\\')
            }
            _ => {}
        }
        out.push(character);
        at += 1;
    }
    out
}
