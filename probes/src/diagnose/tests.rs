//! One row per outcome that a connection can come to, its near misses, and which of several answers wins.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::escape::is_unsafe;
use crate::evidence::{
    Auth, Disconnect, Errno, Evidence, Fault, HostKey, Icmp, Identification, LocalTrouble, Negotiated, PreambleLine,
    Signature, Slot, Stage,
};
use crate::plan::Depth;
use crate::time::Moment;
use crate::wire::kexinit::KexInit;

const V4: &str = "192.0.2.1:22";
const V6: &str = "[2001:db8::1]:22";

fn to(addr: &str) -> Evidence {
    Evidence::new(addr.parse().unwrap(), Moment::from_micros(7_000_000))
}

/// connect() to `addr` failed with `errno` after `micros`.
fn errno(addr: &str, errno: Errno, micros: u64) -> Evidence {
    let mut evidence = to(addr);
    evidence.ended = evidence.started + Duration::from_micros(micros);
    evidence.timing.connect = Some(Duration::from_micros(micros));
    evidence.path.errno = Some(errno);
    evidence.fault = Some(Fault::Connect);
    evidence
}

/// The same with the ICMP message behind it.
fn icmp(addr: &str, number: Errno, kind: u8, code: u8, from: &str) -> Evidence {
    let mut evidence = errno(addr, number, 200);
    let from = Some(from.parse().unwrap());
    evidence.path.icmp = Some(Icmp { kind, code, from, v6: addr.starts_with('[') });
    evidence
}

/// A connection that was up for `millis` and then ended with `fault` in `stage`.
fn up(stage: Stage, millis: u64, fault: Fault) -> Evidence {
    let mut evidence = to(V4);
    evidence.stage = stage;
    evidence.timing.connect = Some(Duration::from_millis(40));
    evidence.ended = evidence.started + Duration::from_millis(40 + millis);
    evidence.fault = Some(fault);
    evidence
}

/// In the ident stage, after these bytes had come.
fn heard(bytes: &[u8], fault: Fault) -> Evidence {
    let mut evidence = up(Stage::Ident, 100, fault);
    evidence.first_bytes = bytes[..bytes.len().min(Evidence::FIRST_BYTES)].to_vec();
    evidence.received = bytes.len() as u64;
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    evidence.preamble.partial = lines.pop().unwrap().to_vec();
    for line in lines {
        evidence.preamble.count += 1;
        let bytes = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        evidence.preamble.lines.push(PreambleLine { at: Duration::from_millis(50), bytes });
    }
    evidence
}

