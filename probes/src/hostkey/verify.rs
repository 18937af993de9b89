//! Signatures over the exchange hash.

use thiserror::Error;

use super::key_type;
use crate::algorithm::HostKeyAlgorithm;
use crate::wire::read::Reader;

/// A signature that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifyFault {
    /// The signature is wrong, of another algorithm than agreed, or no signature at all; the text says which.
    #[error("{0}")]
    Wrong(&'static str),
    /// The key is one we cannot verify with, good or not: nothing is known about the signature.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Verifies the signature blob (`string` algorithm, `string` signature) of a key over a message.
///
/// # Errors
/// See [`VerifyFault`]. The signature has to be of the negotiated algorithm (RFC 8332 section 3.1) and the key of its type.
pub fn verify(algorithm: &HostKeyAlgorithm, blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    if key_type(blob) != Some(algorithm.key_type) {
        return Err(VerifyFault::Wrong("the host key is of another type than agreed"));
    }
    let mut reader = Reader::new(signature);
    let (Ok(name), Ok(raw), Ok(())) = (reader.string(), reader.string(), reader.end()) else {
        return Err(VerifyFault::Wrong("the signature does not have a signature's layout"));
    };
    if name != algorithm.name.as_bytes() {
        return Err(VerifyFault::Wrong("the signature is of another algorithm than agreed"));
    }
    (algorithm.verify)(blob, raw, message)
}

/// The text for the one thing that a signature is verified for.
pub(super) const MISMATCH: VerifyFault = VerifyFault::Wrong("the host key did not make this signature");
