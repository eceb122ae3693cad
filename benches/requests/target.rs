//! Judging a request target, beside parsing it as a URI, which judges nothing.

use std::hint::black_box;

use gatepost_benches::subjects::gatepost::target;
use http::Uri;

use super::{Arguments, Subject, case};

const HOST: &str = "shop.apps.bench.example";

pub(crate) fn measure(arguments: &Arguments) {
    let long = format!("/{}?a=1", ["an-element-of-a-path"; 97].join("/"));
    for (name, text) in [
        (
            "canonical, 60 bytes",
            "/api/v1/organizations/org-00123/projects/proj-00456/tasks/7?a=1",
        ),
        (
            "to be decoded, 60 bytes",
            "/api/v1/%6Frganizations/../org-00123//projects/caf%c3%a9/7?a=1",
        ),
        ("canonical, 2 KiB", &long),
    ] {
        let mut buffer = Vec::with_capacity(4_096);
        let gatepost = Subject::new("gatepost", || {
            let target = target(black_box(text), black_box(HOST), &mut buffer);
            black_box(target.path().len());
        });
        let uri = Subject::new("http::Uri", || {
            let uri: Uri = black_box(text).parse().expect("it is one");
            black_box(uri.path().len());
        });
        case(arguments, "target", name, vec![gatepost, uri]);
    }
}
