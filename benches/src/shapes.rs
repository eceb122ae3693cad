//! The shapes of route tables that are measured, with requests that know their answer.
//!
//! One generator with a fixed seed makes the same rules and requests for every subject. No shape holds two rules that take
//! the same request by accident, so the intended answer is the only right one; precedence itself is tested elsewhere.

use std::cmp::Reverse;

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// How many distinct requests the random mode cycles through.
const RANDOM_REQUESTS: usize = 4_096;
/// How many distinct requests the miss mode cycles through.
const MISS_REQUESTS: usize = 512;

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH",
];

const WORDS: [&str; 8] = [
    "tasks", "users", "files", "builds", "issues", "orders", "events", "status",
];

/// The shape of a route table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Many hostnames with four paths each; one host in ten is a wildcard.
    A,
    /// One hostname, long paths with shared prefixes; one in five is exact.
    B,
    /// One hostname, one prefix; header and query matches decide.
    C,
    /// One hostname, regular expressions that a literal head tells apart.
    D,
    /// One hostname, regular expressions that differ in the middle only.
    E,
    /// Wildcard hosts of three labels below the asterisk.
    Wildcards,
    /// One hostname, prefixes of 1 to 64 elements, the longer below the shorter.
    Depths,
    /// One hostname, eight rules a prefix that differ in the method alone.
    Methods,
    /// One hostname, one prefix, 16 header matches a rule of which 15 are everybody's.
    Headers,
    /// As (b), but one in ten is a regular expression.
    Mixed,
    /// One hostname, prefixes of 1,000 bytes, request paths of 2 KiB.
    Long,
    /// As many hostnames as rules, behind one wildcard listener.
    Hosts,
    /// gRPC methods of one hostname.
    Grpc,
}

impl Shape {
    /// The hostname of the listener that the shape's routes hang on.
    pub fn listener(self) -> Option<&'static str> {
        (self == Shape::Hosts).then_some("*.bench.example")
    }
}

/// What one rule asks of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// The whole path.
    Exact(String),
    /// Path elements from the start.
    Prefix(String),
    /// A regular expression over the whole path.
    Pattern(String),
}

/// One rule, as every subject is given it.
#[derive(Clone, Debug)]
pub struct ShapeRule {
    /// A hostname, `*.` at its start for a wildcard.
    pub host: String,
    /// Its path.
    pub path: Path,
    /// Its method.
    pub method: Option<&'static str>,
    /// Header fields that must have these values.
    pub headers: Vec<(HeaderName, String)>,
    /// Query parameters that must have these values.
    pub query: Vec<(String, String)>,
}

/// One request and the rule that has to answer it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The host, lower case.
    pub host: String,
    /// The path, canonical.
    pub path: String,
    /// The query, without `?`.
    pub query: String,
    /// Six ordinary fields and those that a rule asks for.
    pub headers: HeaderMap,
    /// Position of the rule that serves it.
    pub want: Option<u32>,
}

/// The rules of a shape and the requests of each mode.
#[derive(Debug)]
pub struct Workload {
    /// The shape.
    pub shape: Shape,
    /// The rules, in the order in which they were made.
    pub rules: Vec<ShapeRule>,
    /// The rule of lowest precedence, again and again.
    pub hot: Vec<Request>,
    /// Uniform over the rules.
    pub random: Vec<Request>,
    /// Requests of the right look that nothing serves.
    pub miss: Vec<Request>,
}

impl Workload {
    /// Makes `rules` rules of `shape` and their requests; the same seed makes the same workload.
    pub fn new(shape: Shape, rules: usize, seed: u64) -> Workload {
        let mut rng = StdRng::seed_from_u64(seed);
        let side = rules.isqrt().max(1);
        let made: Vec<ShapeRule> = (0..rules).map(|number| rule(shape, number, side)).collect();
        let lowest = lowest_precedence(&made);
        let hot = vec![hit(shape, &made, lowest, side, &mut rng)];
        let random = (0..RANDOM_REQUESTS)
            .map(|_| {
                let number = rng.random_range(0..rules);
                hit(shape, &made, number, side, &mut rng)
            })
            .collect();
        let miss = (0..MISS_REQUESTS)
            .map(|_| {
                let number = rng.random_range(0..rules);
                miss(shape, &made, number, side, &mut rng)
            })
            .collect();
        Workload {
            shape,
            rules: made,
            hot,
            random,
            miss,
        }
    }

