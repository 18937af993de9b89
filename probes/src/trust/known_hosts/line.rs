//! The grammar of one line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::key;
use super::pattern::{PATTERN_MAX, patterns};
use crate::escape::quote;

/// Characters of a line that a message shows at most.
const SHOWN: usize = 40;

/// What a hashed name begins with: bar, the only hash there is (HMAC-SHA1), bar.
const HASH_MAGIC: &[u8] = b"|1|";

/// Bytes of a salt and of a hash: SHA-1's.
pub(super) const HASH_SIZE: usize = 20;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// A host's key.
    None,
    /// A key that certifies hosts' keys.
    Authority,
    /// A key that is to be refused.
    Revoked,
}

/// Whom a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hosts<'a> {
    /// One name, hashed: HMAC-SHA1 under the salt.
    Hashed {
        /// The key of the HMAC.
        salt: [u8; HASH_SIZE],
        /// What it gives for the name.
        hash: [u8; HASH_SIZE],
    },
    /// A comma list of patterns.
    Patterns(&'a [u8]),
}

/// A line that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) marker: Marker,
    pub(super) hosts: Hosts<'a>,
    /// The key, of a type that is known and in the form that equal keys share.
    pub(super) blob: Vec<u8>,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("{0} is no marker that ssh knows, or more than one")]
    Marker(String),
    #[error("@cert-authority and @revoked have to be followed by a blank; ssh ignores a line with a tab there")]
    MarkerTab,
    #[error("{0} is followed by no key")]
    NoKeyType(String),
    #[error("the key type is followed by no key")]
    NoBase64,
    #[error("the hashed name is damaged")]
    Hash,
    #[error("a hashed name stands alone; what follows it after a comma makes ssh ignore the line")]
    HashList,
    #[error("a host name of {PATTERN_MAX} or more characters makes ssh ignore the line")]
    LongName,
    #[error("a key of SSH protocol 1, which nothing uses any more")]
    Rsa1,
    #[error("key type {0} is not known")]
    UnknownType(String),
    #[error("the key's base64 is damaged or cut short")]
    Base64,
    #[error("the base64 is no key")]
    NoKey,
    #[error("the line says {line}, the key in it is {blob}")]
    OtherType { line: &'static str, blob: String },
    #[error("the key is damaged: {0}")]
    Key(String),
    #[error("an RSA key of {0} bits; ssh refuses those under 1024")]
    SmallRsa(u32),
    #[error("an RSA key of {0} bits; ssh refuses those over 16384")]
    LargeRsa(u32),
    #[error("the key is damaged: its point is not on the curve")]
    OffCurve,
}

impl Fault {
    pub(super) fn unknown_type(kind: &[u8]) -> Self {
        if kind.len() < 8 && kind.iter().all(u8::is_ascii_digit) {
            Self::Rsa1
        } else {
            Self::UnknownType(quote(kind, SHOWN))
        }
    }
}

const fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| blank(**byte)).count();
    text.get(blanks..).unwrap_or_default()
}

/// The first field, and what follows it from its blank on; `None` if nothing does.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(text.iter().position(|byte| blank(*byte))?)
}

/// Reads a line without its line feed. `None` if it is blank or a comment.
pub(super) fn parse(text: &[u8]) -> Result<Option<Line<'_>>, Fault> {
    let text = skip_blanks(text);
    if text.is_empty() || text.first() == Some(&b'#') || text == b"\r" {
        return Ok(None);
    }
    let (marker, text) = marker(text)?;
    let (names, rest) = field(text).ok_or_else(|| Fault::NoKeyType(quote(text, SHOWN)))?;
    let hosts = hosts(names)?;
    let rest = skip_blanks(rest);
    if rest.is_empty() || rest.first() == Some(&b'#') {
        return Err(Fault::NoKeyType(quote(names, SHOWN)));
    }
    let (kind, rest) = field(rest).ok_or(Fault::NoBase64)?;
    let rest = skip_blanks(rest);
    if rest.is_empty() {
        return Err(Fault::NoBase64);
    }
    let (base64, _comment) = field(rest).unwrap_or((rest, &[]));
    let blob = key::read(kind, base64)?;
    Ok(Some(Line { marker, hosts, blob }))
}

fn marker(text: &[u8]) -> Result<(Marker, &[u8]), Fault> {
    if text.first() != Some(&b'@') {
        return Ok((Marker::None, text));
    }
    let shown = || Fault::Marker(quote(field(text).map_or(text, |(word, _)| word), SHOWN));
    // ssh ends a marker at the line's first space, and only where the line has none at its first tab.
    let end = text.iter().position(|byte| *byte == b' ').or_else(|| text.iter().position(|byte| *byte == b'\t'));
    let (word, rest) = text.split_at_checked(end.ok_or_else(shown)?).ok_or_else(shown)?;
    let marker = match word {
        b"@cert-authority" => Marker::Authority,
        b"@revoked" => Marker::Revoked,
        _ if word.starts_with(b"@cert-authority\t") || word.starts_with(b"@revoked\t") => return Err(Fault::MarkerTab),
        _ => return Err(shown()),
    };
    let rest = skip_blanks(rest);
    if rest.first() == Some(&b'@') { Err(Fault::Marker(quote(rest, SHOWN))) } else { Ok((marker, rest)) }
}

fn hosts(names: &[u8]) -> Result<Hosts<'_>, Fault> {
    if names.first() != Some(&b'|') {
        let too_long = patterns(names).any(|pattern| pattern.text.len() >= PATTERN_MAX);
        return if too_long { Err(Fault::LongName) } else { Ok(Hosts::Patterns(names)) };
    }
    let encoded = names.strip_prefix(HASH_MAGIC).ok_or(Fault::Hash)?;
    if encoded.contains(&b',') {
        return Err(Fault::HashList);
    }
    let bar = encoded.iter().position(|byte| *byte == b'|').ok_or(Fault::Hash)?;
    let (salt, hash) = encoded.split_at_checked(bar).ok_or(Fault::Hash)?;
    let digest = |base64: &[u8]| STANDARD.decode(base64).ok().and_then(|bytes| <[u8; HASH_SIZE]>::try_from(bytes).ok());
    let (salt, hash) = (digest(salt), digest(hash.get(1..).unwrap_or_default()));
    Ok(Hosts::Hashed { salt: salt.ok_or(Fault::Hash)?, hash: hash.ok_or(Fault::Hash)? })
}
