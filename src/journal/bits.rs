//! A set of target indices that is small at both ends of a run.

use std::collections::BTreeMap;

/// Indices of one chunk.
const CHUNK: u64 = 1 << 16;

const WORDS: usize = (CHUNK / 64) as usize;

/// A growing set of numbers: a bit each where they are dense, and next to nothing where a stretch of 65,536 is whole or empty.
/// A /8 takes two megabytes at the most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits {
    chunks: BTreeMap<u64, Chunk>,
    len: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Chunk {
    /// Every number of it.
    Whole,
    /// Some, and how many.
    Some(Box<[u64]>, u64),
}

/// The bytes are those of no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no set of indices")]
pub struct NoBits;

impl Bits {
    /// How many numbers are in it.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a number is in it.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        match self.chunks.get(&(number / CHUNK)) {
            None => false,
            Some(Chunk::Whole) => true,
            Some(Chunk::Some(words, _)) => {
                let (word, bit) = place(number);
                words.get(word).is_some_and(|word| word & bit != 0)
            }
        }
    }

    /// How many of `len` numbers from `start` on are in it. Only what is there is looked at.
    #[must_use]
    pub fn count(&self, start: u64, len: u64) -> u64 {
        let Some(last) = len.checked_sub(1).map(|more| start.saturating_add(more)) else { return 0 };
        let chunks = self.chunks.range(start / CHUNK..=last / CHUNK);
        chunks
            .map(|(at, chunk)| {
                let first = at * CHUNK;
                let (from, to) = (start.max(first) - first, last.min(first + (CHUNK - 1)) - first);
                let Chunk::Some(words, count) = chunk else { return to - from + 1 };
                if to - from == CHUNK - 1 {
                    return *count;
                }
                let within = |at: u64| {
                    let low = if at == from / 64 { from % 64 } else { 0 };
                    let high = if at == to / 64 { to % 64 } else { 63 };
                    u64::MAX << low & u64::MAX >> (63 - high)
                };
                (from / 64..=to / 64)
                    .filter_map(|at| Some(u64::from((words.get(at as usize)? & within(at)).count_ones())))
                    .sum()
            })
            .sum()
    }

    /// Adds a number; whether it was not there.
    pub fn add(&mut self, number: u64) -> bool {
        let none = || Chunk::Some(vec![0; WORDS].into_boxed_slice(), 0);
        let chunk = self.chunks.entry(number / CHUNK).or_insert_with(none);
        let Chunk::Some(words, count) = chunk else { return false };
        let (word, bit) = place(number);
        let Some(word) = words.get_mut(word).filter(|word| **word & bit == 0) else { return false };
        *word |= bit;
        *count += 1;
        self.len += 1;
        if *count == CHUNK {
            *chunk = Chunk::Whole;
        }
        true
    }

    /// Every number, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.chunks.iter().flat_map(|(at, chunk)| {
            let has = move |number: &u64| match chunk {
                Chunk::Whole => true,
                Chunk::Some(words, _) => {
                    let (word, bit) = place(*number);
                    words.get(word).is_some_and(|word| word & bit != 0)
                }
            };
            (at * CHUNK..=at * CHUNK + (CHUNK - 1)).filter(has)
        })
    }

    /// The set as bytes: of each chunk its number (8 bytes, little-endian), 1 if it is whole or 0, and in that case its bits.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, chunk) in &self.chunks {
            out.extend_from_slice(&at.to_le_bytes());
            match chunk {
                Chunk::Whole => out.push(1),
                Chunk::Some(words, _) => {
                    out.push(0);
                    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
                }
            }
        }
        out
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// It is not that.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, NoBits> {
        let mut bits = Self::default();
        while let Some((at, rest)) = bytes.split_first_chunk::<8>() {
            let at = u64::from_le_bytes(*at);
            let after = bits.chunks.last_key_value().is_none_or(|(last, _)| *last < at);
            if !after || at > u64::MAX / CHUNK {
                return Err(NoBits);
            }
            let (kind, rest) = rest.split_first().ok_or(NoBits)?;
            let (chunk, rest) = match kind {
                1 => (Chunk::Whole, rest),
                0 => {
                    let (these, rest) = rest.split_at_checked(WORDS * 8).ok_or(NoBits)?;
                    let (words, _) = these.as_chunks::<8>();
                    let words: Box<[u64]> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
                    let count = words.iter().map(|word| u64::from(word.count_ones())).sum();
                    (if count == CHUNK { Chunk::Whole } else { Chunk::Some(words, count) }, rest)
                }
                _ => return Err(NoBits),
            };
            bits.len += match &chunk {
                Chunk::Whole => CHUNK,
                Chunk::Some(_, count) => *count,
            };
            bits.chunks.insert(at, chunk);
            bytes = rest;
        }
        if bytes.is_empty() { Ok(bits) } else { Err(NoBits) }
    }
}

/// The word of its chunk that a number's bit is in, and the bit.
const fn place(number: u64) -> (usize, u64) {
    let within = number % CHUNK;
    ((within / 64) as usize, 1 << (within % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_chunks_take_no_room() {
        let mut bits = Bits::default();
        for number in 0..3 * CHUNK {
            assert!(bits.add(number * 40_507 % (3 * CHUNK)));
        }
        assert_eq!((bits.len(), bits.to_bytes().len()), (3 * CHUNK, 3 * 9));
        assert!(bits.has(0) && bits.has(3 * CHUNK - 1) && !bits.has(3 * CHUNK));
        assert!(!bits.add(5), "it was there");
        assert_eq!(Bits::from_bytes(&bits.to_bytes()), Ok(bits));
    }

    #[test]
    fn what_was_cut_or_is_no_set_is_refused() {
        let mut bits = Bits::default();
        bits.add(u64::MAX);
        bits.add(7);
        let bytes = bits.to_bytes();
        assert_eq!(Bits::from_bytes(&bytes), Ok(bits));
        for end in (1..bytes.len()).filter(|end| *end != bytes.len() / 2) {
            assert_eq!(Bits::from_bytes(&bytes[..end]), Err(NoBits), "{end}");
        }
        let twice = [&bytes[bytes.len() / 2..], &bytes[bytes.len() / 2..]].concat();
        assert_eq!(Bits::from_bytes(&twice), Err(NoBits));
        assert_eq!(Bits::from_bytes(&[0xff; 9]), Err(NoBits));
    }

    proptest! {
        #[test]
        fn as_a_set_of_numbers(numbers in proptest::collection::vec(prop_oneof![0u64..200, any::<u64>()], 0..40)) {
            let mut bits = Bits::default();
            let mut model = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(bits.add(number), model.insert(number));
                prop_assert!(bits.has(number));
                prop_assert_eq!(bits.has(number ^ 1), model.contains(&(number ^ 1)));
            }
            prop_assert_eq!(bits.len(), model.len() as u64);
            for (start, len) in [(0, 64), (3, 61), (60, 9), (64, 64), (7, 0), (0, u64::MAX), (1 << 63, u64::MAX), (199, 1 << 40)] {
                let end = u128::from(start) + u128::from(len);
                let within = model.iter().filter(|number| **number >= start && u128::from(**number) < end).count();
                prop_assert_eq!(bits.count(start, len), within as u64);
            }
            prop_assert_eq!(bits.iter().collect::<BTreeSet<_>>(), model);
            prop_assert_eq!(Bits::from_bytes(&bits.to_bytes()), Ok(bits));
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Bits::from_bytes(&bytes);
        }
    }
}
