//! Whether a host key is the one this machine knows: known_hosts, host certificates, revocation lists, SSHFP records.
//!
//! Files are read elsewhere; their bytes come here, with the name by which messages call the file.

pub mod bad_keys;
pub mod certificate;
pub mod dns;
mod host;
mod judge;
pub mod known_hosts;
mod krl;
mod policy;
mod public_key;
#[cfg(test)]
mod regressions;
pub mod revoked;
#[cfg(test)]
pub(crate) mod samples;
mod source;
pub mod sshfp;

pub use bad_keys::BadKeys;
pub use certificate::{CertFault, CertRules, CertSummary};
pub use dns::{SshfpResult, SshfpSaid, Voucher};
pub(crate) use host::plain_types_where;
pub use host::{KnownHost, plain_types};
pub use judge::{CertSaid, JudgedKey, Judgement, KnownKey, Mismatch, Removal, judge_keys};
pub use known_hosts::{Answer, Entry, Known, KnownHosts, LookupName, hashed_name, known_hosts_line};
pub use policy::{KeyTypes, Policy};
pub use revoked::RevokedKeys;
pub use source::{Effect, Problem, Source};
