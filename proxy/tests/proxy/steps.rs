//! The steps of rules, end to end: what backends get, and what clients do.

use std::time::{Duration, Instant};

use crate::common::{Client, GATEWAY, Running, eventually, free_port, route, service};
use crate::script::{Part, Scripted, answer, field};

fn ok(_: usize, _: &crate::script::Seen) -> Vec<Part> {
    vec![answer(200, "", "ok")]
}

/// A backend that nobody listens at.
fn nobody() -> std::net::SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

async fn serving(rule: &str, services: &[(&str, &[std::net::SocketAddr])]) -> Running {
    let mut text = format!("{GATEWAY}{}", route("main", "a.test", rule));
    for (name, addresses) in services {
        text += &service(name, "", addresses);
    }
    Running::start(&text).await
}

const ONE: &str = "backendRefs: [{name: one, port: 80}]";

fn request(method: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} /x?q=1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
}

#[tokio::test]
async fn preflights_are_answered_here_and_answers_are_marked() {
    let one = Scripted::start(|_, _| {
        vec![answer(
            200,
            "Access-Control-Allow-Origin: https://evil.test\r\n",
            "ok",
        )]
    })
    .await;
    let cors = "{type: CORS, cors: {allowOrigins: ['https://*.good.test'], allowMethods: [GET, PUT], allowHeaders: [X-A], \
                exposeHeaders: [X-B], allowCredentials: true, maxAge: 60}}";
    let running = serving(
        &format!("{{filters: [{cors}], {ONE}}}"),
        &[("one", &[one.address])],
    )
    .await;
    let mut client = Client::connect(running.port).await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS / HTTP/1.1\r\nHost: a.test\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
        )
    };
    client
        .send(preflight("https://x.good.test").as_bytes())
        .await;
    let head = client.head().await.expect("an answer");
    assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    for (name, value) in [
        ("access-control-allow-origin", "https://x.good.test"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "x-a"),
        ("access-control-expose-headers", "x-b"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(field(&head, name).as_deref(), Some(value), "{head}");
    }
    let (status, head, _) = client.exchange(&preflight("https://good.test")).await;
    assert!(
        status == 403 && field(&head, "access-control-allow-origin").is_none(),
        "{head}"
    );
    assert_eq!(one.count(), 0);
    for (origin, shown) in [
        ("https://x.good.test", Some("https://x.good.test")),
        ("https://evil.test", None),
    ] {
        let (status, head, body) = client
            .exchange(&request("GET", &format!("Origin: {origin}\r\n"), ""))
            .await;
        assert_eq!(
            (
                status,
                body.as_str(),
                field(&head, "access-control-allow-origin").as_deref()
            ),
            (200, "ok", shown)
        );
    }
    assert_eq!(one.count(), 2);
}

#[tokio::test]
async fn a_script_may_read_why_its_request_failed() {
    let cors = "{type: CORS, cors: {allowOrigins: ['*']}}";
    let running = serving(
        &format!("{{filters: [{cors}], {ONE}}}"),
        &[("one", &[nobody()])],
    )
    .await;
    let mut client = Client::connect(running.port).await;
    let (status, head, _) = client
        .exchange(&request("GET", "Origin: https://a.test\r\n", ""))
        .await;
    assert_eq!(
        (
            status,
            field(&head, "access-control-allow-origin").as_deref()
        ),
        (502, Some("*"))
    );
}

