//! The winner of `explain` is the answer of `find`, losers lose by the step that decides,
//! and what fails does fail.

use std::cmp::Reverse;

use gatepost::analysis::{Candidate, Verdict, explain};
use gatepost::controller::Controller;
use gatepost::rule::{Matches, PathMatch, PrecedenceStep, ValueMatch};
use gatepost::table::Head;
use gatepost::target::Raw;
use gatepost_conformance::generate::Generator;
use gatepost_conformance::request::Protocol;

#[test]
fn the_winner_is_the_answer() {
    let mut generator = Generator::new(7);
    let (mut done, mut hits, mut lost, mut failed) = (0, 0, 0, 0);
    while done < 10_000 {
        let objects = generator.objects();
        let resolution = Controller::default().resolve(&Generator::resources(&objects));
        let table = &resolution.planes().first().expect("a plane").table;
        for _ in 0..50 {
            let request = generator.request(&objects);
            if matches!(
                request.protocol,
                Protocol::Tls | Protocol::Tcp | Protocol::Udp
            ) {
                continue;
            }
            let mut buffer = Vec::new();
            let mut hosts = request.hosts.iter().map(Vec::as_slice);
            let raw = Raw {
                target: &request.target,
                authority: request.authority.as_deref(),
                hosts: &mut hosts,
                host_required: request.protocol == Protocol::Http11,
                connect: false,
            };
            let Ok(target) = table.target(raw, &mut buffer) else {
                continue;
            };
            let mut headers = http::HeaderMap::new();
            for (name, value) in &request.headers {
                if let (Ok(name), Ok(value)) = (
                    name.parse::<http::HeaderName>(),
                    http::HeaderValue::from_bytes(value),
                ) {
                    headers.append(name, value);
                }
            }
            let head = Head {
                port: request.port,
                sni: request.sni.as_deref(),
                method: request.method.as_bytes(),
                target,
                headers: &headers,
            };
            let found = table.find(&head, &mut table.scratch());
            let explanation = explain(table, &head);
            let won: Vec<_> = explanation
                .candidates
                .iter()
                .filter(|(_, verdict)| *verdict == Verdict::Won)
                .collect();
            match &found {
                Ok(found) => {
                    hits += 1;
                    let [(winner, _)] = won.as_slice() else {
                        panic!("{} winners: {request:?}", won.len());
                    };
                    let position = usize::from(found.position());
                    assert_eq!(
                        (&*winner.route.key, winner.rule.index, winner.position),
                        (found.route(), found.rule().index, position)
                    );
                }
                Err(_) => {
                    let fits = |verdict: &Verdict| {
                        matches!(
                            verdict,
                            Verdict::Won | Verdict::Lost(_) | Verdict::AfterGrpc
                        )
                    };
                    assert!(
                        !explanation
                            .candidates
                            .iter()
                            .any(|(_, verdict)| fits(verdict)),
                        "{request:?}"
                    );
                }
            }
            for (candidate, verdict) in &explanation.candidates {
                match verdict {
                    Verdict::Lost(step) => {
                        let (winner, _) = won[0];
                        assert_eq!(Some(*step), decided(winner, candidate), "{request:?}");
                        lost += 1;
                    }
                    Verdict::Failed(reasons) => {
                        for reason in reasons {
                            assert!(truly(reason, candidate, &head), "{reason}: {request:?}");
                            failed += 1;
                        }
                    }
                    _ => {}
                }
            }
            if let Some(nearest) = explanation.nearest {
                let failures = |at: usize| match &explanation.candidates[at].1 {
                    Verdict::Failed(reasons) => Some(reasons.len()),
                    _ => None,
                };
                let fewest = (0..explanation.candidates.len()).filter_map(failures).min();
                assert_eq!(failures(nearest), fewest, "{request:?}");
                assert!(found.is_err(), "a miss is near only where nothing hit");
            }
            let odd = Verdict::Failed(vec!["the table does not take it".to_owned()]);
            assert!(
                !explanation
                    .candidates
                    .iter()
                    .any(|(_, verdict)| *verdict == odd),
                "{request:?}"
            );
            done += 1;
        }
    }
    assert!(hits * 2 > done, "only {hits} of {done} hit");
    assert!(lost > 500, "only {lost} losers");
    assert!(failed > 5_000, "only {failed} failures");
}

