//! Where connections begin: what `--source` and `--interface` make possible or keep from happening is this machine's doing, and no
//! host's silence.

use std::net::{Ipv6Addr, TcpListener};

use crate::support::guard::shared_lab;
use crate::support::netns::Netns;
use crate::support::run::{Run, privileged, run};

/// A prober and a host on one link, which listens on port 22 of every address that it has.
struct Link {
    prober: Netns,
    _host: Netns,
    _listener: TcpListener,
}

impl Link {
    fn new() -> Self {
        let (prober, host) = (Netns::new("prober"), Netns::new("host"));
        prober.link(
            "out0",
            &["192.0.2.1/24", "2001:db8:a::1/64", "fe80::1/64"],
            &host,
            "in0",
            &["192.0.2.2/24", "2001:db8:a::2/64", "fe80::2/64"],
        );
        let listener = host.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 22))).expect("a port");
        Self { prober, _host: host, _listener: listener }
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = privileged(&self.prober);
        command.args(["-F", "none", "--depth", "connect", "--format", "jsonl"]).args(args);
        run(command)
    }

    /// The code of each record, in the order of the targets.
    fn codes(&self, args: &[&str]) -> Vec<String> {
        let mut run = self.run(args);
        run.records.sort_by_key(|record| record["target"]["index"].as_u64());
        run.records.iter().map(|record| record["code"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What a run says that cannot begin.
    fn refused(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!((run.status.code(), run.records.len()), (Some(2), 0), "{args:?}: {}", run.stderr);
        run.stderr
    }
}

/// A SYN sweep goes in front, or none does.
const WAYS: &[&[&str]] = if cfg!(feature = "syn") { &[&[], &["--syn"]] } else { &[&[]] };

#[test]
fn origin_that_is_link_local_needs_its_interface() {
    let Some(_lab) = shared_lab() else { return };
    let link = Link::new();
    for way in WAYS {
        let with = |args: &[&'static str]| [way, args].concat();
        for from in [&["--source", "fe80::1%out0"][..], &["--source", "fe80::1", "--interface", "out0"]] {
            let run = link.run(&with(&[from, &["fe80::2%out0", "2001:db8:a::2"]].concat()));
            assert_eq!(run.records.len(), 2, "{}", run.stderr);
            for record in &run.records {
                let local = record["net"]["local_addr"].as_str().unwrap_or_default();
                assert!(record["code"] == "ok" && local.starts_with("[fe80::1"), "{way:?} {from:?}: {record}");
            }
        }
        assert_eq!(
            link.refused(&with(&["--source", "fe80::1", "fe80::2%out0"])),
            "sshprobe: error: --source: fe80::1 is link-local, and leads nowhere without its interface; add --interface NAME, or write fe80::1%NAME\n"
        );
        assert_eq!(
            link.refused(&with(&["--source", "fe80::1%lo", "::1"])),
            "sshprobe: error: --source: fe80::1 is not an address of the interface lo; `ip address` lists them\n"
        );
    }
}

#[test]
fn origin_of_another_family_is_refused_and_one_that_does_not_lead_there_named() {
    let Some(_lab) = shared_lab() else { return };
    let link = Link::new();
    // Of the name's two addresses the one that can be connected to from there.
    link.prober.etc("hosts", "192.0.2.2 both\n2001:db8:a::2 both\n");
    for way in WAYS {
        let with = |args: &[&'static str]| [way, args].concat();
        assert_eq!(
            link.refused(&with(&["--source", "2001:db8:a::1", "192.0.2.2"])),
            "sshprobe: error: argument 1: `192.0.2.2`: is an IPv4 target, but --source 2001:db8:a::1 allows only IPv6: \
             leave the target or --source 2001:db8:a::1 away\n"
        );
        for (source, wanted) in [("192.0.2.1", "192.0.2.2"), ("2001:db8:a::1", "2001:db8:a::2")] {
            let run = link.run(&with(&["--source", source, "--all-addresses", "both"]));
            let found: Vec<_> = run.records.iter().map(|record| (&record["code"], &record["target"]["addr"])).collect();
            assert_eq!(found, [(&"ok".into(), &wanted.into())], "{}", run.stderr);
        }
    }
}

/// The kernel takes for others what goes through the loopback, and it vanishes there: nobody else is silent by that.
#[test]
fn origin_that_leads_to_this_machine_only_is_our_own_trouble() {
    let Some(_lab) = shared_lab() else { return };
    let link = Link::new();
    let _listener = link.prober.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 22))).expect("a port");
    link.prober.ip("route add default via 192.0.2.2");
    link.prober.ip("-6 route add default via 2001:db8:a::2");
    let elsewhere = ["192.0.2.2", "203.0.113.9", "2001:db8:a::2", "2001:db8:f::9"];
    let own = ["127.0.0.1", "127.1.2.3", "::1"];
    // Of another interface: by the loopback nobody gets to it.
    let other = ["192.0.2.1"];
    for way in WAYS {
        let lo = link.run(&[way, &["--interface", "lo"][..], &elsewhere, &own, &other].concat());
        for record in &lo.records {
            let host = record["target"]["host"].as_str().unwrap_or_default();
            let wanted = if own.contains(&host) { "ok" } else { "local-no-route" };
            assert_eq!(record["code"], wanted, "{way:?} {record}");
        }
        assert_eq!(lo.records.len(), elsewhere.len() + own.len() + other.len(), "{}", lo.stderr);
        for (source, targets, wanted) in [
            ("127.0.0.1", &elsewhere[..2], "local-no-route"),
            ("127.0.0.1", &own[..2], "ok"),
            ("127.0.0.1", &other, "ok"),
            ("::1", &elsewhere[2..], "local-no-route"),
            ("::1", &own[2..], "ok"),
            ("::1", &["2001:db8:a::1"], "ok"),
        ] {
            let codes = link.codes(&[way, &["--source", source][..], targets].concat());
            assert_eq!(codes, vec![wanted; targets.len()], "{way:?} {source} {targets:?}");
        }
        // Another interface than that of the route is as good as any.
        assert_eq!(link.codes(&[way, &["--interface", "out0"][..], &elsewhere[..1]].concat()), ["ok"]);
    }
}

#[test]
fn origin_by_an_interface_finds_link_local_targets() {
    let Some(_lab) = shared_lab() else { return };
    let link = Link::new();
    for way in WAYS {
        let with = |args: &[&'static str]| [way, args].concat();
        assert_eq!(link.codes(&with(&["--interface", "out0", "fe80::2"])), ["ok"], "{way:?}");
        assert_eq!(
            link.refused(&with(&["fe80::2"])),
            "sshprobe: error: argument 1: `fe80::2`: a link-local address needs its interface: write it like fe80::1%eth0, or give --interface NAME\n"
        );
    }
}
