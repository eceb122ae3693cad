//! ExternalAuth over HTTP: somebody else says whether a request may pass, and who cannot be asked has said no.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatepost::rule::{ExternalAuth, ExternalAuthProtocol, Listener, Timeouts};
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderName,
};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::{Answer, Payload};
use crate::fields::remove_hop_by_hop;
use crate::forward::{self, Order, Target, head};
use crate::state::{Plane, Served};

/// How long the answer may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Why a request does not pass.
#[derive(Debug)]
pub enum Denied {
    /// Whoever was asked said so, in these words.
    Answer(Box<Response<Answer>>),
    /// We say so: the status and why.
    Fault(StatusCode, String),
}

fn fault(status: StatusCode, why: impl ToString) -> Denied {
    Denied::Fault(status, why.to_string())
}

/// A request's body where it is: with the client, or here already.
#[derive(Debug)]
pub enum Body {
    /// It has not been read.
    Client(Incoming),
    /// It was read to be judged.
    Read(Bytes),
}

/// Asks whether a request may pass; what it is to carry besides is put into `parts`.
///
/// # Errors
///
/// If it may not, or nobody could be asked.
pub async fn authorize(
    plane: &Arc<Plane>,
    served: &Served,
    listener: &Listener,
    auth: &ExternalAuth,
    parts: &mut http::request::Parts,
    body: Body,
) -> Result<Body, Denied> {
    let ExternalAuthProtocol::Http {
        path,
        allowed_headers,
        allowed_response_headers,
    } = &auth.protocol
    else {
        return Err(fault(
            StatusCode::INTERNAL_SERVER_ERROR,
            "external authorisation over gRPC is not served",
        ));
    };
    let destination = auth.backend.destination.as_ref();
    let destination = destination
        .map_err(|invalid| fault(StatusCode::INTERNAL_SERVER_ERROR, &invalid.message))?;
    let body = read(body, parts, auth.forward_body).await?;
    let sent = match &body {
        Body::Read(bytes) if auth.forward_body > 0 => bytes.clone(),
        _ => Bytes::new(),
    };
    let unavailable = |why: &dyn std::fmt::Display| {
        fault(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("external authorisation: {why}"),
        )
    };
    let target =
        Target::new(plane, destination, listener, false).map_err(|error| unavailable(&error))?;
    let addresses = served.endpoints.get(&destination.port);
    let addresses = addresses.ok_or_else(|| unavailable(&"no endpoint"))?;
    let mut asked = Request::new(()).into_parts().0;
    asked.method = parts.method.clone();
    let own = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    asked.uri = format!("{path}{own}")
        .parse::<Uri>()
        .map_err(|error| unavailable(&error))?;
    for name in [&HOST, &AUTHORIZATION].into_iter().chain(allowed_headers) {
        for value in parts.headers.get_all(name) {
            asked.headers.append(name.clone(), value.clone());
        }
    }
    if !sent.is_empty()
        && let Some(value) = parts.headers.get(CONTENT_TYPE)
    {
        asked.headers.insert(CONTENT_TYPE, value.clone());
    }
    remove_hop_by_hop(&mut asked.headers);
    asked
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(sent.len()));
    let payload = Payload::Whole(sent);
    head(&target, &mut asked).map_err(|error| unavailable(&error))?;
    let order = Order {
        head: &mut asked,
        payload: &payload,
        addresses,
        target: &target,
        pinned: None,
        retry: None,
        timeouts: Timeouts {
            request: Some(LONGEST),
            backend_request: None,
        },
        start: Instant::now(),
    };
    let arrived = forward::send(&plane.pool, order)
        .await
        .map_err(|error| unavailable(&error))?;
    let mut response = arrived.response;
    remove_hop_by_hop(response.headers_mut());
    if response.status() != StatusCode::OK {
        if response.status().is_informational() {
            return Err(unavailable(&format!("status {}", response.status())));
        }
        let denied = response.map(|body| Answer::stream(body, arrived.busy, arrived.deadline));
        return Err(Denied::Answer(Box::new(denied)));
    }
    // Fields that are the authority's to set are never the client's.
    for name in allowed_response_headers {
        parts.headers.remove(name);
    }
    let wanted = |name: &HeaderName| {
        let ours = [HOST, CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, DATE].contains(name);
        !ours && (allowed_response_headers.is_empty() || allowed_response_headers.contains(name))
    };
    let names: Vec<HeaderName> = response
        .headers()
        .keys()
        .filter(|name| wanted(name))
        .cloned()
        .collect();
    for name in names {
        parts.headers.remove(&name);
        for value in response.headers().get_all(&name) {
            parts.headers.append(name.clone(), value.clone());
        }
    }
    // The rest of the answer says nothing; read to its end it leaves the connection usable.
    let mut rest = Answer::stream(response.into_body(), arrived.busy, arrived.deadline);
    while let Some(Ok(_)) = rest.frame().await {}
    Ok(body)
}

/// Reads a body that is to be judged; one that is larger than allowed gets 413.
async fn read(body: Body, parts: &mut http::request::Parts, most: u32) -> Result<Body, Denied> {
    let (Body::Client(incoming), 1..) = (&body, most) else {
        return Ok(body);
    };
    let most = most as usize;
    let too_large = || {
        fault(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than what external authorisation judges",
        )
    };
    if http_body::Body::size_hint(incoming).lower() > most as u64 {
        return Err(too_large());
    }
    let Body::Client(incoming) = body else {
        return Ok(body);
    };
    let read = tokio::time::timeout(LONGEST, Limited::new(incoming, most).collect()).await;
    match read {
        Err(_) => Err(fault(
            StatusCode::REQUEST_TIMEOUT,
            "the body of the request did not come in time",
        )),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(fault(StatusCode::BAD_REQUEST, error)),
        Ok(Ok(whole)) => {
            let bytes = whole.to_bytes();
            parts
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            Ok(Body::Read(bytes))
        }
    }
}
