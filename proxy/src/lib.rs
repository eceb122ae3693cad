//! The gatepost data plane: a tokio proxy over gatepost's route table.
//!
//! [`Proxy::start`] reads manifests from files, opens the listeners that they ask for and serves; changes of the files are
//! taken up while it runs, without closing a listener or a connection that stays valid. Everything that decides is in the
//! library `gatepost`; here are sockets, files and time.
//!
//! Order of a request: [`listen`] accepts it, [`tls`] ends TLS, [`guard`] judges its bytes, [`serve`] finds its rule and carries out the steps,
//! [`forward`] sends it to an endpoint or [`upgrade`] joins the two connections. [`reconcile`] swaps what is served when
//! [`source`] has news, and [`admin`] tells what is going on.

pub mod admin;
pub mod chunked;
pub mod endpoints;
pub mod error;
pub mod forward;
pub mod guard;
pub mod head;
pub mod listen;
pub mod metrics;
pub mod options;
mod proxy;
pub mod reconcile;
pub mod serve;
pub mod source;
pub mod state;
pub mod tls;
pub mod upgrade;

pub use options::Options;
pub use proxy::{Proxy, StartError};
