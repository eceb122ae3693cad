//! From resources to tables and statuses.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use gatepost::api::filter::FilterType;
use gatepost::controller::{self, Controller};
use gatepost::key::NamespacedName;
use gatepost::resources::Resources as Objects;
use gatepost::status::Facts;
use gatepost::timestamp::Timestamp;

use crate::code::{Code, GATEPOST_E_ARGUMENT, GATEPOST_E_UNKNOWN};
use crate::error::{Error, Failure, telling};
use crate::guard;
use crate::pointers::{In, Place, View, shared_struct};
use crate::resources::Resources;
use crate::steps::{
    GATEPOST_WORK_CORS, GATEPOST_WORK_MIRROR, GATEPOST_WORK_REDIRECT,
    GATEPOST_WORK_REQUEST_HEADERS, GATEPOST_WORK_RESPONSE_HEADERS, GATEPOST_WORK_REWRITE,
};
use crate::table::Table;
use crate::text::Text;

/// The bits of `carries_out`, with the types of filters that they stand for.
const FILTERS: [(u32, FilterType); 6] = [
    (GATEPOST_WORK_CORS, FilterType::Cors),
    (GATEPOST_WORK_REDIRECT, FilterType::RequestRedirect),
    (
        GATEPOST_WORK_REQUEST_HEADERS,
        FilterType::RequestHeaderModifier,
    ),
    (GATEPOST_WORK_REWRITE, FilterType::UrlRewrite),
    (GATEPOST_WORK_MIRROR, FilterType::RequestMirror),
    (
        GATEPOST_WORK_RESPONSE_HEADERS,
        FilterType::ResponseHeaderModifier,
    ),
];

/// How resources are resolved.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `sizeof(gatepost_options)`; `GATEPOST_OPTIONS_INIT` sets it.
    pub size: u32,
    /// None yet: 0.
    pub flags: u32,
    /// The filters that the host carries out, or'ed: `GATEPOST_WORK_CORS`, `_REDIRECT`, `_REQUEST_HEADERS`, `_REWRITE`, `_MIRROR`,
    /// `_RESPONSE_HEADERS`. A filter is never
    /// skipped, so rules that use any other do not serve, and their routes' status says `UnsupportedValue`. 0, and NULL in
    /// the place of options: none.
    pub carries_out: u32,
    /// Always 0.
    pub reserved: u32,
    /// `GatewayClass.spec.controllerName` of the classes that are ours; empty: `gatepost.dev/gateway-controller`.
    pub controller_name: View,
    /// How request paths are brought into canonical form, such as `encodedSlash=keep,mergeSlashes=false`; empty is strict. A
    /// Gateway's annotation `gatepost.dev/path-policy` goes before it.
    pub path_policy: View,
    /// The key of the tables' hashes: who does not know it cannot make requests or names that collide. Both 0: drawn at random.
    pub hash_key_low: u64,
    /// The other half.
    pub hash_key_high: u64,
}

impl Options {
    const EMPTY: Options = Options {
        size: 0,
        flags: 0,
        carries_out: 0,
        reserved: 0,
        controller_name: View::EMPTY,
        path_policy: View::EMPTY,
        hash_key_low: 0,
        hash_key_high: 0,
    };

    fn controller(&self) -> Result<Controller, Failure> {
        let known = FILTERS.iter().fold(0, |known, (bit, _)| known | bit);
        if self.flags != 0 || self.reserved != 0 || self.carries_out & !known != 0 {
            return Err(Failure::new(
                GATEPOST_E_ARGUMENT,
                "options: a flag is not known, or `carries_out` has a bit that is no filter",
            ));
        }
        let mut controller = Controller::default();
        let skipped = FILTERS
            .iter()
            .filter(|(bit, _)| self.carries_out & bit == 0);
        controller.unsupported_filters = skipped.map(|(_, filter)| filter.clone()).collect();
        // There is no function for it yet.
        controller
            .unsupported_filters
            .push(FilterType::ExternalAuth);
        let name = self.controller_name.utf8()?;
        if !name.is_empty() {
            name.clone_into(&mut controller.controller_name);
        }
        let policy = self.path_policy.utf8()?;
        controller.path_policy = controller::parse_path_policy(policy).map_err(|message| {
            Failure::new(
                GATEPOST_E_ARGUMENT,
                &format!("options: path_policy: {message}"),
            )
        })?;
        let key = [self.hash_key_low, self.hash_key_high];
        controller.hash_key = if key == [0, 0] { random_key() } else { key };
        Ok(controller)
    }
}

shared_struct!(Options {
    size,
    flags,
    carries_out,
    reserved,
    controller_name,
    path_policy,
    hash_key_low,
    hash_key_high
});

/// The standard library draws keys from the system once for each thread and changes them with each state.
fn random_key() -> [u64; 2] {
    let state = RandomState::new();
    [0_u8, 1].map(|half| state.hash_one(half))
}

