//! What a match asks for besides its path, interned.

use std::collections::BTreeMap;

use super::candidate::{Candidate, Candidates, Condition, Subject, WHOLE};
use super::crowd::Filed;
use super::hash::Hasher;
use super::method;
use super::texts::Interner;
use crate::rule::{GrpcMatch, HeaderMatch, Matches, QueryMatch, ValueMatch};

/// Names and patterns that are known, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    headers: BTreeMap<Box<str>, u16>,
    parameters: BTreeMap<Box<str>, u16>,
    patterns: BTreeMap<Box<str>, u32>,
}

/// What a match asks for.
pub(super) struct Asked<'r> {
    pub(super) method: Option<&'r [u8]>,
    pub(super) headers: &'r [HeaderMatch],
    pub(super) query: &'r [QueryMatch],
}

/// How many things a match asks for besides its path; `None` if only the whole match can be put to requests.
pub(super) fn count(matches: &Matches, position: u16) -> Option<usize> {
    let position = usize::from(position);
    match matches {
        Matches::Http(matches) => {
            let one = &matches.get(position)?.conditions;
            Some(usize::from(one.method.is_some()) + one.headers.len() + one.query.len())
        }
        Matches::Grpc(matches) => {
            let one = matches.get(position).filter(|one| !has_pattern(one))?;
            Some(one.headers.len())
        }
        Matches::Connection => Some(0),
    }
}

/// Whether a name of a gRPC match is an expression, which keys cannot answer for.
pub(super) fn has_pattern(one: &GrpcMatch) -> bool {
    [&one.service, &one.method]
        .into_iter()
        .any(|name| matches!(name, Some(ValueMatch::Pattern(_))))
}

impl Conditions {
    pub(super) fn clear(&mut self) {
        self.headers.clear();
        self.parameters.clear();
        self.patterns.clear();
    }

    /// Adds the conditions of a match to the end of `all.conditions`; says what its candidate asks.
    ///
    /// What it is `filed` by, it need not ask for again. A match that a candidate has no room for is put to requests as a
    /// whole.
    pub(super) fn add(
        &mut self,
        asked: &Asked<'_>,
        filed: Option<(&Filed, &[u8])>,
        all: &mut Candidates,
        interner: &mut Interner,
        hasher: &Hasher,
    ) -> u16 {
        let &Asked {
            method,
            headers,
            query,
        } = asked;
        let first = all.conditions.len();
        let mut complete = true;
        let method = match method.filter(|_| !filed.is_some_and(|(filed, _)| filed.is_method())) {
            None => method::ANY,
            Some(name) => method::number(name).unwrap_or(WHOLE),
        };
        for field in headers {
            let known = |(filed, value): (&Filed, &[u8])| {
                filed.is_header(&field.name) && is_exactly(&field.value, value)
            };
            if filed.is_some_and(known) {
                continue;
            }
            let name = name(field.name.as_str(), &mut self.headers, || {
                all.headers.push(field.name.clone());
            });
            match name {
                Some(name) => {
                    let subjects = (Subject::Header(name), Subject::HeaderPattern(name));
                    self.value(&field.value, subjects, all, interner, hasher);
                }
                None => complete = false,
            }
        }
        for parameter in query {
            let known = |(filed, value): (&Filed, &[u8])| {
                filed.is_parameter(&parameter.name) && is_exactly(&parameter.value, value)
            };
            if filed.is_some_and(known) {
                continue;
            }
            let name = name(&parameter.name, &mut self.parameters, || {
                all.parameters.push(parameter.name.clone());
            });
            match name {
                Some(name) => {
                    let subjects = (Subject::Parameter(name), Subject::ParameterPattern(name));
                    self.value(&parameter.value, subjects, all, interner, hasher);
                }
                None => complete = false,
            }
        }
        let count = all.conditions.len() - first;
        let asks = Candidate::asks(if complete { method } else { WHOLE }, count);
        if asks == Candidate::whole() {
            all.conditions.truncate(first);
        }
        asks
    }

