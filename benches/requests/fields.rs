//! Reading what matches ask for besides the path: what a look-up in shape c cannot do without.

use std::hint::black_box;

use gatepost::target::Query;
use gatepost_benches::shapes::{Shape, Workload};
use http::HeaderName;

use super::{Arguments, Subject, case};

/// # Panics
///
/// If no request of the shape has the field and a query.
pub(crate) fn measure(arguments: &Arguments) {
    let workload = Workload::new(Shape::C, 10, 1);
    let tenant = HeaderName::from_static("x-tenant");
    let mut requests = workload.miss.iter();
    let request = requests
        .find(|request| request.headers.contains_key(&tenant) && !request.query.is_empty())
        .expect("one in four asks by a field");
    let field = Subject::new("http::HeaderMap, a field", || {
        black_box(request.headers.get(black_box(&tenant)).is_some());
    });
    let parameter = Subject::new("gatepost, a query parameter", || {
        let query = Query::new(black_box(request.query.as_bytes()));
        black_box(query.first(black_box(b"id")).is_some());
    });
    case(arguments, "fields", "shape c", vec![field, parameter]);
}
