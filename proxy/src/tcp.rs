//! TCP: bytes are passed on as they come, in both directions, until both have ended.

use std::net::SocketAddr;

use gatepost::rule::{Backends, Listener, NoBackend};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::connected::Connection;
use crate::connection::Accepted;
use crate::endpoints::Busy;
use crate::forward::Target;
use crate::listen::Stage;
use crate::state::Served;

/// Endpoints that are tried for one connection.
const TRIES: usize = 8;

/// A connection to a backend.
#[derive(Debug)]
pub struct Opened {
    connection: Connection,
    _busy: Busy,
}

/// Serves a connection to a TCP listener. The backend is connected to at once: it may be the one that speaks first.
pub async fn serve(stream: TcpStream, mut accepted: Accepted) {
    let served = accepted.shared.plane.served.load_full();
    let port = accepted.shared.port;
    let mut listeners = served.table.listeners().iter();
    let listener = listeners.find(|listener| listener.port == port);
    let (Some(listener), Ok(backends)) = (listener, served.table.find_tcp(port)) else {
        return log(&accepted, None, "", "no route serves the port");
    };
    let opened = open(&accepted, &served, listener, backends, None).await;
    // A connection may last long; the table is not kept for it.
    drop(served);
    if let Some(opened) = opened {
        join(stream, &[], opened, &mut accepted.stopped).await;
    }
}

/// Picks a backend by its share and connects to one of its endpoints; `None` closes the connection.
pub async fn open(
    accepted: &Accepted,
    served: &Served,
    listener: &Listener,
    backends: &Backends,
    sni: Option<&str>,
) -> Option<Opened> {
    let plane = &accepted.shared.plane;
    let picked = match backends.pick(accepted.shared.tickets.draw()) {
        Ok(picked) => picked,
        Err(none) => {
            let why = match none {
                NoBackend::Empty => "the rule has no backends",
                NoBackend::ZeroWeights => "all weights are zero",
                NoBackend::Invalid { reason, .. } => &reason.message,
            };
            log(accepted, sni, "", why);
            return None;
        }
    };
    let destination = picked.backend.destination.as_ref().ok()?;
    let name = destination.port.to_string();
    let target = match Target::new(plane, destination, listener, false) {
        Ok(target) => target,
        Err(error) => {
            log(accepted, sni, &name, &error.to_string());
            return None;
        }
    };
    let mut tried: Vec<SocketAddr> = Vec::new();
    let mut why = "the backend has no endpoint".to_owned();
    let addresses = served.endpoints.get(&destination.port);
    while let Some(endpoint) = addresses.and_then(|addresses| addresses.choose(&tried))
        && tried.len() < TRIES
    {
        let busy = endpoint.busy();
        match plane.pool.connect(&endpoint, &target).await {
            Ok(connection) => {
                log(accepted, sni, &name, "");
                return Some(Opened {
                    connection,
                    _busy: busy,
                });
            }
            Err(error) => {
                tried.push(endpoint.address);
                why = error.to_string();
            }
        }
    }
    log(accepted, sni, &name, &why);
    None
}

/// Joins both sides until both have ended; `first` goes to the backend before anything else.
pub async fn join<S>(
    mut client: S,
    first: &[u8],
    mut opened: Opened,
    stopped: &mut watch::Receiver<Stage>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let work = async {
        opened.connection.write_all(first).await?;
        copy_bidirectional(&mut client, &mut opened.connection).await
    };
    tokio::select! {
        // How the connection ended is the business of the two ends.
        _ = work => {}
        // A sender that is gone has nobody left who waits either.
        _ = stopped.wait_for(|stage| *stage == Stage::Over) => {}
    }
}

/// A line of the access log for a connection that is not HTTP.
pub fn log(accepted: &Accepted, sni: Option<&str>, backend: &str, why: &str) {
    if accepted.shared.plane.access_log {
        tracing::info!(
            target: "gatepost::access",
            client = %accepted.address, port = accepted.shared.port, sni, backend, why, "connection"
        );
    }
}
