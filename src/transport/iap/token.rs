//! Where the access token comes from, and that it goes nowhere but to the relay.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::escape::quote;
use sshprobe_probes::time::Moment;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::sys::clock::Clock;

/// The longest token taken. Google's have some 200 bytes, those of federated identities up to 12 KiB.
const TOKEN_MAX: usize = 16 * 1024;

/// How long a token is used before it is looked for again. Google's live an hour, and gcloud hands out none that ends within
/// minutes.
const FRESH: Duration = Duration::from_secs(120);

/// How long gcloud may take; it starts slowly and may have to ask Google for a new token.
const GCLOUD: Duration = Duration::from_secs(60);

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

    /// What somebody else said, without the token: a relay can send back what it was sent. Nor with a piece of it: what is
    /// said may begin or end in its middle.
    pub(super) fn struck_from(&self, words: &[u8]) -> Vec<u8> {
        const INSTEAD: &[u8] = b"[the access token]";
        let (mut rest, mut out) = (words, Vec::with_capacity(words.len()));
        while let Some(first) = rest.first() {
            match self.piece_before(rest) {
                0 => {
                    out.push(*first);
                    rest = &rest[1..];
                }
                piece => {
                    out.extend_from_slice(INSTEAD);
                    rest = &rest[piece..];
                }
            }
        }
        out
    }

    /// How much of the beginning of `words` is the token, or a piece of it that is long enough to tell something.
    fn piece_before(&self, words: &[u8]) -> usize {
        /// Shorter ones are in any text.
        const TELLS: usize = 8;
        let token = self.0.as_bytes();
        let least = token.len().min(TELLS);
        let Some(begin) = words.get(..least) else { return 0 };
        let common = |at: &[u8]| at.iter().zip(words).take_while(|(ours, theirs)| ours == theirs).count();
        let places = token.windows(least).enumerate().filter(|(_, window)| *window == begin);
        places.map(|(at, _)| common(&token[at..])).max().unwrap_or(0)
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
    /// There is no gcloud.
    #[error(
        "there is no access token for the IAP relay: give --access-token-file FILE, set CLOUDSDK_AUTH_ACCESS_TOKEN, or install gcloud and log in with it"
    )]
    NoGcloud,
    /// gcloud gave none.
    #[error("`gcloud auth print-access-token` gave no access token: {0}")]
    Gcloud(String),
}

/// Where the token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// A file that the user named, read again as the token in it ages. It may go to any relay.
    File(PathBuf),
    /// The environment variable `CLOUDSDK_AUTH_ACCESS_TOKEN`, which gcloud reads too.
    Environment(Token),
    /// `gcloud auth print-access-token`.
    Gcloud,
}

impl TokenSource {
    /// The user handed the token over for whatever relay is named; any other is for Google alone.
    #[must_use]
    pub const fn is_for_any_relay(&self) -> bool {
        matches!(self, Self::File(_))
    }

    async fn fetch(&self) -> Result<Token, TokenError> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || of_file(&path)).await;
                read.unwrap_or_else(|_| Err(TokenError::Unreadable(String::from("reading it failed"))))
            }
            Self::Environment(token) => Ok(token.clone()),
            Self::Gcloud => of_gcloud().await,
        }
    }

    /// Asking again can give another token. A pipe gives what it has but once.
    fn may_change(&self) -> bool {
        match self {
            Self::File(path) => path.is_file(),
            Self::Environment(_) => false,
            Self::Gcloud => true,
        }
    }
}

fn of_file(path: &Path) -> Result<Token, TokenError> {
    let unreadable = |error: io::Error| TokenError::Unreadable(error.to_string());
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(TOKEN_MAX as u64 + 64).read_to_end(&mut text).map_err(unreadable)?;
    Token::new(std::str::from_utf8(&text).map_err(|_| TokenError::Bytes)?)
}

async fn of_gcloud() -> Result<Token, TokenError> {
    let mut gcloud = Command::new("gcloud");
    gcloud.args(["auth", "print-access-token"]).env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1");
    gcloud.stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(GCLOUD, gcloud.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(TokenError::NoGcloud),
        Ok(Err(error)) => return Err(TokenError::Gcloud(error.to_string())),
        Err(_) => return Err(TokenError::Gcloud(String::from("it did not end in time"))),
    };
    if !output.status.success() {
        // Of its message the first line names the matter, what follows are remedies.
        let line = output.stderr.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
        return Err(TokenError::Gcloud(line.map_or_else(|| output.status.to_string(), |line| quote(line, 160))));
    }
    let text = std::str::from_utf8(&output.stdout).map_err(|_| TokenError::Bytes);
    text.and_then(Token::new).map_err(|error| TokenError::Gcloud(error.to_string()))
}

/// The token as it is now.
#[derive(Debug)]
pub struct Tokens {
    source: TokenSource,
    clock: Clock,
    kept: Mutex<Option<(Moment, Token)>>,
}

impl Tokens {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new(clock: Clock, source: TokenSource) -> Self {
        Self { source, clock, kept: Mutex::new(None) }
    }

    /// The token, asked for anew if the last one is old. One that cannot be renewed is used on: the relay will say so when it
    /// has expired.
    ///
    /// # Errors
    /// There never was one.
    pub async fn token(&self) -> Result<Token, TokenError> {
        // Held while asking: of a thousand tunnels one asks gcloud.
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some((since, token)) = &*kept
            && (now.since(*since) < FRESH || !self.source.may_change())
        {
            return Ok(token.clone());
        }
        let token = match (self.source.fetch().await, kept.take()) {
            (Ok(token), _) => token,
            (Err(_), Some((_, old))) => old,
            (Err(error), None) => return Err(error),
        };
        *kept = Some((self.clock.now(), token.clone()));
        Ok(token)
    }

    /// Where it comes from.
    #[must_use]
    pub const fn source(&self) -> &TokenSource {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ya29.planted-Secret_0123456789";

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let token = Token::new(&format!(" {SECRET}\r\n")).expect("a token");
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert!(!format!("{:?}", TokenSource::Environment(token.clone())).contains("planted"));
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

    #[test]
    fn what_others_say_is_shown_without_it() {
        let token = Token::new("abab").expect("a token");
        for (said, shown) in [
            ("", ""),
            ("aba", "aba"),
            ("no ababab!", "no [the access token]ab!"),
            ("aabab", "a[the access token]"),
            ("abababab", "[the access token][the access token]"),
        ] {
            assert_eq!(token.struck_from(said.as_bytes()), shown.as_bytes(), "{said}");
        }
        let token = Token::new("ya29.planted-Secret_0123456789").expect("a token");
        for (said, shown) in [
            ("Bearer ya29.planted-Secret_012345678", "Bearer [the access token]"),
            ("t_0123456789 was wrong", "[the access token] was wrong"),
            ("ed-Secret_01|ya29.planted-Secret_0123456789x", "[the access token]|[the access token]x"),
            ("ya29.pl", "ya29.pl"),
        ] {
            assert_eq!(token.struck_from(said.as_bytes()), shown.as_bytes(), "{said}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_and_its_lack_is_said_once() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        let tokens = Tokens::new(Clock::start(), TokenSource::File(path.clone()));
        assert!(matches!(tokens.token().await, Err(TokenError::Unreadable(_))));
        std::fs::write(&path, format!("{SECRET}\n")).expect("written");
        assert_eq!(tokens.token().await, Token::new(SECRET));
        // A token that is fresh is used although the file is gone.
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(tokens.token().await, Token::new(SECRET));
    }
}
