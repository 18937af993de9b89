//! `--syn`: the same truth without a connection, packets that nobody asked for, and what becomes of the rights.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::IPPROTO_RAW;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use sshprobe_probes::responder::Script;
use sshprobe_probes::sweep::cookie::{Cookie, SourcePorts};
use sshprobe_probes::sweep::packet::{LONGEST, Syns};

use super::codes;
use super::sweep::judge;
use crate::support::fleet::Fleet;
use crate::support::guard::{lab, lab_with, shared_lab};
use crate::support::netns::{Netns, shell};
use crate::support::responder::Crowd;
use crate::support::run::{Run, privileged, records, run, sshprobe};
use crate::support::scenario::address;
use crate::support::topology::{Family, PROBER_DEVICE, PROBER_V4, PROBER_V6, ROUTER_V4, ROUTER_V6, Topology};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

pub(super) fn syn(topology: &Topology, args: &[&str]) -> Run {
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "--format", "jsonl"]).args(args);
    run(command)
}

/// Somebody who listens everywhere in the fleet, and takes nobody up.
pub(super) fn listener(topology: &Topology) -> TcpListener {
    topology.fleet.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 22))).expect("a port")
}

fn tells_the_truth(family: Family) {
    let fleet = Fleet::build(family);
    let run = syn(&fleet.topology, &[family.target(), "--timeout", "8s", "--connect-timeout", "5s"]);
    if let Err(differences) = judge(&fleet, &run) {
        panic!("{}:\n{differences}\n\nstderr:\n{}", run.status, run.stderr);
    }
    // The first stage once more, by both ways: the records have to be alike in all but time.
    let shallow = [family.target(), "--depth", "connect", "--connect-timeout", "5s"];
    let swept = syn(&fleet.topology, &shallow);
    let mut command = sshprobe(&fleet.topology.prober, &[]);
    command.args(shallow).args(["--format", "jsonl"]);
    let connected = self::run(command);
    let by_address = |run: &Run| {
        let alike = |record: &Value| {
            let mut net = record["net"].clone();
            // Ports differ, and the kernel forgets its end of a connect that failed.
            let local = net.as_object_mut().and_then(|net| net.remove("local_addr"));
            let ours = local.as_ref().and_then(Value::as_str).and_then(|text| text.parse::<SocketAddr>().ok());
            let ours = ours.map(|addr| addr.ip());
            let told = ["status", "code", "arg", "stage", "confidence", "attempts", "findings"];
            let told: Vec<_> = told.iter().map(|field| record[field].clone()).collect();
            (address(record), (told, net, ours))
        };
        run.records.iter().map(alike).collect::<BTreeMap<_, _>>()
    };
    let (swept, connected) = (by_address(&swept), by_address(&connected));
    assert_eq!((swept.len(), connected.len()), (256, 256));
    for (address, (told, net, ours)) in &swept {
        let (by_connect, its_net, its_own) = &connected[address];
        assert_eq!((told, net), (by_connect, its_net), "{address}");
        // What is connected to without the sweep is left half open by it.
        assert!(its_own.is_none() || ours == its_own, "{address}: from {ours:?}, not {its_own:?}");
    }
}

#[test]
fn syn_sweep_of_a_v4_fleet_tells_the_same_truth() {
    if let Some(_lab) = shared_lab() {
        tells_the_truth(Family::V4);
    }
}

#[test]
fn syn_sweep_of_a_v6_fleet_tells_the_same_truth() {
    if let Some(_lab) = shared_lab() {
        tells_the_truth(Family::V6);
    }
}

/// Packets that look like answers to the SYNs of somebody who guesses: sent from the router, as fast as it can.
fn forge(topology: &Topology, family: Family) -> usize {
    let (prober, domain) = match family {
        Family::V4 => (PROBER_V4, Domain::IPV4),
        Family::V6 => (PROBER_V6, Domain::IPV6),
    };
    let prober: IpAddr = prober.parse().expect("an address");
    topology.router.enter(|| {
        let socket = Socket::new(domain, Type::from(3), Some(Protocol::from(IPPROTO_RAW))).expect("a raw socket");
        let ports = SourcePorts::BELOW_LINUX;
        let mut count = 0;
        for number in 0..30_000u32 {
            let target = family.address((number % 16) as u8);
            let port = ports.first() + (number / 16 % 8192) as u16;
            let guess = number.wrapping_mul(0x9e37_79b9);
            let mut out = [0; LONGEST];
            let cookie = Cookie { sequence: guess, source_port: 22, id: 0 };
            let length = Syns::new(target, 1500).write(prober, port, cookie, 0, &mut out).expect("room");
            let header = length - 40;
            // The acknowledgement, and then SYN with ACK or RST with ACK.
            out[header + 8..header + 12].copy_from_slice(&guess.to_be_bytes());
            out[header + 13] = if number % 3 == 0 { 0x14 } else { 0x12 };
            let packet =
                if number % 3 == 2 { unreachable(family, &out[..length], guess) } else { out[..length].to_vec() };
            count += usize::from(socket.send_to(&packet, &SocketAddr::new(prober, 0).into()).is_ok());
        }
        count
    })
}

