//! Everything that can come, or not come, where an identification should.

use std::time::Duration;

use super::classify::{End, QUOTED, midway, seconds, up};
use super::code::Code;
use super::verdict::Verdict;
use super::{disconnect, sniff, text};
use crate::escape::quote;
use crate::evidence::{Evidence, Fault};
use crate::record::Via;

/// libwrap sleeps five seconds before it lets go of a connection it refused.
const LIBWRAP: Duration = Duration::from_secs(5);

/// How far from five seconds a close may be and still be libwrap's.
const LIBWRAP_SLACK: Duration = Duration::from_millis(300);

/// A close by then, once we have spoken into the silence, is an answer to what we said: a probe waits two seconds for the
/// identification before it speaks, and a server that merely runs a timer uses a longer one.
const ANSWERED_BY: Duration = Duration::from_secs(3);

/// The connection ended before an identification had come.
pub(super) fn ended(evidence: &Evidence, end: End) -> Verdict {
    if let Some(verdict) = refused(evidence) {
        return verdict;
    }
    if end == End::Lost {
        return midway(evidence, end);
    }
    if evidence.first_bytes.is_empty() && evidence.preamble.count == 0 && evidence.preamble.partial.is_empty() {
        return silent(evidence, end);
    }
    if let Some(verdict) = known_protocol(evidence) {
        return verdict;
    }
    if let Some(verdict) = disconnect::without_ident(evidence) {
        return verdict;
    }
    let after = seconds(up(evidence));
    let said = said(evidence);
    let verdict = |code, sentence: String| Verdict::new(code, evidence.stage, sentence);
    if let Some(line) = lines(evidence).find(|line| text::broken(line)) {
        let sentence = format!("instead of an identification came {}", quote(line, QUOTED));
        return verdict(Code::SshdBroken, sentence);
    }
    // Not even the four letters need to be whole: a server cut off within them was about to identify itself.
    let last = unfinished(evidence);
    let began = last.starts_with(b"SSH-") || (!last.is_empty() && b"SSH-".starts_with(last));
    if began && end.closed() {
        let sentence = format!("the server {} within its identification, after {}", end.verb(), quote(last, QUOTED));
        return verdict(Code::IdentMalformed, sentence);
    }
    let heard: &[u8] = if evidence.first_bytes.is_empty() { last } else { &evidence.first_bytes };
    if !began && !sniff::is_text(heard) {
        let sentence = format!("bytes of a protocol that is not SSH and not known came: {said}");
        return verdict(Code::NotSsh, sentence).medium();
    }
    if end.closed() {
        return verdict(Code::RefusedText, format!("the server said {said} and {} after {after}", end.verb())).medium();
    }
    if dripping(evidence) {
        return tarpit(evidence).medium();
    }
    verdict(Code::IdentTimeout, format!("no whole identification came in {after}, only {said}"))
}

/// The probe itself gave up: what came can never become an identification that it could use.
pub(super) fn never_one(evidence: &Evidence, fault: &Fault) -> Verdict {
    if let Some(verdict) = refused(evidence) {
        return verdict;
    }
    let verdict = |code, sentence: String| Verdict::new(code, evidence.stage, sentence);
    match fault {
        Fault::Tarpit => tarpit(evidence),
        Fault::Ssh1Only => {
            let ident = evidence.ident.as_ref().map_or(unfinished(evidence), |ident| ident.raw.as_slice());
            verdict(
                Code::Ssh1Only,
                format!("the server identifies itself as {}: protocol 1 only", quote(ident, QUOTED)),
            )
        }
        Fault::Echo => verdict(Code::NotSsh, "our own identification came back".to_owned()).with_arg("echo"),
        Fault::IdentMalformed(why) => {
            let ident = evidence.ident.as_ref().map_or_else(|| said(evidence), |ident| quote(&ident.raw, QUOTED));
            verdict(Code::IdentMalformed, format!("the identification is malformed ({why}): {ident}"))
        }
        _ => known_protocol(evidence).unwrap_or_else(|| {
            let sentence =
                format!("{} bytes came and no identification among them: {}", evidence.received, said(evidence));
            verdict(Code::NotSsh, sentence).medium()
        }),
    }
}

fn tarpit(evidence: &Evidence) -> Verdict {
    let sentence = format!(
        "{} lines at steady intervals in {}, none of them an identification, such as {}",
        evidence.preamble.count,
        seconds(up(evidence)),
        said(evidence)
    );
    Verdict::new(Code::Tarpit, evidence.stage, sentence)
}

