//! A public key as a line of text: type, base64, comment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hostkey::{KeyFault, canonical_key, key_info, key_type};

/// What is wrong with such a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineFault {
    /// One word, or none.
    #[error("type and base64 expected")]
    Words,
    /// The second word.
    #[error("the key is not base64")]
    Base64,
    /// The key is of another type than the line says.
    #[error("the key is of another type than the line says")]
    Type,
    /// The key itself.
    #[error("{0}")]
    Key(#[from] KeyFault),
}

/// The plain key of a line in its canonical form (a certificate's is the key it certifies, as ssh compares it), and what
/// follows it.
pub(super) fn public_key(line: &[u8]) -> Result<(Box<[u8]>, &[u8]), LineFault> {
    let (kind, rest) = word(line);
    let (base64, comment) = word(rest);
    if kind.is_empty() || base64.is_empty() {
        return Err(LineFault::Words);
    }
    let blob = STANDARD.decode(base64).map_err(|_| LineFault::Base64)?;
    if key_type(&blob).map(str::as_bytes) != Some(kind) {
        return Err(LineFault::Type);
    }
    key_info(&blob)?;
    Ok((canonical_key(&blob)?.into(), comment))
}

/// The first word of a line, words being parted by blanks and tabs, and what follows it.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (word, rest.trim_ascii())
}
