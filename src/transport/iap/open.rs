//! Opens a tunnel, stage by stage, each with its own time and its own way to fail.

use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sshprobe_probes::case::Connect;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::quote;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, LocalTrouble, Silence, Tunnel, TunnelTrouble};
use sshprobe_probes::iap::{
    BadUpgrade, How, IapEnd, IapTarget, MESSAGE_MAX, ORIGIN, Phase, RelayUrl, SUBPROTOCOL, status_at_start,
};
use sshprobe_probes::record::Via;
use sshprobe_probes::target::{Host, host_port, stand_in};
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
use crate::transport::proxy::{Proxy, ProxyPath};
use crate::transport::seam::{Opening, Transport};
use crate::transport::tcp::Tcp;

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
        self.of(&connect.host, connect.addr.port())
    }

    fn of(&self, host: &Host, port: u16) -> Result<IapTarget, String> {
        match (host, self) {
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
    /// What stands before the relay.
    proxy: Option<Proxy>,
    /// Hosts are to be probed directly too.
    compares: bool,
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
    /// What is known of it stands in the tunnel already.
    Told,
    /// Nothing was asked for: a name that cannot be one, no token.
    Never(String),
    /// It was trouble of this machine's, and says nothing of the tunnel.
    Local(LocalTrouble),
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
        let authority = host_port(relay.host(), relay.port()).into();
        Ok(Self { clock, tcp, resolver, relay, authority, tls, instances, tokens, proxy: None, compares: false })
    }

    /// Goes to the relay through this proxy, and neither resolves its name here, where that is the proxy's to do.
    #[must_use]
    pub fn behind(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// Has hosts probed directly too, to compare.
    #[must_use]
    pub fn comparing(self, compares: bool) -> Self {
        Self { compares, ..self }
    }

    /// The way without the relay, and what the host may be called there; `None` unless a comparison was asked for.
    pub(crate) fn directly(&self, host: &Host) -> Option<(Tcp, Vec<String>)> {
        let target = self.instances.of(host, IapTarget::DEFAULT_PORT).ok().filter(|_| self.compares)?;
        Some((self.tcp.clone(), target.direct_names()))
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
        let path = match &self.proxy {
            Some(proxy) => self.by_proxy(proxy, until, connect, evidence, tunnel).await?,
            None => {
                let addrs = self.addresses(until).await?;
                tunnel.timing.dns = Some(self.clock.now().since(begun));
                self.reach(&addrs, connect, evidence, tunnel).await?
            }
        };
        let wire = self.secure(path, until, tunnel).await?;
        let opened = self.upgrade(wire, &target, token.clone(), until, tunnel).await;
        if let Err(Failed::Ended(end, _)) = &opened
            && end.refuses_the_token()
        {
            self.tokens.refused(&token).await;
        }
        let mut path = opened?;
        let begun = self.clock.now();
        match self.in_time(until, SID, announced(&mut path)).await {
            Ok(None) => {
                path.tunnel_mut().timing.sid = path.session().sid_after();
                Ok(path)
            }
            Ok(Some(end)) => {
                if end.refuses_the_token() {
                    self.tokens.refused(&token).await;
                }
                *tunnel = path.into_tunnel();
                Err(Failed::Ended(end, None))
            }
            Err(silence) => {
                let (end, kept) = path.silent();
                *tunnel = kept;
                tunnel.silence = Some(silence);
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
            addrs.retain(IpAddr::is_loopback);
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
    ) -> Result<ProxyPath, Failed> {
        let mut last = ended(Phase::Connect, How::NameUnknown, None);
        for addr in addrs {
            let to_relay = Connect { addr: *addr, known: None, mss: None, ..connect.clone() };
            match self.tcp.open(&to_relay).await {
                Opening::Up(path, seen) => {
                    evidence.path = seen.path;
                    tunnel.timing.connect = seen.timing.connect;
                    return Ok(ProxyPath::without(path));
                }
                Opening::Down(seen) | Opening::Lapsed(seen) => {
                    let errno = seen.path.errno;
                    let how = match (&seen.fault, errno) {
                        (_, Some(Errno::ECONNREFUSED)) => How::Refused,
                        (Some(Fault::ConnectTimeout), _) => How::Silence,
                        _ => How::Unreachable,
                    };
                    let more = errno.map_or_else(|| addr.to_string(), |errno| format!("{addr} says {errno}"));
                    let silent = seen.fault == Some(Fault::ConnectTimeout);
                    let due = seen.started + self.tcp.limit(connect);
                    tunnel.silence = silent.then_some(Silence { since: seen.started, due });
                    evidence.path = seen.path;
                    last = match seen.fault {
                        Some(Fault::Local(trouble)) => Failed::Local(trouble),
                        _ => ended(Phase::Connect, how, more),
                    };
                }
                Opening::Short(errno) => return Err(Failed::Short(errno)),
            }
        }
        Err(last)
    }

    /// Through the proxy before the relay: what that says of a refusal stands.
    async fn by_proxy(
        &self,
        proxy: &Proxy,
        until: Moment,
        connect: &Connect,
        evidence: &mut Evidence,
        tunnel: &mut Tunnel,
    ) -> Result<ProxyPath, Failed> {
        let port = self.relay.port();
        let (host, addr) = match self.relay.host().parse::<IpAddr>() {
            Ok(addr) => (Host::Addr(addr, 0), SocketAddr::new(addr, port)),
            Err(_) => {
                let host = Host::Name(self.relay.host().into());
                // One that takes names resolves this one, as the network here may not know it.
                let known = if proxy.takes_names() { None } else { self.addresses(until).await?.first().copied() };
                let addr = known.unwrap_or_else(|| stand_in(&host, port));
                (host, addr)
            }
        };
        let to_relay = Connect { host, addr, known: None, mss: None, ..connect.clone() };
        let (path, seen) = match Box::pin(proxy.open(&to_relay)).await {
            Opening::Up(path, seen) => (Some(path), seen),
            Opening::Down(seen) | Opening::Lapsed(seen) => (None, seen),
            Opening::Short(errno) => return Err(Failed::Short(errno)),
        };
        evidence.path = seen.path;
        if let (None, Some(Fault::Local(trouble))) = (&path, seen.fault) {
            return Err(Failed::Local(trouble));
        }
        if let Some(way) = seen.tunnel {
            *tunnel = Tunnel { via: Via::Iap, ..*way };
        }
        path.ok_or(Failed::Told)
    }

    async fn secure(&self, path: ProxyPath, until: Moment, tunnel: &mut Tunnel) -> Result<Wire, Failed> {
        let Some(tls) = &self.tls else { return Ok(Wire::clear(path)) };
        let name = ServerName::try_from(self.relay.host().to_owned())
            .map_err(|_| ended(Phase::Tls, How::Tls, String::from("the relay's name cannot stand in a certificate")))?;
        let begun = self.clock.now();
        match self.in_time(until, TLS, tls.connect(name, path)).await {
            Ok(Ok(stream)) => {
                tunnel.timing.tls = Some(self.clock.now().since(begun));
                Ok(Wire::tls(stream))
            }
            Ok(Err(error)) => {
                let how = of_io(&error);
                let more = (how == How::Tls).then(|| error.to_string());
                Err(ended(Phase::Tls, how, more))
            }
            Err(silence) => {
                tunnel.silence = Some(silence);
                Err(ended(Phase::Tls, How::Silence, None))
            }
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
        let first = wire.first();
        let begun = self.clock.now();
        let answer = self.in_time(until, UPGRADE, client_async_with_config(request, wire, Some(limits))).await;
        let socket = match answer {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => {
                let first = std::mem::take(&mut *first.lock().unwrap_or_else(PoisonError::into_inner));
                return Err(refused(error, &token, &first));
            }
            Err(silence) => {
                tunnel.silence = Some(silence);
                return Err(ended(Phase::Upgrade, How::Silence, None));
            }
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

    /// What comes within `most`, and before the whole connection's end; else the silence that it was.
    async fn in_time<F: Future>(&self, until: Moment, most: Duration, work: F) -> Result<F::Output, Silence> {
        let since = self.clock.now();
        let due = until.min(since + most);
        timeout_at(self.clock.instant(due), work).await.map_err(|_| Silence { since, due })
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
/// `first` is how its answer begins.
fn refused(error: WsError, token: &Token, first: &[u8]) -> Failed {
    let bad = |what| ended(Phase::Upgrade, How::BadUpgrade(what), None);
    let not_http = || match status_at_start(first) {
        // A status that the library did not take for what stands behind it.
        Some(status) if status != 101 => {
            let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
            Failed::Ended(IapEnd::new(Phase::Upgrade, How::Http(status), &token.struck_from(line)), None)
        }
        _ => bad(BadUpgrade::NotHttp),
    };
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
            _ => not_http(),
        },
        WsError::Io(_) | WsError::ConnectionClosed | WsError::AlreadyClosed => ended(Phase::Upgrade, how(&error), None),
        _ => not_http(),
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
            Err(Failed::Local(trouble)) => {
                evidence.fault = Some(Fault::Local(trouble));
                return Opening::Down(evidence);
            }
            Err(Failed::Told) => {}
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
