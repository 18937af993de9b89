//! What a public key blob says about itself.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::{Digest, Md5};
use thiserror::Error;

use super::certificate::{Certificate, is_certificate};
use super::{dsa, ecdsa, ed25519, rsa, security_key};
use crate::hex::hex;
use crate::wire::read::{ReadError, Reader};
use crate::wire::write::Writer;

/// Type and size of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo<'a> {
    /// The type's name, for example `ssh-ed25519`; a key used by rsa-sha2-512 is `ssh-rsa`.
    pub kind: &'a str,
    /// Its size as `ssh-keygen -l` prints it: the modulus' or the field's.
    pub bits: u32,
}

/// A blob that is no key we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The blob does not have its type's layout.
    #[error("{0}")]
    Layout(#[from] ReadError),
    /// The fields are there and make no key.
    #[error("{0}")]
    Value(&'static str),
    /// A type whose layout is not known here.
    #[error("a key type that is not known")]
    Type,
}

/// The type a blob names, if that is a name at all.
#[must_use]
pub fn key_type(blob: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(Reader::new(blob).string().ok()?).ok()?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')).then_some(name)
}

/// Type and size of a key; the whole blob is checked against the type's layout. A certificate has its own type, and the
/// size of the key it certifies.
///
/// # Errors
/// The blob is not a key of a type known here.
pub fn key_info(blob: &[u8]) -> Result<KeyInfo<'_>, KeyFault> {
    let kind = key_type(blob).ok_or(KeyFault::Type)?;
    let bits = match kind {
        ed25519::KEY_TYPE => ed25519::PublicKey::parse(blob).map(|_| 256)?,
        rsa::KEY_TYPE => rsa::PublicKey::parse(blob)?.bits(),
        dsa::KEY_TYPE => dsa::PublicKey::parse(blob)?.bits(),
        security_key::ED25519_KEY_TYPE => security_key::PublicKey::parse_ed25519(blob).map(|_| 256)?,
        security_key::NISTP256_KEY_TYPE => security_key::PublicKey::parse_nistp256(blob).map(|_| 256)?,
        _ if is_certificate(kind) => key_info(&Certificate::parse(blob)?.key)?.bits,
        _ => ecdsa::Curve::of_key_type(kind).ok_or(KeyFault::Type)?.parse(blob)?.bits(),
    };
    Ok(KeyInfo { kind, bits })
}

/// The key without its certificate, which is what a certificate's fingerprint is taken of and known_hosts lines hold.
///
/// # Errors
/// A certificate that does not have a certificate's layout. Any other blob is given back unread.
pub fn plain_key(blob: &[u8]) -> Result<Cow<'_, [u8]>, KeyFault> {
    match key_type(blob) {
        Some(kind) if is_certificate(kind) => Ok(Cow::Owned(Certificate::parse(blob)?.key)),
        _ => Ok(Cow::Borrowed(blob)),
    }
}

/// The plain key in the one encoding it has. Numbers of RSA and DSA keys may come with needless leading zeros, which make
/// another blob of the same key; ssh drops them on reading, so it compares and hashes this form, and a list of revoked keys
/// that is compared with anything else is walked around by one byte of padding.
///
/// # Errors
/// As for [`plain_key`], and a key of those two types that does not have its layout. Blobs of other types are given back unread.
pub fn canonical_key(blob: &[u8]) -> Result<Cow<'_, [u8]>, KeyFault> {
    let plain = plain_key(blob)?;
    let (kind, numbers) = match key_type(&plain) {
        Some(rsa::KEY_TYPE) => (rsa::KEY_TYPE, 2),
        Some(dsa::KEY_TYPE) => (dsa::KEY_TYPE, 4),
        _ => return Ok(plain),
    };
    let mut reader = fields(&plain, kind)?;
    let mut canonical = Vec::with_capacity(plain.len());
    let mut writer = Writer::new(&mut canonical);
    writer.string(kind.as_bytes());
    for _ in 0..numbers {
        writer.mpint(reader.mpint()?);
    }
    reader.end()?;
    Ok(if canonical == *plain { plain } else { Cow::Owned(canonical) })
}

/// The fingerprint as OpenSSH prints it: `SHA256:` and base64 without padding.
#[must_use]
pub fn fingerprint_sha256(blob: &[u8]) -> String {
    const PREFIX: &str = "SHA256:";
    let mut text = String::with_capacity(PREFIX.len() + SHA256_OUTPUT_LEN.div_ceil(3) * 4);
    text.push_str(PREFIX);
    STANDARD_NO_PAD.encode_string(digest(&SHA256, blob), &mut text);
    text
}

/// The hash of fingerprints, as ssh's FingerprintHash chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FingerprintHash {
    /// `SHA256:` and base64: OpenSSH's default since 6.8.
    #[default]
    Sha256,
    /// `MD5:` and hexadecimal digits, as old lists have it. Not fit to compare a key with that somebody may have forged.
    Md5,
}

