//! What a program costs, as the kernel accounts it.
//!
//! Each program is started and waited for by a process made for it alone: what `RUSAGE_CHILDREN` says there is of that one
//! program and of the children it waited for, its highest resident memory too.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::netns::Netns;

/// The mode in which this program starts another and measures it: the file for the figures follows, then the command.
pub(crate) const MEASURE: &str = "--measure";

/// A command line as its words.
pub(crate) fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

/// Whether a program is there; says so if it is not.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !there {
        println!("SKIPPED: {program} is not installed");
    }
    there
}

/// What `run` gives for each of so many entrants in each of so many rounds, whose order turns round with every one.
pub(crate) fn rounds<T>(rounds: usize, entrants: usize, mut run: impl FnMut(usize) -> T) -> Vec<Vec<T>> {
    let mut came: Vec<Vec<T>> = (0..entrants).map(|_| Vec::new()).collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..entrants).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for which in order {
            came[which].push(run(which));
        }
    }
    came
}

/// What one program cost, and what it printed.
pub(crate) struct Cost {
    /// User and system time.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// Highest resident memory, in bytes.
    pub(crate) memory: u64,
    pub(crate) output: String,
}

/// The measuring process: runs the command and writes microseconds of CPU, microseconds of time and KiB of memory.
pub(crate) fn measure(mut arguments: impl Iterator<Item = OsString>) {
    let figures = arguments.next().expect("a file for the figures");
    let mut command = Command::new(arguments.next().expect("a program"));
    let begun = Instant::now();
    // How it ended is seen by what it found.
    command.args(arguments).status().expect("starting the program");
    fs::write(figures, spent(begun)).expect("writing the figures");
}

/// What the one child of this process has taken since `begun`, as [`Spent::read`] reads it.
fn spent(begun: Instant) -> String {
    let wall = begun.elapsed().as_micros();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    format!("{cpu} {wall} {}", usage.max_rss())
}

/// The figures of a program that has ended.
struct Spent {
    cpu: Duration,
    wall: Duration,
    memory: u64,
    /// What follows those three.
    more: Vec<u64>,
}

impl Spent {
    fn read(text: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().expect("a number"));
        let mut number = || numbers.next().expect("three figures");
        let (cpu, wall, memory) = (number(), number(), number() * 1024);
        Self { cpu: Duration::from_micros(cpu), wall: Duration::from_micros(wall), memory, more: numbers.collect() }
    }
}

/// Has this program run a command inside the namespace to its end, in one of its modes, with what that wants to know.
fn have(netns: &Netns, mode: &str, wants: &[String], command: &[String], stdout: Stdio) -> Spent {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let figures = dir.path().join("figures");
    let status = netns
        .command(std::env::current_exe().expect("this program"))
        .arg(mode)
        .arg(&figures)
        .args(wants)
        .args(command)
        .stdout(stdout)
        .stderr(Stdio::null())
        .status()
        .expect("the measuring process");
    assert!(status.success(), "{command:?} could not be measured: {status}");
    Spent::read(&fs::read_to_string(figures).expect("the figures"))
}

/// Runs a command inside the namespace to its end.
pub(crate) fn run(netns: &Netns, command: &[String]) -> Cost {
    let mut output = tempfile::tempfile().expect("a file for the output");
    let stdout = output.try_clone().expect("the same file").into();
    let Spent { cpu, wall, memory, .. } = have(netns, MEASURE, &[], command, stdout);
    let mut printed = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut printed)).expect("the output");
    Cost { cpu, wall, memory, output: String::from_utf8_lossy(&printed).into_owned() }
}

/// The mode in which this program starts another and watches what it prints: the file for the figures follows, what [`Lines`] says,
/// then the command.
pub(crate) const WATCH: &str = "--watch";

/// How a program tells of an address it found, on a line for each.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    /// What stands before the address.
    pub(crate) before: &'static str,
    /// What has to be on the line too.
    pub(crate) with: &'static str,
    /// The first address, and how many there are.
    pub(crate) first: Ipv4Addr,
    pub(crate) all: u32,
    /// So many are almost all.
    pub(crate) most: u32,
}

/// What a program cost, and how soon it told of what it found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    pub(crate) memory: u64,
    /// Different addresses.
    pub(crate) found: u32,
    /// When almost all of them had been read.
    pub(crate) almost_all: Option<Duration>,
}

/// The watching process.
pub(crate) fn watching(mut arguments: impl Iterator<Item = OsString>) {
    let mut text = || arguments.next().and_then(|text| text.into_string().ok()).expect("an argument");
    let (figures, before, with) = (text(), text(), text());
    let first: Ipv4Addr = text().parse().expect("an address");
    let [all, most] = [text(), text()].map(|number| number.parse::<u32>().expect("a number"));
    let mut command = Command::new(text());
    let begun = Instant::now();
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("starting the program");
    let mut output = BufReader::with_capacity(1 << 20, child.stdout.take().expect("piped"));
    let (mut seen, mut found, mut almost_all) = (vec![false; all as usize], 0, 0);
    let mut line = String::new();
    while output.by_ref().read_line(&mut line).expect("what it prints") > 0 {
        let place = line.find(&before).filter(|_| line.contains(&with)).and_then(|at| {
            let rest = &line[at + before.len()..];
            let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
            let addr: Ipv4Addr = rest[..end].parse().ok()?;
            usize::try_from(addr.to_bits().checked_sub(first.to_bits())?).ok()
        });
        if let Some(seen) = place.and_then(|place| seen.get_mut(place)).filter(|seen| !**seen) {
            *seen = true;
            found += 1;
            if found == most {
                almost_all = begun.elapsed().as_micros();
            }
        }
        line.clear();
    }
    child.wait().expect("its end");
    fs::write(figures, format!("{} {found} {almost_all}", spent(begun))).expect("writing the figures");
}

/// Runs a command inside the namespace to its end, and watches what it finds.
pub(crate) fn watch(netns: &Netns, command: &[String], lines: &Lines) -> Sighting {
    let Lines { before, with, first, all, most } = lines;
    let wants = [before, with, &*first.to_string(), &*all.to_string(), &*most.to_string()].map(str::to_owned);
    let Spent { cpu, wall, memory, more } = have(netns, WATCH, &wants, command, Stdio::null());
    let [found, almost_all] = more[..] else { panic!("five figures") };
    Sighting {
        cpu,
        wall,
        memory,
        found: found.try_into().expect("a count"),
        almost_all: Some(Duration::from_micros(almost_all)).filter(|after| !after.is_zero()),
    }
}
