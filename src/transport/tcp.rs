//! Plain TCP, with everything the kernel can tell about a connection that failed.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use sshprobe_probes::case::Connect;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, LocalTrouble};
use sshprobe_probes::netlink::nexthop::Kind;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::probe::Leave;
use sshprobe_probes::time::Moment;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout_at};

use crate::sys::clock::Clock;
use crate::sys::own::{Loopback, what_is};
use crate::sys::{error_queue, syns};
use crate::transport::seam::{Opening, PathEnd, SoftError, Stream, Transport};

/// Opens TCP connections.
#[derive(Debug, Clone)]
pub struct Tcp {
    clock: Clock,
    /// How long one connect may take.
    timeout: Duration,
    source: Option<IpAddr>,
    interface: Option<Box<str>>,
    /// Nothing that begins there leaves this machine.
    loopback: Option<Loopback>,
}

/// Why connections cannot be made as asked. A program error: known before anything is sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// `--source`: the address is not one of this machine's.
    #[error("cannot send from {address}: {reason}")]
    Source {
        /// The address asked for.
        address: IpAddr,
        /// What the kernel said.
        #[source]
        reason: io::Error,
    },
    /// `--interface`: there is none of that name, or it may not be used.
    #[error("cannot send through {name}: {reason}")]
    Interface {
        /// The name asked for.
        name: String,
        /// What the kernel said.
        #[source]
        reason: io::Error,
    },
}

impl Tcp {
    /// Connections over whatever route the kernel chooses, each given `timeout` to come up.
    #[must_use]
    pub const fn new(clock: Clock, timeout: Duration) -> Self {
        Self { clock, timeout, source: None, interface: None, loopback: None }
    }

    /// The same, each given `timeout` to come up.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends from `source` and through `interface`, where given.
    ///
    /// # Errors
    /// When this machine does not have them or does not let us.
    pub fn from(mut self, source: Option<IpAddr>, interface: Option<&str>) -> Result<Self, Unusable> {
        self.source = source;
        self.interface = interface.map(Into::into);
        self.loopback = Loopback::of(source, interface);
        let v6 = source.is_some_and(|source| source.is_ipv6());
        let socket = match Socket::new(domain(v6), Type::STREAM, Some(Protocol::TCP)) {
            Ok(socket) => socket,
            // Of no use for a look ahead; the run will find out, and knows what to do.
            Err(_) => return Ok(self),
        };
        if let Some(name) = &self.interface {
            socket
                .bind_device(Some(name.as_bytes()))
                .map_err(|reason| Unusable::Interface { name: name.to_string(), reason })?;
        }
        if let Some(address) = source {
            let bound = socket.bind(&SocketAddr::new(address, 0).into());
            // A socket may be bound to the broadcast address of a link, and sends from another one then.
            let bound = bound.and_then(|()| match what_is(address, 0) {
                Ok(Kind::Broadcast) => Err(io::ErrorKind::AddrNotAvailable.into()),
                _ => Ok(()),
            });
            bound.map_err(|reason| Unusable::Source { address, reason })?;
        }
        Ok(self)
    }

