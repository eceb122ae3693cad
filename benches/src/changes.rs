//! Routes that change.

use std::sync::Arc;

use gatepost::pattern::{Pattern, PatternLimits};
use gatepost::rule::{Matches, PathMatch, Route, Rule};

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
                one.path = match &one.path {
                    PathMatch::Exact(path) => PathMatch::Exact(longer(path)),
                    // Rules that are told apart by fields stay on their path.
                    PathMatch::Prefix(path) if one.headers.is_empty() && one.query.is_empty() => {
                        PathMatch::Prefix(longer(path))
                    }
                    PathMatch::Prefix(path) => {
                        one.query.clear();
                        PathMatch::Prefix(path.clone())
                    }
                    PathMatch::Pattern(pattern) => PathMatch::Pattern(
                        Pattern::parse(
                            &format!("{}-{number}", pattern.as_str()),
                            &PatternLimits::default(),
                        )
                        .expect("as sound as before"),
                    ),
                };
                one.method = Some(http::Method::PUT);
            }
        }
        Matches::Grpc(matches) => matches.iter_mut().for_each(|one| one.method = None),
        Matches::Connection => {}
    }
    *first = Arc::new(rule);
    route
}
