//! The tables of this machine that drop SYNs when they are full, without telling whom it concerns.

use std::time::Duration;

use sshprobe_probes::time::Moment;

use super::conntrack::Conntrack;
use super::neighbours::Neighbours;

/// Both kinds of table.
#[derive(Debug)]
pub struct Tables {
    /// Of connections.
    pub conntrack: Conntrack,
    /// Of neighbours.
    pub neighbours: Neighbours,
}

impl Tables {
    /// Those of this process's network namespace.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self { conntrack: Conntrack::of_this_machine(), neighbours: Neighbours::default() }
    }

    /// Looks at them, unless that was done a moment ago.
    pub fn look(&mut self, now: Moment) {
        self.conntrack.look(now);
        self.neighbours.look(now);
    }
}

/// When a table was looked at, and when it was last seen to be full.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    looked: Option<Moment>,
    full: Option<Moment>,
}

impl Sightings {
    /// Between two looks.
    const INTERVAL: Duration = Duration::from_secs(1);

    /// Whether it is time to look again. If so, that is taken to be done.
    pub(super) fn are_due(&mut self, now: Moment) -> bool {
        let due = self.looked.is_none_or(|looked| now.since(looked) >= Self::INTERVAL);
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// It was full when it was looked at now.
    pub(super) fn full(&mut self, now: Moment) {
        self.full = Some(now);
    }

    /// Whether it was seen full at `since` or later, or when it was last looked at: nothing else is known then.
    pub(super) fn full_since(&self, since: Moment) -> bool {
        self.full.is_some_and(|full| full >= since || self.looked == Some(full))
    }
}
