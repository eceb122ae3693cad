//! gatepost as users call it: `RouteTable::find` with full semantics, on a target that is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatepost::hostname::Hostname;
use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::pattern::{Pattern, PatternLimits};
use gatepost::rule::{
    Backends, GrpcMatch, HeaderMatch, Listener, Matches, PathMatch, Protocol, QueryMatch, Rare,
    RequestConditions, RequestMatch, Route, Routes, Rule, ValueMatch,
};
use gatepost::table::{Head, RouteTable, Scratch, TableInput, TableSettings};
use gatepost::target::{PathPolicy, Raw, Target};
use http::Method;

use super::{Mode, Subject};
use crate::shapes::{Path, Request, Shape, ShapeRule, Workload};

/// Rules of a route at the most (`HTTPRouteSpec.rules`).
const RULES_A_ROUTE: usize = 16;

/// The workload's number of a rule, by route and position.
pub type Numbers = BTreeMap<(String, u16), u32>;

/// The judged targets of the requests that are hot, random and miss.
pub type Targets<'w> = [Vec<Target<'w>>; 3];

/// See the module.
#[derive(Debug)]
pub struct Gatepost<'w> {
    workload: &'w Workload,
    table: RouteTable,
    scratch: Scratch,
    /// The workload's number of each rule of the table.
    numbers: Vec<u32>,
    targets: Targets<'w>,
}

impl<'w> Gatepost<'w> {
    /// Builds the table from resolved rules. Targets are judged beforehand ([`Buffers::targets`]), as a proxy
    /// has judged them of the head of a request.
    pub fn new(
        workload: &'w Workload,
        routes: &[Arc<Route>],
        numbers: &Numbers,
        targets: Targets<'w>,
    ) -> Gatepost<'w> {
        let table = build(routes, workload.shape.listener());
        Gatepost::of(workload, table, numbers, targets)
    }

    /// Looks up in a table that was built of the workload's routes.
    pub fn of(
        workload: &'w Workload,
        table: RouteTable,
        numbers: &Numbers,
        targets: Targets<'w>,
    ) -> Gatepost<'w> {
        let numbers = table.rules().map(|(route, rule)| {
            numbers
                .get(&(route.name.clone(), rule.index))
                .copied()
                .unwrap_or(u32::MAX)
        });
        Gatepost {
            numbers: numbers.collect(),
            scratch: table.scratch(),
            table,
            workload,
            targets,
        }
    }
}

impl Subject for Gatepost<'_> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        let (targets, requests) = match mode {
            Mode::Hot => (&self.targets[0], &self.workload.hot),
            Mode::Random | Mode::Cold => (&self.targets[1], &self.workload.random),
            Mode::Miss => (&self.targets[2], &self.workload.miss),
        };
        let head = Head {
            port: 80,
            sni: None,
            method: requests[number].method.as_bytes(),
            target: targets[number],
            headers: &requests[number].headers,
        };
        let found = self.table.find(&head, &mut self.scratch).ok()?;
        self.numbers.get(found.rule_id().number() as usize).copied()
    }
}

/// The table of some routes on one HTTP listener.
///
/// # Panics
///
/// If the listener's hostname is none.
pub fn build(routes: &[Arc<Route>], hostname: Option<&str>) -> RouteTable {
    RouteTable::build(&input(routes.iter().cloned().collect(), hostname))
}

/// What the table is built of.
///
/// # Panics
///
/// If the listener's hostname is none.
pub fn input(routes: Routes, hostname: Option<&str>) -> TableInput {
    let listener = Listener {
        owner: ObjectKey::new(Kind::Gateway, "bench", "gw"),
        gateway: NamespacedName::new("bench", "gw"),
        name: "http".into(),
        port: 80,
        protocol: Protocol::Http,
        hostname: hostname.map(|name| Hostname::parse(name).expect("a hostname")),
        tls: None,
        backend_client_certificate: None,
        filters: Vec::new(),
        routes,
    };
    TableInput {
        listeners: vec![Arc::new(listener)],
        settings: TableSettings::default(),
    }
}

