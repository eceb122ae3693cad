//! Query parameters, as the WHATWG URL standard reads `application/x-www-form-urlencoded`, on bytes.

use crate::bytes;

/// Whether a query may be passed on as it came: no control character, space or `#`.
pub(super) fn is_sound(query: &[u8]) -> bool {
    let sound = |&byte: &u8| (byte > b' ') & (byte != b'#') & (byte != 0x7f);
    // Blocks without a branch for each byte.
    query
        .chunks(32)
        .all(|block| block.iter().fold(true, |all, byte| all & sound(byte)))
}

/// The parameters of a query, decoded while they are read.
#[derive(Clone, Copy, Debug)]
pub struct Query<'q>(&'q [u8]);

impl<'q> Query<'q> {
    /// A query without its `?`.
    pub fn new(query: &'q [u8]) -> Query<'q> {
        Query(query)
    }

    /// The first value of a name, still encoded. Both are compared decoded: `+` is a space, bad escapes stay literal.
    pub fn first(self, name: &[u8]) -> Option<&'q [u8]> {
        let query = self.0;
        if !Query::is_literal(query) {
            return self.first_decoded(name);
        }
        // Nearly all queries write their names as they are.
        let mut start = 0;
        for ends in bytes::blocks(query, b'&') {
            for end in ends {
                let found = value_of(query.get(start..end)?, name);
                if found.is_some() {
                    return found;
                }
                start = end + 1;
            }
        }
        value_of(query.get(start..)?, name)
    }

    fn first_decoded(self, name: &[u8]) -> Option<&'q [u8]> {
        self.pairs()
            .find(|(key, _)| values_equal(key, name))
            .map(|(_, value)| value)
    }

    /// Names and values, still encoded, in order.
    pub fn pairs(self) -> impl Iterator<Item = (&'q [u8], &'q [u8])> {
        let mut rest = self.0;
        let pairs = std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (pair, after) = cut(rest, b'&');
            rest = after;
            Some(pair)
        });
        pairs
            .filter(|pair| !pair.is_empty())
            .map(|pair| cut(pair, b'='))
    }

    /// Whether an encoded value stands for its own bytes.
    pub fn is_literal(value: &[u8]) -> bool {
        !bytes::has_either(value, [b'%', b'+'])
    }

    /// The bytes that an encoded value stands for.
    pub fn decode(value: &[u8]) -> impl Iterator<Item = u8> + '_ {
        let mut rest = value;
        std::iter::from_fn(move || {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            match byte {
                b'+' => Some(b' '),
                b'%' => {
                    let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
                    match (digit(0), digit(1)) {
                        (Some(high), Some(low)) => {
                            rest = after.get(2..).unwrap_or_default();
                            u8::try_from(high << 4 | low).ok()
                        }
                        _ => Some(b'%'),
                    }
                }
                byte => Some(byte),
            }
        })
    }
}

/// What stands before and behind the first `byte`; all and nothing if there is none.
fn cut(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match bytes::position(text, byte) {
        Some(at) => {
            let (before, behind) = text.split_at(at);
            (before, behind.get(1..).unwrap_or_default())
        }
        None => (text, b""),
    }
}

/// The value of a pair in which nothing is encoded, if its name is this one.
#[inline]
fn value_of<'q>(pair: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    // What ends the name is seen before its bytes are compared.
    let (key, value) = pair.split_at_checked(name.len())?;
    let value = match value.split_first() {
        None if !pair.is_empty() => value,
        Some((b'=', value)) => value,
        _ => return None,
    };
    (key == name && bytes::position(name, b'=').is_none()).then_some(value)
}

/// Whether an encoded value stands for these bytes.
pub fn values_equal(encoded: &[u8], decoded: &[u8]) -> bool {
    if Query::is_literal(encoded) {
        return encoded == decoded;
    }
    encoded.len() >= decoded.len() && Query::decode(encoded).eq(decoded.iter().copied())
}
