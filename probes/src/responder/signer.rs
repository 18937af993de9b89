//! The responder's host key.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::wire::write::Writer;

/// An ssh-ed25519 key pair.
pub struct HostKeyPair {
    pair: Option<Ed25519KeyPair>,
    blob: Vec<u8>,
}

impl HostKeyPair {
    /// The name of the key's type and of its signatures.
    pub const ALGORITHM: &'static str = "ssh-ed25519";

    /// The key pair whose private half is `seed` (RFC 8032 section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        // Any 32 bytes are a private key; without one the blob stays empty and nothing verifies.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok();
        let mut blob = Vec::new();
        if let Some(pair) = &pair {
            Writer::new(&mut blob).string(Self::ALGORITHM.as_bytes()).string(pair.public_key().as_ref());
        }
        Self { pair, blob }
    }

    /// K_S
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The signature blob over a message, under this algorithm name.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let mut signature = Vec::with_capacity(4 + 11 + 4 + 64);
        let mut writer = Writer::new(&mut signature);
        writer.string(algorithm.as_bytes());
        match &self.pair {
            Some(pair) => writer.string(pair.sign(message).as_ref()),
            None => writer.string(b""),
        };
        signature
    }
}

impl fmt::Debug for HostKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKeyPair({})", crate::hostkey::fingerprint_sha256(&self.blob))
    }
}
