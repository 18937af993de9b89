//! Lines of a target list, read with bounded memory whatever the file turns out to be.

use std::io::{self, BufRead};

/// Bytes of a line; an expression with the longest name and user and dozens of ports has a tenth of it.
pub(crate) const LINE_MAX: usize = 4096;

/// Why a line is no text to be read as a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineFault {
    /// A NUL byte.
    #[error("a NUL byte: this is a binary file and no list of targets")]
    Binary,
    /// Longer than [`LINE_MAX`].
    #[error("the line is longer than {LINE_MAX} bytes: write one target a line")]
    TooLong,
    /// Not UTF-8.
    #[error("the line is not UTF-8: write names in ASCII (punycode)")]
    NotUtf8,
}

/// The lines of a list that hold something: no blank ones, no comments.
///
/// A comment starts with `#` at the start of a line or behind a blank. Line ends are LF or CR LF; a byte order mark at
/// the start is skipped.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    /// The rest of the current line is still to be read over.
    skip: bool,
    /// The end was seen: a terminal would be asked for another one.
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0, skip: false, ended: false }
    }

    /// The number of the line given last, from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The next line that holds something, without comment and blanks around.
    ///
    /// # Errors
    ///
    /// The reader's.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<&str, LineFault>>> {
        loop {
            let Some(whole) = self.read_line()? else { return Ok(None) };
            if let Err(fault) = whole {
                return Ok(Some(Err(fault)));
            }
            let bytes = match (self.number, self.line.strip_prefix(b"\xef\xbb\xbf")) {
                (1, Some(rest)) => rest,
                _ => &self.line,
            };
            let start = bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(bytes.len());
            let comment = bytes
                .iter()
                .enumerate()
                .position(|(i, b)| *b == b'#' && (i <= start || bytes[i - 1].is_ascii_whitespace()))
                .unwrap_or(bytes.len());
            let (from, to) = (start.min(comment), comment);
            if bytes[from..to].trim_ascii().is_empty() {
                continue;
            }
            // The borrow of `self.line` ends here and begins again: it is returned from the loop.
            let offset = self.line.len() - bytes.len();
            let text = self.line[offset + from..offset + to].trim_ascii();
            return Ok(Some(std::str::from_utf8(text).map_err(|_| LineFault::NotUtf8)));
        }
    }

    /// Reads a line into `self.line`, keeping at most [`LINE_MAX`] bytes of it. `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<Result<(), LineFault>>> {
        self.line.clear();
        let (mut read_any, mut nul, mut too_long) = (false, false, false);
        while !self.ended {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                self.ended = true;
                break;
            }
            let newline = chunk.iter().position(|b| *b == b'\n');
            if self.skip {
                let consumed = newline.map_or(chunk.len(), |at| at + 1);
                self.skip = newline.is_none();
                self.reader.consume(consumed);
                continue;
            }
            if !read_any {
                read_any = true;
                self.number += 1;
            }
            let part = &chunk[..newline.unwrap_or(chunk.len())];
            nul |= part.contains(&0);
            let room = LINE_MAX - self.line.len();
            too_long |= part.len() > room;
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let consumed = part.len() + usize::from(newline.is_some());
            self.reader.consume(consumed);
            // Said at once: of a binary file there may be no second line for gigabytes.
            self.skip = nul && newline.is_none();
            if newline.is_some() || nul {
                break;
            }
        }
        Ok(match (read_any, nul, too_long) {
            (false, ..) => None,
            (_, true, _) => Some(Err(LineFault::Binary)),
            (_, _, true) => Some(Err(LineFault::TooLong)),
            _ => Some(Ok(())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    fn read(bytes: &[u8], chunk: usize) -> Vec<(u64, Result<String, LineFault>)> {
        let mut lines = Lines::new(BufReader::with_capacity(chunk, bytes));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let line = line.map(str::to_owned);
            all.push((lines.number(), line));
        }
        all
    }

    #[test]
    fn lines_comments_and_ends() {
        let text = b"\xef\xbb\xbfa\r\n\n  \t\r\n# all\n  # of it\n  b  \nc # why\nd\t#e\nf#g\nroot@h:22";
        for chunk in [1, 2, 3, 7, 4096] {
            let lines: Vec<(u64, String)> = read(text, chunk).into_iter().map(|(n, l)| (n, l.unwrap())).collect();
            let lines: Vec<(u64, &str)> = lines.iter().map(|(n, l)| (*n, l.as_str())).collect();
            assert_eq!(lines, [(1, "a"), (6, "b"), (7, "c"), (8, "d"), (9, "f#g"), (10, "root@h:22")]);
        }
        assert_eq!(read(b"", 9), []);
        assert_eq!(read(b"\xef\xbb\xbf# only this", 9), []);
    }

    #[test]
    fn what_is_no_text() {
        assert_eq!(read(b"a\nb\0c\nd", 64)[1], (2, Err(LineFault::Binary)));
        assert_eq!(read(b"a\n\xff\xfe\nd", 64)[1], (2, Err(LineFault::NotUtf8)));
        let long = [b"a\n", "x".repeat(LINE_MAX + 1).as_bytes(), b"\nb\n"].concat();
        for chunk in [1, 1000, 1 << 20] {
            let lines = read(&long, chunk);
            assert_eq!(lines, [(1, Ok("a".into())), (2, Err(LineFault::TooLong)), (3, Ok("b".into()))]);
        }
        assert_eq!(read("x".repeat(LINE_MAX).as_bytes(), 100), [(1, Ok("x".repeat(LINE_MAX)))]);
    }

    /// A file of one endless line must not be held.
    #[test]
    fn a_long_line_is_not_kept() {
        let mut lines = Lines::new(BufReader::new(io::Read::take(io::repeat(b'x'), 8 << 20)));
        assert_eq!(lines.next().unwrap(), Some(Err(LineFault::TooLong)));
        assert!(lines.line.capacity() <= 4 * LINE_MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks(bytes in proptest::collection::vec(proptest::sample::select(b"ab# \t\r\n\0\xff\xef\xbb\xbf".to_vec()), 0..60), chunk in 1usize..20) {
            let at_once = read(&bytes, 1 << 16);
            for (number, line) in &at_once {
                prop_assert!(*number >= 1);
                if let Ok(line) = line {
                    prop_assert!(!line.is_empty() && line.trim_ascii() == line);
                }
            }
            prop_assert_eq!(read(&bytes, chunk), at_once);
        }
    }
}
