//! What becomes of input that is wrong: at start, at a reload, beside input that is right.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Application, Serve, put, request, until};

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: app}
spec:
  gatewayClassName: gatepost
  listeners: [{name: http, port: 80, protocol: HTTP}, {name: other, port: 90, protocol: HTTP}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: app}
spec: {ports: [{port: 80}]}
";

fn route(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: app}}\nspec:\n  parentRefs: [{{name: gw}}]\n  rules: [{{matches: [{{path: {{value: {path}}}}}], backendRefs: [{{name: web, port: 80}}]}}]\n{more}"
    )
}

fn gatepost(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command
        .args(arguments)
        .arg("-f")
        .arg(folder)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn serving(offset: u16, folder: &Path, application: &Application) -> Serve {
    Serve::start(
        folder,
        offset,
        &[
            "--endpoint".to_owned(),
            format!("app/web:80={}", application.address),
        ],
    )
}

#[test]
fn a_file_that_cannot_be_read_ends_the_start_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "gateway.yaml", GATEWAY);
    put(folder.path(), "broken.yaml", "a: [\n");
    for command in [
        &["serve", "--admin", "127.0.0.1:0", "--port-offset", "22000"][..],
        &["check"],
        &["status"],
        &["routes"],
    ] {
        let output = gatepost(command, folder.path());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(
            all.contains("broken.yaml:2:1: error: this is not YAML"),
            "{all}"
        );
    }
    let missing = gatepost(&["check"], &folder.path().join("missing"));
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stdout).contains("cannot be read"),
        "{missing:?}"
    );
}

#[test]
fn a_broken_reload_keeps_what_was_good_and_bad_objects_fall_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let application = Application::start("web");
    put(folder.path(), "gateway.yaml", GATEWAY);
    put(folder.path(), "a.yaml", &route("a", "/a", ""));
    put(folder.path(), "b.yaml", &route("b", "/b", ""));
    let serve = serving(22_100, folder.path(), &application);
    let status = |path: &str| {
        request(serve.port(80), path, "a.test")
            .map(|answer| answer.0)
            .unwrap_or(0)
    };
    assert_eq!((status("/a"), status("/b"), status("/c")), (200, 200, 404));
    let readiness = || request(serve.port(1), "/readyz", "localhost").expect("the admin endpoint");
    assert_eq!(readiness().2, "ok\n");

    // Broken text: the file's last good content stays, and readiness names the file.
    put(folder.path(), "a.yaml", "kind: [");
    until("the broken file is named", || {
        readiness().2.contains("a.yaml:1:8: error")
    });
    assert_eq!((status("/a"), status("/b"), readiness().0), (200, 200, 200));

    // An object that an API server refuses keeps its last good version; its neighbours change.
    put(
        folder.path(),
        "a.yaml",
        &(route("a", "no-slash", "---\n") + &route("c", "/c", "")),
    );
    until("the good neighbour serves", || status("/c") == 200);
    assert_eq!((status("/a"), status("/b")), (200, 200));
    assert!(
        readiness()
            .2
            .contains("HTTPRoute/app/a: spec.rules[0].matches[0].path"),
        "{}",
        readiness().2
    );

    // A kind that does not exist, beside good ones.
    put(
        folder.path(),
        "a.yaml",
        &(route("a", "/aa", "---\n")
            + "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRouter\nmetadata: {name: x}\n"),
    );
    until("the mended object serves", || status("/aa") == 200);
    assert_eq!((status("/a"), status("/b")), (404, 200));
    assert!(
        readiness().2.contains("there is no kind `HTTPRouter`"),
        "{}",
        readiness().2
    );

    // A file that goes takes its objects along.
    std::fs::remove_file(folder.path().join("b.yaml")).expect("removed");
    until("the route is gone", || status("/b") == 404);
    assert_eq!(serve.stop(), Some(0));
}

#[test]
fn a_taken_port_is_told_and_the_others_serve() {
    let folder = tempfile::tempdir().expect("a folder");
    let application = Application::start("web");
    put(folder.path(), "gateway.yaml", GATEWAY);
    put(folder.path(), "a.yaml", &route("a", "/", ""));
    let taken = TcpListener::bind("127.0.0.1:22290").expect("a free port");
    let serve = serving(22_200, folder.path(), &application);
    assert_eq!(
        request(serve.port(80), "/", "a.test").expect("an answer").0,
        200
    );
    let statuses = || {
        request(serve.port(1), "/status", "localhost")
            .expect("the admin endpoint")
            .2
    };
    assert!(statuses().contains("PortUnavailable"), "{}", statuses());
    // Once it is free it is taken up, without a change of the files.
    drop(taken);
    until("the port is opened", || {
        request(serve.port(90), "/", "a.test").is_ok_and(|answer| answer.0 == 200)
    });
    until("the status says so", || {
        !statuses().contains("PortUnavailable")
    });
}

