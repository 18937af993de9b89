//! What this process was told to do with signals before it began.

use nix::sys::signal::Signal;

/// Whether whoever started it wants it to outlive this signal, as nohup(1) does for the one of a terminal that goes. Where /proc
/// does not tell, it does not.
#[must_use]
pub fn ignored(signal: Signal) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignored_by(&status, signal))
}

/// Signals are bits of a mask, the first one SIGHUP's.
fn ignored_by(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bit = signal as u32 - 1;
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> bit & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert!(ignored_by(status, Signal::SIGHUP) && ignored_by(status, Signal::SIGPIPE));
        assert!(!ignored_by(status, Signal::SIGTERM));
        for odd in ["SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n", "", "SigIgn:", "SigIgn:\tx\n"] {
            assert!(!ignored_by(odd, Signal::SIGHUP), "{odd}");
        }
    }
}
