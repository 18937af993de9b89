//! `--shard I/N`: one sweep split over machines that need not know of each other.
//!
//! A share is every Nth target by index, so that it depends on nothing but the list of targets: not on the seed, which
//! each machine may draw for itself, nor on the speed at which targets come. What falls to a share of an interval is
//! arithmetic; nothing is listed or walked over to find it.

use std::fmt;
use std::str::FromStr;

/// Which part of the targets is probed by this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    nth: u64,
    of: u64,
}

impl Share {
    /// All of them.
    pub const WHOLE: Self = Self { nth: 0, of: 1 };

    /// The `nth` of `of` shares, counted from 1; `None` if there is no such.
    #[must_use]
    pub const fn new(nth: u64, of: u64) -> Option<Self> {
        if nth == 0 || nth > of { None } else { Some(Self { nth: nth - 1, of }) }
    }

    /// Whether it is not the whole.
    #[must_use]
    pub const fn is_part(self) -> bool {
        self.of > 1
    }

    /// Whether the target with this index is in it.
    #[must_use]
    pub const fn has(self, index: u64) -> bool {
        index % self.of == self.nth
    }

    /// How many of `len` targets from the index `start` on are in it.
    #[must_use]
    pub const fn count(self, start: u64, len: u64) -> u64 {
        let first = self.gap(start);
        if first < len { (len - 1 - first) / self.of + 1 } else { 0 }
    }

    /// The most that can be in it of `len` targets in a row.
    #[must_use]
    pub const fn most(self, len: u64) -> u64 {
        len.div_ceil(self.of)
    }

    /// How far behind the index `start` its `n`th target from there on lies, counted from 0.
    pub(crate) const fn offset(self, start: u64, n: u64) -> u64 {
        n.saturating_mul(self.of).saturating_add(self.gap(start))
    }

    /// How far behind `start` its first target lies.
    const fn gap(self, start: u64) -> u64 {
        let at = start % self.of;
        if self.nth >= at { self.nth - at } else { self.of - at + self.nth }
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nth + 1, self.of)
    }
}

impl FromStr for Share {
    type Err = String;

    /// An error is the rest of a sentence that begins with what was given.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let (nth, of) = text
            .split_once('/')
            .and_then(|(nth, of)| Some((number(nth)?, number(of)?)))
            .ok_or("is not two numbers with a slash between them, like 2/7")?;
        Self::new(nth, of).ok_or_else(|| match (nth, of) {
            (_, 0) => String::from("has no share at all; the number behind the slash is how many there are"),
            (0, _) => format!("begins at 0; the first share is 1/{of}"),
            _ => format!("is not one of {of} shares: the last is {of}/{of}"),
        })
    }
}

#[cfg(test)]
mod tests;
