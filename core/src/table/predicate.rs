//! Whether a request fits a match, read plainly: path, method, headers, query, and the names of gRPC.

use http::HeaderName;
use http::header::{CONTENT_TYPE, COOKIE, HOST};

use super::find::Head;
use crate::pattern::Pattern;
use crate::rule::{
    GrpcMatch, HeaderMatch, Headers, PathMatch, QueryMatch, RequestMatch, ValueMatch,
};
use crate::target::{Query, values_equal};

/// Why a request does not fit a match: the first thing that fails.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a match asks for nothing else")]
pub enum Predicate<'m> {
    /// The path.
    Path(&'m PathMatch),
    /// The method.
    Method(&'m http::Method),
    /// A header.
    Header(&'m HeaderMatch),
    /// A query parameter.
    Query(&'m QueryMatch),
    /// It is not a gRPC request, or its path is not `/service/method`.
    NotGrpc,
    /// The gRPC service.
    Service(&'m ValueMatch),
    /// The gRPC method.
    GrpcMethod(&'m ValueMatch),
}

/// The first thing about an HTTPRoute match that a request fails, or `None` if it fits.
///
/// The plain reading of a match, without any index. No allocation.
pub fn first_failure<'m>(one: &'m RequestMatch, head: &Head<'_>) -> Option<Predicate<'m>> {
    if !path(&one.path, head.target.path()) {
        return Some(Predicate::Path(&one.path));
    }
    let asked = &one.conditions;
    if let Some(method) = &asked.method
        && method.as_str().as_bytes() != head.method
    {
        return Some(Predicate::Method(method));
    }
    if let Some(failed) = asked.headers.iter().find(|field| !header(field, head)) {
        return Some(Predicate::Header(failed));
    }
    let failed = asked
        .query
        .iter()
        .find(|parameter| !parameter_fits(parameter, head));
    failed.map(Predicate::Query)
}

/// The first thing about a GRPCRoute match that a request fails, or `None` if it fits.
pub fn first_grpc_failure<'m>(one: &'m GrpcMatch, head: &Head<'_>) -> Option<Predicate<'m>> {
    let Some((service, method)) = grpc_names(head.target.path()) else {
        return Some(Predicate::NotGrpc);
    };
    if let Some(name) = &one.service
        && !value(name, service)
    {
        return Some(Predicate::Service(name));
    }
    if let Some(name) = &one.method
        && !value(name, method)
    {
        return Some(Predicate::GrpcMethod(name));
    }
    let failed = one.headers.iter().find(|field| !header(field, head));
    failed.map(Predicate::Header)
}

/// `/service/method`: exactly two segments.
pub(super) fn grpc_names(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let path = path.strip_prefix(b"/")?;
    let at = path.iter().position(|&byte| byte == b'/')?;
    let (service, method) = (&path[..at], &path[at + 1..]);
    (!service.is_empty() && !method.is_empty() && !method.contains(&b'/'))
        .then_some((service, method))
}

/// Whether a request is gRPC: POST with content type `application/grpc`, with `+` or `;` or nothing after it.
pub fn is_grpc(method: &[u8], headers: &dyn Headers) -> bool {
    if method != b"POST" {
        return false;
    }
    let mut grpc = false;
    headers.each(&CONTENT_TYPE, &mut |value| {
        let (start, rest) = value.split_at(value.len().min(16));
        grpc |= start.eq_ignore_ascii_case(b"application/grpc")
            && matches!(rest.first(), None | Some(b'+' | b';' | b' '));
    });
    grpc
}

fn path(wanted: &PathMatch, path: &[u8]) -> bool {
    match wanted {
        PathMatch::Exact(exact) => **exact == *path,
        PathMatch::Prefix(prefix) => {
            let rest = path.strip_prefix(&**prefix);
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        }
        PathMatch::Pattern(pattern) => pattern.matches(path),
    }
}

fn value(wanted: &ValueMatch, value: &[u8]) -> bool {
    match wanted {
        ValueMatch::Exact(exact) => **exact == *value,
        ValueMatch::Pattern(pattern) => pattern.matches(value),
    }
}

fn parameter_fits(parameter: &QueryMatch, head: &Head<'_>) -> bool {
    Parameter::of(head, &parameter.name).is_some_and(|given| match &parameter.value {
        ValueMatch::Exact(exact) => given.is(exact),
        ValueMatch::Pattern(pattern) => given.matches(pattern),
    })
}

/// The first value of a query parameter, still encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter<'r>(&'r [u8]);

impl<'r> Parameter<'r> {
    pub(super) fn of(head: &Head<'r>, name: &str) -> Option<Parameter<'r>> {
        let query = Query::new(head.target.query()?);
        query.first(name.as_bytes()).map(Parameter)
    }

    pub(super) fn is(self, value: &[u8]) -> bool {
        values_equal(self.0, value)
    }

    pub(super) fn matches(self, pattern: &Pattern) -> bool {
        let mut run = pattern.run();
        Query::decode(self.0).for_each(|byte| run.step(byte));
        run.matched()
    }
}

fn header(field: &HeaderMatch, head: &Head<'_>) -> bool {
    match &field.value {
        ValueMatch::Exact(exact) => is_joined(&field.name, exact, head),
        ValueMatch::Pattern(pattern) => matches_joined(&field.name, pattern, head),
    }
}

/// The values of a field; of `Host` the authority that the request is for, wherever it says so (S:host-header).
pub(crate) fn each(head: &Head<'_>, name: &HeaderName, visit: &mut dyn FnMut(&[u8])) {
    match head.target.authority() {
        Some(authority) if *name == HOST => visit(authority),
        _ => head.headers.each(name, visit),
    }
}

/// Repeated fields count as one, joined by `,` (RFC 9110 section 5.3), those of Cookie by `; ` (RFC 9113 section 8.2.3).
fn separator(name: &HeaderName) -> &'static [u8] {
    if *name == COOKIE { b"; " } else { b"," }
}

/// Whether the joined value is this one, without joining it.
pub(super) fn is_joined(name: &HeaderName, exact: &[u8], head: &Head<'_>) -> bool {
    let mut rest = Some(exact);
    let mut seen = false;
    each(head, name, &mut |value| {
        let next = if seen {
            rest.and_then(|rest| rest.strip_prefix(separator(name)))
        } else {
            rest
        };
        rest = next.and_then(|rest| rest.strip_prefix(value));
        seen = true;
    });
    seen && rest.is_some_and(<[u8]>::is_empty)
}

/// Whether the joined value matches a pattern, without joining it.
pub(super) fn matches_joined(name: &HeaderName, pattern: &Pattern, head: &Head<'_>) -> bool {
    let mut run = pattern.run();
    let mut seen = false;
    each(head, name, &mut |value| {
        if seen {
            run.feed(separator(name));
        }
        run.feed(value);
        seen = true;
    });
    seen && run.matched()
}

/// Joins the values of a field in an empty buffer; false if there is none, or more than `longest` bytes of them.
pub(super) fn join(
    name: &HeaderName,
    head: &Head<'_>,
    longest: usize,
    buffer: &mut Vec<u8>,
) -> bool {
    let mut seen = false;
    let mut fits = true;
    each(head, name, &mut |value| {
        let between = if seen { separator(name) } else { b"" };
        fits = fits && buffer.len() + between.len() + value.len() <= longest;
        if fits {
            buffer.extend_from_slice(between);
            buffer.extend_from_slice(value);
        }
        seen = true;
    });
    seen && fits
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::join;
    use crate::table::Head;
    use crate::target::{PathPolicy, Raw, Target};

    #[test]
    fn values_are_joined_as_long_as_they_fit() {
        let name = HeaderName::from_static("x-a");
        let mut headers = HeaderMap::new();
        for value in ["12", "34567", ""] {
            headers.append(&name, HeaderValue::from_static(value));
        }
        let mut buffer = Vec::new();
        let raw = Raw {
            target: b"/",
            authority: None,
            hosts: &mut std::iter::empty(),
            host_required: false,
            connect: false,
        };
        let head = Head {
            port: 80,
            sni: None,
            method: b"GET",
            target: Target::parse(raw, &PathPolicy::default(), &mut buffer).expect("it is sound"),
            headers: &headers,
        };
        for (longest, joined) in [(9, Some("12,34567,")), (8, None), (3, None), (1, None)] {
            let mut buffer = Vec::new();
            let fits = join(&name, &head, longest, &mut buffer);
            assert_eq!(
                fits.then_some(&*buffer),
                joined.map(str::as_bytes),
                "{longest}"
            );
            assert!(buffer.len() <= longest);
        }
        let absent = HeaderName::from_static("x-b");
        assert!(!join(&absent, &head, 9, &mut Vec::new()));
    }
}
