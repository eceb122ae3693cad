//! The table answers as its plain reading does, whatever the routes and requests.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::select;

use super::{gateway_listener, plain, rule_of};
use crate::hostname::Hostname;
use crate::key::{Kind, ObjectKey};
use crate::pattern::{Pattern, PatternLimits};
use crate::rule::{
    GrpcMatch, HeaderMatch, Listener, Matches, PathMatch, Protocol, QueryMatch, Rare,
    RequestConditions, RequestMatch, Route, ValueMatch,
};
use crate::table::{Head, MatchId, NoMatch, RouteTable, TableInput, TableSettings};
use crate::target::{PathPolicy, Raw, Target};
use crate::timestamp::Timestamp;

const NAMES: [&str; 7] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "*.a.test",
    "*.b.a.test",
    "*.test",
    "d.test",
];
const HOSTS: [&str; 7] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "d.c.b.a.test",
    "d.test",
    "test",
    "e.example",
];
const PATHS: [&str; 14] = [
    "",
    "/a",
    "/b",
    "/a/b",
    "/a/a",
    "/b/a/b",
    "/a/b/a/b",
    "/a/b/c",
    "/c",
    "/a/",
    "/Svc/Do",
    "/Svc/Get",
    "/Other/Do",
    "/a/b/a/b/c/d/e/f",
];
const PATTERNS: [&str; 12] = [
    "/a/.*",
    "/a/[a-c]",
    "/.*",
    "/[a-z]/b",
    "/a/b/(a|b)",
    "^/a/b$",
    "/b.*",
    "(/a|/b)/.*",
    "/a/b.*/b",
    ".*",
    r"/\w+/b",
    "/a/b/a/.*",
];
const VALUES: [&str; 4] = ["1", "2", "3", "long value 12345"];

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, &PatternLimits::default()).expect(text)
}

fn value() -> impl Strategy<Value = ValueMatch> {
    prop_oneof![
        6 => select(&VALUES[..]).prop_map(|text| ValueMatch::Exact(text.as_bytes().into())),
        1 => select(&["[12]", ".*", "1,2"][..]).prop_map(|text| ValueMatch::Pattern(pattern(text))),
    ]
}

fn headers() -> impl Strategy<Value = Vec<HeaderMatch>> {
    let names = prop::sample::subsequence(&["x-a", "x-b", "cookie"][..], 0..=2);
    (names, value(), value()).prop_map(|(names, one, two)| {
        names
            .into_iter()
            .zip([one, two])
            .map(|(name, value)| HeaderMatch {
                name: HeaderName::from_static(name),
                value,
            })
            .collect()
    })
}

fn query() -> impl Strategy<Value = Vec<QueryMatch>> {
    let names = prop::sample::subsequence(&["q", "r s"][..], 0..=2);
    (names, value(), value()).prop_map(|(names, one, two)| {
        names
            .into_iter()
            .zip([one, two])
            .map(|(name, value)| QueryMatch {
                name: name.into(),
                value,
            })
            .collect()
    })
}

fn path() -> impl Strategy<Value = PathMatch> {
    prop_oneof![
        4 => select(&PATHS[..]).prop_map(|path| PathMatch::Prefix(path.trim_end_matches('/').as_bytes().into())),
        2 => select(&PATHS[1..]).prop_map(|path| PathMatch::Exact(path.as_bytes().into())),
        2 => select(&PATTERNS[..]).prop_map(|text| PathMatch::Pattern(pattern(text))),
    ]
}

fn method() -> impl Strategy<Value = Option<Method>> {
    prop_oneof![
        6 => Just(None),
        2 => select(&[Method::GET, Method::POST, Method::PUT][..]).prop_map(Some),
        1 => Just(Some(Method::from_bytes(b"PURGE").expect("a token"))),
    ]
}

/// In some tables nearly all rules are on one path of one host, so that leaves become crowded.
fn http_matches(crowded: bool) -> impl Strategy<Value = Matches> {
    let one_path = Just(PathMatch::Prefix(b"/a"[..].into()));
    let path = prop_oneof![1 => path(), if crowded { 9 } else { 1 } => one_path];
    let one = (path, method(), headers(), query()).prop_map(|(path, method, headers, query)| {
        RequestMatch {
            index: 0,
            path,
            conditions: Rare::from(RequestConditions {
                method,
                headers,
                query,
            }),
        }
    });
    prop::collection::vec(one, 1..4).prop_map(|mut matches| {
        for (index, one) in (0..).zip(&mut matches) {
            one.index = index;
        }
        Matches::Http(matches.into())
    })
}

fn grpc_name() -> impl Strategy<Value = Option<ValueMatch>> {
    prop_oneof![
        2 => Just(None),
        3 => select(&["Svc", "Other", "Do", "Get"][..]).prop_map(|text| Some(ValueMatch::Exact(text.as_bytes().into()))),
        1 => select(&["S.*", "Do|Get", ".*"][..]).prop_map(|text| Some(ValueMatch::Pattern(pattern(text)))),
    ]
}

fn grpc_matches() -> impl Strategy<Value = Matches> {
    let one =
        (grpc_name(), grpc_name(), headers()).prop_map(|(service, method, headers)| GrpcMatch {
            index: 0,
            service,
            method,
            headers,
        });
    prop::collection::vec(one, 1..3).prop_map(|mut matches| {
        for (index, one) in (0..).zip(&mut matches) {
            one.index = index;
        }
        Matches::Grpc(matches.into())
    })
}

