//! The automata of expressions over paths that a table has, each once.

use std::cmp::Ordering;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use crate::pattern::Automaton;
use crate::rule::ordered::{Ordered, Place};

/// Bytes that all automata over paths of a table may have together. Expressions beyond run one by one, each in the
/// automaton that it was admitted with.
const TOTAL: usize = 64 << 20;

/// Bytes that the common automaton of so many expressions may have, so that a few hostile expressions neither blow up
/// their neighbours' automaton nor the time it takes to build it.
fn budget(expressions: usize) -> usize {
    (16 + 2 * expressions) << 10
}

/// The automata of a table, so that equal ones are built once.
#[derive(Clone, Debug, Default)]
pub(super) struct Automata {
    known: Ordered<Known>,
    /// Bytes of all of them.
    bytes: usize,
    /// How many there were, and their bytes, when those that nobody uses were last dropped.
    kept: usize,
    kept_bytes: usize,
}

#[derive(Clone, Debug)]
struct Known {
    /// The expressions in words.
    text: Arc<str>,
    /// The expressions: what reads the same need not be the same.
    expressions: Arc<[Hir]>,
    automaton: Arc<Automaton>,
}

impl Place for Known {
    fn place(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Automata {
    /// The common automaton of some remainders; `None` if it would be too large.
    pub(super) fn of(&mut self, expressions: &[Hir]) -> Option<Arc<Automaton>> {
        let words: Vec<String> = expressions.iter().map(Hir::to_string).collect();
        let text = words.join("\n");
        let known = self.known.get(|known| (*known.text).cmp(text.as_str()));
        if let Some(known) = known {
            // Others that read the same do not fit: one by itself has its own, several are tried by halves.
            return (*known.expressions == *expressions).then(|| known.automaton.clone());
        }
        let limit = budget(expressions.len()).min(TOTAL.saturating_sub(self.bytes));
        let automaton = Arc::new(Automaton::build(expressions, limit).ok()?);
        self.bytes += automaton.memory();
        self.known.insert(Known {
            text: text.into(),
            expressions: expressions.into(),
            automaton: automaton.clone(),
        });
        Some(automaton)
    }

    /// Drops what nobody uses any more, when there are twice as many or half of the room that was left is taken: what is
    /// used up by automata that are gone would keep new ones out.
    pub(super) fn sweep(&mut self) {
        let few = self.known.len() < 64 + 2 * self.kept;
        if few && self.bytes < (TOTAL + self.kept_bytes) / 2 {
            return;
        }
        let used = |known: &&Known| Arc::strong_count(&known.automaton) > 1;
        self.known = Ordered::of(self.known.iter().filter(used).cloned().collect());
        self.bytes = self
            .known
            .iter()
            .map(|known| known.automaton.memory())
            .sum();
        self.kept = self.known.len();
        self.kept_bytes = self.bytes;
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.known.len() * size_of::<Known>()
    }
}
