//! One function per fuzz target. Each takes bytes that nobody vouches for and asserts what must hold for any of them.
//!
//! The fuzzer calls them through one line in `fuzz/`, the ordinary tests with the seeds that are kept there.

mod naive;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::HOST_KEY;
use crate::diagnose;
use crate::escape::is_unsafe;
use crate::evidence::{Evidence, Fault};
use crate::hostkey::{Certificate, CertificateRole, FingerprintHash, UnixTime, key_info, key_type, plain_key, verify};
use crate::iap::{DATA_MAX, Event, Frame, IapSession, RelayFault};
use crate::inventory::{self, Inventory};
use crate::negotiate::{Offer, UnknownAlgorithm};
#[cfg(feature = "syn")]
use crate::plan::Depth;
use crate::plan::Plan;
use crate::probe::{End, Probe};
use crate::proxy::{Credentials, HttpConnect, Peer, ProxyFault, Socks5, Stderr, Step as ProxyStep};
use crate::random::Seed;
use crate::ssh_config::{self, Exec, Files, HostConfig, Local, Problems, Query, World};
use crate::stage::ident::{AwaitIdent, Step};
#[cfg(feature = "syn")]
use crate::sweep::cookie::{Cookie, Cookies, SourcePorts};
use crate::time::Moment;
use crate::trust::Problem;
use crate::trust::bad_keys::BadKeys;
use crate::trust::certificate::{Authority, CertFault, CertRules, describe, judge_certificate, version_note};
use crate::trust::known_hosts::{Answer, Entry, Known, KnownHosts, LookupName};
use crate::trust::revoked::RevokedKeysBuilder;
use crate::trust::sshfp::{SshfpAnswer, SshfpRecord, compare, records_for};
use crate::wire::kexinit::KexInit;
use crate::wire::packet::Inbound;
use crate::wire::read::Reader;

/// The moment at which everything happens in a replay.
const NOW: Moment = Moment::from_micros(1_000);

/// The seed of every replayed probe: a transcript recorded with it can be opened again.
pub const SEED: Seed = Seed([7; 32]);

/// The plan of a recorded conversation: one algorithm in one of the lists `kex`, `host_key`, `cipher` and `mac`, plain and
/// cheap ones in the others. Nothing in it depends on defaults or on a version, as all of it enters the exchange hash.
///
/// # Errors
/// A name that stands in no table. Another list changes nothing.
pub fn transcript_plan(list: &str, name: &str) -> Result<Plan, UnknownAlgorithm> {
    let offer = Offer::modern().with_kex(&["curve25519-sha256"])?.with_host_key(&["ssh-ed25519"])?;
    let offer = offer.with_cipher(&["aes128-ctr"])?.with_mac(&["hmac-sha2-256"])?;
    let offer = match list {
        "kex" => offer.with_kex(&[name])?,
        "host_key" => offer.with_host_key(&[name])?,
        "cipher" => offer.with_cipher(&[name])?,
        "mac" => offer.with_mac(&[name])?,
        _ => offer,
    };
    Ok(Plan { ident: b"SSH-2.0-sshprobe".to_vec(), offer: Arc::new(offer), ..Plan::default() })
}

fn blank() -> Evidence {
    Evidence::new(([127, 0, 0, 1], 22).into(), Moment::START)
}

/// Runs a probe on what a server sent, in the pieces given, followed by the connection's end.
///
/// Everything happens at one moment and with one seed, so that equal bytes give equal evidence.
pub fn replay<'a>(plan: &Arc<Plan>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Evidence {
    let mut probe = Probe::new(Arc::clone(plan), SEED, blank(), NOW);
    for piece in pieces {
        if probe.finished().is_some() {
            break;
        }
        probe.input(NOW, piece);
        probe.written(probe.output().len());
    }
    probe.input_end(NOW, End::Eof);
    probe.into_evidence(NOW)
}

