//! UDP: a client's datagrams go to one endpoint for as long as the two keep talking.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::endpoints::Busy;
use crate::listen::{Shared, Stage};

/// The largest payload of a datagram (RFC 768, with IPv4's header).
const LARGEST: usize = 65_507;

type Sessions = Arc<Mutex<HashMap<SocketAddr, Arc<Session>>>>;

/// What a client and an endpoint have between them.
#[derive(Debug)]
struct Session {
    backend: UdpSocket,
    _busy: Busy,
    last: Mutex<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside stays sound whenever a holder panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a socket until it is closed; sessions end with it.
pub async fn serve(socket: UdpSocket, shared: Arc<Shared>, mut stopped: watch::Receiver<Stage>) {
    let (socket, sessions) = (Arc::new(socket), Sessions::default());
    let mut buffer = vec![0; LARGEST];
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            _ = stopped.changed() => break,
            Some(_) = tasks.join_next() => continue,
        };
        // An error is of a datagram that we sent before: its client is gone.
        let Ok((length, client)) = received else {
            continue;
        };
        let known = lock(&sessions).get(&client).cloned();
        let session = match known {
            Some(session) => session,
            None => {
                let Some(session) = open(&shared, &sessions, client).await else {
                    continue;
                };
                let (session, socket) = (Arc::new(session), socket.clone());
                lock(&sessions).insert(client, session.clone());
                shared.plane.metrics.udp_sessions.inc();
                let (sessions, shared, own) = (sessions.clone(), shared.clone(), session.clone());
                tasks.spawn(async move {
                    answers(&shared, &socket, client, &own).await;
                    lock(&sessions).remove(&client);
                    shared.plane.metrics.udp_sessions.dec();
                });
                session
            }
        };
        *lock(&session.last) = Instant::now();
        // UDP loses datagrams; whoever needs them sends them again.
        let _ = session
            .backend
            .send(buffer.get(..length).unwrap_or_default())
            .await;
    }
    tasks.shutdown().await;
    let left = lock(&sessions).len();
    shared
        .plane
        .metrics
        .udp_sessions
        .dec_by(i64::try_from(left).unwrap_or(0));
}

/// A session for a client; `None` drops the datagram.
async fn open(shared: &Shared, sessions: &Sessions, client: SocketAddr) -> Option<Session> {
    let plane = &shared.plane;
    let log = |backend: &str, why: &str| {
        if plane.access_log {
            tracing::info!(target: "gatepost::access", %client, port = shared.port, backend, why, "datagrams");
        }
    };
    if lock(sessions).len() >= plane.limits.udp_sessions {
        log("", "too many sessions");
        return None;
    }
    let served = plane.served.load();
    let backends = served.table.find_udp(shared.port).ok()?;
    let Ok(picked) = backends.pick(shared.tickets.draw()) else {
        log("", "no backend can be used");
        return None;
    };
    let destination = picked.backend.destination.as_ref().ok()?;
    let name = destination.port.to_string();
    let endpoint = served
        .endpoints
        .get(&destination.port)
        .and_then(|addresses| addresses.choose(&[]));
    drop(served);
    let Some(endpoint) = endpoint else {
        log(&name, "the backend has no endpoint");
        return None;
    };
    let any: SocketAddr = match endpoint.address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let backend = UdpSocket::bind(any).await.ok()?;
    backend.connect(endpoint.address).await.ok()?;
    log(&name, "");
    Some(Session {
        backend,
        _busy: endpoint.busy(),
        last: Mutex::new(Instant::now()),
    })
}

thread_local! {
    /// Sessions wait without memory of their own.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; LARGEST].into());
}

/// Passes answers on until nothing has been heard of either side for a while.
async fn answers(shared: &Shared, socket: &UdpSocket, client: SocketAddr, session: &Session) {
    let idle = shared.plane.limits.udp_idle;
    loop {
        let left = idle.saturating_sub(lock(&session.last).elapsed());
        match timeout(left, session.backend.readable()).await {
            Err(_) if lock(&session.last).elapsed() >= idle => return,
            Err(_) => continue,
            Ok(Err(_)) => return,
            Ok(Ok(())) => {}
        }
        let passed = BUFFER.with_borrow_mut(|buffer| {
            let length = session.backend.try_recv(buffer)?;
            // As above: one that does not fit into the socket now is lost.
            let _ = socket.try_send_to(buffer.get(..length).unwrap_or_default(), client);
            Ok::<(), io::Error>(())
        });
        match passed {
            Ok(()) => *lock(&session.last) = Instant::now(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nobody listens there (ICMP): the next datagram begins a session anew.
            Err(_) => return,
        }
    }
}