/// A router's word that a SYN of the prober's did not arrive, as the guesser imagines that SYN.
fn unreachable(family: Family, answer: &[u8], guess: u32) -> Vec<u8> {
    let header = answer.len() - 40;
    let (source, target) = match family {
        Family::V4 => (12..16, 16..20),
        Family::V6 => (8..24, 24..40),
    };
    let mut quoted = answer.to_vec();
    quoted[source.clone()].copy_from_slice(&answer[target.clone()]);
    quoted[target].copy_from_slice(&answer[source]);
    quoted[header..header + 2].copy_from_slice(&answer[header + 2..header + 4]);
    quoted[header + 2..header + 4].copy_from_slice(&answer[header..header + 2]);
    quoted[header + 4..header + 8].copy_from_slice(&guess.to_be_bytes());
    let mut packet = answer[..header].to_vec();
    let length = 8 + quoted.len();
    match family {
        Family::V4 => {
            packet[2..4].copy_from_slice(&((header + length) as u16).to_be_bytes());
            packet[9] = 1;
            packet.extend([3, 1, 0, 0, 0, 0, 0, 0]);
        }
        Family::V6 => {
            packet[4..6].copy_from_slice(&(length as u16).to_be_bytes());
            packet[6] = 58;
            packet.extend([1, 3, 0, 0, 0, 0, 0, 0]);
        }
    }
    packet.extend(quoted);
    packet
}

#[test]
fn syn_sweep_ignores_answers_that_are_forged() {
    let Some(_lab) = lab() else { return };
    for family in FAMILIES {
        let topology = Topology::new(family.network());
        let (net, target) = match family {
            Family::V4 => ("ip daddr 10.0.0.0/24", "10.0.0.0/28"),
            Family::V6 => ("ip6 daddr fd00:0:0:1::/120", "[fd00:0:0:1::]/124"),
        };
        topology.router.nft(&format!(
            "table inet lab {{\n chain forward {{\n type filter hook forward priority 0\n {net} drop\n }}\n}}\n"
        ));
        let (run, forged) = thread::scope(|scope| {
            let sweep = scope.spawn(|| syn(&topology, &[target, "--connect-timeout", "4s"]));
            let mut forged = 0;
            while !sweep.is_finished() {
                forged += forge(&topology, family);
            }
            (sweep.join().expect("no panic"), forged)
        });
        assert!(forged > 10_000, "{forged} packets");
        assert_eq!(codes(&run.records), BTreeMap::from([("timeout-connect", 16)]), "{}", run.stderr);
    }
}

#[test]
fn syn_sweep_sends_again_what_was_lost() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(Family::V4.network());
    let _listener = listener(&topology);
    topology.router.nft(
        "table ip lab {\n chain forward {\n type filter hook forward priority 0\n \
         ip daddr 10.0.0.0/24 numgen random mod 100 < 20 drop\n ip saddr 10.0.0.0/24 numgen random mod 100 < 10 drop\n }\n}\n",
    );
    let sweep = |retries| {
        syn(&topology, &["10.0.0.0/24", "--depth", "connect", "--connect-timeout", "6s", "--retries", retries])
    };
    let once = sweep("0");
    let (ok, lost) = (codes(&once.records)["ok"], codes(&once.records)["timeout-connect"]);
    // A fifth of them, give or take 6: an answer that is lost is sent again by the far end's kernel.
    assert!(ok + lost == 256 && (20..90).contains(&lost), "{lost} of 256");
    // Of 256 addresses the chance is one in 6,000 that one of them loses eleven times in a row.
    assert_eq!(codes(&sweep("10").records), BTreeMap::from([("ok", 256)]));
}

