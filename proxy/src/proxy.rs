//! A proxy from start to stop.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gatepost::problem::Problem;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::metrics::Metrics;
use crate::options::Options;
use crate::reconcile::{Reconciler, View};
use crate::{admin, source};

/// Several events of one change are taken up together.
const SETTLE: Duration = Duration::from_millis(20);

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    view: Arc<ArcSwap<View>>,
    addresses: watch::Receiver<Vec<SocketAddr>>,
    admin: Option<SocketAddr>,
}

/// Why a proxy did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A file cannot be read.
    Unreadable(Vec<Problem>),
    /// The admin address cannot be bound.
    Admin(SocketAddr, io::Error),
    /// Where the API server is, or who we are there, cannot be found out.
    #[cfg(feature = "kubernetes")]
    Kubernetes(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Unreadable(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            StartError::Admin(address, error) => {
                write!(f, "the admin address `{address}` cannot be bound: {error}")
            }
            #[cfg(feature = "kubernetes")]
            StartError::Kubernetes(why) => write!(f, "Kubernetes: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Proxy {
    /// Reads the manifests, opens the listeners and serves until [`Proxy::shutdown`].
    ///
    /// # Errors
    ///
    /// If a file cannot be read at all, or the admin address is taken. A port of a listener that is taken is no error:
    /// the listener's status says so, and it is tried again.
    pub async fn start(options: Options) -> Result<Proxy, StartError> {
        let (metrics, view) = (
            Arc::new(Metrics::default()),
            Arc::new(ArcSwap::from_pointee(View::default())),
        );
        let mut reconciler = Reconciler::new(options.clone(), metrics.clone(), view.clone());
        let news = source::files::watch(&options.paths);
        let reading = reconciler.step().await;
        if reading.unreadable {
            reconciler.close().await;
            let errors = reading
                .problems
                .into_iter()
                .filter(|problem| problem.level == gatepost::problem::Level::Error);
            return Err(StartError::Unreadable(errors.collect()));
        }
        let admin = match options.admin {
            Some(address) => match admin::open(address, view.clone(), metrics).await {
                Ok((bound, task)) => Some((bound, task)),
                Err(error) => {
                    reconciler.close().await;
                    return Err(StartError::Admin(address, error));
                }
            },
            None => None,
        };
        let (stop, stopped) = oneshot::channel();
        let (told, addresses) = watch::channel(reconciler.addresses());
        let (bound, admin_task) = admin.unzip();
        let task = tokio::spawn(run(reconciler, news, stopped, told, admin_task));
        Ok(Proxy {
            stop,
            task,
            view,
            addresses,
            admin: bound,
        })
    }

    /// Serves the Gateways of an API server until [`Proxy::shutdown`]: whenever it can be reached, what it says is taken up.
    ///
    /// # Errors
    ///
    /// If there is no configuration of a client (in a pod, of its account; else a kubeconfig), or the admin address is taken.
    #[cfg(feature = "kubernetes")]
    pub async fn start_kubernetes(
        options: Options,
        settings: crate::kubernetes::Settings,
    ) -> Result<Proxy, StartError> {
        let (metrics, view) = (
            Arc::new(Metrics::default()),
            Arc::new(ArcSwap::from_pointee(View::default())),
        );
        let (bound, admin_task) = match options.admin {
            Some(address) => {
                let opened = admin::open(address, view.clone(), metrics.clone()).await;
                let (bound, task) = opened.map_err(|error| StartError::Admin(address, error))?;
                (Some(bound), Some(task))
            }
            None => (None, None),
        };
        let (stop, stopped) = oneshot::channel();
        let (told, addresses) = watch::channel(Vec::new());
        let running =
            crate::kubernetes::start(options, settings, metrics, view.clone(), told).await;
        let running = match running {
            Ok(running) => running,
            Err(why) => {
                if let Some(task) = admin_task {
                    task.abort();
                }
                return Err(StartError::Kubernetes(why));
            }
        };
        let task = tokio::spawn(async move {
            // Whoever drops the proxy stops it too.
            let _ = stopped.await;
            running.stop().await;
            if let Some(task) = admin_task {
                task.abort();
            }
        });
        Ok(Proxy {
            stop,
            task,
            view,
            addresses,
            admin: bound,
        })
    }

    /// What is served right now.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// The addresses that are listened on right now.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.borrow().clone()
    }

    /// The admin address.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Takes no more connections, lets requests end, and comes back when all is closed.
    pub async fn shutdown(self) {
        // A task that is gone already needs no word.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn run(
    mut reconciler: Reconciler,
    mut news: tokio::sync::mpsc::Receiver<()>,
    mut stopped: oneshot::Receiver<()>,
    told: watch::Sender<Vec<SocketAddr>>,
    admin: Option<JoinHandle<()>>,
) {
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(()) = news.recv() => {
                tokio::time::sleep(SETTLE).await;
                // What came meanwhile is part of the same change.
                while news.try_recv().is_ok() {}
                reconciler.step().await;
                told.send_replace(reconciler.addresses());
            }
        }
    }
    reconciler.close().await;
    if let Some(admin) = admin {
        admin.abort();
    }
}
