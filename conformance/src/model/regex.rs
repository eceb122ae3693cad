//! Expressions over whole values (S:regex-match): parsed alone, then wrapped.

/// `None` if the expression is not valid.
pub(super) fn matches(pattern: &str, value: &[u8]) -> Option<bool> {
    let plain = plain(pattern);
    let bytes = |pattern: &str| {
        let mut builder = regex::bytes::RegexBuilder::new(pattern);
        builder.unicode(false).build().ok()
    };
    bytes(&plain)?;
    // The pattern is sound by itself, so a group around it holds.
    Some(bytes(&format!("^(?:{plain})$"))?.is_match(value))
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
