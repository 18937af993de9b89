//! Which records a view shows.

use sshprobe_probes::diagnose::Status;
use sshprobe_probes::record::Record;

/// Which records a view shows. The summary counts them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// All but the silent, refused and unreachable addresses of ranges.
    Answered,
    /// Those of [`Selection::Answered`] that are not `ok`.
    Problems,
}

impl Selection {
    /// Whether the view shows this record.
    #[must_use]
    pub fn keeps(self, record: &Record) -> bool {
        let empty = record.from_range && is_silence(record.status);
        match self {
            Selection::All => true,
            Selection::Answered => !empty,
            Selection::Problems => !empty && record.status != Status::Ok,
        }
    }
}

/// What an address with nothing behind it looks like: no fault where nobody named it.
#[must_use]
pub fn is_silence(status: Status) -> bool {
    matches!(status, Status::Timeout | Status::Refused | Status::Unreachable)
}
