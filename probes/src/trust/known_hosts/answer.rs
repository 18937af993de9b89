//! What known_hosts says of a host, and of a key that was seen there.

use std::sync::Arc;

use super::key::{canonical, public};
use crate::hostkey::key_type;
use crate::trust::Source;

/// A line that speaks of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The key, in SSH's encoding; shared with all lines that have an equal one. On a line with a marker a certificate is
    /// reduced to the key it certifies, as that is what ssh compares there.
    pub blob: Arc<[u8]>,
    /// Where the line stands.
    pub source: Source,
    /// The line speaks of more than this one name: it has a wildcard, a negation or several names, and
    /// `ssh-keygen -R` would take all that with it.
    pub by_pattern: bool,
    /// The line's name is hashed.
    pub hashed: bool,
    /// The line was found only under the host's name without its port.
    pub fallback: bool,
}

impl Entry {
    /// The key's type, for example `ssh-ed25519`; of an RSA key always `ssh-rsa`.
    #[must_use]
    pub fn key_type(&self) -> &str {
        // Blobs without a type do not get into the store.
        key_type(&self.blob).unwrap_or_default()
    }
}

/// All lines that speak of a host: files in the order they were given, lines in the order they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// Lines without a marker: keys of the host.
    pub keys: Vec<Entry>,
    /// `@cert-authority` lines: keys that certify the host's.
    pub authorities: Vec<Entry>,
    /// `@revoked` lines: keys to be refused from the host.
    pub revoked: Vec<Entry>,
    /// For a port other than 22: what stands under the host's name without a port. ssh looks there only where the name with
    /// the port has no key (for a certificate: not its authority), and takes from there only what agrees, or is revoked. `None` where
    /// nothing is found there, or nothing of it could count.
    pub fallback: Option<Box<Self>>,
}

/// What known_hosts says of a plain key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer<'a> {
    /// The host's key, by this line.
    Match(&'a Entry),
    /// The key is to be refused, by this line, whatever others say.
    Revoked(&'a Entry),
    /// The host has keys of this type, here they are, and this is none of them.
    Changed(Vec<&'a Entry>),
    /// The host has keys, here they are, and none is of this type. ssh says the same as for `Changed`; which of both it is
    /// makes the difference between an alarm and a key that was never learned.
    OtherType(Vec<&'a Entry>),
    /// No line has a key of the host.
    Unknown,
}

impl Known {
    /// No line speaks of the host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
            && self.authorities.is_empty()
            && self.revoked.is_empty()
            && self.fallback.as_ref().is_none_or(|fallback| fallback.is_empty())
    }

    /// The types of the host's keys, each once, in the order they were found: the types to ask the host for first.
    ///
    /// As in ssh, a type whose first key is revoked is left out, and so is what stands under the name without the port: ssh
    /// orders its offer before it falls back. Whoever wants one connection to decide there too asks `fallback` as well.
    pub fn key_types(&self) -> impl Iterator<Item = &str> {
        let first_of_type = |at: usize, entry: &Entry| {
            let before = self.keys.get(..at).unwrap_or_default();
            !before.iter().any(|other| other.key_type() == entry.key_type())
        };
        let firsts = self.keys.iter().enumerate().filter(move |(at, entry)| first_of_type(*at, entry));
        firsts.filter(|(_, entry)| self.revokes(&entry.blob).is_none()).map(|(_, entry)| entry.key_type())
    }

    /// What is said of a plain key that the host proved to have.
    #[must_use]
    pub fn answer(&self, plain_blob: &[u8]) -> Answer<'_> {
        let blob = canonical(plain_blob);
        if let Some(entry) = self.revokes(&blob) {
            return Answer::Revoked(entry);
        }
        if let Some(entry) = self.keys.iter().find(|entry| *entry.blob == *blob) {
            return Answer::Match(entry);
        }
        if self.keys.is_empty() {
            // A key that differs under the name without the port counts for nothing. Of one that is revoked there ssh says
            // so, and then that it knows no key with the port: it does not connect, and the first is what matters.
            return match self.fallback.as_ref().map(|fallback| fallback.answer(&blob)) {
                Some(agreed @ (Answer::Match(_) | Answer::Revoked(_))) => agreed,
                _ => Answer::Unknown,
            };
        }
        let kind = key_type(&blob);
        let same: Vec<&Entry> = self.keys.iter().filter(|entry| Some(entry.key_type()) == kind).collect();
        if same.is_empty() { Answer::OtherType(self.keys.iter().collect()) } else { Answer::Changed(same) }
    }

    /// The line by which an authority certifies keys of this host. Whether it or the certified key is revoked is for
    /// [`Self::revokes`] to say.
    #[must_use]
    pub fn authority(&self, ca_blob: &[u8]) -> Option<&Entry> {
        let blob = public(ca_blob);
        let own = self.authorities.iter().find(|entry| *entry.blob == *blob);
        own.or_else(|| {
            // One that is revoked there certifies nothing there, and is not revoked here.
            let fallback = self.fallback.as_ref().filter(|fallback| fallback.revokes(&blob).is_none())?;
            fallback.authorities.iter().find(|entry| *entry.blob == *blob)
        })
    }

    /// The line by which this key is revoked for the host: a plain key, an authority's, or the one in a certificate. What is
    /// revoked only under the name without the port is for `fallback` to say; [`Self::answer`] and [`Self::authority`] ask it.
    #[must_use]
    pub fn revokes(&self, blob: &[u8]) -> Option<&Entry> {
        let blob = public(blob);
        self.revoked.iter().find(|entry| *entry.blob == *blob)
    }
}
