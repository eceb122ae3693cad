//! What the proxy is told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gatepost::controller::Controller;
use gatepost::key::Channel;

/// Settings of a proxy.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain settings with a default")]
pub struct Options {
    /// Files and folders with manifests; folders are read with what is below them.
    pub paths: Vec<PathBuf>,
    /// Where Gateways without addresses of their own listen. Default: all interfaces, IPv4.
    pub bind: IpAddr,
    /// Added to every port that is bound, so that nobody needs to be root. Redirects do not know of it.
    pub port_offset: u16,
    /// Addresses of Service ports that no EndpointSlice lists, by `namespace/service:port`.
    pub endpoints: BTreeMap<String, Vec<SocketAddr>>,
    /// Where health, metrics, statuses and the table are told; `None` for nowhere.
    pub admin: Option<SocketAddr>,
    /// A file that statuses are written to whenever they change.
    pub status_file: Option<PathBuf>,
    /// Whether a line is logged for each request.
    pub access_log: bool,
    /// What becomes of `Forwarded`, `X-Forwarded-*` and `X-Real-IP` that clients send.
    pub forwarded: ForwardedPolicy,
    /// Settings of resolution.
    pub controller: Controller,
    /// The channel of the CRDs that manifests are judged by.
    pub channel: Channel,
    /// How long a backend may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long requests may take to end when the proxy stops.
    pub drain: Duration,
    /// What clients may take.
    pub limits: Limits,
}

/// Whether clients are believed what they say of those that they speak for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedPolicy {
    /// They are not: their fields are dropped, and what we know ourselves is written.
    #[default]
    Replace,
    /// They are, since only proxies that are trusted reach the listeners: the peer is added to `X-Forwarded-For`, and to
    /// `Forwarded` if that is there; other fields stay, and what is missing is written.
    Append,
}

/// What clients may take: of connections, time and memory. The sizes of heads are constants of [`crate::head`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain settings with a default")]
pub struct Limits {
    /// Connections of each listening socket; more are closed at once.
    pub connections: usize,
    /// Time for a TLS handshake, and for a head from its first byte on.
    pub head: Duration,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// The longest pause in the body of a request (bodies of gRPC may pause as they like), and how long a client may
    /// take nothing of what is written to it.
    pub body_idle: Duration,
    /// Streams that an HTTP/2 connection may have open.
    pub streams: u32,
    /// Bytes of a decoded HTTP/2 field section.
    pub fields: u32,
    /// Streams that an HTTP/2 client may reset…
    pub resets: usize,
    /// …within this time.
    pub resets_within: Duration,
    /// Copies for mirrors that may be under way; more are left out.
    pub mirrors: usize,
    /// Bytes of a request's body that are kept for retries; a larger body is sent once.
    pub retry_body: usize,
    /// Sessions of each UDP socket; datagrams that would begin more are dropped.
    pub udp_sessions: usize,
    /// How long a UDP session stays without a datagram in either direction.
    pub udp_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body_idle: Duration::from_secs(30),
            streams: 100,
            fields: 64 << 10,
            resets: 100,
            resets_within: Duration::from_secs(10),
            mirrors: 1000,
            retry_body: 64 << 10,
            udp_sessions: 10_000,
            udp_idle: Duration::from_secs(60),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port_offset: 0,
            endpoints: BTreeMap::new(),
            admin: None,
            status_file: None,
            access_log: false,
            forwarded: ForwardedPolicy::default(),
            controller: controller(),
            channel: Channel::Experimental,
            connect_timeout: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

/// The settings of resolution that fit this data plane: it carries out every filter that can be resolved.
pub fn controller() -> Controller {
    Controller::default()
}
