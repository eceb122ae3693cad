//! Results on standard output; colours only for people.

use std::io::{ErrorKind, IsTerminal, Write};

/// Prints a result. A reader that went away ends the program quietly; a result that cannot be written is exit code 2.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            tell(&format!("gatepost: the result cannot be written: {error}"));
            std::process::exit(2);
        }
    }
}

/// Tells something beside the result, on standard error; nobody may be listening there.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
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
