//! Host keys and their signatures (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709): one file per family.

mod blob;
mod ecdsa;
mod ed25519;
mod rsa;
#[cfg(test)]
mod samples;
mod verify;

pub use blob::{KeyFault, KeyInfo, fingerprint_sha256, key_info, key_type};
pub use ecdsa::{verify_nistp256, verify_nistp384, verify_nistp521};
pub use ed25519::verify_ed25519;
pub use rsa::{verify_rsa_sha2_256, verify_rsa_sha2_512};
pub use verify::{VerifyFault, verify};
