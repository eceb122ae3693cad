//! Hostile clients and hostile backends against the real binary: `conformance/attacks`, in clear and over TLS.

#[path = "../../../proxy/tests/proxy/frames.rs"]
mod frames;
mod http1;
mod http2;
mod recorder;
mod rig;
