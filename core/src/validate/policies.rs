//! BackendTLSPolicy, XBackend, XBackendTrafficPolicy and XTelemetryPolicy.

use std::time::Duration;

use super::formats::{self, qualified_name};
use super::gateway::kind_schema;
use super::reference::{
    BACKEND_OBJECT_REFERENCE, DURATION, FRACTION, GROUP, HOSTNAME, KIND, LOCAL_REFERENCE,
    OBJECT_NAME, PRECISE_HOSTNAME, SECRET_REFERENCE, SECTION_NAME, every_two,
};
use super::schema::{
    ANY, Fields, Rule, Schema, formatted, integer, items, list, list_map, map, object, one_of,
    optional, required, rule, rule_in, text,
};
use super::session::SESSION_PERSISTENCE;
use crate::document::{Node, Value};
use crate::key::Channel;

static TARGETS: Schema = list(
    &object(&[
        required("group", &GROUP),
        required("kind", &KIND),
        required("name", &OBJECT_NAME),
        optional("sectionName", &SECTION_NAME),
    ]),
    1,
    16,
)
.with(&[
    rule("sectionName must be specified when targetRefs includes 2 or more references to the same target", |targets| {
        same_targets(targets, |a, b| section(a).is_empty() == section(b).is_empty())
    }),
    rule("sectionName must be unique when targetRefs includes 2 or more references to the same target", |targets| {
        same_targets(targets, |a, b| section(a) != section(b))
    }),
]);

fn section(target: &Node) -> &str {
    target.text("sectionName").unwrap_or("")
}

fn same_targets(targets: &Node, differ: fn(&Node, &Node) -> bool) -> bool {
    let object =
        |t: &Node| ["group", "kind", "name"].map(|name| t.text(name).unwrap_or("").to_owned());
    every_two(items(targets), |a, b| {
        object(a) != object(b) || differ(a, b)
    })
}

static SUBJECT_ALT_NAME: Schema = object(&[
    required("type", &one_of(&["Hostname", "URI"])),
    optional("hostname", &HOSTNAME),
    optional("uri", &formatted(1, 253, &formats::ABSOLUTE_URI)),
])
.with(&[
    rule(
        "SubjectAltName element must contain Hostname, if Type is set to Hostname",
        |n| n.text("type") != Some("Hostname") || !n.text("hostname").unwrap_or("").is_empty(),
    ),
    rule(
        "SubjectAltName element must not contain Hostname, if Type is not set to Hostname",
        |n| n.text("type") == Some("Hostname") || n.text("hostname").unwrap_or("").is_empty(),
    ),
    rule(
        "SubjectAltName element must contain URI, if Type is set to URI",
        |n| n.text("type") != Some("URI") || !n.text("uri").unwrap_or("").is_empty(),
    ),
    rule(
        "SubjectAltName element must not contain URI, if Type is not set to URI",
        |n| n.text("type") == Some("URI") || n.text("uri").unwrap_or("").is_empty(),
    ),
]);

fn authorities(validation: &Node) -> bool {
    !validation.items("caCertificateRefs").is_empty()
}

fn well_known(validation: &Node) -> bool {
    !validation
        .text("wellKnownCACertificates")
        .unwrap_or("")
        .is_empty()
}

const EXACTLY_ONE: Rule = rule_in(
    Channel::Experimental,
    "exactly one of the fields in [caCertificateRefs wellKnownCACertificates] must be set",
    |v| v.has("caCertificateRefs") != v.has("wellKnownCACertificates"),
);

static VALIDATION: Schema = object(&[
    optional(
        "caCertificateRefs",
        &list(&LOCAL_REFERENCE, 0, 8).with(&[rule_in(
            Channel::Experimental,
            "caCertificateRefs should have at least 1 items",
            |references| !items(references).is_empty(),
        )]),
    ),
    optional(
        "wellKnownCACertificates",
        &formatted(1, 253, &formats::WELL_KNOWN_CAS),
    ),
    required("hostname", &PRECISE_HOSTNAME),
    optional("subjectAltNames", &list(&SUBJECT_ALT_NAME, 0, 5)),
])
.with(&[
    rule_in(
        Channel::Standard,
        "must not contain both CACertificateRefs and WellKnownCACertificates",
        |v| !(authorities(v) && well_known(v)),
    ),
    rule_in(
        Channel::Standard,
        "must specify either CACertificateRefs or WellKnownCACertificates",
        |v| authorities(v) || well_known(v),
    ),
    EXACTLY_ONE,
]);

