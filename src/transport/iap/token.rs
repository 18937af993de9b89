//! The access token, which goes nowhere but to the relay.

use std::fmt;
use std::sync::Arc;

use sshprobe_probes::iap::{Sieve, strike};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// The longest token taken. Google's have some 200 bytes, those of federated identities up to 12 KiB.
pub(super) const TOKEN_MAX: usize = 16 * 1024;

/// An OAuth 2.0 access token. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Reads a token, with blanks and line ends around it.
    ///
    /// # Errors
    /// It is none: nothing, or with bytes in it that no token has (RFC 6750 section 2.1).
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim_ascii();
        let fits = text.bytes().all(|byte| byte.is_ascii_graphic());
        match text.len() {
            0 => Err(TokenError::Empty),
            1..=TOKEN_MAX if fits => Ok(Self(text.into())),
            1..=TOKEN_MAX => Err(TokenError::Bytes),
            _ => Err(TokenError::TooLong),
        }
    }

    /// The value of the `Authorization` header.
    pub(super) fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// How much of `bytes`, which come next, holds nothing of it.
    pub(super) fn clear(&self, sieve: &mut Sieve, bytes: &[u8]) -> usize {
        sieve.clear(self.0.as_bytes(), bytes)
    }

    /// What somebody else said, without the token: a relay can send back what it was sent.
    pub(super) fn struck_from(&self, words: &[u8]) -> Vec<u8> {
        strike(self.0.as_bytes(), words, b"[the access token]")
    }
}

/// Why there is no token. What is shown of it holds none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing there.
    #[error("there is no access token in it")]
    Empty,
    /// More than a token can have.
    #[error("what is in it is longer than any access token")]
    TooLong,
    /// Blanks, control characters or letters that no token has.
    #[error("what is in it is no access token: one word of printable ASCII is wanted")]
    Bytes,
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The credentials that GOOGLE_APPLICATION_CREDENTIALS names give none.
    #[error("GOOGLE_APPLICATION_CREDENTIALS={path}: {why}")]
    Credentials {
        /// Their file, escaped.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing of what this machine has gave one; what each of it said.
    #[error(
        "there is no access token for the IAP relay: give --access-token-file FILE, set CLOUDSDK_AUTH_ACCESS_TOKEN or GOOGLE_APPLICATION_CREDENTIALS, or install gcloud and log in with it ({0})"
    )]
    Nowhere(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ya29.planted-Secret_0123456789";

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let token = Token::new(&format!(" {SECRET}\r\n")).expect("a token");
        assert_eq!(format!("{token:?}"), "Token(…)");
        let source = crate::transport::iap::TokenSource::Environment(token.clone());
        assert!(!format!("{source:?}").contains("planted"));
        let bearer = token.bearer().expect("a header");
        assert_eq!(bearer.as_bytes(), format!("Bearer {SECRET}").as_bytes());
        assert!(!format!("{bearer:?}").contains("planted"));
        for (text, error) in [
            ("", TokenError::Empty),
            (" \n", TokenError::Empty),
            ("two words", TokenError::Bytes),
            ("a\r\nX-Other: b", TokenError::Bytes),
            ("tök", TokenError::Bytes),
            (&*"x".repeat(TOKEN_MAX + 1), TokenError::TooLong),
        ] {
            assert_eq!(Token::new(text).expect_err("no token"), error, "{text:.20}");
        }
    }
}
