//! The reader that stands between a client and the server: no byte of HTTP/1 passes that was not judged.
//!
//! A [`Guard`] lets a head through once [`head`](crate::head) has judged all of it, and a body as far as its framing
//! says. A head that is refused is replaced by a stand-in, so that its answer comes in its turn, behind those of the
//! requests before it; [`Exchange`] tells the service which request that is. HTTP/2 passes as it is, but for its resets,
//! which are counted. Clients that take too long for a head, or leave a connection unused, are let go here too.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use crate::chunked::Chunked;
use crate::exchange::Exchange;
use crate::frames::Frames;
use crate::head::{Framing, Refusal, Scanner, judge};
use crate::options::Limits;

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Stands for a head that was refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused.invalid\r\nConnection: close\r\n\r\n";
/// Bytes read at once.
const READ: usize = 16 << 10;
/// Bytes that are put together before they are written.
const TOGETHER: usize = 2 << 10;
/// How long, and how many bytes, a client that was refused is still read, so that it gets to see the answer
/// (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 8 << 20;

/// A stream whose end may have to say that what came before is not all.
pub trait Abort {
    /// The stream is closed now, in the way that tells.
    fn abort(&self) {}
}

impl Abort for TcpStream {
    fn abort(&self) {
        // A socket that does not know the option ends as it can.
        let _ = self.set_zero_linger();
    }
}

/// TLS says itself what is whole.
impl<S> Abort for TlsStream<S> {}