/// The identification in one piece and byte by byte.
pub fn ident(data: &[u8]) {
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut state, mut evidence, mut used) = (AwaitIdent::default(), blank(), 0usize);
        for piece in pieces {
            match state.input(Duration::ZERO, piece, None, &mut evidence) {
                Step::More => used = used.saturating_add(piece.len()),
                Step::Identified(count) => return (evidence, used.saturating_add(count), None),
                Step::Over(fault, count) => return (evidence, used.saturating_add(count), Some(fault)),
            }
        }
        let fault = state.end(&mut evidence);
        (evidence, used, fault)
    };
    let whole = run(&mut std::iter::once(data));
    assert_eq!(whole, run(&mut data.chunks(1)));
    if let (Some(ident), None) = (&whole.0.ident, &whole.2) {
        assert!(ident.proto().starts_with(b"2.") || ident.proto() == b"1.99");
    }
}

/// A KEXINIT: its lists lie within it, and written again they are the same.
pub fn kexinit(data: &[u8]) {
    let Ok(kexinit) = KexInit::parse(data) else { return };
    assert_eq!(kexinit.payload(), data);
    let lists = kexinit.lists().map(|list| list.0);
    let again = KexInit::build([0; 16], lists, kexinit.first_kex_packet_follows());
    let parsed = KexInit::parse(&again);
    assert!(parsed.is_ok_and(|parsed| parsed.kex() == kexinit.kex() && parsed.lang_s2c() == kexinit.lang_s2c()));
}

/// The packet layer without encryption: the same packets whole and byte by byte, and never more held than came.
pub fn packet(data: &[u8]) {
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut inbound, mut packets) = (Inbound::new(), Vec::new());
        for piece in pieces {
            inbound.feed(piece);
            loop {
                match inbound.packet() {
                    Ok(Some(payload)) => packets.push(payload.to_vec()),
                    Ok(None) => break,
                    Err(fault) => return (packets, Some(fault.to_string())),
                }
            }
            assert!(inbound.buffered() <= data.len());
        }
        (packets, None)
    };
    assert_eq!(run(&mut std::iter::once(data)), run(&mut data.chunks(1)));
}

/// A host key or certificate as a `string`, a signature as another, and what was signed.
pub fn host_key(data: &[u8]) {
    let mut reader = Reader::new(data);
    let (blob, signature) = (reader.string().unwrap_or(data), reader.string().unwrap_or(data));
    if let Ok(info) = key_info(blob) {
        assert_eq!(key_type(blob), Some(info.kind));
        assert!(plain_key(blob).is_ok_and(|plain| key_info(&plain).is_ok_and(|plain| plain.bits == info.bits)));
    }
    if let Ok(certificate) = Certificate::parse(blob) {
        assert!(blob.starts_with(certificate.signed) && certificate.signed.len() < blob.len());
        let _ = certificate.verify_ca();
    }
    for algorithm in HOST_KEY {
        let _ = verify(algorithm, blob, signature, reader.rest());
    }
}

/// A whole probe against whatever a server may send: it ends, and what it saw does not depend on how the bytes came.
pub fn probe(data: &[u8]) {
    let plan = Arc::new(Plan::default());
    let whole = replay(&plan, [data]);
    assert_eq!(whole, replay(&plan, data.chunks(1)));
    assert!(!matches!(whole.fault, Some(Fault::Internal(_))), "{:?}", whole.fault);
    let verdict = diagnose::classify(&whole, plan.depth);
    assert!(!verdict.detail.chars().any(char::is_control), "{:?}", verdict.detail);
}

/// A moment (`uint64`) and a host certificate: no certificate is accepted that breaks one of its own terms.
pub fn host_certificate(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(now) = reader.u64().map(UnixTime) else { return };
    let Ok(cert) = Certificate::parse(reader.rest()) else { return };
    let rules = CertRules::default();
    let named = cert.principals.first().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase());
    for host in [named.as_deref().unwrap_or_default(), "host.example", ""] {
        let judge = |authority| judge_certificate(&cert, host, now, &rules, authority);
        let _ = version_note(&cert, host);
        if judge(Authority::Trusted).is_ok() {
            assert!(cert.role == CertificateRole::Host && cert.valid_at(now));
            assert!(!cert.principals.is_empty() && cert.critical_options.is_empty());
            assert_eq!(judge(Authority::Unknown), Err(CertFault::CaUnknown));
            assert_eq!(judge(Authority::Revoked), Err(CertFault::CaRevoked));
        }
    }
    let _ = describe(&cert, FingerprintHash::default());
}

