//! In which order addresses are tried: RFC 6724, as far as `getaddrinfo(3)` follows it without a configuration.
//!
//! Rules 1, 2, 5, 6 and 8: an address that cannot be reached from here comes last, one of the source's scope and label
//! first, then by precedence, then the smaller scope. What is equal keeps the order of the answer, which name servers
//! rotate to spread load (rule 9, the longest common prefix, would undo that). `/etc/gai.conf` is not read.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// What is known of the address that packets to a destination would be sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// This one.
    Is(IpAddr),
    /// There is no way to the destination.
    None,
    /// It could not be found out.
    Unknown,
}

/// Asks the kernel. Connecting a UDP socket sends nothing.
pub(super) fn source_address(to: IpAddr) -> Source {
    let any: IpAddr = if to.is_ipv4() { [0u8; 4].into() } else { [0u16; 8].into() };
    // Without a descriptor nothing is known, and the address must not lose its place by that.
    let Ok(socket) = UdpSocket::bind((any, 0)) else { return Source::Unknown };
    match socket.connect(SocketAddr::new(to, 22)).and_then(|()| socket.local_addr()) {
        Ok(local) => Source::Is(local.ip()),
        Err(_) => Source::None,
    }
}

/// Sorts addresses by how well they can be expected to work.
pub(super) fn sort(addrs: &mut [IpAddr], source: impl Fn(IpAddr) -> Source) {
    if addrs.len() < 2 {
        return;
    }
    addrs.sort_by_cached_key(|addr| {
        let source = source(*addr);
        let differs = |of: fn(IpAddr) -> u8| matches!(source, Source::Is(source) if of(source) != of(*addr));
        let (label, precedence) = policy(*addr);
        let other_label = matches!(source, Source::Is(source) if policy(source).0 != label);
        (source == Source::None, differs(scope), other_label, std::cmp::Reverse(precedence), scope(*addr))
    });
}

/// Scope as in RFC 6724 section 3.1: 2 link-local, 5 site-local, 14 global.
fn scope(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => 2,
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => 2,
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0 => 5,
        _ => 14,
    }
}

/// Label and precedence as in the table of RFC 6724 section 2.1.
fn policy(addr: IpAddr) -> (u8, u8) {
    let IpAddr::V6(v6) = addr else { return (4, 35) };
    match v6.segments() {
        _ if v6.is_loopback() => (0, 50),
        [0x2002, ..] => (2, 30),
        [0x2001, 0, ..] => (5, 5),
        [first, ..] if first & 0xfe00 == 0xfc00 => (13, 3),
        [first, ..] if first & 0xffc0 == 0xfec0 => (11, 1),
        [0x3ffe, ..] => (12, 1),
        [0, 0, 0, 0, 0, 0, ..] => (3, 1),
        _ => (1, 40),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(addrs: &[&str], sources: &[(&str, &str)]) -> Vec<String> {
        let mut addrs: Vec<IpAddr> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        sort(&mut addrs, |to| match sources.iter().find(|(addr, _)| addr.parse() == Ok(to)) {
            Some((_, "?")) => Source::Unknown,
            Some((_, source)) => Source::Is(source.parse().unwrap()),
            None => Source::None,
        });
        addrs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ipv6_first_where_it_works() {
        let sources = [("2001:db8::1", "2001:db8::9"), ("198.51.100.1", "198.51.100.9")];
        assert_eq!(sorted(&["198.51.100.1", "2001:db8::1"], &sources), ["2001:db8::1", "198.51.100.1"]);
        // Without a way to it: last, but kept.
        assert_eq!(sorted(&["2001:db8::1", "198.51.100.1"], &sources[1..]), ["198.51.100.1", "2001:db8::1"]);
    }

    #[test]
    fn a_private_ipv6_source_does_not_reach_the_world_first() {
        let sources = [("2001:db8::1", "fd00::9"), ("198.51.100.1", "10.0.0.9"), ("fd00::1", "fd00::9")];
        assert_eq!(
            sorted(&["2001:db8::1", "198.51.100.1", "fd00::1"], &sources),
            ["198.51.100.1", "fd00::1", "2001:db8::1"]
        );
    }

    #[test]
    fn equals_keep_the_order_of_the_answer() {
        let addrs = ["198.51.100.7", "198.51.100.1", "203.0.113.5"];
        let sources = addrs.map(|addr| (addr, "198.51.100.9"));
        assert_eq!(sorted(&addrs, &sources), addrs);
        let unknown = addrs.map(|addr| (addr, "?"));
        assert_eq!(sorted(&addrs, &unknown), addrs);
    }

    #[test]
    fn what_is_not_known_is_not_punished() {
        let sources = [("2001:db8::1", "?"), ("198.51.100.1", "198.51.100.9")];
        assert_eq!(sorted(&["198.51.100.1", "2001:db8::1"], &sources), ["2001:db8::1", "198.51.100.1"]);
    }

    #[test]
    fn the_scope_of_the_source_counts() {
        let sources = [("2001:db8::1", "fe80::9"), ("198.51.100.1", "198.51.100.9")];
        assert_eq!(sorted(&["2001:db8::1", "198.51.100.1"], &sources), ["198.51.100.1", "2001:db8::1"]);
        let sources = [("127.0.0.1", "127.0.0.1"), ("::1", "::1")];
        assert_eq!(sorted(&["127.0.0.1", "::1"], &sources), ["::1", "127.0.0.1"]);
    }

    #[test]
    fn the_kernel_is_asked_for_loopback() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(source_address(loopback), Source::Is(loopback));
    }
}
