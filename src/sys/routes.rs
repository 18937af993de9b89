//! The kernel's own word on where its routes begin and end, and on when they change: `rtnetlink(7)`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv};
use sshprobe_probes::netlink::Unclear;
use sshprobe_probes::netlink::routes::{Dump, Stretches, Survey};

use super::netlink::{dump, open};

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
        let events = open()?;
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
    for which in [Dump::Rules, Dump::Routes] {
        dump(&which.request(), &mut survey)?;
    }
    survey.stretches()
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