pub(super) fn route(crowded: bool) -> impl Strategy<Value = Route> {
    let hostnames = prop::sample::subsequence(&NAMES[..], 0..=if crowded { 0 } else { 2 });
    let matches = prop_oneof![
        5 => prop::collection::vec(http_matches(crowded), 1..4).prop_map(|rules| (Kind::HttpRoute, rules)),
        1 => prop::collection::vec(grpc_matches(), 1..4).prop_map(|rules| (Kind::GrpcRoute, rules)),
    ];
    (hostnames, matches, prop::option::of(0_i64..3)).prop_map(|(hostnames, (kind, rules), age)| {
        Route {
            key: ObjectKey::new(kind, "n", "").into(),
            created: age.map(Timestamp::from_unix_seconds),
            hostnames: hostnames
                .into_iter()
                .map(|name| Hostname::parse(name).expect(name))
                .collect(),
            rules: (0..)
                .zip(rules)
                .map(|(index, matches)| Arc::new(rule_of(index, matches)))
                .collect(),
        }
    })
}

fn listeners() -> impl Strategy<Value = Vec<Arc<Listener>>> {
    let routes = any::<bool>()
        .prop_flat_map(|crowded| prop::collection::vec((route(crowded), any::<u8>()), 1..12));
    let names = prop::sample::subsequence(
        vec![
            None,
            Some("*.test"),
            Some("a.test"),
            Some("*.a.test"),
            Some("b.a.test"),
        ],
        1..=4,
    );
    (routes, names, any::<bool>()).prop_map(|(routes, names, secure)| {
        let protocol = if secure {
            Protocol::Https
        } else {
            Protocol::Http
        };
        let numbered: Vec<(Arc<Route>, u8)> = routes
            .into_iter()
            .enumerate()
            .map(|(number, (mut route, on))| {
                Arc::make_mut(&mut route.key).name = format!("r{number}");
                (Arc::new(route), on)
            })
            .collect();
        let listener = |(number, name): (usize, Option<&str>)| {
            let mine = numbered.iter().filter(|(_, on)| on >> number & 1 == 0);
            let routes = mine.map(|(route, _)| route.clone()).collect();
            gateway_listener(&format!("l{number}"), name, protocol, routes)
        };
        names.into_iter().enumerate().map(listener).collect()
    })
}

#[derive(Debug)]
pub(super) struct Sent {
    host: Option<&'static str>,
    sni: Option<&'static str>,
    method: &'static str,
    target: String,
    headers: HeaderMap,
}

pub(super) fn sent() -> impl Strategy<Value = Sent> {
    let target = (
        select(&PATHS[..]),
        select(&["", "/", "/b", "/x/y"][..]),
        select(
            &[
                "",
                "?q=1",
                "?q=2&r+s=1",
                "?r%20s=long+value%2012345&q=3",
                "?q",
            ][..],
        ),
    );
    let field = (select(&["x-a", "x-b", "cookie"][..]), select(&VALUES[..]));
    (
        prop::option::weighted(0.95, select(&HOSTS[..])),
        prop::option::of(select(&HOSTS[..])),
        any::<bool>(),
        select(&["GET", "GET", "POST", "PUT", "PURGE", "OPTIONS"][..]),
        target,
        prop::collection::vec(field, 0..5),
        any::<bool>(),
    )
        .prop_map(
            |(host, sni, own, method, (path, more, query), fields, grpc)| {
                let mut headers = HeaderMap::new();
                for (name, value) in fields {
                    headers.append(name, HeaderValue::from_static(value));
                }
                if grpc {
                    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
                }
                let target = match (method, path.is_empty() && more.is_empty()) {
                    ("OPTIONS", true) => "*".to_owned(),
                    (_, true) => format!("/{query}"),
                    _ => format!("{path}{more}{query}"),
                };
                Sent {
                    host,
                    sni: if own { host } else { sni },
                    method: if grpc { "POST" } else { method },
                    target,
                    headers,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_table_answers_as_its_plain_reading(
        listeners in listeners(), sent in prop::collection::vec(sent(), 30), hash_key: [u64; 2],
    ) {
        let settings = TableSettings { hash_key, ..TableSettings::default() };
        let input = TableInput { listeners, settings };
        let table = RouteTable::build(&input);
        agrees(&table, &input, &sent)?;
    }
}

/// Holds a table against the plain reading of its input.
pub(super) fn agrees(
    table: &RouteTable,
    input: &TableInput,
    sent: &[Sent],
) -> Result<(), TestCaseError> {
    let mut scratch = table.scratch();
    for sent in sent {
        let mut buffer = Vec::new();
        let mut hosts = sent.host.iter().map(|host| host.as_bytes());
        let raw = Raw {
            target: sent.target.as_bytes(),
            authority: None,
            hosts: &mut hosts,
            host_required: false,
            connect: false,
        };
        let target =
            Target::parse(raw, &PathPolicy::default(), &mut buffer).expect("a sound target");
        let head = Head {
            port: 80,
            sni: sent.sni,
            method: sent.method.as_bytes(),
            target,
            headers: &sent.headers,
        };
        let found = table.find(&head, &mut scratch);
        let named = found.map(|found| (found.route(), found.rule().index, found.position()));
        let expected: Result<_, NoMatch> = plain::find(input, &head);
        prop_assert_eq!(named, expected, "{:?}", sent);
        if let Ok(found) = found {
            let resumed = table.resume(found.id()).expect("its own id");
            prop_assert_eq!(resumed.rule_id(), found.rule_id());
            prop_assert_eq!(MatchId::from_bits(found.id().to_bits()), found.id());
            prop_assert_eq!(resumed.precedence(), found.precedence());
            let rule = table.rule(found.rule_id());
            prop_assert!(rule.is_some_and(|rule| std::ptr::eq(rule, found.rule())));
        }
    }
    Ok(())
}
