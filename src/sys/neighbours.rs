//! The tables of neighbours of this machine (ARP and neighbour discovery). When one is full, SYNs to addresses on the link
//! vanish without an error that a connection would hear of.

use std::net::SocketAddr;
use std::time::Duration;

use sshprobe_probes::netlink::neighbours::Fulls;
use sshprobe_probes::netlink::nexthop::{is_found, neighbour, next_hop, route_to};
use sshprobe_probes::time::Moment;

use super::netlink::{ask, dump};

/// Watches how often a table had no room, by asking at most once a second.
#[derive(Debug, Default)]
pub struct Neighbours {
    count: Option<u64>,
    looked: Option<Moment>,
    full: Option<Moment>,
}

impl Neighbours {
    /// Between two looks.
    pub const INTERVAL: Duration = Duration::from_secs(1);

    /// Looks at the counters unless that was done within the last second. Where the kernel does not tell, no table is full.
    pub fn look(&mut self, now: Moment) {
        if self.looked.is_some_and(|looked| now.since(looked) < Self::INTERVAL) {
            return;
        }
        let mut fulls = Fulls::default();
        let count = dump(&Fulls::request(), &mut fulls).ok().and_then(|()| fulls.count());
        self.saw(count, now);
    }

    fn saw(&mut self, count: Option<u64>, now: Moment) {
        // The first look has nothing to compare with.
        if self.looked.is_some() && count > self.count {
            self.full = Some(now);
        }
        (self.count, self.looked) = (count, Some(now));
    }

    /// Whether a silence may be that of a next hop that was never found, as there was no room to look for it: a table was full
    /// at `since` or later, and the kernel has no link-layer address to send to. (Over IPv6 the question itself takes a place in the
    /// table, that of the multicast address it goes to; while it waits for one, packets wait and count as sent.)
    #[must_use]
    pub fn kept_from(&self, to: SocketAddr, since: Moment) -> bool {
        self.full_since(since) && !has_next_hop(to).unwrap_or(true)
    }

    /// Whether a table was seen to have been full at `since` or later, or when it was last looked at.
    #[must_use]
    pub fn full_since(&self, since: Moment) -> bool {
        self.full.is_some_and(|full| full >= since || self.looked == Some(full))
    }
}

/// Whether the next hop to an address is known on its link, if the kernel tells.
fn has_next_hop(to: SocketAddr) -> Option<bool> {
    let scope = if let SocketAddr::V6(to) = to { to.scope_id() } else { 0 };
    let Some(hop) = next_hop(to.ip(), &ask(&route_to(to.ip(), scope)).ok()?).ok()? else { return Some(true) };
    Some(is_found(&ask(&neighbour(hop)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn a_count_that_grows_is_a_full_table() {
        let mut neighbours = Neighbours::default();
        neighbours.saw(Some(1000), at(0));
        assert!(!neighbours.full_since(at(0)), "that was before");
        neighbours.saw(Some(1000), at(1000));
        assert!(!neighbours.full_since(at(0)));
        neighbours.saw(Some(1001), at(2000));
        assert!(neighbours.full_since(at(500)) && neighbours.full_since(at(2500)), "nothing else is known yet");
        neighbours.saw(Some(1001), at(3000));
        assert!(neighbours.full_since(at(2000)) && !neighbours.full_since(at(2500)));
        neighbours.saw(None, at(4000));
        assert!(!neighbours.full_since(at(3500)));
    }

    #[test]
    fn this_machine_needs_nobody_to_find_itself() {
        assert_eq!(has_next_hop(([127, 0, 0, 1], 22).into()), Some(true));
    }

    #[test]
    fn this_machine_has_such_counters() {
        let mut neighbours = Neighbours::default();
        neighbours.look(at(0));
        assert!(neighbours.count.is_some());
    }
}