    /// The numbers of the rules, those that go first among the rules of their host before the others.
    pub fn by_precedence(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0_u32..)
            .zip(&self.rules)
            .map(|(number, _)| number)
            .collect();
        // The sort is stable: of equals the rule that was made first goes first.
        numbers.sort_by_key(|&number| Reverse(self.rules[number as usize].rank()));
        numbers
    }
}

impl ShapeRule {
    /// Where the rule stands among those of its host: what is greater goes first.
    pub fn rank(&self) -> (u8, usize, bool, usize, usize) {
        let (kind, length) = match &self.path {
            Path::Exact(path) => (2, path.len()),
            Path::Pattern(pattern) => (1, pattern.len()),
            Path::Prefix(prefix) => (0, prefix.trim_end_matches('/').len()),
        };
        let (headers, query) = (self.headers.len(), self.query.len());
        (kind, length, self.method.is_some(), headers, query)
    }
}

/// A wildcard host, then the shortest prefix, then the rule made last: what the specification tries last.
fn lowest_precedence(rules: &[ShapeRule]) -> usize {
    let key = |rule: &ShapeRule| {
        let wildcard = rule.host.starts_with("*.");
        (!wildcard, rule.host.len(), rule.rank())
    };
    (0..rules.len())
        .min_by_key(|&number| (key(&rules[number]), usize::MAX - number))
        .unwrap_or(0)
}

fn rule(shape: Shape, number: usize, side: usize) -> ShapeRule {
    let one_host = || "shop.apps.bench.example".to_owned();
    let plain = |host: String, path: Path| ShapeRule {
        host,
        path,
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
    };
    match shape {
        Shape::A => {
            let path = match number % 4 {
                0 => Path::Prefix("/".to_owned()),
                1 => Path::Prefix("/api/v1".to_owned()),
                2 => Path::Prefix("/api/v2/users".to_owned()),
                _ => Path::Exact("/healthz".to_owned()),
            };
            plain(host_of(number / 4), path)
        }
        Shape::B => {
            let value = format!("{}/{}", project(number, side), WORDS[number % 8]);
            let path = if number.is_multiple_of(5) {
                Path::Exact(value)
            } else {
                Path::Prefix(value)
            };
            plain(one_host(), path)
        }
        Shape::C => {
            let mut rule = plain(one_host(), Path::Prefix("/api/v1/things".to_owned()));
            if number % 4 == 3 {
                rule.query
                    .push(("id".to_owned(), format!("item-{number:06}")));
            } else {
                rule.headers.push((
                    HeaderName::from_static("x-tenant"),
                    format!("tenant-{number:06}"),
                ));
                if number % 4 == 2 {
                    rule.headers
                        .push((HeaderName::from_static("x-env"), "prod".to_owned()));
                }
            }
            rule
        }
        Shape::D => plain(
            one_host(),
            Path::Pattern(format!("/svc-{number:06}/v[0-9]+/users/[^/]+/posts/[0-9]+")),
        ),
        Shape::E => plain(
            one_host(),
            Path::Pattern(format!("/[a-z]+/v[0-9]+/res-{number:06}/[^/]+")),
        ),
        Shape::Wildcards => {
            let host = format!(
                "*.{}{number}.m{:02}.example",
                WORDS[number % 8],
                number % 97
            );
            plain(host, Path::Prefix("/".to_owned()))
        }
        Shape::Depths => {
            let below: String = (0..number % 64).map(|depth| format!("/s{depth}")).collect();
            plain(
                one_host(),
                Path::Prefix(format!("/r{:05}{below}", number / 64)),
            )
        }
        Shape::Methods => {
            let prefix = format!("/api/v1/items-{:06}", number / 8);
            let mut rule = plain(one_host(), Path::Prefix(prefix));
            rule.method = Some(METHODS[number % 8]);
            rule
        }
        Shape::Headers => {
            let mut rule = plain(one_host(), Path::Prefix("/api/v1/things".to_owned()));
            rule.headers = (0..16)
                .map(|field| {
                    let own = field == number % 16;
                    let value = if own {
                        format!("own-{number:06}")
                    } else {
                        "everybody".to_owned()
                    };
                    (many_headers(field), value)
                })
                .collect();
            rule
        }
        Shape::Mixed if number % 10 == 7 => plain(
            one_host(),
            Path::Pattern(format!("{}/[a-z]+/[0-9]+", project(number, side))),
        ),
        Shape::Mixed => rule(Shape::B, number, side),
        Shape::Long => {
            let mut prefix = project(number, side);
            while prefix.len() < 960 {
                prefix.push_str("/a-long-element-of-a-long-path-001234567");
            }
            plain(one_host(), Path::Prefix(prefix))
        }
        Shape::Hosts => {
            let host = format!(
                "{}{number}.m{:02}.bench.example",
                WORDS[number % 8],
                number % 97
            );
            plain(host, Path::Prefix("/".to_owned()))
        }
        Shape::Grpc => {
            let path = format!(
                "/shop.v1.{}{}/Method{number:05}",
                WORDS[number % 8],
                number / 20
            );
            let mut rule = plain(one_host(), Path::Exact(path));
            rule.method = Some("POST");
            rule
        }
    }
}