#[test]
fn syn_sweep_goes_out_by_every_interface() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(Family::V4.network());
    let _listener = listener(&topology);
    let other = Netns::new("other");
    topology.prober.link(
        "other0",
        &["172.16.5.1/24", "fd00:0:0:e::1/64"],
        &other,
        "prober0",
        &["172.16.5.2/24", "fd00:0:0:e::2/64"],
    );
    let _others = other.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 22))).expect("a port");
    // Behind it as well, and one address of the first fleet's network too.
    for (net, netns) in [("10.3.0.0/26", &other), ("10.0.0.77/32", &other)] {
        topology.prober.ip(&format!("route add {net} via 172.16.5.2"));
        netns.ip(&format!("route add local {net} dev lo"));
    }
    let targets = ["10.0.0.64/27", "10.3.0.0/26", "172.16.5.2", "[fd00:0:0:e::2]", "127.0.0.1"];
    let run = syn(&topology, &[&targets[..], &["--depth", "connect"]].concat());
    assert_eq!(codes(&run.records), BTreeMap::from([("ok", 98), ("refused", 1)]), "{}", run.stderr);
    for record in &run.records {
        let from: SocketAddr = record["net"]["local_addr"].as_str().and_then(|it| it.parse().ok()).expect("an address");
        let wanted: IpAddr = match address(record) {
            IpAddr::V4(to) if to.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => "fd00:0:0:e::1".parse().expect("an address"),
            IpAddr::V4(to) if to.octets()[..2] == [10, 0] && to.octets()[3] != 77 => {
                PROBER_V4.parse().expect("an address")
            }
            IpAddr::V4(_) => "172.16.5.1".parse().expect("an address"),
        };
        assert_eq!(from.ip(), wanted, "{record}");
    }
    // By one of them alone, and from an address of this machine's choosing.
    let by_name = syn(&topology, &["10.0.0.77", "10.0.0.78", "--depth", "connect", "--interface", PROBER_DEVICE]);
    let local = |record: &Value| record["net"]["local_addr"].as_str().unwrap_or_default().to_owned();
    assert!(by_name.records.iter().all(|record| local(record).starts_with(PROBER_V4)), "{:?}", by_name.records);
    assert_eq!(codes(&by_name.records), BTreeMap::from([("ok", 2)]), "{}", by_name.stderr);
    topology.prober.ip(&format!("addr add 192.0.2.7/24 dev {PROBER_DEVICE}"));
    let from = syn(&topology, &["10.0.0.78", "--depth", "connect", "--source", "192.0.2.7"]);
    assert_eq!(codes(&from.records), BTreeMap::from([("ok", 1)]), "{}", from.stderr);
    assert!(from.records.iter().any(|record| local(record).starts_with("192.0.2.7:")), "{:?}", from.records);
}

/// The kernel is not asked again for every address where SYNs come from: a route that comes in the middle of a sweep, and of a
/// prefix, counts for what is sent after it.
#[test]
fn syn_sweep_follows_routes_that_change() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(Family::V4.network());
    let _listener = listener(&topology);
    let other = Netns::new("other");
    topology.prober.link("other0", &["172.16.5.1/24"], &other, "prober0", &["172.16.5.2/24"]);
    let _others = other.enter(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 22))).expect("a port");
    other.ip("route add local 10.0.0.112/28 dev lo");
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "10.0.0.64/26", "--depth", "connect", "--order", "given", "--rate", "10", "-q"]);
    let mut child = command.args(["--format", "jsonl"]).stdout(Stdio::piped()).spawn().expect("a start");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut count = 0;
    for line in lines {
        let record: Value = serde_json::from_str(&line.expect("a record")).expect("JSON");
        let IpAddr::V4(to) = address(&record) else { panic!("{record}") };
        let wanted = if to.octets()[3] < 112 { PROBER_V4 } else { "172.16.5.1" };
        let local = record["net"]["local_addr"].as_str().unwrap_or_default();
        assert!(record["code"] == "ok" && local.starts_with(&format!("{wanted}:")), "{record}");
        count += 1;
        if count == 8 {
            topology.prober.ip("route add 10.0.0.112/28 via 172.16.5.2");
        }
    }
    assert!(child.wait().expect("its end").success() && count == 64, "{count} records");
}

