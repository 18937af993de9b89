//! JSON lines: one record a line, lossless.

use std::io::{self, Write};

use sshprobe_probes::escape::is_unsafe;
use sshprobe_probes::record::Record;

use crate::report::format::{Encoder, Look};

struct Jsonl;

/// A fresh encoder; a program reads it, so how the place looks does not matter.
pub(super) fn encoder(_: Look) -> Box<dyn Encoder> {
    Box::new(Jsonl)
}

impl Encoder for Jsonl {
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        // Written where it stays: most lines are as they should be, and a copy of each would be a tenth of what a line costs.
        let start = out.len();
        if let Err(error) = serde_json::to_writer(&mut *out, record) {
            out.truncate(start);
            return Err(error.into());
        }
        // All of them are looked at, many at a time.
        let plain = out[start..].iter().fold(true, |plain, byte| plain & (b' '..=b'~').contains(byte));
        if !plain {
            let line = String::from_utf8_lossy(&out[start..]).into_owned();
            out.truncate(start);
            harmless(&line, out)?;
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Writes what a terminal might obey (DEL, C1 and bidi controls, other invisible characters) as JSON's own escapes: it reads
/// back the same, and JSON lines on a terminal are as safe as the table.
fn harmless(line: &str, out: &mut Vec<u8>) -> io::Result<()> {
    for character in line.chars() {
        if is_unsafe(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
        } else {
            write!(out, "{character}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::healthy;

    #[test]
    fn a_record_is_one_line_that_reads_back_the_same() {
        let mut hostile = healthy("a");
        hostile.detail =
            String::from("two\nlines \u{2028} and \u{1b}[2J, \u{7f} \u{9b}31m \u{202e} \u{e0041} caf\u{e9}");
        let mut out = Vec::new();
        let mut jsonl = encoder(Look::default());
        jsonl.record(&hostile, &mut out).expect("no error");
        jsonl.record(&healthy("b"), &mut out).expect("no error");
        let lines: Vec<&[u8]> = out.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), 2);
        let read: Record = serde_json::from_slice(lines[0]).expect("a record");
        assert_eq!(read, hostile);
        let text = String::from_utf8(lines[0].to_vec()).expect("UTF-8");
        assert!(!text.trim_end().chars().any(is_unsafe), "{text}");
        assert!(text.contains('\u{e9}'), "what is harmless stays readable");
    }
}
