//! What a responder does: plain data, put together call by call.

use std::sync::Arc;
use std::time::Duration;

use super::HostKeyPair;
use crate::algorithm::{CIPHER, COMPRESSION, KEX, MAC};
use crate::negotiate::KEX_STRICT_S;
use crate::wire::kexinit::KexInit;
use crate::wire::message::{DebugMessage, Disconnect, build_ignore};

/// How a responder leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// close() after the last byte is written: FIN. The kernel makes it RST if bytes were never read.
    Fin,
    /// SO_LINGER 0, then close(): RST.
    Rst,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// As RFC 4253 section 4.2 wants it.
    CrLf,
    /// As NetScreen, Huawei and others send it.
    Lf,
}

impl LineEnd {
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            LineEnd::CrLf => b"\r\n",
            LineEnd::Lf => b"\n",
        }
    }
}

/// One thing after another, from the moment of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends bytes as they are: lines before the identification, a refusal, another protocol's greeting.
    Send(Vec<u8>),
    /// Sends bytes one at a time.
    Drip {
        /// What is sent.
        bytes: Vec<u8>,
        /// The time between two bytes.
        every: Duration,
    },
    /// Sends the identification; what stands here is V_S of the exchange hash.
    Ident {
        /// The line without its end.
        line: Vec<u8>,
        /// The line's end.
        end: LineEnd,
        /// One byte at a time, this far apart.
        every: Option<Duration>,
    },
    /// Does nothing for a while.
    Wait(Duration),
    /// Waits until the client has said anything.
    AwaitInput,
    /// Waits until the client has sent a whole line.
    AwaitLine,
    /// Sends a line of random letters again and again, for ever (endlessh).
    Tarpit {
        /// The time between two lines.
        every: Duration,
    },
    /// Stops reading: what the client sends stays in the kernel, whose close() then answers with RST.
    Deaf,
    /// Reads and says nothing for ever.
    Mute,
    /// Leaves.
    Close(Close),
    /// Speaks SSH from KEXINIT on.
    Transport,
}

/// A moment of the SSH conversation at which something can be made to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// The client's identification has come; our KEXINIT is the next thing.
    Ident,
    /// Our KEXINIT was sent.
    KexinitSent,
    /// The client's KEXINIT has come.
    KexinitReceived,
    /// The client's first key exchange message has come; the reply is the next thing.
    KexRequest,
    /// The reply was sent; NEWKEYS is the next thing.
    KexReply,
    /// Our NEWKEYS was sent: from here on our side is encrypted. EXT_INFO is the next thing.
    Newkeys,
    /// SERVICE_REQUEST has come; the accept is the next thing.
    Service,
    /// The first USERAUTH_REQUEST has come; banners and the answer are the next things.
    Userauth,
    /// The first USERAUTH_REQUEST was answered.
    Answered,
}

/// What happens at a [`Point`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Leaves.
    Close(Close),
    /// Reads on and says nothing any more.
    Mute,
    /// Everything from here on is sent this much later.
    Delay(Duration),
    /// Sends a packet with this payload.
    Payload(Vec<u8>),
    /// Sends bytes that are no packet.
    Raw(Vec<u8>),
    /// Turns a bit of the next packet's last byte: the tag's, where there is one.
    CorruptNext,
}

/// The signature over the exchange hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// As it has to be.
    Right,
    /// Made over something else.
    Wrong,
    /// Right, under another algorithm's name.
    OtherName,
}

/// The answer to every USERAUTH_REQUEST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Userauth {
    /// FAILURE
    Failure {
        /// The methods that can continue, joined by commas; may be empty.
        methods: String,
        /// The partial-success flag.
        partial_success: bool,
    },
    /// SUCCESS, whoever asks.
    Success,
}

/// The lists of a KEXINIT, as an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `kex_algorithms`
    Kex = 0,
    /// `server_host_key_algorithms`
    HostKey = 1,
    /// `encryption_algorithms_client_to_server`
    CipherC2s = 2,
    /// `encryption_algorithms_server_to_client`
    CipherS2c = 3,
    /// `mac_algorithms_client_to_server`
    MacC2s = 4,
    /// `mac_algorithms_server_to_client`
    MacS2c = 5,
    /// `compression_algorithms_client_to_server`
    CompressionC2s = 6,
    /// `compression_algorithms_server_to_client`
    CompressionS2c = 7,
}

