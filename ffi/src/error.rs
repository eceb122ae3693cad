//! What was wrong, as a list with places.

use gatepost::problem::{Level, Problem, one_line};

use crate::code::{Code, GATEPOST_E_ARGUMENT, GATEPOST_E_INTERNAL, GATEPOST_END, GATEPOST_OK};
use crate::guard;
use crate::pointers::{Out, Place, Str, shared_struct};

/// Something was passed over on purpose.
pub const GATEPOST_NOTE: u32 = 1;
/// It works, though hardly as meant: a field that is not known, say.
pub const GATEPOST_WARNING: u32 = 2;
/// The object or the text is refused.
pub const GATEPOST_ERROR: u32 = 3;

/// What a call has to say: a list, because one load finds all problems at once. It never changes; any thread may free it.
#[derive(Debug, Default)]
pub struct Error {
    entries: Vec<Entry>,
}

/// One entry, its texts with a NUL behind them.
#[derive(Debug)]
struct Entry {
    code: Code,
    level: u32,
    line: u32,
    column: u32,
    message: Terminated,
    source: Terminated,
    object: Terminated,
    field: Terminated,
    display: Terminated,
}

/// Terminated with a NUL behind it, so that `%s` prints it.
#[derive(Debug)]
struct Terminated(Box<[u8]>);

impl Terminated {
    fn new(text: &str) -> Terminated {
        // A NUL inside would cut it short.
        let mut bytes: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
        bytes.push(0);
        Terminated(bytes.into())
    }

    fn view(&self) -> Str {
        Str::of(self.0.split_last().map_or(&[], |(_, text)| text))
    }
}

/// One entry of an error. Its texts are borrowed from the error, and end in NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo {
    /// `sizeof(gatepost_error_info)`; `GATEPOST_ERROR_INFO_INIT` sets it.
    pub size: u32,
    /// `GATEPOST_NOTE`, `GATEPOST_WARNING` or `GATEPOST_ERROR`.
    pub level: u32,
    /// The code that it stands for; 0 for warnings and notes of a call that went well.
    pub code: Code,
    /// The line in the text, from 1; 0 where it is not known.
    pub line: u32,
    /// The column, from 1, in characters; 0 where it is not known.
    pub column: u32,
    /// Always 0.
    pub reserved: u32,
    /// What is wrong and what was expected: one line.
    pub message: Str,
    /// The name that was given to the text, such as a file's.
    pub source: Str,
    /// The object, such as `HTTPRoute/shop/cart`.
    pub object: Str,
    /// The field, such as `spec.rules[2].matches[0].path.value`.
    pub field: Str,
    /// All of it in one line: `source:line:column: level: object: field: message`.
    pub display: Str,
}

impl ErrorInfo {
    const EMPTY: ErrorInfo = ErrorInfo {
        size: 0,
        level: 0,
        code: 0,
        line: 0,
        column: 0,
        reserved: 0,
        message: Str::EMPTY,
        source: Str::EMPTY,
        object: Str::EMPTY,
        field: Str::EMPTY,
        display: Str::EMPTY,
    };
}

shared_struct!(ErrorInfo {
    size,
    level,
    code,
    line,
    column,
    reserved,
    message,
    source,
    object,
    field,
    display
});

impl Error {
    /// An error that has no place.
    pub fn plain(code: Code, message: &str) -> Error {
        let mut error = Error::default();
        error.push(code, message);
        error
    }

    /// Problems of manifests.
    pub fn problems(code: Code, problems: &[Problem]) -> Error {
        let entry = |problem: &Problem| Entry {
            code,
            level: match problem.level {
                Level::Note => GATEPOST_NOTE,
                Level::Warning => GATEPOST_WARNING,
                Level::Error => GATEPOST_ERROR,
            },
            line: problem.place.map_or(0, |place| place.line),
            column: problem.place.map_or(0, |place| place.column),
            message: Terminated::new(&one_line(&problem.message)),
            source: Terminated::new(&problem.source),
            object: Terminated::new(problem.object.as_deref().unwrap_or_default()),
            field: Terminated::new(
                &problem
                    .field
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ),
            display: Terminated::new(&problem.to_string()),
        };
        Error {
            entries: problems.iter().map(entry).collect(),
        }
    }

