//! One function per fuzz target. Each takes bytes that nobody vouches for and asserts what must hold for any of them.
//!
//! The fuzzer calls them through one line in `fuzz/`, the ordinary tests with the seeds that are kept there.

use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::HOST_KEY;
use crate::diagnose;
use crate::evidence::{Evidence, Fault};
use crate::hostkey::{Certificate, key_info, key_type, plain_key, verify};
use crate::iap::{DATA_MAX, Event, Frame, IapSession, RelayFault};
use crate::negotiate::{Offer, UnknownAlgorithm};
use crate::plan::Plan;
use crate::probe::{End, Probe};
use crate::proxy::{Credentials, HttpConnect, Peer, ProxyFault, Socks5, Stderr, Step as ProxyStep};
use crate::random::Seed;
use crate::stage::ident::{AwaitIdent, Step};
use crate::time::Moment;
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
