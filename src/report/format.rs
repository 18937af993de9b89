//! The one table of formats, and what a format has to do.

use std::io;
use std::path::Path;

use sshprobe_probes::record::Record;

use crate::report::columns::Columns;
use crate::report::{csv, jsonl, table};

/// Writes records in one format. Bytes only: where they go, and when, is the sink's business.
pub trait Encoder: Send {
    /// Appends what a place has to hold even if no record ever comes.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Appends one record to `out`, after whatever has to stand before the first one.
    ///
    /// # Errors
    /// The record cannot be put in this format: a bug of ours, and never a reason to leave a record out silently.
    fn record(&mut self, record: &Record, out: &mut Vec<u8>) -> io::Result<()>;
}

/// What the place that the bytes go to looks like.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Columns of the terminal; `None` where lines may be as long as they are.
    pub width: Option<usize>,
    /// Colours may be used.
    pub color: bool,
    /// It shows ASCII alone (the locale is not UTF-8): anything else comes out as escapes.
    pub ascii: bool,
    /// The columns asked for, where the format has columns; else it shows its own.
    pub columns: Option<Columns>,
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
    /// It has columns: `--columns` chooses them.
    pub has_columns: bool,
    /// A fresh encoder.
    pub encoder: fn(Look) -> Box<dyn Encoder>,
}

/// Every format.
pub static FORMATS: [Format; 3] = [
    Format { name: "table", suffixes: &["txt"], for_people: true, has_columns: true, encoder: table::encoder },
    Format {
        name: "jsonl",
        suffixes: &["jsonl", "ndjson", "json"],
        for_people: false,
        has_columns: false,
        encoder: jsonl::encoder,
    },
    Format { name: "csv", suffixes: &["csv"], for_people: false, has_columns: true, encoder: csv::encoder },
];

impl Format {
    /// The format a file's suffix chooses, JSON lines where it says nothing. Of a packed file it is the suffix before.
    #[must_use]
    pub fn of_file(path: &Path) -> &'static Format {
        let path = if is_packed(path) { path.file_stem().map_or(path, Path::new) } else { path };
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default().to_ascii_lowercase();
        let named = FORMATS.iter().find(|format| format.suffixes.contains(&suffix.as_str()));
        named.or_else(|| FORMATS.iter().find(|format| format.name == "jsonl")).unwrap_or(&FORMATS[0])
    }
}

/// Whether a file's suffix says that it is packed with zstd.
#[must_use]
pub fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("zst"))
}

/// The suffixes of packers that are not built in, and of zstd where it is not written as it is asked for.
const OTHER_PACKERS: [&str; 14] =
    ["7z", "br", "bz2", "gz", "lz", "lz4", "lzma", "lzo", "sz", "tgz", "xz", "z", "zip", "zstd"];

/// The suffix, if it says that a file is packed in a way that nobody here can: plain lines under it would be in nobody's favour.
#[must_use]
pub fn packed_otherwise(path: &Path) -> Option<&str> {
    let suffix = path.extension()?.to_str()?;
    OTHER_PACKERS.iter().any(|packer| suffix.eq_ignore_ascii_case(packer)).then_some(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_choose_the_format() {
        for (path, name) in [
            ("a.jsonl", "jsonl"),
            ("a.JSON", "jsonl"),
            ("a.txt", "table"),
            ("a", "jsonl"),
            ("a.log", "jsonl"),
            ("b.CSV", "csv"),
            ("b.csv.zst", "csv"),
            ("csv.ZST", "jsonl"),
            ("x/b.jsonl.zst", "jsonl"),
        ] {
            assert_eq!(Format::of_file(Path::new(path)).name, name, "{path}");
        }
    }

    #[test]
    fn what_is_packed_by_others_is_known_by_its_suffix() {
        for (path, suffix) in [
            ("a.csv.gz", Some("gz")),
            ("x/a.jsonl.BZ2", Some("BZ2")),
            ("a.xz", Some("xz")),
            ("a.lz4", Some("lz4")),
            ("a.jsonl.zstd", Some("zstd")),
            ("a.jsonl.zst", None),
            ("a.gz.jsonl", None),
            ("a.gz/b", None),
            (".gz", None),
            ("gz", None),
        ] {
            assert_eq!(packed_otherwise(Path::new(path)), suffix, "{path}");
        }
    }

    #[test]
    fn no_name_or_suffix_stands_twice() {
        let mut words: Vec<&str> = FORMATS.iter().flat_map(|format| format.suffixes.iter().copied()).collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
