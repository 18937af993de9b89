//! Host keys and their signatures (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709): one file per family.

mod blob;
mod certificate;
mod dsa;
mod ecdsa;
mod ed25519;
mod modular;
mod rsa;
#[cfg(test)]
mod samples;
mod security_key;
mod verify;

pub use blob::{FingerprintHash, KeyFault, KeyInfo, canonical_key, fingerprint_sha256, key_info, key_type, plain_key};
pub use certificate::{Certificate, CertificateOption, CertificateRole, UnixTime, certified_type, is_certificate};
pub use dsa::verify_dss;
pub use ecdsa::{verify_nistp256, verify_nistp384, verify_nistp521};
pub use ed25519::verify_ed25519;
pub use rsa::{verify_rsa_sha1, verify_rsa_sha2_256, verify_rsa_sha2_512};
pub use security_key::{verify_sk_ed25519, verify_sk_nistp256};
pub use verify::{VerifyFault, verify};
