//! The verdict on a case: which of its connections' answers wins.

use std::net::SocketAddr;

use super::classify::classify;
use super::code::{Code, Status};
use super::finding::{Finding, FindingId};
use super::login;
use super::verdict::{Answer, Verdict};
use crate::evidence::{Evidence, Stage};
use crate::plan::Depth;

/// Judges all connections of a case, in the order in which they were made. Those from the `further`-th on were made for
/// another host key only, and go no deeper than the key exchange. Those that logged in come last: they decide if all before them is
/// well.
///
/// A wrong host-key signature wins, then a connection that yielded what was asked for, then the deepest stage's failure.
/// A kexinit or key exchange that only small segments bring through is a black hole on the path, not a slow server.
#[must_use]
pub fn judge(connections: &[Evidence], further: usize, asked: Depth) -> Verdict {
    let login = connections.iter().position(|each| each.login.is_some()).unwrap_or(connections.len());
    let depth = |at: usize| match at {
        at if at >= login => Depth::Login,
        at if at < further => asked.min(Depth::Auth),
        _ => asked.min(Depth::Kex),
    };
    if let [only] = connections
        && further > 0
        && asked != Depth::Login
    {
        // As for most targets: it wins, whatever it is.
        return classify(only, depth(0));
    }
    let each = connections.iter().enumerate();
    let mut verdicts: Vec<Verdict> = each.map(|(at, evidence)| classify(evidence, depth(at))).collect();
    for (index, verdict) in verdicts.iter_mut().enumerate() {
        verdict.connection = index;
    }
    let (before, logins) = verdicts.split_at_checked(login).unwrap_or((&verdicts, &[]));
    let learning = connections.get(..login).unwrap_or(connections);
    let Some(mut winner) = winner(learning, before, further) else {
        return Verdict::new(Code::Internal, Stage::Connect, "no connection was made and none was refused");
    };
    if asked == Depth::Login && winner.code == Code::Ok {
        winner = match logins.last() {
            Some(login) => Verdict { findings: winner.findings, ..login.clone() },
            // A server that lets everybody in needs no credential.
            None if learning.iter().any(|each| each.auth.as_ref().is_some_and(|auth| auth.none_accepted)) => winner,
            None => login::not_made(winner),
        };
    }
    winner.answers = verdicts.iter().map(|verdict| Answer { code: verdict.code, stage: verdict.stage }).collect();
    // The connection that decided comes first in the list; another's findings ride along once.
    for finding in verdicts.into_iter().flat_map(|verdict| verdict.findings) {
        if !winner.findings.iter().any(|known| known.id == finding.id) {
            winner.findings.push(finding);
        }
    }
    winner
}

fn winner(connections: &[Evidence], verdicts: &[Verdict], further: usize) -> Option<Verdict> {
    if let Some(bad) = verdicts.iter().find(|verdict| verdict.code == Code::BadHostSignature) {
        return Some(bad.clone());
    }
    let (main, others) = verdicts.split_at_checked(further).unwrap_or((verdicts, &[]));
    let mut winner = of_main(connections.get(..main.len())?, main)?;
    if let Some(failed) = others.iter().find(|verdict| verdict.code != Code::Ok) {
        winner.findings.push(incomplete(failed));
    }
    Some(winner)
}

/// What the connections came to that were made for everything there is to learn.
fn of_main(connections: &[Evidence], verdicts: &[Verdict]) -> Option<Verdict> {
    if let Some(hole) = black_hole(connections, verdicts) {
        return Some(hole);
    }
    let Some(complete) = verdicts.iter().position(|verdict| verdict.code == Code::Ok) else {
        return deepest(connections, verdicts);
    };
    let mut winner = verdicts.get(complete)?.clone();
    let later = verdicts.iter().skip(complete).find(|verdict| verdict.code != Code::Ok);
    if let Some(failed) = later {
        winner.findings.push(incomplete(failed));
    }
    Some(winner)
}

fn incomplete(failed: &Verdict) -> Finding {
    Finding::new(FindingId::Incomplete, format!("a further connection ended with {}: {}", failed.code, failed.detail))
}

/// A stall in KEXINIT or the key exchange that a connection with small segments got past.
fn black_hole(connections: &[Evidence], verdicts: &[Verdict]) -> Option<Verdict> {
    let pairs = || connections.iter().zip(verdicts);
    let stalled = pairs().find(|(evidence, verdict)| {
        evidence.mss.is_none() && matches!(verdict.code, Code::KexinitTimeout | Code::KexTimeout)
    })?;
    let cured = pairs().find(|(evidence, verdict)| {
        let past = evidence.stage > stalled.1.stage || verdict.code == Code::Ok;
        evidence.mss.is_some() && evidence.addr == stalled.0.addr && past
    })?;
    let mss = cured.0.mss.unwrap_or_default();
    let sentence = format!("{}; with segments of at most {mss} bytes it went through", stalled.1.detail);
    let mut hole = Verdict::new(Code::PmtuBlackHole, stalled.1.stage, sentence);
    hole.connection = cured.1.connection;
    hole.findings.clone_from(&cured.1.findings);
    if cured.1.code != Code::Ok {
        hole.findings.push(incomplete(cured.1));
    }
    Some(hole)
}

/// No connection was complete: per address the deepest answer, then the address that answered most.
fn deepest(connections: &[Evidence], verdicts: &[Verdict]) -> Option<Verdict> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for evidence in connections {
        if !addresses.contains(&evidence.addr) {
            addresses.push(evidence.addr);
        }
    }
    let mut best: Option<&Verdict> = None;
    for addr in addresses {
        let answers = connections.iter().zip(verdicts).filter(|(evidence, _)| evidence.addr == addr);
        let answer = answers.map(|(_, verdict)| verdict).reduce(later_or_deeper)?;
        // Of several addresses that went equally far the last counts, as ssh does it, but silence does not outvote an answer.
        if best.is_none_or(|best| (answer.stage, said(answer)) >= (best.stage, said(best))) {
            best = Some(answer);
        }
    }
    best.cloned()
}

/// Of two connections to one address the one that went deeper, or else the later one: an address that accepted once is not
/// empty because the next SYN went unanswered.
fn later_or_deeper<'a>(earlier: &'a Verdict, later: &'a Verdict) -> &'a Verdict {
    // Trouble of our own never replaces what the target said.
    if later.status() == Status::LocalError && earlier.status() != Status::LocalError {
        return earlier;
    }
    if earlier.status() == Status::LocalError || later.stage >= earlier.stage { later } else { earlier }
}

/// How much an address that gave no connection has said: our own trouble nothing, silence less than an answer.
const fn said(verdict: &Verdict) -> u8 {
    match verdict.status() {
        Status::LocalError => 0,
        Status::Timeout => 1,
        _ => 2,
    }
}
