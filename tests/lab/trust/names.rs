//! Sweeps of addresses against files of names, and keys that several hosts share.

use serde_json::Value;

use super::case::{Row, Why, row, said_by_ssh};
use super::ground::{Ground, place};
use crate::support::guard::lab;
use crate::support::run::Run;

/// Only the servers count here.
const ROWS: &[Row] = &[
    row("alpha", "ed1", "", "", "", "", Why::Agree),
    row("beta", "ed2 rsa1", "", "", "", "", Why::Agree),
    row("gamma", "ed1", "", "", "", "", Why::Agree),
    row("delta", "ed1", "", "", "", "", Why::Agree),
    row("nobody's", "ec1", "", "", "", "", Why::Agree),
];

fn of<'a>(run: &'a Run, addr: &str) -> &'a Value {
    run.records.iter().find(|record| record["target"]["addr"] == addr).expect("a record")
}

fn findings<'a>(record: &'a Value, id: &str) -> Vec<&'a str> {
    let findings = record["findings"].as_array().into_iter().flatten();
    findings.filter(|finding| finding["id"] == id).filter_map(|finding| finding["detail"].as_str()).collect()
}

#[test]
fn trust_of_swept_addresses_tells_the_names_of_their_keys() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new(ROWS);
    let hashed = ground.filled("{#h}", 40);
    let content = format!(
        "alpha.lab.test,alpha {ed1}\n*.lab.test,!beta.lab.test {ed1}\n{hashed} {ed1}\nbeta.lab.test {ed2}\n@revoked old {ec1}\n",
        ed1 = ground.public("ed1"),
        ed2 = ground.public("ed2"),
        ec1 = ground.public("ec1"),
    );
    let file = ground.file("names", content);
    let run = ground.sweep(&["10.0.0.100-104".into()], &["--known-hosts".into(), file.clone()]);
    let alpha = ["alpha.lab.test,alpha".into(), "*.lab.test,!beta.lab.test".into(), format!("[hashed] {file}:3")];
    let expected: [&[String]; 5] = [&alpha, &["beta.lab.test".into()], &alpha, &alpha, &[]];
    for (at, known_as) in expected.iter().enumerate() {
        let addr = place(at).0.to_string();
        let record = of(&run, &addr);
        assert_eq!((&record["code"], &record["connections"]), (&"ok".into(), &1.into()), "{record}");
        let key = &record["host_keys"][0];
        assert_eq!((&key["trust"], &key["source"]), (&"unknown".into(), &Value::Null), "{key}");
        let found: Vec<&str> = key["known_as"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(found, *known_as, "{addr}");
        let told = findings(record, "host-key-unknown");
        assert_eq!(told.len(), 1, "{record}");
        assert_eq!(told[0].contains("known as"), !known_as.is_empty(), "{told:?}");
        assert_eq!(said_by_ssh(&ground.ssh(&addr, &file, &[])), "unknown", "{addr}");
    }
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);

    // Three addresses have one key: all but the first to answer say so, and the summary counts them.
    let shared: usize = run.records.iter().map(|record| findings(record, "shared-host-key").len()).sum();
    assert_eq!(shared, 2, "{}", run.stderr);
    let told = run.records.iter().flat_map(|record| findings(record, "shared-host-key"));
    let told: Vec<&str> = told.collect();
    let fingerprint = ground.keys.fingerprint("ed1");
    assert!(told.iter().all(|detail| detail.contains(&fingerprint)), "{told:?}");
    assert!(told.iter().any(|detail| detail.ends_with("with this one 3 hosts have it")), "{told:?}");
    // The key has a line of its own behind it.
    let mut lines = run.stderr.lines().skip_while(|line| !line.contains("3 hosts, 10.0.0.10"));
    assert!(lines.nth(1).is_some_and(|line| line.contains(&fingerprint)), "{}", run.stderr);
}

#[test]
fn trust_files_of_ssh_itself_are_read_and_one_that_cannot_be_is_told() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new(ROWS);
    let prober = &ground.topology.prober;
    let line = format!("10.0.0.100 {}\n", ground.public("ed1"));
    prober.etc("ssh/ssh_known_hosts", &line);
    prober.etc("ssh/ssh_known_hosts2", &line.replace(".100", ".102"));
    let targets = ["10.0.0.100", "10.0.0.102"].map(str::to_owned);
    let run = ground.sweep(&targets, &[]);
    for (addr, file) in [("10.0.0.100", "ssh_known_hosts"), ("10.0.0.102", "ssh_known_hosts2")] {
        let key = &of(&run, addr)["host_keys"][0];
        assert_eq!((&key["trust"], &key["source"]), (&"match".into(), &format!("/etc/ssh/{file}:1").into()), "{key}");
    }
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);

    // The program runs as nobody.
    prober.seal("ssh/ssh_known_hosts2");
    let run = ground.sweep(&targets, &[]);
    assert_eq!(of(&run, "10.0.0.100")["host_keys"][0]["trust"], "match", "{}", run.stderr);
    assert_eq!(of(&run, "10.0.0.102")["host_keys"][0]["trust"], "unknown", "{}", run.stderr);
    let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.contains("warning")).collect();
    let told = "sshprobe: warning: /etc/ssh/ssh_known_hosts2 cannot be read (permission denied): the keys in it count as unknown; \
                name other files with --known-hosts";
    assert_eq!((warnings.as_slice(), run.status.code()), (&[told][..], Some(0)));
}
