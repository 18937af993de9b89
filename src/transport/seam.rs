//! What every way to a target has in common: it opens, carries bytes, and says how it ended.
//!
//! A new one (a proxy, a relay, a program's pipes) is one file that implements [`Transport`] and [`Stream`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sshprobe_probes::case::Connect;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, Icmp, Stage, Tunnel};
use sshprobe_probes::probe::Leave;
use sshprobe_probes::target::Host;
use sshprobe_probes::time::Moment;
use tokio::io::{AsyncRead, AsyncWrite};

/// A deadline that is noticed this much later than it passed was missed by us: the process was stopped, or had no CPU.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// Opens byte streams.
pub trait Transport: Send + Sync + 'static {
    /// What carries the bytes.
    type Stream: Stream;

    /// Whether the way takes names: then they are not resolved here, and nobody here knows the target's address.
    fn takes_names(&self) -> bool {
        false
    }

    /// Whether the way leads to such a host: what stands behind the Identity-Aware Proxy cannot be reached by any other.
    fn leads_to(&self, host: &Host) -> bool {
        !matches!(host, Host::Iap(_))
    }

    /// Whether opening is TCP's handshake with the target itself: how long that takes tells of the network between.
    fn shakes_hands(&self) -> bool {
        false
    }

    /// A way without what stands between, to compare with, and the names and addresses under which such a host may be found
    /// there; `None` where nobody asked for a comparison.
    fn beside(&self, _: &Host) -> Option<(Self, Vec<String>)>
    where
        Self: Sized,
    {
        None
    }

    /// Whether the way has to be there before anything can go over it, so that [`Transport::ready`] may take long.
    fn is_made_first(&self) -> bool {
        false
    }

    /// Waits until the way is there; the tunnel says why there is none.
    ///
    /// Waited for before a connection over it is admitted and timed: what a way takes to come about is no time of any
    /// target's, and whoever waits for it keeps no other from being probed. Ends by itself.
    fn ready(&self) -> impl Future<Output = Result<(), Box<Tunnel>>> + Send {
        async { Ok(()) }
    }

    /// Opens one connection.
    ///
    /// Ends by itself: a transport keeps its own deadline. Dropped before it ends, it leaves nothing open.
    fn open(&self, connect: &Connect) -> impl Future<Output = Opening<Self::Stream>> + Send;
}

/// What became of an attempt to open a connection.
#[derive(Debug)]
pub enum Opening<S> {
    /// Bytes can flow. The evidence says how it came about.
    Up(S, Evidence),
    /// The target or the network did not let us: the evidence's fault says how.
    Down(Evidence),
    /// The way that [`Transport::ready`] waited for is gone: to be waited for once more. Where that is of no use, this is what
    /// it came to.
    Lapsed(Evidence),
    /// This machine lacks something (descriptors, ports, buffers, memory). That says nothing about the target: try later.
    Short(Errno),
}

impl<S> Opening<S> {
    /// The way did not lead to the target: the tunnel's trouble says how, and `ended` when that was known.
    pub(crate) fn broken(evidence: Evidence, tunnel: Tunnel, ended: Moment) -> Self {
        Self::Down(astray(evidence, Box::new(tunnel), ended))
    }
}

/// What a connection came to whose way did not lead to the target.
pub(crate) fn astray(mut evidence: Evidence, tunnel: Box<Tunnel>, ended: Moment) -> Evidence {
    (evidence.ended, evidence.stage, evidence.fault) = (ended, Stage::Tunnel, Some(Fault::Tunnel));
    evidence.tunnel = Some(tunnel);
    evidence
}

/// A connection that is up.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// What `error`, which read or write gave, means if the connection has outlived it; `None` if it is over.
    fn outlived(&self, error: &io::Error) -> Option<SoftError>;

    /// An error that the network reported while nothing was read or written. Taken once.
    fn pending(&mut self) -> Option<SoftError>;

    /// Writes the last that there is to say, before the connection is closed: it may wait for that. Like `poll_write` else.
    fn poll_last_words(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, bytes)
    }

    /// Closes the connection as told, and resolves to what the way to the target knows about its end, as far as it was
    /// `asked_why`. Resolves soon, and need not be waited for where nobody asks.
    fn leave(self, how: Leave, asked_why: bool) -> impl Future<Output = PathEnd> + Send;
}

/// The network complained about a connection that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftError {
    /// The error number.
    pub errno: Errno,
    /// The ICMP message behind it, where it is known.
    pub icmp: Option<Icmp>,
}

/// How the way to the target ended: what an end of file alone does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathEnd {
    /// An ICMP error that was waiting to be read.
    pub icmp: Option<Icmp>,
    /// What the way to the target had seen by its end, where it is more than TCP.
    pub tunnel: Option<Box<Tunnel>>,
}
