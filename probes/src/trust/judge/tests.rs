//! One row a situation: what known_hosts says, what the server shows, and what comes of it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::samples::certificate;
use super::super::{BadKeys, KnownHosts, LookupName, Policy, SshfpSaid, Voucher, sshfp};
use super::*;
use crate::diagnose::{Verdict, overrule};
use crate::evidence::{HostKey, Stage};
use crate::hostkey::is_certificate;
use crate::target::{Host, Target};
use crate::time::Moment;
use crate::wire::kexinit::KexInit;

/// 2026-11-23T12:00Z, within the samples' time.
const NOW: UnixTime = UnixTime(1_795_435_200);

/// Public keys by the names the tests call them.
fn key(name: &str) -> Vec<u8> {
    let ed25519 = |byte: u8| {
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend([byte; 32]);
        blob
    };
    match name {
        "ed-a" => ed25519(1),
        "ed-b" => ed25519(2),
        "rsa-a" | "rsa-b" => {
            let mut blob = b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\x01\x01\0\xc1".to_vec();
            blob.extend([if name == "rsa-a" { 0xa5 } else { 0xb7 }; 255]);
            blob
        }
        // Of a certificate: the key in it, its authority's key, or all of it.
        _ => match name.split_once(' ') {
            Some(("plain", of)) => Certificate::parse(&certificate(of)).unwrap().key,
            Some(("ca", of)) => Certificate::parse(&certificate(of)).unwrap().ca_key.to_vec(),
            _ => certificate(name),
        },
    }
}

/// A file whose `{names}` are keys.
fn file(text: &str) -> String {
    let mut filled = String::new();
    for (at, part) in text.split(['{', '}']).enumerate() {
        if at % 2 == 0 {
            filled.push_str(part);
        } else {
            let blob = key(part);
            filled += &format!("{} {}", key_type(&blob).unwrap(), STANDARD.encode(&blob));
        }
    }
    filled
}

fn policy(known_hosts: &str) -> Policy {
    let mut files = KnownHosts::builder();
    let problems = files.file("kh", file(known_hosts).as_bytes());
    assert_eq!(problems, [], "{known_hosts}");
    Policy { known_hosts: Some(files.build().into()), ..Policy::default() }
}

fn target(host: &str, port: u16) -> Target {
    let named = host.parse().map_or_else(|_| Host::Name(host.into()), |addr| Host::Addr(addr, 0));
    Target { input: host.into(), index: 0, host: named, port, place: None, user: None, from_range: false }
}

/// A connection on which the server showed a key, and offered these host-key algorithms.
fn shows(name: &str, offers: &str) -> Evidence {
    let mut evidence = Evidence::new("192.0.2.1:22".parse().unwrap(), Moment::START);
    evidence.stage = Stage::Auth;
    let lists: [&[u8]; 10] = std::array::from_fn(|at| if at == 1 { offers.as_bytes() } else { &[][..] });
    evidence.kexinit = Some(KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap());
    evidence.host_key = Some(HostKey { blob: key(name), signature: Signature::Verified });
    evidence
}

/// What comes of `host` showing `shown` under a policy: the word, the code with its argument, the line, the findings.
fn outcome(policy: Policy, host: &str, shown: &[Evidence]) -> (Trust, String, String, Vec<FindingId>) {
    let known = KnownHost::new(&Arc::new(policy), &target(host, 22));
    outcome_of(&known, shown)
}

fn outcome_of(known: &KnownHost, shown: &[Evidence]) -> (Trust, String, String, Vec<FindingId>) {
    let connections: Vec<&Evidence> = shown.iter().collect();
    let keys = judge_keys(&connections, Some(known), NOW);
    let verdict = overrule(Verdict::new(Code::Ok, Stage::Auth, "fine"), &keys);
    let arg = verdict.arg.map(|arg| format!(" {arg}")).unwrap_or_default();
    let judgement = &keys[0].judgement;
    let source = judgement.source.as_ref().map(ToString::to_string).unwrap_or_default();
    (judgement.trust, format!("{}{arg}", verdict.code), source, verdict.findings.iter().map(|each| each.id).collect())
}

