//! Opens a tunnel, stage by stage, each with its own time and its own way to fail.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::case::Connect;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::quote;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, Tunnel, TunnelTrouble};
use sshprobe_probes::iap::{BadUpgrade, How, IapEnd, IapTarget, MESSAGE_MAX, ORIGIN, Phase, RelayUrl, SUBPROTOCOL};
use sshprobe_probes::record::Via;
use sshprobe_probes::target::Host;
use sshprobe_probes::time::Moment;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::resolve::Resolver;
use crate::sys::clock::Clock;
use crate::transport::iap::path::{Heard, IapPath, Wire, how, of_io};
use crate::transport::iap::source::Tokens;
use crate::transport::iap::tls::{self, NoTls};
use crate::transport::iap::token::{Token, TokenError};
use crate::transport::iap::words::{self, Journey};
use crate::transport::seam::{LATE, Opening, Transport};
use crate::transport::tcp::{Tcp, TcpPath};

/// The longest a TLS handshake may take.
const TLS: Duration = Duration::from_secs(10);
/// The longest the relay may take to answer the upgrade.
const UPGRADE: Duration = Duration::from_secs(10);
/// The longest the session's announcement may take: the relay first tries to reach the instance. gcloud waits a minute; what
/// comes at all comes sooner.
const SID: Duration = Duration::from_secs(15);

/// Which instances the names of targets are that are not written out as `iap://…`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Instances {
    /// Those of one zone: `--project` and `--zone`.
    Of {
        /// The project's id.
        project: Box<str>,
        /// The zone.
        zone: Box<str>,
    },
    /// None.
    WrittenOut,
}

impl Instances {
    /// What the relay is asked for.
    fn target(&self, connect: &Connect) -> Result<IapTarget, String> {
        let port = connect.addr.port();
        match (&connect.host, self) {
            (Host::Iap(target), _) => Ok(IapTarget::clone(target).with_port(port)),
            (host, Self::Of { project, zone }) => {
                IapTarget::instance(project, zone, &host.to_string(), Some(port)).map_err(|error| error.to_string())
            }
            (_, Self::WrittenOut) => Err(String::from(
                "nothing says where the instance is; write iap://PROJECT/ZONE/INSTANCE, or give --project and --zone",
            )),
        }
    }
}

/// Connects through the relay of the Identity-Aware Proxy.
#[derive(Clone)]
pub struct Iap {
    clock: Clock,
    tcp: Tcp,
    resolver: Arc<Resolver>,
    relay: RelayUrl,
    authority: Arc<str>,
    tls: Option<TlsConnector>,
    instances: Instances,
    tokens: Arc<Tokens>,
}

impl fmt::Debug for Iap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iap").field("relay", &self.relay).field("instances", &self.instances).finish_non_exhaustive()
    }
}

/// Why a tunnel did not come up.
enum Failed {
    /// This machine lacks something.
    Short(Errno),
    /// The tunnel ended; what the error said beyond that.
    Ended(IapEnd, Option<String>),
    /// Nothing was asked for: a name that cannot be one, no token.
    Never(String),
}

fn ended(phase: Phase, how: How, more: impl Into<Option<String>>) -> Failed {
    Failed::Ended(IapEnd::new(phase, how, b""), more.into())
}

impl Iap {
    /// Connects to the relay by `tcp`, and gives it the token of `tokens`, which must be meant for it.
    ///
    /// # Errors
    /// TLS is wanted and cannot be had.
    pub fn new(
        clock: Clock,
        tcp: Tcp,
        resolver: Arc<Resolver>,
        relay: RelayUrl,
        instances: Instances,
        tokens: Arc<Tokens>,
    ) -> Result<Self, NoTls> {
        let tls = if relay.tls() { Some(tls::connector()?) } else { None };
        let authority = format!("{}:{}", relay.host(), relay.port()).into();
        Ok(Self { clock, tcp, resolver, relay, authority, tls, instances, tokens })
    }

    /// Sees whether there is a token at all, so that its lack is known before anything is sent.
    ///
    /// # Errors
    /// There is none.
    pub async fn check(&self) -> Result<(), TokenError> {
        self.tokens.token().await.map(drop)
    }

    async fn dig(&self, connect: &Connect, evidence: &mut Evidence, tunnel: &mut Tunnel) -> Result<IapPath, Failed> {
        let target = self.instances.target(connect).map_err(|why| Failed::Never(format!("not asked for: {why}")))?;
        let token = self.tokens.token().await.map_err(|error| Failed::Never(error.to_string()))?;
        // gcloud may have taken its time, which is neither the tunnel's nor the target's.
        let begun = self.clock.now();
        evidence.started = begun;
        let until = begun + connect.plan.timeout;
        let addrs = self.addresses(until).await?;
        let resolved = self.clock.now();
        tunnel.timing.dns = Some(resolved.since(begun));
        let path = self.reach(&addrs, connect, evidence, tunnel).await?;
        let wire = self.secure(path, until, tunnel).await?;
        let opened = self.upgrade(wire, &target, token.clone(), until, tunnel).await;
        if let Err(Failed::Ended(end, _)) = &opened
            && end.refuses_the_token()
        {
            self.tokens.refused(&token).await;
        }
        let mut path = opened?;
        let begun = self.clock.now();
        match self.in_time(until, SID, announced(&mut path)).await? {
            Some(None) => {
                path.tunnel_mut().timing.sid = path.session().sid_after();
                Ok(path)
            }
            Some(Some(end)) => {
                if end.refuses_the_token() {
                    self.tokens.refused(&token).await;
                }
                *tunnel = path.into_tunnel();
                Err(Failed::Ended(end, None))
            }
            None => {
                let (end, kept) = path.silent();
                *tunnel = kept;
                let waited = self.clock.now().since(begun);
                Err(Failed::Ended(end, Some(format!("waited {:.1}s", waited.as_secs_f64()))))
            }
        }
    }

