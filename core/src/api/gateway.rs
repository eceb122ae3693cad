//! Gateway, and the listeners that it shares with ListenerSet.

use std::collections::BTreeMap;

use super::filter::HttpExternalAuthFilter;
use super::meta::{Condition, LabelSelector};
use super::reference::{LocalObjectReference, ObjectReference, SecretObjectReference};
use crate::key::GATEWAY_GROUP;

kind! {
    /// Listeners at one set of addresses.
    Gateway { GatewaySpec, GatewayStatus }
}

wire! {
    /// `GatewaySpec`.
    GatewaySpec {
        gateway_class_name: String,
        listeners: Vec<Listener>;
        addresses: Vec<GatewaySpecAddress>,
        infrastructure: GatewayInfrastructure,
        allowed_listeners: AllowedListeners,
        tls: GatewayTlsConfig,
        default_scope: DefaultScope,
    }
}

impl GatewaySpec {
    /// `allowedListeners.namespaces.from`, `None` by default: no ListenerSet may attach.
    pub fn listeners_from(&self) -> &FromNamespaces {
        self.allowed_listeners
            .as_ref()
            .and_then(|allowed| allowed.namespaces.as_ref())
            .and_then(|namespaces| namespaces.from.as_ref())
            .unwrap_or(&FromNamespaces::None)
    }

    /// `allowedListeners.namespaces.selector`.
    pub fn listeners_selector(&self) -> Option<&LabelSelector> {
        let allowed = self.allowed_listeners.as_ref()?;
        allowed.namespaces.as_ref()?.selector.as_ref()
    }
}

open_enum! {
    /// `GatewayDefaultScope`.
    DefaultScope { All = "All", None = "None" }
}

wire! {
    /// `Listener`, of a Gateway or a ListenerSet.
    Listener {
        name: String,
        port: i32,
        protocol: ProtocolType;
        hostname: String,
        tls: ListenerTlsConfig,
        allowed_routes: AllowedRoutes,
        filters: ListenerFilters,
    }
}

open_enum! {
    /// `ProtocolType`.
    ProtocolType { Http = "HTTP", Https = "HTTPS", Tls = "TLS", Tcp = "TCP", Udp = "UDP" }
}

wire! {
    /// `ListenerTLSConfig`.
    ListenerTlsConfig {
        ;
        mode: TlsModeType,
        certificate_refs: Vec<SecretObjectReference>,
        options: BTreeMap<String, String>,
    }
}

open_enum! {
    /// `TLSModeType`.
    TlsModeType = Terminate { Terminate = "Terminate", Passthrough = "Passthrough" }
}

impl ListenerTlsConfig {
    /// `mode`, `Terminate` by default.
    pub fn mode(&self) -> &TlsModeType {
        self.mode.as_ref().unwrap_or(&TlsModeType::Terminate)
    }
}

wire! {
    /// `AllowedRoutes`.
    AllowedRoutes {
        ;
        namespaces: RouteNamespaces,
        kinds: Vec<RouteGroupKind>,
    }
}

wire! {
    /// `RouteNamespaces`.
    RouteNamespaces {
        ;
        from: FromNamespaces,
        selector: LabelSelector,
    }
}

open_enum! {
    /// `FromNamespaces`.
    FromNamespaces = Same { Same = "Same", All = "All", Selector = "Selector", None = "None" }
}

impl Listener {
    /// `hostname`; empty counts as absent.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().filter(|name| !name.is_empty())
    }

    /// `allowedRoutes.namespaces.from`, `Same` by default.
    pub fn routes_from(&self) -> &FromNamespaces {
        self.allowed_routes
            .as_ref()
            .and_then(|allowed| allowed.namespaces.as_ref())
            .and_then(|namespaces| namespaces.from.as_ref())
            .unwrap_or(&FromNamespaces::Same)
    }

    /// `allowedRoutes.namespaces.selector`.
    pub fn routes_selector(&self) -> Option<&LabelSelector> {
        let allowed = self.allowed_routes.as_ref()?;
        allowed.namespaces.as_ref()?.selector.as_ref()
    }

    /// `allowedRoutes.kinds`; empty means those of the protocol.
    pub fn route_kinds(&self) -> &[RouteGroupKind] {
        self.allowed_routes
            .as_ref()
            .and_then(|allowed| allowed.kinds.as_deref())
            .unwrap_or_default()
    }
}

