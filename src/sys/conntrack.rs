//! Whether this machine's connection tracking is full: it then drops our SYNs without a word, and every target would
//! seem to time out.

use std::fs;
use std::time::Duration;

use sshprobe_probes::time::Moment;

/// How long a reading holds.
const FRESH: Duration = Duration::from_secs(1);

/// A reading of the table's fill, taken at most once a second.
#[derive(Debug, Default)]
pub struct Conntrack {
    read: Option<(Moment, bool)>,
}

impl Conntrack {
    /// The table is full, or was less than a second ago. False where there is none.
    pub fn full(&mut self, now: Moment) -> bool {
        if let Some((at, full)) = self.read
            && now.since(at) < FRESH
        {
            return full;
        }
        let number = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{name}")).ok()?;
            text.trim().parse::<u64>().ok()
        };
        let full = match (number("count"), number("max")) {
            (Some(count), Some(max)) => max > 0 && count >= max,
            _ => false,
        };
        self.read = Some((now, full));
        full
    }
}
