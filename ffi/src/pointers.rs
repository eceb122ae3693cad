//! Where pointers of C callers become references: the one file with `unsafe` in it.
//!
//! The types here are what exported functions take. Safe Rust cannot make one with a wild pointer in it, so the functions
//! themselves are safe: only a C caller can break the promises, which are those of the header (a pointer is NULL or points
//! to what its type says, for as long as the call lasts; `X *` is not used by two threads at once).
//!
//! Objects that stay opaque are taken as `Option<&T>`, `Option<&mut T>` and `Option<Box<T>>`, which are nullable pointers
//! in C.

use std::ffi::{c_char, c_int, c_void};
use std::mem::{align_of, size_of};
use std::ptr;
use std::sync::Arc;

use crate::code::{Code, GATEPOST_E_ARGUMENT};

/// The longest text that is taken, in bytes: what is longer is a length gone wrong. Manifests have a limit of their own
/// below this one.
const LONGEST: usize = 64 << 20;

/// Text as pointer and length: any bytes, no NUL needed. `ptr` may be NULL only when `len` is 0.
///
/// Text that the library hands out is borrowed: every function says for how long.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Str {
    /// The first byte.
    ptr: *const c_char,
    /// How many bytes there are.
    len: usize,
}

impl Str {
    /// No text.
    pub(crate) const EMPTY: Str = Str {
        ptr: ptr::null(),
        len: 0,
    };

    /// Hands out a view of something that lives as long as the function's documentation says.
    pub fn of(text: &[u8]) -> Str {
        Str {
            ptr: text.as_ptr().cast(),
            len: text.len(),
        }
    }
}

/// Text of the caller's.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct View(Str);

impl View {
    /// No text.
    pub(crate) const EMPTY: View = View(Str::EMPTY);

    /// Whether the pointer is NULL: no text, where an empty one means something else.
    pub fn is_absent(&self) -> bool {
        self.0.ptr.is_null()
    }

    /// The bytes, for as long as this value stands on the stack of the call that took it.
    ///
    /// # Errors
    ///
    /// If the pointer is NULL though there is a length, or the length cannot be one.
    pub fn bytes(&self) -> Result<&[u8], Code> {
        let Str { ptr, len } = self.0;
        if ptr.is_null() {
            return if len == 0 {
                Ok(&[])
            } else {
                Err(GATEPOST_E_ARGUMENT)
            };
        }
        if len > LONGEST {
            return Err(GATEPOST_E_ARGUMENT);
        }
        // SAFETY: a view comes from a C caller, who promises that `ptr` has `len` bytes that do not change during the call;
        // the length was checked to be below `isize::MAX`, and any bytes are valid `u8`.
        Ok(unsafe { std::slice::from_raw_parts(ptr.cast(), len) })
    }

    /// The bytes as UTF-8.
    ///
    /// # Errors
    ///
    /// As [`View::bytes`], and if it is not UTF-8.
    pub fn utf8(&self) -> Result<&str, Code> {
        std::str::from_utf8(self.bytes()?).map_err(|_| GATEPOST_E_ARGUMENT)
    }
}

/// What may lie in structs that C programs fill in: every pattern of bits is a value.
///
/// # Safety
///
/// That, and it has no padding.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),*) => {
        // SAFETY: integers, and transparent or `repr(C)` structs of integers and pointers whose sizes add up. Function
        // pointers are optional; that one which is not NULL can be called is the C caller's promise, as for any pointer.
        $(unsafe impl Plain for $type {})*
    };
}

plain!(u16, u32, u64, i32, usize, Str, View, Context, HeaderFn);
// SAFETY: a pointer; it is looked behind only in `Items::slice`.
unsafe impl<T> Plain for Items<T> {}

/// A struct that is shared with C and starts with `size: u32`, so that it can grow at its end. See `shared_struct`.
///
/// # Safety
///
/// It starts with a `u32` called `size`, and is [`Plain`].
pub unsafe trait SharedStruct: Plain {
    /// The size that it had first: no caller's may be smaller.
    const FIRST: usize;
    /// All fields empty.
    const EMPTY: Self;
}

/// The size of a field, if it may be one of a struct that is shared.
pub const fn size_of_field<S, F: Plain>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

