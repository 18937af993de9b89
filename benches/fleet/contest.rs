//! Who runs against whom, with which arguments, and the table of what came of it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::ground::{DEVICE, FIRST, GATEWAY, Ground, OPENSSH_PORT, PORT, host};
use crate::measure::{self, Cost, installed, rounds, run};
use crate::median::median;

/// Rounds of the whole; the median counts.
const ROUNDS: usize = 3;

/// Hosts of a plain port scan: enough that a program's start is a small part of it.
const SCANNED: u32 = 4_096;

/// Hosts of complete probes, fewer for whoever is slow: costs are compared per host.
const PROBED: u32 = 4_096;
const PROBED_BY_KEYSCAN: u32 = 1_024;
const PROBED_BY_NMAP: u32 = 16;

/// Hosts behind which a real OpenSSH stands. It costs that machine more than most programs that ask it.
const REAL: u32 = 64;

/// One program with its arguments.
struct Entrant {
    name: &'static str,
    command: Vec<String>,
    hosts: u32,
    /// Part of the line that the program prints for a host it found, once for each.
    mark: &'static str,
}

/// Programs that do the same work. The first is sshprobe, against which the others are held.
struct Contest {
    title: &'static str,
    entrants: Vec<Entrant>,
}

impl Entrant {
    fn new(name: &'static str, hosts: u32, mark: &'static str, words: &str) -> Self {
        Self { name, command: measure::words(words), hosts, mark }
    }

    fn sshprobe(hosts: u32, port: u16, depth: &str) -> Self {
        // Without the manners that make a sweep slow on purpose: the peers have none to be switched off.
        let words = format!(
            "{} {}:{port} --depth {depth} --rate 0 --per-subnet 65536 --known-hosts none --progress never --format jsonl",
            env!("CARGO_BIN_EXE_sshprobe"),
            network(hosts)
        );
        Self::new("sshprobe", hosts, r#""status":"ok""#, &words)
    }

    /// One key type: it opens a connection for each. It takes addresses from a file, and no ranges.
    fn ssh_keyscan(hosts: u32, port: u16, dir: &Path) -> Self {
        let file = list(dir, hosts);
        Self::new("ssh-keyscan", hosts, " ssh-ed25519 ", &format!("ssh-keyscan -t ed25519 -p {port} -f {file}"))
    }

    fn found(&self, cost: &Cost) -> usize {
        cost.output.lines().filter(|line| line.contains(self.mark)).count()
    }
}

/// The first `hosts` addresses of the fleet as a network; a power of two.
fn network(hosts: u32) -> String {
    format!("{FIRST}/{}", 32 - hosts.ilog2())
}

/// A file with an address a line.
fn list(dir: &Path, hosts: u32) -> String {
    let path = dir.join(format!("{hosts}.txt"));
    let lines: String = (0..hosts).map(|number| format!("{}\n", host(number))).collect();
    fs::write(&path, lines).expect("writing a list of hosts");
    path.to_str().expect("printable").to_owned()
}

fn contests(ground: &Ground, dir: &Path) -> Vec<Contest> {
    let complete = vec![
        Entrant::sshprobe(PROBED, PORT, "auth"),
        Entrant::ssh_keyscan(PROBED_BY_KEYSCAN, PORT, dir),
        Entrant::new(
            "nmap, 3 scripts",
            PROBED_BY_NMAP,
            "ssh-auth-methods:",
            &format!(
                "nmap -n -Pn -T4 -p {PORT} -sV --script ssh2-enum-algos,ssh-hostkey,ssh-auth-methods {}",
                network(PROBED_BY_NMAP)
            ),
        ),
        Entrant::new(
            "zgrab2 ssh",
            PROBED,
            r#""status":"success""#,
            &format!("zgrab2 ssh --userauth -p {PORT} -s 128 -f {}", list(dir, PROBED)),
        ),
    ];
    let scan = network(SCANNED);
    let ports = vec![
        Entrant::sshprobe(SCANNED, PORT, "connect"),
        Entrant::new("nmap -sT", SCANNED, "22/open", &format!("nmap -n -Pn -T4 -sT -p {PORT} -oG - {scan}")),
        Entrant::new("nmap -sS", SCANNED, "22/open", &format!("nmap -n -Pn -T4 -sS -p {PORT} -oG - {scan}")),
        Entrant::new(
            "zmap",
            SCANNED,
            "10.8.",
            &format!("zmap -q -C /dev/null -b /dev/null -p {PORT} -r 20000 -c 1 -i {DEVICE} -G {GATEWAY} -o - {scan}"),
        ),
        Entrant::new(
            "masscan",
            SCANNED,
            "open tcp 22",
            &format!("masscan -p{PORT} --rate 20000 --wait 1 --interface {DEVICE} --router-mac {GATEWAY} -oL - {scan}"),
        ),
    ];
    let mut contests = vec![
        Contest { title: "complete probes of a responder, curve25519 on both sides", entrants: complete },
        Contest { title: "is the port open: TCP connects beside SYN scans", entrants: ports },
    ];
    if ground.openssh {
        let real = vec![Entrant::sshprobe(REAL, OPENSSH_PORT, "auth"), Entrant::ssh_keyscan(REAL, OPENSSH_PORT, dir)];
        contests.insert(
            1,
            Contest { title: "complete probes of a real OpenSSH, each by its own choice of exchange", entrants: real },
        );
    } else {
        println!("SKIPPED: a real OpenSSH (no sshd here)");
    }
    for contest in &mut contests {
        contest.entrants.retain(|entrant| installed(&entrant.command[0]));
    }
    contests
}

/// Medians over the rounds.
struct Figures {
    cpu_a_host: f64,
    hosts_a_second: f64,
    mebibytes: f64,
    /// The fewest of any round.
    found: usize,
}

impl Figures {
    fn of(entrant: &Entrant, costs: &[Cost]) -> Self {
        let hosts = f64::from(entrant.hosts);
        let each = |figure: &dyn Fn(&Cost) -> f64| median(costs.iter().map(figure));
        Self {
            cpu_a_host: each(&|cost| cost.cpu.as_secs_f64() * 1e6 / hosts),
            hosts_a_second: each(&|cost| hosts / cost.wall.as_secs_f64()),
            mebibytes: each(&|cost| cost.memory as f64 / f64::from(1 << 20)),
            found: costs.iter().map(|cost| entrant.found(cost)).min().unwrap_or(0),
        }
    }
}

fn hold(contest: &Contest, ground: &Ground) {
    let entrants = &contest.entrants;
    let costs = rounds(ROUNDS, entrants.len(), |which| run(&ground.prober, &entrants[which].command));
    let figures: Vec<Figures> =
        contest.entrants.iter().zip(&costs).map(|(entrant, costs)| Figures::of(entrant, costs)).collect();
    println!("\n{}, median of {ROUNDS}", contest.title);
    println!("{:<16} {:>12} {:>7} {:>10} {:>9}  found", "", "CPU us/host", "ratio", "hosts/s", "peak MiB");
    for (entrant, figure) in contest.entrants.iter().zip(&figures) {
        println!(
            "{:<16} {:>12.1} {:>7.2} {:>10.0} {:>9.1}  {} of {}",
            entrant.name,
            figure.cpu_a_host,
            figure.cpu_a_host / figures[0].cpu_a_host,
            figure.hosts_a_second,
            figure.mebibytes,
            figure.found,
            entrant.hosts
        );
    }
}

pub(crate) fn bench() {
    let dir = TempDir::new().expect("a temporary directory");
    let ground = Ground::build();
    for contest in contests(&ground, dir.path()) {
        hold(&contest, &ground);
    }
}
