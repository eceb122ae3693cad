//! BackendTLSPolicy, certificates of the Gateway and of clients, filters of listeners: from manifests to the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Backend, Running, free_port, service};
use crate::script::{Part, Scripted, answer};
use crate::tls::{Key, web};

fn policy(service: &str, hostname: &str, authority: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: {service}, namespace: app}}\n\
         spec: {{targetRefs: [{{group: '', kind: Service, name: {service}}}], \
         validation: {{hostname: {hostname}, caCertificateRefs: [{{group: '', kind: ConfigMap, name: {authority}}}]}}}}\n"
    )
}

fn gateway(rest: &str, listeners: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: app}}\n\
         spec:\n  gatewayClassName: gatepost\n{rest}  listeners: [{listeners}]\n"
    )
}

/// A route of every path `/NAME` to the Service of that name.
fn route(names: &[&str]) -> String {
    let rule = |name: &&str| {
        format!(
            "{{matches: [{{path: {{value: /{name}}}}}], backendRefs: [{{name: {name}, port: 80}}]}}"
        )
    };
    let rules: Vec<String> = names.iter().map(rule).collect();
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: main, namespace: app}}\n\
         spec: {{parentRefs: [{{name: gw}}], rules: [{}]}}\n",
        rules.join(", ")
    )
}

#[tokio::test]
async fn a_backend_is_reached_as_its_policy_says_or_not_at_all() {
    let (key, other, own) = (
        Key::of("good.test"),
        Key::of("good.test"),
        Key::of("gate.test"),
    );
    let plain = Backend::start("plain").await;
    let good = web(&key, None).await;
    let asking = web(&key, Some(&own)).await;
    let text = gateway(
        "  tls: {backend: {clientCertificateRef: {name: own}}}\n",
        "{name: http, port: PORT, protocol: HTTP}",
    ) + &route(&["good", "asking", "name", "stranger", "missing", "plain"])
        + &service("good", "", &[good])
        + &policy("good", "good.test", "authority")
        + &service("asking", "", &[asking])
        + &policy("asking", "good.test", "authority")
        + &service("name", "", &[good])
        + &policy("name", "bad.test", "authority")
        + &service("stranger", "", &[good])
        + &policy("stranger", "good.test", "other")
        + &service("missing", "", &[good])
        + &policy("missing", "good.test", "nowhere")
        + &service("plain", "", &[plain.address])
        + &policy("plain", "good.test", "authority")
        + &key.bundle("authority")
        + &other.bundle("other")
        + &own.secret("own");
    let running = Running::start(&text).await;
    for (path, status, body) in [
        ("/good", 200, "good.test false"),
        ("/asking", 200, "good.test true"),
        ("/name", 502, "bad gateway\n"),
        ("/stranger", 502, "bad gateway\n"),
        ("/plain", 502, "bad gateway\n"),
    ] {
        let answer = running.get("a.test", path).await;
        assert_eq!(answer, (status, body.to_owned()), "{path}");
    }
    let (status, _) = running.get("a.test", "/missing").await;
    assert!((500..=503).contains(&status), "{status}");
    // Nothing went there in clear either.
    assert_eq!(plain.heads().len(), 0);
}

#[tokio::test]
async fn clients_show_a_certificate_where_their_port_asks_for_one() {
    let (key, client, stranger) = (Key::of("a.test"), Key::of("client"), Key::of("client"));
    let backend = Backend::start("one").await;
    let (fallback, open) = (free_port(), free_port());
    let validation = |mode: &str| {
        format!(
            "{{validation: {{mode: {mode}, caCertificateRefs: [{{group: '', kind: ConfigMap, name: clients}}]}}}}"
        )
    };
    let listener = |name: &str, port: &str| {
        format!(
            "{{name: {name}, port: {port}, protocol: HTTPS, tls: {{certificateRefs: [{{name: crt}}]}}}}"
        )
    };
    let listeners = [
        listener("strict", "PORT"),
        listener("fallback", &fallback.to_string()),
        listener("open", &open.to_string()),
    ];
    let text = gateway(
        &format!(
            "  tls: {{frontend: {{default: {}, perPort: [{{port: {fallback}, tls: {}}}, {{port: {open}, tls: {{}}}}]}}}}\n",
            validation("AllowValidOnly"),
            validation("AllowInsecureFallback")
        ),
        &listeners.join(", "),
    ) + &route(&["one"])
        + &service("one", "", &[backend.address])
        + &key.secret("crt")
        + &client.bundle("clients");
    let running = Running::start(&text).await;
    let asks = async |port: u16, own: Option<&Key>| {
        let Ok(mut stream) = key.connect(port, "a.test", own).await else {
            return false;
        };
        let request = b"GET /one HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        let mut answer = Vec::new();
        // A refusal of TLS 1.3 comes only after the handshake.
        let asked = stream.write_all(request).await.is_ok();
        let heard = stream.read_to_end(&mut answer).await.is_ok();
        asked && heard && answer.starts_with(b"HTTP/1.1 200")
    };
    for (port, with, without, strange) in [
        (running.port, true, false, false),
        (fallback, true, true, true),
        (open, true, true, true),
    ] {
        assert_eq!(asks(port, Some(&client)).await, with, "{port}");
        assert_eq!(asks(port, None).await, without, "{port}");
        assert_eq!(asks(port, Some(&stranger)).await, strange, "{port}");
    }
}

#[tokio::test]
async fn filters_of_a_listener_come_before_its_routes() {
    let backend = Backend::start("one").await;
    let authority = Scripted::start(|_, seen| {
        let status = if seen.head.contains("authorization: yes\r\n") {
            200
        } else {
            403
        };
        vec![answer(status, "X-User: known\r\n", "no"), Part::Pause(0)]
    })
    .await;
    let text = gateway(
        "",
        "{name: http, port: PORT, protocol: HTTP, filters: {requests: [{type: ExternalAuth, externalAuth: \
         {protocol: HTTP, http: {}, backendRef: {name: authority, port: 80}}}]}}",
    ) + &route(&["one"])
        + &service("one", "", &[backend.address])
        + &service("authority", "", &[authority.address]);
    let running = Running::start(&text).await;
    // Whether or not a route serves it.
    for path in ["/one", "/nowhere"] {
        assert_eq!(running.get("a.test", path).await.0, 403, "{path}");
    }
    let mut client = crate::common::Client::connect(running.port).await;
    let request =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nAuthorization: yes\r\n\r\n");
    assert_eq!(client.exchange(&request("/one")).await.0, 200);
    assert_eq!(client.exchange(&request("/nowhere")).await.0, 404);
    let heads = backend.heads();
    assert!(
        heads.len() == 1 && heads[0].contains("x-user: known\r\n"),
        "{heads:?}"
    );
}
