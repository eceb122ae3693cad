//! `libgatepost`: the Gateway API for programs in C, and in anything that calls C.
//!
//! Readers of the C side want `include/gatepost.h`, which is generated from this crate, and `README.md` beside it. Here
//! is how the crate is laid out:
//!
//! - [`pointers`] holds every `unsafe` block. All other modules see references, slices and checked copies: the types of
//!   arguments in exported functions say what a C caller promises about them.
//! - [`guard`] stands around every exported function: panics become `GATEPOST_E_INTERNAL`.
//! - The others follow the life of a program: [`resources`], [`resolution`], [`table`], [`slot`], [`request`], [`find`],
//!   [`backend`], [`steps`]; [`code`], [`error`], [`text`] and [`version`] serve them all.
//!
//! Rust programs use the crate `gatepost` itself.

pub mod backend;
pub mod code;
pub mod error;
pub mod find;
pub mod guard;
pub mod pointers;
pub mod request;
pub mod resolution;
pub mod resources;
pub mod slot;
pub mod steps;
pub mod table;
pub mod text;
pub mod version;
