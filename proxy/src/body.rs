//! Bodies that are streamed: toward backends, and toward clients.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::endpoints::Busy;
use crate::error::BoxError;
use crate::exchange::Exchange;
use crate::mirror::Copy;
use crate::upload::{Attempt, Upload};

/// What a request carries.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Nothing.
    Nothing,
    /// What is known whole.
    Whole(Bytes),
    /// What the client still sends.
    Upload(Upload),
}

impl Payload {
    /// The body of one attempt.
    pub fn attempt(&self) -> Outgoing {
        match self {
            Payload::Nothing => Outgoing::Whole(Bytes::new()),
            Payload::Whole(bytes) => Outgoing::Whole(bytes.clone()),
            Payload::Upload(upload) => Outgoing::Attempt(upload.attempt()),
        }
    }

    /// Whether another attempt could carry the same.
    pub fn again(&self) -> bool {
        match self {
            Payload::Nothing | Payload::Whole(_) => true,
            Payload::Upload(upload) => upload.again(),
        }
    }
}

/// The body of a request to a backend.
#[derive(Debug)]
pub enum Outgoing {
    /// Bytes that are there; none, if it is empty.
    Whole(Bytes),
    /// What a client sends.
    Attempt(Attempt),
    /// A copy of that.
    Copy(Copy),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Outgoing::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Outgoing::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Outgoing::Attempt(attempt) => attempt.poll(context),
            Outgoing::Copy(copy) => copy.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Whole(bytes) => bytes.is_empty(),
            Outgoing::Attempt(attempt) => attempt.ended(),
            Outgoing::Copy(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Outgoing::Attempt(attempt) => attempt
                .length()
                .map_or_else(SizeHint::new, SizeHint::with_exact),
            Outgoing::Copy(copy) => copy
                .length()
                .map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

/// The body of an answer to a client.
#[derive(Debug)]
pub struct Answer {
    content: Content,
    /// When it has to have ended.
    deadline: Option<Pin<Box<Sleep>>>,
    /// What is given back when it has.
    busy: Option<Busy>,
    /// Who wants to know.
    exchange: Option<Arc<Exchange>>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Stream(Incoming),
}

impl Answer {
    /// What we say ourselves.
    pub fn whole(bytes: impl Into<Bytes>) -> Answer {
        Answer {
            content: Content::Whole(bytes.into()),
            deadline: None,
            busy: None,
            exchange: None,
        }
    }

    /// What a backend says, until the deadline; then it is cut off.
    pub fn stream(body: Incoming, mut busy: Busy, deadline: Option<Instant>) -> Answer {
        if body.is_end_stream() {
            busy.whole();
        }
        let deadline = deadline.filter(|_| !body.is_end_stream());
        Answer {
            content: Content::Stream(body),
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            busy: Some(busy),
            exchange: None,
        }
    }

    /// Tells an exchange when it has ended.
    pub fn tell(&mut self, exchange: Arc<Exchange>) {
        self.exchange = Some(exchange);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.finish();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let answer = self.get_mut();
        let body = match &mut answer.content {
            Content::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Content::Whole(bytes) => {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))));
            }
            Content::Stream(body) => body,
        };
        if let Some(deadline) = &mut answer.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err("the time of the request is over".into())));
        }
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        if frame.is_none() || body.is_end_stream() {
            answer.busy.iter_mut().for_each(Busy::whole);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(body) => body.size_hint(),
        }
    }
}
