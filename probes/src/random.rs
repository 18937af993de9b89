//! Randomness as an argument: this crate never asks the operating system for any.

use std::fmt;

use aws_lc_rs::digest;

use crate::kex::ecdh::Lent;

/// 256 bits from which one connection draws everything random about it: cookie, padding and ephemeral keys.
///
/// The driver fills it from the operating system; tests and replay pass a fixed one and get the same bytes on the wire
/// again. A seed must never serve two connections that carry a credential.
#[derive(Clone)]
pub struct Seed(pub [u8; SEED_LEN]);

/// The size of a seed in bytes.
const SEED_LEN: usize = 32;

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The bytes a [`Seed`] expands to: SHA-256 in counter mode. An ephemeral key that is not this connection's alone may come with
/// them.
pub struct Randomness {
    seed: Seed,
    counter: u64,
    lent: Option<Lent>,
}

impl Randomness {
    /// A stream of bytes determined by `seed` alone.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, counter: 0, lent: None }
    }

    /// The same, with an ephemeral key for an exchange that can use it.
    #[must_use]
    pub fn lending(self, lent: Lent) -> Self {
        Self { lent: Some(lent), ..self }
    }

    /// The ephemeral key that came with it.
    pub(crate) fn lent(&self) -> Option<&Lent> {
        self.lent.as_ref()
    }

    /// Fills `out` with the next bytes of the stream. Every call starts a new block, so no byte serves twice.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(digest::SHA256_OUTPUT_LEN) {
            // In one go: the library has contexts on the heap, and every packet draws its padding.
            let mut block = [0; SEED_LEN + 8];
            let (seed, counter) = block.split_at_mut(SEED_LEN);
            seed.copy_from_slice(&self.seed.0);
            counter.copy_from_slice(&self.counter.to_be_bytes());
            self.counter = self.counter.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(digest::digest(&digest::SHA256, &block).as_ref()) {
                *to = *from;
            }
        }
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_stream_and_no_block_repeats() {
        let draw = |seed: u8| {
            let mut randomness = Randomness::new(Seed([seed; 32]));
            let mut out = [[0u8; 40]; 3];
            for block in &mut out {
                randomness.fill(block);
            }
            out
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let [a, b, c] = draw(1);
        assert!(a != b && b != c && a != c && a[..8] != a[32..]);
    }
}
