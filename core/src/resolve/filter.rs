//! Filters: what users write → what runs.

use std::fmt::Arguments;

use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::backend::{self, BackendReference, Reached};
use super::context::Context;
use super::finding::{Finding, Reason};
use crate::api::filter::{
    ExternalAuthProtocolType, FilterType, HttpCorsFilter, HttpExternalAuthFilter, HttpHeader,
    HttpHeaderFilter, HttpPathModifier, HttpRequestMirrorFilter, HttpRequestRedirectFilter,
    HttpRouteFilter, HttpUrlRewriteFilter, PathModifierType,
};
use crate::key::ObjectKey;
use crate::rule::{
    Backend, BackendFilters, Cors, CorsOrigin, ExternalAuth, ExternalAuthProtocol, Fault, Filters,
    HeaderEdit, HeaderEdits, Mirror, PathModifier, Rare, Redirect, Rewrite,
};
use crate::target::{PathPolicy, canonical_path};

/// Filters of a rule or a backend, resolved.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// What runs.
    pub filters: Filters,
    /// References that do not resolve; the filters run without them, or not at all.
    pub unresolved: Option<Finding>,
}

impl From<Filters> for BackendFilters {
    /// Of a backend, CORS, redirects and authorisation are not served: `resolve` refuses them.
    fn from(filters: Filters) -> BackendFilters {
        BackendFilters {
            fault: filters.fault,
            request_headers: filters.request_headers,
            rewrite: filters.rewrite,
            mirrors: filters.mirrors,
            response_headers: filters.response_headers,
        }
    }
}

/// Resolves a list of filters.
///
/// # Errors
///
/// If one cannot be carried out: the rule is invalid.
pub(super) fn resolve(
    context: &Context<'_>,
    route: &ObjectKey,
    filters: &[HttpRouteFilter],
    field: Arguments<'_>,
    of_backend: bool,
    reached: &mut Reached,
) -> Result<Resolved, Finding> {
    let mut resolved = Resolved::default();
    for (index, filter) in filters.iter().enumerate() {
        let at = format_args!("{field}.filters[{index}]");
        let missing = || {
            unsupported(format!(
                "{at}: the settings of {} are missing",
                filter.filter_type
            ))
        };
        let into = &mut resolved.filters;
        match filter.filter_type {
            ref other if context.settings.unsupported_filters.contains(other) => {
                return Err(unsupported(format!("{at}: type `{other}` is not served")));
            }
            FilterType::RequestHeaderModifier => {
                let edits = filter
                    .request_header_modifier
                    .as_ref()
                    .ok_or_else(missing)?;
                once(
                    at,
                    into.request_headers
                        .replace(header_edits(
                            edits,
                            format_args!("{at}.requestHeaderModifier"),
                            true,
                        )?)
                        .is_some(),
                )?;
            }
            FilterType::ResponseHeaderModifier => {
                let edits = filter
                    .response_header_modifier
                    .as_ref()
                    .ok_or_else(missing)?;
                once(
                    at,
                    into.response_headers
                        .replace(header_edits(
                            edits,
                            format_args!("{at}.responseHeaderModifier"),
                            false,
                        )?)
                        .is_some(),
                )?;
            }
            FilterType::UrlRewrite => {
                let rewrite = filter.url_rewrite.as_ref().ok_or_else(missing)?;
                once(
                    at,
                    into.rewrite
                        .replace(self::rewrite(rewrite, format_args!("{at}.urlRewrite"))?)
                        .is_some(),
                )?;
            }
            FilterType::RequestMirror => {
                let spec = filter.request_mirror.as_ref().ok_or_else(missing)?;
                match mirror(context, route, spec, reached) {
                    Ok(mirror) => into.mirrors.push(mirror),
                    Err(finding) => {
                        resolved
                            .unresolved
                            .get_or_insert_with(|| at_field(at, finding));
                    }
                }
            }
            FilterType::RequestRedirect if !of_backend => {
                let spec = filter.request_redirect.as_ref().ok_or_else(missing)?;
                once(
                    at,
                    into.redirect
                        .replace(redirect(spec, format_args!("{at}.requestRedirect"))?)
                        .is_some(),
                )?;
            }
            FilterType::Cors if !of_backend => {
                let spec = filter.cors.as_ref().ok_or_else(missing)?;
                once(
                    at,
                    into.cors
                        .replace(cors(spec, format_args!("{at}.cors"))?)
                        .is_some(),
                )?;
            }
            FilterType::ExternalAuth if !of_backend => {
                let spec = filter.external_auth.as_ref().ok_or_else(missing)?;
                let at = format_args!("{at}.externalAuth");
                match external_auth(context, route, spec, at, reached)? {
                    Ok(auth) => once(at, into.external_auth.replace(auth).is_some())?,
                    // Whoever cannot be asked has not agreed: requests get an error.
                    Err(finding) => {
                        let finding = at_field(at, finding);
                        into.fault.get_or_insert_with(|| Fault {
                            reason: finding.message.as_str().into(),
                        });
                        resolved.unresolved.get_or_insert(finding);
                    }
                }
            }
            FilterType::ExtensionRef => {
                let reference = filter.extension_ref.as_ref().ok_or_else(missing)?;
                let message = format!(
                    "{at}.extensionRef names {} `{}` of group `{}`: no kind of extension is known",
                    reference.kind, reference.name, reference.group
                );
                // A filter that cannot be resolved is never skipped: requests get an error.
                into.fault.get_or_insert_with(|| Fault {
                    reason: message.as_str().into(),
                });
                resolved
                    .unresolved
                    .get_or_insert_with(|| Finding::new(Reason::InvalidKind, message));
            }
            ref other => {
                return Err(unsupported(format!(
                    "{at}: type `{other}` is not supported here"
                )));
            }
        }
    }
    if resolved.filters.redirect.is_some() && resolved.filters.rewrite.is_some() {
        let message = format!("{field}.filters: RequestRedirect and URLRewrite exclude each other");
        return Err(Finding::new(Reason::IncompatibleFilters, message));
    }
    Ok(resolved)
}

