//! The kinds of Kubernetes that routing reads: the fields that it reads; the rest is not judged.

use super::schema::{
    ANY, BOOLEAN, Format, INT32, PORT, Schema, Shape, formatted, list, map, one_of, open_object,
    optional, plain, required, text,
};

const TEXT: Schema = text(0, usize::MAX);
const TEXTS: Schema = map(&TEXT, usize::MAX);
/// Bytes: the API server cannot read an object in which they are no base64.
const BYTES: Schema = map(
    &formatted(
        0,
        usize::MAX,
        &Format {
            pattern: "",
            expected: "base64 with padding",
            holds: |text| crate::base64::decode(text).is_some(),
        },
    ),
    usize::MAX,
);

pub(super) static SERVICE: Schema = open_object(&[optional(
    "spec",
    &open_object(&[
        optional(
            "type",
            &one_of(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
        ),
        optional("selector", &TEXTS),
        optional(
            "ports",
            &list(
                &open_object(&[
                    optional("name", &TEXT),
                    required("port", &PORT),
                    optional("protocol", &one_of(&["TCP", "UDP", "SCTP"])),
                    optional("appProtocol", &TEXT),
                    optional("targetPort", &plain(Shape::IntOrString)),
                    optional("nodePort", &INT32),
                ]),
                0,
                usize::MAX,
            ),
        ),
        optional("clusterIP", &TEXT),
        optional("externalName", &TEXT),
    ]),
)]);

pub(super) static ENDPOINT_SLICE: Schema = open_object(&[
    required("addressType", &one_of(&["IPv4", "IPv6", "FQDN"])),
    optional(
        "endpoints",
        &list(
            &open_object(&[
                required("addresses", &list(&TEXT, 1, 100)),
                optional(
                    "conditions",
                    &open_object(&[
                        optional("ready", &BOOLEAN),
                        optional("serving", &BOOLEAN),
                        optional("terminating", &BOOLEAN),
                    ]),
                ),
            ]),
            0,
            1_000,
        ),
    ),
    optional(
        "ports",
        &list(
            &open_object(&[
                optional("name", &TEXT),
                // The API server has no bounds here.
                optional("port", &INT32),
                optional("protocol", &one_of(&["TCP", "UDP", "SCTP"])),
                optional("appProtocol", &TEXT),
            ]),
            0,
            100,
        ),
    ),
]);

pub(super) static SECRET: Schema = open_object(&[
    optional("type", &TEXT),
    optional("data", &BYTES),
    optional("stringData", &TEXTS),
]);

pub(super) static CONFIG_MAP: Schema =
    open_object(&[optional("data", &TEXTS), optional("binaryData", &BYTES)]);

pub(super) static CLUSTER_TRUST_BUNDLE: Schema = open_object(&[
    required(
        "spec",
        &open_object(&[
            required("trustBundle", &TEXT),
            optional("signerName", &TEXT),
        ]),
    ),
    optional("metadata", &ANY),
]);
