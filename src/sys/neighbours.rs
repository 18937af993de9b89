//! The tables of neighbours of this machine (ARP and neighbour discovery). When one is full, SYNs to addresses on the link
//! vanish without an error that a connection would hear of.

use std::net::SocketAddr;

use sshprobe_probes::netlink::Unclear;
use sshprobe_probes::netlink::neighbours::Fulls;
use sshprobe_probes::netlink::nexthop::{is_looked_for, neighbour, next_hop, route_to};
use sshprobe_probes::time::Moment;

use super::netlink::{ask, dump};
use super::tables::Sightings;

/// Watches how often a table had no room, by asking at most once a second.
#[derive(Debug, Default)]
pub struct Neighbours {
    count: Option<u64>,
    sightings: Sightings,
}

impl Neighbours {
    /// Looks at the counters unless that was done within the last second. Where the kernel does not tell, no table is full.
    pub fn look(&mut self, now: Moment) {
        self.look_at(now, || {
            let mut fulls = Fulls::default();
            dump(&Fulls::request(), &mut fulls).ok().and_then(|()| fulls.count())
        });
    }

    fn look_at(&mut self, now: Moment, count: impl FnOnce() -> Option<u64>) {
        if !self.sightings.are_due(now) {
            return;
        }
        let count = count();
        // The first look has nothing to compare with, and one that failed says nothing.
        if self.count.zip(count).is_some_and(|(before, count)| count > before) {
            self.sightings.full(now);
        }
        self.count = count.or(self.count);
    }

    /// Whether a table was seen to have been full at `since` or later, or when it was last looked at.
    #[must_use]
    pub fn full_since(&self, since: Moment) -> bool {
        self.sightings.full_since(since)
    }
}

/// Whether what was sent to an address may wait for a next hop that has not been found yet.
///
/// Over IPv6 the question takes a place in the table too, that of the multicast address it goes to; while it waits for one, packets
/// wait behind it and count as sent. Over IPv4 who has a place is asked for; but who got one only with a SYN that was sent again is
/// still asked for when the connect is over, and the kernel has not said yet that nobody is there. Makes two questions to the
/// kernel: to be asked where a table was full.
pub fn waits_for_next_hop(to: SocketAddr) -> bool {
    let scope = if let SocketAddr::V6(to) = to { to.scope_id() } else { 0 };
    let asked = || -> Result<bool, Unclear> {
        let hop = next_hop(to.ip(), &ask(&route_to(to.ip(), scope))?)?;
        hop.map_or(Ok(false), |hop| Ok(is_looked_for(&ask(&neighbour(hop))?)))
    };
    // Where the kernel does not tell, nothing speaks for it.
    asked().unwrap_or(false)
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
        neighbours.look_at(at(0), || Some(1000));
        assert!(!neighbours.full_since(at(0)), "that was before");
        neighbours.look_at(at(1000), || Some(1000));
        assert!(!neighbours.full_since(at(0)));
        neighbours.look_at(at(2000), || Some(1001));
        assert!(neighbours.full_since(at(500)) && neighbours.full_since(at(2500)), "nothing else is known yet");
        neighbours.look_at(at(3000), || Some(1001));
        assert!(neighbours.full_since(at(2000)) && !neighbours.full_since(at(2500)));
        neighbours.look_at(at(4000), || None);
        neighbours.look_at(at(5000), || Some(1001));
        assert!(!neighbours.full_since(at(3500)), "a look that failed is no count of nothing");
    }

    #[test]
    fn this_machine_needs_nobody_to_find_itself() {
        for own in ["127.0.0.1:22", "[::1]:22"] {
            assert!(!waits_for_next_hop(own.parse().unwrap()));
        }
    }

    #[test]
    fn this_machine_has_such_counters() {
        let mut neighbours = Neighbours::default();
        neighbours.look(at(0));
        assert!(neighbours.count.is_some());
    }
}
