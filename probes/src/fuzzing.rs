//! One function per fuzz target. Each takes bytes that nobody vouches for and asserts what must hold for any of them.
//!
//! The fuzzer calls them through one line in `fuzz/`, the ordinary tests with the seeds that are kept there.

use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::HOST_KEY;
use crate::diagnose;
use crate::evidence::{Evidence, Fault};
use crate::hostkey::{Certificate, key_info, key_type, plain_key, verify};
use crate::inventory::{self, Inventory};
use crate::negotiate::{Offer, UnknownAlgorithm};
use crate::plan::Plan;
use crate::probe::{End, Probe};
use crate::random::Seed;
use crate::ssh_config::{self, Exec, Files, HostConfig, Local, Problems, Query, World};
use crate::stage::ident::{AwaitIdent, Step};
use crate::time::Moment;
use crate::trust::Problem;
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
