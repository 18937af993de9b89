//! How far an answer of the kernel's about a route holds, read from its tables: so that it need not be asked again for every
//! address of a range, and is asked again wherever the answer could be another one.
//!
//! Between two neighbouring ends of prefixes, of all tables together, no address is treated differently from another one by
//! rules that look at nothing but tables. Where rules look at more, where a route has several ways, or where the source address
//! follows the destination, nothing is said.

use std::net::Ipv4Addr;

use super::{Attributes, Reader, Request, Unclear, request};

/// What the kernel's dumps of rules and routes of IPv4 add up to (`rtnetlink(7)`).
#[derive(Debug, Default)]
pub struct Survey {
    /// First and last address of each prefix, and whether its route is one that is the same for all of it.
    prefixes: Vec<(u32, u32, bool)>,
    rules: usize,
}

/// Stretches of addresses that are all sent to from one address of this machine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretches {
    /// The first address of each, in order, from 0.0.0.0 on.
    firsts: Vec<u32>,
    /// Whether what holds for one address of it holds for all.
    even: Vec<bool>,
}

// linux/rtnetlink.h, linux/fib_rules.h.
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_RULE: u16 = 32;
const GET_RULE: u16 = 34;
const AF_INET: u8 = 2;
const UNICAST: u8 = 1;
const TO_TABLE: u8 = 1;

/// Beyond that many the tables are those of a backbone's router.
const MOST: usize = 1 << 15;

/// What is dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// Which tables are looked at, by rules.
    Rules,
    /// What is in the tables.
    Routes,
}

impl Dump {
    /// The message that asks for it.
    #[must_use]
    pub fn request(self) -> Request {
        match self {
            Self::Rules => request(GET_RULE, AF_INET),
            Self::Routes => request(GET_ROUTE, AF_INET),
        }
    }
}

impl Reader for Survey {
    fn message(&mut self, kind: u16, body: &[u8]) -> Result<(), Unclear> {
        match kind {
            NEW_ROUTE => self.route(body),
            NEW_RULE => self.rule(body),
            _ => Ok(()),
        }
    }
}

impl Survey {
    fn route(&mut self, body: &[u8]) -> Result<(), Unclear> {
        const TO: u16 = 1;
        const SEVERAL_WAYS: u16 = 9;
        const NEXT_HOP_OBJECT: u16 = 30;
        let &[family, bits, source_bits, _, _, _, _, kind, _, _, _, _, ref attributes @ ..] = body else {
            return Err(Unclear);
        };
        if family != AF_INET || bits > 32 || source_bits != 0 || self.prefixes.len() == MOST {
            return Err(Unclear);
        }
        let mut first = 0;
        for attribute in Attributes(attributes) {
            match attribute? {
                (TO, &[a, b, c, d]) => first = u32::from_be_bytes([a, b, c, d]),
                (TO | SEVERAL_WAYS | NEXT_HOP_OBJECT, _) => return Err(Unclear),
                _ => {}
            }
        }
        let host = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
        self.prefixes.push((first & !host, first | host, kind == UNICAST));
        Ok(())
    }

    /// Rules that look at nothing and lead to a table, as there are three of from the start.
    fn rule(&mut self, body: &[u8]) -> Result<(), Unclear> {
        const PRIORITY: u16 = 6;
        const SUPPRESS: u16 = 14;
        const TABLE: u16 = 15;
        const PROTOCOL: u16 = 21;
        let &[AF_INET, 0, 0, 0, _, _, _, TO_TABLE, f0, f1, f2, f3, ref attributes @ ..] = body else {
            return Err(Unclear);
        };
        if [f0, f1, f2, f3] != [0; 4] {
            return Err(Unclear);
        }
        for attribute in Attributes(attributes) {
            match attribute? {
                (PRIORITY | TABLE | PROTOCOL, _) | (SUPPRESS, &[0xff, 0xff, 0xff, 0xff]) => {}
                _ => return Err(Unclear),
            }
        }
        self.rules += 1;
        Ok(())
    }

    /// What it comes to, once both dumps were read.
    ///
    /// # Errors
    /// There are no rules: they were not dumped.
    pub fn stretches(self) -> Result<Stretches, Unclear> {
        if self.rules == 0 {
            return Err(Unclear);
        }
        let ends = self.prefixes.iter().flat_map(|(first, last, _)| [Some(*first), last.checked_add(1)]);
        let mut firsts: Vec<u32> = ends.flatten().chain([0]).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let mut even = vec![true; firsts.len()];
        for (first, last, _) in self.prefixes.iter().filter(|(_, _, even)| !even) {
            let (from, to) = (firsts.partition_point(|at| at < first), firsts.partition_point(|at| at <= last));
            even.iter_mut().take(to).skip(from).for_each(|even| *even = false);
        }
        Ok(Stretches { firsts, even })
    }
}

