//! Whether a host certificate proves what it claims, by ssh's own rules and in ssh's own order.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::glob;
use crate::hostkey::{Certificate, CertificateRole, FingerprintHash, UnixTime, key_type};
use crate::wire::read::Reader;

/// What OpenSSH's CASignatureAlgorithms holds by default: nothing with SHA-1 since 8.2, and never ssh-dss.
static CA_SIGNATURE_ALGORITHMS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// What is asked of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertRules {
    /// Algorithms that an authority may sign with, as ssh's CASignatureAlgorithms.
    pub ca_signature_algorithms: Vec<String>,
}

impl Default for CertRules {
    fn default() -> Self {
        Self { ca_signature_algorithms: CA_SIGNATURE_ALGORITHMS.iter().map(|&name| name.to_owned()).collect() }
    }
}

/// How known_hosts and the revocation lists stand to the key that signed a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// A `@cert-authority` line that matches the host has it.
    Trusted,
    /// No such line has it. ssh then says nothing of the certificate and judges its plain key alone.
    Unknown,
    /// A `@revoked` line or a revocation list has it, whatever other lines say.
    Revoked,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertFault {
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// The host's name is none of its principals.
    WrongPrincipal,
    /// It names no principals at all. OpenSSH refuses that since 10.3; before, such a certificate was good for every host.
    NoPrincipals,
    /// It is for users.
    UserCert,
    /// It has a critical option; none are defined for hosts.
    CriticalOption,
    /// Its authority signed with an algorithm that is not allowed.
    CaSigAlg,
    /// The signature is not its authority's, or of a kind that cannot be verified.
    CaSignature,
    /// Its authority's key is revoked.
    CaRevoked,
    /// Its authority is none that known_hosts names for this host.
    CaUnknown,
    /// It is no certificate that ssh would read.
    Malformed,
}

impl CertFault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Expired,
        Self::NotYetValid,
        Self::WrongPrincipal,
        Self::NoPrincipals,
        Self::UserCert,
        Self::CriticalOption,
        Self::CaSigAlg,
        Self::CaSignature,
        Self::CaRevoked,
        Self::CaUnknown,
        Self::Malformed,
    ];

    /// The word for it in a code's argument.
    #[must_use]
    pub const fn arg(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongPrincipal => "wrong-principal",
            Self::NoPrincipals => "no-principals",
            Self::UserCert => "user-cert",
            Self::CriticalOption => "critical-option",
            Self::CaSigAlg => "ca-sig-alg",
            Self::CaSignature => "ca-signature",
            Self::CaRevoked => "ca-revoked",
            Self::CaUnknown => "ca-unknown",
            Self::Malformed => "malformed",
        }
    }

    /// What is wrong, as the end of a sentence.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::WrongPrincipal => "the name is none of its principals",
            Self::NoPrincipals => "it names no principals",
            Self::UserCert => "it is for users, not for hosts",
            Self::CriticalOption => "it has a critical option, and none are defined for hosts",
            Self::CaSigAlg => "its authority signed with an algorithm that is not allowed",
            Self::CaSignature => "the signature is not its authority's",
            Self::CaRevoked => "its authority is revoked",
            Self::CaUnknown => "its authority is none that known_hosts names for this host",
            Self::Malformed => "it cannot be read",
        }
    }

    /// The first line ssh prints for it; `None` where it says nothing and goes on with the plain key, or ends the connection
    /// while still exchanging keys.
    #[must_use]
    pub const fn said_by_ssh(self) -> Option<&'static str> {
        match self {
            Self::Expired => Some("Certificate invalid: expired"),
            Self::NotYetValid => Some("Certificate invalid: not yet valid"),
            Self::WrongPrincipal => Some("Certificate invalid: name is not a listed principal"),
            Self::NoPrincipals => Some("Certificate lacks principal list"),
            Self::UserCert => Some("Certificate invalid: not a host certificate"),
            Self::CriticalOption => Some("Certificate contains unsupported critical options"),
            Self::CaSigAlg => Some("Certificate signed with disallowed algorithm"),
            Self::CaRevoked => Some("WARNING: REVOKED HOST KEY DETECTED!"),
            Self::CaSignature | Self::CaUnknown | Self::Malformed => None,
        }
    }
}

