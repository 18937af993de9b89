//! From the shared secret to the keys (RFC 4253 section 7.2).

use std::fmt;
use std::ops::Deref;

use aws_lc_rs::digest::{Algorithm, digest};

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

/// Where the keys of both directions come from.
pub struct KeySource {
    algorithm: &'static Algorithm,
    /// K and H, and behind them what else is hashed with them at a time. Put together in one place: the library's contexts would
    /// be allocated one by one.
    hashed: Vec<u8>,
    /// How long K and H are.
    shared: usize,
    session: ExchangeHash,
}

impl KeySource {
    /// Keys from K and H of an exchange; `session` is the first H of the connection.
    #[must_use]
    pub fn new(secret: &SharedSecret, hash: &ExchangeHash, session: &ExchangeHash) -> Self {
        let shared = secret.encoded().len().saturating_add(hash.bytes().len());
        // With room for all that follows: what is moved leaves a copy behind.
        let behind = Key::MAX.max(session.bytes().len().saturating_add(1));
        let mut hashed = Vec::with_capacity(shared.saturating_add(behind));
        hashed.extend_from_slice(secret.encoded());
        hashed.extend_from_slice(hash.bytes());
        Self { algorithm: hash.algorithm(), hashed, shared, session: *session }
    }

    /// `length` bytes of the key with this letter, [`Key::MAX`] at most: HASH(K || H || letter || session_id), extended by
    /// HASH(K || H || what there is) as often as needed.
    #[must_use]
    pub fn key(&mut self, letter: u8, length: usize) -> Key {
        let mut key = Key { bytes: [0; Key::MAX], length: length.min(Key::MAX) };
        let mut made = 0usize;
        while made < key.length {
            self.hashed.truncate(self.shared);
            if made == 0 {
                self.hashed.push(letter);
                self.hashed.extend_from_slice(self.session.bytes());
            } else {
                self.hashed.extend_from_slice(key.bytes.get(..made).unwrap_or_default());
            }
            let block = digest(self.algorithm, &self.hashed);
            for (to, from) in key.bytes.iter_mut().skip(made).zip(block.as_ref()) {
                *to = *from;
            }
            made = made.saturating_add(block.as_ref().len());
        }
        key
    }
}

impl Drop for KeySource {
    fn drop(&mut self) {
        // What stands behind the length now stood within it before.
        self.hashed.resize(self.hashed.capacity(), 0);
        wipe(&mut self.hashed);
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource(..)")
    }
}

/// A key, an IV, or none; wiped when it is dropped.
pub struct Key {
    bytes: [u8; Key::MAX],
    length: usize,
}

impl Key {
    /// Two blocks of the longest hash that is not as long as the longest key: room for every cipher's and MAC's.
    pub const MAX: usize = 96;
}

impl Default for Key {
    fn default() -> Self {
        Self { bytes: [0; Self::MAX], length: 0 }
    }
}

#[cfg(test)]
impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        let mut key = Self { length: bytes.len(), ..Self::default() };
        key.bytes[..bytes.len()].copy_from_slice(&bytes);
        key
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kex::exchange::ExchangeHash;
    use aws_lc_rs::digest::{SHA256, SHA384};

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
        let mut source = KeySource::new(&secret, &hash, &session);
        for length in [96, 0, 1, 12, 16, 32, 33, 64, 65, 96] {
            assert_eq!(hex(&source.key(b'C', length)), hex(&all[..length]), "{length} bytes");
        }
        assert_ne!(source.key(b'D', 32)[..], all[..32]);
        assert_eq!(source.key(b'C', Key::MAX + 1)[..], all, "not more than there is room for");
    }

    /// The one hash whose blocks do not fill the longest key.
    #[test]
    fn keys_of_sha_384_are_cut_out_of_whole_blocks() {
        let secret = SharedSecret::mpint(&[1]);
        let hash = ExchangeHash::of(&SHA384, b"one exchange");
        let first = digest(&SHA384, &[secret.encoded(), hash.bytes(), b"E", hash.bytes()].concat());
        let second = digest(&SHA384, &[secret.encoded(), hash.bytes(), first.as_ref()].concat());
        let all = [first.as_ref(), second.as_ref()].concat();
        for length in [48, 64, 96] {
            assert_eq!(KeySource::new(&secret, &hash, &hash).key(b'E', length)[..], all[..length], "{length} bytes");
        }
    }
}
