//! Giving up what this process may do beyond an ordinary user (capabilities(7)), once it is not needed any more.

use std::io;

use nix::libc;

/// Reaching files that belong to others: the number of CAP_DAC_OVERRIDE.
pub const DAC_OVERRIDE: u32 = 1;

/// The layout that has 64 capabilities (`_LINUX_CAPABILITY_VERSION_3`).
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    /// 0: the calling thread.
    pid: libc::c_int,
}

/// `struct __user_cap_data_struct`, one for each 32 capabilities.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Gives up all capabilities but those in `kept`, for good: neither this thread, nor a thread or program that it starts from now
/// on, gets them back. What this process has not is not kept either.
///
/// Linux counts capabilities by thread: to be called while there is only one.
///
/// # Errors
/// Those of capget() and capset().
pub fn keep_only(kept: &[u32]) -> io::Result<()> {
    // Before the rest is gone, which is the right to do this: a program that root starts would get everything back from here.
    // Without that right there is nothing to get back.
    (0..64).filter(|number| !kept.contains(number)).for_each(|number| {
        let _ = control(libc::PR_CAPBSET_DROP, number.into());
    });
    let _ = control(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong);
    let mut data = held()?;
    for (word, data) in (0u32..).zip(&mut data) {
        let mask = kept.iter().filter(|number| **number / 32 == word).fold(0, |mask, number| mask | 1 << (number % 32));
        *data = Data { effective: data.effective & mask, permitted: data.permitted & mask, inheritable: 0 };
    }
    hold(&data)
}

#[allow(unsafe_code)]
fn control(option: libc::c_int, argument: libc::c_ulong) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: PR_CAPBSET_DROP and PR_CAP_AMBIENT take numbers only; no memory is passed.
    let done = unsafe { libc::prctl(option, argument, none, none, none) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code)]
fn held() -> io::Result<[Data; 2]> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: with this version the kernel reads and may write the header, and writes two entries of data, both of which are
    // exclusively ours and laid out as it has them.
    let done = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if done == 0 { Ok(data) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code)]
fn hold(data: &[Data; 2]) -> io::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: as for capget; of the data the kernel reads two entries.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own: what is given up is gone, for that thread alone.
    #[test]
    fn what_is_not_kept_is_gone() {
        let lines = |text: String| {
            let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with("Cap")).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let status = move || lines(std::fs::read_to_string("/proc/thread-self/status").unwrap());
        let before = status();
        let after = std::thread::spawn(move || {
            keep_only(&[DAC_OVERRIDE]).unwrap();
            let some = status();
            keep_only(&[]).unwrap();
            (some, status())
        });
        let (some, none) = after.join().unwrap();
        let of = |lines: &[String], name: &str| {
            let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap()
        };
        let had = of(&before, "CapEff");
        assert_eq!(of(&some, "CapEff"), had & 1 << DAC_OVERRIDE);
        assert_eq!((of(&none, "CapEff"), of(&none, "CapPrm"), of(&none, "CapInh")), (0, 0, 0));
        // CAP_SETPCAP, the right to narrow what programs get.
        if had & 1 << 8 != 0 {
            assert_eq!(of(&some, "CapBnd"), of(&before, "CapBnd") & 1 << DAC_OVERRIDE);
        }
    }
}
