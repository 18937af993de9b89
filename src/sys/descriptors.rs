//! How many connections this process may hold.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors kept back for the resolver's sockets, files and the terminal.
const RESERVED: u64 = 24;

/// Raises the soft limit of open files to the hard one, and says how many connections fit beside what is open.
/// `None` where the limit cannot be read.
#[must_use]
pub fn available() -> Option<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard {
        // Not being allowed to is no reason to stop: the limit then stays what it was.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let open = std::fs::read_dir("/proc/self/fd").map_or(16, |entries| entries.count() as u64);
    usize::try_from(limit.saturating_sub(open).saturating_sub(RESERVED).max(1)).ok()
}
