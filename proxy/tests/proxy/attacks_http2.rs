//! `conformance/attacks/http2.jsonl` against the proxy, in clear with prior knowledge.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::attacks::{RIGS, Rig, request};
use crate::common;
use crate::frames::{Answers, decode, encode, preface};
use crate::recorder::Recorded;

#[derive(Debug)]
struct Seen {
    requests: Vec<Recorded>,
    answers: Answers,
    closed: bool,
    elapsed: Duration,
    next: bool,
}

async fn run(rig: &Rig, case: &Value) -> Seen {
    rig.clear();
    let start = Instant::now();
    let stream = TcpStream::connect(("127.0.0.1", rig.port))
        .await
        .expect("connected");
    let (mut reader, mut writer) = stream.into_split();
    let mut sent = preface();
    encode(&case["frames"], 0, &mut sent);
    // A peer that refuses closes while we still send.
    let sending = tokio::spawn(async move {
        let _ = writer.write_all(&sent).await;
        writer
    });
    let (mut received, mut closed) = (Vec::new(), false);
    loop {
        let mut part = vec![0; 16 << 10];
        match tokio::time::timeout(Duration::from_millis(500), reader.read(&mut part)).await {
            Err(_) => break,
            Ok(Ok(count)) if count > 0 => received.extend_from_slice(&part[..count]),
            Ok(_) => {
                closed = true;
                break;
            }
        }
    }
    sending.abort();
    let elapsed = start.elapsed();
    let requests = rig.requests();
    let next = common::get(rig.port, "gate.test", "/").await == (200, "ok".to_owned());
    Seen {
        requests,
        answers: decode(&received),
        closed,
        elapsed,
        next,
    }
}

fn is(outcome: &Value, seen: &Seen) -> bool {
    let refused = |status: &u16| *status == 0 || *status >= 400;
    let gone = seen.closed || seen.answers.goaway;
    match outcome["kind"].as_str().expect("a kind") {
        "h2-error" => {
            let answered =
                !seen.answers.statuses.is_empty() && seen.answers.statuses.iter().all(refused);
            seen.requests.is_empty() && (seen.answers.resets > 0 || answered || gone)
        }
        "h2-close" => gone,
        "h2-alive" => seen.next,
        "h2-answer" => {
            let listed = |status: &u16| {
                *status == 0
                    || outcome["status"]
                        .as_array()
                        .is_some_and(|list| list.iter().any(|one| one == *status))
            };
            seen.requests.is_empty()
                && !seen.answers.statuses.is_empty()
                && seen.answers.statuses.iter().all(listed)
        }
        "h2-noadmin" => seen
            .requests
            .iter()
            .all(|request| request.backend != "admin"),
        "hold" => seen.requests.is_empty() && seen.answers.statuses.is_empty() && !gone,
        "reject" => seen.requests.is_empty(),
        "route" => {
            let wanted = outcome["requests"].as_array().expect("a list");
            // Streams are independent, so their requests may arrive in any order.
            let mut left: Vec<&Recorded> = seen.requests.iter().collect();
            let found = wanted.iter().all(|wanted| {
                let at = left.iter().position(|got| request(wanted, got));
                at.map(|at| left.remove(at)).is_some()
            });
            let statuses = &seen.answers.statuses;
            let right =
                statuses.len() == wanted.len() && statuses.iter().all(|status| *status == 200);
            found && left.is_empty() && (right || outcome["status"].is_array())
        }
        kind => panic!("{kind}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_http2_has_its_outcomes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/attacks");
    let fixture = std::fs::read_to_string(folder.join("fixture.yaml")).expect("the fixture");
    let lines = std::fs::read_to_string(folder.join("http2.jsonl")).expect("the cases");
    let cases: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let mut work = Vec::new();
    for rig in 0..RIGS {
        let share: Vec<Value> = cases.iter().skip(rig).step_by(RIGS).cloned().collect();
        let fixture = fixture.clone();
        work.push(tokio::spawn(async move {
            let rig = Rig::start(&fixture).await;
            let mut results = Vec::new();
            for case in share {
                let seen = run(&rig, &case).await;
                results.push((case, seen));
            }
            results
        }));
    }
    let mut results = Vec::new();
    for rig in work {
        results.extend(rig.await.expect("a rig"));
    }
    let mut counts: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    for (case, seen) in results {
        let any = |key: &str| {
            case[key]
                .as_array()
                .into_iter()
                .flatten()
                .any(|outcome| is(outcome, &seen))
        };
        let forged = seen.requests.iter().any(|request| {
            request.target.starts_with("/canary")
                || !request.deviations.is_empty()
                || request.fields.iter().any(|(name, _)| name == "x-role")
        });
        let count = counts
            .entry(case["class"].as_str().expect("a class").to_owned())
            .or_default();
        if forged
            || !seen.next
            || seen.elapsed > Duration::from_secs(10)
            || !(any("expect") || any("allow"))
        {
            count[2] += 1;
            println!("failed {} {}: {seen:?}", case["id"], case["title"]);
        } else if any("expect") {
            count[0] += 1;
        } else {
            count[1] += 1;
            println!("safe   {} {}", case["id"], case["title"]);
        }
    }
    for (class, [strict, safe, failed]) in &counts {
        println!("{class}: {strict} strict, {safe} safe, {failed} failed");
    }
    assert!(
        counts.values().all(|[_, _, failed]| *failed == 0),
        "cases failed"
    );
}
