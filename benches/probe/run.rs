//! The measurement itself.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use sshprobe::engine::{self, Options, Stats};
use sshprobe::resolve::{Resolver, ResolverOptions};
use sshprobe::target::Sources;
use sshprobe_probes::plan::Plan;
use sshprobe_probes::responder::HostKeyPair;
use sshprobe_probes::trust::{KnownHosts, Policy};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::floor::{Floor, cpu};
use crate::median::median;
use crate::responder::{SNTRUP, respond};

/// Probes of one measurement: a /20 of loopback.
const PROBES: u32 = 4096;

/// Connections in flight while CPU is measured: enough to keep both sides busy.
const IN_FLIGHT: usize = 128;

/// Probes of one round of the comparison with the floor, a /22, and rounds of it, whose median counts. Short ones, each between two
/// measurements of the floor: a shared machine changes its pace within seconds.
const ROUND: u32 = 1024;
const ROUNDS: usize = 31;

/// Calls of a measurement of the floor. The responder's queue has room for the connections of all processors, as it may not run meanwhile.
const CALLS: u32 = 256;

/// Rounds of what is compared with itself.
const FILES: usize = 5;

/// The responder's process: prints the ports of a healthy server and of one that falls silent at userauth.
pub(crate) fn responder() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let healthy = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a port");
        let mute = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a port");
        let ports = [&healthy, &mute].map(|listener| listener.local_addr().expect("its address").port());
        println!("{} {}", ports[0], ports[1]);
        respond(SNTRUP, healthy, mute).await;
    });
}

struct Responder {
    child: Child,
    healthy: u16,
    mute: u16,
}

impl Responder {
    fn start() -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut child = Command::new(this)
            .arg("--responder")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the responder");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its ports");
        let mut ports = line.split_whitespace().map(|port| port.parse().expect("a port"));
        let mut port = || ports.next().expect("two ports");
        Self { healthy: port(), mute: port(), child }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one sweep cost.
