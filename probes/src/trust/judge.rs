//! What the files say about the keys a target proved to hold.
//!
//! The rules are ssh's (facts of OpenSSH 9.2 and 10.5), with one refinement: where ssh calls a key of a type never seen
//! CHANGED, because it would have asked for the known types first, this says that the type is unknown, or gone.

use std::borrow::Cow;

use super::certificate::{Authority, CertFault, CertSummary, describe, judge_certificate, version_note};
use super::{Answer, Entry, KnownHost, Source, SshfpResult};
use crate::diagnose::{Code, Finding, FindingId};
use crate::escape::{escape, shorten};
use crate::evidence::{Evidence, Signature};
use crate::hostkey::{Certificate, UnixTime, canonical_key, key_type};
use crate::record::Trust;
use crate::trust::host::plain_types;

/// How many other names of a key, or known keys of a host, are listed.
const NAMES: usize = 8;

/// How much of a name or text from a file or server a sentence quotes, in characters.
const QUOTED: usize = 120;

/// A host key over all connections to the target, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedKey<'a> {
    /// The blob K_S.
    pub blob: &'a [u8],
    /// The worst that became of its signature.
    pub signature: Signature,
    /// What the files say.
    pub judgement: Judgement,
}

/// What the files say about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// In one word.
    pub trust: Trust,
    /// The line that decided.
    pub source: Option<Source>,
    /// The keys that the files have for the host in its place, the first of them.
    pub known: Vec<KnownKey>,
    /// Other names under which the files have this very key.
    pub known_as: Vec<String>,
    /// What its certificate says, if it came with one.
    pub certificate: Option<CertSaid>,
    /// What the DNS says.
    pub sshfp: Option<SshfpResult>,
    /// It makes the target fail.
    pub mismatch: Option<Mismatch>,
    /// Worth telling beside that.
    pub findings: Vec<Finding>,
}

impl Judgement {
    fn of(trust: Trust) -> Self {
        Self {
            trust,
            source: None,
            known: Vec::new(),
            known_as: Vec::new(),
            certificate: None,
            sshfp: None,
            mismatch: None,
            findings: Vec::new(),
        }
    }

    /// The host is known with this key.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        matches!(self.trust, Trust::Match | Trust::CaMatch)
    }
}

/// What a certificate says, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertSaid {
    /// What it says.
    pub says: CertSummary,
    /// Why it does not count.
    pub fault: Option<CertFault>,
    /// Where OpenSSH's versions disagree about it.
    pub note: Option<&'static str>,
}

/// A key that a file has for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// Its type.
    pub kind: String,
    /// Its fingerprint, in the hash chosen.
    pub fingerprint: String,
    /// Where it stands.
    pub source: Source,
}

/// Why a key makes the target fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The outcome.
    pub code: Code,
    /// Its parameter.
    pub arg: Option<&'static str>,
    /// One sentence with the evidence, escaped.
    pub detail: String,
    /// The lines that would have to go, if the key shown is right.
    pub remove: Vec<Removal>,
}

/// A line to be removed, if the new key is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The name that `ssh-keygen -F` and `-R` find it by.
    pub name: String,
    /// Where it stands.
    pub source: Source,
    /// It speaks of more hosts than this one.
    pub by_pattern: bool,
}

/// Judges every key that the connections to a target showed, each once, in the order in which `connections` come.
///
/// `host` is `None` where nobody is to judge. `now` is for certificates. A key whose signature was not verified is never
/// accepted, whatever a file has: nobody has shown to hold it.
#[must_use]
pub fn judge_keys<'a>(connections: &[&'a Evidence], host: Option<&KnownHost>, now: UnixTime) -> Vec<JudgedKey<'a>> {
    let shown = |blob: &'a [u8]| {
        let keys = connections.iter().filter_map(|evidence| evidence.host_key.as_ref());
        keys.filter(move |key| key.blob == blob)
    };
    let judge = |evidence: &&'a Evidence| {
        let key = evidence.host_key.as_ref()?;
        let blob = key.blob.as_slice();
        if !shown(blob).next().is_some_and(|first| std::ptr::eq(first, key)) {
            return None;
        }
        // A signature that failed on any connection is not made good by one that held on another.
        let signature = shown(blob).fold(key.signature, |worst, key| worse(worst, key.signature));
        let judgement = match host {
            Some(host) if signature == Signature::Verified => Judge { host, evidence, now }.key(blob),
            Some(host) if signature == Signature::Unchecked => Judge { host, evidence, now }.unproven(blob),
            _ => Judgement::of(Trust::Unchecked),
        };
        Some(JudgedKey { blob, signature, judgement })
    };
    // One as a rule, and then with room for no other.
    let mut keys = Vec::with_capacity(connections.len());
    keys.extend(connections.iter().filter_map(judge));
    keys
}

