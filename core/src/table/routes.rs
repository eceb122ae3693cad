//! Which routes a table holds, and the numbers of their rules.

use std::cmp::Ordering;
use std::sync::Arc;

use super::pages::Numbers;
use super::rules::{RuleSlot, Rules};
use crate::rule::ordered::{Ordered, Place};
use crate::rule::{Route, Rule};

/// A route that hangs on listeners.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) route: Arc<Route>,
    /// On how many.
    listeners: u32,
    /// The numbers of its rules.
    pub(super) rules: RuleNumbers,
}

/// The numbers of a route's rules, in their order.
#[derive(Clone, Debug)]
pub(super) enum RuleNumbers {
    /// Neighbours, from this one on.
    From(u32),
    /// Any.
    Each(Box<[u32]>),
}

impl RuleNumbers {
    fn of(numbers: &[u32]) -> RuleNumbers {
        let first = numbers.first().copied().unwrap_or(0);
        if numbers.iter().copied().eq((first..).take(numbers.len())) {
            RuleNumbers::From(first)
        } else {
            RuleNumbers::Each(numbers.into())
        }
    }

    /// The number of the rule at a place.
    pub(super) fn get(&self, at: usize) -> Option<u32> {
        match self {
            RuleNumbers::From(first) => first.checked_add(u32::try_from(at).ok()?),
            RuleNumbers::Each(all) => all.get(at).copied(),
        }
    }
}

/// A route that is attached to a listener (`1`) or detached (`-1`).
pub(super) struct Move<'x> {
    pub(super) route: &'x Arc<Route>,
    pub(super) by: i32,
    /// What it belongs to, for the caller.
    pub(super) at: usize,
}

/// Routes are told apart by their address: two that have one key may differ.
impl Place for Attached {
    fn place(&self, other: &Self) -> Ordering {
        place(&self.route, &other.route)
    }
}

fn place(one: &Arc<Route>, two: &Arc<Route>) -> Ordering {
    let address = |route: &Arc<Route>| Arc::as_ptr(route).addr();
    one.key
        .cmp(&two.key)
        .then_with(|| address(one).cmp(&address(two)))
}

/// The routes of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct AllRoutes(Ordered<Attached>);

impl AllRoutes {
    pub(super) fn get(&self, route: &Arc<Route>) -> Option<&Attached> {
        self.0.get(|attached| place(&attached.route, route))
    }

    pub(super) fn memory(&self) -> usize {
        self.0.len() * size_of::<Attached>()
    }

    /// Attaches routes to listeners and detaches others, and numbers the rules of those that are new. Gives the numbers of
    /// what was attached, by [`Move::at`].
    ///
    /// A rule that is equal to one of a route that goes and had the same key takes over its number. What belongs together has
    /// one key; if it comes in the order of keys, each once, no key is looked at.
    pub(super) fn attach(
        &mut self,
        mut moves: Vec<Move<'_>>,
        in_order: bool,
        rules: &mut Rules,
        numbers: &mut Numbers,
    ) -> Vec<Option<RuleNumbers>> {
        let mut given = vec![None; moves.iter().map(|one| one.at + 1).max().unwrap_or(0)];
        if !in_order {
            moves.sort_by(|one, two| place(one.route, two.route));
        }
        let fresh = self.0.len() == 0;
        let mut new = Vec::with_capacity(if fresh { moves.len() } else { 0 });
        let mut pool: Vec<(Arc<Rule>, u32)> = Vec::new();
        let mut born: Vec<(&[Move<'_>], &Arc<Route>, u32)> = Vec::new();
        let mut own = Vec::new();
        let mut tell = |same: &[Move<'_>], numbers: &RuleNumbers| {
            for put in same.iter().filter(|one| one.by > 0) {
                if let Some(place) = given.get_mut(put.at) {
                    *place = Some(numbers.clone());
                }
            }
        };
        let same_key = |one: &Move<'_>, two: &Move<'_>| {
            one.at == two.at || !in_order && one.route.key == two.route.key
        };
        for same_key in moves.chunk_by(same_key) {
            for same in same_key.chunk_by(|one, two| Arc::ptr_eq(one.route, two.route)) {
                let Some(Move { route, .. }) = same.first() else {
                    continue;
                };
                let change: i32 = same.iter().map(|one| one.by).sum();
                let known = self.get(route).cloned();
                let before = known.as_ref().map_or(0, |known| known.listeners);
                let after = before.saturating_add_signed(change);
                match (known, after) {
                    (None, 0) => {}
                    (None, after) => born.push((same, *route, after)),
                    (Some(known), 0) => {
                        self.0.remove(|attached| place(&attached.route, route));
                        let rules = route.rules.iter().enumerate();
                        pool.extend(
                            rules.filter_map(|(at, rule)| {
                                Some((rule.clone(), known.rules.get(at)?))
                            }),
                        );
                    }
                    (Some(known), after) => {
                        tell(same, &known.rules);
                        self.0.insert(Attached {
                            listeners: after,
                            ..known
                        });
                    }
                }
            }
            for (same, route, listeners) in born.drain(..) {
                own.clear();
                for rule in &route.rules {
                    let same = pool.iter().position(|(known, _)| same_rule(known, rule));
                    let number = match same {
                        Some(at) => pool.swap_remove(at).1,
                        None => numbers.take(),
                    };
                    let (route, rule) = (Arc::clone(route), rule.clone());
                    rules.set(number, Some(RuleSlot { route, rule }));
                    own.push(number);
                }
                let attached = Attached {
                    route: Arc::clone(route),
                    listeners,
                    rules: RuleNumbers::of(&own),
                };
                tell(same, &attached.rules);
                if fresh {
                    new.push(attached);
                } else {
                    self.0.insert(attached);
                }
            }
            for (_, number) in pool.drain(..) {
                rules.set(number, None);
                numbers.give_back(number);
            }
        }
        if fresh {
            self.0 = Ordered::ascending(new);
        }
        given
    }
}

fn same_rule(one: &Arc<Rule>, two: &Arc<Rule>) -> bool {
    Arc::ptr_eq(one, two) || (one.index == two.index && one == two)
}
