//! Fits a row of cells into the width of a terminal: which columns stand, and how wide.

/// What a column asks for, in terminal cells.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Narrower than this it says nothing.
    pub least: usize,
    /// Wider than this it gains nothing; `None` for the one that takes the rest.
    pub most: Option<usize>,
    /// Columns with a higher number go first where there is no room; 0 never goes.
    pub leaves: u8,
    /// Between `least` and `most` it gains nothing either: it is given all of it or none.
    pub steps: bool,
}

/// Between two columns.
pub const GAP: usize = 2;

/// The width of every column, `None` for those left out. Without a `total` every column stands at its widest.
#[must_use]
pub fn fit(wishes: &[Wish], total: Option<usize>) -> Vec<Option<usize>> {
    let Some(total) = total else {
        return wishes.iter().map(|wish| Some(wish.most.unwrap_or(wish.least))).collect();
    };
    let mut widths: Vec<Option<usize>> = wishes.iter().map(|wish| Some(wish.least)).collect();
    let used = |widths: &[Option<usize>]| {
        let stand = widths.iter().flatten().count();
        widths.iter().flatten().sum::<usize>() + GAP * stand.saturating_sub(1)
    };
    while used(&widths) > total {
        let standing = wishes.iter().enumerate().filter(|(at, wish)| widths[*at].is_some() && wish.leaves > 0);
        match standing.max_by_key(|(_, wish)| wish.leaves) {
            Some((at, _)) => widths[at] = None,
            None => break,
        }
    }
    // Half of what is left over goes to the one without a limit at once, or it would grow only where all others are full.
    let mut spare = total.saturating_sub(used(&widths));
    for (wish, width) in wishes.iter().zip(&mut widths).filter(|(wish, _)| wish.steps) {
        let more = wish.most.unwrap_or(wish.least).saturating_sub(wish.least);
        if let Some(width) = width.as_mut().filter(|_| more <= spare) {
            *width += more;
            spare -= more;
        }
    }
    let mut shared = spare / 2;
    let mut order: Vec<usize> = (0..wishes.len())
        .filter(|at| widths[*at].is_some() && wishes[*at].most.is_some() && !wishes[*at].steps)
        .collect();
    order.sort_by_key(|at| wishes[*at].leaves);
    let mut given = 0;
    for at in order {
        if let (Some(width), Some(most)) = (&mut widths[at], wishes[at].most) {
            let more = most.saturating_sub(*width).min(shared);
            *width += more;
            shared -= more;
            given += more;
        }
    }
    if let Some(Some(rest)) = wishes.iter().position(|wish| wish.most.is_none()).map(|at| &mut widths[at]) {
        *rest += spare - given;
    }
    widths
}

/// The terminal cells a text takes. Wide scripts count two; what may combine counts one, so a row is never longer than thought.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// A text for a place that shows ASCII alone. Where the locale is not UTF-8 the bytes of other characters may even be
/// taken for controls: 0x9b, a part of many, is CSI.
#[must_use]
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out
}

/// What stands where something is missing.
#[must_use]
pub const fn ellipsis(ascii: bool) -> char {
    if ascii { '~' } else { '\u{2026}' }
}

/// Cuts a text to at most `limit` cells, with `mark` in place of what is missing.
#[must_use]
pub fn cut(text: &str, limit: usize, mark: char) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = limit.saturating_sub(1);
    for c in text.chars() {
        let cells = char_width(c);
        if cells > left {
            break;
        }
        left -= cells;
        out.push(c);
    }
    if limit > 0 {
        out.push(mark);
    }
    out
}

/// East Asian wide and emoji blocks (Unicode Standard Annex 11), generously.
fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xa960..=0xa97f | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe10..=0xfe19
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f000..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHES: [Wish; 4] = [
        Wish { least: 6, most: Some(10), leaves: 0, steps: false },
        Wish { least: 5, most: Some(20), leaves: 2, steps: false },
        Wish { least: 5, most: Some(8), leaves: 1, steps: false },
        Wish { least: 10, most: None, leaves: 0, steps: false },
    ];

    #[test]
    fn columns_leave_by_their_rank_and_never_overflow() {
        assert_eq!(fit(&WISHES, Some(32)), [Some(6), Some(5), Some(5), Some(10)]);
        assert_eq!(fit(&WISHES, Some(31)), [Some(9), None, Some(5), Some(13)]);
        assert_eq!(fit(&WISHES, Some(60)), [Some(10), Some(12), Some(8), Some(24)]);
        assert_eq!(fit(&WISHES, Some(18)), [Some(6), None, None, Some(10)]);
        assert_eq!(fit(&WISHES, Some(3)), [Some(6), None, None, Some(10)]);
        assert_eq!(fit(&WISHES, Some(100)), [Some(10), Some(20), Some(8), Some(56)]);
        assert_eq!(fit(&WISHES, None), [Some(10), Some(20), Some(8), Some(10)]);
        for total in 18..200 {
            let widths = fit(&WISHES, Some(total));
            let stand = widths.iter().flatten().count();
            assert_eq!(widths.iter().flatten().sum::<usize>() + GAP * (stand - 1), total);
        }
    }

    #[test]
    fn a_column_that_steps_gets_all_or_nothing() {
        let wishes = [Wish { least: 10, most: Some(50), leaves: 1, steps: true }, WISHES[3]];
        assert_eq!(fit(&wishes, Some(61)), [Some(10), Some(49)]);
        assert_eq!(fit(&wishes, Some(62)), [Some(50), Some(10)]);
        assert_eq!(fit(&wishes, None), [Some(50), Some(10)]);
    }

    #[test]
    fn a_cut_text_is_never_wider_than_the_limit() {
        assert_eq!(cut("abcdef", 6, '~'), "abcdef");
        assert_eq!(cut("abcdef", 5, '~'), "abcd~");
        assert_eq!(cut("\u{4e2d}\u{4e2d}\u{4e2d}", 4, ellipsis(false)), "\u{4e2d}\u{2026}");
        assert_eq!(cut("abc", 0, '~'), "");
        for limit in 0..12 {
            assert!(width(&cut("a\u{4e2d}b\u{1f512}cdef", limit, ellipsis(true))) <= limit);
        }
    }

    #[test]
    fn a_place_of_ascii_gets_ascii() {
        assert_eq!(ascii("plain \u{6c1b} \u{e4}"), "plain \\u{6c1b} \\u{e4}");
        assert!(ellipsis(true).is_ascii() && width(&ellipsis(true).to_string()) == 1);
    }
}