const ED: &str = "ssh-ed25519";
const ALL: &str = "rsa-sha2-512,rsa-sha2-256,ssh-ed25519";

/// Lines, key shown, what the server offers or the host's name, then what comes of it: the word, the code with its argument,
/// the line that decided, the findings.
type Row = (&'static str, &'static str, &'static str, Trust, &'static str, &'static str, &'static [FindingId]);

#[test]
fn plain_keys() {
    use FindingId::HostKeyUnknown;
    let rows: &[Row] = &[
        ("h {ed-a}", "ed-a", ED, Trust::Match, "ok", "kh:1", &[]),
        ("x {ed-b}\nh {ed-b}\nh,i {ed-a}", "ed-a", ED, Trust::Match, "ok", "kh:3", &[]),
        ("h {ed-b}", "ed-a", ED, Trust::Changed, "host-key-changed", "kh:1", &[]),
        ("h {ed-b}\nh {rsa-a}", "ed-a", ALL, Trust::Changed, "host-key-changed", "kh:1", &[]),
        ("other {ed-a}", "ed-a", ED, Trust::Unknown, "ok", "", &[HostKeyUnknown]),
        ("", "ed-a", ED, Trust::Unknown, "ok", "", &[HostKeyUnknown]),
        ("h {rsa-a}", "ed-a", ED, Trust::Unknown, "host-key-type-gone", "kh:1", &[]),
        ("h {rsa-a}", "ed-a", ALL, Trust::Unknown, "host-key-type-unknown", "kh:1", &[]),
        ("h {ed-a}\n@revoked * {ed-a}", "ed-a", ED, Trust::Revoked, "host-key-revoked marker", "kh:2", &[]),
        ("@revoked h {ed-b}\nh {ed-a}", "ed-a", ED, Trust::Match, "ok", "kh:2", &[]),
        ("@cert-authority h {ed-a}", "ed-a", ED, Trust::Unknown, "ok", "", &[HostKeyUnknown]),
        ("*,!h {ed-b}", "ed-a", ED, Trust::Unknown, "ok", "", &[HostKeyUnknown]),
    ];
    for (lines, shown, offers, trust, code, source, findings) in rows {
        let found = outcome(policy(lines), "h", &[shows(shown, offers)]);
        assert_eq!(found, (*trust, (*code).to_owned(), (*source).to_owned(), findings.to_vec()), "{lines} | {shown}");
    }
}

