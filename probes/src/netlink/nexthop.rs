//! The next hop to an address, and whether the kernel still looks for it on its link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Attributes, ERROR, HEADER, Unclear, half, word};
use crate::evidence::Errno;

// linux/netlink.h, linux/rtnetlink.h, linux/neighbour.h.
const REQUEST: u16 = 1;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
const LOCAL: u8 = 2;
/// INCOMPLETE and FAILED: the others have a link-layer address, or need none.
const LOOKED_FOR: [u16; 2] = [0x01, 0x20];

/// Where packets to an address are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    addr: IpAddr,
    interface: u32,
}

/// Asks by which route packets to an address go; `scope` is the interface of an address that needs one, else 0.
#[must_use]
pub fn route_to(addr: IpAddr, scope: u32) -> Vec<u8> {
    const TO: u16 = 1;
    const OUT: u16 = 4;
    let mut body = vec![0; 12];
    body.splice(..2, [family(addr), if addr.is_ipv4() { 32 } else { 128 }]);
    attribute(&mut body, TO, &octets(addr));
    if scope != 0 {
        attribute(&mut body, OUT, &scope.to_ne_bytes());
    }
    message(GET_ROUTE, &body)
}

/// Reads the answer to [`route_to`]; `None` for addresses of this machine's own, which nobody has to find.
///
/// # Errors
/// There is no route, or none that is understood here.
pub fn next_hop(addr: IpAddr, answer: &[u8]) -> Result<Option<NextHop>, Unclear> {
    const OUT: u16 = 4;
    const GATEWAY: u16 = 5;
    const VIA: u16 = 18;
    let body = body(answer, NEW_ROUTE)?;
    let mut hop = NextHop { addr, interface: 0 };
    for attribute in Attributes(body.get(12..).ok_or(Unclear)?) {
        match attribute? {
            (OUT, value) => hop.interface = word(value, 0).ok_or(Unclear)?,
            (GATEWAY, value) => hop.addr = address(value)?,
            // With its family in front.
            (VIA, value) => hop.addr = address(value.get(2..).ok_or(Unclear)?)?,
            _ => {}
        }
    }
    Ok((body.get(7) != Some(&LOCAL)).then_some(hop))
}

/// What an address is to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of its own.
    Own,
    /// That of everybody on a link.
    Broadcast,
    /// That of a group.
    Multicast,
    /// Another host's, or nobody's.
    Elsewhere,
}

/// Reads from the answer to [`route_to`] what an address is. One without a route is no address of this machine's.
///
/// # Errors
/// It does not say.
pub fn kind(answer: &[u8]) -> Result<Kind, Unclear> {
    const NO_ROUTE: [Errno; 4] = [Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::EACCES, Errno::EINVAL];
    const BROADCAST: u8 = 3;
    const ANYCAST: u8 = 4;
    const MULTICAST: u8 = 5;
    if let Ok(body) = body(answer, ERROR) {
        let errno = word(body, 0).map(|errno| Errno(errno.cast_signed().wrapping_neg())).ok_or(Unclear)?;
        return if NO_ROUTE.contains(&errno) { Ok(Kind::Elsewhere) } else { Err(Unclear) };
    }
    Ok(match *body(answer, NEW_ROUTE)?.get(7).ok_or(Unclear)? {
        LOCAL | ANYCAST => Kind::Own,
        BROADCAST => Kind::Broadcast,
        MULTICAST => Kind::Multicast,
        _ => Kind::Elsewhere,
    })
}

/// Asks what is known of a next hop.
#[must_use]
pub fn neighbour(hop: NextHop) -> Vec<u8> {
    const TO: u16 = 1;
    let mut body = vec![0; 12];
    body.splice(..1, [family(hop.addr)]);
    body.splice(4..8, hop.interface.to_ne_bytes());
    attribute(&mut body, TO, &octets(hop.addr));
    message(GET_NEIGHBOUR, &body)
}

/// Reads the answer to [`neighbour`]: whether the next hop is still looked for. Of one that has no entry nothing waits.
#[must_use]
pub fn is_looked_for(answer: &[u8]) -> bool {
    let state = body(answer, NEW_NEIGHBOUR).ok().and_then(|body| half(body, 8));
    state.is_some_and(|state| LOOKED_FOR.contains(&state))
}

fn family(addr: IpAddr) -> u8 {
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    if addr.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

fn address(value: &[u8]) -> Result<IpAddr, Unclear> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Ok(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(value).map(|octets| Ipv6Addr::from(octets).into()).map_err(|_| Unclear)
}

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len()) as u32;
    let head = length.to_ne_bytes().into_iter().chain(kind.to_ne_bytes()).chain(REQUEST.to_ne_bytes());
    head.chain([0; 8]).chain(body.iter().copied()).collect()
}