#[test]
fn no_endpoint_is_503_and_a_dead_backend_502() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "gateway.yaml", GATEWAY);
    put(folder.path(), "a.yaml", &route("a", "/", ""));
    let serve = Serve::start(folder.path(), 22_300, &[]);
    assert_eq!(
        request(serve.port(80), "/", "a.test").expect("an answer").0,
        503
    );
    drop(serve);
    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("an address");
    let serve = Serve::start(
        folder.path(),
        22_300,
        &["--endpoint".to_owned(), format!("app/web:80={closed}")],
    );
    assert_eq!(
        request(serve.port(80), "/", "a.test").expect("an answer").0,
        502
    );
}

#[test]
fn a_config_map_volume_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let application = Application::start("web");
    // As kubelet lays it out: `..data` points to the version, and entries point through it.
    let version = |name: &str, path: &str| {
        let version = folder.path().join(name);
        std::fs::create_dir(&version).expect("a folder");
        std::fs::write(
            version.join("all.yaml"),
            format!("{GATEWAY}---\n{}", route("a", path, "")),
        )
        .expect("written");
        std::os::unix::fs::symlink(&version, folder.path().join("..data_tmp")).expect("linked");
        std::fs::rename(
            folder.path().join("..data_tmp"),
            folder.path().join("..data"),
        )
        .expect("renamed");
    };
    version("..one", "/one");
    std::os::unix::fs::symlink(
        PathBuf::from("..data/all.yaml"),
        folder.path().join("all.yaml"),
    )
    .expect("linked");
    let serve = serving(22_400, folder.path(), &application);
    let status = |path: &str| {
        request(serve.port(80), path, "a.test")
            .map(|answer| answer.0)
            .unwrap_or(0)
    };
    assert_eq!((status("/one"), status("/two")), (200, 404));
    version("..two", "/two");
    until("the new version serves", || status("/two") == 200);
    assert_eq!(status("/one"), 404);
}

/// Hostile manifests on the real command: no crash, no hang, the memory and time of `expected.json`, the outcome right.
#[test]
fn check_survives_every_attack() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/attacks/manifests");
    let expected: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(folder.join("expected.json")).expect("readable"),
    )
    .expect("JSON");
    let mut classes: std::collections::BTreeMap<String, (u32, u32)> =
        std::collections::BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, expected) in expected.as_object().expect("an object") {
        let start = std::time::Instant::now();
        // Of a file that may cost little memory the whole address space is limited to that.
        let memory = expected["limits"]["rss_mib"]
            .as_u64()
            .map_or(String::new(), |mib| format!("ulimit -v {}; ", mib * 1_024));
        let script = format!("{memory}exec \"$0\" check -f \"$1\"");
        let output = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_gatepost")])
            .arg(folder.join(name))
            .output()
            .expect("bash runs");
        let elapsed = start.elapsed();
        let limit = expected["limits"]["seconds"].as_f64().unwrap_or(5.0);
        let code = output.status.code();
        if !matches!(code, Some(0..=2)) || elapsed.as_secs_f64() > limit {
            wrong.push(format!("{name}: exit {code:?} after {elapsed:?}"));
        }
        let found = text(&output.stdout);
        let outcome = expected["outcome"].as_str().expect("an outcome");
        let object = expected["object"].as_str().unwrap_or_default();
        let holds = match outcome {
            "accept" | "accept-first" | "not-attached" => code == Some(0),
            "condition" => {
                code == Some(1)
                    && found.contains(expected["condition"]["reason"].as_str().expect("a reason"))
            }
            // The Location stays an absolute URL with the route's own host (see the case of redirects).
            "condition-or-safe" => matches!(code, Some(0 | 1)),
            _ => matches!(code, Some(1 | 2)) && (found.contains(object) || code == Some(2)),
        };
        let class = classes
            .entry(expected["class"].as_str().expect("a class").to_owned())
            .or_default();
        class.1 += 1;
        class.0 += u32::from(holds);
        if !holds {
            println!("{name}: expected {outcome}, exit {code:?}: {found}");
        }
    }
    let (right, all) = classes
        .values()
        .fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
    println!("{right} of {all} outcomes hold: {classes:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(right, all);
}
