//! The extension module `gatepost._gatepost`: the library as Python sees it.
//!
//! Classes that hold compiled things live here ([`resources`], [`controller`], [`table`]); what they answer with are plain
//! values of `gatepost.model`, written in Python and made by [`model`]. Loading and resolving run without the GIL and end
//! early on Ctrl-C ([`work`]).
//!
//! Without the feature `module` there is nothing here, so that the workspace builds where there is no Python.
#![cfg(feature = "module")]

mod controller;
mod convert;
mod matched;
mod model;
mod raise;
mod resources;
mod table;
mod work;

/// What `gatepost` is made of; import from there.
#[pyo3::pymodule(gil_used = false)]
mod _gatepost {
    use std::ffi::OsString;

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::controller::{Controller, Resolution, resolution};
    #[pymodule_export]
    use crate::resources::{Resources, check, resources};
    #[pymodule_export]
    use crate::table::{Table, table};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Runs the command line without the GIL and says the exit code; signals are the caller's affair.
    #[pyfunction]
    fn main(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
        crate::work::command_line(py, arguments)
    }
}
