use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::diagnose::{Code, classify};
use crate::plan::Depth;
use crate::random::Seed;
use crate::sweep::cookie::SourcePorts;
use crate::sweep::packet::{LONGEST, Syns};

const V4: (&str, &str, &str) = ("192.0.2.1", "198.51.100.7", "203.0.113.9");
const V6: (&str, &str, &str) = ("2001:db8::1", "2001:db8:1::7", "2001:db8:9::9");

fn cookies() -> Cookies {
    Cookies::new(Seed([5; 32]), SourcePorts::BELOW_LINUX)
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn syn(source: IpAddr, to: IpAddr, port: u16) -> Vec<u8> {
    let mut out = [0; LONGEST];
    let length = Syns::new(source, 1500).write(to, port, cookies().of(to, port), 77, &mut out).unwrap();
    out[..length].to_vec()
}

/// An IP packet.
fn packet(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let mut out = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut out = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
            out[2..4].copy_from_slice(&(length + 20).to_be_bytes());
            out.extend(from.octets());
            out.extend(to.octets());
            out
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut out = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
            out[4..6].copy_from_slice(&length.to_be_bytes());
            out.extend(from.octets());
            out.extend(to.octets());
            out
        }
        _ => unreachable!("one family"),
    };
    out.extend(payload);
    out
}

