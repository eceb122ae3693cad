//! `.status` of the kinds of Gateway API. A status is written by controllers beside the object and never judged with it,
//! but its fields have to be known.

use super::formats;
use super::gateway::{ADDRESS_STRUCTURE, ROUTABILITY, ROUTE_GROUP_KIND};
use super::reference::{ADDRESS_TYPE, CONTROLLER_NAME, PARENT_REFERENCE, SECTION_NAME};
use super::schema::{
    Field, INT32, Literal, Schema, Shape, defaulted, experimental, formatted, list, list_map,
    object, one_of, optional, plain, required, rule, text,
};

static CONDITION: Schema = object(&[
    required("type", &formatted(0, 316, &formats::CONDITION_TYPE)),
    required("status", &one_of(&["True", "False", "Unknown"])),
    optional(
        "observedGeneration",
        &plain(Shape::Integer {
            format: Some("int64"),
            minimum: 0,
            maximum: i64::MAX,
            values: &[],
        }),
    ),
    required("lastTransitionTime", &plain(Shape::Time)),
    required("reason", &formatted(1, 1_024, &formats::REASON)),
    required("message", &text(0, 32_768)),
]);

static CONDITIONS: Schema = list_map(&CONDITION, 0, 8, &["type"]);
static ONE_CONDITION: Schema = list_map(&CONDITION, 1, 8, &["type"]);

macro_rules! pending {
    ($($kind:literal),*) => {
        Literal::List(&[$(Literal::Object(&[
            ("lastTransitionTime", Literal::Text("1970-01-01T00:00:00Z")),
            ("message", Literal::Text("Waiting for controller")),
            ("reason", Literal::Text("Pending")),
            ("status", Literal::Text("Unknown")),
            ("type", Literal::Text($kind)),
        ])),*])
    };
}

static ACCEPTED: Literal = pending!("Accepted");
static ACCEPTED_PROGRAMMED: Literal = pending!("Accepted", "Programmed");
static CONDITIONS_ACCEPTED: Literal = Literal::Object(&[("conditions", pending!("Accepted"))]);
static CONDITIONS_BOTH: Literal =
    Literal::Object(&[("conditions", pending!("Accepted", "Programmed"))]);

static FEATURES: Schema = list_map(
    &object(&[required("name", &text(0, usize::MAX))]),
    0,
    64,
    &["name"],
);

static CLASS_STATUS: Schema = object(&[
    defaulted("conditions", &CONDITIONS, &ACCEPTED),
    optional("supportedFeatures", &FEATURES),
]);

pub(super) const OF_CLASS: Field = defaulted("status", &CLASS_STATUS, &CONDITIONS_ACCEPTED);

static MESH_STATUS: Schema = object(&[
    defaulted("conditions", &CONDITIONS, &ACCEPTED_PROGRAMMED),
    optional("supportedFeatures", &FEATURES),
]);

pub(super) const OF_MESH: Field = defaulted("status", &MESH_STATUS, &CONDITIONS_ACCEPTED);

static LISTENERS: Schema = list_map(
    &object(&[
        required("name", &SECTION_NAME),
        optional("supportedKinds", &list(&ROUTE_GROUP_KIND, 0, 8)),
        required("attachedRoutes", &INT32),
        required("conditions", &CONDITIONS),
    ]),
    0,
    64,
    &["name"],
);

static GATEWAY_STATUS: Schema = object(&[
        optional(
            "addresses",
            &list(
                &object(&[
                    defaulted("type", &ADDRESS_TYPE, &Literal::Text("IPAddress")),
                    required("value", &text(1, 253)),
                    experimental("routability", &ROUTABILITY),
                ])
                .with(&[
                    ADDRESS_STRUCTURE,
                    rule("Hostname value must only contain valid characters (matching ^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)", |address| {
                        address.text("type") != Some("Hostname") || address.text("value").is_none_or(formats::HOSTNAME.holds)
                    }),
                ]),
                0,
                16,
            ),
        ),
        defaulted("conditions", &CONDITIONS, &ACCEPTED_PROGRAMMED),
        optional("listeners", &LISTENERS),
        optional("attachedListenerSets", &INT32),
    ]);

pub(super) const OF_GATEWAY: Field = defaulted("status", &GATEWAY_STATUS, &CONDITIONS_BOTH);

static LISTENER_SET_STATUS: Schema = object(&[
    defaulted("conditions", &CONDITIONS, &ACCEPTED_PROGRAMMED),
    optional("listeners", &LISTENERS),
]);

pub(super) const OF_LISTENER_SET: Field =
    defaulted("status", &LISTENER_SET_STATUS, &CONDITIONS_BOTH);

static ROUTE_STATUS: Schema = object(&[required(
    "parents",
    &list(
        &object(&[
            required("parentRef", &PARENT_REFERENCE),
            required("controllerName", &CONTROLLER_NAME),
            required("conditions", &ONE_CONDITION),
        ]),
        0,
        32,
    ),
)]);

pub(super) const OF_ROUTE: Field = optional("status", &ROUTE_STATUS);

static POLICY_STATUS: Schema = object(&[required(
    "ancestors",
    &list(
        &object(&[
            required("ancestorRef", &PARENT_REFERENCE),
            required("controllerName", &CONTROLLER_NAME),
            required("conditions", &ONE_CONDITION),
        ]),
        0,
        16,
    ),
)]);

pub(super) const OF_POLICY: Field = optional("status", &POLICY_STATUS);

static BACKEND_STATUS: Schema = object(&[optional(
    "ancestors",
    &list(
        &object(&[
            required("ancestorRef", &PARENT_REFERENCE),
            required("controllerName", &CONTROLLER_NAME),
            optional(
                "conditions",
                &list_map(&CONDITION, 0, usize::MAX, &["type"]),
            ),
        ]),
        0,
        32,
    ),
)]);

pub(super) const OF_BACKEND: Field = optional("status", &BACKEND_STATUS);
