//! With a sized scratch and buffer, nothing that a request does allocates: judging the target, finding the rule, going through
//! its steps, picking a backend. Asked of the shapes of the measurements, whose answers are known, and of generated resources with
//! everything that routes can say. One test, since the counter counts for the whole process.

use std::alloc::System;

use clap::ValueEnum;
use gatepost::controller::Controller;
use gatepost::rule::Tickets;
use gatepost::table::{Head, RouteTable, Scratch};
use gatepost::target::Raw;
use gatepost_benches::selection::backends;
use gatepost_benches::shapes::{Request, Shape, Workload};
use gatepost_benches::subjects::gatepost::{build, routes};
use gatepost_conformance::generate::Generator;
use gatepost_conformance::request::Protocol;
use http::{HeaderMap, HeaderName, HeaderValue};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn the_request_path_does_not_allocate() {
    shapes();
    generated();
    picks();
    // The counter counts.
    let region = Region::new(HEAP);
    drop(Vec::<u8>::with_capacity(64));
    assert_eq!(region.change().allocations, 1);
}

/// A request as a proxy has it.
struct Asked<'r> {
    target: &'r [u8],
    authority: Option<&'r [u8]>,
    hosts: &'r [Vec<u8>],
    host_required: bool,
    port: u16,
    sni: Option<&'r str>,
    method: &'r str,
    headers: &'r HeaderMap,
    ticket: u64,
}

/// Goes the whole way of a request; the number of the rule that serves it.
fn go(
    table: &RouteTable,
    asked: &Asked<'_>,
    buffer: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Option<u32> {
    let raw = Raw {
        target: asked.target,
        authority: asked.authority,
        hosts: &mut asked.hosts.iter().map(Vec::as_slice),
        host_required: asked.host_required,
        connect: false,
    };
    let mut rule = None;
    if let Ok(target) = table.target(raw, buffer) {
        let head = Head {
            port: asked.port,
            sni: asked.sni,
            method: asked.method.as_bytes(),
            target,
            headers: asked.headers,
        };
        if let Ok(found) = table.find(&head, scratch) {
            assert!(table.resume(found.id()).is_some() && found.steps().count() < 100);
            let backends = found.backends();
            let key = asked.ticket.to_le_bytes();
            assert_eq!(
                backends.pick_key(&key).is_ok(),
                backends.pick_key(&key).is_ok()
            );
            if let Ok(picked) = backends.pick(asked.ticket) {
                assert!(found.backend_steps(&picked).count() < 100);
                assert!(found.response_steps(Some(&picked)).count() < 100);
                // Whoever is left may be invalid; only what it costs is asked.
                let _ = backends.pick_other(asked.ticket, &[picked.index]);
            }
            rule = Some(found.rule_id().number());
        }
    }
    let _ = table.find_tls(asked.port, asked.sni);
    let _ = table.find_tcp(asked.port);
    rule
}

/// Goes the way of a request and counts what is allocated on it.
fn counted(table: &RouteTable, asked: &Asked<'_>) -> (usize, Option<u32>) {
    let (mut buffer, mut scratch) = (Vec::with_capacity(4_096), table.scratch());
    let region = Region::new(HEAP);
    let rule = go(table, asked, &mut buffer, &mut scratch);
    (region.change().allocations, rule)
}

fn shapes() {
    for &shape in Shape::value_variants() {
        let workload = Workload::new(shape, 300, 1);
        let (resolved, numbers) = routes(&workload);
        let table = build(&resolved, shape.listener());
        let numbers: Vec<Option<u32>> = table
            .rules_by_number()
            .map(|rule| {
                let (route, rule) = rule?;
                numbers.get(&(route.name.clone(), rule.index)).copied()
            })
            .collect();
        let random = workload.random.iter().take(600);
        for request in random.chain(&workload.hot).chain(&workload.miss) {
            let text = text(request);
            let asked = Asked {
                target: text.as_bytes(),
                authority: None,
                hosts: &[request.host.clone().into_bytes()],
                host_required: true,
                port: 80,
                sni: None,
                method: request.method,
                headers: &request.headers,
                ticket: 1,
            };
            let (allocations, rule) = counted(&table, &asked);
            assert_eq!(allocations, 0, "{shape:?}: {request:?}");
            let number = rule.and_then(|rule| numbers[rule as usize]);
            assert_eq!(number, request.want, "{shape:?}: {request:?}");
        }
    }
}

fn text(request: &Request) -> String {
    match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    }
}

fn generated() {
    let mut generator = Generator::new(4711);
    let (mut done, mut hits) = (0, 0);
    while done < 3_000 {
        let objects = generator.objects();
        let resolution = Controller::default().resolve(&Generator::resources(&objects));
        let table = &resolution.planes().first().expect("a plane").table;
        for _ in 0..50 {
            let request = generator.request(&objects);
            let mut headers = HeaderMap::new();
            for (name, value) in &request.headers {
                let name = name.parse::<HeaderName>().expect("a name");
                headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
            }
            let asked = Asked {
                target: &request.target,
                authority: request.authority.as_deref(),
                hosts: &request.hosts,
                host_required: request.protocol == Protocol::Http11,
                port: request.port,
                sni: request.sni.as_deref(),
                method: &request.method,
                headers: &headers,
                ticket: request.ticket,
            };
            let (allocations, rule) = counted(table, &asked);
            assert_eq!(allocations, 0, "pair {done}: {request:?}");
            done += 1;
            hits += u32::from(rule.is_some());
        }
    }
    assert!(hits > 1_000, "only {hits} of {done} were served");
}

fn picks() {
    let backends = backends(100);
    let tickets = Tickets::new(1);
    let region = Region::new(HEAP);
    for _ in 0..1_000 {
        let ticket = tickets.draw();
        let picked = backends.pick(ticket).is_ok() || backends.pick_other(ticket, &[3, 4]).is_ok();
        assert!(!picked, "no backend is valid");
        assert!(backends.pick_key(b"session").is_err());
    }
    assert_eq!(region.change().allocations, 0, "picks");
}
