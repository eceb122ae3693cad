//! A kind followed at an API server that does what it is told: lists, watches, refusals.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepost::key::Kind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::api::Api;
use super::watch::{Follower, News};

/// An answer: status and body; a watch stays open if the body does not end it.
#[derive(Clone, Debug)]
enum Answer {
    Whole(u16, Value),
    /// Lines of a watch; then the connection is closed, or held.
    Watch(Vec<Value>, bool),
}

/// Answers by the order of requests; the last one again and again. Discovery always succeeds.
#[derive(Clone, Debug)]
struct Script {
    lists: Arc<Mutex<Vec<Answer>>>,
    watches: Arc<Mutex<Vec<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Whether the kind's definition is there, and established.
    defined: Option<bool>,
}

impl Script {
    fn new(lists: Vec<Answer>, watches: Vec<Answer>) -> Script {
        Script {
            lists: Arc::new(Mutex::new(lists)),
            watches: Arc::new(Mutex::new(watches)),
            asked: Arc::default(),
            defined: None,
        }
    }

    fn defined(mut self, served: bool) -> Script {
        self.defined = Some(served);
        self
    }

    fn answer(&self, target: &str) -> Answer {
        if target == "/version" {
            return Answer::Whole(200, json!({}));
        }
        if target.starts_with("/apis/gateway.networking.k8s.io/v1?")
            || target == "/apis/gateway.networking.k8s.io/v1"
        {
            return Answer::Whole(200, json!({"resources": [{"name": "httproutes"}]}));
        }
        if target.starts_with("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.")
        {
            return match self.defined {
                None => Answer::Whole(404, status(404)),
                Some(served) => Answer::Whole(
                    200,
                    json!({
                        "spec": {"versions": [{"name": "v1", "served": true}]},
                        "status": {"conditions": [
                            {"type": "Established", "status": if served { "True" } else { "False" }},
                        ]},
                    }),
                ),
            };
        }
        let next = |answers: &Arc<Mutex<Vec<Answer>>>| {
            let mut answers = answers.lock().expect("no panic");
            if answers.len() > 1 {
                answers.remove(0)
            } else {
                answers[0].clone()
            }
        };
        self.asked.lock().expect("no panic").push(target.to_owned());
        if target.contains("watch=true") {
            next(&self.watches)
        } else {
            next(&self.lists)
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn serve(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(one(stream, script.clone()));
        }
    });
    format!("http://{address}")
}

async fn one(mut stream: TcpStream, script: Script) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).expect("text");
    let target = head.split(' ').nth(1).expect("a target");
    let start = |status: u16| {
        format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        )
    };
    match script.answer(target) {
        Answer::Whole(status, body) => {
            let _ = stream
                .write_all(format!("{}{body}", start(status)).as_bytes())
                .await;
        }
        Answer::Watch(lines, held) => {
            let _ = stream.write_all(start(200).as_bytes()).await;
            for line in lines {
                let _ = stream.write_all(format!("{line}\n").as_bytes()).await;
            }
            if held {
                std::future::pending::<()>().await;
            }
        }
    }
}

fn route(name: &str, version: u32) -> Value {
    json!({"metadata": {"name": name, "namespace": "a", "resourceVersion": version.to_string()}, "spec": {}})
}

fn list(version: u32, names: &[&str]) -> Answer {
    let items: Vec<Value> = names.iter().map(|name| route(name, version)).collect();
    Answer::Whole(
        200,
        json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}),
    )
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "m", "reason": "r", "code": code})
}

/// What a follower tells of HTTPRoutes: words for the first news.
async fn told(script: &Script, count: usize) -> Vec<String> {
    let server = serve(script.clone()).await;
    let config = kube::Config::new(server.parse().expect("a URI"));
    let client = kube::Client::try_from(config).expect("a client");
    let (news, mut receiver) = mpsc::channel(64);
    let (_crds, changes) = watch::channel(0);
    let follower = Follower {
        api: Api::new(client),
        news,
        crds: changes,
    };
    let task = tokio::spawn(follower.run(Kind::HttpRoute));
    let mut words = Vec::new();
    while words.len() < count {
        let news = timeout(Duration::from_secs(10), receiver.recv())
            .await
            .expect("news in time");
        words.push(match news.expect("the follower goes on") {
            News::Listed(_, version, objects) => format!("{version} {}", objects.len()),
            News::Put(_, object) => format!(
                "+{}",
                object["metadata"]["name"].as_str().unwrap_or_default()
            ),
            News::Gone(key) => format!("-{}", key.name),
            News::Absent(_) => "absent".to_owned(),
            News::Failing(_, verb, failure) => format!("{verb} {}", failure.code.unwrap_or(0)),
            News::Fetched(key, _) => format!("fetched {key}"),
        });
    }
    drop(receiver);
    timeout(Duration::from_secs(10), task)
        .await
        .expect("it ends")
        .expect("without panic");
    words
}

