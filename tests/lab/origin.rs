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
    link.prober.ip("addr add 198.51.100.9/32 dev lo");
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
