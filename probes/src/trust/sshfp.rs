//! SSHFP records (RFC 4255): a host key's fingerprint in the DNS, read, made, and compared as OpenSSH's VerifyHostKeyDNS does.

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, digest};
use thiserror::Error;

use crate::hostkey::{canonical_key, key_type};
use crate::wire::read::Reader;

/// Digest types: SHA-1 (RFC 4255) and SHA-256 (RFC 6594).
const DIGEST_SHA1: u8 = 1;
const DIGEST_SHA256: u8 = 2;

/// As long a record as the DNS can carry, in bytes.
const RDATA_MAX: usize = 65_535;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SshfpRecord {
    /// The key's algorithm: 1 RSA, 2 DSA, 3 ECDSA, 4 Ed25519 (RFC 4255, 6594, 7479).
    pub algorithm: u8,
    /// How the digest was made: 1 SHA-1, 2 SHA-256.
    pub fp_type: u8,
    /// The digest of the key's blob; of any length in a record that nobody checked.
    pub digest: Vec<u8>,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SshfpFault {
    /// Fewer than the two bytes before the digest.
    #[error("SSHFP record cut short")]
    Short,
    /// Text that is not two numbers and hexadecimal digits.
    #[error("not an SSHFP record: {0}")]
    Text(&'static str),
}

impl SshfpRecord {
    /// Reads a record's data as the DNS carries it (RFC 4255 section 3.1). Any two bytes are one: what they mean is for
    /// [`compare`] to say.
    ///
    /// # Errors
    /// Data of fewer than two bytes, which OpenSSH passes over.
    pub fn from_rdata(rdata: &[u8]) -> Result<Self, SshfpFault> {
        let mut reader = Reader::new(rdata);
        match (reader.u8(), reader.u8()) {
            (Ok(algorithm), Ok(fp_type)) => Ok(Self { algorithm, fp_type, digest: reader.rest().to_vec() }),
            _ => Err(SshfpFault::Short),
        }
    }

    /// The record's data as the DNS carries it.
    #[must_use]
    pub fn to_rdata(&self) -> Vec<u8> {
        [&[self.algorithm, self.fp_type][..], &self.digest].concat()
    }

    /// Reads the text of a zone file (RFC 4255 section 3.2): two numbers and hexadecimal digits, which may be parted by blanks,
    /// or the general form `\# LENGTH HEX` (RFC 3597 section 5), which `ssh-keygen -g -r` writes.
    ///
    /// # Errors
    /// The text is neither.
    pub fn from_text(text: &str) -> Result<Self, SshfpFault> {
        let mut words = text.split_ascii_whitespace();
        let mut next = |what| words.next().ok_or(SshfpFault::Text(what));
        let first = next("the algorithm is missing")?;
        let number = |word: &str, what| word.parse::<u8>().map_err(|_| SshfpFault::Text(what));
        if first == r"\#" {
            let length = next("the length is missing")?;
            let rdata = hex(words)?;
            if length.parse() != Ok(rdata.len()) {
                return Err(SshfpFault::Text("the length is not that of the data"));
            }
            return Self::from_rdata(&rdata);
        }
        let algorithm = number(first, "the algorithm is not a number of one byte")?;
        let fp_type = number(next("the digest type is missing")?, "the digest type is not a number of one byte")?;
        Ok(Self { algorithm, fp_type, digest: hex(words)? })
    }

    /// The line of a zone file that `ssh-keygen -r HOST` prints.
    #[must_use]
    pub fn zone_line(&self, host: &str) -> String {
        format!("{host} IN SSHFP {self}")
    }
}

/// The record as a zone file has it, behind the type's name.
impl fmt::Display for SshfpRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.algorithm, self.fp_type)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn hex<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, SshfpFault> {
    let mut bytes = Vec::new();
    let mut half: Option<u32> = None;
    for letter in words.flat_map(str::chars) {
        let digit = letter.to_digit(16).ok_or(SshfpFault::Text("the digest is not hexadecimal"))?;
        match half.take() {
            None => half = Some(digit),
            Some(high) => bytes.push(u8::try_from(high << 4 | digit).unwrap_or_default()),
        }
        if bytes.len() > RDATA_MAX {
            return Err(SshfpFault::Text("the digest is longer than a record"));
        }
    }
    if half.is_some() { Err(SshfpFault::Text("the digest ends in half a byte")) } else { Ok(bytes) }
}

/// What the records of a name say of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SshfpAnswer {
    /// There are no records.
    None,
    /// At least one fits, and none is against it.
    Match,
    /// A record of the key's algorithm has another digest. One such outweighs any that fit, so a stale record breaks a good
    /// one.
    Mismatch,
    /// There are records, and they decide nothing.
    Partial(SshfpGap),
}

