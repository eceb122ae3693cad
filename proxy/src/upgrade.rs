//! WebSocket and other upgrades: after 101 the two connections are joined.

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::endpoints::Busy;

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

/// Joins both sides until one of them ends.
pub fn join(client: OnUpgrade, backend: OnUpgrade, busy: Busy) {
    tokio::spawn(async move {
        let _busy = busy;
        let (client, backend) = match tokio::try_join!(client, backend) {
            Ok(sides) => sides,
            Err(error) => {
                tracing::debug!(%error, "upgrade failed");
                return;
            }
        };
        let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
        // How the connection ended is the business of the two ends.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
    });
}
