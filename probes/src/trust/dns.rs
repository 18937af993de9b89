//! What the DNS says about a name's host keys (RFC 4255), and whether that can be relied on.

use super::sshfp::{SshfpAnswer, SshfpRecord, compare};
use crate::diagnose::{Finding, FindingId};
use crate::escape::escape;

/// What came of asking for a name's SSHFP records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshfpSaid {
    /// There are records.
    Records {
        /// All of them.
        records: Vec<SshfpRecord>,
        /// Who vouches for them, or why nobody does.
        voucher: Result<Voucher, String>,
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
    /// More about it, such as why nobody vouches, escaped.
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
                let (result, gap) = match compare(records, plain) {
                    SshfpAnswer::None => ("none", None),
                    SshfpAnswer::Match => ("match", None),
                    SshfpAnswer::Mismatch => ("mismatch", None),
                    SshfpAnswer::Partial(gap) => ("partial", Some(gap.says())),
                };
                let unvouched = voucher.as_ref().err().map(escape);
                let detail = match (gap, unvouched) {
                    (Some(gap), Some(why)) => Some(format!("{gap}; {why}")),
                    (gap, why) => why.or_else(|| gap.map(str::to_owned)),
                };
                SshfpResult { result, voucher: voucher.as_ref().ok().copied(), detail }
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

    /// What speaks against the key, or against the records.
    #[must_use]
    pub fn finding(&self, key: &str) -> Option<Finding> {
        let (id, detail) = match self.result {
            "mismatch" => {
                let whose = match (self.voucher, &self.detail) {
                    (Some(Voucher::Dnssec), _) => "validated with DNSSEC".into(),
                    (Some(Voucher::Ad), _) => "which the resolver calls authentic".into(),
                    (None, Some(why)) => format!("for which nothing vouches: {why}"),
                    (None, None) => "for which nothing vouches".into(),
                };
                (FindingId::SshfpMismatch, format!("the host key {key} is not that of the SSHFP records, {whose}"))
            }
            "bogus" => {
                let how = self.detail.as_deref().unwrap_or("the signatures do not hold");
                (FindingId::SshfpBogus, format!("the SSHFP records do not pass DNSSEC validation: {how}"))
            }
            _ => return None,
        };
        Some(Finding::new(id, detail))
    }
}
