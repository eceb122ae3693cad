//! A match of the table → `gatepost.model.Match`, with what has to be done to the request worked out.

use std::borrow::Cow;

use gatepost::rule::{Backend, BackendProtocol, Cors, HeaderEdits, Picked};
use gatepost::table::{Match, ResponseStep, Step};
use gatepost::target::Target;
use http::header::LOCATION;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::model::{self, value, values};

/// `Match`.
pub(crate) fn matched<'py>(
    py: Python<'py>,
    found: &Match<'_>,
    target: &Target<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let backends = found.backends();
    let total = backends.total();
    let entries = backends.entries().iter().enumerate();
    let backends = values(py, entries, |(index, entry)| {
        let picked = Picked {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            backend: entry,
        };
        let steps = found.backend_steps(&picked);
        let response = entry.filters.response_headers.iter();
        let response_steps = response.map(ResponseStep::ResponseHeaders);
        backend(
            py,
            entry,
            total,
            values(py, steps, |one| step(py, found, target, one))?,
            values(py, response_steps, |one| response_step(py, one))?,
        )
    })?;
    let fields = (
        model::listener(py, found.listener())?,
        found.hostname().map(|name| name.as_str()),
        model::key(py, found.route())?,
        model::rule(py, found.rule())?,
        found.position(),
        text(target.path()),
        target.query().map(text),
        backends,
        values(py, found.steps(), |one| step(py, found, target, one))?,
        values(py, found.response_steps(None), |one| response_step(py, one))?,
    );
    value(py, "Match", fields)
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn backend<'py>(
    py: Python<'py>,
    entry: &Backend,
    total: u64,
    steps: Bound<'py, PyTuple>,
    response_steps: Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let destination = entry.destination.as_ref().ok();
    let port = destination.map(|destination| &destination.port);
    let protocol = destination.and_then(|destination| match destination.protocol {
        BackendProtocol::Http1 => Some("http1"),
        BackendProtocol::Http2 => Some("http2"),
        BackendProtocol::WebSocket => Some("websocket"),
        BackendProtocol::Tcp => Some("tcp"),
        _ => None,
    });
    let invalid = entry.destination.as_ref().err();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum of at most 16 weights of at most a million"
    )]
    let share = if total == 0 {
        0.0
    } else {
        f64::from(entry.weight) / total as f64
    };
    let fields = (
        port.map(|port| port.kind.as_str()),
        port.map(|port| &*port.namespace),
        port.map(|port| &*port.name),
        port.map(|port| port.port),
        entry.weight,
        share,
        protocol,
        destination.is_some_and(|destination| destination.tls.is_some()),
        invalid.map(|invalid| format!("{}: {}", invalid.reason, invalid.message)),
        steps,
        response_steps,
    );
    value(py, "Backend", fields)
}

/// The name of a backend that a filter asks or copies to; empty if it cannot be used.
fn service(backend: &Backend) -> String {
    let destination = backend.destination.as_ref();
    destination.map_or_else(|_| String::new(), |one| one.port.to_string())
}

fn step<'py>(
    py: Python<'py>,
    found: &Match<'_>,
    target: &Target<'_>,
    step: Step<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    match step {
        Step::Fault(fault) => value(py, "Fault", (&*fault.reason,)),
        Step::Cors(filter) => cors(py, filter),
        Step::Authorize(filter) => value(py, "Authorize", (service(&filter.backend),)),
        Step::Redirect(redirect) => {
            let answer = found.redirect(redirect, target);
            let location = answer.headers().get(LOCATION);
            let location = location.map(|location| text(location.as_bytes()));
            value(py, "Redirect", (answer.status().as_u16(), location))
        }
        Step::RequestHeaders(edits) => headers(py, "RequestHeaders", edits),
        Step::Rewrite(rewrite) => {
            let path = found.rewritten_path(rewrite, target.path());
            let path = path.as_deref().map(text);
            value(py, "Rewrite", (rewrite.hostname.as_deref(), path))
        }
        Step::Mirror(mirror) => {
            let share = f64::from(mirror.numerator) / f64::from(mirror.denominator.max(1));
            value(py, "Mirror", (service(&mirror.backend), share))
        }
    }
}

fn response_step<'py>(py: Python<'py>, step: ResponseStep<'_>) -> PyResult<Bound<'py, PyAny>> {
    match step {
        ResponseStep::ResponseHeaders(edits) => headers(py, "ResponseHeaders", edits),
        ResponseStep::Cors(filter) => cors(py, filter),
    }
}

fn cors<'py>(py: Python<'py>, filter: &Cors) -> PyResult<Bound<'py, PyAny>> {
    value(py, "Cors", (filter.credentials, filter.max_age))
}

fn headers<'py>(py: Python<'py>, class: &str, edits: &HeaderEdits) -> PyResult<Bound<'py, PyAny>> {
    let fields = |edits: &[gatepost::rule::HeaderEdit]| {
        let pairs = edits
            .iter()
            .map(|edit| (edit.name.as_str(), text(edit.value.as_bytes())));
        PyTuple::new(py, pairs.collect::<Vec<_>>())
    };
    let removed = edits.remove.iter().map(|name| name.as_str());
    let removed = PyTuple::new(py, removed.collect::<Vec<_>>())?;
    let arguments = (removed, fields(&edits.set)?, fields(&edits.add)?);
    value(py, class, arguments)
}
