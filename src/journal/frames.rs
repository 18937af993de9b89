//! A file of zstd frames: one for every flush, so that what was flushed can be read whatever happens to the rest.
//!
//! `zstd -d` and every other reader takes frames in a row for one stream. A frame costs some 20 bytes and what the compressor
//! would have known from the frame before.

use std::io::{self, Write};

/// zstd's own default: a busy sweep writes some megabytes a second, which it takes for a few percent of a core.
const LEVEL: i32 = 3;

/// Gathers what is written, and writes it as a frame when it is flushed.
pub struct Frames<W> {
    out: W,
    gathered: Vec<u8>,
}

impl<W: Write> Frames<W> {
    /// Frames into `out`.
    pub const fn new(out: W) -> Self {
        Self { out, gathered: Vec::new() }
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.gathered.is_empty() {
            let frame = zstd::bulk::compress(&self.gathered, LEVEL)?;
            self.gathered.clear();
            self.out.write_all(&frame)?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flush_is_a_frame_of_its_own() {
        let mut file = Vec::new();
        let mut ends = Vec::new();
        for part in ["one\n", "", "two\nthree\n", "four\n"] {
            let mut frames = Frames::new(&mut file);
            frames.write_all(part.as_bytes()).unwrap();
            frames.flush().unwrap();
            ends.push(file.len());
        }
        assert_eq!(zstd::decode_all(&*file).unwrap(), b"one\ntwo\nthree\nfour\n");
        assert_eq!(zstd::decode_all(&file[..ends[2]]).unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(ends[0], ends[1], "nothing is no frame");
    }
}