/// What one server does with every connection.
///
/// Begins as a healthy server ([`Script::healthy`]) or as nothing but steps ([`Script::steps`]); each call changes one thing.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) steps: Vec<Step>,
    pub(super) actions: Vec<(Point, Action)>,
    lists: [String; 10],
    /// The KEXINIT with a cookie of zeros, kept ready: a connection fills in its cookie.
    pub(super) kexinit: Option<KexInit>,
    pub(super) eager: bool,
    pub(super) wrong_guess: bool,
    pub(super) host_key: Arc<HostKeyPair>,
    pub(super) signing: Signing,
    pub(super) ext_info: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) banners: Vec<Vec<u8>>,
    pub(super) userauth: Userauth,
    pub(super) chokes_on_pipelining: bool,
}

fn names<T>(table: &[T], name: impl Fn(&T) -> &'static str) -> String {
    table.iter().map(name).collect::<Vec<_>>().join(",")
}

impl Script {
    /// The identification of [`Script::healthy`].
    pub const IDENT: &'static str = "SSH-2.0-OpenSSH_9.9 demo";

    /// A server in good health: it identifies itself, exchanges keys with all that we know, strictly, sends EXT_INFO and
    /// lists `publickey,password`. Its ssh-ed25519 host key is the one made from `host_key`.
    #[must_use]
    pub fn healthy(host_key: &[u8; 32]) -> Self {
        let mut kex = names(KEX, |kex| kex.name);
        kex.push(',');
        kex.push_str(KEX_STRICT_S);
        let (cipher, mac, compression) =
            (names(CIPHER, |cipher| cipher.name), names(MAC, |mac| mac.name), COMPRESSION.join(","));
        let mut script = Self {
            steps: vec![Self::ident(Self::IDENT), Step::Transport],
            actions: Vec::new(),
            lists: [
                kex,
                HostKeyPair::ALGORITHM.into(),
                cipher.clone(),
                cipher,
                mac.clone(),
                mac,
                compression.clone(),
                compression,
                String::new(),
                String::new(),
            ],
            kexinit: None,
            eager: false,
            wrong_guess: false,
            host_key: Arc::new(HostKeyPair::from_seed(host_key)),
            signing: Signing::Right,
            ext_info: vec![(b"server-sig-algs".to_vec(), b"ssh-ed25519,rsa-sha2-512,rsa-sha2-256".to_vec())],
            banners: Vec::new(),
            userauth: Userauth::Failure { methods: "publickey,password".into(), partial_success: false },
            chokes_on_pipelining: false,
        };
        script.prepare();
        script
    }

    /// Nothing but these steps. Where they come to [`Step::Transport`], the rest is as in [`Script::healthy`].
    #[must_use]
    pub fn steps(steps: Vec<Step>) -> Self {
        Self::healthy(&[0x5e; 32]).with_steps(steps)
    }

    /// An identification in one piece, ended by CR LF.
    #[must_use]
    pub fn ident(line: impl Into<Vec<u8>>) -> Step {
        Step::Ident { line: line.into(), end: LineEnd::CrLf, every: None }
    }

    /// Says this and hangs up without having read a byte, as sshd's listener and other bouncers do.
    #[must_use]
    pub fn refusal(text: impl Into<Vec<u8>>) -> Self {
        Self::steps(vec![Step::Deaf, Step::Send(text.into()), Step::Close(Close::Fin)])
    }

    /// Waits for the client to speak, answers with this and hangs up: HTTP, TLS and others where the client speaks first.
    #[must_use]
    pub fn answer(bytes: impl Into<Vec<u8>>) -> Self {
        Self::steps(vec![Step::AwaitInput, Step::Send(bytes.into()), Step::Close(Close::Fin)])
    }

    /// Greets with this and then listens: SMTP, FTP and others where the server speaks first.
    #[must_use]
    pub fn greeting(bytes: impl Into<Vec<u8>>) -> Self {
        Self::steps(vec![Step::Send(bytes.into()), Step::Mute])
    }

