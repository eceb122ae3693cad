//! Rules of routes: what users write → what runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::sync::Arc;

use http::{HeaderName, Method};

use super::backend::{self, BackendReference, Reached};
use super::context::Context;
use super::filter;
use super::finding::{Finding, Reason};
use super::view::{RouteView, RulesView};
use crate::api::duration::Duration;
use crate::api::grpc_route::{GrpcMethodMatch, GrpcRouteMatch, GrpcRouteRule};
use crate::api::http_route::{
    CookieLifetimeType, HttpBackendRef, HttpHeaderMatch, HttpQueryParamMatch, HttpRouteMatch,
    HttpRouteRetry, HttpRouteRule, HttpRouteTimeouts, PathMatchType,
    SessionPersistence as SessionSpec, SessionPersistenceType, ValueMatchType,
};
use crate::api::layer4_route::Layer4Rule;
use crate::api::reference::BackendRef;
use crate::key::ObjectKey;
use crate::pattern::Pattern;
use crate::rule::{
    Backend, BackendFilters, Backends, Filters, GrpcMatch, HeaderMatch, Matches, PathMatch,
    QueryMatch, Rare, RequestConditions, RequestMatch, Retry, Rule, SessionPersistence,
    SessionToken, Timeouts, ValueMatch,
};
use crate::target::{PathPolicy, canonical_path};

/// The rules of a route, compiled.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    /// Those that can be run.
    pub rules: Vec<Arc<Rule>>,
    /// Why none can.
    pub rejected: Option<Finding>,
    /// Why some cannot.
    pub dropped: Option<Finding>,
    /// Which reference does not resolve.
    pub unresolved: Option<Finding>,
    /// What is referred to.
    pub reached: Reached,
}

pub(super) fn compile(context: &Context<'_>, view: &RouteView<'_>) -> Compiled {
    let mut compiler = Compiler {
        context,
        route: view.key,
        unresolved: None,
        reached: Reached::default(),
        patterns: BTreeMap::new(),
        pattern_bytes: 0,
    };
    let count = match view.rules {
        RulesView::Http(all) => all.len(),
        RulesView::Grpc(all) => all.len(),
        RulesView::Layer4(all) => all.len(),
    };
    let mut rules = Vec::with_capacity(count);
    let mut failed: Vec<(u16, Finding)> = Vec::new();
    let mut take = |index: u16, result: Result<Rule, Finding>| match result {
        Ok(rule) => rules.push(Arc::new(rule)),
        Err(finding) => failed.push((index, finding)),
    };
    match view.rules {
        RulesView::Http(all) => {
            numbered(all).for_each(|(index, rule)| take(index, compiler.http(index, rule)));
        }
        RulesView::Grpc(all) => {
            numbered(all).for_each(|(index, rule)| take(index, compiler.grpc(index, rule)));
        }
        RulesView::Layer4(all) => {
            numbered(all).for_each(|(index, rule)| take(index, compiler.layer4(index, rule)));
        }
    }
    let mut compiled = Compiled {
        rules,
        unresolved: compiler.unresolved,
        reached: compiler.reached,
        ..Compiled::default()
    };
    let Some((_, first)) = failed.first() else {
        return compiled;
    };
    if compiled.rules.is_empty() {
        compiled.rejected = Some(first.clone());
    } else {
        let rules: Vec<String> = failed
            .iter()
            .map(|(index, _)| format!("rules[{index}]"))
            .collect();
        let message = format!("Dropped Rule {}: {}", rules.join(", "), first.message);
        compiled.dropped = Some(Finding::new(Reason::UnsupportedValue, message));
    }
    compiled
}

fn numbered<T>(rules: &[T]) -> impl Iterator<Item = (u16, &T)> {
    (0_u16..).zip(rules)
}

struct Compiler<'c, 'r> {
    context: &'c Context<'r>,
    route: &'c ObjectKey,
    unresolved: Option<Finding>,
    reached: Reached,
    /// The expressions of the route, each once.
    patterns: BTreeMap<Box<str>, Pattern>,
    /// Bytes that they hold.
    pattern_bytes: usize,
}

