//! Source ports that no connection of this machine uses while the sweep does.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use sshprobe_probes::random::{Randomness, Seed};
use sshprobe_probes::sweep::cookie::SourcePorts;

/// Source ports, kept free for as long as this lives.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) ports: SourcePorts,
    /// Bound where the kernel might give the ports to somebody else.
    _held: Vec<Socket>,
}

/// With fewer of them than that a cookie is easier to guess: better hold some than use those.
const FEWEST: u16 = 256;

/// As many as leave room for a process with few descriptors. The sequence number alone is four billion guesses.
const HELD: u16 = 16;

impl Reserved {
    /// Ports that the kernel gives to no connection, else some that are held by sockets.
    ///
    /// # Errors
    /// There are neither.
    pub(super) fn find(seed: Seed) -> io::Result<Self> {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        if let Some(ports) = parse(&range).and_then(|(low, high)| outside(low, high)) {
            return Ok(Self { ports, _held: Vec::new() });
        }
        held(seed)
    }
}

fn parse(range: &str) -> Option<(u16, u16)> {
    let mut words = range.split_whitespace().map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

/// Ports beside the ones from `low` to `high`, from which the kernel takes those of connections.
fn outside(low: u16, high: u16) -> Option<SourcePorts> {
    const MOST: u16 = 8192;
    /// Those below are of servers with a right.
    const LOWEST: u16 = 1024;
    let usual = SourcePorts::BELOW_LINUX;
    if low > usual.last() || high < usual.first() {
        return Some(usual);
    }
    let below = (low.saturating_sub(MOST).max(LOWEST), low.saturating_sub(1));
    let above = (high.saturating_add(1), high.saturating_add(MOST));
    let size = |(first, last): (u16, u16)| last.saturating_sub(first);
    let (first, last) = if size(below) > size(above) { below } else { above };
    // Behind the last port of all there is none.
    SourcePorts::new(first, last).filter(|_| last - first >= FEWEST)
}

/// Ports in a row that sockets of ours are bound to: the kernel gives them to nobody else, and delivers nothing to those.
fn held(seed: Seed) -> io::Result<Reserved> {
    const TRIES: usize = 100;
    let mut randomness = Randomness::new(seed);
    let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let mut bytes = [0; 2];
        randomness.fill(&mut bytes);
        let first = 1024 + u16::from_ne_bytes(bytes) % (u16::MAX - 1024 - HELD);
        let last = first + HELD - 1;
        match (first..=last).map(hold).collect::<io::Result<Vec<_>>>() {
            Ok(held) => {
                let ports = SourcePorts::new(first, last).ok_or(io::ErrorKind::AddrInUse)?;
                return Ok(Reserved { ports, _held: held });
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Binds a socket to a port of both families, and lets it neither listen nor connect.
fn hold(port: u16) -> io::Result<Socket> {
    let both = || {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_only_v6(false)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        Ok::<_, io::Error>(socket)
    };
    match both() {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
            Ok(socket)
        }
        bound => bound,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_lie_beside_those_of_connections() {
        for (low, high, wanted) in [
            (32_768, 60_999, Some((24_576, 32_767))),
            (1024, 20_000, Some((24_576, 32_767))),
            (10_000, 60_999, Some((1808, 9999))),
            (1024, 60_999, Some((61_000, 65_535))),
            (1024, 65_535, None),
            (1100, 65_500, None),
            (1024, 65_535 - 256, None),
            (1024, 65_535 - 257, Some((65_279, 65_535))),
        ] {
            let ports = outside(low, high).map(|ports| (ports.first(), ports.last()));
            assert_eq!(ports, wanted, "{low} to {high}");
        }
        assert_eq!(parse("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!((parse(""), parse("1"), parse("1 x")), (None, None, None));
    }

    #[test]
    fn ports_that_are_held_are_nobody_elses() {
        let reserved = held(Seed([5; 32])).unwrap();
        assert_eq!(reserved.ports.last() - reserved.ports.first(), HELD - 1);
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, reserved.ports.first()));
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // The same place again is taken, and another one is found.
        assert_ne!(held(Seed([5; 32])).unwrap().ports, reserved.ports);
    }
}