/// A segment with these flags in answer to a SYN, with these options.
fn answer_to(syn: &[u8], flags: u8, options: &[u8]) -> Vec<u8> {
    let ip = ip(syn).unwrap();
    let tcp = TcpPacket::new(ip.payload).unwrap();
    let mut out = tcp.get_destination().to_be_bytes().to_vec();
    out.extend(tcp.get_source().to_be_bytes());
    out.extend([9, 9, 9, 9]);
    out.extend(tcp.get_sequence().wrapping_add(1).to_be_bytes());
    out.extend([(5 + options.len() as u8 / 4) << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(options);
    packet(ip.to, ip.from, 6, &out)
}

/// An ICMP error about a packet, of which it quotes so much.
fn error_about(syn: &[u8], from: IpAddr, kind: u8, code: u8, quoted: usize) -> Vec<u8> {
    let to = ip(syn).unwrap().from;
    let message = [&[kind, code, 0, 0, 0, 0, 0, 0], &syn[..quoted.min(syn.len())]].concat();
    packet(from, to, if from.is_ipv4() { 1 } else { 58 }, &message)
}

const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;

#[test]
fn answers_are_known_by_their_cookies() {
    for (source, to, _) in [V4, V6] {
        let (source, to) = (addr(source), addr(to));
        let syn = syn(source, to, 2222);
        let cookie = cookies().of(to, 2222);
        let wanted = |what| {
            let (target, local) = (SocketAddr::new(to, 2222), SocketAddr::new(source, cookie.source_port));
            Some(Answer { target, local, id: cookie.id, what })
        };
        let open = What::Open { echo: None };
        assert_eq!(cookies().answer(&answer_to(&syn, SYN_ACK, &[])), wanted(open));
        let stamped = [2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 1, 1, 1, 0, 0, 0, 77, 1, 3, 3, 7];
        assert_eq!(cookies().answer(&answer_to(&syn, SYN_ACK, &stamped)), wanted(What::Open { echo: Some(77) }));
        assert_eq!(cookies().answer(&answer_to(&syn, RST_ACK, &[])), wanted(What::Reset));
        // ECN and other flags beside them change nothing.
        assert_eq!(cookies().answer(&answer_to(&syn, SYN_ACK | 0x40, &[])), wanted(open));
        // A reset wins over a SYN in the same segment, as nothing can come of it.
        assert_eq!(cookies().answer(&answer_to(&syn, SYN_ACK | 0x04, &[])), wanted(What::Reset));
        for flags in [0x10, 0x02, 0x04, 0x01, 0x11, 0x18] {
            assert_eq!(cookies().answer(&answer_to(&syn, flags, &[])), None, "flags {flags:#x}");
        }
        // Our own SYN, heard on the way out, is no answer.
        assert_eq!(cookies().answer(&syn), None);
    }
}

/// Each bit of address, ports and acknowledgement counts.
#[test]
fn strays_and_forgeries_are_ignored() {
    for (source, to, _) in [V4, V6] {
        let syn = syn(addr(source), addr(to), 22);
        let answer = answer_to(&syn, SYN_ACK, &[]);
        let (header, from) = if source == V4.0 { (20, 12..16) } else { (40, 8..24) };
        // Source address, both ports, and the acknowledgement.
        for at in from.chain(header..header + 4).chain(header + 8..header + 12) {
            for bit in 0..8 {
                let mut forged = answer.clone();
                forged[at] ^= 1 << bit;
                assert_eq!(cookies().answer(&forged), None, "byte {at}, bit {bit}");
            }
        }
        let other_key = Cookies::new(Seed([6; 32]), SourcePorts::BELOW_LINUX);
        assert_eq!(other_key.answer(&answer), None);
        for cut in 0..answer.len() {
            assert_eq!(cookies().answer(&answer[..cut]), None, "cut at {cut}");
        }
    }
}

#[test]
fn what_a_raw_socket_of_ipv6_hands_over_is_judged_the_same() {
    let (source, to, router) = V6;
    let syn = syn(addr(source), addr(to), 22);
    let v6 = |text: &str| text.parse::<Ipv6Addr>().unwrap();
    for (packet, from, carried) in [
        (answer_to(&syn, SYN_ACK, &[]), to, Carried::Tcp),
        (answer_to(&syn, RST_ACK, &[]), to, Carried::Tcp),
        (error_about(&syn, addr(router), 1, 4, usize::MAX), router, Carried::Icmp),
    ] {
        let whole = cookies().answer(&packet);
        assert!(whole.is_some());
        assert_eq!(cookies().answer_over_ipv6(v6(from), v6(source), carried, &packet[40..]), whole);
        let other = if carried == Carried::Tcp { Carried::Icmp } else { Carried::Tcp };
        assert_eq!(cookies().answer_over_ipv6(v6(from), v6(source), other, &packet[40..]), None);
    }
}

#[test]
fn icmp_counts_only_with_our_own_packet_in_it() {
    for ((source, to, router), kind, code, header) in [(V4, 3, 13, 20), (V6, 1, 1, 40)] {
        let syn = syn(addr(source), addr(to), 22);
        let icmp = Icmp { kind, code, from: Some(addr(router)), v6: header == 40 };
        let whole = error_about(&syn, addr(router), kind, code, usize::MAX);
        let answer = cookies().answer(&whole).unwrap();
        assert_eq!(
            (answer.what, answer.target, answer.id),
            (What::Icmp(icmp), SocketAddr::new(addr(to), 22), cookies().of(addr(to), 22).id)
        );
        assert_eq!(answer.local.ip(), addr(source));
        // Eight bytes of the segment are enough, seven are not.
        assert!(cookies().answer(&error_about(&syn, addr(router), kind, code, header + 8)).is_some());
        assert_eq!(cookies().answer(&error_about(&syn, addr(router), kind, code, header + 7)), None);
        // Quoted ports, sequence number and destination.
        let to_at = if header == 20 { 16..20 } else { 24..40 };
        for at in (header..header + 8).chain(to_at) {
            let mut forged = whole.clone();
            forged[header + 8 + at] ^= 0x10;
            assert_eq!(cookies().answer(&forged), None, "byte {at} of the quoted packet");
        }
    }
}

/// Of every type and code there is the verdict is the one of the connect path, which the kernel's numbers and the same message give.
#[test]
fn every_icmp_error_is_judged_as_on_the_connect_path() {
    let (sent, heard) = (Moment::from_micros(1_000), Moment::from_micros(51_000));
    let mut codes = std::collections::BTreeMap::new();
    for (source, to, router) in [V4, V6] {
        let syn = syn(addr(source), addr(to), 22);
        for kind in 0..=255 {
            for code in 0..=255 {
                let answer = cookies().answer(&error_about(&syn, addr(router), kind, code, usize::MAX));
                let v6 = source == V6.0;
                let error = if v6 {
                    (1..=4).contains(&kind) && kind != 2
                } else {
                    matches!(kind, 3 | 11 | 12) && (kind, code) != (3, 4)
                };
                assert_eq!(answer.is_some(), error, "v6 {v6} {kind}/{code}");
                let Some(answer) = answer else { continue };
                let evidence = answer.evidence(sent, heard);
                assert!(evidence.path.errno.is_some(), "v6 {v6} {kind}/{code}");
                let verdict = classify(&evidence, Depth::Auth);
                assert!(
                    verdict.detail.contains("203.0.113.9") || verdict.detail.contains("2001:db8:9::9"),
                    "{verdict:?}"
                );
                if code < 16 {
                    *codes.entry((v6, verdict.code.name())).or_insert(0) += 1;
                }
                // Without the message, which some kernels do not hand over, the number says nearly the same.
                let mut without = evidence.clone();
                without.path.icmp = None;
                let alone = classify(&without, Depth::Auth).code;
                assert!(alone.status() == verdict.code.status(), "v6 {v6} {kind}/{code}: {alone} {}", verdict.code);
            }
        }
    }
    let count = |v6, code: Code| codes.get(&(v6, code.name())).copied().unwrap_or(0);
    assert_eq!(count(false, Code::RefusedByFilter), 1);
    assert_eq!(count(false, Code::AdminProhibited), 4);
    assert_eq!(count(false, Code::UnreachableNet), 3);
    assert_eq!(count(false, Code::UnreachableHost), 15 - 8 + 16 + 16);
    assert_eq!(count(true, Code::RefusedByFilter), 1);
    assert_eq!(count(true, Code::AdminProhibited), 3);
    assert_eq!(count(true, Code::UnreachableNet), 1);
}

#[test]
fn silence_resets_and_open_ports_are_judged_as_on_the_connect_path() {
    let (sent, heard) = (Moment::from_micros(1_000), Moment::from_micros(51_000));
    let syn = syn(addr(V4.0), addr(V4.1), 22);
    let reset = cookies().answer(&answer_to(&syn, RST_ACK, &[])).unwrap().evidence(sent, heard);
    assert_eq!(classify(&reset, Depth::Auth).code, Code::Refused);
    let open = cookies().answer(&answer_to(&syn, SYN_ACK, &[])).unwrap().evidence(sent, heard);
    assert_eq!(classify(&open, Depth::Connect).code, Code::Ok);
    assert!(open.path.half_open && !reset.path.half_open);
    assert_eq!(open.timing.connect.map(|took| took.as_millis()), Some(50));
    let silent = silence(SocketAddr::new(addr(V4.1), 22), sent, heard);
    assert_eq!(classify(&silent, Depth::Auth).code, Code::TimeoutConnect);
}

#[test]
fn options_and_extension_headers_are_passed_over() {
    // IPv4 with a router alert.
    let v4 = syn(addr(V4.0), addr(V4.1), 22);
    let mut answer = answer_to(&v4, SYN_ACK, &[]);
    answer[0] = 0x46;
    answer[3] += 4;
    answer.splice(20..20, [0x94, 4, 0, 0]);
    assert!(cookies().answer(&answer).is_some());
    // What fills up a frame is not part of the packet.
    answer.extend([0xaa; 6]);
    assert!(cookies().answer(&answer).is_some());
    // A later fragment has no ports, whatever stands in their place.
    answer[7] = 1;
    assert_eq!(cookies().answer(&answer), None);

    let v6 = syn(addr(V6.0), addr(V6.1), 22);
    let plain = answer_to(&v6, SYN_ACK, &[]);
    let behind = |headers: &[(u8, &[u8])]| {
        let mut answer = plain[..40].to_vec();
        answer[6] = headers.first().map_or(6, |(kind, _)| *kind);
        for (at, (_, header)) in headers.iter().enumerate() {
            answer.push(headers.get(at + 1).map_or(6, |(kind, _)| *kind));
            answer.extend(*header);
        }
        answer.extend(&plain[40..]);
        let length = (answer.len() - 40) as u16;
        answer[4..6].copy_from_slice(&length.to_be_bytes());
        cookies().answer(&answer)
    };
    assert!(behind(&[]).is_some());
    assert!(behind(&[(0, &[0; 7]), (60, &[0; 7]), (43, &[0; 7])]).is_some());
    assert!(behind(&[(60, &[&[1][..], &[0; 14]].concat())]).is_some(), "16 bytes");
    assert!(behind(&[(44, &[0, 0, 1, 0, 0, 0, 9])]).is_some(), "the first fragment");
    assert!(behind(&[(44, &[0, 0, 8, 0, 0, 0, 9])]).is_none(), "the second one");
    assert!(behind(&[(51, &[&[1][..], &[0; 10]].concat())]).is_some(), "an authentication header of 12 bytes");
    assert!(behind(&[(60, &[0u8; 7] as &[u8]); 7]).is_some());
    assert!(behind(&[(60, &[0u8; 7] as &[u8]); 8]).is_none(), "more than anybody sends");
    assert!(behind(&[(59, &[0; 7])]).is_none(), "nothing follows");
}

#[test]
fn options_that_lie_are_harmless() {
    for (options, wanted) in [
        (&[][..], None),
        (&[8, 10, 0, 0, 0, 1, 0, 0, 0, 2], Some(2)),
        (&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], Some(2)),
        (&[0, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], None),
        (&[8, 10, 0, 0, 0, 1, 0, 0, 0], None),
        (&[8, 9, 0, 0, 0, 1, 0, 0, 0, 2], None),
        (&[5, 0, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], Some(2)),
        (&[5, 255, 8, 10], None),
        (&[8], None),
        (&[3], None),
    ] {
        assert_eq!(echo(options), wanted, "{options:?}");
    }
}

proptest! {
    #[test]
    fn no_packet_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        prop_assert_eq!(cookies().answer(&bytes), None);
    }

    /// Every destination's answers are known, in both families.
    #[test]
    fn answers_come_back_to_their_targets(source: u32, to: u32, v6_source: u128, v6_to: u128, port in 1u16.., reset: bool) {
        for (source, to) in [
            (IpAddr::V4(Ipv4Addr::from_bits(source)), IpAddr::V4(Ipv4Addr::from_bits(to))),
            (IpAddr::V6(Ipv6Addr::from_bits(v6_source)), IpAddr::V6(Ipv6Addr::from_bits(v6_to))),
        ] {
            let answer = cookies().answer(&answer_to(&syn(source, to, port), if reset { RST_ACK } else { SYN_ACK }, &[])).unwrap();
            prop_assert_eq!(answer.target, SocketAddr::new(to, port));
            prop_assert_eq!(answer.local.ip(), source);
            prop_assert_eq!(answer.what == What::Reset, reset);
        }
    }
}