fn unsupported(message: String) -> Finding {
    Finding::new(Reason::UnsupportedValue, message)
}

fn at_field(at: Arguments<'_>, finding: Finding) -> Finding {
    Finding::new(finding.reason, format!("{at}: {}", finding.message))
}

fn once(at: Arguments<'_>, repeated: bool) -> Result<(), Finding> {
    if repeated {
        return Err(Finding::new(
            Reason::IncompatibleFilters,
            format!("{at}: this type of filter stands in the list already"),
        ));
    }
    Ok(())
}

/// Fields that belong to the connection or the framing: they are the proxy's own.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
];

fn header_edits(
    spec: &HttpHeaderFilter,
    at: Arguments<'_>,
    request: bool,
) -> Result<HeaderEdits, Finding> {
    let name = |text: &str, at: Arguments<'_>| {
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
            unsupported(format!(
                "{at}: `{}` is not a header name",
                crate::problem::excerpt(text)
            ))
        })?;
        let own = FRAMING.contains(&name.as_str()) || request && name == http::header::HOST;
        if own {
            return Err(unsupported(format!(
                "{at}: `{name}` belongs to the connection and cannot be changed by a filter"
            )));
        }
        Ok(name)
    };
    let edits =
        |list: &Option<Vec<HttpHeader>>, member: &str| -> Result<Vec<HeaderEdit>, Finding> {
            let edit = |(index, header): (usize, &HttpHeader)| {
                let at = format_args!("{at}.{member}[{index}]");
                let name = name(&header.name, format_args!("{at}.name"))?;
                Ok(HeaderEdit {
                    name,
                    value: header_value(&header.value, format_args!("{at}.value"))?,
                })
            };
            list.iter().flatten().enumerate().map(edit).collect()
        };
    let remove = spec.remove.iter().flatten().enumerate();
    Ok(HeaderEdits {
        set: edits(&spec.set, "set")?,
        add: edits(&spec.add, "add")?,
        remove: remove
            .map(|(index, text)| name(text, format_args!("{at}.remove[{index}]")))
            .collect::<Result<_, _>>()?,
    })
}

/// RFC 9110 section 5.5: visible ASCII, spaces and tabs. A line break would end the field.
fn header_value(text: &str, at: Arguments<'_>) -> Result<HeaderValue, Finding> {
    let sound = text
        .bytes()
        .all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
    let value = HeaderValue::from_str(text).ok().filter(|_| sound);
    value.ok_or_else(|| {
        let shown = crate::problem::excerpt(text);
        unsupported(format!("{at}: `{shown}` is not a header value, expected visible ASCII characters, spaces and tabs"))
    })
}

