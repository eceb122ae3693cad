//! What is left to do once the rule is known: bits that say so, and functions that do it.

use gatepost::rule::{
    Backend as Entry, BackendFilters, EditHeaders, ListenerFilter, Mirror, Picked, Rewrite,
};
use gatepost::table::{Headers, Match, ResponseStep};
use gatepost::target::Target;
use http::header::{HeaderName, HeaderValue, LOCATION, ORIGIN};
use http::{Method, StatusCode};

use crate::backend::Backend;
use crate::code::{
    Code, GATEPOST_BAD_REQUEST, GATEPOST_E_ARGUMENT, GATEPOST_E_LIMIT, GATEPOST_END,
    GATEPOST_NO_BACKEND, GATEPOST_NOT_FOUND, GATEPOST_NOT_IMPLEMENTED, GATEPOST_OK,
};
use crate::error::answering;
use crate::pointers::{Buffer, Context, EditFn, In, Out, Place, Str, edit};
use crate::request::{Request, Scratch};
use crate::table::{Id, Table};

/// The target in canonical form differs from what came: forward `gatepost_match.target`, nothing else.
pub const GATEPOST_WORK_REWRITE_TARGET: u32 = 1;
/// The target named an authority (`GET http://name/`): the Host of the forwarded request has to be `gatepost_match.authority`.
pub const GATEPOST_WORK_REWRITE_HOST: u32 = 2;
/// Answer 500: a filter could not be resolved, and none is skipped.
pub const GATEPOST_WORK_FAULT: u32 = 4;
/// CORS: `gatepost_preflight` for the request, `gatepost_response_headers` for its answer.
pub const GATEPOST_WORK_CORS: u32 = 8;
/// Ask whether the request may pass. There is no function for it yet, so do not list it in `carries_out`.
pub const GATEPOST_WORK_AUTHORIZE: u32 = 16;
/// Answer with a redirect: `gatepost_redirect`.
pub const GATEPOST_WORK_REDIRECT: u32 = 32;
/// Edit the request's header fields: `gatepost_request_headers`.
pub const GATEPOST_WORK_REQUEST_HEADERS: u32 = 64;
/// Replace host or path: `gatepost_rewrite_target`, `gatepost_rewrite_host`.
pub const GATEPOST_WORK_REWRITE: u32 = 128;
/// Send copies: `gatepost_mirror`.
pub const GATEPOST_WORK_MIRROR: u32 = 256;
/// Edit the answer's header fields: `gatepost_response_headers`.
pub const GATEPOST_WORK_RESPONSE_HEADERS: u32 = 512;
/// Some backend has work of its own: see `gatepost_backend.work`.
pub const GATEPOST_WORK_BACKEND: u32 = 1024;

/// An edit: every field of the name is replaced by this one.
pub const GATEPOST_HEADER_SET: u32 = 1;
/// An edit: the field is appended.
pub const GATEPOST_HEADER_ADD: u32 = 2;
/// An edit: every field of the name goes.
pub const GATEPOST_HEADER_REMOVE: u32 = 3;

/// In the place of a backend's index: the rule's own work.
pub const GATEPOST_RULE: u32 = u32::MAX;

/// What is left to do for a match.
pub fn work(found: &Match<'_>) -> u32 {
    let filters = &found.rule().filters;
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    let mut work = bit(filters.fault.is_some(), GATEPOST_WORK_FAULT)
        | bit(filters.cors.is_some(), GATEPOST_WORK_CORS)
        | bit(filters.external_auth.is_some(), GATEPOST_WORK_AUTHORIZE)
        | bit(filters.redirect.is_some(), GATEPOST_WORK_REDIRECT)
        | bit(
            filters.request_headers.is_some(),
            GATEPOST_WORK_REQUEST_HEADERS,
        )
        | bit(filters.rewrite.is_some(), GATEPOST_WORK_REWRITE)
        | bit(!filters.mirrors.is_empty(), GATEPOST_WORK_MIRROR)
        | bit(
            filters.response_headers.is_some(),
            GATEPOST_WORK_RESPONSE_HEADERS,
        );
    for filter in &found.listener().filters {
        work |= match filter {
            ListenerFilter::ExternalAuth(_) => GATEPOST_WORK_AUTHORIZE,
            ListenerFilter::Fault(_) => GATEPOST_WORK_FAULT,
        };
    }
    let of_backends = found
        .backends()
        .entries()
        .iter()
        .any(|backend| backend_work(&backend.filters) != 0);
    work | bit(of_backends, GATEPOST_WORK_BACKEND)
}

