//! Durations as GEP-2257 writes them: `1h30m`, `500ms`.

use std::fmt;
use std::time::Duration;

/// A text that is not a GEP-2257 duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDuration(String);

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a duration: expected one to four numbers of at most five digits, each with a unit of h, m, s or ms, such as `1m30s`",
            self.0
        )
    }
}

impl std::error::Error for InvalidDuration {}

/// Reads `^([0-9]{1,5}(h|m|s|ms)){1,4}$`; units may come in any order and repeat, the value is their sum.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(gatepost::duration::parse("1m30s"), Ok(Duration::from_secs(90)));
/// assert!(gatepost::duration::parse("1.5s").is_err());
/// ```
///
/// # Errors
///
/// For every other text.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    components(text).ok_or_else(|| InvalidDuration(text.to_owned()))
}

fn components(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut milliseconds = 0_u64;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 5 {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let (unit, after) = if let Some(after) = after.strip_prefix("ms") {
            (1, after)
        } else if let Some(after) = after.strip_prefix('s') {
            (1_000, after)
        } else if let Some(after) = after.strip_prefix('m') {
            (60_000, after)
        } else {
            (3_600_000, after.strip_prefix('h')?)
        };
        milliseconds += number * unit;
        rest = after;
        if rest.is_empty() {
            return Some(Duration::from_millis(milliseconds));
        }
    }
    None
}

/// Writes the largest units first, without zero units; zero is `0s`.
///
/// `None` for what the form cannot say: fractions of a millisecond, and more than 99,999 hours.
pub fn format(duration: Duration) -> Option<String> {
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return None;
    }
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(duration.subsec_millis()), "ms"),
    ];
    if parts[0].0 > 99_999 {
        return None;
    }
    let text: String = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    Some(if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_gep_2257_are_normalised() {
        for (text, normal) in [
            ("0h", "0s"),
            ("0s", "0s"),
            ("1h", "1h"),
            ("30m", "30m"),
            ("500ms", "500ms"),
            ("2h30m", "2h30m"),
            ("150m", "2h30m"),
            ("7230s", "2h30s"),
            ("1h30m10s", "1h30m10s"),
            ("10s30m1h", "1h30m10s"),
            ("100ms200ms300ms", "600ms"),
            ("00100ms", "100ms"),
        ] {
            let duration = parse(text).expect(text);
            assert_eq!(format(duration).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn what_gep_2257_refuses_is_refused() {
        for text in [
            "",
            "1",
            "1m1",
            "1h30m10s20ms50h",
            "999999h",
            "1.5h",
            "-15m",
            "1d",
            "1w",
            "s",
            " 1s",
            "1s ",
            "1 s",
            "１s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_form_cannot_say_is_not_written() {
        assert_eq!(format(Duration::from_micros(1)), None);
        assert_eq!(format(Duration::from_secs(100_000 * 3_600)), None);
    }
}
