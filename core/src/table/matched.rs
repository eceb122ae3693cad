//! What a table answers, and what the answer asks for.

use std::fmt;

use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};

use super::RouteTable;
use super::candidate::Served;
use super::find::{Head, NoMatch, Scratch};
use super::rules::RuleSlot;
use crate::hostname::Hostname;
use crate::key::ObjectKey;
use crate::rule::{
    Backends, Cors, EditRequest, ExternalAuth, Fault, HeaderEdits, Listener, Matches, Mirror,
    Origin, PathMatch, Picked, Precedence, Protocol, Redirect, RequestMatch, Rewrite, Rule,
};
use crate::target::{PathPolicy, Target, canonical_path};

/// The number of a rule in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(super) u32);

impl RuleId {
    /// The number, below [`RouteTable::rule_slots`].
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A match by number: it outlives the borrow of the table, for servers that work in phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchId {
    pub(super) host: u32,
    pub(super) served: Served,
}

/// Bits of the numbers of hosts and of rules in [`MatchId::to_bits`].
const NUMBER: u32 = 24;

impl MatchId {
    /// The id as one number, for callers in other languages.
    pub fn to_bits(self) -> u64 {
        let Served { rule, position } = self.served;
        u64::from(self.host) << (NUMBER + 16) | u64::from(rule) << 16 | u64::from(position)
    }

    /// The id of a number that [`MatchId::to_bits`] gave. Any number makes an id; [`RouteTable::resume`] says whether there is
    /// such a match.
    pub fn from_bits(bits: u64) -> MatchId {
        MatchId {
            host: (bits >> (NUMBER + 16)) as u32,
            served: Served {
                rule: (bits >> 16) as u32 & ((1 << NUMBER) - 1),
                position: bits as u16,
            },
        }
    }
}

impl std::hash::Hash for MatchId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_bits().hash(state);
    }
}

/// The listener that a request belongs to.
#[derive(Clone, Copy)]
pub struct ListenerMatch<'t> {
    pub(super) table: &'t RouteTable,
    pub(super) number: u32,
    pub(super) listener: &'t Listener,
}

impl fmt::Debug for ListenerMatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListenerMatch")
            .field(&self.listener.name)
            .finish()
    }
}

impl fmt::Debug for Match<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match")
            .field("route", self.route())
            .field("rule", &self.rule().index)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl<'t> ListenerMatch<'t> {
    /// The listener, whose filters come first.
    pub fn listener(&self) -> &'t Listener {
        self.listener
    }

    /// The rule of this listener that serves the request.
    ///
    /// # Errors
    ///
    /// If none does: 404.
    pub fn find(&self, head: &Head<'_>, scratch: &mut Scratch) -> Result<Match<'t>, NoMatch> {
        let (host, hash) = self.table.host_of(head);
        self.table.find_in(self.number, head, host, hash, scratch)
    }
}

/// The rule that serves a request, and the match by which it does.
#[derive(Clone, Copy)]
pub struct Match<'t> {
    pub(super) id: MatchId,
    pub(super) table: &'t RouteTable,
    pub(super) listener: &'t Listener,
    pub(super) slot: &'t RuleSlot,
}

