//! The walkthrough on the real binary, with requests running through all changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Application, Serve, put, request, until};
use serde_json::{Value, json};

const HOST: &str = "reverse-words.apps.gateway-api.test.lab";
const BLUE: &str = "Reverse Words Release: Blue. App version: v0.0.27";
const GREEN: &str = "Reverse Words Release: Green. App version: v0.0.28";
const OFFSET: u16 = 21_000;

fn manifest(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("walkthrough")
        .join(name);
    std::fs::read_to_string(path).expect("a manifest of the walkthrough")
}

/// The route with a JSON merge patch (RFC 7396) laid over it, as `kubectl patch --type merge` does.
fn patched(patch: &str) -> String {
    fn merge(target: &mut Value, patch: &Value) {
        match (target, patch) {
            (Value::Object(target), Value::Object(patch)) => {
                for (key, value) in patch {
                    if value.is_null() {
                        target.remove(key);
                    } else {
                        merge(target.entry(key).or_insert(Value::Null), value);
                    }
                }
            }
            (target, patch) => *target = patch.clone(),
        }
    }
    let text = manifest("2-weights/route-90-10.yaml");
    let loaded = gatepost::manifest::read(
        "route.yaml",
        text.as_bytes(),
        &gatepost::document::Limits::default(),
    );
    let mut route = loaded.documents[0].to_json();
    let patch: Value = serde_json::from_str(&manifest(patch)).expect("JSON");
    merge(&mut route, &patch);
    route.to_string()
}

/// 500 requests a second, from the start to the end; each answer has to be one of the two releases.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    /// Held by each request while it is under way.
    under_way: Arc<RwLock<()>>,
    tasks: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(address: std::net::SocketAddr) -> Load {
        let (stop, sent, failed) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicU64::new(0)),
        );
        let under_way = Arc::new(RwLock::new(()));
        let tasks = (0..10).map(|_| {
            let (stop, sent, failed) = (stop.clone(), sent.clone(), failed.clone());
            let under_way = under_way.clone();
            thread::spawn(move || {
                // Fifty a second each.
                let mut next = Instant::now();
                while !stop.load(Ordering::SeqCst) {
                    let guard = under_way.read().expect("no client panics");
                    let answer = request(address, "/", HOST);
                    drop(guard);
                    sent.fetch_add(1, Ordering::SeqCst);
                    if !answer.as_ref().is_ok_and(|(status, _, body)| {
                        *status == 200 && (body == BLUE || body == GREEN)
                    }) {
                        eprintln!("failed: {answer:?}");
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                    next += Duration::from_millis(20);
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            })
        });
        Load {
            tasks: tasks.collect(),
            stop,
            sent,
            failed,
            under_way,
        }
    }

    /// Does something while no request is under way.
    fn between<T>(&self, what: impl FnOnce() -> T) -> T {
        let _all = self.under_way.write().expect("no client panics");
        what()
    }

    fn end(self) -> (u64, u64) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.join().expect("a client");
        }
        (
            self.sent.load(Ordering::SeqCst),
            self.failed.load(Ordering::SeqCst),
        )
    }
}

fn generation(serve: &Serve) -> u64 {
    let (_, _, body) = request(serve.port(1), "/status", "localhost").expect("the admin endpoint");
    let status: Value = serde_json::from_str(&body).expect("JSON");
    status["generation"].as_u64().expect("a generation")
}

/// Changes files and waits until that is taken up.
fn change(serve: &Serve, what: impl FnOnce()) {
    let before = generation(serve);
    what();
    until("the change is taken up", || generation(serve) > before);
}

/// The statuses by `Kind/name`.
fn statuses(serve: &Serve) -> BTreeMap<String, Value> {
    let (_, _, body) = request(serve.port(1), "/status", "localhost").expect("the admin endpoint");
    let status: Value = serde_json::from_str(&body).expect("JSON");
    let items = status["items"].as_array().expect("items").iter();
    let name = |item: &Value| {
        format!(
            "{}/{}",
            item["kind"].as_str().expect("a kind"),
            item["metadata"]["name"].as_str().expect("a name")
        )
    };
    items
        .map(|item| (name(item), item["status"].clone()))
        .collect()
}

