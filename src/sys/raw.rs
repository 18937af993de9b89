//! The raw sockets of one family: SYNs go out, answers to them come in.
//!
//! The kernel routes every packet, asks for neighbours and obeys the machine's own filters, as it does for a connection: several
//! interfaces, policy routing and tunnels work as they always do, and what the machine itself refuses is told at once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use sshprobe_probes::sweep::cookie::SourcePorts;
use sshprobe_probes::sweep::filter::{Begins, Instruction, NOTHING};
use sshprobe_probes::sweep::reply::Carried;

use super::batch::{self, Incoming, Outgoing};
use super::error_queue;

/// Answers that wait for us while we do something else: some 20,000.
const RECEIVE_BUFFER: usize = 16 << 20;

/// The same for what is sent, where the link is slower than we are.
const SEND_BUFFER: usize = 4 << 20;

/// Raw sockets of IPv4 or IPv6.
#[derive(Debug)]
pub struct RawSockets {
    out: Socket,
    segments: Socket,
    errors: Socket,
    ask: UdpSocket,
    source: Option<IpAddr>,
}

impl RawSockets {
    /// Opens them, for answers to `ports`; packets are sent from `source` and through `interface`, where given.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; what else the kernel says, as without IPv6.
    pub fn open(v6: bool, source: Option<IpAddr>, interface: Option<&str>, ports: SourcePorts) -> io::Result<Self> {
        let (domain, icmp, begins) = if v6 {
            (Domain::IPV6, Protocol::ICMPV6, Begins::BehindIpv6)
        } else {
            (Domain::IPV4, Protocol::ICMPV4, Begins::AtIpv4)
        };
        // To one of IPPROTO_RAW nothing is ever delivered, and its packets bring their own header.
        let out = raw(domain, Protocol::from(libc::IPPROTO_RAW), &NOTHING)?;
        // Else the kernel says that it has sent what it has not (ENOBUFS), where a queue drops the packet or the table of
        // neighbours has no room for another one.
        error_queue::enable(&out, v6)?;
        let any: IpAddr = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let ask = UdpSocket::bind((any, 0))?;
        if let Some(name) = interface {
            out.bind_device(Some(name.as_bytes()))?;
            socket2::SockRef::from(&ask).bind_device(Some(name.as_bytes()))?;
        }
        if let Some(source) = source {
            // So that rules by source address choose the route.
            out.bind(&SocketAddr::new(source, 0).into())?;
        }
        if setsockopt(&out, sockopt::SndBuf, &SEND_BUFFER).is_err() {
            tracing::debug!("the send buffer of the sweep stays as it is");
        }
        let segments = raw(domain, Protocol::TCP, &begins.segments(ports))?;
        let errors = raw(domain, icmp, &begins.errors())?;
        for socket in [&segments, &errors] {
            if let Some(name) = interface {
                // What comes back another way is no answer to a connection that is bound to this one, either.
                socket.bind_device(Some(name.as_bytes()))?;
            }
            // The second goes beyond the machine's usual limit, if this process may.
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
            let _ = setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER);
        }
        Ok(Self { out, segments, errors, ask, source })
    }

    /// The address that the kernel sends from to that destination.
    ///
    /// # Errors
    /// Those of connect(): there is no route, or none that may be used.
    pub fn source_towards(&self, to: SocketAddr) -> io::Result<IpAddr> {
        if let Some(source) = self.source {
            return Ok(source);
        }
        // Nothing is sent by connecting a datagram socket; it looks for the route.
        self.ask.connect(to)?;
        let source = self.ask.local_addr();
        disconnect(&self.ask)?;
        Ok(source?.ip())
    }

    /// Sends as many of `packets` as go.
    ///
    /// # Errors
    /// As for [`batch::send`].
    pub fn send(&self, packets: &[Outgoing]) -> io::Result<usize> {
        batch::send(&self.out, packets)
    }

    /// Takes packets that wait, some of them: how many.
    pub fn take(&self, carried: Carried, incoming: &mut Incoming, each: impl FnMut(Option<Ipv6Addr>, &[u8])) -> usize {
        // An error is that there are none; any other is gone once it was told, and packets are there the next time.
        incoming.take(self.socket(carried), each).unwrap_or(0)
    }

    /// What is to be watched for packets.
    #[must_use]
    pub fn watched(&self) -> [BorrowedFd<'_>; 2] {
        [self.segments.as_fd(), self.errors.as_fd()]
    }

    /// Packets that were lost here so far, as they came faster than they were taken.
    #[must_use]
    pub fn lost(&self) -> u64 {
        [&self.segments, &self.errors].map(dropped).iter().sum()
    }

    const fn socket(&self, carried: Carried) -> &Socket {
        match carried {
            Carried::Tcp => &self.segments,
            Carried::Icmp => &self.errors,
        }
    }
}

/// A raw socket that only what passes the filter gets to.
fn raw(domain: Domain, protocol: Protocol, filter: &[Instruction]) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::from(libc::SOCK_RAW).nonblocking(), Some(protocol))?;
    let program: Vec<_> = filter
        .iter()
        .map(|Instruction { code, then, otherwise, operand }| SockFilter::new(*code, *then, *otherwise, *operand))
        .collect();
    socket.attach_filter(&program)?;
    // What came between its birth and the filter is none of ours.
    let mut incoming = Incoming::default();
    while incoming.take(&socket, |_, _| {}).is_ok() {}
    Ok(socket)
}

/// Lets a datagram socket forget whom it was connected to, and from where: else it stays at its first source address.
#[allow(unsafe_code)]
fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `nobody`, which is that long and outlives the call.
    let done = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Packets for which there was no room at a socket (SK_MEMINFO_DROPS).
#[allow(unsafe_code)]
fn dropped(socket: &Socket) -> u64 {
    const SO_MEMINFO: libc::c_int = 55;
    const DROPS: usize = 8;
    let mut info = [0u32; DROPS + 1];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which is that long, and the length that there is to `length`.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, info.as_mut_ptr().cast(), &raw mut length)
    };
    // A kernel before 4.12 does not tell.
    if done == 0 { info[DROPS].into() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_socket_forgets_its_source() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for source in ["127.0.0.1", "127.0.0.2"] {
            // The kernel answers from the very address of its own that it is asked for.
            socket.connect((source, 9)).unwrap();
            assert!(socket.local_addr().unwrap().ip().is_loopback());
            disconnect(&socket).unwrap();
            assert!(socket.local_addr().unwrap().ip().is_unspecified());
        }
    }
}
