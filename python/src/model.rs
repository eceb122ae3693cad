//! Rust values → those of `gatepost.model`.

use gatepost::analysis::{Candidate, describe};
use gatepost::key::ObjectKey;
use gatepost::problem::Problem;
use gatepost::rule::{Listener, Protocol, Rule};
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde_json::Value;

/// A value of a class of `gatepost.model`, its fields in order.
pub(crate) fn value<'py>(
    py: Python<'py>,
    class: &str,
    fields: impl PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    py.import("gatepost.model")?.getattr(class)?.call1(fields)
}

/// Several values.
pub(crate) fn values<'py, T>(
    py: Python<'py>,
    items: impl IntoIterator<Item = T>,
    one: impl Fn(T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let made = items.into_iter().map(one).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, made)
}

/// `Problem`s.
pub(crate) fn problems<'py>(
    py: Python<'py>,
    problems: &[Problem],
) -> PyResult<Bound<'py, PyTuple>> {
    values(py, problems, |problem| {
        let place = problem.place;
        let field = problem.field.as_ref().map(ToString::to_string);
        let fields = (
            problem.level.to_string(),
            &*problem.source,
            place.map(|place| place.line),
            place.map(|place| place.column),
            problem.object.as_deref(),
            field.filter(|field| !field.is_empty()),
            &problem.message,
        );
        value(py, "Problem", fields)
    })
}

/// `ObjectKey`.
pub(crate) fn key<'py>(py: Python<'py>, key: &ObjectKey) -> PyResult<Bound<'py, PyAny>> {
    let fields = (key.kind.as_str(), &*key.namespace, &*key.name);
    value(py, "ObjectKey", fields)
}

/// `Listener`.
pub(crate) fn listener<'py>(py: Python<'py>, listener: &Listener) -> PyResult<Bound<'py, PyAny>> {
    let protocol = match listener.protocol {
        Protocol::Http => "HTTP",
        Protocol::Https => "HTTPS",
        Protocol::Tls => "TLS",
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    let fields = (
        listener.gateway.to_string(),
        &*listener.name,
        listener.port,
        protocol,
        listener.hostname.as_ref().map(|name| name.as_str()),
    );
    value(py, "Listener", fields)
}

/// `Rule`.
pub(crate) fn rule<'py>(py: Python<'py>, rule: &Rule) -> PyResult<Bound<'py, PyAny>> {
    value(py, "Rule", (rule.index, rule.name.as_deref()))
}

/// `RouteEntry`.
pub(crate) fn entry<'py>(
    py: Python<'py>,
    listener: &Bound<'py, PyAny>,
    order: usize,
    candidate: &Candidate<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = (
        listener,
        order,
        candidate.hostname.map(|name| name.as_str()),
        key(py, &candidate.route.key)?,
        rule(py, candidate.rule)?,
        candidate.position,
        describe::match_of(candidate),
        PyTuple::new(py, describe::filters(candidate.rule))?,
        describe::backends(candidate.rule),
    );
    value(py, "RouteEntry", fields)
}

/// Plain dicts and lists of JSON.
pub(crate) fn json<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?
        .call_method1("loads", (value.to_string(),))
}
