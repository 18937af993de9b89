//! Reads back what an earlier part of a run has written, however it ended.

use std::io::{self, BufRead, BufReader, Read};

use sshprobe_probes::record::Record;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// How the records are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON lines.
    Plain,
    /// JSON lines in zstd frames, each of which holds whole lines.
    Zstd,
}

/// Why a file cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system's reason.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what a run wrote.
    #[error("line {line} is no record of sshprobe ({reason})")]
    Line {
        /// From 1.
        line: u64,
        /// What its reader said.
        reason: String,
    },
    /// Not zstd, or damaged.
    #[error("what begins at byte {at} is no zstd frame")]
    Frame {
        /// Where in the file.
        at: u64,
    },
    /// What stands behind its last whole line is not the beginning of one.
    #[error("what stands behind line {line} is no torn record of sshprobe")]
    Tail {
        /// From 1; 0 where there is no whole line.
        line: u64,
    },
    /// Whoever was shown the records refused one.
    #[error("line {line} {reason}")]
    Refused {
        /// From 1.
        line: u64,
        /// The rest of the sentence.
        reason: String,
    },
}

/// Gives every record of `file` to `each`, and says how many bytes of it are whole: what stands behind them is a torn last line
/// or frame, to be cut off. Memory is that of a line.
///
/// # Errors
/// It cannot be read, something in it is no record, or `each` refused one with the rest of a sentence. Nothing but the beginning of
/// a record of ours is called torn: somebody else's file may have no line end either.
pub fn reread(
    file: impl Read,
    content: Content,
    mut each: impl FnMut(Record) -> Result<(), String>,
) -> Result<u64, Unreadable> {
    let mut lines = LineFeed { line: 0, rest: Vec::new(), each: &mut each };
    match content {
        Content::Plain => plain(file, &mut lines),
        Content::Zstd => framed(file, &mut lines),
    }
}

fn plain(file: impl Read, lines: &mut LineFeed<'_>) -> Result<u64, Unreadable> {
    let mut file = BufReader::with_capacity(READ, file);
    let mut whole = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        // A torn line as long as the disk would be somebody else's file.
        let read = file.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            if read as u64 == LINE_MAX {
                let reason = String::from("it is too long");
                return Err(Unreadable::Line { line: lines.line + 1, reason });
            }
            // After a power failure there may be zeros where the rest was to be.
            let written = line.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            let torn = line.get(..written.min(BEGINNING.len())).is_some_and(|begun| BEGINNING.starts_with(begun));
            return if torn { Ok(whole) } else { Err(Unreadable::Tail { line: lines.line }) };
        }
        lines.one(&line)?;
        whole += read as u64;
    }
}

