//! JSON values as YAML in block style. Strings that could be read as something else are quoted.

use std::fmt::Write;

use serde_json::Value;

/// Writes a value; the text ends with a line break.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(_) | Value::Array(_) => block(value, 0, &mut out),
        scalar => {
            out.push_str(&text(scalar));
            out.push('\n');
        }
    }
    out
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                // Writing to a String cannot fail.
                let _ = write!(out, "{pad}{}:", string(key));
                nested(value, indent + 1, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = String::new();
                match item {
                    Value::Object(map) if !map.is_empty() => block(item, indent + 1, &mut inner),
                    Value::Array(items) if !items.is_empty() => block(item, indent + 1, &mut inner),
                    scalar => {
                        let _ = writeln!(inner, "{pad}  {}", text(scalar));
                    }
                }
                // The first line of an item stands beside its dash.
                let _ = write!(
                    out,
                    "{pad}- {}",
                    inner.get(pad.len() + 2..).unwrap_or_default()
                );
            }
        }
        _ => {}
    }
}

fn nested(value: &Value, indent: usize, out: &mut String) {
    let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty);
    if (value.is_object() || value.is_array()) && !empty {
        out.push('\n');
        block(value, indent, out);
    } else {
        let _ = writeln!(out, " {}", text(value));
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

/// A plain scalar if nobody can take it for anything but this string; else JSON's form, which is YAML's too.
fn string(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    if starts && plain && !words.contains(&text.to_ascii_lowercase().as_str()) {
        text.to_owned()
    } else {
        Value::String(text.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use gatepost::document::Limits;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again() {
        let value = json!({
            "kind": "List", "a": ["x", 1, true, null, "yes", "1", "", "a: b", "#", {"b": [], "c": {}, "d": [[1, 2], ["é\n"]]}],
            "odd key: 1": "trailing ", "n": "y", "deep": {"deeper": {"list": [{"x": 1, "y": [{"z": "- a"}]}]}},
        });
        let text = super::write(&value);
        let loaded = gatepost::manifest::read("t", text.as_bytes(), &Limits::default());
        assert!(loaded.problems.is_empty(), "{text}\n{:?}", loaded.problems);
        assert_eq!(loaded.documents[0].to_json(), value, "{text}");
    }
}
