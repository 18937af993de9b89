//! What one connection saw: facts and timings, stage by stage, and how it ended. Nothing here is a judgement.

pub mod login;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::diagnose::{Code, Confidence};
use crate::govern::retry::Transient;
use crate::record::{JumpHost, Via};
use crate::time::Moment;
use crate::wire::kexinit::KexInit;

pub use crate::errno::Errno;
pub use login::Login;

/// A stage of a probe, in the order in which they are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// The name's addresses are asked for.
    Resolve,
    /// TCP (or the transport) is opened.
    Connect,
    /// A tunnel or proxy is opened before SSH begins.
    Tunnel,
    /// The server's identification is awaited.
    Ident,
    /// The server's KEXINIT is awaited.
    Kexinit,
    /// The key exchange runs, up to the verified signature and NEWKEYS.
    Kex,
    /// After NEWKEYS: the service request and the userauth exchange.
    Auth,
    /// A real login with credentials the user gave.
    Login,
}

impl Stage {
    /// The word used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::Tunnel => "tunnel",
            Stage::Ident => "ident",
            Stage::Kexinit => "kexinit",
            Stage::Kex => "kex",
            Stage::Auth => "auth",
            Stage::Login => "login",
        }
    }
}

/// Everything one connection yielded, kept whatever came after.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The address the connection went to.
    pub addr: SocketAddr,
    /// When the first SYN was sent.
    pub started: Moment,
    /// When the connection ended.
    pub ended: Moment,
    /// The last stage entered.
    pub stage: Stage,
    /// What the network said.
    pub path: Path,
    /// What the way to the target saw before SSH began, where it is more than TCP.
    pub tunnel: Option<Box<Tunnel>>,
    /// How long each stage took.
    pub timing: Timing,
    /// TCP_MAXSEG was lowered for this connection, to this many bytes.
    pub mss: Option<u16>,
    /// SERVICE_REQUEST and `none` were sent one after the other, not together.
    pub step_by_step: bool,
    /// We sent our identification before the server's had come.
    pub spoke_first: bool,
    /// The first bytes the server sent, at most [`Evidence::FIRST_BYTES`]. Kept only until an identification was read.
    pub first_bytes: Vec<u8>,
    /// The lines the server sent before its identification (RFC 4253 section 4.2).
    pub preamble: Preamble,
    /// The server's identification.
    pub ident: Option<Identification>,
    /// The server's KEXINIT, as sent.
    pub kexinit: Option<KexInit>,
    /// What was agreed on.
    pub negotiated: Option<Negotiated>,
    /// The host key the server presented.
    pub host_key: Option<HostKey>,
    /// EXT_INFO name/value pairs (RFC 8308), in the order received; shared, as a fleet repeats them.
    pub ext_info: Arc<[(Vec<u8>, Vec<u8>)]>,
    /// What userauth showed.
    pub auth: Option<Auth>,
    /// What a login showed, if the connection was made for one.
    pub login: Option<Box<Login>>,
    /// The DISCONNECT the server sent (RFC 4253 section 11.1).
    pub disconnect: Option<Disconnect>,
    /// Bytes that came where a packet should have been, at most [`Evidence::FIRST_BYTES`]: after its identification a
    /// server may still say why it hangs up in clear text.
    pub unparsed: Vec<u8>,
    /// Bytes received and looked at.
    pub received: u64,
    /// Why the connection ended before the depth asked for was reached; `None` when it was reached.
    pub fault: Option<Fault>,
}

impl Evidence {
    /// How many of the first bytes are kept.
    pub const FIRST_BYTES: usize = 256;

    /// A connection to `addr` about to be opened.
    #[must_use]
    pub fn new(addr: SocketAddr, started: Moment) -> Self {
        Self {
            addr,
            started,
            ended: started,
            stage: Stage::Connect,
            path: Path::default(),
            tunnel: None,
            timing: Timing::default(),
            mss: None,
            step_by_step: false,
            spoke_first: false,
            first_bytes: Vec::new(),
            preamble: Preamble::default(),
            ident: None,
            kexinit: None,
            negotiated: None,
            host_key: None,
            ext_info: Arc::default(),
            auth: None,
            login: None,
            disconnect: None,
            unparsed: Vec::new(),
            received: 0,
            fault: None,
        }
    }

    /// A TCP connection (or a tunnel) to the target was made: whatever came later, the target answered.
    #[must_use]
    pub fn connected(&self) -> bool {
        match &self.fault {
            // Where the handshake is all that was asked for, no further stage is entered.
            None => true,
            // Linux says ECONNREFUSED to a SYN's reset; any other came over a connection that had been accepted.
            Some(Fault::Connect) => self.path.errno == Some(Errno::ECONNRESET),
            Some(_) => self.stage > Stage::Tunnel,
        }
    }