#[test]
fn syn_sweep_without_the_right_is_refused_in_one_line() {
    let Some(_lab) = shared_lab() else { return };
    let prober = Netns::new("prober");
    let mut command = sshprobe(&prober, &[]);
    command.args(["--syn", "10.0.0.1"]);
    let run = run(command);
    assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
    let wanted = "sshprobe: error: --syn: raw sockets need root or CAP_NET_RAW (sudo setcap cap_net_raw+ep \"$(command -v sshprobe)\"); \
                  without --syn all is probed by connections, which need no right\n";
    assert_eq!(run.stderr, wanted);
}

#[test]
fn syn_sweep_from_an_address_of_somebody_else_is_refused_as_a_connection_is() {
    let Some(_lab) = shared_lab() else { return };
    let prober = Netns::new("prober");
    prober.ip("link add out0 type veth peer name out1");
    prober.ip("addr add 192.0.2.1/24 brd 192.0.2.255 dev out0");
    for words in ["set dev out1 up", "set dev out0 up"] {
        prober.ip(&format!("link {words}"));
    }
    // The last one is everybody's on the link: a socket can be bound to it all the same.
    for (source, target) in
        [("203.0.113.9", "10.77.0.1"), ("2001:db8:f::9", "2001:db8:77::1"), ("192.0.2.255", "10.77.0.1")]
    {
        let wanted =
            format!("sshprobe: error: --source: {source} is not an address of this machine; `ip address` lists them\n");
        for syn in [&["--syn"][..], &[]] {
            let mut command = privileged(&prober);
            command.args(syn).args(["--source", source, target]);
            let run = run(command);
            assert_eq!((run.status.code(), run.stderr.as_str()), (Some(2), wanted.as_str()), "{syn:?}");
        }
    }
}

#[test]
fn syn_sweep_as_deep_as_connect_opens_no_connection() {
    let Some(_lab) = lab() else { return };
    for family in FAMILIES {
        let topology = Topology::new(family.network());
        let listener = listener(&topology);
        listener.set_nonblocking(true).expect("a socket of our own");
        let run = syn(&topology, &[family.target(), "--depth", "connect"]);
        assert_eq!(codes(&run.records), BTreeMap::from([("ok", 256)]), "{}", run.stderr);
        assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
        assert!(run.records.iter().all(|record| record["connections"] == 0), "{:?}", run.records.first());
        let accepted = listener.accept();
        assert_eq!(accepted.expect_err("nobody").kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// A fleet that answers, behind a filter that has one quarter dropped and another refused.
fn mixed() -> (Topology, Crowd) {
    let topology = Topology::new(Family::V4.network());
    let crowd = Crowd::start(&topology.fleet, (Ipv4Addr::UNSPECIFIED, 22).into(), Script::healthy(&[7; 32]), 2);
    topology.router.nft(
        "table ip lab {\n chain forward {\n type filter hook forward priority 0\n \
         ip daddr 10.0.0.0/26 drop\n ip daddr 10.0.0.64/26 reject with tcp reset\n }\n}\n",
    );
    (topology, crowd)
}

/// One at a time, 64 silent addresses would take more than four minutes.
#[test]
fn syn_sweep_waits_for_no_place_among_connections() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let run = syn(&topology, &["10.0.0.0/24", "--connect-timeout", "4s", "-c", "1", "--per-subnet", "1"]);
    let wanted = BTreeMap::from([("ok", 128), ("refused", 64), ("timeout-connect", 64)]);
    assert_eq!(codes(&run.records), wanted, "{}", run.stderr);
    assert!(run.took < Duration::from_secs(200), "{:?}", run.took);
}

#[test]
fn syn_sweep_counts_the_dead_that_have_no_record() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let run = syn(&topology, &["10.0.0.0/24", "--records", "answered", "--connect-timeout", "4s"]);
    assert_eq!(codes(&run.records), BTreeMap::from([("ok", 128)]), "{}", run.stderr);
    for counted in ["256 targets", "  timeout                    64", "  refused                    64"] {
        assert!(run.stderr.contains(counted), "{counted}:\n{}", run.stderr);
    }
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
}

#[test]
fn syn_sweep_has_figures_of_its_own_beside_those_of_connections() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("sshprobe.prom");
    let told = format!("--stats-file={}", file.display());
    let run = syn(&topology, &[Family::V4.target(), "--depth", "ident", "--connect-timeout", "1s", &told]);
    let text = fs::read_to_string(&file).expect("read");
    let sample = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} of\n{text}")).parse().expect("a whole number")
    };
    let codes = codes(&run.records);
    let silent = codes["timeout-connect"] as u64;
    assert!(silent > 0, "{codes:?}");
    assert_eq!(sample("sshprobe_syn_targets_in_flight"), 0);
    // The silent are asked three times, the others perhaps more than once.
    assert!(sample("sshprobe_syns_sent_total") >= 256 + 2 * silent, "{text}");
    assert_eq!(sample("sshprobe_connections_in_flight"), 0);
    assert!(sample("sshprobe_connections_total") <= 256 - silent, "{text}");
}

