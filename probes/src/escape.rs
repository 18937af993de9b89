//! Making bytes from the network safe to show: nothing a server sends may move a cursor, hide or reorder text.

use std::fmt::{self, Write as _};

/// `bytes` as printable text.
///
/// Control characters (C0, DEL, C1), bidirectional controls and characters that show nothing come out as escapes
/// (`\n`, `\x1b`, `\u{202e}`), bytes that are not UTF-8 as `\xNN`. Everything else, backslashes too, stays as it is: the
/// JSON record is the lossless form.
#[must_use]
pub fn escape(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut out = String::with_capacity(bytes.len());
    let _ = write!(out, "{}", Shortened(bytes, usize::MAX));
    out
}

/// The same within quotation marks, cut after `limit` characters of the input, with `...` to show the cut.
#[must_use]
pub fn quote(bytes: impl AsRef<[u8]>, limit: usize) -> String {
    let bytes = bytes.as_ref();
    let mut out = String::with_capacity(bytes.len().min(limit).saturating_add(QUOTES));
    let _ = write!(out, "\"{}\"", Shortened(bytes, limit));
    out
}

/// Two quotation marks and the dots of a cut.
const QUOTES: usize = 5;

/// [`escape`], cut after `limit` characters of the input, with `...` to show the cut.
#[must_use]
pub fn shorten(bytes: impl AsRef<[u8]>, limit: usize) -> String {
    Shortened(bytes.as_ref(), limit).to_string()
}

/// What [`shorten`] makes of bytes, to be written into something longer.
pub(crate) struct Shortened<'a>(pub(crate) &'a [u8], pub(crate) usize);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes, limit) = *self;
        // A character takes at most four bytes, so this prefix holds all that can be shown without decoding the rest.
        let (head, rest) = bytes.split_at_checked(limit.saturating_mul(4)).unwrap_or((bytes, &[]));
        let mut left = limit;
        let mut cut = !rest.is_empty();
        'text: for chunk in head.utf8_chunks() {
            for c in chunk.valid().chars() {
                if left == 0 {
                    cut = true;
                    break 'text;
                }
                left = left.saturating_sub(1);
                push(out, c)?;
            }
            for byte in chunk.invalid() {
                if left == 0 {
                    cut = true;
                    break 'text;
                }
                left = left.saturating_sub(1);
                write!(out, "\\x{byte:02x}")?;
            }
        }
        if cut { out.write_str("...") } else { Ok(()) }
    }
}

fn push(out: &mut impl fmt::Write, c: char) -> fmt::Result {
    match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)),
        c if is_unsafe(c) => write!(out, "\\u{{{:x}}}", u32::from(c)),
        c => out.write_char(c),
    }
}

/// `c` must not reach a terminal as it is: it steers it, reorders what stands around it, or shows nothing at all.
#[must_use]
pub const fn is_unsafe(c: char) -> bool {
    matches!(c,
        // C0, DEL and C1: a terminal takes U+009B for CSI.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Soft hyphen, grapheme joiner, Arabic letter mark, Hangul fillers, Khmer and Mongolian invisibles.
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        // Zero-width characters, directional marks, line and paragraph separators, embeddings, overrides, isolates.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // Hangul filler, variation selectors, byte-order mark, halfwidth filler, interlinear annotation.
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        // Shorthand and musical format controls, tags, and what is set aside for more of their kind.
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_a_terminal_comes_out_as_text() {
        assert_eq!(escape("plain \u{e4} \u{4e2d} a\\b"), "plain \u{e4} \u{4e2d} a\\b");
        assert_eq!(escape("a\r\n\tb"), "a\\r\\n\\tb");
        assert_eq!(escape("\u{1b}[31m\u{7f}\0"), "\\x1b[31m\\x7f\\x00");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(escape(b"\x9b31m \xff\xfe"), "\\x9b31m \\xff\\xfe");
        assert_eq!(escape("ab\u{202e}dc\u{2066}\u{200b}\u{feff}"), "ab\\u{202e}dc\\u{2066}\\u{200b}\\u{feff}");
    }

    #[test]
    fn quotations_are_cut_and_say_so() {
        assert_eq!(quote("abc", 3), "\"abc\"");
        assert_eq!(quote("abcd", 3), "\"abc...\"");
        assert_eq!(quote("\u{1f512}\u{1f512}", 1), "\"\u{1f512}...\"");
        assert_eq!(quote(b"\xff\xff\xff", 2), "\"\\xff\\xff...\"");
        assert_eq!(quote("", 3), "\"\"");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_survives(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".*", limit in 0usize..200) {
            for shown in [escape(&bytes), escape(&text), quote(&bytes, limit), quote(&text, limit)] {
                prop_assert!(!shown.chars().any(is_unsafe), "{shown:?}");
            }
        }
    }
}
