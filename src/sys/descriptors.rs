//! How many descriptors this process may have, and how many it has.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets the process have at least `wanted` descriptors, as far as its hard limit goes. Returns how many it may have now.
///
/// The soft limit is raised no further than wanted: programs started later inherit it, and some of them still call
/// select(), which breaks above 1024.
///
/// # Errors
/// Those of getrlimit(). A limit that cannot be raised is no error: it stays what it is.
pub fn allow(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = wanted.min(hard);
    if raised <= soft {
        return Ok(soft);
    }
    Ok(if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft })
}

/// How many descriptors are open now. Where the kernel does not show them, as many as a program of this kind needs.
#[must_use]
pub fn open() -> u64 {
    const USUAL: u64 = 16;
    std::fs::read_dir("/proc/self/fd").map_or(USUAL, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_descriptors_are_counted() {
        let before = open();
        let files: Vec<_> = (0..10).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        // Other tests of this process open and close theirs meanwhile.
        assert!(before > 0 && open() >= files.len() as u64);
    }

    #[test]
    fn what_is_allowed_already_stays() {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(allow(1).unwrap(), soft);
    }
}
