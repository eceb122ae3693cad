//! Results on standard output; colours only for people.

use std::io::{IsTerminal, Write};

/// Prints a result. A reader that went away ends the program quietly.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// Whether colours are wanted: on a terminal, unless `NO_COLOR` is set to something.
pub(crate) fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::stdout().is_terminal()
}

/// Wraps a text in a colour of ANSI's, where colours are wanted.
pub(crate) fn paint(text: &str, code: &str, colours: bool) -> String {
    if colours {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}