/// All lengths here are multiples of four.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend((4 + value.len() as u16).to_ne_bytes().into_iter().chain(kind.to_ne_bytes()));
    body.extend(value);
}

/// What an answer says, if it is of this kind.
fn body(answer: &[u8], kind: u16) -> Result<&[u8], Unclear> {
    let length = word(answer, 0).and_then(|length| usize::try_from(length).ok()).ok_or(Unclear)?;
    let body = answer.get(HEADER..length).ok_or(Unclear)?;
    if half(answer, 4) == Some(kind) { Ok(body) } else { Err(Unclear) }
}

#[cfg(test)]
mod tests {
    use super::super::written;
    use super::*;
    use proptest::prelude::*;

    const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

    fn route(kind: u8, more: &[Vec<u8>]) -> Vec<u8> {
        let fixed = vec![2, 32, 0, 0, 254, 0, 0, kind, 0, 0, 0, 0];
        written::message(NEW_ROUTE, 0, &[fixed, written::attribute(4, &3u32.to_ne_bytes()), more.concat()].concat())
    }

    #[test]
    fn a_route_says_who_is_next() {
        let on_link = next_hop(FAR, &route(1, &[])).unwrap().unwrap();
        assert_eq!(on_link, NextHop { addr: FAR, interface: 3 });
        let gateway = next_hop(FAR, &route(1, &[written::attribute(5, &[192, 0, 2, 254])])).unwrap().unwrap();
        assert_eq!(gateway.addr, IpAddr::from([192, 0, 2, 254]));
        let over_ipv6 = [&[10, 0][..], &Ipv6Addr::LOCALHOST.octets()].concat();
        let via = next_hop(FAR, &route(1, &[written::attribute(18, &over_ipv6)])).unwrap().unwrap();
        assert_eq!(via.addr, IpAddr::from(Ipv6Addr::LOCALHOST));
        assert_eq!(next_hop(FAR, &route(LOCAL, &[])), Ok(None));
        for unclear in [written::message(2, 0, &[0; 20]), route(1, &[written::attribute(5, &[1])]), vec![1, 2, 3]] {
            assert_eq!(next_hop(FAR, &unclear), Err(Unclear), "{unclear:?}");
        }
    }

    #[test]
    fn a_route_says_whose_an_address_is() {
        for (route_type, wanted) in
            [(1, Kind::Elsewhere), (2, Kind::Own), (3, Kind::Broadcast), (4, Kind::Own), (5, Kind::Multicast)]
        {
            assert_eq!(kind(&route(route_type, &[])), Ok(wanted), "{route_type}");
        }
        let error = |errno: i32| kind(&written::message(ERROR, 0, &[&errno.to_ne_bytes()[..], &[0; 16]].concat()));
        assert_eq!(
            (error(-101), error(-13)),
            (Ok(Kind::Elsewhere), Ok(Kind::Elsewhere)),
            "no route, and a forbidden one"
        );
        assert_eq!((error(-12), error(0), kind(&[1, 2, 3])), (Err(Unclear), Err(Unclear), Err(Unclear)));
    }

    #[test]
    fn a_neighbour_is_looked_for_until_it_has_answered() {
        let entry = |state: u16| {
            let fixed = [&[2, 0, 0, 0, 3, 0, 0, 0][..], &state.to_ne_bytes(), &[0, 1]].concat();
            written::message(NEW_NEIGHBOUR, 0, &fixed)
        };
        for (state, looked_for) in
            [(0x00, false), (0x01, true), (0x02, false), (0x04, false), (0x20, true), (0x40, false)]
        {
            assert_eq!(is_looked_for(&entry(state)), looked_for, "{state:#x}");
        }
        assert!(!is_looked_for(&written::message(2, 0, &(-2i32).to_ne_bytes())), "ENOENT: there is none");
    }

    #[test]
    fn questions_are_the_kernels() {
        let question = route_to("fe80::1".parse().unwrap(), 7);
        assert_eq!((question.len(), half(&question, 4), half(&question, 6)), (16 + 12 + 20 + 8, Some(26), Some(1)));
        assert_eq!((question[16], question[17], word(&question, 0)), (10, 128, Some(56)));
        let question = neighbour(NextHop { addr: FAR, interface: 3 });
        assert_eq!((half(&question, 4), question[16], word(&question, 20)), (Some(30), 2, Some(3)));
        assert!(question.ends_with(&[8, 0, 1, 0, 198, 51, 100, 7]));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            for answer in [&bytes, &written::message(NEW_ROUTE, 0, &bytes), &written::message(NEW_NEIGHBOUR, 0, &bytes)] {
                let _ = next_hop(FAR, answer);
                let _ = is_looked_for(answer);
                let _ = kind(answer);
            }
        }
    }
}
