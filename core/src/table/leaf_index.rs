//! Filing the candidates of a crowded leaf by the values that they ask for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::candidate::{
    Candidate, Candidates, IndexedSubject, LeafIndex, Range, Subject, list_value,
};
use super::hash::Hasher;
use super::index::{IndexBuilder, Key, NONE};
use super::method;
use super::texts::{Interner, TextId};

/// Leaves of so many candidates or fewer are walked: that is cheaper than looking values up.
const WALKED: u32 = 8;

/// Makes the index of a leaf; its number, or [`NONE`] if it is better walked.
///
/// Each candidate is filed under the rarest of the values that it asks for; that one it need not ask for again.
pub(super) fn build(
    leaf: Range,
    all: &mut Candidates,
    values: &mut IndexBuilder,
    interner: &mut Interner,
    hasher: &Hasher,
) -> u32 {
    if leaf.count <= WALKED {
        return NONE;
    }
    let asked = Asked::of(leaf, all);
    let mut filed: BTreeMap<Subject, Vec<(u32, u32)>> = BTreeMap::new();
    let mut rest = Vec::new();
    for number in leaf.first..leaf.first + leaf.count {
        match asked.rarest(number, all) {
            Some((subject, value)) => {
                all.forget(number, subject, value);
                filed.entry(subject).or_default().push((value, number));
            }
            None => rest.push(number),
        }
    }
    if filed.is_empty() {
        return NONE;
    }
    let first = small(all.subjects.len());
    for (subject, mut numbers) in filed {
        let scope = small(all.subjects.len());
        all.subjects.push(IndexedSubject { subject, scope });
        numbers.sort_unstable();
        for same in numbers.chunk_by(|one, two| one.0 == two.0) {
            let list: Vec<u32> = same.iter().map(|(_, number)| *number).collect();
            let Some((value, _)) = same.first() else {
                continue;
            };
            let list = list_value(&list, all);
            let id = value_text(subject, *value, interner, hasher);
            let text: Box<[u8]> = interner.texts().get(id).into();
            all.longest_value = all.longest_value.max(text.len());
            let key = Key::new(hasher, hasher.text(&text), scope, &text);
            values.insert(&key, id, list);
        }
    }
    let subjects = Range {
        first,
        count: small(all.subjects.len()) - first,
    };
    let rest = all.list(&rest);
    all.leaf_indexes.push(LeafIndex { subjects, rest });
    small(all.leaf_indexes.len() - 1)
}

/// The text of a value: methods are known by number.
fn value_text(subject: Subject, value: u32, interner: &mut Interner, hasher: &Hasher) -> TextId {
    match subject {
        Subject::Method => {
            let name = method::name(value);
            interner.intern(hasher, name, hasher.text(name))
        }
        _ => TextId::of(value),
    }
}

/// How often the exact values and the subjects of a leaf are asked for.
struct Asked {
    values: Vec<((Subject, u32), usize)>,
    subjects: BTreeMap<Subject, usize>,
}

impl Asked {
    fn of(leaf: Range, all: &Candidates) -> Asked {
        let mut asked: Vec<(Subject, u32)> = (leaf.first..leaf.first + leaf.count)
            .flat_map(|number| all.exact(number))
            .collect();
        asked.sort_unstable();
        let mut subjects = BTreeMap::new();
        for (subject, _) in &asked {
            *subjects.entry(*subject).or_default() += 1;
        }
        let values = asked
            .chunk_by(|one, two| one == two)
            .filter_map(|same| Some((*same.first()?, same.len())));
        Asked {
            values: values.collect(),
            subjects,
        }
    }

    /// The exact value of a candidate that the fewest others ask for; among those, of the subject that the most ask for.
    fn rarest(&self, number: u32, all: &Candidates) -> Option<(Subject, u32)> {
        all.exact(number).min_by_key(|value| {
            let at = self.values.binary_search_by(|known| known.0.cmp(value));
            let count = at
                .ok()
                .and_then(|at| self.values.get(at))
                .map_or(0, |v| v.1);
            let common = self.subjects.get(&value.0).copied().unwrap_or(0);
            (count, Reverse(common), value.0)
        })
    }
}

impl Candidates {
    /// The exact values that a candidate asks for.
    fn exact(&self, number: u32) -> impl Iterator<Item = (Subject, u32)> + '_ {
        let candidate = self.all.get(number as usize).copied();
        let method = candidate
            .and_then(Candidate::known_method)
            .map(|method| (Subject::Method, u32::from(method)));
        let exact = self
            .conditions_of(number)
            .of(&self.conditions)
            .iter()
            .filter(|condition| condition.subject.is_exact())
            .map(|condition| (condition.subject, condition.value));
        method.into_iter().chain(exact)
    }

    /// Takes a value away from what a candidate asks for.
    fn forget(&mut self, number: u32, subject: Subject, value: u32) {
        let Range { first, count } = self.conditions_of(number);
        let Some(candidate) = self.all.get_mut(number as usize) else {
            return;
        };
        if subject == Subject::Method {
            candidate.forget_method();
            return;
        }
        let range = first as usize..(first + count) as usize;
        let Some(conditions) = self.conditions.get_mut(range) else {
            return;
        };
        let at = conditions
            .iter()
            .position(|condition| condition.subject == subject && condition.value == value);
        if let Some(at) = at {
            conditions.swap(at, conditions.len() - 1);
            candidate.forget_condition();
        }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}
