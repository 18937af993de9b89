//! How much memory this process holds.

/// Bytes of it that are in RAM, as the kernel counts them (`VmRSS`); `None` where /proc does not tell.
#[must_use]
pub fn resident() -> Option<u64> {
    of_status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn of_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_kernel_says() {
        assert_eq!(of_status("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n"), Some(2 << 20));
        for odd in ["", "VmRSS:\n", "VmRSS:\t x kB\n", "VmRSS: 18446744073709551615 kB\n"] {
            assert_eq!(of_status(odd), None, "{odd}");
        }
        assert!(resident().is_none_or(|bytes| bytes > 100_000));
    }
}
