//! What rides along with an outcome: noticed, worth telling, and no failure by itself.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

use super::code::{UnknownName, words};

words! {
    /// The kinds of findings; [`FINDINGS`] says what each means.
    FindingId, "finding":
    AuthNoneAccepted = "auth-none-accepted",
    Incomplete = "incomplete",
    IdentAfterClient = "ident-after-client",
    PreIdentLines = "pre-ident-lines",
    Ssh1Compat = "ssh1-compat",
    IdentTooLong = "ident-too-long",
}

/// Something noticed about a target.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// Which one.
    pub id: FindingId,
    /// One sentence with the evidence, escaped.
    pub detail: String,
}

impl Finding {
    /// A finding with its evidence in a sentence.
    #[must_use]
    pub fn new(id: FindingId, detail: impl Into<String>) -> Self {
        Self { id, detail: detail.into() }
    }
}

/// What a finding means, for `explain` and the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingText {
    /// Which one.
    pub id: FindingId,
    /// One short sentence.
    pub title: &'static str,
    /// What was seen and what follows from it.
    pub meaning: &'static str,
    /// What to do about it; may be empty.
    pub remedy: &'static [&'static str],
}

/// Every finding explained, in the order of [`FindingId::ALL`].
pub static FINDINGS: &[FindingText] = &[
    FindingText {
        id: FindingId::AuthNoneAccepted,
        title: "The server let us in without any credential",
        meaning: "SSH_MSG_USERAUTH_SUCCESS came in answer to the method `none`: an account with an empty password \
                  (PermitEmptyPasswords, dropbear -B), an open device, or a honeypot. Nothing was done in the session.",
        remedy: &["set a password or lock the account: passwd -l USER", "sshd_config: PermitEmptyPasswords no"],
    },
    FindingText {
        id: FindingId::Incomplete,
        title: "A further connection to the target failed",
        meaning: "One connection yielded what was asked for, but another one planned for the same target failed, so \
                  the record holds less than it could; `tried` lists every connection.",
        remedy: &["probe the target again, alone and later: it may limit connections per source"],
    },
    FindingText {
        id: FindingId::IdentAfterClient,
        title: "The server identified itself only after we had",
        meaning: "OpenSSH and most others send their identification at once. One that waits for the client's is \
                  usually behind a port multiplexer (sslh, HAProxy content switching) or an embedded stack.",
        remedy: &["if no multiplexer is meant to stand there, look for reverse-DNS delays of TCP wrappers"],
    },
    FindingText {
        id: FindingId::PreIdentLines,
        title: "Lines came before the identification",
        meaning: "RFC 4253 section 4.2 allows them, but not every client copes (dropbear's stops after 50 lines, \
                  paramiko after 100). They are often a warning, TCP wrappers' banner or a stray message of a shell script.",
        remedy: &["use sshd's Banner option instead: it is sent during authentication and every client expects it"],
    },
    FindingText {
        id: FindingId::Ssh1Compat,
        title: "The server still speaks SSH 1 too",
        meaning: "The identification says 1.99 (RFC 4253 section 5.1): protocol 1, broken since 2001, is offered beside protocol 2.",
        remedy: &["switch protocol 1 off, on Cisco IOS: ip ssh version 2"],
    },
    FindingText {
        id: FindingId::IdentTooLong,
        title: "The identification is longer than RFC 4253 allows",
        meaning: "More than 255 bytes with CR LF. OpenSSH takes up to 8192, but dropbear and tinyssh hang up on it.",
        remedy: &["shorten VersionAddendum"],
    },
];

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
        }
    }
}
