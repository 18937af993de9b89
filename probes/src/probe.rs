//! ONE connection's state machine.

use std::sync::Arc;

use crate::evidence::{Errno, Evidence};
use crate::plan::Plan;
use crate::random::Seed;
use crate::time::Moment;

/// placeholder, being written: see the contract
#[derive(Debug)]
pub struct Probe {
    evidence: Evidence,
}

/// How the driver is to leave a finished connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// close(): what is queued is still delivered, then FIN.
    Close,
    /// SO_LINGER 0, then close(): RST, as nothing was said by either side (sshd logs nothing then).
    Reset,
}

/// How a connection ended under the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// read() returned 0.
    Eof,
    /// read() failed.
    Failed(Errno),
}

impl Probe {
    /// A probe over a connection that was just made.
    #[must_use]
    pub fn new(plan: Arc<Plan>, seed: Seed, evidence: Evidence, now: Moment) -> Self {
        let _ = (plan, seed, now);
        Self { evidence }
    }

    /// Feeds bytes read from the connection.
    pub fn input(&mut self, now: Moment, bytes: &[u8]) {
        let _ = (now, bytes);
    }

    /// Tells that the connection has ended: no more input will come.
    pub fn input_end(&mut self, now: Moment, end: End) {
        let _ = (now, end);
    }

    /// Bytes to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &[]
    }

    /// `count` bytes of the output were written.
    pub fn written(&mut self, count: usize) {
        let _ = count;
    }

    /// A write failed: nothing more is written, but what the server sent before is still read for a moment.
    pub fn write_failed(&mut self, now: Moment, errno: Errno) {
        let _ = (now, errno);
    }

    /// ICMP said something about the connection while it was up; it goes on.
    pub fn soft_error(&mut self, errno: Errno, icmp: Option<crate::evidence::Icmp>) {
        let _ = (errno, icmp);
    }

    /// When to call [`Probe::wake`] at the latest.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        Moment::START
    }

    /// Time has passed.
    pub fn wake(&mut self, now: Moment) {
        let _ = now;
    }

    /// Over, once the remaining output is written (best effort).
    #[must_use]
    pub fn finished(&self) -> Option<Leave> {
        None
    }

    /// What was seen.
    #[must_use]
    pub fn into_evidence(self, now: Moment) -> Evidence {
        let _ = now;
        self.evidence
    }
}
