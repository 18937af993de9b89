//! The objects a record is made of.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::de::{Deserializer, Error as _};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::diagnose::{Code, Confidence, Place, Status};
use crate::escape::escape;
use crate::evidence::{Signature, Stage};
use crate::time::Timestamp;
use crate::trust::{CertSummary, Removal};

/// What was probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The expression as the user wrote it; shared by the addresses of a range.
    pub input: Arc<str>,
    /// Its place in the order of the input.
    pub index: u64,
    /// The name or address it goes by.
    pub host: String,
    /// Where ssh_config (HostName) or an inventory says that it is, if that is another name or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The address that the record speaks of; absent where a name has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// How it was reached.
    pub via: Via,
}

/// How a byte stream to the target is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Via {
    /// Directly.
    Tcp,
    /// Through Google Cloud's Identity-Aware Proxy.
    Iap,
    /// Through a program's standard input and output.
    ProxyCommand,
    /// Through a SOCKS5 proxy.
    Socks5,
    /// Through an HTTP proxy's CONNECT.
    HttpConnect,
    /// Through another SSH server.
    Jump,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Where it went; absent where only a tunnel knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<IpAddr>,
    /// What it came to by itself.
    pub code: Code,
    /// The last stage it entered.
    pub stage: Stage,
    /// When it was started, RFC 3339 in UTC.
    pub at: Timestamp,
}

/// A direct probe of a host that is reached through a tunnel, beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direct {
    /// Where it went; absent where no name gave an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<IpAddr>,
    /// The coarse class.
    pub status: Status,
    /// The precise outcome.
    pub code: Code,
    /// Its parameter.
    pub arg: Option<String>,
    /// The last stage entered.
    pub stage: Stage,
    /// One sentence with the evidence, escaped.
    pub detail: String,
    /// The host key is the one that the tunnel showed; absent where none of the same type was seen both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_host_key: Option<bool>,
}

/// The tunnel or proxy of the connection that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// Which kind of way it is.
    pub kind: Via,
    /// The relay's close code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_code: Option<u32>,
    /// The words of whoever is on the way.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The same as bytes, if they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_b64: Option<String>,
    /// How long its stages took, in microseconds.
    pub timing_us: TunnelMicros,
    /// The jump hosts that it led through or was to lead through, as far as they were tried, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jump_hosts: Vec<JumpHost>,
}

/// A host on the way, and the host key that it showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumpHost {
    /// `USER@HOST`, and the port if it is not 22; escaped.
    pub host: String,
    /// The key's type; absent, as all else, where the host showed none.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// As `ssh-keygen -l` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What known_hosts says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// The line that decided, `FILE:LINE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl JumpHost {
    /// Host and key in a sentence.
    pub(crate) fn shown(&self) -> String {
        let key = [&self.kind, &self.fingerprint].into_iter().flatten().map(escape).collect::<Vec<_>>();
        if key.is_empty() { self.host.clone() } else { format!("{} ({})", self.host, key.join(" ")) }
    }
}

/// How long the stages of a tunnel took, in microseconds; absent for those not passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelMicros {
    /// Resolving the relay's or proxy's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<u64>,
    /// TCP to it, or starting the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<u64>,
    /// The proxy's consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<u64>,
    /// TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<u64>,
    /// The HTTP upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<u64>,
    /// The relay's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<u64>,
}

/// What the network said on the connection that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    /// Our end of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_addr: Option<SocketAddr>,
    /// The error's name, for example `ECONNREFUSED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// The ICMP error behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<Icmp>,
    /// We sent our identification before the server's had come.
    pub spoke_first: bool,
}

/// An ICMP error; ICMPv6 where the address is an IPv6 one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Icmp {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Who sent it, where the kernel tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
}

/// The server's identification (RFC 4253 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ident {
    /// The whole line.
    pub raw: String,
    /// The same as bytes, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_b64: Option<String>,
    /// Protocol version.
    pub proto: String,
    /// Software version, as it stands there.
    pub software: String,
    /// What follows the software's first blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The program the line names, for example `OpenSSH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Its version as reported: no proof of what is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The system, for example `Debian 12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The family of devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How far `os` and `device` can be trusted: `low` is a guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_confidence: Option<Confidence>,
    /// The revision of the distribution's package, for example `2+deb12u10`: the only thing that tells a patch level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The lines before it.
    pub preamble: Vec<String>,
    /// The same as bytes, if not all of them are UTF-8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preamble_b64: Vec<String>,
}

/// The server's KEXINIT (RFC 4253 section 7.1); every list in the order sent, pseudo names and empty names included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kexinit {
    /// Key exchange methods.
    pub kex: Vec<String>,
    /// Host-key algorithms.
    pub host_key: Vec<String>,
    /// Ciphers, client to server.
    pub cipher_c2s: Vec<String>,
    /// Ciphers, server to client.
    pub cipher_s2c: Vec<String>,
    /// MACs, client to server.
    pub mac_c2s: Vec<String>,
    /// MACs, server to client.
    pub mac_s2c: Vec<String>,
    /// Compression methods, client to server.
    pub comp_c2s: Vec<String>,
    /// Compression methods, server to client.
    pub comp_s2c: Vec<String>,
    /// A guessed key-exchange packet follows.
    pub first_kex_follows: bool,
    /// [`crate::hassh::hassh_server`].
    pub hassh_server: String,
    /// The whole message as bytes, if a list is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_b64: Option<String>,
}

