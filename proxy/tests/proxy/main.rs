//! The proxy over real sockets.

mod attacks;
mod common;
mod recorder;
mod serve;
