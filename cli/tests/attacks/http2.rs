//! `conformance/attacks/http2.jsonl`: in clear with prior knowledge, and over TLS as agreed on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::frames::{Answers, decode, encode, preface};
use crate::http1::request;
use crate::recorder::Recorded;
use crate::rig::{Rig, any};

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
    let stream = rig.connect().await.expect("connected");
    let (mut reader, mut writer) = tokio::io::split(stream);
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
    let next = rig.next().await;
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

async fn judge(rig: Arc<Rig>, case: Value) -> Result<bool, String> {
    let seen = run(&rig, &case).await;
    let forged = seen.requests.iter().any(|request| {
        request.target.starts_with("/canary")
            || !request.deviations.is_empty()
            || request.fields.iter().any(|(name, _)| name == "x-role")
    });
    if forged || seen.elapsed > Duration::from_secs(10) {
        return Err(format!("forged or late: {seen:?}"));
    }
    let matches = |outcome: &Value| is(outcome, &seen);
    match any(&case, "expect", matches) {
        true => Ok(true),
        false if any(&case, "allow", matches) => Ok(false),
        false => Err(format!("none of the outcomes: {seen:?}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_http2_has_its_outcomes_in_clear() {
    crate::rig::run("http2.jsonl", None, judge).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_http2_has_its_outcomes_over_tls() {
    crate::rig::run("http2.jsonl", Some("h2"), judge).await;
}
