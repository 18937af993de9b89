//! `--revoked-host-keys`: keys that are refused whatever known_hosts says, as a list of public keys or as a KRL.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};

use super::krl::{Krl, MAGIC};
use super::public_key::public_key;
use super::{Problem, Source};
use crate::escape::shorten;
use crate::hostkey::{Certificate, canonical_key, is_certificate, key_type};

/// As many faulty lines of one file are told one by one.
const PROBLEMS_MAX: usize = 100;

/// By what a list revokes a key or certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevokedBy {
    /// The key itself stands there.
    Key,
    /// The key's SHA-1 stands there.
    Sha1,
    /// The key's SHA-256 stands there.
    Sha256,
    /// The certificate's serial stands there.
    Serial,
    /// The certificate's key ID stands there.
    KeyId,
}

impl RevokedBy {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Serial => "serial",
            Self::KeyId => "key-id",
        }
    }
}

/// Where and how a key is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The line of a list, or the KRL.
    pub at: Source,
    /// By what.
    pub by: RevokedBy,
    /// What is revoked is not the key or certificate itself but the authority that signed it.
    pub authority: bool,
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.authority { "authority's " } else { "" };
        write!(f, "{} ({whose}{})", self.at, self.by.word())
    }
}

/// The revoked keys of several files, ready to be asked from many tasks.
#[derive(Debug, Clone, Default)]
pub struct RevokedKeys {
    /// Canonical plain keys of all lists, each with the first line that has it.
    listed: HashMap<Box<[u8]>, Source>,
    krls: Vec<(Arc<str>, Krl)>,
}

/// Reads files into [`RevokedKeys`].
#[derive(Debug, Clone, Default)]
pub struct RevokedKeysBuilder {
    keys: RevokedKeys,
}

impl RevokedKeysBuilder {
    /// Reads a file's content; `file` is how messages call it. Gives the lines that are no public keys. ssh refuses every host
    /// key because of one such line; here the other lines still count, so whoever reads the problems decides.
    ///
    /// # Errors
    /// Nothing of the file can be used: a KRL that is broken anywhere, or a list without one good line. ssh then refuses every
    /// host key, as it does if it cannot read the file at all; to go on without it would be to trust what it revokes.
    pub fn file(&mut self, file: &str, content: &[u8]) -> Result<Vec<Problem>, Problem> {
        let file: Arc<str> = file.into();
        if content.starts_with(MAGIC) {
            let krl = Krl::parse(content).map_err(|fault| Problem {
                at: Source { file: Arc::clone(&file), line: None },
                what: format!("a KRL that cannot be used: {fault}; ssh refuses every host key because of it"),
            })?;
            self.keys.krls.push((file, krl));
            return Ok(Vec::new());
        }
        self.list(&file, content)
    }

    fn list(&mut self, file: &Arc<str>, content: &[u8]) -> Result<Vec<Problem>, Problem> {
        let (mut problems, mut more, mut good) = (Vec::new(), 0usize, false);
        for (number, line) in (1u32..).zip(content.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let at = Source { file: Arc::clone(file), line: Some(number) };
            match public_key(line) {
                Ok((key, _)) => {
                    good = true;
                    self.keys.listed.entry(key).or_insert(at);
                }
                Err(fault) if problems.len() < PROBLEMS_MAX => {
                    let what = format!(
                        "no public key ({fault}): {}; ssh refuses every host key because of this line",
                        shorten(line, 40)
                    );
                    problems.push(Problem { at, what });
                }
                Err(_) => more = more.saturating_add(1),
            }
        }
        if !good && !problems.is_empty() {
            return Err(problems.swap_remove(0));
        }
        if more > 0 {
            let at = Source { file: Arc::clone(file), line: None };
            problems.push(Problem { at, what: format!("{more} more lines that are no public keys") });
        }
        Ok(problems)
    }

    /// What the files came to.
    #[must_use]
    pub fn build(self) -> RevokedKeys {
        self.keys
    }
}

impl RevokedKeys {
    /// No file was read, or none that revokes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.krls.is_empty()
    }

    /// Where a host key, plain or with its certificate, is revoked, if it is: the key, then the certificate as such, then its
    /// authority's key. A blob that is a certificate by its type and has not the layout of one is no key of anybody's; it is
    /// compared as it stands.
    #[must_use]
    pub fn revokes(&self, blob: &[u8]) -> Option<Revocation> {
        if self.is_empty() {
            return None;
        }
        let certified = key_type(blob).is_some_and(is_certificate);
        let cert = certified.then(|| Certificate::parse(blob).ok()).flatten();
        let key = Key::of(blob);
        let authority = cert.as_ref().map(|cert| Key::of(cert.ca_key));
        let found = |at: &Source, by, authority| Revocation { at: at.clone(), by, authority };
        if let Some(at) = self.listed.get(&key.blob) {
            return Some(found(at, RevokedBy::Key, false));
        }
        if let Some(at) = authority.as_ref().and_then(|authority| self.listed.get(&authority.blob)) {
            return Some(found(at, RevokedBy::Key, true));
        }
        for (file, krl) in &self.krls {
            let own = key.revoked_by(krl).or_else(|| {
                cert.as_ref().zip(authority.as_ref()).and_then(|(cert, ca)| krl.revokes_certificate(cert, &ca.blob))
            });
            let by = own.map(|by| (by, false));
            let by = by.or_else(|| authority.as_ref().and_then(|ca| ca.revoked_by(krl)).map(|by| (by, true)));
            if let Some((by, authority)) = by {
                return Some(found(&Source { file: Arc::clone(file), line: None }, by, authority));
            }
        }
        None
    }
}

/// A plain key in all the forms in which lists hold it.
struct Key {
    blob: Box<[u8]>,
    sha1: [u8; 20],
    sha256: [u8; 32],
}

impl Key {
    fn of(blob: &[u8]) -> Self {
        let blob: Box<[u8]> = canonical_key(blob).as_deref().unwrap_or(blob).into();
        Self { sha1: hash(&SHA1, &blob), sha256: hash(&SHA256, &blob), blob }
    }

    fn revoked_by(&self, krl: &Krl) -> Option<RevokedBy> {
        krl.revokes_key(&self.blob, &self.sha1, &self.sha256)
    }
}

/// A digest as an array of its own length; `N` is that length.
pub(super) fn hash<const N: usize>(algorithm: &'static Algorithm, bytes: &[u8]) -> [u8; N] {
    digest(algorithm, bytes).as_ref().try_into().unwrap_or([0; N])
}
