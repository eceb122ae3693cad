//! WebSocket and other upgrades: after 101 the two connections are joined.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use crate::connected::Connection;
use crate::endpoints::Busy;
use crate::listen::Hold;

/// The protocol that a request asks to change to (RFC 9110 section 7.8).
///
/// Never another HTTP or TLS: requests inside would pass by the routes.
pub fn wanted(headers: &HeaderMap) -> Option<HeaderValue> {
    let listed = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let named = listed
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("upgrade"));
    if named {
        let protocol = headers.get(UPGRADE)?;
        let text = protocol.to_str().ok()?.to_ascii_lowercase();
        let hidden = text.split(',').any(|name| {
            ["h2", "http", "tls"]
                .iter()
                .any(|own| name.trim().starts_with(own))
        });
        (!hidden).then(|| protocol.clone())
    } else {
        None
    }
}

/// Whether the protocol that a backend changed to is among those that were asked for (RFC 9110 section 7.8).
pub fn fits<'v>(wanted: &HeaderValue, changed: impl Iterator<Item = &'v HeaderValue>) -> bool {
    let names = |value: &'v [u8]| value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let wanted: Vec<&[u8]> = wanted
        .as_bytes()
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .collect();
    let mut changed = changed.flat_map(|value| names(value.as_bytes())).peekable();
    changed.peek().is_some()
        && changed.all(|own| wanted.iter().any(|name| name.eq_ignore_ascii_case(own)))
}

/// Joins both sides until one of them ends, or the time to drain is over. The connection keeps its place among those of its
/// socket until then.
pub fn join(client: OnUpgrade, backend: (Connection, Bytes), busy: Busy, hold: Arc<Hold>) {
    tokio::spawn(async move {
        let _busy = busy;
        let client = match client.await {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(%error, "upgrade failed");
                return;
            }
        };
        let (mut client, (mut backend, first)) = (TokioIo::new(client), backend);
        let work = async {
            client.write_all(&first).await?;
            tokio::io::copy_bidirectional(&mut client, &mut backend).await
        };
        tokio::select! {
            // How the connection ended is the business of the two ends.
            _ = work => {}
            () = hold.over() => {}
        }
    });
}
