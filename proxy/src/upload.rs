//! The body that a client sends: passed on as it comes, kept while it may have to go out again, copied to mirrors. Its trailers
//! end here: what comes after a body may not change what the head said, and a recipient may discard it (RFC 9110 section 6.5.1).

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::error::BoxError;
use crate::mirror::{Copy, Piece};

/// Pieces that a mirror may be behind before it is given up.
const BEHIND: usize = 64;

/// A client's body.
#[derive(Clone, Debug)]
pub struct Upload(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    body: Incoming,
    length: Option<u64>,
    /// What was sent, while all of it fits.
    kept: Vec<Bytes>,
    room: usize,
    /// Whether something was sent that is not kept.
    lost: bool,
    ended: bool,
    mirrors: Vec<mpsc::Sender<Piece>>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    overdue: bool,
}

impl Upload {
    /// A body whose pauses are limited, and of which at most `room` bytes are kept for further attempts.
    pub fn new(body: Incoming, room: usize, idle: Duration) -> Upload {
        Upload(Arc::new(Mutex::new(Source {
            length: body.size_hint().exact(),
            body,
            kept: Vec::new(),
            room,
            lost: false,
            ended: false,
            mirrors: Vec::new(),
            idle,
            timer: None,
            overdue: false,
        })))
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        // What is inside stays sound whenever a holder panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of one attempt, from its beginning.
    pub fn attempt(&self) -> Attempt {
        Attempt {
            upload: self.clone(),
            sent: 0,
        }
    }

    /// Whether another attempt can begin at the beginning.
    pub fn again(&self) -> bool {
        !self.source().lost
    }

    /// Whether the client took too long.
    pub fn overdue(&self) -> bool {
        self.source().overdue
    }

    /// A copy of everything that is still to come.
    pub fn copy(&self) -> Copy {
        let (sender, receiver) = mpsc::channel(BEHIND);
        let mut source = self.source();
        source.mirrors.push(sender);
        Copy::new(receiver, source.length)
    }
}

/// A client's body, as one backend gets it.
#[derive(Debug)]
pub struct Attempt {
    upload: Upload,
    sent: usize,
}

impl Attempt {
    /// Its length, if the client said it.
    pub fn length(&self) -> Option<u64> {
        self.upload.source().length
    }

    /// Whether nothing is left.
    pub fn ended(&self) -> bool {
        let source = self.upload.source();
        source.ended && source.kept.len() <= self.sent
    }

    /// The next piece.
    pub fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut source = self.upload.source();
        if let Some(bytes) = source.kept.get(self.sent) {
            self.sent += 1;
            return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
        }
        if !source.ended {
            let frame = std::task::ready!(source.poll(context));
            self.sent = source.kept.len();
            if let Some(frame) = frame {
                return Poll::Ready(Some(frame));
            }
        }
        Poll::Ready(None)
    }
}

impl Source {
    /// The next data; `None` once it has ended.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => {
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + self.idle)));
                std::task::ready!(timer.as_mut().poll(context));
                self.overdue = true;
                self.mirrors.clear();
                Poll::Ready(Some(Err(
                    "the body of the request did not come in time".into()
                )))
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(timer) = &mut self.timer {
                    timer.as_mut().reset(Instant::now() + self.idle);
                }
                match frame.into_data() {
                    Ok(bytes) => {
                        self.keep(&bytes);
                        self.mirror(|| Piece::Data(bytes.clone()));
                        if self.body.is_end_stream() {
                            self.end();
                        }
                        Poll::Ready(Some(Ok(Frame::data(bytes))))
                    }
                    Err(_) => {
                        self.end();
                        Poll::Ready(None)
                    }
                }
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.lost = true;
                self.mirrors.clear();
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn keep(&mut self, bytes: &Bytes) {
        match self.room.checked_sub(bytes.len()) {
            Some(room) if !self.lost && room > 0 => {
                self.room = room;
                self.kept.push(bytes.clone());
            }
            _ => {
                self.lost = true;
                self.kept.clear();
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.mirror(|| Piece::End);
        self.mirrors.clear();
    }

    /// A mirror that is too far behind is given up: it never delays the request.
    fn mirror(&mut self, piece: impl Fn() -> Piece) {
        self.mirrors
            .retain(|mirror| mirror.try_send(piece()).is_ok());
    }
}
