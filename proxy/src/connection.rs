//! One connection: what is spoken on it, and who serves that.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gatepost::rule::Protocol;
use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;

use crate::guard::{Abort, Guard};
use crate::head;
use crate::listen::{Hold, Shared, Stage};
use crate::serve::{self, Peer};
use crate::tcp;

/// How long a first head that is under way may take when the socket is closed.
const LAST: Duration = Duration::from_millis(500);

/// A connection that came in.
#[derive(Debug)]
pub struct Accepted {
    /// The client.
    pub address: SocketAddr,
    /// What it shares with others.
    pub shared: Arc<Shared>,
    /// How far the socket is.
    pub stopped: watch::Receiver<Stage>,
    /// Its place among the connections of the socket.
    pub hold: Arc<Hold>,
}

/// Serves a connection until it ends.
pub async fn serve(stream: TcpStream, accepted: Accepted) {
    let (port, plane) = (accepted.shared.port, &accepted.shared.plane);
    let protocol = {
        let served = plane.served.load();
        let mut listeners = served.table.listeners().iter();
        // Listeners of other kinds on a port with one of these are in conflict, and not here.
        let found =
            listeners.find(|listener| listener.port == port && listener.protocol != Protocol::Udp);
        found.map(|listener| listener.protocol)
    };
    match protocol {
        None => {}
        // Each kind takes the memory that it needs, not that of the largest.
        Some(Protocol::Tcp) => Box::pin(tcp::serve(stream, accepted)).await,
        Some(Protocol::Https | Protocol::Tls) => Box::pin(secure(stream, accepted)).await,
        Some(Protocol::Http | Protocol::Udp) => {
            let peer = peer(&accepted, false, None);
            Box::pin(http(stream, false, peer, accepted)).await;
        }
    }
}

fn peer(accepted: &Accepted, tls: bool, sni: Option<Arc<str>>) -> Peer {
    let node = accepted.address.ip().to_canonical().to_string();
    Peer {
        address: accepted.address,
        node: HeaderValue::try_from(node).unwrap_or(HeaderValue::from_static("unknown")),
        port: accepted.shared.port,
        tls,
        sni,
        exchange: None,
        hold: accepted.hold.clone(),
    }
}

/// Reads the ClientHello, and goes on as the listener says that its server name belongs to. Names that nobody serves are
/// left without a word: an alert would tell which names there are.
async fn secure(stream: TcpStream, mut accepted: Accepted) {
    let (address, port) = (accepted.address, accepted.shared.port);
    let head = accepted.shared.plane.limits.head;
    let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), Recorder::new(stream));
    let hello = tokio::select! {
        hello = tokio::time::timeout(head, hello) => hello,
        _ = accepted.stopped.changed() => return,
    };
    let mut hello = match hello {
        Ok(Ok(hello)) => hello,
        Ok(Err(error)) => return tracing::debug!(client = %address, %error, "no TLS handshake"),
        Err(_) => return tracing::debug!(client = %address, "no TLS handshake came in time"),
    };
    let sni: Option<Arc<str>> = hello
        .client_hello()
        .server_name()
        .map(|name| Arc::from(name.to_ascii_lowercase()));
    let served = accepted.shared.plane.served.load_full();
    let Ok(found) = served.table.find_tls(port, sni.as_deref()) else {
        return tcp::log(
            &accepted,
            sni.as_deref(),
            "",
            "no listener takes the server name",
        );
    };
    let recorded = hello.io.stop();
    if found.passthrough {
        let Some(backends) = found.backends else {
            return tcp::log(
                &accepted,
                sni.as_deref(),
                "",
                "no route serves the server name",
            );
        };
        let opened = tcp::open(&accepted, &served, found.listener, backends, sni.as_deref()).await;
        drop(served);
        if let Some(opened) = opened {
            tcp::join(
                hello.io.into_inner(),
                &recorded,
                opened,
                &mut accepted.stopped,
            )
            .await;
        }
        return;
    }
    let web = found.listener.protocol == Protocol::Https;
    let config = match accepted.shared.certificates.config(found.listener, web) {
        Ok(config) => config,
        Err(error) => return tracing::warn!(client = %address, %error, "TLS cannot be set up"),
    };
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(head, hello.into_stream(config)) => handshake,
        _ = accepted.stopped.changed() => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(client = %address, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(client = %address, "TLS handshake took too long"),
    };
    if web {
        drop(served);
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let peer = peer(&accepted, true, sni);
        return Box::pin(http(stream, http2, peer, accepted)).await;
    }
    let Some(backends) = found.backends else {
        return tcp::log(
            &accepted,
            sni.as_deref(),
            "",
            "no route serves the server name",
        );
    };
    let opened = tcp::open(&accepted, &served, found.listener, backends, sni.as_deref()).await;
    drop(served);
    if let Some(opened) = opened {
        tcp::join(stream, &[], opened, &mut accepted.stopped).await;
    }
}

