//! What this process was told to do with SIGHUP before it began.

/// Whether whoever started it wants it to outlive its terminal, as nohup(1) does. Where /proc does not tell, it does not.
#[must_use]
pub fn ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignored_by(&status))
}

/// Signals are bits of a mask, the first one SIGHUP's.
fn ignored_by(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(ignored_by("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignored_by("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        for odd in ["", "SigIgn:", "SigIgn:\tx\n"] {
            assert!(!ignored_by(odd), "{odd}");
        }
    }
}
