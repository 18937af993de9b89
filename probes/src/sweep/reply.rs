//! What comes back: answers to our SYNs, told from everything else on the wire by their cookies.
//!
//! Checksums are not looked at. Between namespaces and on a virtual machine they are often not filled in yet when a packet is
//! handed over, and a packet that was damaged on the way would have to be damaged into one of our cookies.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use pnet_packet::icmp::IcmpPacket;
use pnet_packet::icmpv6::Icmpv6Packet;
use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::tcp::{TcpFlags, TcpPacket};

use super::cookie::{Cookie, Cookies};
use crate::diagnose::ends_connect;
use crate::evidence::{Errno, Evidence, Fault, Icmp};
use crate::time::Moment;

/// A valid answer to a SYN of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The destination of the SYN.
    pub target: SocketAddr,
    /// Where the SYN came from.
    pub local: SocketAddr,
    /// [`Cookie::id`] of the destination.
    pub id: u64,
    /// What it says.
    pub what: What,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A SYN-ACK: somebody listens.
    Open {
        /// The timestamp of the SYN that it answers, of a host that speaks of them.
        echo: Option<u32>,
    },
    /// A reset.
    Reset,
    /// An ICMP error that ends a connect.
    Icmp(Icmp),
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// A segment.
    Tcp,
    /// A message of ICMP, of the family's own.
    Icmp,
}

impl Cookies {
    /// The answer in an IP packet that arrived, beginning with its header; `None` if it is none to a SYN of ours: another protocol,
    /// a stray or forged packet, a fragment, an ICMP message that ends no connect.
    #[must_use]
    pub fn answer(&self, packet: &[u8]) -> Option<Answer> {
        self.judge(&ip(packet)?)
    }

    /// The same for what a raw socket of IPv6 hands over: no header, but what its fields and the header before the payload said.
    #[must_use]
    pub fn answer_over_ipv6(&self, from: Ipv6Addr, to: Ipv6Addr, carried: Carried, payload: &[u8]) -> Option<Answer> {
        let protocol = match carried {
            Carried::Tcp => IpNextHeaderProtocols::Tcp,
            Carried::Icmp => IpNextHeaderProtocols::Icmpv6,
        };
        self.judge(&Ip { from: from.into(), to: to.into(), protocol, payload })
    }

    fn judge(&self, ip: &Ip<'_>) -> Option<Answer> {
        match ip.protocol {
            IpNextHeaderProtocols::Tcp => self.segment(ip),
            IpNextHeaderProtocols::Icmp if ip.from.is_ipv4() => {
                let icmp = IcmpPacket::new(ip.payload)?;
                self.icmp(ip, icmp.get_icmp_type().0, icmp.get_icmp_code().0)
            }
            IpNextHeaderProtocols::Icmpv6 if ip.from.is_ipv6() => {
                let icmp = Icmpv6Packet::new(ip.payload)?;
                self.icmp(ip, icmp.get_icmpv6_type().0, icmp.get_icmpv6_code().0)
            }
            _ => None,
        }
    }

    fn segment(&self, ip: &Ip<'_>) -> Option<Answer> {
        let tcp = TcpPacket::new(ip.payload)?;
        let port = tcp.get_source();
        let cookie = self.of(ip.from, port);
        // A reset to a SYN acknowledges it too (RFC 9293 section 3.5.2); one that does not is to somebody else, or forged.
        let acknowledged = tcp.get_flags() & TcpFlags::ACK != 0
            && tcp.get_acknowledgement() == cookie.sequence.wrapping_add(1)
            && tcp.get_destination() == cookie.source_port;
        if !acknowledged {
            return None;
        }
        let what = if tcp.get_flags() & TcpFlags::RST != 0 {
            What::Reset
        } else if tcp.get_flags() & TcpFlags::SYN != 0 {
            What::Open { echo: echo(options(ip.payload, tcp.get_data_offset())) }
        } else {
            return None;
        };
        let (target, local) = (SocketAddr::new(ip.from, port), SocketAddr::new(ip.to, cookie.source_port));
        Some(Answer { target, local, id: cookie.id, what })
    }

    fn icmp(&self, outer: &Ip<'_>, kind: u8, code: u8) -> Option<Answer> {
        let icmp = Icmp { kind, code, from: Some(outer.from), v6: outer.from.is_ipv6() };
        if !ends_connect(&icmp) {
            return None;
        }
        // Type, code, checksum and four bytes that differ by type; then the packet that caused it.
        let quoted = ip(outer.payload.get(8..)?)?;
        if quoted.protocol != IpNextHeaderProtocols::Tcp || quoted.from.is_ipv6() != icmp.v6 {
            return None;
        }
        // Eight bytes are all that a router has to quote of it (RFC 792).
        let word = |at: usize| Some(u16::from_be_bytes([*quoted.payload.get(at)?, *quoted.payload.get(at + 1)?]));
        let (source_port, port) = (word(0)?, word(2)?);
        let sequence = u32::from(word(4)?) << 16 | u32::from(word(6)?);
        let Cookie { sequence: ours, source_port: our_port, id } = self.of(quoted.to, port);
        if sequence != ours || source_port != our_port {
            return None;
        }
        let (target, local) = (SocketAddr::new(quoted.to, port), SocketAddr::new(quoted.from, source_port));
        Some(Answer { target, local, id, what: What::Icmp(icmp) })
    }
}

/// The part of an IP packet that matters.
struct Ip<'a> {
    from: IpAddr,
    to: IpAddr,
    protocol: IpNextHeaderProtocol,
    payload: &'a [u8],
}

