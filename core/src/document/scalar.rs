//! Plain YAML scalars as kubectl reads them: the rules of YAML 1.1 as `go-yaml` version 2 carries them out.

use std::borrow::Cow;

use serde_json::Number;

use super::tree::{Value, whole};

/// Resolves an unquoted scalar. `Err` says what JSON cannot hold.
pub(super) fn resolve(text: &str) -> Result<Value, &'static str> {
    let Some(first) = text.bytes().next() else {
        return Ok(Value::Null);
    };
    Ok(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Value::Null,
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return Err("a number that JSON cannot hold"),
        _ if first == b'.' => float(text).unwrap_or_else(|| string(text)),
        _ if first.is_ascii_digit() || first == b'-' || first == b'+' => number(text),
        _ => string(text),
    })
}

pub(super) fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn number(text: &str) -> Value {
    let plain = if text.contains('_') {
        Cow::Owned(text.replace('_', ""))
    } else {
        Cow::Borrowed(text)
    };
    integer(&plain)
        .or_else(|| float(&plain))
        .unwrap_or_else(|| string(text))
}

/// `strconv.ParseInt(text, 0, 64)`: `0x`, `0o`, `0b`, and a leading zero for octal.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let prefixed = |prefix: [&str; 2]| prefix.iter().find_map(|p| digits.strip_prefix(p));
    let (base, digits) = if let Some(rest) = prefixed(["0x", "0X"]) {
        (16, rest)
    } else if let Some(rest) = prefixed(["0o", "0O"]) {
        (8, rest)
    } else if let Some(rest) = prefixed(["0b", "0B"]) {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    // `from_str_radix` would take a second sign.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    let number = if negative {
        Number::from(0_i64.checked_sub_unsigned(magnitude)?)
    } else if let Ok(signed) = i64::try_from(magnitude) {
        Number::from(signed)
    } else {
        Number::from(magnitude)
    };
    Some(Value::Number(number))
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let powered = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !shaped || !powered {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    Number::from_f64(value).map(|number| Value::Number(whole(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match resolve(text) {
            Ok(Value::Null) => "null".to_owned(),
            Ok(Value::Bool(value)) => value.to_string(),
            Ok(Value::Number(number)) => number.to_string(),
            Ok(Value::String(text)) => format!("{text:?}"),
            Ok(_) => unreachable!("scalars only"),
            Err(what) => what.to_owned(),
        }
    }

    #[test]
    fn scalars_are_read_as_kubectl_reads_them() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("Null", "null"),
            ("nULL", "\"nULL\""),
            ("yes", "true"),
            ("y", "true"),
            ("Off", "false"),
            ("yEs", "\"yEs\""),
            ("80", "80"),
            ("+80", "80"),
            ("-1", "-1"),
            ("010", "8"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("0b101", "5"),
            ("-0b101", "-5"),
            ("1_000", "1000"),
            ("08", "8"),
            ("0", "0"),
            ("-0", "0"),
            ("9223372036854775807", "9223372036854775807"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1e18", "1000000000000000000"),
            ("1e19", "1e+19"),
            ("9007199254740993.0", "9007199254740992"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("127.1", "127.1"),
            ("1.2.3", "\"1.2.3\""),
            ("--1", "\"--1\""),
            ("0x", "\"0x\""),
            ("1e", "\"1e\""),
            (".", "\".\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("12:30", "\"12:30\""),
            ("0xZZ", "\"0xZZ\""),
            ("-", "\"-\""),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        assert!(resolve(".inf").is_err() && resolve(".NaN").is_err());
    }
}