/// A host key as a `string`, and a file of revoked keys: a certificate whose plain key or authority is revoked is revoked too.
pub fn krl(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(blob) = reader.string() else { return };
    let mut builder = RevokedKeysBuilder::default();
    let said = match builder.file("list", reader.rest()) {
        Ok(problems) => problems,
        Err(problem) => vec![problem],
    };
    assert!(said.iter().all(|problem| !problem.what.chars().any(char::is_control)));
    let keys = builder.build();
    let answer = keys.revokes(blob);
    if let Ok(cert) = Certificate::parse(blob) {
        assert!(answer.is_some() || (keys.revokes(&cert.key).is_none() && keys.revokes(cert.ca_key).is_none()));
    }
    let mut bad = BadKeys::default();
    let problems = bad.file("list", reader.rest());
    assert!(problems.iter().all(|problem| !problem.what.chars().any(char::is_control)));
    let _ = bad.find(blob);
}

/// A host key as a `string`, and SSHFP records as `string`s: written again they are the same, and their order does not matter.
pub fn sshfp(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(blob) = reader.string() else { return };
    let mut records = Vec::new();
    while let Ok(rdata) = reader.string() {
        if let Ok(text) = std::str::from_utf8(rdata) {
            records.extend(SshfpRecord::from_text(text));
        }
        let Ok(record) = SshfpRecord::from_rdata(rdata) else { continue };
        assert_eq!(record.to_rdata(), rdata);
        assert_eq!(SshfpRecord::from_text(&record.to_string()).as_ref(), Ok(&record));
        records.push(record);
    }
    let answer = compare(&records, blob);
    records.reverse();
    assert_eq!(compare(&records, blob), answer);
    let own = records_for(blob);
    assert!(own.is_empty() || compare(&own, blob) == SshfpAnswer::Match);
    if answer == SshfpAnswer::Match {
        assert!(records.iter().any(|record| own.contains(record)));
    }
}

/// A first line with a name (`HOST PORT` or `@ALIAS`), and what follows it.
fn name_and_file(data: &[u8]) -> (LookupName, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (name, file) = data.split_at_checked(end).unwrap_or((data, &[]));
    let name = String::from_utf8_lossy(name);
    let (host, port) = name.split_once(' ').unwrap_or((&name, "22"));
    let name = match host.strip_prefix('@') {
        Some(alias) => LookupName::alias(alias),
        None => LookupName::new(host, port.parse().unwrap_or(2222)),
    };
    (name, file.get(1..).unwrap_or_default())
}

fn entries(known: &Known) -> impl Iterator<Item = &Entry> {
    known.keys.iter().chain(&known.authorities).chain(&known.revoked)
}

/// known_hosts: one problem a line at most, safe to show; whatever is found is a key and answers for itself; neither the
/// ends of lines nor a cut between two of them changes anything.
pub fn known_hosts(data: &[u8]) {
    let (name, content) = name_and_file(data);
    let mut builder = KnownHosts::builder();
    let problems = builder.file("file", content);
    let store = builder.build();
    let lines = problems.iter().map(|problem| problem.at.line).collect::<BTreeSet<_>>();
    assert_eq!(lines.len(), problems.len());
    assert!(problems.len() <= content.split(|byte| *byte == b'\n').count().min(1_001));
    for problem in &problems {
        assert!(problem.what.len() < 1_000 && !problem.what.chars().any(is_unsafe), "{problem}");
    }
    let known = store.lookup(&name);
    for known in std::iter::once(&known).chain(known.fallback.as_deref()) {
        for entry in entries(known) {
            assert!(key_info(&entry.blob).is_ok_and(|info| info.kind == entry.key_type()));
            assert!(entry.source.line.is_some() && !(entry.hashed && entry.by_pattern));
        }
        for list in [&known.keys, &known.authorities, &known.revoked] {
            assert!(list.is_sorted_by_key(|entry| entry.source.line));
        }
        for entry in &known.keys {
            assert!(matches!(known.answer(&entry.blob), Answer::Match(_) | Answer::Revoked(_)));
            assert!(store.known_as(&entry.blob, &name, 3).len() <= 3);
        }
        for entry in &known.revoked {
            assert!(matches!(known.answer(&entry.blob), Answer::Revoked(_)));
        }
        assert!(known.authorities.iter().all(|entry| known.authority(&entry.blob).is_some()));
    }

    let read = |files: &[&[u8]]| {
        let mut builder = KnownHosts::builder();
        for file in files {
            builder.file("file", file);
        }
        builder.build().lookup(&name)
    };
    let crlf = content.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
    assert_eq!(known, read(&[&crlf]));
    let cut = content.iter().position(|byte| *byte == b'\n').map_or(content.len(), |at| at.saturating_add(1));
    let (first, second) = content.split_at_checked(cut).unwrap_or((content, &[]));
    let halves = read(&[first, second]);
    assert!(entries(&known).map(|entry| &entry.blob).eq(entries(&halves).map(|entry| &entry.blob)));
}

