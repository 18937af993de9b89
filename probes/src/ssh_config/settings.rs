//! Values as the lines gave them, before anything is made of them.

use std::collections::BTreeMap;

use crate::trust::Source;

/// A value with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The line; `None` for a default, and for what the caller gave.
    pub at: Option<Source>,
}

impl<T> Located<T> {
    /// A value that no line gave.
    pub(super) const fn unplaced(value: T) -> Self {
        Self { value, at: None }
    }

    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: make(self.value), at: self.at }
    }
}

/// The values by keyword, in lower case and by its present name; most have one, in the words of `ssh -G`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, Vec<Located<String>>>);

impl Settings {
    /// The values of a keyword, none if no line set it.
    #[must_use]
    pub fn all(&self, keyword: &str) -> &[Located<String>] {
        self.0.get(keyword).map(Vec::as_slice).unwrap_or_default()
    }

    /// The value of a keyword that has one.
    #[must_use]
    pub fn first(&self, keyword: &str) -> Option<&Located<String>> {
        self.all(keyword).first()
    }

    /// All keywords that were set, sorted.
    pub fn keywords(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    pub(super) fn text(&self, keyword: &str) -> Option<&str> {
        self.first(keyword).map(|setting| &*setting.value)
    }

    pub(super) fn list(&mut self, keyword: &'static str) -> &mut Vec<Located<String>> {
        self.0.entry(keyword).or_default()
    }

    pub(super) fn set(&mut self, keyword: &'static str, setting: Located<String>) {
        self.0.insert(keyword, vec![setting]);
    }
}