struct Cost {
    cpu: Duration,
    wall: Duration,
    ok: u32,
    /// Resident memory at its highest above where it began, in bytes.
    memory: u64,
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Sweeps a range of loopback that has so many addresses.
fn sweep(
    runtime: &Runtime,
    (probes, port): (u32, u16),
    plan: Plan,
    in_flight: usize,
    trust: Option<&Arc<Policy>>,
) -> Cost {
    let mut options = Options::new(plan);
    let settings = Arc::make_mut(&mut options.settings);
    settings.per_host = Duration::ZERO;
    settings.retries = 0;
    settings.trust = trust.cloned();
    options.rate = 0;
    options.per_subnet = 0;
    options.concurrency = in_flight;
    let sources = Sources { targets: vec![format!("127.1.0.0/{}:{port}", 32 - probes.ilog2())], ..Sources::default() };
    let targets = sources.open().expect("targets").filter_map(Result::ok);
    let resolver = Resolver::new(ResolverOptions::default());
    let (sink, mut records) = mpsc::channel(1024);
    let before = resident();
    let (cpu_before, begun) = (cpu(), Instant::now());
    let (ok, highest) = runtime.block_on(async {
        let run = tokio::spawn(async move {
            let stats = Arc::new(Stats::default());
            engine::run(options, targets, resolver, sink, CancellationToken::new(), stats).await
        });
        // Beside the engine: what is woken on another thread for each record would be counted as the probe's.
        let taken = tokio::spawn(async move {
            let (mut ok, mut highest) = (0, before);
            let mut every = tokio::time::interval(Duration::from_millis(50));
            loop {
                tokio::select! {
                    record = records.recv() => match record {
                        Some(record) => ok += u32::from(record.code == sshprobe_probes::diagnose::Code::Ok),
                        None => break,
                    },
                    _ = every.tick() => highest = highest.max(resident()),
                }
            }
            (ok, highest)
        });
        run.await.expect("the engine").expect("fit to run");
        taken.await.expect("the records")
    });
    Cost { cpu: cpu() - cpu_before, wall: begun.elapsed(), ok, memory: highest.saturating_sub(before) }
}

/// What holding each key against known_hosts adds: a file that has every host of the fleet, beside no file, in turn.
fn trust(runtime: &Runtime, responder: &Responder) {
    let key = STANDARD.encode(HostKeyPair::from_seed(&[7; 32]).blob());
    let mut lines = String::new();
    for number in 0..PROBES {
        let host = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
        lines += &format!("[{host}]:{} ssh-ed25519 {key}\n", responder.healthy);
    }
    let mut files = KnownHosts::builder();
    files.file("known_hosts", lines.as_bytes());
    let judged = Arc::new(Policy { known_hosts: Some(files.build().into()), ..Policy::default() });
    let unjudged = Arc::new(Policy::default());
    let mut each = [Vec::new(), Vec::new()];
    for _ in 0..FILES {
        for (which, policy) in [&unjudged, &judged].into_iter().enumerate() {
            let cost = sweep(runtime, (PROBES, responder.healthy), Plan::default(), IN_FLIGHT, Some(policy));
            assert_eq!(cost.ok, PROBES, "every key is the one known");
            each[which].push(micros(cost.cpu) / f64::from(PROBES));
        }
    }
    let [without, with] = each.map(median);
    println!(
        "known_hosts            {with:7.1} us CPU a probe with {PROBES} plain lines, {without:.1} with --known-hosts none ({:+.1} %)",
        (with / without - 1.0) * 100.0
    );
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// What the rounds of one runtime came to: microseconds, but for ratios and probes a second.
#[derive(Default)]
struct Figures {
    costs: Vec<f64>,
    ratios: Vec<f64>,
    rates: Vec<f64>,
    floors: Vec<f64>,
    parts: [Vec<f64>; 3],
}

impl Figures {
    fn add(&mut self, cost: &Cost, [before, after]: [&Floor; 2]) {
        let (each, floor) = (micros(cost.cpu) / f64::from(ROUND), micros(before.sum() + after.sum()) / 2.0);
        self.costs.push(each);
        self.ratios.push(each / floor);
        self.rates.push(f64::from(ROUND) / cost.wall.as_secs_f64());
        self.floors.push(floor);
        for (part, span) in self.parts.iter_mut().zip([after.tcp, after.x25519, after.ed25519]) {
            part.push(micros(span));
        }
    }

    fn print(self, name: &str) {
        let [tcp, x25519, ed25519] = self.parts.map(median);
        let [cost, ratio, rate, floor] = [self.costs, self.ratios, self.rates, self.floors].map(median);
        println!("{name:<14} probe   {cost:7.1} us CPU, {ratio:.2} times the floor, {rate:.0} probes/s");
        println!(
            "{:<14} floor   {floor:7.1} us  (connect+close {tcp:.1}, X25519 {x25519:.1}, Ed25519 {ed25519:.1})",
            ""
        );
    }
}

/// Has this thread, what it starts, and the responder run on these processors alone.
fn pin(responder: &Responder, processors: &[usize]) {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor).expect("few enough"));
    let child = Pid::from_raw(i32::try_from(responder.child.id()).expect("a process"));
    for process in [Pid::from_raw(0), child] {
        sched_setaffinity(process, &set).expect("processors that it had before");
    }
}

/// The processors that this thread may run on.
fn processors() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).expect("its processors");
    (0..CpuSet::count()).filter(|processor| set.is_set(*processor).unwrap_or(false)).collect()
}

pub(crate) fn bench() {
    let responder = Responder::start();
    let processors = processors();
    let single = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let multi = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // Caches want to be warm.
    sweep(&single, (PROBES, responder.healthy), Plan::default(), IN_FLIGHT, None);

    // One thread has one processor with the responder, and so works as undisturbed as its floor: two processors may be one core. On
    // all of them the floor is that of all of them at work.
    let mut runtimes = [
        ("one thread", &single, &processors[..1], Figures::default()),
        ("all cores", &multi, &processors[..], Figures::default()),
    ];
    let addr = ([127, 0, 0, 1], responder.healthy).into();
    for _ in 0..ROUNDS {
        for (_, runtime, processors, figures) in &mut runtimes {
            pin(&responder, processors);
            let floor = || Floor::measure(addr, CALLS, processors.len());
            let before = floor();
            let cost = sweep(runtime, (ROUND, responder.healthy), Plan::default(), IN_FLIGHT, None);
            assert_eq!(cost.ok, ROUND, "every probe is complete");
            figures.add(&cost, [&before, &floor()]);
        }
    }
    println!("median of {ROUNDS} rounds, {ROUND} complete probes each, {IN_FLIGHT} in flight, one process each side");
    runtimes.into_iter().for_each(|(name, .., figures)| figures.print(name));

    trust(&single, &responder);

    let plan = Plan { timeout: Duration::from_secs(8), ..Plan::default() };
    let cost = sweep(&single, (PROBES, responder.mute), plan, PROBES as usize, None);
    let each = cost.memory as f64 / 1024.0 / f64::from(PROBES);
    println!("memory in flight       {each:7.1} KiB resident, {PROBES} held at userauth, keys exchanged");
}