    /// How long TCP's handshake took, where it was the target that answered it: with a SYN-ACK, or with a reset.
    #[must_use]
    pub fn handshake(&self) -> Option<Duration> {
        let refused = self.fault == Some(Fault::Connect)
            && self.path.errno == Some(Errno::ECONNREFUSED)
            && self.path.icmp.is_none();
        self.timing.connect.filter(|_| refused || self.connected())
    }

    /// The value of the EXT_INFO extension `name`, if the server sent it. The last one sent counts (RFC 8308 section 2.4).
    #[must_use]
    pub fn extension(&self, name: &[u8]) -> Option<&[u8]> {
        self.ext_info.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }
}

/// What a tunnel or proxy saw on the way to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Which kind of way it is.
    pub via: Via,
    /// How long each of its stages took.
    pub timing: TunnelTiming,
    /// The relay's close code.
    pub close_code: Option<u32>,
    /// The words of whoever is on the way (a relay's reason, a proxy's status line, a program's standard error), raw and at
    /// most [`Tunnel::REASON_MAX`] bytes.
    pub reason: Vec<u8>,
    /// Why it did not lead to the target, or what ended it.
    pub trouble: Option<TunnelTrouble>,
    /// The silence that this was, if it was one: whether it was somebody else's is for whoever knows this machine.
    pub silence: Option<Silence>,
    /// The jump hosts on it, the nearest first.
    pub jump_hosts: Arc<[JumpHost]>,
}

/// Nothing came for so long that it was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// When it began.
    pub since: Moment,
    /// When it was to be given up. Noticed much later, it may be this machine's own.
    pub due: Moment,
}

impl Tunnel {
    /// How many bytes of the words are kept.
    pub const REASON_MAX: usize = 4096;

    /// A way of this kind of which nothing is known yet.
    #[must_use]
    pub fn new(via: Via) -> Self {
        Self {
            via,
            timing: TunnelTiming::default(),
            close_code: None,
            reason: Vec::new(),
            trouble: None,
            silence: None,
            jump_hosts: Arc::default(),
        }
    }
}

/// How long the stages of a tunnel took; absent for those not passed, or that the kind of tunnel does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TunnelTiming {
    /// Resolving the relay's or proxy's name.
    pub dns: Option<Duration>,
    /// TCP to it, or starting the program.
    pub connect: Option<Duration>,
    /// The proxy's consent.
    pub proxy: Option<Duration>,
    /// TLS.
    pub tls: Option<Duration>,
    /// The HTTP upgrade.
    pub upgrade: Option<Duration>,
    /// The relay's session.
    pub sid: Option<Duration>,
}

impl TunnelTiming {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Duration {
        let Self { dns, connect, proxy, tls, upgrade, sid } = self;
        [dns, connect, proxy, tls, upgrade, sid].into_iter().flatten().sum()
    }
}

/// What [`Fault::IdentMalformed`] says of an identification whose line the end of the connection cut.
pub(crate) const CUT_SHORT: &str = "cut short";

/// What is wrong with a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelTrouble {
    /// The outcome.
    pub code: Code,
    /// Its parameter.
    pub arg: Option<String>,
    /// One sentence with the evidence, escaped.
    pub detail: String,
    /// It may pass by itself, as whoever is on the way says or as is known of it.
    pub transient: Option<Transient>,
    /// How specific that is: a program's words are read by rules, some of which are loose.
    pub confidence: Confidence,
}

impl TunnelTrouble {
    /// Trouble that would be met again.
    #[must_use]
    pub const fn lasting(code: Code, arg: Option<String>, detail: String) -> Self {
        Self { code, arg, detail, transient: None, confidence: Confidence::High }
    }

    /// As sure as this.
    #[must_use]
    pub fn believed(self, confidence: Confidence) -> Self {
        Self { confidence, ..self }
    }
}

/// What the network, as opposed to the server, said about a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    /// Our end of the connection.
    pub local: Option<SocketAddr>,
    /// The error connect(), read() or write() gave.
    pub errno: Option<Errno>,
    /// The ICMP error that caused it, from the socket's error queue.
    pub icmp: Option<Icmp>,
    /// Our SYN was answered, and the handshake not finished: whoever listens never heard of it.
    pub half_open: bool,
}

/// An ICMP (v4) or ICMPv6 error in answer to one of our segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// The message's type.
    pub kind: u8,
    /// The message's code.
    pub code: u8,
    /// Who sent it: the target itself or a router; unknown where the kernel does not tell.
    pub from: Option<IpAddr>,
    /// ICMPv6, whose types are numbered differently.
    pub v6: bool,
}