/// The algorithms agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Key exchange method.
    pub kex: Cow<'static, str>,
    /// Host-key algorithm.
    pub host_key: Cow<'static, str>,
    /// Cipher, client to server and, unless `cipher_s2c` is there, back.
    pub cipher: Cow<'static, str>,
    /// MAC, likewise; null where the cipher authenticates by itself.
    pub mac: Option<Cow<'static, str>>,
    /// Cipher from server to client where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher_s2c: Option<Cow<'static, str>>,
    /// MAC from server to client where it is another one and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_s2c: Option<Cow<'static, str>>,
    /// Strict key exchange is in force.
    pub strict_kex: bool,
    /// Bits of the finite-field group; null where none was used.
    pub dh_bits: Option<u32>,
}

/// A host key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// Type, for example `ssh-ed25519`; empty where the blob names none.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Size as `ssh-keygen -l` prints it; absent for types and blobs not understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// As `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The blob in base64.
    pub key: String,
    /// Whether the server proved to hold the private half.
    pub signature: Signature,
    /// What known_hosts says.
    pub trust: Trust,
    /// The line that decided, `FILE:LINE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What known_hosts has for the host instead of this key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownKey>,
    /// Other names and addresses under which known_hosts has this very key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<String>,
    /// What the certificate says that the key came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<Cert>,
    /// What the DNS says about the key (RFC 4255).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sshfp: Option<Sshfp>,
}

/// A key that a known_hosts file has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// As `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Where it stands, `FILE:LINE`.
    pub source: String,
}

/// A host certificate (OpenSSH's PROTOCOL.certkeys).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cert {
    /// What it says.
    #[serde(flatten)]
    pub says: CertSummary,
    /// Why it does not count: the parameter that `host-cert-invalid` would have; null where it does, or where nobody asked.
    pub fault: Option<String>,
    /// Where OpenSSH's versions disagree about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the DNS says about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshfp {
    /// `match`, `mismatch`, `partial` (there are records, and they decide nothing), `none`, or why there is no answer: `bogus`
    /// (DNSSEC signatures that do not hold), `servfail`, `timeout`.
    pub result: String,
    /// Who vouches for the records: `dnssec` (validated here), `ad` (the resolver says so), or nobody: null.
    pub vouched: Option<String>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What known_hosts says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The name is known with this very key.
    Match,
    /// The name is known with another key of this type.
    Changed,
    /// The name is not known, or not with this type of key.
    Unknown,
    /// The key is revoked.
    Revoked,
    /// A certificate of an authority trusted for the name.
    CaMatch,
    /// A certificate that no authority trusted for the name vouches for.
    CaMismatch,
    /// Nobody looked.
    Unchecked,
}

/// What userauth showed (RFC 4252).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// The user named.
    pub user: Arc<str>,
    /// The methods that can continue, as listed; absent before an answer came. Shared, as a fleet repeats them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Arc<[String]>>,
    /// The same as bytes, if not all of them are UTF-8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods_b64: Vec<String>,
    /// What the server said in USERAUTH_BANNER.
    pub banner: String,
    /// The same as bytes, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banner_b64: Option<String>,
    /// There was more of it than is kept.
    pub banner_truncated: bool,
    /// What it came to; absent before an answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AuthResult>,
    /// What a login tried, in its order; absent where none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<Attempt>>,
    /// What was given for a login and not tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
}

/// A credential that a login tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The method of userauth.
    pub method: String,
    /// What was shown.
    #[serde(flatten)]
    pub credential: Credential,
    /// `accepted`, `partial`, `would-be-accepted`, `refused-at-query`, `refused-after-key`, `refused`, `new-password-wanted`,
    /// `no-signature-algorithm`, `not-signed`, `no-answer`, `undecided` (something came that is neither success nor failure);
    /// absent where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// More about it: the prompt without an answer, why nothing was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The file it came from, or its comment in the agent.
    pub credential: String,
    /// The type of a key or certificate.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The fingerprint of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What is odd about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A credential that was not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The method of userauth it is for.
    pub method: String,
    /// Which one.
    #[serde(flatten)]
    pub credential: Credential,
    /// `not-offered`, `host-key-unknown`, `tries-spent`.
    pub why: String,
}

/// What authentication came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// The methods were listed, which is all that was asked.
    Listed,
    /// A credential was accepted.
    Accepted,
    /// A key would be accepted, which is all that was asked (`--query-keys`).
    Acceptable,
    /// A credential was refused.
    Denied,
    /// One factor was accepted, another is asked for.
    Partial,
    /// The server let `none` in.
    Open,
}

/// A DISCONNECT message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnect {
    /// Reason code (RFC 4253 section 11.1).
    pub code: u32,
    /// Description.
    pub text: String,
    /// The same as bytes, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_b64: Option<String>,
}

