//! A connection-tracking table of the prober's that is full, by entries that do not give way: nothing gets out, and no target is
//! to blame.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use super::codes;
use super::syn::{listener, syn};
use crate::support::guard::{lab, skip};
use crate::support::netns::Netns;
use crate::support::run::{run, sshprobe};
use crate::support::topology::{Family, Topology};

/// Linux has one maximum for all namespaces, and counts each for itself: a table is made full by filling it. Each entry takes some
/// 300 bytes of the kernel's memory.
const MOST: usize = 600_000;

/// What fills a table: pairs of sockets, each pair an entry that has seen both its ends, for longer than two seconds (the kernel
/// drops what has not for the sake of what is new).
struct Pairs {
    ours: Vec<UdpSocket>,
    theirs: Vec<UdpSocket>,
    count: usize,
}

impl Pairs {
    fn fill(netns: &Netns, count: usize) -> Self {
        let side = count.isqrt() + 1;
        let sockets = || (0..side).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<Vec<_>>>();
        let (ours, theirs) = netns.enter(|| (sockets().expect("ports"), sockets().expect("ports")));
        let pairs = Self { ours, theirs, count };
        pairs.speak(true);
        // The time itself is what is to pass.
        thread::sleep(Duration::from_millis(2_100));
        pairs.speak(false);
        pairs
    }

    /// Every pair says something, and is answered. Each entry lives for its full time from now on.
    fn speak(&self, answered: bool) {
        let pairs = self.theirs.iter().flat_map(|their| self.ours.iter().map(move |our| (our, their)));
        for (our, their) in pairs.take(self.count) {
            let mut byte = [0];
            our.send_to(&byte, their.local_addr().expect("a port")).expect("sent");
            let (_, from) = their.recv_from(&mut byte).expect("received");
            if answered {
                their.send_to(&byte, from).expect("sent");
                our.recv_from(&mut byte).expect("received");
            }
        }
    }
}

fn counter(netns: &Netns, name: &str) -> Option<usize> {
    let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
    netns.enter(|| fs::read_to_string(path)).ok()?.trim().parse().ok()
}

#[test]
fn conntrack_table_that_is_full_is_blamed_on_nobody() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(Family::V4.network());
    let _listener = listener(&topology);
    let prober = &topology.prober;
    // As firewalls of machines usually are: in comes what belongs to something that went out.
    prober.nft(
        "table ip lab {\n chain out {\n type filter hook output priority 0\n ct state new accept\n }\n \
         chain in {\n type filter hook input priority 0\n iif lo accept\n ct state established,related accept\n drop\n }\n}\n",
    );
    let Some(most) = counter(prober, "max").filter(|most| (1..MOST).contains(most)) else {
        return skip("there is no table here, or none that can be filled in a moment");
    };
    prober.sysctl("net/netfilter/nf_conntrack_udp_timeout", "600");
    prober.sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", "600");
    let pairs = Pairs::fill(prober, most - counter(prober, "count").expect("a figure"));
    assert_eq!(counter(prober, "count"), Some(most));

    // It stays full: by either way what cannot be told is told as this machine's. Of connections, whose SYNs vanish without an error,
    // fewer and fewer are tried at a time.
    let args = |targets| [targets, "--depth", "connect", "--rate", "0"];
    thread::scope(|scope| {
        let connects = scope.spawn(|| {
            let mut command = sshprobe(prober, &[]);
            command.args(args("10.0.0.0/30")).args(["--format", "jsonl"]);
            run(command)
        });
        // The way to a proxy is as barred, which is not the proxy's fault.
        let proxied = scope.spawn(|| {
            let mut command = sshprobe(prober, &[]);
            command.args(["--proxy", "socks5://10.0.0.200:1080", "10.0.0.1", "10.0.0.2", "--format", "jsonl"]);
            run(command)
        });
        let swept = syn(&topology, &args("10.0.0.0/26"));
        let runs = [(swept, 64), (connects.join().expect("no panic"), 4), (proxied.join().expect("no panic"), 2)];
        for (run, targets) in runs {
            assert_eq!(codes(&run.records), BTreeMap::from([("local-resource-limit", targets)]), "{}", run.stderr);
            assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
        }
    });

    // There is room in a while: whoever is there is found.
    prober.sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", "5");
    pairs.speak(false);
    assert_eq!(counter(prober, "count"), Some(most));
    let run = syn(&topology, &args("10.0.0.0/26"));
    assert_eq!(codes(&run.records), BTreeMap::from([("ok", 64)]), "{}", run.stderr);
}
