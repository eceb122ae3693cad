//! Property 13 of docs/architecture.md: the winner of `explain` is the answer of `find`, and losers do lose.

use gatepost::analysis::{Verdict, explain};
use gatepost::controller::Controller;
use gatepost::table::Head;
use gatepost::target::Raw;
use gatepost_conformance::generate::Generator;

#[test]
fn the_winner_is_the_answer() {
    let mut generator = Generator::new(7);
    let (mut done, mut hits) = (0, 0);
    while done < 10_000 {
        let objects = generator.objects();
        let resolution = Controller::default().resolve(&Generator::resources(&objects));
        let table = &resolution.planes().first().expect("a plane").table;
        for _ in 0..50 {
            let request = generator.request(&objects);
            let mut buffer = Vec::new();
            let mut hosts = request.hosts.iter().map(Vec::as_slice);
            let raw = Raw {
                target: &request.target,
                authority: None,
                hosts: &mut hosts,
                host_required: true,
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
                        (&winner.route.key, winner.rule.index, winner.position),
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
}
