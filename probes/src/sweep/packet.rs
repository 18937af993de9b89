//! The SYN, as Linux would send it: a filter or a server that treats odd packets oddly must see nothing odd.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv4::{Ipv4Flags, MutableIpv4Packet};
use pnet_packet::ipv6::MutableIpv6Packet;
use pnet_packet::tcp::{MutableTcpPacket, TcpFlags, TcpOption};

use super::cookie::Cookie;

/// A SYN's length with IPv6's header, the longer one.
pub const LONGEST: usize = V6_HEADER + TCP_HEADER;

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
/// With 20 bytes of options.
const TCP_HEADER: usize = 40;
/// Linux's first window: ten segments and some.
const WINDOW: u16 = 64_240;
/// Linux's window scale with its default buffers.
const SCALE: u8 = 7;
/// Hops of a packet, as Linux has it.
const HOPS: u8 = 64;

/// Writes SYNs from one source address.
///
/// What is the same in all of them is written once: the rest is few bytes, and what they add to the checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syns {
    /// The SYN to nowhere: address, ports, numbers and checksums of it are 0.
    bytes: [u8; LONGEST],
    v6: bool,
    /// The sums of its words: of IPv4's header, and of the segment with its pseudo-header.
    sums: (u32, u32),
}

impl Syns {
    /// SYNs from `source` over a link of this MTU.
    #[must_use]
    pub fn new(source: IpAddr, mtu: u16) -> Self {
        let mut syns = Self { bytes: [0; LONGEST], v6: source.is_ipv6(), sums: (0, 0) };
        let header = syns.header();
        // A segment below 536 bytes is one that no host has to send (RFC 9293 section 3.7.1).
        let segment = mtu.saturating_sub(header as u16 + 20).max(536);
        // There is room for both; if there were not, nothing would ever be written.
        if let Some((ip, tcp)) = syns.bytes.split_at_mut_checked(header) {
            syns.sums = match source {
                IpAddr::V4(source) => (v4(ip, source), segment_to_nowhere(tcp, segment, sum(&source.octets()))),
                IpAddr::V6(source) => (v6(ip, source), segment_to_nowhere(tcp, segment, sum(&source.octets()))),
            };
        }
        syns
    }

    const fn header(&self) -> usize {
        if self.v6 { V6_HEADER } else { V4_HEADER }
    }

    /// Writes the IP packet with the SYN to `to` into `out`; gives its length, or `None` if `to` is of the other family or `out`
    /// too short ([`LONGEST`] is enough). `sent` goes out as its timestamp, and comes back with the answer of most hosts: time in
    /// a unit of the caller's.
    pub fn write(&self, to: IpAddr, port: u16, cookie: Cookie, sent: u32, out: &mut [u8]) -> Option<usize> {
        let header = self.header();
        let length = header + TCP_HEADER;
        let out = out.get_mut(..length).filter(|_| to.is_ipv6() == self.v6)?;
        out.copy_from_slice(self.bytes.get(..length)?);
        let (ip, tcp) = out.split_at_mut_checked(header)?;
        // Different for each destination, and the same for each of its tries.
        let label = cookie.id >> 40;
        let to_sum = match to {
            IpAddr::V4(to) => {
                let (id, to) = ((label as u16).to_be_bytes(), to.octets());
                put(ip, 4, &id)?;
                put(ip, 16, &to)?;
                put(ip, 10, &checksum(self.sums.0 + sum(&id) + sum(&to)))?;
                sum(&to)
            }
            IpAddr::V6(to) => {
                let first = 6 << 28 | label as u32 & 0xf_ffff;
                put(ip, 0, &first.to_be_bytes())?;
                put(ip, 24, &to.octets())?;
                sum(&to.octets())
            }
        };
        let [source_port, port] = [cookie.source_port, port].map(u16::to_be_bytes);
        let [sequence, sent] = [cookie.sequence, sent].map(u32::to_be_bytes);
        put(tcp, 0, &source_port)?;
        put(tcp, 2, &port)?;
        put(tcp, 4, &sequence)?;
        put(tcp, TIMESTAMP, &sent)?;
        let numbers = sum(&source_port) + sum(&port) + sum(&sequence) + sum(&sent);
        put(tcp, 16, &checksum(self.sums.1 + to_sum + numbers))?;
        Some(length)
    }
}

/// Where in the segment the timestamp stands.
const TIMESTAMP: usize = 28;

fn put<const N: usize>(out: &mut [u8], at: usize, bytes: &[u8; N]) -> Option<()> {
    *out.get_mut(at..)?.first_chunk_mut()? = *bytes;
    Some(())
}

/// The words of an even number of bytes added up.
fn sum(bytes: &[u8]) -> u32 {
    bytes.as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum()
}

/// The checksum of words that add up to `sum` (RFC 1071): some dozens of them, so that nothing overflows.
fn checksum(sum: u32) -> [u8; 2] {
    let once = (sum & 0xffff) + (sum >> 16);
    let folded = (once & 0xffff) + (once >> 16);
    (!(folded as u16)).to_be_bytes()
}

/// Writes all of a segment that is the same for every destination; the sum of its words and of the pseudo-header, in which the
/// source adds `source`.
fn segment_to_nowhere(out: &mut [u8], segment: u16, source: u32) -> u32 {
    if let Some(mut tcp) = MutableTcpPacket::new(out) {
        tcp.set_data_offset((TCP_HEADER / 4) as u8);
        tcp.set_flags(TcpFlags::SYN);
        tcp.set_window(WINDOW);
        // In Linux's order.
        tcp.set_options(&[
            TcpOption::mss(segment),
            TcpOption::sack_perm(),
            TcpOption::timestamp(0, 0),
            TcpOption::nop(),
            TcpOption::wscale(SCALE),
        ]);
    }
    let pseudo = u32::from(IpNextHeaderProtocols::Tcp.0) + TCP_HEADER as u32;
    source + pseudo + sum(out)
}

