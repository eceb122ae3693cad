//! Long work: without the GIL, ended early by Ctrl-C, and never a panic in Python's hands.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::raise;

/// How often signals are looked at.
const POLL: Duration = Duration::from_millis(50);

/// As much as main threads have: documents and expressions nest.
const STACK: usize = 8 << 20;

/// Does something that may take long on a thread of its own, while this one lets others run and looks at signals.
///
/// What a signal's handler raises, such as `KeyboardInterrupt`, ends the wait at once; the thread ends when its work does
/// and its result is dropped.
pub(crate) fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    let (sender, mut receiver) = channel();
    let thread = thread::Builder::new()
        .name("gatepost".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            // Nobody waits any more after a signal.
            let _ = sender.send(work());
        });
    if let Err(error) = thread {
        let message = format!("a thread cannot be started: {error}");
        return Err(raise::internal(py, &message));
    }
    loop {
        let received;
        (received, receiver) = py.detach(move || (receiver.recv_timeout(POLL), receiver));
        match received {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(raise::internal(py, PANICKED)),
        }
    }
}

const PANICKED: &str = "gatepost failed; what it printed on standard error belongs into a report";

/// Does something short where it is.
pub(crate) fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> T) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| raise::internal(py, PANICKED))
}

/// Runs the command line; the first argument is the command, not a program's name.
pub(crate) fn command_line(py: Python<'_>, mut arguments: Vec<OsString>) -> PyResult<u8> {
    arguments.insert(0, "gatepost".into());
    let code = py.detach(|| catch_unwind(|| gatepost_cli::main(arguments)));
    code.map_err(|_| raise::internal(py, PANICKED))
}
