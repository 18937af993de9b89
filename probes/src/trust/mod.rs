//! Whether a host key is the one this machine knows: known_hosts, host certificates, revocation lists, SSHFP records.
//!
//! Files are read elsewhere; their bytes come here, with the name by which messages call the file.

pub mod known_hosts;
mod source;

pub use source::{Problem, Source};