/// known_hosts as the index reads it beside what a naive reader makes of the same bytes. Files with certificates or keys of
/// other types than Ed25519 are beyond that one.
pub fn known_hosts_naive(data: &[u8]) {
    let (name, content) = name_and_file(data);
    let mut builder = KnownHosts::builder();
    builder.file("file", content);
    let store = builder.build();
    let known = store.lookup(&name);
    let others = |known: &Known| entries(known).any(|entry| entry.key_type() != "ssh-ed25519");
    let certificates = content.windows(6).any(|window| window == b"-cert-");
    if certificates || others(&known) || known.fallback.as_deref().is_some_and(others) {
        return;
    }
    let line = |entry: &Entry| entry.source.line.unwrap_or(0);
    let mut index = Vec::new();
    for (marker, list) in [("", &known.keys), ("@cert-authority", &known.authorities), ("@revoked", &known.revoked)] {
        let said = |entry: &Entry| naive::Said { line: line(entry), marker: marker.into(), blob: entry.blob.to_vec() };
        index.extend(list.iter().map(said));
    }
    index.sort_by_key(|said| said.line);
    let said = naive::said_of(content, name.as_str());
    assert_eq!(index, said);

    let plain = name.fallback().map(|plain| naive::said_of(content, plain));
    let foreign = [&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &[0x55; 32]].concat();
    let blobs = said.iter().chain(plain.iter().flatten()).map(|said| &said.blob).chain([&foreign]);
    for blob in blobs {
        let answer = match known.answer(blob) {
            Answer::Match(entry) => naive::Word::Match(line(entry)),
            Answer::Revoked(entry) => naive::Word::Revoked(line(entry)),
            Answer::Changed(_) | Answer::OtherType(_) => naive::Word::Changed,
            Answer::Unknown => naive::Word::Unknown,
        };
        assert_eq!(answer, naive::word(&said, plain.as_deref(), blob));
    }
}

/// A relay's messages, each behind its length in two bytes: nothing comes through before the session or after its end, and what
/// is written comes out of its frames as it went in.
pub fn relay_frame(data: &[u8]) {
    let _ = Frame::decode(data);
    let mut session = IapSession::new(NOW);
    let (mut rest, mut over, mut received) = (data, false, 0u64);
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(behind.len());
        let Some((message, behind)) = behind.split_at_checked(len) else { return };
        rest = behind;
        let opened = session.sid().is_some();
        match session.message(NOW, message) {
            Ok(Event::Data(bytes)) => {
                assert!(opened && !over && bytes.len() <= DATA_MAX);
                received = received.saturating_add(bytes.len() as u64);
            }
            Ok(Event::Opened) => assert!(!opened && !over && session.sid().is_some_and(|sid| sid.len() <= DATA_MAX)),
            Ok(Event::Acknowledged(count)) => assert!(opened && !over && count <= session.sent()),
            Ok(Event::Ended(end)) => {
                assert!(!over);
                over = true;
                let _ = end.verdict();
            }
            Ok(Event::Ignored) => assert!(!over),
            Err(fault) => {
                assert!(over == (fault == RelayFault::AfterEnd));
                over = true;
            }
        }
        assert_eq!(session.received(), received);
        let _ = session.ack();
        if let Some(frames) = session.write(message) {
            let sent: Vec<u8> = frames
                .iter()
                .flat_map(|frame| match Frame::decode(frame) {
                    Ok(Frame::Data(bytes)) => bytes,
                    _ => &[],
                })
                .copied()
                .collect();
            assert_eq!(sent, message);
        }
    }
}

