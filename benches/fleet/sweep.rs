//! `cargo bench --bench fleet -- sweep`: a SYN sweep of 262,144 addresses beside zmap and masscan, live ones and silent ones.
//!
//! What counts of a live fleet is when almost all of it was found, as whoever reads the output sees it, and not when the program
//! ends: all of them wait for stragglers, each as long as it is told to. The peers go at the fastest of some rates at which they
//! still find that many, as far as there is one.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::ground::{DEVICE, GATEWAY, Ground, PORT, SILENT, SWEPT, SWEPT_BITS};
use crate::measure::{self, Lines, Sighting, installed, rounds, watch};
use crate::median::median;

/// Rounds of the whole; the median counts.
const ROUNDS: usize = 3;

/// Packets a second that the peers are tried with.
const ZMAP_RATES: [u32; 5] = [25_000, 50_000, 75_000, 100_000, 200_000];
const MASSCAN_RATES: [u32; 4] = [20_000, 50_000, 100_000, 200_000];

const ADDRESSES: u32 = 1 << SWEPT_BITS;

/// Found are 99.99 % as soon as so many are.
const ALMOST_ALL: u32 = ADDRESSES - ADDRESSES / 10_000;

const OURS: &str = concat!(
    env!("CARGO_BIN_EXE_sshprobe"),
    " --syn --depth connect --records answered --rate 0 --known-hosts none --progress never"
);

struct Entrant {
    name: String,
    command: Vec<String>,
    lines: Lines,
}

impl Entrant {
    fn new(name: impl Into<String>, before: &'static str, with: &'static str, words: &str) -> Self {
        Self {
            name: name.into(),
            command: measure::words(words),
            lines: Lines { before, with, first: SWEPT, all: ADDRESSES, most: ALMOST_ALL },
        }
    }

    /// With a record of some 800 bytes for each address found.
    fn sshprobe(first: Ipv4Addr, options: &str) -> Self {
        let words = format!("{OURS} --format jsonl {options} {}", network(first));
        let name = format!("sshprobe {}", if options.is_empty() { "(--retries 2)" } else { options });
        Self::new(name, r#""addr":""#, r#""status":"ok""#, &words)
    }

    /// With as much for each as zmap prints.
    fn sshprobe_briefly(first: Ipv4Addr) -> Self {
        let words = format!("{OURS} --format csv --columns addr {}", network(first));
        Self::new("sshprobe, addresses only", "", "", &words)
    }

    /// `syns` to each address.
    fn zmap(first: Ipv4Addr, rate: u32, syns: u32) -> Self {
        let words = format!(
            "zmap -q -C /dev/null -b /dev/null -p {PORT} -r {rate} -P {syns} -c 1 -i {DEVICE} -G {GATEWAY} -o - {}",
            network(first)
        );
        Self::new(format!("zmap -P {syns} -r {rate}"), "", "", &words)
    }

    fn masscan(first: Ipv4Addr, rate: u32) -> Self {
        let words = format!(
            "masscan -p{PORT} --rate {rate} --wait 1 --interface {DEVICE} --router-mac {GATEWAY} -oL - {}",
            network(first)
        );
        Self::new(format!("masscan --rate {rate}"), "open tcp 22 ", "", &words)
    }

    fn run(&self, ground: &Ground) -> Sighting {
        watch(&ground.prober, &self.command, &self.lines)
    }
}

fn network(first: Ipv4Addr) -> String {
    format!("{first}/{}", 32 - SWEPT_BITS)
}

/// Tries a program's rates, and tells of each; the one at which almost all were found soonest, or else most were found.
fn best(ground: &Ground, entrants: impl Iterator<Item = Entrant>) -> Option<Entrant> {
    let tried = entrants.map(|entrant| {
        let sighting = entrant.run(ground);
        let after =
            sighting.almost_all.map_or_else(|| String::from("never"), |after| format!("{:.2} s", after.as_secs_f64()));
        println!("  tried {:<26} found {} of {ADDRESSES}, 99.99 % {after}", entrant.name, sighting.found);
        (sighting, entrant)
    });
    let rank = |sighting: &Sighting| (sighting.almost_all.unwrap_or(Duration::MAX), ADDRESSES - sighting.found);
    tried.min_by_key(|(sighting, _)| rank(sighting)).map(|(_, entrant)| entrant)
}

/// Runs all of them in turning order. `against` is the one whose CPU time the others' are held against.
fn hold(title: &str, ground: &Ground, entrants: &[Entrant], against: &dyn Fn(usize) -> usize) {
    let runs = rounds(ROUNDS, entrants.len(), |which| entrants[which].run(ground));
    let cpu = |which: usize| median(runs[which].iter().map(|run| run.cpu)).as_secs_f64() * 1e6 / f64::from(ADDRESSES);
    println!("\n{title}, median of {ROUNDS}");
    println!(
        "{:<26} {:>10} {:>7}  {:<26} {:>9} {:>9} {:>9}  fewest found",
        "", "CPU us/addr", "times", "that of", "99.99 % s", "whole s", "peak MiB"
    );
    for (which, (entrant, runs)) in entrants.iter().zip(&runs).enumerate() {
        // A round that never got there took longer than any that did.
        let soon = median(runs.iter().map(|run| run.almost_all.unwrap_or(Duration::MAX)));
        let soon = match soon {
            Duration::MAX if runs.iter().all(|run| run.found == 0) => String::from("-"),
            Duration::MAX => String::from("never"),
            soon => format!("{:.2}", soon.as_secs_f64()),
        };
        println!(
            "{:<26} {:>10.2} {:>7.2}  {:<26} {:>9} {:>9.2} {:>9.1}  {} of {ADDRESSES}",
            entrant.name,
            cpu(which),
            cpu(which) / cpu(against(which)),
            entrants[against(which)].name,
            soon,
            median(runs.iter().map(|run| run.wall)).as_secs_f64(),
            runs.iter().map(|run| run.memory).max().unwrap_or(0) as f64 / f64::from(1 << 20),
            runs.iter().map(|run| run.found).min().unwrap_or(0),
        );
    }
}

pub(crate) fn sweep() {
    let ground = Ground::build();
    let (zmap, masscan) = (installed("zmap"), installed("masscan"));
    let mut live = vec![Entrant::sshprobe(SWEPT, ""), Entrant::sshprobe_briefly(SWEPT)];
    if zmap {
        live.extend(best(&ground, ZMAP_RATES.into_iter().map(|rate| Entrant::zmap(SWEPT, rate, 1))));
    }
    // Without zmap, against ourselves.
    let peer = live.len() - 1;
    if masscan {
        live.extend(best(&ground, MASSCAN_RATES.into_iter().map(|rate| Entrant::masscan(SWEPT, rate))));
    }
    hold("all addresses listen", &ground, &live, &|_| peer);

    // Whoever gets no answer loses none: the rate is whatever the machine gives.
    const UNBOUNDED: u32 = 10_000_000;
    let ours = [Entrant::sshprobe(SILENT, "--retries 0"), Entrant::sshprobe(SILENT, "")];
    let theirs = [Entrant::zmap(SILENT, UNBOUNDED, 1), Entrant::zmap(SILENT, UNBOUNDED, 3)];
    let mut silent: Vec<Entrant> = if zmap { ours.into_iter().chain(theirs).collect() } else { ours.into() };
    if masscan {
        silent.push(Entrant::masscan(SILENT, UNBOUNDED));
    }
    // One SYN an address beside one, three beside three.
    hold("the far end drops all, one SYN an address and three", &ground, &silent, &|which| match which {
        0 | 1 if zmap => which + 2,
        4 => 2,
        which => which,
    });
}
