//! What a ProxyCommand wrote to stderr, and why it failed as far as its words tell.
//!
//! The exit status is no part of this: gcloud exits with 0 after every failed tunnel since 487.0.0. The text decides.

use std::collections::VecDeque;

use super::rule::Rules;
use crate::diagnose::{Code, Confidence};

/// How much is kept of the beginning, where a reason stands first.
const HEAD_MAX: usize = 16_384;
/// How much is kept of the end, where a program says why it gives up.
const TAIL_MAX: usize = 16_384;
/// How much of a line is read. No known message is longer; a flood without line ends costs no more.
const LINE_MAX: usize = 2_048;
/// How much of a line a record gets.
const SHOWN_MAX: usize = 512;

/// Why a ProxyCommand failed, by its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyTrouble {
    /// The outcome.
    pub code: Code,
    /// Its parameter. Where the command could not get through, the code that a direct probe with this trouble would have.
    pub arg: Option<String>,
    /// Whose words these are: `gcloud`, `ssh`, `nc` and so on.
    pub program: &'static str,
    /// How sure the reading is.
    pub confidence: Confidence,
    /// The line it stands in, raw and at most 512 bytes: to be escaped where it is shown.
    pub line: Box<[u8]>,
}

/// A ProxyCommand's stderr: its first and last 16 KiB, however much it writes.
#[derive(Debug, Clone, Default)]
pub struct Stderr {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Stderr {
    /// The most bytes kept.
    pub const KEPT_MAX: usize = HEAD_MAX + TAIL_MAX;

    /// Nothing was written yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what the command wrote.
    pub fn feed(&mut self, data: &[u8]) {
        let room = HEAD_MAX.saturating_sub(self.head.len());
        let (head, rest) = data.split_at_checked(room).unwrap_or((data, &[]));
        self.head.extend_from_slice(head);
        let skipped = rest.len().saturating_sub(TAIL_MAX);
        let rest = rest.get(skipped..).unwrap_or_default();
        let over = self.tail.len().saturating_add(rest.len()).saturating_sub(TAIL_MAX);
        // What was skipped pushes out all that stood before it.
        let over = if skipped > 0 { self.tail.len() } else { over };
        self.tail.drain(..over);
        self.tail.extend(rest);
        self.dropped = self.dropped.saturating_add(skipped.saturating_add(over) as u64);
    }

    /// Bytes that were let go between the beginning and the end that are kept.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What is kept, raw. Where bytes were let go, a line `[N bytes left out]` says so.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = self.head.clone();
        if self.dropped > 0 {
            text.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        text.extend(&self.tail);
        text
    }

    /// The reason, if the words are known. The most specific reading wins, wherever it stands.
    #[must_use]
    pub fn trouble(&self) -> Option<ProxyTrouble> {
        let text = self.text();
        let lines: Vec<&[u8]> = lines(&text).collect();
        Rules::all().trouble().iter().find_map(|rule| {
            lines.iter().find_map(|line| {
                let (code, arg) = rule.read(line)?;
                let line = line.get(..SHOWN_MAX).unwrap_or(line).into();
                Some(ProxyTrouble { code, arg, program: rule.program, confidence: rule.confidence, line })
            })
        })
    }

    /// The last line with anything in it, raw and at most 512 bytes: what to show where the words are not known.
    #[must_use]
    pub fn last_line(&self) -> Option<Box<[u8]>> {
        let text = self.text();
        let last = lines(&text).last()?;
        Some(last.get(..SHOWN_MAX).unwrap_or(last).into())
    }
}

/// The lines with anything in them, ended by LF, CR or both, without blanks around them.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).map(|line| line.get(..LINE_MAX).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GCLOUD: &[u8] = b"WARNING: \n\nTo increase the performance of the tunnel, consider installing NumPy.\n\nERROR: [0] Error during local connection to [stdin]: Error while connecting [4003: 'failed to connect to backend']. (Failed to connect to port 22)\nTraceback (most recent call last):\n";

