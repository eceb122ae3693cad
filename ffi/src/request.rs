//! A request, as views of the host's memory.

use std::cell::Cell;

use gatepost::table::{Head, Headers, Scratch as Lookup};
use gatepost::target::{Raw, Refused, Target};
use http::HeaderName;

use crate::code::{Code, GATEPOST_E_ARGUMENT, GATEPOST_E_LIMIT};
use crate::guard;
use crate::pointers::{Context, HeaderFn, Items, View, ask, plain_struct, shared_struct};
use crate::table::Table;

/// A request without a host is no mistake: HTTP/1.0, and HTTP/2 without authority.
pub const GATEPOST_HOST_OPTIONAL: u16 = 1;

/// How many values of one name a callback may have.
const MOST_VALUES: usize = 4096;

/// One header field.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Its name, in any case.
    pub name: View,
    /// Its value.
    pub value: View,
}

plain_struct!(Header { name, value });

/// A request. Nothing of it is kept after the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// `sizeof(gatepost_request)`; `GATEPOST_REQUEST_INIT` sets it.
    pub size: u32,
    /// The listener's port, as the Gateway says it; 0 where the HTTP listeners have just one.
    pub port: u16,
    /// `GATEPOST_HOST_OPTIONAL` or 0.
    pub flags: u16,
    /// The method, as on the wire.
    pub method: View,
    /// The target as on the wire, not decoded: path and query (`/a%20b?c=d`), a URL, or `*`.
    pub target: View,
    /// The `:authority` of HTTP/2; NULL where there is none.
    pub authority: View,
    /// The value of the Host field. With NULL the header fields below are asked for it, and then two of them are seen and
    /// refused.
    pub host: View,
    /// The server name of the TLS connection, in any case; NULL without TLS, or without a name.
    pub sni: View,
    /// The header fields as an array ...
    pub headers: Items<Header>,
    /// ... of this length,
    pub headers_len: usize,
    /// or as a function, which goes before the array ...
    pub header: HeaderFn,
    /// ... and is given this.
    pub header_ctx: Context,
}

impl Request {
    pub(crate) const EMPTY: Request = Request {
        size: 0,
        port: 0,
        flags: 0,
        method: View::EMPTY,
        target: View::EMPTY,
        authority: View::EMPTY,
        host: View::EMPTY,
        sni: View::EMPTY,
        headers: Items::NONE,
        headers_len: 0,
        header: None,
        header_ctx: Context::NONE,
    };

    /// Calls `then` with what core knows as the head of a request.
    ///
    /// # Errors
    ///
    /// If an argument is wrong, or a callback did not behave; what happened meanwhile counts for nothing.
    pub fn with<R>(
        &self,
        table: &Table,
        scratch: &mut Scratch,
        then: impl FnOnce(Result<&Head<'_>, Refused>, &mut Work<'_>) -> Result<R, Code>,
    ) -> Result<R, Code> {
        if self.flags & !GATEPOST_HOST_OPTIONAL != 0 {
            return Err(GATEPOST_E_ARGUMENT);
        }
        let port = match self.port {
            0 => table.only_port().ok_or(GATEPOST_E_ARGUMENT)?,
            port => port,
        };
        let fields = self.fields()?;
        let hosts = if self.host.is_absent() {
            fields.hosts()
        } else {
            [Some(self.host), None]
        };
        let mut texts: [Option<&[u8]>; 2] = [None, None];
        for (text, host) in texts.iter_mut().zip(&hosts) {
            *text = host.as_ref().map(View::bytes).transpose()?;
        }
        let authority = match &self.authority {
            absent if absent.is_absent() => None,
            authority => Some(authority.bytes()?),
        };
        let method = self.method.bytes()?;
        let raw = Raw {
            target: self.target.bytes()?,
            authority,
            hosts: &mut texts.into_iter().flatten(),
            host_required: self.flags & GATEPOST_HOST_OPTIONAL == 0 && authority.is_none(),
            connect: method == b"CONNECT",
        };
        let Scratch {
            canonical,
            composed,
            sni,
            lookup,
        } = scratch;
        let target = table.routes.target(raw, canonical);
        let mut work = Work { composed, lookup };
        let answer = match target {
            Ok(target) => {
                let head = Head {
                    port,
                    sni: server_name(self.sni.bytes()?, sni),
                    method,
                    target,
                    headers: &fields,
                };
                then(Ok(&head), &mut work)
            }
            Err(refused) => then(Err(refused), &mut work),
        };
        // Whatever was found, it was found with half the fields.
        fields.failed.get().map_or(answer, Err)
    }

