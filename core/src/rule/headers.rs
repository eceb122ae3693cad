//! Header modifiers.

use http::{HeaderName, HeaderValue};

/// `HTTPHeaderFilter` (RequestHeaderModifier, ResponseHeaderModifier): remove, then set, then add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// `remove`: every field of these names goes.
    pub remove: Vec<HeaderName>,
    /// `set`: every field of the name is replaced by this one.
    pub set: Vec<HeaderEdit>,
    /// `add`: this field is appended, existing ones stay.
    pub add: Vec<HeaderEdit>,
}

/// One field to set or to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderEdit {
    /// The field's name.
    pub name: HeaderName,
    /// Its value: visible ASCII, tab and space only, checked when the rule was resolved.
    pub value: HeaderValue,
}
