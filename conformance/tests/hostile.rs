//! Expressions that one tenant writes and another must not pay for. Times have bounds that only a blow-up can miss.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost::controller::{Controller, Resolution};
use gatepost::resources::{Resource, Resources};
use gatepost::table::{Head, RouteTable};
use gatepost::target::Raw;
use http::HeaderMap;
use serde_json::{Value, json};

/// The expression of a number.
type Shape = fn(usize) -> String;

fn route(namespace: &str, name: &str, patterns: &[String]) -> Value {
    let one = |pattern: &String| json!({"matches": [{"path": {"type": "RegularExpression", "value": pattern}}]});
    let rules: Vec<Value> = patterns.iter().map(one).collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"parentRefs": [{"name": "gw", "namespace": "n"}], "hostnames": ["a.test"], "rules": rules},
    })
}

fn resolve(routes: Vec<Value>) -> (Resolution, Duration) {
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": "n"},
        "spec": {"gatewayClassName": "gatepost", "listeners": [
            {"name": "l", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
        ]},
    });
    let object = |value| Arc::new(Resource::from_json(value).expect("an object"));
    let resources: Resources = std::iter::once(gateway).chain(routes).map(object).collect();
    let clock = Instant::now();
    let resolution = Controller::default().resolve(&resources);
    (resolution, clock.elapsed())
}

fn table(resolution: &Resolution) -> &RouteTable {
    &resolution.planes().first().expect("a plane").table
}

/// Which namespace and rule serves a path.
fn served(table: &RouteTable, path: &str) -> Option<(String, u16)> {
    let (mut buffer, mut scratch) = (Vec::new(), table.scratch());
    let mut hosts = std::iter::once(&b"a.test"[..]);
    let raw = Raw {
        target: path.as_bytes(),
        authority: None,
        hosts: &mut hosts,
        host_required: true,
        connect: false,
    };
    let target = table.target(raw, &mut buffer).expect("a sound target");
    let headers = HeaderMap::new();
    let head = Head {
        port: 80,
        sni: None,
        method: b"GET",
        target,
        headers: &headers,
    };
    let found = table.find(&head, &mut scratch).ok()?;
    Some((found.route().namespace.to_string(), found.rule().index))
}

/// The least time of many for some look-ups.
fn time(table: &RouteTable, path: &str, count: u32) -> Duration {
    let once = || {
        let clock = Instant::now();
        for _ in 0..count {
            black_box(served(table, black_box(path)));
        }
        clock.elapsed()
    };
    (0..20).map(|_| once()).min().unwrap_or_default()
}

#[test]
fn fourteen_patterns_that_multiply_build_at_once() {
    let patterns: Vec<String> = (0..14).map(|n| format!(".*/t{n:03}.*")).collect();
    let (resolution, elapsed) = resolve(vec![route("n", "r", &patterns)]);
    let memory = table(&resolution).memory().total();
    println!("14 patterns: {elapsed:?}, {memory} bytes");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    assert!(memory < 2 << 20, "{memory} bytes");
    for number in [0_u16, 7, 13] {
        let path = format!("/x/t{number:03}/y");
        assert_eq!(
            served(table(&resolution), &path),
            Some(("n".to_owned(), number))
        );
    }
    assert_eq!(served(table(&resolution), "/x/t014"), None);
}

#[test]
fn thousands_of_patterns_stay_within_memory_and_time() {
    let shapes: [(usize, Shape); 2] = [
        (100, |n| {
            format!("/svc-{n:06}/v[0-9]+/users/[^/]+/posts/[0-9]+")
        }),
        (100, |n| format!("/[a-z]+/v[0-9]+/res-{n:06}/[^/]+")),
    ];
    for (shape, (count, pattern)) in shapes.iter().enumerate() {
        let routes = (0..*count).map(|number| {
            let patterns: Vec<String> = (0..100).map(|one| pattern(number * 100 + one)).collect();
            route("n", &format!("r{number:03}"), &patterns)
        });
        let (resolution, elapsed) = resolve(routes.collect());
        let memory = table(&resolution).memory().total();
        println!("{count}00 patterns of shape {shape}: {elapsed:?}, {memory} bytes");
        assert!(
            elapsed < Duration::from_secs(120),
            "shape {shape}: {elapsed:?}"
        );
        assert!(
            memory < count * 100 * 3 * 1024,
            "shape {shape}: {memory} bytes"
        );
        let path = ["/svc-004321/v1/users/u/posts/1", "/a/v1/res-004321/x"][shape];
        assert_eq!(
            served(table(&resolution), path),
            Some(("n".to_owned(), 21)),
            "shape {shape}"
        );
    }
}

#[test]
fn a_hostile_pattern_of_another_namespace_slows_no_neighbour() {
    let own: Vec<String> = (0..100)
        .map(|n| format!("/[a-z]+/v[0-9]+/res-{n:06}/[^/]+"))
        .collect();
    let hostile = [
        "/[a-z]*.*(a|b)[^/]{60}x.*",
        "/(a|b)*a(a|b){9}/.*",
        "/.*.*.*.*(x|y|z).*",
    ];
    let (alone, _) = resolve(vec![route("n", "r", &own)]);
    let hostile: Vec<String> = hostile.iter().map(ToString::to_string).collect();
    let (beside, elapsed) = resolve(vec![route("n", "r", &own), route("evil", "r", &hostile)]);
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    for path in [
        "/abc/v1/res-000042/something",
        &format!("/abc/v1/res-000042/{}", "ab".repeat(130)),
    ] {
        assert_eq!(served(table(&beside), path), Some(("n".to_owned(), 42)));
        let (before, after) = (
            time(table(&alone), path, 200),
            time(table(&beside), path, 200),
        );
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        println!(
            "{} bytes: {before:?} alone, {after:?} beside hostile patterns: {ratio:.2}",
            path.len()
        );
        assert!(
            ratio < 2.0,
            "{ratio:.2}: {before:?} alone, {after:?} beside"
        );
    }
    // The bound: one step for each byte and automaton, whatever is written. No path may take longer than this.
    let worst = format!("/{}", "ab".repeat(4_000));
    let longest = time(table(&beside), &worst, 1);
    println!("{} bytes that nothing matches: {longest:?}", worst.len());
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}
