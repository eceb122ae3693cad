//! Candidates: the matches of rules, in the order of precedence, with what is left to ask when their path fits.

use http::HeaderName;

use super::RouteTable;
use super::find::Request;
use super::index::{Index, Key, NONE};
use super::method;
use super::predicate::{self, Parameter};
use super::texts::TextId;
use crate::pattern::Pattern;
use crate::rule::Matches;
use crate::target::Query;

/// One match of one rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// The rule's slot.
    pub(super) rule: u32,
    /// Which entry of the rule's `matches`.
    pub(super) position: u16,
    /// The method's number in the upper four bits, the number of conditions in the others.
    pub(super) asks: u16,
}

/// Instead of a method: the whole match is put to the request, not the conditions.
pub(super) const WHOLE: u16 = 15;
const COUNT: u16 = 0x0fff;

impl Candidate {
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

    /// The number of the method that it asks for.
    pub(super) fn known_method(self) -> Option<u16> {
        Some(self.method()).filter(|&method| method != method::ANY && method != WHOLE)
    }

    /// How many conditions it puts besides.
    fn conditions(self) -> u32 {
        u32::from(self.asks & COUNT)
    }

    pub(super) fn forget_method(&mut self) {
        self.asks &= COUNT;
    }

    pub(super) fn forget_condition(&mut self) {
        self.asks -= 1;
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
    /// The method is this text; only the indexes of leaves ask so.
    Method,
}

impl Subject {
    /// Whether the value has to be a text.
    pub(super) fn is_exact(self) -> bool {
        matches!(
            self,
            Subject::Header(_) | Subject::Parameter(_) | Subject::Method
        )
    }
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
    /// Lists of candidates that are not neighbours.
    pub(super) listed: Vec<u32>,
    pub(super) lists: Vec<Range>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) leaf_indexes: Vec<LeafIndex>,
    pub(super) subjects: Vec<IndexedSubject>,
    /// Candidates by value, in the scope of a leaf's subject.
    pub(super) values: Index,
    /// Bytes of the longest value in `values`: longer ones need not be looked up.
    pub(super) longest_value: usize,
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

/// The candidates of one path of one host: neighbours, in the order of precedence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) candidates: Range,
    /// Its index, if it is worth one.
    pub(super) index: u32,
}

/// Candidates of a leaf by the value of one subject, so that a request looks at those only that ask for its own values.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafIndex {
    pub(super) subjects: Range,
    /// Those that ask for no exact value.
    pub(super) rest: Range,
}

/// A subject by whose value candidates of a leaf are filed.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexedSubject {
    pub(super) subject: Subject,
    pub(super) scope: u32,
}

/// What a path leads to, in 32 bits: one candidate, or a leaf of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer(u32);

const ALONE: u32 = 1 << 31;
const CONDITIONAL: u32 = 1 << 30;

impl Answer {
    pub(super) fn alone(number: u32, candidate: Candidate) -> Answer {
        let condition = if candidate.unconditional() {
            0
        } else {
            CONDITIONAL
        };
        Answer(ALONE | condition | number)
    }

    pub(super) fn leaf(number: u32) -> Answer {
        Answer(number)
    }

    pub(super) fn from_value(value: u32) -> Answer {
        Answer(value)
    }

    pub(super) fn value(self) -> u32 {
        self.0
    }
}

