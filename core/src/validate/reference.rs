//! References, and ReferenceGrant.

use super::formats;
use super::schema::{
    Field, Fields, PORT, Rule, Schema, formatted, integer, items, list, object, optional, required,
    rule, rule_in, text,
};
use crate::document::Node;
use crate::key::{Channel, EXPERIMENTAL_GROUP};

pub(super) const OBJECT_NAME: Schema = text(1, 253);
pub(super) const NAMESPACE: Schema = formatted(1, 63, &formats::LABEL);
pub(super) const GROUP: Schema = formatted(0, 253, &formats::GROUP);
pub(super) const KIND: Schema = formatted(1, 63, &formats::KIND);
pub(super) const SECTION_NAME: Schema = formatted(1, 253, &formats::SECTION_NAME);
pub(super) const HOSTNAME: Schema = formatted(1, 253, &formats::HOSTNAME);
pub(super) const PRECISE_HOSTNAME: Schema = formatted(1, 253, &formats::PRECISE_HOSTNAME);
pub(super) const DURATION: Schema = formatted(0, usize::MAX, &formats::DURATION);
const WEIGHT: Schema = integer(0, 1_000_000);

pub(super) static PARENT_REFERENCE: Schema = object(&[
    optional("group", &GROUP),
    optional("kind", &KIND),
    optional("namespace", &NAMESPACE),
    required("name", &OBJECT_NAME),
    optional("sectionName", &SECTION_NAME),
    optional("port", &PORT),
]);

/// `spec.parentRefs` of all routes.
pub(super) static PARENT_REFERENCES: Schema = list(&PARENT_REFERENCE, 0, 32).with(&[
    rule_in(Channel::Standard, "sectionName must be specified when parentRefs includes 2 or more references to the same parent", |refs| {
        same_parents(refs, |a, b| section(a).is_empty() == section(b).is_empty())
    }),
    rule_in(Channel::Standard, "sectionName must be unique when parentRefs includes 2 or more references to the same parent", |refs| {
        // Two bare references are refused too; a bare one beside a named one is the other rule's business.
        same_parents(refs, |a, b| section(a) != section(b))
    }),
    rule_in(Channel::Experimental, "sectionName or port must be specified when parentRefs includes 2 or more references to the same parent", |refs| {
        same_parents(refs, |a, b| section(a).is_empty() == section(b).is_empty() && (port(a) == 0) == (port(b) == 0))
    }),
    rule_in(Channel::Experimental, "sectionName or port must be unique when parentRefs includes 2 or more references to the same parent", |refs| {
        same_parents(refs, |a, b| section(a) != section(b) || port(a) != port(b))
    }),
]);

fn section(reference: &Node) -> &str {
    reference.text("sectionName").unwrap_or("")
}

fn port(reference: &Node) -> i64 {
    reference.field("port").and_then(Node::as_i64).unwrap_or(0)
}

/// Whether every two references to one object differ as asked.
fn same_parents(references: &Node, differ: fn(&Node, &Node) -> bool) -> bool {
    let object = |reference: &Node| {
        let text = |name: &str, absent: &str| reference.text(name).unwrap_or(absent).to_owned();
        let group = text("group", crate::key::GATEWAY_GROUP);
        (
            group,
            text("kind", "Gateway"),
            text("namespace", ""),
            text("name", ""),
        )
    };
    every_two(items(references), |a, b| {
        object(a) != object(b) || differ(a, b)
    })
}

/// Whether something holds for every two different items.
pub(super) fn every_two(items: &[Node], holds: impl Fn(&Node, &Node) -> bool) -> bool {
    let pairs = |(at, a)| items.iter().skip(at + 1).all(|b| holds(a, b));
    items.iter().enumerate().all(pairs)
}

