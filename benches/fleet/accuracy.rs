//! `cargo bench --bench fleet -- accuracy`: what a rate does to false timeouts. `-- accuracy syn` and `-- accuracy connect` look at
//! one of the two ways only.
//!
//! Every one of 65,536 addresses is there. Of a network that loses nothing each has to be found at every rate; of one that loses
//! packets by chance, each direction for itself, only so many may be missed as such a loss predicts for the SYNs that are sent. The
//! far end's own SYN-ACKs are not sent again here, as they usually are: nothing makes up for what a SYN of ours did not find out.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::ground::{FIRST, Ground, PORT};
use crate::measure::{run, words};

/// New addresses, or packets, a second; 0 lifts the limit.
const RATES: [u32; 7] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 0];

/// A /16.
const BITS: u32 = 16;
const ADDRESSES: u32 = 1 << BITS;

/// How sure a miss has to be more than chance.
const PERCENTILE: f64 = 0.999;

/// A way of asking whether somebody listens.
struct Way {
    /// What its name is on the command line.
    word: &'static str,
    options: &'static str,
    /// How many SYNs a silent address gets, at the least.
    syns: u32,
    /// Packets that are lost each way, of a thousand.
    losses: &'static [u32],
    /// No miss is put down to chance.
    none_missed: bool,
}

/// SYNs that connect() sends within the shortest time that is waited for it (`RoundTrips::LEAST`): after 1, 3 and 7 s, since
/// Linux 6.5 after each of the first seconds.
fn syns_of_connect(ground: &Ground) -> u32 {
    const LEAST: Duration = Duration::from_millis(3_500);
    let linear = ground.prober.enter(|| fs::read_to_string("/proc/sys/net/ipv4/tcp_syn_linear_timeouts"));
    let linear: u32 = linear.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let (mut syns, mut at, mut gap) = (0, Duration::ZERO, Duration::from_secs(1));
    while at < LEAST {
        syns += 1;
        at += gap;
        if syns > linear {
            gap *= 2;
        }
    }
    syns
}

/// Has the fleet's end of the link lose so many packets of a thousand, of those that come in and of those that go out.
fn lose(ground: &Ground, per_mille: u32) {
    let mut rules = String::from("table netdev loss\ndelete table netdev loss\n");
    if per_mille > 0 {
        rules.push_str("table netdev loss {\n");
        for hook in ["ingress", "egress"] {
            writeln!(
                rules,
                " chain {hook} {{\n type filter hook {hook} device prober0 priority 0\n \
                 ip protocol tcp numgen random mod 1000 < {per_mille} drop\n }}"
            )
            .expect("a string");
        }
        rules.push_str("}\n");
    }
    ground.fleet.nft(&rules);
}

/// That one address is missed: every SYN or its answer is lost.
fn miss(per_mille: u32, syns: u32) -> f64 {
    let through = 1.0 - f64::from(per_mille) / 1000.0;
    (1.0 - through * through).powi(syns.cast_signed())
}

/// The smallest number that so many of `trials`, each a hit with probability `chance`, do not exceed in `part` of all cases.
fn binomial_quantile(trials: u32, chance: f64, part: f64) -> u32 {
    if chance <= 0.0 {
        return 0;
    }
    // By its logarithm: none at all may be too unlikely for a double.
    let mut log = f64::from(trials) * (-chance).ln_1p();
    let mut within = log.exp();
    let mut hits = 0;
    while within < part && hits < trials {
        log += (f64::from(trials - hits) / f64::from(hits + 1)).ln() + chance.ln() - (-chance).ln_1p();
        within += log.exp();
        hits += 1;
    }
    hits
}

/// One sweep of all addresses; whether it missed no more than it may.
fn sweep(ground: &Ground, way: &Way, per_mille: u32, rate: u32) -> bool {
    let command = format!(
        "{} {FIRST}/{}:{PORT} --depth connect --rate {rate} {} --known-hosts none --progress never --format csv --columns code",
        env!("CARGO_BIN_EXE_sshprobe"),
        32 - BITS,
        way.options
    );
    let cost = run(&ground.prober, &words(&command));
    let count = |code: &str| cost.output.lines().filter(|line| *line == code).count();
    let (found, missed) = (count("ok"), count("timeout-connect"));
    let chance = miss(per_mille, way.syns);
    let mean = f64::from(ADDRESSES) * chance;
    let most = if way.none_missed { 0 } else { binomial_quantile(ADDRESSES, chance, PERCENTILE) };
    let all_told = found + missed == ADDRESSES as usize;
    let good = all_told && missed <= most as usize;
    println!(
        "{:>9} {:>7} {:>8.1} {missed:>8} {mean:>9.3} {most:>8}  {}",
        if rate == 0 { "maximum".to_owned() } else { rate.to_string() },
        format!("{}.{} %", per_mille / 10, per_mille % 10),
        cost.wall.as_secs_f64(),
        match (good, all_told) {
            (true, _) => "as it should be".to_owned(),
            (false, true) => "TOO MANY".to_owned(),
            (false, false) => format!("{} HAVE ANOTHER OUTCOME", ADDRESSES as usize - found - missed),
        }
    );
    good
}

/// Whether all is as it should be.
pub(crate) fn accuracy(word: Option<&str>) -> bool {
    let ground = Ground::build();
    ground.fleet.sysctl("net/ipv4/tcp_synack_retries", "0");
    let losses = &[0, 10, 50];
    let ways = [
        Way { word: "syn", options: "--syn", syns: 3, losses, none_missed: false },
        Way { word: "syn", options: "--syn --retries 6", syns: 7, losses: &[10, 50], none_missed: true },
        Way { word: "connect", options: "-c 5000", syns: syns_of_connect(&ground), losses, none_missed: false },
    ];
    let mut good = true;
    for way in ways.iter().filter(|way| word.is_none_or(|word| word == way.word)) {
        println!("\n{} --depth connect, {ADDRESSES} live addresses, {} SYNs to a silent one", way.options, way.syns);
        println!("{:>9} {:>7} {:>8} {:>8} {:>9} {:>8}", "rate", "loss", "seconds", "missed", "predicted", "at most");
        for per_mille in way.losses {
            lose(&ground, *per_mille);
            for rate in RATES {
                good &= sweep(&ground, way, *per_mille, rate);
            }
        }
    }
    good
}
