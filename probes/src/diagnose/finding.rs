//! What rides along with an outcome: noticed, worth telling, and no failure by itself.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

use super::code::{UnknownName, words};
use crate::findings::{FINDINGS, FindingText};

words! {
    /// The kinds of findings; [`crate::findings::FINDINGS`] says what each means.
    FindingId, "finding":
    AuthNoneAccepted = "auth-none-accepted",
    Incomplete = "incomplete",
    IdentAfterClient = "ident-after-client",
    PreIdentLines = "pre-ident-lines",
    Ssh1Compat = "ssh1-compat",
    IdentTooLong = "ident-too-long",
    SlowIdent = "slow-ident",
    LikelyHoneypot = "likely-honeypot",
    TerrapinVulnerableOffer = "terrapin-vulnerable-offer",
    NoPqKex = "no-pq-kex",
    WeakKex = "weak-kex",
    WeakCipher = "weak-cipher",
    WeakMac = "weak-mac",
    Sha1HostkeyOnly = "sha1-hostkey-only",
    RsaKeyTooSmall = "rsa-key-too-small",
    GexGroupWeak = "gex-group-weak",
    PasswordAuthOffered = "password-auth-offered",
    EmptyNameInList = "empty-name-in-list",
    HostKeyUnknown = "host-key-unknown",
    HostKeyTypeUnknown = "host-key-type-unknown",
    JumpHostKeyUnknown = "jump-host-key-unknown",
    FurtherKeyMismatch = "further-key-mismatch",
    HostKeyAddressMismatch = "host-key-address-mismatch",
    HostCertInvalid = "host-cert-invalid",
    SshfpMismatch = "sshfp-mismatch",
    SshfpBogus = "sshfp-bogus",
    SharedHostKey = "shared-host-key",
    IapOnly = "iap-only",
    OpenWithoutIap = "open-without-iap",
    IapRangeNotAllowed = "iap-range-not-allowed",
    SshdNotListening = "sshd-not-listening",
    GuestSilent = "guest-silent",
    IapRightsMissing = "iap-rights-missing",
    IapUnknownInstance = "iap-unknown-instance",
    DirectOtherHost = "direct-other-host",
}

/// Something noticed about a target.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// Which one.
    pub id: FindingId,
    /// One sentence with the evidence, escaped.
    /// Shared, as a fleet repeats it.
    pub detail: Arc<str>,
}

impl Finding {
    /// A finding with its evidence in a sentence.
    #[must_use]
    pub fn new(id: FindingId, detail: impl Into<Arc<str>>) -> Self {
        Self { id, detail: detail.into() }
    }
}

impl FindingId {
    /// What it means.
    #[must_use]
    pub fn text(self) -> Option<&'static FindingText> {
        FINDINGS.iter().find(|text| text.id == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_explained_exactly_once_and_in_order() {
        let explained: Vec<_> = FINDINGS.iter().map(|text| text.id).collect();
        assert_eq!(explained, FindingId::ALL);
        for text in FINDINGS {
            assert!(!text.title.is_empty() && !text.title.ends_with('.') && text.meaning.ends_with('.'), "{}", text.id);
            for list in [text.causes, text.tell_apart, text.remedy] {
                assert!(!list.is_empty() && list.iter().all(|line| !line.is_empty()), "{}", text.id);
                assert!(
                    list.iter().all(|line| !line.contains("  ") && !line.chars().any(char::is_control)),
                    "{}",
                    text.id
                );
            }
        }
    }
}
