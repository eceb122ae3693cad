//! Where a request goes.

use gatepost::rule::{Backend as Entry, BackendProtocol, NoBackend, Picked, ServicePort};

use crate::code::{
    Code, GATEPOST_E_ARGUMENT, GATEPOST_E_LIMIT, GATEPOST_END, GATEPOST_NO_BACKEND, GATEPOST_OK,
};
use crate::error::answering;
use crate::pointers::{Items, Out, Str, View, shared_struct};
use crate::steps;
use crate::table::{GATEPOST_NO_ID, Id, Table};

/// What a backend speaks is not said: HTTP/1.1 for HTTPRoutes, HTTP/2 for GRPCRoutes, bytes for the rest.
pub const GATEPOST_PROTOCOL_UNSPECIFIED: u32 = 0;
/// HTTP/1.1.
pub const GATEPOST_PROTOCOL_HTTP1: u32 = 1;
/// HTTP/2 with prior knowledge, or over TLS.
pub const GATEPOST_PROTOCOL_HTTP2: u32 = 2;
/// WebSocket.
pub const GATEPOST_PROTOCOL_WEBSOCKET: u32 = 3;
/// Bytes.
pub const GATEPOST_PROTOCOL_TCP: u32 = 4;

/// A rule has no more backends than this, so no list of tried ones is longer.
const MOST_TRIED: usize = 16;

/// A backend. Its texts are borrowed from the table. The memory is the caller's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// `sizeof(gatepost_backend)`; `GATEPOST_BACKEND_INIT` sets it.
    pub size: u32,
    /// The number of its destination in the table, below `gatepost_memory.backends_len`; the same kind, namespace, name and
    /// port have the same number. `GATEPOST_NO_ID`: it is invalid.
    pub id: u32,
    /// Its place in the rule's `backendRefs`; 0 for one that was asked for by number.
    pub index: u32,
    /// Its weight; 0 for one that was asked for by number.
    pub weight: u32,
    /// The port of the Service.
    pub port: u32,
    /// `GATEPOST_PROTOCOL_*`.
    pub protocol: u32,
    /// What is left to do for this backend alone, after the rule's work: `GATEPOST_WORK_*` or'ed.
    pub work: u32,
    /// 1 if the connection to it has to be encrypted, else 0.
    pub tls: u32,
    /// `Service` or another kind that can be referred to.
    pub kind: Str,
    /// Its namespace.
    pub ns: Str,
    /// Its name.
    pub name: Str,
    /// The server name of its TLS, to be verified too.
    pub tls_hostname: Str,
    /// Why there is none, in words for logs, where the answer is `GATEPOST_NO_BACKEND` or the backend is invalid; borrowed from
    /// the table.
    pub reason: Str,
}

impl Backend {
    const EMPTY: Backend = Backend {
        size: 0,
        id: GATEPOST_NO_ID,
        index: 0,
        weight: 0,
        port: 0,
        protocol: GATEPOST_PROTOCOL_UNSPECIFIED,
        work: 0,
        tls: 0,
        kind: Str::EMPTY,
        ns: Str::EMPTY,
        name: Str::EMPTY,
        tls_hostname: Str::EMPTY,
        reason: Str::EMPTY,
    };

    /// A destination alone.
    fn of_port(id: u32, port: &ServicePort) -> Backend {
        Backend {
            id,
            port: port.port.into(),
            kind: Str::of(port.kind.as_str().as_bytes()),
            ns: Str::of(port.namespace.as_bytes()),
            name: Str::of(port.name.as_bytes()),
            ..Backend::EMPTY
        }
    }

    /// An entry of a rule's list, whether it can be used or not.
    pub(crate) fn of(id: u32, index: u16, entry: &Entry) -> Backend {
        let destination = match &entry.destination {
            Ok(destination) => destination,
            Err(invalid) => {
                return Backend {
                    index: index.into(),
                    weight: entry.weight,
                    reason: Str::of(invalid.message.as_bytes()),
                    ..Backend::EMPTY
                };
            }
        };
        let tls = destination.tls.as_ref();
        Backend {
            index: index.into(),
            weight: entry.weight,
            protocol: protocol(destination.protocol),
            work: steps::backend_work(&entry.filters),
            tls: tls.is_some().into(),
            tls_hostname: tls.map_or(Str::EMPTY, |tls| Str::of(tls.hostname.as_bytes())),
            ..Backend::of_port(id, &destination.port)
        }
    }

    /// Nothing, for a reason.
    fn none(reason: &str, index: u16) -> Backend {
        Backend {
            index: index.into(),
            reason: Str::of(reason.as_bytes()),
            ..Backend::EMPTY
        }
    }
}

shared_struct!(Backend {
    size,
    id,
    index,
    weight,
    port,
    protocol,
    work,
    tls,
    kind,
    ns,
    name,
    tls_hostname,
    reason
});

