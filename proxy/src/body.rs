//! Bodies that are streamed: toward backends, and toward clients.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connected::Connection;
use crate::endpoints::Busy;
use crate::error::BoxError;
use crate::exchange::Exchange;
use crate::fields::trailers;
use crate::http1::Http1Body;
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

impl Outgoing {
    /// The body, with none left in its place.
    pub fn take(&mut self) -> Outgoing {
        std::mem::replace(self, Outgoing::Whole(Bytes::new()))
    }
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

/// The body of a backend's answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// By HTTP/1.
    Http1(Box<Http1Body>),
    /// By HTTP/2.
    Http2(Incoming),
    /// None: the connection goes on in another protocol, and these bytes of it are there already.
    Changed(Box<(Connection, Bytes)>),
    /// None.
    Nothing,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Reply::Http1(body) => body.poll_frame(context),
            Reply::Http2(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Reply::Changed(_) | Reply::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Reply::Http1(body) => body.is_end_stream(),
            Reply::Http2(body) => body.is_end_stream(),
            Reply::Changed(_) | Reply::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Reply::Http1(body) => body.size_hint(),
            Reply::Http2(body) => body.size_hint(),
            Reply::Changed(_) | Reply::Nothing => SizeHint::with_exact(0),
        }
    }
}

/// The body of an answer to a client.
#[derive(Debug)]
pub struct Answer {
    content: Content,
    /// When it has to have ended.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The endpoint is at work until then.
    busy: Option<Busy>,
    /// Who wants to know.
    exchange: Option<Arc<Exchange>>,
    /// Whether the client knows its end by that of the connection.
    until_close: bool,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Stream(Reply),
}

impl Answer {
    /// What we say ourselves.
    pub fn whole(bytes: impl Into<Bytes>) -> Answer {
        Answer {
            content: Content::Whole(bytes.into()),
            deadline: None,
            busy: None,
            exchange: None,
            until_close: false,
        }
    }

    /// What a backend says, until the deadline; then it is cut off.
    pub fn stream(body: Reply, busy: Busy, deadline: Option<Instant>) -> Answer {
        let deadline = deadline.filter(|_| !body.is_end_stream());
        Answer {
            content: Content::Stream(body),
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            busy: Some(busy),
            exchange: None,
            until_close: false,
        }
    }

    /// Tells an exchange when it has ended; over HTTP/1.0 nothing but the end of the connection may tell the client.
    pub fn tell(&mut self, exchange: Arc<Exchange>, version: Version) {
        self.until_close = version < Version::HTTP_11 && self.size_hint().exact().is_none();
        self.exchange = Some(exchange);
    }

    fn cut_short(&self) {
        if let Some(exchange) = self.exchange.as_ref().filter(|_| self.until_close) {
            exchange.cut_short();
        }
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
            answer.cut_short();
            return Poll::Ready(Some(Err("the time of the request is over".into())));
        }
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        match &frame {
            None => answer.busy = None,
            Some(Err(_)) => answer.cut_short(),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => Ok(match frame.into_trailers() {
                Ok(found) => Frame::trailers(trailers(found)),
                Err(frame) => frame,
            }),
            Err(error) => Err(error),
        }))
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
