//! A tunnel that is up: WebSocket messages on one side, bytes on the other.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream as _};
use sshprobe_probes::evidence::{Errno, Tunnel};
use sshprobe_probes::iap::{
    CLOSE_FRAME_MAX, DATA_MAX, Event, FrameError, How, IapEnd, IapSession, Phase, RelayFault, Sieve, close_frame_at_end,
};
use sshprobe_probes::probe::Leave;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};

use crate::sys::clock::Clock;
use crate::transport::iap::token::Token;
use crate::transport::iap::words::{self, Journey};
use crate::transport::proxy::ProxyPath;
use crate::transport::seam::{PathEnd, SoftError, Stream};

/// How long the words of parting may take.
const FAREWELL: Duration = Duration::from_millis(50);

/// What the WebSocket runs over.
#[derive(Debug)]
pub(super) struct Wire {
    over: Over,
    /// The last bytes read, as many as a Close frame can have.
    last: Vec<u8>,
    /// The first ones, for as long as somebody else holds this too: until the upgrade is answered.
    first: Arc<Mutex<Vec<u8>>>,
}

/// How much of an answer to the upgrade is kept, for what the library does not understand: its first line is in it.
const FIRST_MAX: usize = 512;

#[derive(Debug)]
enum Over {
    /// `ws://`, to this machine alone.
    Tcp(ProxyPath),
    /// `wss://`.
    Tls(Box<TlsStream<ProxyPath>>),
}

impl Wire {
    pub(super) fn clear(path: ProxyPath) -> Self {
        Self { over: Over::Tcp(path), last: Vec::new(), first: Arc::default() }
    }

    pub(super) fn tls(stream: TlsStream<ProxyPath>) -> Self {
        Self { over: Over::Tls(Box::new(stream)), last: Vec::new(), first: Arc::default() }
    }

    /// What is read first.
    pub(super) fn first(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.first)
    }

    fn tcp(&self) -> &ProxyPath {
        match &self.over {
            Over::Tcp(path) => path,
            Over::Tls(stream) => stream.get_ref().0,
        }
    }

    fn tcp_mut(&mut self) -> &mut ProxyPath {
        match &mut self.over {
            Over::Tcp(path) => path,
            Over::Tls(stream) => stream.get_mut().0,
        }
    }

    fn keep(&mut self, read: &[u8]) {
        if Arc::strong_count(&self.first) > 1 {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            let room = FIRST_MAX.saturating_sub(first.len());
            first.extend_from_slice(&read[..read.len().min(room)]);
        }
        let new = &read[read.len().saturating_sub(CLOSE_FRAME_MAX)..];
        let over = (self.last.len() + new.len()).saturating_sub(CLOSE_FRAME_MAX);
        self.last.drain(..over);
        self.last.extend_from_slice(new);
    }
}

/// A tunnel, from the upgrade on.
#[derive(Debug)]
pub struct IapPath {
    socket: WebSocketStream<Wire>,
    session: IapSession,
    clock: Clock,
    /// What came of the server's and was not read yet.
    rest: Bytes,
    /// Something is written that the socket has not taken yet.
    unflushed: bool,
    end: Option<IapEnd>,
    tunnel: Tunnel,
    journey: Journey,
    token: Token,
    /// Looks for the token in what is said to be the server's.
    sieve: Sieve,
}

/// What a message came to.
pub(super) enum Heard {
    /// The session is announced.
    Opened,
    /// Bytes of the server's.
    Data(Bytes),
    /// Nothing that matters here.
    Nothing,
    /// It is over.
    End(IapEnd),
}

impl IapPath {
    pub(super) fn new(
        socket: WebSocketStream<Wire>,
        clock: Clock,
        tunnel: Tunnel,
        journey: Journey,
        token: Token,
    ) -> Self {
        let session = IapSession::new(clock.now());
        Self {
            socket,
            session,
            clock,
            rest: Bytes::new(),
            unflushed: false,
            end: None,
            tunnel,
            journey,
            token,
            sieve: Sieve::default(),
        }
    }

