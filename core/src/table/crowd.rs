//! Many candidates of one path, filed by the values that they ask for, so that a request looks at those only that ask for
//! its own.
//!
//! A candidate is filed under one exact value that it asks for, the rarest, as a key of its own in the dictionary; what asks
//! for no exact value stays with the path. Which value a candidate is filed under decides how fast it is found, never
//! whether it is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use http::HeaderName;

use super::RouteTable;
use super::candidate::Served;
use super::dictionary::{Kind, key};
use super::find::Request;
use super::method;
use super::predicate;
use crate::rule::{HeaderMatch, Matches, QueryMatch, ValueMatch};
use crate::target::Query;

/// So many candidates or fewer are walked: that is cheaper than looking values up.
pub(super) const WALKED: usize = 8;

/// The subjects by which a path's candidates are filed.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    /// Their numbers: those by which earlier matches are filed first.
    pub(super) subjects: Vec<u32>,
    /// How many candidates were left when it was last tried to file them.
    settled: u32,
}

impl Crowd {
    /// What could not be filed is not tried again before there are more than so many, which are twice as many.
    pub(super) fn patience(&self) -> usize {
        self.settled as usize * 2
    }

    /// Remembers how many candidates are not filed: none of them can be if that was `tried`.
    pub(super) fn settle(&mut self, rest: usize, tried: bool) {
        let rest = u32::try_from(rest).unwrap_or(u32::MAX);
        self.settled = if tried { rest } else { rest.min(self.settled) };
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.subjects.capacity() * size_of::<u32>()
    }
}

/// What a value is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filed {
    /// A header field.
    Header(HeaderName),
    /// A query parameter.
    Parameter(Box<str>),
    /// The method.
    Method,
}

impl Filed {
    pub(super) fn is_method(&self) -> bool {
        matches!(self, Filed::Method)
    }

    pub(super) fn is_header(&self, name: &HeaderName) -> bool {
        matches!(self, Filed::Header(own) if own == name)
    }

    pub(super) fn is_parameter(&self, name: &str) -> bool {
        matches!(self, Filed::Parameter(own) if **own == *name)
    }
}

/// A subject of a crowd.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// `None` where no crowd has this number.
    pub(super) filed: Option<Filed>,
    /// Bytes of the longest value that was ever filed: longer ones need not be looked up.
    pub(super) longest: usize,
    /// How many candidates are filed by it.
    pub(super) count: u32,
    /// The ranks of the earliest and the latest that were ever filed: what is found by one subject need not be held against
    /// what is filed by another one if all of that ranks behind.
    pub(super) earliest: u64,
    latest: u64,
}

impl Default for Subject {
    fn default() -> Self {
        Subject {
            filed: None,
            longest: 0,
            count: 0,
            earliest: u64::MAX,
            latest: 0,
        }
    }
}

impl Subject {
    /// One candidate more is filed, by a value of so many bytes.
    pub(super) fn add(&mut self, length: usize, rank: u64) {
        self.count += 1;
        self.longest = self.longest.max(length);
        self.earliest = self.earliest.min(rank);
        self.latest = self.latest.max(rank);
    }
}

impl RouteTable {
    /// The first match among what is filed under the request's own values, or `found` where that is earlier.
    pub(super) fn first_of_crowd(
        &self,
        crowd: &Crowd,
        found: Option<Served>,
        request: &mut Request<'_, '_>,
    ) -> Option<Served> {
        let mut best = found;
        // Whatever was found by a subject ranks no later than this. The rule itself would say more, but lies in far memory.
        let mut latest = u64::MAX;
        for &number in &crowd.subjects {
            let Some(subject) = self.subjects.get(number) else {
                continue;
            };
            if latest < subject.earliest {
                continue;
            }
            if let Some((parts, value)) = self.filed(number, subject, request) {
                let found = self.first_of(parts, value, request);
                if found.is_some() {
                    latest = latest.min(subject.latest);
                }
                best = self.earlier(best, found);
            }
        }
        best
    }

    /// What is filed under the request's own value of a subject.
    fn filed(
        &self,
        number: u32,
        subject: &Subject,
        request: &mut Request<'_, '_>,
    ) -> Option<(&super::dictionary::Parts, u32)> {
        let buffer = &mut request.scratch.value;
        buffer.clear();
        let value: &[u8] = match subject.filed.as_ref()? {
            Filed::Header(name) => {
                if !predicate::join(name, request.head, subject.longest, buffer) {
                    return None;
                }
                buffer
            }
            Filed::Parameter(name) => {
                let query = request.head.target.query()?;
                let given = Query::new(query).first(name.as_bytes())?;
                if Query::is_literal(given) {
                    given
                } else {
                    buffer.extend(Query::decode(given).take(subject.longest + 1));
                    buffer
                }
            }
            Filed::Method => request.head.method,
        };
        let hash = self.hasher.text(value);
        let key = key(&self.hasher, hash, Kind::Value, number, value);
        self.dictionary.find(&key)
    }
}

