//! A page of text for standard output: headings and items, folded to the width of the terminal.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::cli::exit::Exit;
use crate::cli::output;
use crate::error::Error;
use crate::report::layout::width;

/// Where nobody says how wide it is.
const WIDTH: usize = 80;

/// Narrower than this nothing is gained by folding.
const LEAST: usize = 24;

/// Text under way to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    text: String,
    width: usize,
    color: bool,
}

impl Page {
    /// An empty page as wide as the terminal.
    pub(super) fn to_stdout(color: bool) -> Self {
        Self::new(output::width().unwrap_or(WIDTH), color)
    }

    /// An empty page of so many cells a line.
    pub(super) fn new(width: usize, color: bool) -> Self {
        Self { text: String::new(), width: width.max(LEAST), color }
    }

    /// A line that stands out.
    pub(super) fn heading(&mut self, text: &str) {
        if self.color {
            self.text.push_str("\x1b[1m");
        }
        self.paragraph("", text);
        if self.color {
            // Before the line's end, lest a pager that cuts lines keep it switched on.
            self.text.truncate(self.text.trim_end().len());
            self.text.push_str("\x1b[0m\n");
        }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A paragraph: `mark` before its first line, the others as far in.
    pub(super) fn paragraph(&mut self, mark: &str, text: &str) {
        let indent = width(mark);
        self.text.push_str(mark);
        let mut column = indent;
        for word in text.split(' ') {
            let wide = width(word);
            if column > indent && column + 1 + wide > self.width {
                let _ = write!(self.text, "\n{:indent$}", "");
                column = indent;
            } else if column > indent {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += wide;
        }
        self.text.push('\n');
    }

    /// A word and what it means, the meanings below each other.
    pub(super) fn entry(&mut self, word: &str, wide: usize, text: &str) {
        // Where the page is too narrow for two columns the meaning goes below.
        if wide + 24 > self.width {
            self.paragraph("  ", word);
            self.paragraph("    ", text);
        } else {
            self.paragraph(&format!("  {word:wide$}  "), text);
        }
    }

    /// Writes it. That nobody reads it to the end is no failure.
    pub(super) fn show(&self) -> Result<Exit, Error> {
        write(self.text.as_bytes())
    }
}

impl AsRef<str> for Page {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Writes `bytes` to standard output. That nobody reads them to the end is no failure.
pub(super) fn write(bytes: &[u8]) -> Result<Exit, Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::System { what: "cannot write to standard output", source })
        }
        _ => Ok(Exit::Clean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_fold_at_words_and_hang() {
        let mut page = Page::new(24, false);
        page.heading("Causes");
        page.paragraph("  - ", "a firewall drops the packets");
        page.paragraph("  - ", "aVeryLongWordThatFitsNowhereAtAll is kept whole");
        assert_eq!(
            page.as_ref(),
            "Causes\n  - a firewall drops the\n    packets\n  - aVeryLongWordThatFitsNowhereAtAll\n    is kept whole\n"
        );
    }

    #[test]
    fn only_colour_brings_escape_codes() {
        let heading = |color| {
            let mut page = Page::new(80, color);
            page.heading("X");
            page.text
        };
        assert_eq!((heading(false).as_str(), heading(true).as_str()), ("X\n", "\x1b[1mX\x1b[0m\n"));
    }
}