/// What resources came to: tables and statuses. It never changes.
#[derive(Debug)]
pub struct Resolution {
    resolved: controller::Resolution,
    objects: Objects,
    /// In the order of the resolution's planes.
    tables: Vec<Arc<Table>>,
}

/// Resolves resources: which listeners serve, which routes attach to them, where requests go. It always comes out: what is
/// wrong with a route becomes a condition of its status, not an error. `options` may be NULL. Ended by
/// `gatepost_resolution_free`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_resolve(
    resources: Option<&Resources>,
    options: In<Options>,
    mut out: Place<*mut Resolution>,
    error: Place<*mut Error>,
) -> Code {
    telling(error, || {
        out.check()?;
        let resources = resources.ok_or(GATEPOST_E_ARGUMENT)?;
        let options = options.read_optional()?.unwrap_or(Options::EMPTY);
        let controller = options.controller()?;
        let resolved = controller.resolve(&resources.objects);
        let planes = resolved.planes().iter();
        let tables = planes
            .map(|plane| Arc::new(Table::new(plane.table.clone())))
            .collect();
        out.give(Resolution {
            resolved,
            objects: resources.objects.clone(),
            tables,
        });
        Ok(Error::default())
    })
}

/// The table of a Gateway. Gateways without addresses of their own share one; asking twice gives the same one. Namespace and
/// name may both be empty where there is just one table. The caller owns one reference: `gatepost_table_release`.
/// `GATEPOST_E_UNKNOWN` if no class of ours has such a Gateway.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_resolution_table(
    resolution: Option<&Resolution>,
    ns: View,
    name: View,
    mut out: Place<*mut Table>,
    error: Place<*mut Error>,
) -> Code {
    telling(error, || {
        out.check()?;
        let resolution = resolution.ok_or(GATEPOST_E_ARGUMENT)?;
        let wanted = NamespacedName::new(ns.utf8()?, name.utf8()?);
        let any = wanted.namespace.is_empty() && wanted.name.is_empty();
        let planes = resolution.resolved.planes();
        let position = if any {
            (planes.len() == 1).then_some(0)
        } else {
            planes
                .iter()
                .position(|plane| plane.gateways.contains(&wanted))
        };
        let Some(table) = position.and_then(|position| resolution.tables.get(position)) else {
            return Err(Failure::new(
                GATEPOST_E_UNKNOWN,
                &unknown(planes, (!any).then_some(&wanted)),
            ));
        };
        out.share(table.clone());
        Ok(Error::default())
    })
}

/// Says which Gateways there are.
fn unknown(planes: &[controller::Plane], wanted: Option<&NamespacedName>) -> String {
    let gateways: Vec<String> = planes
        .iter()
        .flat_map(|plane| &plane.gateways)
        .map(ToString::to_string)
        .collect();
    let wanted = match wanted {
        Some(wanted) => format!("there is no Gateway `{wanted}` of ours"),
        None => format!(
            "there are {} tables, so a Gateway has to be named",
            planes.len()
        ),
    };
    if gateways.is_empty() {
        format!("{wanted}: there is no Gateway at all")
    } else {
        format!("{wanted}: expected one of {}", gateways.join(", "))
    }
}

/// The statuses that a controller writes, as JSON: a list of objects `{"kind", "namespace", "name", "status"}`, in the order
/// of kinds and names, as if all ports could be opened. `now` is an instant as Kubernetes writes it
/// (`2026-01-31T12:00:00Z`): conditions that changed get it. Ended by `gatepost_text_free`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_resolution_statuses(
    resolution: Option<&Resolution>,
    now: View,
    mut out: Place<*mut Text>,
    error: Place<*mut Error>,
) -> Code {
    telling(error, || {
        out.check()?;
        let resolution = resolution.ok_or(GATEPOST_E_ARGUMENT)?;
        let now = now.utf8()?;
        let now = now.parse::<Timestamp>().map_err(|_| {
            let now = gatepost::problem::excerpt(now);
            let message = format!("now: `{now}` is no instant such as 2026-01-31T12:00:00Z");
            Failure::new(GATEPOST_E_ARGUMENT, &message)
        })?;
        let statuses = resolution.resolved.statuses(&Facts::ideal());
        let object = |key: &gatepost::key::ObjectKey| {
            let status = statuses.status(key, &resolution.objects, now)?;
            Some(serde_json::json!({
                "kind": key.kind.as_str(),
                "namespace": key.namespace,
                "name": key.name,
                "status": status,
            }))
        };
        let list: Vec<_> = statuses.keys().filter_map(object).collect();
        out.give(Text::new(serde_json::Value::from(list).to_string()));
        Ok(Error::default())
    })
}

/// Ends a resolution; tables that were taken from it stay. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_resolution_free(resolution: Option<Box<Resolution>>) {
    guard::or((), || drop(resolution));
}
