//! Generated manifests and requests, and requests of any bytes: the table answers what the reference model answers.

use gatepost_conformance::entropy::Entropy;
use gatepost_conformance::generate::Generator;
use gatepost_conformance::request::Request;
use gatepost_conformance::subject::{Model, Subject, Table};

/// Requests for each table.
const REQUESTS: usize = 12;

/// The claim; see the module. The first byte is the length of a raw target, the second that of a raw host, the third that
/// of a raw field; what follows them are the generator's choices.
///
/// # Panics
///
/// If it does not hold.
pub fn holds(bytes: &[u8]) {
    let (lengths, rest) = bytes.split_at(bytes.len().min(3));
    let length = |at: usize| usize::from(lengths.get(at).copied().unwrap_or_default() & 0x3F);
    let (target, rest) = rest.split_at(rest.len().min(length(0)));
    let (host, rest) = rest.split_at(rest.len().min(length(1)));
    let (field, rest) = rest.split_at(rest.len().min(length(2)));
    let mut generator = Generator::of(Entropy::from_bytes(rest));
    let objects = generator.objects();
    let resources = Generator::resources(&objects);
    let (table, model) = (Table::new(&resources), Model::new(&resources));
    let compare = |request: &Request| {
        assert_eq!(table.answer(request), model.answer(request), "{request:?}");
    };
    for _ in 0..REQUESTS {
        let mut request = generator.request(&objects);
        compare(&request);
        if !field.is_empty() && sound(field) {
            request.headers.push(("x-a".to_owned(), field.to_vec()));
            compare(&request);
        }
        if !host.is_empty() && sound(host) {
            request.hosts = vec![host.to_vec()];
            compare(&request);
        }
        if !target.is_empty() && request.method != "CONNECT" {
            request.target = target.to_vec();
            compare(&request);
        }
    }
}

/// Whether a server lets it through as a field's value (RFC 9110 section 5.5).
fn sound(value: &[u8]) -> bool {
    http::HeaderValue::from_bytes(value).is_ok() && value.trim_ascii() == value
}