    /// Identifies itself with this line and then listens, as a server of protocol 1 does to us.
    #[must_use]
    pub fn only_ident(line: impl Into<Vec<u8>>) -> Self {
        Self::steps(vec![Self::ident(line), Step::Mute])
    }

    /// Other steps.
    #[must_use]
    pub fn with_steps(mut self, steps: Vec<Step>) -> Self {
        self.steps = steps;
        self
    }

    /// At this point, this happens; several things at one point happen in the order in which they were added.
    #[must_use]
    pub fn on(mut self, point: Point, action: Action) -> Self {
        self.actions.push((point, action));
        self
    }

    /// At this point, DISCONNECT and hang up.
    #[must_use]
    pub fn disconnect(self, point: Point, code: u32, description: &str) -> Self {
        let payload = Disconnect { code, description: description.as_bytes() }.build();
        self.on(point, Action::Payload(payload)).on(point, Action::Close(Close::Fin))
    }

    /// At this point, SSH_MSG_IGNORE and SSH_MSG_DEBUG: harmless everywhere but within a strict key exchange.
    #[must_use]
    pub fn noise(self, point: Point) -> Self {
        let debug = DebugMessage { always_display: false, text: b"nothing to see" }.build();
        self.on(point, Action::Payload(build_ignore(b"chaff"))).on(point, Action::Payload(debug))
    }

    /// Another list in the KEXINIT, joined by commas; what it names need not be known.
    #[must_use]
    pub fn list(mut self, list: List, names: impl Into<String>) -> Self {
        if let Some(slot) = self.lists.get_mut(list as usize) {
            *slot = names.into();
        }
        self.prepare();
        self
    }

    /// Other ciphers, in both directions.
    #[must_use]
    pub fn ciphers(self, names: &str) -> Self {
        self.list(List::CipherC2s, names).list(List::CipherS2c, names)
    }

    /// Other MACs, in both directions.
    #[must_use]
    pub fn macs(self, names: &str) -> Self {
        self.list(List::MacC2s, names).list(List::MacS2c, names)
    }

    /// KEXINIT goes out behind the identification without waiting for the client's, as dropbear and lshd do it.
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// KEXINIT announces a guessed packet, and one that can only be dropped follows. The first name of the key exchange
    /// list should be another than the client's, or the guess would be right.
    #[must_use]
    pub fn wrong_guess(mut self) -> Self {
        self.wrong_guess = true;
        self.prepare();
        self
    }

    /// Another host key, and its algorithms in the KEXINIT.
    #[must_use]
    pub fn with_host_key(mut self, host_key: HostKeyPair) -> Self {
        let algorithms = host_key.algorithms();
        self.host_key = Arc::new(host_key);
        self.list(List::HostKey, algorithms)
    }

    /// Another way of signing the exchange hash.
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = signing;
        self
    }

    /// Other extensions in EXT_INFO; none at all sends no EXT_INFO.
    #[must_use]
    pub fn ext_info(mut self, pairs: &[(&str, &str)]) -> Self {
        self.ext_info =
            pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        self
    }

    /// A banner (one more) before the first answer.
    #[must_use]
    pub fn banner(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.banners.push(text.into());
        self
    }

    /// Every USERAUTH_REQUEST fails with this method list.
    #[must_use]
    pub fn methods(mut self, methods: &str) -> Self {
        self.userauth = Userauth::Failure { methods: methods.into(), partial_success: false };
        self
    }

    /// Another answer to every USERAUTH_REQUEST.
    #[must_use]
    pub fn userauth(mut self, userauth: Userauth) -> Self {
        self.userauth = userauth;
        self
    }

    /// Hangs up on a USERAUTH_REQUEST that was sent before our SERVICE_ACCEPT had left.
    #[must_use]
    pub fn chokes_on_pipelining(mut self) -> Self {
        self.chokes_on_pipelining = true;
        self
    }

    /// The host key, to compare fingerprints with.
    #[must_use]
    pub fn host_key(&self) -> &HostKeyPair {
        &self.host_key
    }

    fn prepare(&mut self) {
        let mut lists = [&[][..]; 10];
        for (to, from) in lists.iter_mut().zip(&self.lists) {
            *to = from.as_bytes();
        }
        self.kexinit = KexInit::parse(&KexInit::build([0; 16], lists, self.wrong_guess)).ok();
    }
}
