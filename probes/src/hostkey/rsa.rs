//! rsa-sha2-256 and rsa-sha2-512 (RFC 8332) and the SHA-1 signatures of old, ssh-rsa (RFC 4253 section 6.6). The keys of
//! all three are of type ssh-rsa.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, SHA512, digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, RsaPublicKeyComponents,
};

use super::blob::{KeyFault, fields};
use super::modular::{Modulus, bit_length};
use super::verify::{MISMATCH, VerifyFault, only};

pub(super) const KEY_TYPE: &str = "ssh-rsa";

/// The largest key there is: ssh-keygen makes none above.
const BITS_MAX: u32 = 16_384;
/// The sizes the library verifies with, in bits. A prober also wants to know that a weak key is really the server's.
const LIBRARY_BITS: std::ops::RangeInclusive<u32> = 1024..=8192;
/// The largest exponent the library takes, in bits.
const LIBRARY_EXPONENT_BITS: u32 = 33;
/// The largest exponent we take, in bits: as OpenSSL, against keys made to keep verifiers busy.
const EXPONENT_BITS_MAX: u32 = 64;

/// A hash as RSASSA-PKCS1-v1_5 uses it.
struct Hash {
    library: &'static RsaParameters,
    digest: &'static digest::Algorithm,
    /// The DER in front of the hash (RFC 8017 section 9.2, note 1).
    prefix: &'static [u8],
}

static WITH_SHA1: Hash = Hash {
    library: &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    digest: &SHA1,
    prefix: &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14],
};
static WITH_SHA256: Hash = Hash {
    library: &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    digest: &SHA256,
    prefix: &[
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ],
};
static WITH_SHA512: Hash = Hash {
    library: &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    digest: &SHA512,
    prefix: &[
        0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04,
        0x40,
    ],
};

impl Hash {
    /// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): 00 01 FF.. 00, the prefix and the hash. `None` if they do not fit.
    fn encode(&self, message: &[u8], length: usize) -> Option<Vec<u8>> {
        let hash = digest(self.digest, message);
        let tail = self.prefix.len().saturating_add(hash.as_ref().len());
        let filling = length.checked_sub(tail)?.checked_sub(3)?;
        if filling < 8 {
            return None;
        }
        let mut encoded = vec![0, 1];
        encoded.resize(filling.saturating_add(2), 0xff);
        encoded.push(0);
        encoded.extend_from_slice(self.prefix);
        encoded.extend_from_slice(hash.as_ref());
        Some(encoded)
    }
}

pub(super) struct PublicKey<'a> {
    e: &'a [u8],
    n: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self, KeyFault> {
        let mut reader = fields(blob, KEY_TYPE)?;
        let (e, n) = (reader.mpint()?, reader.mpint()?);
        reader.end()?;
        if e.is_empty() || n.is_empty() { Err(KeyFault::Value("an RSA key of zero")) } else { Ok(Self { e, n }) }
    }

    pub(super) fn bits(&self) -> u32 {
        bit_length(self.n)
    }

    fn verify(&self, hash: &Hash, signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
        if self.bits() > BITS_MAX {
            return Err(VerifyFault::Unsupported("the RSA host key is larger than 16384 bits"));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        let exponent_bits = bit_length(self.e);
        if !odd(self.n) || !odd(self.e) || self.e == [1] || exponent_bits > EXPONENT_BITS_MAX {
            return Err(VerifyFault::Unsupported("the RSA host key has an exponent or modulus that cannot be used"));
        }
        // Implementations that treat the signature as a number lose its leading zeros (RFC 8332 section 3 forbids it).
        let missing = self.n.len().checked_sub(signature.len());
        let missing = missing.ok_or(VerifyFault::Wrong("the signature is longer than the RSA modulus"))?;
        let padded;
        let signature = if missing == 0 {
            signature
        } else {
            padded = [&vec![0; missing][..], signature].concat();
            &padded
        };
        if LIBRARY_BITS.contains(&self.bits()) && exponent_bits <= LIBRARY_EXPONENT_BITS {
            let key = RsaPublicKeyComponents { n: self.n, e: self.e };
            return key.verify(hash.library, message, signature).map_err(|_| MISMATCH);
        }
        self.verify_here(hash, signature, message)
    }

    /// RSAVP1 and the comparison of RFC 8017 section 8.2.2, for sizes that the library does not take.
    fn verify_here(&self, hash: &Hash, signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
        let expected = hash.encode(message, self.n.len());
        let expected = expected.ok_or(VerifyFault::Wrong("the RSA modulus is too short for the signature's hash"))?;
        let opened = Modulus::new(self.n).and_then(|modulus| modulus.power(signature, self.e)).ok_or(MISMATCH)?;
        // The arithmetic works in whole words: there may be zeros in front.
        let zeros = opened.len().saturating_sub(expected.len());
        let (zeros, opened) = opened.split_at_checked(zeros).ok_or(MISMATCH)?;
        if zeros.iter().all(|byte| *byte == 0) && opened == expected { Ok(()) } else { Err(MISMATCH) }
    }
}

