//! References, and ReferenceGrant.

use super::formats;
use super::schema::{
    Field, Literal, PORT, Rule, Schema, defaulted, formatted, int32, list, object, object_of,
    optional, required, rule, rule_in, text,
};
use super::view::{View, items};
use crate::key::{Channel, EXPERIMENTAL_GROUP, GATEWAY_GROUP};

pub(super) const OBJECT_NAME: Schema = text(1, 253);
pub(super) const NAMESPACE: Schema = formatted(1, 63, &formats::LABEL);
pub(super) const GROUP: Schema = formatted(0, 253, &formats::GROUP);
pub(super) const KIND: Schema = formatted(1, 63, &formats::KIND);
pub(super) const SECTION_NAME: Schema = formatted(1, 253, &formats::SECTION_NAME);
pub(super) const HOSTNAME: Schema = formatted(1, 253, &formats::HOSTNAME);
pub(super) const PRECISE_HOSTNAME: Schema = formatted(1, 253, &formats::PRECISE_HOSTNAME);
pub(super) const DURATION: Schema = formatted(0, usize::MAX, &formats::DURATION);
pub(super) const CONTROLLER_NAME: Schema = formatted(1, 253, &formats::CONTROLLER);
pub(super) const ADDRESS_TYPE: Schema = formatted(1, 253, &formats::ADDRESS_TYPE);
const WEIGHT: Schema = int32(0, 1_000_000);

pub(super) static CORE_GROUP: Literal = Literal::Text("");
pub(super) static OUR_GROUP: Literal = Literal::Text(GATEWAY_GROUP);
static GATEWAY: Literal = Literal::Text("Gateway");
static SERVICE: Literal = Literal::Text("Service");
static SECRET: Literal = Literal::Text("Secret");

pub(super) static PARENT_REFERENCE: Schema = object(&[
    defaulted("group", &GROUP, &OUR_GROUP),
    defaulted("kind", &KIND, &GATEWAY),
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

fn section(reference: View<'_>) -> &str {
    reference.text("sectionName").unwrap_or("")
}

fn port(reference: View<'_>) -> i64 {
    reference.number("port").unwrap_or(0)
}

/// Whether every two references to one object differ as asked.
fn same_parents(references: View<'_>, differ: fn(View<'_>, View<'_>) -> bool) -> bool {
    items(references)
        .every_two(|a, b| !a.agrees(b, &["name", "namespace", "kind", "group"]) || differ(a, b))
}

pub(super) const BACKEND_RULES: &[Rule] = &[
    rule("Must have port for Service reference", |reference| {
        let service =
            reference.text("group") == Some("") && reference.text("kind") == Some("Service");
        !service || reference.has("port")
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
            defaulted("group", &GROUP, &CORE_GROUP),
            defaulted("kind", &KIND, &SERVICE),
            optional("namespace", &NAMESPACE),
            required("name", &OBJECT_NAME),
            optional("port", &PORT),
            $($more),*
        ]
    };
}

pub(super) static BACKEND_OBJECT_REFERENCE: Schema = object(backend_fields!()).with(BACKEND_RULES);
pub(super) static BACKEND_REF: Schema = object(backend_fields!(defaulted(
    "weight",
    &WEIGHT,
    &Literal::Integer(1)
)))
.with(BACKEND_RULES);
pub(super) static HTTP_BACKEND_REF: Schema = object(backend_fields!(
    defaulted("weight", &WEIGHT, &Literal::Integer(1)),
    optional("filters", &super::routes::HTTP_FILTERS),
))
.with(BACKEND_RULES);
pub(super) static GRPC_BACKEND_REF: Schema = object(backend_fields!(
    defaulted("weight", &WEIGHT, &Literal::Integer(1)),
    optional("filters", &super::routes::GRPC_FILTERS),
))
.with(BACKEND_RULES);

pub(super) static SECRET_REFERENCE: Schema = object(&[
    defaulted("group", &GROUP, &CORE_GROUP),
    defaulted("kind", &KIND, &SECRET),
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
    required("numerator", &int32(0, i64::MAX)),
    defaulted("denominator", &int32(1, i64::MAX), &Literal::Integer(100)),
])
.with(&[rule(
    "numerator must be less than or equal to denominator",
    |fraction| fraction.number("numerator") <= fraction.number("denominator"),
)]);

pub(super) static REFERENCE_GRANT: Schema = super::gateway::kind_schema!(&object(&[
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
]));

/// `FromNamespaces` with its selector.
pub(super) static LABEL_SELECTOR: Schema = object_of(
    &[
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
    ],
    0,
    true,
);
