//! What a program costs, as the kernel accounts it.
//!
//! Each program is started and waited for by a process made for it alone: what `RUSAGE_CHILDREN` says there is of that one
//! program and of the children it waited for, its highest resident memory too.

use std::ffi::OsString;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::netns::Netns;

/// The mode in which this program starts another and measures it: the file for the figures follows, then the command.
pub(crate) const MEASURE: &str = "--measure";

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
    let wall = begun.elapsed().as_micros();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    fs::write(figures, format!("{cpu} {wall} {}", usage.max_rss())).expect("writing the figures");
}

/// Runs a command inside the namespace to its end.
pub(crate) fn run(netns: &Netns, command: &[String]) -> Cost {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (figures, output) = (dir.path().join("figures"), dir.path().join("output"));
    let status = netns
        .command(std::env::current_exe().expect("this program"))
        .arg(MEASURE)
        .arg(&figures)
        .args(command)
        .stdout(File::create(&output).expect("a file for the output"))
        .stderr(Stdio::null())
        .status()
        .expect("the measuring process");
    assert!(status.success(), "{command:?} could not be measured: {status}");
    let text = fs::read_to_string(figures).expect("the figures");
    let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().expect("a number"));
    let mut number = || numbers.next().expect("three figures");
    Cost {
        cpu: Duration::from_micros(number()),
        wall: Duration::from_micros(number()),
        memory: number() * 1024,
        output: String::from_utf8_lossy(&fs::read(output).expect("the output")).into_owned(),
    }
}