/// The same as a /8 would be: half of it silent, half of it refused, a few live ones between them.
#[test]
fn syn_sweep_of_a_large_range_accounts_for_every_address() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new("10.64.0.0/16");
    let _listener = listener(&topology);
    topology.router.nft(
        "table ip lab {\n chain forward {\n type filter hook forward priority 0\n ip daddr 10.64.192.0/24 accept\n \
         ip daddr 10.64.0.0/17 drop\n ip daddr 10.64.128.0/17 reject with tcp reset\n }\n}\n",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("printable").to_owned();
    let (file, stats) = (path("out.jsonl"), path("stats.prom"));
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "10.64.0.0/16", "--records", "answered", "--depth", "connect", "--rate", "0"]);
    command.args(["--format", "jsonl"]);
    let run = run({
        command.args(["-o", &file, "--stats-file", &stats]);
        command
    });
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let records = records(&fs::read(&file).expect("the records"));
    assert_eq!(codes(&records), BTreeMap::from([("ok", 256)]));
    for counted in ["65,536 targets", "  timeout                32,768", "  refused                32,512"] {
        assert!(run.stderr.contains(counted), "{counted}:\n{}", run.stderr);
    }
    let figures = fs::read_to_string(&stats).expect("the figures");
    for counted in ["code=\"ok\"} 256", "code=\"timeout-connect\"} 32768", "code=\"refused\"} 32512"] {
        assert!(figures.contains(counted), "{counted}:\n{figures}");
    }
    assert!(figures.contains("sshprobe_targets_waiting 0\n"), "{figures}");
    assert!(!folder.path().join("out.jsonl.state").exists());
}

/// Runs a sweep until it has come so far, and interrupts it.
fn interrupt(mut command: Command, far_enough: impl Fn() -> bool) {
    let mut child = command.stdout(Stdio::null()).spawn().expect("a start");
    let begun = Instant::now();
    while !far_enough() && begun.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(50));
    }
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), Signal::SIGINT).expect("our own child");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
}

/// Those that have no record are not asked twice, and counted once.
#[test]
fn syn_sweep_that_is_interrupted_knows_who_has_no_record() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.jsonl");
    let command = |more: &[&str]| {
        let mut command = privileged(&topology.prober);
        command.args(["--syn", "10.0.0.0/24", "--records", "answered", "--connect-timeout", "4s"]);
        command.args(["--format", "jsonl", "-o"]).arg(&file).args(more);
        command
    };
    let lines = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    interrupt(command(&["-q", "--rate", "40"]), || lines() >= 20);
    let state: Value =
        serde_json::from_slice(&fs::read(folder.path().join("out.jsonl.state")).expect("a state")).expect("JSON");
    let before = state["unwritten"]["codes"]["refused"].as_u64().unwrap_or(0);
    assert!((1..64).contains(&before), "{state}");
    let second = run(command(&["--resume"]));
    assert_eq!(second.status.code(), Some(0), "{}", second.stderr);
    for counted in ["256 targets, ", "  timeout                    64", "  refused                    64"] {
        assert!(second.stderr.contains(counted), "{counted}:\n{}", second.stderr);
    }
    assert_eq!(lines(), 128);
}

#[test]
fn syn_sweep_that_is_interrupted_goes_on_with_resume() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.jsonl");
    let command = |more: &[&str]| {
        let mut command = privileged(&topology.prober);
        command.args(["--syn", "10.0.0.0/24", "--connect-timeout", "4s", "-q", "-o"]).arg(&file).args(more);
        command
    };
    let lines = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    interrupt(command(&["--rate", "40"]), || lines() >= 40);
    let before = lines();
    assert!((40..256).contains(&before), "{before} records");
    let second = command(&["--resume"]).output().expect("a run");
    assert_eq!(second.status.code(), Some(0), "{}", String::from_utf8_lossy(&second.stderr));
    let records = records(&fs::read(&file).expect("the records"));
    assert_eq!(codes(&records), BTreeMap::from([("ok", 128), ("refused", 64), ("timeout-connect", 64)]));
}