impl Compiler<'_, '_> {
    fn http(&mut self, index: u16, rule: &HttpRouteRule) -> Result<Rule, Finding> {
        let at = format_args!("spec.rules[{index}]");
        let specs = rule.matches();
        let mut matches = Vec::with_capacity(specs.len());
        for (number, one) in numbered(specs) {
            matches.push(self.http_match(number, one, format_args!("{at}.matches[{number}]"))?);
        }
        let filters = self.filters(rule.filters.as_deref().unwrap_or_default(), at, false)?;
        Ok(Rule {
            index,
            name: rule.name.as_deref().map(Arc::from),
            matches: Matches::Http(matches.into()),
            backends: self.backends(rule.backend_refs.as_deref().unwrap_or_default(), at)?,
            filters: filters.into(),
            timeouts: timeouts(rule.timeouts.as_ref(), at)?.into(),
            retry: rule
                .retry
                .as_ref()
                .map(|spec| retry(spec, at))
                .transpose()?
                .map(Box::new),
            session: rule
                .session_persistence
                .as_ref()
                .map(|spec| session(spec, at))
                .transpose()?
                .map(Box::new),
        })
    }

    fn grpc(&mut self, index: u16, rule: &GrpcRouteRule) -> Result<Rule, Finding> {
        let at = format_args!("spec.rules[{index}]");
        let default = [GrpcRouteMatch::default()];
        let matches = rule
            .matches
            .as_deref()
            .filter(|matches| !matches.is_empty())
            .unwrap_or(&default);
        let specs = numbered(matches);
        let mut matches = Vec::with_capacity(matches.len());
        for (number, one) in specs {
            matches.push(self.grpc_match(number, one, format_args!("{at}.matches[{number}]"))?);
        }
        let filters = self.filters(rule.filters.as_deref().unwrap_or_default(), at, false)?;
        Ok(Rule {
            index,
            name: rule.name.as_deref().map(Arc::from),
            matches: Matches::Grpc(matches.into()),
            backends: self.backends(rule.backend_refs.as_deref().unwrap_or_default(), at)?,
            filters: filters.into(),
            timeouts: Rare::default(),
            retry: None,
            session: rule
                .session_persistence
                .as_ref()
                .map(|spec| session(spec, at))
                .transpose()?
                .map(Box::new),
        })
    }

    fn layer4(&mut self, index: u16, rule: &Layer4Rule) -> Result<Rule, Finding> {
        let at = format_args!("spec.rules[{index}]");
        let references = rule.backend_refs.as_deref().unwrap_or_default();
        let backends = numbered(references)
            .map(|(number, reference)| self.backend(number, reference, Rare::default(), at));
        Ok(Rule {
            index,
            name: rule.name.as_deref().map(Arc::from),
            matches: Matches::Connection,
            backends: Backends::new(backends.collect()),
            filters: Rare::default(),
            timeouts: Rare::default(),
            retry: None,
            session: None,
        })
    }

    fn filters(
        &mut self,
        filters: &[crate::api::filter::HttpRouteFilter],
        at: Arguments<'_>,
        of_backend: bool,
    ) -> Result<Filters, Finding> {
        if filters.is_empty() {
            return Ok(Filters::default());
        }
        let resolved = filter::resolve(
            self.context,
            self.route,
            filters,
            at,
            of_backend,
            &mut self.reached,
        )?;
        if let Some(finding) = resolved.unresolved {
            self.unresolved.get_or_insert(finding);
        }
        Ok(resolved.filters)
    }

    fn backends(
        &mut self,
        references: &[HttpBackendRef],
        at: Arguments<'_>,
    ) -> Result<Backends, Finding> {
        let mut backends = Vec::with_capacity(references.len());
        for (number, reference) in numbered(references) {
            let at = format_args!("{at}.backendRefs[{number}]");
            let filters =
                self.filters(reference.filters.as_deref().unwrap_or_default(), at, true)?;
            backends.push(self.backend(
                number,
                &reference.backend,
                BackendFilters::from(filters).into(),
                at,
            ));
        }
        Ok(Backends::new(backends))
    }

    fn backend(
        &mut self,
        index: u16,
        reference: &BackendRef,
        filters: Rare<BackendFilters>,
        at: Arguments<'_>,
    ) -> Backend {
        let destination = backend::destination(
            self.context,
            self.route,
            BackendReference::weighted(reference, &self.route.namespace),
            &mut self.reached,
        );
        let destination = destination.map_err(|finding| {
            let invalid = backend::invalid(&finding);
            self.unresolved.get_or_insert_with(|| {
                Finding::new(finding.reason, format!("{at}: {}", finding.message))
            });
            invalid
        });
        let weight = u32::try_from(reference.weight())
            .unwrap_or(0)
            .min(1_000_000);
        Backend {
            index,
            weight,
            destination,
            filters,
        }
    }

