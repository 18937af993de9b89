//! Hosts that have several keys, or are known by keys of other types: what is asked for, and in how many connections.

use std::time::{Duration, SystemTime};

use super::case::{Row, Why, row};
use super::ground::{Group, check, place};
use crate::support::guard::lab;

const FIRST: &[Row] = &[
    row(
        "the known type is asked for",
        "ed1 ec1 rsa1",
        "{h}",
        "{h} {rsa1}",
        "ok | rsa1 match 1 | 1",
        "accepted",
        Why::Agree,
    ),
    row(
        "all types known",
        "ed1 ec1 rsa1",
        "{h}",
        "{h} {rsa1}\n{h} {ec1}\n{h} {ed1}",
        "ok | ed1 match 3 | 1",
        "accepted",
        Why::Agree,
    ),
    row(
        "the known type is gone",
        "ed1 ec1",
        "{h}",
        "{h} {rsa1}",
        "host-key-type-gone | ed1 unknown 1 | 1",
        "changed",
        Why::Type,
    ),
    row(
        "one changed, another is as known",
        "ed1 rsa1",
        "{h}",
        "{h} {ed2}\n{h} {rsa1}",
        "host-key-changed | ed1 changed 1; rsa1 match 2 | 2",
        "changed",
        Why::Agree,
    ),
    row(
        "both changed",
        "ed1 rsa1",
        "{h}",
        "{h} {ed2}\n{h} {rsa2}",
        "host-key-changed | ed1 changed 1; rsa1 changed 2 | 2",
        "changed",
        Why::Agree,
    ),
    row(
        "changed, and no other type is known",
        "ed1 rsa1",
        "{h}",
        "{h} {ed2}",
        "host-key-changed | ed1 changed 1 | 1",
        "changed",
        Why::Agree,
    ),
    row(
        "the first known type is gone, the second is as known",
        "ec1 rsa1",
        "{h}",
        "{h} {ed1}\n{h} {rsa1}",
        "ok | rsa1 match 2 | 1",
        "changed",
        Why::KnownFirst,
    ),
    // A line for an authority of another host must not change what is asked of this one.
    row(
        "known with the port, another type without it",
        "ed1 rsa1",
        "{h}:2222",
        "@cert-authority x{n} {ca1}\n[{h}]:2222 {rsa1}\n{h} {ed2}",
        "ok | rsa1 match 2 | 1",
        "accepted",
        Why::Agree,
    ),
    row(
        "changed with the port, another type without it",
        "ed1 rsa1",
        "{h}:2222",
        "@cert-authority x{n} {ca1}\n[{h}]:2222 {ed2}\n{h} {rsa1}",
        "host-key-changed | ed1 changed 2 | 1",
        "changed",
        Why::Agree,
    ),
];

const RSA: &[Row] = &[
    row(
        "only another type than the known one",
        "ed1 rsa1",
        "{h}",
        "{h} {ed1}",
        "host-key-type-unknown | rsa1 unknown 1 | 1",
        "changed",
        Why::Type,
    ),
    row("the type listed is known", "ed1 rsa1", "{h}", "{h} {rsa1}", "ok | rsa1 match 1 | 1", "accepted", Why::Agree),
    row(
        "the type listed, not the certificate of another",
        "ed1 rsa1 / ca1 -h -n {h}",
        "{h}",
        "@cert-authority {h} {ca1}\n{h} {rsa1}",
        "ok | rsa1 match 2 | 1",
        "accepted",
        Why::Agree,
    ),
];

const TWO: &[Row] = &[row(
    "known and another",
    "ed1 rsa1",
    "{h}",
    "{h} {ed1}",
    "ok | ed1 match 1; rsa1 unknown 1 | 2 + host-key-type-unknown",
    "accepted",
    Why::Agree,
)];

const ALL: &[Row] = &[
    row(
        "all three known",
        "ed1 ec1 rsa1",
        "{h}",
        "{h} {ed1}\n{h} {ec1}\n{h} {rsa1}",
        "ok | ed1 match 1; rsa1 match 3; ec1 match 2 | 3",
        "accepted",
        Why::Agree,
    ),
    row(
        "one of three known",
        "ed1 ec1 rsa1",
        "{h}",
        "{h} {ec1}",
        "ok | ec1 match 1; rsa1 unknown 1; ed1 unknown 1 | 3 + host-key-type-unknown, host-key-type-unknown",
        "accepted",
        Why::Agree,
    ),
    row(
        "one of three changed, where ssh does not look",
        "ed1 ec1 rsa1",
        "{h}",
        "{h} {ed1}\n{h} {rsa2}",
        "host-key-changed | ed1 match 1; rsa1 changed 2; ec1 unknown 1 | 3 + host-key-type-unknown",
        "accepted",
        Why::All,
    ),
];

#[test]
fn trust_by_type_of_key_is_that_of_ssh() {
    let Some(_lab) = lab() else { return };
    let groups = [
        Group { ours: &[], ssh: &[], rows: FIRST },
        Group { ours: &["--host-key-types", "rsa"], ssh: &["HostKeyAlgorithms=rsa-sha2-512"], rows: RSA },
        Group { ours: &["--host-key-types", "rsa,ed25519"], ssh: &[], rows: TWO },
        Group { ours: &["--host-key-types", "all"], ssh: &[], rows: ALL },
    ];
    let ground = check(&groups);

    // A host with three types: its connections are 1.2 s apart, and only the first has named a user.
    let (addr, _) = place(FIRST.len() + RSA.len() + TWO.len());
    let before = ground.inetd.log(addr);
    let file = ground.file("known", format!("{addr} {}\n", ground.public("ed1")));
    let options = ["--host-key-types", "all", "--known-hosts", &file].map(str::to_owned);
    let run = ground.sweep(&[addr.to_string()], &options);
    let record = &run.records[0];
    let times = record["tried"].as_array().expect("connections").iter();
    let times = times.map(|tried| humantime::parse_rfc3339(tried["at"].as_str().expect("a time")).expect("a time"));
    let times: Vec<SystemTime> = times.collect();
    assert_eq!(times.len(), 3, "{record}");
    for pair in times.windows(2) {
        let apart = pair[1].duration_since(pair[0]).expect("in order");
        assert!(apart >= Duration::from_millis(1200), "{apart:?}: {record}");
    }
    // sshd writes of our leaving after we have left.
    let limit = std::time::Instant::now() + Duration::from_secs(20);
    let log = loop {
        let log = ground.inetd.log(addr).strip_prefix(&before).expect("a log grows").to_owned();
        if log.matches(":11: sshprobe").count() >= 3 || std::time::Instant::now() > limit {
            break log;
        }
        std::thread::yield_now();
    };
    assert_eq!(log.matches("Invalid user nosuch from ").count(), 1, "{log}");
    assert_eq!(log.matches(":11: sshprobe").count(), 3, "{log}");
}
