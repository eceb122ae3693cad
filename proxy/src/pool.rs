//! Connections to backends: kept, shared, and opened when there is none.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::backend_tls::TlsClient;
use crate::body::Outgoing;
use crate::endpoints::{Busy, Endpoint};
use crate::error::ForwardError;
use crate::forward::Target;

/// Connections kept for each address at the most.
const KEPT: usize = 256;
/// How long a connection is kept unused: less than what servers usually allow, so that it is still there when it is used.
const UNUSED: Duration = Duration::from_secs(30);
/// Field section of an answer over HTTP/2, decoded.
const ANSWER: u32 = 256 << 10;

/// An address, and the number of the TLS settings that it is talked to with (0: clear).
type Key = (SocketAddr, u64);
type Sender = http1::SendRequest<Outgoing>;
/// What became of an attempt; a request that was not sent comes back.
pub type Sent = Result<(Response<Incoming>, Busy), (ForwardError, Option<Request<Outgoing>>)>;

/// The connections of a proxy to its backends.
#[derive(Debug)]
pub struct Pool {
    connect_timeout: Duration,
    idle: Mutex<HashMap<Key, Vec<(Instant, Sender)>>>,
    shared: Mutex<HashMap<Key, http2::SendRequest<Outgoing>>>,
}

/// A connection in use that may be kept.
#[derive(Debug)]
pub struct Kept {
    pool: Arc<Pool>,
    key: Key,
    sender: Sender,
    upload: Option<crate::upload::Upload>,
}

impl Kept {
    /// Puts the connection back, unless the request is still under way.
    pub fn give_back(self) {
        if self.upload.is_some_and(|upload| !upload.ended()) {
            return;
        }
        let mut idle = lock(&self.pool.idle);
        let kept = idle.entry(self.key).or_default();
        let now = Instant::now();
        if kept
            .first()
            .is_some_and(|(since, _)| now.duration_since(*since) > UNUSED)
        {
            kept.retain(|(since, _)| now.duration_since(*since) <= UNUSED);
        }
        if kept.len() < KEPT {
            kept.push((now, self.sender));
        }
    }
}