    /// The relay's addresses. `ws://` is for this machine alone, whatever the name leads to.
    async fn addresses(&self, until: Moment) -> Result<Vec<SocketAddr>, Failed> {
        let port = self.relay.port();
        if let Ok(addr) = self.relay.host().parse() {
            return Ok(vec![SocketAddr::new(addr, port)]);
        }
        let unknown = |why: String| ended(Phase::Connect, How::NameUnknown, why);
        let Ok(found) = timeout_at(self.clock.instant(until), self.resolver.lookup(self.relay.host())).await else {
            return Err(unknown(String::from("no answer in time")));
        };
        let mut addrs = found.map_err(|fault| unknown(format!("{fault:?}")))?;
        if self.tls.is_none() {
            addrs.retain(std::net::IpAddr::is_loopback);
        }
        if addrs.is_empty() {
            return Err(unknown(String::from("none of this machine, and ws:// is for no other")));
        }
        Ok(addrs.into_iter().map(|addr| SocketAddr::new(addr, port)).collect())
    }

    /// TCP, to the first address that takes it: where the first family does not work, the other one may.
    async fn reach(
        &self,
        addrs: &[SocketAddr],
        connect: &Connect,
        evidence: &mut Evidence,
        tunnel: &mut Tunnel,
    ) -> Result<TcpPath, Failed> {
        let mut last = ended(Phase::Connect, How::NameUnknown, None);
        for addr in addrs {
            let to_relay = Connect { addr: *addr, known: None, mss: None, ..connect.clone() };
            match self.tcp.open(&to_relay).await {
                Opening::Up(path, seen) => {
                    evidence.path = seen.path;
                    tunnel.timing.connect = seen.timing.connect;
                    return Ok(path);
                }
                Opening::Down(seen) => {
                    let errno = seen.path.errno;
                    let how = match (&seen.fault, errno) {
                        (_, Some(Errno::ECONNREFUSED)) => How::Refused,
                        (Some(Fault::ConnectTimeout), _) => How::Silence,
                        _ => How::Unreachable,
                    };
                    let more = errno.map_or_else(|| addr.to_string(), |errno| format!("{addr} says {errno}"));
                    evidence.path = seen.path;
                    last = ended(Phase::Connect, how, more);
                }
                Opening::Short(errno) => return Err(Failed::Short(errno)),
            }
        }
        Err(last)
    }

    async fn secure(&self, path: TcpPath, until: Moment, tunnel: &mut Tunnel) -> Result<Wire, Failed> {
        let Some(tls) = &self.tls else { return Ok(Wire::clear(path)) };
        let name = ServerName::try_from(self.relay.host().to_owned())
            .map_err(|_| ended(Phase::Tls, How::Tls, String::from("the relay's name cannot stand in a certificate")))?;
        let begun = self.clock.now();
        match self.in_time(until, TLS, tls.connect(name, path)).await? {
            Some(Ok(stream)) => {
                tunnel.timing.tls = Some(self.clock.now().since(begun));
                Ok(Wire::tls(stream))
            }
            Some(Err(error)) => {
                let how = of_io(&error);
                let more = (how == How::Tls).then(|| error.to_string());
                Err(ended(Phase::Tls, how, more))
            }
            None => Err(ended(Phase::Tls, How::Silence, None)),
        }
    }

    async fn upgrade(
        &self,
        wire: Wire,
        target: &IapTarget,
        token: Token,
        until: Moment,
        tunnel: &mut Tunnel,
    ) -> Result<IapPath, Failed> {
        let port = target.port().unwrap_or(IapTarget::DEFAULT_PORT);
        let request = self.request(target, port, &token);
        let request = request.ok_or_else(|| Failed::Never(String::from("the request cannot be written")))?;
        // Small: thousands of tunnels are up at a time. Nothing is held back, for nothing is written without a cause.
        let limits = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .write_buffer_size(0)
            .max_write_buffer_size(256 * 1024)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let begun = self.clock.now();
        let answer = self.in_time(until, UPGRADE, client_async_with_config(request, wire, Some(limits))).await?;
        let socket = match answer {
            Some(Ok((socket, _))) => socket,
            Some(Err(error)) => return Err(refused(error, &token)),
            None => return Err(ended(Phase::Upgrade, How::Silence, None)),
        };
        tunnel.timing.upgrade = Some(self.clock.now().since(begun));
        let journey = self.journey(target.host(), port);
        Ok(IapPath::new(socket, self.clock, tunnel.clone(), journey, token))
    }

