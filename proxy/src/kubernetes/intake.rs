//! News of the API server into changes for the resolver: who is there, who refers to whom, what is to be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatepost::key::{Kind, ObjectKey};
use gatepost::resources::{Change, Resource};
use serde_json::Value;

use super::kinds::{self, Depth};
use super::references;
use super::watch::News;

/// The label of an EndpointSlice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is known of the objects of the API server.
#[derive(Debug)]
pub(super) struct Intake {
    controller_name: String,
    /// The objects that are kept whole, with the version that they were read in.
    whole: BTreeMap<ObjectKey, Known>,
    /// The objects of which the metadata is kept.
    slim: BTreeMap<ObjectKey, Slim>,
    /// EndpointSlices by Service.
    slices: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// How many objects refer to another.
    wanted: BTreeMap<ObjectKey, usize>,
    /// What is asked for, and whether it has to be asked for again.
    asked: BTreeMap<ObjectKey, bool>,
}

#[derive(Debug, Default)]
struct Known {
    references: BTreeSet<ObjectKey>,
    /// The class, of a Gateway.
    class: Option<String>,
    /// Whether this is a class of ours.
    our_class: bool,
    /// Whether its references count.
    counted: bool,
}

#[derive(Debug)]
struct Slim {
    version: String,
    /// The Service, of an EndpointSlice.
    service: Option<ObjectKey>,
    loaded: bool,
}

/// What an object says of itself besides its specification.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observed {
    pub(super) version: &'static str,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    pub(super) status: Value,
}

/// An object was seen, or seen to be gone.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) key: ObjectKey,
    pub(super) observed: Option<Observed>,
    /// Whether it stood in a list, which counts whatever was known before.
    pub(super) listed: bool,
}

/// What news came to.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// For the resolver.
    pub(super) changes: Vec<Change>,
    /// To be asked for.
    pub(super) fetch: Vec<ObjectKey>,
    /// What objects that may carry statuses of ours say of themselves; `None` of those that are gone.
    pub(super) observed: Vec<Sighting>,
    /// What cannot be used, and why.
    pub(super) broken: Vec<(ObjectKey, String)>,
}

