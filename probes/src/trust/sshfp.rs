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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

#[cfg(test)]
mod tests {
    use super::super::samples::certificate;
    use super::*;
    use crate::hostkey::{Certificate, plain_key};
    use proptest::prelude::*;

    fn key() -> Vec<u8> {
        plain_key(&certificate("good")).unwrap().into_owned()
    }

    fn rsa() -> Vec<u8> {
        Certificate::parse(&certificate("rsa512")).unwrap().ca_key.to_vec()
    }

    fn record(algorithm: u8, fp_type: u8, digest: &[u8]) -> SshfpRecord {
        SshfpRecord { algorithm, fp_type, digest: digest.to_vec() }
    }

    #[test]
    fn a_key_has_the_records_that_ssh_keygen_prints() {
        let lines: Vec<_> = records_for(&key()).iter().map(|record| record.zone_line("host.example")).collect();
        let sha256 = "652634804be17c9e99fa30a62ab2a0107ed25b85ab9a2dbde984a3a7b600e049";
        assert_eq!(lines[1], format!("host.example IN SSHFP 4 2 {sha256}"));
        assert!(lines[0].starts_with("host.example IN SSHFP 4 1 ") && lines[0].len() == 26 + 40);
        assert_eq!(records_for(&certificate("good")), records_for(&key()));
        assert_eq!(records_for(&rsa())[0].algorithm, 1);
        assert_eq!(records_for(b"\0\0\0\x1ask-ssh-ed25519@openssh.com"), []);
    }

    #[test]
    fn one_record_that_differs_outweighs_those_that_fit() {
        let [sha1, sha256] = <[_; 2]>::try_from(records_for(&key())).unwrap();
        let other = records_for(&rsa());
        let stale = record(4, 2, &[7; 32]);
        let answer = |records: &[&SshfpRecord]| {
            let records: Vec<_> = records.iter().map(|&record| record.clone()).collect();
            assert_eq!(compare(&records, &certificate("good")), compare(&records, &key()));
            compare(&records, &key())
        };
        use SshfpAnswer::{Match, Mismatch, None, Partial};
        assert_eq!(answer(&[]), None);
        assert_eq!(answer(&[&sha1]), Match);
        assert_eq!(answer(&[&sha256, &sha1, &other[0], &other[1]]), Match);
        assert_eq!(answer(&[&sha256, &stale]), Mismatch);
        assert_eq!(answer(&[&stale, &sha1, &sha256]), Mismatch);
        assert_eq!(answer(&[&other[1]]), Partial(SshfpGap::Algorithm));
        // Another length of the same algorithm is neither for nor against the key.
        let long = record(4, 2, &[&sha256.digest[..], b"x"].concat());
        let empty = record(4, 1, b"");
        assert_eq!(answer(&[&long, &empty]), Partial(SshfpGap::Length));
        assert_eq!(answer(&[&long, &sha1]), Match);
        // The digest under the other digest's name fits in nothing.
        assert_eq!(answer(&[&record(4, 1, &sha256.digest)]), Partial(SshfpGap::Length));
        // OpenSSH gives up at a digest type it does not know, whoever's record it is.
        for algorithm in [1, 4, 200] {
            let unknown = record(algorithm, 3, &[7; 48]);
            assert_eq!(answer(&[&sha256, &unknown]), Partial(SshfpGap::DigestType));
            assert_eq!(answer(&[&unknown]), Partial(SshfpGap::DigestType));
            assert_eq!(answer(&[&unknown, &stale]), Mismatch);
        }
        assert_eq!(compare(&[stale], b"no key"), Partial(SshfpGap::KeyType));
    }

    #[test]
    fn records_are_read_from_the_wire_and_from_zone_files() {
        let expect = record(4, 2, &[0xab, 0xcd]);
        assert_eq!(SshfpRecord::from_rdata(&[4, 2, 0xab, 0xcd]).as_ref(), Ok(&expect));
        for text in ["4 2 abcd", " 4\t2 AB CD ", "4 2 a b c d", r"\# 4 0402abcd", r"\# 4 04 02 AB CD"] {
            assert_eq!(SshfpRecord::from_text(text).as_ref(), Ok(&expect), "{text}");
        }
        assert_eq!(SshfpRecord::from_rdata(&[4, 2]), Ok(record(4, 2, b"")));
        assert_eq!(SshfpRecord::from_rdata(&[4]), Err(SshfpFault::Short));
        assert_eq!(SshfpRecord::from_rdata(&[]), Err(SshfpFault::Short));
        for text in ["", "4", "4 2 abc", "4 2 xy", "256 2 ab", "-1 2 ab", "4 x ab", r"\#", r"\# 5 0402abcd", r"\# 1 04"]
        {
            assert!(SshfpRecord::from_text(text).is_err(), "{text}");
        }
        assert!(SshfpRecord::from_text(&format!("4 2 {}", "00".repeat(70_000))).is_err());
    }

    proptest! {
        #[test]
        fn a_record_written_is_read_back(rdata in prop::collection::vec(any::<u8>(), 2..80)) {
            let record = SshfpRecord::from_rdata(&rdata).unwrap();
            prop_assert_eq!(record.to_rdata(), rdata);
            prop_assert_eq!(SshfpRecord::from_text(&record.to_string()), Ok(record));
        }

        #[test]
        fn any_text_is_read_without_harm(text: String) {
            let _ = SshfpRecord::from_text(&text);
        }
    }
}
