//! Every finding fires on what it is about and stays silent on what only looks like it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::diagnose::tests::any_evidence;
use crate::diagnose::{Finding, FindingId};
use crate::evidence::{Auth, Evidence, Negotiated, PreambleLine, Tunnel};
use crate::fingerprint::hints;
use crate::fingerprint::measured::{Server, evidence, kexinit};
use crate::hostkey::KeyInfo;
use crate::record::{JumpHost, Trust, Via};

fn found(evidence: &Evidence) -> Vec<FindingId> {
    findings(evidence, None).into_iter().map(|finding| finding.id).collect()
}

fn detail(evidence: &Evidence, key: Option<KeyInfo<'_>>, id: FindingId) -> Option<String> {
    let mut all = findings(evidence, key).into_iter();
    all.find(|finding| finding.id == id).map(|finding| finding.detail.to_string())
}

/// What each measured server is told, with its default settings, from its KEXINIT alone.
#[test]
fn every_measured_server_gets_exactly_its_findings() {
    use FindingId::{EmptyNameInList, NoPqKex, Sha1HostkeyOnly, TerrapinVulnerableOffer, WeakCipher, WeakKex, WeakMac};
    for (server, expected) in [
        (Server::DEBIAN_12, vec![]),
        (Server::OPENSSH_10_5, vec![]),
        (Server::DROPBEAR, vec![NoPqKex, WeakKex]),
        (Server::TINYSSH, vec![TerrapinVulnerableOffer]),
        // CBC without any -etm MAC: not Terrapin.
        (Server::LSHD, vec![NoPqKex, WeakKex, WeakCipher, WeakMac, Sha1HostkeyOnly]),
        (Server::LIBSSH, vec![NoPqKex, EmptyNameInList]),
        (Server::PARAMIKO, vec![TerrapinVulnerableOffer, NoPqKex, WeakKex, WeakCipher, WeakMac]),
        (Server::ASYNCSSH, vec![NoPqKex, WeakKex]),
        (Server::TWISTED, vec![NoPqKex, WeakKex, WeakCipher, WeakMac, Sha1HostkeyOnly]),
    ] {
        assert_eq!(found(&server.evidence()), expected, "{}", server.ident);
    }
}

fn offering(lists: [&str; 8]) -> Evidence {
    let mut evidence = evidence("SSH-2.0-test");
    evidence.kexinit = Some(kexinit(lists));
    evidence
}

/// Which direction is exposed, and that the pair must stand in one and the same.
#[test]
fn terrapin_is_judged_in_each_direction_by_itself() {
    const CHACHA: &str = "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com";
    const CBC: &str = "aes256-ctr,aes128-cbc";
    const SOUND: &str = "aes256-ctr,aes128-gcm@openssh.com";
    const ETM: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-256";
    const PLAIN: &str = "hmac-sha2-256,hmac-sha2-512";
    let terrapin = |kex, [c2s, s2c]: [&'static str; 2], [mac_c2s, mac_s2c]: [&'static str; 2]| {
        let lists = [kex, "ssh-ed25519", c2s, s2c, mac_c2s, mac_s2c, "none", "none"];
        detail(&offering(lists), None, FindingId::TerrapinVulnerableOffer)
    };
    let lax = "curve25519-sha256";
    let strict = "curve25519-sha256,kex-strict-s-v00@openssh.com";
    for (ciphers, macs, exposed) in [
        ([CHACHA, CHACHA], [PLAIN, PLAIN], Some("in both directions")),
        ([CHACHA, SOUND], [PLAIN, PLAIN], Some("from the client")),
        ([SOUND, CHACHA], [PLAIN, PLAIN], Some("from the server")),
        ([CBC, SOUND], [ETM, PLAIN], Some("from the client")),
        ([SOUND, CBC], [PLAIN, ETM], Some("from the server")),
        ([CBC, CHACHA], [ETM, PLAIN], Some("and another from the server")),
        // The pair does not meet in one direction.
        ([CBC, SOUND], [PLAIN, ETM], None),
        ([SOUND, CBC], [ETM, PLAIN], None),
        // GCM, and CTR with -etm, are not counted.
        ([SOUND, SOUND], [ETM, ETM], None),
        ([CBC, CBC], [PLAIN, PLAIN], None),
    ] {
        let judged = terrapin(lax, ciphers, macs);
        match (&judged, exposed) {
            (Some(detail), Some(exposed)) => assert!(detail.contains(exposed), "{detail}"),
            (None, None) => (),
            other => panic!("{ciphers:?} {macs:?}: {other:?}"),
        }
        assert_eq!(terrapin(strict, ciphers, macs), None, "strict key exchange protects");
    }
    // A client's marker in a server's list means nothing.
    assert!(terrapin("curve25519-sha256,kex-strict-c-v00@openssh.com", [CHACHA, CHACHA], [PLAIN, PLAIN]).is_some());
}