/// A list of candidates in 32 bits: one candidate, or the number of a list.
pub(super) fn list_value(candidates: &[u32], all: &mut Candidates) -> u32 {
    match candidates {
        &[alone] => ALONE | alone,
        several => {
            let list = all.list(several);
            all.lists.push(list);
            u32::try_from(all.lists.len() - 1).unwrap_or(NONE)
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

    pub(super) fn list(&mut self, candidates: &[u32]) -> Range {
        let first = u32::try_from(self.listed.len()).unwrap_or(NONE);
        self.listed.extend_from_slice(candidates);
        let count = u32::try_from(candidates.len()).unwrap_or(0);
        Range { first, count }
    }

    /// Gives back what growing has taken too much.
    pub(super) fn shrink(&mut self) {
        self.all.shrink_to_fit();
        self.conditions.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.listed.shrink_to_fit();
        self.lists.shrink_to_fit();
        self.leaves.shrink_to_fit();
        self.leaf_indexes.shrink_to_fit();
        self.subjects.shrink_to_fit();
    }

    /// Bytes that they hold, names and patterns not counted.
    pub(super) fn memory(&self) -> usize {
        self.all.capacity() * size_of::<Candidate>()
            + self.conditions.capacity() * size_of::<Condition>()
            + self.starts.capacity() * size_of::<u32>()
            + self.listed.capacity() * size_of::<u32>()
            + self.lists.capacity() * size_of::<Range>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.leaf_indexes.capacity() * size_of::<LeafIndex>()
            + self.subjects.capacity() * size_of::<IndexedSubject>()
            + self.values.memory()
    }
}

impl RouteTable {
    /// The first candidate of a path that a request fits.
    #[inline]
    pub(super) fn first_of(&self, answer: Answer, request: &mut Request<'_, '_>) -> Option<u32> {
        let Answer(bits) = answer;
        if bits & ALONE == 0 {
            return self.first_of_leaf(bits, request);
        }
        let number = bits & !(ALONE | CONDITIONAL);
        (bits & CONDITIONAL == 0 || self.fits(number, request)).then_some(number)
    }

    fn first_of_leaf(&self, number: u32, request: &mut Request<'_, '_>) -> Option<u32> {
        let leaf = self.candidates.leaves.get(number as usize)?;
        match self.candidates.leaf_indexes.get(leaf.index as usize) {
            Some(index) => self.first_of_index(index, request),
            None => {
                let Range { first, count } = leaf.candidates;
                (first..first + count).find(|&number| self.fits(number, request))
            }
        }
    }

    /// Looks up each subject's value once. What is filed lies in the order of precedence, and that is the order of the
    /// numbers, so each list is left at the best candidate found so far.
    fn first_of_index(&self, index: &LeafIndex, request: &mut Request<'_, '_>) -> Option<u32> {
        let mut best = NONE;
        for subject in index.subjects.of(&self.candidates.subjects) {
            if let Some(value) = self.filed(subject, request) {
                self.better(value, &mut best, request);
            }
        }
        for &number in index.rest.of(&self.candidates.listed) {
            if number >= best || self.fits(number, request) {
                best = best.min(number);
                break;
            }
        }
        (best != NONE).then_some(best)
    }

    /// What is filed under the request's own value of a subject.
    fn filed(&self, indexed: &IndexedSubject, request: &mut Request<'_, '_>) -> Option<u32> {
        let candidates = &self.candidates;
        let buffer = &mut request.scratch.value;
        buffer.clear();
        let value: &[u8] = match indexed.subject {
            Subject::Header(name) => {
                let name = candidates.headers.get(usize::from(name))?;
                let longest = candidates.longest_value;
                if !predicate::join(name, request.head, longest, buffer) {
                    return None;
                }
                buffer
            }
            Subject::Parameter(name) => {
                let name = candidates.parameters.get(usize::from(name))?;
                let query = request.head.target.query()?;
                let given = Query::new(query).first(name.as_bytes())?;
                if Query::is_literal(given) {
                    given
                } else {
                    buffer.extend(Query::decode(given).take(candidates.longest_value + 1));
                    buffer
                }
            }
            Subject::Method => request.head.method,
            Subject::HeaderPattern(_) | Subject::ParameterPattern(_) => return None,
        };
        let hash = self.hasher.text(value);
        let key = Key::new(&self.hasher, hash, indexed.scope, value);
        candidates.values.find(&key, &self.texts)
    }

    /// Lowers `best` to the first candidate of a list that the request fits, if that is lower.
    pub(super) fn better(&self, list: u32, best: &mut u32, request: &mut Request<'_, '_>) {
        let alone = [list & !ALONE];
        let numbers: &[u32] = if list & ALONE == 0 {
            let range = self.candidates.lists.get(list as usize);
            range.map_or(&[], |range| range.of(&self.candidates.listed))
        } else {
            &alone
        };
        for &number in numbers {
            if number >= *best {
                return;
            }
            if self.fits(number, request) {
                *best = number;
                return;
            }
        }
    }

    /// Whether a request whose path fits a candidate fits the rest of it.
    pub(super) fn fits(&self, number: u32, request: &mut Request<'_, '_>) -> bool {
        let Some(&candidate) = self.candidates.all.get(number as usize) else {
            return false;
        };
        let head = request.head;
        match candidate.method() {
            WHOLE => return self.fits_whole(candidate, request),
            method::ANY => {}
            method if !method::is(method, head.method) => return false,
            _ => {}
        }
        self.candidates
            .conditions_of(number)
            .of(&self.candidates.conditions)
            .iter()
            .all(|condition| self.holds(condition, request))
    }

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
            Subject::Method => false,
        }
    }

    /// Puts the rule's own match to the request: for what a candidate has no room to say.
    fn fits_whole(&self, candidate: Candidate, request: &Request<'_, '_>) -> bool {
        let Some(slot) = self.rules.get(candidate.rule as usize) else {
            return false;
        };
        let position = usize::from(candidate.position);
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
