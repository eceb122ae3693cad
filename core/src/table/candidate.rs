//! Candidates: the matches of rules, in the order of precedence, with what is left to ask when their path fits.

use http::HeaderName;

use super::RouteTable;
use super::dictionary::Parts;
use super::find::Request;
use super::method;
use super::predicate::{self, Parameter};
use super::texts::TextId;
use crate::pattern::Pattern;
use crate::rule::Matches;

/// A match of a rule, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// The rule's number.
    pub(super) rule: u32,
    /// Which entry of the rule's `matches`.
    pub(super) position: u16,
}

/// One match of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    rule: u32,
    position: u16,
    /// The method's number in the upper four bits, the number of conditions in the others.
    asks: u16,
}

/// Instead of a method: the whole match is put to the request, not the conditions.
pub(super) const WHOLE: u16 = 15;
const COUNT: u16 = 0x0fff;

impl Candidate {
    pub(super) fn new(Served { rule, position }: Served, asks: u16) -> Candidate {
        Candidate {
            rule,
            position,
            asks,
        }
    }

    /// A match that every request fits whose path does.
    pub(super) fn plain(served: Served) -> Candidate {
        Candidate::new(served, method::ANY << 12)
    }

    #[inline]
    pub(super) fn served(self) -> Served {
        Served {
            rule: self.rule,
            position: self.position,
        }
    }

    pub(super) fn asks(method: u16, conditions: usize) -> u16 {
        match u16::try_from(conditions) {
            Ok(count) if count <= COUNT && method != WHOLE => method << 12 | count,
            _ => Candidate::whole(),
        }
    }

    /// What a candidate asks whose whole match is put to the request.
    pub(super) fn whole() -> u16 {
        WHOLE << 12
    }

    fn method(self) -> u16 {
        self.asks >> 12
    }

    /// How many conditions it puts besides.
    fn conditions(self) -> u32 {
        u32::from(self.asks & COUNT)
    }

    /// Whether every request fits whose path does.
    pub(super) fn unconditional(self) -> bool {
        self.asks == 0
    }
}

/// A header field or query parameter and what its value has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) subject: Subject,
    /// A text, or the number of a pattern.
    pub(super) value: u32,
}

/// What a value is taken from, and whether it has to be a text or to match a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The header field of this number is this text.
    Header(u16),
    /// The query parameter of this number is this text.
    Parameter(u16),
    /// The header field of this number matches this pattern.
    HeaderPattern(u16),
    /// The query parameter of this number matches this pattern.
    ParameterPattern(u16),
}

/// Candidates, conditions and the names and patterns that these speak of.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) all: Vec<Candidate>,
    pub(super) conditions: Vec<Condition>,
    /// The first condition of each candidate, up to the last that puts any.
    pub(super) starts: Vec<u32>,
    pub(super) headers: Vec<HeaderName>,
    pub(super) parameters: Vec<Box<str>>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) leaves: Vec<Leaf>,
}

/// A run of neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Range {
    pub(super) fn of<T>(self, all: &[T]) -> &[T] {
        let first = self.first as usize;
        all.get(first..first + self.count as usize)
            .unwrap_or_default()
    }
}

/// The candidates of one key: neighbours, in the order of precedence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) candidates: Range,
    /// The crowd that they are the rest of; [`NONE`] if they are all.
    pub(super) crowd: u32,
}

/// What a key leads to, in 32 bits: a match that every request fits, one candidate, or a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Every request fits.
    Served(Served),
    /// One candidate.
    Candidate(u32),
    /// A leaf.
    Leaf(u32),
}

const SERVED: u32 = 1 << 31;
pub(super) const CANDIDATE: u32 = 1 << 30;
/// Bits of a rule's number.
const RULE: u32 = 24;
/// Positions from here on have no room in an answer.
const POSITIONS: u16 = 127;

impl Answer {
    /// The answer that stands for a match, if there is room for it.
    pub(super) fn direct(served: Served) -> Option<Answer> {
        (served.position < POSITIONS && served.rule < 1 << RULE).then_some(Answer::Served(served))
    }