/// How long each stage took; absent for those not completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the first SYN until connect() succeeded or failed.
    pub connect: Option<Duration>,
    /// From there until the whole identification line had come.
    pub ident: Option<Duration>,
    /// From there until the server's KEXINIT.
    pub kexinit: Option<Duration>,
    /// From there until the signature was verified and the server's NEWKEYS had come.
    pub kex: Option<Duration>,
    /// From there until the method list.
    pub auth: Option<Duration>,
}

/// What a server sent before its identification, bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preamble {
    /// The first lines, without their line ends.
    pub lines: Vec<PreambleLine>,
    /// How many lines came in all, kept or not.
    pub count: u32,
    /// A last line that never ended, if the connection ended within it.
    pub partial: Vec<u8>,
}

/// A line before the identification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreambleLine {
    /// When it was complete, counted from the moment TCP was connected.
    pub at: Duration,
    /// Its bytes without the line end, cut at [`PreambleLine::MAX`].
    pub bytes: Vec<u8>,
}

impl PreambleLine {
    /// How much of a line is kept, in bytes.
    pub const MAX: usize = 512;
}

/// An identification line: `SSH-protoversion-softwareversion[ SP comments]` (RFC 4253 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// The whole line without its line end and nothing else stripped: V_S of the exchange hash.
    pub raw: Vec<u8>,
}

impl Identification {
    fn after_ssh(&self) -> &[u8] {
        self.raw.strip_prefix(b"SSH-").unwrap_or_default()
    }

    /// What stands between the first and the second dash, for example `2.0`.
    #[must_use]
    pub fn proto(&self) -> &[u8] {
        Self::proto_of(&self.raw)
    }

    /// The same of a line that may be an identification.
    pub(crate) fn proto_of(line: &[u8]) -> &[u8] {
        let after_ssh = line.strip_prefix(b"SSH-").unwrap_or_default();
        after_ssh.split(|byte| *byte == b'-').next().unwrap_or_default()
    }

    /// What follows the second dash up to the first blank; it may itself hold dashes (`Cisco-1.25`) or be empty.
    #[must_use]
    pub fn software(&self) -> &[u8] {
        self.software_and_comment().0
    }

    /// What follows the first blank after the software, if there is one.
    #[must_use]
    pub fn comment(&self) -> Option<&[u8]> {
        self.software_and_comment().1
    }

    fn software_and_comment(&self) -> (&[u8], Option<&[u8]>) {
        let mut parts = self.after_ssh().splitn(2, |byte| *byte == b'-');
        let rest = parts.nth(1).unwrap_or_default();
        let mut parts = rest.splitn(2, |byte| *byte == b' ');
        (parts.next().unwrap_or_default(), parts.next())
    }
}

/// The algorithms both sides agreed on (RFC 4253 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// Key exchange method.
    pub kex: &'static str,
    /// Host-key (signature) algorithm.
    pub host_key: &'static str,
    /// Cipher, client to server.
    pub cipher_c2s: &'static str,
    /// Cipher, server to client.
    pub cipher_s2c: &'static str,
    /// MAC, client to server; `None` where the cipher authenticates by itself.
    pub mac_c2s: Option<&'static str>,
    /// MAC, server to client.
    pub mac_s2c: Option<&'static str>,
    /// Strict key exchange is in force (OpenSSH's PROTOCOL, section 1.10).
    pub strict_kex: bool,
    /// Size of the finite-field group, where one was used.
    pub dh_bits: Option<u32>,
}

/// A host key a server presented, and whether it proved to hold the private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// The blob K_S, as it enters the exchange hash and the fingerprint.
    pub blob: Vec<u8>,
    /// The signature over the exchange hash.
    pub signature: Signature,
}

/// What became of the signature over the exchange hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// It verifies: the server holds the private key.
    Verified,
    /// It does not verify.
    Bad,
    /// It was not looked at.
    Unchecked,
}

/// What the userauth exchange showed (RFC 4252).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// The user named.
    pub user: Arc<str>,
    /// SERVICE_ACCEPT came.
    pub service_accepted: bool,
    /// The `none` request was sent.
    pub none_sent: bool,
    /// The method names that can continue, as listed; `None` before an answer came.
    pub methods: Option<Arc<[Vec<u8>]>>,
    /// The FAILURE's partial-success flag.
    pub partial: bool,
    /// The server let `none` in.
    pub none_accepted: bool,
    /// USERAUTH_BANNER texts, joined, at most [`Auth::BANNER_MAX`] bytes.
    pub banner: Vec<u8>,
    /// There was more of the banner than was kept.
    pub banner_truncated: bool,
}

impl Auth {
    /// How much of the banners is kept, in bytes.
    pub const BANNER_MAX: usize = 4096;
}

