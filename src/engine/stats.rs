//! How far a run is.

use std::sync::atomic::{AtomicU64, Ordering};

use sshprobe_probes::govern::roundtrip::loss;

/// Counters of a run, read by whoever shows progress while the engine writes them.
#[derive(Debug, Default)]
pub struct Stats {
    fed: AtomicU64,
    done: AtomicU64,
    in_flight: AtomicU64,
    owing: AtomicU64,
    syns: AtomicU64,
    opened: AtomicU64,
    to_jump_hosts: AtomicU64,
    troubles: AtomicU64,
    answers: AtomicU64,
    resent: AtomicU64,
    speaking: AtomicU64,
    /// 0 where the network is no reason to be slow.
    slowed: AtomicU64,
}

impl Stats {
    /// Targets taken from the source.
    #[must_use]
    pub fn fed(&self) -> u64 {
        self.fed.load(Ordering::Relaxed)
    }

    /// Targets whose record was handed on.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Connections that hold a slot, being opened or open.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Addresses that owe an answer to a SYN of a sweep.
    #[must_use]
    pub fn owing(&self) -> u64 {
        self.owing.load(Ordering::Relaxed)
    }

    /// SYNs that a sweep has sent, those that were sent again too.
    #[must_use]
    pub fn syns(&self) -> u64 {
        self.syns.load(Ordering::Relaxed)
    }

    /// Targets that wait: for their name's addresses, for a slot, for their pacing, for a slow reader of the records.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.fed().saturating_sub(self.done()).saturating_sub(self.in_flight()).saturating_sub(self.owing())
    }

    /// Connections begun so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Connections that were made to jump hosts, which no record counts.
    #[must_use]
    pub fn to_jump_hosts(&self) -> u64 {
        self.to_jump_hosts.load(Ordering::Relaxed)
    }

    /// How often a connection was put off because this machine was short of something.
    #[must_use]
    pub fn troubles(&self) -> u64 {
        self.troubles.load(Ordering::Relaxed)
    }

    /// Handshakes that a target answered, by letting us in or by refusing us.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Of those, the ones for which the kernel had to send its SYN again.
    #[must_use]
    pub fn resent(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }

    /// The share of packets that get lost each way, as far as these tell.
    #[must_use]
    pub fn loss(&self) -> Option<f64> {
        loss(self.answers(), self.resent())
    }

    /// Targets done that identified themselves as SSH servers.
    #[must_use]
    pub fn speaking(&self) -> u64 {
        self.speaking.load(Ordering::Relaxed)
    }

    /// How many connections may be in flight, where it is fewer than asked for because the network loses more than it did.
    #[must_use]
    pub fn slowed(&self) -> Option<u64> {
        Some(self.slowed.load(Ordering::Relaxed)).filter(|allowed| *allowed > 0)
    }

    pub(super) fn answer(&self, resent: bool, slowed: Option<usize>) {
        self.slowed.store(slowed.map_or(0, |allowed| allowed as u64), Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
        if resent {
            self.resent.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn feed(&self) {
        self.fed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn finish(&self, speaking: bool) {
        if speaking {
            self.speaking.fetch_add(1, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "syn")]
    pub(super) fn finish_empty(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn exit(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    #[cfg(feature = "login")]
    pub(super) fn reach_jump_host(&self, connections: u32) {
        self.to_jump_hosts.fetch_add(connections.into(), Ordering::Relaxed);
    }

    #[cfg(feature = "syn")]
    pub(super) fn launch(&self) {
        self.owing.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "syn")]
    pub(super) fn land(&self) {
        self.owing.fetch_sub(1, Ordering::Relaxed);
    }

    #[cfg(feature = "syn")]
    pub(super) fn send_syns(&self, count: u64) {
        self.syns.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn trouble(&self) {
        self.troubles.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, feature = "syn"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_owes_an_answer_to_a_syn_is_no_connection() {
        let stats = Stats::default();
        for _ in 0..5 {
            stats.feed();
        }
        stats.launch();
        stats.launch();
        stats.enter();
        stats.send_syns(3);
        assert_eq!((stats.in_flight(), stats.owing(), stats.syns()), (1, 2, 3));
        assert_eq!(stats.waiting(), 2, "of neither kind");
        stats.land();
        assert_eq!((stats.in_flight(), stats.owing(), stats.waiting()), (1, 1, 3));
    }
}