fn framed(mut file: impl Read, lines: &mut LineFeed<'_>) -> Result<u64, Unreadable> {
    let mut decoder = Decoder::new()?;
    let (mut input, mut output) = (vec![0; READ], vec![0; READ]);
    // Where the last whole frame ends, and where what was read of the file does.
    let (mut whole, mut at) = (0u64, 0u64);
    // The first bytes of the frame that is being read.
    let mut begun = Vec::with_capacity(MAGIC.len());
    loop {
        let read = match file.read(&mut input) {
            Ok(0) if MAGIC.starts_with(&begun) => return Ok(whole),
            Ok(0) => return Err(Unreadable::Frame { at: whole }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let mut bytes = InBuffer::around(&input[..read]);
        begun.extend(input[..read].iter().take(MAGIC.len() - begun.len()));
        loop {
            let mut out = OutBuffer::around(&mut output);
            let hint = decoder.run(&mut bytes, &mut out).map_err(|_| Unreadable::Frame { at: whole })?;
            let full = out.pos() == out.capacity();
            lines.rest.extend_from_slice(out.as_slice());
            if lines.rest.len() as u64 > LINE_MAX {
                return Err(Unreadable::Frame { at: whole });
            }
            if hint == 0 {
                // Only now is it known that its checks hold and nothing of it is missing.
                lines.drain()?;
                whole = at + bytes.pos() as u64;
                decoder.reinit()?;
                begun.clear();
                begun.extend(input[bytes.pos()..read].iter().take(MAGIC.len()));
            }
            if bytes.pos() == read && !full {
                break;
            }
        }
        at += read as u64;
    }
}

/// What every record of ours begins with: its fields are in order.
const BEGINNING: &[u8] = b"{\"schema\":";

/// What every zstd frame begins with (RFC 8878 section 3.1.1).
const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Bytes read at a time.
const READ: usize = 128 * 1024;

/// Longer than any record, and than any frame: the lists and texts in a record are bounded, and a thousand times shorter.
const LINE_MAX: u64 = 64 * 1024 * 1024;

/// Where whole lines go.
struct LineFeed<'a> {
    /// The number of the last one.
    line: u64,
    /// Lines of a frame that is not yet whole.
    rest: Vec<u8>,
    each: &'a mut dyn FnMut(Record) -> Result<(), String>,
}

impl LineFeed<'_> {
    fn one(&mut self, line: &[u8]) -> Result<(), Unreadable> {
        self.line += 1;
        let line_number = self.line;
        let record = serde_json::from_slice(line)
            .map_err(|error| Unreadable::Line { line: line_number, reason: error.to_string() })?;
        (self.each)(record).map_err(|reason| Unreadable::Refused { line: line_number, reason })
    }

    /// The lines of a whole frame.
    fn drain(&mut self) -> Result<(), Unreadable> {
        let rest = std::mem::take(&mut self.rest);
        let lines = rest.split_inclusive(|byte| *byte == b'\n');
        lines.into_iter().try_for_each(|line| self.one(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use sshprobe_probes::diagnose::Code;
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::journal::Frames;
    use crate::report::samples::record;

    /// The lines of so many records, and where each ends.
    fn lines(count: usize) -> Vec<Vec<u8>> {
        let line = |at: usize| {
            let mut record = record(&format!("host{at}"), Code::Refused, Stage::Connect, "no");
            record.target.index = at as u64;
            let mut line = serde_json::to_vec(&record).unwrap();
            line.push(b'\n');
            line
        };
        (0..count).map(line).collect()
    }

    fn seen(file: &[u8], content: Content) -> Result<(Vec<u64>, u64), Unreadable> {
        let mut indices = Vec::new();
        let whole = reread(file, content, |record| {
            indices.push(record.target.index);
            Ok(())
        })?;
        Ok((indices, whole))
    }

    /// Wherever a file is cut, the lines before the cut are read and the torn one is found.
    #[test]
    fn a_plain_file_may_end_anywhere() {
        let lines = lines(3);
        let file = lines.concat();
        for end in 0..=file.len() {
            let (indices, whole) = seen(&file[..end], Content::Plain).unwrap();
            let before: usize = lines.iter().take(indices.len()).map(Vec::len).sum();
            assert_eq!(whole, before as u64, "cut at {end}");
            assert!(end - before < lines[0].len() + 1 && indices.len() <= 3);
            assert_eq!(indices, (0..indices.len() as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn frames_may_end_anywhere_and_lines_never_straddle_them() {
        let lines = lines(200);
        let mut file = Vec::new();
        let mut ends = vec![(0, 0)];
        let mut count = 0;
        // Frames of very different sizes, so that several come with one read and one comes with several.
        for size in [1, 2, 190, 7] {
            let mut frames = Frames::new(&mut file);
            lines[count..count + size].iter().for_each(|line| frames.write_all(line).unwrap());
            frames.flush().unwrap();
            count += size;
            ends.push((file.len(), count));
        }
        for end in 0..=file.len() {
            let (indices, whole) = seen(&file[..end], Content::Zstd).unwrap();
            let (before, count) = ends.iter().rev().find(|(at, _)| *at <= end).unwrap();
            assert_eq!((whole, indices.len()), (*before as u64, *count), "cut at {end}");
        }
    }

    /// A reader that gives one byte at a time must not make a difference, nor one that gives all.
    #[test]
    fn it_does_not_matter_how_a_file_is_read() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let one = buffer.len().min(1);
                self.0.read(&mut buffer[..one])
            }
        }
        let plain = lines(5).concat();
        let mut packed = Vec::new();
        let mut frames = Frames::new(&mut packed);
        frames.write_all(&plain).unwrap();
        frames.flush().unwrap();
        for (file, content) in [(&plain, Content::Plain), (&packed, Content::Zstd)] {
            let mut count = 0;
            let whole = reread(Drip(file), content, |_| {
                count += 1;
                Ok(())
            });
            assert_eq!((whole.unwrap(), count), (file.len() as u64, 5));
        }
    }

    #[test]
    fn what_is_no_record_is_refused_by_its_line() {
        let mut file = lines(2).concat();
        file.extend_from_slice(b"{}\n");
        let error = seen(&file, Content::Plain).unwrap_err().to_string();
        assert!(error.starts_with("line 3 is no record of sshprobe (missing field"), "{error}");
        let error = seen(b"old text\n", Content::Plain).unwrap_err().to_string();
        assert!(error.starts_with("line 1 is no record of sshprobe ("), "{error}");
        let error = seen(&lines(1).concat(), Content::Zstd).unwrap_err().to_string();
        assert_eq!(error, "what begins at byte 0 is no zstd frame");
        let refused = reread(&*lines(2).concat(), Content::Plain, |_| Err(String::from("is not ours")));
        assert_eq!(refused.unwrap_err().to_string(), "line 1 is not ours");
    }

    /// Cutting off what is torn must not cut off what somebody else wrote.
    #[test]
    fn somebody_elses_end_is_not_called_torn() {
        let file = [&lines(2).concat()[..], b"hello"].concat();
        assert_eq!(
            seen(&file, Content::Plain).unwrap_err().to_string(),
            "what stands behind line 2 is no torn record of sshprobe"
        );
        assert!(seen(b"a note without a line end", Content::Plain).is_err());
        assert!(seen(&[0xff; 100], Content::Plain).is_err());
        // What a power failure leaves.
        for torn in [&b""[..], b"{", b"{\"schema\":1,\"ru", b"\0\0\0", b"{\"sch\0\0"] {
            let file = [&lines(2).concat()[..], torn].concat();
            assert_eq!(seen(&file, Content::Plain).unwrap().0, [0, 1], "{torn:?}");
        }
        let mut packed = Vec::new();
        let mut frames = Frames::new(&mut packed);
        frames.write_all(&lines(2).concat()).unwrap();
        frames.flush().unwrap();
        for (tail, fine) in [(&[0x28][..], true), (&[0x28, 0xb5], true), (b"no", false), (b"somebody else's", false)] {
            assert_eq!(seen(&[&packed, tail].concat(), Content::Zstd).is_ok(), fine, "{tail:?}");
            assert_eq!(seen(tail, Content::Zstd).is_ok(), fine, "{tail:?} alone");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = seen(&bytes, Content::Plain);
            let _ = seen(&bytes, Content::Zstd);
        }
    }
}