async fn http<S>(stream: S, http2: bool, mut peer: Peer, accepted: Accepted)
where
    S: AsyncRead + AsyncWrite + Abort + Unpin + Send + 'static,
{
    let Accepted {
        shared,
        mut stopped,
        ..
    } = accepted;
    let (plane, address) = (shared.plane.clone(), peer.address);
    let limits = plane.limits;
    let mut stream = Guard::new(stream, http2, limits);
    peer.exchange = Some(stream.exchange().clone());
    let first = tokio::select! {
        first = stream.first() => Ok(first),
        _ = stopped.changed() => tokio::time::timeout(LAST, stream.first()).await,
    };
    match first {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return,
        Ok(Err(error)) => return tracing::debug!(client = %address, %error, "connection broke"),
        Err(_) => return tracing::debug!(client = %address, "no request came in time"),
    }
    let peer = Arc::new(peer);
    let service = service_fn(move |request| {
        let (plane, peer) = (plane.clone(), peer.clone());
        // In memory of its own: a connection that waits for its next request has none for it.
        Box::pin(async move { Ok::<_, Infallible>(serve::serve(plane, peer, request).await) })
    });
    // Each protocol takes the memory that it needs, and the handshake none of it.
    let ended = if stream.http2() {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.fields);
        let connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
        until_stopped(connection, stopped, http2::Connection::graceful_shutdown).await
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The guard keeps the time.
            .header_read_timeout(None)
            .max_headers(head::FIELDS + 1)
            // The head has been judged already; the server has to have room for it.
            .max_buf_size(2 * head::HEAD);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = Box::pin(connection.with_upgrades());
        until_stopped(
            connection,
            stopped,
            http1::UpgradeableConnection::graceful_shutdown,
        )
        .await
    };
    if let Err(error) = ended {
        tracing::debug!(client = %address, %error, "connection ended");
    }
}

/// Serves a connection to its end, which comes with the answers to the requests that are under way once the socket is closed.
async fn until_stopped<C: Future>(
    mut connection: Pin<Box<C>>,
    mut stopped: watch::Receiver<Stage>,
    end: impl Fn(Pin<&mut C>),
) -> C::Output {
    let news = stopped.clone();
    let mut stopping = std::pin::pin!(stopped.wait_for(|stage| *stage != Stage::Open));
    let (mut waits, mut told) = (false, false);
    poll_fn(|context| {
        // Whoever waits once is woken: no request has to ask again, only whether there is news.
        if !told && (!waits || news.has_changed().unwrap_or(true)) {
            waits = true;
            if stopping.as_mut().poll(context).is_ready() {
                told = true;
                end(connection.as_mut());
            }
        }
        connection.as_mut().poll(context)
    })
    .await
}

/// A stream whose first bytes are kept, so that they can be passed on.
#[derive(Debug)]
struct Recorder {
    stream: TcpStream,
    recorded: Option<Vec<u8>>,
}

impl Recorder {
    fn new(stream: TcpStream) -> Recorder {
        Recorder {
            stream,
            recorded: Some(Vec::new()),
        }
    }

    /// What was read so far; from now on nothing is kept.
    fn stop(&mut self) -> Vec<u8> {
        self.recorded.take().unwrap_or_default()
    }

    fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Recorder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(recorded) = &mut self.recorded {
            recorded.extend_from_slice(buffer.filled().get(before..).unwrap_or_default());
        }
        polled
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
