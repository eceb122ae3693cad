//! The proxy over real sockets.

mod attacks;
mod attacks_http2;
mod common;
mod frames;
mod recorder;
mod serve;