/// The part of a long path that only one rule has.
fn project(number: usize, side: usize) -> String {
    format!(
        "/api/v1/organizations/org-{:05}/projects/proj-{:05}",
        number / side,
        number % side
    )
}

fn many_headers(field: usize) -> HeaderName {
    HeaderName::try_from(format!("x-field-{field:02}")).expect("generated names are tokens")
}

/// A hostname of about 20 bytes; one in ten is a wildcard.
fn host_of(number: usize) -> String {
    let name = format!(
        "{}{}.m{:02}.bench.example",
        WORDS[number % 8],
        number,
        number % 97
    );
    if number % 10 == 9 {
        format!("*.{name}")
    } else {
        name
    }
}

fn hit(shape: Shape, rules: &[ShapeRule], number: usize, side: usize, rng: &mut StdRng) -> Request {
    let rule = &rules[number];
    let mut request = look(rng);
    request.host = match rule.host.strip_prefix("*.") {
        Some(suffix) => format!("{}.{suffix}", WORDS[rng.random_range(0..8)]),
        None => rule.host.clone(),
    };
    request.want = Some(u32::try_from(number).unwrap_or(u32::MAX));
    request.path = match &rule.path {
        Path::Exact(path) => path.clone(),
        Path::Prefix(prefix) => below(prefix, rng),
        Path::Pattern(_) => pattern_path(shape, number, side, rng),
    };
    if shape == Shape::Long {
        while request.path.len() < 2_000 {
            request
                .path
                .push_str("/another-element-that-nobody-asks-for");
        }
    }
    if shape == Shape::Grpc {
        request.query.clear();
        let kind = HeaderValue::from_static("application/grpc");
        request.headers.insert("content-type", kind);
    }
    request.method = rule.method.unwrap_or("GET");
    for (name, value) in &rule.headers {
        request.headers.insert(name.clone(), header_value(value));
    }
    if let Some((name, value)) = rule.query.first() {
        request.query = format!("{}&{name}={value}", request.query);
    }
    request
}

