//! Questions to the kernel over `rtnetlink(7)`.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use sshprobe_probes::netlink::{Reader, Request, Unclear};

/// Asks what has one answer; what that is.
pub(super) fn ask(request: &[u8]) -> Result<Vec<u8>, Unclear> {
    /// A route or a neighbour is a few dozen bytes.
    const ANSWER: usize = 1 << 12;
    let socket = asked(request)?;
    let mut answer = vec![0; ANSWER];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::MSG_TRUNC).map_err(|_| Unclear)?;
    answer.truncate(length);
    Ok(answer)
}

/// Asks, and has the whole answer read.
pub(super) fn dump(request: &Request, reader: &mut impl Reader) -> Result<(), Unclear> {
    /// Larger than the kernel makes them.
    const DATAGRAM: usize = 1 << 16;
    let socket = asked(request)?;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        match recv(socket.as_raw_fd(), &mut datagram, MsgFlags::MSG_TRUNC) {
            Ok(length) if reader.read(datagram.get(..length).ok_or(Unclear)?)? => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(Unclear),
        }
    }
}

/// A socket on which something was asked. The kernel has an answer ready then, and the next part when that was taken: nobody waits.
fn asked(request: &[u8]) -> Result<OwnedFd, Unclear> {
    let socket = open().map_err(|_| Unclear)?;
    send(socket.as_raw_fd(), request, MsgFlags::empty()).map_err(|_| Unclear)?;
    Ok(socket)
}

pub(super) fn open() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
}
