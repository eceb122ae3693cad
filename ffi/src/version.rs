//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version of the binary interface: the number in `libgatepost.so.N`. Programs that use `dlopen` compare it with
/// `gatepost_abi()`. Before release 0.1 nothing is promised: it may stay the same while functions change.
pub const GATEPOST_ABI: u32 = 0;

/// The first number of the library's version.
pub const GATEPOST_VERSION_MAJOR: u32 = 0;
/// The second.
pub const GATEPOST_VERSION_MINOR: u32 = 1;
/// The third.
pub const GATEPOST_VERSION_PATCH: u32 = 0;

/// With the NUL that C wants.
const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The binary interface that the library has, to be compared with `GATEPOST_ABI`.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_abi() -> u32 {
    GATEPOST_ABI
}

/// The library's version as one number: 1,000,000 times the first, 1,000 times the second, and the third.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_version_number() -> u32 {
    GATEPOST_VERSION_MAJOR * 1_000_000 + GATEPOST_VERSION_MINOR * 1_000 + GATEPOST_VERSION_PATCH
}

/// The library's version in full, such as `0.1.0-alpha.1`. Static, ends in NUL.
#[unsafe(no_mangle)]
pub extern "C" fn gatepost_version() -> *const c_char {
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_package() {
        let numbers = [
            env!("CARGO_PKG_VERSION_MAJOR"),
            env!("CARGO_PKG_VERSION_MINOR"),
            env!("CARGO_PKG_VERSION_PATCH"),
        ];
        let ours = [
            GATEPOST_VERSION_MAJOR,
            GATEPOST_VERSION_MINOR,
            GATEPOST_VERSION_PATCH,
        ];
        assert_eq!(numbers.map(|number| number.parse()), ours.map(Ok));
        assert_eq!(gatepost_version_number(), 1_000);
        assert_eq!(VERSION.to_str(), Ok(env!("CARGO_PKG_VERSION")));
    }
}
