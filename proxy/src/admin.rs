//! Health, metrics, statuses and the table, told to whoever asks on the admin address.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatepost::problem::Level;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::metrics::Metrics;
use crate::reconcile::View;

/// Opens the admin address; the address that was bound is given back.
///
/// # Errors
///
/// If it cannot be bound.
pub async fn open(
    address: SocketAddr,
    view: Arc<ArcSwap<View>>,
    metrics: Arc<Metrics>,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let (view, metrics) = (view.clone(), metrics.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let response = answer(&request, &view.load(), &metrics);
                    async move { Ok::<_, Infallible>(response) }
                });
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new());
                // How an admin's connection ends is nobody's business.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok((bound, task))
}

fn answer(request: &Request<Incoming>, view: &View, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !known_host(request) {
        return text(
            StatusCode::FORBIDDEN,
            "the Host of an admin request has to be an address or localhost\n",
        );
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "expected GET\n");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(view),
        "/metrics" => text(StatusCode::OK, metrics.text()),
        "/status" => {
            let items: Vec<&Value> = view.statuses.iter().map(AsRef::as_ref).collect();
            json(
                &json!({"schema": "gatepost/status/v1", "generation": view.generation, "items": items}),
            )
        }
        "/table" => json(&table(view)),
        _ => text(
            StatusCode::NOT_FOUND,
            "expected /healthz, /readyz, /metrics, /status or /table\n",
        ),
    }
}

/// A page of another site may not reach the admin endpoint by a name that it controls.
fn known_host(request: &Request<Incoming>) -> bool {
    let Some(host) = request
        .headers()
        .get(HOST)
        .and_then(|value| value.to_str().ok())
    else {
        return true;
    };
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok()
        || host.parse::<std::net::IpAddr>().is_ok()
}

/// Ready once a configuration is served; what is wrong with it is named.
fn ready(view: &View) -> Response<Full<Bytes>> {
    if view.planes.is_none() {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "no configuration is served yet\n",
        );
    }
    if !view.unready.is_empty() {
        let lines = view.unready.join("\n");
        return text(StatusCode::SERVICE_UNAVAILABLE, format!("{lines}\n"));
    }
    let mut words = String::from("ok\n");
    for problem in view
        .problems
        .iter()
        .filter(|problem| problem.level != Level::Note)
    {
        words.push_str(&problem.to_string());
        words.push('\n');
    }
    text(StatusCode::OK, words)
}

/// The rules by listener, in no particular order of candidates: `gatepost routes` tells that.
fn table(view: &View) -> Value {
    let planes = view.planes.iter().flatten().map(|plane| {
        let listeners = plane.table.listeners().iter().map(|listener| {
            json!({
                "gateway": listener.gateway.to_string(),
                "listener": &*listener.name,
                "port": listener.port,
                "hostname": listener.hostname.as_ref().map(|name| name.as_str()),
                "routes": listener.routes.iter().map(|route| route.key.to_string()).collect::<Vec<_>>(),
            })
        });
        let rules = plane.table.rules().map(|(route, rule)| {
            let backends = rule.backends.entries().iter().map(|backend| match &backend.destination {
                Ok(destination) => json!({"backend": destination.port.to_string(), "weight": backend.weight}),
                Err(invalid) => json!({"invalid": invalid.reason, "weight": backend.weight}),
            });
            json!({"route": route.to_string(), "rule": rule.index, "name": rule.name.as_deref(), "backends": backends.collect::<Vec<_>>()})
        });
        json!({"addresses": plane.addresses, "listeners": listeners.collect::<Vec<_>>(), "rules": rules.collect::<Vec<_>>()})
    });
    json!({"schema": "gatepost/table/v1", "generation": view.generation, "planes": planes.collect::<Vec<_>>()})
}

fn text(status: StatusCode, words: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(words.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn json(value: &Value) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, format!("{value:#}\n"));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
