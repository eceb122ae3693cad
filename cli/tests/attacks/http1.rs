//! `conformance/attacks/http1.jsonl`: hostile requests, and hostile answers of backends.
//!
//! The format is described in `conformance/attacks/README.md`. An outcome among `expect` is strict, one among `allow`
//! is safe, every other one has failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::frames::bytes;
use crate::recorder::Recorded;
use crate::rig::{Rig, any};

/// Each byte as the character of the same number.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Writes the parts of a case, each by itself.
pub(crate) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    parts: &Value,
) -> std::io::Result<()> {
    for part in parts.as_array().expect("a list") {
        if let Some(text) = part.as_str() {
            stream.write_all(&bytes(text)).await?;
        } else if let Some(text) = part["repeat"].as_str() {
            let times = part["times"].as_u64().expect("a number");
            stream
                .write_all(&bytes(text).repeat(usize::try_from(times).expect("small")))
                .await?;
        } else if let Some(pause) = part["pause_ms"].as_u64() {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        } else if part["half_close"] == true {
            stream.shutdown().await?;
        }
    }
    Ok(())
}

/// What a case came to.
#[derive(Debug)]
struct Seen {
    requests: Vec<Recorded>,
    upstream_bytes: usize,
    answers: Vec<Answer>,
    closed: bool,
    sound: bool,
    elapsed: Duration,
}

#[derive(Debug)]
struct Answer {
    status: u64,
    fields: BTreeMap<String, String>,
    body: String,
    truncated: bool,
}

