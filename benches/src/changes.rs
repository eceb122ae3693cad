//! Routes that change.

use std::sync::Arc;

use gatepost::pattern::{Pattern, PatternLimits};
use gatepost::rule::{Matches, PathMatch, RequestConditions, Route, Rule};

/// A route whose first rule matches something else: what it matched, under a path of its own.
pub fn changed(route: &Route, number: usize) -> Route {
    let mut route = route.clone();
    let Some(first) = route.rules.first_mut() else {
        return route;
    };
    let mut rule = Rule::clone(first);
    match &mut rule.matches {
        Matches::Http(matches) => {
            for one in matches {
                let longer =
                    |path: &[u8]| [path, format!("/new-{number}").as_bytes()].concat().into();
                let mut conditions = RequestConditions::clone(&one.conditions);
                let by_path = conditions.headers.is_empty() && conditions.query.is_empty();
                conditions.method = Some(http::Method::PUT);
                conditions.query.clear();
                one.conditions = conditions.into();
                one.path = match &one.path {
                    PathMatch::Exact(path) => PathMatch::Exact(longer(path)),
                    // Rules that are told apart by fields stay on their path.
                    PathMatch::Prefix(path) if by_path => PathMatch::Prefix(longer(path)),
                    PathMatch::Prefix(path) => PathMatch::Prefix(path.clone()),
                    PathMatch::Pattern(pattern) => PathMatch::Pattern(
                        Pattern::parse(
                            &format!("{}-{number}", pattern.as_str()),
                            &PatternLimits::default(),
                        )
                        .expect("as sound as before"),
                    ),
                };
            }
        }
        Matches::Grpc(matches) => matches.iter_mut().for_each(|one| one.method = None),
        Matches::Connection => {}
    }
    *first = Arc::new(rule);
    route
}
