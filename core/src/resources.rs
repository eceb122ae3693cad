//! Objects by key: what resolution works on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::de::Error;
use serde_json::Value;

use crate::api::Object;
use crate::api::backend_tls_policy::BackendTlsPolicy;
use crate::api::config_map::ConfigMap;
use crate::api::endpoint_slice::EndpointSlice;
use crate::api::gateway::Gateway;
use crate::api::gateway_class::GatewayClass;
use crate::api::grpc_route::GrpcRoute;
use crate::api::http_route::HttpRoute;
use crate::api::listener_set::ListenerSet;
use crate::api::namespace::Namespace;
use crate::api::pod::Pod;
use crate::api::reference_grant::ReferenceGrant;
use crate::api::secret::Secret;
use crate::api::service::Service;
use crate::api::tcp_route::TcpRoute;
use crate::api::tls_route::TlsRoute;
use crate::api::udp_route::UdpRoute;
use crate::api::x_backend::XBackend;
use crate::api::x_telemetry_policy::XTelemetryPolicy;
use crate::document::typed::{Reader, Unknown, Wrong};
use crate::document::{Document, Node};
use crate::key::{AsKey, EXPERIMENTAL_GROUP, GATEWAY_GROUP, Kind, NamespacedName, ObjectKey};
use crate::problem::{FieldPath, Level, Problem, Segment, excerpt};

/// The namespace of a namespaced object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// An object: its key, the typed object, and the fields beside it that the type does not have.
///
/// `Debug` names the unknown fields without their values: of a Secret with a misspelt `data` they are secret.
#[derive(Clone, PartialEq)]
pub struct Resource {
    key: Arc<ObjectKey>,
    api_version: Box<str>,
    object: Object,
    unknown: Vec<(FieldPath, Value)>,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown: Vec<String> = self
            .unknown
            .iter()
            .map(|(path, _)| path.to_string())
            .collect();
        f.debug_struct("Resource")
            .field("key", &self.key)
            .field("api_version", &self.api_version)
            .field("object", &self.object)
            .field("unknown", &unknown)
            .finish()
    }
}

impl Resource {
    /// Makes a resource of JSON with `apiVersion` and `kind`.
    ///
    /// # Errors
    ///
    /// If the kind is not known, or a field has a type that the kind does not have there; the text says which.
    pub fn from_json(value: Value) -> Result<Resource, String> {
        let document = Document::from_json("", &value);
        Resource::from_root(document.root()).map_err(|wrong| wrong.to_string())
    }

    /// Makes a resource of a document.
    ///
    /// # Errors
    ///
    /// As [`Resource::from_json`], with the field and its place.
    pub fn from_document(document: &Document) -> Result<Resource, Problem> {
        Resource::from_root(document.root()).map_err(|wrong| Problem {
            level: Level::Error,
            source: document.source().clone(),
            place: Some(match &wrong.field {
                Some(field) => document.place(field),
                None => document.root().place(),
            }),
            object: Some(crate::manifest::object_name(document)),
            field: wrong.field,
            message: wrong.message,
        })
    }

    fn from_root(root: &Node) -> Result<Resource, Wrong> {
        let text = |key: &str| root.get(key).and_then(Node::as_str).unwrap_or_default();
        let api_version = text("apiVersion");
        let (group, _) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let kind = Kind::from_group_kind(group, text("kind")).ok_or_else(|| {
            let (kind, version) = (excerpt(text("kind")), excerpt(api_version));
            Wrong::custom(format!("kind `{kind}` of `{version}` is not known"))
        })?;
        let unknown = Unknown::default();
        let read = Object::deserialize(kind, Reader::new(root, &unknown));
        let mut unknown = unknown.into_inner();
        let mut object = match read {
            Ok(object) => object,
            Err(wrong) => {
                let (object, kept) = without_status(kind, root).ok_or(wrong)?;
                unknown = kept;
                object
            }
        };
        // One order, however the fields were written.
        unknown.sort_by(|(one, _), (two, _)| one.cmp(two));
        let metadata = object.metadata_mut();
        let namespace = match metadata.namespace.as_deref() {
            _ if !kind.namespaced() => String::new(),
            None | Some("") => DEFAULT_NAMESPACE.to_owned(),
            Some(namespace) => namespace.to_owned(),
        };
        Ok(Resource {
            key: Arc::new(ObjectKey::new(kind, namespace, metadata.name.clone())),
            api_version: api_version.into(),
            object,
            unknown,
        })
    }

    /// Kind, namespace and name.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The key, to be kept beside the resource.
    pub(crate) fn shared_key(&self) -> &Arc<ObjectKey> {
        &self.key
    }

