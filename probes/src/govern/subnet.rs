//! Connections in flight per neighbourhood (`--per-subnet`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A /24 or a /64: addresses that usually share a switch, a firewall and an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Net {
    /// The upper 24 bits of an IPv4 address.
    V4(u32),
    /// The upper 64 bits of an IPv6 address.
    V6(u64),
}

impl Net {
    /// Where an address lives; one that stands for an IPv4 address, where that does.
    #[must_use]
    pub fn of(addr: IpAddr) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(addr) => Self::V4(Ipv4Addr::to_bits(addr) >> 8),
            IpAddr::V6(addr) => Self::V6(u64::try_from(Ipv6Addr::to_bits(addr) >> 64).unwrap_or_default()),
        }
    }
}

/// How many connections are in flight to each /24 (IPv4) or /64 (IPv6).
///
/// A router answers ICMP, and resolves neighbours, at a limited rate: a sweep that has a whole /24 in flight gets silence
/// from addresses that would have been refused one by one. Holds an entry only for subnets with something in flight.
#[derive(Debug)]
pub struct Subnet {
    limit: u32,
    in_flight: BTreeMap<Net, u32>,
}

impl Subnet {
    /// At most `limit` in flight to any one subnet; 0 lifts the limit.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { limit, in_flight: BTreeMap::new() }
    }

    /// Takes a place for a connection to `addr`; false if its subnet has none left. Every place taken is to be given back
    /// with [`Self::leave`].
    #[must_use]
    pub fn enter(&mut self, addr: IpAddr) -> bool {
        if self.limit == 0 {
            return true;
        }
        let count = self.in_flight.entry(Net::of(addr)).or_insert(0);
        if *count >= self.limit {
            return false;
        }
        *count += 1;
        true
    }

    /// Gives back the place of a connection to `addr`.
    pub fn leave(&mut self, addr: IpAddr) {
        let net = Net::of(addr);
        if let Some(count) = self.in_flight.get_mut(&net) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.in_flight.remove(&net);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_full_subnet_turns_away_until_someone_leaves() {
        let mut subnet = Subnet::new(2);
        assert!(subnet.enter(addr("10.0.0.1")));
        assert!(subnet.enter(addr("10.0.0.255")));
        assert!(!subnet.enter(addr("10.0.0.7")));
        assert!(subnet.enter(addr("10.0.1.0")), "the next /24 is another one");
        subnet.leave(addr("10.0.0.1"));
        assert!(subnet.enter(addr("10.0.0.7")));
        assert!(!subnet.enter(addr("10.0.0.1")));
    }

    #[test]
    fn ipv6_counts_per_64_and_mapped_addresses_as_ipv4() {
        let mut subnet = Subnet::new(1);
        assert!(subnet.enter(addr("2001:db8:0:1::1")));
        assert!(!subnet.enter(addr("2001:db8:0:1:ffff::1")));
        assert!(subnet.enter(addr("2001:db8:0:2::1")));
        assert!(subnet.enter(addr("10.0.0.1")));
        assert!(!subnet.enter(addr("::ffff:10.0.0.9")));
    }

    #[test]
    fn zero_lifts_the_limit_and_counts_nothing() {
        let mut subnet = Subnet::new(0);
        assert!((0..1000).all(|_| subnet.enter(addr("10.0.0.1"))));
        assert!(subnet.in_flight.is_empty());
    }

    #[test]
    fn leaving_more_often_than_entering_makes_no_room() {
        let mut subnet = Subnet::new(1);
        subnet.leave(addr("10.0.0.1"));
        assert!(subnet.enter(addr("10.0.0.1")));
        assert!(!subnet.enter(addr("10.0.0.1")));
    }

    proptest! {
        #[test]
        fn never_above_the_limit_and_nothing_left_behind(limit in 1u32..4, hosts in proptest::collection::vec(0u32..1024, 0..200)) {
            let mut subnet = Subnet::new(limit);
            let mut inside: Vec<IpAddr> = Vec::new();
            for host in hosts {
                let addr = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + host));
                let there = inside.iter().filter(|other| Net::of(**other) == Net::of(addr)).count();
                let entered = subnet.enter(addr);
                prop_assert_eq!(entered, there < limit as usize);
                if entered {
                    inside.push(addr);
                }
                if host % 3 == 0 && !inside.is_empty() {
                    subnet.leave(inside.swap_remove(host as usize % inside.len()));
                }
            }
            prop_assert!(subnet.in_flight.len() <= inside.len());
            for addr in inside {
                subnet.leave(addr);
            }
            prop_assert!(subnet.in_flight.is_empty());
        }
    }
}
