//! Another SSH server as the way to the target: channels that it opens for us (direct-tcpip, RFC 4254 section 7.2), all of one
//! session that every target behind it shares.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use sshprobe_probes::case::Connect;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::{escape, quote};
use sshprobe_probes::evidence::{Evidence, Silence, Tunnel, TunnelTrouble};
use sshprobe_probes::govern::retry::Transient;
use sshprobe_probes::probe::Leave;
use sshprobe_probes::proxy::connect_failed;
use sshprobe_probes::record::{self, Via};
use sshprobe_probes::target::host_port;
use sshprobe_probes::time::Moment;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::login::channel::{ChannelStream, OpenFailure, OpenReason, Session};
use crate::sys::clock::Clock;
use crate::transport::seam::{Opening, PathEnd, SoftError, Stream, Transport, astray};

/// A jump host that has nothing else to say answers within this time, or is gone.
const ALIVE: Duration = Duration::from_secs(3);

/// All farewells together take no longer.
const FAREWELL: Duration = Duration::from_secs(2);

/// How much of the jump host's words is shown in a sentence, in characters.
const SHOWN: usize = 200;

/// The session of a jump host, made when it is first needed, and shared.
pub(crate) trait JumpHost: Send + Sync + fmt::Debug {
    /// What it is called.
    fn name(&self) -> &str;

    /// Makes its session, unless there is one; or says why there is none. Ends by itself.
    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<(), TunnelTrouble>> + Send + '_>>;

    /// The hosts up to this one, the nearest first, with the keys that they showed.
    fn way(&self) -> Arc<[record::JumpHost]>;

    /// The session that [`JumpHost::ready`] has made. None if it is over since.
    fn session(&self) -> Option<Arc<Session>>;