#[tokio::test]
async fn mirrors_get_the_request_and_nobody_waits_for_them() {
    let one = Scripted::start(ok).await;
    let slow = Scripted::start(|_, _| vec![Part::Pause(3000), answer(500, "", "")]).await;
    let mirror = |name: &str, more: &str| {
        format!(
            "{{type: RequestMirror, requestMirror: {{backendRef: {{name: {name}, port: 80}}{more}}}}}"
        )
    };
    let edit =
        "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: one}]}}";
    let filters = [
        mirror("slow", ""),
        mirror("dead", ""),
        mirror("never", ", percent: 0"),
        mirror("gone", ""),
        edit.to_owned(),
    ]
    .join(", ");
    let never = Scripted::start(ok).await;
    let running = serving(
        &format!("{{filters: [{filters}], {ONE}}}"),
        &[
            ("one", &[one.address]),
            ("slow", &[slow.address]),
            ("dead", &[nobody()]),
            ("never", &[never.address]),
        ],
    )
    .await;
    let mut client = Client::connect(running.port).await;
    let start = Instant::now();
    for (method, body) in [("GET", ""), ("POST", "some body"), ("PUT", "another")] {
        assert_eq!(client.exchange(&request(method, "", body)).await.0, 200);
    }
    let chunked = "POST /x?q=1 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\n more\r\n0\r\n\r\n";
    assert_eq!(client.exchange(chunked).await.0, 200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    eventually("copies arrive", || async { slow.count() == 4 }).await;
    let mut bodies: Vec<String> = Vec::new();
    for seen in slow.seen() {
        assert!(seen.head.contains(" /x?q=1 HTTP/1.1"), "{}", seen.head);
        assert_eq!(seen.field("x-set").as_deref(), Some("one"));
        bodies.push(String::from_utf8(seen.body).expect("text"));
    }
    bodies.sort();
    assert_eq!(bodies, ["", "another", "some body", "some more"]);
    assert_eq!((one.count(), never.count()), (4, 0));
}

#[tokio::test]
async fn a_fraction_of_the_requests_is_copied() {
    let (one, half) = (Scripted::start(ok).await, Scripted::start(ok).await);
    let filter = "{type: RequestMirror, requestMirror: {backendRef: {name: half, port: 80}, fraction: {numerator: 25, denominator: 50}}}";
    let running = serving(
        &format!("{{filters: [{filter}], {ONE}}}"),
        &[("one", &[one.address]), ("half", &[half.address])],
    )
    .await;
    let mut client = Client::connect(running.port).await;
    for _ in 0..400 {
        client.get("a.test", "/").await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Five standard deviations.
    assert!(half.count().abs_diff(200) <= 50, "{}", half.count());
}

#[tokio::test]
async fn nobody_passes_whom_the_authority_does_not_let_pass() {
    let one = Scripted::start(ok).await;
    let authority = Scripted::start(|_, seen| match seen.field("authorization").as_deref() {
        Some("good") => vec![answer(200, "X-User: ada\r\nX-Other: 1\r\n", "")],
        _ => vec![answer(401, "WWW-Authenticate: Basic\r\n", "who are you")],
    })
    .await;
    let auth = |more: &str, name: &str| {
        format!(
            "{{type: ExternalAuth, externalAuth: {{protocol: HTTP, backendRef: {{name: {name}, port: 80}}, http: {{path: /check/, \
             allowedHeaders: [X-Seen], allowedResponseHeaders: [X-User]}}{more}}}}}"
        )
    };
    let rules = format!(
        "{{matches: [{{path: {{value: /gone}}}}], filters: [{}], {ONE}}}, {{matches: [{{path: {{value: /body}}}}], filters: [{}], {ONE}}}, {{matches: [{{path: {{value: /dead}}}}], filters: [{}], {ONE}}}, \
         {{filters: [{}], {ONE}}}",
        auth("", "gone"),
        auth(", forwardBody: {maxSize: 10}", "authority"),
        auth("", "dead"),
        auth("", "authority")
    );
    let running = serving(
        &rules,
        &[
            ("one", &[one.address]),
            ("authority", &[authority.address]),
            ("dead", &[nobody()]),
        ],
    )
    .await;
    let mut client = Client::connect(running.port).await;
    let (status, head, body) = client
        .exchange(&request(
            "GET",
            "X-Seen: 1\r\nX-Hidden: 1\r\nX-User: root\r\n",
            "",
        ))
        .await;
    assert_eq!((status, body.as_str()), (401, "who are you"));
    assert_eq!(field(&head, "www-authenticate").as_deref(), Some("Basic"));
    assert_eq!(one.count(), 0);
    let asked = authority.seen().remove(0);
    assert!(
        asked.head.starts_with("GET /check/x?q=1 HTTP/1.1\r\n"),
        "{}",
        asked.head
    );
    assert_eq!(asked.field("host").as_deref(), Some("a.test"));
    assert_eq!(
        (
            asked.field("x-seen").as_deref(),
            asked.field("x-hidden"),
            asked.field("x-user")
        ),
        (Some("1"), None, None)
    );
    assert_eq!(asked.field("content-length").as_deref(), Some("0"));
    let (status, ..) = client
        .exchange(&request(
            "POST",
            "Authorization: good\r\nConnection: X-User\r\nX-User: root\r\n",
            "payload",
        ))
        .await;
    assert_eq!(status, 200);
    let passed = one.seen().remove(0);
    assert_eq!(
        (passed.field("x-user").as_deref(), passed.field("x-other")),
        (Some("ada"), None)
    );
    assert_eq!(passed.body, b"payload");
    let to = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a.test\r\nAuthorization: good\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    assert_eq!(client.exchange(&to("/body", "0123456789")).await.0, 200);
    assert_eq!(authority.seen().last().expect("asked").body, b"0123456789");
    assert_eq!(one.seen().last().expect("passed").body, b"0123456789");
    assert_eq!(
        Client::connect(running.port)
            .await
            .exchange(&to("/body", "0123456789x"))
            .await
            .0,
        413
    );
    assert_eq!(
        Client::connect(running.port)
            .await
            .exchange(&to("/dead", ""))
            .await
            .0,
        503
    );
    assert_eq!(running.get("a.test", "/gone").await.0, 500);
    assert_eq!(one.count(), 2);
}

#[tokio::test]
async fn listed_codes_are_retried_and_nothing_that_may_not_be() {
    let one = Scripted::start(|number, seen| {
        match seen
            .field("x-fail")
            .and_then(|fail| fail.parse::<usize>().ok())
        {
            Some(code) if number % 3 < 2 => {
                vec![answer(u16::try_from(code).expect("a status"), "", "no")]
            }
            _ => vec![answer(200, "", "ok")],
        }
    })
    .await;
    let retry = |attempts: u32| {
        format!("retry: {{codes: [503], attempts: {attempts}, backoff: 20ms}}, {ONE}")
    };
    let rules = format!(
        "{{matches: [{{path: {{value: /off}}}}], {}}}, {{{}}}",
        retry(0),
        retry(2)
    );
    let running = serving(&rules, &[("one", &[one.address])]).await;
    let mut count = 0;
    let big = "b".repeat(70_000);
    for (request, status, attempts) in [
        (request("GET", "X-Fail: 503\r\n", ""), 200, 3),
        (request("PUT", "X-Fail: 503\r\n", "a body"), 200, 3),
        // Not listed, not idempotent, too large to be kept, switched off: one attempt; three more keep the count.
        (request("GET", "X-Fail: 500\r\n", ""), 500, 1),
        (request("GET", "X-Fail: 500\r\n", ""), 500, 1),
        (request("GET", "", ""), 200, 1),
        (request("POST", "X-Fail: 503\r\n", "a body"), 503, 1),
        (request("PUT", "X-Fail: 503\r\n", &big), 503, 1),
        (request("GET", "", ""), 200, 1),
        (
            request("GET", "X-Fail: 503\r\n", "").replace("/x", "/off"),
            503,
            1,
        ),
    ] {
        let mut client = Client::connect(running.port).await;
        assert_eq!(
            client.exchange(&request).await.0,
            status,
            "{}",
            &request[..20]
        );
        assert_eq!(one.count() - count, attempts, "{}", &request[..20]);
        count = one.count();
    }
    let seen = one.seen();
    assert!(seen[3..6].iter().all(|seen| seen.body == b"a body"));
    assert!(
        seen[1].at - seen[0].at >= Duration::from_millis(20)
            && seen[2].at - seen[1].at >= Duration::from_millis(20)
    );
}

#[tokio::test]
async fn a_dead_endpoint_is_skipped_even_for_what_may_not_be_repeated() {
    let one = Scripted::start(ok).await;
    let running = serving(&format!("{{{ONE}}}"), &[("one", &[nobody(), one.address])]).await;
    for _ in 0..10 {
        let mut client = Client::connect(running.port).await;
        assert_eq!(client.exchange(&request("POST", "", "once")).await.0, 200);
    }
    assert_eq!(one.count(), 10);
}

#[tokio::test]
async fn time_limits_hold_for_heads_and_bodies() {
    let one = Scripted::start(|_, seen| {
        let path = seen.head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/head" => vec![Part::Pause(2000), answer(200, "", "late")],
            "/body" => vec![
                Part::Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab".to_owned()),
                Part::Pause(2000),
                Part::Send("cd".to_owned()),
            ],
            "/trickle" => {
                let mut parts = vec![Part::Send(
                    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_owned(),
                )];
                parts.extend((0..100).flat_map(|_| [Part::Send("x".to_owned()), Part::Pause(50)]));
                parts
            }
            _ => vec![answer(200, "", "ok")],
        }
    })
    .await;
    for timeouts in ["request: 300ms", "request: 10s, backendRequest: 300ms"] {
        let running = serving(
            &format!("{{timeouts: {{{timeouts}}}, {ONE}}}"),
            &[("one", &[one.address])],
        )
        .await;
        let mut client = Client::connect(running.port).await;
        assert_eq!(client.get("a.test", "/").await.0, 200);
        let start = Instant::now();
        assert_eq!(client.get("a.test", "/head").await.0, 504);
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(300) && took < Duration::from_millis(1_500),
            "{took:?}"
        );
        for path in ["/body", "/trickle"] {
            let mut client = Client::connect(running.port).await;
            let start = Instant::now();
            client
                .send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes())
                .await;
            assert!(
                client
                    .head()
                    .await
                    .expect("an answer")
                    .starts_with("HTTP/1.1 200")
            );
            let mut count = 0;
            while !client.closed().await {
                count += 1;
            }
            let took = start.elapsed();
            assert!(
                count < 100
                    && took >= Duration::from_millis(300)
                    && took < Duration::from_millis(1_500),
                "{count} {took:?}"
            );
        }
    }
    let running = serving(
        &format!("{{timeouts: {{request: 0s}}, {ONE}}}"),
        &[("one", &[one.address])],
    )
    .await;
    assert_eq!(
        running.get("a.test", "/head").await,
        (200, "late".to_owned())
    );
}