    /// `apiVersion` as written.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The typed object.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The fields that the type does not have, with their values.
    pub fn unknown(&self) -> &[(FieldPath, Value)] {
        &self.unknown
    }

    /// The whole object as JSON, unknown fields included: what was read, `null`s left out.
    pub fn to_json(&self) -> Value {
        // INVARIANT: typed objects always serialise; their maps have strings as keys.
        let mut value = self.object.to_json().unwrap_or_default();
        for (path, unknown) in &self.unknown {
            put(&mut value, path.segments(), unknown);
        }
        value
    }
}

impl Resource {
    /// Whether the `status` has fields that its type does not have.
    pub(crate) fn has_unknown_status(&self) -> bool {
        let first = |path: &FieldPath| matches!(path.segments(), [Segment::Field(first), ..] if **first == *"status");
        self.unknown.iter().any(|(path, _)| first(path))
    }

    /// The `status` as JSON, unknown fields included, without a walk over the rest; `None` if there is none.
    pub fn status_json(&self) -> Option<Value> {
        let mut status = self.object.status_json();
        for (path, unknown) in &self.unknown {
            match path.segments() {
                [Segment::Field(first)] if **first == *"status" => {
                    status.get_or_insert_with(|| unknown.clone());
                }
                [Segment::Field(first), rest @ ..] if **first == *"status" => {
                    put(status.get_or_insert(Value::Null), rest, unknown);
                }
                _ => {}
            }
        }
        status
    }
}

/// The object whose status alone cannot be read, with what the type lacks. A status is not judged with its object, since
/// an API server drops it from what users apply, so the object does not fail by it: it stays among the unknown fields.
fn without_status(kind: Kind, root: &Node) -> Option<(Object, Vec<(FieldPath, Value)>)> {
    let own = [GATEWAY_GROUP, EXPERIMENTAL_GROUP].contains(&kind.group());
    let status = root.get("status").filter(|_| own)?;
    let unknown = Unknown::default();
    let object = Object::deserialize(kind, Reader::new(&root.without("status"), &unknown)).ok()?;
    let mut unknown = unknown.into_inner();
    unknown.push((FieldPath::default().field("status"), status.to_json()));
    Some((object, unknown))
}

fn put(value: &mut Value, path: &[Segment], what: &Value) {
    match path {
        [] => *value = what.clone(),
        [Segment::Field(key) | Segment::Key(key), rest @ ..] => {
            if let Value::Object(map) = value {
                put(map.entry(&**key).or_insert(Value::Null), rest, what);
            }
        }
        [Segment::Index(index), rest @ ..] => {
            if let Some(item) = value.get_mut(*index) {
                put(item, rest, what);
            }
        }
    }
}

/// A change of one object.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an object is there or it is not")]
pub enum Change {
    /// The object is there, like this.
    Put(Arc<Resource>),
    /// The object is gone.
    Delete(ObjectKey),
}

/// The label by which an EndpointSlice names its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// All objects, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// By kind; none is empty. The keys are those of the resources.
    kinds: BTreeMap<Kind, BTreeMap<Arc<ObjectKey>, Arc<Resource>>>,
    /// The names of the EndpointSlices of each Service, by namespace and the Service's name.
    slices: BTreeMap<NamespacedName, BTreeSet<String>>,
}