impl Intake {
    pub(super) fn new(controller_name: String) -> Intake {
        Intake {
            controller_name,
            whole: BTreeMap::new(),
            slim: BTreeMap::new(),
            slices: BTreeMap::new(),
            wanted: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Whether something that others refer to is asked for and was never there before.
    pub(super) fn waiting(&self) -> bool {
        self.asked
            .keys()
            .any(|key| self.slim.get(key).is_some_and(|slim| !slim.loaded))
    }

    /// Takes news up.
    pub(super) fn take(&mut self, news: News, taken: &mut Taken) {
        match news {
            News::Listed(kind, version, objects) => self.listed(kind, version, objects, taken),
            News::Put(kind, object) => self.put(kind, object, false, taken),
            News::Gone(key) => self.gone(&key, taken),
            News::Absent(kind) => self.listed(kind, "", Vec::new(), taken),
            News::Fetched(key, answer) => self.fetched(key, answer.ok(), taken),
            News::Failing(..) => {}
        }
    }

    fn listed(&mut self, kind: Kind, _version: &str, objects: Vec<Value>, taken: &mut Taken) {
        let present: BTreeSet<ObjectKey> = objects
            .iter()
            .filter_map(|object| kinds::key(kind, object))
            .collect();
        let from = ObjectKey::new(kind, "", "");
        let known: Vec<ObjectKey> = match kinds::depth(kind) {
            Depth::Whole | Depth::Named => of_kind(&self.whole, &from),
            Depth::Referenced => of_kind(&self.slim, &from),
        };
        for key in known.iter().filter(|key| !present.contains(key)) {
            self.gone(key, taken);
        }
        for object in objects {
            self.put(kind, object, true, taken);
        }
    }

    fn put(&mut self, kind: Kind, object: Value, listed: bool, taken: &mut Taken) {
        let Some(key) = kinds::key(kind, &object) else {
            return;
        };
        match kinds::depth(kind) {
            Depth::Whole => self.put_whole(key, object, listed, taken),
            Depth::Named => {
                if let Some(definition) = kinds::definition(&object["metadata"]) {
                    self.put_whole(key, definition, listed, taken);
                }
            }
            Depth::Referenced => self.put_slim(key, &object, taken),
        }
    }

    fn put_whole(&mut self, key: ObjectKey, mut object: Value, listed: bool, taken: &mut Taken) {
        let references = references::of(&object);
        let class = (key.kind == Kind::Gateway).then(|| text(&object["spec"]["gatewayClassName"]));
        let our_class = key.kind == Kind::GatewayClass
            && object["spec"]["controllerName"] == *self.controller_name;
        let observed = observe(&mut object);
        if carries_status(key.kind) {
            taken.observed.push(Sighting {
                key: key.clone(),
                observed: Some(observed),
                listed,
            });
        }
        match Resource::from_json(object) {
            Ok(resource) => taken.changes.push(Change::Put(Arc::new(resource))),
            // It passed the API server's validation, so it is of a version that is not known here: the last one that was
            // understood stays.
            Err(why) => taken.broken.push((key.clone(), why)),
        }
        let mut known = Known {
            references,
            class,
            our_class,
            counted: false,
        };
        known.counted = self.counts(&known);
        let before = self.whole.insert(key.clone(), known);
        let counted = |known: Option<&Known>| {
            known
                .filter(|known| known.counted)
                .map(|known| known.references.clone())
                .unwrap_or_default()
        };
        let (old, new) = (counted(before.as_ref()), counted(self.whole.get(&key)));
        self.exchange(&old, &new, taken);
        if before.is_some_and(|before| before.our_class) != our_class {
            self.recount(taken);
        }
    }

    /// Counts new references before old ones are let go, so that what both have is not asked for again.
    fn exchange(
        &mut self,
        old: &BTreeSet<ObjectKey>,
        new: &BTreeSet<ObjectKey>,
        taken: &mut Taken,
    ) {
        for reference in new.difference(old) {
            let count = self.wanted.entry(reference.clone()).or_default();
            *count += 1;
            if *count == 1 {
                for key in self.behind(reference) {
                    self.ask(key, taken);
                }
            }
        }
        for reference in old.difference(new) {
            let Some(count) = self.wanted.get_mut(reference) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.wanted.remove(reference);
                for key in self.behind(reference) {
                    self.unload(&key, taken);
                }
            }
        }
    }

    fn put_slim(&mut self, key: ObjectKey, object: &Value, taken: &mut Taken) {
        let version = text(&object["metadata"]["resourceVersion"]);
        let service = (key.kind == Kind::EndpointSlice)
            .then(|| object["metadata"]["labels"][SERVICE_NAME].as_str())
            .flatten()
            .map(|name| ObjectKey::new(Kind::Service, key.namespace.clone(), name));
        let before = self.slim.get(&key);
        let loaded = before.is_some_and(|before| before.loaded);
        if before.is_some_and(|before| before.version == version && before.service == service) {
            return;
        }
        if let Some(before) = before.and_then(|before| before.service.clone())
            && let Some(slices) = self.slices.get_mut(&before)
        {
            slices.remove(&key);
        }
        if let Some(service) = &service {
            self.slices
                .entry(service.clone())
                .or_default()
                .insert(key.clone());
        }
        let slim = Slim {
            version,
            service,
            loaded,
        };
        self.slim.insert(key.clone(), slim);
        if self.needed(&key) {
            self.ask(key, taken);
        } else {
            self.unload(&key, taken);
        }
    }

    fn gone(&mut self, key: &ObjectKey, taken: &mut Taken) {
        match kinds::depth(key.kind) {
            Depth::Whole | Depth::Named => {
                let known = self.whole.remove(key);
                if let Some(known) = known.as_ref().filter(|known| known.counted) {
                    self.exchange(&known.references, &BTreeSet::new(), taken);
                }
                taken.changes.push(Change::Delete(key.clone()));
                if carries_status(key.kind) {
                    taken.observed.push(Sighting {
                        key: key.clone(),
                        observed: None,
                        listed: false,
                    });
                }
                if known.is_some_and(|known| known.our_class) {
                    self.recount(taken);
                }
            }
            Depth::Referenced => {
                self.unload(key, taken);
                let slim = self.slim.remove(key);
                if let Some(service) = slim.and_then(|slim| slim.service)
                    && let Some(slices) = self.slices.get_mut(&service)
                {
                    slices.remove(key);
                    if slices.is_empty() {
                        self.slices.remove(&service);
                    }
                }
            }
        }
    }

    fn fetched(&mut self, key: ObjectKey, answer: Option<Value>, taken: &mut Taken) {
        let again = self.asked.remove(&key).unwrap_or(false);
        if !self.needed(&key) {
            return;
        }
        let Some(slim) = self.slim.get_mut(&key) else {
            return;
        };
        if let Some(mut object) = answer {
            let _ = observe(&mut object);
            match Resource::from_json(object) {
                Ok(resource) => {
                    slim.loaded = true;
                    taken.changes.push(Change::Put(Arc::new(resource)));
                }
                Err(why) => taken.broken.push((key.clone(), why)),
            }
        }
        if again {
            self.ask(key, taken);
        }
    }

    /// Asks for an object; one that is asked for already will be asked for again, as it has changed since.
    fn ask(&mut self, key: ObjectKey, taken: &mut Taken) {
        match self.asked.get_mut(&key) {
            Some(again) => *again = true,
            None => {
                self.asked.insert(key.clone(), false);
                taken.fetch.push(key);
            }
        }
    }

    /// Whether an object of which the metadata is kept is referred to.
    fn needed(&self, key: &ObjectKey) -> bool {
        match key.kind {
            Kind::EndpointSlice => self
                .slim
                .get(key)
                .and_then(|slim| slim.service.as_ref())
                .is_some_and(|service| self.wanted.contains_key(service)),
            _ => self.wanted.contains_key(key),
        }
    }

    fn unload(&mut self, key: &ObjectKey, taken: &mut Taken) {
        if let Some(slim) = self.slim.get_mut(key)
            && std::mem::take(&mut slim.loaded)
        {
            taken.changes.push(Change::Delete(key.clone()));
        }
    }

    /// Whether references of an object count: those of Gateways of other controllers do not.
    fn counts(&self, known: &Known) -> bool {
        known.class.as_ref().is_none_or(|class| {
            let class = ObjectKey::new(Kind::GatewayClass, "", class.clone());
            self.whole.get(&class).is_some_and(|class| class.our_class)
        })
    }

    /// Classes have come or gone: which Gateways are ours is found out anew.
    fn recount(&mut self, taken: &mut Taken) {
        for key in of_kind(&self.whole, &ObjectKey::new(Kind::Gateway, "", "")) {
            let Some(known) = self.whole.get(&key) else {
                continue;
            };
            let (before, now) = (known.counted, self.counts(known));
            let (references, none) = (known.references.clone(), BTreeSet::new());
            if let Some(known) = self.whole.get_mut(&key) {
                known.counted = now;
            }
            match (before, now) {
                (false, true) => self.exchange(&none, &references, taken),
                (true, false) => self.exchange(&references, &none, taken),
                _ => {}
            }
        }
    }

    /// The objects that a reference brings: itself, or the EndpointSlices of a Service.
    fn behind(&self, reference: &ObjectKey) -> Vec<ObjectKey> {
        match reference.kind {
            Kind::Service => self
                .slices
                .get(reference)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            _ => self
                .slim
                .contains_key(reference)
                .then(|| reference.clone())
                .into_iter()
                .collect(),
        }
    }
}

fn of_kind<T>(map: &BTreeMap<ObjectKey, T>, from: &ObjectKey) -> Vec<ObjectKey> {
    map.range(from..)
        .map(|(key, _)| key)
        .take_while(|key| key.kind == from.kind)
        .cloned()
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether a status of ours may stand on objects of a kind.
pub(super) fn carries_status(kind: Kind) -> bool {
    kind.is_route()
        || matches!(
            kind,
            Kind::GatewayClass
                | Kind::Gateway
                | Kind::ListenerSet
                | Kind::BackendTlsPolicy
                | Kind::XBackend
                | Kind::XBackendTrafficPolicy
                | Kind::XTelemetryPolicy
        )
}

/// Takes out of an object what changes without its meaning changing: so a status of ours that comes back is no change.
pub(super) fn observe(object: &mut Value) -> Observed {
    let version = text(&object["apiVersion"]);
    let version = version.rsplit('/').next().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let known = Kind::all().find(|known| known.as_str() == kind);
    let known = known.and_then(|kind| kinds::versions(kind).find(|known| *known == version));
    let metadata = &mut object["metadata"];
    let observed = Observed {
        version: known.unwrap_or("v1"),
        uid: text(&metadata["uid"]),
        resource_version: text(&metadata["resourceVersion"]),
        generation: metadata["generation"].as_i64().unwrap_or(0),
        status: Value::Null,
    };
    if let Value::Object(metadata) = metadata {
        metadata.remove("resourceVersion");
        metadata.remove("managedFields");
    }
    let status = object
        .as_object_mut()
        .and_then(|object| object.remove("status"));
    Observed {
        status: status.unwrap_or_default(),
        ..observed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn class(name: &str, controller: &str) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": name}, "spec": {"controllerName": controller},
        })
    }