fn miss(
    shape: Shape,
    rules: &[ShapeRule],
    number: usize,
    side: usize,
    rng: &mut StdRng,
) -> Request {
    let mut request = hit(shape, rules, number, side, rng);
    request.want = None;
    match shape {
        Shape::A => {
            request.host = format!(
                "{}{}.m{:02}.other.example",
                WORDS[number % 8],
                number,
                number % 97
            );
        }
        Shape::B => {
            request.path = format!("{}/absent", project(number, side));
        }
        Shape::C => {
            let other = format!("nobody-{:06}", rng.random_range(0..1_000_000));
            if let Some(value) = request.headers.get_mut("x-tenant") {
                *value = header_value(&other);
            } else {
                request.query = format!("page=2&sort=name&id={other}");
            }
        }
        Shape::D => {
            // One element more than any pattern takes, so that routers with parameters miss it, too.
            request.path = format!("/svc-{number:06}/v1/users/alice/posts/7/none");
        }
        Shape::E => {
            request.path = format!("/things/v2/nil-{number:06}/x");
        }
        Shape::Wildcards => {
            request.host = format!(
                "www.{}{number}.m{:02}.other",
                WORDS[number % 8],
                number % 97
            );
        }
        Shape::Depths => {
            request.path = request.path.replacen("/r", "/q", 1);
        }
        Shape::Methods => request.method = "CONNECT",
        Shape::Headers => {
            let own = many_headers(number % 16);
            request
                .headers
                .insert(own, HeaderValue::from_static("nobody"));
        }
        Shape::Mixed | Shape::Long => {
            request.path = format!("{}/absent", project(number, side));
        }
        Shape::Hosts => {
            request.host = format!(
                "{}{number}.m{:02}.bench.example",
                WORDS[number % 7],
                97 + number % 97
            );
        }
        Shape::Grpc => request.path.push_str("None"),
    }
    request
}

/// One or two segments below a prefix, never into another rule of the shape.
fn below(prefix: &str, rng: &mut StdRng) -> String {
    let base = prefix.trim_end_matches('/');
    let first = rng.random_range(0..100_000);
    if rng.random_bool(0.5) {
        format!("{base}/x{first}")
    } else {
        format!("{base}/x{first}/y{}", rng.random_range(0..1_000))
    }
}

fn pattern_path(shape: Shape, number: usize, side: usize, rng: &mut StdRng) -> String {
    let version = rng.random_range(1..20);
    match shape {
        Shape::D => format!(
            "/svc-{number:06}/v{version}/users/user{}/posts/{}",
            rng.random_range(0..10_000),
            rng.random_range(0..100_000)
        ),
        Shape::Mixed => format!(
            "{}/{}/{}",
            project(number, side),
            WORDS[rng.random_range(0..8)],
            rng.random_range(0..10_000)
        ),
        _ => format!(
            "/{}/v{version}/res-{number:06}/item{}",
            WORDS[rng.random_range(0..8)],
            rng.random_range(0..10_000)
        ),
    }
}

/// A request as browsers and services send it: six ordinary fields and a query of two pairs.
fn look(rng: &mut StdRng) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) bench/1.0"),
        ("accept", "application/json, text/plain, */*"),
        ("accept-encoding", "gzip, deflate, br"),
        ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
        ("x-request-id", "7f9c24e5-2f6b-4d1c-9d0e-5a1d2c3b4a59"),
        ("content-type", "application/json"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Request {
        method: "GET",
        host: String::new(),
        path: String::new(),
        query: format!("page={}&sort=name", rng.random_range(0..100)),
        headers,
        want: None,
    }
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("generated values are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_workload() {
        let (one, two) = (
            Workload::new(Shape::A, 100, 7),
            Workload::new(Shape::A, 100, 7),
        );
        let paths = |workload: &Workload| -> Vec<(String, String)> {
            let key = |request: &Request| (request.host.clone(), request.path.clone());
            workload.random.iter().map(key).collect()
        };
        assert_eq!(paths(&one), paths(&two));
    }

    #[test]
    fn rules_are_distinct() {
        for &shape in Shape::value_variants() {
            let workload = Workload::new(shape, 1_000, 1);
            let mut seen: Vec<String> = workload
                .rules
                .iter()
                .map(|rule| format!("{rule:?}"))
                .collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 1_000, "{shape:?}");
        }
    }
}
