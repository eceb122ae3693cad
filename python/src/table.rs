//! `Table`: asked which rule serves a request.

use std::cell::RefCell;
use std::sync::Arc;

use gatepost::analysis::candidates;
use gatepost::table::{RouteTable, Scratch};
use gatepost_cli::explain::{Report, Request, explain};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::controller::{Resolution, Resolved};
use crate::model::{self, value};
use crate::resources::Resources;
use crate::work::{guarded, interruptible};
use crate::{convert, matched, raise};

thread_local! {
    /// What this thread matches with.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The compiled routes of a Gateway, or of several that share an address: immutable, safe to share between threads.
#[pyclass(frozen, eq, module = "gatepost")]
#[derive(Clone, PartialEq)]
pub(crate) struct Table {
    resolved: Arc<Resolved>,
    plane: usize,
}

impl Table {
    pub(crate) fn new(resolved: Arc<Resolved>, plane: usize) -> Table {
        Table { resolved, plane }
    }

    fn core(&self) -> &RouteTable {
        &self.resolved.resolution.planes()[self.plane].table
    }

    fn names(&self) -> Vec<String> {
        let plane = &self.resolved.resolution.planes()[self.plane];
        plane.gateways.iter().map(ToString::to_string).collect()
    }
}

/// The request that a call means.
fn request(
    method: &Bound<'_, PyAny>,
    url: &Bound<'_, PyAny>,
    headers: Option<&Bound<'_, PyAny>>,
    sni: Option<&str>,
) -> PyResult<Request> {
    let fields = convert::headers(headers)?;
    let name = convert::request_text("method", method)?;
    let text = convert::request_text("url", url)?;
    Request::new(&name, &text, fields, sni).map_err(|message| raise::request(url.py(), &message))
}

#[pymethods]
impl Table {
    /// The rule that serves a request; ``None`` if none does (404).
    #[pyo3(signature = (method, url, headers = None, *, sni = None))]
    fn find<'py>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyAny>,
        url: &Bound<'py, PyAny>,
        headers: Option<&Bound<'py, PyAny>>,
        sni: Option<&str>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let request = request(method, url, headers, sni)?;
        let mut buffer = Vec::new();
        let answer = guarded(py, || {
            request.with_head(self.core(), &mut buffer, |head| {
                let found = SCRATCH.with_borrow_mut(|scratch| self.core().find(head, scratch));
                found.map(|found| matched::matched(py, &found, &head.target))
            })
        })?;
        match answer {
            Err(refused) => Err(raise::refused(py, refused)),
            Ok(Err(no_match)) => raise::no_match(py, no_match),
            Ok(Ok(found)) => found.map(Some),
        }
    }

    /// Which rule serves a request, and why no other does; the text of ``gatepost explain``.
    #[pyo3(signature = (method, url, headers = None, *, sni = None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyAny>,
        url: &Bound<'py, PyAny>,
        headers: Option<&Bound<'py, PyAny>>,
        sni: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = request(method, url, headers, sni)?;
        let table = self.clone();
        let Report { text, json, .. } = interruptible(py, move || {
            let documents = &table.resolved.loaded.collected.documents;
            explain(table.core(), &request, documents, false)
        })?;
        value(py, "Explanation", (text, json.to_string()))
    }

    /// All matches of HTTPRoutes and the other kinds, by listener, in the order in which they are tried.
    fn routes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut entries = Vec::new();
        for listener in self.core().listeners() {
            let shown = model::listener(py, listener)?;
            let ordered = guarded(py, || candidates(listener))?;
            for (index, candidate) in ordered.iter().enumerate() {
                entries.push(model::entry(py, &shown, index + 1, candidate)?);
            }
        }
        PyTuple::new(py, entries)
    }

    /// The listeners, by port, then the most specific hostname first.
    #[getter]
    fn listeners<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        model::values(py, self.core().listeners(), |one| model::listener(py, one))
    }

    /// The Gateways that it serves, as ``namespace/name``.
    #[getter]
    fn gateways<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.names())
    }

    /// What it was made of.
    #[getter]
    fn resources(&self) -> Resources {
        Resources(self.resolved.loaded.clone())
    }

    fn __hash__(&self) -> u64 {
        self.resolved.loaded.digest()
    }

    fn __repr__(&self) -> String {
        let rules = self.core().rule_slots();
        format!(
            "<gatepost.Table: {}, {rules} rules>",
            self.names().join(", ")
        )
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Resolution, usize))> {
        let restore = py.import("gatepost._gatepost")?.getattr("table")?;
        Ok((restore, (Resolution(self.resolved.clone()), self.plane)))
    }
}

/// Restores a pickled table.
#[pyfunction]
pub(crate) fn table(
    py: Python<'_>,
    resolution: &Bound<'_, Resolution>,
    plane: usize,
) -> PyResult<Table> {
    let resolved = resolution.get().0.clone();
    if plane >= resolved.resolution.planes().len() {
        return Err(raise::setting(
            py,
            "the pickled table is of another version",
        ));
    }
    Ok(Table::new(resolved, plane))
}