    /// Calls `then` with the header fields alone; nothing else of the request need be set.
    ///
    /// # Errors
    ///
    /// As for [`Request::with`].
    pub fn with_fields<R>(&self, then: impl FnOnce(&dyn Headers) -> R) -> Result<R, Code> {
        let fields = self.fields()?;
        let answer = then(&fields);
        fields.failed.get().map_or(Ok(answer), Err)
    }

    fn fields(&self) -> Result<Fields<'_>, Code> {
        Ok(Fields {
            array: self.headers.slice(self.headers_len)?,
            callback: self.header,
            ctx: self.header_ctx,
            failed: Cell::new(None),
        })
    }
}

shared_struct!(Request {
    size,
    port,
    flags,
    method,
    target,
    authority,
    host,
    sni,
    headers,
    headers_len,
    header,
    header_ctx
});

/// A server name in lower case; what cannot be one counts as none was given.
fn server_name<'s>(name: &[u8], buffer: &'s mut Vec<u8>) -> Option<&'s str> {
    buffer.clear();
    if name.is_empty() || name.len() > 253 {
        return None;
    }
    buffer.extend(name.iter().map(u8::to_ascii_lowercase));
    std::str::from_utf8(buffer).ok()
}

/// Memory that one thread matches with, so that matching does not allocate.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Host and path in canonical form, where they came in another.
    canonical: Vec<u8>,
    /// Path and query as they are to be forwarded.
    composed: Vec<u8>,
    sni: Vec<u8>,
    lookup: Lookup,
}

/// What is left of a scratch while a request borrows from it.
#[derive(Debug)]
pub struct Work<'s> {
    /// Memory of look-ups.
    pub lookup: &'s mut Lookup,
    composed: &'s mut Vec<u8>,
}

impl Work<'_> {
    /// Path and query of a target, put together.
    pub fn compose(&mut self, target: &Target<'_>) -> &[u8] {
        self.composed.clear();
        self.composed.extend_from_slice(target.path());
        if let Some(query) = target.query() {
            self.composed.push(b'?');
            self.composed.extend_from_slice(query);
        }
        self.composed
    }
}

/// Memory for one thread to match with: `gatepost_find` does not allocate with it, as long as targets are not longer than
/// 8,192 bytes; it grows once for longer ones. It serves every table; `table` (which may be NULL) only says how much is needed
/// now. Ended by `gatepost_scratch_free`.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_scratch_new(table: Option<&Table>) -> Option<Box<Scratch>> {
    const LONGEST: usize = 8192;
    guard::or(None, || {
        Some(Box::new(Scratch {
            canonical: Vec::with_capacity(LONGEST + 256),
            composed: Vec::with_capacity(LONGEST),
            sni: Vec::with_capacity(256),
            lookup: table.map_or_else(Lookup::default, |table| table.routes.scratch()),
        }))
    })
}

/// Ends a scratch, and with it the texts of matches that were found with it. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_scratch_free(scratch: Option<Box<Scratch>>) {
    guard::or((), || drop(scratch));
}

/// The header fields of a request, from an array or a callback.
struct Fields<'r> {
    array: &'r [Header],
    callback: HeaderFn,
    ctx: Context,
    /// Why what was found counts for nothing.
    failed: Cell<Option<Code>>,
}

impl Fields<'_> {
    /// The first two values of Host.
    fn hosts(&self) -> [Option<View>; 2] {
        if self.callback.is_some() {
            let first = ask(self.callback, self.ctx, b"host", 0);
            let second = first.and_then(|_| ask(self.callback, self.ctx, b"host", 1));
            return [first, second];
        }
        let mut named = self.array.iter().filter(|field| {
            let name = field.name.bytes();
            name.is_ok_and(|name| name.eq_ignore_ascii_case(b"host"))
        });
        [named.next(), named.next()].map(|field| field.map(|field| field.value))
    }

    fn visit(&self, value: &View, visit: &mut dyn FnMut(&[u8])) {
        match value.bytes() {
            Ok(value) => visit(value),
            Err(code) => self.failed.set(Some(code)),
        }
    }
}

impl Headers for Fields<'_> {
    fn each(&self, name: &HeaderName, visit: &mut dyn FnMut(&[u8])) {
        let wanted = name.as_str().as_bytes();
        if self.callback.is_some() {
            for index in 0..MOST_VALUES {
                let Some(value) = ask(self.callback, self.ctx, wanted, index) else {
                    return;
                };
                self.visit(&value, visit);
            }
            self.failed.set(Some(GATEPOST_E_LIMIT));
            return;
        }
        for field in self.array {
            match field.name.bytes() {
                Ok(name) if name.eq_ignore_ascii_case(wanted) => self.visit(&field.value, visit),
                Ok(_) => {}
                Err(code) => self.failed.set(Some(code)),
            }
        }
    }
}
