//! Durations as CEL reads them: by Go's `time.ParseDuration`, which takes more than the pattern of the CRDs.

/// Nanoseconds, or `None` for what Go refuses: `300ms`, `-1.5h`, `1h15m`, `0`.
///
/// The API server runs rules on texts that the pattern has refused already, so they are read here as it reads them.
pub(super) fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let unit: i128 = match &after[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse::<i64>().ok()?.into()
        };
        // More digits than these are below a nanosecond of every unit.
        let fraction = &fraction[..fraction.len().min(18)];
        let part: i128 = if fraction.is_empty() {
            0
        } else {
            fraction.parse().ok()?
        };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        total = total.checked_add(whole * unit + part * unit / scale)?;
        i64::try_from(total).ok()?;
        rest = &after[end..];
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::go_duration;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1s", Some(1_000_000_000)),
            ("1h1m", Some(3_660_000_000_000)),
            ("-1.5m", Some(-90_000_000_000)),
            (".5s", Some(500_000_000)),
            ("1m1m", Some(120_000_000_000)),
            ("1us", Some(1_000)),
            ("", None),
            ("1", None),
            ("s", None),
            (".s", None),
            ("1d", None),
            ("9999999999h", None),
        ] {
            assert_eq!(go_duration(text), expected, "{text}");
        }
    }
}