/// The same for the header of IPv4.
fn v4(out: &mut [u8], source: Ipv4Addr) -> u32 {
    if let Some(mut ip) = MutableIpv4Packet::new(out) {
        ip.set_version(4);
        ip.set_header_length((V4_HEADER / 4) as u8);
        ip.set_total_length((V4_HEADER + TCP_HEADER) as u16);
        ip.set_flags(Ipv4Flags::DontFragment);
        ip.set_ttl(HOPS);
        ip.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
        ip.set_source(source);
    }
    sum(out)
}

/// And for that of IPv6, which has no checksum.
fn v6(out: &mut [u8], source: Ipv6Addr) -> u32 {
    if let Some(mut ip) = MutableIpv6Packet::new(out) {
        ip.set_version(6);
        ip.set_payload_length(TCP_HEADER as u16);
        ip.set_next_header(IpNextHeaderProtocols::Tcp);
        ip.set_hop_limit(HOPS);
        ip.set_source(source);
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The ones' complement sum of RFC 1071 over what is given; a packet with a right checksum in it sums to 0xffff.
    fn sum(parts: &[&[u8]]) -> u16 {
        let bytes: Vec<u8> = parts.concat();
        let mut sum: u32 =
            bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    fn written(source: &str, to: &str) -> Vec<u8> {
        let cookie = Cookie { sequence: 0x0102_0304, source_port: 30_000, id: 0x0009_8765_0000_0000 };
        let mut out = [0xee; LONGEST];
        let syns = Syns::new(source.parse().unwrap(), 1500);
        let length = syns.write(to.parse().unwrap(), 22, cookie, 0x0a0b_0c0d, &mut out).unwrap();
        assert!(out[length..].iter().all(|byte| *byte == 0xee));
        out[..length].to_vec()
    }

    /// Byte for byte; the checksums were computed by hand from RFC 1071.
    #[test]
    fn a_syn_over_ipv4_is_linuxs() {
        let syn = written("192.0.2.1", "198.51.100.7");
        let mut wanted = vec![0x45, 0, 0, 60, 0x09, 0x87, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7];
        wanted.extend([0x75, 0x30, 0, 22, 1, 2, 3, 4, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
        wanted.extend([2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x0a, 0x0b, 0x0c, 0x0d, 0, 0, 0, 0, 1, 3, 3, 7]);
        wanted[10..12].copy_from_slice(&syn[10..12]);
        wanted[36..38].copy_from_slice(&syn[36..38]);
        assert_eq!(syn, wanted);
        assert_eq!(sum(&[&syn[..20]]), 0xffff);
        assert_eq!(sum(&[&syn[12..20], &[0, 6, 0, 40], &syn[20..]]), 0xffff);
    }

    #[test]
    fn a_syn_over_ipv6_is_linuxs() {
        let syn = written("2001:db8::1", "2001:db8:1::7");
        assert_eq!(syn.len(), LONGEST);
        assert_eq!(syn[..8], [0x60, 0x00, 0x09, 0x87, 0, 40, 6, 64]);
        assert_eq!(syn[60..64], [2, 4, 0x05, 0xa0]);
        assert_eq!(sum(&[&syn[8..40], &[0, 0, 0, 40, 0, 0, 0, 6], &syn[40..]]), 0xffff);
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let cookie = Cookie { sequence: 1, source_port: 2, id: 3 };
        let syns = Syns::new("192.0.2.1".parse().unwrap(), 1500);
        let mut out = [0; LONGEST];
        assert_eq!(syns.write("2001:db8::1".parse().unwrap(), 22, cookie, 0, &mut out), None);
        assert_eq!(syns.write("192.0.2.2".parse().unwrap(), 22, cookie, 0, &mut out[..59]), None);
        assert_eq!(syns.write("192.0.2.2".parse().unwrap(), 22, cookie, 0, &mut out[..60]), Some(60));
        let segment = |source: &str, header: usize, mtu| {
            let bytes = Syns::new(source.parse().unwrap(), mtu).bytes;
            u16::from_be_bytes([bytes[header + 22], bytes[header + 23]])
        };
        assert_eq!((segment("192.0.2.1", 20, 500), segment("::1", 40, 65_535)), (536, 65_475));
    }

    proptest! {
        #[test]
        fn checksums_hold_for_any_numbers(source: u32, to: u32, v6_source: u128, v6_to: u128, port: u16, sequence: u32, source_port: u16, id: u64, sent: u32) {
            let cookie = Cookie { sequence, source_port, id };
            let mut out = [0; LONGEST];
            let v4 = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
            let length = Syns::new(v4(source), 1500).write(v4(to), port, cookie, sent, &mut out).unwrap();
            prop_assert_eq!(sum(&[&out[..20]]), 0xffff);
            prop_assert_eq!(sum(&[&out[12..20], &[0, 6, 0, 40], &out[20..length]]), 0xffff);
            let v6 = |bits| IpAddr::V6(Ipv6Addr::from_bits(bits));
            Syns::new(v6(v6_source), 1500).write(v6(v6_to), port, cookie, sent, &mut out).unwrap();
            prop_assert_eq!(sum(&[&out[8..40], &[0, 0, 0, 40, 0, 0, 0, 6], &out[40..]]), 0xffff);
        }
    }
}