    fn pattern(&mut self, text: &str, at: Arguments<'_>) -> Result<Pattern, Finding> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        let limits = &self.context.settings.pattern_limits;
        let pattern =
            Pattern::parse(text, limits).map_err(|error| unsupported(format!("{at}: {error}")))?;
        let bytes = self.pattern_bytes + pattern.memory();
        if bytes > limits.route {
            let shown = crate::problem::excerpt(text);
            return Err(unsupported(format!(
                "{at}: with `{shown}` the regular expressions of the route need {bytes} bytes, expected at most {}",
                limits.route
            )));
        }
        self.pattern_bytes = bytes;
        self.patterns.insert(text.into(), pattern.clone());
        Ok(pattern)
    }

    fn value(
        &mut self,
        kind: &ValueMatchType,
        text: &str,
        at: Arguments<'_>,
    ) -> Result<ValueMatch, Finding> {
        match kind {
            ValueMatchType::Exact => Ok(ValueMatch::Exact(text.as_bytes().into())),
            ValueMatchType::RegularExpression => Ok(ValueMatch::Pattern(
                self.pattern(text, format_args!("{at}.value"))?,
            )),
            ValueMatchType::Other(other) => Err(unsupported(format!(
                "{at}.type: `{}` is not supported",
                crate::problem::excerpt(other)
            ))),
        }
    }

    fn http_match(
        &mut self,
        index: u16,
        one: &HttpRouteMatch,
        at: Arguments<'_>,
    ) -> Result<RequestMatch, Finding> {
        let method = one.method.as_deref().map(|method| {
            Method::from_bytes(method.as_bytes()).map_err(|_| {
                unsupported(format!(
                    "{at}.method: `{}` is not a method",
                    crate::problem::excerpt(method)
                ))
            })
        });
        Ok(RequestMatch {
            index,
            path: self.path(one, at)?,
            conditions: Rare::from(RequestConditions {
                method: method.transpose()?,
                headers: self.headers(one.headers.as_deref().unwrap_or_default(), at)?,
                query: self.query(one.query_params.as_deref().unwrap_or_default(), at)?,
            }),
        })
    }

    fn path(&mut self, one: &HttpRouteMatch, at: Arguments<'_>) -> Result<PathMatch, Finding> {
        let path = one.path();
        let value = path.value();
        let at = format_args!("{at}.path");
        let canonical = || {
            let mut out = Vec::new();
            match canonical_path(value.as_bytes(), &PathPolicy::default(), &mut out) {
                Ok(true) => Ok(Cow::Owned(out)),
                Ok(false) => Ok(Cow::Borrowed(value.as_bytes())),
                Err(refused) => Err(unsupported(format!(
                    "{at}.value: `{}` is not a path: {refused}",
                    crate::problem::excerpt(value)
                ))),
            }
        };
        match path.match_type() {
            PathMatchType::Exact => Ok(PathMatch::Exact(canonical()?.as_ref().into())),
            PathMatchType::PathPrefix => {
                let path = canonical()?;
                let mut prefix = path.as_ref();
                while let [shorter @ .., b'/'] = prefix {
                    prefix = shorter;
                }
                Ok(PathMatch::Prefix(prefix.into()))
            }
            PathMatchType::RegularExpression => Ok(PathMatch::Pattern(
                self.pattern(value, format_args!("{at}.value"))?,
            )),
            PathMatchType::Other(other) => Err(unsupported(format!(
                "{at}.type: `{}` is not supported",
                crate::problem::excerpt(other)
            ))),
        }
    }

