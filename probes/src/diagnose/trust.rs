//! What the host keys do to the verdict on a case: a key that is not the one known outweighs whatever came after it.

use super::code::Code;
use super::finding::{Finding, FindingId};
use super::verdict::Verdict;
use crate::trust::{JudgedKey, Mismatch};

/// What a key can make of the verdict, worst first. One outweighs those behind it and every failure of a later stage.
const WORST_FIRST: [Code; 7] = [
    Code::BadHostSignature,
    Code::HostKeyRevoked,
    Code::HostKeyChanged,
    Code::HostCertInvalid,
    Code::HostKeyTypeGone,
    Code::HostKeyTypeUnknown,
    Code::HostKeyUnknown,
];

/// The verdict with what the keys say about it.
///
/// A key of a type that is not known is only a finding where another key of the host is the one known. What the verdict was
/// before, if it was a failure, rides along as a finding.
#[must_use]
pub fn overrule(mut verdict: Verdict, keys: &[JudgedKey<'_>]) -> Verdict {
    let accepted = keys.iter().any(|key| key.judgement.accepted());
    let mut worst: Option<&Mismatch> = None;
    for key in keys {
        for finding in &key.judgement.findings {
            add(&mut verdict, finding.clone());
        }
        let Some(mismatch) = &key.judgement.mismatch else { continue };
        if accepted && mild(mismatch.code) {
            if let Some(id) = as_finding(mismatch.code) {
                add(&mut verdict, Finding::new(id, mismatch.detail.clone()));
            }
        } else if worst.is_none_or(|worst| rank(mismatch.code) < rank(worst.code)) {
            worst.into_iter().for_each(|milder| add(&mut verdict, beside(milder)));
            worst = Some(mismatch);
        } else {
            add(&mut verdict, beside(mismatch));
        }
    }
    // A signature that does not hold says that the key shown is not theirs who showed it: worse than any mismatch.
    let Some(worst) = worst else { return verdict };
    if verdict.code == Code::BadHostSignature {
        add(&mut verdict, beside(worst));
        return verdict;
    }
    if verdict.code != Code::Ok {
        let detail = format!("afterwards the connection ended with {}: {}", verdict.code, verdict.detail);
        verdict.findings.push(Finding::new(FindingId::Incomplete, detail));
    }
    Verdict {
        code: worst.code,
        arg: worst.arg.map(str::to_owned),
        detail: worst.detail.clone(),
        confidence: super::Confidence::High,
        removals: worst.remove.clone(),
        ..verdict
    }
}

fn rank(code: Code) -> usize {
    WORST_FIRST.iter().position(|each| *each == code).unwrap_or(WORST_FIRST.len())
}

/// Nothing but that this key was never seen.
const fn mild(code: Code) -> bool {
    matches!(code, Code::HostKeyTypeUnknown | Code::HostKeyUnknown)
}

const fn as_finding(code: Code) -> Option<FindingId> {
    match code {
        Code::HostKeyTypeUnknown => Some(FindingId::HostKeyTypeUnknown),
        Code::HostKeyUnknown => Some(FindingId::HostKeyUnknown),
        _ => None,
    }
}

/// A mismatch that another one outweighs.
fn beside(mismatch: &Mismatch) -> Finding {
    Finding::new(FindingId::FurtherKeyMismatch, format!("{}: {}", mismatch.code, mismatch.detail))
}

fn add(verdict: &mut Verdict, finding: Finding) {
    if !verdict.findings.contains(&finding) {
        verdict.findings.push(finding);
    }
}