/// The first step at which two candidates differ, read off their routes: the specification's list, once more.
fn decided(winner: &Candidate<'_>, loser: &Candidate<'_>) -> Option<PrecedenceStep> {
    let hostname = |one: &Candidate<'_>| {
        let text = one.hostname.map(ToString::to_string).unwrap_or_default();
        let kind = match text.as_str() {
            "" => 0,
            wild if wild.starts_with('*') => 1,
            _ => 2,
        };
        (kind, text.len())
    };
    let counts = |one: &Candidate<'_>| {
        let name = |name: &Option<ValueMatch>| match name {
            None => (0, 0),
            Some(ValueMatch::Exact(text)) => (3, text.len()),
            Some(ValueMatch::Pattern(pattern)) => (2, pattern.as_str().len()),
        };
        match &one.rule.matches {
            Matches::Http(matches) => {
                let one = &matches[one.position];
                let asked = &one.conditions;
                let path = match &one.path {
                    PathMatch::Exact(path) => (3, path.len()),
                    PathMatch::Pattern(pattern) => (2, pattern.as_str().len()),
                    PathMatch::Prefix(prefix) => (1, prefix.len()),
                };
                (
                    path,
                    (0, 0),
                    usize::from(asked.method.is_some()),
                    asked.headers.len(),
                    asked.query.len(),
                )
            }
            Matches::Grpc(matches) => {
                let one = &matches[one.position];
                (
                    name(&one.service),
                    name(&one.method),
                    0,
                    one.headers.len(),
                    0,
                )
            }
            Matches::Connection => ((0, 0), (0, 0), 0, 0, 0),
        }
    };
    let age = |one: &Candidate<'_>| (one.route.created.is_none(), one.route.created);
    let name = |one: &Candidate<'_>| format!("{}/{}", one.route.key.namespace, one.route.key.name);
    let (one, two) = (counts(winner), counts(loser));
    let steps = [
        (
            PrecedenceStep::Hostname,
            hostname(winner) != hostname(loser),
        ),
        (PrecedenceStep::Path, one.0 != two.0),
        (PrecedenceStep::GrpcMethod, one.1 != two.1),
        (PrecedenceStep::Method, one.2 != two.2),
        (PrecedenceStep::Headers, one.3 != two.3),
        (PrecedenceStep::QueryParameters, one.4 != two.4),
        (PrecedenceStep::Age, age(winner) != age(loser)),
        (PrecedenceStep::Name, name(winner) != name(loser)),
        (PrecedenceStep::Rule, winner.rule.index != loser.rule.index),
        (PrecedenceStep::Match, winner.position != loser.position),
    ];
    let (step, _) = steps.into_iter().find(|(_, differ)| *differ)?;
    // And by that step the winner does come first.
    let first = match step {
        PrecedenceStep::Hostname => hostname(winner) > hostname(loser),
        PrecedenceStep::Age => age(winner) < age(loser),
        PrecedenceStep::Name => name(winner) < name(loser),
        PrecedenceStep::Rule | PrecedenceStep::Match => {
            (winner.rule.index, winner.position) < (loser.rule.index, loser.position)
        }
        _ => Reverse(one) < Reverse(two),
    };
    first.then_some(step)
}

/// Whether what is said to fail fails, as far as exact values show it without any code of the matcher.
fn truly(reason: &str, candidate: &Candidate<'_>, head: &Head<'_>) -> bool {
    let Matches::Http(matches) = &candidate.rule.matches else {
        return true;
    };
    let one = &matches[candidate.position];
    let path = head.target.path();
    if reason.starts_with("path:") {
        return match &one.path {
            PathMatch::Exact(exact) => **exact != *path,
            PathMatch::Prefix(prefix) => {
                let rest = path.strip_prefix(&**prefix);
                rest.is_none_or(|rest| !rest.is_empty() && rest[0] != b'/')
            }
            PathMatch::Pattern(_) => true,
        };
    }
    let one = &one.conditions;
    if reason.starts_with("method:") {
        let method = one.method.as_ref().map(|method| method.as_str().as_bytes());
        return method.is_some_and(|method| method != head.method);
    }
    if let Some(rest) = reason.strip_prefix("header ") {
        let asked = one
            .headers
            .iter()
            .find(|field| rest.starts_with(&format!("{}:", field.name)));
        let Some(field) = asked else {
            return false;
        };
        let mut values: Vec<String> = Vec::new();
        head.headers.each(&field.name, &mut |value| {
            values.push(String::from_utf8_lossy(value).into_owned());
        });
        let joined = values.join(if field.name == "cookie" { "; " } else { "," });
        return match &field.value {
            ValueMatch::Exact(exact) => {
                field.name == "host" || values.is_empty() || joined.as_bytes() != &**exact
            }
            ValueMatch::Pattern(_) => true,
        };
    }
    let parameter = one
        .query
        .iter()
        .any(|own| reason.starts_with(&format!("query {}:", own.name)));
    parameter && (head.target.query().is_none() || reason.contains("request has"))
}
