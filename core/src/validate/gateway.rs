//! GatewayClass, Gateway, ListenerSet and XMesh.

use std::net::IpAddr;

use super::formats::{self, label_key};
use super::reference::{
    ADDRESS_TYPE, CONTROLLER_NAME, GROUP, HOSTNAME, KIND, LABEL_SELECTOR, LOCAL_REFERENCE,
    NAMESPACE, OBJECT_NAME, OBJECT_REFERENCE, OUR_GROUP, SECRET_REFERENCE, SECTION_NAME,
};
use super::routes::EXTERNAL_AUTH;
use super::schema::{
    Literal, PORT, Rule, Schema, Shape, Test, defaulted, experimental, formatted, list, list_map,
    map, object, one_of, optional, plain, required, rule, rule_in, text,
};
use super::status;
use super::view::{View, items};
use crate::key::Channel;

static PARAMETERS_REFERENCE: Schema = object(&[
    required("group", &GROUP),
    required("kind", &KIND),
    required("name", &OBJECT_NAME),
    optional("namespace", &NAMESPACE),
]);

pub(super) const TEXT: Schema = text(0, usize::MAX);
/// `metadata` has rules of its own, in every kind the same.
pub(super) const METADATA: Schema = plain(Shape::Any(Some("object")));

macro_rules! kind_schema {
    ($spec:expr $(, $status:expr)?) => {
        $crate::validate::schema::object(&[
            $crate::validate::schema::optional("apiVersion", &$crate::validate::gateway::TEXT),
            $crate::validate::schema::optional("kind", &$crate::validate::gateway::TEXT),
            $crate::validate::schema::optional("metadata", &$crate::validate::gateway::METADATA),
            $crate::validate::schema::required("spec", $spec),
            $($status)?
        ])
    };
}
pub(super) use kind_schema;

static CLASS_SPEC: Schema = object(&[
    required(
        "controllerName",
        &CONTROLLER_NAME.with(&[Rule {
            message: "field is immutable",
            channel: None,
            test: Test::Update(|new, old| new.as_str() == old.as_str()),
        }]),
    ),
    optional("description", &text(0, 64)),
    optional("parametersRef", &PARAMETERS_REFERENCE),
]);

pub(super) static GATEWAY_CLASS: Schema = kind_schema!(&CLASS_SPEC, status::OF_CLASS);
pub(super) static X_MESH: Schema = kind_schema!(&CLASS_SPEC, status::OF_MESH);

/// `{from: …}`, as a default.
static SAME: Literal = Literal::Text("Same");
static FROM_SAME: Literal = Literal::Object(&[("from", Literal::Text("Same"))]);
static NAMESPACES_SAME: Literal = Literal::Object(&[(
    "namespaces",
    Literal::Object(&[("from", Literal::Text("Same"))]),
)]);
static FROM_NONE: Literal = Literal::Object(&[("from", Literal::Text("None"))]);

pub(super) static ROUTE_GROUP_KIND: Schema = object(&[
    defaulted("group", &GROUP, &OUR_GROUP),
    required("kind", &KIND),
]);

macro_rules! listener {
    ($rules:expr) => {
        object(&[
            required("name", &SECTION_NAME),
            optional("hostname", &HOSTNAME),
            required("port", &PORT),
            required("protocol", &formatted(1, 255, &formats::PROTOCOL)),
            optional("tls", &LISTENER_TLS),
            defaulted(
                "allowedRoutes",
                &object(&[
                    defaulted(
                        "namespaces",
                        &object(&[
                            defaulted("from", &one_of(&["All", "Selector", "Same"]), &SAME),
                            optional("selector", &LABEL_SELECTOR),
                        ]),
                        &FROM_SAME,
                    ),
                    optional("kinds", &list(&ROUTE_GROUP_KIND, 0, 8)),
                ]),
                &NAMESPACES_SAME,
            ),
            experimental(
                "filters",
                &object(&[optional("requests", &list(&LISTENER_FILTER, 0, 16))]),
            ),
        ])
        .with($rules)
    };
}

static LISTENER_TLS: Schema = object(&[
    defaulted(
        "mode",
        &one_of(&["Terminate", "Passthrough"]),
        &Literal::Text("Terminate"),
    ),
    optional("certificateRefs", &list(&SECRET_REFERENCE, 0, 64)),
    optional("options", &map(&text(0, 4_096), 16)),
])
.with(&[rule(
    "certificateRefs or options must be specified when mode is Terminate",
    |tls| {
        tls.text("mode") != Some("Terminate")
            || !tls.items("certificateRefs").is_empty()
            || tls
                .field("options")
                .is_some_and(|options| options.keys().next().is_some())
    },
)]);

