//! Who lives in the demo's fleet, and what each of them is up to.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::hostkey::UnixTime;
use sshprobe_probes::responder::{
    Action, CertificateTerms, Close, HostKeyPair, LineEnd, List, Point, Script, Signing, Step, Userauth,
};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::names::{Answer, answer};
use super::serve::serve;

/// The zone of the demo's names. `.test` is reserved for just that (RFC 6761 section 6.2).
const ZONE: &str = "demo.test";

/// How often another port is tried, should one be taken on one of the fleet's addresses.
const PORT_TRIES: u32 = 20;

/// A host of the fleet.
pub struct Host {
    /// Its name, without the zone.
    pub name: &'static str,
    /// What it is staged as.
    pub code: Code,
    /// The code's argument.
    pub arg: Option<&'static str>,
    stage: Stage,
}

/// How a host is staged.
enum Stage {
    /// A responder with this script.
    Server(fn() -> Script),
    /// An address where nobody listens.
    Nobody,
    /// A name with this answer and no address.
    Name(Option<Answer>),
}

/// The statuses that loopback cannot stage, each with the reason.
pub const UNSTAGED: &[(&str, &str)] = &[
    ("unreachable", "needs a router or filter that answers with ICMP"),
    ("tunnel-failure", "needs a relay or proxy on the way"),
    ("local-error", "would need trouble on this very machine"),
];

const KEY: &[u8; 32] = &[0x5e; 32];

fn healthy() -> Script {
    modern(Script::healthy(KEY))
}

/// The authority of the demo's host certificates, as a number for [`pair`].
const AUTHORITY: u8 = 200;

/// The hosts of which the demo's known_hosts file speaks: their lines' marker, name, and the number of their key.
const KNOWN: &[(&str, &str, u8)] = &[
    ("", "web1", 1),
    ("", "web2", 2),
    ("", "cisco", 4),
    // The key it had before somebody made it anew.
    ("", "recreated", 107),
    ("@revoked ", "retired", 8),
    ("@cert-authority ", "uncertified", AUTHORITY),
];

fn seed(last: u8) -> [u8; 32] {
    let mut seed = *KEY;
    seed[31] = last;
    seed
}

fn pair(last: u8) -> HostKeyPair {
    HostKeyPair::from_seed(&seed(last))
}

fn key(last: u8) -> Script {
    modern(Script::healthy(&seed(last)))
}

/// What somebody who has been at the fleet before would have in known_hosts.
fn known_hosts(port: u16) -> String {
    let line = |(marker, name, key): &(&str, &str, u8)| {
        format!("{marker}[{name}.{ZONE}]:{port} ssh-ed25519 {}\n", STANDARD.encode(pair(*key).blob()))
    };
    KNOWN.iter().map(line).collect()
}

/// A responder speaks all that we know; a well-kept server does not.
fn modern(script: Script) -> Script {
    script
        .list(List::Kex, "mlkem768x25519-sha256,curve25519-sha256,kex-strict-s-v00@openssh.com")
        .ciphers("chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes256-ctr")
        .macs("hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com")
}

const fn server(name: &'static str, code: Code, arg: Option<&'static str>, script: fn() -> Script) -> Host {
    Host { name, code, arg, stage: Stage::Server(script) }
}