fn verify(hash: &Hash, blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let key = PublicKey::parse(blob).map_err(|_| VerifyFault::Wrong("the host key is not an RSA key"))?;
    key.verify(hash, only(signature)?, message)
}

/// RSASSA-PKCS1-v1_5 with SHA-1.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_rsa_sha1(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    verify(&WITH_SHA1, blob, signature, message)
}

/// RSASSA-PKCS1-v1_5 with SHA-256.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_rsa_sha2_256(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    verify(&WITH_SHA256, blob, signature, message)
}

/// RSASSA-PKCS1-v1_5 with SHA-512.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_rsa_sha2_512(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    verify(&WITH_SHA512, blob, signature, message)
}

#[cfg(test)]
mod tests {
    use super::super::samples::SAMPLES;
    use super::*;
    use crate::wire::read::Reader;

    /// Every RSA sample, whatever its size, both ways: the library is right, so we are.
    #[test]
    fn our_own_arithmetic_agrees_with_the_library() {
        let mut sizes = Vec::new();
        for sample in SAMPLES.iter().filter(|sample| sample.kind == KEY_TYPE) {
            let (blob, signature, message) = (sample.blob(), sample.signature(), sample.message());
            let hash = match sample.algorithm {
                "ssh-rsa" => &WITH_SHA1,
                "rsa-sha2-256" => &WITH_SHA256,
                _ => &WITH_SHA512,
            };
            let mut reader = Reader::new(&signature);
            reader.string().unwrap();
            let key = PublicKey::parse(&blob).unwrap();
            let short = reader.string().unwrap();
            let raw = [&vec![0; key.n.len() - short.len()], short].concat();
            assert_eq!(key.verify(hash, &raw, &message), Ok(()), "{} {}", sample.algorithm, sample.bits);
            assert_eq!(key.verify_here(hash, &raw, &message), Ok(()), "{} {}", sample.algorithm, sample.bits);
            assert_eq!(key.verify_here(hash, &raw, b"another message"), Err(MISMATCH));
            let other = if std::ptr::eq(hash, &WITH_SHA256) { &WITH_SHA1 } else { &WITH_SHA256 };
            assert_eq!(key.verify_here(other, &raw, &message), Err(MISMATCH));
            for at in [0, raw.len() / 2, raw.len() - 1] {
                let mut wrong = raw.clone();
                wrong[at] ^= 1;
                assert_eq!(key.verify_here(hash, &wrong, &message), Err(MISMATCH), "{} at {at}", sample.bits);
            }
            sizes.push(sample.bits);
        }
        for size in [768, 1024, 2048, 9000, 16_384] {
            assert!(sizes.contains(&size), "no sample of {size} bits");
        }
    }

    #[test]
    fn the_encoding_is_that_of_rfc_8017() {
        let encoded = WITH_SHA1.encode(b"abc", 46).unwrap();
        assert_eq!(encoded[..11], [0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(encoded[26..30], [0xa9, 0x99, 0x3e, 0x36]);
        assert_eq!(encoded.len(), 46);
        assert_eq!(WITH_SHA1.encode(b"abc", 45), None, "fewer than eight bytes of filling");
        assert_eq!(WITH_SHA512.encode(b"abc", 10), None);
    }

    #[test]
    fn a_modulus_too_short_for_the_hash_is_named() {
        let key = PublicKey { e: &[3], n: &[0xff; 64] };
        let short = Err(VerifyFault::Wrong("the RSA modulus is too short for the signature's hash"));
        assert_eq!(key.verify(&WITH_SHA512, &[1; 64], b"m"), short);
        assert_eq!(key.verify(&WITH_SHA256, &[1; 64], b"m"), Err(MISMATCH));
        // A signature that is not below the modulus signs nothing.
        assert_eq!(key.verify(&WITH_SHA256, &[0xff; 64], b"m"), Err(MISMATCH));
    }
}