pub(super) const BACKEND_RULES: &[Rule] = &[
    rule("Must have port for Service reference", |reference| {
        let group = reference.text("group").unwrap_or("");
        let kind = reference.text("kind").unwrap_or("Service");
        !(group.is_empty() && kind == "Service") || reference.has("port")
    }),
    rule_in(
        Channel::Experimental,
        "Must not have port for Backend reference",
        |reference| {
            let xbackend = reference.text("group") == Some(EXPERIMENTAL_GROUP)
                && reference.text("kind") == Some("XBackend");
            !xbackend || !reference.has("port")
        },
    ),
];

macro_rules! backend_fields {
    ($($more:expr),* $(,)?) => {
        &[
            optional("group", &GROUP),
            optional("kind", &KIND),
            optional("namespace", &NAMESPACE),
            required("name", &OBJECT_NAME),
            optional("port", &PORT),
            $($more),*
        ]
    };
}

pub(super) static BACKEND_OBJECT_REFERENCE: Schema = object(backend_fields!()).with(BACKEND_RULES);
pub(super) static BACKEND_REF: Schema =
    object(backend_fields!(optional("weight", &WEIGHT))).with(BACKEND_RULES);
pub(super) static HTTP_BACKEND_REF: Schema = object(backend_fields!(
    optional("weight", &WEIGHT),
    optional("filters", &super::routes::HTTP_FILTERS),
))
.with(BACKEND_RULES);
pub(super) static GRPC_BACKEND_REF: Schema = object(backend_fields!(
    optional("weight", &WEIGHT),
    optional("filters", &super::routes::GRPC_FILTERS),
))
.with(BACKEND_RULES);

pub(super) static SECRET_REFERENCE: Schema = object(&[
    optional("group", &GROUP),
    optional("kind", &KIND),
    required("name", &OBJECT_NAME),
    optional("namespace", &NAMESPACE),
]);

const NAMED: [Field; 3] = [
    required("group", &GROUP),
    required("kind", &KIND),
    required("name", &OBJECT_NAME),
];

pub(super) static LOCAL_REFERENCE: Schema = object(&NAMED);

pub(super) static OBJECT_REFERENCE: Schema = object(&[
    required("group", &GROUP),
    required("kind", &KIND),
    required("name", &OBJECT_NAME),
    optional("namespace", &NAMESPACE),
]);

pub(super) static FRACTION: Schema = object(&[
    required("numerator", &integer(0, i32::MAX as i64)),
    optional("denominator", &integer(1, i32::MAX as i64)),
])
.with(&[rule(
    "numerator must be less than or equal to denominator",
    |fraction| {
        let number = |name: &str, absent| {
            fraction
                .field(name)
                .and_then(Node::as_i64)
                .unwrap_or(absent)
        };
        number("numerator", 0) <= number("denominator", 100)
    },
)]);

pub(super) static REFERENCE_GRANT: Schema = object(&[
    optional("apiVersion", &super::schema::ANY),
    optional("kind", &super::schema::ANY),
    optional("metadata", &super::schema::ANY),
    optional(
        "spec",
        &object(&[
            required(
                "from",
                &list(
                    &object(&[
                        required("group", &GROUP),
                        required("kind", &KIND),
                        required("namespace", &NAMESPACE),
                    ]),
                    1,
                    16,
                ),
            ),
            required(
                "to",
                &list(
                    &object(&[
                        required("group", &GROUP),
                        required("kind", &KIND),
                        optional("name", &OBJECT_NAME),
                    ]),
                    1,
                    16,
                ),
            ),
        ]),
    ),
]);

/// `FromNamespaces` with its selector.
pub(super) static LABEL_SELECTOR: Schema = object(&[
    optional(
        "matchLabels",
        &super::schema::map(&text(0, usize::MAX), usize::MAX),
    ),
    optional(
        "matchExpressions",
        &list(
            &object(&[
                required("key", &text(0, usize::MAX)),
                required("operator", &text(0, usize::MAX)),
                optional("values", &list(&text(0, usize::MAX), 0, usize::MAX)),
            ]),
            0,
            usize::MAX,
        ),
    ),
]);
