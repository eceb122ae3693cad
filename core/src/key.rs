//! Names of things: kinds, namespaced names and object keys.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The group of the standard kinds.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// The group of the experimental kinds.
pub const EXPERIMENTAL_GROUP: &str = "gateway.networking.x-k8s.io";

/// A release channel of the Gateway API's CRDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// What is stable.
    Standard,
    /// Everything, experimental fields and kinds included.
    #[default]
    Experimental,
}

/// A kind that gatepost reads.
///
/// The order is that of the specification's digest: classes, gateways, routes, policies, then the kinds of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are the specification's and Kubernetes' own"
)]
pub enum Kind {
    GatewayClass,
    Gateway,
    ListenerSet,
    HttpRoute,
    GrpcRoute,
    TlsRoute,
    TcpRoute,
    UdpRoute,
    ReferenceGrant,
    BackendTlsPolicy,
    XBackend,
    XBackendTrafficPolicy,
    XTelemetryPolicy,
    XMesh,
    Namespace,
    Service,
    EndpointSlice,
    Secret,
    ConfigMap,
    Pod,
    ClusterTrustBundle,
    CustomResourceDefinition,
}

/// Kind, group, name on the wire, whether it lies in a namespace, versions of both channels, versions of the
/// experimental channel only. The first version is the one that is written.
type Row = (
    Kind,
    &'static str,
    &'static str,
    bool,
    &'static [&'static str],
    &'static [&'static str],
);

/// Digest 1.1.
const KINDS: &[Row] = &[
    (
        Kind::GatewayClass,
        GATEWAY_GROUP,
        "GatewayClass",
        false,
        &["v1", "v1beta1"],
        &[],
    ),
    (
        Kind::Gateway,
        GATEWAY_GROUP,
        "Gateway",
        true,
        &["v1", "v1beta1"],
        &[],
    ),
    (
        Kind::ListenerSet,
        GATEWAY_GROUP,
        "ListenerSet",
        true,
        &["v1"],
        &[],
    ),
    (
        Kind::HttpRoute,
        GATEWAY_GROUP,
        "HTTPRoute",
        true,
        &["v1", "v1beta1"],
        &[],
    ),
    (
        Kind::GrpcRoute,
        GATEWAY_GROUP,
        "GRPCRoute",
        true,
        &["v1"],
        &[],
    ),
    (
        Kind::TlsRoute,
        GATEWAY_GROUP,
        "TLSRoute",
        true,
        &["v1"],
        &["v1alpha3", "v1alpha2"],
    ),
    (
        Kind::TcpRoute,
        GATEWAY_GROUP,
        "TCPRoute",
        true,
        &["v1"],
        &["v1alpha2"],
    ),
    (
        Kind::UdpRoute,
        GATEWAY_GROUP,
        "UDPRoute",
        true,
        &["v1"],
        &["v1alpha2"],
    ),
    (
        Kind::ReferenceGrant,
        GATEWAY_GROUP,
        "ReferenceGrant",
        true,
        &["v1", "v1beta1"],
        &[],
    ),
    (
        Kind::BackendTlsPolicy,
        GATEWAY_GROUP,
        "BackendTLSPolicy",
        true,
        &["v1"],
        &["v1alpha3"],
    ),
    (
        Kind::XBackend,
        EXPERIMENTAL_GROUP,
        "XBackend",
        true,
        &[],
        &["v1alpha1"],
    ),
    (
        Kind::XBackendTrafficPolicy,
        EXPERIMENTAL_GROUP,
        "XBackendTrafficPolicy",
        true,
        &[],
        &["v1alpha1"],
    ),
    (
        Kind::XTelemetryPolicy,
        EXPERIMENTAL_GROUP,
        "XTelemetryPolicy",
        true,
        &[],
        &["v1alpha1"],
    ),
    (
        Kind::XMesh,
        EXPERIMENTAL_GROUP,
        "XMesh",
        false,
        &[],
        &["v1alpha1"],
    ),
    (Kind::Namespace, "", "Namespace", false, &["v1"], &[]),
    (Kind::Service, "", "Service", true, &["v1"], &[]),
    (
        Kind::EndpointSlice,
        "discovery.k8s.io",
        "EndpointSlice",
        true,
        &["v1"],
        &[],
    ),
    (Kind::Secret, "", "Secret", true, &["v1"], &[]),
    (Kind::ConfigMap, "", "ConfigMap", true, &["v1"], &[]),
    (Kind::Pod, "", "Pod", true, &["v1"], &[]),
    (
        Kind::ClusterTrustBundle,
        "certificates.k8s.io",
        "ClusterTrustBundle",
        false,
        &["v1", "v1beta1", "v1alpha1"],
        &[],
    ),
    (
        Kind::CustomResourceDefinition,
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        false,
        &["v1"],
        &[],
    ),
];