fn mirror(
    context: &Context<'_>,
    route: &ObjectKey,
    spec: &HttpRequestMirrorFilter,
    reached: &mut Reached,
) -> Result<Mirror, Finding> {
    let backend = BackendReference::of(&spec.backend_ref, &route.namespace);
    let destination = backend::destination(context, route, backend, reached)?;
    let positive = |number: i32| u32::try_from(number).unwrap_or(0);
    let (numerator, denominator) = match (&spec.fraction, spec.percent) {
        (Some(fraction), _) => (
            positive(fraction.numerator),
            positive(fraction.denominator()).max(1),
        ),
        (None, Some(percent)) => (positive(percent), 100),
        (None, None) => (1, 1),
    };
    let backend = Backend {
        index: 0,
        weight: 1,
        destination: Ok(destination),
        filters: Rare::default(),
    };
    Ok(Mirror {
        backend,
        numerator: numerator.min(denominator),
        denominator,
    })
}

/// Of the two results, the outer says whether the filter can be carried out, the inner whether its backend is there.
pub(super) fn external_auth(
    context: &Context<'_>,
    route: &ObjectKey,
    spec: &HttpExternalAuthFilter,
    at: Arguments<'_>,
    reached: &mut Reached,
) -> Result<Result<ExternalAuth, Finding>, Finding> {
    let names = |list: Option<&Vec<String>>, member: &str| {
        let parse = |name: &String| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                let shown = crate::problem::excerpt(name);
                unsupported(format!("{at}.{member}: `{shown}` is not a header name"))
            })
        };
        list.into_iter()
            .flatten()
            .map(parse)
            .collect::<Result<Vec<_>, _>>()
    };
    let protocol = match spec.protocol {
        ExternalAuthProtocolType::Http => {
            let http = spec.http.as_ref();
            let path = http
                .and_then(|http| http.path.as_deref())
                .unwrap_or_default();
            let path = match path.trim_end_matches('/') {
                "" => Vec::new(),
                path => replacement(Some(path), format_args!("{at}.http.path"))?,
            };
            // INVARIANT: a canonical path is ASCII.
            let path = String::from_utf8(path).unwrap_or_default();
            let allowed = http.and_then(|http| http.allowed_headers.as_ref());
            let response = http.and_then(|http| http.allowed_response_headers.as_ref());
            ExternalAuthProtocol::Http {
                path: path.into(),
                allowed_headers: names(allowed, "http.allowedHeaders")?,
                allowed_response_headers: names(response, "http.allowedResponseHeaders")?,
            }
        }
        ref other => {
            return Err(unsupported(format!(
                "{at}.protocol: `{other}` is not served, expected HTTP"
            )));
        }
    };
    let size = spec.forward_body.as_ref().and_then(|body| body.max_size);
    let backend = BackendReference::of(&spec.backend_ref, &route.namespace);
    let destination = match backend::destination(context, route, backend, reached) {
        Ok(destination) => destination,
        Err(finding) => return Ok(Err(finding)),
    };
    Ok(Ok(ExternalAuth {
        backend: Backend {
            index: 0,
            weight: 1,
            destination: Ok(destination),
            filters: Rare::default(),
        },
        protocol,
        forward_body: size.and_then(|size| u32::try_from(size).ok()).unwrap_or(0),
    }))
}

fn redirect(spec: &HttpRequestRedirectFilter, at: Arguments<'_>) -> Result<Redirect, Finding> {
    let status = match spec.status_code {
        None => StatusCode::FOUND,
        Some(code) => u16::try_from(code)
            .ok()
            .filter(|code| [301, 302, 303, 307, 308].contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or_else(|| {
                unsupported(format!(
                    "{at}.statusCode: `{code}` is not one of 301, 302, 303, 307, 308"
                ))
            })?,
    };
    let scheme = match spec.scheme.as_deref() {
        None => None,
        Some(scheme @ ("http" | "https")) => Some(scheme.into()),
        Some(other) => {
            return Err(unsupported(format!(
                "{at}.scheme: `{}` is neither http nor https",
                crate::problem::excerpt(other)
            )));
        }
    };
    let port = spec.port.map(u16::try_from).transpose();
    let port = port.map_err(|_| unsupported(format!("{at}.port: expected a port up to 65535")))?;
    Ok(Redirect {
        scheme,
        hostname: hostname(spec.hostname.as_deref(), at)?,
        path: path_modifier(spec.path.as_ref(), at)?,
        port,
        status,
    })
}

fn rewrite(spec: &HttpUrlRewriteFilter, at: Arguments<'_>) -> Result<Rewrite, Finding> {
    Ok(Rewrite {
        hostname: hostname(spec.hostname.as_deref(), at)?,
        path: path_modifier(spec.path.as_ref(), at)?,
    })
}

fn hostname(text: Option<&str>, at: Arguments<'_>) -> Result<Option<Box<str>>, Finding> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match crate::hostname::Hostname::parse(text) {
        Ok(name) if !name.is_wildcard() => Ok(Some(text.into())),
        Ok(_) => Err(unsupported(format!(
            "{at}.hostname: `{text}` is a wildcard, expected one name"
        ))),
        Err(error) => Err(unsupported(format!("{at}.hostname: {error}"))),
    }
}

