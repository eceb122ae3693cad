//! `Controller` and `Resolution`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

use gatepost::controller::{CONTROLLER_NAME, parse_path_policy};
use gatepost::key::NamespacedName;
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::model::{self, value};
use crate::raise;
use crate::resources::{Loaded, Resources};
use crate::table::Table;
use crate::work::interruptible;

/// Settings of resolution.
#[pyclass(frozen, eq, hash, module = "gatepost")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Controller {
    /// The controller whose GatewayClasses are ours.
    #[pyo3(get)]
    controller_name: String,
    /// The path policy as given.
    #[pyo3(get)]
    path_policy: Option<String>,
    /// Whether this is Kubernetes.
    #[pyo3(get)]
    kubernetes: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Controller {
            controller_name: CONTROLLER_NAME.to_owned(),
            path_policy: None,
            kubernetes: false,
        }
    }
}

impl Controller {
    /// The settings as core has them.
    pub(crate) fn core(&self) -> gatepost::controller::Controller {
        let mut core = gatepost::controller::Controller::default();
        core.controller_name.clone_from(&self.controller_name);
        core.kubernetes = self.kubernetes;
        core.hash_key = hash_key();
        // It was understood when this was made.
        let policy = self.path_policy.as_deref().map(parse_path_policy);
        core.path_policy = policy.and_then(Result::ok).unwrap_or_default();
        core
    }
}

/// Drawn once for the process, so that nobody can make requests or names that collide.
fn hash_key() -> [u64; 2] {
    static KEY: OnceLock<[u64; 2]> = OnceLock::new();
    let draw = || RandomState::new().build_hasher().finish();
    *KEY.get_or_init(|| [draw(), draw()])
}

#[pymethods]
impl Controller {
    #[new]
    #[pyo3(signature = (*, controller_name = "gatepost.dev/gateway-controller", path_policy = None, kubernetes = false))]
    fn new(
        py: Python<'_>,
        controller_name: &str,
        path_policy: Option<String>,
        kubernetes: bool,
    ) -> PyResult<Controller> {
        if let Some(Err(message)) = path_policy.as_deref().map(parse_path_policy) {
            return Err(raise::setting(py, &format!("path_policy: {message}")));
        }
        Ok(Controller {
            controller_name: controller_name.to_owned(),
            path_policy,
            kubernetes,
        })
    }

    /// Works out which routes attach to which listeners, what does not resolve, and the tables.
    #[pyo3(signature = (resources, *, now = None))]
    fn resolve(
        &self,
        py: Python<'_>,
        resources: &Bound<'_, Resources>,
        now: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Resolution> {
        let now = match now {
            Some(now) => Timestamp::from_unix_seconds(seconds(now)?),
            None => gatepost_cli::now(),
        };
        resolve(py, self, resources, now)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut parts = Vec::new();
        if self.controller_name != CONTROLLER_NAME {
            parts.push(format!(
                "controller_name={}",
                repr(py, &self.controller_name)?
            ));
        }
        if let Some(policy) = &self.path_policy {
            parts.push(format!("path_policy={}", repr(py, policy)?));
        }
        if self.kubernetes {
            parts.push("kubernetes=True".to_owned());
        }
        Ok(format!("gatepost.Controller({})", parts.join(", ")))
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let arguments = PyDict::new(py);
        arguments.set_item("controller_name", &self.controller_name)?;
        arguments.set_item("path_policy", &self.path_policy)?;
        arguments.set_item("kubernetes", self.kubernetes)?;
        Ok((PyTuple::empty(py), arguments))
    }
}

fn repr(py: Python<'_>, text: &str) -> PyResult<String> {
    Ok(text.into_pyobject(py)?.repr()?.to_string())
}

/// Whole seconds of a `datetime`.
fn seconds(now: &Bound<'_, PyAny>) -> PyResult<i64> {
    let seconds: f64 = now.call_method0("timestamp")?.extract()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "fractions are dropped; the ends saturate"
    )]
    Ok(seconds.floor() as i64)
}

/// Resources with what they came to.
pub(crate) struct Resolved {
    pub(crate) controller: Controller,
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) now: Timestamp,
    pub(crate) resolution: gatepost::controller::Resolution,
}

