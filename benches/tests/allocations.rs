//! With a sized scratch and buffer, nothing that a request does allocates: judging the target, finding the rule, going through
//! its steps, picking a backend. One test, since the counter counts for the whole process.

use std::alloc::System;

use clap::ValueEnum;
use gatepost::rule::{Backend, BackendFilters, Backends, InvalidBackend, Tickets};
use gatepost::table::Head;
use gatepost_benches::shapes::{Shape, Workload};
use gatepost_benches::subjects::gatepost::{build, routes, target};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn the_request_path_does_not_allocate() {
    for &shape in Shape::value_variants() {
        let workload = Workload::new(shape, 300, 1);
        let (resolved, _) = routes(&workload);
        let hostname = shape.listener();
        let table = build(&resolved, hostname);
        let mut scratch = table.scratch();
        let mut buffer = Vec::with_capacity(4_096);
        let requests: Vec<_> = workload
            .random
            .iter()
            .chain(&workload.miss)
            .take(600)
            .collect();
        let texts: Vec<String> = requests
            .iter()
            .map(|request| format!("{}?{}", request.path, request.query))
            .collect();
        // Once before it counts: a scratch grows to what a table's expressions need.
        for counted in [false, true] {
            let region = Region::new(HEAP);
            let mut hits = 0;
            for (request, text) in requests.iter().zip(&texts) {
                let head = Head {
                    port: 80,
                    sni: None,
                    method: request.method.as_bytes(),
                    target: target(text, &request.host, &mut buffer),
                    headers: &request.headers,
                };
                if let Ok(found) = table.find(&head, &mut scratch) {
                    hits += 1 + found.steps().count();
                }
            }
            assert!(hits > 200, "{shape:?}: {hits} hits");
            if counted {
                assert_eq!(region.change().allocations, 0, "{shape:?}");
            }
        }
    }
    picks();
}

fn picks() {
    let entry = |index: u16| Backend {
        index,
        weight: u32::from(index) + 1,
        destination: Err(InvalidBackend {
            reason: "BackendNotFound",
            message: "only picked, never asked".into(),
        }),
        filters: BackendFilters::default(),
    };
    let backends = Backends::new((0..100).map(entry).collect());
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
