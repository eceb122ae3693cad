//! HTTP/1.1 toward a backend, over one connection, in the task of the request.
//!
//! A connection that is not in use has no task and no timer of its own. An answer that comes before the request is out
//! goes on beside it; its connection is not used again.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::task::AbortHandle;

use crate::answer::{self, AnswerHead, Framing};
use crate::body::Outgoing;
use crate::chunked::Chunked;
use crate::connected::Connection;
use crate::error::BoxError;
use crate::kept::Place;

/// Interim answers that are passed over before the one that counts.
const INTERIM: usize = 1000;
/// Bytes read at once.
const READ: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Failed {
    /// What went wrong.
    pub error: BoxError,
    /// Whether some of the request went out; if not, it is as it was.
    pub begun: bool,
    /// Whether nothing was heard of the backend.
    pub silent: bool,
}

/// What a backend says, and the connection itself if it changed the protocol.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Answered {
    /// The answer; its body lies apart, so that passing it on costs little.
    pub response: Response<Box<Http1Body>>,
    /// After 101: the connection, and what came over it behind the head.
    pub changed: Option<(Connection, Bytes)>,
}

/// Sends a request and reads the head of its answer. `place` is where the connection is kept afterwards.
///
/// # Errors
///
/// If the connection breaks, the client's body does, or the answer is not well formed.
pub async fn send(
    connection: Connection,
    head: &Parts,
    body: &mut Outgoing,
    place: Place,
) -> Result<Answered, Failed> {
    let to_head = head.method == Method::HEAD;
    let mut exchange = Exchange {
        upload: Upload::new(head, body),
        connection,
        input: BytesMut::new(),
        seen: 0,
        interim: 0,
    };
    let mut begun = false;
    let answer = poll_fn(|context| exchange.poll(context, body, &mut begun, to_head)).await;
    let (answer, sent) = match answer {
        Ok(found) => found,
        Err(error) => {
            return Err(Failed {
                error,
                begun,
                silent: exchange.input.is_empty() && exchange.interim == 0,
            });
        }
    };
    let AnswerHead {
        status,
        headers,
        framing,
        lasting,
    } = answer;
    let Exchange {
        connection,
        input,
        upload,
        ..
    } = exchange;
    let mut response = Response::new(Box::new(Http1Body::empty()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let changed = Some((connection, input.freeze()));
        return Ok(Answered { response, changed });
    }
    let reply = response.body_mut();
    if sent {
        reply.side = Some(Side::Whole(connection));
        reply.place = lasting.then_some(place);
    } else {
        reply.side = Some(beside(connection, upload, body.take()));
    }
    reply.reading(input, framing);
    Ok(Answered {
        response,
        changed: None,
    })
}

/// A request that goes out while its answer is awaited.
struct Exchange {
    connection: Connection,
    upload: Upload,
    input: BytesMut,
    /// Bytes of the input that have been looked at.
    seen: usize,
    interim: usize,
}

impl Exchange {
    /// The head of the answer, and whether all of the request is out.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        body: &mut Outgoing,
        begun: &mut bool,
        to_head: bool,
    ) -> Poll<Result<(AnswerHead, bool), BoxError>> {
        let mut sent = self.upload.poll(context, &mut self.connection, body);
        *begun |= self.upload.begun;
        if let Poll::Ready(Err(Broken::Connection(_))) = &sent
            && *begun
        {
            // A backend that has heard enough answers and closes: what it said counts.
            self.upload.give_up();
            sent = Poll::Pending;
        }
        if let Poll::Ready(Err(Broken::Connection(error) | Broken::Body(error))) = sent {
            return Poll::Ready(Err(error));
        }
        loop {
            if let Some(end) = (!self.input.is_empty())
                .then(|| answer::end(&self.input, self.seen))
                .transpose()?
                .flatten()
            {
                let head = answer::take(&mut self.input, end, to_head)?;
                self.seen = 0;
                if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS
                {
                    self.interim += 1;
                    if self.interim > INTERIM {
                        return Poll::Ready(Err("interim answers without end".into()));
                    }
                    continue;
                }
                return Poll::Ready(Ok((head, sent.is_ready())));
            }
            self.seen = self.input.len();
            let read = read(&mut self.connection, context, READ, |bytes| {
                if self.input.is_empty() {
                    self.input = BytesMut::from(bytes);
                } else {
                    self.input.extend_from_slice(bytes);
                }
            });
            if ready!(read)? == 0 {
                return Poll::Ready(Err("the connection was closed before an answer came".into()));
            }
        }
    }
}

