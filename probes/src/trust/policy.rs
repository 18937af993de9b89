//! What a run knows of host keys, and by which rules it judges them.

use std::sync::Arc;

use super::{BadKeys, CertRules, KnownHosts, RevokedKeys};
use crate::hostkey::FingerprintHash;

/// Everything a key is held against. One for a whole run, shared by all its cases; hosts for which ssh_config names other files
/// have their own, and share with the others what is the same.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The known_hosts files; `None` if they are not to be asked, so that keys are `unchecked`.
    pub known_hosts: Option<Arc<KnownHosts>>,
    /// Keys that nobody may use any more. Asked before everything else, as ssh asks RevokedHostKeys.
    pub revoked: Arc<RevokedKeys>,
    /// Keys whose private half the world has.
    pub bad_keys: Arc<BadKeys>,
    /// ssh's HostKeyAlias: every host is looked up by this name, without its port.
    pub alias: Option<Box<str>>,
    /// ssh's CheckHostIP: a name's key is compared with the lines of its address too.
    pub check_host_ip: bool,
    /// A key that is not known counts as failure.
    pub strict: bool,
    /// Which of a host's keys are fetched.
    pub key_types: KeyTypes,
    /// What certificates must fulfil.
    pub cert_rules: CertRules,
    /// How fingerprints are shown.
    pub fingerprint_hash: FingerprintHash,
}

impl Policy {
    /// Whether a key is held against anything, or anything about keys is to be other than usual.
    #[must_use]
    pub fn judges(&self) -> bool {
        let files = self.known_hosts.is_some() || !self.revoked.is_empty() || !self.bad_keys.is_empty();
        files || self.key_types != KeyTypes::First || self.fingerprint_hash != FingerprintHash::default()
    }
}

/// Which of a host's keys are fetched. Each takes a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KeyTypes {
    /// The one that the server shows when asked for the known types first; another only where it is needed to judge.
    #[default]
    First,
    /// One of each type the server offers.
    All,
    /// One of each of these types that the server offers. They are asked for before all others; a server that has none of
    /// them shows one of those.
    Listed(Vec<&'static str>),
}
