//! The lab itself, seen with nothing but connect() and read(): it must be what the other tests take it for.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use sshprobe_probes::responder::Script;

use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::responder::Crowd;
use crate::support::tools::methods_seen_by_ssh;
use crate::support::topology::{Family, Topology};

#[test]
fn lab_v4_is_what_it_claims() {
    if let Some(_lab) = lab() {
        behaves(Family::V4);
    }
}

#[test]
fn lab_v6_is_what_it_claims() {
    if let Some(_lab) = lab() {
        behaves(Family::V6);
    }
}

#[test]
fn lab_crowd_speaks_ssh_to_openssh() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(Family::V4.network());
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 22));
    let _crowd = Crowd::start(&topology.fleet, any, Script::healthy(&[7; 32]).methods("hostbased,publickey"), 2);
    assert_eq!(methods_seen_by_ssh(&topology.prober, Family::V4.address(200)), "hostbased,publickey");
}

const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;
const ENETUNREACH: i32 = 101;
const EACCES: i32 = 13;

fn behaves(family: Family) {
    let fleet = Fleet::build(family);
    let (prohibited, unreachable_route) = match family {
        Family::V4 => (EHOSTUNREACH, EHOSTUNREACH),
        Family::V6 => (EACCES, ENETUNREACH),
    };
    fleet.topology.prober.enter(|| {
        thread::scope(|scope| {
            for (octet, expected) in &fleet.scenario.special {
                scope.spawn(move || {
                    connects(family.address(*octet), &expected.behaviour, prohibited, unreachable_route)
                });
            }
        });
        for octet in [0, 1, 19, 128, 254, 255] {
            assert!(ident(family.address(octet)).starts_with("SSH-2.0-OpenSSH_"), "{octet}");
        }
        let octet =
            |behaviour| *fleet.scenario.special.iter().find(|(_, it)| it.behaviour == behaviour).expect(behaviour).0;
        assert!(ident(family.address(octet("dropbear"))).starts_with("SSH-2.0-dropbear"));
        assert!(ident(family.address(octet("tinysshd"))).starts_with("SSH-2.0-tinyssh"));
        assert_eq!(ident(family.address(octet("openssh:full"))), "Exceeded MaxStartups\r\n");
        // What comes through the black hole is small; the identification is, the server's KEXINIT is not.
        let mut stream = connect(family.address(octet("router:pmtu-black-hole"))).expect("a connection");
        stream.write_all(b"SSH-2.0-lab\r\n").expect("a write");
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received).expect_err("nothing more");
        assert_eq!(end.kind(), std::io::ErrorKind::WouldBlock);
        assert!(received.ends_with(b"\r\n"), "{received:?}");
    });
}

/// Compares what connect() says with what Linux is known to make of each answer.
fn connects(address: IpAddr, behaviour: &str, prohibited: i32, unreachable_route: i32) {
    let connected = connect(address);
    let errno = connected.as_ref().err().map(std::io::Error::raw_os_error);
    let wanted = match behaviour.split_once(':') {
        Some(("router" | "host", name)) => match name {
            // Our own deadline, which has no errno.
            "drop" | "blackhole-route" => Some(None),
            "tcp-reset" | "closed" | "port-unreachable" => Some(Some(ECONNREFUSED)),
            "admin-prohibited" | "prohibit-route" => Some(Some(prohibited)),
            "host-unreachable" => Some(Some(EHOSTUNREACH)),
            "net-unreachable" => Some(Some(ENETUNREACH)),
            "unreachable-route" => Some(Some(unreachable_route)),
            "pmtu-black-hole" => None,
            name => panic!("{name}"),
        },
        // A quick reset meets connect() itself.
        Some(("script", "reset")) => return,
        _ => None,
    };
    assert_eq!(errno, wanted, "{behaviour}: {connected:?}");
}

fn connect(address: IpAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::new(address, 22), Duration::from_secs(3))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    Ok(stream)
}

fn ident(address: IpAddr) -> String {
    let mut line = Vec::new();
    let mut stream = connect(address).expect("a connection");
    let mut byte = [0];
    while !line.ends_with(b"\n") && stream.read(&mut byte).expect("a byte") == 1 {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}
