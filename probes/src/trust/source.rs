//! Where a piece of trust stands, so that every answer can be looked up by hand.

use std::fmt;
use std::sync::Arc;

/// A place in a file that was read for trust.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// The file as messages call it.
    pub file: Arc<str>,
    /// The line, counted from 1; `None` where the file has no lines (a KRL).
    pub line: Option<u32>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Something in such a file that cannot be used. It is told, and never silently taken for "no keys".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub at: Source,
    /// What is wrong with it, escaped.
    pub what: String,
    /// What becomes of it.
    pub effect: Effect,
}

/// What becomes of a line that something is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is left out.
    LeftOut,
    /// It counts all the same.
    Counts,
    /// It is not one line but so many more that are left out, too many to be told one by one.
    More(usize),
}

impl Problem {
    /// For what is wrong with a line or a file, none of which is used.
    #[must_use]
    pub fn new(at: Source, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), effect: Effect::LeftOut }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_as_an_editor_takes_it() {
        let line = Source { file: "known_hosts".into(), line: Some(7) };
        assert_eq!(line.to_string(), "known_hosts:7");
        let problem = Problem {
            at: Source { file: "krl".into(), line: None },
            what: String::from("cut short"),
            effect: Effect::LeftOut,
        };
        assert_eq!(problem.to_string(), "krl: cut short");
    }
}