/// A ProxyCommand's stderr: no more is kept than allowed, and it does not matter how it came.
pub fn proxy_stderr(data: &[u8]) {
    let (mut whole, mut cut) = (Stderr::new(), Stderr::new());
    whole.feed(data);
    data.chunks(7).for_each(|piece| cut.feed(piece));
    assert_eq!(whole.text(), cut.text());
    assert!(whole.dropped() > 0 || whole.text() == data);
    assert!(whole.text().len() <= Stderr::KEPT_MAX.saturating_add(64));
    if let Some(trouble) = whole.trouble() {
        assert!(trouble.line.len() <= 512 && data.windows(trouble.line.len()).any(|line| *line == *trouble.line));
        assert!(trouble.arg.is_none_or(|arg| arg.is_ascii() && arg.len() <= 64));
    }
}

/// Where a proxy's answer led, in pieces of `size` bytes: how much of it was the proxy's, or the fault.
fn proxy_answer(
    data: &[u8],
    size: usize,
    input: &mut dyn FnMut(&[u8]) -> Result<ProxyStep, ProxyFault>,
) -> Option<Result<usize, ProxyFault>> {
    let mut before = 0usize;
    for piece in data.chunks(size.max(1)) {
        match input(piece) {
            Ok(ProxyStep::More) => before = before.saturating_add(piece.len()),
            Ok(ProxyStep::Connected(used)) => {
                assert!(used <= piece.len());
                return Some(Ok(before.saturating_add(used)));
            }
            Err(fault) => return Some(Err(fault)),
        }
    }
    None
}

/// A SOCKS5 proxy's answers, with and without credentials offered: whole and byte by byte alike.
pub fn socks5_reply(data: &[u8]) {
    let Ok(peer) = Peer::new("db.example", 22) else { return };
    for credentials in [None, Credentials::new("user", "pass").ok()] {
        let run = |size: usize| {
            let mut socks = Socks5::new(peer.clone(), credentials.clone());
            let outcome = proxy_answer(data, size, &mut |piece| socks.input(piece));
            (outcome.unwrap_or_else(|| Err(socks.input_end())), socks.output().to_vec())
        };
        let whole = run(data.len());
        assert_eq!(whole, run(1));
        // Greeting, user and password, request: nothing else is ever said.
        assert!(whole.1.len() <= 4 + 11 + 17);
        if let Ok(used) = whole.0 {
            assert!(used <= Socks5::REPLY_MAX.saturating_add(4));
        }
    }
}

/// An HTTP proxy's answer to CONNECT: whole and byte by byte alike, and never read without end.
pub fn http_connect_reply(data: &[u8]) {
    let run = |size: usize| {
        let mut connect = HttpConnect::new();
        let outcome = proxy_answer(data, size, &mut |piece| connect.input(piece));
        outcome.unwrap_or_else(|| Err(connect.input_end()))
    };
    let whole = run(data.len());
    assert_eq!(whole, run(1));
    if let Ok(used) = whole {
        assert!(used <= HttpConnect::HEAD_MAX && data.get(..used).is_some_and(|head| head.ends_with(b"\n")));
    }
}

/// A machine with one file, which every Include finds once.
struct OneFile<'a>(&'a [u8]);

impl World for OneFile<'_> {
    fn read(&self, path: &str, _: bool) -> Result<Vec<u8>, ssh_config::Fault> {
        // What is included has lines of its own, and no Include that would find itself.
        Ok(if path == "config" {
            self.0.to_vec()
        } else {
            b"Host included\nPort 2\nMatch final\nUser included\n".to_vec()
        })
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        vec![pattern.to_owned()]
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| String::from("/home"))
    }

    fn home_of(&self, user: &str) -> Option<String> {
        (user == "user").then(|| String::from("/home/user"))
    }

    fn exec(&self, command: &str) -> Exec {
        if command.len().is_multiple_of(3) { Exec::NotAllowed } else { Exec::Ran(command.len().is_multiple_of(2)) }
    }
}

