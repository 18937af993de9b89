//! What became of a connection's SYNs (`TCP_INFO`, tcp(7)).

use std::mem::{MaybeUninit, offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// Whether the last SYN that the kernel wanted to send again never left this machine: its own filter, connection tracking or a
/// queue dropped it, or there was no room for another neighbour. connect() does not tell; the socket is as silent as a dead
/// host's.
///
/// A SYN sent again is counted in any case (`tcpi_total_retrans`), and as on its way (`tcpi_retrans`) only if sending it did not
/// fail: `tcp_retransmit_skb` in the kernel. Of the first SYN nothing is known, so that it takes a second to tell.
///
/// To be asked while the handshake goes on.
#[allow(unsafe_code)]
pub fn dropped_here(socket: &impl AsFd) -> bool {
    const TOLD: usize = offset_of!(libc::tcp_info, tcpi_total_retrans) + size_of::<u32>();
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has that many, and sets `length` to how many it wrote.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // SAFETY: a plain C struct of integers, for which all zeros is a value; what the kernel wrote over them are integers too.
    let info = unsafe { info.assume_init() };
    done == 0 && length as usize >= TOLD && info.tcpi_total_retrans > 0 && info.tcpi_retrans == 0
}
