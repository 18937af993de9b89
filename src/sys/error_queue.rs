//! A socket's error queue (`IP_RECVERR`, ip(7)): ICMP type, code and sender, without privileges.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use sshprobe_probes::evidence::{Errno, Icmp};

/// More than one connection attempt can fill: its SYN is sent six times at most.
const MOST: usize = 16;

/// Asks the kernel to keep what ICMP says about this socket. To be set before connect(): on IPv6 it also makes an error
/// known at once that would else wait for the next retransmission.
///
/// # Errors
/// Those of setsockopt().
pub fn enable(socket: &impl AsFd, v6: bool) -> io::Result<()> {
    if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    }
    Ok(())
}

/// Empties the queue; the last ICMP error in it, with the error number that the kernel made of it.
///
/// An empty queue and one that cannot be read are the same: nothing is known.
pub fn take(socket: &impl AsFd) -> Option<(Errno, Icmp)> {
    let fd = socket.as_fd().as_raw_fd();
    let mut last = None;
    for _ in 0..MOST {
        // The payload is our own segment, which tells nothing new.
        let mut payload = [0; 64];
        let mut parts = [IoSliceMut::new(&mut payload)];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let Ok(message) = recvmsg::<()>(fd, &mut parts, Some(&mut control), flags) else { break };
        let Ok(parts) = message.cmsgs() else { continue };
        last = parts.filter_map(icmp).last().or(last);
    }
    last
}

fn icmp(part: ControlMessageOwned) -> Option<(Errno, Icmp)> {
    let (error, from, v6) = match part {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            let from = from.map(|from| IpAddr::V4(Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr))));
            (error, from, false)
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => {
            let from = from.map(|from| IpAddr::V6(Ipv6Addr::from(from.sin6_addr.s6_addr)));
            (error, from, true)
        }
        _ => return None,
    };
    let origin = if v6 { libc::SO_EE_ORIGIN_ICMP6 } else { libc::SO_EE_ORIGIN_ICMP };
    if error.ee_origin != origin {
        return None;
    }
    let from = from.filter(|from| !from.is_unspecified());
    let errno = Errno(i32::try_from(error.ee_errno).unwrap_or_default());
    Some((errno, Icmp { kind: error.ee_type, code: error.ee_code, from, v6 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    /// A datagram to a closed port is answered with a port unreachable, which loopback delivers before send() returns.
    fn unreachable(bind: &str) -> Option<(Errno, Icmp)> {
        let closed = UdpSocket::bind(bind).ok()?.local_addr().unwrap();
        let socket = UdpSocket::bind(bind).unwrap();
        enable(&socket, closed.is_ipv6()).unwrap();
        socket.connect(closed).unwrap();
        assert_eq!(take(&socket), None, "nothing has happened yet");
        socket.send(b"x").unwrap();
        let told = take(&socket);
        assert_eq!(take(&socket), None, "taken means gone");
        told
    }

    #[test]
    fn type_code_and_sender_are_told_over_ipv4() {
        let from = Some("127.0.0.1".parse().unwrap());
        assert_eq!(unreachable("127.0.0.1:0"), Some((Errno::ECONNREFUSED, Icmp { kind: 3, code: 3, from, v6: false })));
    }

    #[test]
    fn type_code_and_sender_are_told_over_ipv6() {
        if UdpSocket::bind("[::1]:0").is_err() {
            eprintln!("SKIPPED: this machine has no IPv6 loopback");
            return;
        }
        let from = Some("::1".parse().unwrap());
        assert_eq!(unreachable("[::1]:0"), Some((Errno::ECONNREFUSED, Icmp { kind: 1, code: 4, from, v6: true })));
    }
}
