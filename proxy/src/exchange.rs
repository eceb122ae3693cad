//! What the reader of a connection and its service tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::head::Refusal;

/// What is known of the requests of a connection.
#[derive(Debug)]
pub struct Exchange {
    opened: Instant,
    begun: AtomicU64,
    answered: AtomicU64,
    finished: AtomicU64,
    /// Nanoseconds after `opened` when the last answer had been written.
    finished_at: AtomicU64,
    switched: AtomicBool,
    broken: AtomicBool,
    refused: OnceLock<(u64, Refusal)>,
    body: OnceLock<Refusal>,
    waiting: Mutex<Option<Waker>>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            opened: Instant::now(),
            begun: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            finished_at: AtomicU64::new(0),
            switched: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            refused: OnceLock::new(),
            body: OnceLock::new(),
            waiting: Mutex::default(),
        }
    }
}

impl Exchange {
    /// A request reaches the service; why it is refused, if it is a stand-in.
    pub fn begin(&self) -> Option<Refusal> {
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        self.refused
            .get()
            .filter(|(refused, _)| *refused == number)
            .map(|(_, refusal)| *refusal)
    }

    /// Why the body of the request was cut off, if it was.
    pub fn body(&self) -> Option<Refusal> {
        self.body.get().copied()
    }

    /// A request is answered, or the connection goes on in another protocol.
    pub fn answer(&self, switched: bool) {
        if switched {
            self.switched.store(true, Ordering::Release);
        }
        self.answered.fetch_add(1, Ordering::AcqRel);
        let waiting = self.waiting().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// An answer has been written whole, or given up.
    pub fn finish(&self) {
        let elapsed = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.finished_at.store(elapsed, Ordering::Release);
        self.finished.fetch_add(1, Ordering::AcqRel);
    }

    /// An answer whose end only the end of the connection tells was cut short.
    pub fn cut_short(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Whether the connection may not end as if all had been said.
    pub fn broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Since when nothing is under way, if so.
    pub fn unused(&self, requests: u64) -> Option<Instant> {
        let begun = self.begun.load(Ordering::Acquire).max(requests);
        let finished = self.finished.load(Ordering::Acquire);
        let at = self.opened + Duration::from_nanos(self.finished_at.load(Ordering::Acquire));
        (finished >= begun).then_some(at)
    }

    /// When the connection was opened.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// The head with this number is refused; what comes after it is not looked at, so there is only one.
    pub fn refuse(&self, number: u64, refusal: Refusal) {
        let _ = self.refused.set((number, refusal));
    }

    /// The body that is being read is refused; again the only one.
    pub fn cut(&self, refusal: Refusal) {
        let _ = self.body.set(refusal);
    }

    /// Whether the connection goes on in another protocol, once so many requests are answered; else `waker` is woken
    /// when it is known.
    pub fn decided(&self, requests: u64, waker: &Waker) -> Option<bool> {
        // The waker is there before the question is asked, so no answer is missed.
        *self.waiting() = Some(waker.clone());
        let switched = self.switched.load(Ordering::Acquire);
        if !switched && self.answered.load(Ordering::Acquire) < requests {
            return None;
        }
        self.waiting().take();
        Some(switched)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