/// A connection whose requests are judged before they are read.
#[derive(Debug)]
pub struct Guard<S: Abort> {
    inner: S,
    state: State,
    exchange: Arc<Exchange>,
    /// Heads let through.
    requests: u64,
    /// What has arrived and is not judged.
    input: Vec<u8>,
    /// What may be read.
    output: Vec<u8>,
    read: usize,
    linger: Option<Pin<Box<Sleep>>>,
    lingered: usize,
    limits: Limits,
    /// When it was seen first that a head is incomplete that has begun.
    arrived: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Runs while the client takes nothing of what is written.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum State {
    /// HTTP/1 or HTTP/2: the first bytes tell.
    First,
    Head(Scanner),
    Length(u64, bool),
    Chunked(Chunked, bool),
    /// What follows is of HTTP/1 only if the answer does not change the protocol.
    Undecided,
    /// Another protocol.
    Open,
    Http2(Frames),
    /// The stand-in is the last that is read.
    Refused,
    /// The body is cut off.
    Cut,
}

impl<S: Abort> Drop for Guard<S> {
    fn drop(&mut self) {
        if self.exchange.broken() {
            self.inner.abort();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Abort + Unpin> Guard<S> {
    /// A guard; `http2` for connections whose handshake agreed on it.
    pub fn new(inner: S, http2: bool, limits: Limits) -> Guard<S> {
        Guard {
            inner,
            state: if http2 {
                State::Http2(frames(&limits))
            } else {
                State::First
            },
            limits,
            arrived: None,
            timer: None,
            stalled: None,
            exchange: Arc::default(),
            requests: 0,
            input: Vec::new(),
            output: Vec::new(),
            read: 0,
            linger: None,
            lingered: 0,
        }
    }

    /// Whether HTTP/2 is spoken, as far as the first head says.
    pub fn http2(&self) -> bool {
        matches!(self.state, State::Http2(_))
    }

    /// What the service needs.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Waits for the first head; `false` if the client went away, or took too long for its first byte.
    ///
    /// # Errors
    ///
    /// If the connection breaks.
    pub async fn first(&mut self) -> io::Result<bool> {
        if matches!(self.state, State::Http2(_)) {
            return Ok(true);
        }
        poll_fn(|context| self.poll_output(context)).await
    }

    /// Makes some output; `false` at the end.
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if self.read < self.output.len() {
                return Poll::Ready(Ok(true));
            }
            self.output.clear();
            self.read = 0;
            if matches!(self.state, State::Undecided) && !self.decided(context) {
                return Poll::Pending;
            }
            match self.state {
                // The answer closes the connection; an end would make the server give up before it.
                State::Refused => return Poll::Pending,
                State::Cut => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                _ => {}
            }
            if self.judge() {
                continue;
            }
            match self.poll_input(context) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => {
                    if !self.ended() {
                        return Poll::Ready(Ok(false));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if !self.overdue(context) => return Poll::Pending,
                Poll::Pending => {
                    let begun = matches!(&self.state, State::First | State::Head(_))
                        && !self.input.is_empty();
                    if !begun {
                        return Poll::Ready(Ok(false));
                    }
                    self.refuse(Refusal {
                        status: StatusCode::REQUEST_TIMEOUT,
                        why: "the head did not come in time",
                    });
                }
            }
        }
    }

    /// Whether the client has taken too long; if not, the task is woken when it has.
    fn overdue(&mut self, context: &mut Context<'_>) -> bool {
        let (head, idle) = (self.limits.head, self.limits.idle);
        loop {
            let due = match &self.state {
                State::First => Some(self.exchange.opened() + head),
                State::Head(_) if !self.input.is_empty() => {
                    Some(*self.arrived.get_or_insert_with(Instant::now) + head)
                }
                State::Head(_) if self.requests == 0 => Some(self.exchange.opened() + head),
                // While an answer is under way the client may wait; what comes after it is asked for later.
                State::Head(_) | State::Http2(_) => {
                    self.exchange.unused(self.requests).map(|at| at + idle)
                }
                _ => return false,
            };
            // A timer that is too early is set again when it fires: few are, and setting it costs more than firing. Nor is
            // the clock read before.
            let runs = |timer: &Pin<Box<Sleep>>| {
                !timer.is_elapsed() && due.is_none_or(|due| timer.deadline() <= due)
            };
            if !self.timer.as_ref().is_some_and(runs) {
                let now = Instant::now();
                let due = due.unwrap_or(now + idle);
                if due <= now {
                    return true;
                }
                match &mut self.timer {
                    Some(timer) => timer.as_mut().reset(due),
                    None => self.timer = Some(Box::pin(sleep_until(due))),
                }
            }
            if let Some(timer) = &mut self.timer
                && timer.as_mut().poll(context).is_pending()
            {
                return false;
            }
        }
    }

    /// Whether it is known how the connection goes on.
    fn decided(&mut self, context: &Context<'_>) -> bool {
        match self.exchange.decided(self.requests, context.waker()) {
            Some(true) => self.state = State::Open,
            Some(false) => self.state = State::Head(Scanner::default()),
            None => return false,
        }
        true
    }

    /// Judges what has arrived; `false` if more of it is needed.
    fn judge(&mut self) -> bool {
        match &mut self.state {
            State::First => {
                let beginning = self.input.len().min(PREFACE.len());
                if self.input.get(..beginning) != PREFACE.get(..beginning) {
                    self.state = State::Head(Scanner::default());
                } else if beginning == PREFACE.len() {
                    self.state = State::Http2(frames(&self.limits));
                } else {
                    return false;
                }
                true
            }
            State::Head(scanner) => match scanner.scan(&self.input) {
                Ok(None) => false,
                Ok(Some((start, end))) => {
                    let head = self.input.get(start..end).unwrap_or_default();
                    match judge(head) {
                        Ok(judged) => {
                            self.output.extend_from_slice(head);
                            self.input.drain(..end);
                            self.arrived = None;
                            self.requests += 1;
                            self.state = match judged.framing {
                                Framing::Length(length) => State::Length(length, judged.may_switch),
                                Framing::Chunked => {
                                    State::Chunked(Chunked::default(), judged.may_switch)
                                }
                            };
                        }
                        Err(refusal) => self.refuse(refusal),
                    }
                    true
                }
                Err(refusal) => {
                    self.refuse(refusal);
                    true
                }
            },
            State::Length(0, may_switch) => {
                self.state = next(*may_switch);
                true
            }
            State::Length(left, _) => {
                let here = usize::try_from(*left)
                    .map_or(self.input.len(), |left| left.min(self.input.len()));
                self.output.extend(self.input.drain(..here));
                *left -= here as u64;
                here > 0
            }
            State::Chunked(body, may_switch) => match body.take(&self.input, &mut self.output) {
                Ok(taken) => {
                    self.input.drain(..taken);
                    if body.done() {
                        self.state = next(*may_switch);
                        return true;
                    }
                    taken > 0
                }
                Err(refusal) => {
                    self.cut(refusal);
                    true
                }
            },
            State::Open => {
                std::mem::swap(&mut self.input, &mut self.output);
                !self.output.is_empty()
            }
            State::Http2(frames) => {
                if !frames.take(&self.input) {
                    self.state = State::Cut;
                    return true;
                }
                std::mem::swap(&mut self.input, &mut self.output);
                !self.output.is_empty()
            }
            State::Undecided | State::Refused | State::Cut => true,
        }
    }

    /// The client sends no more; whether there is something to say to it.
    fn ended(&mut self) -> bool {
        let begun = match &self.state {
            State::First => !self.input.is_empty(),
            State::Head(scanner) => scanner.begun(&self.input),
            State::Length(..) | State::Chunked(..) => {
                self.cut(Refusal::bad("the body ends too early"));
                return true;
            }
            _ => false,
        };
        if begun {
            self.refuse(Refusal::bad("the head ends too early"));
        }
        begun
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.exchange.refuse(self.requests + 1, refusal);
        self.input = Vec::new();
        self.output.extend_from_slice(STAND_IN);
        self.state = State::Refused;
    }

    fn cut(&mut self, refusal: Refusal) {
        self.exchange.cut(refusal);
        self.input = Vec::new();
        self.state = State::Cut;
    }

    fn wrote(&mut self, polled: &Poll<io::Result<usize>>) {
        if let (State::Http2(frames), Poll::Ready(Ok(bytes))) = (&mut self.state, polled) {
            frames.wrote(*bytes);
        }
    }

    /// What became of a write; an error if the client has taken nothing for too long.
    fn written<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let limit = self.limits.body_idle;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        std::task::ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Read into memory of the thread: a connection that waits holds none.
        BUFFER.with_borrow_mut(|bytes| {
            let mut buffer = ReadBuf::new(bytes);
            let polled = Pin::new(&mut self.inner).poll_read(context, &mut buffer);
            self.input.extend_from_slice(buffer.filled());
            polled.map_ok(|()| !buffer.filled().is_empty())
        })
    }
}

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

fn frames(limits: &Limits) -> Frames {
    Frames::new(limits.resets, limits.resets_within)
}

fn next(may_switch: bool) -> State {
    if may_switch {
        State::Undecided
    } else {
        State::Head(Scanner::default())
    }
}

impl<S: AsyncRead + AsyncWrite + Abort + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        let empty = guard.read == guard.output.len() && guard.input.is_empty();
        if empty && matches!(guard.state, State::Http2(_)) {
            let before = buffer.filled().len();
            match Pin::new(&mut guard.inner).poll_read(context, buffer) {
                Poll::Pending if guard.overdue(context) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read?,
            }
            let arrived = buffer.filled().get(before..).unwrap_or_default();
            if let State::Http2(frames) = &mut guard.state
                && !frames.take(arrived)
            {
                tracing::debug!("a client floods its connection");
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            return Poll::Ready(Ok(()));
        }
        match &mut guard.state {
            // What needs no judgement is read into its place.
            State::Open if empty => return Pin::new(&mut guard.inner).poll_read(context, buffer),
            State::Length(left, _) if empty && *left > 0 => {
                let room = buffer.remaining();
                let most = usize::try_from(*left).map_or(room, |left| left.min(room));
                let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
                std::task::ready!(Pin::new(&mut guard.inner).poll_read(context, &mut part))?;
                let arrived = part.filled().len();
                if arrived > 0 || most == 0 {
                    buffer.advance(arrived);
                    *left -= arrived as u64;
                    return Poll::Ready(Ok(()));
                }
                guard.cut(Refusal::bad("the body ends too early"));
            }
            _ => {}
        }
        if std::task::ready!(guard.poll_output(context))? {
            let ready = guard.output.get(guard.read..).unwrap_or_default();
            let here = ready.len().min(buffer.remaining());
            buffer.put_slice(ready.get(..here).unwrap_or_default());
            guard.read += here;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Abort + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wrote(&polled);
        self.written(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.iter().map(|part| part.len()).sum::<usize>();
        let polled = if length <= TOGETHER {
            // Copying a little costs less than a call of the system with several parts.
            BUFFER.with_borrow_mut(|buffer| {
                let mut rest = &mut **buffer;
                for part in bytes {
                    let (here, after) = std::mem::take(&mut rest).split_at_mut(part.len());
                    here.copy_from_slice(part);
                    rest = after;
                }
                let whole = buffer.get(..length).unwrap_or_default();
                Pin::new(&mut self.inner).poll_write(context, whole)
            })
        } else {
            Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
        };
        self.wrote(&polled);
        self.written(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
        let guard = &mut *self;
        if !matches!(guard.state, State::Refused | State::Cut) {
            return Poll::Ready(Ok(()));
        }
        // Closing with bytes unread makes the system reset the connection, and the answer may be lost.
        let linger = guard
            .linger
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if linger.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        while guard.lingered < LINGER_BYTES {
            guard.input.clear();
            match std::task::ready!(guard.poll_input(context)) {
                Ok(true) => guard.lingered += guard.input.len(),
                Ok(false) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
