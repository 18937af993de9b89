//! One session of russh's, from a stream that is up to a login, and what can be done with it then.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Handle, Msg};
use russh::keys::{Algorithm, HashAlg, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel, ChannelId, ChannelOpenFailure, Preferred, SshId, cipher, kex, mac};
use sshprobe_probes::case::LoginOrder;
use sshprobe_probes::evidence::{Auth, Disconnect, Errno, Fault, HostKey, Login, Signature, Slot, Stage};
use sshprobe_probes::hostkey::key_type;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::attempts;
use super::credentials::Credentials;
use super::fence::{Abort, Fence, Key, Seen};

/// A session that is told to end has ended after this long, or it is ended.
const FAREWELL: Duration = Duration::from_secs(1);
/// Our reason for leaving, and the word that goes with it into the server's log.
const FAREWELL_TEXT: &str = "sshprobe";
/// How long the words about a channel that was not opened are waited for; they come with the refusal.
const WORDS: Duration = Duration::from_secs(1);

/// What to log in by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The user to log in as.
    pub(crate) user: &'a str,
    /// Our identification.
    pub(crate) ident: &'a str,
    /// What was learned of the server before, and the key it has to show.
    pub(crate) order: &'a LoginOrder,
    /// How long to wait for the server's identification before speaking first.
    pub(crate) speak_after: Duration,
    /// When a login that has come to nothing so far is over.
    pub(crate) deadline: Instant,
    /// How long a session that was logged in to may be silent, if not for ever.
    pub(crate) inactivity: Option<Duration>,
}

/// How a login went, as evidence has it.
#[derive(Debug)]
pub(crate) struct Told {
    /// What was tried.
    pub(crate) login: Login,
    /// The last stage entered.
    pub(crate) stage: Stage,
    /// Why it went no further, other than by a refusal.
    pub(crate) fault: Option<Fault>,
    /// The DISCONNECT that the server sent.
    pub(crate) disconnect: Option<Disconnect>,
    /// The host key it showed, if that was not the one expected.
    pub(crate) other_key: Option<HostKey>,
    /// What it said in banners.
    pub(crate) banner: Vec<u8>,
    /// There was more.
    pub(crate) banner_truncated: bool,
    /// What came over the stream.
    pub(crate) seen: Seen,
}

/// Logs in over a stream that is up, and stays there if that succeeds.
///
/// Ends at the deadline. Where there is no session afterwards, nothing is left running, and the key takes the stream out of the
/// fence, for whoever wants to know how the way to the target ended. Dropped before, it closes the stream.
pub(crate) async fn login<S>(
    mut fence: Fence<S>,
    key: &Key<S>,
    terms: Terms<'_>,
    credentials: &Credentials,
) -> (Told, Option<Session>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tether = Tether(Some(Arc::new(key.clone())));
    let heard = Arc::new(Mutex::new(Heard::default()));
    let mut login = Login { user: terms.user.to_owned(), methods: terms.order.methods.clone(), ..Login::default() };
    // Whoever speaks first turns the text of a server that throttles into a reset.
    let _ = timeout_at(terms.deadline.min(Instant::now() + terms.speak_after), fence.heard()).await;
    let (ended, end) = oneshot::channel();
    let (failures, failed) = mpsc::unbounded_channel();
    let client = Client { expected: terms.order.host_key.clone(), heard: Arc::clone(&heard), failures, _ended: ended };
    let mut end = End(end);
    let connecting = client::connect_stream(Arc::new(config(&terms)), fence, client);
    let mut handle = match timeout_at(terms.deadline, connecting).await {
        Ok(Ok(handle)) => handle,
        other => {
            if other.is_err() {
                key.stall();
            }
            end.wait().await;
            let seen = key.seen();
            let stage = if seen.identified() { Stage::Kex } else { Stage::Ident };
            let fault = match other {
                Ok(Err(error)) => fault(&lock(&heard), &seen, Some(&error)),
                _ => Fault::Timeout,
            };
            tether.release();
            return (told(login, stage, Some(fault), &heard, seen), None);
        }
    };
    let trying = attempts::attempts(&mut handle, &mut end, &heard, terms, credentials, &mut login);
    let in_time = timeout_at(terms.deadline, trying).await.is_ok();
    if login.accepted {
        let seen = key.seen();
        let session = Session { handle: Arc::new(handle), end, failed: tokio::sync::Mutex::new(failed), tether };
        return (told(login, Stage::Login, None, &heard, seen), Some(session));
    }
    // What it was that ended the session is known before we say farewell to it.
    let over = end.over();
    let fault = if !in_time {
        Some(Fault::Timeout)
    } else if over && !lock(&heard).no_method {
        Some(fault(&lock(&heard), &key.seen(), None))
    } else {
        None
    };
    let told = told(login, Stage::Login, fault, &heard, key.seen());
    farewell(&handle, &mut end).await;
    tether.release();
    (told, None)
}

