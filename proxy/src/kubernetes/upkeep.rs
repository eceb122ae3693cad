//! What is kept at the API server besides statuses: the finalizer of classes in use, and a ServiceAccount for each Gateway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatepost::key::{Kind, NamespacedName, ObjectKey};
use gatepost::resources::Resources;
use gatepost::status::CLASS_FINALIZER;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::api::{Api, Failure, Patch, object_path};
use super::board::Board;

/// The label that leads from an object to its Gateway (GEP-1762).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The label that leads from an object to the class.
const GATEWAY_CLASS_NAME: &str = "gateway.networking.k8s.io/gateway-class-name";
/// How long to wait after something was refused.
const REFUSED: Duration = Duration::from_secs(5);

/// What should be there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// Classes and the finalizers that they should have, where they are others than they have.
    pub(super) finalizers: BTreeMap<ObjectKey, Vec<String>>,
    /// ServiceAccounts by Gateway.
    pub(super) accounts: BTreeMap<NamespacedName, Arc<Value>>,
}

/// Says what should be there, of classes of ours and their Gateways.
pub(super) fn wanted<'r>(
    resources: &Resources,
    finalizers: BTreeMap<ObjectKey, Vec<String>>,
    gateways: impl Iterator<Item = &'r NamespacedName>,
) -> Wanted {
    let accounts = gateways.filter_map(|name| {
        let account = account(resources, name)?;
        Some((name.clone(), Arc::new(account)))
    });
    Wanted {
        finalizers,
        accounts: accounts.collect(),
    }
}

/// The ServiceAccount that carries `spec.infrastructure` of a Gateway; it goes with the Gateway.
fn account(resources: &Resources, name: &NamespacedName) -> Option<Value> {
    let gateway = resources.gateway(&name.namespace, &name.name)?;
    let class = &gateway.spec.gateway_class_name;
    let infrastructure = gateway.spec.infrastructure.as_ref();
    let mut labels = infrastructure
        .and_then(|part| part.labels.clone())
        .unwrap_or_default();
    let annotations = infrastructure
        .and_then(|part| part.annotations.clone())
        .unwrap_or_default();
    labels.insert(GATEWAY_NAME.to_owned(), shortened(&name.name, 63));
    labels.insert(GATEWAY_CLASS_NAME.to_owned(), shortened(class, 63));
    Some(json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": shortened(&format!("{}-{class}", name.name), 253),
            "namespace": name.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": Kind::Gateway.api_version(), "kind": "Gateway",
                "name": name.name, "uid": gateway.metadata.uid,
            }],
        },
        "automountServiceAccountToken": false,
    }))
}

/// A name of at most `longest` bytes; one that was longer ends in a number made of the whole.
fn shortened(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let room = longest.saturating_sub(17);
    let start: String = name.chars().take(room).collect();
    let start = start.trim_end_matches(['.', '-', '_']);
    format!("{start}-{:016x}", fnv(name.as_bytes()))
}

/// FNV-1a: the same in every process and version.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Keeps things as they should be, as long as this process is the one that writes.
pub(super) async fn run(api: Api, board: Arc<Board>, mut news: watch::Receiver<Wanted>) {
    let mut applied: BTreeMap<NamespacedName, Arc<Value>> = BTreeMap::new();
    while news.changed().await.is_ok() {
        loop {
            let wanted = news.borrow_and_update().clone();
            if !board.leading() {
                applied.clear();
                break;
            }
            match step(&api, &wanted, &mut applied).await {
                Ok(()) => break,
                Err((what, failure)) if failure.down() => {
                    tracing::debug!(what, %failure, "not done");
                    api.returns().await;
                }
                Err((what, failure)) => {
                    tracing::warn!(what, %failure, "refused by the API server");
                    sleep(REFUSED).await;
                }
            }
        }
    }
}

async fn step(
    api: &Api,
    wanted: &Wanted,
    applied: &mut BTreeMap<NamespacedName, Arc<Value>>,
) -> Result<(), (String, Failure)> {
    for (key, wanted) in &wanted.finalizers {
        finalizers(api, key, wanted)
            .await
            .map_err(|failure| (format!("patch the finalizers of {key}"), failure))?;
    }
    let gone: Vec<NamespacedName> = applied
        .keys()
        .filter(|name| !wanted.accounts.contains_key(*name))
        .cloned()
        .collect();
    for name in gone {
        if let Some(account) = applied.get(&name) {
            let path = account_path(account);
            match api.delete(&path).await {
                Ok(()) => {}
                Err(failure) if failure.missing() => {}
                Err(failure) => return Err((format!("delete {path}"), failure)),
            }
        }
        applied.remove(&name);
    }
    let mut refused = None;
    for (name, account) in &wanted.accounts {
        if applied.get(name) == Some(account) {
            continue;
        }
        let path = account_path(account);
        match api.patch(&path, Patch::Apply, account).await {
            Ok(_) => {
                applied.insert(name.clone(), account.clone());
            }
            // The namespace is gone, or goes: so does the Gateway.
            Err(failure) if failure.missing() => {}
            Err(failure) => refused = Some((format!("patch {path}"), failure)),
        }
    }
    refused.map_or(Ok(()), Err)
}

fn account_path(account: &Value) -> String {
    let text = |field: &str| account["metadata"][field].as_str().unwrap_or_default();
    format!(
        "/api/v1/namespaces/{}/serviceaccounts/{}",
        text("namespace"),
        text("name")
    )
}

/// Writes finalizers, unless somebody else has written since: then the watch tells, and it is worked out again.
async fn finalizers(api: &Api, key: &ObjectKey, wanted: &[String]) -> Result<(), Failure> {
    let path = object_path(key, key.kind.version());
    let object = match api.get(&path).await {
        Ok(object) => object,
        Err(failure) if failure.missing() => return Ok(()),
        Err(failure) => return Err(failure),
    };
    let others = |name: &&str| *name != CLASS_FINALIZER;
    let has = object["metadata"]["finalizers"].as_array();
    let has: Vec<&str> = has
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let same = has
        .iter()
        .copied()
        .filter(others)
        .eq(wanted.iter().copied().filter(others));
    if has == wanted || !same {
        return Ok(());
    }
    let patch = json!({"metadata": {
        "resourceVersion": object["metadata"]["resourceVersion"],
        "finalizers": wanted,
    }});
    match api.patch(&path, Patch::Merge, &patch).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.missing() || failure.conflict() => Ok(()),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost::resources::Resource;

    #[test]
    fn an_account_carries_what_the_gateway_says_and_names_fit() {
        let name = "g".repeat(253);
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": "a", "uid": "u"},
            "spec": {
                "gatewayClassName": "c",
                "listeners": [],
                "infrastructure": {"labels": {"x": "1", GATEWAY_NAME: "other"}, "annotations": {"y": "2"}},
            },
        });
        let resource = Arc::new(Resource::from_json(gateway).expect("a Gateway"));
        let resources: Resources = std::iter::once(resource).collect();
        let name = NamespacedName::new("a", name);
        let account = account(&resources, &name).expect("there");
        let metadata = &account["metadata"];
        assert_eq!(metadata["labels"]["x"], "1");
        assert_eq!(metadata["annotations"]["y"], "2");
        let label = metadata["labels"][GATEWAY_NAME].as_str().expect("a label");
        assert!(label.len() <= 63 && label.starts_with("ggg"), "{label}");
        assert!(metadata["name"].as_str().expect("a name").len() <= 253);
        assert_eq!(metadata["ownerReferences"][0]["uid"], "u");
        assert_eq!(shortened("short", 63), "short");
    }
}