impl Kind {
    fn row(self) -> &'static Row {
        // INVARIANT: KINDS has one row for each variant, in order (asserted by a test); the fallback cannot be reached.
        KINDS.get(self as usize).unwrap_or(&KINDS[0])
    }

    /// The API group, empty for the core group.
    pub fn group(self) -> &'static str {
        self.row().1
    }

    /// The name on the wire, such as `HTTPRoute`.
    pub fn as_str(self) -> &'static str {
        self.row().2
    }

    /// Whether objects of this kind lie in a namespace.
    pub fn namespaced(self) -> bool {
        self.row().3
    }

    /// The version that is written: the newest served one.
    pub fn version(self) -> &'static str {
        let row = self.row();
        row.4.iter().chain(row.5).next().copied().unwrap_or("v1")
    }

    /// The version that the API server stores: the one that is written, but for ReferenceGrant.
    pub fn storage_version(self) -> &'static str {
        match self {
            Kind::ReferenceGrant => "v1beta1",
            kind => kind.version(),
        }
    }

    /// Whether a version of this kind is served in a channel.
    pub fn served(self, version: &str, channel: Channel) -> bool {
        let row = self.row();
        row.4.contains(&version) || (channel == Channel::Experimental && row.5.contains(&version))
    }

    /// The versions served in a channel, newest first.
    pub fn versions(self, channel: Channel) -> impl Iterator<Item = &'static str> {
        let row = self.row();
        let more: &[&str] = match channel {
            Channel::Standard => &[],
            Channel::Experimental => row.5,
        };
        row.4.iter().chain(more).copied()
    }

    /// The kind of a group and a name, both compared exactly.
    pub fn from_group_kind(group: &str, kind: &str) -> Option<Kind> {
        KINDS
            .iter()
            .find(|row| row.2 == kind && row.1 == group)
            .map(|row| row.0)
    }

    /// `group/version` of what is written, as in `apiVersion`.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// Whether this is a kind of route.
    pub fn is_route(self) -> bool {
        matches!(
            self,
            Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute
        )
    }

    /// All kinds, in order.
    pub fn all() -> impl Iterator<Item = Kind> {
        KINDS.iter().map(|row| row.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct NamespacedName {
    pub namespace: String,
    pub name: String,
}

impl NamespacedName {
    /// Puts the two together.
    ///
    /// ```
    /// use gatepost::key::NamespacedName;
    /// assert_eq!(NamespacedName::new("infra", "gw").to_string(), "infra/gw");
    /// ```
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for NamespacedName {
    type Err = InvalidNamespacedName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self::new(namespace, name))
            }
            _ => Err(InvalidNamespacedName(text.to_owned())),
        }
    }
}

/// A text that is not `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNamespacedName(String);

impl fmt::Display for InvalidNamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not of the form `namespace/name`", self.0)
    }
}

impl std::error::Error for InvalidNamespacedName {}

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ObjectKey {
    /// Its kind, and with it its group.
    pub kind: Kind,
    /// Its namespace; empty for kinds that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// Puts the parts together.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Namespace and name without the kind.
    pub fn namespaced_name(&self) -> NamespacedName {
        NamespacedName::new(self.namespace.clone(), self.name.clone())
    }

    /// `namespace/name` compared as one string, byte by byte, as the specification breaks ties.
    ///
    /// This is not the order of the pair: `-` sorts before `/`, so `a-b/x` comes before `a/x`.
    pub fn tie_break(&self) -> impl Iterator<Item = u8> + '_ {
        self.namespace
            .bytes()
            .chain(std::iter::once(b'/'))
            .chain(self.name.bytes())
    }
}

/// A key that something is looked up by, whether or not there is an [`ObjectKey`] of it.
pub(crate) trait AsKey {
    fn parts(&self) -> (Kind, &str, &str);
}

impl AsKey for ObjectKey {
    fn parts(&self) -> (Kind, &str, &str) {
        (self.kind, &self.namespace, &self.name)
    }
}

impl AsKey for (Kind, &str, &str) {
    fn parts(&self) -> (Kind, &str, &str) {
        *self
    }
}

impl<'k> Borrow<dyn AsKey + 'k> for Arc<ObjectKey> {
    fn borrow(&self) -> &(dyn AsKey + 'k) {
        &**self
    }
}

impl PartialEq for dyn AsKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn AsKey + '_ {}

impl PartialOrd for dyn AsKey + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn AsKey + '_ {
    /// That of [`ObjectKey`].
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        let kinds: Vec<Kind> = Kind::all().collect();
        let mut sorted = kinds.clone();
        sorted.sort();
        assert_eq!(kinds, sorted);
        assert_eq!(kinds.len(), Kind::CustomResourceDefinition as usize + 1);
        for kind in kinds {
            assert_eq!(
                Kind::from_group_kind(kind.group(), kind.as_str()),
                Some(kind)
            );
        }
    }

    #[test]
    fn alpha_versions_are_served_in_the_experimental_channel_only() {
        assert!(Kind::TlsRoute.served("v1alpha3", Channel::Experimental));
        assert!(!Kind::TlsRoute.served("v1alpha3", Channel::Standard));
        assert!(Kind::HttpRoute.served("v1beta1", Channel::Standard));
        assert!(!Kind::HttpRoute.served("v1alpha2", Channel::Experimental));
    }

    #[test]
    fn versions_come_newest_first_and_one_is_stored() {
        let versions: Vec<&str> = Kind::TlsRoute.versions(Channel::Experimental).collect();
        assert_eq!(versions, ["v1", "v1alpha3", "v1alpha2"]);
        assert_eq!(Kind::TlsRoute.versions(Channel::Standard).count(), 1);
        assert_eq!(Kind::XMesh.versions(Channel::Standard).count(), 0);
        for kind in Kind::all() {
            let stored = kind.storage_version();
            assert!(kind.served(stored, Channel::Experimental), "{kind}");
            assert_eq!(stored == kind.version(), kind != Kind::ReferenceGrant);
        }
    }

    #[test]
    fn ties_break_by_the_joined_string() {
        let one = ObjectKey::new(Kind::HttpRoute, "a-b", "x");
        let two = ObjectKey::new(Kind::HttpRoute, "a", "x");
        assert!(one.tie_break().lt(two.tie_break()));
        assert!(two < one);
    }

    #[test]
    fn a_namespaced_name_is_two_parts() {
        assert!("infra/gw".parse::<NamespacedName>().is_ok());
        for text in ["", "gw", "/gw", "infra/", "a/b/c"] {
            assert!(text.parse::<NamespacedName>().is_err(), "{text}");
        }
    }
}
