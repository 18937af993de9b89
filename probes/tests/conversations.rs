//! Whole conversations against the scripted responder, in memory: however the server's bytes are cut into pieces, the
//! evidence is the same.
//!
//! With `SSHPROBE_WRITE_SEEDS=1` the transcripts are also written to `fuzz/seeds/`, from where the fuzzer starts.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::diagnose::{Code, classify};
use sshprobe_probes::evidence::{Evidence, Fault, Signature};
use sshprobe_probes::fuzzing::{SEED, replay};
use sshprobe_probes::negotiate::Offer;
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::probe::{End, Probe};
use sshprobe_probes::random::Seed;
use sshprobe_probes::responder::{Action, Close, LineEnd, List, Point, Responder, Script, Signing, Step, Userauth};
use sshprobe_probes::time::Moment;
use sshprobe_probes::wire::kexinit::KexInit;
use sshprobe_probes::wire::message::{ExtInfo, UserauthFailure};
use sshprobe_probes::wire::read::NameList;

const KEY: &[u8; 32] = &[0x11; 32];
const NOW: Moment = Moment::from_micros(1_000);

fn healthy() -> Script {
    Script::healthy(KEY)
}

/// Everything a server can do without waiting: what it is called, how it behaves, and what must come of it.
fn scripts() -> Vec<(&'static str, Script, Code)> {
    let noisy = [Point::Newkeys, Point::Service, Point::Userauth].into_iter().fold(healthy(), Script::noise);
    vec![
        ("healthy", healthy(), Code::Ok),
        ("eager", healthy().eager(), Code::Ok),
        ("wrong-guess", healthy().list(List::Kex, "ecdh-sha2-nistp521,curve25519-sha256").wrong_guess(), Code::Ok),
        ("noisy", noisy, Code::Ok),
        ("no-strict-kex", healthy().list(List::Kex, "curve25519-sha256"), Code::Ok),
        ("nistp256", healthy().list(List::Kex, "ecdh-sha2-nistp256"), Code::Ok),
        ("nistp521", healthy().list(List::Kex, "ecdh-sha2-nistp521"), Code::Ok),
        ("aes-gcm", healthy().ciphers("aes256-gcm@openssh.com"), Code::Ok),
        ("aes-ctr", healthy().ciphers("aes128-ctr").macs("hmac-sha2-256"), Code::Ok),
        ("aes-ctr-etm", healthy().ciphers("aes256-ctr").macs("hmac-sha2-512-etm@openssh.com"), Code::Ok),
        ("banner", healthy().banner("No trespassing\r\n\x1b[31mred\n").banner("second"), Code::Ok),
        ("keyboard-interactive", healthy().methods("keyboard-interactive"), Code::Ok),
        ("no-ext-info", healthy().ext_info(&[]), Code::Ok),
        ("none-accepted", healthy().userauth(Userauth::Success), Code::Ok),
        ("no-methods", healthy().methods(""), Code::AuthNoMethods),
        (
            "preamble",
            healthy().with_steps(vec![
                Step::Send(b"Welcome\r\nto the\nmachine\r\n".to_vec()),
                Step::Ident { line: b"SSH-1.99-x y z".to_vec(), end: LineEnd::Lf, every: None },
                Step::Transport,
            ]),
            Code::Ok,
        ),
        ("wrong-signature", healthy().signing(Signing::Wrong), Code::BadHostSignature),
        ("other-signature-name", healthy().signing(Signing::OtherName), Code::BadHostSignature),
        ("no-common-kex", healthy().list(List::Kex, "curve448-sha512"), Code::NoCommonKex),
        ("no-common-cipher", healthy().ciphers("idea-cbc"), Code::NoCommonCipher),
        ("mac-error", healthy().on(Point::Newkeys, Action::CorruptNext), Code::MacError),
        ("service-denied", healthy().disconnect(Point::Service, 7, "no"), Code::ServiceDenied),
        ("closed-at-kex", healthy().on(Point::KexRequest, Action::Close(Close::Fin)), Code::KexClosed),
        ("closed-at-userauth", healthy().on(Point::Userauth, Action::Close(Close::Fin)), Code::RefusedAtUserauth),
        ("closed-after-ident", healthy().on(Point::Ident, Action::Close(Close::Fin)), Code::ClosedAfterIdent),
        ("bad-length", healthy().on(Point::Ident, Action::Raw(vec![0xff; 64])), Code::ProtocolError),
        (
            "last-words",
            healthy().on(Point::Ident, Action::Raw(b"Invalid SSH identification string.\r\n".to_vec())),
            Code::VersionRejected,
        ),
        ("garbage-kex", healthy().on(Point::KexRequest, Action::Payload(vec![31, 0, 0, 1])), Code::ProtocolError),
        ("throttled", Script::refusal("Exceeded MaxStartups\r\n"), Code::ThrottledMaxstartups),
        ("mute-refusal", Script::steps(vec![Step::Close(Close::Fin)]), Code::ClosedNoIdent),
        ("ssh1", Script::only_ident("SSH-1.5-1.2.27"), Code::Ssh1Only),
        ("smtp", Script::steps(vec![Step::Send(b"220 a ESMTP\r\n".to_vec()), Step::Close(Close::Fin)]), Code::NotSsh),
    ]
}

