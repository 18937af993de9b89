//! DISCONNECT (RFC 4253 section 11.1): the text first, as OpenSSH's server gives reason 2 to everything it says.

use super::classify::QUOTED;
use super::code::Code;
use super::text;
use super::verdict::Verdict;
use crate::escape::quote;
use crate::evidence::{Disconnect, Evidence, Stage};
use crate::wire::message::SSH_MSG_DISCONNECT;
use crate::wire::read::Reader;

const PROTOCOL_ERROR: u32 = 2;
const MAC_ERROR: u32 = 5;
const SERVICE_NOT_AVAILABLE: u32 = 7;
const PROTOCOL_VERSION_NOT_SUPPORTED: u32 = 8;
const NO_MORE_AUTH_METHODS_AVAILABLE: u32 = 14;

/// The server said DISCONNECT.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    match &evidence.disconnect {
        Some(disconnect) => by_words(evidence, disconnect),
        None => Verdict::new(Code::Disconnected, evidence.stage, "the server disconnected").medium(),
    }
}

/// A DISCONNECT packet where the identification should be: Foundry's switches send one when they have no host key.
pub(super) fn without_ident(evidence: &Evidence) -> Option<Verdict> {
    let mut packet = Reader::new(&evidence.first_bytes);
    packet.bytes(5, "lengths cut short").ok()?;
    if packet.u8().ok()? != SSH_MSG_DISCONNECT {
        return None;
    }
    let code = packet.u32().ok()?;
    let text = packet.string().ok()?.to_vec();
    Some(by_words(evidence, &Disconnect { code, text }))
}

fn by_words(evidence: &Evidence, disconnect: &Disconnect) -> Verdict {
    let sentence = format!(
        "the server disconnected with reason {}{}: {}",
        disconnect.code,
        reason(disconnect.code).map(|name| format!(" ({name})")).unwrap_or_default(),
        quote(disconnect.text.trim_ascii(), QUOTED)
    );
    let verdict = |code| Verdict::new(code, evidence.stage, sentence.clone());
    if let Some(code) = text::disconnect(&disconnect.text) {
        return verdict(code);
    }
    match (disconnect.code, evidence.stage) {
        (PROTOCOL_VERSION_NOT_SUPPORTED, _) => verdict(Code::VersionRejected),
        (SERVICE_NOT_AVAILABLE, Stage::Auth | Stage::Login) => verdict(Code::ServiceDenied).medium(),
        (NO_MORE_AUTH_METHODS_AVAILABLE, Stage::Auth | Stage::Login) => verdict(Code::AuthTooMany).medium(),
        (MAC_ERROR, _) => verdict(Code::MacError).medium(),
        // In userauth OpenSSH's 2 means no more than "I have a text for you": only a complaint counts as one.
        (PROTOCOL_ERROR, stage) if stage < Stage::Auth || text::complains_of_protocol(&disconnect.text) => {
            verdict(Code::ProtocolError).medium()
        }
        (code, _) => verdict(Code::Disconnected).with_arg(code.to_string()).medium(),
    }
}

/// The names of RFC 4253 section 11.1, without their prefix.
fn reason(code: u32) -> Option<&'static str> {
    const REASONS: [&str; 15] = [
        "host not allowed to connect",
        "protocol error",
        "key exchange failed",
        "reserved",
        "MAC error",
        "compression error",
        "service not available",
        "protocol version not supported",
        "host key not verifiable",
        "connection lost",
        "by application",
        "too many connections",
        "auth cancelled by user",
        "no more auth methods available",
        "illegal user name",
    ];
    usize::try_from(code).ok()?.checked_sub(1).and_then(|index| REASONS.get(index)).copied()
}
