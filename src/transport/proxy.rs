//! SOCKS5 and HTTP CONNECT proxies (RFC 1928, RFC 1929, RFC 9110 section 9.3.6) as the way to the target.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use sshprobe_probes::case::Connect;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::{escape, quote};
use sshprobe_probes::evidence::{Evidence, Fault, Silence, Tunnel, TunnelTrouble};
use sshprobe_probes::probe::Leave;
use sshprobe_probes::proxy::{Credentials, HttpConnect, Peer, ProxyFault, Socks5, Step};
use sshprobe_probes::record::Via;
use sshprobe_probes::target::{Host, host_port};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout_at;

use crate::resolve::Resolver;
use crate::sys::clock::Clock;
use crate::target::expr::{Expression, Hosts};
use crate::transport::seam::{Opening, PathEnd, SoftError, Stream, Transport};
use crate::transport::tcp::{Tcp, TcpPath};

/// How much of a proxy's words a sentence quotes, in characters.
const QUOTED: usize = 160;

/// Which proxy, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    kind: Kind,
    /// The proxy's name or address.
    host: Box<str>,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// SOCKS5; names are resolved here.
    Socks5,
    /// SOCKS5; names are the proxy's to resolve.
    Socks5h,
    /// HTTP CONNECT; names are the proxy's to resolve.
    Http,
}

impl Kind {
    const ALL: [(&'static str, Kind, u16); 3] =
        [("socks5", Kind::Socks5, 1080), ("socks5h", Kind::Socks5h, 1080), ("http", Kind::Http, 8080)];

    const fn via(self) -> Via {
        match self {
            Kind::Socks5 | Kind::Socks5h => Via::Socks5,
            Kind::Http => Via::HttpConnect,
        }
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = Kind::ALL.iter().find(|(_, kind, _)| *kind == self.kind).map_or("", |(name, ..)| name);
        write!(f, "{scheme}://{}", host_port(&self.host, self.port))
    }
}

impl FromStr for ProxyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "write socks5://HOST[:PORT], socks5h://HOST[:PORT] or http://HOST[:PORT]";
        let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("has no scheme; {wanted}"))?;
        let known = Kind::ALL.into_iter().find(|(name, ..)| *name == scheme.to_ascii_lowercase());
        let (_, kind, default_port) = known.ok_or_else(|| format!("has an unknown scheme; {wanted}"))?;
        if rest.contains('@') {
            return Err(String::from(
                "holds credentials, which everybody on this machine could read; put them into the environment: SSHPROBE_PROXY_USER and SSHPROBE_PROXY_PASSWORD",
            ));
        }
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() {
            return Err(format!("names no host; {wanted}"));
        }
        let expression = Expression::parse(rest).map_err(|error| format!("cannot be read ({error}); {wanted}"))?;
        let port = match &expression.ports {
            None => default_port,
            Some(ports) if ports.len() == 1 => ports.nth(0).unwrap_or(default_port),
            Some(_) => return Err(format!("has more than one port; {wanted}")),
        };
        let host = match expression.hosts {
            Hosts::Name(name) => name,
            Hosts::Iap(_) => return Err(format!("is no proxy; {wanted}")),
            Hosts::Addresses(range) if range.is_single() => match range.space.address(range.first) {
                (addr, 0) => addr.to_string().into(),
                _ => return Err(String::from("has a link-local address; write another one")),
            },
            Hosts::Addresses(_) => return Err(format!("names more than one host; {wanted}")),
        };
        Ok(Self { kind, host, port })
    }
}

/// Connects through a proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    clock: Clock,
    tcp: Tcp,
    url: ProxyUrl,
    credentials: Option<Credentials>,
    resolver: Arc<Resolver>,
}

impl Proxy {
    /// Connects to the proxy by `tcp`, and gives it these credentials if it asks for them.
    #[must_use]
    pub fn new(
        clock: Clock,
        tcp: Tcp,
        url: ProxyUrl,
        credentials: Option<Credentials>,
        resolver: Arc<Resolver>,
    ) -> Self {
        Self { clock, tcp, url, credentials, resolver }
    }

