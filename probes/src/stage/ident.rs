//! The server's identification (RFC 4253 section 4.2) and what may come before it or instead of it.

use std::time::Duration;

use crate::evidence::{CUT_SHORT, Evidence, Fault, Identification, PreambleLine};

/// Bounds of what is read before an identification. OpenSSH's client tolerates 1024 lines of 8192 bytes; no honest
/// server needs a tenth of that.
pub const MAX_PREAMBLE_LINES: u32 = 128;
/// Bytes before the identification, all lines together.
pub const MAX_PREAMBLE_BYTES: usize = 64 * 1024;
/// OpenSSH accepts identifications of up to 8192 bytes, although RFC 4253 allows 255.
pub const MAX_IDENT_BYTES: usize = 8192;
/// RFC 4253 section 4.2, and what hardly any server exceeds.
const MAX_LIKELY: usize = 255;
/// How many lines before the identification are kept as evidence.
const KEPT_LINES: usize = 16;

/// After this many lines at steady intervals of a second or more it is a tarpit (endlessh): stop feeding it.
const TARPIT_LINES: usize = 3;
const TARPIT_MIN_GAP: Duration = Duration::from_secs(1);

/// The state while no whole identification has come.
#[derive(Debug, Default)]
pub(crate) struct AwaitIdent {
    /// The line being received, without what was already judged.
    line: Vec<u8>,
    /// When the last lines were complete, counted from the connection.
    completed: Vec<Duration>,
    preamble_bytes: usize,
}

/// What a piece of input led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All of it was used and more is needed.
    More,
    /// The identification is in the evidence; this many bytes of the input belong to it and what came before.
    Identified(usize),
    /// It ends here, behind this many bytes of the input.
    Over(Fault, usize),
}

impl AwaitIdent {
    /// Takes bytes that came `at` after TCP was connected. `ours` is our own identification if we have already sent it.
    pub(crate) fn input(&mut self, at: Duration, bytes: &[u8], ours: Option<&[u8]>, evidence: &mut Evidence) -> Step {
        if let Some(used) = self.whole(bytes, ours, evidence) {
            return Step::Identified(used);
        }
        let likely = bytes.len().min(MAX_LIKELY);
        self.line.reserve(likely);
        evidence.first_bytes.reserve(likely);
        for (used, byte) in (1..).zip(bytes) {
            if evidence.first_bytes.len() < Evidence::FIRST_BYTES {
                evidence.first_bytes.push(*byte);
            }
            if *byte != b'\n' {
                self.line.push(*byte);
                if let Some(fault) = self.too_long() {
                    self.flush(evidence);
                    return Step::Over(fault, used);
                }
                continue;
            }
            // Exactly one CR belongs to the line end; many devices send a bare LF.
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            let line = std::mem::take(&mut self.line);
            if line.starts_with(b"SSH-") {
                return match accept(&line, ours) {
                    Ok(()) => {
                        evidence.ident = Some(Identification { raw: line });
                        evidence.first_bytes = Vec::new();
                        Step::Identified(used)
                    }
                    Err(fault) => {
                        if fault == Fault::Ssh1Only {
                            evidence.ident = Some(Identification { raw: line });
                            evidence.first_bytes = Vec::new();
                        } else {
                            evidence.preamble.partial = kept(&line);
                        }
                        Step::Over(fault, used)
                    }
                };
            }
            if let Some(fault) = self.preamble_line(at, &line, evidence) {
                return Step::Over(fault, used);
            }
        }
        Step::More
    }

    /// Takes the identification where it is the first that comes, and comes whole: the rule. Gives where it ends.
    fn whole(&self, bytes: &[u8], ours: Option<&[u8]>, evidence: &mut Evidence) -> Option<usize> {
        let first = self.line.is_empty() && evidence.first_bytes.is_empty();
        let end = bytes.iter().take(MAX_LIKELY).position(|byte| *byte == b'\n')?;
        let line = bytes.get(..end).filter(|line| first && line.starts_with(b"SSH-"))?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        accept(line, ours).ok()?;
        evidence.ident = Some(Identification { raw: line.to_vec() });
        end.checked_add(1)
    }

