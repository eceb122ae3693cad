//! Connections to backends: taken from those that are kept or shared, and opened when there is none.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::backend_tls::TlsClient;
use crate::body::{Outgoing, Reply};
use crate::connected::Connection;
use crate::endpoints::{Busy, Endpoint};
use crate::error::ForwardError;
use crate::forward::Target;
use crate::http1;
use crate::kept::Place;

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
/// What became of an attempt; where it failed, whether the request was not sent and is as it was.
pub type Sent = Result<(Response<Reply>, Busy), (ForwardError, bool)>;

/// Opens connections of a proxy to its backends, and shares those of HTTP/2; those of HTTP/1 are kept with their endpoint.
#[derive(Debug)]
pub struct Pool {
    connect_timeout: Duration,
    shared: Mutex<HashMap<Key, Vec<Shared>>>,
}

/// An HTTP/2 connection, and as many references as it has requests.
type Shared = (http2::SendRequest<Outgoing>, Arc<()>);

impl Pool {
    /// A pool without connections.
    pub fn new(connect_timeout: Duration) -> Pool {
        Pool {
            connect_timeout,
            shared: Mutex::default(),
        }
    }

    /// One attempt at one endpoint.
    ///
    /// # Errors
    ///
    /// If the endpoint cannot be connected to, or the connection breaks before an answer comes.
    pub async fn send(
        &self,
        endpoint: &Arc<Endpoint>,
        target: &Target,
        head: &mut Parts,
        body: &mut Outgoing,
    ) -> Sent {
        if target.http2 {
            Box::pin(self.send_http2(endpoint, target, head, body)).await
        } else {
            self.send_http1(endpoint, target, head, body).await
        }
    }

    async fn send_http1(
        &self,
        endpoint: &Arc<Endpoint>,
        target: &Target,
        head: &Parts,
        body: &mut Outgoing,
    ) -> Sent {
        let busy = endpoint.busy();
        let tls = target.tls_id();
        loop {
            let place = Place {
                kept: endpoint.kept.clone(),
                tls,
            };
            let kept = endpoint.kept.take(tls);
            let opened = kept.is_none();
            let connection = match kept {
                Some(connection) => connection,
                None => match self.connect(endpoint, target).await {
                    Ok(connection) => connection,
                    Err(error) => return Err((error, true)),
                },
            };
            match http1::send(connection, head, body, place).await {
                Ok(answered) => return Ok((reply(answered), busy)),
                Err(failed) if opened => {
                    return Err((ForwardError::Broken(failed.error), !failed.begun));
                }
                // A close by the backend can cross the request: one that may be repeated, and can be, goes out once more.
                Err(failed) if !failed.begun || (failed.silent && repeatable(head, body)) => {}
                Err(failed) => return Err((ForwardError::Broken(failed.error), false)),
            }
        }
    }

    async fn send_http2(
        &self,
        endpoint: &Arc<Endpoint>,
        target: &Target,
        head: &mut Parts,
        body: &mut Outgoing,
    ) -> Sent {
        let key = (endpoint.address, target.tls_id());
        let busy = endpoint.busy();
        let (mut sender, _used) = match self.share(key) {
            Some(shared) => shared,
            None => {
                let stream = match self.connect(endpoint, target).await {
                    Ok(stream) => stream,
                    Err(error) => return Err((error, true)),
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
                    Err(error) => return Err((ForwardError::Connect(error.into()), true)),
                }
            }
        };
        let empty = Request::new(()).into_parts().0;
        let request = Request::from_parts(std::mem::replace(head, empty), body.take());
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response.map(Reply::Http2), busy)),
            Err(mut error) => {
                let unsent = error.take_message();
                let returned = unsent.is_some();
                if let Some(unsent) = unsent {
                    (*head, *body) = unsent.into_parts();
                }
                let error = error.into_error();
                let reason = error
                    .source()
                    .and_then(|source| source.downcast_ref::<h2::Error>()?.reason());
                let error = match reason {
                    Some(h2::Reason::REFUSED_STREAM) => ForwardError::Refused(error.into()),
                    _ => ForwardError::Broken(error.into()),
                };
                Err((error, returned))
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
fn repeatable(head: &Parts, body: &Outgoing) -> bool {
    head.method.is_idempotent() && body.is_end_stream()
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