/// What is left to do for a backend.
pub fn backend_work(filters: &BackendFilters) -> u32 {
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    bit(filters.fault.is_some(), GATEPOST_WORK_FAULT)
        | bit(
            filters.request_headers.is_some(),
            GATEPOST_WORK_REQUEST_HEADERS,
        )
        | bit(filters.rewrite.is_some(), GATEPOST_WORK_REWRITE)
        | bit(!filters.mirrors.is_empty(), GATEPOST_WORK_MIRROR)
        | bit(
            filters.response_headers.is_some(),
            GATEPOST_WORK_RESPONSE_HEADERS,
        )
}

/// The entry of a rule's list that an index means; `None` for `GATEPOST_RULE`.
fn entry<'t>(found: &Match<'t>, index: u32) -> Result<Option<&'t Entry>, Code> {
    if index == GATEPOST_RULE {
        return Ok(None);
    }
    let entry = found.backends().entries().get(index as usize);
    entry.map(Some).ok_or(GATEPOST_E_ARGUMENT)
}

/// The host's header fields, edited by its callback.
struct Told {
    callback: EditFn,
    ctx: Context,
    stopped: bool,
}

impl Told {
    fn new(callback: EditFn, ctx: Context) -> Result<Told, Code> {
        if callback.is_none() {
            return Err(GATEPOST_E_ARGUMENT);
        }
        Ok(Told {
            callback,
            ctx,
            stopped: false,
        })
    }

    /// Once the callback has stopped it is not called again.
    fn one(&mut self, op: u32, name: &HeaderName, value: &[u8]) {
        let name = name.as_str().as_bytes();
        self.stopped = self.stopped || !edit(self.callback, self.ctx, op, name, value);
    }

    fn answer(&self) -> Result<Code, Code> {
        if self.stopped {
            Err(GATEPOST_E_LIMIT)
        } else {
            Ok(GATEPOST_OK)
        }
    }
}

impl EditHeaders for Told {
    fn remove(&mut self, name: &HeaderName) {
        self.one(GATEPOST_HEADER_REMOVE, name, b"");
    }

    fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.one(GATEPOST_HEADER_SET, name, value.as_bytes());
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.one(GATEPOST_HEADER_ADD, name, value.as_bytes());
    }
}

/// Tells the host of the edits that the request's header fields need, in order. `index` is `GATEPOST_RULE` for the rule's, or a
/// backend's place for those of the backend, which come after. `GATEPOST_E_LIMIT` if the callback stopped. No allocation.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_request_headers(
    table: Option<&Table>,
    id: Id,
    index: u32,
    callback: EditFn,
    ctx: Context,
) -> Code {
    answering(|| {
        let (_, found) = Table::resumed(table, id)?;
        let mut told = Told::new(callback, ctx)?;
        let edits = match entry(&found, index)? {
            Some(entry) => &entry.filters.request_headers,
            None => &found.rule().filters.request_headers,
        };
        if let Some(edits) = edits {
            edits.apply(&mut told);
        }
        told.answer()
    })
}

/// Tells the host of the edits that the answer's header fields need, in order: those of the backend with this `index`, then the
/// rule's, then CORS for the `Origin` of the request. `index` is `GATEPOST_RULE` for answers that no backend gave. The request
/// is only asked for its header fields; it may be NULL where `work` has no `GATEPOST_WORK_CORS`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_response_headers(
    table: Option<&Table>,
    id: Id,
    index: u32,
    request: In<Request>,
    callback: EditFn,
    ctx: Context,
) -> Code {
    answering(|| {
        let (_, found) = Table::resumed(table, id)?;
        let mut told = Told::new(callback, ctx)?;
        let picked = entry(&found, index)?.map(|backend| Picked {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            backend,
        });
        let origin = if found.rule().filters.cors.is_some() {
            request
                .read()?
                .with_fields(|headers| field(headers, &ORIGIN))?
        } else {
            None
        };
        for step in found.response_steps(picked.as_ref()) {
            match step {
                ResponseStep::ResponseHeaders(edits) => edits.apply(&mut told),
                ResponseStep::Cors(cors) => cors.mark(origin.as_ref(), &mut told),
            }
        }
        told.answer()
    })
}