/// What each thread of a process may do: effective, permitted, inheritable and ambient capabilities and the bounding set, beside the
/// text that says so.
fn rights(pid: u32) -> Vec<(String, [u64; 5])> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let rights = tasks.map(|task| {
        let status = fs::read_to_string(task.expect("a thread").path().join("status")).expect("its state");
        let caps = ["CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"].map(|name| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("its line");
            u64::from_str_radix(line.rsplit('\t').next().expect("a number"), 16).expect(line)
        });
        (status, caps)
    });
    let rights: Vec<_> = rights.collect();
    assert!(rights.len() > 3, "{} threads", rights.len());
    rights
}

/// The rights of a sweep of 256 addresses at its first record; it goes on to its end.
fn rights_under_way(mut command: Command) -> Vec<(String, [u64; 5])> {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a start");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    stdout.read_line(&mut text).expect("a record");
    let rights = rights(child.id());
    stdout.read_to_string(&mut text).expect("the rest");
    assert!(child.wait().expect("its end").success() && text.lines().count() == 256, "{text}");
    rights
}

#[test]
fn syn_sweep_gives_its_rights_up() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.jsonl");
    // CAP_DAC_OVERRIDE stays where there is a file to be written.
    let to_file = ["-o", file.to_str().expect("printable")];
    for (more, left) in [(&[][..], 0), (&to_file[..], 1 << 1)] {
        let mut command = privileged(&topology.prober);
        command.args(["--syn", "10.0.0.0/24", "--connect-timeout", "4s", "--format", "jsonl", "-q"]).args(more);
        for (status, caps) in rights_under_way(command) {
            assert_eq!(caps, [left, left, 0, 0, left], "{status}");
        }
    }
}

/// A user who has nothing but the file's capability: at full speed, into buffers of the usual size, and without it from the start.
#[test]
fn syn_sweep_works_by_a_capability_of_the_file() {
    let Some(_lab) = lab_with(&[("setcap", "libcap2-bin")]) else { return };
    let topology = Topology::new("10.1.0.0/18");
    let _listener = listener(&topology);
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our own folder");
    let program = folder.path().join("sshprobe");
    fs::copy(env!("CARGO_BIN_EXE_sshprobe"), &program).expect("copying the program");
    shell("setcap", &["cap_net_raw+ep", program.to_str().expect("printable")]);
    let command = |args: &[&str]| {
        let mut command = topology.prober.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&program);
        command.args(["--syn", "--depth", "connect", "--format", "jsonl"]).args(args).env("HOME", "/nonexistent");
        command
    };
    let fast = run(command(&["10.1.0.0/18", "--rate", "0"]));
    assert_eq!(codes(&fast.records), BTreeMap::from([("ok", 16_384)]), "{}", fast.stderr);

    for (status, caps) in rights_under_way(command(&["10.1.0.0/24", "--rate", "100", "-q"])) {
        assert_eq!(caps[..4], [0; 4], "{status}");
    }
}

fn expect(record: &Value, status: &str, code: &str, errno: &str) {
    assert_eq!(
        (&record["status"], &record["code"], &record["stage"], &record["net"]["errno"]),
        (&status.into(), &code.into(), &"connect".into(), &errno.into()),
        "{record}"
    );
}

