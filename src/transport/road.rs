//! The way that a run's options choose: one of all that there are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sshprobe_probes::case::Connect;
use sshprobe_probes::evidence::Tunnel;
use sshprobe_probes::probe::Leave;
use sshprobe_probes::target::Host;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::command::{CommandPath, ProxyCommand};
#[cfg(feature = "iap")]
use crate::transport::iap::{Iap, IapPath};
#[cfg(feature = "login")]
use crate::transport::jump::{Jump, JumpPath};
use crate::transport::proxy::{Proxy, ProxyPath};
use crate::transport::seam::{Opening, PathEnd, SoftError, Stream, Transport};
use crate::transport::tcp::{Tcp, TcpPath};

/// Calls the same of whichever it is.
macro_rules! each {
    ($of:expr, $type:ident, $way:ident => $call:expr) => {
        match $of {
            $type::Tcp($way) => $call,
            $type::Command($way) => $call,
            $type::Proxy($way) => $call,
            #[cfg(feature = "login")]
            $type::Jump($way) => $call,
            #[cfg(feature = "iap")]
            $type::Iap($way) => $call,
        }
    };
}

/// A way to the targets of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Road {
    /// Directly.
    Tcp(Tcp),
    /// By a program.
    Command(ProxyCommand),
    /// By a SOCKS5 or HTTP proxy.
    Proxy(Box<Proxy>),
    /// By a jump host.
    #[cfg(feature = "login")]
    Jump(Jump),
    /// By a tunnel of the Identity-Aware Proxy.
    #[cfg(feature = "iap")]
    Iap(Box<Iap>),
}

/// A connection over it. Boxed where it is not the usual one, whose size counts: thousands are up at a time.
#[derive(Debug)]
#[non_exhaustive]
pub enum RoadPath {
    /// Directly.
    Tcp(TcpPath),
    /// By a program.
    Command(Box<CommandPath>),
    /// By a SOCKS5 or HTTP proxy.
    Proxy(Box<ProxyPath>),
    /// By a jump host.
    #[cfg(feature = "login")]
    Jump(Box<JumpPath>),
    /// By a tunnel of the Identity-Aware Proxy.
    #[cfg(feature = "iap")]
    Iap(Box<IapPath>),
}

impl Road {
    /// Whether it goes through jump hosts.
    #[must_use]
    pub const fn jumps(&self) -> bool {
        self.jump_hosts() > 0
    }

    /// How many jump hosts it goes through, one behind the other.
    #[must_use]
    pub const fn jump_hosts(&self) -> u32 {
        match self {
            #[cfg(feature = "login")]
            Road::Jump(jump) => jump.hosts(),
            _ => 0,
        }
    }
}

impl Road {
    /// The same way, for targets of which a connect may take so long. A proxy's and a program's time is their own.
    #[must_use]
    pub fn within(self, connect_timeout: Duration) -> Self {
        match self {
            Road::Tcp(tcp) => Road::Tcp(tcp.within(connect_timeout)),
            #[cfg(feature = "login")]
            Road::Jump(jump) => Road::Jump(jump.within(connect_timeout)),
            other => other,
        }
    }
}

fn over<S>(opening: Opening<S>, path: impl FnOnce(S) -> RoadPath) -> Opening<RoadPath> {
    match opening {
        Opening::Up(stream, evidence) => Opening::Up(path(stream), evidence),
        Opening::Down(evidence) => Opening::Down(evidence),
        Opening::Lapsed(evidence) => Opening::Lapsed(evidence),
        Opening::Short(errno) => Opening::Short(errno),
    }
}

impl Transport for Road {
    type Stream = RoadPath;

    fn takes_names(&self) -> bool {
        each!(self, Road, way => way.takes_names())
    }

    fn leads_to(&self, host: &Host) -> bool {
        each!(self, Road, way => way.leads_to(host))
    }

    fn shakes_hands(&self) -> bool {
        matches!(self, Road::Tcp(_))
    }

    #[cfg(feature = "iap")]
    fn beside(&self, host: &Host) -> Option<(Self, Vec<String>)> {
        let Self::Iap(iap) = self else { return None };
        let (tcp, names) = iap.directly(host)?;
        Some((Self::Tcp(tcp), names))
    }

    fn is_made_first(&self) -> bool {
        each!(self, Road, way => way.is_made_first())
    }

    async fn ready(&self) -> Result<(), Box<Tunnel>> {
        match self {
            // Boxed: few ways are waited for, and all targets would have to hold the room for it.
            #[cfg(feature = "login")]
            Road::Jump(jump) => Box::pin(jump.ready()).await,
            _ => Ok(()),
        }
    }

    async fn open(&self, connect: &Connect) -> Opening<RoadPath> {
        match self {
            Road::Tcp(tcp) => over(tcp.open(connect).await, RoadPath::Tcp),
            Road::Command(command) => {
                over(Box::pin(command.open(connect)).await, |path| RoadPath::Command(Box::new(path)))
            }
            Road::Proxy(proxy) => over(Box::pin(proxy.open(connect)).await, |path| RoadPath::Proxy(Box::new(path))),
            #[cfg(feature = "login")]
            Road::Jump(jump) => over(Box::pin(jump.open(connect)).await, |path| RoadPath::Jump(Box::new(path))),
            #[cfg(feature = "iap")]
            Road::Iap(iap) => over(Box::pin(iap.open(connect)).await, |path| RoadPath::Iap(Box::new(path))),
        }
    }
}

impl Stream for RoadPath {
    fn outlived(&self, error: &io::Error) -> Option<SoftError> {
        each!(self, RoadPath, path => path.outlived(error))
    }

    fn pending(&mut self) -> Option<SoftError> {
        each!(self, RoadPath, path => path.pending())
    }

    fn poll_last_words(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, RoadPath, path => path.poll_last_words(cx, bytes))
    }

    async fn leave(self, how: Leave, asked_why: bool) -> PathEnd {
        match self {
            RoadPath::Tcp(path) => path.leave(how, asked_why).await,
            RoadPath::Command(path) => Box::pin(path.leave(how, asked_why)).await,
            RoadPath::Proxy(path) => path.leave(how, asked_why).await,
            #[cfg(feature = "login")]
            RoadPath::Jump(path) => path.leave(how, asked_why).await,
            #[cfg(feature = "iap")]
            RoadPath::Iap(path) => Box::pin(path.leave(how, asked_why)).await,
        }
    }
}

impl AsyncRead for RoadPath {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), RoadPath, path => Pin::new(path).poll_read(cx, into))
    }
}

impl AsyncWrite for RoadPath {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), RoadPath, path => Pin::new(path).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), RoadPath, path => Pin::new(path).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), RoadPath, path => Pin::new(path).poll_shutdown(cx))
    }
}