    /// The connection ends within a line: keeps what there is of it. Says what that line was, if it was one.
    pub(crate) fn end(&mut self, evidence: &mut Evidence) -> Option<Fault> {
        let cut = self.line.starts_with(b"SSH-").then_some(Fault::IdentMalformed(CUT_SHORT));
        self.flush(evidence);
        cut
    }

    /// Keeps the unfinished line as evidence.
    pub(crate) fn flush(&mut self, evidence: &mut Evidence) {
        evidence.preamble.partial = kept(&self.line);
        self.line = Vec::new();
    }

    fn too_long(&self) -> Option<Fault> {
        if self.line.starts_with(b"SSH-") {
            (self.line.len() > MAX_IDENT_BYTES).then_some(Fault::IdentMalformed("longer than 8192 bytes"))
        } else {
            (self.preamble_bytes.saturating_add(self.line.len()) > MAX_PREAMBLE_BYTES).then_some(Fault::PreambleTooLong)
        }
    }

    fn preamble_line(&mut self, at: Duration, line: &[u8], evidence: &mut Evidence) -> Option<Fault> {
        let preamble = &mut evidence.preamble;
        preamble.count = preamble.count.saturating_add(1);
        self.preamble_bytes = self.preamble_bytes.saturating_add(line.len());
        if preamble.lines.len() < KEPT_LINES {
            preamble.lines.push(PreambleLine { at, bytes: kept(line) });
        }
        if self.completed.len() == TARPIT_LINES {
            self.completed.remove(0);
        }
        self.completed.push(at);
        if steady(&self.completed) {
            return Some(Fault::Tarpit);
        }
        (preamble.count >= MAX_PREAMBLE_LINES).then_some(Fault::PreambleTooLong)
    }
}

/// An identification begins in these first bytes of a connection.
#[must_use]
pub fn begins(head: &[u8]) -> bool {
    head.starts_with(b"SSH-") || head.windows(5).any(|five| five == b"\nSSH-")
}

/// What a server said in clear text on a connection that another implementation had, read from its first bytes when all was
/// over: the identification, and what came before it or instead of it. How the connection ended is known from elsewhere.
pub fn reread(head: &[u8], at: Duration, evidence: &mut Evidence) {
    let mut state = AwaitIdent::default();
    if state.input(at, head, None, evidence) == Step::More {
        state.flush(evidence);
    }
}

fn kept(line: &[u8]) -> Vec<u8> {
    line.get(..line.len().min(PreambleLine::MAX)).unwrap_or_default().to_vec()
}

/// Lines drip at one and the same slow pace, as no banner does.
fn steady(completed: &[Duration]) -> bool {
    let [first, second, third] = completed else { return false };
    let (gap, next) = (second.saturating_sub(*first), third.saturating_sub(*second));
    let tolerance = gap.max(next) / 5;
    gap >= TARPIT_MIN_GAP && next >= TARPIT_MIN_GAP && gap.abs_diff(next) <= tolerance
}

/// Whether a line that begins with `SSH-` identifies a server we can talk to.
fn accept(line: &[u8], ours: Option<&[u8]>) -> Result<(), Fault> {
    if ours == Some(line) {
        return Err(Fault::Echo);
    }
    if line.contains(&0) {
        return Err(Fault::IdentMalformed("holds a NUL"));
    }
    let proto = Identification::proto_of(line);
    // A version alone, with nothing after it, is no identification: the second dash must be there.
    if line.len() <= b"SSH-".len().saturating_add(proto.len()) {
        return Err(Fault::IdentMalformed("no dash after the protocol version"));
    }
    let mut parts = proto.splitn(2, |byte| *byte == b'.');
    match (parts.next(), parts.next()) {
        // RFC 4253 section 5.1: 1.99 speaks 2.0 as well. Any 2.x is taken, as dropbear and OpenSSH do.
        (Some(b"1"), Some(b"99")) => Ok(()),
        (Some(b"2"), Some(minor)) if digits(minor) => Ok(()),
        (Some(b"1"), Some(minor)) if digits(minor) => Err(Fault::Ssh1Only),
        _ => Err(Fault::IdentMalformed("no protocol version that is known")),
    }
}

