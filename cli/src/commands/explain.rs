//! `gatepost explain`: which rule serves a request, and why no other does.

use gatepost::table::RouteTable;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::arguments::{Explain, TextFormat};
use crate::explain::{Report, Request, explain, no_listener};
use crate::{input, output};

pub(crate) fn run(arguments: &Explain) -> u8 {
    let request = match parse(arguments) {
        Ok(request) => request,
        Err(message) => {
            output::tell(&format!("gatepost: {message}"));
            return 2;
        }
    };
    let collected = input::load(&arguments.input);
    if input::report_unreadable(&collected) {
        return 2;
    }
    let resolution = input::settings(&arguments.input.reading).resolve(&collected.resources);
    let all = resolution.planes().iter().map(|plane| &*plane.table);
    let tables: Vec<&RouteTable> = all
        .clone()
        .filter(|table| {
            table
                .listeners()
                .iter()
                .any(|listener| listener.port == request.port())
        })
        .collect();
    if tables.is_empty() {
        return print(&no_listener(&request, all), arguments.output);
    }
    let mut code = 0;
    for table in tables {
        let report = explain(table, &request, &collected.documents, output::colours());
        code = print(&report, arguments.output).max(code);
    }
    code
}

fn print(report: &Report, format: TextFormat) -> u8 {
    output::print(&match format {
        TextFormat::Text => report.text.clone(),
        TextFormat::Json => format!("{:#}\n", report.json),
    });
    u8::from(!report.found)
}

fn parse(arguments: &Explain) -> Result<Request, String> {
    let (method, url) = match arguments.request.as_slice() {
        [url] => ("GET", url.as_str()),
        [method, url] => (method.as_str(), url.as_str()),
        _ => return Err("expected METHOD URL".to_owned()),
    };
    let mut headers = HeaderMap::new();
    for field in &arguments.headers {
        let parsed = field.split_once(':').and_then(|(name, value)| {
            Some((
                HeaderName::from_bytes(name.trim().as_bytes()).ok()?,
                HeaderValue::from_str(value.trim()).ok()?,
            ))
        });
        let (name, value) = parsed
            .ok_or_else(|| format!("`{field}` is not a header field, expected `name: value`"))?;
        headers.append(name, value);
    }
    Request::new(method, url, headers, arguments.sni.as_deref())
}
