//! What the engine tells about single connections (`-v`, `-vv`) as [`tracing`] events: INFO for a connection's life, DEBUG
//! for its stages.
//!
//! Where nobody listens an event costs one look at a number. Bytes from the network are escaped here; of credentials
//! nothing is ever said.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use sshprobe_probes::case::{Connect, ResolveFault};
use sshprobe_probes::diagnose::classify;
use sshprobe_probes::escape::{escape, quote};
use sshprobe_probes::evidence::{Evidence, Stage};
use sshprobe_probes::plan::Depth;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Target, host_port, is_stand_in};
use sshprobe_probes::time::Moment;

use super::connector::Shortage;

/// The most of a server's text that a line shows.
const TEXT: usize = 120;

tokio::task_local! {
    /// What is told in place of the address that stands in for a target's, which nobody here knows.
    static NAMED: String;
}

/// Does the work of a target in whose events it goes by its name, where nobody here knows its address.
///
/// Takes the work by reference, because what a future is given it holds twice.
pub(super) async fn naming<W: Future>(target: &Target, work: Pin<&mut W>) -> W::Output {
    if !tracing::enabled!(tracing::Level::INFO) {
        return work.await;
    }
    let name = host_port(&escape(target.shown()), target.port);
    NAMED.scope(name, work).await
}

/// Where a connection goes: its address, or the name for which that stands in.
fn shown(addr: SocketAddr) -> String {
    let named = is_stand_in(addr.ip()).then(|| NAMED.try_with(String::clone).ok()).flatten();
    named.unwrap_or_else(|| addr.to_string())
}

fn millis(span: Duration) -> String {
    format!("{:.1}ms", span.as_secs_f64() * 1e3)
}

/// A name was asked for.
pub(super) fn resolved(name: &str, found: &Result<Vec<IpAddr>, ResolveFault>, took: Duration) {
    match found {
        Ok(addrs) => tracing::info!("{} resolved to {addrs:?} in {}", escape(name), millis(took)),
        Err(fault) => {
            tracing::info!("{} not resolved in {}: {}", escape(name), millis(took), escape(format!("{fault:?}")))
        }
    }
}

/// A connection may be opened.
pub(super) fn admitted(connect: &Connect) {
    tracing::info!("{} admitted", shown(connect.addr));
}

/// It is up.
pub(super) fn connected(evidence: &Evidence) {
    let took = evidence.timing.connect.unwrap_or_default();
    tracing::info!("{} connected in {}", shown(evidence.addr), millis(took));
}

/// Its way was gone, or its SYNs were dropped here.
pub(super) fn made_anew(addr: SocketAddr) {
    tracing::info!("{} once more, as nothing was sent to it", shown(addr));
}

/// It could not be opened for want of something of ours.
pub(super) fn short(addr: SocketAddr, of: Shortage, again: Duration) {
    let addr = shown(addr);
    tracing::info!("{addr} put off, as this machine is short of something ({of}); again in {}", millis(again));
}

/// It is over.
pub(super) fn ended(evidence: &Evidence, depth: Depth) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let verdict = classify(evidence, depth);
    let took = evidence.ended.since(evidence.started);
    let (addr, received) = (shown(evidence.addr), evidence.received);
    tracing::info!(
        "{addr} ended in {} after {} and {received} bytes: {}: {}",
        verdict.stage.name(),
        millis(took),
        verdict.code,
        escape(&verdict.detail)
    );
}

/// The target is done: what all its connections came to, its host keys held against what is known of them.
pub(super) fn done(record: &Record) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let keys = record.host_keys.iter().map(|key| {
        let source = key.source.as_deref().map(|source| format!(" ({source})")).unwrap_or_default();
        format!(
            "; host key {} {}: {}{source}",
            escape(&*key.kind),
            key.fingerprint,
            format!("{:?}", key.trust).to_lowercase()
        )
    });
    let keys = escape(keys.collect::<String>());
    let (host, port) = (escape(&record.target.host), record.target.port);
    tracing::info!("{host} port {port} came to {}: {}{keys}", record.code, escape(&record.detail));
}

/// There is to be another connection to the same target.
pub(super) fn again(before: &Connect, next: &Connect, now: Moment) {
    // The case says what differs; a retry is the same again.
    let why = if next.login.is_some() && before.login.is_none() {
        "to log in, as all else was learned"
    } else if next.addr != before.addr {
        "the name's next address"
    } else if next.mss != before.mss {
        "again with small segments, as big packets may be lost"
    } else if next.plan.step_by_step != before.plan.step_by_step {
        "again step by step, as the server may have choked on two requests at once"
    } else {
        "again, as the answer may pass by itself"
    };
    tracing::info!("{} planned in {}: {why}", shown(next.addr), millis(next.not_before.since(now)));
}

/// The probe has come from `from` to another stage; tells what it learned there.
pub(super) fn stage(from: Stage, evidence: &Evidence) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let addr = shown(evidence.addr);
    let learned = match from {
        Stage::Ident => evidence.ident.as_ref().map(|ident| quote(&ident.raw, TEXT)),
        Stage::Kexinit => evidence.kexinit.as_ref().map(|_| String::from("the server's offer is known")),
        Stage::Kex => evidence.negotiated.as_ref().map(|agreed| {
            let key = evidence
                .host_key
                .as_ref()
                .map_or_else(String::new, |key| format!("{:?}", key.signature).to_lowercase());
            format!("{}, {}, {}; host key's signature {key}", agreed.kex, agreed.host_key, agreed.cipher_c2s)
        }),
        _ => None,
    };
    tracing::debug!("{addr} {} done, {} begins: {}", from.name(), evidence.stage.name(), learned.unwrap_or_default());
}

/// The probe has finished in this stage.
pub(super) fn last_stage(evidence: &Evidence) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let methods = evidence.auth.as_ref().and_then(|auth| auth.methods.as_ref());
    let methods = methods.map_or_else(String::new, |methods| format!("; methods {}", quote(methods.join(&b','), TEXT)));
    tracing::debug!("{} {} is the last stage{methods}", shown(evidence.addr), evidence.stage.name());
}
