//! sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com (OpenSSH's PROTOCOL.u2f): keys in a FIDO token, which
//! signs over its own view of things. Rare as host keys.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::blob::{KeyFault, fields};
use super::ecdsa::{self, NISTP256};
use super::verify::{LAYOUT, MISMATCH, VerifyFault};
use crate::wire::read::Reader;

pub(super) const ED25519_KEY_TYPE: &str = "sk-ssh-ed25519@openssh.com";
pub(super) const NISTP256_KEY_TYPE: &str = "sk-ecdsa-sha2-nistp256@openssh.com";

/// A public key of either kind, and the application it was made for.
pub(super) struct PublicKey<'a> {
    point: &'a [u8],
    application: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(super) fn parse_ed25519(blob: &'a [u8]) -> Result<Self, KeyFault> {
        let mut reader = fields(blob, ED25519_KEY_TYPE)?;
        let (point, application) = (reader.string()?, reader.string()?);
        reader.end()?;
        if point.len() != 32 {
            return Err(KeyFault::Value("an Ed25519 key that is not 32 bytes"));
        }
        Ok(Self { point, application })
    }

    pub(super) fn parse_nistp256(blob: &'a [u8]) -> Result<Self, KeyFault> {
        let mut reader = fields(blob, NISTP256_KEY_TYPE)?;
        let point = NISTP256.point(&mut reader)?;
        let application = reader.string()?;
        reader.end()?;
        Ok(Self { point, application })
    }
}

/// The signature's own bytes, and what the token signed.
fn signed<'a>(application: &[u8], fields: &'a [u8], message: &[u8]) -> Result<(&'a [u8], Vec<u8>), VerifyFault> {
    let mut reader = Reader::new(fields);
    let (Ok(raw), Ok(flags), Ok(counter), Ok(())) = (reader.string(), reader.u8(), reader.u32(), reader.end()) else {
        return Err(LAYOUT);
    };
    let mut signed = Vec::with_capacity(32 + 1 + 4 + 32);
    signed.extend_from_slice(digest(&SHA256, application).as_ref());
    signed.push(flags);
    signed.extend_from_slice(&counter.to_be_bytes());
    signed.extend_from_slice(digest(&SHA256, message).as_ref());
    Ok((raw, signed))
}

/// Ed25519 in a token. Flags (was somebody there?) and counter are part of what is signed, and no condition: OpenSSH sets
/// none for host keys.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_sk_ed25519(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let key = PublicKey::parse_ed25519(blob);
    let key = key.map_err(|_| VerifyFault::Wrong("the host key is not an Ed25519 key of a security key"))?;
    let (raw, signed) = signed(key.application, signature, message)?;
    UnparsedPublicKey::new(&ED25519, key.point).verify(&signed, raw).map_err(|_| MISMATCH)
}

/// ECDSA on P-256 with SHA-256 in a token.
///
/// # Errors
/// See [`VerifyFault`].
pub fn verify_sk_nistp256(blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    let key = PublicKey::parse_nistp256(blob);
    let key = key.map_err(|_| VerifyFault::Wrong("the host key is not an ECDSA key of a security key"))?;
    let (raw, signed) = signed(key.application, signature, message)?;
    ecdsa::verify_point(&NISTP256, key.point, raw, &signed)
}
