//! Whether the lab can be had here, and to oneself.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use super::netns::sweep_leftovers;

/// What the lab calls, by the Debian package that has it.
const TOOLS: [(&str, &str); 17] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("dropbear", "dropbear-bin"),
    ("dropbearkey", "dropbear-bin"),
    ("tinysshd", "tinysshd"),
    ("tinysshd-makekey", "tinysshd"),
    ("tinysshd-printkey", "tinysshd"),
    ("nsd", "nsd"),
    ("unbound", "unbound"),
    ("ldns-keygen", "ldnsutils"),
    ("ldns-signzone", "ldnsutils"),
    ("setpriv", "util-linux"),
    ("prlimit", "util-linux"),
    ("timeout", "coreutils"),
];

/// The right to use the lab until dropped.
pub(crate) struct Lab {
    _lock: File,
}

/// The lab for oneself, as most tests would slow each other down; `None` after a loud word where it cannot be had. For root on
/// a CI machine (`CI` is set) that is a failure.
pub(crate) fn lab() -> Option<Lab> {
    open(File::lock, &[])
}

/// The same for a test that calls more than the rest of the lab: files or programs, each with its Debian package.
pub(crate) fn lab_with(more: &[(&str, &str)]) -> Option<Lab> {
    open(File::lock, more)
}

/// The lab for tests that mostly wait for deadlines and can do so side by side.
pub(crate) fn shared_lab() -> Option<Lab> {
    open(File::lock_shared, &[])
}

/// Whether programs that a test calls are there, each with its Debian package; a loud word where one is not. For root on a CI
/// machine that is a failure.
pub(crate) fn tools(needed: &[(&str, &str)]) -> bool {
    let Some(reason) = missing(needed) else { return true };
    let ci = nix::unistd::geteuid().is_root() && std::env::var_os("CI").is_some();
    assert!(!ci, "the test must run here and cannot: {reason}");
    skip(&reason);
    false
}

/// Says that this test does not run here.
pub(crate) fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not eprintln!, which the test harness would swallow.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED {test}: {reason}\n");
}

fn open(lock: fn(&File) -> std::io::Result<()>, more: &[(&str, &str)]) -> Option<Lab> {
    // Asked once a process: tests that ask at the same time would trip over each other's trial.
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let obstacle = OBSTACLE.get_or_init(obstacle).clone().or_else(|| missing(more));
    if let Some(reason) = obstacle {
        assert!(
            !(nix::unistd::geteuid().is_root() && std::env::var_os("CI").is_some()),
            "the lab must run here and cannot: {reason}"
        );
        skip(&reason);
        return None;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab.lock");
    let file = File::create(path).expect("the lock file");
    lock(&file).expect("locking a file of our own");
    sweep_leftovers();
    hurry();
    Some(Lab { _lock: file })
}

fn obstacle() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    if let Some(reason) = missing(&TOOLS) {
        return Some(reason);
    }
    let trial = format!("sshprobe-lab-{}-trial", std::process::id());
    let made = std::process::Command::new("ip").args(["netns", "add", &trial]).output();
    let _ = std::process::Command::new("ip").args(["netns", "del", &trial]).output();
    match made {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("ip netns add: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("ip netns add: {error}")),
    }
}

/// Says which of these are not there; what has an absolute path is sought nowhere else.
fn missing(tools: &[(&str, &str)]) -> Option<String> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &str| {
        std::env::split_paths(&paths).chain(["/usr/sbin".into(), "/sbin".into()]).any(|dir| dir.join(tool).exists())
    };
    let missing: Vec<String> =
        tools.iter().filter(|(tool, _)| !there(tool)).map(|(tool, package)| format!("{tool} ({package})")).collect();
    (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
}

/// Deadlines of seconds are part of what is tested, and a busy machine must not make healthy servers miss them: this thread, and
/// all that it starts, goes before the rest of the machine. Where that is not allowed, nothing is lost but the precaution.
fn hurry() {
    let thread = nix::unistd::gettid().to_string();
    let _ = std::process::Command::new("renice").args(["-n", "-10", "-p", &thread]).output();
}