/// The first value of a field.
fn field(headers: &dyn Headers, name: &HeaderName) -> Option<HeaderValue> {
    let mut first = None;
    headers.each(name, &mut |value| {
        if first.is_none() {
            first = Some(HeaderValue::from_bytes(value));
        }
    });
    first?.ok()
}

/// Answers CORS preflights. After `GATEPOST_OK`, `*status` is 0 if the request is no preflight and goes on, or the status of the
/// answer, whose header fields the callback was told of.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_preflight(
    table: Option<&Table>,
    id: Id,
    request: In<Request>,
    scratch: Option<&mut Scratch>,
    callback: EditFn,
    ctx: Context,
    mut status: Place<u32>,
) -> Code {
    answering(|| {
        status.check()?;
        let (table, found) = Table::resumed(table, id)?;
        let mut told = Told::new(callback, ctx)?;
        let request = request.read()?;
        let scratch = scratch.ok_or(GATEPOST_E_ARGUMENT)?;
        let Some(cors) = &found.rule().filters.cors else {
            status.number(0);
            return Ok(GATEPOST_OK);
        };
        let answer = request.with(table, scratch, |head, _| {
            let Ok(head) = head else { return Ok(None) };
            let Ok(method) = Method::from_bytes(head.method) else {
                return Ok(None);
            };
            Ok(cors.preflight(&method, head.headers))
        })?;
        let Some(answer) = answer else {
            status.number(0);
            return Ok(GATEPOST_OK);
        };
        for (name, value) in answer.headers() {
            told.append(name, value);
        }
        status.number(answer.status().as_u16().into());
        told.answer()
    })
}

/// Copies text into the caller's buffer, and says how long it is either way.
fn hand_over(
    text: &[u8],
    mut buffer: Buffer,
    capacity: usize,
    len: &mut Place<usize>,
) -> Result<Code, Code> {
    len.number(text.len());
    if buffer.put(capacity, text)? {
        Ok(GATEPOST_OK)
    } else {
        Err(GATEPOST_E_LIMIT)
    }
}

/// Runs a function on the target of a request once more, in a later phase. No match is of a CONNECT, whose target has no path.
fn judged<R>(
    table: &Table,
    request: In<Request>,
    scratch: Option<&mut Scratch>,
    then: impl FnOnce(&Target<'_>) -> Result<R, Code>,
) -> Result<R, Code> {
    let request = request.read()?;
    let scratch = scratch.ok_or(GATEPOST_E_ARGUMENT)?;
    request.with(table, scratch, |head, _| match head {
        Ok(head) if head.method == b"CONNECT" => Err(GATEPOST_NOT_IMPLEMENTED),
        Ok(head) => then(&head.target),
        Err(_) => Err(GATEPOST_BAD_REQUEST),
    })
}

/// Writes path and query as they have to be forwarded: in canonical form, rewritten by the rule and, unless `index` is
/// `GATEPOST_RULE`, by that backend. `*len` becomes their length. `GATEPOST_E_LIMIT`: the buffer is too small, and `*len` is what
/// it takes. `GATEPOST_NOT_IMPLEMENTED`: the method is CONNECT. Allocates.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_rewrite_target(
    table: Option<&Table>,
    id: Id,
    index: u32,
    request: In<Request>,
    scratch: Option<&mut Scratch>,
    buffer: Buffer,
    capacity: usize,
    mut len: Place<usize>,
) -> Code {
    answering(|| {
        len.check()?;
        let (table, found) = Table::resumed(table, id)?;
        let (of_backend, of_rule) = rewrites(&found, index)?;
        let text = judged(table, request, scratch, |target| {
            let rewritten = [of_backend, of_rule]
                .into_iter()
                .flatten()
                .find_map(|rewrite| found.rewritten_path(rewrite, target.path()));
            let mut text = rewritten.unwrap_or_else(|| target.path().to_vec());
            if let Some(query) = target.query() {
                text.push(b'?');
                text.extend_from_slice(query);
            }
            Ok(text)
        })?;
        hand_over(&text, buffer, capacity, &mut len)
    })
}