impl Stretches {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.firsts.len()
    }

    /// Never: every address is in one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// The number of the one that an address is in; `None` if nothing is said of the others in it.
    #[must_use]
    pub fn of(&self, addr: Ipv4Addr) -> Option<usize> {
        let at = self.firsts.partition_point(|first| *first <= addr.to_bits()).checked_sub(1)?;
        self.even.get(at).filter(|even| **even).map(|_| at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::written::{attribute, message};
    use super::super::{DONE, DUMP_WAS_INTERRUPTED, ERROR, half, word};
    use super::*;

    fn route(prefix: &str, kind: u8, more: &[u8]) -> Vec<u8> {
        let (addr, bits) = prefix.split_once('/').unwrap();
        let addr: Ipv4Addr = addr.parse().unwrap();
        let mut body = vec![2, bits.parse().unwrap(), 0, 0, 254, 3, 0, kind, 0, 0, 0, 0];
        if bits != "0" {
            body.extend(attribute(1, &addr.octets()));
        }
        body.extend(more);
        message(NEW_ROUTE, 2, &body)
    }

    fn rule(more: &[u8]) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        body.extend(attribute(15, &[254, 0, 0, 0]));
        body.extend(attribute(14, &[0xff; 4]));
        body.extend(attribute(21, &[2]));
        body.extend(attribute(6, &[0xfe, 0x7f, 0, 0]));
        body.extend(more);
        message(NEW_RULE, 2, &body)
    }

    fn survey(parts: &[Vec<u8>]) -> Result<Stretches, Unclear> {
        let mut survey = Survey::default();
        assert_eq!(survey.read(&message(DONE, 2, &[0; 4])), Ok(true));
        survey.read(&parts.concat())?;
        survey.stretches()
    }

    fn of(stretches: &Stretches, addr: &str) -> Option<usize> {
        stretches.of(addr.parse().unwrap())
    }

    #[test]
    fn an_answer_holds_as_far_as_no_prefix_begins_or_ends() {
        let parts = [rule(&[]), route("0.0.0.0/0", 1, &[]), route("10.0.0.0/8", 1, &[]), route("10.0.0.77/32", 1, &[])];
        let stretches = survey(&parts).unwrap();
        assert_eq!(stretches.len(), 5);
        assert_eq!(of(&stretches, "9.255.255.255"), Some(0));
        assert_eq!((of(&stretches, "10.0.0.0"), of(&stretches, "10.0.0.76")), (Some(1), Some(1)));
        assert_eq!((of(&stretches, "10.0.0.77"), of(&stretches, "10.0.0.78")), (Some(2), Some(3)));
        assert_eq!((of(&stretches, "10.255.255.255"), of(&stretches, "11.0.0.0")), (Some(3), Some(4)));
        assert_eq!(of(&stretches, "255.255.255.255"), Some(4));
        assert_eq!(survey(&[rule(&[])]).map(|none| none.len()), Ok(1));
    }

    #[test]
    fn nothing_is_said_of_what_is_no_plain_way() {
        let parts =
            [rule(&[]), route("0.0.0.0/0", 1, &[]), route("127.0.0.0/8", 2, &[]), route("127.0.0.9/32", 1, &[])];
        let stretches = survey(&parts).unwrap();
        for addr in ["127.0.0.0", "127.0.0.9", "127.255.255.255"] {
            assert_eq!(of(&stretches, addr), None, "{addr}");
        }
        assert!(of(&stretches, "126.255.255.255").is_some() && of(&stretches, "128.0.0.0").is_some());
    }

    #[test]
    fn what_depends_on_more_is_unclear() {
        let mark = attribute(10, &[1, 0, 0, 0]);
        for parts in [
            vec![route("0.0.0.0/0", 1, &[])],
            vec![rule(&[]), rule(&mark)],
            vec![rule(&attribute(14, &[0; 4]))],
            vec![rule(&[]), route("10.0.0.0/8", 1, &attribute(9, &[0; 16]))],
            vec![rule(&[]), route("10.0.0.0/8", 1, &attribute(30, &[7, 0, 0, 0]))],
            vec![rule(&[]), message(NEW_RULE, 0, &[2, 0, 8, 0, 254, 0, 0, 1, 0, 0, 0, 0])],
            vec![rule(&[]), message(NEW_RULE, 0, &[2, 0, 0, 0, 254, 0, 0, 1, 2, 0, 0, 0])],
            vec![rule(&[]), message(NEW_RULE, 0, &[2, 0, 0, 0, 254, 0, 0, 7, 0, 0, 0, 0])],
            vec![rule(&[]), message(NEW_ROUTE, DUMP_WAS_INTERRUPTED, &[0; 12])],
            vec![rule(&[]), message(ERROR, 0, &[0; 4])],
            vec![rule(&[]), vec![1, 2, 3]],
            vec![rule(&[]), vec![0; 16]],
        ] {
            assert_eq!(survey(&parts), Err(Unclear), "{parts:?}");
        }
        let many = vec![route("10.0.0.0/8", 1, &[]); MOST + 1];
        assert_eq!(survey(&many), Err(Unclear));
    }

    #[test]
    fn a_request_is_one_of_the_kernels() {
        let request = Dump::Rules.request();
        assert_eq!((half(&request, 4), half(&request, 6), request[16]), (Some(34), Some(0x301), 2));
        assert_eq!((word(&request, 0), half(&Dump::Routes.request(), 4)), (Some(28), Some(26)));
    }

    proptest! {
        /// Two addresses of one stretch are covered by the very same prefixes.
        #[test]
        fn addresses_of_one_stretch_are_alike(
            prefixes in proptest::collection::vec((0u32..1 << 12, 20u8..=32), 0..12),
            one in 0u32..1 << 12,
            other in 0u32..1 << 12,
        ) {
            let text = |(addr, bits): &(u32, u8)| format!("{}/{bits}", Ipv4Addr::from_bits(*addr));
            let routes: Vec<_> = prefixes.iter().map(|prefix| route(&text(prefix), 1, &[])).collect();
            let stretches = survey(&[vec![rule(&[])], routes].concat()).unwrap();
            let covering = |addr: u32| -> Vec<bool> {
                prefixes.iter().map(|(net, bits)| (addr ^ net).checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0).collect()
            };
            let at = |addr| stretches.of(Ipv4Addr::from_bits(addr)).unwrap();
            if at(one) == at(other) {
                prop_assert_eq!(covering(one), covering(other));
            }
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = Survey::default().read(&bytes);
            let _ = Survey::default().read(&message(NEW_ROUTE, 0, &bytes));
            let _ = Survey::default().read(&message(NEW_RULE, 0, &bytes));
        }
    }
}
