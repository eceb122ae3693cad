//! Request methods as small numbers.

/// The methods that `HTTPRouteMatch.method` may name; their numbers count from 1.
const METHODS: [&[u8]; 9] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
];

/// Any method.
pub(super) const ANY: u16 = 0;

/// The number of a method; `None` for one that the specification does not know.
pub(super) fn number(method: &[u8]) -> Option<u16> {
    let at = METHODS.iter().position(|&known| known == method)?;
    u16::try_from(at + 1).ok()
}

/// Whether a request has the method of this number.
#[inline]
pub(super) fn is(number: u16, method: &[u8]) -> bool {
    let known = usize::from(number)
        .checked_sub(1)
        .and_then(|at| METHODS.get(at));
    known.is_some_and(|&known| known == method)
}