static LISTENER_FILTER: Schema = object(&[
    required("type", &one_of(&["ExternalAuth", "ExtensionRef"])),
    optional("externalAuth", &EXTERNAL_AUTH),
    optional("extensionRef", &LOCAL_REFERENCE),
])
.with(&[
    rule(
        "filter.externalAuth must be nil if the filter.type is not ExternalAuth",
        |filter| !filter.has("externalAuth") || filter.text("type") == Some("ExternalAuth"),
    ),
    rule(
        "filter.externalAuth must be specified for ExternalAuth filter.type",
        |filter| filter.has("externalAuth") || filter.text("type") != Some("ExternalAuth"),
    ),
    rule(
        "filter.extensionRef must be nil if the filter.type is not ExtensionRef",
        |filter| !filter.has("extensionRef") || filter.text("type") == Some("ExtensionRef"),
    ),
    rule(
        "filter.extensionRef must be specified for ExtensionRef filter.type",
        |filter| filter.has("extensionRef") || filter.text("type") != Some("ExtensionRef"),
    ),
]);

static GATEWAY_LISTENER: Schema = listener!(&[rule_in(
    Channel::Experimental,
    "filters may only be set when protocol is HTTP or HTTPS",
    |listener| !listener.has("filters")
        || matches!(listener.text("protocol"), Some("HTTP" | "HTTPS")),
)]);
static LISTENER_SET_LISTENER: Schema = listener!(&[]);

const LISTENER_RULES: &[Rule] = &[
    rule(
        "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
        |listeners| {
            items(listeners).iter().all(|l| {
                !matches!(l.text("protocol"), Some("HTTP" | "TCP" | "UDP")) || !l.has("tls")
            })
        },
    ),
    rule(
        "tls mode must be Terminate for protocol HTTPS",
        |listeners| {
            items(listeners).iter().all(|l| {
                l.text("protocol") != Some("HTTPS")
                    || l.field("tls")
                        .is_none_or(|tls| matches!(tls.text("mode"), Some("" | "Terminate")))
            })
        },
    ),
    rule("tls mode must be set for protocol TLS", |listeners| {
        items(listeners).iter().all(|l| {
            l.text("protocol") != Some("TLS")
                || l.field("tls")
                    .is_some_and(|tls| tls.text("mode").is_some_and(|mode| !mode.is_empty()))
        })
    }),
    rule(
        "hostname must not be specified for protocols ['TCP', 'UDP']",
        |listeners| {
            items(listeners).iter().all(|l| {
                !matches!(l.text("protocol"), Some("TCP" | "UDP"))
                    || l.text("hostname").is_none_or(str::is_empty)
            })
        },
    ),
    rule(
        "Listener name must be unique within the Gateway",
        |listeners| items(listeners).every_two(|a, b| a.text("name") != b.text("name")),
    ),
    rule(
        "Combination of port, protocol and hostname must be unique for each listener",
        |listeners| {
            items(listeners).every_two(|a, b| {
                a.number("port") != b.number("port")
                    || a.text("protocol") != b.text("protocol")
                    || a.text("hostname") != b.text("hostname")
            })
        },
    ),
];

static GATEWAY_LISTENERS: Schema =
    list_map(&GATEWAY_LISTENER, 1, 64, &["name"]).with(LISTENER_RULES);
static LISTENER_SET_LISTENERS: Schema =
    list_map(&LISTENER_SET_LISTENER, 1, 64, &["name"]).with(LISTENER_RULES);

pub(super) const ROUTABILITY: Schema = text(0, 253).with(&[rule(
    "Routability must be empty, Cluster, or an implementation-specific prefixed path; k8s.io and its subdomains are reserved",
    |value| {
        let text = value.as_str().unwrap_or_default();
        text.is_empty()
            || text == "Cluster"
            || text.split_once('/').is_some_and(|(prefix, rest)| {
                !rest.is_empty()
                    && !rest.contains('\n')
                    && formats::subdomain(prefix)
                    && prefix != "k8s.io"
                    && !prefix.ends_with(".k8s.io")
            })
    },
)]);

/// The CRDs say it with `oneOf` and the formats `ipv4` and `ipv6`.
pub(super) const ADDRESS_STRUCTURE: Rule = Rule {
    message: "oneOf",
    channel: None,
    test: Test::Structure {
        member: "value",
        expected: "an IPv4 or IPv6 address, as the type is IPAddress",
        holds: |address| {
            // A list has the wrong type, and is asked nothing more.
            let ip = |value: View<'_>| {
                value.is_list()
                    || value
                        .as_str()
                        .is_some_and(|text| text.parse::<IpAddr>().is_ok())
            };
            address.text("type") != Some("IPAddress") || address.field("value").is_none_or(ip)
        },
    },
};

