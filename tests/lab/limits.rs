//! Short of descriptors, of memory and of a reader: nothing is lost, and nobody is blamed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use sshprobe_probes::responder::Script;

use super::codes;
use crate::support::guard::lab;
use crate::support::responder::Crowd;
use crate::support::run::{Run, parse, privileged, run, sshprobe};
use crate::support::topology::{PROBER_V4, Topology};

/// 4,096 addresses behind one listener.
const NETWORK: &str = "10.1.0.0/20";

/// Deadlines no slow machine meets by accident: what is tested is that nothing is lost, not how fast it goes.
const PATIENT: [&str; 4] = ["--connect-timeout", "60s", "--timeout", "120s"];

struct Town {
    _crowd: Crowd,
    topology: Topology,
}

impl Town {
    fn build() -> Self {
        Self::on(NETWORK)
    }

    fn on(network: &str) -> Self {
        // Both ends of 4,096 connections are descriptors; this is the servers' end.
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of descriptors");
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raising the soft limit to the hard one");
        let topology = Topology::new(network);
        topology.fleet.sysctl("net/core/somaxconn", "8192");
        topology.fleet.sysctl("net/ipv4/tcp_max_syn_backlog", "8192");
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 22));
        let crowd = Crowd::start(&topology.fleet, any, Script::healthy(&[7; 32]), 2);
        Self { _crowd: crowd, topology }
    }

    fn address(number: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + number)
    }
}

fn assert_all_ok(records: &[Value], stderr: &str) {
    let strange = records.iter().find(|record| record["code"] != "ok");
    assert_eq!(codes(records), BTreeMap::from([("ok", 4096)]), "for example {strange:?}\n{stderr}");
}

#[test]
fn limits_of_64_descriptors_blame_nobody() {
    let Some(_lab) = lab() else { return };
    let town = Town::build();
    let mut rules = String::new();
    let mut expected = BTreeMap::new();
    for number in 0..2000 {
        let (code, action) = match number % 50 {
            7 => ("refused", "reject with tcp reset"),
            23 => ("admin-prohibited", "reject with icmp type admin-prohibited"),
            _ => ("ok", ""),
        };
        *expected.entry(code).or_default() += 1;
        if !action.is_empty() {
            writeln!(rules, "ip daddr {} tcp dport 22 {action}", Town::address(number)).expect("a string");
        }
    }
    let chain = format!("table ip lab {{\n chain forward {{\n type filter hook forward priority 0\n {rules} }}\n}}\n");
    town.topology.router.nft(&chain);
    let mut command = sshprobe(&town.topology.prober, &["--nofile=64:64"]);
    command.args(["-f", "-", "--rate", "0", "--per-subnet", "4096", "--format", "jsonl"]).args(PATIENT);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a start");
    let mut stdin = child.stdin.take().expect("piped");
    let feeder = thread::spawn(move || (0..2000).try_for_each(|number| writeln!(stdin, "{}", Town::address(number))));
    let output = child.wait_with_output().expect("its end");
    feeder.join().expect("no panic").expect("all targets were read");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let records = parse(&output.stdout, &stderr);
    let strange = records.iter().find(|it| !expected.contains_key(it["code"].as_str().unwrap_or_default()));
    assert_eq!(codes(&records), expected, "for example {strange:?}\n{stderr}");
    for record in &records {
        let address: Ipv4Addr = record["target"]["addr"].as_str().and_then(|it| it.parse().ok()).expect("an address");
        let code = match (u32::from(address) - u32::from(Town::address(0))) % 50 {
            7 => "refused",
            23 => "admin-prohibited",
            _ => "ok",
        };
        assert_eq!(record["code"], code, "{record}");
    }
}

fn all_at_once(town: &Town, limits: &[&str]) -> Run {
    let mut command = sshprobe(&town.topology.prober, limits);
    command.args([NETWORK, "-c", "5000", "--rate", "0", "--per-subnet", "4096", "--format", "jsonl"]).args(PATIENT);
    run(command)
}

#[test]
fn limits_lifted_4096_at_once_are_all_ok() {
    let Some(_lab) = lab() else { return };
    let town = Town::build();
    let run = all_at_once(&town, &[]);
    assert_all_ok(&run.records, &run.stderr);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
}

#[test]
fn limits_of_one_gigabyte_of_addresses_are_enough() {
    let Some(_lab) = lab() else { return };
    let town = Town::build();
    let run = all_at_once(&town, &["--as=1073741824"]);
    assert_all_ok(&run.records, &run.stderr);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
}