/// Two lines and the connection itself stand at one and the same slow pace: a tarpit too slow for a third line to come in
/// time. endlessh drips its first line one interval after the connection was made.
fn dripping(evidence: &Evidence) -> bool {
    let [first, second] = evidence.preamble.lines.as_slice() else { return false };
    let gap = second.at.saturating_sub(first.at);
    gap >= Duration::from_secs(1) && gap.abs_diff(first.at) <= gap / 5
}

/// A refusal that servers word the same everywhere: it counts however the connection ended.
pub(super) fn refused(evidence: &Evidence) -> Option<Verdict> {
    let (line, code) = lines(evidence).find_map(|line| Some((line, text::refusal(line)?)))?;
    let sentence = format!("the server said {}", quote(line.trim_ascii(), QUOTED));
    Some(Verdict::new(code, evidence.stage, sentence))
}

/// What passes the bytes on is a program.
fn by_program(evidence: &Evidence) -> bool {
    evidence.tunnel.as_ref().is_some_and(|tunnel| tunnel.via == Via::ProxyCommand)
}

/// Not a byte came.
fn silent(evidence: &Evidence, end: End) -> Verdict {
    let up = up(evidence);
    let after = seconds(up);
    let verdict = |code, sentence: String| Verdict::new(code, evidence.stage, sentence).medium();
    match end {
        End::Eof | End::Reset if up.abs_diff(LIBWRAP) <= LIBWRAP_SLACK => verdict(
            Code::ClosedAfter5s,
            format!(
                "the server {} after {after} without a word, as TCP wrappers do with those they refuse",
                end.verb()
            ),
        ),
        // OpenSSL's servers close without an alert when the first bytes are no ClientHello. A mere guess: a proxy
        // with a dead backend may look the same.
        End::Eof if evidence.spoke_first && up <= ANSWERED_BY => verdict(
            Code::NotSsh,
            format!(
                "the server waited for us to speak and closed without a word, after {after}, when we did: TLS does so"
            ),
        )
        .with_arg("tls")
        .low(),
        // netcat ends well and without a byte where the server hangs up at once, and `true` does so anyway: ssh says the same of
        // both. Of those that end badly the program itself says so.
        End::Eof if by_program(evidence) => {
            let said = match evidence.tunnel.as_ref().map_or(&[][..], |tunnel| tunnel.reason.trim_ascii()) {
                [] => String::from("without a word"),
                words => format!("and said {}", quote(words, QUOTED)),
            };
            let sentence = format!(
                "the proxy command ended after {after} as if all were well, passed on no byte {said}: the server closed the \
                 connection, or the command never reached it"
            );
            verdict(Code::ClosedNoIdent, sentence).low()
        }
        End::Eof => {
            verdict(Code::ClosedNoIdent, format!("the server closed the connection after {after} without a word"))
        }
        End::Reset => {
            verdict(Code::ResetNoIdent, format!("the connection was reset after {after}, before a word was said"))
        }
        End::Timeout | End::Lost => {
            let spoke = if evidence.spoke_first { ", also after our identification" } else { "" };
            verdict(Code::ConnectedNoIdent, format!("connected, but not a byte came in {after}{spoke}"))
        }
    }
}

fn known_protocol(evidence: &Evidence) -> Option<Verdict> {
    let protocol = sniff::sniff(&evidence.first_bytes)?;
    let sentence = format!("this is {protocol}, not SSH: {}", said(evidence));
    let verdict = Verdict::new(Code::NotSsh, evidence.stage, sentence).with_arg(protocol);
    // Three digits and a text that names neither.
    Some(if protocol == "ftp-or-smtp" { verdict.medium() } else { verdict })
}

/// The lines that came, finished or not, and those within the bytes that were no lines and no packets.
fn lines(evidence: &Evidence) -> impl Iterator<Item = &[u8]> {
    let kept = evidence.preamble.lines.iter().map(|line| line.bytes.as_slice());
    let raw = [&evidence.first_bytes, &evidence.unparsed];
    let raw = raw.into_iter().flat_map(|bytes| bytes.split(|byte| *byte == b'\n'));
    kept.chain(std::iter::once(evidence.preamble.partial.as_slice())).chain(raw)
}

/// What came of the line that never ended.
fn unfinished(evidence: &Evidence) -> &[u8] {
    if evidence.preamble.partial.is_empty() && evidence.preamble.count == 0 {
        evidence.first_bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
    } else {
        &evidence.preamble.partial
    }
}

/// The first thing that was said, quoted.
fn said(evidence: &Evidence) -> String {
    let line = lines(evidence).find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    quote(line.trim_ascii_end(), QUOTED)
}