/// A DISCONNECT message (RFC 4253 section 11.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// The reason code. OpenSSH's server uses 2 for everything: judge by the text.
    pub code: u32,
    /// The description, at most [`Disconnect::TEXT_MAX`] bytes.
    pub text: Vec<u8>,
}

impl Disconnect {
    /// How much of the description is kept, in bytes.
    pub const TEXT_MAX: usize = 1024;
}

/// A list of a KEXINIT that has to have a name in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Key exchange methods.
    Kex,
    /// Host-key algorithms.
    HostKey,
    /// Ciphers, either direction.
    Cipher,
    /// MACs, either direction.
    Mac,
    /// Compression methods, either direction.
    Compression,
}

/// Why a connection ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// connect() failed with `path.errno`: the network or the target said no.
    Connect,
    /// Our own connect deadline passed.
    ConnectTimeout,
    /// The way to the target broke before SSH began; [`Tunnel::trouble`] says how.
    Tunnel,
    /// Trouble of this machine, not of the target.
    Local(LocalTrouble),
    /// Our deadline for the whole connection passed in the stage reached.
    Timeout,
    /// The server closed its side (FIN).
    Eof,
    /// The connection was reset (RST); `path.errno` says how we learned it.
    Reset,
    /// The network lost the connection: ETIMEDOUT, or unreachable in the middle of it.
    Lost,
    /// Lines at steady intervals that never become an identification.
    Tarpit,
    /// Too many bytes or lines came without an identification.
    PreambleTooLong,
    /// A line began with `SSH-` and is not an identification: too long, a NUL, no version.
    IdentMalformed(&'static str),
    /// A protocol version below 2.
    Ssh1Only,
    /// The server sent back our own identification.
    Echo,
    /// The two KEXINITs have nothing in common here.
    NoCommon(Slot),
    /// The host key is not the one that this connection was to be made to. Nothing was sent to whoever holds it.
    OtherHostKey,
    /// The host key's signature over the exchange hash is wrong, or of another algorithm than agreed.
    BadSignature(&'static str),
    /// The peer broke the protocol. The text is ours and says how.
    Protocol(String),
    /// The first or a later encrypted packet did not authenticate.
    Mac,
    /// The server sent DISCONNECT.
    Disconnected,
    /// Our own bug: a panic, or a state that cannot be.
    Internal(String),
}

/// Which kind of local trouble kept a connection from being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalTrouble {
    /// No descriptors, ports, buffers or memory left.
    ResourceLimit,
    /// The connection-tracking table stayed full.
    Untracked,
    /// The table of neighbours had no room for the next hop.
    Unfound,
    /// Deadlines were noticed long after they had passed: the process was stopped, or had no CPU.
    Behind,
    /// What was to be sent to this address, the target's or that of a proxy before it, was dropped here.
    Dropped(SocketAddr),
    /// This machine has no route to the address.
    NoRoute,
    /// Connections are to begin at an address of one family, and what was to be connected to is of the other.
    OtherFamily {
        /// Where they begin.
        from: IpAddr,
        /// The address of the target, or of a proxy before it.
        to: IpAddr,
    },
    /// Nothing gets to this address, the target's or that of a proxy before it, from where connections are to begin: a loopback
    /// address or interface.
    StaysHere(IpAddr),
    /// A route, filter or security module of this machine forbids it.
    Policy,
}

impl LocalTrouble {
    /// Whether something was short: then a further connection would meet it again.
    #[must_use]
    pub const fn is_lack(self) -> bool {
        matches!(self, Self::ResourceLimit | Self::Untracked | Self::Unfound | Self::Behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(raw: &str) -> (String, String, Option<String>) {
        let ident = Identification { raw: raw.as_bytes().to_vec() };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(ident.proto()), text(ident.software()), ident.comment().map(text))
    }

    #[test]
    fn identifications_split_at_the_first_two_dashes_only() {
        let expect = |raw, proto: &str, software: &str, comment: Option<&str>| {
            assert_eq!(split(raw), (proto.into(), software.into(), comment.map(Into::into)), "{raw}");
        };
        expect("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", "2.0", "OpenSSH_9.2p1", Some("Debian-2+deb12u10"));
        expect("SSH-1.99-Cisco-1.25", "1.99", "Cisco-1.25", None);
        expect("SSH-2.0--", "2.0", "-", None);
        expect("SSH-2.0-", "2.0", "", None);
        expect("SSH-2.0", "2.0", "", None);
        expect("SSH-2.0-SolidFire Element ", "2.0", "SolidFire", Some("Element "));
        expect("SSH-2.0-x a b", "2.0", "x", Some("a b"));
    }
}
