//! A keyed permutation of `0..n`: the shuffled order of a range that is never a list in memory.
//!
//! A sweep in address order sends a thousand connections to one /24 and then a thousand to the next: it overruns one
//! switch, one ARP table and one firewall after the other, and looks like an attack to each. A random order spreads the
//! load, but a list of a /8 to be shuffled would take hundreds of megabytes. A small block cipher over exactly the index
//! space gives the same with a few words of state, and a seed repeats the order.

/// Feistel rounds. Four make a permutation that is hard to tell from a random one for large domains (Luby and Rackoff);
/// twice as many keep domains of a few bits well mixed too.
const ROUNDS: usize = 8;

/// A permutation of `0..n` determined by a seed.
///
/// A balanced Feistel network over the smallest even number of bits that holds `n`, with cycle walking: what falls
/// outside `0..n` is encrypted again. The domain is at most four times `n`, so that a step takes four encryptions at the
/// worst on average. This is no cryptography: it spreads load, it hides nothing.
#[derive(Debug, Clone)]
pub struct Permutation {
    n: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of `0..n` that belongs to `seed`.
    #[must_use]
    pub fn new(n: u64, seed: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let half_bits = bits.div_ceil(2).max(1);
        let mut state = seed;
        let keys = std::array::from_fn(|_| {
            state = state.wrapping_add(GOLDEN);
            mix(state)
        });
        Self { n, half_bits, keys }
    }

    /// How many indices there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.n
    }

    /// Whether there is nothing to permute.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// What stands at place `i` of the shuffled order; `None` from `n` on.
    #[must_use]
    pub fn get(&self, i: u64) -> Option<u64> {
        if i >= self.n {
            return None;
        }
        // Ends: the network permutes its domain, so that the cycle through `i` comes back to `i`, which lies inside.
        let mut value = self.encrypt(i);
        while value >= self.n {
            value = self.encrypt(value);
        }
        Some(value)
    }

    fn encrypt(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in &self.keys {
            // The high bits of a multiplicative mix are its best.
            let f = mix(right ^ key) >> (u64::BITS - self.half_bits);
            (left, right) = (right, left ^ f);
        }
        (left << self.half_bits) | right
    }
}

/// 2^64 divided by the golden ratio, odd: successive multiples are spread evenly.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes 64 bits so that each bit of the input reaches each bit of the output: multiply and fold, three times.
fn mix(value: u64) -> u64 {
    let mut z = value;
    for _ in 0..3 {
        z = (z ^ (z >> 32)).wrapping_mul(GOLDEN);
    }
    z ^ (z >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(n: u64, seed: u64) -> Vec<u64> {
        let permutation = Permutation::new(n, seed);
        (0..n).map(|i| permutation.get(i).unwrap()).collect()
    }

    #[test]
    fn every_small_space_is_permuted() {
        for n in 0..=600 {
            for seed in [0, 1, 42, u64::MAX] {
                let mut seen = order(n, seed);
                seen.sort_unstable();
                assert_eq!(seen, (0..n).collect::<Vec<_>>(), "n {n} seed {seed}");
            }
        }
    }

    #[test]
    fn the_end_is_none() {
        assert_eq!(Permutation::new(0, 7).get(0), None);
        let permutation = Permutation::new(5, 7);
        assert_eq!((permutation.get(5), permutation.len(), permutation.is_empty()), (None, 5, false));
        assert!(Permutation::new(5, 7).get(u64::MAX).is_none());
    }

    #[test]
    fn huge_spaces_work_to_the_last_index() {
        for n in [u64::MAX, 1 << 63, (1 << 63) + 1, 1 << 32, (1 << 32) + 1] {
            let permutation = Permutation::new(n, 3);
            let some: std::collections::HashSet<u64> =
                (0..1000).chain(n - 1000..n).map(|i| permutation.get(i).unwrap()).collect();
            assert_eq!(some.len(), 2000, "n {n}");
            assert!(some.iter().all(|v| *v < n));
        }
    }

    /// In a random order of n, a neighbour follows its neighbour with probability 2/n; a handful in the whole order.
    #[test]
    fn neighbours_are_torn_apart() {
        for n in [254, 256, 1024, 65_536, 100_000] {
            for seed in 0..20 {
                let order = order(n, seed);
                let adjacent = order.windows(2).filter(|w| w[0].abs_diff(w[1]) == 1).count();
                let at_home = order.iter().enumerate().filter(|(i, v)| *i as u64 == **v).count();
                assert!(adjacent <= 20, "n {n} seed {seed}: {adjacent} neighbours stayed together");
                assert!(at_home <= 20, "n {n} seed {seed}: {at_home} never moved");
            }
        }
    }

    /// The load is spread: of the first 1/16 of the order, every sixteenth of the space gets about its share.
    #[test]
    fn the_first_steps_reach_the_whole_space() {
        for seed in 0..10 {
            let n = 1u64 << 24;
            let permutation = Permutation::new(n, seed);
            let mut buckets = [0u32; 16];
            for i in 0..16_000 {
                buckets[(permutation.get(i).unwrap() >> 20) as usize] += 1;
            }
            assert!(buckets.iter().all(|b| (800..1200).contains(b)), "seed {seed}: {buckets:?}");
        }
    }

    #[test]
    fn another_seed_is_another_order() {
        let orders: std::collections::HashSet<Vec<u64>> = (0..200).map(|seed| order(64, seed)).collect();
        assert_eq!(orders.len(), 200);
        assert_eq!(order(1000, 9), order(1000, 9));
    }

    proptest! {
        #[test]
        fn a_bijection_for_any_size_and_seed(n in 1u64..5000, seed: u64) {
            let mut seen = vec![false; usize::try_from(n).unwrap()];
            for v in order(n, seed) {
                prop_assert!(!std::mem::replace(&mut seen[usize::try_from(v).unwrap()], true));
            }
        }

        #[test]
        fn no_two_of_a_large_space_collide(n in 1u64 << 33..u64::MAX, seed: u64, a: u64, b: u64) {
            let (a, b) = (a % n, b % n);
            let permutation = Permutation::new(n, seed);
            prop_assert_eq!(permutation.get(a) == permutation.get(b), a == b);
        }
    }
}
