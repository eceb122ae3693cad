//! Why a goal is not reached: what was measured of the parts that it is made of.

use gatepost::rule::{Backend, RequestMatch, Rule};

use crate::format::digits;
use crate::run::Measured;

const HEAD: &str = "
What is not reached, and what it is made of:

";

/// What says why, for the goals that are not reached. `missed` says whether a row that begins so is one of them.
pub(crate) fn section(measured: &Measured, missed: impl Fn(&str) -> bool) -> String {
    let of = |subject, shape, rules, mode| {
        let time = measured.find(subject, shape, rules, mode);
        time.unwrap_or(f64::NAN)
    };
    let part = |part, case, subject| {
        let time = measured.request(part, case, subject);
        time.unwrap_or(f64::NAN)
    };
    let mut reasons = Vec::new();
    if missed("`find`, shape c") {
        let field = part("fields", "shape c", "http");
        let parameter = part("fields", "shape c", "gatepost");
        reasons.push(format!(
            "Shape c: no rule can be told from another before a field is read (from `http::HeaderMap`, {} ns) and a query parameter ({} ns); then \
             each value is looked up. What it takes before that is a look-up of shape b: {} ns for 10 rules. `list`, which walks the 10 rules, takes {} ns. It \
             would take fields that come with hashes of their values: `http::HeaderMap` hashes the name, and the look-up has to hash the value.",
            digits(field),
            digits(parameter),
            digits(of("gatepost", "b", 10, "random")),
            digits(of("list", "c", 10, "random")),
        ));
    }
    if missed("the same, shape a") {
        let matchit = of("matchit", "a", 100_000, "random");
        reasons.push(format!(
            "A share of `matchit`'s time in shape a: a quarter of it is {} ns. With everything in near memory (`hot`) a look-up takes {} ns, `matchit`'s {} ns; \
             what far memory adds is {} and {} ns. It would take host and path in one key, so that one far place is read and not two.",
            digits(matchit / 4.0),
            digits(of("gatepost", "a", 100_000, "hot")),
            digits(of("matchit", "a", 100_000, "hot")),
            digits(of("gatepost", "a", 100_000, "random") - of("gatepost", "a", 100_000, "hot")),
            digits(matchit - of("matchit", "a", 100_000, "hot")),
        ));
    }
    if missed("whole table") {
        let counts = 2 * size_of::<usize>();
        let index = measured.held.iter().find(|line| line.shape == "a");
        reasons.push(format!(
            "Whole table: a rule is a value that callers read ({} bytes, and {counts} for what it is shared by), with a match ({}) and two backends ({}); with \
             the index of shape a ({}) that is {} bytes before the first letter of a path, a hostname or a route's name. What is left to save are names that \
             few rules have, fields that only some use, and the second copy of the path. 160 would take rules in columns, equal backends \
             once, and callers that ask for each part of a rule instead of reading it.",
            size_of::<Rule>(),
            size_of::<RequestMatch>(),
            2 * size_of::<Backend>(),
            digits(index.map_or(f64::NAN, |line| line.index_bytes)),
            digits(
                index.map_or(f64::NAN, |line| line.index_bytes)
                    + (size_of::<Rule>() + counts + size_of::<RequestMatch>() + 2 * size_of::<Backend>()) as f64
            ),
        ));
    }
    if missed("pick of") {
        let alone = part("pick", "2 backends", "gatepost, Tickets of");
        let shared = part("pick", "2 backends", "gatepost, Tickets that");
        reasons.push(format!(
            "Tickets that threads share: of {} ns {} are the atomic addition. It would take a counter for each thread: `Tickets::draw_mut`.",
            digits(shared),
            digits(shared - alone),
        ));
    }
    if reasons.is_empty() {
        return String::new();
    }
    let lines = reasons.iter().map(|reason| format!("- {reason}\n"));
    format!("{HEAD}{}", lines.collect::<String>())
}
