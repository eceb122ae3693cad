//! Lines over two logarithmic axes, as SVG that is read on light and on dark ground.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 44.0;
/// Between two labels at the right edge.
const LABEL: f64 = 14.0;

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// What it is called at its end.
    pub(crate) name: String,
    /// From left to right; everything is greater than zero.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Colours of each subject, on light and on dark ground.
const COLOURS: [(&str, &str, &str); 9] = [
    ("gatepost", "#cf222e", "#ff7b72"),
    ("matchit", "#0969da", "#79c0ff"),
    ("wayfind", "#8250df", "#d2a8ff"),
    ("path-tree", "#1a7f37", "#7ee787"),
    ("actix-router", "#9a6700", "#e3b341"),
    ("new-many", "#bf3989", "#ff9bce"),
    ("list", "#57606a", "#afb8c1"),
    ("sorted", "#24292f", "#f0f6fc"),
    ("probe", "#8c959f", "#6e7681"),
];

/// Draws the lines; the first of them is drawn above the others, and thicker.
pub(crate) fn plot(title: &str, across: &str, series: &[Series]) -> String {
    let (left, right) = bounds(series, |point| point.0);
    let (low, high) = bounds(series, |point| point.1);
    let x = |value: f64| LEFT + (value.log10() - left) / (right - left) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| {
        HEIGHT - BOTTOM - (value.log10() - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    };
    let mut out = String::new();
    head(&mut out, title);
    for power in whole(low, high) {
        let at = y(10_f64.powf(power));
        line(&mut out, (LEFT, at), (WIDTH - RIGHT, at));
        text(
            &mut out,
            (LEFT - 8.0, at + 4.0),
            "end",
            &time(10_f64.powf(power)),
        );
    }
    for power in whole(left, right) {
        let at = x(10_f64.powf(power));
        line(&mut out, (at, TOP), (at, HEIGHT - BOTTOM));
        let label = crate::format::count(10_f64.powf(power));
        text(&mut out, (at, HEIGHT - BOTTOM + 18.0), "middle", &label);
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    text(&mut out, (middle, HEIGHT - 6.0), "middle", across);
    for (number, one) in series.iter().enumerate().rev() {
        let points: Vec<String> = one
            .points
            .iter()
            .map(|&(across, up)| format!("{:.1},{:.1}", x(across), y(up)))
            .collect();
        let class = class(&one.name);
        let width = if number == 0 { 3.0 } else { 1.5 };
        let _ = writeln!(
            out,
            "<polyline class=\"{class}\" stroke-width=\"{width}\" points=\"{}\"/>",
            points.join(" ")
        );
    }
    let ends = series
        .iter()
        .filter_map(|one| Some((one.name.as_str(), *one.points.last()?)))
        .map(|(name, (across, up))| (name, x(across), y(up)))
        .collect();
    labels(&mut out, ends);
    out.push_str("</svg>\n");
    out
}

fn head(out: &mut String, title: &str) {
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n<title>{title}</title>\n<style>\n\
         text{{font:12px system-ui,sans-serif;fill:#1f2328}}\nline{{stroke:#d1d9e0;stroke-width:1}}\npolyline{{fill:none;stroke-linejoin:round}}"
    );
    for (name, light, _) in COLOURS {
        let _ = writeln!(
            out,
            "polyline.{name}{{stroke:{light}}}text.{name}{{fill:{light}}}"
        );
    }
    out.push_str("@media (prefers-color-scheme:dark){\ntext{fill:#e6edf3}\nline{stroke:#3d444d}\n");
    for (name, _, dark) in COLOURS {
        let _ = writeln!(
            out,
            "polyline.{name}{{stroke:{dark}}}text.{name}{{fill:{dark}}}"
        );
    }
    out.push_str("}\n</style>\n");
}

/// The name of each line beside its end, one below the other where ends are close.
fn labels(out: &mut String, mut ends: Vec<(&str, f64, f64)>) {
    ends.sort_by(|one, other| one.2.total_cmp(&other.2));
    let mut places: Vec<f64> = Vec::new();
    for &(.., at) in &ends {
        let least = places.last().map_or(f64::NEG_INFINITY, |last| last + LABEL);
        places.push(at.max(least));
    }
    // What was pushed below the axis goes up again.
    let mut most = HEIGHT - BOTTOM;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - LABEL;
    }
    for ((name, across, _), place) in ends.into_iter().zip(places) {
        let _ = writeln!(
            out,
            "<text class=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            class(name),
            across + 6.0,
            place + 4.0
        );
    }
}

fn class(name: &str) -> &'static str {
    let known = COLOURS.iter().find(|(known, ..)| *known == name);
    known.map_or("", |(known, ..)| known)
}

/// The powers of ten that hold all values between them.
fn bounds(series: &[Series], value: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let all = series.iter().flat_map(|one| &one.points);
    let powers = all.map(|point| value(point).log10());
    let (low, high) = powers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), power| {
        (low.min(power), high.max(power))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let (low, high) = ((low + 0.02).floor(), (high - 0.02).ceil());
    (low, high.max(low + 1.0))
}

fn whole(low: f64, high: f64) -> impl Iterator<Item = f64> {
    (0_u32..)
        .map(move |step| low + f64::from(step))
        .take_while(move |power| *power <= high)
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        1e9.. => format!("{} s", nanoseconds / 1e9),
        1e6.. => format!("{} ms", nanoseconds / 1e6),
        1e3.. => format!("{} µs", nanoseconds / 1e3),
        _ => format!("{nanoseconds} ns"),
    }
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>",
        at.0, at.1
    );
}