    fn gateway(class: &str, secret: &str) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "gw", "namespace": "a", "resourceVersion": "5", "generation": 2, "uid": "u"},
            "spec": {"gatewayClassName": class, "listeners": [
                {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": secret}]}},
            ]},
            "status": {"addresses": []},
        })
    }

    fn slim(kind: &str, name: &str, version: &str, service: Option<&str>) -> Value {
        let mut object = json!({
            "apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "namespace": "a", "resourceVersion": version},
        });
        if let Some(service) = service {
            object["metadata"]["labels"] = json!({SERVICE_NAME: service});
        }
        object
    }

    fn secret(name: &str) -> ObjectKey {
        ObjectKey::new(Kind::Secret, "a", name)
    }

    fn take(intake: &mut Intake, news: News) -> Taken {
        let mut taken = Taken::default();
        intake.take(news, &mut taken);
        taken
    }

    fn keys(taken: &Taken) -> Vec<String> {
        let key = |change: &Change| match change {
            Change::Put(resource) => format!("+{}", resource.key()),
            Change::Delete(key) => format!("-{key}"),
        };
        taken.changes.iter().map(key).collect()
    }

    #[test]
    fn a_secret_is_asked_for_when_a_gateway_of_ours_refers_to_it_and_forgotten_when_none_does() {
        let mut intake = Intake::new("us".to_owned());
        for name in ["one", "two"] {
            let taken = take(
                &mut intake,
                News::Put(Kind::Secret, slim("Secret", name, "1", None)),
            );
            assert!(taken.fetch.is_empty() && taken.changes.is_empty());
        }
        let taken = take(&mut intake, News::Put(Kind::Gateway, gateway("c", "one")));
        assert!(taken.fetch.is_empty(), "whose class it is is not known yet");
        let taken = take(&mut intake, News::Put(Kind::GatewayClass, class("c", "us")));
        assert_eq!(taken.fetch, [secret("one")]);
        assert!(intake.waiting());
        let whole = slim("Secret", "one", "1", None);
        let taken = take(&mut intake, News::Fetched(secret("one"), Ok(whole)));
        assert_eq!(keys(&taken), ["+Secret/a/one"]);
        assert!(!intake.waiting());
        // The same Gateway again asks for nothing; the other Secret replaces the first.
        let taken = take(&mut intake, News::Put(Kind::Gateway, gateway("c", "one")));
        assert!(taken.fetch.is_empty());
        let taken = take(&mut intake, News::Put(Kind::Gateway, gateway("c", "two")));
        assert_eq!(taken.fetch, [secret("two")]);
        assert!(keys(&taken).contains(&"-Secret/a/one".to_owned()));
        // The class is somebody else's now.
        let taken = take(
            &mut intake,
            News::Put(Kind::GatewayClass, class("c", "them")),
        );
        assert_eq!(keys(&taken), ["+GatewayClass/c"]);
        let whole = slim("Secret", "two", "1", None);
        let taken = take(&mut intake, News::Fetched(secret("two"), Ok(whole)));
        assert!(taken.changes.is_empty(), "nobody needs it any more");
    }

    #[test]
    fn a_secret_that_changes_while_it_is_asked_for_is_asked_for_again() {
        let mut intake = Intake::new("us".to_owned());
        take(&mut intake, News::Put(Kind::GatewayClass, class("c", "us")));
        take(&mut intake, News::Put(Kind::Gateway, gateway("c", "one")));
        let taken = take(
            &mut intake,
            News::Put(Kind::Secret, slim("Secret", "one", "1", None)),
        );
        assert_eq!(taken.fetch, [secret("one")]);
        let taken = take(
            &mut intake,
            News::Put(Kind::Secret, slim("Secret", "one", "2", None)),
        );
        assert!(taken.fetch.is_empty());
        let taken = take(
            &mut intake,
            News::Fetched(secret("one"), Ok(slim("Secret", "one", "1", None))),
        );
        assert_eq!(taken.fetch, [secret("one")]);
        let taken = take(&mut intake, News::Gone(secret("one")));
        assert_eq!(keys(&taken), ["-Secret/a/one"]);
    }

    #[test]
    fn endpoint_slices_come_with_the_service_that_a_route_refers_to() {
        let mut intake = Intake::new("us".to_owned());
        let slice = |name: &str, service: &str| {
            News::Put(
                Kind::EndpointSlice,
                slim("EndpointSlice", name, "1", Some(service)),
            )
        };
        take(&mut intake, slice("x-1", "x"));
        take(&mut intake, slice("y-1", "y"));
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "r", "namespace": "a"},
            "spec": {"rules": [{"backendRefs": [{"name": "x", "port": 80}]}]},
        });
        let taken = take(&mut intake, News::Put(Kind::HttpRoute, route));
        let key = |name: &str| ObjectKey::new(Kind::EndpointSlice, "a", name);
        assert_eq!(taken.fetch, [key("x-1")]);
        let taken = take(&mut intake, slice("x-2", "x"));
        assert_eq!(taken.fetch, [key("x-2")]);
        let listed = News::Listed(Kind::HttpRoute, "v1", Vec::new());
        let taken = take(&mut intake, listed);
        assert_eq!(keys(&taken), ["-HTTPRoute/a/r"]);
        assert!(!intake.waiting() || intake.asked.len() == 2);
    }

    #[test]
    fn a_status_that_comes_back_is_no_change_of_the_object() {
        let mut intake = Intake::new("us".to_owned());
        let first = take(&mut intake, News::Put(Kind::Gateway, gateway("c", "one")));
        let mut again = gateway("c", "one");
        again["status"] = json!({"addresses": [{"value": "10.0.0.1"}]});
        again["metadata"]["resourceVersion"] = json!("6");
        let second = take(&mut intake, News::Put(Kind::Gateway, again));
        let (Change::Put(one), Change::Put(two)) = (&first.changes[0], &second.changes[0]) else {
            panic!("both are there");
        };
        assert_eq!(one, two);
        let observed = second.observed[0].observed.as_ref().expect("there");
        assert_eq!(
            (observed.resource_version.as_str(), observed.generation),
            ("6", 2)
        );
        assert_eq!(observed.status["addresses"][0]["value"], "10.0.0.1");
    }

    #[test]
    fn what_cannot_be_understood_is_told_and_takes_nothing_away() {
        let mut intake = Intake::new("us".to_owned());
        let mut odd = gateway("c", "one");
        odd["spec"]["listeners"] = json!("many");
        let taken = take(&mut intake, News::Put(Kind::Gateway, odd));
        assert!(taken.changes.is_empty());
        assert_eq!(taken.broken.len(), 1);
    }
}
