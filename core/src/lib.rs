//! Kubernetes Gateway API as a library.
//!
//! Manifests go in; a table that answers which rule serves a request, the addresses behind its backends, and the
//! statuses that a conformant controller writes come out. There is no I/O here, no clock and no global state: a caller
//! brings the bytes, keeps the sockets, and swaps the tables.
//!
//! The tour, in the order in which a caller meets the parts:
//!
//! 1. [`manifest`] reads text into documents, judges them ([`validate`](mod@validate)) and collects sound [`resources`].
//! 2. [`controller`] resolves resources: which listeners serve, which routes attach to them, what does not resolve.
//! 3. [`table`] answers requests: judge the [`target`], find the match, carry out its steps, pick a backend.
//! 4. [`status`] says what to write back.
//!
//! ```
//! use gatepost::controller::Controller;
//! use gatepost::document::Limits;
//! use gatepost::key::{Channel, NamespacedName};
//! use gatepost::manifest;
//! use gatepost::table::Head;
//! use gatepost::target::Raw;
//!
//! let text = br#"
//! apiVersion: gateway.networking.k8s.io/v1
//! kind: Gateway
//! metadata: {name: gw, namespace: shop}
//! spec: {gatewayClassName: gatepost, listeners: [{name: http, port: 80, protocol: HTTP}]}
//! ---
//! apiVersion: gateway.networking.k8s.io/v1
//! kind: HTTPRoute
//! metadata: {name: cart, namespace: shop}
//! spec:
//!   parentRefs: [{name: gw}]
//!   rules: [{matches: [{path: {value: /cart}}], backendRefs: [{name: cart, port: 8080}]}]
//! ---
//! apiVersion: v1
//! kind: Service
//! metadata: {name: cart, namespace: shop}
//! spec: {ports: [{port: 8080}]}
//! "#;
//! let loaded = manifest::read("shop.yaml", text, &Limits::default());
//! let collected = manifest::collect([loaded], Channel::Standard, &Limits::default());
//! assert!(collected.problems.is_empty());
//!
//! let resolution = Controller::default().resolve(&collected.resources);
//! let table = resolution.table(&NamespacedName::new("shop", "gw")).expect("a Gateway of ours");
//!
//! let (mut buffer, mut scratch) = (Vec::new(), table.scratch());
//! let mut hosts = std::iter::once(&b"shop.example.com"[..]);
//! let raw = Raw { target: b"/cart/7", authority: None, hosts: &mut hosts, host_required: true, connect: false };
//! let target = table.target(raw, &mut buffer)?;
//! let headers = http::HeaderMap::new();
//! let head = Head { port: 80, sni: None, method: b"GET", target, headers: &headers };
//! let found = table.find(&head, &mut scratch).expect("the rule of /cart");
//! assert_eq!(found.route().name, "cart");
//! let picked = found.backends().pick(0).expect("a backend");
//! assert_eq!(picked.backend.destination.as_ref().expect("a Service").port.to_string(), "shop/cart:8080");
//! # Ok::<(), gatepost::target::Refused>(())
//! ```
//!
//! # For authors of controllers
//!
//! A controller keeps a [`Resolver`](controller::Resolver) and feeds it every event of its watches as a
//! [`Change`](resources::Change): objects of the Gateway API, Services, EndpointSlices, Secrets, ConfigMaps, Namespaces,
//! and, if they are used, Pods, ClusterTrustBundles and the CRDs themselves. [`apply`](controller::Resolver::apply) says
//! what is another now:
//!
//! 1. `delta.tables`: Gateways whose [`RouteTable`](table::RouteTable) is to be swapped, or that are gone;
//! 2. `delta.endpoints`: ports whose addresses are others: no table is touched by them;
//! 3. `delta.statuses`: objects whose status may be another. Make them with
//!    [`statuses_of`](controller::Resolution::statuses_of) and what only you know ([`Facts`](status::Facts): addresses, ports
//!    that are taken), after the data plane has the tables; [`changes`](status::Statuses::changes) gives the ones to
//!    write, [`over`](status::Statuses::over) merges one into what the API server holds now, and
//!    [`finalizers`](status::Statuses::finalizers) says which GatewayClass is in use.
//!
//! What others wrote into a status stays byte for byte, and our own statuses, read back, change nothing, so the loop comes to
//! rest. `core/examples/controller_loop.rs` is a whole one in 120 lines:
//! `cargo run -p gatepost --example controller_loop`.
//!
//! # Untrusted input
//!
//! Manifests are tenants' and requests are anybody's. Reading is limited in size, depth and expansion; expressions are
//! admitted within a budget and match in linear time; nothing panics on any input.

pub mod analysis;
pub mod api;
mod base64;
mod bytes;
pub mod controller;
pub mod document;
pub mod duration;
pub mod hostname;
pub mod key;
pub mod manifest;
pub mod pattern;
pub mod problem;
pub mod resolve;
pub mod resources;
pub mod rule;
pub mod status;
pub mod table;
pub mod target;
pub mod timestamp;
pub mod validate;
