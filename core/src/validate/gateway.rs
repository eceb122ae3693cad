//! GatewayClass, Gateway, ListenerSet and XMesh.

use super::formats::{self, qualified_name};
use super::reference::{
    GROUP, HOSTNAME, KIND, LABEL_SELECTOR, LOCAL_REFERENCE, NAMESPACE, OBJECT_NAME,
    OBJECT_REFERENCE, SECRET_REFERENCE, SECTION_NAME, every_two,
};
use super::routes::EXTERNAL_AUTH;
use super::schema::{
    ANY, Fields, PORT, Rule, Schema, experimental, formatted, items, list, list_map, map, object,
    one_of, optional, required, rule, rule_in, text,
};
use crate::document::{Node, Value};
use crate::key::Channel;

pub(super) const CONTROLLER_NAME: Schema = formatted(1, 253, &formats::CONTROLLER);

static PARAMETERS_REFERENCE: Schema = object(&[
    required("group", &GROUP),
    required("kind", &KIND),
    required("name", &OBJECT_NAME),
    optional("namespace", &NAMESPACE),
]);

macro_rules! kind_schema {
    ($spec:expr) => {
        object(&[
            optional("apiVersion", &ANY),
            optional("kind", &ANY),
            optional("metadata", &ANY),
            required("spec", $spec),
            optional("status", &ANY),
        ])
    };
}
pub(super) use kind_schema;

static CLASS_SPEC: Schema = object(&[
    required("controllerName", &CONTROLLER_NAME),
    optional("description", &text(0, 64)),
    optional("parametersRef", &PARAMETERS_REFERENCE),
]);

pub(super) static GATEWAY_CLASS: Schema = kind_schema!(&CLASS_SPEC);
pub(super) static X_MESH: Schema = kind_schema!(&CLASS_SPEC);

static ROUTE_GROUP_KIND: Schema = object(&[optional("group", &GROUP), required("kind", &KIND)]);

