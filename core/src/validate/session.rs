//! Session persistence (experimental), wherever it stands.

use super::formats;
use super::reference::DURATION;
use super::schema::{Fields, Schema, formatted, object, one_of, optional, required, rule, text};

pub(super) static SESSION_PERSISTENCE: Schema = object(&[
    optional("type", &one_of(&["Cookie", "Header"])),
    optional("absoluteTimeout", &DURATION),
    optional(
        "cookie",
        &object(&[
            optional("name", &formatted(1, 256, &formats::HEADER_NAME)),
            optional("path", &text(0, 1_024)),
            optional("lifetimeType", &one_of(&["Permanent", "Session"])),
        ]),
    ),
    optional(
        "header",
        &object(&[required("name", &formatted(1, 256, &formats::HEADER_NAME))]),
    ),
])
.with(&[
    rule(
        "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent",
        |session| {
            let permanent = session
                .field("cookie")
                .and_then(|cookie| cookie.text("lifetimeType"))
                == Some("Permanent");
            !permanent || session.has("absoluteTimeout")
        },
    ),
    rule("cookie must be nil if type is not Cookie", |session| {
        !session.has("cookie") || cookie(session)
    }),
    rule("cookie must be specified for Cookie type", |session| {
        session.has("cookie") || !cookie(session)
    }),
    rule("header must be nil if type is not Header", |session| {
        !session.has("header") || !cookie(session)
    }),
    rule("header must be specified for Header type", |session| {
        session.has("header") || cookie(session)
    }),
]);

fn cookie(session: &crate::document::Node) -> bool {
    session.text("type").unwrap_or("Cookie") == "Cookie"
}
