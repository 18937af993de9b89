//! Which address SYNs to a destination come from: the kernel is asked once for all destinations that it treats alike.
//!
//! Asking takes three system calls, more than sending. What it said is forgotten as soon as any route, rule, address or link
//! changes, which is looked for before every batch of packets.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sshprobe_probes::netlink::routes::Stretches;
use sshprobe_probes::time::Moment;

use super::sockets::Sockets;
use crate::sys::routes::{RouteChanges, stretches};

/// What is known of the ways out.
#[derive(Debug)]
pub(super) struct Ways {
    changes: Option<RouteChanges>,
    known: Option<Known>,
    /// When the tables may be read again: where routes come and go all the time, the kernel is asked each time instead.
    not_before: Moment,
}

#[derive(Debug)]
struct Known {
    stretches: Stretches,
    /// By the number of the stretch.
    sources: Vec<Option<IpAddr>>,
}

/// Between two looks at the tables.
const EVERY: Duration = Duration::from_secs(1);

impl Ways {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        // Before the tables are read for the first time: no change is missed.
        Self { changes: RouteChanges::listen().ok(), known: None, not_before: Moment::START }
    }

    /// Forgets what may not hold any more.
    pub(super) fn look(&mut self, now: Moment) {
        let Some(changes) = &self.changes else { return };
        if changes.any() {
            self.known = None;
        }
        if self.known.is_none() && now >= self.not_before {
            self.not_before = now + EVERY;
            self.known = stretches().ok().map(|stretches| {
                let sources = vec![None; stretches.len()];
                Known { stretches, sources }
            });
        }
    }

    /// Where SYNs to there come from; `None` if there is no way, or none that may be used.
    pub(super) fn source(&mut self, sockets: &Sockets, to: SocketAddr) -> Option<IpAddr> {
        let IpAddr::V4(addr) = to.ip() else {
            // The choice among several addresses of IPv6 follows the destination (RFC 6724).
            return sockets.source_towards(to);
        };
        let known = self.known.as_mut().and_then(|Known { stretches, sources }| sources.get_mut(stretches.of(addr)?));
        match known {
            None => sockets.source_towards(to),
            Some(Some(source)) => Some(*source),
            // That there is no way is asked again: it is rare, and may be a matter of the moment.
            Some(unknown) => {
                *unknown = sockets.source_towards(to);
                *unknown
            }
        }
    }
}
