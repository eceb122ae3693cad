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