#[tokio::test]
async fn an_attempt_that_took_too_long_is_a_504_for_the_retry() {
    let one = Scripted::start(|number, _| match number {
        0 | 1 => vec![Part::Pause(1000), Part::Close],
        _ => vec![answer(200, "", "third")],
    })
    .await;
    let retry = "timeouts: {request: 5s, backendRequest: 200ms}, retry: {codes: [504], attempts: 3, backoff: 10ms}";
    let running = serving(&format!("{{{retry}, {ONE}}}"), &[("one", &[one.address])]).await;
    assert_eq!(running.get("a.test", "/").await, (200, "third".to_owned()));
    let whole = "timeouts: {request: 500ms}, retry: {codes: [500], attempts: 5}";
    let two = Scripted::start(|_, _| vec![Part::Pause(300), answer(500, "", "")]).await;
    let running = serving(&format!("{{{whole}, {ONE}}}"), &[("one", &[two.address])]).await;
    let start = Instant::now();
    assert_eq!(running.get("a.test", "/").await.0, 504);
    assert!(
        start.elapsed() >= Duration::from_millis(500)
            && start.elapsed() < Duration::from_millis(1_400)
    );
}

#[tokio::test]
async fn sessions_stay_with_their_endpoint_and_leave_it_when_it_goes() {
    let one = Scripted::start(|_, _| vec![answer(200, "", "1")]).await;
    let two = Scripted::start(|_, _| vec![answer(200, "", "2")]).await;
    let cookie = "sessionPersistence: {type: Cookie, cookie: {name: sid}}";
    let text = |addresses: &[std::net::SocketAddr]| {
        let rules = format!(
            "{{matches: [{{path: {{value: /header}}}}], sessionPersistence: {{type: Header, header: {{name: X-Sid}}}}, {ONE}}}, {{{cookie}, {ONE}}}"
        );
        format!(
            "{GATEWAY}{}{}",
            route("main", "a.test", &rules),
            service("one", "", addresses)
        )
    };
    let running = Running::start(&text(&[one.address, two.address])).await;
    let mut client = Client::connect(running.port).await;
    let (_, head, first) = client.get("a.test", "/").await;
    let set = field(&head, "set-cookie").expect("a cookie");
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Max-Age"), "{set}");
    let token = set.split(';').next().expect("a pair").to_owned();
    let with =
        |token: &str| format!("GET / HTTP/1.1\r\nHost: a.test\r\nCookie: other=1; {token}\r\n\r\n");
    for _ in 0..10 {
        let (_, head, body) = client.exchange(&with(&token)).await;
        assert_eq!(
            (body.as_str(), field(&head, "set-cookie")),
            (first.as_str(), None)
        );
    }
    // A token of nobody leads nowhere, and is replaced.
    let (status, head, _) = client
        .exchange(&with("sid=1-00000000000000000000000000000000"))
        .await;
    assert!(status == 200 && field(&head, "set-cookie").is_some());
    let (_, head, first_by_field) = client.get("a.test", "/header").await;
    let token_by_field = field(&head, "x-sid").expect("a token");
    for _ in 0..10 {
        let (_, head, body) = client
            .exchange(&format!(
                "GET /header HTTP/1.1\r\nHost: a.test\r\nX-Sid: {token_by_field}\r\n\r\n"
            ))
            .await;
        assert_eq!(
            (body, field(&head, "x-sid")),
            (first_by_field.clone(), None)
        );
    }
    let other = if first == "1" {
        two.address
    } else {
        one.address
    };
    running.write("all.yaml", &text(&[other]));
    eventually("the session moves", || async {
        let (_, head, body) = Client::connect(running.port)
            .await
            .exchange(&with(&token))
            .await;
        body != first && field(&head, "set-cookie").is_some()
    })
    .await;
}