fn worse(one: Signature, other: Signature) -> Signature {
    match (one, other) {
        (Signature::Bad, _) | (_, Signature::Bad) => Signature::Bad,
        (Signature::Verified, _) | (_, Signature::Verified) => Signature::Verified,
        _ => Signature::Unchecked,
    }
}

/// One key of one connection, before its judges.
struct Judge<'a> {
    host: &'a KnownHost,
    evidence: &'a Evidence,
    now: UnixTime,
}

impl Judge<'_> {
    fn key(&self, blob: &[u8]) -> Judgement {
        // A blob that says it is a certificate and is none cannot have verified: the signature was checked with the key in it.
        let plain = canonical_key(blob).unwrap_or(Cow::Borrowed(blob));
        let certificate = Certificate::parse(blob).ok();
        let mut judgement = self.revoked(blob, &plain, certificate.as_ref()).unwrap_or_else(|| match &certificate {
            Some(certificate) => self.certificate(certificate, &plain),
            None => self.plain(&plain),
        });
        if let Some(certificate) = &certificate {
            judgement.certificate.get_or_insert_with(|| self.said(certificate, None));
        }
        if let Some(files) = &self.host.policy().known_hosts
            && !judgement.accepted()
        {
            judgement.known_as = files.known_as(&plain, self.host.name(), NAMES);
        }
        self.by_address(&plain, certificate.is_some(), &mut judgement);
        self.by_dns(&plain, &mut judgement);
        if judgement.trust == Trust::Unknown && judgement.mismatch.is_none() {
            self.unknown(&plain, &mut judgement);
        }
        judgement
    }

    /// A key that nobody can verify a signature with (an even modulus, a size beyond all bounds): whoever shows one proves
    /// nothing. Chosen by the server, it must not be a way around what is known of the host.
    fn unproven(&self, blob: &[u8]) -> Judgement {
        let mut judgement = Judgement::of(Trust::Unchecked);
        if self.host.policy().known_hosts.is_none() {
            return judgement;
        }
        let detail = format!(
            "the host key {} is one that no signature can be verified with: nothing shows that the server holds it",
            self.named(blob)
        );
        if self.host.policy().strict || !self.host.known().is_empty() {
            judgement.mismatch =
                Some(Mismatch { code: Code::BadHostSignature, arg: Some("unverifiable"), detail, remove: Vec::new() });
        } else {
            judgement.findings.push(Finding::new(FindingId::HostKeyUnknown, detail));
        }
        judgement
    }

    fn fingerprint(&self, blob: &[u8]) -> String {
        self.host.policy().fingerprint_hash.of(blob)
    }

    /// `ssh-ed25519 SHA256:…`
    fn named(&self, blob: &[u8]) -> String {
        format!("{} {}", escape(key_type(blob).unwrap_or("unnamed")), self.fingerprint(blob))
    }

    /// The first of them: a file of patterns may have thousands for one host.
    fn known_keys(&self, entries: &[&Entry]) -> Vec<KnownKey> {
        entries.iter().take(NAMES).map(|entry| self.known_key(entry)).collect()
    }

    fn known_key(&self, entry: &Entry) -> KnownKey {
        KnownKey {
            kind: entry.key_type().to_owned(),
            fingerprint: self.fingerprint(&entry.blob),
            source: entry.source.clone(),
        }
    }

    fn said(&self, certificate: &Certificate<'_>, fault: Option<CertFault>) -> CertSaid {
        let says = describe(certificate, self.host.policy().fingerprint_hash);
        CertSaid { says, fault, note: version_note(certificate, self.host.name().host()) }
    }

    fn judged(&self, certificate: &Certificate<'_>, authority: Authority) -> Result<(), CertFault> {
        let rules = &self.host.policy().cert_rules;
        judge_certificate(certificate, self.host.name().host(), self.now, rules, authority)
    }

    /// Revocation comes before everything, and nothing makes it good.
    fn revoked(&self, blob: &[u8], plain: &[u8], certificate: Option<&Certificate<'_>>) -> Option<Judgement> {
        let policy = self.host.policy();
        if let Some(hit) = policy.revoked.revokes(blob) {
            let by = hit.by.word();
            if let Some(certificate) = certificate.filter(|_| hit.authority) {
                let ca = self.named(certificate.ca_key);
                let what = format!("the host certificate's authority {ca} is revoked by a list, by its {by}");
                let mut judgement = refuse(Code::HostCertInvalid, CertFault::CaRevoked.arg(), hit.at, what);
                judgement.certificate = Some(self.said(certificate, Some(CertFault::CaRevoked)));
                return Some(judgement);
            }
            let what = format!("the host key {} is revoked by a list, by its {by}", self.named(plain));
            return Some(refuse(Code::HostKeyRevoked, "revocation-list", hit.at, what));
        }
        if let Some(judgement) = self.marked(plain, certificate) {
            return Some(judgement);
        }
        policy.bad_keys.find(plain).map(|(source, reason)| {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let what = format!("the host key {} is known to the world{why}", self.named(plain));
            refuse(Code::HostKeyRevoked, "bad-key", source, what)
        })
    }

    /// By a `@revoked` line of the host's. ssh comes to those of the name without the port only where the name with it has
    /// neither keys nor, for a certificate, its authority.
    fn marked(&self, plain: &[u8], certificate: Option<&Certificate<'_>>) -> Option<Judgement> {
        let known = self.host.known();
        let decided = !known.keys.is_empty()
            || certificate
                .is_some_and(|certificate| known.authority(certificate.ca_key).is_some_and(|entry| !entry.fallback));
        let fallback = known.fallback.as_deref().filter(|_| !decided);
        std::iter::once(known).chain(fallback).find_map(|known| {
            if let Some(entry) = known.revokes(plain) {
                return Some(self.revoked_key(plain, entry));
            }
            let certificate = certificate?;
            let entry = known.revokes(certificate.ca_key)?;
            let ca = self.named(certificate.ca_key);
            let what = format!("the host certificate's authority {ca} stands in a @revoked line");
            let mut judgement = refuse(Code::HostCertInvalid, CertFault::CaRevoked.arg(), entry.source.clone(), what);
            judgement.certificate = Some(self.said(certificate, Some(CertFault::CaRevoked)));
            Some(judgement)
        })
    }

    fn revoked_key(&self, plain: &[u8], entry: &Entry) -> Judgement {
        let what = format!("the host key {} stands in a @revoked line", self.named(plain));
        refuse(Code::HostKeyRevoked, "marker", entry.source.clone(), what)
    }

    fn certificate(&self, certificate: &Certificate<'_>, plain: &[u8]) -> Judgement {
        let known = self.host.known();
        let line = known.authority(certificate.ca_key);
        let authority = if line.is_some() { Authority::Trusted } else { Authority::Unknown };
        let Err(fault) = self.judged(certificate, authority) else {
            let source = line.map(|entry| entry.source.clone());
            return Judgement { source, ..Judgement::of(Trust::CaMatch) };
        };
        let mut judgement = self.plain(plain);
        judgement.certificate = Some(self.said(certificate, Some(fault)));
        // No line trusts its authority: the plain key alone is judged, as by ssh.
        if fault == CertFault::CaUnknown {
            self.without_authority(certificate, &mut judgement);
            return judgement;
        }
        let ca = self.named(certificate.ca_key);
        let at = line.map(|entry| format!(" (trusted in {})", source_text(&entry.source))).unwrap_or_default();
        let sentence = format!("the host certificate of the authority {ca}{at} does not hold: {}", fault.says());
        // ssh ends the connection over a certificate that it cannot read or that nobody signed, whatever else it knows. Nothing
        // makes a changed or revoked key less of one, though.
        let unreadable = matches!(fault, CertFault::CaSignature | CertFault::Malformed);
        let worse = matches!(judgement.trust, Trust::Changed | Trust::Revoked);
        if worse || judgement.trust == Trust::Unchecked || (!unreadable && judgement.trust == Trust::Match) {
            judgement.findings.push(Finding::new(FindingId::HostCertInvalid, sentence));
            return judgement;
        }
        let detail = match judgement.trust {
            Trust::Match => sentence,
            _ => format!("{sentence}; the key in it, {}, is not known by itself", self.named(plain)),
        };
        judgement.trust = Trust::CaMismatch;
        judgement.source = line.map(|entry| entry.source.clone());
        judgement.mismatch =
            Some(Mismatch { code: Code::HostCertInvalid, arg: Some(fault.arg()), detail, remove: Vec::new() });
        judgement
    }

    /// A certificate that no line vouches for, around a key that no line has either, of a host for which a line trusts another
    /// authority.
    fn without_authority(&self, certificate: &Certificate<'_>, judgement: &mut Judgement) {
        let Some(other) = self.host.known().authorities.first() else { return };
        if judgement.trust != Trust::Unknown || judgement.mismatch.is_some() {
            return;
        }
        judgement.trust = Trust::CaMismatch;
        judgement.source = Some(other.source.clone());
        let detail = format!(
            "the host certificate is by the authority {}, and the one trusted for {} is another ({})",
            self.named(certificate.ca_key),
            escape(self.host.name().to_string()),
            source_text(&other.source)
        );
        self.not_known(&certificate.key, Some(CertFault::CaUnknown.arg()), detail, judgement);
    }

    /// No line vouches for the key. A record that the DNS proves does, as with ssh's VerifyHostKeyDNS.
    fn not_known(&self, plain: &[u8], arg: Option<&'static str>, detail: String, judgement: &mut Judgement) {
        if self.host.sshfp().is_some_and(|said| said.compare(plain).vouches()) {
            return;
        }
        if self.host.policy().strict {
            judgement.mismatch = Some(Mismatch { code: Code::HostKeyUnknown, arg, detail, remove: Vec::new() });
        } else {
            judgement.findings.push(Finding::new(FindingId::HostKeyUnknown, detail));
        }
    }

    fn plain(&self, plain: &[u8]) -> Judgement {
        if self.host.policy().known_hosts.is_none() {
            return Judgement::of(Trust::Unchecked);
        }
        match self.host.known().answer(plain) {
            Answer::Match(entry) => Judgement { source: Some(entry.source.clone()), ..Judgement::of(Trust::Match) },
            // Only for the plain key of a certificate that did not hold: all others were looked for before.
            Answer::Revoked(entry) => self.revoked_key(plain, entry),
            Answer::Changed(entries) => self.changed(plain, &entries),
            Answer::OtherType(entries) => self.other_type(plain, &entries),
            Answer::Unknown => Judgement::of(Trust::Unknown),
        }
    }

    fn changed(&self, plain: &[u8], entries: &[&Entry]) -> Judgement {
        let known = self.known_keys(entries);
        let kind = escape(key_type(plain).unwrap_or_default());
        let detail = format!(
            "another {kind} key is known for {}: {}; the host proves {}",
            escape(self.host.name().to_string()),
            list(&known, entries.len(), false),
            self.fingerprint(plain)
        );
        let mismatch = Mismatch { code: Code::HostKeyChanged, arg: None, detail, remove: self.removals(entries) };
        let source = entries.first().map(|entry| entry.source.clone());
        Judgement { source, known, mismatch: Some(mismatch), ..Judgement::of(Trust::Changed) }
    }

    /// The host is known, but by no key of this type. Asked for the known types first, a server that has one shows it.
    fn other_type(&self, plain: &[u8], entries: &[&Entry]) -> Judgement {
        let offered = self.evidence.kexinit.as_ref().map(plain_types).unwrap_or_default();
        let still = entries.iter().any(|entry| offered.iter().any(|kind| *kind == entry.key_type()));
        let known = self.known_keys(entries);
        let (code, what) = if still {
            (Code::HostKeyTypeUnknown, "of a type not known for")
        } else {
            (Code::HostKeyTypeGone, "and the host offers no key of a type known for")
        };
        let detail = format!(
            "the host proves {}, {what} {}; known is {}",
            self.named(plain),
            escape(self.host.name().to_string()),
            list(&known, entries.len(), true)
        );
        let remove = if still { Vec::new() } else { self.removals(entries) };
        let mismatch = Mismatch { code, arg: None, detail, remove };
        let source = entries.first().map(|entry| entry.source.clone());
        Judgement { source, known, mismatch: Some(mismatch), ..Judgement::of(Trust::Unknown) }
    }

    fn removals(&self, entries: &[&Entry]) -> Vec<Removal> {
        let name = self.host.name().to_string();
        // What stands under the name without its port is found by that name alone.
        let found_by = |entry: &Entry| if entry.fallback { self.host.name().host().to_owned() } else { name.clone() };
        let removal = |entry: &&Entry| Removal {
            name: found_by(entry),
            source: entry.source.clone(),
            by_pattern: entry.by_pattern,
        };
        entries.iter().take(NAMES).map(removal).collect()
    }

    /// ssh's CheckHostIP. Certificates name hosts, not addresses, so ssh leaves them out.
    fn by_address(&self, plain: &[u8], certificate: bool, judgement: &mut Judgement) {
        if certificate || !matches!(judgement.trust, Trust::Match | Trust::Unknown) {
            return;
        }
        let addr = self.evidence.addr;
        let Some(known) = self.host.known_by_address(addr.ip(), addr.port()) else { return };
        let (Answer::Changed(entries) | Answer::OtherType(entries)) = known.answer(plain) else { return };
        let known = self.known_keys(&entries);
        let detail = format!(
            "the host key {} differs from the key for the address {}: {}",
            self.named(plain),
            addr.ip(),
            list(&known, entries.len(), true)
        );
        judgement.findings.push(Finding::new(FindingId::HostKeyAddressMismatch, detail));
    }

    fn by_dns(&self, plain: &[u8], judgement: &mut Judgement) {
        let Some(said) = self.host.sshfp() else { return };
        let result = said.compare(plain);
        judgement.findings.extend(result.finding(&self.named(plain)));
        judgement.sshfp = Some(result);
    }

    /// Nothing is known of the host at all.
    fn unknown(&self, plain: &[u8], judgement: &mut Judgement) {
        let name = escape(self.host.name().to_string());
        let mut detail = format!("no line of the known_hosts files speaks of {name}; the key is {}", self.named(plain));
        if let Some(authority) = self.host.known().authorities.first() {
            let at = source_text(&authority.source);
            detail = format!("{name} shows no certificate of the authority in {at}; its key is {}", self.named(plain));
        }
        if !judgement.known_as.is_empty() {
            let names = judgement.known_as.iter().map(|name| shorten(name, QUOTED)).collect::<Vec<_>>().join(", ");
            detail.push_str(&format!("; known as {names}"));
        }
        self.not_known(plain, None, detail, judgement);
    }
}

fn refuse(code: Code, arg: &'static str, source: Source, what: String) -> Judgement {
    let detail = format!("{what} ({})", source_text(&source));
    let mismatch = Mismatch { code, arg: Some(arg), detail, remove: Vec::new() };
    Judgement { source: Some(source), mismatch: Some(mismatch), ..Judgement::of(Trust::Revoked) }
}

/// A place as a sentence has it. The file's name is the user's, but may hold anything.
fn source_text(source: &Source) -> String {
    escape(source.to_string())
}

/// Known keys with where they stand, and with their types if those differ from the one spoken of.
fn list(known: &[KnownKey], all: usize, types: bool) -> String {
    let each = |key: &KnownKey| {
        let kind = if types { format!("{} ", escape(&key.kind)) } else { String::new() };
        format!("{kind}{} ({})", key.fingerprint, source_text(&key.source))
    };
    let listed: Vec<String> = known.iter().map(each).collect();
    let more = all.saturating_sub(listed.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", listed.join(", "))
}

#[cfg(test)]
mod tests;