    pub(super) fn value(self) -> u32 {
        match self {
            Answer::Served(Served { rule, position }) => {
                SERVED | u32::from(position) << RULE | rule
            }
            Answer::Candidate(number) => CANDIDATE | number,
            Answer::Leaf(number) => number,
        }
    }

    #[inline]
    pub(super) fn from_value(value: u32) -> Answer {
        if value & SERVED != 0 {
            Answer::Served(Served {
                rule: value & ((1 << RULE) - 1),
                position: (value >> RULE & u32::from(POSITIONS)) as u16,
            })
        } else if value & CANDIDATE != 0 {
            Answer::Candidate(value & !CANDIDATE)
        } else {
            Answer::Leaf(value)
        }
    }
}

impl Candidates {
    /// The conditions of a candidate.
    #[inline]
    pub(super) fn conditions_of(&self, number: u32) -> Range {
        let candidate = self.all.get(number as usize);
        let count = candidate.map_or(0, |candidate| candidate.conditions());
        if count == 0 {
            return Range::default();
        }
        Range {
            first: self.starts.get(number as usize).copied().unwrap_or(0),
            count,
        }
    }

    /// Adds a candidate whose conditions begin at `first`.
    pub(super) fn push(&mut self, candidate: Candidate, first: u32) {
        self.all.push(candidate);
        if candidate.conditions() > 0 {
            self.starts.resize(self.all.len() - 1, 0);
            self.starts.push(first);
        }
    }

    /// The first match of an answer.
    pub(super) fn first(&self, value: u32) -> Option<Served> {
        let number = match Answer::from_value(value) {
            Answer::Served(served) => return Some(served),
            Answer::Candidate(number) => number,
            Answer::Leaf(number) => self.leaves.get(number as usize)?.candidates.first,
        };
        Some(self.all.get(number as usize)?.served())
    }

    /// How many matches an answer has.
    pub(super) fn count(&self, value: u32) -> usize {
        match Answer::from_value(value) {
            Answer::Served(_) | Answer::Candidate(_) => 1,
            Answer::Leaf(number) => {
                let leaf = self.leaves.get(number as usize);
                leaf.map_or(0, |leaf| leaf.candidates.count as usize)
            }
        }
    }

    /// The matches of an answer in order, of a crowd those that are not filed by a value. One that stands in the answer
    /// itself is put into `alone`.
    pub(super) fn matches<'c>(
        &'c self,
        value: u32,
        alone: &'c mut Option<Candidate>,
    ) -> &'c [Candidate] {
        let range = match Answer::from_value(value) {
            Answer::Served(served) => {
                *alone = Some(Candidate::plain(served));
                return alone.as_slice();
            }
            Answer::Candidate(first) => Range { first, count: 1 },
            Answer::Leaf(number) => match self.leaves.get(number as usize) {
                Some(leaf) => leaf.candidates,
                None => return &[],
            },
        };
        range.of(&self.all)
    }

    /// What was collected, in memory of its own size; the room for more is kept.
    pub(super) fn take(&mut self) -> Candidates {
        fn exact<T>(all: &mut Vec<T>) -> Vec<T> {
            let mut own = Vec::with_capacity(all.len());
            own.append(all);
            own
        }
        Candidates {
            all: exact(&mut self.all),
            conditions: exact(&mut self.conditions),
            starts: exact(&mut self.starts),
            headers: exact(&mut self.headers),
            parameters: exact(&mut self.parameters),
            patterns: exact(&mut self.patterns),
            leaves: exact(&mut self.leaves),
        }
    }

    /// Bytes that they hold, names and patterns that rules hold anyway not counted.
    pub(super) fn memory(&self) -> usize {
        self.all.capacity() * size_of::<Candidate>()
            + self.conditions.capacity() * size_of::<Condition>()
            + self.starts.capacity() * size_of::<u32>()
            + self.headers.capacity() * size_of::<HeaderName>()
            + self.parameters.capacity() * size_of::<Box<str>>()
            + self.patterns.capacity() * size_of::<Pattern>()
            + self.leaves.capacity() * size_of::<Leaf>()
    }
}

