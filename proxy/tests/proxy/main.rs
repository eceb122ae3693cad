//! The proxy over real sockets.

mod attacks;
mod attacks_http2;
mod common;
mod frames;
mod grpc;
mod layer4;
mod limits;
mod recorder;
mod script;
mod serve;
mod steps;
mod tls;
