//! From the shared secret to the keys (RFC 4253 section 7.2).

use aws_lc_rs::digest::digest;

use super::{ExchangeHash, SharedSecret};
use crate::wipe::wipe;

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
    if length == 0 {
        return Vec::new();
    }
    let block = hash.algorithm().output_len();
    let mut key: Vec<u8> = Vec::with_capacity(length.next_multiple_of(block));
    let shared = secret.encoded().len().saturating_add(hash.bytes().len());
    // What is hashed, put together in one place: the library's contexts would be allocated one by one.
    let behind = key.capacity().max(session.bytes().len().saturating_add(1));
    let mut hashed = Vec::with_capacity(shared.saturating_add(behind));
    hashed.extend_from_slice(secret.encoded());
    hashed.extend_from_slice(hash.bytes());
    while key.len() < length {
        hashed.truncate(shared);
        if key.is_empty() {
            hashed.push(letter);
            hashed.extend_from_slice(session.bytes());
        } else {
            hashed.extend_from_slice(&key);
        }
        key.extend_from_slice(digest(hash.algorithm(), &hashed).as_ref());
    }
    wipe(&mut hashed);
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kex::exchange::ExchangeHash;
    use aws_lc_rs::digest::SHA256;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Put together here by hand, with K = 0xff010203.
    #[test]
    fn keys_are_those_of_section_7_2() {
        let secret = SharedSecret::mpint(&[0xff, 1, 2, 3]);
        let k = [0, 0, 0, 5, 0, 0xff, 1, 2, 3];
        assert_eq!(secret.encoded(), k);
        let hash = ExchangeHash::of(&SHA256, b"one exchange");
        let session = ExchangeHash::of(&SHA256, b"the first exchange");
        let sha = |parts: &[&[u8]]| digest(&SHA256, &parts.concat()).as_ref().to_vec();
        let first = sha(&[&k, hash.bytes(), b"C", session.bytes()]);
        let second = sha(&[&k, hash.bytes(), &first]);
        let third = sha(&[&k, hash.bytes(), &first, &second]);
        let all = [first, second, third].concat();
        for length in [0, 1, 12, 16, 32, 33, 64, 65, 96] {
            let key = derive_key(&secret, &hash, &session, b'C', length);
            assert_eq!(hex(&key), hex(&all[..length]), "{length} bytes");
        }
        assert_ne!(derive_key(&secret, &hash, &session, b'D', 32), all[..32]);
    }
}