    /// The proxy's address; the first one of its name.
    async fn address(&self) -> Result<SocketAddr, String> {
        if let Ok(addr) = self.url.host.parse() {
            return Ok(SocketAddr::new(addr, self.url.port));
        }
        let found = self.resolver.lookup(&self.url.host).await;
        let addrs = found.map_err(|fault| format!("the proxy's name {} gives no address: {fault:?}", self.url.host))?;
        addrs
            .first()
            .map(|addr| SocketAddr::new(*addr, self.url.port))
            .ok_or_else(|| format!("the proxy's name {} gives no address", self.url.host))
    }

    fn peer(&self, connect: &Connect) -> Result<Peer, String> {
        let peer = match (&connect.host, self.url.kind) {
            (Host::Name(name), Kind::Socks5h | Kind::Http) => Peer::new(name, connect.addr.port()),
            _ => Peer::resolved(connect.addr.ip(), connect.addr.port()),
        };
        peer.map_err(|error| error.to_string())
    }

    /// Asks the proxy for the target; what came behind its answer.
    /// `words` gets what it says of it.
    async fn ask(&self, path: &mut TcpPath, peer: Peer, words: &mut Vec<u8>) -> Result<Vec<u8>, ProxyFault> {
        match self.url.kind {
            Kind::Http => {
                let request = HttpConnect::request(&peer, self.credentials.as_ref());
                if path.write_all(&request).await.is_err() {
                    return Err(ProxyFault::Closed);
                }
                let mut answer = HttpConnect::new();
                let mut piece = [0; 4096];
                loop {
                    match path.read(&mut piece).await {
                        Ok(count @ 1..) => {
                            let step = answer.input(&piece[..count]);
                            *words = answer.status_line().to_vec();
                            if let Step::Connected(taken) = step? {
                                words.clear();
                                return Ok(piece[taken..count].to_vec());
                            }
                        }
                        _ => return Err(answer.input_end()),
                    }
                }
            }
            Kind::Socks5 | Kind::Socks5h => {
                let mut handshake = Socks5::new(peer, self.credentials.clone());
                let mut piece = [0; 1024];
                loop {
                    let count = handshake.output().len();
                    if count > 0 {
                        if path.write_all(handshake.output()).await.is_err() {
                            return Err(handshake.input_end());
                        }
                        handshake.written(count);
                    }
                    match path.read(&mut piece).await {
                        Ok(count @ 1..) => {
                            if let Step::Connected(taken) = handshake.input(&piece[..count])? {
                                return Ok(piece[taken..count].to_vec());
                            }
                        }
                        _ => return Err(handshake.input_end()),
                    }
                }
            }
        }
    }
}

impl Transport for Proxy {
    type Stream = ProxyPath;

    fn takes_names(&self) -> bool {
        self.url.kind != Kind::Socks5
    }

