//! RequestMirror: a copy of a request goes to one endpoint, and nobody waits for what becomes of it.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatepost::rule::{Listener, Mirror};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::body::{Outgoing, Payload};
use crate::error::BoxError;
use crate::forward::{Target, head};
use crate::random;
use crate::state::{Plane, Served};

/// How long a copy may take, whatever its backend does.
const LONGEST: Duration = Duration::from_secs(30);

/// What a mirror gets of a body.
#[derive(Debug)]
pub enum Piece {
    /// Some bytes.
    Data(Bytes),
    /// All was sent.
    End,
}

/// The copy of a body.
#[derive(Debug)]
pub struct Copy {
    pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
    done: bool,
}

impl Copy {
    /// A copy of what comes through a channel.
    pub fn new(pieces: mpsc::Receiver<Piece>, length: Option<u64>) -> Copy {
        Copy {
            pieces,
            length,
            done: false,
        }
    }

    /// Its length, if it is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; an error if the original was given up, so that half of it is never taken for the whole.
    pub fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        Poll::Ready(match piece {
            Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => {
                self.done = true;
                None
            }
            None => {
                self.done = true;
                Some(Err("the request was given up".into()))
            }
        })
    }
}

/// Sends a copy if the mirror's fraction says so; `parts` is the request as it stands. Never waits, never fails.
pub fn send(
    plane: &Arc<Plane>,
    served: &Served,
    (listener, grpc): (&Listener, bool),
    mirror: &Mirror,
    parts: &http::request::Parts,
    payload: &Payload,
) {
    if !mirror.takes(random::draw()) {
        return;
    }
    let Ok(destination) = &mirror.backend.destination else {
        return;
    };
    let (Ok(permit), Some(addresses)) = (
        plane.mirrors.clone().try_acquire_owned(),
        served.endpoints.get(&destination.port).cloned(),
    ) else {
        plane.metrics.mirrors_dropped.inc();
        return;
    };
    let target = match Target::new(plane, destination, listener, grpc) {
        Ok(target) => target,
        Err(error) => return tracing::debug!(%error, "mirror"),
    };
    let mut parts = parts.clone();
    parts.extensions.clear();
    let mut body = match payload {
        Payload::Upload(upload) => Outgoing::Copy(upload.copy()),
        other => other.attempt(),
    };
    let plane = plane.clone();
    tokio::spawn(async move {
        let _permit = permit;
        let work = async {
            let endpoint = addresses.choose(&[]).ok_or("the mirror has no endpoint")?;
            head(&target, &mut parts)?;
            let sent = plane.pool.send(&endpoint, &target, &mut parts, &mut body);
            let (answer, _busy) = sent.await.map_err(|(error, _)| error)?;
            let mut body = answer.into_body();
            while let Some(frame) = body.frame().await {
                frame?;
            }
            Ok::<(), BoxError>(())
        };
        match tokio::time::timeout(LONGEST, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "mirror"),
            Err(_) => tracing::debug!("a mirror took too long"),
        }
    });
}
