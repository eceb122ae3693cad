//! The gatepost data plane: a tokio proxy over gatepost's route table.
//!
//! [`Proxy::start`] reads manifests from files, opens the listeners that they ask for and serves; changes of the files are
//! taken up while it runs, without closing a listener or a connection that stays valid. Everything that decides is in the
//! library `gatepost`; here are sockets, files and time.
//!
//! Order of a request: [`listen`] accepts its connection, [`connection`] finds out what it is, [`tls`] ends TLS, [`guard`]
//! judges its bytes, [`serve`] finds its rule and carries out the steps ([`authorize`], [`mirror`], [`session`]), [`forward`]
//! sends it to an endpoint over a connection of the [`pool`] ([`http1`], whose heads [`answer`] judges), again if it may be; [`upgrade`] joins two connections. [`tcp`] and
//! [`udp`] pass bytes on. [`reconcile`] swaps what is served when [`source`] has news, and [`admin`] tells what is going on.

pub mod admin;
pub mod answer;
pub mod authorize;
pub mod backend_tls;
pub mod body;
pub mod budget;
pub mod chunked;
pub mod connected;
pub mod connection;
pub mod data_plane;
pub mod endpoints;
pub mod error;
pub mod exchange;
pub mod fields;
pub mod forward;
pub mod frames;
pub mod guard;
pub mod head;
pub mod http1;
pub mod kept;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod listen;
pub mod metrics;
pub mod mirror;
pub mod options;
pub mod pool;
mod proxy;
pub mod random;
pub mod reconcile;
pub mod serve;
pub mod session;
pub mod source;
pub mod state;
mod steps;
pub mod tcp;
pub mod time;
pub mod tls;
pub mod udp;
pub mod upgrade;
pub mod upload;

pub use options::{ForwardedPolicy, Limits, Options};
pub use proxy::{Proxy, StartError};
