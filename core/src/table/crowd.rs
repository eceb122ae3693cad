//! Many candidates of one path, filed by the values that they ask for, so that a request looks at those only that ask for
//! its own.
//!
//! A candidate is filed under one exact value that it asks for, the rarest, as a key of its own in the dictionary; what asks
//! for no exact value stays with the path. Which value a candidate is filed under decides how fast it is found, never
//! whether it is.

use std::collections::BTreeMap;

use http::HeaderName;

use super::RouteTable;
use super::candidate::Served;
use super::dictionary::{Kind, key};
use super::find::Request;
use super::method;
use super::predicate;
use crate::rule::{Matches, Rule, ValueMatch};
use crate::target::Query;

/// So many candidates or fewer are walked: that is cheaper than looking values up.
pub(super) const WALKED: usize = 8;

/// The subjects by which a path's candidates are filed.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    /// Their numbers.
    pub(super) subjects: Vec<u32>,
}

impl Crowd {
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
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// `None` where no crowd has this number.
    pub(super) filed: Option<Filed>,
    /// Bytes of the longest value that was ever filed: longer ones need not be looked up.
    pub(super) longest: usize,
    /// How many candidates are filed by it.
    pub(super) count: u32,
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
        for &number in &crowd.subjects {
            let Some(subject) = self.subjects.get(number) else {
                continue;
            };
            if let Some((parts, value)) = self.filed(number, subject, request) {
                let found = self.first_of(parts, value, request);
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

/// The exact values that a match asks for, by which it may be filed.
pub(super) fn exact(rule: &Rule, position: u16) -> Vec<(By<'_>, &[u8])> {
    let position = usize::from(position);
    let mut all = Vec::new();
    match &rule.matches {
        Matches::Http(matches) => {
            let Some(one) = matches.get(position) else {
                return all;
            };
            let method = one.method.as_ref().map(|method| method.as_str().as_bytes());
            let method = method.filter(|method| method::number(method).is_some());
            all.extend(method.map(|method| (By::Method, method)));
            for field in &one.headers {
                if let ValueMatch::Exact(value) = &field.value {
                    all.push((By::Header(field.name.as_str()), value));
                }
            }
            for parameter in &one.query {
                if let ValueMatch::Exact(value) = &parameter.value {
                    all.push((By::Parameter(&parameter.name), value));
                }
            }
        }
        Matches::Grpc(matches) => {
            let headers = matches.get(position).map_or(&[][..], |one| &one.headers);
            for field in headers {
                if let ValueMatch::Exact(value) = &field.value {
                    all.push((By::Header(field.name.as_str()), value));
                }
            }
        }
        Matches::Connection => {}
    }
    all
}

/// Which value each match of a new crowd is filed under: the one that the fewest others ask for; among those, the one
/// of the subject that the most ask for.
pub(super) fn rarest<'r>(
    asked: &[Vec<(By<'r>, &'r [u8])>],
    hash: impl Fn(&[u8]) -> u64,
) -> Vec<Option<usize>> {
    let mut subjects: BTreeMap<By<'r>, usize> = BTreeMap::new();
    let mut hashes: Vec<u64> = Vec::new();
    // Values are counted by their hash: a collision makes a count wrong, never an answer.
    let mixed = |by: By<'r>, value: &[u8]| {
        let name = match by {
            By::Header(name) | By::Parameter(name) => name.as_bytes(),
            By::Method => &[],
        };
        hash(name).rotate_left(7) ^ hash(value)
    };
    for &(by, value) in asked.iter().flatten() {
        *subjects.entry(by).or_default() += 1;
        hashes.push(mixed(by, value));
    }
    hashes.sort_unstable();
    let count = |hash: u64| {
        let first = hashes.partition_point(|&other| other < hash);
        hashes
            .get(first..)
            .unwrap_or_default()
            .iter()
            .take_while(|&&other| other == hash)
            .take(1_000)
            .count()
    };
    let choose = |values: &Vec<(By<'r>, &'r [u8])>| {
        let values = values.iter().enumerate();
        let best = values.min_by_key(|(_, (by, value))| {
            let common = subjects.get(by).copied().unwrap_or(0);
            (count(mixed(*by, value)), std::cmp::Reverse(common), *by)
        });
        best.map(|(at, _)| at)
    };
    asked.iter().map(choose).collect()
}