    /// A socket ready to connect; whether TCP_MAXSEG could be lowered as asked.
    fn socket(&self, connect: &Connect) -> io::Result<(Socket, Option<u16>)> {
        let v6 = connect.addr.is_ipv6();
        let socket = Socket::new(domain(v6), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        error_queue::enable(&socket, v6)?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        if let Some(source) = self.source {
            // Else bind() takes a port that no other destination can use at the same time.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        let mss = connect.mss.filter(|mss| socket.set_tcp_mss(u32::from(*mss)).is_ok());
        Ok((socket, mss))
    }

    /// Why nothing that is sent from here gets there, if that follows from what was asked for.
    fn barred(&self, to: SocketAddr) -> Option<LocalTrouble> {
        if let Some(from) = self.source.filter(|source| source.is_ipv6() != to.is_ipv6()) {
            return Some(LocalTrouble::OtherFamily { from, to: to.ip() });
        }
        self.loopback.filter(|loopback| !loopback.leads_to(to)).map(|_| LocalTrouble::StaysHere(to.ip()))
    }

    pub(super) fn limit(&self, connect: &Connect) -> Duration {
        self.timeout.min(connect.plan.timeout).min(connect.patience.unwrap_or(Duration::MAX))
    }
}

impl Transport for Tcp {
    type Stream = TcpPath;

    fn shakes_hands(&self) -> bool {
        true
    }

    async fn open(&self, connect: &Connect) -> Opening<TcpPath> {
        let begun = match self.begin(connect) {
            Ok(begun) => begun,
            Err(opening) => return *opening,
        };
        let up = match begun.torn {
            None => {
                let deadline = self.clock.instant(begun.started + self.limit(connect));
                timeout_at(deadline, established(&begun.stream)).await
            }
            Some(errno) => Ok(Err(io::Error::from_raw_os_error(errno.0))),
        };
        self.settle(connect, begun, up)
    }
}

/// A connection under way, and what is to be known of it: of a sweep's addresses most wait here and in vain, and evidence has room
/// for all that a server may say.
struct Begun {
    stream: TcpStream,
    started: Moment,
    /// TCP_MAXSEG could be lowered to this.
    mss: Option<u16>,
    /// It is over already, by what connect() said. Only over loopback can both happen before that returns.
    torn: Option<Errno>,
}

impl Tcp {
    /// Sends the SYN. Where it is over before anything had to be waited for, that is what it came to.
    fn begin(&self, connect: &Connect) -> Result<Begun, Box<Opening<TcpPath>>> {
        let began = self.clock.now();
        if let Some(trouble) = self.barred(connect.addr) {
            let evidence = Evidence { fault: Some(Fault::Local(trouble)), ..Evidence::new(connect.addr, began) };
            return Err(Box::new(Opening::Down(evidence)));
        }
        let (socket, mss) = match self.socket(connect) {
            Ok(made) => made,
            Err(error) => return Err(Box::new(self.failed(Evidence::new(connect.addr, began), &error, None))),
        };
        let started = self.clock.now();
        let torn = match socket.connect(&connect.addr.into()) {
            Ok(()) => None,
            Err(error) if under_way(&error) => None,
            Err(error) if reset(&error) => Some(errno(&error)),
            Err(error) => {
                let evidence = Evidence { mss, ..Evidence::new(connect.addr, started) };
                let mut opening = self.failed(evidence, &error, Some(&SockRef::from(&socket)));
                // What connect() itself says has not left this machine (a closed port of its own apart). Read off the clock
                // the time would grow with our load until it looked like an answer of the network's.
                if let Opening::Down(evidence) = &mut opening
                    && evidence.path.errno != Some(Errno::ECONNREFUSED)
                {
                    evidence.timing.connect = Some(Duration::ZERO);
                }
                return Err(Box::new(opening));
            }
        };
        match TcpStream::from_std(socket.into()) {
            Ok(stream) => Ok(Begun { stream, started, mss, torn }),
            // The poller takes no more: of what it lacks, all is ours.
            Err(error) => Err(Box::new(Opening::Short(errno(&error)))),
        }
    }

    /// What it came to, once that is known or has lasted too long.
    fn settle(&self, connect: &Connect, begun: Begun, up: Result<io::Result<()>, Elapsed>) -> Opening<TcpPath> {
        let Begun { stream, started, mss, torn: _ } = begun;
        let mut evidence = Evidence { mss, ..Evidence::new(connect.addr, started) };
        let torn = match up {
            Ok(Ok(())) => None,
            // Linux says ECONNREFUSED to a SYN's reset; any other came over a connection that had been accepted. What the
            // server said before it hung up may still be there to be read.
            Ok(Err(error)) if reset(&error) => Some(errno(&error)),
            Ok(Err(error)) => return self.failed(evidence, &error, Some(&SockRef::from(&stream))),
            Err(_) => {
                evidence.ended = self.clock.now();
                evidence.fault = Some(Fault::ConnectTimeout);
                evidence.path.local = local(&SockRef::from(&stream));
                if let Some((errno, icmp)) = error_queue::take(&stream) {
                    evidence.path.errno = Some(errno);
                    evidence.path.icmp = Some(icmp);
                } else if syns::dropped_here(&stream) {
                    evidence.fault = Some(Fault::Local(LocalTrouble::Dropped(connect.addr)));
                }
                return Opening::Down(evidence);
            }
        };
        let now = self.clock.now();
        evidence.timing.connect = Some(now.since(evidence.started));
        evidence.ended = now;
        evidence.path.local = local(&SockRef::from(&stream));
        if connect.plan.depth > Depth::Connect {
            // Not before it is of use: most addresses of a sweep never answer. One that was reset meanwhile refuses it.
            let _ = stream.set_nodelay(true);
        }
        Opening::Up(TcpPath { stream, torn, waiting: false }, evidence)
    }

    fn failed(&self, mut evidence: Evidence, error: &io::Error, socket: Option<&SockRef<'_>>) -> Opening<TcpPath> {
        let errno = errno(error);
        if short(errno) {
            return Opening::Short(errno);
        }
        let now = self.clock.now();
        evidence.timing.connect = Some(now.since(evidence.started));
        evidence.ended = now;
        evidence.fault = Some(Fault::Connect);
        evidence.path.errno = Some(errno);
        if let Some(socket) = socket {
            evidence.path.local = local(socket);
            evidence.path.icmp = error_queue::take(&**socket).map(|(_, icmp)| icmp);
        }
        Opening::Down(evidence)
    }
}

/// Waits until the handshake has succeeded or failed. If it succeeded, there may already be a complaint about the connection: it
/// stays with the socket, for whoever reads from it or asks.
async fn established(stream: &TcpStream) -> io::Result<()> {
    /// Where the poller cannot tell: an ICMP message that did not end the attempt keeps the socket "ready" for good.
    const GLANCE: Duration = Duration::from_millis(20);
    // A socket that the poller calls writable, and does not call failed as well, has left SYN-SENT: its peer need not be asked for.
    let ready = stream.ready(Interest::WRITABLE).await?;
    if ready.is_writable() && !ready.is_write_closed() {
        return Ok(());
    }
    loop {
        // Only a socket that is connected has a peer: an ICMP error that came since is not the end of it.
        if stream.peer_addr().is_ok() {
            return Ok(());
        }
        if let Some(error) = stream.take_error()? {
            // It may have come up in between: then this is a complaint like any other, and those pass.
            return if stream.peer_addr().is_ok() { Ok(()) } else { Err(error) };
        }
        // Boxed: hardly anybody gets here.
        Box::pin(sleep(GLANCE)).await;
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct TcpPath {
    stream: TcpStream,
    /// The connection was reset before we had looked at it. Asking the socket took the error from it, so it is kept here
    /// until what came before it is read.
    torn: Option<Errno>,
    /// The last words wait for the FIN.
    waiting: bool,
}

impl TcpPath {
    fn soft(&self, errno: Errno) -> Option<SoftError> {
        // A socket that still knows its peer still has a connection, whatever it complained about.
        if self.torn.is_some() || self.stream.peer_addr().is_err() {
            return None;
        }
        Some(SoftError { errno, icmp: error_queue::take(&self.stream).map(|(_, icmp)| icmp) })
    }
}

impl Stream for TcpPath {
    fn outlived(&self, error: &io::Error) -> Option<SoftError> {
        self.soft(Errno(error.raw_os_error()?))
    }

    fn pending(&mut self) -> Option<SoftError> {
        let error = self.stream.take_error().ok()??;
        self.soft(errno(&error))
    }

    fn poll_last_words(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // They wait for the FIN that closing sends, and go in one packet with it.
        ready!(self.stream.poll_write_ready(cx))?;
        let send = || SockRef::from(&self.stream).send_with_flags(bytes, libc::MSG_MORE);
        match self.stream.try_io(Interest::WRITABLE, send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            sent => {
                self.waiting |= sent.is_ok();
                Poll::Ready(sent)
            }
        }
    }

    async fn leave(self, how: Leave, asked_why: bool) -> PathEnd {
        let icmp = if asked_why { error_queue::take(&self.stream).map(|(_, icmp)| icmp) } else { None };
        if how == Leave::Reset {
            // If it cannot be set, the connection is closed politely: no reason to complain.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        } else if self.waiting {
            // A socket that is closed with something unread is reset, and what waits is thrown away. This sends it.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
        }
        PathEnd { icmp, ..PathEnd::default() }
    }
}

impl AsyncRead for TcpPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, into));
        match self.torn {
            Some(errno) if read.is_err() || into.filled().len() == before => {
                Poll::Ready(Err(io::Error::from_raw_os_error(errno.0)))
            }
            _ => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for TcpPath {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const fn domain(v6: bool) -> Domain {
    if v6 { Domain::IPV6 } else { Domain::IPV4 }
}

/// Our end of a connection, made or tried. The kernel forgets it when connect() itself failed.
fn local(socket: &SockRef<'_>) -> Option<SocketAddr> {
    let local = socket.local_addr().ok()?.as_socket()?;
    (!local.ip().is_unspecified()).then_some(local)
}

fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or_default())
}

fn under_way(error: &io::Error) -> bool {
    const EINPROGRESS: i32 = 115;
    const EINTR: i32 = 4;
    matches!(error.raw_os_error(), Some(EINPROGRESS | EINTR))
}

fn reset(error: &io::Error) -> bool {
    matches!(errno(error), Errno::ECONNRESET | Errno::ECONNABORTED | Errno::EPIPE)
}

/// Errors that tell of a lack on our side; the target had no part in them.
///
/// EADDRNOTAVAIL is connect()'s: no local port is free towards that destination. EAGAIN is what connect() says when a
/// table of the kernel's is full, EADDRINUSE what bind() says when all ports are taken.
fn short(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM
            | Errno::EADDRNOTAVAIL
            | Errno::EADDRINUSE
            | Errno::EAGAIN
    )
}

#[cfg(test)]
mod tests;