fn protocol(protocol: BackendProtocol) -> u32 {
    match protocol {
        BackendProtocol::Http1 => GATEPOST_PROTOCOL_HTTP1,
        BackendProtocol::Http2 => GATEPOST_PROTOCOL_HTTP2,
        BackendProtocol::WebSocket => GATEPOST_PROTOCOL_WEBSOCKET,
        BackendProtocol::Tcp => GATEPOST_PROTOCOL_TCP,
        _ => GATEPOST_PROTOCOL_UNSPECIFIED,
    }
}

/// Writes what was picked, or why nothing was.
pub(crate) fn write(
    out: &mut Out<Backend>,
    picked: Result<Picked<'_>, NoBackend<'_>>,
    number: impl FnOnce(&Picked<'_>) -> u32,
) -> Result<Code, Code> {
    let (code, backend) = match picked {
        Ok(picked) => {
            let id = number(&picked);
            (GATEPOST_OK, Backend::of(id, picked.index, picked.backend))
        }
        Err(NoBackend::Empty) => (
            GATEPOST_NO_BACKEND,
            Backend::none("the rule names no backend", 0),
        ),
        Err(NoBackend::ZeroWeights) => (
            GATEPOST_NO_BACKEND,
            Backend::none("no backend with a weight above 0 is left", 0),
        ),
        Err(NoBackend::Invalid { index, reason }) => {
            (GATEPOST_NO_BACKEND, Backend::none(&reason.message, index))
        }
    };
    out.write(&backend)?;
    Ok(code)
}

/// Picks for a match.
fn pick(
    table: Option<&Table>,
    id: Id,
    mut out: Out<Backend>,
    by: impl FnOnce(&gatepost::rule::Backends) -> Result<Result<Picked<'_>, NoBackend<'_>>, Code>,
) -> Code {
    answering(|| {
        out.check()?;
        let (table, found) = Table::resumed(table, id)?;
        let rule = found.rule_id().number();
        let picked = by(found.backends())?;
        write(&mut out, picked, |picked| {
            table.number_in(rule, picked.index)
        })
    })
}

/// Picks a backend of a match by weight. `ticket` is 64 bits of the caller's choosing, evenly spread: random, or a counter in
/// steps of `GATEPOST_TICKET_STEP`, which keeps shares exact over short stretches. The same ticket and table give the same answer.
/// `GATEPOST_NO_BACKEND` (500): there is none, or the one picked is invalid, which keeps its share.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_pick(
    table: Option<&Table>,
    id: Id,
    ticket: u64,
    out: Out<Backend>,
) -> Code {
    pick(table, id, out, |backends| Ok(backends.pick(ticket)))
}

/// Picks by key (a session, a client's address), weighted, so that a change of backends or weights moves as few keys as it can.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_pick_key(
    table: Option<&Table>,
    id: Id,
    key: View,
    out: Out<Backend>,
) -> Code {
    pick(table, id, out, |backends| {
        Ok(backends.pick_key(key.bytes()?))
    })
}

/// Picks another backend for a retry: by weight among those whose `index` is not one of `tried`. A backend that stands twice in
/// the list, with different filters, counts as two. `GATEPOST_NO_BACKEND` when nothing is left.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_pick_other(
    table: Option<&Table>,
    id: Id,
    ticket: u64,
    tried: Items<u32>,
    tried_len: usize,
    out: Out<Backend>,
) -> Code {
    pick(table, id, out, |backends| {
        let mut indexes = [u16::MAX; MOST_TRIED];
        let given = tried.slice(tried_len)?;
        if given.len() > indexes.len() {
            return Err(GATEPOST_E_LIMIT);
        }
        for (index, given) in indexes.iter_mut().zip(given) {
            *index = u16::try_from(*given).map_err(|_| GATEPOST_E_ARGUMENT)?;
        }
        let indexes = indexes.get(..given.len()).unwrap_or_default();
        Ok(backends.pick_other(ticket, indexes))
    })
}

/// A backend of a match by its place in `backendRefs`; `GATEPOST_END` past the last. One that is invalid has `GATEPOST_NO_ID`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_match_backend(
    table: Option<&Table>,
    id: Id,
    index: u32,
    mut out: Out<Backend>,
) -> Code {
    answering(|| {
        out.check()?;
        let (table, found) = Table::resumed(table, id)?;
        let entries = found.backends().entries();
        let Some(entry) = entries.get(index as usize) else {
            return Ok(GATEPOST_END);
        };
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let number = table.number_in(found.rule_id().number(), index);
        out.write(&Backend::of(number, index, entry))?;
        Ok(GATEPOST_OK)
    })
}

/// A destination of the table by its number, so that a host finds its upstreams once for each table and indexes them from then
/// on; mirrors are among them. `GATEPOST_END` past the last. `index`, `weight`, `work`, `protocol` and `tls` are not set, as they
/// are said by the rule that refers to it.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_table_backend(
    table: Option<&Table>,
    id: u32,
    mut out: Out<Backend>,
) -> Code {
    answering(|| {
        out.check()?;
        let table = table.ok_or(GATEPOST_E_ARGUMENT)?;
        let Some(port) = table.destinations().get(id as usize) else {
            return Ok(GATEPOST_END);
        };
        out.write(&Backend::of_port(id, port))?;
        Ok(GATEPOST_OK)
    })
}
