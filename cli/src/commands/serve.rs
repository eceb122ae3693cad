//! `gatepost serve`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use gatepost_proxy::kubernetes::Settings;
use gatepost_proxy::{ForwardedPolicy, Options, Proxy};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Forwarded, Serve};
use crate::input;

pub(crate) fn run(arguments: Serve) -> u8 {
    if arguments.files.iter().any(|path| path == Path::new("-")) {
        crate::output::tell("gatepost: `serve` watches files, so standard input cannot be served");
        return 2;
    }
    logging();
    let mut endpoints: BTreeMap<String, Vec<std::net::SocketAddr>> = BTreeMap::new();
    for (port, address) in arguments.endpoints {
        endpoints.entry(port).or_default().push(address);
    }
    let options = Options {
        controller: input::settings(&arguments.reading),
        channel: input::channel(arguments.reading.channel),
        paths: arguments.files,
        bind: arguments.bind,
        port_offset: arguments.port_offset,
        endpoints,
        admin: Some(arguments.admin),
        status_file: arguments.status_file,
        access_log: arguments.access_log,
        forwarded: match arguments.forwarded {
            Forwarded::Replace => ForwardedPolicy::Replace,
            Forwarded::Append => ForwardedPolicy::Append,
        },
        ..Options::default()
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            crate::output::tell(&format!("gatepost: threads cannot be started: {error}"));
            return 2;
        }
    };
    let kubernetes = arguments.kubernetes.then_some(Settings {
        address_pool: arguments.address_pool,
        namespace: arguments.lease_namespace,
        identity: None,
    });
    runtime.block_on(serve(options, kubernetes))
}

async fn serve(options: Options, kubernetes: Option<Settings>) -> u8 {
    // Before anything is served: whoever sees an answer may send a signal.
    let mut stopped = std::pin::pin!(stopped());
    let start = async {
        match kubernetes {
            None => Proxy::start(options).await,
            Some(settings) => Proxy::start_kubernetes(options, settings).await,
        }
    };
    let started = tokio::select! {
        started = start => started,
        () = &mut stopped => return 0,
    };
    let proxy = match started {
        Ok(proxy) => proxy,
        Err(error) => {
            crate::output::tell(&format!("gatepost: {error}"));
            return 2;
        }
    };
    if let Some(admin) = proxy.admin() {
        tracing::info!(%admin, "health, metrics, statuses and the table");
    }
    stopped.await;
    tracing::info!("stopping: requests under way are finished");
    proxy.shutdown().await;
    0
}

/// Waits for SIGTERM or SIGINT. Both are caught from the call on, not only while somebody waits.
pub(crate) fn stopped() -> impl Future<Output = ()> {
    let (terminate, interrupt) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async {
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            // Without signals there is only the end by force.
            _ => std::future::pending().await,
        }
    }
}

/// Lines on standard error; `RUST_LOG` says how many, and `NO_COLOR` is respected.
pub(crate) fn logging() {
    // What the client of the API server logs by itself is told by whoever asked.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "info,kube_client=off".into());
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let logger = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    // A caller that has a logger of its own keeps it.
    let _ = logger.try_init();
}
