//! Very many matches in one place: what would take the square of their number would not end.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{find, gateway_listener, prefix, rule_of};
use crate::hostname::Hostname;
use crate::key::{Kind, ObjectKey};
use crate::pattern::{Pattern, PatternLimits};
use crate::rule::{
    HeaderMatch, Listener, Matches, PathMatch, Protocol, Rare, RequestConditions, RequestMatch,
    Route, ValueMatch,
};
use crate::table::{RouteTable, TableInput, TableSettings};

fn input(routes: Vec<Arc<Route>>) -> TableInput {
    let listener: Arc<Listener> = gateway_listener("http", None, Protocol::Http, routes);
    TableInput {
        listeners: vec![listener],
        settings: TableSettings::default(),
    }
}

fn route(number: usize, one: RequestMatch) -> Arc<Route> {
    Arc::new(Route {
        key: ObjectKey::new(Kind::HttpRoute, "n", format!("r{number:06}")).into(),
        created: None,
        hostnames: Vec::new(),
        rules: vec![Arc::new(rule_of(0, Matches::Http([one].into())))],
    })
}

fn one(path: PathMatch, fields: &[(&'static str, ValueMatch)]) -> RequestMatch {
    let field = |(name, value): &(&'static str, ValueMatch)| HeaderMatch {
        name: HeaderName::from_static(name),
        value: value.clone(),
    };
    RequestMatch {
        index: 0,
        path,
        conditions: Rare::from(RequestConditions {
            headers: fields.iter().map(field).collect(),
            ..RequestConditions::default()
        }),
    }
}

fn exact(text: &str) -> ValueMatch {
    ValueMatch::Exact(text.as_bytes().into())
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, &PatternLimits::default()).expect(text)
}

/// Half of the matches of one place become others at once, then some one by one, then nearly all go.
#[test]
fn one_place_may_hold_very_many_matches() {
    const COUNT: usize = 20_000;
    let (any, digits) = (pattern(".*"), pattern("/a/[0-9]+"));
    let under = |path: &str, value: ValueMatch| one(prefix(path), &[("x-a", value)]);
    let kinds: [(&str, &dyn Fn(usize) -> RequestMatch); 4] = [
        ("one value", &|_| under("/a", exact("1"))),
        ("a value each", &|number| {
            under("/a", exact(&number.to_string()))
        }),
        ("no value", &|_| {
            under("/a", ValueMatch::Pattern(any.clone()))
        }),
        ("one expression", &|_| {
            one(PathMatch::Pattern(digits.clone()), &[])
        }),
    ];
    for (name, kind) in kinds {
        let mut routes: Vec<Arc<Route>> = (0..COUNT)
            .map(|number| route(number, kind(number)))
            .collect();
        let check = |table: &RouteTable, routes: &[Arc<Route>]| {
            let fresh = RouteTable::build(&input(routes.to_vec()));
            for value in ["1", "2", "19999", "20000", "none"] {
                let mut headers = HeaderMap::new();
                headers.insert("x-a", HeaderValue::from_static(value));
                let answer = |table: &RouteTable| find(table, "a.test", "/a/1", None, &headers);
                assert_eq!(answer(table), answer(&fresh), "{name} {value}");
            }
        };
        let mut table = RouteTable::build(&input(routes.clone()));
        for number in (0..COUNT).step_by(2) {
            routes[number] = route(number, kind(number + 1));
        }
        table = table.update(&input(routes.clone()));
        check(&table, &routes);
        for number in 1..20 {
            routes[number] = route(number, kind(number + COUNT));
            table = table.update(&input(routes.clone()));
        }
        check(&table, &routes);
        routes.truncate(5);
        table = table.update(&input(routes.clone()));
        check(&table, &routes);
        let (left, fresh) = (table.memory(), RouteTable::build(&input(routes)).memory());
        let small = |left: usize, fresh: usize| left <= 2 * fresh + 1_000;
        assert!(small(left.paths, fresh.paths), "{name}: {left:?} {fresh:?}");
        assert!(
            small(left.candidates, fresh.candidates),
            "{name}: {left:?} {fresh:?}"
        );
    }
}

/// A table that was large has the directory of a small one.
#[test]
fn shards_that_shrink_are_joined() {
    let hosted = |number: usize| {
        let mut route = Route::clone(&route(number, one(prefix("/a"), &[])));
        let name = Hostname::parse(&format!("h{number}.test")).expect("a name");
        route.hostnames.push(name);
        Arc::new(route)
    };
    let routes: Vec<Arc<Route>> = (0..2_000).map(hosted).collect();
    let table = RouteTable::build(&input(routes.clone()));
    let few = RouteTable::build(&input(routes[..10].to_vec()));
    // At once, and by and by.
    let at_once = table.update(&input(routes[..10].to_vec()));
    let mut left = routes.clone();
    let mut by_and_by = table.clone();
    while left.len() > 10 {
        left.truncate(left.len().saturating_sub(37).max(10));
        by_and_by = by_and_by.update(&input(left.clone()));
    }
    for shrunk in [at_once, by_and_by] {
        let (now, before) = (shrunk.memory().paths, table.memory().paths);
        assert!(8 * now <= before, "{now} bytes of {before}");
        for number in [0, 9, 10, 1_999] {
            let host = format!("h{number}.test");
            let answer = |table| find(table, &host, "/a/b", None, &HeaderMap::new());
            assert_eq!(answer(&shrunk), answer(&few), "{host}");
        }
    }
}
