//! From the bytes of files to the store.

use std::sync::Arc;

use super::key::public;
use super::line::{Hosts, Line, Marker, parse};
use super::pattern::patterns;
use super::store::{At, KnownHosts, Span, StoredHash, StoredKey, StoredLine, StoredName, name_hash};
use crate::trust::{Effect, Problem, Source};

/// Problems of one file that are told one by one; more of them say nothing new.
const PROBLEMS_MAX: usize = 1000;

const FULL: &str = "too much for one store";

/// What UTF-8 files of Windows may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads known_hosts files, in the order in which ssh would.
#[derive(Debug, Default)]
pub struct KnownHostsBuilder {
    store: KnownHosts,
    /// A line did not fit. What was begun for it stays, so nothing may be added after it.
    full: bool,
}

/// More lines, names or keys than 32 bits count.
struct Full;

impl KnownHostsBuilder {
    /// Adds the lines of a file, which messages call `file`.
    ///
    /// Gives one problem for each line that cannot be used, as ssh would pass over it, and for each that ssh reads otherwise
    /// than its writer meant; all other lines count. After the first 1,000 of a file, one more problem says how many follow.
    pub fn file(&mut self, file: &str, content: &[u8]) -> Vec<Problem> {
        let file: Arc<str> = file.into();
        let mut problems = Problems { file: Arc::clone(&file), told: Vec::new(), untold: 0 };
        let Ok(place) = At::try_from(self.store.files.len()) else { return problems.told };
        self.store.files.push(file);
        // What follows the last line feed is a line too, unless it is nothing.
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        for (before, text) in content.split(|byte| *byte == b'\n').enumerate() {
            let number = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
            // C strings: for ssh a line ends at a NUL byte.
            let (text, nul) = match text.iter().position(|byte| *byte == 0) {
                Some(nul) => (text.get(..nul).unwrap_or_default(), true),
                None => (text, false),
            };
            match parse(text) {
                Ok(Some(_)) if self.full => problems.tell(number, FULL),
                Ok(Some(line)) => match self.add(line, place, number) {
                    Ok(()) if nul => problems.warn(number, "a NUL byte; ssh reads the line only as far as that"),
                    Ok(()) if number == 1 && text.starts_with(BYTE_ORDER_MARK) => {
                        problems.warn(number, "a byte order mark; for ssh it is part of the line's first name");
                    }
                    Ok(()) => {}
                    Err(Full) => {
                        self.full = true;
                        problems.tell(number, FULL);
                    }
                },
                Ok(None) if nul && !text.contains(&b'#') => {
                    problems.tell(number, "a NUL byte; ssh reads nothing after it");
                }
                Ok(None) => {}
                Err(fault) => problems.tell(number, &fault.to_string()),
            }
        }
        problems.all()
    }

    /// The store, which changes no more.
    #[must_use]
    pub fn build(mut self) -> KnownHosts {
        self.store.lines.shrink_to_fit();
        self.store.keys.shrink_to_fit();
        self.store.text.shrink_to_fit();
        self.store.names.shrink_to_fit();
        self.store.hashes.shrink_to_fit();
        self.store
    }

    fn add(&mut self, line: Line<'_>, file: At, number: u32) -> Result<(), Full> {
        let place = place(&self.store.lines)?;
        let (names, hashed) = match line.hosts {
            Hosts::Hashed { .. } => (&[][..], true),
            Hosts::Patterns(names) => (names, false),
        };
        let span = self.keep_text(names)?;
        let literal = patterns(names).all(|name| name.is_literal());
        let by_pattern = !hashed && (!literal || patterns(names).count() > 1);
        let key = self.keep_key(line.marker, &line.blob, place)?;
        match line.hosts {
            Hosts::Hashed { salt, hash } => self.store.hashes.push(StoredHash { salt, hash, line: place }),
            Hosts::Patterns(names) if literal => self.index_names(names, span, place)?,
            Hosts::Patterns(_) => self.store.patterns.push(place),
        }
        self.store.authorities |= line.marker == Marker::Authority;
        let marker = line.marker;
        self.store.lines.push(StoredLine {
            marker,
            by_pattern,
            hashed,
            file,
            number,
            key,
            names: span,
            same_key: None,
        });
        Ok(())
    }

    fn keep_text(&mut self, names: &[u8]) -> Result<Span, Full> {
        let start = place(&self.store.text)?;
        let length = u32::try_from(names.len()).map_err(|_| Full)?;
        start.checked_add(length).ok_or(Full)?;
        self.store.text.extend_from_slice(names);
        Ok(Span { start, length })
    }

    fn keep_key(&mut self, marker: Marker, blob: &[u8], line: At) -> Result<At, Full> {
        let store = &mut self.store;
        let public = public(blob);
        let blob = if marker == Marker::None { blob } else { &public };
        let key = match store.key_index.get(blob) {
            Some(key) => *key,
            None => {
                let key = place(&store.keys)?;
                let blob: Arc<[u8]> = blob.into();
                store.keys.push(StoredKey { blob: Arc::clone(&blob), lines: None });
                store.key_index.insert(blob, key);
                key
            }
        };
        if marker == Marker::None
            && let Some(stored) = usize::try_from(key).ok().and_then(|key| store.keys.get_mut(key))
        {
            let first = stored.lines.map_or(line, |(first, _)| first);
            let last = stored.lines.replace((first, line)).map(|(_, last)| last);
            let last = last.and_then(|last| store.lines.get_mut(usize::try_from(last).ok()?));
            if let Some(last) = last {
                last.same_key = Some(line);
            }
        }
        Ok(key)
    }

    fn index_names(&mut self, names: &[u8], span: Span, line: At) -> Result<(), Full> {
        let mut start = span.start;
        for pattern in patterns(names) {
            let length = u32::try_from(pattern.text.len()).map_err(|_| Full)?;
            let name = place(&self.store.names)?;
            let next = self.store.name_index.insert(name_hash(pattern.text), name);
            self.store.names.push(StoredName { text: Span { start, length }, line, next });
            // Behind the name stands its comma.
            start = start.saturating_add(length).saturating_add(1);
        }
        Ok(())
    }
}

/// The place of what is pushed next.
fn place<T>(list: &[T]) -> Result<At, Full> {
    At::try_from(list.len()).map_err(|_| Full)
}

struct Problems {
    file: Arc<str>,
    told: Vec<Problem>,
    untold: usize,
}

impl Problems {
    /// A line that is left out.
    fn tell(&mut self, number: u32, what: &str) {
        self.push(number, what, Effect::LeftOut);
    }

    /// A line that counts, though not as its writer may have thought.
    fn warn(&mut self, number: u32, what: &str) {
        self.push(number, what, Effect::Counts);
    }

    fn push(&mut self, number: u32, what: &str, effect: Effect) {
        if self.told.len() < PROBLEMS_MAX {
            let at = Source { file: Arc::clone(&self.file), line: Some(number) };
            self.told.push(Problem { at, what: what.to_owned(), effect });
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    fn all(mut self) -> Vec<Problem> {
        if self.untold > 0 {
            let what = format!("{} more lines of this file cannot be used", self.untold);
            let at = Source { file: self.file, line: None };
            self.told.push(Problem { at, what, effect: Effect::More(self.untold) });
        }
        self.told
    }
}
