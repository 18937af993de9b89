//! Where failures gather: the networks with the most of them, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sshprobe_probes::diagnose::{Code, Status};
use sshprobe_probes::record::Record;

use crate::report::selection::is_silence;

/// Networks counted at a time. Beyond that the ones with the fewest failures are forgotten, and the counts of those that
/// come back are lower bounds.
const ROOM: usize = 4096;

/// How a network fared.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) targets: u64,
    pub(super) failures: u64,
    /// By code; there are no more than there are codes.
    pub(super) codes: Vec<(Code, u64)>,
}

/// The /24s and /64s of a run.
#[derive(Debug, Default)]
pub(super) struct Networks {
    tallies: HashMap<(IpAddr, u8), Tally>,
    /// Some were forgotten.
    pub(super) forgot: bool,
}

impl Networks {
    /// Counts one record. An empty address of a range is no failure, and what this very machine
    /// lacks is none of the network's; a name without an address has no network.
    pub(super) fn add(&mut self, record: &Record) {
        let Some(addr) = record.target.addr else { return };
        let tally = self.tallies.entry(network(addr)).or_default();
        tally.targets += 1;
        let counts = !matches!(record.status, Status::Ok | Status::LocalError);
        if counts && !(record.from_range && is_silence(record.status)) {
            tally.failures += 1;
            match tally.codes.iter_mut().find(|(code, _)| *code == record.code) {
                Some((_, n)) => *n += 1,
                None => tally.codes.push((record.code, 1)),
            }
        }
        if self.tallies.len() > ROOM {
            self.forget();
        }
    }

    /// Counts an empty address of a range of which nothing else is known any more.
    pub(super) fn add_empty(&mut self, addr: IpAddr) {
        self.tallies.entry(network(addr)).or_default().targets += 1;
        if self.tallies.len() > ROOM {
            self.forget();
        }
    }

    /// Adds what another account has of addresses that were counted in it only.
    pub(super) fn absorb(&mut self, other: Self) {
        self.forgot |= other.forgot;
        for (network, tally) in other.tallies {
            self.tallies.entry(network).or_default().targets += tally.targets;
        }
        if self.tallies.len() > ROOM {
            self.forget();
        }
    }

    /// Keeps the half with the most failures.
    fn forget(&mut self) {
        let mut counts: Vec<(u64, (IpAddr, u8))> =
            self.tallies.iter().map(|(net, tally)| (tally.failures, *net)).collect();
        counts.sort_unstable_by_key(|(failures, net)| (Reverse(*failures), *net));
        for (_, net) in counts.drain(ROOM / 2..) {
            self.tallies.remove(&net);
        }
        self.forgot = true;
    }

    /// The networks where failures gather, the worst first: at least two failures each, and none at all where there is but
    /// one network to choose from.
    pub(super) fn worst(&self, most: usize) -> Vec<(String, Tally)> {
        if self.tallies.len() < 2 && !self.forgot {
            return Vec::new();
        }
        let mut bad: Vec<_> = self.tallies.iter().filter(|(_, tally)| tally.failures >= 2).collect();
        bad.sort_unstable_by_key(|(net, tally)| (Reverse(tally.failures), **net));
        let shown = bad.into_iter().take(most).map(|((net, bits), tally)| {
            let mut tally = tally.clone();
            tally.codes.sort_unstable_by_key(|(code, n)| (Reverse(*n), *code));
            (format!("{net}/{bits}"), tally)
        });
        shown.collect()
    }
}

/// The /24 or /64 of an address: what usually shares a switch, a firewall and an uplink.
fn network(addr: IpAddr) -> (IpAddr, u8) {
    match addr.to_canonical() {
        IpAddr::V4(addr) => (Ipv4Addr::from_bits(addr.to_bits() & 0xffff_ff00).into(), 24),
        IpAddr::V6(addr) => (Ipv6Addr::from_bits(addr.to_bits() & (u128::MAX << 64)).into(), 64),
    }
}

#[cfg(test)]
mod tests {
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::samples::record;

    fn failed(addr: &str, code: Code) -> Record {
        let mut record = record(addr, code, Stage::Ident, "x");
        record.target.addr = addr.parse().ok();
        record
    }

    fn shown(networks: &Networks) -> Vec<(String, u64, u64)> {
        networks.worst(3).into_iter().map(|(net, tally)| (net, tally.failures, tally.targets)).collect()
    }

    #[test]
    fn the_worst_come_first_and_single_failures_not_at_all() {
        let mut networks = Networks::default();
        for last in 0..5 {
            networks.add(&failed(&format!("10.0.1.{last}"), Code::ClosedNoIdent));
            networks.add(&failed(&format!("2001:db8::{last}"), if last < 3 { Code::Tarpit } else { Code::Ok }));
        }
        networks.add(&failed("10.0.1.9", Code::Ok));
        (0..9).for_each(|_| networks.add(&failed("10.0.4.1", Code::LocalResourceLimit)));
        networks.add(&failed("10.0.2.1", Code::ClosedNoIdent));
        let mut empty = failed("10.0.3.1", Code::TimeoutConnect);
        empty.from_range = true;
        (0..9).for_each(|_| networks.add(&empty));
        assert_eq!(shown(&networks), [("10.0.1.0/24".into(), 5, 6), ("2001:db8::/64".into(), 3, 5)]);
        assert_eq!(networks.worst(1)[0].1.codes, [(Code::ClosedNoIdent, 5)]);
    }

    #[test]
    fn one_network_alone_is_not_worst_of_any() {
        let mut networks = Networks::default();
        (0..9).for_each(|_| networks.add(&failed("10.0.1.1", Code::ClosedNoIdent)));
        assert_eq!(shown(&networks), []);
    }

    #[test]
    fn memory_is_bounded_and_the_worst_is_kept() {
        let mut networks = Networks::default();
        for net in 0..20_000_u32 {
            let addr = Ipv4Addr::from_bits(net << 8);
            networks.add(&failed(&addr.to_string(), Code::ClosedNoIdent));
            networks.add(&failed("192.0.2.1", Code::ClosedNoIdent));
            assert!(networks.tallies.len() <= ROOM);
        }
        assert!(networks.forgot);
        assert_eq!(shown(&networks)[0], ("192.0.2.0/24".into(), 20_000, 20_000));
    }
}