/// Makes a struct one that C programs may fill in, its fields being listed: `plain_struct!(Header { name, value })`.
///
/// It does not compile if a field is missing, is not [`Plain`], or if there is padding.
macro_rules! plain_struct {
    ($type:ident { $($field:ident),* }) => {
        const _: () = {
            let sum = 0 $(+ $crate::pointers::size_of_field(|whole: &$type| &whole.$field))*;
            assert!(sum == size_of::<$type>(), "there is padding, or a field is missing");
        };
        // SAFETY: all fields are `Plain`, and their sizes add up to that of the struct, as was asserted.
        unsafe impl $crate::pointers::Plain for $type {}
    };
}
pub(crate) use plain_struct;

/// Makes a struct one that starts with `size`: `shared_struct!(Options { size, flags })`. Before 0.1 its size
/// today is the size that it had first.
macro_rules! shared_struct {
    ($type:ident { $($field:ident),* }) => {
        $crate::pointers::plain_struct!($type { $($field),* });
        const _: () = assert!(std::mem::offset_of!($type, size) == 0);
        // SAFETY: it is plain, and `size` comes first, as was asserted.
        unsafe impl $crate::pointers::SharedStruct for $type {
            const FIRST: usize = size_of::<$type>();
            const EMPTY: Self = $type::EMPTY;
        }
    };
}
pub(crate) use shared_struct;

/// What a caller writes in `size` at most: beyond lies a size that was never set.
const LARGEST: usize = 4096;

/// Reads `size`; NULL, a pointer that is not aligned and a size that cannot be are refused.
fn size_of_shared<T: SharedStruct>(shared: *const T) -> Result<usize, Code> {
    if shared.is_null() || !shared.addr().is_multiple_of(align_of::<T>()) {
        return Err(GATEPOST_E_ARGUMENT);
    }
    // SAFETY: not NULL, aligned, and the caller of C promises that a struct is there; it starts with a `u32`.
    let size = unsafe { *shared.cast::<u32>() } as usize;
    if (T::FIRST..=LARGEST).contains(&size) {
        Ok(size)
    } else {
        Err(GATEPOST_E_ARGUMENT)
    }
}

/// A struct of the caller that is read: `const T *` in C.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct In<T>(*const T);

impl<T: SharedStruct> In<T> {
    /// A copy of what fits, the rest empty.
    ///
    /// # Errors
    ///
    /// For NULL and a wrong `size`.
    pub fn read(self) -> Result<T, Code> {
        let size = size_of_shared(self.0)?;
        let mut copy = T::EMPTY;
        // SAFETY: the caller promises `size` readable bytes, and no more than our own struct has are copied; `copy` is ours.
        // `Plain` says that any bytes of a C program are valid.
        unsafe {
            let (from, to) = (self.0.cast::<u8>(), ptr::from_mut(&mut copy).cast::<u8>());
            ptr::copy_nonoverlapping(from, to, size.min(size_of::<T>()));
        }
        Ok(copy)
    }

    /// The same, or nothing for NULL.
    ///
    /// # Errors
    ///
    /// For a wrong `size`.
    pub fn read_optional(self) -> Result<Option<T>, Code> {
        if self.0.is_null() {
            return Ok(None);
        }
        self.read().map(Some)
    }
}

/// A struct of the caller that is filled in: `T *` in C.
#[repr(transparent)]
#[derive(Debug)]
pub struct Out<T>(*mut T);

impl<T: SharedStruct> Out<T> {
    /// Whether it can be written.
    ///
    /// # Errors
    ///
    /// For NULL and a wrong `size`.
    pub fn check(&self) -> Result<(), Code> {
        size_of_shared(self.0.cast_const()).map(|_| ())
    }

    /// Fills in what fits; `size` stays the caller's.
    ///
    /// # Errors
    ///
    /// For NULL and a wrong `size`.
    pub fn write(&mut self, value: &T) -> Result<(), Code> {
        let size = size_of_shared(self.0.cast_const())?;
        let rest = size.min(size_of::<T>()) - size_of::<u32>();
        // SAFETY: the caller promises `size` writable bytes, and no more than our own struct has are copied; both pointers
        // stay inside their structs, past `size`. `Plain` says that there is no padding.
        unsafe {
            let from = ptr::from_ref(value).cast::<u8>().add(size_of::<u32>());
            let to = self.0.cast::<u8>().add(size_of::<u32>());
            ptr::copy_nonoverlapping(from, to, rest);
        }
        Ok(())
    }
}

