//! Addresses and ranges of them as numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::problem::{Fault, Quoted};

/// Which families may be used: `-4`, `-6`, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Families {
    /// Both.
    #[default]
    Any,
    /// `-4`.
    V4Only,
    /// `-6`.
    V6Only,
}

impl Families {
    /// That of an address.
    #[must_use]
    pub const fn of(addr: IpAddr) -> Self {
        if addr.is_ipv4() { Families::V4Only } else { Families::V6Only }
    }

    /// Whether `addr` may be connected to.
    #[must_use]
    pub const fn allow(self, addr: IpAddr) -> bool {
        match self {
            Families::Any => true,
            Families::V4Only => addr.is_ipv4(),
            Families::V6Only => addr.is_ipv6(),
        }
    }
}

/// A space of addresses: IPv4, or IPv6 behind one interface (0 where no scope was given).
///
/// fe80::1 on two interfaces is two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// IPv4.
    V4,
    /// IPv6 with a scope: an interface index.
    V6(u32),
}

impl Space {
    /// The number of an address, and the space it lies in.
    #[must_use]
    pub const fn of(addr: IpAddr, scope: u32) -> (Self, u128) {
        match addr {
            IpAddr::V4(v4) => (Space::V4, v4.to_bits() as u128),
            IpAddr::V6(v6) => (Space::V6(scope), v6.to_bits()),
        }
    }

    /// The address with a number, and its scope.
    #[must_use]
    pub fn address(self, number: u128) -> (IpAddr, u32) {
        match self {
            // Numbers of this space come from IPv4 addresses alone.
            Space::V4 => (Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(), 0),
            Space::V6(scope) => (Ipv6Addr::from_bits(number).into(), scope),
        }
    }
}

/// Addresses in a row, one or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddrRange {
    /// Where they lie.
    pub space: Space,
    /// The first.
    pub first: u128,
    /// The last, itself included.
    pub last: u128,
}

impl AddrRange {
    /// One address.
    #[must_use]
    pub const fn single(addr: IpAddr, scope: u32) -> Self {
        let (space, number) = Space::of(addr, scope);
        Self { space, first: number, last: number }
    }

    /// Whether it is one address only.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        self.first == self.last
    }

    /// How many addresses, at most `u128::MAX` (`::/0` has one more).
    #[must_use]
    pub const fn len(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// Never: a range has at least one address.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    fn network(space: Space, number: u128, bits: u32, prefix: u32) -> Self {
        let host = match bits - prefix {
            128 => u128::MAX,
            host_bits => (1 << host_bits) - 1,
        };
        Self { space, first: number & !host, last: number | host }
    }

    /// IPv4-mapped IPv6 is IPv4 to the kernel; the same host must not be two targets.
    fn unmapped(self) -> Self {
        match (
            self.space,
            Ipv6Addr::from_bits(self.first).to_ipv4_mapped(),
            Ipv6Addr::from_bits(self.last).to_ipv4_mapped(),
        ) {
            (Space::V6(_), Some(first), Some(last)) => {
                Self { space: Space::V4, first: first.to_bits().into(), last: last.to_bits().into() }
            }
            _ => self,
        }
    }
}

/// The bits of a prefix length, at most `max`.
fn prefix(text: &str, max: u8) -> Result<u32, Fault> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::PrefixNotNumber(text.into()));
    }
    match text.parse::<u8>() {
        Ok(bits) if bits <= max => Ok(bits.into()),
        _ => Err(Fault::PrefixTooLong(text.into(), max)),
    }
}

/// Whether `text` can only be meant as IPv4: digits, dots, dashes, a prefix length, wildcards.
pub(crate) fn looks_like_v4(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'/' | b'*'))
        || text.split_once('/').is_some_and(|(addr, _)| addr.parse::<Ipv4Addr>().is_ok())
}