fn identified(mut evidence: Evidence) -> Evidence {
    evidence.ident = Some(Identification { raw: b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10".to_vec() });
    evidence
}

fn disconnected(stage: Stage, code: u32, text: &str) -> Evidence {
    let mut evidence = identified(up(stage, 300, Fault::Disconnected));
    evidence.disconnect = Some(Disconnect { code, text: text.as_bytes().to_vec() });
    evidence
}

fn kexinit() -> KexInit {
    let lists: [&[u8]; 10] = [
        b"diffie-hellman-group1-sha1",
        b"ssh-dss",
        b"3des-cbc",
        b"arcfour",
        b"hmac-md5",
        b"hmac-md5",
        b"zlib",
        b"zlib",
        b"",
        b"",
    ];
    KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap()
}

fn no_common(slot: Slot) -> Evidence {
    let mut evidence = identified(up(Stage::Kexinit, 300, Fault::NoCommon(slot)));
    evidence.kexinit = Some(kexinit());
    evidence
}

/// In the auth stage: the service accepted or not, `none` sent.
fn at_auth(accepted: bool, fault: Fault) -> Evidence {
    let mut evidence = identified(up(Stage::Auth, 400, fault));
    evidence.auth = Some(Auth { user: "root".into(), service_accepted: accepted, none_sent: true, ..Auth::default() });
    evidence
}

/// Lists with nothing to be noticed about them.
fn sound_kexinit() -> KexInit {
    let lists: [&[u8]; 10] = [
        b"mlkem768x25519-sha256,curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
        b"ssh-ed25519",
        b"aes128-ctr",
        b"aes128-ctr",
        b"hmac-sha2-256",
        b"hmac-sha2-256",
        b"none",
        b"none",
        b"",
        b"",
    ];
    KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap()
}

/// Everything went well and these methods were listed.
fn listed(methods: &[&str]) -> Evidence {
    let mut evidence = at_auth(true, Fault::Eof);
    evidence.fault = None;
    evidence.kexinit = Some(sound_kexinit());
    evidence.host_key = Some(HostKey { blob: b"\0\0\0\x0bssh-ed25519".to_vec(), signature: Signature::Verified });
    evidence.negotiated = Some(Negotiated {
        kex: "curve25519-sha256",
        host_key: "ssh-ed25519",
        cipher_c2s: "aes128-ctr",
        cipher_s2c: "aes128-ctr",
        mac_c2s: None,
        mac_s2c: None,
        strict_kex: true,
        dh_bits: None,
    });
    let methods = methods.iter().map(|method| method.as_bytes().to_vec()).collect();
    evidence.auth.as_mut().unwrap().methods = Some(methods);
    evidence
}

fn spoke_first(mut evidence: Evidence) -> Evidence {
    evidence.spoke_first = true;
    evidence
}

fn unparsed(bytes: &[u8], fault: Fault) -> Evidence {
    let mut evidence = identified(up(Stage::Kexinit, 60, fault));
    evidence.unparsed = bytes.to_vec();
    evidence
}

fn local(trouble: LocalTrouble) -> Evidence {
    let mut evidence = to(V4);
    evidence.fault = Some(Fault::Local(trouble));
    evidence
}

type Row = (Evidence, Code, Option<&'static str>, Stage);

fn rows() -> Vec<Row> {
    use Code as C;
    use Stage::{Auth, Connect, Ident, Kex, Kexinit};
    let row = |evidence, code, stage| (evidence, code, None, stage);
    let with = |evidence, code, arg, stage| (evidence, code, Some(arg), stage);
    vec![
        // connect: errno alone
        row(errno(V4, Errno::ECONNREFUSED, 300), C::Refused, Connect),
        row(errno(V6, Errno::ECONNREFUSED, 300), C::Refused, Connect),
        row(errno(V4, Errno::EHOSTUNREACH, 3_100_000), C::UnreachableHost, Connect),
        row(errno(V4, Errno::EHOSTUNREACH, 300), C::LocalNoRoute, Connect),
        row(errno(V4, Errno::ENETUNREACH, 300), C::LocalNoRoute, Connect),
        row(errno(V4, Errno::ENETUNREACH, 40_000), C::UnreachableNet, Connect),
        row(errno(V4, Errno::ENETDOWN, 300), C::LocalNoRoute, Connect),
        row(errno(V6, Errno::EACCES, 40_000), C::AdminProhibited, Connect),
        row(errno(V6, Errno::EACCES, 300), C::LocalPolicy, Connect),
        row(errno(V4, Errno::EACCES, 40_000), C::LocalPolicy, Connect),
        row(errno(V4, Errno::EPERM, 300), C::LocalPolicy, Connect),
        row(errno(V6, Errno::EINVAL, 300), C::LocalPolicy, Connect),
        row(errno(V4, Errno::ENOPROTOOPT, 300), C::AdminProhibited, Connect),
        row(errno(V4, Errno::EADDRNOTAVAIL, 300), C::LocalResourceLimit, Connect),
        row(errno(V4, Errno::EMFILE, 300), C::LocalResourceLimit, Connect),
        row(errno(V4, Errno::ENFILE, 300), C::LocalResourceLimit, Connect),
        row(errno(V4, Errno::ENOBUFS, 300), C::LocalResourceLimit, Connect),
        row(errno(V4, Errno::ENOMEM, 300), C::LocalResourceLimit, Connect),
        row(errno(V4, Errno::ETIMEDOUT, 131_000_000), C::TimeoutConnect, Connect),
        row(errno(V4, Errno::ECONNRESET, 40_000), C::ResetNoIdent, Ident),
        row(up(Connect, 5_000, Fault::ConnectTimeout), C::TimeoutConnect, Connect),
        row(up(Connect, 20_000, Fault::Timeout), C::TimeoutConnect, Connect),
        // connect: ICMP counts before errno
        row(icmp(V4, Errno::ECONNREFUSED, 3, 3, "192.0.2.1"), C::RefusedByFilter, Connect),
        row(icmp(V6, Errno::ECONNREFUSED, 1, 4, "2001:db8::1"), C::RefusedByFilter, Connect),
        row(icmp(V4, Errno::EHOSTUNREACH, 3, 13, "192.0.2.9"), C::AdminProhibited, Connect),
        row(icmp(V4, Errno::EHOSTUNREACH, 3, 10, "192.0.2.9"), C::AdminProhibited, Connect),
        row(icmp(V4, Errno::ENETUNREACH, 3, 9, "192.0.2.9"), C::AdminProhibited, Connect),
        row(icmp(V4, Errno::ENOPROTOOPT, 3, 2, "192.0.2.9"), C::AdminProhibited, Connect),
        row(icmp(V4, Errno::EHOSTUNREACH, 3, 1, "192.0.2.9"), C::UnreachableHost, Connect),
        row(icmp(V4, Errno::EHOSTUNREACH, 11, 0, "192.0.2.9"), C::UnreachableHost, Connect),
        row(icmp(V4, Errno::ENETUNREACH, 3, 0, "192.0.2.9"), C::UnreachableNet, Connect),
        row(icmp(V6, Errno::ENETUNREACH, 1, 0, "2001:db8::9"), C::UnreachableNet, Connect),
        row(icmp(V6, Errno::EACCES, 1, 1, "2001:db8::9"), C::AdminProhibited, Connect),
        row(icmp(V6, Errno::EACCES, 1, 5, "2001:db8::9"), C::AdminProhibited, Connect),
        row(icmp(V6, Errno::EACCES, 1, 6, "2001:db8::9"), C::AdminProhibited, Connect),
        row(icmp(V6, Errno::EHOSTUNREACH, 1, 3, "2001:db8::9"), C::UnreachableHost, Connect),
        row(icmp(V4, Errno::ECONNREFUSED, 3, 4, "192.0.2.9"), C::Refused, Connect),
        // local
        row(local(LocalTrouble::NoRoute), C::LocalNoRoute, Connect),
        row(
            local(LocalTrouble::OtherFamily { from: [192, 0, 2, 7].into(), to: [0; 16].into() }),
            C::LocalNoRoute,
            Connect,
        ),
        row(local(LocalTrouble::StaysHere([192, 0, 2, 7].into())), C::LocalNoRoute, Connect),
        row(local(LocalTrouble::Policy), C::LocalPolicy, Connect),
        row(local(LocalTrouble::ResourceLimit), C::LocalResourceLimit, Connect),
        row(local(LocalTrouble::Untracked), C::LocalResourceLimit, Connect),
        row(local(LocalTrouble::Unfound), C::LocalResourceLimit, Connect),
        row(local(LocalTrouble::Behind), C::LocalResourceLimit, Connect),
        row(local(LocalTrouble::Dropped(([192, 0, 2, 1], 22).into())), C::LocalPolicy, Connect),
        row(up(Kex, 10, Fault::Internal("a panic".into())), C::Internal, Kex),
        // ident: nothing came
        row(up(Ident, 30, Fault::Eof), C::ClosedNoIdent, Ident),
        row(up(Ident, 30, Fault::Reset), C::ResetNoIdent, Ident),
        row(up(Ident, 4_600, Fault::Eof), C::ClosedNoIdent, Ident),
        row(up(Ident, 4_700, Fault::Eof), C::ClosedAfter5s, Ident),
        row(spoke_first(up(Ident, 5_004, Fault::Eof)), C::ClosedAfter5s, Ident),
        row(spoke_first(up(Ident, 5_300, Fault::Reset)), C::ClosedAfter5s, Ident),
        row(up(Ident, 5_310, Fault::Reset), C::ResetNoIdent, Ident),
        with(spoke_first(up(Ident, 2_040, Fault::Eof)), C::NotSsh, "tls", Ident),
        row(spoke_first(up(Ident, 2_040, Fault::Reset)), C::ResetNoIdent, Ident),
        row(spoke_first(up(Ident, 10_000, Fault::Eof)), C::ClosedNoIdent, Ident),
        row(spoke_first(up(Ident, 20_000, Fault::Timeout)), C::ConnectedNoIdent, Ident),
        row(up(Ident, 900, Fault::Timeout), C::ConnectedNoIdent, Ident),
        row(up(Ident, 900, Fault::Lost), C::LostMidway, Ident),
        // ident: refusals in words
        row(heard(b"Exceeded MaxStartups\r\n", Fault::Eof), C::ThrottledMaxstartups, Ident),
        row(heard(b"Exceeded MaxStartups\r\n", Fault::Reset), C::ThrottledMaxstartups, Ident),
        row(heard(b"Not allowed at this time\r\n", Fault::Eof), C::ThrottledOrPenalised, Ident),
        row(heard(b"Not allowed at this time\r\n", Fault::Timeout), C::ThrottledOrPenalised, Ident),
        row(heard(b"Not allowed at this time, sorry\r\n", Fault::Eof), C::RefusedText, Ident),
        row(heard(b"Protocol mismatch.", Fault::Eof), C::VersionRejected, Ident),
        row(heard(b"Protocol major versions differ.\n", Fault::Eof), C::VersionRejected, Ident),
        row(heard(b"Invalid SSH identification string.\r\n", Fault::Reset), C::VersionRejected, Ident),
        row(heard(b"Unsupported protocol version: SSH-2.0-x\n", Fault::Eof), C::VersionRejected, Ident),
        row(heard(b"blocked by twist\n", Fault::Eof), C::RefusedText, Ident),
        row(heard(b"Access to service sshd from a@b has been denied.\r\n", Fault::Reset), C::RefusedText, Ident),
        row(heard(b"Destination server does not have Ssh activated.", Fault::Eof), C::RefusedText, Ident),
        row(heard(b"/etc/ssh/sshd_config: No such file or directory\n", Fault::Eof), C::SshdBroken, Ident),
        row(heard(b"Could not load host key. Closing connection...", Fault::Eof), C::SshdBroken, Ident),
        row(
            heard(b"\0\0\0\x2c\x06\x01\0\0\0\x02\0\0\0\x1aNo host key is configured!\0\0\0\0", Fault::Eof),
            C::SshdBroken,
            Ident,
        ),
        // ident: something else
        with(heard(b"HTTP/1.1 400 Bad Request\r\n", Fault::Eof), C::NotSsh, "http", Ident),
        with(heard(b"HTTP/1.1 400 Bad Request\r\n", Fault::Timeout), C::NotSsh, "http", Ident),
        with(heard(b"<!DOCTYPE HTML>\n<html>", Fault::PreambleTooLong), C::NotSsh, "http", Ident),
        with(heard(b"\x15\x03\x01\0\x02\x02\x46", Fault::Eof), C::NotSsh, "tls", Ident),
        with(heard(b"220 mx ESMTP Postfix\r\n", Fault::Timeout), C::NotSsh, "smtp", Ident),
        with(heard(b"220 (vsFTPd 3.0.3)\r\n", Fault::Timeout), C::NotSsh, "ftp", Ident),
        with(heard(b"* OK ready\r\n", Fault::Timeout), C::NotSsh, "imap", Ident),
        with(heard(b"+OK ready\r\n", Fault::Timeout), C::NotSsh, "pop3", Ident),
        with(heard(b"RFB 003.008\n", Fault::Timeout), C::NotSsh, "vnc", Ident),
        with(heard(b"J\0\0\0\x0a8.0.36\0", Fault::Timeout), C::NotSsh, "mysql", Ident),
        with(heard(b"\xff\xfd\x18\xff\xfd\x20", Fault::Timeout), C::NotSsh, "telnet", Ident),
        with(heard(b"-ERR unknown command\r\n", Fault::Timeout), C::NotSsh, "redis", Ident),
        with(heard(b"\x03\0\0\x0b\x06\xd0\0\0\x124\0", Fault::Eof), C::NotSsh, "rdp", Ident),
        with(heard(b"", Fault::Echo), C::NotSsh, "echo", Ident),
        row(heard(b"\0\x01\x02\x03\x04\x05", Fault::Eof), C::NotSsh, Ident),
        row(heard(b"\0\x01\x02\x03\x04\x05", Fault::Timeout), C::NotSsh, Ident),
        row(heard(&b"lorem ipsum\n".repeat(200), Fault::PreambleTooLong), C::NotSsh, Ident),
        // ident: a try at one
        row(heard(b"SSH-2.0-Open", Fault::Timeout), C::IdentTimeout, Ident),
        row(heard(b"S", Fault::Timeout), C::IdentTimeout, Ident),
        row(heard(b"Welcome\r\nto the", Fault::Timeout), C::IdentTimeout, Ident),
        row(heard(b"SSH-2.0-Open", Fault::Eof), C::IdentMalformed, Ident),
        row(heard(b"Welcome\r\nSS", Fault::Reset), C::IdentMalformed, Ident),
        row(heard(b"SSH-2.0-a\0b", Fault::IdentMalformed("holds a NUL")), C::IdentMalformed, Ident),
        row(heard(b"SSH-1.5-Cisco-1.25", Fault::Ssh1Only), C::Ssh1Only, Ident),
        row(heard(b"q)2x\r\nZZa\r\n7%\r\n", Fault::Tarpit), C::Tarpit, Ident),
        row(dripped(10_020, 20_050), C::Tarpit, Ident),
        row(dripped(1_000, 20_050), C::IdentTimeout, Ident),
        row(dripped(500, 1_000), C::IdentTimeout, Ident),
        row(disconnected(Ident, 8, "Protocol version not supported"), C::VersionRejected, Ident),
        row(disconnected(Ident, 2, "Invalid handshake line."), C::VersionRejected, Ident),
        // kexinit
        row(identified(up(Kexinit, 60, Fault::Eof)), C::ClosedAfterIdent, Kexinit),
        row(identified(up(Kexinit, 60, Fault::Reset)), C::ClosedAfterIdent, Kexinit),
        row(identified(up(Kexinit, 20_000, Fault::Timeout)), C::KexinitTimeout, Kexinit),
        row(identified(up(Kexinit, 2_000, Fault::Lost)), C::LostMidway, Kexinit),
        row(
            unparsed(b"Invalid SSH identification string.\r\n", Fault::Protocol("length".into())),
            C::VersionRejected,
            Kexinit,
        ),
        row(unparsed(b"Protocol major versions differ.\n", Fault::Eof), C::VersionRejected, Kexinit),
        row(
            unparsed(b"\n\n\rNo connection is available now.", Fault::Protocol("length".into())),
            C::RefusedText,
            Kexinit,
        ),
        row(unparsed(b"\0\0\x04\xcc\x06\x14", Fault::Eof), C::ClosedAfterIdent, Kexinit),
        row(unparsed(b"\xde\xad\xbe\xef\0\0", Fault::Protocol("length".into())), C::ProtocolError, Kexinit),
        row(
            identified(heard_at(Kexinit, b"Not allowed at this time\r\n", Fault::Eof)),
            C::ThrottledOrPenalised,
            Kexinit,
        ),
        row(disconnected(Kexinit, 8, "no"), C::VersionRejected, Kexinit),
        row(disconnected(Kexinit, 2, "Packet too large"), C::ProtocolError, Kexinit),
        with(disconnected(Kexinit, 12, "Too many connections"), C::Disconnected, "12", Kexinit),
        with(disconnected(Kexinit, 11, "Session limit reached"), C::Disconnected, "11", Kexinit),
        with(disconnected(Kexinit, 3, "couldn't match all kex parts"), C::Disconnected, "3", Kexinit),
        row(disconnected(Kexinit, 3, "No common hostkey algorithm.\r\n"), C::NoCommonHostkey, Kexinit),
        row(no_common(Slot::Kex), C::NoCommonKex, Kexinit),
        row(no_common(Slot::HostKey), C::NoCommonHostkey, Kexinit),
        row(no_common(Slot::Cipher), C::NoCommonCipher, Kexinit),
        row(no_common(Slot::Mac), C::NoCommonMac, Kexinit),
        row(no_common(Slot::Compression), C::NoCommonCompression, Kexinit),
        // kex
        row(identified(up(Kex, 60, Fault::Eof)), C::KexClosed, Kex),
        row(identified(up(Kex, 60, Fault::Reset)), C::KexClosed, Kex),
        row(identified(up(Kex, 20_000, Fault::Timeout)), C::KexTimeout, Kex),
        row(identified(up(Kex, 20_000, Fault::Lost)), C::LostMidway, Kex),
        row(identified(up(Kex, 60, Fault::BadSignature("does not verify"))), C::BadHostSignature, Kex),
        row(identified(up(Kex, 60, Fault::Protocol("message 99".into()))), C::ProtocolError, Kex),
        row(disconnected(Kex, 2, "strict KEX violation: unexpected packet type 2 (seqnr 1)"), C::ProtocolError, Kex),
        row(disconnected(Kex, 5, "MAC Error"), C::MacError, Kex),
        // auth
        row(identified(up(Auth, 60, Fault::Mac)), C::MacError, Auth),
        row(at_auth(false, Fault::Eof), C::AuthClosed, Auth),
        row(at_auth(false, Fault::Reset), C::AuthClosed, Auth),
        row(identified(up(Auth, 60, Fault::Eof)), C::AuthClosed, Auth),
        row(at_auth(true, Fault::Eof), C::RefusedAtUserauth, Auth),
        row(at_auth(true, Fault::Reset), C::RefusedAtUserauth, Auth),
        row(at_auth(true, Fault::Timeout), C::AuthTimeout, Auth),
        row(at_auth(false, Fault::Timeout), C::AuthTimeout, Auth),
        row(at_auth(true, Fault::Lost), C::LostMidway, Auth),
        row(disconnected(Auth, 7, "Service not available"), C::ServiceDenied, Auth),
        row(disconnected(Auth, 2, "bad service request ssh-userauth"), C::ServiceDenied, Auth),
        row(disconnected(Auth, 2, "no authentication methods enabled"), C::AuthNoMethods, Auth),
        row(disconnected(Auth, 2, "Too many authentication failures"), C::AuthTooMany, Auth),
        row(disconnected(Auth, 14, "No more auth methods available"), C::AuthTooMany, Auth),
        row(disconnected(Auth, 2, "Packet corrupt"), C::ProtocolError, Auth),
        with(disconnected(Auth, 2, "go away"), C::Disconnected, "2", Auth),
        with(disconnected(Auth, 11, "bye"), C::Disconnected, "11", Auth),
        row(listed(&[]), C::AuthNoMethods, Auth),
        row(listed(&["publickey"]), C::Ok, Auth),
        row(let_in(), C::Ok, Auth),
        // where no stage has a row of its own
        row(up(Stage::Tunnel, 60, Fault::Eof), C::EofMidway, Stage::Tunnel),
        row(up(Stage::Tunnel, 60, Fault::Reset), C::ResetMidway, Stage::Tunnel),
    ]
}

/// A line at each of these moments, then our deadline.
fn dripped(first: u64, second: u64) -> Evidence {
    let mut evidence = heard(b"q)2x\r\nZZa\r\n", Fault::Timeout);
    evidence.ended = evidence.started + Duration::from_secs(21);
    for (line, at) in evidence.preamble.lines.iter_mut().zip([first, second]) {
        line.at = Duration::from_millis(at);
    }
    evidence
}

fn heard_at(stage: Stage, bytes: &[u8], fault: Fault) -> Evidence {
    Evidence { stage, first_bytes: Vec::new(), ..heard(bytes, fault) }
}

fn let_in() -> Evidence {
    let mut evidence = at_auth(true, Fault::Eof);
    evidence.fault = None;
    evidence.auth.as_mut().unwrap().none_accepted = true;
    evidence
}

#[test]
fn evidence_leads_to_its_code_argument_and_stage() {
    for (evidence, code, arg, stage) in rows() {
        let verdict = classify(&evidence, Depth::Auth);
        assert_eq!(
            (verdict.code, verdict.arg.as_deref(), verdict.stage),
            (code, arg, stage),
            "{}\n{evidence:#?}",
            verdict.detail
        );
        assert!(verdict.detail.len() > 10 && !verdict.detail.ends_with('.'), "{}", verdict.detail);
    }
}

/// Outcomes that the evidence of one SSH connection cannot lead to: of the resolver, of trust, of tunnels, of logins with
/// credentials, of a second look at the same address.
const OTHERS: &[&str] = &[
    "pmtu-black-hole",
    "accept-all-middlebox",
    "host-key-",
    "host-cert-",
    "auth-no-common-method",
    "auth-failed",
    "auth-key-refused",
    "auth-refused-after-key",
    "auth-sig-alg",
    "auth-partial",
    "iap-",
    "proxy-",
    "jump-",
    "dns-",
];

#[test]
fn every_code_has_a_row_or_belongs_to_another_part() {
    let reached: BTreeSet<Code> = rows().into_iter().map(|(_, code, _, _)| code).collect();
    for code in Code::ALL {
        let other = OTHERS.iter().any(|prefix| code.name().starts_with(prefix));
        assert_eq!(reached.contains(code), !other, "{code}");
    }
}

#[test]
fn codes_and_statuses_are_read_back_from_their_words() {
    for code in Code::ALL {
        assert_eq!(code.name().parse::<Code>().unwrap(), *code);
    }
    for status in Status::ALL {
        assert_eq!(status.name().parse::<Status>().unwrap(), *status);
        assert!(Code::ALL.iter().any(|code| code.status() == *status), "{status} has no code");
    }
    assert!("Timeout".parse::<Status>().is_err());
    assert_eq!("nonsense".parse::<Code>().unwrap_err().to_string(), "`nonsense` is no code");
}

#[test]
fn a_depth_that_was_reached_is_ok_however_the_server_left() {
    let gone = identified(up(Stage::Kexinit, 60, Fault::Eof));
    assert_eq!(classify(&gone, Depth::Ident).code, Code::Ok);
    assert_eq!(classify(&gone, Depth::Kexinit).code, Code::ClosedAfterIdent);
    assert_eq!(classify(&up(Stage::Ident, 5, Fault::Reset), Depth::Connect).code, Code::Ok);
    let mut old = up(Stage::Ident, 60, Fault::Ssh1Only);
    old.ident = Some(Identification { raw: b"SSH-1.5-x".to_vec() });
    assert_eq!(classify(&old, Depth::Ident).code, Code::Ssh1Only);
    // A connection that says nothing about its end before the depth was reached is a fault of ours.
    let mut unexplained = identified(up(Stage::Kexinit, 60, Fault::Eof));
    unexplained.fault = None;
    assert_eq!(classify(&unexplained, Depth::Auth).code, Code::Internal);
    assert_eq!(classify(&unexplained, Depth::Kexinit).code, Code::Ok);
}

#[test]
fn our_own_firewall_is_not_the_targets_fault() {
    let own = |mut evidence: Evidence| {
        evidence.path.local = Some("192.0.2.200:40000".parse().unwrap());
        classify(&evidence, Depth::Auth).code
    };
    assert_eq!(own(icmp(V4, Errno::EHOSTUNREACH, 3, 13, "192.0.2.200")), Code::LocalPolicy);
    assert_eq!(own(icmp(V4, Errno::ECONNREFUSED, 3, 3, "192.0.2.200")), Code::LocalPolicy);
    // Our own kernel reports that nobody answered ARP: that is about the target.
    assert_eq!(own(icmp(V4, Errno::EHOSTUNREACH, 3, 1, "192.0.2.200")), Code::UnreachableHost);
    assert_eq!(own(icmp(V4, Errno::ECONNREFUSED, 3, 3, "192.0.2.1")), Code::RefusedByFilter);
    // A target on this very machine answers for itself.
    let mut here = icmp("127.0.0.1:22", Errno::ECONNREFUSED, 3, 3, "127.0.0.1");
    here.path.local = Some("127.0.0.1:40000".parse().unwrap());
    assert_eq!(classify(&here, Depth::Auth).code, Code::RefusedByFilter);
}

/// What was asked for on the command line is named as what may be the matter.
#[test]
fn an_origin_that_does_not_lead_there_is_named() {
    let refused = errno(V4, Errno::EINVAL, 300);
    let told = |evidence: &Evidence| classify(evidence, Depth::Auth).detail;
    assert!(!told(&refused).contains("--source"), "none was given");
    let mut bound = refused;
    bound.path.local = Some("127.0.0.1:0".parse().unwrap());
    assert_eq!(classify(&bound, Depth::Auth).code, Code::LocalPolicy);
    assert!(
        told(&bound).starts_with("this machine does not send from 127.0.0.1 (--source) to the address"),
        "{}",
        told(&bound)
    );
    let nowhere = errno("[fe80::1]:22", Errno::EINVAL, 300);
    assert!(told(&nowhere).starts_with("a link-local address needs its interface"), "{}", told(&nowhere));
    let somewhere = errno("[fe80::1%2]:22", Errno::EINVAL, 300);
    assert!(told(&somewhere).starts_with("a route, filter or security module"), "{}", told(&somewhere));
    let trouble = LocalTrouble::OtherFamily { from: [127, 0, 0, 1].into(), to: std::net::Ipv6Addr::LOCALHOST.into() };
    assert_eq!(
        told(&local(trouble)),
        "nothing can be sent from 127.0.0.1 (--source) to ::1, an address of the other family"
    );
}

#[test]
fn confidence_says_how_specific_the_evidence_is() {
    let confidence = |evidence: &Evidence| classify(evidence, Depth::Auth).confidence;
    assert_eq!(confidence(&heard(b"Exceeded MaxStartups\r\n", Fault::Eof)), Confidence::High);
    assert_eq!(confidence(&up(Stage::Ident, 30, Fault::Eof)), Confidence::Medium);
    assert_eq!(confidence(&spoke_first(up(Stage::Ident, 2_040, Fault::Eof))), Confidence::Low);
    assert_eq!(confidence(&listed(&["publickey"])), Confidence::High);
}

#[test]
fn details_hold_the_evidence() {
    let detail = |evidence: &Evidence| classify(evidence, Depth::Auth).detail;
    assert_eq!(
        detail(&icmp(V4, Errno::EHOSTUNREACH, 3, 13, "192.0.2.9")),
        "ICMP 3/13 (communication administratively prohibited) from 192.0.2.9, after 0.2 ms"
    );
    assert_eq!(
        detail(&heard(b"blocked by \x1b[31mtwist\n", Fault::Eof)),
        "the server said \"blocked by \\x1b[31mtwist\" and closed the connection after 100 ms"
    );
    assert_eq!(detail(&no_common(Slot::Cipher)), "no cipher in common; the server offers \"3des-cbc\" and \"arcfour\"");
    assert_eq!(
        detail(&listed(&["publickey", "password"])),
        "\"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\"; host key proven with ssh-ed25519 over curve25519-sha256; \
         authentication by publickey, password"
    );
}

#[test]
fn a_key_whose_signature_was_not_checked_is_not_called_proven() {
    let mut evidence = listed(&["publickey"]);
    assert!(classify(&evidence, Depth::Auth).detail.contains("host key proven with ssh-ed25519"));
    evidence.host_key.as_mut().unwrap().signature = Signature::Unchecked;
    let verdict = classify(&evidence, Depth::Auth);
    assert_eq!(verdict.code, Code::Ok);
    assert!(verdict.detail.contains("host key not proven"), "{}", verdict.detail);
}

#[test]
fn details_stay_short_whatever_the_server_sends() {
    let long = "x".repeat(100_000);
    let mut evidence = listed(&[&long, &long]);
    evidence.ident = Some(Identification { raw: [b"SSH-2.0-", long.as_bytes()].concat() });
    let verdict = classify(&evidence, Depth::Auth);
    assert!(verdict.detail.len() < 600 && verdict.detail.ends_with("..."), "{}", verdict.detail);
    let verdict = classify(&disconnected(Stage::Kex, 2, &long), Depth::Auth);
    assert!(verdict.detail.len() < 300, "{}", verdict.detail);
}

fn ids(evidence: &Evidence) -> Vec<&'static str> {
    classify(evidence, Depth::Auth).findings.iter().map(|finding| finding.id.name()).collect()
}

#[test]
fn findings_ride_along() {
    assert_eq!(ids(&listed(&["publickey"])), Vec::<&str>::new());
    assert_eq!(ids(&let_in()), ["auth-none-accepted"]);
    assert_eq!(ids(&spoke_first(listed(&["publickey"]))), ["ident-after-client"]);
    assert_eq!(ids(&spoke_first(up(Stage::Ident, 20_000, Fault::Timeout))), Vec::<&str>::new());
    let ident = |raw: &[u8]| {
        let mut evidence = listed(&["publickey"]);
        evidence.ident = Some(Identification { raw: raw.to_vec() });
        ids(&evidence)
    };
    assert_eq!(ident(b"SSH-1.99-Cisco-1.25"), ["ssh1-compat"]);
    let line = |length: usize| [b"SSH-2.0-".to_vec(), vec![b'x'; length - 8]].concat();
    assert_eq!(ident(&line(253)), Vec::<&str>::new());
    assert_eq!(ident(&line(254)), ["ident-too-long"]);
    let mut early = listed(&["publickey"]);
    early.preamble.count = 2;
    early.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: b"Keep out".to_vec() });
    let verdict = classify(&early, Depth::Auth);
    assert_eq!(verdict.findings.len(), 1);
    assert_eq!(verdict.findings[0].id, FindingId::PreIdentLines);
    assert_eq!(&*verdict.findings[0].detail, "2 lines came before the identification, the first: \"Keep out\"");
    // What is offered counts, agreed on or not; so does the size of the key that was presented.
    assert_eq!(ids(&no_common(Slot::Kex)), ["no-pq-kex", "weak-kex", "weak-cipher", "weak-mac", "sha1-hostkey-only"]);
    let mut small = listed(&["password"]);
    let modulus = [[0, 0, 0, 65, 0, 0x80].as_slice(), &[1; 63]].concat();
    let blob = [b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01".as_slice(), &modulus].concat();
    small.host_key = Some(HostKey { blob, signature: Signature::Verified });
    assert_eq!(ids(&small), ["password-auth-offered", "rsa-key-too-small"]);
}

fn outcome(connections: &[Evidence]) -> (Code, usize, Vec<&'static str>) {
    let verdict = judge(connections, usize::MAX, Depth::Auth);
    assert_eq!(
        verdict.answers.len(),
        if connections.len() > 1 { connections.len() } else { 0 },
        "one alone is answer enough"
    );
    (verdict.code, verdict.connection, verdict.findings.iter().map(|finding| finding.id.name()).collect())
}

fn small(mut evidence: Evidence) -> Evidence {
    evidence.mss = Some(536);
    evidence
}

fn stepwise(mut evidence: Evidence) -> Evidence {
    evidence.step_by_step = true;
    evidence
}

#[test]
fn a_retry_that_succeeds_wins_and_a_further_failure_is_a_finding() {
    let ok = || listed(&["publickey"]);
    let closed = || up(Stage::Ident, 30, Fault::Eof);
    assert_eq!(outcome(&[ok()]), (Code::Ok, 0, vec![]));
    assert_eq!(outcome(&[closed(), ok()]), (Code::Ok, 1, vec![]));
    assert_eq!(outcome(&[ok(), closed()]), (Code::Ok, 0, vec!["incomplete"]));
    assert_eq!(outcome(&[closed(), ok(), closed()]), (Code::Ok, 1, vec!["incomplete"]));
    assert_eq!(outcome(&[at_auth(false, Fault::Eof), stepwise(ok())]), (Code::Ok, 1, vec![]));
    let bad = || identified(up(Stage::Kex, 60, Fault::BadSignature("does not verify")));
    assert_eq!(outcome(&[ok(), bad()]).0, Code::BadHostSignature);
    assert_eq!(outcome(&[bad(), ok()]).0, Code::BadHostSignature);
}

/// Dropbear without an RSA key lists RSA all the same, and closes when it comes to that.
#[test]
fn a_close_within_the_key_exchange_names_the_host_key_algorithm_agreed_on() {
    let mut evidence = listed(&[]);
    evidence.stage = Stage::Kex;
    evidence.fault = Some(Fault::Eof);
    (evidence.auth, evidence.host_key) = (None, None);
    if let Some(negotiated) = &mut evidence.negotiated {
        negotiated.host_key = "rsa-sha2-256";
    }
    let verdict = classify(&evidence, Depth::Auth);
    assert_eq!(verdict.code, Code::KexClosed);
    assert!(verdict.detail.contains("(curve25519-sha256, host key by rsa-sha2-256)"), "{}", verdict.detail);
}

/// Go's x/crypto/ssh agrees on a CBC cipher with an -etm MAC and does not carry it out.
#[test]
fn a_protocol_broken_under_keys_names_cipher_and_mac_and_before_them_does_not() {
    let mut evidence = listed(&[]);
    evidence.fault = Some(Fault::Protocol("packet length 1745489559".into()));
    (evidence.auth, evidence.stage) = (None, Stage::Auth);
    let detail = |evidence: &Evidence| classify(evidence, Depth::Auth).detail;
    assert!(detail(&evidence).ends_with("1745489559 (under aes128-ctr)"), "{}", detail(&evidence));
    if let Some(negotiated) = &mut evidence.negotiated {
        (negotiated.cipher_s2c, negotiated.mac_s2c) = ("aes128-cbc", Some("hmac-sha2-256-etm@openssh.com"));
    }
    let keys = "(under aes128-cbc with hmac-sha2-256-etm@openssh.com)";
    assert!(detail(&evidence).ends_with(keys), "{}", detail(&evidence));
    evidence.stage = Stage::Kex;
    assert!(detail(&evidence).ends_with("1745489559"), "{}", detail(&evidence));
}

#[test]
fn without_success_the_deepest_answer_wins_and_of_equals_the_last() {
    let closed = || up(Stage::Ident, 30, Fault::Eof);
    let timeout = || up(Stage::Connect, 5_000, Fault::ConnectTimeout);
    assert_eq!(outcome(&[closed(), up(Stage::Ident, 30, Fault::Reset)]).0, Code::ResetNoIdent);
    // Silence on the second try does not make an address that answered an empty one.
    assert_eq!(outcome(&[closed(), timeout()]), (Code::ClosedNoIdent, 0, vec![]));
    assert_eq!(
        outcome(&[heard(b"Exceeded MaxStartups\r\n", Fault::Eof), at_auth(true, Fault::Eof)]).0,
        Code::RefusedAtUserauth
    );
    assert_eq!(outcome(&[at_auth(false, Fault::Eof), stepwise(closed())]), (Code::AuthClosed, 0, vec![]));
    assert_eq!(
        outcome(&[at_auth(false, Fault::Eof), stepwise(at_auth(true, Fault::Eof))]),
        (Code::RefusedAtUserauth, 1, vec![])
    );
    // Trouble of our own on the second try says nothing about the target.
    assert_eq!(outcome(&[closed(), local(LocalTrouble::ResourceLimit)]), (Code::ClosedNoIdent, 0, vec![]));
    assert_eq!(outcome(&[local(LocalTrouble::ResourceLimit), closed()]), (Code::ClosedNoIdent, 1, vec![]));
}

#[test]
fn of_several_addresses_the_one_that_said_most_is_reported() {
    let refused = || errno(V4, Errno::ECONNREFUSED, 300);
    let no_v6 = || errno(V6, Errno::ENETUNREACH, 20);
    let silent = || Evidence { fault: Some(Fault::ConnectTimeout), ..to(V6) };
    assert_eq!(outcome(&[no_v6(), refused()]), (Code::Refused, 1, vec![]));
    assert_eq!(outcome(&[refused(), no_v6()]), (Code::Refused, 0, vec![]));
    assert_eq!(outcome(&[refused(), silent()]), (Code::Refused, 0, vec![]));
    assert_eq!(outcome(&[silent(), no_v6()]), (Code::TimeoutConnect, 0, vec![]));
    assert_eq!(outcome(&[silent(), up(Stage::Ident, 30, Fault::Eof)]), (Code::ClosedNoIdent, 1, vec![]));
    assert_eq!(judge(&[], usize::MAX, Depth::Auth).code, Code::Internal);
}

#[test]
fn a_stall_that_small_segments_cure_is_a_black_hole() {
    let stalled = || identified(up(Stage::Kexinit, 20_000, Fault::Timeout));
    let late = || identified(up(Stage::Kex, 20_000, Fault::Timeout));
    let verdict = judge(&[stalled(), small(listed(&["publickey"]))], usize::MAX, Depth::Auth);
    assert_eq!((verdict.code, verdict.stage, verdict.connection), (Code::PmtuBlackHole, Stage::Kexinit, 1));
    assert!(verdict.detail.contains("536 bytes"), "{}", verdict.detail);
    assert_eq!(outcome(&[late(), small(listed(&["publickey"]))]), (Code::PmtuBlackHole, 1, vec![]));
    // It got past the stall and failed later, for another reason.
    assert_eq!(outcome(&[stalled(), small(at_auth(true, Fault::Eof))]), (Code::PmtuBlackHole, 1, vec!["incomplete"]));
    // No better with small segments, or better without: no black hole.
    assert_eq!(outcome(&[stalled(), small(stalled())]), (Code::KexinitTimeout, 1, vec![]));
    assert_eq!(outcome(&[late(), small(stalled())]), (Code::KexTimeout, 0, vec![]));
    assert_eq!(outcome(&[stalled(), listed(&["publickey"])]), (Code::Ok, 1, vec![]));
}

/// Evidence in which nothing fits anything.
pub(crate) fn any_evidence() -> impl Strategy<Value = Evidence> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let stage = prop::sample::select(vec![
        Stage::Resolve,
        Stage::Connect,
        Stage::Tunnel,
        Stage::Ident,
        Stage::Kexinit,
        Stage::Kex,
        Stage::Auth,
        Stage::Login,
    ]);
    let fault = prop_oneof![
        prop::sample::select(vec![
            Fault::Connect,
            Fault::ConnectTimeout,
            Fault::Local(LocalTrouble::NoRoute),
            Fault::Timeout,
            Fault::Eof,
            Fault::Reset,
            Fault::Lost,
            Fault::Tarpit,
            Fault::PreambleTooLong,
            Fault::IdentMalformed("holds a NUL"),
            Fault::Ssh1Only,
            Fault::Echo,
            Fault::NoCommon(Slot::Mac),
            Fault::BadSignature("does not verify"),
            Fault::Mac,
            Fault::Disconnected,
        ]),
        ".*".prop_map(Fault::Protocol),
        ".*".prop_map(Fault::Internal),
    ];
    let path = (
        proptest::option::of((0..140i32).prop_map(Errno)),
        proptest::option::of((any::<u8>(), any::<u8>(), any::<bool>())),
    );
    let said = (bytes(), bytes(), bytes(), bytes(), any::<u32>(), proptest::option::of((any::<u32>(), bytes())));
    let auth = proptest::option::of((".*", any::<[bool; 5]>(), proptest::option::of(bytes()), bytes()));
    let extensions = proptest::collection::vec((bytes(), bytes()), 0..3);
    (
        (stage, proptest::option::of(fault), any::<bool>(), any::<[u32; 3]>(), proptest::option::of(any::<u16>())),
        path,
        said,
        auth,
        (proptest::option::of(bytes()), proptest::option::of(bytes()), extensions),
    )
        .prop_map(
            |((stage, fault, spoke_first, times, mss), (errno, icmp), said, auth, (ident, key, ext_info))| {
                let [started, ended, connect] = times.map(u64::from);
                let mut evidence = Evidence::new(V4.parse().unwrap(), Moment::from_micros(started));
                (evidence.stage, evidence.fault, evidence.spoke_first, evidence.mss) = (stage, fault, spoke_first, mss);
                evidence.ended = Moment::from_micros(ended);
                evidence.timing.connect = Some(Duration::from_micros(connect));
                evidence.path.errno = errno;
                evidence.path.icmp = icmp.map(|(kind, code, v6)| Icmp { kind, code, from: None, v6 });
                let (first, line, partial, unparsed, count, disconnect) = said;
                evidence.first_bytes = first;
                evidence.unparsed = unparsed;
                evidence.preamble.partial = partial;
                evidence.preamble.count = count;
                evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: line });
                evidence.disconnect = disconnect.map(|(code, text)| Disconnect { code, text });
                evidence.auth = auth.map(|(user, flags, method, banner)| Auth {
                    user: user.into(),
                    service_accepted: flags[0],
                    none_sent: flags[1],
                    methods: method.map(|method| vec![method].into()),
                    partial: flags[2],
                    none_accepted: flags[3],
                    banner,
                    banner_truncated: flags[4],
                });
                evidence.ident = ident.map(|raw| Identification { raw });
                evidence.host_key = key.map(|blob| HostKey { blob, signature: Signature::Unchecked });
                evidence.ext_info = ext_info.into();
                evidence
            },
        )
}

proptest! {
    #[test]
    fn any_evidence_gets_a_verdict_that_is_safe_to_print(
        connections in proptest::collection::vec(any_evidence(), 0..4),
        depth in prop::sample::select(Depth::ALL.to_vec()),
    ) {
        let verdict = judge(&connections, usize::MAX, depth);
        let findings = verdict.findings.iter().map(|finding| &*finding.detail);
        for text in findings.chain([&*verdict.detail]).chain(verdict.arg.as_deref()) {
            prop_assert!(!text.chars().any(is_unsafe), "{text:?}");
            prop_assert!(text.len() < 12_000, "{}", text.len());
        }
        prop_assert!(connections.is_empty() || verdict.connection < connections.len());
    }
}
