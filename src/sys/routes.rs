//! The kernel's own word on where its routes begin and end, and on when they change: `rtnetlink(7)`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use sshprobe_probes::sweep::routes::{Dump, Stretches, Survey, Unclear};

/// Hears of every change of a link, an address, a route or a rule of IPv4 that it has not been asked about yet.
#[derive(Debug)]
pub struct RouteChanges {
    events: OwnedFd,
}

impl RouteChanges {
    /// Begins to listen.
    ///
    /// # Errors
    /// This process is not allowed to, or there is no descriptor left.
    pub fn listen() -> io::Result<Self> {
        const GROUPS: i32 = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE;
        const RTMGRP_IPV4_RULE: i32 = 0x80;
        let events = netlink()?;
        bind(events.as_raw_fd(), &NetlinkAddr::new(0, GROUPS.cast_unsigned()))?;
        Ok(Self { events })
    }

    /// Whether there has been one since the last time. An error counts as one: something may have been missed.
    pub fn any(&self) -> bool {
        let mut any = false;
        let mut event = [0; 4096];
        loop {
            match recv(self.events.as_raw_fd(), &mut event, MsgFlags::empty()) {
                Err(Errno::EAGAIN) => return any,
                Err(Errno::EINTR | Errno::ENOBUFS) | Ok(_) => any = true,
                Err(_) => return true,
            }
        }
    }
}

/// How far answers about routes hold at the moment.
///
/// # Errors
/// They depend on more than on the destination, or the kernel does not tell.
pub fn stretches() -> Result<Stretches, Unclear> {
    let mut survey = Survey::default();
    for dump in [Dump::Rules, Dump::Routes] {
        read(dump, &mut survey)?;
    }
    survey.stretches()
}

fn read(dump: Dump, survey: &mut Survey) -> Result<(), Unclear> {
    /// Larger than the kernel makes them.
    const DATAGRAM: usize = 1 << 16;
    let socket = netlink().map_err(|_| Unclear)?;
    send(socket.as_raw_fd(), &dump.request(), MsgFlags::empty()).map_err(|_| Unclear)?;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        // The kernel has an answer ready when it was asked, and the next part when that was taken: nobody waits.
        match recv(socket.as_raw_fd(), &mut datagram, MsgFlags::MSG_TRUNC) {
            Ok(length) if survey.read(datagram.get(..length).ok_or(Unclear)?)? => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(Unclear),
        }
    }
}

fn netlink() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn this_machine_tells_of_its_loopback() {
        // Where rules look at more than tables, nothing is said at all.
        if let Ok(stretches) = stretches() {
            assert!(stretches.len() > 1);
            assert_eq!(stretches.of(Ipv4Addr::LOCALHOST), None, "its own addresses are each their own source");
        }
        assert!(RouteChanges::listen().is_ok_and(|changes| !changes.any()));
    }
}
