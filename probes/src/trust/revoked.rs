//! `--revoked-host-keys`: keys that are refused whatever known_hosts says, as a list of public keys or as a KRL.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};

use super::krl::{Krl, MAGIC};
use super::public_key::public_key;
use super::{Effect, Problem, Source};
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
            let krl = Krl::parse(content).map_err(|fault| {
                let what = format!("a KRL that cannot be used: {fault}; ssh refuses every host key because of it");
                Problem::new(Source { file: Arc::clone(&file), line: None }, what)
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
                    problems.push(Problem::new(at, what));
                }
                Err(_) => more = more.saturating_add(1),
            }
        }
        if !good && !problems.is_empty() {
            return Err(problems.swap_remove(0));
        }
        if more > 0 {
            let at = Source { file: Arc::clone(file), line: None };
            let what = format!("{more} more lines that are no public keys");
            problems.push(Problem { at, what, effect: Effect::More(more) });
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

#[cfg(test)]
mod tests {
    use super::super::samples::certificate;
    use super::*;
    use crate::wire::write::Writer;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn line(blob: &[u8]) -> String {
        format!("{} {} comment", key_type(blob).unwrap(), STANDARD.encode(blob))
    }

    /// The key and the authority of a certificate.
    fn parts(name: &str) -> (Vec<u8>, Vec<u8>) {
        let blob = certificate(name);
        let cert = Certificate::parse(&blob).unwrap();
        (cert.key.clone(), cert.ca_key.to_vec())
    }

    fn read(content: &str) -> RevokedKeys {
        let mut builder = RevokedKeysBuilder::default();
        assert_eq!(builder.file("revoked", content.as_bytes()), Ok(Vec::new()));
        builder.build()
    }

    #[test]
    fn a_list_revokes_keys_their_certificates_and_what_an_authority_signed() {
        let (key, ca) = parts("good");
        let (_, other) = parts("rsa512");
        let shown = |keys: &RevokedKeys, blob: &[u8]| keys.revokes(blob).map(|at| at.to_string());
        let keys = read(&format!("# hosts\r\n\r\n{}\r\n  {}", line(&other), line(&key)));
        assert_eq!(shown(&keys, &key).as_deref(), Some("revoked:4 (key)"));
        assert_eq!(shown(&keys, &certificate("good")).as_deref(), Some("revoked:4 (key)"));
        assert_eq!(shown(&keys, &ca), None);
        let keys = read(&line(&ca));
        assert_eq!(shown(&keys, &certificate("good")).as_deref(), Some("revoked:1 (authority's key)"));
        assert_eq!(shown(&keys, &certificate("rsa512")), None);
        assert_eq!(shown(&keys, &key), None);
        // A certificate in a list stands for its key, as for ssh.
        let keys = read(&line(&certificate("user")));
        assert_eq!(shown(&keys, &key).as_deref(), Some("revoked:1 (key)"));
        assert_eq!(shown(&keys, &certificate("good")).as_deref(), Some("revoked:1 (key)"));
        assert_eq!(shown(&keys, &ca), None);
        assert!(read("").is_empty() && read("# nothing\n\n \t\n").is_empty());
    }

    /// One byte of padding makes another blob of the same RSA key, which ssh takes.
    #[test]
    fn a_revoked_rsa_key_is_revoked_however_its_numbers_are_padded() {
        let (_, rsa) = parts("rsa512");
        let mut reader = crate::wire::read::Reader::new(&rsa);
        let (_, e, n) = (reader.string().unwrap(), reader.string().unwrap(), reader.string().unwrap());
        let mut padded = Vec::new();
        Writer::new(&mut padded).string(b"ssh-rsa").string(e).string(&[&[0], n].concat());
        assert_eq!(read(&line(&rsa)).revokes(&padded).unwrap().by, RevokedBy::Key);
        assert_eq!(read(&line(&padded)).revokes(&rsa).unwrap().by, RevokedBy::Key);
    }

    #[test]
    fn a_line_that_is_no_key_is_told_and_the_others_count() {
        let (key, ca) = parts("good");
        let base64 = STANDARD.encode(&ca);
        let bad = [
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 ???".to_owned(),
            format!("ssh-rsa {base64}"),
            format!("ssh-ed25519 {}", &base64[..40]),
            format!("ssh-ed25519 {}", STANDARD.encode(&ca[..ca.len() - 1])),
            format!("@revoked * ssh-ed25519 {base64}"),
            "SHA256:W/GKSZfdHNBPxFQjF3pl19QKNIRjQJLAX8cO5txxiCU".to_owned(),
            "ssh-ed25519 \x1b[2J\0".to_owned(),
            "x".repeat(1_000_000),
        ];
        for bad in &bad {
            let mut builder = RevokedKeysBuilder::default();
            let problems = builder.file("revoked", format!("{bad}\n{}\n", line(&key)).as_bytes()).unwrap();
            let [problem] = &problems[..] else { panic!("{problems:?}") };
            assert!(problem.to_string().starts_with("revoked:1: no public key ("), "{problem}");
            assert!(problem.what.len() < 300 && !problem.what.chars().any(char::is_control), "{problem}");
            let keys = builder.build();
            assert!(keys.revokes(&key).is_some() && keys.revokes(&ca).is_none(), "{bad}");
            // With no good line at all nothing can be made of the file.
            assert!(RevokedKeysBuilder::default().file("revoked", bad.as_bytes()).is_err());
        }
    }

    #[test]
    fn a_file_full_of_garbage_is_told_in_bounded_room() {
        let (key, _) = parts("good");
        let mut builder = RevokedKeysBuilder::default();
        let content = "x\n".repeat(5_000) + &line(&key);
        let problems = builder.file("revoked", content.as_bytes()).unwrap();
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert_eq!(problems.last().unwrap().to_string(), "revoked: 4900 more lines that are no public keys");
        assert_eq!(builder.build().revokes(&key).unwrap().at.line, Some(5_001));
    }

    #[test]
    fn a_broken_krl_is_refused_with_all_it_holds() {
        let mut builder = RevokedKeysBuilder::default();
        let problem = builder.file("list.krl", &[MAGIC, b"\0\0\0\x01"].concat()).unwrap_err();
        assert_eq!(problem.at.to_string(), "list.krl");
        assert!(problem.what.contains("uint64 cut short") && problem.what.contains("refuses every host key"));
        assert!(builder.build().is_empty());
        // What only begins like the magic is a list, and none with a key in it.
        assert!(RevokedKeysBuilder::default().file("list.krl", &MAGIC[..6]).is_err());
    }
}
