//! The proxy over real sockets.

mod changes;
mod clients;
mod common;
mod faults;
mod frames;
mod grpc;
mod layer4;
mod limits;
mod policies;
mod script;
mod serve;
mod steps;
mod tls;