const MODERN: [&str; 8] = [
    "mlkem768x25519-sha256,curve25519-sha256,kex-strict-s-v00@openssh.com",
    "ssh-ed25519",
    "aes128-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "none",
    "none",
];

/// The modern lists with one of them replaced.
fn with(index: usize, list: &str) -> Evidence {
    let mut lists = MODERN;
    let list: &'static str = Box::leak(list.to_owned().into_boxed_str());
    lists[index] = list;
    offering(lists)
}

/// One case of a finding: what it looks like, and whether it is one.
type Case = (Evidence, Option<KeyInfo<'static>>, bool);

fn kex_cases() -> Vec<(FindingId, Vec<Case>)> {
    let list = |index, list, fires| (with(index, list), None, fires);
    vec![
        (
            FindingId::NoPqKex,
            vec![
                list(0, "curve25519-sha256,kex-strict-s-v00@openssh.com", true),
                list(0, "sntrup4591761x25519-sha512@tinyssh.org", true),
                list(0, "curve25519-sha256,sntrup761x25519-sha512@openssh.com", false),
                list(0, "mlkem1024nistp384-sha384", false),
                (evidence("SSH-2.0-x"), None, false),
            ],
        ),
        (
            FindingId::WeakKex,
            vec![
                list(0, "mlkem768x25519-sha256,diffie-hellman-group1-sha1", true),
                list(0, "mlkem768x25519-sha256,gss-gex-sha1-toWM5Slw5Ew8Mqkay+al2g==", true),
                list(0, "mlkem768x25519-sha256,rsa1024-sha1", true),
                list(
                    0,
                    "mlkem768x25519-sha256,diffie-hellman-group14-sha256,diffie-hellman-group-exchange-sha256",
                    false,
                ),
                list(0, "mlkem768x25519-sha256,never-heard-of-it", false),
                list(1, "diffie-hellman-group1-sha1", false),
            ],
        ),
        (
            FindingId::WeakCipher,
            vec![
                list(2, "aes128-gcm@openssh.com,3des-cbc", true),
                list(3, "aes128-gcm@openssh.com,arcfour", true),
                list(3, "none", true),
                list(2, "aes128-ctr,aes256-gcm", false),
            ],
        ),
        (
            FindingId::WeakMac,
            vec![
                list(4, "hmac-sha2-256,hmac-md5-etm@openssh.com", true),
                list(5, "hmac-sha1-96", true),
                list(5, "hmac-ripemd160@openssh.com", true),
                // Defaults of OpenSSH from 6.7 to 10.5.
                list(4, "hmac-sha1,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-64-etm@openssh.com", false),
            ],
        ),
        (
            FindingId::Sha1HostkeyOnly,
            vec![
                list(1, "ssh-rsa", true),
                list(1, "ssh-rsa,ssh-dss", true),
                list(1, "ssh-rsa,rsa-sha2-256", false),
                list(1, "ssh-rsa,ssh-ed25519", false),
                list(1, "", false),
            ],
        ),
        (
            FindingId::EmptyNameInList,
            vec![
                list(2, "aes128-ctr,", true),
                list(5, ",hmac-sha2-256", true),
                list(0, "mlkem768x25519-sha256,,curve25519-sha256", true),
                list(7, "", false),
                list(2, "aes128-ctr,aes256-ctr", false),
            ],
        ),
        (
            FindingId::TerrapinVulnerableOffer,
            vec![(Server::TINYSSH.evidence(), None, true), (Server::DEBIAN_12.evidence(), None, false)],
        ),
    ]
}

fn size_cases() -> Vec<(FindingId, Vec<Case>)> {
    let key = |kind, bits, fires| (evidence("SSH-2.0-x"), Some(KeyInfo { kind, bits }), fires);
    let group = |kex, bits, fires| {
        let mut evidence = evidence("SSH-2.0-x");
        evidence.negotiated = Some(Negotiated {
            kex,
            host_key: "ssh-ed25519",
            cipher_c2s: "aes128-ctr",
            cipher_s2c: "aes128-ctr",
            mac_c2s: None,
            mac_s2c: None,
            strict_kex: false,
            dh_bits: Some(bits),
        });
        (evidence, None, fires)
    };
    vec![
        (
            FindingId::RsaKeyTooSmall,
            vec![
                key("ssh-rsa", 512, true),
                key("ssh-rsa", 1024, true),
                key("ssh-rsa", 2047, true),
                key("ssh-rsa", 2048, false),
                key("ssh-ed25519", 256, false),
                key("ecdsa-sha2-nistp256", 256, false),
            ],
        ),
        (
            FindingId::GexGroupWeak,
            vec![
                group("diffie-hellman-group-exchange-sha256", 1024, true),
                group("diffie-hellman-group-exchange-sha1", 1536, true),
                group("diffie-hellman-group-exchange-sha256", 2048, false),
                group("diffie-hellman-group-exchange-sha1", 2048, false),
                // A fixed group's size is in its name: that is weak-kex.
                group("diffie-hellman-group1-sha1", 1024, false),
            ],
        ),
    ]
}

fn ident_cases() -> Vec<(FindingId, Vec<Case>)> {
    let line = |ident: &str, fires| (evidence(ident), None, fires);
    let late = |connect, ident, spoke_first, fires| {
        let mut evidence = evidence("SSH-2.0-x");
        evidence.timing.connect = Some(Duration::from_millis(connect));
        evidence.timing.ident = Some(Duration::from_millis(ident));
        evidence.spoke_first = spoke_first;
        (evidence, None, fires)
    };
    let spoke_into = |line_at, fires| {
        let (mut evidence, key, _) = late(20, 2_100, true, fires);
        evidence.preamble.lines = vec![PreambleLine { at: Duration::from_millis(line_at), bytes: b"Wait...".to_vec() }];
        evidence.preamble.count = 1;
        (evidence, key, fires)
    };
    let preamble = |count, ident: bool, fires| {
        let mut evidence = evidence("SSH-2.0-x");
        evidence.preamble.count = count;
        let line = PreambleLine { at: Duration::ZERO, bytes: b"\x1b[2Jhello".to_vec() };
        evidence.preamble.lines = (0..count).map(|_| line.clone()).collect();
        evidence.ident = evidence.ident.filter(|_| ident);
        (evidence, None, fires)
    };
    let longest = format!("SSH-2.0-{}", "x".repeat(253 - 8));
    vec![
        (FindingId::Ssh1Compat, vec![line("SSH-1.99-Cisco-1.25", true), line("SSH-2.0-1.99", false)]),
        (FindingId::IdentTooLong, vec![line(&format!("{longest}x"), true), line(&longest, false)]),
        (
            FindingId::SlowIdent,
            vec![
                late(20, 1_100, false, true),
                late(20, 5_030, false, true),
                late(20, 10_000, true, true),
                late(20, 900, false, false),
                // The round trip is long, the server is not.
                late(900, 1_500, false, false),
                late(20, 2_100, true, false),
            ],
        ),
        (
            FindingId::IdentAfterClient,
            vec![
                late(20, 2_100, true, true),
                late(20, 2_100, false, false),
                late(20, 10_000, true, false),
                // It was speaking already, or began to once we had.
                spoke_into(500, false),
                spoke_into(2_050, true),
            ],
        ),
        (
            FindingId::PreIdentLines,
            // Without an identification the outcome itself tells of the lines.
            vec![preamble(1, true, true), preamble(3, true, true), preamble(0, true, false), preamble(2, false, false)],
        ),
    ]
}

fn auth_cases() -> Vec<(FindingId, Vec<Case>)> {
    let auth = |methods: Option<&[&str]>, none_accepted, fires| {
        let mut evidence = evidence("SSH-2.0-x");
        let methods = methods.map(|names| names.iter().map(|name| name.as_bytes().to_vec()).collect());
        evidence.auth = Some(Auth { user: "root\u{202e}".into(), methods, none_accepted, ..Auth::default() });
        (evidence, None, fires)
    };
    let cowrie = Server {
        ident: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3",
        mac: "hmac-sha2-512,hmac-sha2-384,hmac-sha2-256,hmac-sha1,hmac-md5",
        compression: "zlib@openssh.com,zlib,none",
        ..Server::DEBIAN_12
    };
    let one_sign = Server { compression: "none,zlib@openssh.com", ..cowrie };
    vec![
        (
            FindingId::AuthNoneAccepted,
            vec![
                auth(None, true, true),
                auth(Some(&["publickey"]), false, false),
                (evidence("SSH-2.0-x"), None, false),
            ],
        ),
        (
            FindingId::PasswordAuthOffered,
            vec![
                auth(Some(&["publickey", "password", "keyboard-interactive"]), false, true),
                auth(Some(&["password"]), false, true),
                auth(Some(&["publickey", "keyboard-interactive"]), false, false),
                auth(Some(&[]), false, false),
                auth(None, false, false),
            ],
        ),
        (
            FindingId::LikelyHoneypot,
            vec![
                (cowrie.evidence(), None, true),
                (one_sign.evidence(), None, false),
                (Server::TWISTED.evidence(), None, false),
            ],
        ),
    ]
}

/// The walk over the table: each finding of it fires on its examples and stays silent on its counter-examples.
#[test]
fn each_finding_fires_on_its_examples_and_on_nothing_that_looks_alike() {
    let cases: BTreeMap<FindingId, Vec<Case>> =
        [kex_cases(), size_cases(), ident_cases(), auth_cases()].into_iter().flatten().collect();
    for (id, cases) in &cases {
        for (evidence, key, fires) in cases {
            let all = findings(evidence, *key);
            assert_eq!(all.iter().any(|finding| finding.id == *id), *fires, "{id}: {all:?} of {evidence:?}");
            for Finding { id, detail } in &all {
                let sound = !detail.is_empty() && detail.len() < 600 && !detail.chars().any(crate::escape::is_unsafe);
                assert!(sound, "{id}: {detail:?}");
            }
            assert_eq!(all.iter().map(|finding| finding.id).collect::<BTreeSet<_>>().len(), all.len(), "each once");
        }
        assert!(cases.iter().any(|(.., fires)| *fires) && cases.iter().any(|(.., fires)| !*fires), "{id}");
    }
    // What more than one connection or target shows, or what files and the DNS have to be asked for, is found by those who see
    // that: diagnose/tests.rs, trust/judge/tests.rs, and the sink's own tests.
    let elsewhere = [
        FindingId::Incomplete,
        FindingId::HostKeyUnknown,
        FindingId::HostKeyTypeUnknown,
        FindingId::JumpHostKeyUnknown,
        FindingId::FurtherKeyMismatch,
        FindingId::HostKeyAddressMismatch,
        FindingId::HostCertInvalid,
        FindingId::SshfpMismatch,
        FindingId::SshfpBogus,
        FindingId::SharedHostKey,
        FindingId::IapOnly,
        FindingId::OpenWithoutIap,
        FindingId::IapRangeNotAllowed,
        FindingId::SshdNotListening,
        FindingId::GuestSilent,
        FindingId::IapRightsMissing,
        FindingId::IapUnknownInstance,
        FindingId::DirectOtherHost,
    ];
    for text in FINDINGS {
        assert!(cases.contains_key(&text.id) != elsewhere.contains(&text.id), "{}", text.id);
    }
}

/// Whatever ssh would ask about, and nothing that nobody was to judge.
#[test]
fn a_jump_host_is_told_of_whose_key_is_not_known() {
    let on_the_way = |trusts: &[Option<Trust>]| {
        let host = |(n, trust): (usize, &Option<Trust>)| JumpHost {
            host: format!("ops@jump{n}"),
            kind: trust.map(|_| String::from("ssh-ed25519")),
            fingerprint: trust.map(|_| format!("SHA256:{n}")),
            trust: *trust,
            source: None,
        };
        let mut evidence = evidence("SSH-2.0-x");
        let jump_hosts = trusts.iter().enumerate().map(host).collect();
        evidence.tunnel = Some(Box::new(Tunnel { jump_hosts, ..Tunnel::new(Via::Jump) }));
        detail(&evidence, None, FindingId::JumpHostKeyUnknown)
    };
    for trust in [None, Some(Trust::Match), Some(Trust::CaMatch), Some(Trust::Unchecked), Some(Trust::Changed)] {
        assert_eq!(on_the_way(&[trust]), None, "{trust:?}");
    }
    assert_eq!(
        on_the_way(&[Some(Trust::Unknown), Some(Trust::Match), Some(Trust::CaMismatch)]).as_deref(),
        Some(
            "a key is not known of a jump host on the way: ops@jump0 (ssh-ed25519 SHA256:0), ops@jump2 (ssh-ed25519 SHA256:2)"
        )
    );
}

#[test]
fn details_name_the_evidence() {
    let lshd = Server::LSHD.evidence();
    let about = |id| detail(&lshd, None, id).unwrap();
    assert_eq!(
        about(FindingId::WeakKex),
        "offers diffie-hellman-group1-sha1 (broken), diffie-hellman-group14-sha1 (weak)"
    );
    assert_eq!(about(FindingId::WeakMac), "offers hmac-md5 (weak)");
    assert_eq!(
        about(FindingId::WeakCipher),
        "offers arcfour (broken), aes256-cbc (weak), 3des-cbc (weak), blowfish-cbc (weak)"
    );
    let libssh = detail(&Server::LIBSSH.evidence(), None, FindingId::EmptyNameInList).unwrap();
    assert_eq!(
        libssh,
        "an empty name stands in encryption_algorithms_client_to_server, encryption_algorithms_server_to_client"
    );
    let slow = |millis| {
        let mut evidence = evidence("SSH-2.0-x");
        evidence.timing.ident = Some(Duration::from_millis(millis));
        detail(&evidence, None, FindingId::SlowIdent).unwrap()
    };
    assert!(slow(10_040).contains("10.0 s after") && slow(10_040).contains("multiple of 5 s"), "{}", slow(10_040));
    assert!(!slow(1_200).contains("multiple"), "{}", slow(1_200));
    // A list without end, of names that a star fits: the sentence stays short.
    let endless: Vec<_> = (0..2000).map(|n| format!("hmac-md5-{n}\u{1b}")).collect();
    let detail = detail(&with(4, &endless.join(",")), None, FindingId::WeakMac).unwrap();
    assert!(detail.ends_with(" and more") && detail.len() < 300, "{detail}");
}

proptest! {
    /// Whatever was seen, each finding comes at most once and nothing in it can steer a terminal.
    #[test]
    fn no_evidence_upsets_the_search(evidence in any_evidence(), bits in any::<u32>()) {
        let all = findings(&evidence, Some(KeyInfo { kind: "ssh-rsa", bits }));
        let ids: BTreeSet<_> = all.iter().map(|finding| finding.id).collect();
        prop_assert_eq!(ids.len(), all.len());
        for Finding { detail, .. } in &all {
            prop_assert!(!detail.chars().any(crate::escape::is_unsafe), "{}", detail);
        }
        let hints = hints(&evidence);
        prop_assert_eq!(hints.honeypot.enough(), ids.contains(&FindingId::LikelyHoneypot));
    }
}

#[test]
fn every_finding_is_explained_exactly_once_and_in_order() {
    let explained: Vec<_> = FINDINGS.iter().map(|text| text.id).collect();
    assert_eq!(explained, FindingId::ALL);
    for FindingText { id, title, meaning, causes, remedy, .. } in FINDINGS {
        assert!(!title.is_empty() && !title.ends_with('.') && meaning.ends_with('.'), "{id}");
        assert!(!causes.is_empty() && !remedy.is_empty(), "{id}");
        for line in causes.iter().chain(*remedy) {
            assert!(!line.is_empty() && !line.ends_with('.') && !line.contains("  "), "{id}: {line:?}");
        }
        assert!(!meaning.contains("  "), "{id}");
    }
}
