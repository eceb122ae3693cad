//! What readers see where nothing is written: the defaults of the CRDs.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::endpoint_slice::{Endpoint, EndpointPort};
use super::filter::{Fraction, HttpCorsFilter, HttpRequestRedirectFilter};
use super::gateway::{
    AddressType, FromNamespaces, FrontendTlsValidation, FrontendValidationModeType, GatewaySpec,
    GatewayStatusAddress, Listener, ListenerTlsConfig, TlsModeType,
};
use super::http_route::{
    CookieLifetimeType, HttpRouteRetry, HttpRouteRule, HttpRouteSpec, PathMatchType, SessionCookie,
    SessionPersistence, SessionPersistenceType,
};
use super::reference::{BackendRef, ParentReference, SecretObjectReference};
use super::service::{IntOrString, ServicePort, ServiceSpec};
use super::x_backend::{XBackendSpec, XBackendTlsMode};
use super::x_backend_traffic_policy::{BudgetDetails, RequestRate};
use super::x_telemetry_policy::{TelemetryMode, Tracing};
use crate::key::GATEWAY_GROUP;

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the value is readable")
}

#[test]
fn a_route_without_rules_or_matches_takes_everything() {
    for spec in [
        json!({}),
        json!({"rules": [{}]}),
        json!({"rules": [{"matches": []}]}),
        json!({"rules": [{"matches": [{}]}]}),
        json!({"rules": [{"matches": [{"path": {}}]}]}),
    ] {
        let spec: HttpRouteSpec = read(spec);
        let [rule] = spec.rules() else {
            panic!("one rule: {spec:?}");
        };
        let [only] = rule.matches() else {
            panic!("one match: {rule:?}");
        };
        assert_eq!(only.path().match_type(), &PathMatchType::PathPrefix);
        assert_eq!(only.path().value(), "/");
        assert_eq!((&only.headers, &only.method), (&None, &None));
    }
    let rule: HttpRouteRule = read(json!({"matches": [{"method": "GET"}, {}]}));
    assert_eq!(rule.matches().len(), 2);
    let written: HttpRouteSpec = read(json!({"rules": []}));
    assert!(written.rules().is_empty());
}

#[test]
fn references_name_their_usual_kinds() {
    let parent: ParentReference = read(json!({"name": "gw", "namespace": ""}));
    assert_eq!((parent.group(), parent.kind()), (GATEWAY_GROUP, "Gateway"));
    assert_eq!(parent.namespace("shop"), "shop");
    let backend: BackendRef = read(json!({"name": "b", "namespace": "other"}));
    assert_eq!((backend.group(), backend.kind()), ("", "Service"));
    assert_eq!((backend.weight(), backend.namespace("shop")), (1, "other"));
    assert_eq!(backend.object().kind(), backend.kind());
    let none: BackendRef = read(json!({"name": "b", "weight": 0}));
    assert_eq!(none.weight(), 0);
    let secret: SecretObjectReference = read(json!({"name": "s"}));
    assert_eq!((secret.group(), secret.kind()), ("", "Secret"));
}

#[test]
fn filters_and_retries_have_their_defaults() {
    assert_eq!(HttpRequestRedirectFilter::default().status_code(), 302);
    let cors = HttpCorsFilter::default();
    assert_eq!((cors.max_age(), cors.allow_credentials()), (5, false));
    assert_eq!(Fraction::default().denominator(), 100);
    assert_eq!(HttpRouteRetry::default().attempts(), 1);
    let session: SessionPersistence = read(json!({"cookie": {}}));
    assert_eq!(session.persistence_type(), &SessionPersistenceType::Cookie);
    let cookie = SessionCookie::default();
    assert_eq!(cookie.path(), "/");
    assert_eq!(cookie.lifetime_type(), &CookieLifetimeType::Session);
}

#[test]
fn listeners_take_routes_of_their_own_namespace_and_no_listener_sets() {
    let listener = Listener::default();
    assert_eq!(listener.routes_from(), &FromNamespaces::Same);
    assert!(listener.route_kinds().is_empty());
    let gateway = GatewaySpec::default();
    assert_eq!(gateway.listeners_from(), &FromNamespaces::None);
    let open: GatewaySpec = read(json!({"allowedListeners": {"namespaces": {"from": "All"}}}));
    assert_eq!(open.listeners_from(), &FromNamespaces::All);
    assert!(open.listeners_selector().is_none());
    assert_eq!(ListenerTlsConfig::default().mode(), &TlsModeType::Terminate);
    assert_eq!(
        FrontendTlsValidation::default().mode(),
        &FrontendValidationModeType::AllowValidOnly
    );
    assert_eq!(
        GatewayStatusAddress::default().address_type(),
        &AddressType::IpAddress
    );
}

#[test]
fn services_and_endpoints_are_read_as_kubernetes_reads_them() {
    let port: ServicePort = read(json!({"port": 80}));
    assert_eq!(
        (port.protocol(), port.target_port()),
        ("TCP", IntOrString::Int(80))
    );
    let named: ServicePort = read(json!({"port": 80, "targetPort": "web"}));
    assert_eq!(named.target_port(), IntOrString::String("web".to_owned()));
    assert_eq!(ServiceSpec::default().service_type(), "ClusterIP");
    assert_eq!(EndpointPort::default().protocol(), "TCP");
    for (conditions, expected) in [
        (json!({}), (true, true, false)),
        (json!({"ready": false}), (false, false, false)),
        (
            json!({"ready": false, "serving": true, "terminating": true}),
            (false, true, true),
        ),
    ] {
        let endpoint: Endpoint = read(json!({"addresses": [], "conditions": conditions}));
        let found = (endpoint.ready(), endpoint.serving(), endpoint.terminating());
        assert_eq!(found, expected, "{conditions}");
    }
}

#[test]
fn experimental_kinds_have_their_defaults() {
    assert_eq!(XBackendSpec::default().tls_mode(), &XBackendTlsMode::None);
    let budget = BudgetDetails::default();
    assert_eq!(
        (budget.percent(), budget.interval()),
        (20, Ok(Duration::from_secs(10)))
    );
    let rate = RequestRate::default();
    assert_eq!(
        (rate.count(), rate.interval()),
        (10, Ok(Duration::from_secs(1)))
    );
    let wrong: RequestRate = read(json!({"interval": "1.5s"}));
    assert!(wrong.interval().is_err());
    let tracing: Tracing = read(json!({"parentBasedSampling": {}}));
    let default = &TelemetryMode::ImplementationDefault;
    assert_eq!(tracing.mode(), default);
    assert_eq!(
        tracing
            .parent_based_sampling
            .as_ref()
            .map(|sampling| sampling.mode()),
        Some(default)
    );
}

#[test]
fn an_enum_is_its_text() {
    for text in ["Exact", "PathPrefix", "RegularExpression", "Glob", ""] {
        let kind = PathMatchType::from(text);
        assert_eq!((kind.as_str(), kind.to_string().as_str()), (text, text));
        assert_eq!(String::from(kind), text);
    }
    assert_eq!(PathMatchType::from("Exact"), PathMatchType::Exact);
    assert_eq!(
        PathMatchType::from("exact"),
        PathMatchType::Other("exact".to_owned())
    );
    assert_eq!(PathMatchType::default(), PathMatchType::PathPrefix);
}
