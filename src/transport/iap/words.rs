//! The end of a tunnel in the record: code, words, and one sentence with the evidence.

use sshprobe_probes::diagnose::Confidence;
use sshprobe_probes::escape::quote;
use sshprobe_probes::evidence::{Tunnel, TunnelTrouble};
use sshprobe_probes::iap::{BadUpgrade, How, IapEnd, Phase};

/// How much of somebody else's words a sentence quotes, in characters.
const QUOTED: usize = 160;

/// From where to where, for sentences.
#[derive(Debug, Clone)]
pub(super) struct Journey {
    /// The relay, `HOST:PORT`.
    pub(super) relay: std::sync::Arc<str>,
    /// The target behind it, `INSTANCE:PORT`.
    pub(super) target: Box<str>,
}

/// Puts an end into what is known of the tunnel. `more` is what the error said beyond the kind of end.
pub(super) fn note(tunnel: &mut Tunnel, end: &IapEnd, journey: &Journey, more: Option<&str>) {
    tunnel.close_code = end.close_code();
    tunnel.reason = end.reason.to_vec();
    tunnel.trouble = end.verdict().map(|verdict| TunnelTrouble {
        code: verdict.code,
        arg: verdict.arg,
        detail: sentence(end, journey, more),
        transient: end.transient(),
        confidence: Confidence::High,
    });
}

fn sentence(end: &IapEnd, journey: &Journey, more: Option<&str>) -> String {
    let Journey { relay, target } = journey;
    let said = if end.reason.is_empty() { String::new() } else { format!(": {}", quote(&end.reason, QUOTED)) };
    let more = more.map_or_else(String::new, |more| format!(": {more}"));
    let when = if end.phase == Phase::Open { "after" } else { "before" };
    match (end.how, end.phase) {
        (How::Close(Some(code)), _) => {
            format!(
                "the relay {relay} closed the tunnel to {target} with code {code} {when} the session had begun{said}"
            )
        }
        (How::Close(None), _) => {
            format!("the relay {relay} closed the tunnel to {target} without a code {when} the session had begun")
        }
        (How::LongClose(code), _) => {
            format!(
                "the relay {relay} ended the tunnel to {target} with LONG_CLOSE {code} {when} the session had begun{said}"
            )
        }
        (How::Http(status), _) => {
            format!("the relay {relay} answered the upgrade for {target} with HTTP {status}{more}{said}")
        }
        (How::BadUpgrade(what), _) => {
            let what = match what {
                BadUpgrade::Subprotocol => "does not name the relay's subprotocol",
                BadUpgrade::AcceptKey => "has no Sec-WebSocket-Accept that fits",
                BadUpgrade::Headers => "has not the headers of an upgrade",
                _ => "is no HTTP",
            };
            format!("what {relay} answered to the upgrade for {target} {what}{more}")
        }
        (How::Protocol(fault), _) => format!("{relay}, asked for {target}: {fault}{more}"),
        (How::Tls, _) => format!("TLS with the relay {relay} failed{more}"),
        (How::Refused, _) => format!("the relay {relay} refuses TCP"),
        (How::Unreachable, _) => format!("the relay {relay} cannot be reached{more}"),
        (How::NameUnknown, _) => format!("the relay's name in {relay} gives no address{more}"),
        (how, phase) => {
            let what = match how {
                How::Silence => "said nothing in time",
                How::Eof => "hung up without a word",
                _ => "reset the connection",
            };
            let stage = match phase {
                Phase::Connect => "while TCP was opened",
                Phase::Tls => "during the TLS handshake",
                Phase::Upgrade => "after it was asked for a WebSocket",
                Phase::Sid => "after it had taken the WebSocket: it announced no session",
                _ => "in the middle of the session",
            };
            format!("the relay {relay}, asked for {target}, {what} {stage}{more}")
        }
    }
}