    fn read(text: &[u8]) -> Option<(Code, Option<String>)> {
        let mut stderr = Stderr::new();
        stderr.feed(text);
        stderr.trouble().map(|trouble| (trouble.code, trouble.arg))
    }

    #[test]
    fn the_reason_is_found_among_other_words() {
        let backend = Some((Code::IapBackendUnreachable, Some("4003".to_owned())));
        assert_eq!(read(GCLOUD), backend);
        let mut stderr = Stderr::new();
        stderr.feed(GCLOUD);
        assert!(stderr.trouble().unwrap().line.starts_with(b"ERROR: [0] Error during"));
        assert_eq!(stderr.last_line().as_deref(), Some(&b"Traceback (most recent call last):"[..]));
        for nothing in [&b""[..], b"\r\n \n", b"some words nobody knows\n", b"\xff\xfe\0\x1b[31m"] {
            assert_eq!(read(nothing), None);
        }
        assert_eq!(Stderr::new().last_line(), None);
    }

    /// What the inner program said is the reason, whatever the outer one adds and wherever it stands.
    #[test]
    fn the_specific_reading_wins_over_the_echo() {
        let wanted = Some((Code::JumpForbidden, Some("administratively-prohibited".to_owned())));
        assert_eq!(
            read(b"stdio forwarding failed\nchannel 0: open failed: administratively prohibited: open failed"),
            wanted
        );
        let closed = b"kex_exchange_identification: Connection closed by remote host\n";
        assert_eq!(read(closed), Some((Code::JumpFailed, Some("closed-no-ident".to_owned()))));
        assert_eq!(read(&[closed, GCLOUD].concat()).unwrap().0, Code::IapBackendUnreachable);
    }

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end() {
        let mut stderr = Stderr::new();
        stderr.feed(GCLOUD);
        for _ in 0..1_000 {
            stderr.feed(&b"noise without end ".repeat(100));
        }
        assert_eq!(stderr.trouble().unwrap().code, Code::IapBackendUnreachable);
        assert_eq!(stderr.dropped(), GCLOUD.len() as u64 + 1_800_000 - Stderr::KEPT_MAX as u64);
        let mut stderr = Stderr::new();
        stderr.feed(&vec![b'\n'; 3_000_000]);
        stderr.feed(GCLOUD);
        assert_eq!(stderr.trouble().unwrap().code, Code::IapBackendUnreachable);
        let text = stderr.text();
        assert!(text.len() < Stderr::KEPT_MAX + 64 && text.ends_with(GCLOUD));
        assert!(text.windows(18).any(|window| window == b" bytes left out]\n\n"));
        let mut long = vec![b'x'; 5_000];
        long.extend_from_slice(b"Ncat: Connection refused.");
        assert_eq!(read(&long), None, "a line is read no further than its limit");
        let mut stderr = Stderr::new();
        stderr.feed(&long);
        assert_eq!(stderr.last_line().unwrap().len(), SHOWN_MAX);
    }

    proptest! {
        /// It does not matter in which pieces it came.
        #[test]
        fn pieces_do_not_matter(text in proptest::collection::vec(any::<u8>(), 0..60_000), sizes in proptest::collection::vec(1usize..30_000, 1..6)) {
            let mut whole = Stderr::new();
            whole.feed(&text);
            let (mut cut, mut rest, mut turn) = (Stderr::new(), &text[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, left) = rest.split_at((*turn.next().unwrap()).min(rest.len()));
                cut.feed(piece);
                rest = left;
            }
            prop_assert_eq!(whole.text(), cut.text());
            prop_assert_eq!(whole.dropped(), cut.dropped());
        }
    }

    #[test]
    fn every_split_of_a_message_reads_the_same() {
        for at in 0..=GCLOUD.len() {
            let mut stderr = Stderr::new();
            stderr.feed(&GCLOUD[..at]);
            stderr.feed(&GCLOUD[at..]);
            assert_eq!(stderr.trouble().map(|trouble| trouble.code), Some(Code::IapBackendUnreachable), "{at}");
        }
    }
}