    /// The next message, and what it comes to.
    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let message = ready!(Pin::new(&mut self.socket).poll_next(cx));
        Poll::Ready(match message {
            Some(Ok(Message::Binary(message))) => match self.session.message(self.clock.now(), &message) {
                Ok(Event::Opened) => Heard::Opened,
                Ok(Event::Data(bytes)) => Heard::Data(message.slice_ref(bytes)),
                Ok(Event::Ended(mut end)) => {
                    end.reason = self.token.struck_from(&end.reason).into();
                    Heard::End(end)
                }
                Ok(_) => Heard::Nothing,
                Err(fault) => Heard::End(self.ended(How::Protocol(fault), b"")),
            },
            Some(Ok(Message::Text(_))) => {
                let fault = self.session.text();
                Heard::End(self.ended(How::Protocol(fault), b""))
            }
            Some(Ok(Message::Close(frame))) => {
                // The library puts a code of its own in place of one that no endpoint may send (RFC 6455 section 7.4).
                let last = std::mem::take(&mut self.socket.get_mut().last);
                Heard::End(match (frame, close_frame_at_end(&last)) {
                    (Some(_), Some((code, reason))) => self.ended(How::Close(Some(code)), reason),
                    (Some(frame), None) => self.ended(How::Close(Some(frame.code.into())), frame.reason.as_bytes()),
                    (None, _) => self.ended(How::Close(None), b""),
                })
            }
            // A Ping is answered with the next thing written or read.
            Some(Ok(Message::Ping(_))) => {
                self.unflushed = true;
                Heard::Nothing
            }
            Some(Ok(_)) => Heard::Nothing,
            Some(Err(error)) => {
                // The reason may be no UTF-8: what it was for is in the code all the same.
                let last = std::mem::take(&mut self.socket.get_mut().last);
                let close = close_frame_at_end(&last).filter(|_| matches!(error, WsError::Utf8(_)));
                Heard::End(match close {
                    Some((code, reason)) => self.ended(How::Close(Some(code)), reason),
                    None => self.ended(how(&error), b""),
                })
            }
            None => Heard::End(self.ended(How::Eof, b"")),
        })
    }

    fn ended(&mut self, how: How, reason: &[u8]) -> IapEnd {
        let reason = self.token.struck_from(reason);
        self.session.end(how, &reason)
    }

    /// Ends it from this side: the time is up.
    pub(super) fn silent(mut self) -> (IapEnd, Tunnel) {
        (self.session.end(How::Silence, b""), self.tunnel)
    }

    pub(super) fn into_tunnel(self) -> Tunnel {
        self.tunnel
    }

    pub(super) fn session(&self) -> &IapSession {
        &self.session
    }

    pub(super) fn tunnel_mut(&mut self) -> &mut Tunnel {
        &mut self.tunnel
    }

    /// Queues a message, if there is room for one.
    fn send(&mut self, cx: &mut Context<'_>, message: Message) -> Poll<Result<(), WsError>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx))?;
        Pin::new(&mut self.socket).start_send(message)?;
        self.unflushed = true;
        self.push(cx)
    }

    /// Lets go of what is written, as far as the socket takes it. What it does not take goes with the next read or write.
    fn push(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        if self.unflushed
            && let Poll::Ready(done) = Pin::new(&mut self.socket).poll_flush(cx)
        {
            self.unflushed = false;
            return Poll::Ready(done);
        }
        Poll::Ready(Ok(()))
    }
}

/// In which way a WebSocket ended that has no Close frame to show.
pub(super) fn how(error: &WsError) -> How {
    match error {
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete) => {
            How::Eof
        }
        WsError::Io(error) => of_io(error),
        WsError::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            How::Protocol(RelayFault::Frame(FrameError::MessageTooLong(*size)))
        }
        _ => How::Protocol(RelayFault::WebSocket),
    }
}