#[tokio::test]
async fn a_watch_that_is_closed_goes_on_where_it_was() {
    let script = Script::new(
        vec![list(5, &["one"])],
        vec![
            Answer::Watch(vec![event("ADDED", route("two", 6))], false),
            Answer::Watch(vec![event("DELETED", route("one", 7))], true),
        ],
    );
    assert_eq!(told(&script, 3).await, ["v1 1", "+two", "-one"]);
    let watches: Vec<String> = script
        .asked()
        .into_iter()
        .filter(|target| target.contains("watch=true"))
        .collect();
    assert!(watches[0].contains("resourceVersion=5"), "{watches:?}");
    assert!(watches[1].contains("resourceVersion=6"), "{watches:?}");
}

#[tokio::test]
async fn what_is_gone_is_listed_again() {
    for lost in [
        Answer::Watch(vec![event("ERROR", status(410))], true),
        Answer::Whole(410, status(410)),
    ] {
        let script = Script::new(
            vec![list(5, &["one", "two"]), list(9, &["two"])],
            vec![lost, Answer::Watch(Vec::new(), true)],
        );
        assert_eq!(told(&script, 2).await, ["v1 2", "v1 1"]);
    }
}

#[tokio::test]
async fn after_a_failure_everything_is_listed_again_whatever_was_reached() {
    let script = Script::new(
        vec![list(900, &["one"]), list(3, &["other"])],
        vec![
            Answer::Whole(500, status(500)),
            Answer::Watch(vec![event("ADDED", route("new", 4))], true),
        ],
    );
    assert_eq!(
        told(&script, 4).await,
        ["v1 1", "watch 500", "v1 1", "+new"]
    );
}

#[tokio::test]
async fn a_missing_permission_is_told_with_its_verb_and_tried_again() {
    let script = Script::new(
        vec![
            Answer::Whole(403, status(403)),
            Answer::Whole(403, status(403)),
            list(5, &[]),
        ],
        vec![
            Answer::Whole(403, status(403)),
            Answer::Watch(Vec::new(), true),
        ],
    );
    assert_eq!(
        told(&script, 5).await,
        ["list 403", "list 403", "v1 0", "watch 403", "v1 0"]
    );
}

#[tokio::test]
async fn bookmarks_move_the_place_and_pages_are_joined() {
    let page = Answer::Whole(
        200,
        json!({"metadata": {"resourceVersion": "5", "continue": "more"}, "items": [route("one", 5)]}),
    );
    let bookmark =
        json!({"kind": "HTTPRoute", "apiVersion": "v1", "metadata": {"resourceVersion": "77"}});
    let script = Script::new(
        vec![page, list(5, &["two"])],
        vec![
            Answer::Watch(vec![event("BOOKMARK", bookmark)], false),
            Answer::Watch(vec![event("MODIFIED", route("one", 78))], true),
        ],
    );
    assert_eq!(told(&script, 2).await, ["v1 2", "+one"]);
    assert!(
        script
            .asked()
            .iter()
            .any(|target| target.contains("continue=more"))
    );
    assert!(
        script
            .asked()
            .iter()
            .any(|target| target.contains("resourceVersion=77"))
    );
}

#[tokio::test]
async fn a_kind_that_is_defined_is_never_taken_for_absent() {
    let script = |defined: Option<bool>| {
        let lists = vec![
            list(5, &["one"]),
            Answer::Whole(404, status(404)),
            list(6, &["one"]),
        ];
        let watches = vec![
            Answer::Whole(404, status(404)),
            Answer::Watch(Vec::new(), true),
        ];
        let script = Script::new(lists, watches);
        defined.into_iter().fold(script, Script::defined)
    };
    // An API server that starts does not find what it has not taken up yet.
    assert_eq!(
        told(&script(Some(true)), 4).await,
        ["v1 1", "list 503", "list 503", "v1 1"]
    );
    // The definition is gone, or was never taken up.
    assert_eq!(told(&script(None), 2).await, ["v1 1", "absent"]);
    assert_eq!(told(&script(Some(false)), 2).await, ["v1 1", "absent"]);
}
