//! Runs the program under test inside a namespace, as an ordinary user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::netns::Netns;

/// nobody and nogroup on Debian.
const NOBODY: &str = "65534";

/// What a finished run left.
pub(crate) struct Run {
    pub(crate) records: Vec<Value>,
    pub(crate) stderr: String,
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
}

/// The program inside `netns` with the privileges of nobody. `limits` are prlimit(1) options such as `--nofile=64`. It is
/// ended after ten minutes, lest a hang outlive the test.
pub(crate) fn sshprobe(netns: &Netns, limits: &[&str]) -> Command {
    let mut inside = netns.command("prlimit");
    inside.args(limits).args(["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]).arg(program());
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", "600"]).arg(inside.get_program()).args(inside.get_args());
    // Nobody's home holds no ssh_config and no known_hosts.
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
    command
}

/// The same with the rights of root. Its process id is the program's own.
pub(crate) fn privileged(netns: &Netns) -> Command {
    let mut command = netns.command(env!("CARGO_BIN_EXE_sshprobe"));
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
    command
}

/// The exit code, standard output and standard error.
pub(crate) fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The program on the machine itself, as nobody where this is root, so that modes of files count.
pub(crate) fn unprivileged() -> Command {
    if !nix::unistd::geteuid().is_root() {
        return Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]).arg(program());
    command
}

/// The program on the machine itself, as whoever runs the tests.
pub(crate) fn here(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(args).env_remove("NO_COLOR").env_remove("COLUMNS").stdin(Stdio::null());
    command
}

/// What it left when it was done.
pub(crate) fn done(args: &[&str]) -> Output {
    here(args).output().expect("runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The records in JSON lines, of a run of which nothing else is known.
pub(crate) fn records(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Runs to the end; fails if standard output holds a line that is no JSON.
pub(crate) fn run(mut command: Command) -> Run {
    let begun = Instant::now();
    let output = command.output().expect("timeout(1)");
    let took = begun.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Run { records: parse(&output.stdout, &stderr), stderr, status: output.status, took }
}

/// The records in JSON lines.
pub(crate) fn parse(stdout: &[u8], stderr: &str) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).expect("UTF-8 on standard output");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{stderr}"));
    text.lines().map(parse).collect()
}

/// Where nobody may execute it: a build directory often lies below a home that others cannot enter.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<(PathBuf, Option<tempfile::TempDir>)> = OnceLock::new();
    let (path, _) = PROGRAM.get_or_init(|| {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_sshprobe"));
        let mut access = Command::new("setpriv");
        access.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "test", "-x"]).arg(&built);
        if access.status().is_ok_and(|status| status.success()) {
            return (built, None);
        }
        let dir = tempfile::TempDir::new().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("own directory");
        let copy = dir.path().join("sshprobe");
        fs::copy(&built, &copy).expect("copying the program");
        (copy, Some(dir))
    });
    path
}