/// In which way a stream ended. TLS that ends without its own farewell (RFC 8446 section 6.1) has ended all the same.
pub(super) fn of_io(error: &io::Error) -> How {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => How::Eof,
        io::ErrorKind::InvalidData => How::Tls,
        _ => How::Reset,
    }
}

impl Stream for IapPath {
    fn outlived(&self, error: &io::Error) -> Option<SoftError> {
        self.socket.get_ref().tcp().outlived(error)
    }

    fn pending(&mut self) -> Option<SoftError> {
        self.socket.get_mut().tcp_mut().pending()
    }

    async fn leave(self, how: Leave, _: bool) -> PathEnd {
        let Self { mut socket, mut session, end, mut tunnel, journey, .. } = self;
        match end {
            Some(end) => words::note(&mut tunnel, &end, &journey, None),
            None => {
                let last = session.last_ack().map(|ack| Message::binary(ack.to_vec()));
                let farewell = async {
                    if let Some(ack) = last
                        && how != Leave::Reset
                    {
                        let _ = socket.feed(ack).await;
                    }
                    let _ = socket.close(None).await;
                };
                let _ = timeout(FAREWELL, farewell).await;
            }
        }
        PathEnd { tunnel: Some(Box::new(tunnel)), ..PathEnd::default() }
    }
}

impl AsyncRead for IapPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // A relay that does not take what is written may have said why: whether it could be written is for the next write.
        let _ = this.push(cx);
        loop {
            if !this.rest.is_empty() {
                let piece = this.rest.split_to(this.rest.len().min(into.remaining()));
                into.put_slice(&piece);
                return Poll::Ready(Ok(()));
            }
            match &this.end {
                Some(IapEnd { how: How::Reset, .. }) => {
                    return Poll::Ready(Err(io::Error::from_raw_os_error(Errno::ECONNRESET.0)));
                }
                Some(_) => return Poll::Ready(Ok(())),
                None => {}
            }
            match ready!(this.poll_heard(cx)) {
                Heard::Data(mut bytes) => {
                    let clear = this.token.clear(&mut this.sieve, &bytes);
                    if clear < bytes.len() {
                        bytes.truncate(clear);
                        this.end = Some(this.session.end(How::Protocol(RelayFault::Token), b""));
                    }
                    this.rest = bytes;
                }
                Heard::End(end) => this.end = Some(end),
                Heard::Opened | Heard::Nothing => {
                    let _ = this.push(cx);
                }
            }
            if let Some(ack) = this.session.ack() {
                let _ = this.send(cx, Message::binary(ack.to_vec()));
            }
        }
    }
}

impl AsyncWrite for IapPath {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let broken = || io::Error::from_raw_os_error(Errno::EPIPE.0);
        let this = &mut *self;
        if this.end.is_some() || this.session.phase() != Phase::Open {
            return Poll::Ready(Err(broken()));
        }
        // Room first: what the session has counted must go out.
        ready!(Pin::new(&mut this.socket).poll_ready(cx)).map_err(|_| broken())?;
        let piece = &bytes[..bytes.len().min(DATA_MAX)];
        for frame in this.session.write(piece).unwrap_or_default() {
            ready!(this.send(cx, Message::binary(frame))).map_err(|_| broken())?;
        }
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        self.unflushed = false;
        Poll::Ready(flushed.map_err(|_| io::Error::from_raw_os_error(Errno::EPIPE.0)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(|_| io::Error::from_raw_os_error(Errno::EPIPE.0))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (this, before) = (self.get_mut(), into.filled().len());
        let read = match &mut this.over {
            Over::Tcp(path) => Pin::new(path).poll_read(cx, into),
            Over::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        };
        this.keep(&into.filled()[before..]);
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().over {
            Over::Tcp(path) => Pin::new(path).poll_write(cx, bytes),
            Over::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().over {
            Over::Tcp(path) => Pin::new(path).poll_flush(cx),
            Over::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().over {
            Over::Tcp(path) => Pin::new(path).poll_shutdown(cx),
            Over::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
