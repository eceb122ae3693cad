//! Text that the library makes and the caller owns.

use crate::guard;
use crate::pointers::Str;

/// Text that the library made, such as JSON.
#[derive(Debug)]
pub struct Text(Box<[u8]>);

impl Text {
    /// Takes it over.
    pub fn new(text: String) -> Text {
        let mut bytes = text.into_bytes();
        bytes.push(0);
        Text(bytes.into())
    }
}

/// The text, which also ends in NUL; it stays until `gatepost_text_free`. Empty for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_text_get(text: Option<&Text>) -> Str {
    let bytes = text.and_then(|text| text.0.split_last());
    bytes.map_or(Str::EMPTY, |(_, bytes)| Str::of(bytes))
}

/// Ends a text. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_text_free(text: Option<Box<Text>>) {
    guard::or((), || drop(text));
}