    fn value(
        &mut self,
        value: &ValueMatch,
        (exactly, by_pattern): (Subject, Subject),
        all: &mut Candidates,
        interner: &mut Interner,
        hasher: &Hasher,
    ) {
        let condition = match value {
            ValueMatch::Exact(text) => Condition {
                subject: exactly,
                value: interner.intern(hasher, text, hasher.text(text)).number(),
            },
            ValueMatch::Pattern(pattern) => {
                let next = u32::try_from(all.patterns.len()).unwrap_or(u32::MAX);
                let known = self.patterns.entry(pattern.as_str().into());
                let number = *known.or_insert_with(|| {
                    all.patterns.push(pattern.clone());
                    next
                });
                Condition {
                    subject: by_pattern,
                    value: number,
                }
            }
        };
        all.conditions.push(condition);
    }
}

fn is_exactly(asked: &ValueMatch, value: &[u8]) -> bool {
    matches!(asked, ValueMatch::Exact(text) if **text == *value)
}

/// The number of a name; `None` if all numbers are taken.
fn name(name: &str, known: &mut BTreeMap<Box<str>, u16>, new: impl FnOnce()) -> Option<u16> {
    if let Some(&number) = known.get(name) {
        return Some(number);
    }
    let number = u16::try_from(known.len()).ok()?;
    known.insert(name.into(), number);
    new();
    Some(number)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::pattern::{Pattern, PatternLimits};
    use crate::rule::{Rare, RequestConditions, RequestMatch};

    fn exact(text: &str) -> ValueMatch {
        ValueMatch::Exact(text.as_bytes().into())
    }

    fn header(name: &'static str, value: &str) -> HeaderMatch {
        HeaderMatch {
            name: HeaderName::from_static(name),
            value: exact(value),
        }
    }

    #[test]
    fn what_a_match_asks_for_is_counted() {
        let conditions = RequestConditions {
            method: Some(http::Method::GET),
            headers: vec![header("x-a", "1"), header("x-b", "2")],
            query: vec![QueryMatch {
                name: "q".into(),
                value: exact("3"),
            }],
        };
        let one = RequestMatch {
            index: 0,
            path: crate::rule::PathMatch::Prefix(Box::default()),
            conditions: Rare::from(conditions),
        };
        assert_eq!(count(&Matches::Http([one].into()), 0), Some(4));
        let grpc = |service| GrpcMatch {
            index: 0,
            service: Some(service),
            method: Some(exact("Do")),
            headers: vec![header("x-a", "1")],
        };
        let pattern = Pattern::parse("S.*", &PatternLimits::default()).expect("it is sound");
        let matches = [grpc(exact("S")), grpc(ValueMatch::Pattern(pattern))];
        let matches = Matches::Grpc(matches.into());
        assert_eq!(
            [0, 1, 2].map(|at| count(&matches, at)),
            [Some(1), None, None]
        );
    }

    /// What a match is filed by is not asked again; another value of that name is.
    #[test]
    fn conditions_are_what_is_left_to_ask() {
        let hasher = Hasher::new([1, 2]);
        let headers = [header("x-a", "1"), header("x-b", "2"), header("x-a", "3")];
        let asked = Asked {
            method: Some(b"GET"),
            headers: &headers,
            query: &[],
        };
        let by_header = Filed::Header(HeaderName::from_static("x-a"));
        for (filed, method, left) in [
            (None, "GET", 3),
            (Some((&by_header, &b"1"[..])), "GET", 2),
            (Some((&by_header, &b"4"[..])), "GET", 3),
            (Some((&Filed::Method, &b"GET"[..])), "", 3),
        ] {
            let (mut all, mut interner) = (Candidates::default(), Interner::default());
            let mut conditions = Conditions::default();
            let asks = conditions.add(&asked, filed, &mut all, &mut interner, &hasher);
            let method = method::number(method.as_bytes()).unwrap_or(method::ANY);
            assert_eq!(asks, Candidate::asks(method, left));
            assert_eq!(all.conditions.len(), left);
            assert_eq!(all.headers.len(), 2);
        }
    }
}