/// The rewrite of the backend that an index means, and the rule's.
fn rewrites<'t>(
    found: &Match<'t>,
    index: u32,
) -> Result<(Option<&'t Rewrite>, Option<&'t Rewrite>), Code> {
    let of_backend = entry(found, index)?.and_then(|entry| entry.filters.rewrite.as_ref());
    Ok((of_backend, found.rule().filters.rewrite.as_ref()))
}

/// The Host that the rule's rewrite and, unless `index` is `GATEPOST_RULE`, the backend's gives the forwarded request, borrowed
/// from the table. Empty: none, so it stays what it is, or becomes `gatepost_match.authority`.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_rewrite_host(table: Option<&Table>, id: Id, index: u32) -> Str {
    let host = || {
        let found = table?.resume(id).ok()?;
        let (of_backend, of_rule) = rewrites(&found, index).ok()?;
        let mut rewrites = [of_backend, of_rule].into_iter().flatten();
        let host = rewrites.find_map(|rewrite| rewrite.hostname.as_deref())?;
        Some(Str::of(host.as_bytes()))
    };
    crate::guard::or(None, host).unwrap_or(Str::EMPTY)
}

/// Writes the value of `Location` for a redirect, an absolute URL, and its status. `GATEPOST_NOT_FOUND`: the rule has no
/// redirect. `GATEPOST_BAD_REQUEST`: it leads to the request's own host, and the request names none. `GATEPOST_E_LIMIT`: the buffer
/// is too small, and `*len` is what it takes. `GATEPOST_NOT_IMPLEMENTED`: the method is CONNECT. Allocates.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_redirect(
    table: Option<&Table>,
    id: Id,
    request: In<Request>,
    scratch: Option<&mut Scratch>,
    buffer: Buffer,
    capacity: usize,
    mut len: Place<usize>,
    mut status: Place<u32>,
) -> Code {
    answering(|| {
        len.check()?;
        status.check()?;
        let (table, found) = Table::resumed(table, id)?;
        let Some(redirect) = &found.rule().filters.redirect else {
            return Ok(GATEPOST_NOT_FOUND);
        };
        let answer = judged(table, request, scratch, |target| {
            Ok(found.redirect(redirect, target))
        })?;
        if answer.status() == StatusCode::BAD_REQUEST {
            return Ok(GATEPOST_BAD_REQUEST);
        }
        status.number(answer.status().as_u16().into());
        let location = answer.headers().get(LOCATION);
        let location = location.map_or(&b""[..], HeaderValue::as_bytes);
        hand_over(location, buffer, capacity, &mut len)
    })
}

/// The `number`-th mirror (from 0) of the rule or, unless `index` is `GATEPOST_RULE`, of that backend. `GATEPOST_NO_BACKEND`: this
/// request is not copied there; `GATEPOST_END`: there are no more. `ticket` is 64 bits, evenly spread, another one for each mirror.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_mirror(
    table: Option<&Table>,
    id: Id,
    index: u32,
    number: u32,
    ticket: u64,
    mut out: Out<Backend>,
) -> Code {
    answering(|| {
        out.check()?;
        let (table, found) = Table::resumed(table, id)?;
        let mirrors: &[Mirror] = match entry(&found, index)? {
            Some(entry) => &entry.filters.mirrors,
            None => &found.rule().filters.mirrors,
        };
        let Some(mirror) = mirrors.get(number as usize) else {
            return Ok(GATEPOST_END);
        };
        if !mirror.takes(ticket) {
            return Ok(GATEPOST_NO_BACKEND);
        }
        let id = table.number(&mirror.backend);
        out.write(&Backend::of(id, 0, &mirror.backend))?;
        Ok(GATEPOST_OK)
    })
}
