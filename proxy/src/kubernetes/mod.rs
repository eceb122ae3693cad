//! Kubernetes as the source, and as the place where statuses go.
//!
//! `watch` follows the kinds of `kinds` and sends news; `intake` makes changes for the resolver of them, keeping Secrets,
//! ConfigMaps and EndpointSlices only while something (`references`) refers to them; `controller` resolves, gives Gateways
//! `addresses`, programs the data plane, and says on the `board` what statuses should be. The holder of the `lease` lets
//! `write` make them so, tells of problems by `events` and does the `upkeep`; everybody else serves all the same.

mod addresses;
mod api;
mod backoff;
mod board;
mod controller;
mod events;
mod intake;
mod kinds;
mod lease;
mod references;
mod upkeep;
mod watch;
#[cfg(test)]
mod watch_tests;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;

pub use addresses::{AddressPool, InvalidPool};

use crate::metrics::Metrics;
use crate::options::Options;
use crate::random;
use crate::reconcile::View;
use addresses::Addresses;
use api::Api;
use board::Board;
use controller::{Controller, Parts};
use events::Events;
use kinds::WATCHED;
use lease::Candidate;
use upkeep::Wanted;
use write::Writer;

/// How long a connection to the API server may take.
const CONNECT: Duration = Duration::from_secs(2);
/// News that may wait.
const WAITING: usize = 4096;

/// Settings that only Kubernetes has.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain settings with a default")]
pub struct Settings {
    /// Where addresses of Gateways without `spec.addresses` come from; `None`: they get none.
    pub address_pool: Option<AddressPool>,
    /// The namespace of the Lease; `None`: that of the account.
    pub namespace: Option<String>,
    /// The name of this process among replicas; `None`: `$HOSTNAME` and a number by chance.
    pub identity: Option<String>,
}

/// A controller that runs.
#[derive(Debug)]
pub(crate) struct Running {
    stop: channel::Sender<bool>,
    controller: JoinHandle<()>,
    lease: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

impl Running {
    /// Takes no more connections, lets requests end, and gives the Lease back.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked has ended too.
        let _ = self.lease.await;
        let _ = self.controller.await;
        for task in self.others {
            task.abort();
        }
    }
}

/// Starts everything; the API server need not be there yet.
///
/// # Errors
///
/// If there is no configuration of a client.
pub(crate) async fn start(
    options: Options,
    settings: Settings,
    metrics: Arc<Metrics>,
    view: Arc<ArcSwap<View>>,
    told: channel::Sender<Vec<SocketAddr>>,
) -> Result<Running, String> {
    let mut config = kube::Config::infer()
        .await
        .map_err(|error| error.to_string())?;
    config.connect_timeout = Some(CONNECT);
    let server = config.cluster_url.to_string();
    let client = kube::Client::try_from(config).map_err(|error| error.to_string())?;
    let api = Api::new(client);
    let namespace = settings
        .namespace
        .unwrap_or_else(|| api.namespace().to_owned());
    let identity = settings.identity.unwrap_or_else(identity);
    tracing::info!(server, %namespace, %identity, "the API server");

    let board = Arc::new(Board::default());
    let refused = Arc::new(channel::Sender::new(None));
    let (stop, stopped) = channel::channel(false);
    let (leading, led) = channel::channel(false);
    let (wanted, wants) = channel::channel(Wanted::default());
    let (news, receiver) = mpsc::channel(WAITING);
    let (crds, crd_news) = channel::channel(0);
    let name = options.controller.controller_name.clone();

    let mut others = Vec::new();
    for (kind, _) in WATCHED {
        let follower = watch::Follower {
            api: api.clone(),
            news: news.clone(),
            crds: crd_news.clone(),
        };
        others.push(tokio::spawn(follower.run(*kind)));
    }
    let writer = Writer {
        api: api.clone(),
        board: board.clone(),
        events: Events::new(api.clone(), &identity, &name),
        metrics: metrics.clone(),
        refused: refused.clone(),
    };
    others.push(tokio::spawn(writer.run()));
    others.push(tokio::spawn(upkeep::run(api.clone(), board.clone(), wants)));
    let candidate = Candidate::new(
        api.clone(),
        namespace,
        lease_name(&name),
        identity,
        leading,
        refused.clone(),
    );
    let lease = tokio::spawn(candidate.run(stopped.clone()));
    let parts = Parts {
        api,
        addresses: Addresses::new(settings.address_pool),
        board,
        wanted,
        metrics,
        view,
        news,
        crds,
        refused,
    };
    let controller = Controller::new(&options, parts);
    let controller = tokio::spawn(controller.run(receiver, led, stopped, told));
    Ok(Running {
        stop,
        controller,
        lease,
        others,
    })
}

/// The name of the Lease: one for each controller name, as two controllers do not exclude each other.
fn lease_name(controller: &str) -> String {
    let fit =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '.';
    let name: String = controller
        .chars()
        .map(|letter| if fit(letter) { letter } else { '-' })
        .take(200)
        .collect();
    format!("{}.lease", name.trim_matches(['-', '.']))
}

fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    format!("{host}-{:08x}", random::seed() & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_has_a_name_that_kubernetes_takes() {
        let name = lease_name("gatepost.dev/gateway-controller");
        assert_eq!(name, "gatepost.dev-gateway-controller.lease");
        assert_eq!(lease_name("A_b/"), "b.lease");
    }
}