wire! {
    /// `RouteGroupKind`.
    RouteGroupKind { kind: String; group: String }
}

impl RouteGroupKind {
    /// `group`, the Gateway API's by default.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(GATEWAY_GROUP)
    }
}

wire! {
    /// `ListenerFilters` (experimental).
    ListenerFilters { ; requests: Vec<ListenerRequestFilter> }
}

wire! {
    /// One entry of `filters.requests` (experimental).
    ListenerRequestFilter {
        #[serde(rename = "type")]
        filter_type: ListenerFilterType;
        external_auth: HttpExternalAuthFilter,
        extension_ref: LocalObjectReference,
    }
}

open_enum! {
    /// The types of listener filters (experimental).
    ListenerFilterType { ExternalAuth = "ExternalAuth", ExtensionRef = "ExtensionRef" }
}

wire! {
    /// `GatewaySpecAddress`.
    GatewaySpecAddress {
        ;
        #[serde(rename = "type")]
        address_type: AddressType,
        value: String,
        routability: String,
    }
}

impl GatewaySpecAddress {
    /// `type`, `IPAddress` by default.
    pub fn address_type(&self) -> &AddressType {
        self.address_type
            .as_ref()
            .unwrap_or(&AddressType::IpAddress)
    }
}

open_enum! {
    /// `AddressType`.
    AddressType = IpAddress { IpAddress = "IPAddress", Hostname = "Hostname", NamedAddress = "NamedAddress" }
}

wire! {
    /// `GatewayInfrastructure`.
    GatewayInfrastructure {
        ;
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        parameters_ref: LocalObjectReference,
    }
}

wire! {
    /// `AllowedListeners`.
    AllowedListeners { ; namespaces: ListenerNamespaces }
}

wire! {
    /// `ListenerNamespaces`.
    ListenerNamespaces {
        ;
        from: FromNamespaces,
        selector: LabelSelector,
    }
}

wire! {
    /// `GatewayTLSConfig`.
    GatewayTlsConfig {
        ;
        backend: GatewayBackendTls,
        frontend: FrontendTlsConfig,
    }
}

wire! {
    /// `GatewayBackendTLS`.
    GatewayBackendTls { ; client_certificate_ref: SecretObjectReference }
}

wire! {
    /// `FrontendTLSConfig`.
    FrontendTlsConfig {
        default: TlsConfig;
        per_port: Vec<TlsPortConfig>,
    }
}

wire! {
    /// `TLSPortConfig`.
    TlsPortConfig { port: i32, tls: TlsConfig; }
}

wire! {
    /// `TLSConfig`.
    TlsConfig { ; validation: FrontendTlsValidation }
}

wire! {
    /// `FrontendTLSValidation`.
    FrontendTlsValidation {
        ca_certificate_refs: Vec<ObjectReference>;
        mode: FrontendValidationModeType,
    }
}

impl FrontendTlsValidation {
    /// `mode`, `AllowValidOnly` by default.
    pub fn mode(&self) -> &FrontendValidationModeType {
        self.mode
            .as_ref()
            .unwrap_or(&FrontendValidationModeType::AllowValidOnly)
    }
}

open_enum! {
    /// `FrontendValidationModeType`.
    FrontendValidationModeType = AllowValidOnly { AllowValidOnly = "AllowValidOnly", AllowInsecureFallback = "AllowInsecureFallback" }
}

wire! {
    /// `GatewayStatus`.
    GatewayStatus {
        ;
        addresses: Vec<GatewayStatusAddress>,
        conditions: Vec<Condition>,
        listeners: Vec<ListenerStatus>,
        attached_listener_sets: i32,
    }
}

wire! {
    /// `GatewayStatusAddress`.
    GatewayStatusAddress {
        value: String;
        #[serde(rename = "type")]
        address_type: AddressType,
        routability: String,
    }
}

impl GatewayStatusAddress {
    /// `type`, `IPAddress` by default.
    pub fn address_type(&self) -> &AddressType {
        self.address_type
            .as_ref()
            .unwrap_or(&AddressType::IpAddress)
    }
}

wire! {
    /// `ListenerStatus`.
    ListenerStatus {
        name: String,
        attached_routes: i32,
        conditions: Vec<Condition>;
        supported_kinds: Vec<RouteGroupKind>,
    }
}