    async fn open(&self, connect: &Connect) -> Opening<ProxyPath> {
        let started = self.clock.now();
        let mut tunnel = Tunnel::new(self.url.kind.via());
        let mut evidence = Evidence::new(connect.addr, started);
        let down = |evidence, mut tunnel: Tunnel, code, arg, detail: String| {
            tunnel.trouble = Some(TunnelTrouble::lasting(code, arg, detail));
            Opening::broken(evidence, tunnel, self.clock.now())
        };
        let proxy = match self.address().await {
            Ok(proxy) => proxy,
            Err(why) => return down(evidence, tunnel, Code::ProxyUnreachable, Some("dns".into()), why),
        };
        let resolved = self.clock.now();
        tunnel.timing.dns = Some(resolved.since(started));
        let to_proxy = Connect { addr: proxy, known: None, ..connect.clone() };
        let mut path = match self.tcp.open(&to_proxy).await {
            Opening::Up(path, to_proxy) => {
                evidence.path = to_proxy.path;
                tunnel.timing.connect = to_proxy.timing.connect;
                path
            }
            Opening::Down(to_proxy) | Opening::Lapsed(to_proxy) => {
                let errno = to_proxy.path.errno;
                if let Some(Fault::Local(_)) = to_proxy.fault {
                    // It says nothing of the proxy either.
                    (evidence.ended, evidence.fault, evidence.path) = (to_proxy.ended, to_proxy.fault, to_proxy.path);
                    return Opening::Down(evidence);
                }
                let why = errno.map_or_else(|| String::from("no answer in time"), |errno| errno.to_string());
                if to_proxy.fault == Some(Fault::ConnectTimeout) {
                    let since = to_proxy.started;
                    tunnel.silence = Some(Silence { since, due: since + self.tcp.limit(connect) });
                }
                evidence.path = to_proxy.path;
                let detail = format!("the proxy at {proxy} cannot be reached: {why}");
                return down(evidence, tunnel, Code::ProxyUnreachable, Some("connect".into()), detail);
            }
            Opening::Short(errno) => return Opening::Short(errno),
        };
        let peer = match self.peer(connect) {
            Ok(peer) => peer,
            Err(why) => return down(evidence, tunnel, Code::ProxyRefused, None, why),
        };
        let asked = self.clock.now();
        let deadline = self.clock.instant(started + connect.plan.timeout);
        let asking = self.ask(&mut path, peer.clone(), &mut tunnel.reason);
        let answer = timeout_at(deadline, asking).await;
        let now = self.clock.now();
        tunnel.timing.proxy = Some(now.since(asked));
        let early = match answer {
            Ok(Ok(early)) => early,
            Ok(Err(fault)) => {
                let (code, arg) = fault.verdict();
                let words = match tunnel.reason.as_slice() {
                    [] => String::new(),
                    line => format!(": {}", quote(line, QUOTED)),
                };
                let detail = format!("{proxy} asked for {}: {fault}{words}", escape(peer.to_string()));
                return down(evidence, tunnel, code, arg, detail);
            }
            Err(_) => {
                tunnel.silence = Some(Silence { since: asked, due: started + connect.plan.timeout });
                let detail =
                    format!("the proxy at {proxy} did not answer the request for {} in time", escape(peer.to_string()));
                return down(evidence, tunnel, Code::ProxyUnreachable, Some("silent".into()), detail);
            }
        };
        evidence.timing.connect = Some(now.since(started));
        evidence.ended = now;
        evidence.tunnel = Some(Box::new(tunnel));
        Opening::Up(ProxyPath { path, early, given: 0 }, evidence)
    }
}

/// A TCP connection to the proxy, through which the target speaks.
#[derive(Debug)]
pub struct ProxyPath {
    path: TcpPath,
    /// What came behind the proxy's answer.
    early: Vec<u8>,
    /// So much of that was read.
    given: usize,
}

impl ProxyPath {
    /// A connection without a proxy, where there may be one.
    #[cfg(feature = "iap")]
    pub(super) const fn without(path: TcpPath) -> Self {
        Self { path, early: Vec::new(), given: 0 }
    }
}

impl Stream for ProxyPath {
    fn outlived(&self, error: &io::Error) -> Option<SoftError> {
        self.path.outlived(error)
    }

    fn pending(&mut self) -> Option<SoftError> {
        self.path.pending()
    }

    async fn leave(self, how: Leave, asked_why: bool) -> PathEnd {
        self.path.leave(how, asked_why).await
    }
}

impl AsyncRead for ProxyPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = &self.early[self.given..];
        if rest.is_empty() {
            return Pin::new(&mut self.path).poll_read(cx, into);
        }
        let count = rest.len().min(into.remaining());
        into.put_slice(&rest[..count]);
        self.given += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ProxyPath {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.path).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.path).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.path).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_what_is_wrong_is_named() {
        let read = |text: &str| text.parse::<ProxyUrl>().map(|url| (url.kind, url.host.to_string(), url.port));
        assert_eq!(read("socks5://10.0.0.1"), Ok((Kind::Socks5, "10.0.0.1".into(), 1080)));
        assert_eq!(read("socks5h://Proxy.example:9050/"), Ok((Kind::Socks5h, "proxy.example".into(), 9050)));
        assert_eq!(read("http://[2001:db8::1]:3128"), Ok((Kind::Http, "2001:db8::1".into(), 3128)));
        for (text, why) in [
            ("proxy:1080", "has no scheme"),
            ("https://proxy", "has an unknown scheme"),
            ("socks5://me:secret@proxy", "holds credentials"),
            ("http://10.0.0.0/24", "names more than one host"),
            ("http://", "names no host; write"),
            ("http:///", "names no host; write"),
            ("http://proxy:1,2", "has more than one port"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(why) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
