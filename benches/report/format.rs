//! Numbers and tables as they stand on the page.

/// A time, in the unit that needs few digits.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        1e7.. => format!("{} ms", digits(nanoseconds / 1e6)),
        1e4.. => format!("{} µs", digits(nanoseconds / 1e3)),
        _ => digits(nanoseconds),
    }
}

/// Three digits, or a whole number with commas.
pub(crate) fn digits(value: f64) -> String {
    match value {
        100.0.. => count(value),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with commas.
pub(crate) fn count(value: f64) -> String {
    let plain = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A table of Markdown: the first column to the left, the others to the right.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let rule: Vec<String> = (0..head.len())
        .map(|at| if at == 0 { "---" } else { "---:" }.to_owned())
        .collect();
    let mut out = row(&head) + &row(&rule);
    rows.iter().for_each(|cells| out += &row(cells));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_units() {
        for (value, text) in [
            (4.321, "4.32"),
            (43.21, "43.2"),
            (432.1, "432"),
            (4_321.0, "4,321"),
            (43_210.0, "43.2 µs"),
            (43_210_000.0, "43.2 ms"),
        ] {
            assert_eq!(time(value), text);
        }
        assert_eq!(count(1_000_000.0), "1,000,000");
    }
}
