//! Questions to the kernel over `rtnetlink(7)`.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use sshprobe_probes::netlink::{Reader, Request, Unclear};

/// Larger than the kernel makes them.
const DATAGRAM: usize = 1 << 16;

/// Asks what has one answer; what that is. The kernel has it ready when it was asked: nobody waits.
pub(super) fn ask(request: &[u8]) -> Result<Vec<u8>, Unclear> {
    let socket = open().map_err(|_| Unclear)?;
    send(socket.as_raw_fd(), request, MsgFlags::empty()).map_err(|_| Unclear)?;
    /// A route or a neighbour is a few dozen bytes.
    const ANSWER: usize = 1 << 12;
    let mut answer = vec![0; ANSWER];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::MSG_TRUNC).map_err(|_| Unclear)?;
    answer.truncate(length);
    Ok(answer)
}

/// Asks, and has the whole answer read.
pub(super) fn dump(request: &Request, reader: &mut impl Reader) -> Result<(), Unclear> {
    let socket = open().map_err(|_| Unclear)?;
    send(socket.as_raw_fd(), request, MsgFlags::empty()).map_err(|_| Unclear)?;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        // The kernel has an answer ready when it was asked, and the next part when that was taken: nobody waits.
        match recv(socket.as_raw_fd(), &mut datagram, MsgFlags::MSG_TRUNC) {
            Ok(length) if reader.read(datagram.get(..length).ok_or(Unclear)?)? => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Err(Unclear),
        }
    }
}

pub(super) fn open() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
}
