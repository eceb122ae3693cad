//! The exceptions of `gatepost.errors`.

use gatepost::problem::Problem;
use gatepost::table::NoMatch;
use gatepost::target::Refused;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

use crate::model;

fn error<'py>(py: Python<'py>, class: &str, arguments: impl PyCallArgs<'py>) -> PyErr {
    let made = py
        .import("gatepost.errors")
        .and_then(|errors| errors.getattr(class)?.call1(arguments));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// `ManifestError`.
pub(crate) fn manifest(py: Python<'_>, problems: &[Problem]) -> PyErr {
    match model::problems(py, problems) {
        Ok(problems) => error(py, "ManifestError", (problems,)),
        Err(error) => error,
    }
}

/// `InvalidSetting`.
pub(crate) fn setting(py: Python<'_>, message: &str) -> PyErr {
    error(py, "InvalidSetting", (message,))
}

/// `InvalidRequest`.
pub(crate) fn request(py: Python<'_>, message: &str) -> PyErr {
    error(py, "InvalidRequest", (message,))
}

/// `UnknownGateway`.
pub(crate) fn unknown_gateway(py: Python<'_>, name: &str, known: Vec<String>) -> PyErr {
    error(py, "UnknownGateway", (name, known))
}

/// `BadRequest`.
pub(crate) fn refused(py: Python<'_>, refused: Refused) -> PyErr {
    error(py, "BadRequest", (refused.as_str(),))
}

/// What stands for a request without a rule: `None` for 404, else an exception.
pub(crate) fn no_match<T>(py: Python<'_>, no_match: NoMatch) -> PyResult<Option<T>> {
    let class = match no_match {
        NoMatch::NotFound => return Ok(None),
        NoMatch::Misdirected => "MisdirectedRequest",
        NoMatch::NotImplemented => "ConnectNotServed",
    };
    let (_, reason) = gatepost_cli::explain::status(no_match);
    Err(error(py, class, (reason,)))
}

/// `InternalError`.
pub(crate) fn internal(py: Python<'_>, message: &str) -> PyErr {
    error(py, "InternalError", (message,))
}
