//! Sockets and accept loops.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatepost::rule::Protocol;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::guard::Guard;
use crate::head;
use crate::serve::{Peer, serve};
use crate::state::Plane;
use crate::tls;

/// How long a client may take for its head, and for its TLS handshake.
const HEAD: Duration = Duration::from_secs(10);

/// How long a first head that is under way may take when the socket is closed.
const LAST: Duration = Duration::from_millis(500);

/// A socket that is listened on.
#[derive(Debug)]
pub struct Socket {
    plane: Arc<Plane>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The sockets that are open, by address.
pub type Sockets = BTreeMap<SocketAddr, Socket>;

/// Opens a socket and serves what comes in.
///
/// # Errors
///
/// If the address cannot be bound.
pub async fn open(
    address: SocketAddr,
    port: u16,
    plane: Arc<Plane>,
    drain: Duration,
) -> io::Result<Socket> {
    let listener = TcpListener::bind(address).await?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, port, plane.clone(), stopped, drain));
    Ok(Socket { plane, stop, task })
}

impl Socket {
    /// The plane that it serves.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    /// Takes no more connections; requests that are under way end.
    pub async fn close(self) {
        // A task that is gone already needs no word.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn accept(
    listener: TcpListener,
    port: u16,
    plane: Arc<Plane>,
    mut stopped: watch::Receiver<bool>,
    drain: Duration,
) {
    let graceful = GracefulShutdown::new();
    let acceptor = match tls::server_config(&plane, port) {
        Ok(config) => TlsAcceptor::from(Arc::new(config)),
        Err(error) => {
            tracing::error!(%error, "TLS cannot be set up");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to be freed.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // A socket that does not know the option still works.
        let _ = stream.set_nodelay(true);
        let watcher = graceful.watcher();
        let stopped = stopped.clone();
        let (plane, acceptor) = (plane.clone(), acceptor.clone());
        tokio::spawn(async move {
            plane.metrics.connections.inc();
            connection(
                stream,
                address,
                port,
                plane.clone(),
                acceptor,
                watcher,
                stopped,
            )
            .await;
            plane.metrics.connections.dec();
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            port,
            "connections were still open when the time to drain ended"
        );
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    port: u16,
    plane: Arc<Plane>,
    acceptor: TlsAcceptor,
    watcher: hyper_util::server::graceful::Watcher,
    stopped: watch::Receiver<bool>,
) {
    let secure = plane
        .served
        .load()
        .table
        .listeners()
        .iter()
        .any(|listener| {
            listener.port == port && matches!(listener.protocol, Protocol::Https | Protocol::Tls)
        });
    if !secure {
        let peer = Peer {
            address,
            port,
            tls: false,
            sni: None,
            exchange: None,
        };
        return http(Guard::new(stream, false), peer, plane, watcher, stopped).await;
    }
    let mut stopping = stopped.clone();
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(HEAD, acceptor.accept(stream)) => handshake,
        _ = stopping.changed() => return,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let sni = stream
                .get_ref()
                .1
                .server_name()
                .map(|name| Arc::from(name.to_ascii_lowercase()));
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            http(
                Guard::new(stream, http2),
                Peer {
                    address,
                    port,
                    tls: true,
                    sni,
                    exchange: None,
                },
                plane,
                watcher,
                stopped,
            )
            .await;
        }
        Ok(Err(error)) => tracing::debug!(%address, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
    }
}

async fn http<S>(
    mut stream: Guard<S>,
    mut peer: Peer,
    plane: Arc<Plane>,
    watcher: hyper_util::server::graceful::Watcher,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = peer.address;
    peer.exchange = Some(stream.exchange().clone());
    let first = tokio::select! {
        first = tokio::time::timeout(HEAD, stream.first()) => first,
        _ = stopped.changed() => tokio::time::timeout(LAST, stream.first()).await,
    };
    match first {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "connection broke"),
        Err(_) => return tracing::debug!(%address, "no request came in time"),
    }
    let service = service_fn(move |request| {
        let (plane, peer) = (plane.clone(), peer.clone());
        async move { Ok::<_, Infallible>(serve(plane, peer, request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(head::FIELDS + 1)
        // The head has been judged already; the server has to have room for it.
        .max_buf_size(2 * head::HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(64 << 10);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%address, %error, "connection ended");
    }
}