impl FingerprintHash {
    /// The fingerprint of a plain key's blob, as `ssh-keygen -l -E` prints it.
    #[must_use]
    pub fn of(self, blob: &[u8]) -> String {
        match self {
            Self::Sha256 => fingerprint_sha256(blob),
            Self::Md5 => format!("MD5:{}", hex(&Md5::digest(blob), ":")),
        }
    }
}

/// A reader behind the type's name, which has to be `kind`.
pub(super) fn fields<'a>(blob: &'a [u8], kind: &str) -> Result<Reader<'a>, KeyFault> {
    let mut reader = Reader::new(blob);
    if reader.string()? == kind.as_bytes() { Ok(reader) } else { Err(KeyFault::Value("a key of another type")) }
}

#[cfg(test)]
mod tests {
    use super::super::samples::SAMPLES;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_read_as_ssh_keygen_prints_them() {
        for sample in SAMPLES {
            let blob = sample.blob();
            assert_eq!(key_info(&blob), Ok(KeyInfo { kind: sample.kind, bits: sample.bits }));
            assert_eq!(fingerprint_sha256(&plain_key(&blob).unwrap()), sample.fingerprint);
        }
    }

    #[test]
    fn the_fingerprint_of_old_lists_is_that_of_ssh_keygen() {
        let blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(FingerprintHash::Md5.of(blob), "MD5:3d:52:38:ce:ff:94:f5:d7:81:a4:a4:f9:2b:4f:fe:a0");
        assert_eq!(FingerprintHash::Sha256.of(blob), fingerprint_sha256(blob));
    }

    #[test]
    fn a_key_cut_anywhere_or_followed_by_anything_is_refused() {
        for sample in SAMPLES {
            let blob = sample.blob();
            for cut in 0..blob.len() {
                assert!(key_info(&blob[..cut]).is_err(), "{} cut at {cut}", sample.kind);
            }
            assert!(key_info(&[&blob[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn a_key_has_one_canonical_blob_however_its_numbers_are_padded() {
        let mut padded_seen = Vec::new();
        for sample in SAMPLES {
            let blob = sample.blob();
            let plain = plain_key(&blob).unwrap();
            assert_eq!(canonical_key(&blob).unwrap(), plain, "{}", sample.kind);
            let numbers = match key_type(&plain) {
                Some("ssh-rsa") => 2,
                Some("ssh-dss") => 4,
                _ => continue,
            };
            let mut reader = Reader::new(&plain);
            let kind = reader.string().unwrap();
            let mut padded = Vec::new();
            Writer::new(&mut padded).string(kind);
            for _ in 0..numbers {
                Writer::new(&mut padded).string(&[&[0, 0], reader.string().unwrap()].concat());
            }
            assert_ne!(padded, *plain);
            assert_eq!(canonical_key(&padded).unwrap(), plain);
            padded.push(0);
            assert!(canonical_key(&padded).is_err());
            padded_seen.push(numbers);
        }
        assert!(padded_seen.contains(&2) && padded_seen.contains(&4));
        assert_eq!(canonical_key(b"no key at all").unwrap(), &b"no key at all"[..]);
    }

    #[test]
    fn what_is_no_key_is_named() {
        let blob = |fields: &[&[u8]]| {
            let mut blob = Vec::new();
            let mut writer = Writer::new(&mut blob);
            for field in fields {
                writer.string(field);
            }
            blob
        };
        assert_eq!(key_info(&blob(&[b"ssh-xmss@openssh.com", b"p"])), Err(KeyFault::Type));
        assert_eq!(key_type(&blob(&[b"ssh-xmss@openssh.com", b"p"])), Some("ssh-xmss@openssh.com"));
        assert_eq!(key_type(&blob(&[b"evil\x1b[2J"])), None);
        assert_eq!(key_type(&blob(&[b""])), None);
        let value = |fault: Vec<u8>| key_info(&fault).unwrap_err().to_string();
        assert_eq!(value(blob(&[b"ssh-ed25519", &[1; 31]])), "an Ed25519 key that is not 32 bytes");
        assert_eq!(value(blob(&[b"ssh-rsa", b"", &[3]])), "an RSA key of zero");
        assert_eq!(value(blob(&[b"ssh-dss", &[3], &[3], &[3], &[0]])), "a DSA key of zero");
        let sk = b"sk-ssh-ed25519@openssh.com";
        assert_eq!(value(blob(&[sk, &[1; 31], b"ssh:"])), "an Ed25519 key that is not 32 bytes");
        let (kind, curve) = (b"ecdsa-sha2-nistp256", b"nistp384");
        assert_eq!(value(blob(&[kind, curve, &[4; 65]])), "an ECDSA key of another curve than its type");
        let compressed = [&[2][..], &[9; 32]].concat();
        assert_eq!(value(blob(&[kind, b"nistp256", &compressed])), "an ECDSA key that is not an uncompressed point");
    }

    proptest! {
        #[test]
        fn any_blob_is_read_without_harm(at in 0usize..SAMPLES.len(), tail: Vec<u8>, keep in 0usize..60) {
            let blob = SAMPLES[at].blob();
            let _ = key_info(&tail);
            let _ = key_info(&[&blob[..keep.min(blob.len())], &tail].concat());
        }
    }
}