#[test]
fn certificates() {
    use FindingId::{HostCertInvalid, HostKeyUnknown};
    let host = "host.example";
    let rows: &[Row] = &[
        ("@cert-authority *.example {ca good}", "good", host, Trust::CaMatch, "ok", "kh:1", &[]),
        // The authority is what counts, not a stale line for the plain key.
        ("@cert-authority * {ca good}\nhost.example {ed-b}", "good", host, Trust::CaMatch, "ok", "kh:1", &[]),
        (
            "@cert-authority * {ca good}",
            "good",
            "other",
            Trust::CaMismatch,
            "host-cert-invalid wrong-principal",
            "kh:1",
            &[],
        ),
        (
            "@cert-authority * {ca empty}",
            "empty",
            host,
            Trust::CaMismatch,
            "host-cert-invalid no-principals",
            "kh:1",
            &[],
        ),
        ("@cert-authority * {ca user}", "user", host, Trust::CaMismatch, "host-cert-invalid user-cert", "kh:1", &[]),
        (
            "@cert-authority * {ca critical}",
            "critical",
            host,
            Trust::CaMismatch,
            "host-cert-invalid critical-option",
            "kh:1",
            &[],
        ),
        ("@cert-authority * {ca sha1}", "sha1", host, Trust::CaMismatch, "host-cert-invalid ca-sig-alg", "kh:1", &[]),
        // The plain key in a certificate that does not hold is known, or known to be another.
        (
            "@cert-authority * {ca user}\nhost.example {plain user}",
            "user",
            host,
            Trust::Match,
            "ok",
            "kh:2",
            &[HostCertInvalid],
        ),
        (
            "@cert-authority * {ca user}\nhost.example {ed-b}",
            "user",
            host,
            Trust::Changed,
            "host-key-changed",
            "kh:2",
            &[HostCertInvalid],
        ),
        // No line trusts the authority: the plain key alone is judged.
        ("host.example {plain good}", "good", host, Trust::Match, "ok", "kh:1", &[]),
        ("host.example {ed-b}", "good", host, Trust::Changed, "host-key-changed", "kh:1", &[]),
        ("", "good", host, Trust::Unknown, "ok", "", &[HostKeyUnknown]),
        ("@cert-authority elsewhere {ca good}", "good", host, Trust::Unknown, "ok", "", &[HostKeyUnknown]),
        ("@cert-authority * {ed-b}", "good", host, Trust::CaMismatch, "ok", "kh:1", &[HostKeyUnknown]),
        // Revoked: the authority, or the key in the certificate, whatever other lines say.
        (
            "@cert-authority * {ca good}\n@revoked * {ca good}",
            "good",
            host,
            Trust::Revoked,
            "host-cert-invalid ca-revoked",
            "kh:2",
            &[],
        ),
        (
            "host.example {plain good}\n@revoked * {ca good}",
            "good",
            host,
            Trust::Revoked,
            "host-cert-invalid ca-revoked",
            "kh:2",
            &[],
        ),
        (
            "@cert-authority * {ca good}\n@revoked * {plain good}",
            "good",
            host,
            Trust::Revoked,
            "host-key-revoked marker",
            "kh:2",
            &[],
        ),
    ];
    for (lines, shown, host, trust, code, source, findings) in rows {
        assert!(is_certificate(key_type(&key(shown)).unwrap()));
        let found = outcome(policy(lines), host, &[shows(shown, "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519")]);
        assert_eq!(
            found,
            (*trust, (*code).to_owned(), (*source).to_owned(), findings.to_vec()),
            "{lines} | {shown} | {host}"
        );
    }
}

#[test]
fn a_certificate_that_nobody_signed_is_refused_even_around_a_known_key() {
    let mut evidence = shows("good", ED);
    let host_key = evidence.host_key.as_mut().unwrap();
    *host_key.blob.last_mut().unwrap() ^= 1;
    let lines = "@cert-authority * {ca good}\nhost.example {plain good}";
    let (trust, code, ..) = outcome(policy(lines), "host.example", &[evidence]);
    assert_eq!((trust, code.as_str()), (Trust::CaMismatch, "host-cert-invalid ca-signature"));
}

#[test]
fn a_certificate_expires_while_the_files_stay_the_same() {
    let known = KnownHost::new(&Arc::new(policy("@cert-authority * {ca good}")), &target("host.example", 22));
    let evidence = shows("good", ED);
    let at = |now| {
        let key = &judge_keys(&[&evidence], Some(&known), UnixTime(now))[0].judgement;
        (key.trust, key.mismatch.as_ref().and_then(|mismatch| mismatch.arg))
    };
    assert_eq!(at(1_577_836_799), (Trust::CaMismatch, Some("not-yet-valid")));
    assert_eq!(at(1_577_836_800), (Trust::CaMatch, None));
    assert_eq!(at(2_208_988_800), (Trust::CaMismatch, Some("expired")));
}

#[test]
fn strictness_makes_the_unknown_fail_and_nothing_else() {
    let strict = |lines| Policy { strict: true, ..policy(lines) };
    for (lines, shown, code) in [
        ("", "ed-a", "host-key-unknown"),
        ("h {ed-a}", "ed-a", "ok"),
        ("h {ed-b}", "ed-a", "host-key-changed"),
        ("@cert-authority * {ed-b}", "good", "host-key-unknown ca-unknown"),
    ] {
        assert_eq!(outcome(strict(lines), "h", &[shows(shown, ED)]).1, code, "{lines} | {shown}");
    }
}