/// A configuration, behind a line with the destination: it is read or refused with a place, and line ends change nothing.
pub fn ssh_config(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (destination, content) = data.split_at_checked(at).unwrap_or((data, &[]));
    let content = content.get(1..).unwrap_or_default();
    let destination = String::from_utf8_lossy(destination);
    let query = Query::destination(&destination).unwrap_or_else(|_| Query { host: "h".into(), ..Query::default() });
    let local = Local { user: "user".into(), home: "/home/user".into(), uid: 1000, host_name: "here.example".into() };
    let files = Files::Named("config".into());
    let read = |content: &[u8]| ssh_config::resolve(&query, &files, &local, &OneFile(content));
    let whole = read(content);
    assert_eq!(whole, read(&content.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])));
    assert_eq!(whole, read(&[content, b"\n"].concat()));
    match &whole {
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.what.contains(char::is_control)), "{problems:?}");
        }
        Ok(config) => {
            lists_of_algorithms(config);
            // Lines that hold for another host change nothing.
            let more = read(&[content, b"\nHost a-name-that-no-seed-has\n  Port 1\n  IdentityFile x\n"].concat());
            assert_eq!(Ok(config), more.as_ref());
        }
    }
    let hosts = ssh_config::concrete_hosts(&files, &local, &OneFile(content)).hosts;
    assert!(hosts.iter().all(|host| !host.value.contains(['*', '?']) && !host.value.starts_with('!')));
}

fn lists_of_algorithms(config: &HostConfig) {
    let names: Vec<&str> = HOST_KEY.iter().map(|algorithm| algorithm.name).collect();
    let written = [&config.host_key_algorithms, &config.kex_algorithms, &config.ciphers, &config.macs];
    for list in written.into_iter().flatten() {
        if let Ok(list) = ssh_config::resolve_algorithms(&list.value, names.get(..2).unwrap_or_default(), &names) {
            assert!(list.iter().all(|name| names.contains(name)));
            assert!(list.iter().enumerate().all(|(at, name)| !list.iter().take(at).any(|before| before == name)));
        }
    }
}

/// An inventory in every format: hosts are there once, groups hold only hosts that are there, faults have their file.
pub fn inventory(data: &[u8]) {
    let mut ini = None;
    for name in ["hosts.ini", "hosts.yml", "hosts"] {
        let read: Result<Inventory, Vec<Problem>> = inventory::parse(name, data);
        match &read {
            Ok(inventory) => {
                let mut names: Vec<&str> = inventory.hosts.iter().map(|host| &*host.name).collect();
                names.sort_unstable();
                assert!(names.iter().zip(names.iter().skip(1)).all(|(one, next)| one != next));
                for group in &inventory.groups {
                    let inside = inventory.hosts_of(&group.name).map(|host| &host.name);
                    // Hosts that are left out are in no list of hosts, though in their groups.
                    assert!(inside.count() <= group.hosts.len());
                }
            }
            Err(problems) => {
                assert!(
                    problems
                        .iter()
                        .all(|problem| &*problem.at.file == name && !problem.what.contains(char::is_control))
                );
                assert!(!problems.is_empty());
            }
        }
        ini = ini.or(Some(read));
    }
    let crlf = data.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
    assert_eq!(ini, Some(inventory::parse("hosts.ini", &crlf)));
}

/// A packet that arrives during a SYN sweep: what is taken for an answer has the cookie of its target, and a verdict.
#[cfg(feature = "syn")]
pub fn syn_reply(data: &[u8]) {
    let cookies = Cookies::new(SEED, SourcePorts::BELOW_LINUX);
    let Some(answer) = cookies.answer(data) else { return };
    let Cookie { source_port, id, .. } = cookies.of(answer.target.ip(), answer.target.port());
    assert_eq!((answer.id, answer.local.port()), (id, source_port));
    assert_eq!(answer.target.is_ipv4(), answer.local.is_ipv4());
    let verdict = diagnose::classify(&answer.evidence(Moment::START, NOW), Depth::Connect);
    assert_ne!(verdict.code, diagnose::Code::Internal);
    // What stands behind it in a frame changes nothing.
    let whole = match data {
        [first, _, high, low, ..] if first >> 4 == 4 => usize::from(u16::from_be_bytes([*high, *low])) <= data.len(),
        [_, _, _, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) + 40 <= data.len(),
        _ => false,
    };
    if whole {
        assert_eq!(cookies.answer(&[data, &[0x5a; 9]].concat()), Some(answer));
    }
}
