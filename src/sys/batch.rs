//! Many packets a system call: `sendmmsg` and `recvmmsg`.
//!
//! By libc, as nix's wrapper of sendmmsg does not tell how many went out without reading addresses that nobody has written.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use socket2::SockAddr;
use sshprobe_probes::sweep::packet::LONGEST;

/// Packets of one call.
pub const BATCH: usize = 64;

/// Of a packet that is received; what matters of it lies well in front of that.
const KEPT: usize = 256;

/// A packet to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    to: SockAddr,
    bytes: [u8; LONGEST],
    length: usize,
}

impl Outgoing {
    /// A packet to the host at `to`, written by `write`, which says how long it became; `None` if it could not be written.
    pub fn new(to: SocketAddr, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let length = write(&mut bytes)?.min(LONGEST);
        // To a raw socket of IPv6 a port would be a protocol.
        let mut to = to;
        to.set_port(0);
        Some(Self { to: to.into(), bytes, length })
    }
}

/// Sends as many of `packets` as go, [`BATCH`] at most; how many of them went.
///
/// # Errors
/// What the kernel says to the first of them. What it says to a later one is said when that one is the first.
#[allow(unsafe_code)]
pub fn send(socket: &impl AsFd, packets: &[Outgoing]) -> io::Result<usize> {
    // SAFETY: plain C structs of integers and pointers, for which all zeros is a value (no name, no parts, no control data).
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    for ((header, part), packet) in headers.iter_mut().zip(&mut parts).zip(packets) {
        part.iov_base = packet.bytes.as_ptr().cast_mut().cast();
        part.iov_len = packet.length;
        header.msg_hdr.msg_name = packet.to.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = packet.to.len();
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
    }
    let count = packets.len().min(BATCH) as libc::c_uint;
    // SAFETY: the first `count` headers are filled in. Each points to a name and a part whose lengths are those of what they
    // point into, and all of that outlives the call: `packets` is borrowed, `parts` a local. The kernel only reads them (hence
    // the casts to mutable pointers are harmless) and writes nothing but `msg_len` of the headers, which are ours.
    let sent =
        unsafe { libc::sendmmsg(socket.as_fd().as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Room for the packets of one call.
#[derive(Debug)]
pub struct Incoming {
    buffers: Box<[[u8; KEPT]; BATCH]>,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { buffers: Box::new([[0; KEPT]; BATCH]) }
    }
}

impl Incoming {
    /// Takes packets that wait at a socket, [`BATCH`] at most, without waiting for any; how many there were. `each` gets the
    /// first bytes of each, with the sender where that is an address of IPv6.
    ///
    /// # Errors
    /// What the kernel says if there is none: `WouldBlock`, as a rule.
    #[allow(unsafe_code)]
    pub fn take(&mut self, socket: &impl AsFd, mut each: impl FnMut(Option<Ipv6Addr>, &[u8])) -> io::Result<usize> {
        // SAFETY: plain C structs of integers, pointers and arrays of bytes, for which all zeros is a value.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        // SAFETY: the same. A zeroed name has the family AF_UNSPEC.
        let mut names: [libc::sockaddr_in6; BATCH] = unsafe { std::mem::zeroed() };
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        let places = headers.iter_mut().zip(&mut names).zip(&mut parts).zip(self.buffers.iter_mut());
        for (((header, name), part), buffer) in places {
            part.iov_base = buffer.as_mut_ptr().cast();
            part.iov_len = KEPT;
            header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: all `BATCH` headers are filled in. Each points to a name and a buffer of its own, whose lengths it tells and
        // beyond which the kernel does not write (a longer name or packet is cut off); they are locals, or borrowed mutably for
        // the whole call, and nothing else refers to them. No timeout is given.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for ((header, name), buffer) in headers.iter().zip(&names).zip(self.buffers.iter()).take(received) {
            let v6 = libc::c_int::from(name.sin6_family) == libc::AF_INET6;
            let from = v6.then(|| Ipv6Addr::from(name.sin6_addr.s6_addr));
            let length = usize::try_from(header.msg_len).unwrap_or(0);
            each(from, buffer.get(..length).unwrap_or(buffer));
        }
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// Datagrams behave like raw packets here, and need no right.
    #[test]
    fn what_is_sent_in_one_call_is_received_in_one() {
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(receiver) = UdpSocket::bind(bind) else {
                eprintln!("SKIPPED: this machine has no {bind}");
                continue;
            };
            let sender = UdpSocket::bind(bind).unwrap();
            let to = receiver.local_addr().unwrap();
            let packet = |byte: u8| {
                let mut packet = Outgoing::new(to, |out| {
                    out[..usize::from(byte)].fill(byte);
                    Some(byte.into())
                })
                .unwrap();
                // For raw sockets the port is taken away.
                packet.to = to.into();
                packet
            };
            let packets: Vec<_> = (1..=70).map(packet).collect();
            assert_eq!(send(&sender, &packets).unwrap(), BATCH);
            assert_eq!(send(&sender, &packets[BATCH..]).unwrap(), 6);
            let mut seen = Vec::new();
            let mut incoming = Incoming::default();
            let mut see = |from: Option<Ipv6Addr>, bytes: &[u8]| {
                assert_eq!(from.is_some(), to.is_ipv6());
                assert!(bytes.iter().all(|byte| usize::from(*byte) == bytes.len()));
                seen.push(bytes.len());
            };
            assert_eq!(incoming.take(&receiver, &mut see).unwrap(), BATCH);
            assert_eq!(incoming.take(&receiver, &mut see).unwrap(), 6);
            assert_eq!(incoming.take(&receiver, &mut see).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(seen, (1..=70).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_is_the_first_packets() {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let packet = Outgoing::new("[::1]:9".parse().unwrap(), |_| Some(1)).unwrap();
        assert_eq!(send(&sender, &[packet]).unwrap_err().raw_os_error(), Some(libc::EAFNOSUPPORT));
        assert!(Outgoing::new("[::1]:9".parse().unwrap(), |_| None).is_none());
    }
}
