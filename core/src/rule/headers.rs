//! Header modifiers.

use http::{HeaderName, HeaderValue};

use super::edit::EditHeaders;

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

impl HeaderEdits {
    /// Carries out the edits: remove, then set, then add.
    ///
    /// ```
    /// use gatepost::rule::{HeaderEdit, HeaderEdits};
    /// use http::{HeaderMap, HeaderName, HeaderValue};
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-old", HeaderValue::from_static("1"));
    /// let mut edits = HeaderEdits::default();
    /// edits.remove.push(HeaderName::from_static("x-old"));
    /// edits.add.push(HeaderEdit { name: HeaderName::from_static("x-new"), value: HeaderValue::from_static("2") });
    /// edits.apply(&mut headers);
    /// assert!(headers.get("x-old").is_none() && headers["x-new"] == "2");
    /// ```
    pub fn apply(&self, headers: &mut (impl EditHeaders + ?Sized)) {
        for name in &self.remove {
            headers.remove(name);
        }
        for edit in &self.set {
            headers.set(&edit.name, &edit.value);
        }
        for edit in &self.add {
            headers.append(&edit.name, &edit.value);
        }
    }
}