/// Who is to blame that a request did not go out.
enum Broken {
    Connection(BoxError),
    Body(BoxError),
}

/// A request on its way out.
struct Upload {
    out: Vec<u8>,
    written: usize,
    length: Length,
    begun: bool,
    done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// So many bytes are still to come.
    Known(u64),
    Chunks,
}

impl Upload {
    fn new(request: &Parts, body: &Outgoing) -> Upload {
        let length = match body.size_hint().exact() {
            Some(length) => Length::Known(length),
            None => Length::Chunks,
        };
        Upload {
            out: head(request, length),
            written: 0,
            length,
            begun: false,
            done: false,
        }
    }

    fn give_up(&mut self) {
        self.out.clear();
        (self.written, self.done) = (0, true);
    }

    /// Ready once all of it is out.
    fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
        body: &mut Outgoing,
    ) -> Poll<Result<(), Broken>> {
        let broken = |error: io::Error| Broken::Connection(error.into());
        // A body that is said to be empty has to be, before anybody hears of the request.
        if !self.begun && self.length == Length::Known(0) && !body.is_end_stream() {
            match ready!(Pin::new(&mut *body).poll_frame(context)) {
                Some(Err(error)) => return Poll::Ready(Err(Broken::Body(error))),
                Some(Ok(_)) => {
                    return Poll::Ready(Err(Broken::Body("the body is too long".into())));
                }
                None => self.done = true,
            }
        }
        loop {
            while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
                let wrote =
                    ready!(Pin::new(&mut *stream).poll_write(context, rest)).map_err(broken)?;
                if wrote == 0 {
                    return Poll::Ready(Err(broken(io::ErrorKind::WriteZero.into())));
                }
                self.written += wrote;
                self.begun = true;
            }
            self.out.clear();
            self.written = 0;
            // The end of the body is heard, so that whoever gets a copy of it hears it too.
            if self.done || (self.length == Length::Known(0) && body.is_end_stream()) {
                self.done = true;
                return Pin::new(&mut *stream).poll_flush(context).map_err(broken);
            }
            let frame = match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(Pin::new(&mut *stream).poll_flush(context)).map_err(broken)?;
                    return Poll::Pending;
                }
            };
            let data = match frame {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Err(Broken::Body(error))),
                None if self.length == Length::Chunks => {
                    self.out.extend_from_slice(b"0\r\n\r\n");
                    self.done = true;
                    continue;
                }
                None if self.length == Length::Known(0) => {
                    self.done = true;
                    continue;
                }
                None => return Poll::Ready(Err(Broken::Body("the body ends too early".into()))),
            };
            match &mut self.length {
                Length::Known(left) => match left.checked_sub(data.len() as u64) {
                    Some(rest) => *left = rest,
                    None => return Poll::Ready(Err(Broken::Body("the body is too long".into()))),
                },
                // An empty chunk would be the last.
                Length::Chunks if data.is_empty() => continue,
                Length::Chunks => self
                    .out
                    .extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes()),
            }
            self.out.extend_from_slice(&data);
            if self.length == Length::Chunks {
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// A head as it is sent: the body says how it ends, whatever the fields did.
fn head(request: &Parts, length: Length) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    let path = request.uri.path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in &request.headers {
        if *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let said = request.headers.contains_key(CONTENT_LENGTH)
        || matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
    match length {
        Length::Chunks => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // RFC 9110 section 8.6: methods that expect a body say that there is none.
        Length::Known(0) if !said => {}
        Length::Known(length) => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = write!(text, "content-length: {length}\r\n");
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Reads what there is, up to `most` bytes, and hands it on: connections that wait hold no memory.
fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    context: &mut Context<'_>,
    most: usize,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    BUFFER.with_borrow_mut(|bytes| {
        let most = most.min(bytes.len());
        let mut buffer = ReadBuf::new(bytes.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        take(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    })
}

/// Sends the rest of a request while its answer is read: whoever reads may wait for the other.
fn beside(connection: Connection, mut upload: Upload, mut body: Outgoing) -> Side {
    let (reader, mut writer): (_, WriteHalf<Connection>) = tokio::io::split(connection);
    let task = tokio::spawn(async move {
        // How it ends is told by the answer, or by its end.
        let _ = poll_fn(|context| upload.poll(context, &mut writer, &mut body)).await;
        std::future::pending::<()>().await;
    });
    Side::Half {
        reader,
        _upload: Uploading(task.abort_handle()),
    }
}

/// Ends with what it belongs to.
#[derive(Debug)]
struct Uploading(AbortHandle);

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
enum Side {
    Whole(Connection),
    Half {
        reader: ReadHalf<Connection>,
        _upload: Uploading,
    },
}

/// The body of an answer; its connection is kept once it was read whole.
#[derive(Debug)]
pub struct Http1Body {
    side: Option<Side>,
    input: BytesMut,
    left: Left,
    place: Option<Place>,
    /// What went wrong, told once what came before is on its way.
    failed: Option<BoxError>,
}

#[derive(Debug)]
enum Left {
    Length(u64),
    Chunks(Box<Chunked>),
    Close,
    Done,
}

impl Http1Body {
    fn empty() -> Http1Body {
        Http1Body {
            side: None,
            input: BytesMut::new(),
            left: Left::Done,
            place: None,
            failed: None,
        }
    }

    fn reading(&mut self, input: BytesMut, framing: Framing) {
        self.input = input;
        self.left = match framing {
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunks(Box::new(Chunked::bare())),
            Framing::Close => Left::Close,
        };
        if framing == Framing::Length(0) {
            self.end();
        }
    }

    /// The body has been read whole. What comes unasked behind it makes the connection useless.
    fn end(&mut self) {
        self.left = Left::Done;
        if let (Some(Side::Whole(connection)), Some(place), true) =
            (self.side.take(), self.place.take(), self.input.is_empty())
        {
            place.keep(connection);
        }
    }

    /// Whether nothing is left.
    pub fn is_end_stream(&self) -> bool {
        matches!(self.left, Left::Done) && self.failed.is_none()
    }

    /// What is left.
    pub fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Length(length) => SizeHint::with_exact(length),
            Left::Done if self.failed.is_none() => SizeHint::with_exact(0),
            Left::Chunks(_) | Left::Close | Left::Done => SizeHint::new(),
        }
    }

    /// The next piece.
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let most = match &mut self.left {
                Left::Done => return Poll::Ready(self.failed.take().map(Err)),
                Left::Length(left) if !self.input.is_empty() => {
                    let here = usize::try_from(*left)
                        .map_or(self.input.len(), |left| left.min(self.input.len()));
                    let data = self.input.split_to(here).freeze();
                    *left -= here as u64;
                    if *left == 0 {
                        self.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Left::Length(left) => usize::try_from(*left).unwrap_or(READ),
                Left::Close if !self.input.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(self.input.split().freeze()))));
                }
                Left::Close => READ,
                Left::Chunks(chunks) => {
                    let mut out = Vec::new();
                    let taken = match chunks.take(&self.input, &mut out) {
                        Ok(taken) => taken,
                        Err(refusal) => return self.fail(context, refusal.why.into()),
                    };
                    let _ = self.input.split_to(taken);
                    if chunks.done() {
                        self.end();
                    }
                    if !out.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(out.into()))));
                    }
                    if self.is_end_stream() {
                        continue;
                    }
                    READ
                }
            };
            let input = &mut self.input;
            let take = |bytes: &[u8]| input.extend_from_slice(bytes);
            let read = match &mut self.side {
                Some(Side::Whole(connection)) => read(connection, context, most, take),
                Some(Side::Half { reader, .. }) => read(reader, context, most, take),
                None => Poll::Ready(Ok(0)),
            };
            match ready!(read) {
                Ok(0) if matches!(self.left, Left::Close) => self.end(),
                Ok(0) => return self.fail(context, "the answer ends too early".into()),
                Ok(_) => {}
                Err(error) => return self.fail(context, error.into()),
            }
        }
    }

    /// Gives whoever reads the time to pass on what it has, the head at least: an error makes a server let go at once.
    fn fail(
        &mut self,
        context: &Context<'_>,
        error: BoxError,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.place = None;
        self.end();
        self.failed = Some(error);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
