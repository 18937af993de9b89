//! A relay of the Identity-Aware Proxy on loopback that does what it is told, instance by instance: `ws://`, and TLS with a
//! certificate made for the occasion. WebSocket and relay frames are written by hand, so that wrong ones can be.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// One thing that the relay does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Bytes as they are, instead of an upgrade or in the middle of it all. `{token}` becomes the token that was shown.
    Raw(Vec<u8>),
    /// 101, with these headers instead of the right ones; `{accept}` becomes the right key.
    Upgrade(&'static str),
    /// A binary message.
    Message(Vec<u8>),
    /// Bytes of the server's, in a DATA frame. `{token}` as above.
    Data(&'static str),
    /// A Close frame. `{token}` as above.
    Close(u16, Vec<u8>),
    /// Nothing, for so long.
    Pause(Duration),
    /// Nothing, until as many tunnels wait here as the barrier is for.
    Meet(Arc<Barrier>),
    /// Nothing, until the client has gone.
    Hang,
    /// RST instead of FIN.
    Reset,
    /// The announcement, and then the target's bytes, in DATA frames of at most so many of them.
    Backend(SocketAddr, usize),
}

/// A right answer to the upgrade.
pub(crate) const GOOD: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: relay.tunnel.cloudproxy.app\r\n";

/// A frame whose layout is a tag, a length and that many bytes.
pub(crate) fn framed(tag: u16, body: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &u32::try_from(body.len()).expect("short").to_be_bytes(), body].concat()
}

/// CONNECT_SUCCESS_SID.
pub(crate) fn sid(id: &str) -> Vec<u8> {
    framed(1, id.as_bytes())
}

/// DATA.
pub(crate) fn data(bytes: &[u8]) -> Vec<u8> {
    framed(4, bytes)
}

/// ACK, or with tag 2 RECONNECT_SUCCESS_ACK.
pub(crate) fn count(tag: u16, count: u64) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &count.to_be_bytes()].concat()
}

/// LONG_CLOSE.
pub(crate) fn long_close(code: u32, reason: &[u8]) -> Vec<u8> {
    [&10_u16.to_be_bytes()[..], &code.to_be_bytes(), &u32::try_from(reason.len()).expect("short").to_be_bytes(), reason]
        .concat()
}

/// A WebSocket frame of a server's (RFC 6455 section 5.2): `first` is FIN and opcode.
pub(crate) fn websocket(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(len.try_into().expect("short")),
        len @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(len).expect("short").to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// What the relay was asked for, and what came over the tunnel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The request's first line.
    pub(crate) request: String,
    /// Its headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The counts of the client's ACK frames.
    pub(crate) acks: Vec<u64>,
    /// Payload bytes sent to the client.
    pub(crate) sent: u64,
}

/// Writes into what was seen of an instance.
type Note<'a> = dyn Fn(&dyn Fn(&mut Seen)) + Sync + 'a;

/// What a relay does for the instance of this name.
type Play = dyn Fn(&str) -> Vec<Act> + Send + Sync;

/// A relay that runs until dropped.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    _runtime: Runtime,
}

impl Relay {
    /// Starts one on a free port of 127.0.0.1; with TLS if there is a certificate. Instances of another zone than us-central1-a are
    /// called `ZONE/INSTANCE`.
    pub(crate) fn start(
        authority: Option<&Authority>,
        play: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let seen = Arc::<Mutex<BTreeMap<String, Seen>>>::default();
        let play: Arc<Play> = Arc::new(play);
        let (tls, keeper) = (authority.map(Authority::acceptor), Arc::clone(&seen));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (play, seen, tls) = (Arc::clone(&play), Arc::clone(&keeper), tls.clone());
                tokio::spawn(async move {
                    // Where the client does not like what it sees, the connection ends: that is what is tested.
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &play, &seen).await.map(drop),
                            Err(error) => Err(error),
                        },
                        None => match serve(stream, &play, &seen).await {
                            Ok((stream, true)) => reset(&stream),
                            Ok(_) => Ok(()),
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Self { addr, seen, _runtime: runtime }
    }

    /// What was seen of the instance's tunnel so far.
    pub(crate) fn seen(&self, instance: &str) -> Seen {
        self.seen.lock().expect("no panic while locked").get(instance).cloned().unwrap_or_default()
    }
}

fn reset(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// One connection; gives it back, and whether it is to be reset.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    play: &Arc<Play>,
    seen: &Mutex<BTreeMap<String, Seen>>,
) -> io::Result<(S, bool)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let request = lines.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.into()))
        .collect();
    let said = |name: &str| {
        let mut pairs = request.split(['?', '&', ' ']).filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    };
    let instance = match (said("zone"), said("instance")) {
        ("us-central1-a", instance) => instance.to_owned(),
        ("", _) => said("host").to_owned(),
        (zone, instance) => format!("{zone}/{instance}"),
    };
    let accept = derive_accept_key(headers.get("sec-websocket-key").map_or(b"", |key| key.as_bytes()));
    let token =
        headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let note = |change: &dyn Fn(&mut Seen)| {
        change(seen.lock().expect("no panic while locked").entry(instance.clone()).or_default());
    };
    note(&|seen| *seen = Seen { request: request.clone(), headers: headers.clone(), ..Seen::default() });
    let mut resets = false;
    for act in play(&instance) {
        let with_token = |bytes: Vec<u8>| match String::from_utf8(bytes) {
            Ok(text) => text.replace("{token}", &token).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        match act {
            Act::Raw(bytes) => stream.write_all(&with_token(bytes)).await?,
            Act::Upgrade(headers) => {
                let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n").replace("{accept}", &accept);
                stream.write_all(answer.as_bytes()).await?;
            }
            Act::Message(message) => stream.write_all(&websocket(0x82, &message)).await?,
            Act::Data(text) => {
                let bytes = with_token(text.as_bytes().to_vec());
                stream.write_all(&websocket(0x82, &data(&bytes))).await?;
            }
            Act::Close(code, reason) => {
                let payload = [&code.to_be_bytes()[..], &with_token(reason)].concat();
                stream.write_all(&websocket(0x88, &payload)).await?;
                // The client's own Close; a FIN or RST before it could overtake ours.
                drain(&mut stream).await;
            }
            Act::Pause(time) => sleep(time).await,
            Act::Meet(barrier) => {
                barrier.wait().await;
            }
            Act::Hang => drain(&mut stream).await,
            Act::Reset => resets = true,
            Act::Backend(addr, most) => {
                stream.write_all(&websocket(0x82, &sid(&format!("sid-of-{instance}")))).await?;
                let (from, to) = split(stream);
                return Ok((backend(from, to, addr, most, &note).await?, false));
            }
        }
        stream.flush().await?;
    }
    Ok((stream, resets))
}