/// An exact value that a match asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By<'r> {
    Header(&'r str),
    Parameter(&'r str),
    Method,
}

impl By<'_> {
    pub(super) fn of(filed: &Filed) -> By<'_> {
        match filed {
            Filed::Header(name) => By::Header(name.as_str()),
            Filed::Parameter(name) => By::Parameter(name),
            Filed::Method => By::Method,
        }
    }

    pub(super) fn filed(self) -> Option<Filed> {
        Some(match self {
            By::Header(name) => Filed::Header(HeaderName::from_bytes(name.as_bytes()).ok()?),
            By::Parameter(name) => Filed::Parameter(name.into()),
            By::Method => Filed::Method,
        })
    }
}

/// Goes through the exact values that a match asks for, by which it may be filed.
pub(super) fn each_exact<'r>(
    matches: &'r Matches,
    position: u16,
    mut found: impl FnMut(By<'r>, &'r [u8]),
) {
    let position = usize::from(position);
    let (headers, query): (&[HeaderMatch], &[QueryMatch]) = match matches {
        Matches::Http(matches) => {
            let Some(one) = matches.get(position) else {
                return;
            };
            let one = &one.conditions;
            let method = one.method.as_ref().map(|method| method.as_str().as_bytes());
            if let Some(method) = method.filter(|method| method::number(method).is_some()) {
                found(By::Method, method);
            }
            (&one.headers, &one.query)
        }
        Matches::Grpc(matches) => {
            let headers = matches.get(position).map_or(&[][..], |one| &one.headers);
            (headers, &[])
        }
        Matches::Connection => return,
    };
    for field in headers {
        if let ValueMatch::Exact(value) = &field.value {
            found(By::Header(field.name.as_str()), value);
        }
    }
    for parameter in query {
        if let ValueMatch::Exact(value) = &parameter.value {
            found(By::Parameter(&parameter.name), value);
        }
    }
}

/// The exact values that many matches ask for.
#[derive(Debug, Default)]
pub(super) struct Asked<'r> {
    /// What the values are of.
    pub(super) subjects: Vec<By<'r>>,
    numbers: BTreeMap<By<'r>, usize>,
    values: Vec<Value<'r>>,
    /// Where the values of each match end.
    ends: Vec<usize>,
}

/// A value that a match asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'r> {
    /// The number of what it is of, in [`Asked::subjects`].
    pub(super) subject: usize,
    pub(super) hash: u64,
    pub(super) text: &'r [u8],
}

impl<'r> Asked<'r> {
    /// Adds a value of a match.
    pub(super) fn add(&mut self, by: By<'r>, text: &'r [u8], hash: u64) {
        let next = self.subjects.len();
        let subject = *self.numbers.entry(by).or_insert(next);
        if subject == next {
            self.subjects.push(by);
        }
        self.values.push(Value {
            subject,
            hash,
            text,
        });
    }

    /// What follows is of the next match.
    pub(super) fn next(&mut self) {
        self.ends.push(self.values.len());
    }

    /// Which value each match of a crowd is filed under: the one that the fewest others ask for; among those, the one of
    /// the subject that the most ask for.
    pub(super) fn rarest(&self) -> Vec<Option<Value<'r>>> {
        let mut common = vec![0_usize; self.subjects.len()];
        for value in &self.values {
            if let Some(count) = common.get_mut(value.subject) {
                *count += 1;
            }
        }
        // Values are counted by their hash: a collision makes a count wrong, never an answer.
        let mixed = |value: &Value<'_>| value.hash ^ (value.subject as u64).rotate_left(40);
        let mut sorted: Vec<(u64, usize)> = self.values.iter().map(mixed).zip(0..).collect();
        sorted.sort_unstable();
        let mut counts = vec![0_usize; self.values.len()];
        for same in sorted.chunk_by(|one, two| one.0 == two.0) {
            for &(_, at) in same {
                if let Some(count) = counts.get_mut(at) {
                    *count = same.len();
                }
            }
        }
        let mut start = 0;
        let choose = |&end: &usize| {
            let best = (start..end).min_by_key(|&at| {
                let value = self.values.get(at);
                let subject = value.map_or(0, |value| value.subject);
                let common = common.get(subject).copied();
                (
                    counts.get(at).copied(),
                    Reverse(common),
                    self.subjects.get(subject),
                )
            });
            start = end;
            self.values.get(best?).copied()
        };
        self.ends.iter().map(choose).collect()
    }
}