/// `10.0.0.1`, `10.0.0.0/24`, `10.0.0.1-50`, `10.0.0.1-10.0.0.50`.
///
/// A network with host bits set (`10.0.0.5/24`) is the whole network, as for nmap. All of its addresses belong to it:
/// which of them are network and broadcast addresses is nothing that a prefix length tells.
pub(crate) fn v4_range(text: &str) -> Result<AddrRange, Fault> {
    if text.contains('*') {
        return Err(Fault::Wildcard);
    }
    if let Some((addr, length)) = text.split_once('/') {
        if addr.contains('-') {
            return Err(Fault::RangeWithPrefix);
        }
        return Ok(AddrRange::network(Space::V4, v4(addr)?.to_bits().into(), 32, prefix(length, 32)?));
    }
    let Some((from, to)) = text.split_once('-') else {
        return Ok(AddrRange::single(v4(text)?.into(), 0));
    };
    if to.is_empty() || to.contains('-') || from.split('.').count() != 4 {
        return Err(Fault::RangeShape);
    }
    let first = v4(from)?;
    let [a, b, c, d] = first.octets();
    let (last, corrected) = if to.contains('.') {
        let last = v4(to)?;
        (last, format!("{last}-{first}"))
    } else {
        let octet: u8 = to
            .parse()
            .map_err(|_| Fault::V4Malformed { addr: to.into(), why: "as the end of a range it is too much".into() })?;
        (Ipv4Addr::new(a, b, c, octet), format!("{a}.{b}.{c}.{octet}-{d}"))
    };
    if last < first {
        return Err(Fault::RangeReversed(corrected.into()));
    }
    Ok(AddrRange { space: Space::V4, first: first.to_bits().into(), last: last.to_bits().into() })
}

fn v4(text: &str) -> Result<Ipv4Addr, Fault> {
    text.parse().map_err(|_| {
        let parts: Vec<&str> = text.split('.').collect();
        let zero_led =
            |part: &&&str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        let why = if parts.len() != 4 {
            format!("{} number{}", parts.len(), if parts.len() == 1 { "" } else { "s" })
        } else if parts.iter().any(|part| part.is_empty()) {
            "a number is missing".into()
        } else if let Some(part) = parts.iter().find(zero_led) {
            // inet_aton(3), and so ssh, reads 010 as eight.
            format!("{part} may be read as octal")
        } else if let Some(part) = parts.iter().find(|part| part.parse::<u8>().is_err()) {
            format!("{} is too much", Quoted(part))
        } else {
            "it has a strange form".into()
        };
        Fault::V4Malformed { addr: text.into(), why: why.into() }
    })
}

/// `2001:db8::1`, `fe80::1%eth0`, `2001:db8::/120`, `2001:db8::1-2001:db8::ff`, without brackets.
///
/// `outer` is the prefix length that stood behind the brackets, if any. An interface is looked up here: a target that
/// cannot be reached from this machine by its very spelling is a mistake to be shown before anything is sent.
pub(crate) fn v6_range(text: &str, outer: Option<&str>) -> Result<AddrRange, Fault> {
    let (text, inner) = match text.split_once('/') {
        // `fe80::/120%eth0` is as common as `fe80::%eth0/120`.
        Some((addr, rest)) => match rest.split_once('%') {
            Some((length, scope)) => (format!("{addr}%{scope}"), Some(length)),
            None => (addr.to_owned(), Some(rest)),
        },
        None => (text.to_owned(), None),
    };
    let length = match (inner, outer) {
        (Some(_), Some(_)) => return Err(Fault::PrefixTwice),
        (inner, outer) => inner.or(outer),
    };
    let (addrs, scope) = match text.split_once('%') {
        Some((addrs, scope)) => (addrs, Some(scope)),
        None => (text.as_str(), None),
    };
    let mut range = match (addrs.split_once('-'), length) {
        (Some(_), Some(_)) => return Err(Fault::RangeWithPrefix),
        (Some((from, to)), None) => {
            let first = v6(from)?;
            let last: Ipv6Addr = to.parse().map_err(|_| Fault::RangeShapeV6)?;
            if last < first {
                return Err(Fault::RangeReversed(format!("[{last}-{first}]").into()));
            }
            AddrRange { space: Space::V6(0), first: first.to_bits(), last: last.to_bits() }
        }
        (None, Some(length)) => AddrRange::network(Space::V6(0), v6(addrs)?.to_bits(), 128, prefix(length, 128)?),
        (None, None) => AddrRange::single(v6(addrs)?.into(), 0),
    };
    if let Some(name) = scope {
        if name.is_empty() {
            return Err(Fault::ScopeMissing);
        }
        let link_local = |number| Ipv6Addr::from_bits(number).is_unicast_link_local();
        if !(link_local(range.first) && link_local(range.last)) {
            return Err(Fault::ScopeMisplaced(name.into()));
        }
        range.space = Space::V6(interface(name).ok_or_else(|| Fault::ScopeUnknown(name.into()))?);
    }
    Ok(range.unmapped())
}