async fn drain<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut rest = [0; 1024];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

/// Carries bytes to and fro, as the real relay would.
async fn backend<S: AsyncRead + AsyncWrite + Unpin>(
    mut from: ReadHalf<S>,
    mut to: WriteHalf<S>,
    addr: SocketAddr,
    most: usize,
    note: &Note<'_>,
) -> io::Result<S> {
    let (mut server_says, mut server_hears) = TcpStream::connect(addr).await?.into_split();
    let to_client = async {
        let mut piece = vec![0; most];
        loop {
            match server_says.read(&mut piece).await {
                Ok(count @ 1..) => {
                    note(&|seen| seen.sent += count as u64);
                    to.write_all(&websocket(0x82, &data(&piece[..count]))).await?;
                    to.flush().await?;
                }
                _ => {
                    let payload = [&4010_u16.to_be_bytes()[..], b"destination read failed"].concat();
                    to.write_all(&websocket(0x88, &payload)).await?;
                    to.flush().await?;
                    return io::Result::Ok(());
                }
            }
        }
    };
    let from_client = async {
        loop {
            let (opcode, payload) = client_frame(&mut from).await?;
            match (opcode, payload.get(..2)) {
                (8, _) => return io::Result::Ok(()),
                (2, Some([0, 4])) => server_hears.write_all(&payload[6..]).await?,
                (2, Some([0, 7])) => {
                    let count = u64::from_be_bytes(payload[2..10].try_into().expect("eight bytes"));
                    note(&|seen| seen.acks.push(count));
                }
                _ => {}
            }
        }
    };
    // Whichever side ends first ends the tunnel, once the client has had the Close frame.
    tokio::select! {
        done = async { to_client.await?; std::future::pending::<io::Result<()>>().await } => done?,
        done = from_client => done?,
    }
    Ok(from.unsplit(to))
}

/// One masked frame (RFC 6455 section 5.3).
async fn client_frame<S: AsyncRead + Unpin>(from: &mut S) -> io::Result<(u8, Vec<u8>)> {
    let opcode = from.read_u8().await? & 0x0f;
    let len = match from.read_u8().await? & 0x7f {
        126 => usize::from(from.read_u16().await?),
        127 => usize::try_from(from.read_u64().await?).expect("a short frame"),
        len => len.into(),
    };
    let mut mask = [0; 4];
    from.read_exact(&mut mask).await?;
    let mut payload = vec![0; len];
    from.read_exact(&mut payload).await?;
    payload.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok((opcode, payload))
}

/// A CA made for the occasion, and a certificate of it for `localhost`.
pub(crate) struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    /// Makes both, with the openssl program.
    pub(crate) fn new(name: &str) -> Self {
        let dir = tempfile::TempDir::new().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name).to_str().expect("printable").to_owned();
        std::fs::write(path("ext"), format!("subjectAltName=DNS:{name}\n")).expect("written");
        let openssl = |line: &str| {
            let output = std::process::Command::new("openssl").args(line.split(' ')).output().expect("openssl");
            assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let (ca, ca_key, csr, cert, leaf) =
            (path("ca.pem"), path("ca.key"), path("csr"), path("cert.pem"), path("key.pem"));
        openssl(&format!("req -x509 {key} -keyout {ca_key} -out {ca} -days 2 -subj /CN=ca-of-{name}"));
        openssl(&format!("req {key} -keyout {leaf} -out {csr} -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {csr} -CA {ca} -CAkey {ca_key} -CAcreateserial -days 2 -out {cert} -extfile {}",
            path("ext")
        ));
        Self { dir }
    }

    /// The CA's certificate, for SSL_CERT_FILE.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }

    /// Speaks TLS as that name.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let cert = CertificateDer::from_pem_file(self.path("cert.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.path("key.pem")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("a pair");
        TlsAcceptor::from(Arc::new(config))
    }
}