/// How long each stage took, in microseconds; absent for those not completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimingMicros {
    /// The name's resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<u64>,
    /// All stages of a tunnel together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<u64>,
    /// Until connect() succeeded or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<u64>,
    /// From there to the identification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ident: Option<u64>,
    /// From there to KEXINIT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kexinit: Option<u64>,
    /// From there to the verified signature and NEWKEYS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kex: Option<u64>,
    /// From there to the method list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<u64>,
    /// The login: from the first request to the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<u64>,
    /// Everything spent on the target: resolving and all its connections, the pauses between them left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// An outcome explained. Its title and causes come from [`crate::diagnose::DIAGNOSES`] when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which one.
    pub code: Code,
    /// What to do, with the target's name and port in the commands.
    pub remedy: Vec<Cow<'static, str>>,
    /// What lines begin with that are of another way than the one that was taken.
    elsewhere: &'static str,
}

/// Lines of an outcome that different ways have in common begin so where they are of one of them.
const OF_PROXY: &str = "of a proxy: ";
const OF_JUMP_HOST: &str = "of a jump host: ";
const ON_JUMP_HOST: &str = "on the jump host: ";

impl Explained {
    /// `code` for the target at `place`, with the known_hosts lines that would have to go.
    #[must_use]
    pub fn new(code: Code, place: Place<'_>, removals: &[Removal]) -> Self {
        let mut remedy = Vec::new();
        for line in code.diagnosis().map_or(&[][..], |text| text.remedy) {
            if removals.is_empty() || !line.contains("KNOWN_HOSTS_FILE") {
                remedy.push(place.fill(line));
            } else {
                let new = removing(line, place, removals).into_iter().filter(|line| !remedy.contains(line));
                let new: Vec<_> = new.collect();
                remedy.extend(new);
            }
        }
        Self { code, remedy, elsewhere: "" }
    }

    /// The same, without what is of another way than this one.
    #[must_use]
    pub fn by(mut self, via: Via) -> Self {
        if self.code == Code::ProxyRefused {
            let (elsewhere, others) =
                if via == Via::Jump { (OF_PROXY, OF_PROXY) } else { (OF_JUMP_HOST, ON_JUMP_HOST) };
            self.remedy.retain(|line| !line.starts_with(others));
            self.elsewhere = elsewhere;
        }
        self
    }

    fn causes(&self) -> Vec<&'static str> {
        let causes = self.code.diagnosis().map_or(&[][..], |text| text.causes);
        let ours = |cause: &&str| self.elsewhere.is_empty() || !cause.starts_with(self.elsewhere);
        causes.iter().copied().filter(ours).collect()
    }
}

/// A line about `ssh-keygen -R`, once for each file. From a file in which a line speaks of other hosts too, that command would
/// take all of it: there the lines are named instead.
fn removing(line: &'static str, place: Place<'_>, removals: &[Removal]) -> Vec<Cow<'static, str>> {
    let mut lines = Vec::new();
    for (at, removal) in removals.iter().enumerate() {
        let file = &removal.source.file;
        let same = |other: &&Removal| other.source.file == *file;
        if removals.iter().take(at).any(|earlier| same(&earlier)) {
            continue;
        }
        let here: Vec<&Removal> = removals.iter().filter(same).collect();
        if here.iter().any(|removal| removal.by_pattern) {
            let places: Vec<String> = here.iter().map(|removal| escape(removal.source.to_string())).collect();
            let edit = format!(
                "if the new key is right, edit by hand, as other hosts are spoken of too: {}",
                places.join(", ")
            );
            lines.push(Cow::Owned(edit));
        } else {
            // What a shell made up for this one run nobody can edit.
            let known_in = Some(&**file).filter(|file| !file.starts_with("/dev/fd/") && !file.starts_with("/proc/"));
            lines.push(Place { known_as: Some(&removal.name), known_in, ..place }.fill(line));
        }
    }
    lines
}

impl Serialize for Explained {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.code.diagnosis();
        let mut object = serializer.serialize_struct("Explained", 4)?;
        object.serialize_field("id", &self.code)?;
        object.serialize_field("title", text.map_or("", |text| text.title))?;
        object.serialize_field("causes", &self.causes())?;
        object.serialize_field("remedy", &self.remedy)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Explained {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            id: String,
            #[serde(default)]
            causes: Vec<String>,
            #[serde(default)]
            remedy: Vec<String>,
        }
        let Read { id, causes, remedy } = Read::deserialize(deserializer)?;
        let code: Code = id.parse().map_err(D::Error::custom)?;
        let missing = |start: &&str| {
            let has = |cause: &str| cause.starts_with(*start);
            let all = code.diagnosis().map_or(&[][..], |text| text.causes);
            all.iter().any(|cause| has(cause)) && !causes.iter().any(|cause| has(cause))
        };
        let elsewhere = [OF_PROXY, OF_JUMP_HOST].into_iter().find(missing).unwrap_or_default();
        Ok(Self { code, elsewhere, remedy: remedy.into_iter().map(Cow::Owned).collect() })
    }
}
