//! Automata over one or many expressions: dense tables, built once, that need no memory of a thread's own to run.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, Look};

/// A deterministic automaton over many expressions, each of which has to match up to the end of a value.
///
/// A run takes one table look-up for each byte, however many expressions there are, and finds all that match.
#[derive(Clone, Debug)]
pub(crate) struct Automaton(dense::DFA<Vec<u32>>);

/// Why an automaton was not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotBuilt {
    /// It would need more than this many bytes.
    TooLarge(usize),
    /// Something that no automaton can do, in words.
    Unsupported(String),
}

impl Automaton {
    /// Builds the automaton of some expressions, if it stays within `limit` bytes.
    ///
    /// Time and memory of building are bounded by the limit, too.
    pub(crate) fn build<'h>(
        expressions: impl IntoIterator<Item = &'h Hir>,
        limit: usize,
    ) -> Result<Automaton, NotBuilt> {
        let whole: Vec<Hir> = expressions
            .into_iter()
            .map(|expression| Hir::concat(vec![expression.clone(), Hir::look(Look::End)]))
            .collect();
        let config = Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(limit));
        let nfa = Compiler::new()
            .configure(config)
            .build_many_from_hir(&whole)
            .map_err(|error| match error.size_limit() {
                Some(_) => NotBuilt::TooLarge(limit),
                None => NotBuilt::Unsupported(error.to_string()),
            })?;
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(limit))
            .determinize_size_limit(Some(limit.saturating_mul(2)));
        dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map(Automaton)
            .map_err(|error| {
                if error.is_size_limit_exceeded() {
                    NotBuilt::TooLarge(limit)
                } else {
                    NotBuilt::Unsupported(error.to_string())
                }
            })
    }

    /// Calls `visit` with the number of each expression that matches all of `value` from `start` on.
    pub(crate) fn matching(&self, value: &[u8], start: usize, mut visit: impl FnMut(usize)) {
        let mut run = self.start(value, start);
        run.feed(value.get(start..).unwrap_or_default());
        let Some(state) = run.end() else { return };
        for number in 0..self.0.match_len(state) {
            visit(self.0.match_pattern(state, number).as_usize());
        }
    }

    /// Whether any expression matches all of `value`.
    pub(crate) fn is_match(&self, value: &[u8]) -> bool {
        let mut run = self.start(value, 0);
        run.feed(value);
        run.matched()
    }

    /// Starts a run at a place of a value, which `^` and `\b` look back from.
    pub(crate) fn start(&self, value: &[u8], at: usize) -> Run<'_> {
        let state = (at <= value.len()).then(|| {
            let input = Input::new(value).range(at..).anchored(Anchored::Yes);
            // INVARIANT: no byte makes the search give up, so there is always a start state.
            self.0.start_state_forward(&input).ok()
        });
        Run {
            automaton: &self.0,
            state: state.flatten(),
        }
    }

    /// Bytes that it holds.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.0.memory_usage()
    }
}

/// A run of an automaton over a value that comes in pieces.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    automaton: &'a dense::DFA<Vec<u32>>,
    /// `None` once nothing can match any more.
    state: Option<StateID>,
}

impl Run<'_> {
    /// Goes on by some bytes.
    #[inline]
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let Some(mut state) = self.state else { return };
        for &byte in bytes {
            state = self.automaton.next_state(state, byte);
            // Expressions match at the end only, so the only state worth a look on the way is the dead one.
            if self.automaton.is_special_state(state) {
                self.state = None;
                return;
            }
        }
        self.state = Some(state);
    }

    /// Goes on by a byte.
    pub(crate) fn step(&mut self, byte: u8) {
        self.feed(&[byte]);
    }

    /// Whether all that was fed matches.
    pub(crate) fn matched(&self) -> bool {
        self.end().is_some()
    }

    /// The state at the end of the value, if some expression matches there.
    fn end(&self) -> Option<StateID> {
        let state = self.automaton.next_eoi_state(self.state?);
        self.automaton.is_match_state(state).then_some(state)
    }
}