/// Whether `cert` proves that its key is `host`'s, for one whose clock says `now`.
///
/// `host` is the name that ssh looks up, so HostKeyAlias or the name as typed, without a port; its case does not matter.
/// Principals are compared as they are: ssh lowers the name alone, so a principal with a capital letter matches nothing.
///
/// # Errors
/// The first fault in the order in which ssh finds them: reading and verifying come with the key exchange, then known_hosts
/// has its say on the authority, and only then the certificate's own terms are looked at.
pub fn judge_certificate(
    cert: &Certificate<'_>,
    host: &str,
    now: UnixTime,
    rules: &CertRules,
    authority: Authority,
) -> Result<(), CertFault> {
    if !readable(cert) {
        return Err(CertFault::Malformed);
    }
    cert.verify_ca().map_err(|_| CertFault::CaSignature)?;
    match authority {
        Authority::Trusted => judge_terms(cert, host, now, rules),
        Authority::Unknown => Err(CertFault::CaUnknown),
        Authority::Revoked => Err(CertFault::CaRevoked),
    }
}

/// What ssh's sshkey_cert_check_host looks at, in its order.
fn judge_terms(cert: &Certificate<'_>, host: &str, now: UnixTime, rules: &CertRules) -> Result<(), CertFault> {
    if cert.role != CertificateRole::Host {
        return Err(CertFault::UserCert);
    }
    if now < cert.valid_after {
        return Err(CertFault::NotYetValid);
    }
    if !cert.valid_at(now) {
        return Err(CertFault::Expired);
    }
    if cert.principals.is_empty() {
        return Err(CertFault::NoPrincipals);
    }
    let host = host.to_ascii_lowercase();
    if !cert.principals.iter().any(|principal| matches_pattern(host.as_bytes(), text(principal))) {
        return Err(CertFault::WrongPrincipal);
    }
    if !cert.critical_options.is_empty() {
        return Err(CertFault::CriticalOption);
    }
    let signed_with = Reader::new(cert.signature).string().unwrap_or_default();
    if !rules.ca_signature_algorithms.iter().any(|name| name.as_bytes() == signed_with) {
        return Err(CertFault::CaSigAlg);
    }
    Ok(())
}

/// Where OpenSSH's versions disagree about the principals of this certificate for this host. [`judge_certificate`] follows 10.3
/// and later.
#[must_use]
pub fn version_note(cert: &Certificate<'_>, host: &str) -> Option<&'static str> {
    if cert.principals.is_empty() {
        return Some("OpenSSH before 10.3 accepts a certificate without principals for every host");
    }
    let host = host.to_ascii_lowercase();
    let exact = cert.principals.iter().any(|principal| text(principal) == host.as_bytes());
    let matched = cert.principals.iter().any(|principal| matches_pattern(host.as_bytes(), text(principal)));
    (matched && !exact)
        .then_some("OpenSSH before 10.3 takes a wildcard in a principal literally and refuses this certificate")
}

/// Whether the texts in it are such that OpenSSH reads it: a C string may end with a NUL and holds no other.
fn readable(cert: &Certificate<'_>) -> bool {
    let mut texts = std::iter::once(&cert.key_id).chain(&cert.principals);
    texts.all(|bytes| !text(bytes).contains(&0))
}

/// The bytes of a text without the NUL that may end it.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(&[0]).unwrap_or(bytes)
}

/// Whether `name` is what `pattern` says; a letter's case matters.
fn matches_pattern(name: &[u8], pattern: &[u8]) -> bool {
    glob::matches(name, pattern, |wanted, byte| wanted == byte)
}

/// What a record says of a certificate. The texts are the certificate's own, as UTF-8 with replacement characters; whoever
/// shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertSummary {
    /// Its type, for example `ssh-ed25519-cert-v01@openssh.com`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number its authority gave it; 0 where it gives none.
    pub serial: u64,
    /// What its authority calls it.
    pub key_id: String,
    /// The names it is for.
    pub principals: Vec<String>,
    /// From when on, RFC 3339 in UTC; absent where it was always valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_after: Option<String>,
    /// Until when, RFC 3339 in UTC; absent where that is forever. A time beyond the year 9999 is shown as the end of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_before: Option<String>,
    /// The type of its authority's key.
    pub ca_type: String,
    /// That key's fingerprint.
    pub ca_fingerprint: String,
}

/// The parts of a certificate that a person wants to see.
#[must_use]
pub fn describe(cert: &Certificate<'_>, hash: FingerprintHash) -> CertSummary {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(text(bytes)).into_owned();
    CertSummary {
        kind: cert.kind.to_owned(),
        serial: cert.serial,
        key_id: shown(cert.key_id),
        principals: cert.principals.iter().map(|principal| shown(principal)).collect(),
        valid_after: (cert.valid_after > UnixTime(0)).then(|| rfc3339(cert.valid_after)),
        valid_before: (cert.valid_before != UnixTime::FOREVER).then(|| rfc3339(cert.valid_before)),
        ca_type: key_type(cert.ca_key).unwrap_or_default().to_owned(),
        ca_fingerprint: hash.of(cert.ca_key),
    }
}

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;