/// Whoever may choose the key may choose one with which nobody can verify a signature: no way around what is known.
#[test]
fn a_key_that_cannot_be_verified_is_no_way_around_what_is_known() {
    let mut evidence = shows("rsa-a", ALL);
    evidence.host_key.as_mut().unwrap().signature = Signature::Unchecked;
    let shown = [evidence];
    for lines in ["h {rsa-a}", "h {ed-a}", "@cert-authority h {ed-a}"] {
        let (trust, code, ..) = outcome(policy(lines), "h", &shown);
        assert_eq!((trust, code.as_str()), (Trust::Unchecked, "bad-host-signature unverifiable"), "{lines}");
    }
    let (_, code, _, findings) = outcome(policy("other {ed-a}"), "h", &shown);
    assert_eq!((code.as_str(), findings), ("ok", vec![FindingId::HostKeyUnknown]));
    let (_, code, ..) = outcome(Policy { strict: true, ..policy("") }, "h", &shown);
    assert_eq!(code, "bad-host-signature unverifiable");
    assert_eq!(outcome(Policy::default(), "h", &shown).1, "ok", "nobody asked");
}

#[test]
fn a_certificate_that_nobody_signed_does_not_hide_a_changed_key() {
    let mut evidence = shows("good", ED);
    *evidence.host_key.as_mut().unwrap().blob.last_mut().unwrap() ^= 1;
    let lines = "@cert-authority * {ca good}\nhost.example {ed-b}";
    let (trust, code, source, findings) = outcome(policy(lines), "host.example", std::slice::from_ref(&evidence));
    assert_eq!((trust, code.as_str(), source.as_str()), (Trust::Changed, "host-key-changed", "kh:2"));
    assert_eq!(findings, [FindingId::HostCertInvalid]);
    let asked_for_nothing = Policy { key_types: super::super::KeyTypes::All, ..Policy::default() };
    assert_eq!(outcome(asked_for_nothing, "host.example", &[evidence]).1, "ok");
}

#[test]
fn a_milder_mismatch_beside_the_worst_is_a_finding() {
    let both = [shows("ed-a", ALL), shows("rsa-a", ALL)];
    let (_, code, _, findings) = outcome(policy("h {ed-b}\n@revoked * {rsa-a}"), "h", &both);
    assert_eq!((code.as_str(), findings), ("host-key-revoked marker", vec![FindingId::FurtherKeyMismatch]));
}

#[test]
fn a_file_of_thousands_of_lines_for_a_host_makes_no_record_of_megabytes() {
    let lines = "h {ed-b}\n".repeat(5_000);
    let known = KnownHost::new(&Arc::new(policy(&lines)), &target("h", 22));
    let evidence = shows("ed-a", ED);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let mismatch = keys[0].judgement.mismatch.as_ref().unwrap();
    assert!(mismatch.detail.contains(" and 4992 more; the host proves "), "{}", mismatch.detail);
    assert_eq!((keys[0].judgement.known.len(), mismatch.remove.len()), (NAMES, NAMES));
}

#[test]
fn without_a_verified_signature_a_key_is_nobodys() {
    for signature in [Signature::Bad, Signature::Unchecked] {
        let mut evidence = shows("ed-a", ED);
        evidence.host_key.as_mut().unwrap().signature = signature;
        assert_eq!(outcome(policy("h {ed-a}"), "h", &[evidence.clone()]).0, Trust::Unchecked);
        // Neither is it made good by a connection on which it held, once it did not.
        let connections = [shows("ed-a", ED), evidence];
        let keys = judge_keys(&connections.iter().collect::<Vec<_>>(), None, NOW);
        assert_eq!((keys.len(), keys[0].judgement.trust), (1, Trust::Unchecked));
        let worst = if signature == Signature::Bad { Signature::Bad } else { Signature::Verified };
        assert_eq!(keys[0].signature, worst);
    }
}

#[test]
fn nobody_is_judged_where_no_file_is_asked() {
    let none = Policy::default();
    assert_eq!(outcome(none, "h", &[shows("ed-a", ED)]), (Trust::Unchecked, "ok".into(), String::new(), vec![]));
}