/// Why records decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SshfpGap {
    /// The key is of a type that has no SSHFP algorithm, as security keys have none.
    KeyType,
    /// A record has a digest type that is neither SHA-1 nor SHA-256. OpenSSH then leaves the DNS aside altogether, even where
    /// another record fits.
    DigestType,
    /// No record is of the key's algorithm. OpenSSH warns as of a mismatch.
    Algorithm,
    /// The records of the key's algorithm have digests of a wrong length, which OpenSSH passes over. It warns as of a mismatch.
    Length,
}

impl SshfpGap {
    /// The gap in words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::KeyType => "keys of this type have no SSHFP records",
            Self::DigestType => "a record has an unknown digest type, for which OpenSSH ignores them all",
            Self::Algorithm => "no record is for a key of this algorithm",
            Self::Length => "the records for this algorithm have digests of a wrong length",
        }
    }
}

/// Compares a host key with the records of its name, as OpenSSH does with VerifyHostKeyDNS: a certificate is reduced to the key
/// it certifies, and nothing but the records of the key's own algorithm is for or against it. Whether the answer can be relied
/// on is DNSSEC's question.
#[must_use]
pub fn compare(records: &[SshfpRecord], blob: &[u8]) -> SshfpAnswer {
    if records.is_empty() {
        return SshfpAnswer::None;
    }
    let Some(own) = OwnRecords::of(blob) else { return SshfpAnswer::Partial(SshfpGap::KeyType) };
    let (mut fits, mut differs, mut unknown, mut length) = (false, false, false, false);
    for record in records {
        let Some(digest) = own.digest(record.fp_type) else {
            unknown = true;
            continue;
        };
        if record.algorithm != own.algorithm {
            continue;
        }
        match record.digest == digest {
            true => fits = true,
            false if record.digest.len() == digest.len() => differs = true,
            false => length = true,
        }
    }
    match (differs, unknown, fits) {
        // OpenSSH would look no further than an unknown digest type; a key that the DNS contradicts is worth more than that.
        (true, ..) => SshfpAnswer::Mismatch,
        (_, true, _) => SshfpAnswer::Partial(SshfpGap::DigestType),
        (.., true) => SshfpAnswer::Match,
        _ if length => SshfpAnswer::Partial(SshfpGap::Length),
        _ => SshfpAnswer::Partial(SshfpGap::Algorithm),
    }
}

/// The records that a key should have, in ssh-keygen's order; none for a type that SSHFP does not know.
#[must_use]
pub fn records_for(blob: &[u8]) -> Vec<SshfpRecord> {
    let Some(OwnRecords { algorithm, sha1, sha256 }) = OwnRecords::of(blob) else { return Vec::new() };
    vec![
        SshfpRecord { algorithm, fp_type: DIGEST_SHA1, digest: sha1 },
        SshfpRecord { algorithm, fp_type: DIGEST_SHA256, digest: sha256 },
    ]
}

/// A key as SSHFP sees it.
struct OwnRecords {
    algorithm: u8,
    sha1: Vec<u8>,
    sha256: Vec<u8>,
}

impl OwnRecords {
    fn of(blob: &[u8]) -> Option<Self> {
        let key = canonical_key(blob).ok()?;
        let algorithm = match key_type(&key)? {
            "ssh-rsa" => 1,
            "ssh-dss" => 2,
            "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => 3,
            "ssh-ed25519" => 4,
            _ => return None,
        };
        let hash = |algorithm| digest(algorithm, &key).as_ref().to_vec();
        Some(Self { algorithm, sha1: hash(&SHA1), sha256: hash(&SHA256) })
    }

    fn digest(&self, fp_type: u8) -> Option<&[u8]> {
        match fp_type {
            DIGEST_SHA1 => Some(&self.sha1),
            DIGEST_SHA256 => Some(&self.sha256),
            _ => None,
        }
    }
}
