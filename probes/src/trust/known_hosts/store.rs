//! The lines of all files, indexed.
//!
//! A name without wildcards is found through a hash table, whatever the number of lines. Lines with wildcards or negations
//! are tried one after the other, and so are hashed ones: one HMAC-SHA1 each, which is what hashing them is for.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use aws_lc_rs::hmac;

use super::answer::{Entry, Known};
use super::builder::KnownHostsBuilder;
use super::key::canonical;
use super::line::{HASH_SIZE, Marker};
use super::name::LookupName;
use super::pattern::list_matches;
use crate::escape::shorten;
use crate::trust::Source;

/// Tables with the standard library's hash and no secret in it: nothing here may draw randomness, and who can write
/// known_hosts has better means than a slow lookup.
pub(super) type Table<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Characters of a line's names that are shown.
const NAMES_SHOWN: usize = 256;

/// The place of something in one of the lists of a store.
pub(super) type At = u32;

/// A run of bytes in [`KnownHosts::text`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// A line that can be used.
#[derive(Debug)]
pub(super) struct StoredLine {
    pub(super) marker: Marker,
    pub(super) by_pattern: bool,
    pub(super) hashed: bool,
    /// In [`KnownHosts::files`].
    pub(super) file: At,
    /// Counted from 1.
    pub(super) number: u32,
    /// In [`KnownHosts::keys`].
    pub(super) key: At,
    /// The names as they are written; nothing for a hashed one.
    pub(super) names: Span,
    /// The next line without a marker that has the same key.
    pub(super) same_key: Option<At>,
}

/// A key, kept once.
#[derive(Debug)]
pub(super) struct StoredKey {
    pub(super) blob: Arc<[u8]>,
    /// The first and the last line without a marker that have it.
    pub(super) lines: Option<(At, At)>,
}

/// A name without wildcards.
#[derive(Debug)]
pub(super) struct StoredName {
    pub(super) text: Span,
    pub(super) line: At,
    /// Another name with the same hash.
    pub(super) next: Option<At>,
}

/// A hashed name.
#[derive(Debug)]
pub(super) struct StoredHash {
    pub(super) salt: [u8; HASH_SIZE],
    pub(super) hash: [u8; HASH_SIZE],
    pub(super) line: At,
}

/// The known_hosts files of a run, read once and shared by all who ask.
#[derive(Debug, Default)]
pub struct KnownHosts {
    pub(super) files: Vec<Arc<str>>,
    pub(super) lines: Vec<StoredLine>,
    pub(super) keys: Vec<StoredKey>,
    pub(super) key_index: Table<Arc<[u8]>, At>,
    /// The names of all lines, as they are written.
    pub(super) text: Vec<u8>,
    pub(super) names: Vec<StoredName>,
    /// From a name's hash to the latest of the names that have it.
    pub(super) name_index: Table<u64, At>,
    /// Lines whose list has a wildcard or a negation.
    pub(super) patterns: Vec<At>,
    pub(super) hashes: Vec<StoredHash>,
    pub(super) authorities: bool,
}

/// Looks up `list[at]`; every place was made together with what stands there.
pub(super) fn at<T>(list: &[T], at: At) -> Option<&T> {
    list.get(usize::try_from(at).ok()?)
}

/// A hash of a name in which letters have no case.
pub(super) fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for byte in name {
        hasher.write_u8(byte.to_ascii_lowercase());
    }
    hasher.finish()
}

impl KnownHosts {
    /// Begins without a line.
    #[must_use]
    pub fn builder() -> KnownHostsBuilder {
        KnownHostsBuilder::default()
    }