#[test]
fn revocation_lists_and_lists_of_bad_keys_come_before_every_line() {
    let listed = |known_hosts: Option<&str>, revoked: &str, bad: &str| {
        let mut lists = super::super::revoked::RevokedKeysBuilder::default();
        assert_eq!(lists.file("list", file(revoked).as_bytes()), Ok(vec![]));
        let mut bad_keys = BadKeys::default();
        assert_eq!(bad_keys.file("bad", file(bad).as_bytes()), []);
        Policy {
            known_hosts: known_hosts.and_then(|lines| policy(lines).known_hosts),
            revoked: lists.build().into(),
            bad_keys: bad_keys.into(),
            ..Policy::default()
        }
    };
    for (known, revoked, bad, shown, code, source) in [
        (Some("h {ed-a}"), "{ed-a}", "", "ed-a", "host-key-revoked revocation-list", "list:1"),
        (None, "{ed-a}", "", "ed-a", "host-key-revoked revocation-list", "list:1"),
        (Some("h {ed-a}"), "{ed-b}", "", "ed-a", "ok", "kh:1"),
        (Some("h {ed-a}"), "{ed-b}", "{ed-a} weak by CVE", "ed-a", "host-key-revoked bad-key", "bad:1"),
        (Some("@cert-authority * {ca good}"), "{ca good}", "", "good", "host-cert-invalid ca-revoked", "list:1"),
        (Some("@cert-authority * {ca good}"), "{plain good}", "", "good", "host-key-revoked revocation-list", "list:1"),
        (Some("@cert-authority * {ca good}"), "{ed-b}", "{plain good}", "good", "host-key-revoked bad-key", "bad:1"),
    ] {
        let host = if shown == "good" { "host.example" } else { "h" };
        let (_, found, at, _) = outcome(listed(known, revoked, bad), host, &[shows(shown, ED)]);
        assert_eq!((found.as_str(), at.as_str()), (code, source), "{known:?} {revoked} {bad} {shown}");
    }
}

#[test]
fn of_several_keys_the_worst_decides_and_a_new_type_is_only_a_finding() {
    let both = [shows("rsa-a", ALL), shows("ed-a", ALL)];
    let (trust, code, source, findings) = outcome(policy("h {rsa-a}"), "h", &both);
    assert_eq!((trust, code.as_str(), source.as_str()), (Trust::Match, "ok", "kh:1"));
    assert_eq!(findings, [FindingId::HostKeyTypeUnknown]);
    let (trust, code, ..) = outcome(policy("h {rsa-a}\nh {ed-b}"), "h", &both);
    assert_eq!((trust, code.as_str()), (Trust::Match, "host-key-changed"), "no match outvotes a change");
    let (_, code, ..) = outcome(policy("h {ed-b}\n@revoked * {rsa-a}"), "h", &both);
    assert_eq!(code, "host-key-revoked marker");
}

#[test]
fn a_later_failure_rides_along_with_a_mismatch() {
    let known = KnownHost::new(&Arc::new(policy("h {ed-b}")), &target("h", 22));
    let evidence = shows("ed-a", ED);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let verdict = overrule(Verdict::new(Code::AuthTimeout, Stage::Auth, "no answer in 20 s"), &keys);
    assert_eq!(verdict.code, Code::HostKeyChanged);
    let along = &verdict.findings[0];
    assert_eq!(
        (along.id, &*along.detail),
        (FindingId::Incomplete, "afterwards the connection ended with auth-timeout: no answer in 20 s")
    );
    let bad = overrule(Verdict::new(Code::BadHostSignature, Stage::Kex, "no"), &keys);
    assert_eq!(bad.code, Code::BadHostSignature, "whoever shows a key that is not theirs is not outdone");
}

#[test]
fn a_mismatch_tells_both_fingerprints_the_line_and_what_to_remove() {
    let lines = "h {ed-b}\n*.example,h {rsa-a}";
    let known = KnownHost::new(&Arc::new(policy(lines)), &target("h", 22));
    let evidence = shows("ed-a", ALL);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let mismatch = keys[0].judgement.mismatch.as_ref().unwrap();
    let of = |name: &str| crate::hostkey::fingerprint_sha256(&key(name));
    let expected =
        format!("another ssh-ed25519 key is known for h: {} (kh:1); the host proves {}", of("ed-b"), of("ed-a"));
    assert_eq!(mismatch.detail, expected);
    let removal = &mismatch.remove[0];
    assert_eq!((removal.name.as_str(), removal.source.to_string().as_str(), removal.by_pattern), ("h", "kh:1", false));
    let evidence = shows("rsa-b", ALL);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let removal = &keys[0].judgement.mismatch.as_ref().unwrap().remove[0];
    assert!(removal.by_pattern && removal.source.line == Some(2), "{removal:?}");
}