fn digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;

    fn evidence() -> Evidence {
        Evidence::new("127.0.0.1:22".parse().unwrap(), Moment::START)
    }

    fn feed(input: &[u8]) -> (Step, Evidence) {
        let mut evidence = evidence();
        let step = AwaitIdent::default().input(Duration::ZERO, input, None, &mut evidence);
        (step, evidence)
    }

    #[test]
    fn every_split_point_gives_the_same() {
        let input: &[u8] = b"Welcome\r\nto\nthe \r bar\r\nSSH-1.99-Cisco-1.25\nrest";
        let (whole_step, whole) = feed(input);
        assert_eq!(whole_step, Step::Identified(input.len() - 4));
        assert_eq!(whole.preamble.count, 3);
        assert_eq!(whole.preamble.lines[2].bytes, b"the \r bar");
        for split in 0..=input.len() {
            let mut state = AwaitIdent::default();
            let mut seen = evidence();
            let (head, tail) = input.split_at(split);
            let step = match state.input(Duration::ZERO, head, None, &mut seen) {
                Step::More => match state.input(Duration::ZERO, tail, None, &mut seen) {
                    Step::Identified(used) => Step::Identified(used + split),
                    other => other,
                },
                other => other,
            };
            assert_eq!((&step, &seen), (&whole_step, &whole), "split at {split}");
        }
    }

    #[test]
    fn versions_are_judged_by_their_numbers() {
        let expect = |line: &str, fault: Option<Fault>| {
            let (step, seen) = feed(format!("{line}\r\n").as_bytes());
            match fault {
                None => {
                    assert!(matches!(step, Step::Identified(_)), "{line}: {step:?}");
                    assert_eq!(seen.ident.unwrap().raw, line.as_bytes());
                }
                Some(fault) => assert_eq!(step, Step::Over(fault, line.len() + 2), "{line}"),
            }
        };
        expect("SSH-2.0-x", None);
        expect("SSH-2.0--", None);
        expect("SSH-2.0-", None);
        expect("SSH-1.99-x", None);
        expect("SSH-2.5-x", None);
        expect("SSH-1.5-x", Some(Fault::Ssh1Only));
        expect("SSH-1.3-x", Some(Fault::Ssh1Only));
        expect("SSH-2.0", Some(Fault::IdentMalformed("no dash after the protocol version")));
        expect("SSH-3.0-x", Some(Fault::IdentMalformed("no protocol version that is known")));
        expect("SSH-x-y", Some(Fault::IdentMalformed("no protocol version that is known")));
        expect("SSH-2.-y", Some(Fault::IdentMalformed("no protocol version that is known")));
        expect("SSH-2.0-a\0b", Some(Fault::IdentMalformed("holds a NUL")));
    }

    #[test]
    fn our_own_line_back_is_an_echo_only_once_we_sent_it() {
        let mut seen = evidence();
        let ours = b"SSH-2.0-sshprobe_0.1.0".as_slice();
        let line = [ours, b"\r\n"].concat();
        let step = AwaitIdent::default().input(Duration::ZERO, &line, Some(ours), &mut seen);
        assert_eq!(step, Step::Over(Fault::Echo, line.len()));
        assert!(matches!(feed(&line).0, Step::Identified(_)));
    }

    #[test]
    fn lines_and_bytes_before_the_identification_are_bounded() {
        let (step, seen) = feed(&b"x\n".repeat(1000));
        assert_eq!(step, Step::Over(Fault::PreambleTooLong, 2 * MAX_PREAMBLE_LINES as usize));
        assert_eq!((seen.preamble.count, seen.preamble.lines.len()), (MAX_PREAMBLE_LINES, KEPT_LINES));
        let (step, seen) = feed(&vec![b'x'; MAX_PREAMBLE_BYTES + 1]);
        assert_eq!(step, Step::Over(Fault::PreambleTooLong, MAX_PREAMBLE_BYTES + 1));
        assert_eq!(seen.preamble.partial.len(), PreambleLine::MAX);
        assert_eq!(seen.first_bytes.len(), Evidence::FIRST_BYTES);
        let (step, _) = feed(&[b"SSH-2.0-".to_vec(), vec![b'x'; MAX_IDENT_BYTES]].concat());
        assert_eq!(step, Step::Over(Fault::IdentMalformed("longer than 8192 bytes"), MAX_IDENT_BYTES + 1));
        let long = [b"SSH-2.0-".to_vec(), vec![b'x'; 400], b"\n".to_vec()].concat();
        assert_eq!(feed(&long).0, Step::Identified(long.len()));
    }

    #[test]
    fn first_bytes_that_were_kept_are_read_like_those_that_come() {
        for (head, begun) in [
            (&b"Hello\r\nSSH-2.0-x y\r\n\0\0\x01"[..], true),
            (b"Not allowed at this time\r\n", false),
            (b"no line SSH-2.0-x", false),
            (b"SSH-2", true),
            (b"", false),
        ] {
            let (mut state, mut came, mut read) = (AwaitIdent::default(), evidence(), evidence());
            if state.input(Duration::ZERO, head, None, &mut came) == Step::More {
                state.end(&mut came);
            }
            reread(head, Duration::ZERO, &mut read);
            assert_eq!(read, came, "{}", head.escape_ascii());
            assert_eq!(begins(head), begun, "{}", head.escape_ascii());
        }
    }

    fn drip(gaps_ms: &[u64]) -> Step {
        let (mut state, mut seen, mut at) = (AwaitIdent::default(), evidence(), Duration::ZERO);
        for gap in gaps_ms {
            at += Duration::from_millis(*gap);
            match state.input(at, b"x3%f\r\n", None, &mut seen) {
                Step::More => {}
                over => return over,
            }
        }
        Step::More
    }

    #[test]
    fn three_lines_at_a_steady_slow_pace_are_a_tarpit() {
        assert_eq!(drip(&[10_000, 10_000, 10_010]), Step::Over(Fault::Tarpit, 6));
        assert_eq!(drip(&[0, 1_500, 1_400]), Step::Over(Fault::Tarpit, 6));
        // Two lines are not enough, a quick banner is none, nor is an uneven one.
        assert_eq!(drip(&[10_000, 10_000]), Step::More);
        assert_eq!(drip(&[0, 10, 10, 10, 10]), Step::More);
        assert_eq!(drip(&[0, 5_000, 1_000, 9_000]), Step::More);
        // The last three lines count, not the first.
        assert_eq!(drip(&[0, 0, 2_000, 2_000]), Step::Over(Fault::Tarpit, 6));
    }

    #[test]
    fn an_identification_cut_short_is_malformed_and_other_text_is_kept() {
        let mut seen = evidence();
        let mut state = AwaitIdent::default();
        assert_eq!(state.input(Duration::ZERO, b"SSH-2.0-Open", None, &mut seen), Step::More);
        assert_eq!(state.end(&mut seen), Some(Fault::IdentMalformed("cut short")));
        assert_eq!(seen.preamble.partial, b"SSH-2.0-Open");
        let mut seen = evidence();
        let mut state = AwaitIdent::default();
        state.input(Duration::ZERO, b"Protocol mismatch.", None, &mut seen);
        assert_eq!(state.end(&mut seen), None);
        assert_eq!(seen.preamble.partial, b"Protocol mismatch.");
    }
}
