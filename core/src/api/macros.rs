//! The two forms that every wire type has.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Visitor};

/// Reads a text as an open enum; only a value that is not known is copied.
pub(crate) struct Word<T>(pub(crate) PhantomData<T>);

impl<T: for<'t> From<&'t str> + From<String>> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::from(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<T, E> {
        Ok(T::from(text))
    }
}

/// A struct whose fields before `;` are required on the wire and whose fields after it are optional.
macro_rules! wire {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $ty:ty),* $(,)?;
        $($(#[$optional_meta:meta])* $optional:ident: $optional_ty:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
            $($(#[$optional_meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $optional: Option<$optional_ty>,)*
        }
    };
}

/// An enum of the values that are known, and `Other` for those that are not.
///
/// `Name = Variant { … }` names the default of the specification. Without one the default is an empty `Other`, so that a
/// required field which is missing is not taken for a choice that nobody made.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident = $default:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        open_enum!(@ $(#[$meta])* $name, Self::$default, $($variant = $text),*);
    };
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        open_enum!(@ $(#[$meta])* $name, Self::Other(String::new()), $($variant = $text),*);
    };
    (@ $(#[$meta:meta])* $name:ident, $default:expr, $($variant:ident = $text:literal),*) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($variant,)*
            /// A value that this version does not know, as written.
            Other(String),
        }

        impl $name {
            /// The value on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $default
            }
        }

        impl $name {
            fn known(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::known(&text).unwrap_or(Self::Other(text))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Other(text.to_owned()))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(crate::api::macros::Word(std::marker::PhantomData))
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                match value {
                    $name::Other(text) => text,
                    known => known.as_str().to_owned(),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// A kind: metadata, spec and status.
macro_rules! kind {
    ($(#[$meta:meta])* $name:ident { $spec:ty, $status:ty }) => {
        wire! {
            $(#[$meta])*
            $name { metadata: crate::api::meta::ObjectMeta, spec: $spec; status: $status }
        }
    };
}