#[test]
fn old_lists_are_compared_in_their_own_hash() {
    let md5 = Policy { fingerprint_hash: crate::hostkey::FingerprintHash::Md5, ..policy("h {ed-b}") };
    let known = KnownHost::new(&Arc::new(md5), &target("h", 22));
    let evidence = shows("ed-a", ED);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let judgement = &keys[0].judgement;
    assert!(judgement.known[0].fingerprint.starts_with("MD5:"), "{judgement:?}");
    let detail = &judgement.mismatch.as_ref().unwrap().detail;
    assert!(detail.matches("MD5:").count() == 2 && !detail.contains("SHA256"), "{detail}");
}

#[test]
fn a_key_known_under_other_names_says_so_and_stays_unknown() {
    let known = KnownHost::new(&Arc::new(policy("web1,web2 {ed-a}\n@revoked other {ed-b}")), &target("192.0.2.1", 22));
    let evidence = shows("ed-a", ED);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let judgement = &keys[0].judgement;
    assert_eq!((judgement.trust, judgement.known_as.as_slice()), (Trust::Unknown, &["web1,web2".to_owned()][..]));
    assert!(judgement.findings[0].detail.ends_with("; known as web1,web2"), "{:?}", judgement.findings);
}

#[test]
fn the_alias_is_what_is_looked_up() {
    let aliased = |lines| Policy { alias: Some("gate".into()), ..policy(lines) };
    for (lines, code) in [("gate {ed-a}", "ok"), ("gate {ed-b}", "host-key-changed")] {
        let known = KnownHost::new(&Arc::new(aliased(lines)), &target("h", 2222));
        assert_eq!(known.name().to_string(), "gate");
        assert_eq!(outcome_of(&known, &[shows("ed-a", ED)]).1, code, "{lines}");
    }
    let known = KnownHost::new(&Arc::new(aliased("[h]:2222 {ed-b}")), &target("h", 2222));
    assert_eq!(outcome_of(&known, &[shows("ed-a", ED)]).0, Trust::Unknown);
}

#[test]
fn the_address_of_a_name_is_compared_only_where_ssh_would() {
    let checked = |lines, on| Policy { check_host_ip: on, ..policy(lines) };
    let lines = "h {ed-a}\n192.0.2.1 {ed-b}";
    let findings = |policy, host: &str| outcome(policy, host, &[shows("ed-a", ED)]).3;
    assert_eq!(findings(checked(lines, true), "h"), [FindingId::HostKeyAddressMismatch]);
    assert_eq!(findings(checked(lines, false), "h"), []);
    assert_eq!(findings(checked("h {ed-a}\n192.0.2.1 {ed-a}", true), "h"), []);
    assert_eq!(findings(checked("192.0.2.1 {ed-a}", true), "192.0.2.1"), [], "the address is what was named");
    let mut loopback = shows("ed-a", ED);
    loopback.addr = "127.0.0.1:22".parse().unwrap();
    assert_eq!(outcome(checked("h {ed-a}\n127.0.0.1 {ed-b}", true), "h", &[loopback]).3, []);
}

