//! ssh-dss (RFC 4253 section 6.6): DSA with SHA-1 and a subgroup of 160 bits (FIPS 186-2). Broken by its size, and long
//! gone from OpenSSH; here to *see* what offers nothing else.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};

use super::blob::{KeyFault, fields};
use super::modular::{Modulus, bit_length, magnitude};
use super::verify::{MISMATCH, VerifyFault, only};

pub(super) const KEY_TYPE: &str = "ssh-dss";

/// The sizes of p we compute with, in bits; FIPS 186-2 has 512 to 1024, PuTTY made larger ones.
const BITS: std::ops::RangeInclusive<u32> = 512..=8192;

/// Size of each half of a signature, in bytes.
const HALF: usize = 20;

pub(super) struct PublicKey<'a> {
    p: &'a [u8],
    q: &'a [u8],
    g: &'a [u8],
    y: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self, KeyFault> {
        let mut reader = fields(blob, KEY_TYPE)?;
        let (p, q, g, y) = (reader.mpint()?, reader.mpint()?, reader.mpint()?, reader.mpint()?);
        reader.end()?;
        if [p, q, g, y].iter().any(|number| number.is_empty()) {
            return Err(KeyFault::Value("a DSA key of zero"));
        }
        Ok(Self { p, q, g, y })
    }

    pub(super) fn bits(&self) -> u32 {
        bit_length(self.p)
    }

    /// FIPS 186-2 section 6.
    fn verify(&self, r: &[u8], s: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
        if bit_length(self.q) != 160 || !BITS.contains(&self.bits()) {
            return Err(VerifyFault::Unsupported("the DSA host key has a size that ssh-dss does not have"));
        }
        let odd = |number| Modulus::new(number).ok_or(VerifyFault::Unsupported("the DSA host key is no prime field"));
        let (field, subgroup) = (odd(self.p)?, odd(self.q)?);
        if magnitude(r).is_empty() || magnitude(s).is_empty() {
            return Err(MISMATCH);
        }
        let verified = || {
            let hash = subgroup.reduce(digest(&SHA1, message).as_ref())?;
            let inverse = subgroup.inverse(s)?;
            let (u1, u2) = (subgroup.product(&hash, &inverse)?, subgroup.product(r, &inverse)?);
            let v = field.product(&field.power(self.g, &u1)?, &field.power(self.y, &u2)?)?;
            Some(magnitude(&subgroup.reduce(&v)?) == magnitude(r))
        };
        if verified() == Some(true) { Ok(()) } else { Err(MISMATCH) }
    }
}

/// DSA with SHA-1.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_dss(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let key = PublicKey::parse(blob).map_err(|_| VerifyFault::Wrong("the host key is not a DSA key"))?;
    let halves = only(signature)?.split_at_checked(HALF).filter(|(_, s)| s.len() == HALF);
    let (r, s) = halves.ok_or(VerifyFault::Wrong("the signature is not two numbers of 160 bits"))?;
    key.verify(r, s, message)
}

#[cfg(test)]
mod tests {
    use super::super::samples::SAMPLES;
    use super::*;
    use crate::wire::read::Reader;

    #[test]
    fn senseless_keys_and_signatures_are_refused() {
        let sample = SAMPLES.iter().find(|sample| sample.algorithm == KEY_TYPE).unwrap();
        let (blob, signature, message) = (sample.blob(), sample.signature(), sample.message());
        let mut reader = Reader::new(&signature);
        reader.string().unwrap();
        let (r, s) = reader.string().unwrap().split_at(HALF);
        let key = || PublicKey::parse(&blob).unwrap();
        assert_eq!(key().verify(r, s, &message), Ok(()));
        assert_eq!(key().verify(&[0; HALF], s, &message), Err(MISMATCH));
        assert_eq!(key().verify(r, &[0; HALF], &message), Err(MISMATCH));
        assert_eq!(key().verify(r, &[0xff; HALF], &message), Err(MISMATCH), "s is not below q");
        assert_eq!(PublicKey { y: key().p, ..key() }.verify(r, s, &message), Err(MISMATCH), "y is not below p");
        let unsupported = |key: PublicKey<'_>| matches!(key.verify(r, s, &message), Err(VerifyFault::Unsupported(_)));
        assert!(unsupported(PublicKey { q: &[0xff; 32], ..key() }));
        assert!(unsupported(PublicKey { p: &[0xff; 1025], ..key() }));
        assert!(unsupported(PublicKey { p: &[0xff; 63], ..key() }));
        assert!(unsupported(PublicKey { p: &[0xfe; 128], ..key() }));
        assert!(unsupported(PublicKey { q: &[0xfe; 20], ..key() }));
    }
}
