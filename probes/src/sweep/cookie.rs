//! The numbers that tell an answer to one of our SYNs from everything else that arrives.

use std::fmt;
use std::net::IpAddr;

use super::siphash::siphash;
use crate::random::{Randomness, Seed};

/// Makes cookies, by a key that nobody else has.
///
/// Who cannot see our SYNs has to guess the sequence number and the source port of each, some 2^45 possibilities with the
/// default ports. All tries of one destination have the same cookie: a late answer to the first counts for the last.
#[derive(Clone)]
pub struct Cookies {
    key: (u64, u64),
    ports: SourcePorts,
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").field("ports", &self.ports).finish_non_exhaustive()
    }
}

/// The source ports that a sweep uses. None of them may be bound by this machine's own sockets: the kernel would take answers
/// for theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcePorts {
    first: u16,
    count: u16,
}

impl SourcePorts {
    /// Below the ports that Linux takes for its own connections (`net.ipv4.ip_local_port_range` begins at 32768).
    pub const BELOW_LINUX: Self = Self { first: 24_576, count: 8_192 };

    /// The ports from `first` to `last`; `None` if there are none.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        // All 65,536 would include port 0.
        if first == 0 || last < first { None } else { Some(Self { first, count: last - first + 1 }) }
    }

    /// The lowest of them.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.first + (self.count - 1)
    }

    /// Whether a port is one of them.
    #[must_use]
    pub const fn has(self, port: u16) -> bool {
        port >= self.first && port - self.first < self.count
    }

    /// The port that 16 even bits choose.
    fn choose(self, bits: u16) -> u16 {
        // Below `count`, so that the sum is a port.
        let nth = (u32::from(bits) * u32::from(self.count)) >> 16;
        self.first.saturating_add(nth as u16)
    }
}

/// What the SYNs to one destination carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    /// The initial sequence number.
    pub sequence: u32,
    /// The source port.
    pub source_port: u16,
    /// The whole number that both are taken from; it stands for the destination in [`super::flight`].
    pub id: u64,
}

impl Cookies {
    /// Cookies by a key drawn from `seed`.
    #[must_use]
    pub fn new(seed: Seed, ports: SourcePorts) -> Self {
        let (mut low, mut high) = ([0; 8], [0; 8]);
        let mut randomness = Randomness::new(seed);
        randomness.fill(&mut low);
        randomness.fill(&mut high);
        Self { key: (u64::from_le_bytes(low), u64::from_le_bytes(high)), ports }
    }

    /// The cookie of a destination.
    #[must_use]
    pub fn of(&self, to: IpAddr, port: u16) -> Cookie {
        // Messages of both families differ in length, which the hash covers.
        let mut message = [0; 18];
        let (address, length) = match to {
            IpAddr::V4(addr) => (u128::from(addr.to_bits()) << 96, 6),
            IpAddr::V6(addr) => (addr.to_bits(), 18),
        };
        let bytes = port.to_be_bytes().into_iter().chain(address.to_be_bytes());
        message.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let id = siphash(self.key, message.get(..length).unwrap_or_default());
        Cookie { sequence: id as u32, source_port: self.ports.choose((id >> 32) as u16), id }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    fn cookies(key: u8, ports: SourcePorts) -> Cookies {
        Cookies::new(Seed([key; 32]), ports)
    }

    #[test]
    fn a_cookie_depends_on_everything_it_vouches_for() {
        let one = cookies(1, SourcePorts::BELOW_LINUX);
        let at = |addr: &str, port| one.of(addr.parse().unwrap(), port).id;
        let all = [
            at("10.0.0.1", 22),
            at("10.0.0.2", 22),
            at("10.0.0.1", 23),
            at("::10.0.0.1", 22),
            at("::ffff:10.0.0.1", 22),
            at("a00:1::", 22),
            cookies(2, SourcePorts::BELOW_LINUX).of("10.0.0.1".parse().unwrap(), 22).id,
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(at("10.0.0.1", 22), all[0]);
    }

    #[test]
    fn ports_stay_in_their_range_and_all_are_used() {
        for (first, last) in [(1, 65_535), (40_000, 40_000), (1024, 1087), (65_535, 65_535)] {
            let ports = SourcePorts::new(first, last).unwrap();
            let cookies = cookies(3, ports);
            let mut seen = HashSet::new();
            for bits in 0..20_000u32 {
                let port = cookies.of(Ipv4Addr::from_bits(bits << 3).into(), 22).source_port;
                assert!((first..=last).contains(&port) && ports.has(port), "{port}");
                seen.insert(port);
            }
            assert!(
                seen.len() == usize::from(last - first) + 1 || last - first > 10_000,
                "{first}-{last}: {}",
                seen.len()
            );
        }
        assert!(SourcePorts::new(0, 5).is_none() && SourcePorts::new(7, 6).is_none());
        let ends = SourcePorts::new(1, 65_535).unwrap();
        assert_eq!((ends.first(), ends.last()), (1, 65_535));
        assert!(!SourcePorts::BELOW_LINUX.has(24_575) && !SourcePorts::BELOW_LINUX.has(32_768));
    }

    /// Every bit of the sequence number is set for about half of all destinations.
    #[test]
    fn sequence_numbers_are_even() {
        let cookies = cookies(9, SourcePorts::BELOW_LINUX);
        let mut ones = [0u32; 32];
        for bits in 0..4_096u32 {
            let sequence = cookies.of(Ipv4Addr::from_bits(bits).into(), 22).sequence;
            ones.iter_mut().enumerate().for_each(|(at, count)| *count += sequence >> at & 1);
        }
        assert!(ones.iter().all(|count| (1_850..2_250).contains(count)), "{ones:?}");
    }

    #[test]
    fn the_key_is_shown_to_nobody() {
        assert_eq!(
            format!("{:?}", cookies(9, SourcePorts::BELOW_LINUX)),
            "Cookies { ports: SourcePorts { first: 24576, count: 8192 }, .. }"
        );
    }
}
