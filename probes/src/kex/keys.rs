//! From the shared secret to the keys (RFC 4253 section 7.2).

use aws_lc_rs::digest::Context;

use super::{ExchangeHash, SharedSecret};

/// A direction of the connection: each has its own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Client to server.
    ClientToServer,
    /// Server to client.
    ServerToClient,
}

impl Direction {
    /// The letters of the IV, the key and the MAC key.
    #[must_use]
    pub const fn letters(self) -> [u8; 3] {
        match self {
            Direction::ClientToServer => *b"ACE",
            Direction::ServerToClient => *b"BDF",
        }
    }
}

/// `length` bytes of the key with this letter: HASH(K || H || letter || session_id), extended by HASH(K || H || what there
/// is) as often as needed.
#[must_use]
pub fn derive_key(
    secret: &SharedSecret,
    hash: &ExchangeHash,
    session: &ExchangeHash,
    letter: u8,
    length: usize,
) -> Vec<u8> {
    let begin = || {
        let mut context = Context::new(hash.algorithm());
        context.update(secret.encoded());
        context.update(hash.bytes());
        context
    };
    let mut key = Vec::with_capacity(length.next_multiple_of(hash.algorithm().output_len()));
    while key.len() < length {
        let mut context = begin();
        if key.is_empty() {
            context.update(&[letter]);
            context.update(session.bytes());
        } else {
            context.update(&key);
        }
        key.extend_from_slice(context.finish().as_ref());
    }
    key.truncate(length);
    key
}