macro_rules! typed {
    ($($(#[$meta:meta])* $list:ident, $one:ident: $kind:ident;)*) => {
        $(
            $(#[$meta])*
            pub fn $list(&self) -> impl Iterator<Item = (&ObjectKey, &$kind)> {
                self.of(Kind::$kind).filter_map(|(key, resource)| match resource.object() {
                    Object::$kind(object) => Some((key, &**object)),
                    _ => None,
                })
            }

            /// One of them, by namespace and name.
            pub fn $one(&self, namespace: &str, name: &str) -> Option<&$kind> {
                match self.find((Kind::$kind, namespace, name))?.object() {
                    Object::$kind(object) => Some(object),
                    _ => None,
                }
            }
        )*
    };
}

impl Resources {
    /// Puts an object in, and gives back the one that was there.
    pub fn insert(&mut self, resource: Arc<Resource>) -> Option<Arc<Resource>> {
        let key = resource.key.clone();
        let of_kind = self.kinds.entry(key.kind).or_default();
        let old = match of_kind.entry(key.clone()) {
            Entry::Vacant(place) => {
                place.insert(resource.clone());
                None
            }
            // The key is the new resource's, so that the old one's goes with it.
            Entry::Occupied(place) => {
                let old = place.remove();
                of_kind.insert(key.clone(), resource.clone());
                Some(old)
            }
        };
        self.forget_slice(old.as_deref());
        if let Some(service) = service_of(&resource) {
            let names = self.slices.entry(service).or_default();
            names.insert(key.name.clone());
        }
        old
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Resource>> {
        let of_kind = self.kinds.get_mut(&key.kind)?;
        let old = of_kind.remove(key);
        if of_kind.is_empty() {
            self.kinds.remove(&key.kind);
        }
        self.forget_slice(old.as_deref());
        old
    }

    fn forget_slice(&mut self, slice: Option<&Resource>) {
        let Some((slice, service)) = slice.and_then(|slice| Some((slice, service_of(slice)?)))
        else {
            return;
        };
        if let Some(names) = self.slices.get_mut(&service) {
            names.remove(&slice.key.name);
            if names.is_empty() {
                self.slices.remove(&service);
            }
        }
    }

    /// The EndpointSlices of a Service, by name.
    pub fn slices_of(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = &EndpointSlice> {
        let names = self.slices.get(&NamespacedName::new(namespace, service));
        let namespace = namespace.to_owned();
        names
            .into_iter()
            .flatten()
            .filter_map(move |name| self.endpoint_slice(&namespace, name))
    }

    /// Carries out a change; whether anything is different now.
    pub fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Put(resource) => {
                let new = resource.clone();
                self.insert(resource).is_none_or(|old| old != new)
            }
            Change::Delete(key) => self.remove(&key).is_some(),
        }
    }

    /// The object of a key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Resource>> {
        self.kinds.get(&key.kind)?.get(key)
    }

    /// The object of a kind, a namespace and a name.
    pub(crate) fn find(&self, key: (Kind, &str, &str)) -> Option<&Arc<Resource>> {
        self.kinds.get(&key.0)?.get(&key as &dyn AsKey)
    }

    /// Hands over the objects of keys that ascend, each once; of many that costs no search.
    pub(crate) fn each<'r>(
        &'r self,
        keys: &[Arc<ObjectKey>],
        mut take: impl FnMut(&Arc<ObjectKey>, Option<&'r Arc<Resource>>),
    ) {
        if keys.len() < 16 + self.len() / 8 {
            keys.iter().for_each(|key| take(key, self.get(key)));
            return;
        }
        let mut all = self.kinds.values().flatten().peekable();
        for key in keys {
            let before =
                |(own, _): &(&Arc<ObjectKey>, &Arc<Resource>)| !Arc::ptr_eq(own, key) && *own < key;
            while all.next_if(before).is_some() {}
            let found = all.next_if(|(own, _)| *own == key);
            take(key, found.map(|(_, found)| found));
        }
    }

    /// All objects, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Resource>)> {
        let all = self.kinds.values().flatten();
        all.map(|(key, resource)| (&**key, resource))
    }

    /// The objects of a kind, by namespace and name.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&ObjectKey, &Arc<Resource>)> {
        let of_kind = self.kinds.get(&kind).into_iter().flatten();
        of_kind.map(|(key, resource)| (&**key, resource))
    }

    /// The objects of a kind, in the order of their keys.
    pub(crate) fn shared(&self, kind: Kind) -> impl Iterator<Item = &Arc<Resource>> {
        self.kinds.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// The objects of a kind in a namespace, by name.
    pub fn in_namespace(
        &self,
        kind: Kind,
        namespace: &str,
    ) -> impl Iterator<Item = (&ObjectKey, &Arc<Resource>)> {
        let namespace = namespace.to_owned();
        let first = Arc::new(ObjectKey::new(kind, namespace.clone(), ""));
        let of_kind = self.kinds.get(&kind).into_iter();
        of_kind
            .flat_map(move |objects| objects.range(first.clone()..))
            .take_while(move |(key, _)| key.namespace == namespace)
            .map(|(key, resource)| (&**key, resource))
    }

    /// The ReferenceGrants of a namespace, by name.
    pub fn reference_grants_in(&self, namespace: &str) -> impl Iterator<Item = &ReferenceGrant> {
        self.in_namespace(Kind::ReferenceGrant, namespace)
            .filter_map(|(_, resource)| match resource.object() {
                Object::ReferenceGrant(grant) => Some(&**grant),
                _ => None,
            })
    }

    /// The Pods of a namespace, by name.
    pub fn pods_in(&self, namespace: &str) -> impl Iterator<Item = &Pod> {
        self.in_namespace(Kind::Pod, namespace)
            .filter_map(|(_, resource)| match resource.object() {
                Object::Pod(pod) => Some(&**pod),
                _ => None,
            })
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.kinds.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    typed! {
        /// GatewayClasses, by name.
        gateway_classes, gateway_class: GatewayClass;
        /// Gateways.
        gateways, gateway: Gateway;
        /// ListenerSets.
        listener_sets, listener_set: ListenerSet;
        /// HTTPRoutes.
        http_routes, http_route: HttpRoute;
        /// GRPCRoutes.
        grpc_routes, grpc_route: GrpcRoute;
        /// TLSRoutes.
        tls_routes, tls_route: TlsRoute;
        /// TCPRoutes.
        tcp_routes, tcp_route: TcpRoute;
        /// UDPRoutes.
        udp_routes, udp_route: UdpRoute;
        /// ReferenceGrants.
        reference_grants, reference_grant: ReferenceGrant;
        /// BackendTLSPolicies.
        backend_tls_policies, backend_tls_policy: BackendTlsPolicy;
        /// XBackends.
        x_backends, x_backend: XBackend;
        /// XTelemetryPolicies.
        x_telemetry_policies, x_telemetry_policy: XTelemetryPolicy;
        /// Namespaces.
        namespaces, namespace: Namespace;
        /// Services.
        services, service: Service;
        /// EndpointSlices.
        endpoint_slices, endpoint_slice: EndpointSlice;
        /// Secrets.
        secrets, secret: Secret;
        /// ConfigMaps.
        config_maps, config_map: ConfigMap;
    }
}

impl FromIterator<Arc<Resource>> for Resources {
    fn from_iter<T: IntoIterator<Item = Arc<Resource>>>(resources: T) -> Self {
        let mut all = Resources::default();
        for resource in resources {
            all.insert(resource);
        }
        all
    }
}

/// The Service of an EndpointSlice.
fn service_of(resource: &Resource) -> Option<NamespacedName> {
    match resource.object() {
        Object::EndpointSlice(slice) => {
            let service = slice.metadata.label(SERVICE_NAME)?;
            Some(NamespacedName::new(resource.key.namespace.clone(), service))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_that_cannot_be_read_is_kept_aside() {
        let value = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "r"},
            "spec": {},
            "status": {"parents": "none"},
        });
        let resource = Resource::from_json(value.clone()).expect("a route");
        assert_eq!(resource.unknown().len(), 3);
        assert_eq!(resource.status_json(), Some(json!({"parents": "none"})));
        assert_eq!(resource.to_json(), value);
        let mut pod = value;
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["status"] = json!("none");
        assert!(Resource::from_json(pod).is_err());
    }

    #[test]
    fn unknown_fields_and_values_survive() {
        let value = json!({
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "HTTPRoute",
            "metadata": {"name": "r", "managedFields": [{"manager": "x"}]},
            "spec": {
                "parentRefs": [],
                "rules": [
                    {"matches": [{"path": {"type": "Glob", "value": "/*"}, "later": 1}], "retry": {}},
                    {"backendRefs": [{"name": "b", "port": 80, "zone": "a"}]},
                ],
            },
        });
        let resource = Resource::from_json(value.clone()).expect("a route");
        assert_eq!(resource.to_json(), value);
        assert_eq!(resource.key().to_string(), "HTTPRoute/default/r");
        let unknown: Vec<String> = resource
            .unknown()
            .iter()
            .map(|(p, _)| p.to_string())
            .collect();
        assert_eq!(
            unknown,
            [
                "apiVersion",
                "kind",
                "metadata.managedFields",
                "spec.rules[0].matches[0].later",
                "spec.rules[1].backendRefs[0].zone"
            ]
        );
    }

    #[test]
    fn a_status_alone_is_the_one_of_the_whole() {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "g"},
            "spec": {"gatewayClassName": "c", "listeners": []},
            "status": {"conditions": [{"type": "A", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "", "more": 1}], "later": {"a": [1]}},
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {}, "status": {"loadBalancer": {}},
        });
        let bare = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        for whole in [gateway, service, bare] {
            let resource = Resource::from_json(whole.clone()).expect("an object");
            assert_eq!(resource.status_json().as_ref(), whole.get("status"));
        }
    }

    #[test]
    fn debug_of_a_secret_shows_no_value_of_an_unknown_field() {
        let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "dta": {"key": "hunter2"}});
        let text = format!("{:?}", Resource::from_json(value).expect("a Secret"));
        assert!(text.contains("dta") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn objects_of_a_kind_stand_together() {
        let make = |kind: &str, name: &str| {
            let value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
            Arc::new(Resource::from_json(value).expect("an object"))
        };
        let resources: Resources = [
            make("Service", "b"),
            make("Secret", "a"),
            make("Service", "a"),
        ]
        .into_iter()
        .collect();
        let names: Vec<&str> = resources
            .services()
            .map(|(key, _)| key.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }
}
