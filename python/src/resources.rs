//! `Resources`: manifests that were read, with their problems.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use gatepost::key::Channel;
use gatepost::manifest::Collected;
use gatepost::problem::{Level, Place, Problem};
use gatepost_cli::load::{Text, judge, texts};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::controller::Controller;
use crate::work::interruptible;
use crate::{convert, model, raise};

/// Texts, and what they came to.
pub(crate) struct Loaded {
    texts: Vec<Text>,
    channel: Channel,
    pub(crate) collected: Collected,
}

impl Loaded {
    /// A hash of the keys of the objects.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (key, _) in self.collected.resources.iter() {
            key.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Objects that were read, by ``Kind/namespace/name``, with everything that is wrong with the texts.
#[pyclass(frozen, mapping, module = "gatepost")]
#[derive(Clone)]
pub(crate) struct Resources(pub(crate) Arc<Loaded>);

/// The state of a text for pickling: its name, its bytes, or why it cannot be read.
type State = (String, Option<Vec<u8>>, Option<String>);

/// What [`resources`] is called with to restore a pickle.
type Restored<'py> = (&'static str, Bound<'py, PyTuple>);

fn load(
    py: Python<'_>,
    channel: Channel,
    strict: bool,
    source: impl FnOnce() -> Vec<Text> + Send + 'static,
) -> PyResult<Resources> {
    let loaded = interruptible(py, move || {
        let texts = source();
        let collected = judge(&texts, channel);
        Loaded {
            texts,
            channel,
            collected,
        }
    })?;
    let problems = &loaded.collected.problems;
    if strict && problems.iter().any(|one| one.level == Level::Error) {
        return Err(raise::manifest(py, problems));
    }
    Ok(Resources(Arc::new(loaded)))
}

#[pymethods]
impl Resources {
    /// Reads a YAML stream, or JSON, or either with objects in a ``List``.
    #[staticmethod]
    #[pyo3(signature = (text, source = "<text>", *, channel = "experimental", strict = true))]
    fn from_yaml(
        py: Python<'_>,
        text: &Bound<'_, PyAny>,
        source: &str,
        channel: &str,
        strict: bool,
    ) -> PyResult<Resources> {
        let text = Text {
            name: source.to_owned(),
            bytes: Ok(convert::text(text)?),
        };
        load(py, convert::channel(py, channel)?, strict, || vec![text])
    }

    /// Reads JSON, as text or as plain dicts and lists: an object, a ``List``, or a list of objects. As ``from_yaml`` besides.
    #[staticmethod]
    #[pyo3(signature = (value, source = "<json>", *, channel = "experimental", strict = true))]
    fn from_json(
        py: Python<'_>,
        value: &Bound<'_, PyAny>,
        source: &str,
        channel: &str,
        strict: bool,
    ) -> PyResult<Resources> {
        let channel = convert::channel(py, channel)?;
        let bytes = match convert::bytes(value)? {
            Some(bytes) => {
                if let Err(problem) = is_json(source, &bytes) {
                    return Err(raise::manifest(py, &[problem]));
                }
                bytes
            }
            None => {
                let json = py.import("json")?;
                let text = json.call_method1("dumps", (as_list(value)?,))?;
                convert::text(&text)?
            }
        };
        let text = Text {
            name: source.to_owned(),
            bytes: Ok(bytes),
        };
        load(py, channel, strict, || vec![text])
    }

    /// Reads files, and folders with what is below them (``.yaml``, ``.yml``, ``.json``). As ``from_yaml`` besides.
    #[staticmethod]
    #[pyo3(signature = (paths, *, channel = "experimental", strict = true))]
    fn from_files(
        py: Python<'_>,
        paths: &Bound<'_, PyAny>,
        channel: &str,
        strict: bool,
    ) -> PyResult<Resources> {
        let paths = convert::paths(paths)?;
        load(py, convert::channel(py, channel)?, strict, move || {
            paths.iter().flat_map(|path| texts(path)).collect()
        })
    }

    /// Everything that is wrong, in the order of texts and places: unknown fields are warnings, kinds passed over notes.
    #[getter]
    fn problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        model::problems(py, &self.0.collected.problems)
    }