impl PartialEq for Resolved {
    fn eq(&self, other: &Self) -> bool {
        self.controller == other.controller
            && self.loaded.collected.resources == other.loaded.collected.resources
    }
}

impl Resolved {
    /// The names of all Gateways that have a table.
    fn gateways(&self) -> impl Iterator<Item = (&NamespacedName, usize)> {
        let planes = self.resolution.planes().iter().enumerate();
        planes.flat_map(|(number, plane)| plane.gateways.iter().map(move |name| (name, number)))
    }
}

/// What resources came to. Two are equal if their controllers and resources are. A pickle holds both and resolves again.
#[pyclass(frozen, eq, module = "gatepost")]
#[derive(Clone, PartialEq)]
pub(crate) struct Resolution(pub(crate) Arc<Resolved>);

#[pymethods]
impl Resolution {
    /// The table of each Gateway that is ours, by ``namespace/name``.
    #[getter]
    fn tables<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tables = PyDict::new(py);
        for (name, plane) in self.0.gateways() {
            tables.set_item(name.to_string(), Table::new(self.0.clone(), plane))?;
        }
        Ok(tables)
    }

    /// The table of a Gateway, ``namespace/name``. Raises ``UnknownGateway`` if there is none.
    fn table(&self, py: Python<'_>, gateway: &str) -> PyResult<Table> {
        let found = self
            .0
            .gateways()
            .find(|(name, _)| name.to_string() == gateway);
        match found {
            Some((_, plane)) => Ok(Table::new(self.0.clone(), plane)),
            None => {
                let known = self.0.gateways().map(|(name, _)| name.to_string());
                Err(raise::unknown_gateway(py, gateway, known.collect()))
            }
        }
    }

    /// The status of each object that has one of ours, by ``Kind/namespace/name``, in a world where ports are free.
    #[getter]
    fn statuses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let resolved = self.0.clone();
        let all = interruptible(py, move || {
            let statuses = resolved.resolution.statuses(&Facts::ideal());
            let resources = &resolved.loaded.collected.resources;
            let all = statuses.keys().filter_map(|key| {
                let status = statuses.status(key, resources, resolved.now)?;
                Some((key.clone(), status.to_string()))
            });
            all.collect::<Vec<_>>()
        })?;
        let statuses = PyDict::new(py);
        for (key, status) in all {
            let fields = (model::key(py, &key)?, status);
            statuses.set_item(key.to_string(), value(py, "Status", fields)?)?;
        }
        Ok(statuses)
    }

    /// What was resolved.
    #[getter]
    fn resources(&self) -> Resources {
        Resources(self.0.loaded.clone())
    }

    /// The settings it was resolved with.
    #[getter]
    fn controller(&self) -> Controller {
        self.0.controller.clone()
    }

    fn __hash__(&self) -> u64 {
        self.0.loaded.digest()
    }

    fn __repr__(&self) -> String {
        let names: Vec<String> = self
            .0
            .gateways()
            .map(|(name, _)| name.to_string())
            .collect();
        format!("<gatepost.Resolution: Gateways {}>", names.join(", "))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Controller, Resources, i64))> {
        let restore = py.import("gatepost._gatepost")?.getattr("resolution")?;
        let seconds = self.0.now.unix_seconds();
        Ok((restore, (self.controller(), self.resources(), seconds)))
    }
}

/// Restores a pickled resolution.
#[pyfunction]
pub(crate) fn resolution(
    py: Python<'_>,
    controller: &Bound<'_, Controller>,
    resources: &Bound<'_, Resources>,
    now: i64,
) -> PyResult<Resolution> {
    let now = Timestamp::from_unix_seconds(now);
    resolve(py, controller.get(), resources, now)
}

fn resolve(
    py: Python<'_>,
    controller: &Controller,
    resources: &Bound<'_, Resources>,
    now: Timestamp,
) -> PyResult<Resolution> {
    let (controller, loaded) = (controller.clone(), resources.get().0.clone());
    let resolved = interruptible(py, move || {
        let resolution = controller.core().resolve(&loaded.collected.resources);
        Resolved {
            controller,
            loaded,
            now,
            resolution,
        }
    })?;
    Ok(Resolution(Arc::new(resolved)))
}