#[tokio::test]
async fn faults_of_backends_never_pass_for_answers() {
    let one = Scripted::start(|_, seen| {
        let send = |text: &str| Part::Send(text.to_owned());
        match seen.head.split(' ').nth(1).unwrap_or_default() {
            "/silent" => vec![Part::Close],
            "/half-head" => vec![send("HTTP/1.1 200 OK\r\nContent-Le"), Part::Close],
            "/garbage" => vec![send("\x00\x01garbage\r\n\r\n"), Part::Close],
            "/half-body" => vec![
                send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
                Part::Close,
            ],
            "/half-chunk" => vec![
                send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
                Part::Close,
            ],
            "/two-lengths" => vec![
                send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
                Part::Close,
            ],
            _ => vec![answer(200, "", "ok")],
        }
    })
    .await;
    let running = serving(&format!("{{{ONE}}}"), &[("one", &[one.address])]).await;
    for path in ["/silent", "/half-head", "/garbage", "/two-lengths"] {
        assert_eq!(running.get("a.test", path).await.0, 502, "{path}");
        assert_eq!(running.get("a.test", "/").await.0, 200);
    }
    for path in ["/half-body", "/half-chunk"] {
        let mut client = Client::connect(running.port).await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes())
            .await;
        let head = client.head().await.expect("an answer");
        let mut bytes = Vec::new();
        while let Some(byte) = client.byte().await {
            bytes.push(byte);
        }
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            head.starts_with("HTTP/1.1 200") && !text.ends_with("0\r\n\r\n") && text.len() < 10,
            "{head}{text}"
        );
    }
}