/// A port taken by bind() serves one connection alone; one that connect() chooses can serve each of many destinations.
#[test]
fn limits_of_64_local_ports_blame_nobody() {
    let Some(_lab) = lab() else { return };
    let town = Town::build();
    town.topology.prober.sysctl("net/ipv4/ip_local_port_range", "40000 40063");
    let mut command = sshprobe(&town.topology.prober, &[]);
    command.args([NETWORK, "-c", "1000", "--rate", "0", "--per-subnet", "4096", "--source", PROBER_V4]);
    command.args(["--format", "jsonl"]).args(PATIENT);
    let run = run(command);
    assert_all_ok(&run.records, &run.stderr);
}

#[test]
fn limits_of_a_reader_that_stalls_ten_seconds_lose_nothing() {
    let Some(_lab) = lab() else { return };
    let town = Town::build();
    let mut command = sshprobe(&town.topology.prober, &[]);
    command.args([NETWORK, "-c", "5000", "--rate", "0", "--per-subnet", "4096", "--format", "jsonl"]).args(PATIENT);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a start");
    let mut stderr = child.stderr.take().expect("piped");
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    // The stall itself: a pipe holds 64 KiB, about twenty records.
    thread::sleep(Duration::from_secs(10));
    assert!(child.try_wait().expect("its state").is_none(), "it ended though nobody read its records");
    let mut stdout = Vec::new();
    child.stdout.take().expect("piped").read_to_end(&mut stdout).expect("the records");
    let status = child.wait().expect("its end");
    let stderr = complaints.join().expect("no panic").expect("text");
    assert_all_ok(&parse(&stdout, &stderr), &stderr);
    assert_eq!(status.code(), Some(0), "{stderr}");
}

/// A run that nobody reads the records of.
struct Stalled {
    child: Child,
    stdout: ChildStdout,
}

impl Stalled {
    fn start(town: &Town, args: &[&str]) -> Self {
        let mut command = privileged(&town.topology.prober);
        command.args(args).args(["--rate", "0", "--format", "jsonl", "--known-hosts", "none", "-q"]).args(PATIENT);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a start");
        let stdout = child.stdout.take().expect("piped");
        Self { child, stdout }
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its state");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("memory");
        line.trim().trim_end_matches(" kB").parse().expect(line)
    }

    fn records(mut self) -> Vec<Value> {
        let mut stdout = Vec::new();
        self.stdout.read_to_end(&mut stdout).expect("the records");
        assert!(self.child.wait().expect("its end").success());
        parse(&stdout, "")
    }
}

/// Complete probes, and a SYN sweep beside them. The minute begins when both have come to a stand, however long that takes here.
#[test]
fn limits_of_a_reader_that_stalls_a_minute_keep_memory_flat() {
    const NETWORK: &str = "10.1.0.0/19";
    const ALL: usize = 8_192;
    const SECOND: Duration = Duration::from_secs(1);
    let Some(_lab) = lab() else { return };
    let town = Town::on(NETWORK);
    let runs = [
        Stalled::start(&town, &[NETWORK, "-c", "256"]),
        #[cfg(feature = "syn")]
        Stalled::start(&town, &[NETWORK, "--syn", "--depth", "connect"]),
    ];
    let mut seen: Vec<(u64, Vec<u64>)> = Vec::new();
    for _ in 0..300 {
        let now = (town.topology.fleet.figure("Tcp", "InSegs"), runs.iter().map(Stalled::memory).collect());
        // Who does nothing sends nothing.
        if seen.last().is_some_and(|(before, _)| *before != now.0) {
            seen.clear();
        }
        seen.push(now);
        if seen.len() > 60 {
            break;
        }
        // The time itself is what is to pass.
        thread::sleep(SECOND);
    }
    assert!(seen.len() > 60, "they never came to a stand: {seen:?}");
    // Of the sweep no connection is ever up: these are of the probes, most of which have not begun.
    let begun = town.topology.fleet.figure("Tcp", "PassiveOpens");
    assert!((256..ALL as u64 / 2).contains(&begun), "{begun} connections while nobody read");
    for run in 0..runs.len() {
        let (least, most) = seen
            .iter()
            .map(|(_, memory)| memory[run])
            .fold((u64::MAX, 0), |(least, most), now| (least.min(now), most.max(now)));
        assert!(most - least <= 1024, "from {least} to {most} KiB within a minute in which nothing happened");
    }
    for run in runs {
        let records = run.records();
        let strange = records.iter().find(|record| record["code"] != "ok");
        assert_eq!(codes(&records), BTreeMap::from([("ok", ALL)]), "for example {strange:?}");
    }
}