    fn request(&self, target: &IapTarget, port: u16, token: &Token) -> Option<Request> {
        let scheme = if self.relay.tls() { "wss" } else { "ws" };
        let host = self.relay.host_header();
        Request::builder()
            .uri(format!("{scheme}://{host}{}", self.relay.connect(target, port)))
            .header("Host", host)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .header("Sec-WebSocket-Protocol", SUBPROTOCOL)
            .header("Origin", ORIGIN)
            .header("User-Agent", concat!("sshprobe/", env!("CARGO_PKG_VERSION")))
            .header("Authorization", token.bearer()?)
            .body(())
            .ok()
    }

    fn journey(&self, host: &str, port: u16) -> Journey {
        Journey { relay: Arc::clone(&self.authority), target: format!("{}:{port}", quote_bare(host)).into() }
    }

    /// What comes within `most`, and before the whole connection's end; `None` if nothing does. A silence that is noticed much
    /// too late is this machine's own.
    async fn in_time<F: Future>(&self, until: Moment, most: Duration, work: F) -> Result<Option<F::Output>, Failed> {
        let end = until.min(self.clock.now() + most);
        match timeout_at(self.clock.instant(end), work).await {
            Ok(done) => Ok(Some(done)),
            Err(_) if self.clock.now().since(end) > LATE => Err(Failed::Short(Errno::EAGAIN)),
            Err(_) => Ok(None),
        }
    }
}

/// Waits for the session's announcement; what came instead, if something did.
async fn announced(path: &mut IapPath) -> Option<IapEnd> {
    loop {
        match poll_fn(|cx| path.poll_heard(cx)).await {
            Heard::Opened => return None,
            Heard::End(end) => return Some(end),
            Heard::Data(_) | Heard::Nothing => {}
        }
    }
}

/// What an upgrade failed by.
fn refused(error: WsError, token: &Token) -> Failed {
    let bad = |what| ended(Phase::Upgrade, How::BadUpgrade(what), None);
    match error {
        WsError::Http(answer) => {
            let body = answer.body().as_deref().unwrap_or_default().trim_ascii();
            let end = IapEnd::new(Phase::Upgrade, How::Http(answer.status().as_u16()), &token.struck_from(body));
            let end = match answer.headers().get("retry-after") {
                Some(value) => end.with_retry_after(value.as_bytes().trim_ascii()),
                None => end,
            };
            // A redirect names whoever stands in the way.
            let to = answer.headers().get("location").map(|to| token.struck_from(to.as_bytes()));
            Failed::Ended(end, to.map(|to| format!("to {}", quote(to, 120))))
        }
        WsError::Protocol(what) => match what {
            ProtocolError::SecWebSocketSubProtocolError(_) => bad(BadUpgrade::Subprotocol),
            ProtocolError::SecWebSocketAcceptKeyMismatch => bad(BadUpgrade::AcceptKey),
            ProtocolError::MissingConnectionUpgradeHeader | ProtocolError::MissingUpgradeWebSocketHeader => {
                bad(BadUpgrade::Headers)
            }
            ProtocolError::HandshakeIncomplete => ended(Phase::Upgrade, How::Eof, None),
            _ => bad(BadUpgrade::NotHttp),
        },
        WsError::Io(_) | WsError::ConnectionClosed | WsError::AlreadyClosed => ended(Phase::Upgrade, how(&error), None),
        _ => bad(BadUpgrade::NotHttp),
    }
}

/// A name as sentences show it: names that could not be asked for come here too.
fn quote_bare(name: &str) -> String {
    sshprobe_probes::escape::shorten(name, 80)
}

impl Transport for Iap {
    type Stream = IapPath;

    fn takes_names(&self) -> bool {
        true
    }

    fn leads_to(&self, _: &Host) -> bool {
        true
    }

    async fn open(&self, connect: &Connect) -> Opening<IapPath> {
        let mut evidence = Evidence::new(connect.addr, self.clock.now());
        let mut tunnel = Tunnel::new(Via::Iap);
        let dug = self.dig(connect, &mut evidence, &mut tunnel).await;
        let now = self.clock.now();
        evidence.ended = now;
        match dug {
            Ok(mut path) => {
                evidence.timing.connect = Some(now.since(evidence.started));
                evidence.tunnel = Some(Box::new(path.tunnel_mut().clone()));
                return Opening::Up(path, evidence);
            }
            Err(Failed::Short(errno)) => return Opening::Short(errno),
            Err(Failed::Ended(end, more)) => {
                let journey = self.journey(&connect.host.to_string(), connect.addr.port());
                words::note(&mut tunnel, &end, &journey, more.as_deref());
            }
            Err(Failed::Never(detail)) => {
                tunnel.trouble = Some(TunnelTrouble::lasting(Code::LocalPolicy, None, detail));
            }
        }
        Opening::broken(evidence, tunnel, now)
    }
}
