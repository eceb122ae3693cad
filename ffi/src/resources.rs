//! Manifests, read from memory.

use gatepost::document::Limits;
use gatepost::key::{Channel, Kind, ObjectKey};
use gatepost::manifest;
use gatepost::problem::Level;
use gatepost::resources::{Change, Resources as Objects};

use crate::code::{Code, GATEPOST_E_ARGUMENT, GATEPOST_E_MANIFEST};
use crate::error::{Error, Failure, telling};
use crate::guard;
use crate::pointers::{Place, View};

/// With `gatepost_resources_add`: objects that are sound are added although others of the text are refused. The answer is
/// `GATEPOST_E_MANIFEST` all the same. A text that cannot be read at all adds nothing.
pub const GATEPOST_ADD_SOUND: u32 = 1;
/// With `gatepost_resources_add`: fields and kinds of the experimental channel are refused.
pub const GATEPOST_ADD_STANDARD: u32 = 2;

/// The objects of a configuration: Gateways, routes, Services and so on.
#[derive(Debug, Default)]
pub struct Resources {
    pub(crate) objects: Objects,
}

/// An empty set. Ended by `gatepost_resources_free`.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_resources_new() -> Option<Box<Resources>> {
    guard::or(None, || Some(Box::default()))
}

/// Reads a text (a YAML stream, JSON, or either with objects in a `List`) and adds its objects; one with the same kind,
/// namespace and name as one that is there replaces it. All or nothing, unless `flags` say otherwise.
///
/// `source` is what errors call the text, such as a file's name. `flags` are `GATEPOST_ADD_*`. Objects that a Kubernetes API
/// server would refuse are refused here, with line, column and field; what the specification leaves to a status (a backend
/// that does not exist, say) is none of this: see `gatepost_resolution_statuses`. After `GATEPOST_OK` the error has
/// warnings and notes, if there are any: fields that are not known, kinds that were passed over.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_resources_add(
    resources: Option<&mut Resources>,
    source: View,
    text: View,
    flags: u32,
    error: Place<*mut Error>,
) -> Code {
    telling(error, || {
        let resources = resources.ok_or(GATEPOST_E_ARGUMENT)?;
        if flags & !(GATEPOST_ADD_SOUND | GATEPOST_ADD_STANDARD) != 0 {
            return Err(Failure::new(
                GATEPOST_E_ARGUMENT,
                "flags: only GATEPOST_ADD_* are known",
            ));
        }
        let source = source.utf8()?;
        let text = text.bytes()?;
        let channel = if flags & GATEPOST_ADD_STANDARD == 0 {
            Channel::Experimental
        } else {
            Channel::Standard
        };
        let limits = Limits::default();
        let loaded = manifest::read(source, text, &limits);
        let collected = manifest::collect([loaded], channel, &limits);
        let refused = collected
            .problems
            .iter()
            .any(|problem| problem.level == Level::Error);
        if !refused || flags & GATEPOST_ADD_SOUND != 0 && !collected.unreadable {
            for (_, object) in collected.resources.iter() {
                resources.objects.insert(object.clone());
            }
        }
        if refused {
            return Err(Failure {
                code: GATEPOST_E_MANIFEST,
                error: Error::problems(GATEPOST_E_MANIFEST, &collected.problems),
            });
        }
        Ok(Error::problems(0, &collected.problems))
    })
}

/// Takes an object out, if it is there. `kind` is a kind's name, such as `HTTPRoute`; `ns` is empty for kinds without a
/// namespace.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_resources_remove(
    resources: Option<&mut Resources>,
    kind: View,
    ns: View,
    name: View,
    error: Place<*mut Error>,
) -> Code {
    telling(error, || {
        let resources = resources.ok_or(GATEPOST_E_ARGUMENT)?;
        let wanted = kind.utf8()?;
        let kind = Kind::all().find(|kind| kind.as_str() == wanted);
        let kind = kind.ok_or_else(|| {
            let wanted = gatepost::problem::excerpt(wanted);
            Failure::new(
                GATEPOST_E_ARGUMENT,
                &format!("kind: `{wanted}` is none that is read"),
            )
        })?;
        let key = ObjectKey::new(kind, ns.utf8()?, name.utf8()?);
        resources.objects.apply(Change::Delete(key));
        Ok(Error::default())
    })
}

/// How many objects there are; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_resources_len(resources: Option<&Resources>) -> usize {
    resources.map_or(0, |resources| resources.objects.len())
}

/// Ends a set; what was resolved from it stays. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_resources_free(resources: Option<Box<Resources>>) {
    guard::or((), || drop(resources));
}