/// A place for one number or pointer of the caller: `T *` in C.
#[repr(transparent)]
#[derive(Debug)]
pub struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Whether there is one.
    ///
    /// # Errors
    ///
    /// For NULL.
    pub fn check(&self) -> Result<(), Code> {
        if self.0.is_null() {
            Err(GATEPOST_E_ARGUMENT)
        } else {
            Ok(())
        }
    }

    /// Writes to it; nothing happens for NULL.
    fn put(&mut self, value: T) {
        if !self.0.is_null() {
            // SAFETY: not NULL, and the caller promises a place for a `T` that nobody else uses during the call. What lies
            // there may be uninitialised, so it is overwritten, not dropped.
            unsafe { self.0.write(value) }
        }
    }
}

/// A number that is written to a place.
pub trait Number: Plain {}

impl Number for u32 {}
impl Number for usize {}

impl<T: Number> Place<T> {
    /// Writes a number.
    pub fn number(&mut self, value: T) {
        self.put(value);
    }
}

impl<T> Place<*mut T> {
    /// Writes NULL.
    pub fn clear(&mut self) {
        self.put(ptr::null_mut());
    }

    /// Gives an object away: the caller ends it with the function that takes `Option<Box<T>>`.
    pub fn give(&mut self, object: T) {
        if !self.0.is_null() {
            self.put(Box::into_raw(Box::new(object)));
        }
    }

    /// Gives a reference away: the caller ends it with the function that takes [`Shared`].
    pub fn share(&mut self, object: Arc<T>) {
        if !self.0.is_null() {
            self.put(Arc::into_raw(object).cast_mut());
        }
    }
}

/// A counted object: `T *` in C. Every one that the library hands out is the pointer of an [`Arc`].
#[repr(transparent)]
#[derive(Debug)]
pub struct Shared<T>(*mut T);

/// A counted object that is lent for the call: `const T *` in C.
#[repr(transparent)]
#[derive(Debug)]
pub struct Lent<T>(*const T);

impl<T> Shared<T> {
    /// NULL.
    pub(crate) const NONE: Shared<T> = Shared(ptr::null_mut());

    /// Gives a reference away.
    pub fn new(object: Arc<T>) -> Shared<T> {
        Shared(Arc::into_raw(object).cast_mut())
    }

    /// Takes the caller's reference; `None` for NULL.
    pub fn take(self) -> Option<Arc<T>> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the pointer is one that `Arc::into_raw` gave out, and the caller gives up one reference that it owns.
        Some(unsafe { Arc::from_raw(self.0) })
    }
}

impl<T> Lent<T> {
    /// Lends what somebody else keeps alive.
    pub fn of(object: &Arc<T>) -> Lent<T> {
        Lent(Arc::as_ptr(object))
    }

    /// NULL.
    pub(crate) const NONE: Lent<T> = Lent(ptr::null());

    /// The object; `None` for NULL.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: NULL, or an object that the caller keeps alive during the call, which is longer than `self` stands.
        unsafe { self.0.as_ref() }
    }

    /// One more reference; `None` for NULL.
    pub fn share(&self) -> Option<Arc<T>> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the pointer is one that `Arc::into_raw` gave out, and the caller keeps the object alive during the call; the
        // count is raised before the `Arc` that will lower it is made.
        unsafe {
            Arc::increment_strong_count(self.0);
            Some(Arc::from_raw(self.0))
        }
    }
}

/// An array of the caller that is read: `const T *` in C, with its length beside it.
#[repr(transparent)]
#[derive(Debug)]
pub struct Items<T>(*const T);

impl<T> Clone for Items<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Items<T> {}

impl<T: Plain> Items<T> {
    /// NULL.
    pub(crate) const NONE: Items<T> = Items(ptr::null());

    /// The items. NULL is an empty array.
    ///
    /// # Errors
    ///
    /// For NULL with a length, a pointer that is not aligned, and a length that cannot be.
    pub fn slice(&self, len: usize) -> Result<&[T], Code> {
        if len == 0 {
            return Ok(&[]);
        }
        let aligned = self.0.addr().is_multiple_of(align_of::<T>());
        if self.0.is_null() || !aligned || len > LONGEST / size_of::<T>().max(1) {
            return Err(GATEPOST_E_ARGUMENT);
        }
        // SAFETY: not NULL, aligned, and the caller promises `len` items that do not change during the call; `T` is a plain
        // struct of integers and pointers, and the size in bytes was checked to be below `isize::MAX`.
        Ok(unsafe { std::slice::from_raw_parts(self.0, len) })
    }
}