/// Lets a probe and a responder talk; gives what the server sent and what the probe saw.
fn converse(plan: &Arc<Plan>, script: Script) -> (Vec<u8>, Evidence) {
    let mut responder = Responder::new(Arc::new(script), Seed([0x22; 32]), NOW);
    let evidence = Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START);
    let mut probe = Probe::new(Arc::clone(plan), SEED, evidence, NOW);
    let mut sent = Vec::new();
    for _ in 0..100 {
        let bytes = responder.output().to_vec();
        responder.written(bytes.len());
        sent.extend_from_slice(&bytes);
        if probe.finished().is_none() && !bytes.is_empty() {
            probe.input(NOW, &bytes);
        }
        let output = probe.output().to_vec();
        probe.written(output.len());
        if !output.is_empty() {
            responder.input(NOW, &output);
        }
        if probe.finished().is_some() {
            break;
        }
        if responder.closed().is_some() && responder.output().is_empty() {
            probe.input_end(NOW, End::Eof);
        }
    }
    (sent, probe.into_evidence(NOW))
}

#[test]
fn every_conversation_comes_to_its_code() {
    let plan = Arc::new(Plan::default());
    for (name, script, code) in scripts() {
        let (_, evidence) = converse(&plan, script);
        let verdict = classify(&evidence, plan.depth);
        assert_eq!(verdict.code, code, "{name}: {:?} {}", evidence.fault, verdict.detail);
    }
}

#[test]
fn fed_one_byte_at_a_time_and_split_at_every_offset_the_evidence_is_the_same() {
    for depth in [Depth::Ident, Depth::Kexinit, Depth::Kex, Depth::Auth] {
        let plan = Arc::new(Plan { depth, ..Plan::default() });
        for (name, script, _) in scripts() {
            let (sent, live) = converse(&plan, script);
            let whole = replay(&plan, [&sent[..]]);
            assert_eq!(whole, live, "{name}: replayed whole, depth {}", depth.name());
            assert_eq!(replay(&plan, sent.chunks(1)), whole, "{name}: byte by byte, depth {}", depth.name());
            // Every offset where it is cheap; a stride through the long ones, which differ in their padding only.
            let stride = if depth == Depth::Auth { 1 } else { 7 };
            for split in (0..=sent.len()).step_by(stride) {
                let (head, tail) = sent.split_at(split);
                assert_eq!(replay(&plan, [head, tail]), whole, "{name}: split at {split}, depth {}", depth.name());
            }
        }
    }
}

#[test]
fn a_connection_cut_off_anywhere_keeps_what_was_learned() {
    let plan = Arc::new(Plan::default());
    let (sent, whole) = converse(&plan, healthy().banner("hello"));
    for cut in 0..sent.len() {
        let seen = replay(&plan, [&sent[..cut]]);
        assert!(seen.fault.is_some() || seen == whole, "cut at {cut}");
        assert!(seen.kexinit.is_none() || seen.kexinit == whole.kexinit, "cut at {cut}");
        assert!(seen.host_key.is_none() || seen.host_key == whole.host_key, "cut at {cut}");
        assert!(seen.stage <= whole.stage, "cut at {cut}");
    }
}

