//! One request over HTTP/1.1, for a token: to an OAuth endpoint by TLS, to the metadata server in the clear.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, Response};
use sshprobe_probes::case::Connect;
use sshprobe_probes::iap::{Endpoint, SCOPE};
use sshprobe_probes::plan::Plan;
use sshprobe_probes::target::{Host, host_port, stand_in};
use sshprobe_probes::time::Moment;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::resolve::Resolver;
use crate::transport::iap::tls;
use crate::transport::proxy::{Proxy, ProxyPath};
use crate::transport::{Opening, Transport};

/// The longest one request may take, from the name to the last byte.
const WHOLE: Duration = Duration::from_secs(15);

/// The longest the metadata server may take: on an instance it is a hop away, and elsewhere it is not there.
const METADATA: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const ANSWER_MAX: usize = 64 * 1024;

/// Asks for tokens by HTTP.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    resolver: Arc<Resolver>,
    /// What stands before Google's endpoints; the metadata server and this machine are reached without.
    proxy: Option<Proxy>,
}

/// What carries a request.
trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Carrier for S {}

/// The metadata server of Google's machines: `GCE_METADATA_HOST`, or its well-known name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataServer {
    host: Box<str>,
    port: u16,
}

impl Default for MetadataServer {
    fn default() -> Self {
        Self { host: "metadata.google.internal".into(), port: 80 }
    }
}

impl MetadataServer {
    /// Reads `HOST[:PORT]`, as Google's libraries take it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Some(Self { host: addr.ip().to_string().into(), port: addr.port() });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
            None => (text, 80),
        };
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let fits = !host.is_empty() && host.bytes().all(sound);
        fits.then(|| Self { host: host.into(), port })
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn authority(&self) -> String {
        host_port(&self.host, self.port)
    }
}

/// What came: the status, the body, and whether it was the metadata server that answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) of_metadata: bool,
}

impl Exchange {
    pub(super) const fn new(resolver: Arc<Resolver>, proxy: Option<Proxy>) -> Self {
        Self { resolver, proxy }
    }

    /// Posts a form. It goes to the endpoint by TLS, or stays on this machine.
    pub(super) async fn post(&self, endpoint: &Endpoint, form: String) -> Result<Answer, String> {
        let (host, port) = (endpoint.host(), endpoint.port());
        let default_port = if endpoint.tls() { 443 } else { 80 };
        let request = Request::builder()
            .method(Method::POST)
            .uri(endpoint.path())
            .header(HOST, if port == default_port { host.to_owned() } else { host_port(host, port) })
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let request = request.map_err(|error| error.to_string())?;
        self.ask(host, port, endpoint.tls(), request, WHOLE).await
    }

    /// Asks the metadata server for a token of the machine's own account.
    pub(super) async fn metadata(&self, server: &MetadataServer) -> Result<Answer, String> {
        let path = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=";
        let request = Request::builder()
            .uri(format!("{path}{SCOPE}"))
            .header(HOST, server.authority())
            .header("Metadata-Flavor", "Google")
            .body(String::new());
        let request = request.map_err(|error| error.to_string())?;
        self.ask(&server.host, server.port, false, request, METADATA).await
    }

    async fn ask(
        &self,
        host: &str,
        port: u16,
        tls: bool,
        request: Request<String>,
        most: Duration,
    ) -> Result<Answer, String> {
        let asked = async {
            if !tls {
                return converse(self.connect(host, port).await?, request).await;
            }
            let stream: Box<dyn Carrier> = match &self.proxy {
                Some(proxy) => Box::new(self.by_proxy(proxy, host, port).await?),
                None => Box::new(self.connect(host, port).await?),
            };
            let name = ServerName::try_from(host.to_owned()).map_err(|_| String::from("the name is no host's"))?;
            let connector = tls::connector().map_err(|error| error.to_string())?;
            let stream = connector.connect(name, stream).await.map_err(|error| format!("TLS failed: {error}"))?;
            converse(stream, request).await
        };
        let answer = timeout(most, asked).await.unwrap_or_else(|_| Err(String::from("no answer in time")));
        answer.map_err(|why| format!("{}: {why}", host_port(host, port)))
    }

    async fn by_proxy(&self, proxy: &Proxy, host: &str, port: u16) -> Result<ProxyPath, String> {
        let name = Host::Name(host.into());
        let addr = if proxy.takes_names() { None } else { self.lookup(host).await?.first().copied() };
        let addr = addr.map_or_else(|| stand_in(&name, port), |addr| SocketAddr::new(addr, port));
        let plan = Arc::new(Plan { timeout: WHOLE, ..Plan::default() });
        let to_host = Connect { host: name, ..Connect::new(addr, plan, Moment::START) };
        match proxy.open(&to_host).await {
            Opening::Up(path, _) => Ok(path),
            Opening::Down(seen) | Opening::Lapsed(seen) => Err(seen
                .tunnel
                .and_then(|tunnel| tunnel.trouble)
                .map_or_else(|| String::from("the proxy does not lead there"), |trouble| trouble.detail)),
            Opening::Short(errno) => Err(errno.to_string()),
        }
    }

    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        self.resolver.lookup(host).await.map_err(|fault| format!("the name gives no address: {fault:?}"))
    }

    /// TCP, to the first address that takes it.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let addrs = match host.parse() {
            Ok(addr) => vec![addr],
            Err(_) => self.lookup(host).await?,
        };
        let mut last = String::from("the name gives no address");
        for addr in addrs {
            match TcpStream::connect((addr, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}

/// Sends the request, and reads the answer whole.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, request: Request<String>) -> Result<Answer, String> {
    // What hyper says of an error holds nothing of what was sent.
    let told = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(Wire(stream)).await.map_err(told)?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(told)?;
        read(answer).await
    };
    // The connection is what reads and writes: it must run beside the request until the answer is there.
    let (mut answered, mut connection, mut over) = (pin!(answered), pin!(connection), false);
    poll_fn(|cx| {
        if !over {
            over = connection.as_mut().poll(cx).is_ready();
        }
        answered.as_mut().poll(cx)
    })
    .await
}

async fn read(answer: Response<hyper::body::Incoming>) -> Result<Answer, String> {
    let status = answer.status().as_u16();
    let of_metadata = answer.headers().get("Metadata-Flavor").is_some_and(|flavor| flavor == "Google");
    let (mut incoming, mut body) = (answer.into_body(), Vec::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
        let frame = frame.map_err(|error| error.to_string())?;
        body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if body.len() > ANSWER_MAX {
            return Err(String::from("the answer is too long"));
        }
    }
    Ok(Answer { status, body, of_metadata })
}

/// A stream as hyper wants it.
struct Wire<S>(S);

impl<S: AsyncRead + Unpin> Read for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut piece = [0; 4096];
        let room = piece.len().min(into.remaining());
        let mut read = ReadBuf::new(&mut piece[..room]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_servers_host_is_read_as_googles_libraries_do() {
        for (text, shown) in [
            ("metadata.google.internal", "metadata.google.internal:80"),
            ("169.254.169.254", "169.254.169.254:80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(MetadataServer::parse(text).map(|server| server.authority()).as_deref(), Some(shown), "{text}");
        }
        for text in ["", ":80", "host:0", "host:port", "http://host", "a b", "host/path"] {
            assert_eq!(MetadataServer::parse(text), None, "{text}");
        }
    }
}