fn v6(text: &str) -> Result<Ipv6Addr, Fault> {
    text.parse().map_err(|_| Fault::V6Malformed(text.into()))
}

/// The index of an interface, by its name or, as `getaddrinfo(3)` takes it, by its index.
fn interface(name: &str) -> Option<u32> {
    // The kernel takes `eth0:22` for eth0, a relic of alias interfaces: here it is a port without brackets.
    if name.contains(':') {
        return None;
    }
    if let Ok(index) = nix::net::if_::if_nametoindex(name) {
        return Some(index);
    }
    name.parse().ok().filter(|index| *index != 0)
}

/// The port, if an IPv6 address without brackets could as well be a shorter address with a port behind it.
///
/// `2001:db8::10`, `::1` and `fe80::1` cannot: without their last group they are no addresses. Neither can an address
/// with all of its eight groups, nor one whose last group is not all decimal digits. `::1:22` can. So could, by chance,
/// one link-local address in six or seven: those that are made from a hardware address (RFC 4291 appendix A, ff:fe in
/// the middle of the interface identifier) are spared, as without the last group the middle would be elsewhere.
pub(crate) fn port_in_disguise(text: &str) -> Option<u16> {
    let whole: Ipv6Addr = text.parse().ok()?;
    let (addr, last) = text.rsplit_once(':')?;
    addr.parse::<Ipv6Addr>().ok()?;
    if !last.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let port = last.parse().ok().filter(|port| *port != 0)?;
    let hardware_made = matches!(whole.octets(), [.., 0xff, 0xfe, _, _, _]);
    (!hardware_made).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_port() {
        for (text, disguise) in [
            ("::1:22", Some(22)),
            ("2001:db8::1:22", Some(22)),
            ("2001:db8::a:1", Some(1)),
            ("fe80::1:9999", Some(9999)),
            ("fe80::a00:27ff:fe4e:66a1:22", Some(22)),
            ("::ffff:10.0.0.1", None),
            ("2001:db8::10", None),
            ("::22", None),
            ("::1", None),
            ("fe80::1", None),
            ("2001:db8::a:0", None),
            ("2001:db8::a:1f", None),
            ("2001:db8:1:2:3:4:5:22", None),
            ("fe80::a00:27ff:fe4e:6612", None),
        ] {
            assert_eq!(port_in_disguise(text), disguise, "{text}");
        }
    }

    #[test]
    fn numbers_and_addresses_are_the_same() {
        for (addr, scope) in [("10.1.2.3", 0), ("::1", 0), ("fe80::1", 7), ("255.255.255.255", 0)] {
            let addr: IpAddr = addr.parse().unwrap();
            let (space, number) = Space::of(addr, scope);
            assert_eq!(space.address(number), (addr, scope));
        }
        let everything = AddrRange { space: Space::V6(0), first: 0, last: u128::MAX };
        assert_eq!(everything.len(), u128::MAX);
    }
}