#[test]
fn what_the_dns_says_is_told_and_only_what_it_proves_vouches() {
    let said = |of: &str, voucher| SshfpSaid::Records { records: sshfp::records_for(&key(of)), voucher };
    let asked = |lines: &str, strict, said: SshfpSaid| {
        let policy = Policy { strict, ..policy(lines) };
        let known = KnownHost::new(&Arc::new(policy), &target("h", 22)).with_sshfp(said);
        let evidence = shows("ed-a", ED);
        let keys = judge_keys(&[&evidence], Some(&known), NOW);
        let result = keys[0].judgement.sshfp.as_ref().unwrap().result;
        let (_, code, _, findings) = outcome_of(&known, std::slice::from_ref(&evidence));
        (result, code, findings)
    };
    use FindingId::{HostKeyUnknown, SshfpBogus, SshfpMismatch};
    let dnssec = Ok(Voucher::Dnssec);
    let nobody = || Err("the zone is not signed".to_owned());
    let row = |result, code: &str, findings: &[FindingId]| (result, code.to_owned(), findings.to_vec());
    assert_eq!(asked("", false, said("ed-a", dnssec.clone())), row("match", "ok", &[]), "as with VerifyHostKeyDNS yes");
    assert_eq!(asked("", true, said("ed-a", dnssec.clone())), row("match", "ok", &[]));
    assert_eq!(asked("", false, said("ed-a", nobody())), row("match", "ok", &[HostKeyUnknown]));
    assert_eq!(asked("", true, said("ed-a", nobody())), row("match", "host-key-unknown", &[]));
    assert_eq!(asked("h {ed-a}", false, said("ed-b", dnssec.clone())), row("mismatch", "ok", &[SshfpMismatch]));
    assert_eq!(
        asked("h {ed-b}", false, said("ed-a", dnssec.clone())),
        row("match", "host-key-changed", &[]),
        "never outvoted"
    );
    assert_eq!(asked("h {ed-a}", false, said("rsa-a", dnssec.clone())), row("partial", "ok", &[]));
    assert_eq!(asked("h {ed-a}", false, SshfpSaid::None), row("none", "ok", &[]));
    assert_eq!(asked("h {ed-a}", false, SshfpSaid::Bogus("expired".into())), row("bogus", "ok", &[SshfpBogus]));
    assert_eq!(asked("h {ed-a}", false, SshfpSaid::Timeout), row("timeout", "ok", &[]));
}

#[test]
fn why_nobody_vouches_is_told() {
    let said =
        |of: &str, why: &str| SshfpSaid::Records { records: sshfp::records_for(&key(of)), voucher: Err(why.into()) };
    let plain = key("ed-a");
    let unsigned = "the zone of h. is not signed";
    let matches = said("ed-a", unsigned).compare(&plain);
    assert_eq!((matches.result, matches.voucher, matches.detail.as_deref()), ("match", None, Some(unsigned)));
    assert!(!matches.vouches() && matches.finding("K").is_none());
    let partial = said("rsa-a", unsigned).compare(&plain);
    let detail = partial.detail.as_deref().unwrap();
    assert!(partial.result == "partial" && detail.ends_with(&format!("; {unsigned}")), "{detail}");
    let finding = said("ed-b", unsigned).compare(&plain).finding("K").unwrap();
    assert_eq!(finding.id, FindingId::SshfpMismatch);
    assert!(finding.detail.ends_with(&format!("for which nothing vouches: {unsigned}")), "{}", finding.detail);
    let bogus = SshfpSaid::Bogus("expired".into()).compare(&plain).finding("K").unwrap();
    assert_eq!(&*bogus.detail, "the SSHFP records do not pass DNSSEC validation: expired");
    let hostile = said("ed-b", "\u{1b}[2J").compare(&plain);
    assert!(!hostile.detail.unwrap().chars().any(crate::escape::is_unsafe));
}

#[test]
fn nothing_from_a_file_or_server_steers_a_terminal() {
    let mut files = KnownHosts::builder();
    let line = file("h {ed-b}\n\u{1b}[2Jx {ed-a}");
    let _ = files.file("k\u{1b}[2Jh", line.as_bytes());
    let policy = Policy { known_hosts: Some(files.build().into()), ..Policy::default() };
    let known = KnownHost::new(&Arc::new(policy), &target("h", 22));
    let evidence = shows("ed-a", ED);
    let keys = judge_keys(&[&evidence], Some(&known), NOW);
    let detail = &keys[0].judgement.mismatch.as_ref().unwrap().detail;
    assert!(!detail.chars().any(crate::escape::is_unsafe), "{detail:?}");
    assert_eq!(LookupName::new("h", 22).to_string(), "h");
}