#[test]
fn no_byte_of_the_server_s_moves_the_deadline() {
    let plan = Arc::new(Plan { timeout: Duration::from_secs(5), ..Plan::default() });
    let limit = Moment::START + plan.timeout;
    let evidence = Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START);
    let mut probe = Probe::new(Arc::clone(&plan), SEED, evidence, NOW);
    let mut now = NOW;
    let mut fed = 0;
    while probe.finished().is_none() {
        assert!(probe.deadline() <= limit);
        now = now + Duration::from_millis(100);
        probe.input(now, b"x");
        fed += 1;
        assert!(fed < 100, "the probe goes on for ever");
    }
    let seen = probe.into_evidence(now);
    assert_eq!(seen.fault, Some(Fault::Timeout));
    assert!(seen.spoke_first);
    assert!(seen.ended.since(seen.started) - plan.timeout < Duration::from_millis(100));
}

#[test]
fn a_silent_server_is_spoken_to_once_and_a_failed_write_still_reads() {
    use sshprobe_probes::evidence::Errno;
    let plan = Arc::new(Plan::default());
    let evidence = Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START);
    let mut probe = Probe::new(Arc::clone(&plan), SEED, evidence, NOW);
    assert_eq!(probe.deadline(), NOW + plan.speak_after);
    assert!(probe.output().is_empty(), "the server speaks first");
    let late = NOW + plan.speak_after;
    probe.wake(late);
    assert_eq!(probe.output(), [&plan.ident[..], b"\r\n"].concat());
    probe.write_failed(late, Errno::EPIPE);
    assert!(probe.output().is_empty() && probe.finished().is_none());
    probe.input(late, b"Exceeded MaxStartups\r\n");
    probe.input_end(late, End::Failed(Errno::ECONNRESET));
    let seen = probe.into_evidence(late);
    assert_eq!(seen.preamble.lines[0].bytes, b"Exceeded MaxStartups");
    assert_eq!(classify(&seen, plan.depth).code, Code::ThrottledMaxstartups);
}

#[test]
fn what_had_come_before_we_would_have_spoken_is_read_before_we_speak() {
    let plan = Arc::new(Plan::default());
    let evidence = Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START);
    let mut probe = Probe::new(Arc::clone(&plan), SEED, evidence, NOW);
    // This machine was busy: the bytes wait since long ago, and so does the alarm.
    let late = NOW + plan.speak_after + Duration::from_secs(1);
    probe.input(late, b"SSH-2.0-x\r\n");
    assert!(probe.output().starts_with(&[&plan.ident[..], b"\r\n\0"].concat()), "identification and KEXINIT at once");
    assert!(!probe.into_evidence(late).spoke_first);
}

#[test]
fn an_answer_to_a_request_that_was_never_sent_is_no_answer() {
    let apart = Arc::new(Plan { step_by_step: true, ..Plan::default() });
    let failure = UserauthFailure { methods: NameList(b"password"), partial_success: false }.build();
    for unasked in [vec![52], failure] {
        // Before SERVICE_ACCEPT, and so before `none`.
        let (_, seen) = converse(&apart, healthy().on(Point::Service, Action::Payload(unasked)));
        assert!(matches!(seen.fault, Some(Fault::Protocol(_))), "{:?}", seen.fault);
        let auth = seen.auth.unwrap();
        assert!(!auth.none_sent && !auth.none_accepted && auth.methods.is_none());
    }
}

#[test]
fn what_this_machine_lacks_in_the_middle_is_not_the_servers_fault() {
    use sshprobe_probes::evidence::{Errno, LocalTrouble};
    let plan = Arc::new(Plan::default());
    for (errno, code) in [
        (Errno::ENOBUFS, Code::LocalResourceLimit),
        (Errno::ENOMEM, Code::LocalResourceLimit),
        (Errno::ENETDOWN, Code::LocalNoRoute),
    ] {
        for writing in [true, false] {
            let evidence = Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START);
            let mut probe = Probe::new(Arc::clone(&plan), SEED, evidence, NOW);
            probe.input(NOW, b"SSH-2.0-x\r\n");
            if writing {
                probe.write_failed(NOW, errno);
                probe.wake(NOW + plan.drain);
            } else {
                probe.input_end(NOW, End::Failed(errno));
            }
            let seen = probe.into_evidence(NOW);
            assert!(matches!(seen.fault, Some(Fault::Local(LocalTrouble::ResourceLimit | LocalTrouble::NoRoute))));
            assert_eq!(classify(&seen, plan.depth).code, code);
            assert!(seen.ident.is_some(), "what was learned is kept");
        }
    }
}