/// A buffer of the caller that text is written to: `char *` in C, with its capacity beside it.
#[repr(transparent)]
#[derive(Debug)]
pub struct Buffer(*mut c_char);

impl Buffer {
    /// Copies text there, if it fits.
    ///
    /// # Errors
    ///
    /// For NULL with a capacity.
    pub fn put(&mut self, capacity: usize, text: &[u8]) -> Result<bool, Code> {
        if self.0.is_null() && capacity > 0 {
            return Err(GATEPOST_E_ARGUMENT);
        }
        if text.len() > capacity {
            return Ok(false);
        }
        if !text.is_empty() {
            // SAFETY: the caller promises `capacity` writable bytes that are nobody else's during the call, and the text is no
            // longer than that.
            unsafe { ptr::copy_nonoverlapping(text.as_ptr(), self.0.cast(), text.len()) };
        }
        Ok(true)
    }
}

/// Something of the caller's that the library only passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Context(*mut c_void);

impl Context {
    /// NULL.
    pub(crate) const NONE: Context = Context(ptr::null_mut());
}

/// Answers the `index`-th value (from 0) of a header field by putting it into `*value`: not 0 if there is one, 0 if there is
/// none. `name` is in lower case. The value has to stay as it is until the library function that asks returns.
///
/// It is called only for names that a candidate rule asks for, so a host with a header table of its own copies nothing.
pub type HeaderFn = Option<
    unsafe extern "C" fn(ctx: *mut c_void, name: Str, index: usize, value: *mut View) -> c_int,
>;

/// Carries out one edit of a header field: `op` is one of `GATEPOST_HEADER_*`, `value` is empty for a removal. Not 0 stops,
/// because the host is out of memory, say: the caller then gets `GATEPOST_E_LIMIT`.
pub type EditFn =
    Option<unsafe extern "C" fn(ctx: *mut c_void, op: u32, name: Str, value: Str) -> c_int>;

/// Ends data that was attached to a table.
pub type DestroyFn = Option<unsafe extern "C" fn(data: *mut c_void)>;

/// Asks a callback for a value of a header field.
pub fn ask(callback: HeaderFn, ctx: Context, name: &[u8], index: usize) -> Option<View> {
    let callback = callback?;
    let mut value = View::EMPTY;
    // SAFETY: the caller promises a function of this type that may be called with its context during the call; the views and
    // the place for the answer outlive it.
    let found = unsafe { callback(ctx.0, Str::of(name), index, &raw mut value) };
    (found != 0).then_some(value)
}

/// Tells a callback of an edit; whether it goes on.
pub fn edit(callback: EditFn, ctx: Context, op: u32, name: &[u8], value: &[u8]) -> bool {
    let Some(callback) = callback else {
        return false;
    };
    // SAFETY: the caller promises a function of this type that may be called with its context during the call.
    unsafe { callback(ctx.0, op, Str::of(name), Str::of(value)) == 0 }
}

/// Data of the caller that hangs on an object; ended with it, on whatever thread that happens.
#[derive(Debug)]
pub struct Attached {
    data: *mut c_void,
    destroy: DestroyFn,
}

// SAFETY: the header says that `destroy` runs on whichever thread drops the last reference, and that every thread may ask for
// the pointer; what it points to is the caller's to guard.
unsafe impl Send for Attached {}
// SAFETY: as above; the library itself never looks behind the pointer.
unsafe impl Sync for Attached {}

impl Attached {
    /// Takes charge of data.
    pub fn new(data: Context, destroy: DestroyFn) -> Attached {
        Attached {
            data: data.0,
            destroy,
        }
    }

    /// The data.
    pub fn data(&self) -> Context {
        Context(self.data)
    }

    /// Gives the data back without ending it.
    pub fn give_back(mut self) {
        self.destroy = None;
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the caller promised, when the data was attached, a function that ends it and may be called once on any
            // thread.
            unsafe { destroy(self.data) }
        }
    }
}

/// What a C caller does, for tests of this crate.
#[cfg(test)]
pub(crate) mod caller {
    use super::*;

    pub(crate) fn place<T>(value: &mut T) -> Place<T> {
        Place(value)
    }

    /// Takes what was given.
    pub(crate) fn taken<T>(pointer: *mut T) -> Option<Box<T>> {
        // SAFETY: tests pass what `Place::give` wrote, once.
        (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer) })
    }
}
