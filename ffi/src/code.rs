//! What functions answer.

use crate::pointers::Str;

/// What a function answers: 0 done; above 0 an ordinary answer ("no route"), not to be logged as an error; below 0 a mistake
/// or a limit. A fixed width, since that of a C enum is the compiler's choice.
pub type Code = i32;

/// Done.
pub const GATEPOST_OK: Code = 0;
/// No listener takes the host, or no rule of the listener matches: answer 404 (gRPC: UNIMPLEMENTED).
pub const GATEPOST_NOT_FOUND: Code = 1;
/// The target, the host or the path is refused before anything is looked up: answer 400.
pub const GATEPOST_BAD_REQUEST: Code = 2;
/// The host belongs to another listener than the TLS connection does: answer 421.
pub const GATEPOST_MISDIRECTED: Code = 3;
/// The method is CONNECT: answer 501.
pub const GATEPOST_NOT_IMPLEMENTED: Code = 4;
/// The rule has no backend, all weights are zero or all are tried, or the one picked is invalid: answer 500 (gRPC:
/// UNAVAILABLE).
pub const GATEPOST_NO_BACKEND: Code = 5;
/// The end of a list.
pub const GATEPOST_END: Code = 6;
/// NULL where it may not be, a `size` that cannot be, a flag that is not known, text that is not UTF-8 where it has to be.
pub const GATEPOST_E_ARGUMENT: Code = -1;
/// A manifest that cannot be read, or an object that an API server would refuse; the error lists all of them with their places.
pub const GATEPOST_E_MANIFEST: Code = -2;
/// A buffer of the caller that is too small, a callback that stopped, or a limit of the library.
pub const GATEPOST_E_LIMIT: Code = -3;
/// No such Gateway.
pub const GATEPOST_E_UNKNOWN: Code = -4;
/// The match was found in another table, or in another version of this one.
pub const GATEPOST_E_STALE: Code = -5;
/// A bug in the library; nothing that it owned is lost or changed. The error has the text of the panic.
pub const GATEPOST_E_INTERNAL: Code = -6;

/// Each code with its name and the status that answers a request with it.
const CODES: &[(Code, &str, u16)] = &[
    (GATEPOST_OK, "OK\0", 0),
    (GATEPOST_NOT_FOUND, "NOT_FOUND\0", 404),
    (GATEPOST_BAD_REQUEST, "BAD_REQUEST\0", 400),
    (GATEPOST_MISDIRECTED, "MISDIRECTED\0", 421),
    (GATEPOST_NOT_IMPLEMENTED, "NOT_IMPLEMENTED\0", 501),
    (GATEPOST_NO_BACKEND, "NO_BACKEND\0", 500),
    (GATEPOST_END, "END\0", 0),
    (GATEPOST_E_ARGUMENT, "E_ARGUMENT\0", 500),
    (GATEPOST_E_MANIFEST, "E_MANIFEST\0", 500),
    (GATEPOST_E_LIMIT, "E_LIMIT\0", 500),
    (GATEPOST_E_UNKNOWN, "E_UNKNOWN\0", 500),
    (GATEPOST_E_STALE, "E_STALE\0", 500),
    (GATEPOST_E_INTERNAL, "E_INTERNAL\0", 500),
];

/// The name of a code, such as `NOT_FOUND`, for logs; `UNKNOWN_CODE` for a number that is none. Static, with a NUL behind it.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_code_name(code: Code) -> Str {
    let row = CODES.iter().find(|row| row.0 == code);
    static_text(row.map_or("UNKNOWN_CODE\0", |row| row.1))
}

/// The HTTP status that answers a request for which `gatepost_find` or a pick gave this code; 0 for `GATEPOST_OK` and
/// `GATEPOST_END`, which are no answer.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_code_status(code: Code) -> u16 {
    let row = CODES.iter().find(|row| row.0 == code);
    row.map_or(500, |row| row.2)
}

/// A view of text that has a NUL at its end; the NUL is not counted.
pub(crate) fn static_text(text: &'static str) -> Str {
    Str::of(text.strip_suffix('\0').unwrap_or(text).as_bytes())
}