/// The rules as resolution hands them over, at most 16 a route, with the workload's number of each.
///
/// # Panics
///
/// If a generated rule is not sound.
pub fn routes(workload: &Workload) -> (Vec<Arc<Route>>, Numbers) {
    let mut by_host: BTreeMap<&str, Vec<(u32, &ShapeRule)>> = BTreeMap::new();
    for (number, rule) in (0_u32..).zip(&workload.rules) {
        by_host.entry(&rule.host).or_default().push((number, rule));
    }
    let (mut routes, mut numbers) = (Vec::new(), BTreeMap::new());
    for (host, rules) in by_host {
        for chunk in rules.chunks(RULES_A_ROUTE) {
            // Names ascend with the rules, so that ties fall as in the list.
            let name = format!("route-{:07}", routes.len());
            let compiled = (0_u16..).zip(chunk).map(|(index, (number, rule))| {
                numbers.insert((name.clone(), index), *number);
                Arc::new(match workload.shape {
                    Shape::Grpc => compile_grpc(index, rule),
                    _ => compile(index, rule),
                })
            });
            let rules = compiled.collect();
            let hostnames = vec![Hostname::parse(host).expect("generated names are sound")];
            let kind = match workload.shape {
                Shape::Grpc => Kind::GrpcRoute,
                _ => Kind::HttpRoute,
            };
            routes.push(Arc::new(Route {
                key: ObjectKey::new(kind, "bench", name).into(),
                created: None,
                hostnames,
                rules,
            }));
        }
    }
    (routes, numbers)
}

fn compile(index: u16, rule: &ShapeRule) -> Rule {
    let exact = |text: &str| ValueMatch::Exact(text.as_bytes().into());
    let path = match &rule.path {
        Path::Exact(path) => PathMatch::Exact(path.as_bytes().into()),
        Path::Prefix(prefix) => PathMatch::Prefix(prefix.trim_end_matches('/').as_bytes().into()),
        Path::Pattern(pattern) => PathMatch::Pattern(
            Pattern::parse(pattern, &PatternLimits::default())
                .expect("generated patterns are sound"),
        ),
    };
    let headers = rule.headers.iter().map(|(name, value)| HeaderMatch {
        name: name.clone(),
        value: exact(value),
    });
    let query = rule.query.iter().map(|(name, value)| QueryMatch {
        name: name.as_str().into(),
        value: exact(value),
    });
    let one = RequestMatch {
        index: 0,
        path,
        conditions: Rare::from(RequestConditions {
            method: rule
                .method
                .map(|method| Method::from_bytes(method.as_bytes()).expect("a token")),
            headers: headers.collect(),
            query: query.collect(),
        }),
    };
    plain(index, Matches::Http([one].into()))
}

/// A method of a gRPC service: the two elements of the path.
fn compile_grpc(index: u16, rule: &ShapeRule) -> Rule {
    let Path::Exact(path) = &rule.path else {
        unreachable!("gRPC names are exact")
    };
    let (service, method) = path[1..].split_once('/').expect("two elements");
    let name = |text: &str| Some(ValueMatch::Exact(text.as_bytes().into()));
    let one = GrpcMatch {
        index: 0,
        service: name(service),
        method: name(method),
        headers: Vec::new(),
    };
    plain(index, Matches::Grpc([one].into()))
}

fn plain(index: u16, matches: Matches) -> Rule {
    Rule {
        index,
        name: None,
        matches,
        filters: Rare::default(),
        backends: Backends::default(),
        timeouts: Rare::default(),
        retry: None,
        session: None,
    }
}

/// The request targets as text, kept so that judged targets can borrow from them.
#[derive(Debug)]
pub struct Buffers([Vec<(String, Vec<u8>)>; 3]);

impl Buffers {
    /// `path?query` of every request.
    pub fn new(workload: &Workload) -> Buffers {
        let text = |request: &Request| {
            let mark = if request.query.is_empty() { "" } else { "?" };
            let text = format!("{}{mark}{}", request.path, request.query);
            (text, Vec::new())
        };
        Buffers(
            [&workload.hot, &workload.random, &workload.miss]
                .map(|requests| requests.iter().map(text).collect()),
        )
    }

    /// The targets, judged.
    pub fn targets<'w>(&'w mut self, workload: &'w Workload) -> Targets<'w> {
        let [hot, random, miss] = &mut self.0;
        let judge = |texts: &'w mut Vec<(String, Vec<u8>)>, requests: &'w [Request]| {
            let pairs = texts.iter_mut().zip(requests);
            pairs
                .map(|((text, buffer), request)| target(text, &request.host, buffer))
                .collect()
        };
        [
            judge(hot, &workload.hot),
            judge(random, &workload.random),
            judge(miss, &workload.miss),
        ]
    }
}

/// Judges a target that is canonical already, so its buffer stays empty.
///
/// # Panics
///
/// If a generated target is refused.
pub fn target<'r>(text: &'r str, host: &'r str, buffer: &'r mut Vec<u8>) -> Target<'r> {
    let mut hosts = std::iter::once(host.as_bytes());
    let raw = Raw {
        target: text.as_bytes(),
        authority: None,
        hosts: &mut hosts,
        host_required: true,
        connect: false,
    };
    Target::parse(raw, &PathPolicy::default(), buffer).expect("generated targets are sound")
}