#[test]
fn syn_sweep_blames_nobody_for_what_this_machine_refuses() {
    let Some(_lab) = lab() else { return };
    for family in FAMILIES {
        let topology = Topology::new(family.network());
        let _listener = listener(&topology);
        let prober = &topology.prober;
        let (flag, ip, router, elsewhere, neighbour) = match family {
            Family::V4 => ("", "ip", ROUTER_V4, "203.0.113.9", "192.0.2.99"),
            Family::V6 => ("-6", "ip6", ROUTER_V6, "2001:db8::9", "fd00:0:0:a::99"),
        };
        prober.ip(&format!("{flag} route del default"));
        prober.ip(&format!("{flag} route add {} via {router}", family.network()));
        let address = |octet| family.address(octet).to_string();
        for (kind, octet) in [("prohibit", 6), ("blackhole", 7), ("unreachable", 8)] {
            prober.ip(&format!("{flag} route add {kind} {}", address(octet)));
        }
        prober.nft(&format!(
            "table inet lab {{\n chain output {{\n type filter hook output priority 0\n {ip} daddr {} drop\n {ip} daddr {} reject\n }}\n}}\n",
            address(9),
            address(10)
        ));
        let args =
            [elsewhere, &address(6), &address(7), &address(8), &address(9), &address(10), neighbour, &address(11)];
        let mut run = syn(&topology, &[&args[..], &["--depth", "connect"]].concat());
        run.records.sort_by_key(|record| record["target"]["index"].as_u64());
        let [none, prohibited, black, unreachable, dropped, rejected, dead, fine] = &run.records[..] else {
            panic!("{:?}\n{}", run.records, run.stderr)
        };
        expect(none, "local-error", "local-no-route", "ENETUNREACH");
        expect(prohibited, "local-error", "local-policy", "EACCES");
        expect(black, "local-error", "local-policy", "EINVAL");
        assert_eq!(unreachable["status"], "local-error", "{unreachable}");
        expect(dropped, "local-error", "local-policy", "EPERM");
        assert_eq!(
            (&rejected["status"], &rejected["code"]),
            (&"local-error".into(), &"local-policy".into()),
            "{rejected}"
        );
        expect(dead, "unreachable", "unreachable-host", "EHOSTUNREACH");
        assert_eq!(fine["code"], "ok", "{fine}");

        prober.ip(&format!("link set dev {PROBER_DEVICE} down"));
        for record in syn(&topology, &[&address(12), &address(13)]).records {
            expect(&record, "local-error", "local-no-route", "ENETUNREACH");
        }
    }
}

/// A queue of this machine's own drops most of what it is given, as that is more than the link takes. The kernel tells only who asks.
#[test]
fn syn_sweep_sends_again_what_a_queue_of_its_own_dropped() {
    let Some(_lab) = lab() else { return };
    for family in FAMILIES {
        let topology = Topology::new(family.network());
        let _listener = listener(&topology);
        let narrow = |rate| {
            let queue = format!("qdisc replace dev {PROBER_DEVICE} root tbf rate {rate} burst 1600 limit 3000");
            let made = topology.prober.command("tc").args(queue.split(' ')).status();
            assert!(made.is_ok_and(|made| made.success()), "{queue}");
        };
        narrow("200kbit");
        let sweep = [family.target(), "--depth", "connect", "--rate", "0"];
        let run = syn(&topology, &sweep);
        assert_eq!(codes(&run.records), BTreeMap::from([("ok", 256)]), "{}", run.stderr);
        // Time is up while SYNs still wait for their turn: no filter is to blame, and no target.
        narrow("40kbit");
        let run = syn(&topology, &[&sweep[..], &["--retries", "0", "--connect-timeout", "1s"]].concat());
        let codes = codes(&run.records);
        assert!(codes.values().sum::<usize>() == 256 && !codes.contains_key("local-policy"), "{codes:?}");
    }
}

/// A queue towards one network drops all that goes there, and the kernel says that buffers are short. Those who lie elsewhere wait
/// for none of it, and nobody is called silent for what was never sent.
#[test]
fn syn_sweep_goes_on_past_addresses_that_it_cannot_send_to() {
    let Some(_lab) = lab() else { return };
    for (family, flag, dropped, ours) in
        [(Family::V4, "-4", "10.0.0.0/25", PROBER_V4), (Family::V6, "-6", "fd00:0:0:1::/121", PROBER_V6)]
    {
        let topology = Topology::new(family.network());
        let _listener = listener(&topology);
        let prober = &topology.prober;
        prober.ip("link add hole type veth peer name bottom");
        prober.ip("link set bottom up");
        prober.ip("link set hole arp off up");
        prober.ip(&format!("{flag} route add {dropped} dev hole src {ours}"));
        // No packet is as small as what it lets through.
        let queue = "qdisc replace dev hole root tbf rate 8bit burst 10 limit 10";
        let made = prober.command("tc").args(queue.split(' ')).status();
        assert!(made.is_ok_and(|made| made.success()), "{queue}");
        // In their order those come first that nothing can be sent to.
        let run = syn(&topology, &[family.target(), "--depth", "connect", "--order", "given", "--rate", "0"]);
        let told: Vec<&str> = run.records.iter().map(|record| record["code"].as_str().expect("a code")).collect();
        assert_eq!(codes(&run.records), BTreeMap::from([("ok", 128), ("local-resource-limit", 128)]), "{}", run.stderr);
        assert!(told[..128].iter().all(|code| *code == "ok"), "{told:?}");
    }
}

