//! Character classes as POSIX and RE2 read them.

/// Rewrites a pattern so that `&&`, `--` and `~~` inside classes are plain characters.
///
/// The `regex` crate takes them as set operators, the portable dialect (GEP-4359, POSIX ERE) does not. A `-` keeps the
/// meaning that POSIX gives it: itself at the start or end of a class, or as the end of a range (`[%--]`); where that
/// range would run backwards (`[a--b]`) it is a plain character as well. An unescaped `[` inside a class is undefined in
/// the portable dialect; it stays what the `regex` crate makes of it.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    let mut depth = 0_usize;
    // The character of a class that a range may start with.
    let mut before: Option<char> = None;
    while let Some(character) = rest.next() {
        if character == '\\' {
            let escaped = rest.next();
            out.push('\\');
            out.extend(escaped);
            before = escaped.filter(char::is_ascii_punctuation);
            continue;
        }
        let next = rest.peek().copied();
        match character {
            '[' => {
                depth += 1;
                out.push('[');
                if next == Some('^') {
                    out.extend(rest.next());
                }
                // What comes first is a character of the class, not its end and not an operator.
                if let Some(first) = rest.next_if(|&first| matches!(first, ']' | '-')) {
                    out.push('\\');
                    out.push(first);
                    before = Some(first);
                } else {
                    before = None;
                }
            }
            ']' => {
                depth = depth.saturating_sub(1);
                out.push(']');
                before = None;
            }
            '-' if depth > 0 && next == Some('-') => {
                rest.next();
                let range = before.take().is_some_and(|start| start <= '-');
                out.push_str(if range { "-\\-" } else { "\\-\\-" });
            }
            '&' | '~' if depth > 0 && next == Some(character) => {
                out.push('\\');
                out.push(character);
                before = Some(character);
            }
            '-' if depth > 0 => {
                out.push('-');
                before = None;
            }
            _ => {
                out.push(character);
                before = Some(character);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_classes_are_plain_characters() {
        for (text, expected) in [
            ("[a&&b]", r"[a\&&b]"),
            ("[a~~~b]", r"[a\~\~~b]"),
            ("[a--b]", r"[a\-\-b]"),
            ("[%--]", r"[%-\-]"),
            ("[--@]", r"[\--@]"),
            ("[---]", r"[\--\-]"),
            (r"[\d--]", r"[\d\-\-]"),
            (r"[\&--]", r"[\&-\-]"),
            ("[^--a]", r"[^\--a]"),
            ("[]a-c]", r"[\]a-c]"),
            ("[a-z]--&&~~", "[a-z]--&&~~"),
            (r"\[a&&b", r"\[a&&b"),
            ("[[:alpha:]&&x]", r"[[:alpha:]\&&x]"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