pub(super) static BACKEND_TLS_POLICY: Schema = kind_schema!(&object(&[
    required("targetRefs", &TARGETS),
    required("validation", &VALIDATION),
    optional("options", &map(&text(0, 4_096), 16)),
]));

fn mode(backend: &Node) -> &str {
    backend
        .field("tls")
        .and_then(|tls| tls.text("mode"))
        .unwrap_or("None")
}

static X_BACKEND_SPEC: Schema = object(&[
    required("type", &one_of(&["ExternalHostname", "EndpointSelector"])),
    optional("externalHostname", &object(&[required("hostname", &PRECISE_HOSTNAME)]).with(&[rule(
        "hostname must not be an IP address or end with .cluster.local",
        |e| !e.text("hostname").unwrap_or("").ends_with(".cluster.local"),
    )])),
    optional("endpointSelector", &object(&[required("matchLabels", &map(&formatted(0, 63, &formats::LABEL_VALUE), 64).with(&[
        rule("Label keys must be in the form of an optional DNS subdomain prefix not longer than 253 characters followed by a required name segment of up to 63 characters.", |labels| match labels.value() {
            Value::Mapping(mapping) => mapping.entries().iter().all(|entry| qualified_name(&entry.key)),
            _ => true,
        }),
    ]))])),
    required("port", &object(&[required("number", &integer(1, 65_535))])),
    optional("protocol", &one_of(&["TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC", "WSS"])),
    optional("tls", &object(&[
        required("mode", &one_of(&["None", "ServerOnly", "ClientAndServer"])),
        optional("validation", &VALIDATION),
        optional("clientCertificateRef", &SECRET_REFERENCE),
    ]).with(&[
        rule("clientCertificateRef must be set if and only if mode is ClientAndServer", |tls| tls.has("clientCertificateRef") == (tls.text("mode") == Some("ClientAndServer"))),
        rule("validation must be set if and only if mode is either ClientAndServer or ServerOnly", |tls| tls.has("validation") == (tls.text("mode") != Some("None"))),
    ])),
    optional("sessionPersistence", &SESSION_PERSISTENCE),
])
.with(&[
    rule("externalHostname must be set when type is ExternalHostname and must be unset otherwise", |b| b.has("externalHostname") == (b.text("type") == Some("ExternalHostname"))),
    rule("endpointSelector must be set when type is EndpointSelector and must be unset otherwise", |b| b.has("endpointSelector") == (b.text("type") == Some("EndpointSelector"))),
    rule("sessionPersistence can only be set when type is EndpointSelector", |b| !b.has("sessionPersistence") || b.text("type") == Some("EndpointSelector")),
    rule("tls must be disabled when protocol is H2C, use protocol HTTP2 for HTTP/2 with tls", |b| b.text("protocol") != Some("H2C") || mode(b) == "None"),
    rule("tls must be enabled when protocol is HTTP2, use protocol H2C for HTTP/2 without tls", |b| b.text("protocol") != Some("HTTP2") || mode(b) != "None"),
    rule("tls must be enabled when protocol is WSS", |b| b.text("protocol") != Some("WSS") || mode(b) != "None"),
]);

pub(super) static X_BACKEND: Schema = kind_schema!(&X_BACKEND_SPEC);

fn interval(node: &Node, least: Duration) -> bool {
    let value = node
        .text("interval")
        .and_then(|text| crate::duration::parse(text).ok());
    value.is_none_or(|value| value >= least && value <= Duration::from_secs(3_600))
}