#[test]
fn an_icmp_error_that_passed_is_not_what_a_later_silence_is_blamed_on() {
    use sshprobe_probes::evidence::Errno;
    let plan = Arc::new(Plan::default());
    let silent = |passed: bool| {
        let evidence = Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START);
        let mut probe = Probe::new(Arc::clone(&plan), SEED, evidence, NOW);
        probe.soft_error(Errno::EHOSTUNREACH, None);
        if passed {
            probe.input(NOW, b"SSH-2.0-x\r\n");
        }
        let limit = Moment::START + plan.timeout;
        probe.wake(limit);
        classify(&probe.into_evidence(limit), plan.depth).code
    };
    assert_eq!(silent(false), Code::LostMidway);
    assert_eq!(silent(true), Code::KexinitTimeout);
}

#[test]
fn extensions_without_end_are_not_kept_without_end() {
    let value = vec![b'x'; 100_000];
    let flood = ExtInfo::build(&[(b"a", &value), (b"b", b"small")]);
    let script = (0..20).fold(healthy(), |script, _| script.on(Point::Newkeys, Action::Payload(flood.clone())));
    let (_, seen) = converse(&Arc::new(Plan::default()), script);
    assert_eq!(seen.fault, None);
    let kept: usize = seen.ext_info.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(kept <= 64 * 1024, "{kept} bytes");
    assert_eq!(seen.extension(b"b"), Some(&b"small"[..]));
    assert!(seen.extension(b"server-sig-algs").is_some(), "what comes in between is kept");
}

#[test]
fn step_by_step_waits_for_the_accept() {
    let together = Arc::new(Plan::default());
    let apart = Arc::new(Plan { step_by_step: true, ..Plan::default() });
    let choking = || healthy().chokes_on_pipelining();
    assert_ne!(converse(&together, choking()).1.fault, None);
    let (_, seen) = converse(&apart, choking());
    assert_eq!(seen.fault, None);
    assert!(seen.step_by_step && seen.auth.unwrap().methods.is_some());
}

#[test]
fn every_suite_of_the_tables_reaches_the_method_list() {
    use sshprobe_probes::algorithm::{CIPHER, KEX, MAC};
    for kex in KEX.iter().filter(|kex| kex.name.starts_with("curve25519") || kex.name.starts_with("ecdh")) {
        for cipher in CIPHER {
            let macs: Vec<_> = if cipher.aead() { MAC.iter().take(1).collect() } else { MAC.iter().collect() };
            for mac in macs {
                let offer = Offer::modern();
                let offer = offer.with_kex(&[kex.name]).unwrap().with_cipher(&[cipher.name]).unwrap();
                let offer = Arc::new(offer.with_mac(&[mac.name]).unwrap());
                let plan = Arc::new(Plan { offer, ..Plan::default() });
                let (_, seen) = converse(&plan, healthy());
                assert_eq!(seen.fault, None, "{} {} {}", kex.name, cipher.name, mac.name);
                assert_eq!(seen.host_key.unwrap().signature, Signature::Verified);
            }
        }
    }
}

#[test]
fn seeds_are_written_on_request() {
    if std::env::var_os("SSHPROBE_WRITE_SEEDS").is_none() {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(folder.join(target)).unwrap();
        std::fs::write(folder.join(target).join(name), bytes).unwrap();
    };
    let plan = Arc::new(Plan::default());
    for (name, script, _) in scripts() {
        let (sent, seen) = converse(&plan, script);
        write("probe", name, &sent);
        if let Some(kexinit) = seen.kexinit {
            write("kexinit", name, kexinit.payload());
            let ident = sent.iter().position(|byte| *byte == b'\n').unwrap();
            write("packet", name, &sent[ident + 1..]);
        }
    }
    write("kexinit", "empty-names", &KexInit::build([1; 16], [&b",a,,b,"[..]; 10], true));
    write("packet", "cut-short", &[0, 0, 0, 12, 4, 1, 2, 3]);
    for (name, line) in [
        ("debian", &b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"[..]),
        ("huawei", b"SSH-2.0--\n"),
        ("cisco", b"SSH-1.99-Cisco-1.25\n"),
        ("ssh1", b"SSH-1.5-1.2.27\r\n"),
        ("preamble", b"Welcome\r\nSSH-2.0-x y\r\n"),
        ("refusal", b"Exceeded MaxStartups\r\n"),
        ("no-newline", b"Protocol mismatch."),
        ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ] {
        write("ident", name, line);
    }
}