    /// No line can be used: nothing is known of any host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// All lines that speak of the host.
    ///
    /// Takes one step for all names without wildcards, one for each line with a wildcard or negation, one HMAC-SHA1 for each
    /// hashed line; twice that for a port other than 22 under which no key is found (or where there are `@cert-authority`
    /// lines, whoever they are for: whether the fallback counts depends on the certificate then).
    #[must_use]
    pub fn lookup(&self, name: &LookupName) -> Known {
        let mut known = self.find(name.as_str(), false);
        if let Some(plain) = name.fallback().filter(|_| known.keys.is_empty() || self.authorities) {
            known.fallback = Some(self.find(plain, true)).filter(|fallback| !fallback.is_empty()).map(Box::new);
        }
        known
    }

    /// The other names under which an equal key stands, at most so many: the names of each line as they are written (a
    /// long list cut, nothing in it that steers a terminal), `[hashed] FILE:LINE` for a hashed one. Lines with a marker and
    /// those that speak of `except` are left out. It is what ssh tells with "known by the following other names".
    #[must_use]
    pub fn known_as(&self, key: &[u8], except: &LookupName, most: usize) -> Vec<String> {
        let key = self.key_index.get(&*canonical(key)).and_then(|key| at(&self.keys, *key));
        let mut next = key.and_then(|key| key.lines).map(|(first, _)| first);
        let mut names = Vec::new();
        while let Some(line) = next.filter(|_| names.len() < most) {
            next = at(&self.lines, line).and_then(|line| line.same_key);
            names.extend(self.known_by(line, except.as_str()));
        }
        names
    }

    fn known_by(&self, place: At, except: &str) -> Option<String> {
        let line = at(&self.lines, place)?;
        if line.hashed {
            let by_line = self.hashes.binary_search_by_key(&place, |hash| hash.line).ok()?;
            let hash = self.hashes.get(by_line)?;
            let source = self.source(line)?;
            return (!hash.is_of(except)).then(|| format!("[hashed] {source}"));
        }
        let names = self.span(line.names);
        (!list_matches(except.as_bytes(), names)).then(|| shorten(names, NAMES_SHOWN))
    }

    fn find(&self, name: &str, fallback: bool) -> Known {
        let mut found = Vec::new();
        let mut next = self.name_index.get(&name_hash(name.as_bytes())).copied();
        while let Some(stored) = next.and_then(|next| at(&self.names, next)) {
            if self.span(stored.text).eq_ignore_ascii_case(name.as_bytes()) {
                found.push(stored.line);
            }
            next = stored.next;
        }
        let list = |line: &At| at(&self.lines, *line).map_or(&[][..], |line| self.span(line.names));
        found.extend(self.patterns.iter().filter(|line| list_matches(name.as_bytes(), list(line))));
        found.extend(self.hashes.iter().filter(|hash| hash.is_of(name)).map(|hash| hash.line));
        // Places of lines are in the order of files and lines; a name may stand in its line twice.
        found.sort_unstable();
        found.dedup();
        let mut known = Known::default();
        for line in found.into_iter().filter_map(|line| at(&self.lines, line)) {
            let Some(entry) = self.entry(line, fallback) else { continue };
            match line.marker {
                Marker::None => known.keys.push(entry),
                Marker::Authority => known.authorities.push(entry),
                Marker::Revoked => known.revoked.push(entry),
            }
        }
        known
    }

    fn entry(&self, line: &StoredLine, fallback: bool) -> Option<Entry> {
        Some(Entry {
            blob: Arc::clone(&at(&self.keys, line.key)?.blob),
            source: self.source(line)?,
            by_pattern: line.by_pattern,
            hashed: line.hashed,
            fallback,
        })
    }

    fn source(&self, line: &StoredLine) -> Option<Source> {
        Some(Source { file: Arc::clone(at(&self.files, line.file)?), line: Some(line.number) })
    }

    fn span(&self, span: Span) -> &[u8] {
        let bounds = usize::try_from(span.start).ok().zip(usize::try_from(span.length).ok());
        let text = bounds.and_then(|(start, length)| self.text.get(start..start.saturating_add(length)));
        text.unwrap_or_default()
    }
}

impl StoredHash {
    fn is_of(&self, name: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.salt);
        hmac::sign(&key, name.as_bytes()).as_ref() == self.hash
    }
}
