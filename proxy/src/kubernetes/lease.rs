//! Who writes: the holder of a Lease.

use std::sync::Arc;
use std::time::Duration;

use gatepost::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::api::{Api, Failure};
use crate::time;

/// How long a holder that says nothing keeps the Lease.
pub(super) const DURATION: Duration = Duration::from_secs(6);
/// How often a holder says something. A holder that did not manage for the length of the Lease less twice this stops writing.
const RENEW: Duration = Duration::from_millis(1500);
/// How often others look.
const LOOK: Duration = Duration::from_millis(500);

/// One who would hold the Lease.
#[derive(Debug)]
pub(super) struct Candidate {
    api: Api,
    namespace: String,
    name: String,
    identity: String,
    leading: watch::Sender<bool>,
    /// Why the Lease cannot be held for want of a permission.
    refused: Arc<watch::Sender<Option<String>>>,
}

/// What was last seen of the Lease: time is counted from when it changed, by the clock of this machine alone.
struct Seen {
    resource_version: String,
    since: Instant,
}

impl Candidate {
    pub(super) fn new(
        api: Api,
        namespace: String,
        name: String,
        identity: String,
        leading: watch::Sender<bool>,
        refused: Arc<watch::Sender<Option<String>>>,
    ) -> Candidate {
        Candidate {
            api,
            namespace,
            name,
            identity,
            leading,
            refused,
        }
    }

    fn folder(&self) -> String {
        format!(
            "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
            self.namespace
        )
    }

    fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.name)
    }

    /// Tries to hold the Lease until `stop`, and gives it back then.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut seen: Option<Seen> = None;
        let mut renewed = Instant::now();
        while !*stop.borrow() {
            let started = Instant::now();
            let held = tokio::time::timeout(DURATION / 3, self.attempt(&mut seen)).await;
            match held {
                Ok(Ok(true)) => {
                    renewed = started;
                    self.lead(true);
                }
                Ok(Ok(false)) => self.lead(false),
                Ok(Err(failure)) => self.failed(&failure),
                Err(_) => tracing::debug!("the Lease was not answered for in time"),
            }
            // Nobody may write whose time could be over.
            if renewed.elapsed() > DURATION - RENEW * 2 {
                self.lead(false);
            }
            let pause = if *self.leading.borrow() { RENEW } else { LOOK };
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
        if *self.leading.borrow() {
            self.lead(false);
            if let Err(failure) = self.release().await {
                tracing::debug!(%failure, "the Lease was not given back");
            }
        }
    }

    fn lead(&self, leading: bool) {
        let changed = self.leading.send_if_modified(|before| {
            let changed = *before != leading;
            *before = leading;
            changed
        });
        if changed {
            tracing::info!(identity = %self.identity, leading, "statuses are written by this process: {leading}");
        }
        if leading {
            self.refused
                .send_if_modified(|refused| refused.take().is_some());
        }
    }

    fn failed(&self, failure: &Failure) {
        if !failure.forbidden() {
            tracing::debug!(%failure, "the Lease cannot be looked at");
            return;
        }
        let line = format!(
            "permission to get, create and update leases in namespace {} is missing: {failure}",
            self.namespace
        );
        let news = self.refused.send_if_modified(|refused| {
            let new = refused.as_deref() != Some(&line);
            if new {
                *refused = Some(line.clone());
            }
            new
        });
        if news {
            tracing::error!("{line}");
        }
    }

    /// Whether the Lease is held after this.
    async fn attempt(&self, seen: &mut Option<Seen>) -> Result<bool, Failure> {
        let mut lease = match self.api.get(&self.path()).await {
            Ok(lease) => lease,
            Err(failure) if failure.missing() => {
                let lease = json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": self.name, "namespace": self.namespace},
                    "spec": self.spec(&Value::Null),
                });
                return match self.api.create(&self.folder(), &lease).await {
                    Ok(_) => Ok(true),
                    Err(failure) if failure.conflict() => Ok(false),
                    Err(failure) => Err(failure),
                };
            }
            Err(failure) => return Err(failure),
        };
        let resource_version = lease["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if seen
            .as_ref()
            .is_none_or(|seen| seen.resource_version != resource_version)
        {
            *seen = Some(Seen {
                resource_version,
                since: Instant::now(),
            });
        }
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        let length = lease["spec"]["leaseDurationSeconds"].as_u64().unwrap_or(0);
        let length = Duration::from_secs(length.clamp(1, 600));
        // Its holder has stopped writing when one renewal is left: see `run`.
        let over = seen
            .as_ref()
            .is_some_and(|seen| seen.since.elapsed() + RENEW >= length);
        if holder != self.identity && !holder.is_empty() && !over {
            return Ok(false);
        }
        lease["spec"] = self.spec(&lease["spec"]);
        match self.api.replace(&self.path(), &lease).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.conflict() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn spec(&self, before: &Value) -> Value {
        let now = micro(time::now());
        let ours = before["holderIdentity"] == *self.identity;
        let transitions = before["leaseTransitions"].as_i64().unwrap_or(0);
        json!({
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": if ours { before["acquireTime"].clone() } else { now.clone().into() },
            "renewTime": now,
            "leaseTransitions": transitions + i64::from(!ours && !before.is_null()),
        })
    }

    async fn release(&self) -> Result<(), Failure> {
        let mut lease = self.api.get(&self.path()).await?;
        if lease["spec"]["holderIdentity"] == *self.identity {
            lease["spec"]["holderIdentity"] = "".into();
            lease["spec"]["leaseDurationSeconds"] = 1.into();
            self.api.replace(&self.path(), &lease).await?;
        }
        Ok(())
    }
}

/// `metav1.MicroTime`.
fn micro(now: Timestamp) -> String {
    now.to_string().replace('Z', ".000000Z")
}
