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
use sshprobe_probes::probe::Leave;
use sshprobe_probes::proxy::connect_failed;
use sshprobe_probes::record::Via;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::login::channel::{ChannelStream, OpenFailure, OpenReason, Session};
use crate::sys::clock::Clock;
use crate::transport::seam::{Opening, PathEnd, SoftError, Stream, Transport};

/// How often a session that is over is made anew for a channel that is wanted.
const SESSIONS: usize = 2;

/// How much of the jump host's words is shown in a sentence, in characters.
const SHOWN: usize = 200;

/// The session of a jump host, made when it is first needed, and shared.
pub(crate) trait JumpHost: Send + Sync + fmt::Debug {
    /// What it is called.
    fn name(&self) -> &str;

    /// Its session; or why there is none. Ends by itself.
    fn session(&self) -> Pin<Box<dyn Future<Output = Result<Arc<Session>, TunnelTrouble>> + Send + '_>>;

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
        for host in hosts.iter().rev() {
            host.leave().await;
        }
    }
}

/// Goes through a jump host.
#[derive(Debug, Clone)]
pub struct Jump {
    clock: Clock,
    host: Arc<dyn JumpHost>,
    patience: Duration,
}

impl Jump {
    /// Goes through `host`, which gets so long to reach a target.
    pub(crate) fn new(clock: Clock, host: Arc<dyn JumpHost>, patience: Duration) -> Self {
        Self { clock, host, patience }
    }

    /// Has the jump host connect to a target.
    async fn channel(&self, host: &str, port: u16) -> Result<(ChannelStream, Arc<Session>), TunnelTrouble> {
        let mut last = String::new();
        for _ in 0..SESSIONS {
            let session = self.host.session().await?;
            match session.direct_tcpip(host, port).await {
                Ok(stream) => return Ok((stream, session)),
                // It ended while nobody looked: the next one is another.
                Err(OpenFailure { reason: OpenReason::SessionOver, text }) => last = text,
                Err(failure) => return Err(self.refused(host, port, &failure)),
            }
        }
        let words = if last.is_empty() { String::new() } else { format!(": {}", quote(last, SHOWN)) };
        let detail =
            format!("the jump host {} ended the session over the request for a channel{words}", self.host.name());
        Err(TunnelTrouble::lasting(Code::JumpFailed, Some(Code::AuthClosed.name().to_owned()), detail))
    }

    fn refused(&self, host: &str, port: u16, failure: &OpenFailure) -> TunnelTrouble {
        let (code, arg, what) = match failure.reason {
            OpenReason::Prohibited => (Code::JumpForbidden, "administratively-prohibited", "does not forward to"),
            OpenReason::UnknownType => (Code::JumpForbidden, "unknown-channel-type", "forwards nothing, so not to"),
            OpenReason::Shortage => (Code::JumpForbidden, "resource-shortage", "lacks what it takes to forward to"),
            OpenReason::ConnectFailed => (Code::ProxyRefused, connect_failed(&failure.text), "could not connect to"),
            OpenReason::Other(_) | OpenReason::SessionOver => (Code::JumpForbidden, "other", "does not connect us to"),
        };
        let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let words = if failure.text.is_empty() { String::new() } else { format!(": {}", quote(&failure.text, SHOWN)) };
        let detail = format!("the jump host {} {what} {}{words}", self.host.name(), escape(place));
        TunnelTrouble::lasting(code, Some(arg.to_owned()), detail)
    }
}

impl Transport for Jump {
    type Stream = JumpPath;

    fn takes_names(&self) -> bool {
        true
    }

    async fn open(&self, connect: &Connect) -> Opening<JumpPath> {
        // The session is nobody's in particular: waiting for it is no time of the target's.
        if let Err(trouble) = self.host.session().await {
            let mut tunnel = Tunnel::new(Via::Jump);
            tunnel.trouble = Some(trouble);
            let now = self.clock.now();
            return Opening::broken(Evidence::new(connect.addr, now), tunnel, now);
        }
        let started = self.clock.now();
        let mut evidence = Evidence::new(connect.addr, started);
        let mut tunnel = Tunnel::new(Via::Jump);
        let (host, port) = (connect.host.to_string(), connect.addr.port());
        let patience = self.patience.min(connect.plan.timeout);
        let opened = timeout(patience, self.channel(&host, port)).await;
        let now = self.clock.now();
        tunnel.timing.connect = Some(now.since(started));
        let (stream, session) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(trouble)) => {
                tunnel.reason = trouble.detail.clone().into_bytes();
                tunnel.trouble = Some(trouble);
                return Opening::broken(evidence, tunnel, now);
            }
            Err(_) => {
                tunnel.silence = Some(Silence { since: started, due: started + patience });
                let detail = format!(
                    "the jump host {} was asked to connect to {}, and in {:.1} s neither did so nor refused: most likely the target did not answer it",
                    self.host.name(),
                    escape(host),
                    patience.as_secs_f64()
                );
                tunnel.trouble = Some(TunnelTrouble::lasting(Code::TimeoutConnect, None, detail));
                return Opening::broken(evidence, tunnel, now);
            }
        };
        evidence.timing.connect = tunnel.timing.connect;
        evidence.ended = now;
        evidence.tunnel = Some(Box::new(tunnel.clone()));
        Opening::Up(JumpPath { stream, session, host: Arc::clone(&self.host), tunnel }, evidence)
    }
}

/// A channel of the jump host's session.
pub struct JumpPath {
    stream: ChannelStream,
    session: Arc<Session>,
    host: Arc<dyn JumpHost>,
    tunnel: Tunnel,
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

    async fn leave(self, _: Leave) -> PathEnd {
        let Self { stream, session, host, mut tunnel } = self;
        // The jump host is told by this that the channel is closed.
        drop(stream);
        if session.is_over() {
            let detail = format!("the session with the jump host {} ended in the middle", host.name());
            let arg = Some(Code::AuthClosed.name().to_owned());
            tunnel.trouble = Some(TunnelTrouble::lasting(Code::JumpFailed, arg, detail));
        }
        PathEnd { tunnel: Some(Box::new(tunnel)), ..PathEnd::default() }
    }
}

impl AsyncRead for JumpPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
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