/// The whole fleet.
pub static HOSTS: &[Host] = &[
    server("web1", Code::Ok, None, || key(1)),
    server("web2", Code::Ok, None, || key(2).methods("publickey")),
    server("jump", Code::Ok, None, || {
        key(3).banner("Authorised users only. All activity is logged.\n").methods("keyboard-interactive")
    }),
    server("cisco", Code::Ok, None, || {
        key(4).with_steps(vec![
            Step::Ident { line: b"SSH-1.99-Cisco-1.25".to_vec(), end: LineEnd::Lf, every: None },
            Step::Transport,
        ])
    }),
    server("honeypot", Code::Ok, None, || key(5).userauth(Userauth::Success)),
    Host { name: "stopped", code: Code::Refused, arg: None, stage: Stage::Nobody },
    server("hung", Code::ConnectedNoIdent, None, || Script::steps(vec![Step::Mute])),
    server("dripping", Code::IdentTimeout, None, || {
        let bytes = b"SSH-2.0-OpenSSH_9.9 of very many words that never end\r\n".to_vec();
        Script::steps(vec![Step::Drip { bytes, every: Duration::from_millis(400) }, Step::Mute])
    }),
    server("backend-down", Code::ClosedNoIdent, None, || Script::steps(vec![Step::Close(Close::Fin)])),
    server("aborting", Code::ResetNoIdent, None, || Script::steps(vec![Step::Close(Close::Rst)])),
    server("wrapped", Code::ClosedAfter5s, None, || {
        Script::steps(vec![Step::Wait(Duration::from_secs(5)), Step::Close(Close::Fin)])
    }),
    server("inspected", Code::ClosedAfterIdent, None, || healthy().on(Point::Ident, Action::Close(Close::Rst))),
    server("crashing", Code::KexClosed, None, || healthy().on(Point::KexRequest, Action::Close(Close::Fin))),
    server("misconfigured", Code::SshdBroken, None, || {
        Script::refusal("/etc/ssh/sshd_config: No such file or directory\n")
    }),
    server("website", Code::NotSsh, Some("http"), || {
        Script::answer("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    }),
    server("mail", Code::NotSsh, Some("smtp"), || Script::greeting("220 mail.demo.test ESMTP ready\r\n")),
    server("stunnel", Code::NotSsh, Some("tls"), || Script::answer([0x15, 3, 1, 0, 2, 2, 0x46])),
    server("endlessh", Code::Tarpit, None, || Script::steps(vec![Step::Tarpit { every: Duration::from_millis(1200) }])),
    server("crowded", Code::ThrottledMaxstartups, None, || Script::refusal("Exceeded MaxStartups\r\n")),
    server("penalised", Code::ThrottledOrPenalised, None, || Script::refusal("Not allowed at this time\r\n")),
    server("ancient", Code::Ssh1Only, None, || Script::only_ident("SSH-1.5-1.2.27")),
    server("garbling", Code::MacError, None, || healthy().on(Point::Newkeys, Action::CorruptNext)),
    server("hardened", Code::NoCommonKex, None, || {
        healthy().list(List::Kex, "curve448-sha512,kex-strict-s-v00@openssh.com")
    }),
    server("impostor", Code::BadHostSignature, None, || healthy().signing(Signing::Wrong)),
    server("recreated", Code::HostKeyChanged, None, || key(7)),
    server("retired", Code::HostKeyRevoked, Some("marker"), || key(8)),
    server("uncertified", Code::HostCertInvalid, Some("expired"), || {
        let expired =
            CertificateTerms { valid_before: UnixTime(1), ..CertificateTerms::host(&["uncertified.demo.test"]) };
        key(9).with_host_key(pair(9).certified(&pair(AUTHORITY), &expired))
    }),
    server("closed-shop", Code::AuthNoMethods, None, || healthy().methods("")),
    server("no-service", Code::ServiceDenied, None, || {
        healthy().disconnect(Point::Service, 7, "Service not available")
    }),
    Host { name: "typo", code: Code::DnsNxdomain, arg: None, stage: Stage::Name(None) },
    Host { name: "bogus-zone", code: Code::DnsServfail, arg: None, stage: Stage::Name(Some(Answer::Broken)) },
    Host { name: "mail-only", code: Code::DnsNoAddress, arg: None, stage: Stage::Name(Some(Answer::Empty)) },
];

/// The fleet, up and running until it is dropped.
pub struct Fleet {
    /// Each host with the target that reaches it.
    pub targets: Vec<(String, &'static Host)>,
    /// The DNS server that knows their names.
    pub resolver: SocketAddr,
    /// What is known of their keys, as a known_hosts file has it.
    pub known_hosts: String,
    _tasks: JoinSet<()>,
}

impl Fleet {
    /// Starts every host on an address of its own in 127.77.0.0/24, all on one port.
    ///
    /// # Errors
    /// Loopback has no such addresses here (only Linux has them all), or no port could be had.
    pub async fn start() -> io::Result<Self> {
        let mut tasks = JoinSet::new();
        let (port, listeners) = listen().await?;
        let mut zone = HashMap::new();
        let mut targets = Vec::new();
        let mut listeners = listeners.into_iter();
        for (index, host) in HOSTS.iter().enumerate() {
            let name = format!("{}.{ZONE}", host.name);
            let found = match &host.stage {
                Stage::Server(script) => {
                    if let Some(listener) = listeners.next() {
                        tasks.spawn(serve(listener, Arc::new(script())));
                    }
                    Some(Answer::Address(address(index)))
                }
                Stage::Nobody => Some(Answer::Address(address(index))),
                Stage::Name(answer) => *answer,
            };
            if let Some(found) = found {
                zone.insert(format!("{name}."), found);
            }
            targets.push((format!("{name}:{port}"), host));
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let resolver = socket.local_addr()?;
        tasks.spawn(answer(socket, zone));
        Ok(Self { targets, resolver, known_hosts: known_hosts(port), _tasks: tasks })
    }
}

/// The address of the host with this index: one each, so that pacing between connections to one host delays none.
fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 0, u8::try_from(index.saturating_add(1)).unwrap_or(u8::MAX))
}

/// One port that is free on every address of the fleet, with a listener wherever there is a server.
async fn listen() -> io::Result<(u16, Vec<TcpListener>)> {
    let mut tries = PORT_TRIES;
    loop {
        let mut port = 0;
        let mut listeners = Vec::new();
        let mut failed = None;
        for (index, host) in HOSTS.iter().enumerate() {
            if matches!(host.stage, Stage::Name(_)) {
                continue;
            }
            // Where nobody is to listen, the port is only tried: an address nobody else uses keeps it free.
            match TcpListener::bind((address(index), port)).await {
                Ok(listener) => {
                    port = listener.local_addr()?.port();
                    if matches!(host.stage, Stage::Server(_)) {
                        listeners.push(listener);
                    }
                }
                Err(fault) => failed = Some(fault),
            }
        }
        match failed {
            None => return Ok((port, listeners)),
            Some(fault) if tries == 0 || fault.kind() != io::ErrorKind::AddrInUse => return Err(fault),
            Some(_) => tries -= 1,
        }
    }
}