    /// Of entries with equal names only the first counts (`HTTPRouteMatch.headers`).
    fn headers(
        &mut self,
        headers: &[HttpHeaderMatch],
        at: Arguments<'_>,
    ) -> Result<Vec<HeaderMatch>, Finding> {
        let mut out: Vec<HeaderMatch> = Vec::new();
        for (index, header) in headers.iter().enumerate() {
            let at = format_args!("{at}.headers[{index}]");
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| {
                unsupported(format!(
                    "{at}.name: `{}` is not a header name",
                    crate::problem::excerpt(&header.name)
                ))
            })?;
            let value = self.value(header.match_type(), &header.value, at)?;
            if !out.iter().any(|earlier| earlier.name == name) {
                out.push(HeaderMatch { name, value });
            }
        }
        Ok(out)
    }

    fn query(
        &mut self,
        parameters: &[HttpQueryParamMatch],
        at: Arguments<'_>,
    ) -> Result<Vec<QueryMatch>, Finding> {
        let mut out: Vec<QueryMatch> = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            let at = format_args!("{at}.queryParams[{index}]");
            let value = self.value(parameter.match_type(), &parameter.value, at)?;
            if !out.iter().any(|earlier| *earlier.name == *parameter.name) {
                out.push(QueryMatch {
                    name: parameter.name.as_str().into(),
                    value,
                });
            }
        }
        Ok(out)
    }

    fn grpc_match(
        &mut self,
        index: u16,
        one: &GrpcRouteMatch,
        at: Arguments<'_>,
    ) -> Result<GrpcMatch, Finding> {
        let default = GrpcMethodMatch::default();
        let method = one.method.as_ref().unwrap_or(&default);
        let mut name = |text: &Option<String>, member: &str| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| {
                self.value(
                    method.match_type(),
                    text,
                    format_args!("{at}.method.{member}"),
                )
            })
            .transpose()
        };
        Ok(GrpcMatch {
            index,
            service: name(&method.service, "service")?,
            method: name(&method.method, "method")?,
            headers: self.headers(one.headers.as_deref().unwrap_or_default(), at)?,
        })
    }
}

fn unsupported(message: String) -> Finding {
    Finding::new(Reason::UnsupportedValue, message)
}

fn duration(
    text: Option<&Duration>,
    at: Arguments<'_>,
) -> Result<Option<std::time::Duration>, Finding> {
    let parsed = text.map(Duration::parse).transpose();
    parsed.map_err(|error| unsupported(format!("{at}: {error}")))
}

fn timeouts(spec: Option<&HttpRouteTimeouts>, at: Arguments<'_>) -> Result<Timeouts, Finding> {
    let Some(spec) = spec else {
        return Ok(Timeouts::default());
    };
    Ok(Timeouts {
        request: duration(spec.request.as_ref(), format_args!("{at}.timeouts.request"))?,
        backend_request: duration(
            spec.backend_request.as_ref(),
            format_args!("{at}.timeouts.backendRequest"),
        )?,
    })
}

fn retry(spec: &HttpRouteRetry, at: Arguments<'_>) -> Result<Retry, Finding> {
    let mut codes: Vec<u16> = spec
        .codes
        .iter()
        .flatten()
        .filter_map(|&code| u16::try_from(code).ok())
        .collect();
    codes.sort_unstable();
    Ok(Retry {
        codes,
        attempts: u32::try_from(spec.attempts().max(0)).unwrap_or(u32::MAX),
        backoff: duration(spec.backoff.as_ref(), format_args!("{at}.retry.backoff"))?,
    })
}

pub(super) fn session(
    spec: &SessionSpec,
    at: Arguments<'_>,
) -> Result<SessionPersistence, Finding> {
    let at = format_args!("{at}.sessionPersistence");
    let token = match spec.persistence_type() {
        SessionPersistenceType::Cookie => {
            let cookie = spec.cookie.clone().unwrap_or_default();
            SessionToken::Cookie {
                name: cookie.name.as_deref().map(Into::into),
                path: cookie.path().into(),
                permanent: *cookie.lifetime_type() == CookieLifetimeType::Permanent,
            }
        }
        SessionPersistenceType::Header => {
            let name = spec
                .header
                .as_ref()
                .map(|header| header.name.as_str())
                .unwrap_or_default();
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                unsupported(format!(
                    "{at}.header.name: `{}` is not a header name",
                    crate::problem::excerpt(name)
                ))
            })?;
            SessionToken::Header(name)
        }
        SessionPersistenceType::Other(other) => {
            return Err(unsupported(format!(
                "{at}.type: `{}` is not supported",
                crate::problem::excerpt(other)
            )));
        }
    };
    Ok(SessionPersistence {
        token,
        absolute_timeout: duration(
            spec.absolute_timeout.as_ref(),
            format_args!("{at}.absoluteTimeout"),
        )?,
    })
}