fn path_modifier(
    spec: Option<&HttpPathModifier>,
    at: Arguments<'_>,
) -> Result<Option<PathModifier>, Finding> {
    let Some(spec) = spec else {
        return Ok(None);
    };
    match spec.modifier_type {
        PathModifierType::ReplaceFullPath => {
            let value = replacement(
                spec.replace_full_path.as_deref(),
                format_args!("{at}.path.replaceFullPath"),
            )?;
            Ok(Some(PathModifier::Full(value.into())))
        }
        PathModifierType::ReplacePrefixMatch => {
            let mut value = replacement(
                spec.replace_prefix_match.as_deref(),
                format_args!("{at}.path.replacePrefixMatch"),
            )?;
            while value.last() == Some(&b'/') {
                value.pop();
            }
            Ok(Some(PathModifier::Prefix(value.into())))
        }
        ref other => Err(unsupported(format!(
            "{at}.path.type: `{other}` is not supported"
        ))),
    }
}

/// A path that goes on the wire: canonical, with a leading slash, and without dot segments.
fn replacement(value: Option<&str>, at: Arguments<'_>) -> Result<Vec<u8>, Finding> {
    let value = value.ok_or_else(|| unsupported(format!("{at}: is missing")))?;
    let shown = crate::problem::excerpt(value);
    let dots = value
        .split('/')
        .any(|segment| matches!(segment, "." | ".."));
    if dots || value.contains('?') {
        return Err(unsupported(format!(
            "{at}: `{shown}` has a dot segment or a query, expected a plain path"
        )));
    }
    let path = if value.starts_with('/') {
        value.to_owned()
    } else {
        format!("/{value}")
    };
    let mut canonical = Vec::new();
    match canonical_path(path.as_bytes(), &PathPolicy::default(), &mut canonical) {
        Ok(true) => Ok(canonical),
        Ok(false) => Ok(path.into_bytes()),
        Err(refused) => Err(unsupported(format!(
            "{at}: `{shown}` is not a path: {refused}"
        ))),
    }
}

fn cors(spec: &HttpCorsFilter, at: Arguments<'_>) -> Result<Cors, Finding> {
    let names =
        |list: &Option<Vec<String>>, member: &str| -> Result<Option<Vec<HeaderName>>, Finding> {
            let list = list.as_deref().unwrap_or_default();
            if list.iter().any(|name| name == "*") {
                return Ok(None);
            }
            let parse = |name: &String| {
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    unsupported(format!(
                        "{at}.{member}: `{}` is not a header name",
                        crate::problem::excerpt(name)
                    ))
                })
            };
            list.iter()
                .map(parse)
                .collect::<Result<Vec<_>, _>>()
                .map(Some)
        };
    let methods = spec.allow_methods.as_deref().unwrap_or_default();
    let methods = if methods.iter().any(|method| method == "*") {
        None
    } else {
        let parse = |method: &String| {
            Method::from_bytes(method.as_bytes()).map_err(|_| {
                unsupported(format!(
                    "{at}.allowMethods: `{}` is not a method",
                    crate::problem::excerpt(method)
                ))
            })
        };
        Some(methods.iter().map(parse).collect::<Result<_, _>>()?)
    };
    let origins = spec.allow_origins.iter().flatten().map(|origin| {
        self::origin(origin).ok_or_else(|| {
            unsupported(format!(
                "{at}.allowOrigins: `{}` is not an origin",
                crate::problem::excerpt(origin)
            ))
        })
    });
    Ok(Cors {
        origins: origins.collect::<Result<_, _>>()?,
        credentials: spec.allow_credentials(),
        methods,
        headers: names(&spec.allow_headers, "allowHeaders")?,
        expose_headers: names(&spec.expose_headers, "exposeHeaders")?,
        max_age: u32::try_from(spec.max_age()).unwrap_or(5),
    })
}

fn origin(text: &str) -> Option<CorsOrigin> {
    if text == "*" {
        return Some(CorsOrigin::Any);
    }
    let (scheme, rest) = text.split_once("://")?;
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (rest, None),
    };
    Some(CorsOrigin::Url {
        scheme: scheme.into(),
        host: host.to_ascii_lowercase().into(),
        port: port.unwrap_or(default),
        port_given: port.is_some(),
    })
}
