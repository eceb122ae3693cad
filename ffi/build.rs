//! Gives the shared library its soname; a cdylib has none by itself.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // The number is `GATEPOST_ABI` (src/version.rs); `tests/header.rs` compares them.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libgatepost.so.0");
    }
}
