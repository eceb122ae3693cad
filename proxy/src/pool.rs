//! Connections to backends: kept, shared, and opened when there is none.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::backend_tls::TlsClient;
use crate::body::{Outgoing, Reply};
use crate::endpoints::{Busy, Endpoint};
use crate::error::ForwardError;
use crate::forward::Target;
use crate::http1;

/// Connections kept for each address at the most.
const KEPT: usize = 256;
/// How long a connection is kept unused: less than what servers usually allow, so that it is still there when it is used.
const UNUSED: Duration = Duration::from_secs(30);
/// How often those are closed that were kept for longer.
const SWEEP: Duration = Duration::from_secs(10);
/// Field section of an answer over HTTP/2, decoded.
const ANSWER: u32 = 256 << 10;
/// Requests that an HTTP/2 connection has before another is opened, as long as there are fewer connections than these: servers
/// usually allow a hundred streams.
const STREAMS: usize = 100;
const SHARED: usize = 16;
/// How often an HTTP/2 connection with requests is asked whether it is still there, and how long that may take.
const ASK: Duration = Duration::from_secs(20);
const REPLY: Duration = Duration::from_secs(10);

/// An address, and the number of the TLS settings that it is talked to with (0: clear).
type Key = (SocketAddr, u64);
/// What became of an attempt; a request that was not sent comes back.
pub type Sent = Result<(Response<Reply>, Busy), (ForwardError, Option<Request<Outgoing>>)>;

/// The connections of a proxy to its backends.
#[derive(Debug)]
pub struct Pool {
    connect_timeout: Duration,
    idle: Mutex<HashMap<Key, Vec<(Instant, Connection)>>>,
    shared: Mutex<HashMap<Key, Vec<Shared>>>,
}

/// An HTTP/2 connection, and as many references as it has requests.
type Shared = (http2::SendRequest<Outgoing>, Arc<()>);

/// Where a connection is kept when it is not in use.
#[derive(Debug)]
pub struct Place {
    pool: Arc<Pool>,
    key: Key,
}

impl Place {
    /// Puts a connection there.
    pub fn keep(self, connection: Connection) {
        let mut idle = lock(&self.pool.idle);
        if idle.is_empty() {
            tokio::spawn(sweep(Arc::downgrade(&self.pool)));
        }
        let kept = idle.entry(self.key).or_default();
        if kept.len() < KEPT {
            kept.push((Instant::now(), connection));
        }
    }
}

/// Closes connections that are not used, until there are none.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut idle = lock(&pool.idle);
        idle.retain(|_, kept| {
            kept.retain_mut(|(since, connection)| {
                since.elapsed() <= UNUSED && http1::quiet(connection)
            });
            !kept.is_empty()
        });
        if idle.is_empty() {
            return;
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
            Box::pin(self.send_http2(endpoint, target, key, request)).await
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
        let busy = endpoint.busy();
        let place = || Place {
            pool: self.clone(),
            key,
        };
        while let Some(connection) = self.take(key) {
            match http1::send(connection, request, place()).await {
                Ok(answered) => return Ok((reply(answered), busy)),
                Err(failed) => match failed.request {
                    Some(unsent) if !failed.begun => request = unsent,
                    // A close by the backend can cross the request: one that may be repeated, and can be, goes out once more.
                    Some(again) if failed.silent && repeatable(&again) => request = again,
                    _ => return Err((ForwardError::Broken(failed.error), None)),
                },
            }
        }
        let connection = match self.connect(endpoint, target).await {
            Ok(connection) => connection,
            Err(error) => return Err((error, Some(request))),
        };
        match http1::send(connection, request, place()).await {
            Ok(answered) => Ok((reply(answered), busy)),
            Err(failed) => {
                let unsent = failed.request.filter(|_| !failed.begun);
                Err((ForwardError::Broken(failed.error), unsent))
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
        let (mut sender, _used) = match self.share(key) {
            Some(shared) => shared,
            None => {
                let stream = match self.connect(endpoint, target).await {
                    Ok(stream) => stream,
                    Err(error) => return Err((error, Some(request))),
                };
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder
                    .timer(TokioTimer::new())
                    .keep_alive_interval(ASK)
                    .keep_alive_timeout(REPLY)
                    .max_header_list_size(ANSWER);
                match Box::pin(builder.handshake(TokioIo::new(stream))).await {
                    Ok((sender, connection)) => {
                        tokio::spawn(connection);
                        let shared: Shared = (sender, Arc::default());
                        let mut all = lock(&self.shared);
                        all.entry(key).or_default().push(shared.clone());
                        shared
                    }
                    Err(error) => return Err((ForwardError::Connect(error.into()), Some(request))),
                }
            }
        };
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response.map(Reply::Http2), busy)),
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

    fn take(&self, key: Key) -> Option<Connection> {
        loop {
            // A connection that something came over, if only its end, is of no use.
            let (since, mut connection) = lock(&self.idle).get_mut(&key)?.pop()?;
            if since.elapsed() <= UNUSED && http1::quiet(&mut connection) {
                return Some(connection);
            }
        }
    }

    /// The HTTP/2 connection with the least requests, unless another should be opened.
    fn share(&self, key: Key) -> Option<Shared> {
        let mut all = lock(&self.shared);
        let shared = all.get_mut(&key)?;
        shared.retain(|(sender, _)| !sender.is_closed());
        let used = |(_, used): &&Shared| Arc::strong_count(used);
        let least = shared.iter().min_by_key(used)?;
        (used(&least) <= STREAMS || shared.len() >= SHARED).then(|| least.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside stays sound whenever a holder panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reply(answered: http1::Answered) -> Response<Reply> {
    match answered.changed {
        Some(changed) => answered.response.map(|_| Reply::Changed(Box::new(changed))),
        None => answered.response.map(Reply::Http1),
    }
}

/// RFC 9110 section 9.2.2: an idempotent request without a body may go out twice.
fn repeatable(request: &Request<Outgoing>) -> bool {
    request.method().is_idempotent() && request.body().is_end_stream()
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
