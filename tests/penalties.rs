//! Nothing we do makes an OpenSSH of 9.8 or later ban us, and where somebody else did, it is told and left at that.
//!
//! The server's sums are those of `sshprobe_probes::responder::SourcePenalties`, with its own tests.

use std::fs;

use serde_json::Value;
use sshprobe_probes::govern::penalty::Class;
use sshprobe_probes::responder::{Close, Script, Step};
use tempfile::TempDir;

use crate::support::penalties::{Accountant, Server};
use crate::support::run::{here, parse, told};

const IDENT: &str = "SSH-2.0-OpenSSH_10.0p2 Debian-7";

fn openssh_10() -> Server {
    Server::scripted(Script::healthy(&[3; 32]).with_steps(vec![Script::ident(IDENT), Step::Transport]))
}

/// The records of a run that spaces nothing out by itself.
fn sweep(args: &[&str]) -> Vec<Value> {
    let always = ["--format=jsonl", "-q", "--per-host=0", "--rate=0", "--fail-on=none", "--known-hosts=none"];
    let (_, stdout, stderr) = told(&here(&[&always[..], args].concat()).output().expect("runs"));
    let mut records = parse(stdout.as_bytes(), &stderr);
    records.sort_by_key(|record| record["target"]["index"].as_u64());
    records
}

/// The same host under many names, as an ssh_config has it.
fn many_names(dir: &TempDir, server: &Accountant) -> String {
    let path = dir.path().join("config");
    let (addr, port) = (server.addr.ip(), server.addr.port());
    fs::write(&path, format!("Host alias*\n  HostName {addr}\n  Port {port}\n")).expect("written");
    path.display().to_string()
}

fn codes(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["code"].as_str().expect("a code")).collect()
}

/// Each names a user whom the server does not know, at 5 s: a fourth in a row would be refused.
#[test]
fn penalties_of_one_host_under_many_names_are_added_up() {
    let server = Accountant::start(openssh_10(), Class::InvalidUser);
    let dir = TempDir::new().expect("a folder");
    let config = many_names(&dir, &server);
    let records = sweep(&["-F", &config, "alias1", "alias2", "alias3", "alias4"]);
    assert_eq!(codes(&records), ["ok"; 4]);
    assert_eq!(server.served(), [Some(Class::InvalidUser); 4]);
}

/// One connection to the method list, and one more for each further key: 5 s and 3 times 1 s, beside what others owe already.
#[test]
fn penalties_are_not_earned_by_asking_for_all_host_keys() {
    let server = Accountant::start(Server::with_many_keys(IDENT), Class::InvalidUser);
    server.burden(Class::AuthFail, 1);
    let records = sweep(&["--host-key-types=all", &server.addr.to_string()]);
    assert_eq!(codes(&records), ["ok"]);
    assert_eq!(records[0]["host_keys"].as_array().map(Vec::len), Some(4), "{}", records[0]);
    let mut expected = vec![Some(Class::InvalidUser)];
    expected.resize(4, Some(Class::NoAuth));
    assert_eq!(server.served(), expected);
}

/// A fork that fails, a balancer between two backends: retried, and each try is charged.
#[test]
fn penalties_are_not_earned_by_retries() {
    let server = Accountant::start(Server::scripted(Script::steps(vec![Step::Close(Close::Fin)])), Class::InvalidUser);
    server.burden(Class::AuthFail, 1);
    let records = sweep(&["--retries=6", &server.addr.to_string()]);
    assert_eq!(codes(&records), ["closed-no-ident"]);
    assert_eq!(server.served(), [Some(Class::NoAuth); 7]);
}

/// Sixteen seconds are outstanding when the first comes. The second is let wait until they have run down.
#[test]
fn penalties_that_others_earned_are_told_and_nothing_hammers_on() {
    let server = Accountant::start(openssh_10(), Class::InvalidUser);
    server.burden(Class::NoAuth, 16);
    let dir = TempDir::new().expect("a folder");
    let config = many_names(&dir, &server);
    let records = sweep(&["--retries=5", "-F", &config, "-c1", "alias1", "alias2"]);
    let mut codes = codes(&records);
    codes.sort_unstable();
    assert_eq!(codes, ["ok", "throttled-or-penalised"]);
    assert_eq!(server.served(), [None, Some(Class::InvalidUser)]);
    let refused = records.iter().find(|record| record["code"] == "throttled-or-penalised").expect("one");
    assert_eq!((&refused["status"], &refused["connections"]), (&"throttled".into(), &1.into()));
}
