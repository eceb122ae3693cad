//! The table that is current: one slot for a program, one reader for each thread or worker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::code::{Code, GATEPOST_E_ARGUMENT, GATEPOST_OK};
use crate::error::answering;
use crate::guard;
use crate::pointers::{Lent, Shared};
use crate::table::Table;

/// Holds the newest table. It is shared by threads.
#[derive(Debug)]
pub struct Slot(Arc<Current>);

#[derive(Debug)]
struct Current {
    /// Counts tables; readers look at the table only when it has moved.
    published: AtomicU64,
    table: Mutex<Arc<Table>>,
}

/// One thread's way to the newest table.
#[derive(Debug)]
pub struct Reader {
    current: Arc<Current>,
    seen: u64,
    table: Arc<Table>,
}

impl Current {
    fn lock(&self) -> MutexGuard<'_, Arc<Table>> {
        // Nothing that can panic runs under the lock, so a poisoned one holds a whole table all the same.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self) -> (u64, Arc<Table>) {
        let table = self.lock();
        (self.published.load(Ordering::Acquire), table.clone())
    }
}

/// A slot with its first table, of which it takes a reference of its own. NULL for NULL. Ended by `gatepost_slot_free`.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_slot_new(table: Lent<Table>) -> Option<Box<Slot>> {
    guard::or(None, || {
        Some(Box::new(Slot(Arc::new(Current {
            published: AtomicU64::new(1),
            table: Mutex::new(table.share()?),
        }))))
    })
}

/// Makes a table the newest one; the slot takes a reference of its own. Any thread may do so at any time. Readers never wait
/// for more than the exchange of two pointers, and keep the old table until they ask again.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn gatepost_slot_publish(slot: Option<&Slot>, table: Lent<Table>) -> Code {
    answering(|| {
        let slot = slot.ok_or(GATEPOST_E_ARGUMENT)?;
        let table = table.share().ok_or(GATEPOST_E_ARGUMENT)?;
        let old = {
            let mut current = slot.0.lock();
            let old = std::mem::replace(&mut *current, table);
            slot.0.published.fetch_add(1, Ordering::Release);
            old
        };
        // Ending a large table takes milliseconds: not under the lock.
        drop(old);
        Ok(GATEPOST_OK)
    })
}

/// The newest table, with a reference that the caller owns: for hosts that have no memory for each thread. Any thread may ask.
/// NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_slot_table(slot: Option<&Slot>) -> Shared<Table> {
    let newest = || slot.map(|slot| Shared::new(slot.0.newest().1));
    guard::or(None, newest).unwrap_or(Shared::NONE)
}

/// Ends a slot; its readers keep what they hold, and see no new table. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_slot_free(slot: Option<Box<Slot>>) {
    guard::or((), || drop(slot));
}

/// A reader, for one thread at a time. NULL for NULL. Ended by `gatepost_reader_free`.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_reader_new(slot: Option<&Slot>) -> Option<Box<Reader>> {
    guard::or(None, || {
        let (seen, table) = slot?.0.newest();
        Some(Box::new(Reader {
            current: slot?.0.clone(),
            seen,
            table,
        }))
    })
}

/// The newest table, borrowed until the next call with this reader: one atomic load when nothing changed. A request that
/// waits (for a body, for a backend) keeps the table with `gatepost_table_retain`. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_reader_table(reader: Option<&mut Reader>) -> Lent<Table> {
    let Some(reader) = reader else {
        return Lent::NONE;
    };
    guard::or((), || {
        if reader.current.published.load(Ordering::Acquire) != reader.seen {
            let (seen, table) = reader.current.newest();
            reader.seen = seen;
            // The old one ends here, outside the lock.
            reader.table = table;
        }
    });
    Lent::of(&reader.table)
}

/// Ends a reader. NULL is taken.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_reader_free(reader: Option<Box<Reader>>) {
    guard::or((), || drop(reader));
}