/// What has to be done before the request goes on, in this order.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever carries out steps has to know them all"
)]
pub enum Step<'t> {
    /// Answer 500: a filter could not be resolved and may not be skipped.
    Fault(&'t Fault),
    /// Answer preflights; mark the answers of other requests.
    Cors(&'t Cors),
    /// Ask whether the request may pass.
    Authorize(&'t ExternalAuth),
    /// Answer with a redirect.
    Redirect(&'t Redirect),
    /// Edit the header fields.
    RequestHeaders(&'t HeaderEdits),
    /// Replace host or path.
    Rewrite(&'t Rewrite),
    /// Send a copy.
    Mirror(&'t Mirror),
}

/// What has to be done with the answer, in this order.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever carries out steps has to know them all"
)]
pub enum ResponseStep<'t> {
    /// Edit the header fields.
    ResponseHeaders(&'t HeaderEdits),
    /// Add the fields of CORS.
    Cors(&'t Cors),
}

/// What becomes of a request.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a request is forwarded or answered"
)]
pub enum Action<'t> {
    /// It goes to one of these.
    Forward(&'t Backends),
    /// This is the answer.
    Respond(Response<()>),
}

impl<'t> Match<'t> {
    /// The match by number.
    pub fn id(&self) -> MatchId {
        self.id
    }

    /// The number of the rule.
    pub fn rule_id(&self) -> RuleId {
        RuleId(self.id.served.rule)
    }

    /// The listener.
    pub fn listener(&self) -> &'t Listener {
        self.listener
    }

    /// The route.
    pub fn route(&self) -> &'t ObjectKey {
        &self.slot.route.key
    }

    /// The rule.
    pub fn rule(&self) -> &'t Rule {
        &self.slot.rule
    }

    /// Which entry of the rule's `matches` it is.
    pub fn position(&self) -> u16 {
        self.id.served.position
    }

    /// The hostname of the route by which the request came, as written there; `None` if the route takes every host.
    pub fn hostname(&self) -> Option<&'t Hostname> {
        self.table.host_infos.get(self.id.host)?.name.as_ref()
    }

    /// Why this one won.
    pub fn precedence(&self) -> Precedence<'t> {
        let RuleSlot { route, rule } = self.slot;
        Precedence::new(self.hostname(), route, rule, usize::from(self.position()))
    }

    /// The backends.
    pub fn backends(&self) -> &'t Backends {
        &self.rule().backends
    }

    /// The prefix that matched, without trailing slashes; empty if no prefix did.
    pub fn prefix(&self) -> &'t [u8] {
        match &self.rule().matches {
            Matches::Http(matches) => match matches.get(usize::from(self.position())) {
                Some(RequestMatch {
                    path: PathMatch::Prefix(prefix),
                    ..
                }) => prefix,
                _ => b"",
            },
            _ => b"",
        }
    }

    /// What has to be done before the request goes on.
    pub fn steps(&self) -> impl Iterator<Item = Step<'t>> + use<'t> {
        let filters = &self.rule().filters;
        let fault = filters.fault.iter().map(Step::Fault);
        fault
            .chain(filters.cors.iter().map(Step::Cors))
            .chain(filters.external_auth.iter().map(Step::Authorize))
            .chain(filters.redirect.iter().map(Step::Redirect))
            .chain(filters.request_headers.iter().map(Step::RequestHeaders))
            .chain(filters.rewrite.iter().map(Step::Rewrite))
            .chain(filters.mirrors.iter().map(Step::Mirror))
    }

    /// What has to be done, after the rule's own steps, for the backend that was picked.
    pub fn backend_steps(&self, picked: &Picked<'t>) -> impl Iterator<Item = Step<'t>> + use<'t> {
        let filters = &picked.backend.filters;
        let fault = filters.fault.iter().map(Step::Fault);
        fault
            .chain(filters.request_headers.iter().map(Step::RequestHeaders))
            .chain(filters.rewrite.iter().map(Step::Rewrite))
            .chain(filters.mirrors.iter().map(Step::Mirror))
    }

    /// What has to be done with the answer: the backend's edits, then the rule's, then CORS.
    pub fn response_steps(
        &self,
        picked: Option<&Picked<'t>>,
    ) -> impl Iterator<Item = ResponseStep<'t>> + use<'t> {
        let backend = picked.and_then(|picked| picked.backend.filters.response_headers.as_ref());
        let filters = &self.rule().filters;
        let edits = backend.into_iter().chain(&filters.response_headers);
        edits
            .map(ResponseStep::ResponseHeaders)
            .chain(filters.cors.iter().map(ResponseStep::Cors))
    }

    /// The answer of a redirect; 400 if it leads to the request's own host and the request names none (S:redirect-host).
    pub fn redirect(&self, redirect: &Redirect, target: &Target<'_>) -> Response<()> {
        if redirect.hostname.is_none() && target.host().as_str().is_empty() {
            return status(StatusCode::BAD_REQUEST);
        }
        let location = redirect.location(&Origin {
            https: self.listener.protocol == Protocol::Https,
            host: target.host().as_str(),
            port: self.listener.port,
            path: target.path(),
            query: target.query(),
            prefix: self.prefix(),
        });
        let mut response = Response::new(());
        // A target that was judged has no byte that a field may not have; a query may have some beyond ASCII.
        match HeaderValue::from_bytes(&location) {
            Ok(location) => {
                *response.status_mut() = redirect.status;
                response.headers_mut().insert(LOCATION, location);
            }
            Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
        response
    }

    /// The path that a rewrite makes of a path, in canonical form.
    pub fn rewritten_path(&self, rewrite: &Rewrite, path: &[u8]) -> Option<Vec<u8>> {
        let modifier = rewrite.path.as_ref()?;
        let mut new = Vec::with_capacity(path.len() + 32);
        modifier.apply(path, self.prefix(), &mut new);
        let policy = PathPolicy {
            encoded_slash: crate::target::EncodedSlash::Keep,
            merge_slashes: false,
        };
        let mut canonical = Vec::new();
        match canonical_path(&new, &policy, &mut canonical) {
            Ok(true) => Some(canonical),
            // Both parts were judged before; what is refused all the same is left as it is.
            Ok(false) | Err(_) => Some(new),
        }
    }

    /// Carries out the rule's steps on a request, where none of them needs the network: mirrors, CORS and external
    /// authorisation are left to the caller (see [`Match::steps`]).
    ///
    /// The request's target becomes path and query in canonical form, whatever it was, and its host the authority of the
    /// target where that has one.
    pub fn apply<E: EditRequest + ?Sized>(
        &self,
        target: &Target<'_>,
        request: &mut E,
    ) -> Action<'t> {
        if let Some(authority) = target.authority()
            && let Ok(value) = HeaderValue::from_bytes(authority)
        {
            request.set_host(&value);
        }
        let held = request.set_target(target.path(), target.query());
        for step in self.steps() {
            match step {
                Step::Fault(_) => {
                    return Action::Respond(status(StatusCode::INTERNAL_SERVER_ERROR));
                }
                Step::Redirect(redirect) => {
                    return Action::Respond(self.redirect(redirect, target));
                }
                Step::RequestHeaders(edits) => edits.apply(request),
                Step::Rewrite(rewrite) => self.rewrite(rewrite, target, request),
                Step::Cors(_) | Step::Authorize(_) | Step::Mirror(_) => {}
            }
        }
        if !held {
            return Action::Respond(status(StatusCode::BAD_REQUEST));
        }
        Action::Forward(self.backends())
    }

    /// Carries out the steps of the backend that was picked, after [`Match::apply`]; mirrors are left to the caller.
    ///
    /// # Errors
    ///
    /// If a filter could not be resolved: the request gets a 500.
    pub fn apply_backend<E: EditRequest + ?Sized>(
        &self,
        picked: &Picked<'t>,
        target: &Target<'_>,
        request: &mut E,
    ) -> Result<(), &'t Fault> {
        for step in self.backend_steps(picked) {
            match step {
                Step::Fault(fault) => return Err(fault),
                Step::RequestHeaders(edits) => edits.apply(request),
                Step::Rewrite(rewrite) => self.rewrite(rewrite, target, request),
                // A backend has no such filters (see [`Match::backend_steps`]).
                Step::Cors(_) | Step::Authorize(_) | Step::Redirect(_) | Step::Mirror(_) => {}
            }
        }
        Ok(())
    }

    fn rewrite<E: EditRequest + ?Sized>(
        &self,
        rewrite: &Rewrite,
        target: &Target<'_>,
        request: &mut E,
    ) {
        if let Some(host) = &rewrite.hostname
            && let Ok(value) = HeaderValue::from_str(host)
        {
            request.set_host(&value);
        }
        if let Some(path) = self.rewritten_path(rewrite, target.path()) {
            request.set_target(&path, target.query());
        }
    }
}

fn status(code: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = code;
    response
}