pub(super) static X_BACKEND_TRAFFIC_POLICY: Schema = kind_schema!(&object(&[
    required(
        "targetRefs",
        &list_map(
            &LOCAL_REFERENCE,
            1,
            16,
            &[("group", ""), ("kind", ""), ("name", "")]
        )
    ),
    optional(
        "retryConstraint",
        &object(&[
            optional(
                "budget",
                &object(&[
                    optional("percent", &integer(0, 100)),
                    optional("interval", &DURATION)
                ])
                .with(&[rule(
                    "interval cannot be greater than one hour or less than one second",
                    |b| interval(b, Duration::from_secs(1))
                ),])
            ),
            optional(
                "minRetryRate",
                &object(&[
                    optional("count", &integer(1, 1_000_000)),
                    optional("interval", &DURATION)
                ])
                .with(&[rule("interval cannot be greater than one hour", |r| {
                    interval(r, Duration::from_millis(1))
                }),])
            ),
        ])
    ),
    optional("sessionPersistence", &SESSION_PERSISTENCE),
]));

macro_rules! only_enabled {
    ($($field:literal),* $(,)?) => {
        &[
            rule("provider is required when mode is Enabled, and must be empty otherwise", |t| t.has("provider") == enabled(t)),
            $(rule(concat!($field, " can only be set when mode is Enabled"), |t| !t.has($field) || enabled(t)),)*
        ]
    };
}

fn enabled(node: &Node) -> bool {
    node.text("mode") == Some("Enabled")
}

const MODE: Schema = one_of(&["Enabled", "Disabled", "ImplementationDefault"]);

macro_rules! attribute_rules {
    ($(($member:literal, $source:literal)),* $(,)?) => {
        &[$(rule(concat!($member, " is required when sourceType is ", $source, ", and must be empty otherwise"), |a| a.has($member) == (a.text("sourceType") == Some($source))),)*]
    };
}

static TRACING: Schema = object(&[
    optional("mode", &MODE),
    optional(
        "provider",
        &object(&[
            required("backendRef", &BACKEND_OBJECT_REFERENCE),
            optional(
                "headers",
                &list_map(
                    &object(&[
                        required("name", &formatted(1, 256, &formats::HEADER_NAME)),
                        required("value", &formatted(1, 4_096, &formats::HEADER_VALUE)),
                    ]),
                    0,
                    16,
                    &[("name", "")],
                ),
            ),
        ]),
    ),
    optional("samplingRate", &FRACTION),
    optional("serviceName", &formatted(1, 253, &formats::ATTRIBUTE_NAME)),
    optional("spanName", &formatted(1, 256, &formats::SPAN_NAME)),
    optional(
        "parentBasedSampling",
        &object(&[optional("mode", &MODE), optional("samplingRate", &FRACTION)]).with(&[rule(
            "samplingRate can only be set when mode is Enabled",
            |p| !p.has("samplingRate") || enabled(p),
        )]),
    ),
    optional(
        "attributes",
        &list_map(
            &object(&[
                required("name", &formatted(1, 256, &formats::ATTRIBUTE_NAME)),
                required("sourceType", &one_of(&["Header", "Literal", "Attribute"])),
                optional("headerName", &formatted(1, 256, &formats::HEADER_NAME)),
                optional("literalValue", &text(1, 1_024)),
                optional("attributeKey", &formatted(1, 256, &formats::ATTRIBUTE_KEY)),
            ])
            .with(attribute_rules![
                ("headerName", "Header"),
                ("literalValue", "Literal"),
                ("attributeKey", "Attribute")
            ]),
            0,
            usize::MAX,
            &[("name", "")],
        ),
    ),
])
.with(only_enabled![
    "samplingRate",
    "parentBasedSampling",
    "serviceName",
    "spanName",
    "attributes"
]);

pub(super) static X_TELEMETRY_POLICY: Schema = kind_schema!(
    &object(&[
        required("targetRefs", &list(&LOCAL_REFERENCE, 1, 16)),
        optional("tracing", &TRACING),
    ])
    .with(&[rule(
        "at least one of the fields in [tracing] must be set",
        |spec| spec.has("tracing")
    )])
);
