//! Whether a host key is the one this machine knows: known_hosts, host certificates, revocation lists, SSHFP records.
//!
//! Files are read elsewhere; their bytes come here, with the name by which messages call the file.

pub mod bad_keys;
pub mod certificate;
mod krl;
mod public_key;
pub mod revoked;
#[cfg(test)]
mod samples;
mod source;
pub mod sshfp;

pub use source::{Problem, Source};
