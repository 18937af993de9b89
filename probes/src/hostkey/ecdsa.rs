//! ecdsa-sha2-nistp256, -nistp384 and -nistp521 (RFC 5656 section 3).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
    UnparsedPublicKey,
};

use super::blob::{KeyFault, fields};
use super::verify::{MISMATCH, VerifyFault, only};
use crate::wire::read::Reader;

pub(super) struct Curve {
    key_type: &'static str,
    name: &'static str,
    bits: u32,
    /// Size of a coordinate, and of each half of a signature, in bytes.
    size: usize,
    verification: &'static EcdsaVerificationAlgorithm,
}

pub(super) static NISTP256: Curve = Curve {
    key_type: "ecdsa-sha2-nistp256",
    name: "nistp256",
    bits: 256,
    size: 32,
    verification: &ECDSA_P256_SHA256_FIXED,
};
static NISTP384: Curve = Curve {
    key_type: "ecdsa-sha2-nistp384",
    name: "nistp384",
    bits: 384,
    size: 48,
    verification: &ECDSA_P384_SHA384_FIXED,
};
static NISTP521: Curve = Curve {
    key_type: "ecdsa-sha2-nistp521",
    name: "nistp521",
    bits: 521,
    size: 66,
    verification: &ECDSA_P521_SHA512_FIXED,
};

pub(super) struct PublicKey<'a> {
    curve: &'static Curve,
    point: &'a [u8],
}

impl Curve {
    pub(super) fn of_key_type(kind: &str) -> Option<&'static Self> {
        [&NISTP256, &NISTP384, &NISTP521].into_iter().find(|curve| curve.key_type == kind)
    }

    pub(super) fn parse<'a>(&'static self, blob: &'a [u8]) -> Result<PublicKey<'a>, KeyFault> {
        let mut reader = fields(blob, self.key_type)?;
        let point = self.point(&mut reader)?;
        reader.end()?;
        Ok(PublicKey { curve: self, point })
    }

    /// The curve's name and the point on it.
    pub(super) fn point<'a>(&self, reader: &mut Reader<'a>) -> Result<&'a [u8], KeyFault> {
        let (name, point) = (reader.string()?, reader.string()?);
        if name != self.name.as_bytes() {
            return Err(KeyFault::Value("an ECDSA key of another curve than its type"));
        }
        // OpenSSH takes uncompressed points only, and so does everyone.
        if point.first() == Some(&4) && point.len() == self.size.saturating_mul(2).saturating_add(1) {
            Ok(point)
        } else {
            Err(KeyFault::Value("an ECDSA key that is not an uncompressed point"))
        }
    }

    /// Two mpints to what the library verifies: two halves of fixed size.
    fn fixed(&self, signature: &[u8], out: &mut [u8]) -> Option<()> {
        let mut reader = Reader::new(signature);
        let (r, s) = (reader.mpint().ok()?, reader.mpint().ok()?);
        reader.end().ok()?;
        for (number, half) in [r, s].into_iter().zip(out.chunks_exact_mut(self.size)) {
            let from = self.size.checked_sub(number.len())?;
            half.get_mut(from..)?.copy_from_slice(number);
        }
        Some(())
    }

    fn verify(&'static self, blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
        let key = self.parse(blob).map_err(|_| VerifyFault::Wrong("the host key is not an ECDSA key of this curve"))?;
        verify_point(self, key.point, only(signature)?, message)
    }
}

/// Verifies the two numbers of a signature with a point.
pub(super) fn verify_point(curve: &Curve, point: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let mut buffer = [0; 2 * 66];
    let fixed = buffer.get_mut(..curve.size.saturating_mul(2)).ok_or(MISMATCH)?;
    let numbers = curve.fixed(signature, fixed);
    numbers.ok_or(VerifyFault::Wrong("the signature is not two numbers of the curve's size"))?;
    UnparsedPublicKey::new(curve.verification, point).verify(message, fixed).map_err(|_| MISMATCH)
}

impl PublicKey<'_> {
    pub(super) fn bits(&self) -> u32 {
        self.curve.bits
    }
}

/// ECDSA on P-256 with SHA-256.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_nistp256(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    NISTP256.verify(blob, signature, message)
}

/// ECDSA on P-384 with SHA-384.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_nistp384(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    NISTP384.verify(blob, signature, message)
}

/// ECDSA on P-521 with SHA-512.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_nistp521(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    NISTP521.verify(blob, signature, message)
}
