//! The ways through the library whose instructions `scripts/instructions` counts under callgrind.
//!
//! `instructions` says which groups there are, `instructions GROUP` goes through one. What is counted happens in [`counted`],
//! one call of it a case; before it the case's name is printed, and how often the case does what it is named for. Nothing here depends
//! on time, addresses or a random source.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use gatepost::rule::{Filters, HeaderEdit, HeaderEdits, PathModifier, Rewrite, Route, Rule};
use gatepost::table::Head;
use gatepost_benches::changes::changed;
use gatepost_benches::selection::backends;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{Buffers, Gatepost, build, input, routes, target};
use gatepost_benches::subjects::{Mode, Subject};
use http::{HeaderName, HeaderValue};

/// Requests of each mode.
const REQUESTS: usize = 512;
/// Routes that change, one after another.
const CHANGES: usize = 8;
/// Steps of the golden ratio: tickets that are spread over all backends.
const TICKET: u64 = 0x9e37_79b9_7f4a_7c15;

/// Shapes with their numbers of rules.
const SHAPES: [(Shape, usize); 9] = [
    // Those that take longest first, so that they run beside the others.
    (Shape::D, 1_000),
    (Shape::Mixed, 1_000),
    (Shape::E, 300),
    (Shape::A, 1_000),
    (Shape::B, 1_000),
    (Shape::C, 1_000),
    (Shape::Headers, 100),
    (Shape::Methods, 1_000),
    (Shape::Grpc, 1_000),
];

fn main() -> ExitCode {
    let Some(group) = std::env::args().nth(1) else {
        println!("request");
        for (shape, _) in SHAPES {
            println!("{}", name(shape));
        }
        return ExitCode::SUCCESS;
    };
    if group == "request" {
        targets();
        steps();
        picks();
        return ExitCode::SUCCESS;
    }
    let Some((shape, rules)) = SHAPES.into_iter().find(|(one, _)| name(*one) == group) else {
        eprintln!("instructions: no such group: `{group}`");
        return ExitCode::from(2);
    };
    tables(shape, rules);
    ExitCode::SUCCESS
}

fn name(shape: Shape) -> String {
    let value = shape.to_possible_value().expect("no shape is hidden");
    value.get_name().to_owned()
}

/// Says what comes, and lets it be counted.
fn count(case: &str, times: usize, mut run: impl FnMut()) {
    println!("{case} {times}");
    counted(&mut run);
}

/// What callgrind collects: everything in here, nothing else.
#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    run();
    // Something to do behind the call: else it would be a jump, and this function none on the stack.
    black_box(&run);
}

fn targets() {
    let host = "shop.apps.bench.example";
    let mut buffer = Vec::with_capacity(256);
    for (case, text) in [
        (
            "target/canonical",
            "/api/v1/organizations/org-00123/projects/proj-00456/tasks/7?a=1",
        ),
        (
            "target/decoded",
            "/api/v1/%6Frganizations/../org-00123//projects/caf%c3%a9?a=1",
        ),
    ] {
        count(case, REQUESTS, || {
            for _ in 0..REQUESTS {
                let target = target(black_box(text), black_box(host), &mut buffer);
                black_box(target.path().len());
            }
        });
    }
}

/// What follows once a rule is found: its steps, a backend, the backend's steps, the steps of the answer.
fn steps() {
    let workload = Workload::new(Shape::B, 100, 1);
    let (mut resolved, _) = routes(&workload);
    resolved
        .iter_mut()
        .for_each(|route| *route = Arc::new(with_filters(route)));
    let table = build(&resolved, None);
    let mut scratch = table.scratch();
    let request = &workload.hot[0];
    let mut buffer = Vec::new();
    let head = Head {
        port: 80,
        sni: None,
        method: request.method.as_bytes(),
        target: target(&request.path, &request.host, &mut buffer),
        headers: &request.headers,
    };
    let found = table.find(&head, &mut scratch).expect("a rule serves it");
    assert_eq!(found.steps().count(), 2);
    count("steps", REQUESTS, || {
        for _ in 0..REQUESTS {
            let found = black_box(&found);
            black_box(found.steps().count());
            let picked = found.backends().pick(black_box(TICKET));
            if let Ok(picked) = &picked {
                black_box(found.backend_steps(picked).count());
            }
            black_box(found.response_steps(picked.ok().as_ref()).count());
        }
    });
}

/// The route with filters and two backends in each rule.
fn with_filters(route: &Route) -> Route {
    let edit = |name: &'static str| HeaderEdit {
        name: HeaderName::from_static(name),
        value: HeaderValue::from_static("1"),
    };
    let edits = HeaderEdits {
        set: vec![edit("x-one"), edit("x-two")],
        ..HeaderEdits::default()
    };
    let filters = Filters {
        request_headers: Some(edits.clone()),
        response_headers: Some(edits),
        rewrite: Some(Rewrite {
            hostname: None,
            path: Some(PathModifier::Prefix(b"/other".as_slice().into())),
        }),
        ..Filters::default()
    };
    let mut route = route.clone();
    for rule in &mut route.rules {
        *rule = Arc::new(Rule {
            filters: filters.clone().into(),
            backends: backends(2),
            ..Rule::clone(rule)
        });
    }
    route
}

fn picks() {
    for backend_count in [2, 10, 100] {
        let backends = backends(backend_count);
        count(&format!("pick/{backend_count}"), REQUESTS, || {
            let mut ticket = 0_u64;
            for _ in 0..REQUESTS {
                ticket = ticket.wrapping_add(TICKET);
                black_box(backends.pick(black_box(ticket)).is_ok());
            }
        });
    }
}

/// Building a table, finding in it, and routes of it that change.
fn tables(shape: Shape, rules: usize) {
    let workload = Workload::new(shape, rules, 1);
    let name = name(shape);
    let (resolved, numbers) = routes(&workload);
    let mut table = None;
    count(&format!("build/{name}"), 1, || {
        table = Some(build(&resolved, shape.listener()));
    });
    let mut table = table.expect("it was built");
    let mut buffers = Buffers::new(&workload);
    let targets = buffers.targets(&workload);
    let mut gatepost = Gatepost::of(&workload, table.clone(), &numbers, targets);
    for mode in [Mode::Hot, Mode::Random, Mode::Miss] {
        let requests = mode.requests(&workload);
        // Each answer is right, and what grows on first use has grown, before anything counts.
        for (number, request) in requests.iter().enumerate() {
            assert_eq!(gatepost.find(mode, number), request.want);
        }
        let mode_name = mode.to_possible_value().expect("no mode is hidden");
        let case = format!("find/{name}/{}", mode_name.get_name());
        count(&case, REQUESTS, || {
            for number in 0..REQUESTS {
                black_box(gatepost.find(mode, number % requests.len()));
            }
        });
    }
    let mut all = resolved.iter().cloned().collect();
    table = table.update(&input(Clone::clone(&all), shape.listener()));
    let news: Vec<Arc<Route>> = (0..CHANGES)
        .map(|number| {
            let route = &resolved[number * 7_919 % resolved.len()];
            Arc::new(changed(route, number))
        })
        .collect();
    // Old tables end behind the count.
    let mut old = Vec::with_capacity(CHANGES);
    count(&format!("change/{name}"), CHANGES, || {
        for new in &news {
            all.insert(new.clone());
            let next = table.update(&input(all.clone(), shape.listener()));
            old.push(std::mem::replace(&mut table, next));
        }
    });
}
