//! Requests to the API server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatepost::key::{EXPERIMENTAL_GROUP, GATEWAY_GROUP, Kind, ObjectKey};
use kube::Client;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::kinds;

/// How long an answer may take; watches have no such limit.
const PATIENCE: Duration = Duration::from_secs(10);

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patch {
    /// RFC 7386.
    Merge,
    /// Server-side apply, under our name.
    Apply,
}

/// Who writes, as the API server's `managedFields` have it.
pub(super) const FIELD_MANAGER: &str = "gatepost";

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The HTTP status; `None` if there was no answer.
    pub(super) code: Option<u16>,
    /// What the API server, or the connection to it, had to say.
    pub(super) message: String,
}

impl Failure {
    /// Whether the API server is not there, or not able to answer.
    pub(super) fn down(&self) -> bool {
        self.code.is_none_or(|code| code >= 500 || code == 429)
    }

    /// Whether the account lacks the permission.
    pub(super) fn forbidden(&self) -> bool {
        matches!(self.code, Some(401 | 403))
    }

    /// Whether the object, or the kind, is not there.
    pub(super) fn missing(&self) -> bool {
        self.code == Some(404)
    }

    /// Whether somebody else wrote first, or the object is there already.
    pub(super) fn conflict(&self) -> bool {
        self.code == Some(409)
    }

    /// Whether the place in the history that was asked for is gone.
    pub(super) fn gone(&self) -> bool {
        self.code == Some(410)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) => Failure {
                code: Some(status.code),
                message: status.message.clone(),
            },
            // The content of an answer is nobody's business: it may be a Secret.
            kube::Error::SerdeError(_) => Failure {
                code: None,
                message: "the answer cannot be read".to_owned(),
            },
            other => Failure {
                code: None,
                message: causes(&other),
            },
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// The API server.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    /// Held while an API server that does not answer is tried again, so that one does it for all.
    gate: Arc<Mutex<()>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    pub(super) fn new(client: Client) -> Api {
        Api {
            client,
            gate: Arc::default(),
        }
    }

    /// The namespace of the account, or of the kubeconfig's context.
    pub(super) fn namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// The client itself, for watches.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the API server answers anything.
    pub(super) async fn returns(&self) {
        let _held = self.gate.lock().await;
        let mut backoff = Backoff::default();
        let mut down = None;
        loop {
            match self.get("/version").await {
                Err(failure) if failure.down() => {
                    if down.is_none() {
                        tracing::warn!(%failure, "the API server does not answer; what is known is served on");
                        down = Some(Instant::now());
                    }
                    sleep(backoff.next()).await;
                }
                // A refusal is an answer.
                _ => {
                    if let Some(since) = down {
                        tracing::info!(after = ?since.elapsed(), "the API server answers again");
                    }
                    return;
                }
            }
        }
    }

    /// Sends a request and reads the answer.
    pub(super) async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Value, Failure> {
        let answer = tokio::time::timeout(PATIENCE, self.client.request_text(request)).await;
        let text = answer.map_err(|_| Failure {
            code: None,
            message: format!("no answer within {} s", PATIENCE.as_secs()),
        })??;
        serde_json::from_str(&text).map_err(|_| Failure {
            code: None,
            message: "the answer is not JSON".to_owned(),
        })
    }

    /// Reads what lies at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(request(http::Method::GET, path, None, Vec::new())?)
            .await
    }

    /// Reads an object.
    pub(super) async fn object(&self, key: &ObjectKey, version: &str) -> Result<Value, Failure> {
        self.get(&object_path(key, version)).await
    }

    /// Creates an object below a path.
    pub(super) async fn create(&self, path: &str, object: &Value) -> Result<Value, Failure> {
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        let body = object.to_string().into_bytes();
        self.send(request(
            http::Method::POST,
            &path,
            Some("application/json"),
            body,
        )?)
        .await
    }

    /// Replaces the object at a path.
    pub(super) async fn replace(&self, path: &str, object: &Value) -> Result<Value, Failure> {
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        let body = object.to_string().into_bytes();
        self.send(request(
            http::Method::PUT,
            &path,
            Some("application/json"),
            body,
        )?)
        .await
    }

    /// Deletes the object at a path.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(request(http::Method::DELETE, path, None, Vec::new())?)
            .await
            .map(drop)
    }

    /// Changes the object at a path.
    pub(super) async fn patch(
        &self,
        path: &str,
        how: Patch,
        patch: &Value,
    ) -> Result<Value, Failure> {
        let (content, force) = match how {
            Patch::Merge => ("application/merge-patch+json", ""),
            Patch::Apply => ("application/apply-patch+yaml", "&force=true"),
        };
        let path = format!("{path}?fieldManager={FIELD_MANAGER}{force}");
        let body = patch.to_string().into_bytes();
        self.send(request(http::Method::PATCH, &path, Some(content), body)?)
            .await
    }

    /// The version of a kind that is served, preferred ones first; `None` if there is none.
    pub(super) async fn version(&self, kind: Kind) -> Result<Option<&'static str>, Failure> {
        if kind.group().is_empty() {
            return Ok(Some(kind.version()));
        }
        let plural = kinds::plural(kind);
        for version in kinds::versions(kind) {
            match self.get(&format!("/apis/{}/{version}", kind.group())).await {
                Ok(list) => {
                    let served = list["resources"].as_array().into_iter().flatten();
                    if served
                        .into_iter()
                        .any(|resource| resource["name"] == *plural)
                    {
                        return Ok(Some(version));
                    }
                }
                Err(failure) if failure.missing() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    /// Whether a kind is to be served in a version that we read, although it may not be yet: an API server that starts
    /// answers 404 for kinds whose definitions it has not taken up.
    pub(super) async fn defined(&self, kind: Kind) -> Result<bool, Failure> {
        if ![GATEWAY_GROUP, EXPERIMENTAL_GROUP].contains(&kind.group()) {
            // Kubernetes' own kinds have no definition; there is no API server without those that are read.
            return Ok(true);
        }
        let name = format!("{}.{}", kinds::plural(kind), kind.group());
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let definition = match self.get(&path).await {
            Ok(definition) => definition,
            Err(failure) if failure.missing() => return Ok(false),
            Err(failure) => return Err(failure),
        };
        let deleted = definition["metadata"]["deletionTimestamp"].is_string();
        // Stored with the definition: one that was never taken up, because its names are another's, is not waited for.
        let conditions = definition["status"]["conditions"].as_array();
        let established = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
        let mut known = kinds::versions(kind);
        let versions = definition["spec"]["versions"].as_array();
        Ok(!deleted
            && established
            && known.any(|known| {
                let mut versions = versions.into_iter().flatten();
                versions.any(|version| version["name"] == known && version["served"] == true)
            }))
    }
}

/// The path of an object.
pub(super) fn object_path(key: &ObjectKey, version: &str) -> String {
    let folder = kinds::path(key.kind, version, &key.namespace);
    format!("{folder}/{}", key.name)
}

fn request(
    method: http::Method,
    path: &str,
    content: Option<&str>,
    body: Vec<u8>,
) -> Result<http::Request<Vec<u8>>, Failure> {
    let mut builder = http::Request::builder().method(method).uri(path);
    if let Some(content) = content {
        builder = builder.header(http::header::CONTENT_TYPE, content);
    }
    builder.body(body).map_err(|error| Failure {
        code: None,
        message: format!("`{path}`: {error}"),
    })
}
