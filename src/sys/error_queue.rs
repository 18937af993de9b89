//! The error queue of a socket (ip(7), IP_RECVERR): ICMP type, code and sender, without privileges.

use std::io::IoSliceMut;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, cmsg_space, recvmsg, setsockopt, sockopt,
};
use sshprobe_probes::evidence::Icmp;

/// Space for one extended error with the address of its sender, either family.
const CONTROL: usize = 256;

/// How many queued errors are looked at: one connection has one or two.
const LOOKED_AT: usize = 8;

/// Asks the kernel to queue ICMP errors on this socket, and to report them at once.
///
/// # Errors
/// The kernel has no such option for this socket.
pub fn enable(socket: &impl AsFd, v6: bool) -> nix::Result<()> {
    if v6 { setsockopt(socket, sockopt::Ipv6RecvErr, &true) } else { setsockopt(socket, sockopt::Ipv4RecvErr, &true) }
}

/// Takes the queued errors; gives the last ICMP error among them. Never waits.
pub fn take(socket: &impl AsRawFd) -> Option<Icmp> {
    debug_assert!(CONTROL >= cmsg_space::<[u8; 44]>());
    let mut found = None;
    for _ in 0..LOOKED_AT {
        let mut payload = [0; 64];
        let mut buffers = [IoSliceMut::new(&mut payload)];
        let mut control = Vec::with_capacity(CONTROL);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let Ok(message) = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut buffers, Some(&mut control), flags) else {
            break;
        };
        let Ok(controls) = message.cmsgs() else { continue };
        for control in controls {
            let (error, from, v6) = match control {
                ControlMessageOwned::Ipv4RecvErr(error, from) => {
                    (error, from.map(|from| IpAddr::from(u32::from_be(from.sin_addr.s_addr).to_be_bytes())), false)
                }
                ControlMessageOwned::Ipv6RecvErr(error, from) => {
                    (error, from.map(|from| IpAddr::from(from.sin6_addr.s6_addr)), true)
                }
                _ => continue,
            };
            if error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6 {
                let from = from.filter(|from| !from.is_unspecified());
                found = Some(Icmp { kind: error.ee_type, code: error.ee_code, from, v6 });
            }
        }
    }
    found
}
