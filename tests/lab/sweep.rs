//! The main job: sweep 256 addresses of which a quarter misbehave, each in its own way, and tell the truth about every one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::fleet::Fleet;
use crate::support::guard::shared_lab;
use crate::support::run::{Run, run, sshprobe};
use crate::support::scenario::address;
use crate::support::topology::Family;

#[test]
fn sweep_of_a_v4_fleet_tells_the_truth() {
    if let Some(_lab) = shared_lab() {
        again_and_again(Family::V4);
    }
}

#[test]
fn sweep_of_a_v6_fleet_tells_the_truth() {
    if let Some(_lab) = shared_lab() {
        again_and_again(Family::V6);
    }
}

/// One connection whole. More than the five seconds of TCP wrappers, less than a person's patience times ten runs.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The longest honest case: a connection to its deadline, a pause (up to ten seconds where a server throttles), and a second
/// connection to its deadline. What comes on top is the machine's slowness.
const LONGEST: Duration = Duration::from_secs(8 + 10 + 8);
const SLACK: Duration = Duration::from_secs(20);

/// How often the same sweep is made: SSHPROBE_LAB_RUNS, or ten times where CI is set and twice elsewhere.
fn runs() -> u32 {
    match std::env::var("SSHPROBE_LAB_RUNS") {
        Ok(number) => number.parse().expect("SSHPROBE_LAB_RUNS is a number"),
        Err(_) if std::env::var_os("CI").is_some() => 10,
        Err(_) => 2,
    }
}

fn again_and_again(family: Family) {
    let fleet = Fleet::build(family);
    for number in 1..=runs() {
        let mut command = sshprobe(&fleet.topology.prober, &[]);
        command.args([family.target(), "--format", "jsonl", "--timeout", "8s", "--connect-timeout", "5s"]);
        let run = run(command);
        if let Err(differences) = judge(&fleet, &run) {
            panic!("run {number}, {}:\n{differences}\n\nstderr:\n{}", run.status, run.stderr);
        }
    }
    // To the operator of a server we are the one who leaves with these words.
    let log = fleet.stock.log();
    assert!(log.contains(":11: sshprobe"), "no DISCONNECT 11 in the log of sshd:\n{log}");
}

pub(super) fn judge(fleet: &Fleet, run: &Run) -> Result<(), String> {
    let family = fleet.context.family;
    let mut problems = Vec::new();
    let mut records: BTreeMap<IpAddr, &Value> = BTreeMap::new();
    for record in &run.records {
        if records.insert(address(record), record).is_some() {
            problems.push(format!("a second record for {}", address(record)));
        }
    }
    if run.records.len() != 256 {
        problems.push(format!("{} records, not 256", run.records.len()));
    }
    let indices: BTreeSet<_> = run.records.iter().filter_map(|record| record["target"]["index"].as_u64()).collect();
    if indices != (0..256).collect() {
        problems.push("the indices are not 0 to 255".to_owned());
    }
    // Servers that throttle, hang up or talk nonsense are failures, in a range too.
    if run.status.code() != Some(1) {
        problems.push("the exit code is not 1".to_owned());
    }
    let begun = run.records.iter().map(started).min();
    for octet in 0..=255 {
        let address = family.address(octet);
        let Some(record) = records.get(&address) else {
            problems.push(format!("{address}: no record"));
            continue;
        };
        let expected = fleet.scenario.at(octet);
        let differences = expected.differences(octet, record, &fleet.context);
        if !differences.is_empty() {
            problems.push(format!("{address} ({}): {}\n    {record}", expected.behaviour, differences.join("; ")));
        }
        // Nobody waits behind a silent neighbour.
        let ended =
            started(record) + Duration::from_micros(record["timing_us"]["total"].as_u64().unwrap_or(u64::MAX / 2));
        let since_begun = begun.and_then(|begun| ended.duration_since(begun).ok()).unwrap_or(Duration::MAX);
        if !fleet.scenario.special.contains_key(&octet) && since_begun >= TIMEOUT {
            problems.push(format!("{address}: healthy, yet done only after {since_begun:?}"));
        }
    }
    if run.took > LONGEST + SLACK {
        problems.push(format!("the sweep took {:?}", run.took));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn started(record: &Value) -> SystemTime {
    let text = record["started"].as_str().unwrap_or_else(|| panic!("no start: {record}"));
    humantime::parse_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
