//! BackendTLSPolicy, XBackend, XBackendTrafficPolicy and XTelemetryPolicy.

use super::duration::go_duration;
use super::formats::{self, qualified_name};
use super::gateway::kind_schema;
use super::reference::{
    BACKEND_OBJECT_REFERENCE, DURATION, FRACTION, GROUP, HOSTNAME, KIND, LOCAL_REFERENCE,
    OBJECT_NAME, PRECISE_HOSTNAME, SECRET_REFERENCE, SECTION_NAME,
};
use super::schema::{
    Field, Literal, PORT, Rule, Schema, defaulted, formatted, integer, list, list_map, map,
    map_between, object, object_of, one_of, optional, required, rule, rule_in, text,
};
use super::session::SESSION_PERSISTENCE;
use super::status;
use super::view::{View, items};
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

fn section(target: View<'_>) -> &str {
    target.text("sectionName").unwrap_or("")
}

fn same_targets(targets: View<'_>, differ: fn(View<'_>, View<'_>) -> bool) -> bool {
    items(targets).every_two(|a, b| !a.agrees(b, &["name", "kind", "group"]) || differ(a, b))
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

fn authorities(validation: View<'_>) -> bool {
    !validation.items("caCertificateRefs").is_empty()
}

fn well_known(validation: View<'_>) -> bool {
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
    optional("caCertificateRefs", &list(&LOCAL_REFERENCE, 0, 8)).only(Channel::Standard),
    optional("caCertificateRefs", &list(&LOCAL_REFERENCE, 1, 8)).only(Channel::Experimental),
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

pub(super) static BACKEND_TLS_POLICY: Schema = kind_schema!(
    &object(&[
        required("targetRefs", &TARGETS),
        required("validation", &VALIDATION),
        optional("options", &map(&text(0, 4_096), 16)),
    ]),
    status::OF_POLICY
);

/// Whether the backend is spoken to in the clear.
fn clear(backend: View<'_>) -> bool {
    backend
        .field("tls")
        .is_none_or(|tls| tls.text("mode") == Some("None"))
}

static X_BACKEND_SPEC: Schema = object(&[
    required("type", &one_of(&["ExternalHostname", "EndpointSelector"])),
    optional("externalHostname", &object(&[required("hostname", &PRECISE_HOSTNAME.with(&[rule(
        "hostname must not be an IP address or end with .cluster.local",
        |hostname| hostname.as_str().is_none_or(|text| !text.ends_with(".cluster.local")),
    )]))])),
    optional("endpointSelector", &object(&[required("matchLabels", &map_between(&formatted(0, 63, &formats::LABEL_VALUE), 1, 64).with(&[
        rule("Label keys must be in the form of an optional DNS subdomain prefix not longer than 253 characters followed by a required name segment of up to 63 characters.", |labels| labels.keys().all(qualified_name)),
    ]))])),
    required("port", &object_of(&[optional("number", &PORT)], 1, false)),
    optional("protocol", &one_of(&["TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC", "WSS"])),
    defaulted("tls", &object(&[
        required("mode", &one_of(&["None", "ServerOnly", "ClientAndServer"])),
        optional("validation", &VALIDATION),
        optional("clientCertificateRef", &SECRET_REFERENCE),
    ]).with(&[
        rule("clientCertificateRef must be set if and only if mode is ClientAndServer", |tls| tls.has("clientCertificateRef") == (tls.text("mode") == Some("ClientAndServer"))),
        rule("validation must be set if and only if mode is either ClientAndServer or ServerOnly", |tls| tls.has("validation") == (tls.text("mode") != Some("None"))),
    ]), &Literal::Object(&[("mode", Literal::Text("None"))])),
    optional("sessionPersistence", &SESSION_PERSISTENCE),
])
.with(&[
    rule("externalHostname must be set when type is ExternalHostname and must be unset otherwise", |b| b.has("externalHostname") == (b.text("type") == Some("ExternalHostname"))),
    rule("endpointSelector must be set when type is EndpointSelector and must be unset otherwise", |b| b.has("endpointSelector") == (b.text("type") == Some("EndpointSelector"))),
    rule("sessionPersistence can only be set when type is EndpointSelector", |b| !b.has("sessionPersistence") || b.text("type") == Some("EndpointSelector")),
    rule("tls must be disabled when protocol is H2C, use protocol HTTP2 for HTTP/2 with tls", |b| b.text("protocol") != Some("H2C") || clear(b)),
    rule("tls must be enabled when protocol is HTTP2, use protocol H2C for HTTP/2 without tls", |b| b.text("protocol") != Some("HTTP2") || !clear(b)),
    rule("tls must be enabled when protocol is WSS", |b| b.text("protocol") != Some("WSS") || !clear(b)),
]);

pub(super) static X_BACKEND: Schema = kind_schema!(&X_BACKEND_SPEC, status::OF_BACKEND);

const HOUR: i64 = 3_600 * SECOND;
const SECOND: i64 = 1_000_000_000;

static TEN_SECONDS: Literal = Literal::Text("10s");
static TWENTY: Literal = Literal::Integer(20);
static BUDGET: Literal = Literal::Object(&[
    ("interval", Literal::Text("10s")),
    ("percent", Literal::Integer(20)),
]);
static LEAST_RATE: Literal = Literal::Object(&[
    ("count", Literal::Integer(10)),
    ("interval", Literal::Text("1s")),
]);

/// Whether a duration can be read and is such; both rules on intervals are put on the text itself.
fn interval(text: View<'_>, holds: fn(i64) -> bool) -> bool {
    text.as_str().and_then(go_duration).is_some_and(holds)
}

pub(super) static X_BACKEND_TRAFFIC_POLICY: Schema =
    kind_schema!(&object(&[
    required(
        "targetRefs",
        &list_map(
            &LOCAL_REFERENCE,
            1,
            16,
            &["group", "kind", "name"]
        )
    ),
    optional(
        "retryConstraint",
        &object(&[
            defaulted(
                "budget",
                &object(&[
                    defaulted("percent", &integer(0, 100), &TWENTY),
                    defaulted(
                        "interval",
                        &DURATION.with(&[rule(
                            "interval cannot be greater than one hour or less than one second",
                            |text| interval(text, |value| (SECOND..=HOUR).contains(&value))
                        )]),
                        &TEN_SECONDS
                    )
                ]),
                &BUDGET
            ),
            defaulted(
                "minRetryRate",
                &object(&[
                    optional("count", &integer(1, 1_000_000)),
                    optional(
                        "interval",
                        &DURATION.with(&[rule(
                            "interval cannot be greater than one hour",
                            |text| interval(text, |value| value != 0 && value <= HOUR)
                        )])
                    )
                ]),
                &LEAST_RATE
            ),
        ])
    ),
    optional("sessionPersistence", &SESSION_PERSISTENCE),
]), status::OF_POLICY);

macro_rules! only_enabled {
    ($($field:literal),* $(,)?) => {
        &[
            rule("provider is required when mode is Enabled, and must be empty otherwise", |t| t.has("provider") == enabled(t)),
            $(rule(concat!($field, " can only be set when mode is Enabled"), |t| !t.has($field) || enabled(t)),)*
        ]
    };
}

fn enabled(node: View<'_>) -> bool {
    node.text("mode") == Some("Enabled")
}

const MODE: Field = defaulted(
    "mode",
    &one_of(&["Enabled", "Disabled", "ImplementationDefault"]),
    &Literal::Text("ImplementationDefault"),
);

macro_rules! attribute_rules {
    ($(($member:literal, $source:literal)),* $(,)?) => {
        &[$(rule(concat!($member, " is required when sourceType is ", $source, ", and must be empty otherwise"), |a| a.has($member) == (a.text("sourceType") == Some($source))),)*]
    };
}

static TRACING: Schema = object(&[
    MODE,
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
                    &["name"],
                ),
            ),
        ]),
    ),
    optional("samplingRate", &FRACTION),
    optional("serviceName", &formatted(1, 253, &formats::ATTRIBUTE_NAME)),
    optional("spanName", &formatted(1, 256, &formats::SPAN_NAME)),
    optional(
        "parentBasedSampling",
        &object(&[MODE, optional("samplingRate", &FRACTION)]).with(&[rule(
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
            &["name"],
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
    )]),
    status::OF_POLICY
);
