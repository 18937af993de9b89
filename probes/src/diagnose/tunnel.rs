//! The way to the target: a tunnel or proxy that did not lead there.

use super::code::Code;
use super::verdict::Verdict;
use crate::evidence::{CUT_SHORT, Evidence, Fault, Stage};

/// The way broke before SSH began, and whoever is on it said how.
pub(super) fn broke(evidence: &Evidence) -> Verdict {
    let Some(trouble) = evidence.tunnel.as_ref().and_then(|tunnel| tunnel.trouble.as_ref()) else {
        return Verdict::new(Code::Internal, Stage::Tunnel, "a tunnel broke and nothing says how");
    };
    let verdict = Verdict::new(trouble.code, Stage::Tunnel, trouble.detail.clone());
    let verdict = Verdict { confidence: trouble.confidence, ..verdict };
    match &trouble.arg {
        Some(arg) => verdict.with_arg(arg.clone()),
        None => verdict,
    }
}

/// The stream ended and the target had not said a word: what the way to it says about that explains the end.
///
/// Once the target has spoken, SSH's own evidence tells more, unless the relay itself gave up and said so.
pub(super) fn explains(evidence: &Evidence) -> bool {
    let Some(trouble) = evidence.tunnel.as_ref().and_then(|tunnel| tunnel.trouble.as_ref()) else { return false };
    match evidence.fault {
        Some(Fault::Eof | Fault::Reset | Fault::Timeout) if evidence.received == 0 => true,
        // A line that the way cut is not malformed by whoever wrote it.
        Some(Fault::Eof | Fault::Reset | Fault::IdentMalformed(CUT_SHORT)) => match trouble.code {
            // 1006: the relay's connection ended and nobody said why. It may be the target's end.
            Code::IapRelayError => trouble.arg.as_deref() != Some("1006"),
            code => matches!(code, Code::IapNotAuthorized | Code::IapProtocol | Code::JumpFailed),
        },
        _ => false,
    }
}
