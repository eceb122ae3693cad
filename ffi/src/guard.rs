//! No panic crosses into C.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

#[cfg(panic = "abort")]
compile_error!("libgatepost has to unwind: with panic=abort a bug would end the host's process");

thread_local! {
    /// Whether this thread is inside a call. No destructor, so that nothing is left behind when the library is unloaded.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs the body of an exported function. A panic gives its text, and is not printed to the host's standard error.
///
/// # Errors
///
/// The text of the panic.
pub fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    silence();
    let before = INSIDE.replace(true);
    // What a panic leaves half done is not seen again: objects are replaced whole, and scratch is overwritten by each call.
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(before);
    outcome.map_err(|payload| text(&*payload))
}

/// Runs the body of a function that has no way to tell of a panic; the fallback is its answer then.
pub fn or<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch(body).unwrap_or(fallback)
}

/// Puts a hook before the one that is there: silent while a thread is inside a call, as it was otherwise.
fn silence() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !INSIDE.get() {
                before(info);
            }
        }));
    });
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(
            catch(|| -> u8 { panic!("odd: {}", 3) }),
            Err("odd: 3".to_owned())
        );
        assert_eq!(or(5, || panic!("x")), 5);
        assert!(!INSIDE.get());
    }
}