static ADDRESS: Schema = object(&[
    defaulted("type", &ADDRESS_TYPE, &Literal::Text("IPAddress")),
    optional("value", &text(0, 253)),
    experimental("routability", &ROUTABILITY),
])
.with(&[
    ADDRESS_STRUCTURE,
    rule("Hostname value must be empty or contain only valid characters (matching ^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)", |address| {
        address.text("type") != Some("Hostname") || address.text("value").is_none_or(formats::HOSTNAME.holds)
    }),
]);

static ADDRESSES: Schema = list(&ADDRESS, 0, 16).with(&[
    rule("IPAddress values must be unique", |addresses| {
        unique_values(addresses, "IPAddress")
    }),
    rule("Hostname values must be unique", |addresses| {
        unique_values(addresses, "Hostname")
    }),
]);

fn unique_values(addresses: View<'_>, kind: &str) -> bool {
    let of_kind = |address: View<'_>| address.text("type") == Some(kind) && address.has("value");
    items(addresses)
        .every_two(|a, b| !of_kind(a) || !of_kind(b) || a.text("value") != b.text("value"))
}

/// Whether what stands before the first `/` of every key, or the whole key without one, is short.
fn short_prefixes(map: View<'_>) -> bool {
    map.keys().all(|key| {
        let prefix = key.split('/').next().unwrap_or_default();
        prefix.chars().count() < 253
    })
}

static INFRASTRUCTURE: Schema = object(&[
    optional("labels", &map(&formatted(0, 63, &formats::LABEL_VALUE), 8).with(&[
        rule("Label keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 characters.", |map| map.keys().all(label_key)),
        rule("If specified, the label key's prefix must be a DNS subdomain not longer than 253 characters in total.", short_prefixes),
    ])),
    optional("annotations", &map(&text(0, 4_096), 16).with(&[
        rule("Annotation keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 characters.", |map| map.keys().all(label_key)),
        rule("If specified, the annotation key's prefix must be a DNS subdomain not longer than 253 characters in total.", short_prefixes),
    ])),
    optional("parametersRef", &LOCAL_REFERENCE),
]);

static FRONTEND_TLS: Schema = object(&[optional(
    "validation",
    &object(&[
        required(
            "caCertificateRefs",
            &list(&OBJECT_REFERENCE, 1, 16).with(&[rule_in(
                Channel::Experimental,
                "ClusterTrustBundle references must not specify namespace",
                |references| {
                    items(references).iter().all(|r| {
                        r.text("group") != Some("certificates.k8s.io")
                            || r.text("kind") != Some("ClusterTrustBundle")
                            || !r.has("namespace")
                    })
                },
            )]),
        ),
        defaulted(
            "mode",
            &one_of(&["AllowValidOnly", "AllowInsecureFallback"]),
            &Literal::Text("AllowValidOnly"),
        ),
    ]),
)]);

static GATEWAY_TLS: Schema = object(&[
    optional(
        "backend",
        &object(&[optional("clientCertificateRef", &SECRET_REFERENCE)]),
    ),
    optional(
        "frontend",
        &object(&[
            required("default", &FRONTEND_TLS),
            optional(
                "perPort",
                &list_map(
                    &object(&[required("port", &PORT), required("tls", &FRONTEND_TLS)]),
                    0,
                    64,
                    &["port"],
                )
                .with(&[rule(
                    "Port for TLS configuration must be unique within the Gateway",
                    |ports| items(ports).every_two(|a, b| a.number("port") != b.number("port")),
                )]),
            ),
        ]),
    ),
]);

pub(super) static GATEWAY: Schema = kind_schema!(
    &object(&[
        required("gatewayClassName", &OBJECT_NAME),
        required("listeners", &GATEWAY_LISTENERS),
        optional("addresses", &ADDRESSES),
        optional("infrastructure", &INFRASTRUCTURE),
        optional(
            "allowedListeners",
            &object(&[defaulted(
                "namespaces",
                &object(&[
                    defaulted(
                        "from",
                        &one_of(&["All", "Selector", "Same", "None"]),
                        &Literal::Text("None")
                    ),
                    optional("selector", &LABEL_SELECTOR),
                ]),
                &FROM_NONE
            )])
        ),
        optional("tls", &GATEWAY_TLS),
        experimental("defaultScope", &one_of(&["All", "None"])),
    ]),
    status::OF_GATEWAY
);

pub(super) static LISTENER_SET: Schema = kind_schema!(
    &object(&[
        required("parentRef", &PARENT_OF_LISTENER_SET),
        required("listeners", &LISTENER_SET_LISTENERS),
    ]),
    status::OF_LISTENER_SET
);

static PARENT_OF_LISTENER_SET: Schema = object(&[
    defaulted("group", &GROUP, &OUR_GROUP),
    defaulted("kind", &KIND, &Literal::Text("Gateway")),
    required("name", &OBJECT_NAME),
    optional("namespace", &NAMESPACE),
]);
