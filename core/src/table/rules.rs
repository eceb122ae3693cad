//! The rules of a table by number, and their order.

use std::cmp::Ordering;
use std::sync::Arc;

use super::candidate::Served;
use super::pages::Pages;
use crate::pattern::Pattern;
use crate::rule::precedence::{grpc_rank, http_rank, route_order};
use crate::rule::{Matches, PathMatch, RequestMatch, Route, Rule};

/// A rule with the route that it belongs to.
#[derive(Clone, Debug)]
pub(super) struct RuleSlot {
    pub(super) route: Arc<Route>,
    pub(super) rule: Arc<Rule>,
}

/// Rules by number; some numbers are free.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(Pages<Option<RuleSlot>>);

impl Rules {
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&RuleSlot> {
        self.0.get(number)?.as_ref()
    }

    pub(super) fn set(&mut self, number: u32, slot: Option<RuleSlot>) {
        if let Some(place) = self.0.get_mut(number) {
            *place = slot;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RuleSlot> {
        self.0.iter().flatten()
    }

    /// The numbers whose rules are not the same `Arc` in both.
    pub(super) fn differing<'r>(&'r self, other: &'r Rules) -> impl Iterator<Item = u32> + 'r {
        let rule = |rules: &'r Rules, number| rules.get(number).map(|slot| Arc::as_ptr(&slot.rule));
        self.0
            .differing(&other.0)
            .flatten()
            .filter(move |&number| rule(self, number) != rule(other, number))
    }

    pub(super) fn memory(&self) -> usize {
        self.0.memory()
    }

    fn http(&self, served: Served) -> Option<&RequestMatch> {
        match &self.get(served.rule)?.rule.matches {
            Matches::Http(matches) => matches.get(usize::from(served.position)),
            Matches::Grpc(_) | Matches::Connection => None,
        }
    }

    /// The expression over the path that a match asks for.
    pub(super) fn pattern(&self, served: Served) -> Option<&Pattern> {
        match &self.http(served)?.path {
            PathMatch::Pattern(pattern) => Some(pattern),
            PathMatch::Exact(_) | PathMatch::Prefix(_) => None,
        }
    }

    /// Which of the matches that compete comes first, before the routes' own order: the lesser.
    pub(super) fn rank(&self, served: Served) -> u64 {
        let position = usize::from(served.position);
        let slot = self.get(served.rule);
        let rank = slot.and_then(|slot| match &slot.rule.matches {
            Matches::Http(matches) => matches.get(position).map(http_rank),
            Matches::Grpc(matches) => matches.get(position).map(grpc_rank),
            Matches::Connection => None,
        });
        rank.unwrap_or(0)
    }

    /// The order of matches that compete: those of one path, of one host's expressions, of one host's GRPCRoutes.
    pub(super) fn order(&self, one: Served, two: Served) -> Ordering {
        let ranks = self.rank(one).cmp(&self.rank(two));
        ranks
            .then_with(|| match (self.get(one.rule), self.get(two.rule)) {
                (Some(a), Some(b)) => {
                    let same = Arc::ptr_eq(&a.route, &b.route);
                    let routes = if same {
                        Ordering::Equal
                    } else {
                        route_order(&a.route, &b.route)
                    };
                    routes.then(a.rule.index.cmp(&b.rule.index))
                }
                _ => Ordering::Equal,
            })
            .then(one.rule.cmp(&two.rule))
            .then(one.position.cmp(&two.position))
    }
}
