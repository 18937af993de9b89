//! The SYN sweep in front of the probe: plain addresses go through it, everything else past it.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sshprobe_probes::sweep::flight::Schedule;
use sshprobe_probes::target::{Host, Target};
use tokio::sync::mpsc;

use super::feed::Fed;
use super::route::{Assigned, By};
use super::run::socket_addr;
use super::stats::Stats;
use crate::sweep::{self, Found, Inbox, Launch, Pace, Sockets, Watch};
use crate::sys::clock::Clock;

/// That a run begins with a SYN sweep.
#[derive(Debug, Clone)]
pub struct Syn {
    /// What it sends and listens with. For one run at a time: of two, each would take answers to the other.
    pub sockets: Arc<Sockets>,
    /// SYNs to an address after the first.
    pub retries: u32,
}

/// Results on their way to the engine: what it takes up in the time that the sweep waits until it tries again.
const AHEAD: usize = 1024;

impl Syn {
    /// When SYNs are sent again: after a while, then after twice that each time, as long as the last one is waited for. With the
    /// defaults, after 1 and 3 s, as a connect does; and an address is given up when a connect would be.
    #[must_use]
    pub fn schedule(&self, connect_timeout: Duration) -> Schedule {
        let first_gap = connect_timeout / self.retries.saturating_mul(2).saturating_add(1);
        let gap = first_gap * 2;
        let until_last = match self.retries {
            0 => Duration::ZERO,
            retries => first_gap + gap.saturating_mul(retries - 1),
        };
        Schedule { retries: self.retries, first_gap, gap, patience: connect_timeout.saturating_sub(until_last) }
    }

    /// Starts the sweep, and the thread that reads the targets for it.
    ///
    /// # Errors
    /// When the machine has no thread or descriptor left.
    pub(super) fn start<T: Send + Sync + 'static>(
        self,
        targets: impl Iterator<Item: Into<Assigned<T>>> + Send + 'static,
        pace: Pace,
        clock: Clock,
        stats: Arc<Stats>,
    ) -> std::io::Result<mpsc::Receiver<Fed<T>>> {
        let (out, fed) = mpsc::channel(AHEAD);
        let inbox = Arc::new(Inbox::new()?);
        let broken = out.downgrade();
        let counted = Arc::clone(&stats);
        sweep::start(self.sockets, pace, clock, stats, Arc::clone(&inbox), out)?;
        thread::Builder::new().name(String::from("targets")).spawn(move || {
            let walk = AssertUnwindSafe(|| {
                for target in targets {
                    counted.feed();
                    if !inbox.put(launch(target.into())) {
                        return;
                    }
                }
            });
            if catch_unwind(walk).is_err()
                && let Some(out) = broken.upgrade()
            {
                let _ = out.blocking_send(Fed::Broken);
            }
            inbox.end();
        })?;
        Ok(fed)
    }
}

/// Whether a target is to be swept.
fn launch<T>(assigned: Assigned<T>) -> Launch<Assigned<T>> {
    match (&assigned.by, plain(&assigned.target)) {
        (By::Usual, Some(addr)) => Launch::Sweep(socket_addr(addr, 0, assigned.target.port), assigned),
        _ => Launch::Aside(assigned),
    }
}

/// The address of a target that is nothing but one. What has a scope is left to connect(), as an answer does not say which it came
/// from; so is what stands for many hosts, or for none, to which connect() does not even send.
fn plain(target: &Target) -> Option<IpAddr> {
    let Host::Addr(addr, 0) = target.host else { return None };
    let one_host = match addr {
        IpAddr::V4(addr) => !addr.is_multicast() && !addr.is_broadcast() && !addr.is_unspecified(),
        IpAddr::V6(addr) => {
            !addr.is_multicast()
                && !addr.is_unspecified()
                && !addr.is_unicast_link_local()
                && addr.to_ipv4_mapped().is_none()
        }
    };
    (one_host && target.place.is_none()).then_some(addr)
}

impl<T> From<Found<Assigned<T>>> for Fed<T> {
    fn from(found: Found<Assigned<T>>) -> Self {
        match found {
            Found::Told(assigned, evidence) => Fed::Swept(assigned.target, evidence),
            Found::Unswept(assigned) => Fed::Counted(assigned),
            Found::Broken => Fed::Broken,
        }
    }
}

impl Watch for Arc<Stats> {
    fn launched(&self) {
        self.launch();
    }

    fn landed(&self) {
        self.land();
    }

    fn trouble(&self) {
        Stats::trouble(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: Host) -> Target {
        let place = None;
        Target { input: "x".into(), index: 0, host, place, port: 22, user: None, from_range: false }
    }

    #[test]
    fn only_plain_addresses_are_swept() {
        let addr = |text: &str, scope| target(Host::Addr(text.parse().unwrap(), scope));
        for text in ["10.0.0.1", "127.0.0.1", "2001:db8::1", "fd00::1", "::1"] {
            assert!(plain(&addr(text, 0)).is_some(), "{text}");
        }
        for text in ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(plain(&addr(text, 0)).is_none(), "{text}");
        }
        assert!(plain(&addr("fe80::1", 2)).is_none());
        assert!(plain(&target(Host::Name("web1".into()))).is_none());
        let elsewhere = Target { place: Some(Box::new(Host::Name("web1".into()))), ..addr("10.0.0.1", 0) };
        assert!(plain(&elsewhere).is_none());
    }

    #[test]
    fn an_address_is_given_up_when_a_connect_would_be() {
        let sockets = Sockets::open(None, None);
        let Ok(sockets) = sockets.map(Arc::new) else { return eprintln!("SKIPPED: raw sockets need root") };
        let schedule =
            |retries, millis| Syn { sockets: Arc::clone(&sockets), retries }.schedule(Duration::from_millis(millis));
        for (retries, millis) in [(0, 5000), (1, 5000), (2, 5000), (10, 7000), (2, 1)] {
            let Schedule { retries: tries, first_gap, gap, patience } = schedule(retries, millis);
            let tries = if tries == 0 { Duration::ZERO } else { first_gap + gap * (tries - 1) };
            assert_eq!(tries + patience, Duration::from_millis(millis));
            assert!(retries == 0 || patience >= gap);
        }
        let [first_gap, gap, patience] = [1, 2, 2].map(Duration::from_secs);
        assert_eq!(schedule(2, 5000), Schedule { retries: 2, first_gap, gap, patience });
        assert_eq!(schedule(0, 5000).patience, Duration::from_secs(5));
    }
}