fn rfc3339(at: UnixTime) -> String {
    let at = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(at.0.min(LAST_SECOND)));
    at.map_or_else(String::new, |at| humantime::format_rfc3339_seconds(at).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{certificate, names};
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-23T12:00Z, within the samples' time.
    const NOW: UnixTime = UnixTime(1_795_435_200);
    const START: UnixTime = UnixTime(1_577_836_800);
    const END: UnixTime = UnixTime(2_208_988_800);

    fn judge(name: &str, host: &str, now: UnixTime) -> Result<(), CertFault> {
        let blob = certificate(name);
        judge_certificate(&Certificate::parse(&blob).unwrap(), host, now, &CertRules::default(), Authority::Trusted)
    }

    fn note(name: &str, host: &str) -> Option<&'static str> {
        version_note(&Certificate::parse(&certificate(name)).unwrap(), host)
    }

    #[test]
    fn a_certificate_proves_the_names_it_lists_within_its_time() {
        for host in ["host.example", "HOST.Example", "10.0.0.1"] {
            assert_eq!(judge("good", host, NOW), Ok(()), "{host}");
            assert_eq!(note("good", host), None);
        }
        assert_eq!(judge("good", "host.example", START), Ok(()));
        assert_eq!(judge("good", "host.example", UnixTime(START.0 - 1)), Err(CertFault::NotYetValid));
        assert_eq!(judge("good", "host.example", UnixTime(END.0 - 1)), Ok(()));
        assert_eq!(judge("good", "host.example", END), Err(CertFault::Expired));
        assert_eq!(judge("forever", "host.example", UnixTime(0)), Ok(()));
        assert_eq!(judge("forever", "host.example", UnixTime(u64::MAX - 1)), Ok(()));
        assert_eq!(judge("rsa512", "host.example", NOW), Ok(()));
    }

    #[test]
    fn every_fault_has_its_word() {
        assert_eq!(judge("good", "other.example", NOW), Err(CertFault::WrongPrincipal));
        assert_eq!(judge("good", "[host.example]:22", NOW), Err(CertFault::WrongPrincipal));
        assert_eq!(judge("capital", "Host.example", NOW), Err(CertFault::WrongPrincipal));
        assert_eq!(judge("empty", "host.example", NOW), Err(CertFault::NoPrincipals));
        assert_eq!(judge("user", "host.example", NOW), Err(CertFault::UserCert));
        assert_eq!(judge("critical", "host.example", NOW), Err(CertFault::CriticalOption));
        assert_eq!(judge("sha1", "host.example", NOW), Err(CertFault::CaSigAlg));
        let mut words: Vec<_> = CertFault::ALL.iter().map(|fault| fault.arg()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), CertFault::ALL.len());
    }

    /// The order of ssh's checks: a certificate with several faults has the one that ssh tells.
    #[test]
    fn the_first_fault_in_sshs_order_is_told() {
        assert_eq!(judge("user", "other.example", END), Err(CertFault::UserCert));
        assert_eq!(judge("empty", "other.example", END), Err(CertFault::Expired));
        assert_eq!(judge("critical", "other.example", NOW), Err(CertFault::WrongPrincipal));
        assert_eq!(judge("sha1", "other.example", NOW), Err(CertFault::WrongPrincipal));
        let blob = certificate("user");
        let cert = Certificate::parse(&blob).unwrap();
        let with = |authority| judge_certificate(&cert, "other.example", END, &CertRules::default(), authority);
        assert_eq!(with(Authority::Unknown), Err(CertFault::CaUnknown));
        assert_eq!(with(Authority::Revoked), Err(CertFault::CaRevoked));
    }

    #[test]
    fn allowed_algorithms_can_be_chosen() {
        let judge = |name, algorithms: &[&str]| {
            let rules = CertRules { ca_signature_algorithms: algorithms.iter().map(|&name| name.to_owned()).collect() };
            let blob = certificate(name);
            judge_certificate(&Certificate::parse(&blob).unwrap(), "host.example", NOW, &rules, Authority::Trusted)
        };
        assert_eq!(judge("sha1", &["ssh-rsa"]), Ok(()));
        assert_eq!(judge("rsa512", &["rsa-sha2-256"]), Err(CertFault::CaSigAlg));
        assert_eq!(judge("good", &[]), Err(CertFault::CaSigAlg));
    }

    #[test]
    fn a_signature_of_anything_else_is_no_signature() {
        for name in names() {
            let mut blob = certificate(name);
            // The last byte of the nonce: nothing but the signature covers it.
            let at = 4 + 32 + 4 + 31;
            blob[at] ^= 1;
            let cert = Certificate::parse(&blob).unwrap();
            let rules = CertRules::default();
            for authority in [Authority::Trusted, Authority::Unknown, Authority::Revoked] {
                let fault = judge_certificate(&cert, "host.example", NOW, &rules, authority);
                assert_eq!(fault, Err(CertFault::CaSignature), "{name}");
            }
        }
    }

    #[test]
    fn versions_of_openssh_disagree_about_wildcards_and_empty_lists() {
        for host in ["a.example", "host", "HAST", "a.b.example"] {
            assert_eq!(judge("wildcard", host, NOW), Ok(()), "{host}");
            assert!(note("wildcard", host).unwrap().contains("literally"), "{host}");
        }
        assert_eq!(judge("wildcard", "haste", NOW), Err(CertFault::WrongPrincipal));
        assert_eq!(note("wildcard", "haste"), None);
        assert_eq!(note("wildcard", "*.example"), None);
        assert!(note("empty", "any").unwrap().contains("without principals"));
    }

    /// OpenSSH reads texts as C strings, and refuses one with a NUL before its end: `host\0.evil` must not pass for `host`.
    #[test]
    fn a_nul_within_a_text_makes_a_certificate_unreadable() {
        let blob = certificate("good");
        let mut cert = Certificate::parse(&blob).unwrap();
        let judge = |cert: &Certificate<'_>| {
            judge_certificate(cert, "host.example", NOW, &CertRules::default(), Authority::Trusted)
        };
        cert.principals = vec![b"host.example\0"];
        assert_eq!(judge(&cert), Ok(()));
        for principal in [&b"host.example\0x"[..], b"host.example\0\0", b"\0host.example"] {
            cert.principals = vec![b"host.example", principal];
            assert_eq!(judge(&cert), Err(CertFault::Malformed));
        }
        cert.principals = vec![b"host.example"];
        cert.key_id = b"a\0b";
        assert_eq!(judge(&cert), Err(CertFault::Malformed));
    }

    #[test]
    fn a_record_shows_what_ssh_keygen_shows() {
        let blob = certificate("good");
        let summary = describe(&Certificate::parse(&blob).unwrap(), FingerprintHash::Sha256);
        let expect = CertSummary {
            kind: "ssh-ed25519-cert-v01@openssh.com".to_owned(),
            serial: 7,
            key_id: "good".to_owned(),
            principals: vec!["host.example".to_owned(), "10.0.0.1".to_owned()],
            valid_after: Some("2020-01-01T00:00:00Z".to_owned()),
            valid_before: Some("2040-01-01T00:00:00Z".to_owned()),
            ca_type: "ssh-ed25519".to_owned(),
            ca_fingerprint: "SHA256:W/GKSZfdHNBPxFQjF3pl19QKNIRjQJLAX8cO5txxiCU".to_owned(),
        };
        assert_eq!(summary, expect);
        let blob = certificate("forever");
        let mut cert = Certificate::parse(&blob).unwrap();
        assert_eq!(
            (
                describe(&cert, FingerprintHash::Sha256).valid_after,
                describe(&cert, FingerprintHash::Sha256).valid_before
            ),
            (None, None)
        );
        cert.valid_before = UnixTime(u64::MAX - 1);
        assert_eq!(describe(&cert, FingerprintHash::Sha256).valid_before.as_deref(), Some("9999-12-31T23:59:59Z"));
        cert.key_id = b"\xff\x1b";
        assert_eq!(describe(&cert, FingerprintHash::Sha256).key_id, "\u{fffd}\x1b");
    }

    /// The plain definition of a pattern, slow and obvious.
    fn naive(name: &[u8], pattern: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|skip| naive(&name[skip..], rest)),
            Some((want, rest)) => {
                name.split_first().is_some_and(|(byte, tail)| (*want == b'?' || want == byte) && naive(tail, rest))
            }
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_their_definition_says(name in "[ab]{0,8}", pattern in "[ab*?]{0,8}") {
            let (name, pattern) = (name.as_bytes(), pattern.as_bytes());
            prop_assert_eq!(matches_pattern(name, pattern), naive(name, pattern));
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let (name, pattern) = ([b'a'; 255], b"*a".repeat(127));
        assert!(matches_pattern(&name, &pattern));
        assert!(!matches_pattern(&name, &[&pattern[..], b"b"].concat()));
    }
}
