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
