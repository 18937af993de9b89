//! One connection's verdict: the depth was reached, or the fault that ended it is judged by the stage it ended in.

use std::time::Duration;

use super::code::Code;
use super::finding::Finding;
use super::verdict::Verdict;
use super::{connect, disconnect, ident, login, session, tunnel};
use crate::escape::escape;
use crate::evidence::{Evidence, Fault, Stage};
use crate::findings::findings;
use crate::hostkey::{key_info, key_type};
use crate::plan::Depth;

/// How much of a server's text a sentence quotes, in characters.
pub(super) const QUOTED: usize = 120;

/// Judges one connection that was asked to go as deep as `asked`.
#[must_use]
pub fn classify(evidence: &Evidence, asked: Depth) -> Verdict {
    Verdict { findings: noticed(evidence), ..outcome(evidence, asked) }
}

fn outcome(evidence: &Evidence, asked: Depth) -> Verdict {
    let Some(fault) = &evidence.fault else {
        if let Some(login) = &evidence.login {
            return login::answered(login);
        }
        return if evidence.stage >= stage_of(asked) {
            session::complete(evidence)
        } else {
            let detail = format!("the connection ended in stage {} without a reason", evidence.stage.name());
            Verdict::new(Code::Internal, evidence.stage, detail)
        };
    };
    match fault {
        // What was asked for is there: how the server took its leave afterwards is its own affair.
        Fault::Eof | Fault::Reset | Fault::Lost | Fault::Timeout | Fault::Disconnected if holds(evidence, asked) => {
            session::complete(evidence)
        }
        Fault::Tunnel => tunnel::broke(evidence),
        _ if tunnel::explains(evidence) => tunnel::broke(evidence),
        Fault::Connect => connect::failed(evidence),
        Fault::ConnectTimeout => connect::timed_out(evidence),
        Fault::Local(trouble) => connect::local(evidence, *trouble),
        Fault::Internal(what) => {
            Verdict::new(Code::Internal, evidence.stage, format!("a fault of this program: {}", escape(what)))
        }
        Fault::Tarpit | Fault::PreambleTooLong | Fault::IdentMalformed(_) | Fault::Ssh1Only | Fault::Echo => {
            ident::never_one(evidence, fault)
        }
        Fault::NoCommon(slot) if evidence.login.is_some() => login::no_common(evidence, *slot),
        Fault::NoCommon(slot) => session::no_common(evidence, *slot),
        Fault::OtherHostKey => login::other_host_key(evidence),
        Fault::BadSignature(why) => session::bad_signature(evidence, why),
        Fault::Protocol(what) => session::broke_protocol(evidence, what),
        Fault::Mac => session::mac_error(evidence),
        Fault::Disconnected => match &evidence.login {
            Some(login) => login::disconnected(login, disconnect::judge(evidence)),
            None => disconnect::judge(evidence),
        },
        // A DISCONNECT says more than the close that follows it.
        Fault::Eof | Fault::Reset if evidence.disconnect.is_some() => disconnect::judge(evidence),
        Fault::Eof => ended(evidence, End::Eof),
        Fault::Reset => ended(evidence, End::Reset),
        Fault::Timeout => ended(evidence, End::Timeout),
        Fault::Lost => ended(evidence, End::Lost),
    }
}

/// How a connection ended without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// FIN.
    Eof,
    /// RST.
    Reset,
    /// Our deadline for the whole connection.
    Timeout,
    /// The network lost it.
    Lost,
}

impl End {
    /// The server, or something on the way that speaks for it, closed the connection.
    pub(super) const fn closed(self) -> bool {
        matches!(self, End::Eof | End::Reset)
    }

    /// How it ended, as the predicate of a sentence.
    pub(super) const fn verb(self) -> &'static str {
        match self {
            End::Eof => "closed the connection",
            End::Reset => "reset the connection",
            End::Timeout => "fell silent",
            End::Lost => "was lost",
        }
    }
}

fn ended(evidence: &Evidence, end: End) -> Verdict {
    match evidence.stage {
        Stage::Ident => ident::ended(evidence, end),
        Stage::Kexinit => session::kexinit_ended(evidence, end),
        Stage::Kex => session::kex_ended(evidence, end),
        Stage::Auth => session::auth_ended(evidence, end),
        Stage::Connect if end == End::Timeout => connect::timed_out(evidence),
        Stage::Login => login::ended(evidence, end),
        Stage::Resolve | Stage::Connect | Stage::Tunnel => midway(evidence, end),
    }
}

/// The ends for which no stage has a more specific row.
pub(super) fn midway(evidence: &Evidence, end: End) -> Verdict {
    let (code, what) = match end {
        End::Eof => (Code::EofMidway, "the connection was closed"),
        End::Reset => (Code::ResetMidway, "the connection was reset"),
        End::Timeout | End::Lost => (Code::LostMidway, "the network lost the connection"),
    };
    let mut detail = format!("{what} in stage {} after {}", evidence.stage.name(), seconds(up(evidence)));
    if end == End::Lost {
        if let Some(errno) = evidence.path.errno {
            detail.push_str(&format!(" ({errno})"));
        }
        if let Some(icmp) = &evidence.path.icmp {
            detail.push_str(&format!("; {}", connect::icmp_sentence(icmp)));
        }
    }
    Verdict::new(code, evidence.stage, detail).medium()
}

/// The stage that belongs to a depth.
const fn stage_of(depth: Depth) -> Stage {
    match depth {
        Depth::Connect => Stage::Connect,
        Depth::Ident => Stage::Ident,
        Depth::Kexinit => Stage::Kexinit,
        Depth::Kex => Stage::Kex,
        Depth::Auth => Stage::Auth,
        Depth::Login => Stage::Login,
    }
}

/// The very thing `asked` is after was learned.
fn holds(evidence: &Evidence, asked: Depth) -> bool {
    match asked {
        Depth::Connect => evidence.connected(),
        Depth::Ident => evidence.ident.is_some(),
        Depth::Kexinit => evidence.kexinit.is_some(),
        Depth::Kex => evidence.stage >= Stage::Auth,
        Depth::Auth => evidence.auth.as_ref().is_some_and(|auth| auth.none_accepted || auth.methods.is_some()),
        Depth::Login => evidence.login.as_ref().is_some_and(|login| login.accepted),
    }
}

/// How long the connection was up: from TCP connected to its end.
pub(super) fn up(evidence: &Evidence) -> Duration {
    evidence.ended.since(evidence.started + evidence.timing.connect.unwrap_or_default())
}

/// A span for a sentence: `0.4 ms`, `320 ms`, `5.0 s`.
pub(super) fn seconds(span: Duration) -> String {
    if span < Duration::from_millis(10) {
        format!("{:.1} ms", span.as_secs_f64() * 1e3)
    } else if span < Duration::from_secs(1) {
        format!("{} ms", span.as_millis())
    } else {
        format!("{:.1} s", span.as_secs_f64())
    }
}

/// Beside the outcome. Only RSA keys come in sizes that can be too small.
fn noticed(evidence: &Evidence) -> Vec<Finding> {
    let blob = evidence.host_key.as_ref().map(|key| key.blob.as_slice());
    let rsa = blob.filter(|blob| key_type(blob) == Some("ssh-rsa"));
    findings(evidence, rsa.and_then(|blob| key_info(blob).ok()))
}