async fn run(rig: &Rig, case: &Value) -> Seen {
    *rig.log.script.lock().expect("no panic") = Some(case["upstream"].clone());
    rig.clear();
    *rig.log.bytes.lock().expect("no panic") = 0;
    let start = Instant::now();
    let mut stream = rig.connect().await.expect("connected");
    let (mut received, mut closed) = (Vec::new(), false);
    // A peer that refuses may close while we still send.
    let broken = send(&mut stream, &case["send"]).await.is_err();
    loop {
        let quiet = if received.is_empty() { 1500 } else { 400 };
        let mut part = [0; 4096];
        match tokio::time::timeout(Duration::from_millis(quiet), stream.read(&mut part)).await {
            Err(_) => break,
            Ok(Ok(count)) if count > 0 => received.extend_from_slice(&part[..count]),
            Ok(_) => {
                closed = true;
                break;
            }
        }
    }
    let methods: Vec<&str> = case["methods"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let preface = case["send"][0]
        .as_str()
        .is_some_and(|text| text.starts_with("PRI * HTTP/2.0"));
    // Frames are HTTP too.
    let text = if preface {
        String::new()
    } else {
        latin1(&received)
    };
    let (answers, sound) = answers(&text, &methods, closed);
    Seen {
        requests: rig.requests(),
        upstream_bytes: *rig.log.bytes.lock().expect("no panic"),
        answers,
        closed: closed || broken,
        sound,
        elapsed: start.elapsed(),
    }
}

/// Takes the answers apart; whether all of it was HTTP.
fn answers(text: &str, methods: &[&str], closed: bool) -> (Vec<Answer>, bool) {
    let (mut answers, mut left) = (Vec::<Answer>::new(), text);
    while !left.is_empty() {
        let Some((head, rest)) = left.split_once("\r\n\r\n") else {
            return (answers, closed);
        };
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok());
        let Some(status) = status else {
            return (answers, false);
        };
        let fields: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        left = rest;
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let bodiless = methods
            .get(answers.len())
            .is_some_and(|method| *method == "HEAD")
            || matches!(status, 204 | 304);
        let (mut body, mut truncated) = (String::new(), false);
        if bodiless {
        } else if fields
            .get("transfer-encoding")
            .is_some_and(|coding| coding == "chunked")
        {
            loop {
                let chunk = left.split_once("\r\n").and_then(|(size, after)| {
                    let size = usize::from_str_radix(size, 16).ok()?;
                    let at = after
                        .char_indices()
                        .map(|(at, _)| at)
                        .chain([after.len()])
                        .nth(size)?;
                    let after_data = after[at..].strip_prefix("\r\n")?;
                    Some((size, &after[..at], after_data))
                });
                let Some((size, data, after)) = chunk else {
                    (truncated, left) = (true, "");
                    break;
                };
                body += data;
                left = after;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = fields
            .get("content-length")
            .and_then(|length| length.parse().ok())
        {
            body = left.chars().take(length).collect();
            truncated = body.chars().count() < length;
            left = &left[body.len()..];
        } else {
            body = std::mem::take(&mut left).to_owned();
        }
        answers.push(Answer {
            status,
            fields,
            body,
            truncated,
        });
    }
    (answers, true)
}

fn listed(list: &Value, status: u64) -> bool {
    match list {
        Value::Array(list) => list.iter().any(|one| one == status),
        _ => status >= 400,
    }
}

/// Whether an outcome of a case is what was seen.
fn is(outcome: &Value, seen: &Seen) -> bool {
    let first = seen.answers.first().map(|answer| answer.status);
    let close = outcome["close"] != true || seen.closed;
    match outcome["kind"].as_str().expect("a kind") {
        "reject" => {
            let status = match first {
                Some(status) => listed(&outcome["status"], status),
                None => outcome["status"] == "any" && seen.closed,
            };
            seen.requests.is_empty() && status && close
        }
        "answer" => {
            seen.requests.is_empty()
                && first.is_some_and(|status| listed(&outcome["status"], status))
        }
        "route" => {
            let wanted = outcome["requests"].as_array().expect("a list");
            let statuses: Vec<u64> = seen.answers.iter().map(|answer| answer.status).collect();
            let right = match outcome["status"].as_array() {
                Some(list) => list
                    .iter()
                    .map(Value::as_u64)
                    .eq(statuses.iter().copied().map(Some)),
                None => {
                    statuses.len() == wanted.len() && statuses.iter().all(|status| *status == 200)
                }
            };
            let requests = wanted.len() == seen.requests.len()
                && wanted
                    .iter()
                    .zip(&seen.requests)
                    .all(|(wanted, got)| request(wanted, got));
            requests && right && close
        }
        "client" if outcome["closed_early"] == true => seen.answers.is_empty() && seen.closed,
        "client" => {
            let truncated = outcome["truncated"] == true;
            seen.answers.len() == 1
                && seen.answers.iter().all(|answer| {
                    answer.truncated == truncated
                        && (outcome["status"].is_null()
                            || listed(&outcome["status"], answer.status))
                        && outcome["body"]
                            .as_str()
                            .is_none_or(|body| answer.body == body)
                        && fields(&outcome["headers"], &|name| {
                            answer.fields.get(name).cloned()
                        })
                })
        }
        "noforward" => seen.upstream_bytes == 0,
        "hold" => seen.requests.is_empty() && seen.answers.is_empty() && !seen.closed,
        kind => panic!("{kind}"),
    }
}

pub(crate) fn request(wanted: &Value, got: &Recorded) -> bool {
    let field = |name: &str| {
        let values: Vec<&str> = got
            .fields
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let text = |key: &str, own: &str| wanted[key].as_str().is_none_or(|wanted| wanted == own);
    let forbidden = wanted["no_trailers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    text("backend", got.backend)
        && text("method", &got.method)
        && text("target", &got.target)
        && text("body", &got.body)
        && text("host", &field("host").unwrap_or_default())
        && forbidden.into_iter().all(|name| {
            !got.trailers
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name))
        })
        && fields(&wanted["headers"], &field)
}

fn fields(wanted: &Value, get: &dyn Fn(&str) -> Option<String>) -> bool {
    let Some(wanted) = wanted.as_object() else {
        return true;
    };
    wanted.iter().all(|(name, rule)| {
        let value = get(&name.to_lowercase());
        let matches = |pattern: &Value, value: &str| {
            let pattern = pattern.as_str().expect("a pattern");
            regex::Regex::new(pattern)
                .expect("a sound pattern")
                .is_match(value)
        };
        match rule {
            Value::Null => value.is_none(),
            Value::String(text) => value.as_ref() == Some(text),
            rule if rule["re"].is_string() => {
                value.is_some_and(|value| matches(&rule["re"], &value))
            }
            rule if rule["absent_or_re"].is_string() => {
                value.is_none_or(|value| matches(&rule["absent_or_re"], &value))
            }
            rule if rule["not"].is_string() => value.as_deref() != rule["not"].as_str(),
            rule => {
                let last = value
                    .as_deref()
                    .and_then(|value| value.rsplit(',').next())
                    .map(|last| last.trim().to_owned());
                let not = rule["last_not"].as_array().expect("a list");
                last.is_none_or(|last| !not.iter().any(|one| one == last.as_str()))
            }
        }
    })
}

/// The rules that hold for every case.
fn broken_rule(seen: &Seen) -> Option<String> {
    if let Some(request) = seen
        .requests
        .iter()
        .find(|request| !request.deviations.is_empty())
    {
        return Some(format!("rule 1: {:?}", request.deviations));
    }
    if seen
        .requests
        .iter()
        .any(|request| request.target.starts_with("/canary"))
    {
        return Some("rule 2: /canary was reached".to_owned());
    }
    if !seen.sound || seen.answers.iter().any(|answer| answer.status == 299) {
        return Some("rule 3: the client got something else than HTTP answers".to_owned());
    }
    (seen.elapsed > Duration::from_secs(10)).then(|| "rule 5: it took too long".to_owned())
}

async fn judge(rig: Arc<Rig>, case: Value) -> Result<bool, String> {
    let seen = run(&rig, &case).await;
    if let Some(rule) = broken_rule(&seen) {
        return Err(format!("{rule}: {seen:?}"));
    }
    if case["must_close"] == true && !seen.closed {
        return Err("the connection was not closed".to_owned());
    }
    let matches = |outcome: &Value| is(outcome, &seen);
    match any(&case, "expect", matches) {
        true => Ok(true),
        false if any(&case, "allow", matches) => Ok(false),
        false => Err(format!("none of the outcomes: {seen:?}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_http1_has_its_outcomes_in_clear() {
    crate::rig::run("http1.jsonl", None, judge).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_http1_has_its_outcomes_over_tls() {
    crate::rig::run("http1.jsonl", Some("http/1.1"), judge).await;
}
