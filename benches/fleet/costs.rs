//! `cargo bench --bench fleet -- costs`: what one more target costs in system calls, allocations and memory.
//!
//! Everything is the difference of two runs that differ only in how many targets they have, so that what a process costs
//! to start falls out. System calls are counted by strace, allocations by valgrind, memory by the kernel.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::ground::{DEAD, FIRST, Ground, MUTE_PORT, PORT};
use crate::measure::{Cost, run, words};

/// What sshprobe is sent over.
#[derive(Clone)]
struct Errand {
    name: &'static str,
    /// The network's address, the port, and options of its own.
    network: String,
    port: u16,
    options: &'static str,
    /// What each target has to come to.
    code: &'static str,
    /// How long it is waited for, where it is silent.
    wait: Duration,
}

impl Errand {
    /// The command for 2^`bits` targets, all of them in flight at once if `crowd`.
    fn command(&self, bits: u32, crowd: bool) -> String {
        let concurrency = if crowd { 1 << bits } else { 128 };
        format!(
            "{} {}/{}:{} --rate 0 --per-subnet 65536 --known-hosts none --progress never --format jsonl -c {concurrency} {}",
            env!("CARGO_BIN_EXE_sshprobe"),
            self.network,
            32 - bits,
            self.port,
            self.options
        )
    }
}

/// Ends the bench unless every one of 2^`bits` targets came to what it should: of another run the costs say nothing.
fn expect(errand: &Errand, bits: u32, cost: &Cost) {
    let code = format!(r#""code":"{}""#, errand.code);
    let came = cost.output.lines().filter(|line| line.contains(&code)).count();
    assert_eq!(came, 1 << bits, "{}: so many targets were {}", errand.name, errand.code);
}

/// Calls of each name that strace counted.
fn syscalls(ground: &Ground, errand: &Errand, bits: u32) -> Option<BTreeMap<String, f64>> {
    let file = ground.dir.path().join("strace");
    let command = errand.command(bits, false);
    let cost = run(&ground.prober, &words(&format!("strace -f -c -U name,calls -o {} {command}", file.display())));
    let text = fs::read_to_string(&file).ok()?;
    expect(errand, bits, &cost);
    let calls = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    });
    Some(calls.collect())
}

/// How often, and for how many bytes, the whole process asked for memory.
fn allocations(ground: &Ground, errand: &Errand, bits: u32) -> Option<(f64, f64)> {
    let file = ground.dir.path().join("valgrind");
    let command = errand.command(bits, false);
    let cost =
        run(&ground.prober, &words(&format!("valgrind --leak-check=no --log-file={} {command}", file.display())));
    let text = fs::read_to_string(&file).ok()?;
    expect(errand, bits, &cost);
    let line = text.lines().find_map(|line| line.split_once("total heap usage: "))?.1.replace(',', "");
    let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some((*numbers.first()?, *numbers.get(2)?))
}

/// By how much `long`, with 2^`bits.1` targets, is more than `short`, with 2^`bits.0`, for each target more.
fn each(short: f64, long: f64, bits: (u32, u32)) -> f64 {
    (long - short) / f64::from((1 << bits.1) - (1 << bits.0))
}

fn count(ground: &Ground, errand: &Errand) {
    const TRACED: (u32, u32) = (8, 11);
    let traced = |bits| syscalls(ground, errand, bits);
    if let Some((short, long)) = traced(TRACED.0).zip(traced(TRACED.1)) {
        let each: BTreeMap<&String, f64> = long
            .iter()
            .map(|(name, calls)| (name, each(short.get(name).copied().unwrap_or(0.0), *calls, TRACED)))
            .collect();
        let total: f64 = each.iter().filter(|(name, _)| **name != "total").map(|(_, calls)| calls).sum();
        let mut parts: Vec<_> = each.iter().filter(|(name, calls)| **name != "total" && **calls > 0.05).collect();
        parts.sort_by(|a, b| b.1.total_cmp(a.1));
        let parts: Vec<String> = parts.iter().map(|(name, calls)| format!("{name} {calls:.1}")).collect();
        println!("{:<24} {total:8.1} system calls: {}", errand.name, parts.join(", "));
    } else {
        println!("SKIPPED: system calls (strace is not installed, or not allowed)");
    }
    const WATCHED: (u32, u32) = (6, 9);
    let watched = |bits| allocations(ground, errand, bits);
    if let Some((short, long)) = watched(WATCHED.0).zip(watched(WATCHED.1)) {
        println!(
            "{:<24} {:8.1} allocations, {:.0} bytes altogether",
            errand.name,
            each(short.0, long.0, WATCHED),
            each(short.1, long.1, WATCHED)
        );
    } else {
        println!("SKIPPED: allocations (valgrind is not installed)");
    }
}

/// Resident memory for each connection that is up, or coming up, at the same time.
fn weigh(ground: &Ground, errand: &Errand) {
    const HELD: (u32, u32) = (10, 13);
    let peak = |bits| {
        let cost = run(&ground.prober, &words(&errand.command(bits, true)));
        expect(errand, bits, &cost);
        // Each was given up after as long a wait: only together they can all be over before the first one's wait is over twice.
        assert!(cost.wall < errand.wait * 2, "{}: not all were up at once, in {:?}", errand.name, cost.wall);
        cost.memory as f64
    };
    let bytes = each(peak(HELD.0), peak(HELD.1), HELD);
    println!("{:<24} {:8.1} KiB resident each, {} at once", errand.name, bytes / 1024.0, 1 << HELD.1);
}

pub(crate) fn costs() {
    let ground = Ground::build();
    println!("what one more target costs, by the difference of two runs");
    let healthy = Errand {
        name: "complete probe",
        network: FIRST.to_string(),
        port: PORT,
        options: "",
        code: "ok",
        wait: Duration::ZERO,
    };
    count(&ground, &healthy);
    count(&ground, &Errand { name: "connect only", options: "--depth connect", ..healthy.clone() });
    let held = Errand {
        name: "held at userauth",
        port: MUTE_PORT,
        options: "--timeout 12s",
        code: "auth-timeout",
        wait: Duration::from_secs(12),
        ..healthy
    };
    let dead = Errand {
        name: "dead address",
        network: DEAD.to_string(),
        port: PORT,
        options: "--connect-timeout 1s",
        code: "timeout-connect",
        wait: Duration::from_secs(1),
    };
    count(&ground, &dead);
    weigh(&ground, &held);
    let wait = Duration::from_secs(5);
    weigh(&ground, &Errand { name: "waiting for connect", options: "--connect-timeout 5s", wait, ..dead });
}
