//! The connection-tracking table of this machine. When it is full, SYNs vanish without an error: what looks like the
//! target's silence is our own netfilter.

use std::fs;
use std::path::{Path, PathBuf};

use sshprobe_probes::time::Moment;

use super::tables::Sightings;

/// Watches how full the table is, by looking at most once a second.
#[derive(Debug)]
pub struct Conntrack {
    folder: PathBuf,
    absent: bool,
    sightings: Sightings,
}

impl Conntrack {
    /// Entries expire all the time, and new ones take their place: a table this full, in percent, drops some.
    const FULL_PERCENT: u64 = 98;

    /// The table of this process's network namespace.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::in_folder("/proc/sys/net/netfilter")
    }

    /// The table whose counters are in `folder`.
    pub(crate) fn in_folder(folder: impl AsRef<Path>) -> Self {
        Self { folder: folder.as_ref().to_owned(), absent: false, sightings: Sightings::default() }
    }

    /// Looks at the table unless that was done within the last second. Where there is none, it is not looked for again.
    pub fn look(&mut self, now: Moment) {
        if self.absent || !self.sightings.are_due(now) {
            return;
        }
        let (Some(count), Some(max)) = (self.read("nf_conntrack_count"), self.read("nf_conntrack_max")) else {
            self.absent = true;
            return;
        };
        // A maximum of 0 means no limit.
        if max > 0 && count.saturating_mul(100) >= max.saturating_mul(Self::FULL_PERCENT) {
            self.sightings.full(now);
        }
    }

    /// Whether the table was seen full at `since` or later, or when it was last looked at.
    #[must_use]
    pub fn full_since(&self, since: Moment) -> bool {
        self.sightings.full_since(since)
    }

    fn read(&self, name: &str) -> Option<u64> {
        fs::read_to_string(self.folder.join(name)).ok()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn a_full_table_is_seen_and_looked_at_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let write = |count: u64, max: u64| {
            fs::write(folder.path().join("nf_conntrack_count"), format!("{count}\n")).unwrap();
            fs::write(folder.path().join("nf_conntrack_max"), format!("{max}\n")).unwrap();
        };
        let mut table = Conntrack::in_folder(folder.path());
        write(10, 1000);
        table.look(at(0));
        assert!(!table.full_since(at(0)));
        write(1000, 1000);
        table.look(at(999));
        assert!(!table.full_since(at(0)), "a second has not passed");
        table.look(at(1000));
        assert!(table.full_since(at(0)) && table.full_since(at(1000)));
        assert!(table.full_since(at(1500)), "nothing else has been seen since");
        write(10, 0);
        table.look(at(2000));
        assert!(table.full_since(at(1000)), "it was full in between");
        assert!(!table.full_since(at(1500)), "no limit is never full");
    }

    #[test]
    fn a_machine_without_one_is_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Conntrack::in_folder(folder.path());
        table.look(at(0));
        fs::write(folder.path().join("nf_conntrack_count"), "5").unwrap();
        fs::write(folder.path().join("nf_conntrack_max"), "5").unwrap();
        table.look(at(5000));
        assert!(!table.full_since(at(0)));
    }
}