    fn push(&mut self, code: Code, message: &str) {
        // It may repeat what the caller said.
        let message = one_line(message);
        self.entries.push(Entry {
            code,
            level: GATEPOST_ERROR,
            line: 0,
            column: 0,
            message: Terminated::new(&message),
            source: Terminated::new(""),
            object: Terminated::new(""),
            field: Terminated::new(""),
            display: Terminated::new(&format!("error: {message}")),
        });
    }
}

/// Why a call that may tell did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// What it answers.
    pub code: Code,
    /// What it tells.
    pub error: Error,
}

impl Failure {
    /// With a sentence.
    pub fn new(code: Code, message: &str) -> Failure {
        Failure {
            code,
            error: Error::plain(code, message),
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        let message = match code {
            GATEPOST_E_ARGUMENT => {
                "an argument is NULL or not UTF-8, or a `size` or a flag is wrong"
            }
            _ => "the call failed",
        };
        Failure::new(code, message)
    }
}

/// Runs the body of a function that takes `gatepost_error **`, which is always written to if it is not NULL: with NULL when
/// there is nothing to say.
pub fn telling(
    mut place: Place<*mut Error>,
    body: impl FnOnce() -> Result<Error, Failure>,
) -> Code {
    place.clear();
    let outcome = guard::catch(body).unwrap_or_else(|text| {
        let message = format!("a bug in gatepost: {text}");
        Err(Failure::new(GATEPOST_E_INTERNAL, &message))
    });
    let (code, error) = match outcome {
        Ok(said) => (GATEPOST_OK, said),
        Err(Failure { code, error }) => (code, error),
    };
    if !error.entries.is_empty() {
        place.give(error);
    }
    code
}

/// Runs the body of a function that answers with a code alone.
pub fn answering(body: impl FnOnce() -> Result<Code, Code>) -> Code {
    match guard::catch(body) {
        Ok(Ok(code) | Err(code)) => code,
        Err(_) => GATEPOST_E_INTERNAL,
    }
}

/// How many entries there are; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_error_len(error: Option<&Error>) -> usize {
    guard::or(0, || error.map_or(0, |error| error.entries.len()))
}

/// One entry, from 0. `GATEPOST_END` past the last.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_error_get(
    error: Option<&Error>,
    index: usize,
    mut out: Out<ErrorInfo>,
) -> Code {
    answering(|| {
        out.check()?;
        let error = error.ok_or(GATEPOST_E_ARGUMENT)?;
        let Some(entry) = error.entries.get(index) else {
            return Ok(GATEPOST_END);
        };
        out.write(&ErrorInfo {
            level: entry.level,
            code: entry.code,
            line: entry.line,
            column: entry.column,
            message: entry.message.view(),
            source: entry.source.view(),
            object: entry.object.view(),
            field: entry.field.view(),
            display: entry.display.view(),
            ..ErrorInfo::EMPTY
        })?;
        Ok(GATEPOST_OK)
    })
}

/// Ends an error. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_error_free(error: Option<Box<Error>>) {
    guard::or((), || drop(error));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointers::caller;

    #[test]
    fn panics_end_as_codes() {
        let mut pointer = std::ptr::null_mut();
        let code = telling(caller::place(&mut pointer), || panic!("odd"));
        let error = caller::taken(pointer).expect("an error is told");
        assert_eq!(code, GATEPOST_E_INTERNAL);
        let message = &error.entries[0].message.0;
        assert_eq!(&message[..], b"a bug in gatepost: odd\0");
        assert_eq!(answering(|| panic!("odd")), GATEPOST_E_INTERNAL);
    }
}