/// The table of neighbours has no room for half of a range, which is on the link and silent: the other half hardly notices.
#[test]
fn syn_sweep_goes_on_past_a_link_that_there_is_no_room_for() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new("10.2.0.0/15");
    topology.fleet.nft("table ip lab {\n chain input {\n type filter hook prerouting priority 0\n drop\n }\n}\n");
    topology.prober.ip(&format!("route add 10.0.0.0/15 dev {PROBER_DEVICE} src {PROBER_V4}"));
    let forwarded = || topology.router.figure("Ip", "ForwDatagrams");
    let before = forwarded();
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "10.0.0.0/14", "--rate", "0", "--retries", "0", "--connect-timeout", "4s"]);
    let mut child = command.arg("-q").stdout(Stdio::null()).spawn().expect("a start");
    thread::sleep(Duration::from_secs(15));
    let syns = forwarded() - before;
    child.kill().expect("it runs");
    child.wait().expect("its end");
    // Everybody waited for those once, and two thousand a second were what was left.
    assert!(syns > 50_000, "{syns} SYNs in 15 s");
}

/// The probe is slower than the sweep, and the reader of the records slower still: SYNs wait, and nothing is lost.
#[test]
fn syn_sweep_waits_for_who_takes_its_answers() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new("10.1.0.0/19");
    let _listener = listener(&topology);
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "10.1.0.0/19", "--depth", "connect", "--rate", "0", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a start");
    thread::sleep(Duration::from_secs(8));
    // Each was followed by the reset of what it opened, and nothing else came.
    let syns = topology.fleet.figure("Tcp", "InSegs") / 2;
    assert!((4096..8192).contains(&syns), "{syns} SYNs while nobody read");
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("the records");
    assert!(child.wait().expect("its end").success());
    assert_eq!(codes(&records(text.as_bytes())), BTreeMap::from([("ok", 8192)]));
}

/// Silence that nobody takes note of piles up where it takes up little: as addresses that still owe an answer.
#[test]
fn syn_sweep_of_silence_that_nobody_reads_about_stays_small() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new("10.4.0.0/15");
    topology.fleet.nft("table ip lab {\n chain input {\n type filter hook prerouting priority 0\n drop\n }\n}\n");
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "10.4.0.0/15", "--rate", "0", "--retries", "0", "--connect-timeout", "4s"]);
    let mut child = command.args(["--format", "jsonl", "-q"]).stdout(Stdio::piped()).spawn().expect("a start");
    thread::sleep(Duration::from_secs(12));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("the records");
    assert!(child.wait().expect("its end").success());
    assert_eq!(text.lines().filter(|line| line.contains("\"timeout-connect\"")).count(), 1 << 17);
    assert!(kilobytes.is_some_and(|kilobytes: u64| kilobytes < 80_000), "{kilobytes:?} kB");
}

/// Whoever types targets in sees what comes of each before the next.
#[test]
fn syn_sweep_of_standard_input_keeps_nobody_waiting() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    let mut command = privileged(&topology.prober);
    command.args(["--syn", "-f", "-", "--format", "jsonl", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a start");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    for (target, code) in [("10.0.0.200", "ok"), ("10.0.0.70", "refused"), ("10.0.0.201", "ok")] {
        writeln!(stdin, "{target}").expect("it is read");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a record");
        let record: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&record["target"]["addr"], &record["code"]), (&target.into(), &code.into()), "{record}");
    }
    drop(stdin);
    assert_eq!(child.wait().expect("its end").code(), Some(1), "one of those named refuses");
}

#[test]
fn syn_sweep_holds_ports_where_connections_may_have_any() {
    let Some(_lab) = lab() else { return };
    let (topology, _crowd) = mixed();
    topology.prober.sysctl("net/ipv4/ip_local_port_range", "1024 65535");
    let run = syn(&topology, &["10.0.0.0/24", "--connect-timeout", "4s"]);
    let wanted = BTreeMap::from([("ok", 128), ("refused", 64), ("timeout-connect", 64)]);
    assert_eq!(codes(&run.records), wanted, "{}", run.stderr);
}
