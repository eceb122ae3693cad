//! What the proxy is told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gatepost::api::filter::FilterType;
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
    /// Settings of resolution.
    pub controller: Controller,
    /// The channel of the CRDs that manifests are judged by.
    pub channel: Channel,
    /// How long a backend may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long requests may take to end when the proxy stops.
    pub drain: Duration,
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
            controller: controller(),
            channel: Channel::Experimental,
            connect_timeout: Duration::from_secs(5),
            drain: Duration::from_secs(10),
        }
    }
}

/// The settings of resolution that fit this data plane: the filters that it does not carry out make a rule invalid.
pub fn controller() -> Controller {
    let mut controller = Controller::default();
    controller.unsupported_filters = vec![
        FilterType::Cors,
        FilterType::ExternalAuth,
        FilterType::RequestMirror,
    ];
    controller
}
