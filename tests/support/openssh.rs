//! OpenSSH's own programs on the machine itself, for tests that need neither a network nor a namespace.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Whether all of these programs are here. Where they are not, the test is skipped with a loud word, and on a CI machine (`CI` is
/// set) that is a failure.
pub(crate) fn have(programs: &[&str]) -> bool {
    // Of the programs used here each answers this, whatever it then exits with.
    let missing =
        programs.iter().find(|program| Command::new(program).arg("-V").stdin(Stdio::null()).output().is_err());
    let Some(program) = missing else { return true };
    assert!(std::env::var_os("CI").is_none(), "{program} must be here and is not");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not eprintln!, which the test harness would swallow.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED {test}: no {program}\n");
    false
}

/// Runs a program of OpenSSH's in a folder, whatever it exits with.
pub(crate) fn run(dir: &std::path::Path, program: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(dir).args(args).env("TZ", "UTC").stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// The same where it has to succeed; gives its standard output.
#[track_caller]
pub(crate) fn keygen(dir: &std::path::Path, args: &[&str]) -> String {
    let output = run(dir, "ssh-keygen", args);
    assert!(output.status.success(), "ssh-keygen {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The version of the ssh that is installed, for example `(9, 2)`.
pub(crate) fn version() -> (u32, u32) {
    let output = Command::new("ssh").arg("-V").output().expect("ssh");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let numbers = said.split_once("OpenSSH_").map_or("", |(_, rest)| rest);
    let mut numbers = numbers.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => panic!("not a version: {said}"),
    }
}