/// Reads a packet, of which the end may be missing where it is quoted.
fn ip(packet: &[u8]) -> Option<Ip<'_>> {
    match packet.first()? >> 4 {
        4 => {
            let ip = Ipv4Packet::new(packet)?;
            let header = usize::from(ip.get_header_length()).checked_mul(4).filter(|length| *length >= 20)?;
            // Behind the packet there may be what fills an Ethernet frame up.
            let end = usize::from(ip.get_total_length()).min(packet.len());
            let first = ip.get_fragment_offset() == 0;
            Some(Ip {
                from: ip.get_source().into(),
                to: ip.get_destination().into(),
                protocol: ip.get_next_level_protocol(),
                payload: packet.get(header..end).filter(|_| first)?,
            })
        }
        6 => {
            let ip = Ipv6Packet::new(packet)?;
            let end = (V6_HEADER + usize::from(ip.get_payload_length())).min(packet.len());
            let (protocol, payload) = behind_extensions(ip.get_next_header(), packet.get(V6_HEADER..end)?)?;
            Some(Ip { from: ip.get_source().into(), to: ip.get_destination().into(), protocol, payload })
        }
        _ => None,
    }
}

const V6_HEADER: usize = 40;

/// More headers than anybody sends: no packet keeps us long.
const MOST_EXTENSIONS: usize = 8;

/// What follows the extension headers of IPv6 (RFC 8200 section 4).
fn behind_extensions(mut protocol: IpNextHeaderProtocol, mut rest: &[u8]) -> Option<(IpNextHeaderProtocol, &[u8])> {
    for _ in 0..MOST_EXTENSIONS {
        let length = match protocol {
            IpNextHeaderProtocols::Hopopt | IpNextHeaderProtocols::Ipv6Route | IpNextHeaderProtocols::Ipv6Opts => {
                (usize::from(*rest.get(1)?) + 1) * 8
            }
            IpNextHeaderProtocols::Ah => (usize::from(*rest.get(1)?) + 2) * 4,
            IpNextHeaderProtocols::Ipv6Frag => {
                // Only the first fragment has what we look for.
                if *rest.get(2)? != 0 || *rest.get(3)? & 0xf8 != 0 {
                    return None;
                }
                8
            }
            _ => return Some((protocol, rest)),
        };
        protocol = IpNextHeaderProtocol(*rest.first()?);
        rest = rest.get(length..)?;
    }
    None
}

/// The options of a segment whose header is so many words long.
fn options(segment: &[u8], words: u8) -> &[u8] {
    segment.get(20..usize::from(words) * 4).unwrap_or_default()
}

/// The timestamp echoed in a segment's options (RFC 7323 section 3.2).
fn echo(mut options: &[u8]) -> Option<u32> {
    loop {
        let (kind, rest) = options.split_first()?;
        match kind {
            0 => return None,
            1 => options = rest,
            8 if rest.first() == Some(&10) => {
                return rest.get(5..9)?.first_chunk::<4>().map(|echo| u32::from_be_bytes(*echo));
            }
            _ => options = options.get(usize::from(*rest.first()?).max(2)..)?,
        }
    }
}

impl Answer {
    /// The same as evidence of a connection that was begun `sent` and ended by this answer: the verdict on it is that of the
    /// connect path.
    #[must_use]
    pub fn evidence(&self, sent: Moment, heard: Moment) -> Evidence {
        let mut evidence = Evidence::new(self.target, sent);
        evidence.ended = heard;
        evidence.path.local = Some(self.local);
        evidence.timing.connect = Some(heard.since(sent));
        match self.what {
            What::Open { .. } => evidence.path.half_open = true,
            What::Reset => {
                evidence.fault = Some(Fault::Connect);
                evidence.path.errno = Some(Errno::ECONNREFUSED);
            }
            What::Icmp(icmp) => {
                evidence.fault = Some(Fault::Connect);
                evidence.path.errno = errno(&icmp);
                evidence.path.icmp = Some(icmp);
            }
        }
        evidence
    }
}

/// Evidence of silence: SYNs to `target` from `sent` on, and no answer by `given_up`.
#[must_use]
pub fn silence(target: SocketAddr, sent: Moment, given_up: Moment) -> Evidence {
    let mut evidence = Evidence::new(target, sent);
    evidence.ended = given_up;
    evidence.fault = Some(Fault::ConnectTimeout);
    evidence
}

/// The error number that Linux's connect() gives for an ICMP error (`icmp_err_convert` in net/ipv4/icmp.c, `icmpv6_err_convert`
/// in net/ipv6/icmp.c).
fn errno(icmp: &Icmp) -> Option<Errno> {
    let errno = match (icmp.v6, icmp.kind, icmp.code) {
        (false, 3, 0 | 6 | 9 | 11) => Errno::ENETUNREACH,
        (false, 3, 2) => Errno::ENOPROTOOPT,
        (false, 3, 3) => Errno::ECONNREFUSED,
        (false, 3, 5) => Errno::EOPNOTSUPP,
        (false, 3, 7) => Errno::EHOSTDOWN,
        (false, 3, 8) => Errno::ENONET,
        (false, 3 | 11, _) => Errno::EHOSTUNREACH,
        (false, 12, _) => Errno::EPROTO,
        (true, 1, 0) => Errno::ENETUNREACH,
        (true, 1, 1 | 5 | 6) => Errno::EACCES,
        (true, 1, 4) => Errno::ECONNREFUSED,
        (true, 1 | 3, _) => Errno::EHOSTUNREACH,
        (true, 4, _) => Errno::EPROTO,
        _ => return None,
    };
    Some(errno)
}

#[cfg(test)]
mod tests;