impl RouteTable {
    /// The first match of a key's answer that a request fits.
    #[inline]
    pub(super) fn first_of(
        &self,
        parts: &Parts,
        value: u32,
        request: &mut Request<'_, '_>,
    ) -> Option<Served> {
        match Answer::from_value(value) {
            Answer::Served(served) => Some(served),
            Answer::Candidate(number) => self.fitting(parts, number, request),
            Answer::Leaf(number) => self.first_of_leaf(parts, number, request),
        }
    }

    fn first_of_leaf(
        &self,
        parts: &Parts,
        number: u32,
        request: &mut Request<'_, '_>,
    ) -> Option<Served> {
        let leaf = parts.candidates.leaves.get(number as usize)?;
        let Range { first, count } = leaf.candidates;
        let mut all = first..first + count;
        let found = all.find_map(|number| self.fitting(parts, number, request));
        match parts.crowds.get(leaf.crowd as usize) {
            Some(crowd) => self.first_of_crowd(crowd, found, request),
            None => found,
        }
    }

    /// The match of a candidate that a request fits.
    fn fitting(&self, parts: &Parts, number: u32, request: &mut Request<'_, '_>) -> Option<Served> {
        let candidate = parts.candidates.all.get(number as usize)?;
        self.fits(parts, number, request)
            .then_some(candidate.served())
    }

    /// The earlier of two matches of a host.
    pub(super) fn earlier(&self, one: Option<Served>, two: Option<Served>) -> Option<Served> {
        match (one, two) {
            (Some(a), Some(b)) if self.rules.order(b, a).is_lt() => two,
            (None, _) => two,
            (Some(_), _) => one,
        }
    }

    /// Whether a request whose path fits a candidate fits the rest of it.
    pub(super) fn fits(&self, parts: &Parts, number: u32, request: &mut Request<'_, '_>) -> bool {
        let Some(&candidate) = parts.candidates.all.get(number as usize) else {
            return false;
        };
        let head = request.head;
        match candidate.method() {
            WHOLE => return self.fits_whole(candidate.served(), request),
            method::ANY => {}
            method if !method::is(method, head.method) => return false,
            _ => {}
        }
        let candidates = &parts.candidates;
        candidates
            .conditions_of(number)
            .of(&candidates.conditions)
            .iter()
            .all(|condition| parts.holds(condition, request))
    }

    /// Puts the rule's own match to the request: for what a candidate has no room to say.
    fn fits_whole(&self, served: Served, request: &Request<'_, '_>) -> bool {
        let Some(slot) = self.rules.get(served.rule) else {
            return false;
        };
        let position = usize::from(served.position);
        match &slot.rule.matches {
            Matches::Http(matches) => matches
                .get(position)
                .is_some_and(|one| predicate::first_failure(one, request.head).is_none()),
            Matches::Grpc(matches) => matches
                .get(position)
                .is_some_and(|one| predicate::first_grpc_failure(one, request.head).is_none()),
            Matches::Connection => false,
        }
    }
}

impl Parts {
    fn holds(&self, condition: &Condition, request: &Request<'_, '_>) -> bool {
        let candidates = &self.candidates;
        let text = || self.texts.get(TextId::of(condition.value));
        let pattern = || candidates.patterns.get(condition.value as usize);
        let header = |name: u16| candidates.headers.get(usize::from(name));
        let parameter = |name: u16| {
            let name = candidates.parameters.get(usize::from(name))?;
            Parameter::of(request.head, name)
        };
        let head = request.head;
        match condition.subject {
            Subject::Header(name) => {
                header(name).is_some_and(|name| predicate::is_joined(name, text(), head))
            }
            Subject::HeaderPattern(name) => header(name)
                .zip(pattern())
                .is_some_and(|(name, pattern)| predicate::matches_joined(name, pattern, head)),
            Subject::Parameter(name) => parameter(name).is_some_and(|given| given.is(text())),
            Subject::ParameterPattern(name) => parameter(name)
                .zip(pattern())
                .is_some_and(|(given, pattern)| given.matches(pattern)),
        }
    }
}
