//! Counters of a run, for whoever shows its progress.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that only the engine writes and anyone may read at any time.
#[derive(Debug, Default)]
pub struct Stats {
    pub(super) fed: AtomicU64,
    pub(super) done: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) trouble: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Targets taken from the source.
    pub fed: u64,
    /// Records handed on.
    pub done: u64,
    /// Connections being opened or open.
    pub in_flight: u64,
    /// Cases that wait for their next connection.
    pub waiting: u64,
    /// Connections begun.
    pub connections: u64,
    /// How often this machine could not even try.
    pub trouble: u64,
}

impl Stats {
    /// What the counters say now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            fed: self.fed.load(Relaxed),
            done: self.done.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            connections: self.connections.load(Relaxed),
            trouble: self.trouble.load(Relaxed),
        }
    }
}
