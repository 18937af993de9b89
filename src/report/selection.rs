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

#[cfg(test)]
mod tests {
    use sshprobe_probes::diagnose::Code;
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::samples::record;

    #[test]
    fn empty_addresses_of_ranges_are_left_out_and_nothing_else() {
        for (code, from_range, answered, problems) in [
            (Code::Ok, false, true, false),
            (Code::Ok, true, true, false),
            (Code::Refused, false, true, true),
            (Code::Refused, true, false, false),
            (Code::TimeoutConnect, true, false, false),
            (Code::UnreachableNet, true, false, false),
            (Code::NotSsh, true, true, true),
            (Code::LocalNoRoute, true, true, true),
        ] {
            let mut record = record("a", code, Stage::Connect, "");
            record.from_range = from_range;
            assert_eq!(Selection::Answered.keeps(&record), answered, "{code} {from_range}");
            assert_eq!(Selection::Problems.keeps(&record), problems, "{code} {from_range}");
            assert!(Selection::All.keeps(&record));
        }
    }
}
