//! The one table of formats, and what a format has to do.

use std::io;
use std::path::Path;

use sshprobe_probes::record::Record;

use crate::report::{jsonl, table};

/// Writes records in one format. Bytes only: where they go, and when, is the sink's business.
pub trait Encoder: Send {
    /// Appends one record to `out`, after whatever has to stand before the first one.
    ///
    /// # Errors
    /// The record cannot be put in this format: a bug of ours, and never a reason to leave a record out silently.
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()>;
}

/// What the place that the bytes go to looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Columns of the terminal; `None` where lines may be as long as they are.
    pub width: Option<usize>,
    /// Colours may be used.
    pub color: bool,
}

/// A format: one line of [`FORMATS`].
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// File suffixes that choose it for `-o`, without the dot.
    pub suffixes: &'static [&'static str],
    /// It is read by people: `--show` selects its rows. What programs read is selected by `--records`.
    pub for_people: bool,
    /// A fresh encoder.
    pub encoder: fn(Look) -> Box<dyn Encoder>,
}

/// Every format.
pub static FORMATS: [Format; 2] = [
    Format { name: "table", suffixes: &["txt"], for_people: true, encoder: table::encoder },
    Format { name: "jsonl", suffixes: &["jsonl", "ndjson", "json"], for_people: false, encoder: jsonl::encoder },
];

impl Format {
    /// The format a file's suffix chooses, JSON lines where it says nothing.
    #[must_use]
    pub fn of_file(path: &Path) -> &'static Format {
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default().to_ascii_lowercase();
        let named = FORMATS.iter().find(|format| format.suffixes.contains(&suffix.as_str()));
        named.or_else(|| FORMATS.iter().find(|format| format.name == "jsonl")).unwrap_or(&FORMATS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_choose_the_format() {
        for (path, name) in
            [("a.jsonl", "jsonl"), ("a.JSON", "jsonl"), ("a.txt", "table"), ("a", "jsonl"), ("a.log", "jsonl")]
        {
            assert_eq!(Format::of_file(Path::new(path)).name, name, "{path}");
        }
    }

    #[test]
    fn no_name_or_suffix_stands_twice() {
        let mut words: Vec<&str> = FORMATS.iter().flat_map(|format| format.suffixes.iter().copied()).collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
