//! Session persistence (experimental), wherever it stands.

use super::formats;
use super::reference::DURATION;
use super::schema::{
    Literal, Schema, defaulted, formatted, object, one_of, optional, required, rule, text,
};
use super::view::View;

pub(super) static SESSION_PERSISTENCE: Schema = object(&[
    defaulted(
        "type",
        &one_of(&["Cookie", "Header"]),
        &Literal::Text("Cookie"),
    ),
    optional("absoluteTimeout", &DURATION),
    optional(
        "cookie",
        &object(&[
            optional("name", &formatted(1, 256, &formats::HEADER_NAME)),
            defaulted("path", &text(0, 1_024), &Literal::Text("/")),
            defaulted(
                "lifetimeType",
                &one_of(&["Permanent", "Session"]),
                &Literal::Text("Session"),
            ),
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

fn cookie(session: View<'_>) -> bool {
    session.text("type") == Some("Cookie")
}
