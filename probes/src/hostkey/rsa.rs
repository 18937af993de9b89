//! rsa-sha2-256 and rsa-sha2-512 (RFC 8332), whose keys are of type ssh-rsa.

use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters,
    RsaPublicKeyComponents,
};

use super::blob::{KeyFault, fields};
use super::verify::{MISMATCH, VerifyFault};

pub(super) const KEY_TYPE: &str = "ssh-rsa";

/// The sizes the library verifies with, in bits. A prober also wants to know that a weak key is really the server's.
const SIZES: std::ops::RangeInclusive<u32> = 1024..=8192;

pub(super) struct PublicKey<'a> {
    e: &'a [u8],
    n: &'a [u8],
}

fn bit_length(number: &[u8]) -> u32 {
    let bytes = u32::try_from(number.len()).unwrap_or(u32::MAX);
    bytes.saturating_mul(8).saturating_sub(number.first().map_or(0, |top| top.leading_zeros()))
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

    fn verify(&self, parameters: &RsaParameters, signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
        if !SIZES.contains(&self.bits()) {
            return Err(VerifyFault::Unsupported("the RSA host key is smaller than 1024 or larger than 8192 bits"));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        // The library takes odd exponents from 3 to 33 bits, against keys made to keep verifiers busy.
        if !odd(self.n) || !odd(self.e) || self.e == [1] || bit_length(self.e) > 33 {
            return Err(VerifyFault::Unsupported("the RSA host key has an exponent or modulus that cannot be used"));
        }
        // Implementations that treat the signature as a number lose its leading zeros (RFC 8332 section 3 forbids it).
        let missing = self.n.len().checked_sub(signature.len());
        let missing = missing.ok_or(VerifyFault::Wrong("the signature is longer than the RSA modulus"))?;
        let key = RsaPublicKeyComponents { n: self.n, e: self.e };
        let verified = if missing == 0 {
            key.verify(parameters, message, signature)
        } else {
            let mut padded = vec![0; missing];
            padded.extend_from_slice(signature);
            key.verify(parameters, message, &padded)
        };
        verified.map_err(|_| MISMATCH)
    }
}

fn verify(parameters: &RsaParameters, blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let key = PublicKey::parse(blob).map_err(|_| VerifyFault::Wrong("the host key is not an RSA key"))?;
    key.verify(parameters, signature, message)
}

/// RSASSA-PKCS1-v1_5 with SHA-256.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_rsa_sha2_256(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    verify(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, blob, signature, message)
}

/// RSASSA-PKCS1-v1_5 with SHA-512.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_rsa_sha2_512(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    verify(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, blob, signature, message)
}
