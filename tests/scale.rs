//! What makes sweeps of fleets possible: shares of a sweep, and runs that go on after they were ended.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn sshprobe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(args).env_remove("NO_COLOR").env_remove("COLUMNS").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    sshprobe(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn records(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The place of each target in the whole, and what it is.
fn places(records: &[Value]) -> Vec<(u64, String)> {
    let place = |record: &Value| {
        let target = &record["target"];
        (target["index"].as_u64().expect("a number"), format!("{}:{}", target["host"], target["port"]))
    };
    records.iter().map(place).collect()
}

/// Each machine draws a seed of its own, and none knows of the others.
#[test]
fn shares_of_a_sweep_are_the_sweep() {
    let args =
        ["--format=jsonl", "-q", "--rate=0", "--depth=connect", "127.0.9.0/28:1,2", "127.0.9.3", "127.0.8.1-9:3"];
    let whole = places(&records(&run(&args).stdout));
    assert_eq!(whole.len(), 42);
    let (mut union, mut codes) = (Vec::new(), Vec::new());
    for nth in 1..=7 {
        let share = format!("--shard={nth}/7");
        let output = run(&[&args[..], &[&share]].concat());
        codes.push(output.status.code());
        let part = places(&records(&output.stdout));
        assert_eq!(part.len(), 6, "{share}: {part:?}");
        union.extend(part);
    }
    assert_eq!(union.len(), whole.len());
    codes.sort_unstable();
    assert_eq!(
        codes.iter().filter(|code| **code == Some(1)).count(),
        1,
        "{codes:?}: one host is named by itself, and refuses"
    );
    assert_eq!(union.into_iter().collect::<BTreeSet<_>>(), whole.into_iter().collect());

    let output = run(&["--shard=8/7", "127.0.9.1"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "sshprobe: error: --shard: `8/7` is not one of 7 shares: the last is 7/7\n");
}