impl Pool {
    /// A pool without connections.
    pub fn new(connect_timeout: Duration) -> Pool {
        Pool {
            connect_timeout,
            idle: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// One attempt at one endpoint.
    ///
    /// # Errors
    ///
    /// If the endpoint cannot be connected to, or the connection breaks before an answer comes.
    pub async fn send(
        self: &Arc<Self>,
        endpoint: &Arc<Endpoint>,
        target: &Target,
        request: Request<Outgoing>,
    ) -> Sent {
        let key = (
            endpoint.address,
            target.tls.as_ref().map_or(0, |tls| tls.id),
        );
        if target.http2 {
            self.send_http2(endpoint, target, key, request).await
        } else {
            self.send_http1(endpoint, target, key, request).await
        }
    }

    async fn send_http1(
        self: &Arc<Self>,
        endpoint: &Arc<Endpoint>,
        target: &Target,
        key: Key,
        mut request: Request<Outgoing>,
    ) -> Sent {
        let mut busy = endpoint.busy();
        let upload = match request.body() {
            Outgoing::Attempt(attempt) => Some(attempt.upload().clone()),
            _ => None,
        };
        while let Some(mut sender) = self.take(key) {
            // A kept connection may have been closed by the backend meanwhile.
            if sender.ready().await.is_err() {
                continue;
            }
            // Such a close can still cross the request: one that may be repeated, and can be, goes out once more.
            let again = repeatable(&request).then(|| copy(&request));
            match sender.try_send_request(request).await {
                Ok(response) => {
                    busy.keep(Kept {
                        pool: self.clone(),
                        key,
                        sender,
                        upload,
                    });
                    return Ok((response, busy));
                }
                Err(mut error) => match error.take_message().or(again) {
                    Some(unsent) => request = unsent,
                    None => return Err((ForwardError::Broken(error.into_error().into()), None)),
                },
            }
        }
        let stream = match self.connect(endpoint, target).await {
            Ok(stream) => stream,
            Err(error) => return Err((error, Some(request))),
        };
        let mut sender: Sender = match Box::pin(http1::handshake(TokioIo::new(stream))).await {
            Ok((sender, connection)) => {
                tokio::spawn(connection.with_upgrades());
                sender
            }
            Err(error) => return Err((ForwardError::Connect(error.into()), Some(request))),
        };
        match sender.try_send_request(request).await {
            Ok(response) => {
                busy.keep(Kept {
                    pool: self.clone(),
                    key,
                    sender,
                    upload,
                });
                Ok((response, busy))
            }
            Err(mut error) => {
                let unsent = error.take_message();
                Err((ForwardError::Broken(error.into_error().into()), unsent))
            }
        }
    }

    async fn send_http2(
        self: &Arc<Self>,
        endpoint: &Arc<Endpoint>,
        target: &Target,
        key: Key,
        request: Request<Outgoing>,
    ) -> Sent {
        let busy = endpoint.busy();
        let kept = lock(&self.shared)
            .get(&key)
            .filter(|sender| !sender.is_closed())
            .cloned();
        let mut sender = match kept {
            Some(sender) => sender,
            None => {
                let stream = match self.connect(endpoint, target).await {
                    Ok(stream) => stream,
                    Err(error) => return Err((error, Some(request))),
                };
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder
                    .timer(TokioTimer::new())
                    .max_header_list_size(ANSWER);
                match Box::pin(builder.handshake(TokioIo::new(stream))).await {
                    Ok((sender, connection)) => {
                        tokio::spawn(connection);
                        lock(&self.shared).insert(key, sender.clone());
                        sender
                    }
                    Err(error) => return Err((ForwardError::Connect(error.into()), Some(request))),
                }
            }
        };
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response, busy)),
            Err(mut error) => {
                let unsent = error.take_message();
                let error = error.into_error();
                let reason = error
                    .source()
                    .and_then(|source| source.downcast_ref::<h2::Error>()?.reason());
                let error = match reason {
                    Some(h2::Reason::REFUSED_STREAM) => ForwardError::Refused(error.into()),
                    _ => ForwardError::Broken(error.into()),
                };
                Err((error, unsent))
            }
        }
    }

    /// Opens a connection, TLS included, within the time that is allowed for it.
    ///
    /// # Errors
    ///
    /// If that fails; the endpoint is left alone for a while then.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        target: &Target,
    ) -> Result<Connection, ForwardError> {
        // Most requests find a connection: what it takes to open one takes its memory then.
        let connecting = Box::pin(connection(
            endpoint.address,
            target.tls.as_deref(),
            target.http2,
        ));
        let opened = match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(opened) => opened.map_err(|error| ForwardError::Connect(error.into())),
            Err(_) => Err(ForwardError::Connect("time-out".into())),
        };
        match &opened {
            Ok(_) => endpoint.alive(),
            Err(_) => endpoint.dead(),
        }
        opened
    }

    fn take(&self, key: Key) -> Option<Sender> {
        let mut idle = lock(&self.idle);
        let kept = idle.get_mut(&key)?;
        let (since, sender) = kept.pop()?;
        if since.elapsed() <= UNUSED {
            return Some(sender);
        }
        // Those below were put back earlier still.
        kept.clear();
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside stays sound whenever a holder panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RFC 9110 section 9.2.2: an idempotent request without a body may go out twice.
fn repeatable(request: &Request<Outgoing>) -> bool {
    request.method().is_idempotent() && request.body().is_end_stream()
}

/// A request without a body once more.
fn copy(request: &Request<Outgoing>) -> Request<Outgoing> {
    let mut copy = Request::new(Outgoing::Whole(bytes::Bytes::new()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

async fn connection(
    address: SocketAddr,
    tls: Option<&TlsClient>,
    http2: bool,
) -> io::Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    // A socket that does not know the option still works.
    let _ = stream.set_nodelay(true);
    Ok(match tls {
        None => Connection::Clear(stream),
        Some(tls) => Connection::Tls(Box::new(tls.connect(stream, http2).await?)),
    })
}

/// A connection to a backend.
#[derive(Debug)]
pub enum Connection {
    /// TCP.
    Clear(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Clear(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Connection::Tls(stream) => {
                Pin::new(stream.as_mut()).poll_write_vectored(context, bytes)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Connection::Clear(stream) => stream.is_write_vectored(),
            Connection::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Clear(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
