//! One kind, followed: listed, watched, listed again when the thread is lost.
//!
//! After a failure everything is listed again and compared, whatever resource version was reached: an API server that was
//! restored from an older state would never tell of changes below that version.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use gatepost::key::{Kind, ObjectKey};
use kube::core::params::{ListParams, WatchParams};
use kube::core::{Request, WatchEvent};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::api::{Api, Failure};
use super::backoff::Backoff;
use super::kinds::{self, Depth};

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Seconds after which the API server ends a watch.
const WATCH_SECONDS: u32 = 290;
/// A watch that says nothing for so long is taken for dead: bookmarks come every minute.
const SILENCE: Duration = Duration::from_secs(150);
/// A watch that ends sooner than this did not get going.
const SHORT: Duration = Duration::from_millis(500);
/// How often a kind that is not there is looked for, at least.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What became known.
#[derive(Debug)]
pub(super) enum News {
    /// All objects of a kind, in the version that is watched: what is not among them is gone.
    Listed(Kind, &'static str, Vec<Value>),
    /// An object is there, like this.
    Put(Kind, Value),
    /// An object is gone.
    Gone(ObjectKey),
    /// The API server does not have the kind.
    Absent(Kind),
    /// A kind cannot be read: verb and why.
    Failing(Kind, &'static str, Failure),
    /// An object that was asked for.
    Fetched(ObjectKey, Result<Value, Failure>),
}

/// How a try to follow ended.
enum Ended {
    /// Nobody listens any more.
    Over,
    /// The place in the history is lost; what was followed is to be listed again at once.
    Lost,
    Absent,
    Failed(&'static str, Failure),
}

/// What all kinds share.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    pub(super) api: Api,
    pub(super) news: mpsc::Sender<News>,
    /// Counts changes of CRDs.
    pub(super) crds: watch::Receiver<u64>,
}

impl Follower {
    /// Follows a kind as long as somebody listens.
    pub(super) async fn run(mut self, kind: Kind) {
        let mut backoff = Backoff::default();
        loop {
            let mut ended = self.follow(kind, &mut backoff).await;
            if let Ended::Absent = ended {
                ended = self.absent(kind).await;
            }
            match ended {
                Ended::Over => return,
                Ended::Lost => sleep(backoff.next()).await,
                Ended::Absent => {
                    if self.news.send(News::Absent(kind)).await.is_err() {
                        return;
                    }
                    if self.appears(kind).await.is_none() {
                        return;
                    }
                }
                Ended::Failed(verb, failure) => {
                    let down = failure.down();
                    let told = News::Failing(kind, verb, failure);
                    if self.news.send(told).await.is_err() {
                        return;
                    }
                    if down {
                        tokio::select! {
                            () = self.api.returns() => {}
                            () = self.news.closed() => return,
                        }
                    }
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    /// Whether a kind that was not found is not there, or only not yet: what is known of it is kept until that is sure.
    async fn absent(&self, kind: Kind) -> Ended {
        match self.api.defined(kind).await {
            Ok(false) => Ended::Absent,
            Ok(true) => {
                let message = "the API server does not serve the kind yet, although it is defined";
                let code = Some(503);
                Ended::Failed(
                    "list",
                    Failure {
                        code,
                        message: message.to_owned(),
                    },
                )
            }
            // Who may not look has the API server's word; the follower of definitions tells what is missing.
            Err(failure) if failure.forbidden() => Ended::Absent,
            Err(failure) => Ended::Failed("get", failure),
        }
    }

    /// Waits until a kind that was not there may be there: soon after CRDs change, seldom otherwise.
    async fn appears(&mut self, kind: Kind) -> Option<()> {
        let mut pause = Duration::from_millis(500);
        while !self.news.is_closed() {
            tokio::select! {
                changed = self.crds.changed() => {
                    changed.ok()?;
                    pause = Duration::from_millis(50);
                }
                () = sleep(pause) => pause = LOOK_AGAIN.min(pause * 2),
            }
            if let Ok(Some(_)) = self.api.version(kind).await {
                return Some(());
            }
        }
        None
    }

    async fn follow(&self, kind: Kind, backoff: &mut Backoff) -> Ended {
        let version = match self.api.version(kind).await {
            Ok(Some(version)) => version,
            Ok(None) => return Ended::Absent,
            Err(failure) => return Ended::Failed("get", failure),
        };
        let request = Request::new(kinds::path(kind, version, ""));
        let mut at = match self.list(kind, version, &request).await {
            Ok((objects, at)) => {
                if self
                    .news
                    .send(News::Listed(kind, version, objects))
                    .await
                    .is_err()
                {
                    return Ended::Over;
                }
                at
            }
            Err(failure) if failure.missing() => return Ended::Absent,
            Err(failure) if failure.gone() => return Ended::Lost,
            Err(failure) => return Ended::Failed("list", failure),
        };
        loop {
            let started = Instant::now();
            if let Some(ended) = self.watch(kind, version, &request, &mut at, backoff).await {
                return ended;
            }
            if started.elapsed() < SHORT {
                sleep(backoff.next()).await;
            }
        }
    }

    /// All objects, and the resource version that they are of.
    async fn list(
        &self,
        kind: Kind,
        version: &str,
        request: &Request,
    ) -> Result<(Vec<Value>, String), Failure> {
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let mut parameters = ListParams::default().limit(PAGE);
            if !token.is_empty() {
                parameters = parameters.continue_token(&token);
            }
            let request = match kinds::depth(kind) {
                Depth::Whole => request.list(&parameters),
                Depth::Referenced | Depth::Named => request.list_metadata(&parameters),
            };
            let mut page = self
                .api
                .send(request.map_err(kube::Error::BuildRequest)?)
                .await?;
            if let Value::Array(items) = page["items"].take() {
                objects.extend(items.into_iter().map(|item| complete(kind, version, item)));
            }
            let text = |field: &str| {
                page["metadata"][field]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            token = text("continue");
            if token.is_empty() {
                return Ok((objects, text("resourceVersion")));
            }
        }
    }

    /// Watches from a resource version on; `None` if the watch ended as watches do.
    async fn watch(
        &self,
        kind: Kind,
        version: &str,
        request: &Request,
        at: &mut String,
        backoff: &mut Backoff,
    ) -> Option<Ended> {
        let parameters = WatchParams::default().timeout(WATCH_SECONDS);
        let request = match kinds::depth(kind) {
            Depth::Whole => request.watch(&parameters, at),
            Depth::Referenced | Depth::Named => request.watch_metadata(&parameters, at),
        };
        let failed = |failure: Failure| {
            Some(match failure {
                failure if failure.gone() => Ended::Lost,
                failure if failure.missing() => Ended::Absent,
                failure => Ended::Failed("watch", failure),
            })
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => return failed(kube::Error::BuildRequest(error).into()),
        };
        let events = match self.api.client().request_events::<Value>(request).await {
            Ok(events) => events,
            Err(error) => return failed(error.into()),
        };
        let mut events = pin!(events);
        loop {
            let event = tokio::select! {
                event = timeout(SILENCE, events.try_next()) => event,
                () = self.news.closed() => return Some(Ended::Over),
            };
            let event = match event {
                Ok(Ok(Some(event))) => event,
                Ok(Ok(None)) => return None,
                Ok(Err(error)) => return failed(error.into()),
                Err(_) => {
                    return failed(Failure {
                        code: None,
                        message: format!("nothing was heard for {} s", SILENCE.as_secs()),
                    });
                }
            };
            backoff.reset();
            let news = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    remember(at, &object);
                    News::Put(kind, complete(kind, version, object))
                }
                WatchEvent::Deleted(object) => {
                    remember(at, &object);
                    match kinds::key(kind, &object) {
                        Some(key) => News::Gone(key),
                        None => continue,
                    }
                }
                WatchEvent::Bookmark(bookmark) => {
                    at.clone_from(&bookmark.metadata.resource_version);
                    continue;
                }
                WatchEvent::Error(status) => return failed(kube::Error::Api(status).into()),
            };
            if self.news.send(news).await.is_err() {
                return Some(Ended::Over);
            }
        }
    }
}

fn remember(at: &mut String, object: &Value) {
    if let Some(version) = object["metadata"]["resourceVersion"].as_str() {
        version.clone_into(at);
    }
}

/// Items of lists do not say what they are; what nobody reads is left out at once.
fn complete(kind: Kind, version: &str, mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        let group = kind.group();
        let api_version = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        fields.insert("apiVersion".to_owned(), api_version.into());
        fields.insert("kind".to_owned(), kind.as_str().into());
        if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
            metadata.remove("managedFields");
            if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    object
}
