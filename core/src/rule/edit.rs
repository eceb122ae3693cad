//! Reading and editing the head of a message, wherever the caller keeps it: `http` types, a server's own tables behind C
//! callbacks, objects of another language.

use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri, request, response};

/// The header fields of a message, to be read.
pub trait Headers {
    /// Calls `visit` with the value of each field of a name, in order.
    fn each(&self, name: &HeaderName, visit: &mut dyn FnMut(&[u8]));
}

/// The header fields of a message, to be edited.
///
/// Names and values were checked when the rule was resolved; an implementation may take them as they are.
pub trait EditHeaders {
    /// Removes every field of a name.
    fn remove(&mut self, name: &HeaderName);
    /// Replaces every field of a name by this one.
    fn set(&mut self, name: &HeaderName, value: &HeaderValue);
    /// Adds a field; those that are there stay.
    fn append(&mut self, name: &HeaderName, value: &HeaderValue);
}

/// A request that the steps of a rule edit (see [`crate::table::Match::apply`]).
///
/// ```
/// use gatepost::rule::{EditHeaders, EditRequest};
/// use http::{HeaderName, HeaderValue};
///
/// /// A request of some server.
/// #[derive(Default)]
/// struct Own { fields: Vec<(String, Vec<u8>)>, host: Vec<u8>, target: Vec<u8> }
///
/// impl EditHeaders for Own {
///     fn remove(&mut self, name: &HeaderName) {
///         self.fields.retain(|(own, _)| !own.eq_ignore_ascii_case(name.as_str()));
///     }
///     fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
///         self.remove(name);
///         self.append(name, value);
///     }
///     fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
///         self.fields.push((name.to_string(), value.as_bytes().to_vec()));
///     }
/// }
/// impl EditRequest for Own {
///     fn set_host(&mut self, host: &HeaderValue) {
///         self.host = host.as_bytes().to_vec();
///     }
///     fn set_target(&mut self, path: &[u8], query: Option<&[u8]>) -> bool {
///         self.target = path.to_vec();
///         if let Some(query) = query {
///             self.target.push(b'?');
///             self.target.extend_from_slice(query);
///         }
///         true
///     }
/// }
///
/// let mut own = Own::default();
/// assert!(own.set_target(b"/a", Some(b"b=c")));
/// assert_eq!(own.target, b"/a?b=c");
/// ```
pub trait EditRequest: EditHeaders {
    /// Makes this the authority that the backend is asked for: `Host`, or `:authority` in HTTP/2.
    fn set_host(&mut self, host: &HeaderValue);
    /// Makes path and query, without `?`, the target that the backend gets. False if it cannot hold them: the request is
    /// then answered with 400, unless a redirect answers it (S:query-bytes).
    fn set_target(&mut self, path: &[u8], query: Option<&[u8]>) -> bool;
}

impl Headers for HeaderMap {
    fn each(&self, name: &HeaderName, visit: &mut dyn FnMut(&[u8])) {
        for value in self.get_all(name) {
            visit(value.as_bytes());
        }
    }
}

impl EditHeaders for HeaderMap {
    fn remove(&mut self, name: &HeaderName) {
        HeaderMap::remove(self, name);
    }

    fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.insert(name.clone(), value.clone());
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        HeaderMap::append(self, name.clone(), value.clone());
    }
}

impl EditHeaders for request::Parts {
    fn remove(&mut self, name: &HeaderName) {
        EditHeaders::remove(&mut self.headers, name);
    }

    fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.set(name, value);
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        EditHeaders::append(&mut self.headers, name, value);
    }
}

impl EditHeaders for response::Parts {
    fn remove(&mut self, name: &HeaderName) {
        EditHeaders::remove(&mut self.headers, name);
    }

    fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.set(name, value);
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        EditHeaders::append(&mut self.headers, name, value);
    }
}

/// The URI becomes path and query, the authority the field `Host`.
impl EditRequest for request::Parts {
    fn set_host(&mut self, host: &HeaderValue) {
        self.headers.set(&HOST, host);
    }

    fn set_target(&mut self, path: &[u8], query: Option<&[u8]>) -> bool {
        let mut text = Vec::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
        text.extend_from_slice(path);
        if let Some(query) = query {
            text.push(b'?');
            text.extend_from_slice(query);
        }
        let uri = PathAndQuery::try_from(text);
        let sound = uri.is_ok();
        if let Ok(uri) = uri {
            self.uri = Uri::from(uri);
        }
        sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(head: &mut impl EditHeaders) {
        let (a, b) = (
            HeaderName::from_static("x-a"),
            HeaderName::from_static("x-b"),
        );
        head.append(&a, &HeaderValue::from_static("1"));
        head.append(&a, &HeaderValue::from_static("2"));
        head.append(&b, &HeaderValue::from_static("3"));
        head.set(&b, &HeaderValue::from_static("4"));
        head.append(&b, &HeaderValue::from_static("5"));
        head.remove(&a);
        head.append(&a, &HeaderValue::from_static("6"));
    }

    #[test]
    fn heads_of_requests_and_answers_are_edited_alike() {
        let (mut request, ()) = http::Request::new(()).into_parts();
        let (mut response, ()) = http::Response::new(()).into_parts();
        edited(&mut request);
        edited(&mut response);
        for headers in [request.headers, response.headers] {
            let values = |name: &'static str| {
                let mut values = Vec::new();
                headers.each(&HeaderName::from_static(name), &mut |value| {
                    values.push(value.to_vec())
                });
                values
            };
            assert_eq!(values("x-a"), [b"6"]);
            assert_eq!(values("x-b"), [b"4", b"5"]);
        }
    }
}
