//! Connections to one endpoint that are not in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::connected::Connection;

/// Connections kept at the most.
const MOST: usize = 256;
/// How often those are looked for that nobody uses.
const SWEEP: Duration = Duration::from_secs(10);
/// How many sweeps a connection survives unused: less time than what servers usually allow, so that it is still there when it
/// is used.
const SWEEPS: u8 = 2;

/// The connections; the one used last is used next.
#[derive(Debug, Default)]
pub struct Kept(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    connections: Vec<Unused>,
    /// Whether a task closes those that are kept for too long.
    swept: bool,
}

#[derive(Debug)]
struct Unused {
    /// Sweeps since it was used: no clock is read for a request.
    sweeps: u8,
    /// The number of the TLS settings that it is talked to with.
    tls: u64,
    connection: Connection,
}

impl Kept {
    /// A connection with these TLS settings.
    pub fn take(&self, tls: u64) -> Option<Connection> {
        loop {
            let mut unused = {
                let connections = &mut self.list().connections;
                let last = connections.iter().rposition(|one| one.tls == tls)?;
                connections.remove(last)
            };
            // A connection that something came over, if only its end, is of no use.
            if unused.connection.quiet() {
                return Some(unused.connection);
            }
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // What is inside stays sound whenever a holder panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a connection is kept when it is not in use.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a plain pair")]
pub struct Place {
    /// The connections of its endpoint.
    pub kept: Arc<Kept>,
    /// The number of the TLS settings that it is talked to with.
    pub tls: u64,
}

impl Place {
    /// Puts a connection there.
    pub fn keep(self, connection: Connection) {
        let mut list = self.kept.list();
        if list.connections.len() >= MOST {
            return;
        }
        if !std::mem::replace(&mut list.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.kept)));
        }
        list.connections.push(Unused {
            sweeps: 0,
            tls: self.tls,
            connection,
        });
    }
}

/// Closes connections that are not used, until there are none.
async fn sweep(kept: Weak<Kept>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(kept) = kept.upgrade() else {
            return;
        };
        let mut list = kept.list();
        list.connections.retain_mut(|unused| {
            unused.sweeps += 1;
            unused.sweeps <= SWEEPS && unused.connection.quiet()
        });
        if list.connections.is_empty() {
            list.swept = false;
            return;
        }
    }
}
