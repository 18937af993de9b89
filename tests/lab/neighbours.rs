//! More hosts on a link of the prober's own than its kernel's table of neighbours holds: they are there, and none is called silent.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::codes;
use crate::support::guard::{lab, skip};
use crate::support::netns::Netns;
use crate::support::run::{privileged, run, sshprobe};

/// As many as this machine has room for by default, and half as many more.
const ADDRESSES: usize = 1536;
const RANGES: [&[&str]; 2] = [&["10.1.0.0/22", "10.1.4.0/23"], &["[fd00:0:0:1::]/118", "[fd00:0:0:1::400]/119"]];

/// The prober's own, as the fleet is to know it.
const MAC: &str = "02:00:00:00:00:01";

/// The table is one for all namespaces, and so are its limits.
fn limit(family: &str) -> Option<usize> {
    fs::read_to_string(format!("/proc/sys/net/{family}/neigh/default/gc_thresh3")).ok()?.trim().parse().ok()
}

#[test]
fn neighbours_there_is_no_room_for_are_not_called_silent() {
    let Some(_lab) = lab() else { return };
    if ["ipv4", "ipv6"].into_iter().any(|family| limit(family).is_none_or(|limit| limit >= ADDRESSES)) {
        return skip("the tables of neighbours hold more than this test has");
    }
    let (prober, fleet) = (Netns::new("prober"), Netns::new("fleet"));
    prober.link(
        "fleet0",
        &["192.0.2.1/24", "fd00:0:0:a::1/64"],
        &fleet,
        "prober0",
        &["192.0.2.2/24", "fd00:0:0:a::2/64"],
    );
    prober.ip(&format!("link set dev fleet0 address {MAC}"));
    prober.ip("route add 10.1.0.0/21 dev fleet0");
    prober.ip("-6 route add fd00:0:0:1::/117 dev fleet0");
    fleet.ip("route add local 10.1.0.0/21 dev lo");
    // Of IPv6, Linux answers for addresses alone that are an interface's.
    let addresses: String =
        (0..ADDRESSES).map(|number| format!("addr add fd00:0:0:1::{number:x}/128 dev prober0 nodad\n")).collect();
    fleet.batch(&addresses);
    for ours in ["192.0.2.1", "fd00:0:0:a::1"] {
        // What is short in the prober's namespace is short in the fleet's, which is to answer all the same.
        fleet.ip(&format!("neigh replace {ours} lladdr {MAC} dev prober0 nud permanent"));
    }
    fleet.sysctl("net/core/somaxconn", "8192");
    fleet.sysctl("net/ipv4/tcp_max_syn_backlog", "8192");
    let _listener = fleet.enter(|| {
        let listener = Socket::new(Domain::IPV6, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 22)).into()).expect("a port");
        listener.listen(8192).expect("listens");
        listener
    });
    let runs = RANGES.into_iter().flat_map(|ranges| {
        let connects = (sshprobe(&prober, &[]), ranges, ["-c", "2000"].as_slice());
        let swept = (privileged(&prober), ranges, ["--syn"].as_slice());
        if cfg!(feature = "syn") { vec![connects, swept] } else { vec![connects] }
    });
    // At once: each table is filled by whoever comes first, and is as full for the other.
    thread::scope(|scope| {
        for (mut command, ranges, way) in runs {
            scope.spawn(move || {
                command.args(ranges).args(way).args(["--depth", "connect", "--rate", "0", "--format", "jsonl"]);
                let run = run(command);
                // Room comes when the kernel lets those go that it has not heard of for long: for nearly all in the end.
                let (found, short) = (codes(&run.records), "local-resource-limit");
                let told = format!("{way:?} {ranges:?} {found:?}\n{}", run.stderr);
                assert_eq!(run.records.len(), ADDRESSES, "{told}");
                assert!(found.keys().all(|code| ["ok", short].contains(code)), "{told}");
                assert!(found["ok"] > ADDRESSES * 7 / 8, "{told}");
                assert!(run.took > Duration::from_secs(4), "there was room for all, and nothing was seen: {told}");
            });
        }
    });
}

/// Who gets a place in the table only with a SYN that is sent again is still looked for when the wait is over: that is no silence.
#[test]
fn neighbours_that_are_looked_for_late_are_not_called_silent() {
    let Some(_lab) = lab() else { return };
    if limit("ipv4").is_none_or(|limit| limit >= ADDRESSES) {
        return skip("the table of neighbours holds more than this test has");
    }
    let (prober, link) = (Netns::new("prober"), Netns::new("link"));
    prober.link("link0", &["192.0.2.1/24"], &link, "prober0", &["192.0.2.2/24"]);
    prober.ip("route add 10.1.0.0/21 dev link0");
    let ways: &[&[&str]] = if cfg!(feature = "syn") { &[&["--syn"], &[]] } else { &[&[]] };
    for way in ways {
        let mut command = privileged(&prober);
        command.args(RANGES[0]).args(*way).args(["-c", "2000", "--per-subnet", "2000", "--depth", "connect"]);
        command.args(["--rate", "0", "--format", "jsonl"]);
        let run = run(command);
        let (found, short) = (codes(&run.records), "local-resource-limit");
        let told = format!("{way:?} {found:?}");
        assert_eq!(run.records.len(), ADDRESSES, "{told}");
        assert!(found.keys().all(|code| ["unreachable-host", short].contains(code)), "{told}");
        assert!(found["unreachable-host"] > ADDRESSES * 7 / 8, "{told}");
    }
}
