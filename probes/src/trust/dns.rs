//! What the DNS says about a name's host keys (RFC 4255), and whether that can be relied on.

use super::sshfp::{SshfpAnswer, SshfpRecord, compare};
use crate::escape::escape;

/// What came of asking for a name's SSHFP records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshfpSaid {
    /// There are records.
    Records {
        /// All of them.
        records: Vec<SshfpRecord>,
        /// Who vouches for them.
        voucher: Option<Voucher>,
    },
    /// The name has none.
    None,
    /// DNSSEC signatures do not hold; the text says how.
    Bogus(String),
    /// The resolver could not answer; the text says how.
    ServFail(String),
    /// No resolver answered in time.
    Timeout,
}

/// Who says that an answer of the DNS is the zone's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voucher {
    /// The signatures, validated here from a trust anchor on.
    Dnssec,
    /// The resolver's AD bit, which `--trust-ad` believes.
    Ad,
}

/// What the records say of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshfpResult {
    /// `match`, `mismatch`, `partial`, `none`, `bogus`, `servfail` or `timeout`.
    pub result: &'static str,
    /// Who vouches for it.
    pub voucher: Option<Voucher>,
    /// More about it.
    pub detail: Option<String>,
}

impl Voucher {
    /// The word records have for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Voucher::Dnssec => "dnssec",
            Voucher::Ad => "ad",
        }
    }
}

impl SshfpSaid {
    /// What it means for a plain key.
    #[must_use]
    pub fn compare(&self, plain: &[u8]) -> SshfpResult {
        let bare = |result, detail| SshfpResult { result, voucher: None, detail };
        match self {
            Self::Records { records, voucher } => {
                let (result, detail) = match compare(records, plain) {
                    SshfpAnswer::None => ("none", None),
                    SshfpAnswer::Match => ("match", None),
                    SshfpAnswer::Mismatch => ("mismatch", None),
                    SshfpAnswer::Partial(gap) => ("partial", Some(gap.says().to_owned())),
                };
                SshfpResult { result, voucher: *voucher, detail }
            }
            Self::None => bare("none", None),
            Self::Bogus(how) => bare("bogus", Some(escape(how))),
            Self::ServFail(how) => bare("servfail", Some(escape(how))),
            Self::Timeout => bare("timeout", None),
        }
    }
}

impl SshfpResult {
    /// The DNS proves that the key is the host's.
    #[must_use]
    pub fn vouches(&self) -> bool {
        self.result == "match" && self.voucher.is_some()
    }

    /// What speaks against the key, or against the records, as a sentence.
    #[must_use]
    pub fn contradiction(&self, key: &str) -> Option<String> {
        let whose = match self.voucher {
            Some(Voucher::Dnssec) => "validated with DNSSEC",
            Some(Voucher::Ad) => "which the resolver calls authentic",
            None => "for which nothing vouches",
        };
        match self.result {
            "mismatch" => Some(format!("the host key {key} is not that of the SSHFP records, {whose}")),
            "bogus" => {
                let how = self.detail.as_deref().unwrap_or("the signatures do not hold");
                Some(format!("the SSHFP records do not pass DNSSEC validation: {how}"))
            }
            _ => None,
        }
    }
}