    /// The channel of the CRDs that objects were judged by.
    #[getter]
    fn channel(&self) -> &'static str {
        convert::channel_name(self.0.channel)
    }

    /// The keys of all objects, in order.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let keys = self.0.collected.resources.iter();
        model::values(py, keys, |(key, _)| model::key(py, key))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let keys = self.0.collected.resources.iter();
        let names = PyList::new(py, keys.map(|(key, _)| key.to_string()).collect::<Vec<_>>())?;
        Ok(names.try_iter()?.into_any())
    }

    fn __len__(&self) -> usize {
        self.0.collected.resources.len()
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> bool {
        self.find(key).is_some()
    }

    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.find(key) {
            Some(object) => model::json(key.py(), &object),
            None => Err(PyKeyError::new_err(key.clone().unbind())),
        }
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0.channel == other.0.channel
            && self.0.collected.resources == other.0.collected.resources
    }

    fn __hash__(&self) -> u64 {
        self.0.digest()
    }

    fn __repr__(&self) -> String {
        let (objects, problems) = (self.__len__(), self.0.collected.problems.len());
        format!("<gatepost.Resources: {objects} objects, {problems} problems>")
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Restored<'py>)> {
        let restore = py.import("gatepost._gatepost")?.getattr("resources")?;
        let texts = self.0.texts.iter().map(|text| {
            let bytes = text
                .bytes
                .as_ref()
                .ok()
                .map(|bytes| PyBytes::new(py, bytes));
            (&text.name, bytes, text.bytes.as_ref().err())
        });
        let texts = PyTuple::new(py, texts.collect::<Vec<_>>())?;
        Ok((restore, (self.channel(), texts)))
    }
}

impl Resources {
    fn find(&self, key: &Bound<'_, PyAny>) -> Option<serde_json::Value> {
        let name = key.str().ok()?.to_string();
        let resources = &self.0.collected.resources;
        let found = resources.iter().find(|(key, _)| key.to_string() == name);
        found.map(|(_, resource)| resource.to_json())
    }
}

/// A list of objects as a `List`; everything else as it is.
fn as_list<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if value.cast::<PyList>().is_err() && value.cast::<PyTuple>().is_err() {
        return Ok(value.clone());
    }
    let list = pyo3::types::PyDict::new(value.py());
    list.set_item("apiVersion", "v1")?;
    list.set_item("kind", "List")?;
    list.set_item("items", value)?;
    Ok(list.into_any())
}

fn is_json(source: &str, bytes: &[u8]) -> Result<(), Problem> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
        .map(|_| ())
        .map_err(|error| {
            let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let place = Place {
                line: number(error.line()),
                column: number(error.column()),
            };
            Problem::error(&source.into(), Some(place), format!("not JSON: {error}"))
        })
}

/// Restores pickled resources.
#[pyfunction]
pub(crate) fn resources(py: Python<'_>, channel: &str, texts: Vec<State>) -> PyResult<Resources> {
    let texts = texts.into_iter().map(|(name, bytes, reason)| Text {
        name,
        bytes: bytes.ok_or_else(|| reason.unwrap_or_default()),
    });
    let texts: Vec<Text> = texts.collect();
    load(py, convert::channel(py, channel)?, false, || texts)
}

/// Everything that is wrong with the manifests in files and folders: the lines of ``gatepost check``.
#[pyfunction]
#[pyo3(signature = (paths, *, controller = None, channel = "experimental"))]
pub(crate) fn check<'py>(
    py: Python<'py>,
    paths: &Bound<'py, PyAny>,
    controller: Option<&Bound<'py, Controller>>,
    channel: &str,
) -> PyResult<Bound<'py, PyTuple>> {
    let paths = convert::paths(paths)?;
    let channel = convert::channel(py, channel)?;
    let settings = controller.map(|one| one.get().clone()).unwrap_or_default();
    let problems = interruptible(py, move || {
        let texts: Vec<Text> = paths.iter().flat_map(|path| texts(path)).collect();
        gatepost_cli::check::problems(&judge(&texts, channel), &settings.core())
    })?;
    model::problems(py, &problems)
}