fn told(login: Login, stage: Stage, fault: Option<Fault>, heard: &Mutex<Heard>, seen: Seen) -> Told {
    let mut heard = lock(heard);
    let other_key = heard.other_key.take().map(|blob| HostKey { blob, signature: Signature::Verified });
    Told {
        login,
        stage,
        fault,
        disconnect: heard.disconnect.take(),
        other_key,
        banner: std::mem::take(&mut heard.banner),
        banner_truncated: heard.banner_truncated,
        seen,
    }
}

async fn farewell(handle: &Handle<Client>, end: &mut End) {
    let said = handle.disconnect(russh::Disconnect::ByApplication, FAREWELL_TEXT, "");
    let _ = timeout(FAREWELL, async { (said.await, end.wait().await) }).await;
}

/// A session after a login.
pub(crate) struct Session {
    handle: Arc<Handle<Client>>,
    end: End,
    failed: tokio::sync::Mutex<mpsc::UnboundedReceiver<Failed>>,
    tether: Tether,
}

/// A connection that the server made for us, as a stream.
pub(crate) type ChannelStream = russh::ChannelStream<Msg>;

/// Why the server did not connect us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenFailure {
    /// The reason.
    pub(crate) reason: OpenReason,
    /// The server's words.
    pub(crate) text: String,
}

/// The reasons of RFC 4254 section 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenReason {
    /// It must not (AllowTcpForwarding, PermitOpen, `restrict`).
    Prohibited,
    /// It tried, and could not.
    ConnectFailed,
    /// It does not know such channels.
    UnknownType,
    /// It lacks something.
    Shortage,
    /// A reason of its own, by number.
    Other(u32),
    /// The session is over.
    SessionOver,
}

impl Session {
    /// Has the server connect to `host`, as it understands that name, and `port`.
    ///
    /// Dropped before the server has answered, the channel is closed as soon as it has.
    pub(crate) async fn direct_tcpip(&self, host: &str, port: u16) -> Result<ChannelStream, OpenFailure> {
        let (answer, answered) = oneshot::channel();
        let (handle, host) = (Arc::clone(&self.handle), host.to_owned());
        // A task of its own, which ends with the session: a channel that opens when nobody waits for it any more is to be closed.
        tokio::spawn(async move {
            let opened = handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await;
            let _ = answer.send(opened.map(Channel::into_stream));
        });
        let over = || OpenFailure { reason: OpenReason::SessionOver, text: String::new() };
        match answered.await.map_err(|_| over())? {
            Ok(stream) => Ok(stream),
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                Err(OpenFailure { reason: open_reason(&reason), text: self.words().await })
            }
            Err(_) => Err(over()),
        }
    }

    /// What the server said about the channel that it has just refused.
    ///
    /// The session's task goes on to nothing else before somebody has taken these words ([`Client::channel_open_failure`]), so
    /// they are never those about another channel.
    async fn words(&self) -> String {
        let take = async {
            let mut failed = self.failed.lock().await;
            while let Some(Failed { text, taken }) = failed.recv().await {
                if taken.send(()).is_ok() {
                    return text;
                }
            }
            String::new()
        };
        timeout(WORDS, take).await.unwrap_or_default()
    }

    /// The session has ended, whoever ended it.
    pub(crate) fn is_over(&self) -> bool {
        self.handle.is_closed()
    }

    /// Says farewell. When this is done, nothing runs any more that belonged to the session.
    pub(crate) async fn leave(mut self) {
        farewell(&self.handle, &mut self.end).await;
        self.tether.release();
    }
}

/// Ends what hangs on it when it is dropped, unless it was released.
struct Tether(Option<Arc<dyn Abort>>);

impl Tether {
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Tether {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            stream.abort();
        }
    }
}

/// Resolves when russh's task is over.
pub(super) struct End(oneshot::Receiver<()>);

impl End {
    pub(super) fn over(&mut self) -> bool {
        !matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    pub(super) async fn wait(&mut self) {
        if !self.0.is_terminated() {
            let _ = (&mut self.0).await;
        }
    }
}

/// What russh told while it ran.
#[derive(Debug, Default)]
pub(super) struct Heard {
    banner: Vec<u8>,
    banner_truncated: bool,
    disconnect: Option<Disconnect>,
    error: Option<russh::Error>,
    other_key: Option<Vec<u8>>,
    /// The last refusal came with an empty list, and russh ended the session over it.
    pub(super) no_method: bool,
}

pub(super) fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A channel that was not opened.
struct Failed {
    text: String,
    taken: oneshot::Sender<()>,
}

/// What russh asks and tells.
pub(crate) struct Client {
    expected: Vec<u8>,
    heard: Arc<Mutex<Heard>>,
    failures: mpsc::UnboundedSender<Failed>,
    /// Dropped with the task.
    _ended: oneshot::Sender<()>,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), russh::Error> {
        let mut heard = lock(&self.heard);
        let room = Auth::BANNER_MAX.saturating_sub(heard.banner.len());
        heard.banner.extend(banner.bytes().take(room));
        heard.banner_truncated |= banner.len() > room;
        Ok(())
    }

