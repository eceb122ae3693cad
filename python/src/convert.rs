//! What callers may give: texts, paths, header fields.

use std::path::PathBuf;

use gatepost::key::Channel;
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::raise;

/// The bytes of a `str` or `bytes`. A lone surrogate becomes bytes that are not UTF-8, and is judged as such.
pub(crate) fn bytes(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Some(bytes.as_bytes().to_vec()));
    }
    let Ok(text) = value.cast::<PyString>() else {
        return Ok(None);
    };
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(Some(encoded.cast::<PyBytes>()?.as_bytes().to_vec()))
}

/// The bytes of a text with manifests.
pub(crate) fn text(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    bytes(value)?.ok_or_else(|| wrong_type("text", "str or bytes", value))
}

fn wrong_type(what: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let name = value
        .get_type()
        .name()
        .map_or_else(|_| "something else".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{what}: expected {expected}, not {name}"))
}

/// One path or several.
pub(crate) fn paths(value: &Bound<'_, PyAny>) -> PyResult<Vec<PathBuf>> {
    if let Ok(path) = value.extract::<PathBuf>() {
        return Ok(vec![path]);
    }
    let items = value
        .try_iter()
        .map_err(|_| wrong_type("paths", "a path or an iterable of paths", value))?;
    items.map(|item| item?.extract()).collect()
}

/// A channel by its name.
pub(crate) fn channel(py: Python<'_>, name: &str) -> PyResult<Channel> {
    match name {
        "standard" => Ok(Channel::Standard),
        "experimental" => Ok(Channel::Experimental),
        _ => Err(raise::setting(
            py,
            &format!("channel: `{name}` is not a channel, expected standard or experimental"),
        )),
    }
}

/// The name of a channel.
pub(crate) fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Standard => "standard",
        Channel::Experimental => "experimental",
    }
}

/// Text of a request: a URL, a method, the name or value of a field.
pub(crate) fn request_text(what: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let bytes = bytes(value)?.ok_or_else(|| wrong_type(what, "str", value))?;
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("{what}: the text has characters that cannot be sent");
        raise::request(value.py(), &message)
    })
}

/// Header fields: a mapping of names to a value or several, or pairs of name and value.
pub(crate) fn headers(value: Option<&Bound<'_, PyAny>>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::new();
    let Some(value) = value else {
        return Ok(map);
    };
    let items = if let Ok(dict) = value.cast::<PyDict>() {
        dict.items().into_any()
    } else if value.hasattr("items")? {
        value.call_method0("items")?
    } else {
        value.clone()
    };
    let expected = "a mapping or pairs of name and value";
    let items = items
        .try_iter()
        .map_err(|_| wrong_type("headers", expected, value))?;
    for item in items {
        let item = item?;
        let (name, value) = item
            .extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()
            .map_err(|_| wrong_type("headers", expected, &item))?;
        let name = field_name(&name)?;
        if value.cast::<PyString>().is_ok() || value.cast::<PyBytes>().is_ok() {
            map.append(name, field_value(&value)?);
        } else {
            let values = value
                .try_iter()
                .map_err(|_| wrong_type("headers", "a value or several", &value))?;
            for value in values {
                map.append(name.clone(), field_value(&value?)?);
            }
        }
    }
    Ok(map)
}

fn field_name(name: &Bound<'_, PyAny>) -> PyResult<HeaderName> {
    let text = request_text("headers", name)?;
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        let shown = gatepost::problem::excerpt(&text);
        raise::request(name.py(), &format!("`{shown}` is not the name of a field"))
    })
}

/// The value is not repeated in the message: it may be a secret.
fn field_value(value: &Bound<'_, PyAny>) -> PyResult<HeaderValue> {
    let bytes =
        bytes(value)?.ok_or_else(|| wrong_type("headers", "str or bytes as value", value))?;
    HeaderValue::from_bytes(&bytes).map_err(|_| {
        let message = "headers: a value has control characters, which no field can have";
        raise::request(value.py(), message)
    })
}
