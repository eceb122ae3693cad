//! Sockets and accept loops.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatepost::rule::Tickets;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::connection::{self, Accepted};
use crate::metrics::Metrics;
use crate::random;
use crate::state::Plane;
use crate::tls::Certificates;
use crate::udp;

/// How a socket is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Transport {
    Tcp,
    Udp,
}

/// A socket that is listened on.
#[derive(Debug)]
pub struct Socket {
    plane: Arc<Plane>,
    stop: watch::Sender<Stage>,
    task: JoinHandle<()>,
}

/// How far a socket is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Stage {
    /// It takes connections.
    Open,
    /// It takes no more; those that are there end by themselves.
    Draining,
    /// The time for that is over.
    Over,
}

/// What all connections of a socket share.
#[derive(Debug)]
pub struct Shared {
    /// The port of the specification.
    pub port: u16,
    /// What is served.
    pub plane: Arc<Plane>,
    /// Shares of connections.
    pub tickets: Tickets,
    /// Settings of TLS.
    pub certificates: Certificates,
}

/// The place of a connection among those of its socket, held until it ends in whatever protocol.
#[derive(Debug)]
pub struct Hold {
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<Stage>,
    _permit: OwnedSemaphorePermit,
    /// Its other end tells when the last is gone.
    _held: mpsc::Sender<()>,
}

impl Hold {
    /// Comes back when the time to drain is over.
    pub async fn over(&self) {
        // A sender that is gone has nobody left who waits either.
        let _ = self
            .stopped
            .clone()
            .wait_for(|stage| *stage == Stage::Over)
            .await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

/// The sockets that are open.
pub type Sockets = BTreeMap<(Transport, SocketAddr), Socket>;

/// Opens a socket and serves what comes in.
///
/// # Errors
///
/// If the address cannot be bound.
pub async fn open(
    (transport, address): (Transport, SocketAddr),
    port: u16,
    plane: Arc<Plane>,
    drain: Duration,
) -> io::Result<Socket> {
    let (stop, stopped) = watch::channel(Stage::Open);
    let shared = Arc::new(Shared {
        port,
        plane: plane.clone(),
        tickets: Tickets::new(random::seed()),
        certificates: Certificates::default(),
    });
    let task = match transport {
        Transport::Tcp => {
            let listener = TcpListener::bind(address).await?;
            tokio::spawn(accept(listener, shared, stop.clone(), stopped, drain))
        }
        Transport::Udp => {
            let socket = UdpSocket::bind(address).await?;
            tokio::spawn(udp::serve(socket, shared, stopped))
        }
    };
    Ok(Socket { plane, stop, task })
}

impl Socket {
    /// The plane that it serves.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    /// Takes no more connections; requests that are under way end.
    pub async fn close(self) {
        self.stop.send_replace(Stage::Draining);
        // A task that panicked has closed its socket too.
        let _ = self.task.await;
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: watch::Sender<Stage>,
    mut stopped: watch::Receiver<Stage>,
    drain: Duration,
) {
    let plane = &shared.plane;
    let room = Arc::new(Semaphore::new(plane.limits.connections));
    let (held, mut gone) = mpsc::channel::<()>(1);
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
        let Ok(permit) = room.clone().try_acquire_owned() else {
            plane.metrics.connections_refused.inc();
            tracing::debug!(client = %address, "too many connections");
            continue;
        };
        // A socket that does not know the option still works.
        let _ = stream.set_nodelay(true);
        let accepted = Accepted {
            address,
            shared: shared.clone(),
            stopped: stopped.clone(),
            hold: Arc::new(Hold {
                metrics: plane.metrics.clone(),
                stopped: stopped.clone(),
                _permit: permit,
                _held: held.clone(),
            }),
        };
        plane.metrics.connections.inc();
        tokio::spawn(connection::serve(stream, accepted));
    }
    drop((listener, held));
    if tokio::time::timeout(drain, gone.recv()).await.is_err() {
        tracing::warn!(
            port = shared.port,
            "connections were still open when the time to drain ended"
        );
        stop.send_replace(Stage::Over);
    }
}
