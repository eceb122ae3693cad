//! What a match asks for besides its path, interned.

use std::collections::BTreeMap;

use super::candidate::{Candidate, Candidates, Condition, Subject, WHOLE};
use super::hash::Hasher;
use super::method;
use super::texts::Interner;
use crate::rule::{HeaderMatch, QueryMatch, ValueMatch};

/// Names and patterns that are known, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    headers: BTreeMap<Box<str>, u16>,
    parameters: BTreeMap<Box<str>, u16>,
    patterns: BTreeMap<Box<str>, u32>,
}

impl Conditions {
    /// Adds the conditions of a match to the end of `all.conditions`; says what its candidate asks.
    ///
    /// A match that a candidate has no room for is put to requests as a whole.
    pub(super) fn add(
        &mut self,
        method: Option<&[u8]>,
        headers: &[HeaderMatch],
        query: &[QueryMatch],
        all: &mut Candidates,
        interner: &mut Interner,
        hasher: &Hasher,
    ) -> u16 {
        let first = all.conditions.len();
        let mut complete = true;
        let method = match method {
            None => method::ANY,
            Some(name) => method::number(name).unwrap_or(WHOLE),
        };
        for field in headers {
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
