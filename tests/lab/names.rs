//! Names: a resolver that hangs, lies or is absent stops nobody but those it was asked about.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::dns::NameServer;
use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::run::{Run, run, sshprobe};
use crate::support::topology::{Family, ROUTER_V4};

const STOCK: &str = "* openssh ok ok - auth ident=SSH-2.0-OpenSSH_ kexinit key=ssh-ed25519 methods=publickey,password";

/// The records by target as given.
fn by_input(run: &Run) -> BTreeMap<String, &Value> {
    let input = |record: &Value| record["target"]["input"].as_str().expect("an input").to_owned();
    run.records.iter().map(|record| (input(record), record)).collect()
}

fn sweep(fleet: &Fleet, targets: &[&str], options: &[&str]) -> Run {
    let mut command = sshprobe(&fleet.topology.prober, &[]);
    command.args(targets).args(options).args(["--format", "jsonl"]);
    let run = run(command);
    assert_eq!(run.records.len(), targets.len(), "one record a target: {}", run.stderr);
    run
}

fn expect(run: &Run, input: &str, status: &str, codes: &[&str]) {
    let records = by_input(run);
    let record = records.get(input).unwrap_or_else(|| panic!("no record of {input}: {:?}", records.keys()));
    assert_eq!(record["status"], status, "{input}: {record}");
    assert!(codes.iter().any(|code| record["code"] == *code), "{input}: not one of {codes:?}: {record}");
    if status == "dns-failure" {
        assert_eq!(record["stage"], "resolve", "{record}");
        assert_eq!(record["connections"], 0, "{record}");
    }
}

#[test]
fn names_fail_each_in_its_own_way() {
    let Some(_lab) = lab() else { return };
    let fleet = Fleet::of(STOCK, Family::V4);
    let _server = NameServer::start(&fleet.topology.router, ROUTER_V4.parse().expect("an address"));
    let prober = &fleet.topology.prober;
    prober.etc("resolv.conf", &format!("nameserver {ROUTER_V4}\noptions timeout:1 attempts:2\n"));
    prober.etc("hosts", "127.0.0.1 localhost\n10.0.0.77 listed.lab.test\n");
    let expected: [(&str, &str, &[&str]); 12] = [
        ("host5.lab.test", "ok", &["ok"]),
        ("host6.lab.test:22", "ok", &["ok"]),
        ("listed.lab.test", "ok", &["ok"]),
        ("gone.lab.test", "dns-failure", &["dns-nxdomain"]),
        ("broken.lab.test", "dns-failure", &["dns-servfail"]),
        ("refused.lab.test", "dns-failure", &["dns-servfail"]),
        ("empty.lab.test", "dns-failure", &["dns-no-address"]),
        ("mute.lab.test", "dns-failure", &["dns-timeout"]),
        // A false answer is to be taken for none. Some resolvers make an error of it: then it is the resolver's.
        ("liar.lab.test", "dns-failure", &["dns-timeout", "dns-servfail"]),
        ("stranger.lab.test", "dns-failure", &["dns-timeout", "dns-servfail"]),
        ("garbage.lab.test", "dns-failure", &["dns-timeout", "dns-servfail"]),
        ("10.0.0.8", "ok", &["ok"]),
    ];
    let targets = expected.map(|(input, ..)| input);
    let run = sweep(&fleet, &targets, &[]);
    for (input, status, codes) in expected {
        expect(&run, input, status, codes);
    }
    let records = by_input(&run);
    assert_eq!(records["host5.lab.test"]["target"]["addr"], "10.0.0.5");
    assert_eq!(records["listed.lab.test"]["target"]["addr"], "10.0.0.77");
    assert_eq!(run.status.code(), Some(1), "names that fail count: {}", run.stderr);

    // A CNAME that leads to itself ends somehow, and soon.
    let run = sweep(&fleet, &["loop.lab.test", "10.0.0.8"], &[]);
    expect(&run, "loop.lab.test", "dns-failure", &["dns-no-address", "dns-servfail", "dns-timeout"]);
    expect(&run, "10.0.0.8", "ok", &["ok"]);
}

#[test]
fn names_without_a_resolver_stop_nobody_else() {
    let Some(_lab) = lab() else { return };
    let fleet = Fleet::of(STOCK, Family::V4);
    let prober = &fleet.topology.prober;
    fleet.topology.router.nft("table ip lab {\n chain forward {\n  type filter hook forward priority 1\n  ip daddr 10.0.0.10 udp dport 53 drop\n }\n}");
    // Nobody listens: the queries are refused with an ICMP error. Then a resolver behind silence. Then none at all.
    for conf in [format!("nameserver {ROUTER_V4}\n"), "nameserver 10.0.0.10\n".to_owned(), String::new()] {
        prober.etc("resolv.conf", &conf);
        let mut targets: Vec<String> = (1..=40).map(|number| format!("name{number}.lab.test")).collect();
        targets.extend((1..=40).map(|octet| format!("10.0.0.{octet}")));
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let run = sweep(&fleet, &targets, &[]);
        for target in &targets {
            if target.starts_with("name") {
                expect(&run, target, "dns-failure", &["dns-timeout", "dns-servfail"]);
            } else {
                expect(&run, target, "ok", &["ok"]);
            }
        }
    }
    // Another resolver than the system's, which is still absent.
    let _server = NameServer::start(&fleet.topology.router, ROUTER_V4.parse().expect("an address"));
    let run = sweep(&fleet, &["host5.lab.test", "gone.lab.test"], &["--resolver", ROUTER_V4]);
    expect(&run, "host5.lab.test", "ok", &["ok"]);
    expect(&run, "gone.lab.test", "dns-failure", &["dns-nxdomain"]);
}