    /// russh has verified the signature when it asks this.
    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let plain = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.to_bytes(),
            PublicKeyOrCertificate::Certificate(certificate) => {
                russh::keys::PublicKey::from(certificate.public_key().clone()).to_bytes()
            }
        };
        let plain = plain?;
        let same = plain == self.expected;
        if !same {
            lock(&self.heard).other_key = Some(plain);
        }
        Ok(same)
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        let (taken, gone) = oneshot::channel();
        if self.failures.send(Failed { text: description.to_owned(), taken }).is_ok() {
            // Whoever asked for the channel may have given up.
            let _ = timeout(WORDS / 4, gone).await;
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let mut heard = lock(&self.heard);
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                let text = said.message.into_bytes().into_iter().take(Disconnect::TEXT_MAX).collect();
                heard.disconnect = Some(Disconnect { code: said.reason_code as u32, text });
            }
            DisconnectReason::Error(error) => {
                heard.no_method = matches!(error, russh::Error::NoAuthMethod);
                heard.error = Some(error);
            }
        }
        Ok(())
    }

    // A server has no business opening channels to us, and russh accepts some of them by itself. Dropped, they are refused.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }
}

/// Everything that russh has and a server may still want, the best first. Who is at the other end is settled by the pinned key.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G15_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G14_SHA1,
    kex::DH_GEX_SHA1,
    kex::DH_G1_SHA1,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const CIPHER: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
    cipher::AES_128_CBC,
    cipher::AES_192_CBC,
    cipher::AES_256_CBC,
];

const MAC: &[mac::Name] = &[
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

fn config(terms: &Terms<'_>) -> client::Config {
    client::Config {
        client_id: SshId::Standard(Cow::Owned(terms.ident.to_owned())),
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Owned(host_key_algorithms(&terms.order.host_key)),
            cipher: Cow::Borrowed(CIPHER),
            mac: Cow::Borrowed(MAC),
            ..Preferred::DEFAULT
        },
        inactivity_timeout: terms.inactivity,
        keepalive_interval: None,
        ..client::Config::default()
    }
}

/// The algorithms by which a server proves to hold the key that is expected of it.
fn host_key_algorithms(blob: &[u8]) -> Vec<Algorithm> {
    match key_type(blob) {
        Some("ssh-rsa") => {
            [Some(HashAlg::Sha512), Some(HashAlg::Sha256), None].map(|hash| Algorithm::Rsa { hash }).into()
        }
        Some(kind) => Algorithm::new(kind).into_iter().collect(),
        None => Vec::new(),
    }
}

fn open_reason(reason: &ChannelOpenFailure) -> OpenReason {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => OpenReason::Prohibited,
        ChannelOpenFailure::ConnectFailed => OpenReason::ConnectFailed,
        ChannelOpenFailure::UnknownChannelType => OpenReason::UnknownType,
        ChannelOpenFailure::ResourceShortage => OpenReason::Shortage,
        ChannelOpenFailure::Other { code, .. } => OpenReason::Other(*code),
    }
}

/// Why a session ended: by what the server said, what the socket said, or what russh says.
fn fault(heard: &Heard, seen: &Seen, error: Option<&russh::Error>) -> Fault {
    if heard.disconnect.is_some() {
        return Fault::Disconnected;
    }
    if heard.other_key.is_some() {
        return Fault::OtherHostKey;
    }
    let ended = || match seen.error {
        Some(Errno::ETIMEDOUT | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => Some(Fault::Lost),
        Some(_) => Some(Fault::Reset),
        None if seen.eof => Some(Fault::Eof),
        None => None,
    };
    match heard.error.as_ref().or(error) {
        Some(russh::Error::NoCommonAlgo { kind, .. }) => Fault::NoCommon(match kind {
            AlgorithmKind::Kex => Slot::Kex,
            AlgorithmKind::Key => Slot::HostKey,
            AlgorithmKind::Cipher => Slot::Cipher,
            AlgorithmKind::Compression => Slot::Compression,
            AlgorithmKind::Mac => Slot::Mac,
        }),
        Some(russh::Error::WrongServerSig) => Fault::BadSignature("it does not verify"),
        Some(russh::Error::PacketAuth | russh::Error::DecryptionError) => Fault::Mac,
        Some(russh::Error::InactivityTimeout | russh::Error::KeepaliveTimeout) => Fault::Timeout,
        Some(russh::Error::IO(error)) => ended().unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Eof,
            _ => Fault::Reset,
        }),
        Some(russh::Error::Disconnect | russh::Error::HUP | russh::Error::Join(_)) | None => {
            ended().unwrap_or(Fault::Eof)
        }
        Some(error) => ended().unwrap_or_else(|| Fault::Protocol(format!("{error}"))),
    }
}
