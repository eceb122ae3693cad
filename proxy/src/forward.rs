//! Toward backends: connections that are kept, and one attempt after the other.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::combinators::BoxBody;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::endpoints::Addresses;
use crate::error::{BoxError, ForwardError};

/// Any body that is streamed.
pub type Body = BoxBody<Bytes, BoxError>;

/// Connections kept for each address at the most.
const KEPT: usize = 128;

/// Sends requests and keeps connections.
#[derive(Debug)]
pub struct Forwarder {
    connect_timeout: Duration,
    idle: Arc<Mutex<HashMap<SocketAddr, Vec<http1::SendRequest<Body>>>>>,
    shared: Mutex<HashMap<SocketAddr, http2::SendRequest<Body>>>,
}

impl Forwarder {
    /// A forwarder without connections.
    pub fn new(connect_timeout: Duration) -> Forwarder {
        Forwarder {
            connect_timeout,
            idle: Arc::default(),
            shared: Mutex::default(),
        }
    }

    /// Sends a request to one of the addresses: the next in turn, and another one only while nothing has been sent.
    ///
    /// # Errors
    ///
    /// If no address takes it, or the connection breaks before an answer comes.
    pub async fn send(
        &self,
        mut request: Request<Body>,
        addresses: &Addresses,
        http2: bool,
    ) -> Result<Response<Incoming>, ForwardError> {
        let mut last = ForwardError::NoEndpoint;
        for address in addresses.in_turn() {
            let attempt = if http2 {
                self.send_http2(request, address).await
            } else {
                self.send_http1(request, address).await
            };
            match attempt {
                Ok(response) => return Ok(response),
                Err((error, Some(unsent))) => {
                    tracing::debug!(%address, %error, "endpoint skipped");
                    (last, request) = (error, unsent);
                }
                Err((error, None)) => return Err(error),
            }
        }
        Err(last)
    }

    /// One attempt; a request that was not sent comes back.
    async fn send_http1(
        &self,
        mut request: Request<Body>,
        address: SocketAddr,
    ) -> Result<Response<Incoming>, (ForwardError, Option<Request<Body>>)> {
        while let Some(mut sender) = self.take(address) {
            // A kept connection may have been closed by the backend meanwhile.
            if sender.ready().await.is_err() {
                continue;
            }
            // Such a close can still cross the request: one that may be repeated, and can be, goes out once more.
            let again = repeatable(&request).then(|| copy(&request));
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(address, sender);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message().or(again) {
                    Some(unsent) => request = unsent,
                    None => return Err((ForwardError::Broken(error.into_error().into()), None)),
                },
            }
        }
        let mut sender = match self.connect(address).await {
            Ok(stream) => match http1::handshake(TokioIo::new(stream)).await {
                Ok((sender, connection)) => {
                    tokio::spawn(connection.with_upgrades());
                    sender
                }
                Err(error) => return Err((ForwardError::Connect(error.into()), Some(request))),
            },
            Err(error) => return Err((error, Some(request))),
        };
        match sender.try_send_request(request).await {
            Ok(response) => {
                self.keep(address, sender);
                Ok(response)
            }
            Err(mut error) => {
                let unsent = error.take_message();
                Err((ForwardError::Broken(error.into_error().into()), unsent))
            }
        }
    }

    async fn send_http2(
        &self,
        request: Request<Body>,
        address: SocketAddr,
    ) -> Result<Response<Incoming>, (ForwardError, Option<Request<Body>>)> {
        let kept = lock(&self.shared)
            .get(&address)
            .filter(|sender| !sender.is_closed())
            .cloned();
        let mut sender = match kept {
            Some(sender) => sender,
            None => match self.connect(address).await {
                Ok(stream) => match http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                {
                    Ok((sender, connection)) => {
                        tokio::spawn(connection);
                        lock(&self.shared).insert(address, sender.clone());
                        sender
                    }
                    Err(error) => return Err((ForwardError::Connect(error.into()), Some(request))),
                },
                Err(error) => return Err((error, Some(request))),
            },
        };
        sender.try_send_request(request).await.map_err(|mut error| {
            let unsent = error.take_message();
            (ForwardError::Broken(error.into_error().into()), unsent)
        })
    }

    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, ForwardError> {
        match tokio::time::timeout(self.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A socket that does not know the option still works.
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => Err(ForwardError::Connect(error.into())),
            Err(_) => Err(ForwardError::Connect("time-out".into())),
        }
    }

    fn take(&self, address: SocketAddr) -> Option<http1::SendRequest<Body>> {
        lock(&self.idle).get_mut(&address)?.pop()
    }

    /// Keeps a connection, once its answer has been read to the end.
    fn keep(&self, address: SocketAddr, mut sender: http1::SendRequest<Body>) {
        let idle = self.idle.clone();
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                let mut idle = lock(&idle);
                let kept = idle.entry(address).or_default();
                if kept.len() < KEPT {
                    kept.push(sender);
                }
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is inside stays sound whenever a holder panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RFC 9110 section 9.2.2: an idempotent request without a body may go out twice.
fn repeatable(request: &Request<Body>) -> bool {
    request.method().is_idempotent() && request.body().is_end_stream()
}

/// A request without a body once more.
fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = Version::HTTP_11;
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// A body of nothing.
pub fn empty() -> Body {
    use http_body_util::BodyExt;
    http_body_util::Empty::new()
        .map_err(|never| match never {})
        .boxed()
}