    /// Says farewell, where nobody needs the session any more.
    fn leave(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The jump hosts of a run, to be left when it is over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Farewells(Arc<Mutex<Vec<Arc<dyn JumpHost>>>>);

impl Farewells {
    /// Notes one that is to be left.
    pub(crate) fn add(&self, host: Arc<dyn JumpHost>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(host);
    }

    /// Leaves them all; those that are reached through others first.
    pub(crate) async fn say(&self) {
        let hosts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let leave = async {
            for host in hosts.iter().rev() {
                host.leave().await;
            }
        };
        // However many there are, and whatever has become of the network.
        let _ = timeout(FAREWELL, leave).await;
    }
}

/// Goes through a jump host.
#[derive(Debug, Clone)]
pub struct Jump {
    clock: Clock,
    host: Arc<dyn JumpHost>,
    /// How many hosts there are on the way, that one among them.
    hosts: u32,
    patience: Duration,
}

impl Jump {
    /// Goes through `host`, the last of so many on the way, which gets so long to reach a target.
    pub(crate) fn new(clock: Clock, host: Arc<dyn JumpHost>, hosts: u32, patience: Duration) -> Self {
        Self { clock, host, hosts, patience }
    }

    /// How many hosts there are on the way.
    #[must_use]
    pub const fn hosts(&self) -> u32 {
        self.hosts
    }

    /// The same host, which gets so long to reach a target.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Has the jump host connect to a target.
    async fn channel(
        &self,
        host: &str,
        port: u16,
        patience: Duration,
        session: &Session,
    ) -> Result<ChannelStream, Failed> {
        let since = self.clock.now();
        let silent = |trouble, due| Failed { trouble, silence: Some(Silence { since, due }), lapsed: false };
        match timeout(patience, session.direct_tcpip(host, port)).await {
            Ok(Ok(stream)) => Ok(stream),
            // It ended while nobody looked: the next one is another.
            Ok(Err(OpenFailure { reason: OpenReason::SessionOver, .. })) => Err(self.lapsed()),
            Ok(Err(failure)) => {
                Err(Failed { trouble: self.refused(host, port, &failure), silence: None, lapsed: false })
            }
            Err(_) if session.answers(ALIVE).await => {
                let detail = format!(
                    "the jump host {} was asked to connect to {}, and in {:.1} s neither did so nor refused: most likely the target did not answer it",
                    self.host.name(),
                    escape(host_port(host, port)),
                    patience.as_secs_f64()
                );
                Err(silent(TunnelTrouble::lasting(Code::TimeoutConnect, None, detail), since + patience))
            }
            Err(_) => {
                session.give_up();
                Err(silent(lost(&*self.host), since + patience + ALIVE))
            }
        }
    }

    /// A session that was there when it was waited for, and is over.
    fn lapsed(&self) -> Failed {
        let detail = format!("the jump host {} ended the session over the request for a channel", self.host.name());
        Failed { trouble: passing(detail), silence: None, lapsed: true }
    }

    fn refused(&self, host: &str, port: u16, failure: &OpenFailure) -> TunnelTrouble {
        let (code, arg, what) = match failure.reason {
            OpenReason::Prohibited => (Code::JumpForbidden, "administratively-prohibited", "does not forward to"),
            OpenReason::UnknownType => (Code::JumpForbidden, "unknown-channel-type", "forwards nothing, so not to"),
            OpenReason::Shortage => (Code::JumpForbidden, "resource-shortage", "lacks what it takes to forward to"),
            OpenReason::ConnectFailed => (Code::ProxyRefused, connect_failed(&failure.text), "could not connect to"),
            OpenReason::Other(_) | OpenReason::SessionOver => (Code::JumpForbidden, "other", "does not connect us to"),
        };
        let words = if failure.text.is_empty() { String::new() } else { format!(": {}", quote(&failure.text, SHOWN)) };
        let detail = format!("the jump host {} {what} {}{words}", self.host.name(), escape(host_port(host, port)));
        TunnelTrouble::lasting(code, Some(arg.to_owned()), detail)
    }
}

/// Why there is no channel.
struct Failed {
    trouble: TunnelTrouble,
    /// The silence that it ended by.
    silence: Option<Silence>,
    /// Another session may have one.
    lapsed: bool,
}

/// A jump host that was there and is not any more.
fn lost(host: &dyn JumpHost) -> TunnelTrouble {
    let detail = format!("the jump host {} does not answer any more", host.name());
    passing(detail)
}

/// A session that was lost; the next one may be better.
fn passing(detail: String) -> TunnelTrouble {
    let lasting = TunnelTrouble::lasting(Code::JumpFailed, Some(Code::LostMidway.name().to_owned()), detail);
    TunnelTrouble { transient: Some(Transient::Way), ..lasting }
}

impl Transport for Jump {
    type Stream = JumpPath;

    fn takes_names(&self) -> bool {
        true
    }

    fn is_made_first(&self) -> bool {
        true
    }

    async fn ready(&self) -> Result<(), Box<Tunnel>> {
        let trouble = match self.host.ready().await {
            Ok(()) => return Ok(()),
            Err(trouble) => Some(trouble),
        };
        Err(Box::new(Tunnel { trouble, jump_hosts: self.host.way(), ..Tunnel::new(Via::Jump) }))
    }

    async fn open(&self, connect: &Connect) -> Opening<JumpPath> {
        let mut tunnel = Tunnel { jump_hosts: self.host.way(), ..Tunnel::new(Via::Jump) };
        let started = self.clock.now();
        let mut evidence = Evidence::new(connect.addr, started);
        let (host, port) = (connect.host.to_string(), connect.addr.port());
        let opened = match self.host.session() {
            Some(session) => {
                let patience = self.patience.min(connect.plan.timeout);
                self.channel(&host, port, patience, &session).await.map(|stream| (stream, session))
            }
            None => Err(self.lapsed()),
        };
        let now = self.clock.now();
        tunnel.timing.connect = Some(now.since(started));
        let (stream, session) = match opened {
            Ok(opened) => opened,
            Err(Failed { trouble, silence, lapsed }) => {
                tunnel.reason = trouble.detail.clone().into_bytes();
                (tunnel.trouble, tunnel.silence) = (Some(trouble), silence);
                let astray = astray(evidence, Box::new(tunnel), now);
                return if lapsed { Opening::Lapsed(astray) } else { Opening::Down(astray) };
            }
        };
        evidence.timing.connect = tunnel.timing.connect;
        evidence.ended = now;
        evidence.tunnel = Some(Box::new(tunnel.clone()));
        Opening::Up(
            JumpPath {
                stream,
                session,
                host: Arc::clone(&self.host),
                tunnel,
                clock: self.clock,
                heard: now,
                ended: false,
                over: false,
            },
            evidence,
        )
    }
}

/// A channel of the jump host's session.
pub struct JumpPath {
    stream: ChannelStream,
    session: Arc<Session>,
    host: Arc<dyn JumpHost>,
    tunnel: Tunnel,
    clock: Clock,
    /// When something came last.
    heard: Moment,
    /// The target's end has come.
    ended: bool,
    /// It was the session's.
    over: bool,
}

impl fmt::Debug for JumpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JumpPath").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Stream for JumpPath {
    fn outlived(&self, _: &io::Error) -> Option<SoftError> {
        None
    }

    fn pending(&mut self) -> Option<SoftError> {
        None
    }

    async fn leave(self, _: Leave, _: bool) -> PathEnd {
        let Self { stream, session, host, mut tunnel, clock, heard, ended, over } = self;
        // A target that has fallen silent may have done nothing of the kind.
        let silent = !ended && clock.now().since(heard) >= ALIVE;
        // The jump host is told by this that the channel is closed.
        drop(stream);
        if silent && !session.is_over() && !session.answers(ALIVE).await {
            session.give_up();
            tunnel.trouble = Some(lost(&*host));
        } else if if ended { over } else { session.is_over() } {
            let detail = format!("the session with the jump host {} ended in the middle", host.name());
            tunnel.trouble = Some(passing(detail));
        }
        PathEnd { tunnel: Some(Box::new(tunnel)), ..PathEnd::default() }
    }
}

impl AsyncRead for JumpPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        if read.is_ready() {
            self.heard = self.clock.now();
            self.ended = into.filled().len() == before;
            self.over = self.ended && self.session.is_over();
        }
        read
    }
}

impl AsyncWrite for JumpPath {
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
