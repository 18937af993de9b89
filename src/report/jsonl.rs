//! JSON lines: one record a line, lossless.

use std::io;

use sshprobe_probes::record::Record;

use crate::report::format::{Encoder, Look};

struct Jsonl;

/// A fresh encoder; a program reads it, so how the place looks does not matter.
pub(super) fn encoder(_: Look) -> Box<dyn Encoder> {
    Box::new(Jsonl)
}

impl Encoder for Jsonl {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        serde_json::to_writer(&mut *out, record)?;
        out.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::healthy;

    #[test]
    fn a_record_is_one_line_that_reads_back_the_same() {
        let mut hostile = healthy("a");
        hostile.detail = String::from("two\nlines \u{2028} and \u{1b}[2J");
        let mut out = Vec::new();
        let mut jsonl = encoder(Look::default());
        jsonl.record(&hostile, &mut out).expect("no error");
        jsonl.record(&healthy("b"), &mut out).expect("no error");
        let lines: Vec<&[u8]> = out.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), 2);
        let read: Record = serde_json::from_slice(lines[0]).expect("a record");
        assert_eq!(read, hostile);
    }
}