fn holds(conditions: &Value, kind: &str) -> bool {
    let list = conditions.as_array().expect("conditions");
    list.iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// GatewayClass and Gateway as they should be, listeners with their attached routes, and the routes that are accepted.
fn assert_statuses(serve: &Serve, listeners: &[(&str, u64)], routes: &[&str]) {
    let statuses = statuses(serve);
    assert!(holds(
        &statuses["GatewayClass/gatepost"]["conditions"],
        "Accepted"
    ));
    let gateway = &statuses["Gateway/gateway"];
    assert!(
        holds(&gateway["conditions"], "Accepted") && holds(&gateway["conditions"], "Programmed"),
        "{gateway}"
    );
    let attached: Vec<(String, u64)> = gateway["listeners"]
        .as_array()
        .expect("listeners")
        .iter()
        .map(|listener| {
            (
                listener["name"].as_str().expect("a name").to_owned(),
                listener["attachedRoutes"].as_u64().expect("a number"),
            )
        })
        .collect();
    let wanted: Vec<(String, u64)> = listeners
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    assert_eq!(attached, wanted);
    for route in routes {
        let conditions = &statuses[&format!("HTTPRoute/{route}")]["parents"][0]["conditions"];
        assert!(
            holds(conditions, "Accepted") && holds(conditions, "ResolvedRefs"),
            "{route}: {conditions}"
        );
    }
}

#[test]
fn the_walkthrough_is_served_and_no_request_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let (blue, green) = (Application::start(BLUE), Application::start(GREEN));
    for name in ["app.yaml", "class.yaml", "gateway.yaml", "route.yaml"] {
        put(folder.path(), name, &manifest(&format!("1-http/{name}")));
    }
    let endpoint = |release: &str, application: &Application| {
        [
            "--endpoint".to_owned(),
            format!(
                "reverse-words/reverse-words-{release}:8080={}",
                application.address
            ),
        ]
    };
    let more: Vec<String> = [endpoint("blue", &blue), endpoint("green", &green)].concat();
    let serve = Serve::start(folder.path(), OFFSET, &more);
    let http = serve.port(80);

    // Step 1.
    let (status, _, body) = request(http, "/", HOST).expect("an answer");
    assert_eq!((status, body.as_str()), (200, BLUE));
    assert_eq!(request(http, "/", "other.test").expect("an answer").0, 404);
    assert_statuses(&serve, &[("http", 1)], &["reversewords"]);

    // Step 2, with requests running through all changes.
    let (load, started) = (Load::start(http), Instant::now());
    change(&serve, || {
        put(
            folder.path(),
            "app-green.yaml",
            &manifest("2-weights/app-green.yaml"),
        )
    });
    for (route, share) in [
        (manifest("2-weights/route-90-10.yaml"), 900),
        (patched("2-weights/patch-50-50.json"), 500),
        (patched("2-weights/patch-0-100.json"), 0),
    ] {
        change(&serve, || put(folder.path(), "route.yaml", &route));
        // Counted between requests: what was under way may belong to the route before, and what overtakes another is drawn before it.
        let counts = || load.between(|| (blue.count(), green.count()));
        let (blue_before, green_before) = counts();
        for _ in 0..1_000 {
            assert_eq!(request(http, "/", HOST).expect("an answer").0, 200);
        }
        let (blue_after, green_after) = counts();
        let (to_blue, to_green) = (blue_after - blue_before, green_after - green_before);
        let all = to_blue + to_green;
        // Off by at most two in 1,000, counted over all requests of the rule.
        let (expected, allowed) = (all * share / 1_000, (2 * all).div_ceil(1_000));
        println!("{to_blue} blue and {to_green} green of {all}, expected {expected} blue");
        assert!(
            all >= 1_000 && to_blue.abs_diff(expected) <= allowed,
            "{to_blue} blue of {all}, expected {expected} ± {allowed}"
        );
        assert_statuses(&serve, &[("http", 1)], &["reversewords"]);
    }
    // Step 3.
    let made = rcgen::generate_simple_self_signed(["*.apps.gateway-api.test.lab".to_owned()])
        .expect("a certificate");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "reversewords-gateway-tls", "namespace": "reverse-words"},
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()},
    });
    change(&serve, || {
        put(folder.path(), "secret.json", &secret.to_string())
    });
    change(&serve, || {
        put(
            folder.path(),
            "gateway.yaml",
            &manifest("3-https/gateway.yaml"),
        )
    });
    // The route leaves the http listener now: until here no request may fail, at (nearly) 500 a second.
    let seconds = started.elapsed().as_secs_f64();
    let (sent, failed) = load.end();
    println!("{sent} requests beside, {failed} failed");
    assert!(
        sent as f64 >= 400.0 * seconds && failed == 0,
        "{failed} of {sent} failed"
    );

    change(&serve, || {
        put(folder.path(), "route.yaml", &manifest("3-https/route.yaml"))
    });
    assert_statuses(&serve, &[("http", 0), ("https", 1)], &["reversewords"]);
    assert_eq!(request(http, "/", HOST).expect("an answer").0, 404);
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, made.cert.pem()).expect("written");
    let resolve = format!("{HOST}:{}:127.0.0.1", serve.port(443).port());
    let url = format!("https://{HOST}:{}/", serve.port(443).port());
    // That certificate and no other: curl trusts nothing else.
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "--cacert"])
            .arg(&authority)
            .args(arguments)
            .output()
            .expect("curl");
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for version in ["--http1.1", "--http2"] {
        assert_eq!(
            curl(&[version, "--resolve", &resolve, &url]),
            (GREEN.to_owned(), String::new())
        );
    }
    change(&serve, || {
        put(
            folder.path(),
            "redirect.yaml",
            &manifest("3-https/redirect.yaml"),
        )
    });
    assert_statuses(
        &serve,
        &[("http", 1), ("https", 1)],
        &["reversewords", "reversewords-tls-redirect"],
    );
    let (status, head, _) = request(http, "/", HOST).expect("an answer");
    assert_eq!(status, 302);
    assert!(
        head.to_lowercase()
            .contains(&format!("location: https://{HOST}/\r\n")),
        "{head}"
    );
    let to = |port: u16| format!("{HOST}:{port}:127.0.0.1:{}", serve.port(port).port());
    let followed = curl(&[
        "-L",
        "--connect-to",
        &to(80),
        "--connect-to",
        &to(443),
        &format!("http://{HOST}/"),
    ]);
    assert_eq!(followed, (GREEN.to_owned(), String::new()));
    assert_eq!(serve.stop(), Some(0));
}
