//! ssh-ed25519 (RFC 8709).

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::blob::{KeyFault, fields};
use super::verify::{MISMATCH, VerifyFault, only};

pub(super) const KEY_TYPE: &str = "ssh-ed25519";

#[derive(Debug)]
pub(super) struct PublicKey<'a>(&'a [u8]);

impl<'a> PublicKey<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self, KeyFault> {
        let mut reader = fields(blob, KEY_TYPE)?;
        let point = reader.string()?;
        reader.end()?;
        if point.len() == 32 { Ok(Self(point)) } else { Err(KeyFault::Value("an Ed25519 key that is not 32 bytes")) }
    }
}

/// Ed25519.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_ed25519(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let key = PublicKey::parse(blob).map_err(|_| VerifyFault::Wrong("the host key is not an Ed25519 key"))?;
    UnparsedPublicKey::new(&ED25519, key.0).verify(message, only(signature)?).map_err(|_| MISMATCH)
}
