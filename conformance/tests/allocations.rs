//! Looking a request up, its steps and the choice of a backend allocate nothing, with a scratch sized by the table.

use std::alloc::System;

use gatepost::controller::Controller;
use gatepost::table::{Head, RouteTable};
use gatepost::target::Raw;
use gatepost_conformance::generate::Generator;
use gatepost_conformance::request::{Protocol, Request};
use http::{HeaderMap, HeaderName, HeaderValue};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of one request, and whether a rule served it.
fn allocations(table: &RouteTable, request: &Request, headers: &HeaderMap) -> (usize, bool) {
    let (mut buffer, mut scratch) = (Vec::with_capacity(1024), table.scratch());
    let region = Region::new(HEAP);
    let mut hosts = request.hosts.iter().map(Vec::as_slice);
    let raw = Raw {
        target: &request.target,
        authority: request.authority.as_deref(),
        hosts: &mut hosts,
        host_required: request.protocol == Protocol::Http11,
        connect: false,
    };
    let mut served = false;
    if let Ok(target) = table.target(raw, &mut buffer) {
        let head = Head {
            port: request.port,
            sni: request.sni.as_deref(),
            method: request.method.as_bytes(),
            target,
            headers,
        };
        if let Ok(found) = table.find(&head, &mut scratch) {
            served = table.resume(found.id()).is_some() && found.steps().count() < 100;
            let key = request.ticket.to_le_bytes();
            let backends = found.backends();
            served &= backends.pick_key(&key).is_ok() == backends.pick_key(&key).is_ok();
            if let Ok(picked) = backends.pick(request.ticket) {
                served &= found.backend_steps(&picked).count() < 100;
                served &= found.response_steps(Some(&picked)).count() < 100;
                // Whoever is left may be invalid; only what it costs is asked.
                let _ = backends.pick_other(request.ticket, &[picked.index]);
            }
        }
        let _ = table.find_tls(request.port, request.sni.as_deref());
        let _ = table.find_tcp(request.port);
    }
    (region.change().allocations, served)
}

#[test]
fn find_steps_and_pick_allocate_nothing() {
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
            let (count, served) = allocations(table, &request, &headers);
            assert_eq!(count, 0, "pair {done}: {request:?}");
            done += 1;
            hits += u32::from(served);
        }
    }
    assert!(hits > 1_000, "only {hits} of {done} were served");
    // The counter counts.
    let region = Region::new(HEAP);
    drop(Vec::<u8>::with_capacity(64));
    assert_eq!(region.change().allocations, 1);
}