macro_rules! listener {
    ($rules:expr) => {
        object(&[
            required("name", &SECTION_NAME),
            optional("hostname", &HOSTNAME),
            required("port", &PORT),
            required("protocol", &formatted(1, 255, &formats::PROTOCOL)),
            optional("tls", &LISTENER_TLS),
            optional(
                "allowedRoutes",
                &object(&[
                    optional(
                        "namespaces",
                        &object(&[
                            optional("from", &one_of(&["All", "Selector", "Same"])),
                            optional("selector", &LABEL_SELECTOR),
                        ]),
                    ),
                    optional("kinds", &list(&ROUTE_GROUP_KIND, 0, 8)),
                ]),
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
    optional("mode", &one_of(&["Terminate", "Passthrough"])),
    optional("certificateRefs", &list(&SECRET_REFERENCE, 0, 64)),
    optional("options", &map(&text(0, 4_096), 16)),
])
.with(&[rule(
    "certificateRefs or options must be specified when mode is Terminate",
    |tls| {
        let options = tls.field("options").and_then(Node::as_mapping);
        tls.text("mode").unwrap_or("Terminate") != "Terminate"
            || !tls.items("certificateRefs").is_empty()
            || options.is_some_and(|options| !options.entries().is_empty())
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
            each(listeners, |l| {
                !matches!(l.text("protocol"), Some("HTTP" | "TCP" | "UDP")) || !l.has("tls")
            })
        },
    ),
    rule(
        "tls mode must be Terminate for protocol HTTPS",
        |listeners| {
            each(listeners, |l| {
                let mode = l
                    .field("tls")
                    .and_then(|tls| tls.text("mode"))
                    .unwrap_or("Terminate");
                l.text("protocol") != Some("HTTPS") || mode == "Terminate"
            })
        },
    ),
    rule("tls mode must be set for protocol TLS", |listeners| {
        each(listeners, |l| {
            l.text("protocol") != Some("TLS") || l.has("tls")
        })
    }),
    rule(
        "hostname must not be specified for protocols ['TCP', 'UDP']",
        |listeners| {
            each(listeners, |l| {
                !matches!(l.text("protocol"), Some("TCP" | "UDP")) || !l.has("hostname")
            })
        },
    ),
    rule(
        "Listener name must be unique within the Gateway",
        |listeners| every_two(items(listeners), |a, b| a.text("name") != b.text("name")),
    ),
    rule(
        "Combination of port, protocol and hostname must be unique for each listener",
        |listeners| {
            let port = |l: &Node| l.field("port").and_then(Node::as_i64);
            every_two(items(listeners), |a, b| {
                port(a) != port(b)
                    || a.text("protocol") != b.text("protocol")
                    || a.text("hostname") != b.text("hostname")
            })
        },
    ),
];

fn each(list: &Node, holds: fn(&Node) -> bool) -> bool {
    items(list).iter().all(holds)
}

static GATEWAY_LISTENERS: Schema =
    list_map(&GATEWAY_LISTENER, 1, 64, &[("name", "")]).with(LISTENER_RULES);
static LISTENER_SET_LISTENERS: Schema =
    list_map(&LISTENER_SET_LISTENER, 1, 64, &[("name", "")]).with(LISTENER_RULES);

static ADDRESS: Schema = object(&[
    optional("type", &formatted(1, 253, &formats::ADDRESS_TYPE)),
    optional("value", &text(0, 253)),
    experimental("routability", &text(0, 253).with(&[rule(
        "Routability must be empty, Cluster, or an implementation-specific prefixed path; k8s.io and its subdomains are reserved",
        |value| {
            let text = value.as_str().unwrap_or_default();
            text.is_empty() || text == "Cluster" || text.split_once('/').is_some_and(|(prefix, rest)| {
                !rest.is_empty() && formats::subdomain(prefix) && prefix != "k8s.io" && !prefix.ends_with(".k8s.io")
            })
        },
    )])),
])
.with(&[
    rule("IPAddress value must be an IPv4 or IPv6 address", |address| {
        let value = address.text("value");
        address.text("type").unwrap_or("IPAddress") != "IPAddress"
            || value.is_none_or(|value| value.parse::<std::net::IpAddr>().is_ok())
    }),
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

fn unique_values(addresses: &Node, kind: &str) -> bool {
    let of_kind = |address: &Node| {
        address.text("type").unwrap_or("IPAddress") == kind && address.has("value")
    };
    every_two(items(addresses), |a, b| {
        !of_kind(a) || !of_kind(b) || a.text("value") != b.text("value")
    })
}

/// Whether every key of a map is an optional prefix and a name; the length of the prefix is a rule of its own.
fn keys(map: &Node, holds: fn(&str) -> bool) -> bool {
    match map.value() {
        Value::Mapping(mapping) => mapping.entries().iter().all(|entry| holds(&entry.key)),
        _ => true,
    }
}

fn short_prefix(key: &str) -> bool {
    key.split_once('/')
        .is_none_or(|(prefix, _)| prefix.len() < 253)
}

static INFRASTRUCTURE: Schema = object(&[
    optional("labels", &map(&formatted(0, 63, &formats::LABEL_VALUE), 8).with(&[
        rule("Label keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 characters.", |map| keys(map, qualified_name)),
        rule("If specified, the label key's prefix must be a DNS subdomain not longer than 253 characters in total.", |map| keys(map, short_prefix)),
    ])),
    optional("annotations", &map(&text(0, 4_096), 16).with(&[
        rule("Annotation keys must be in the form of an optional DNS subdomain prefix followed by a required name segment of up to 63 characters.", |map| keys(map, qualified_name)),
        rule("If specified, the annotation key's prefix must be a DNS subdomain not longer than 253 characters in total.", |map| keys(map, short_prefix)),
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
        optional(
            "mode",
            &one_of(&["AllowValidOnly", "AllowInsecureFallback"]),
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
                    &[("port", "")],
                )
                .with(&[rule(
                    "Port for TLS configuration must be unique within the Gateway",
                    |ports| {
                        let port = |entry: &Node| entry.field("port").and_then(Node::as_i64);
                        every_two(items(ports), |a, b| port(a) != port(b))
                    },
                )]),
            ),
        ]),
    ),
]);

pub(super) static GATEWAY: Schema = kind_schema!(&object(&[
    required("gatewayClassName", &OBJECT_NAME),
    required("listeners", &GATEWAY_LISTENERS),
    optional("addresses", &ADDRESSES),
    optional("infrastructure", &INFRASTRUCTURE),
    optional(
        "allowedListeners",
        &object(&[optional(
            "namespaces",
            &object(&[
                optional("from", &one_of(&["All", "Selector", "Same", "None"])),
                optional("selector", &LABEL_SELECTOR),
            ])
        )])
    ),
    optional("tls", &GATEWAY_TLS),
    experimental("defaultScope", &one_of(&["All", "None"])),
]));

pub(super) static LISTENER_SET: Schema = kind_schema!(&object(&[
    required("parentRef", &PARENT_OF_LISTENER_SET),
    required("listeners", &LISTENER_SET_LISTENERS),
]));

static PARENT_OF_LISTENER_SET: Schema = object(&[
    optional("group", &GROUP),
    optional("kind", &KIND),
    required("name", &OBJECT_NAME),
    optional("namespace", &NAMESPACE),
]);
