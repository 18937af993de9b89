//! Builds the fleet of a scenario: real servers, filters and scripted ones, each at its address.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use base64::prelude::{BASE64_STANDARD, Engine};

use super::responder::{Crowd, responder};
use super::scenario::{Context, Scenario};
use super::scripted::{Acceptor, script};
use super::servers::{Daemon, HostKeys, Sshd, dropbear, fingerprint, tinysshd};
use super::topology::{Family, SPECIAL_DEVICE, Topology};

/// A fleet in namespaces of its own, gone when dropped.
pub(crate) struct Fleet {
    pub(crate) scenario: Scenario,
    pub(crate) context: Context,
    /// The OpenSSH that serves every address not named in the scenario.
    pub(crate) stock: Daemon,
    pub(crate) keys: HostKeys,
    held: Vec<TcpStream>,
    acceptors: Vec<Acceptor>,
    crowds: Vec<Crowd>,
    daemons: Vec<Daemon>,
    // Last, so that the servers are gone before their namespaces.
    pub(crate) topology: Topology,
}

impl Fleet {
    /// The fleet of `tests/scenarios/fleet.txt`.
    pub(crate) fn build(family: Family) -> Self {
        Self::of(include_str!("../scenarios/fleet.txt"), family)
    }

    /// The fleet of a scenario.
    pub(crate) fn of(scenario: &str, family: Family) -> Self {
        let scenario = Scenario::parse(scenario, family);
        let topology = Topology::new(family.network());
        let keys = HostKeys::generate();
        let any: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let stock = Sshd::STOCK.start(&topology.fleet, any, &keys);
        let named = |kind: &str, name: &str| (name.to_owned(), keys.fingerprint(kind));
        let context = Context {
            family,
            special_keys: BTreeMap::new(),
            keys: [named("ed25519", "ssh-ed25519"), named("ecdsa", "ecdsa-sha2-nistp256"), named("rsa", "ssh-rsa")]
                .into(),
        };
        let (held, acceptors, crowds, daemons) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut fleet = Self { scenario, context, stock, keys, held, acceptors, crowds, daemons, topology };
        fleet.populate(family);
        fleet
    }

    fn populate(&mut self, family: Family) {
        // Scripted servers that lead to a real one lead here.
        let inner: IpAddr = match family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        self.daemons.push(Sshd::STOCK.start(&self.topology.special, inner, &self.keys));
        let special: Vec<(u8, String)> =
            self.scenario.special.iter().map(|(octet, expected)| (*octet, expected.behaviour.clone())).collect();
        let mut filters = Filters::new(family);
        for (octet, behaviour) in special {
            let address = family.address(octet);
            self.topology.take_out(address);
            let (kind, name) = behaviour.split_once(':').unwrap_or((&behaviour, ""));
            match kind {
                "openssh" => self.openssh(name, address),
                "dropbear" => {
                    let (daemon, key) = dropbear(&self.topology.special, SocketAddr::new(address, 22));
                    self.daemons.push(daemon);
                    self.context.special_keys.insert(octet, key);
                }
                "tinysshd" => {
                    let (acceptor, key) = tinysshd(&self.topology.special, SocketAddr::new(address, 22));
                    self.acceptors.push(acceptor);
                    self.context.special_keys.insert(octet, key);
                }
                "router" if name.ends_with("-route") => self.bad_route(name.trim_end_matches("-route"), address),
                "router" if name == "pmtu-black-hole" => {
                    self.openssh("", address);
                    filters.router.push(format!("{} saddr {address} meta length > 1000 drop", filters.ip));
                    // Else several segments travel as one big packet and even the smallest MSS seems not to help.
                    self.topology.special.ip(&format!("link set dev {SPECIAL_DEVICE} gso_max_segs 1"));
                }
                "router" => filters.router.push(filters.rule(name, address)),
                "host" if name == "closed" => {}
                "host" => filters.host.push(filters.rule(name, address)),
                "script" => {
                    let steps = script(name, SocketAddr::new(inner, 22));
                    self.acceptors.push(Acceptor::script(&self.topology.special, SocketAddr::new(address, 22), steps));
                }
                "responder" => {
                    let script = responder(name);
                    let key = BASE64_STANDARD.encode(script.host_key().blob());
                    let file = self.keys.path("responder.pub");
                    std::fs::write(&file, format!("ssh-ed25519 {key}\n")).expect("writing the public key");
                    self.context.special_keys.insert(octet, fingerprint(&file));
                    self.crowds.push(Crowd::start(&self.topology.special, SocketAddr::new(address, 22), script, 1));
                }
                _ => panic!("nothing is called {behaviour}"),
            }
        }
        self.topology.router.nft(&filters.chain("forward", &filters.router));
        self.topology.special.nft(&filters.chain("input", &filters.host));
    }

    fn openssh(&mut self, name: &str, address: IpAddr) {
        let banner = self.keys.path("banner");
        let with_banner = format!("Banner {}", banner.display());
        let (key_types, config): (&[&str], &str) = match name {
            "" | "frozen" => (&[], ""),
            "keyboard" => (
                &[],
                "PasswordAuthentication no\nPubkeyAuthentication no\nKbdInteractiveAuthentication yes\nUsePAM yes",
            ),
            "no-methods" => {
                (&[], "PasswordAuthentication no\nPubkeyAuthentication no\nKbdInteractiveAuthentication no")
            }
            "two-ports" => (&[], "Port 2222"),
            "rsa" => (&["rsa"], ""),
            "ecdsa" => (&["ecdsa"], ""),
            "banner" => {
                std::fs::write(&banner, "Authorised use only.\nAll is logged.\n").expect("writing the banner");
                (&[], &with_banner)
            }
            // Full with the one connection that is held below.
            "full" => (&[], "MaxStartups 1:100:1\nLoginGraceTime 0"),
            _ => panic!("no OpenSSH is called {name}"),
        };
        let daemon = Sshd { key_types, config }.start(&self.topology.special, address, &self.keys);
        match name {
            "frozen" => daemon.freeze(),
            "full" => {
                let held =
                    self.topology.special.enter(|| TcpStream::connect((address, 22))).expect("its only connection");
                // The identification tells that sshd has taken the connection into its count.
                BufReader::new(&held).read_line(&mut String::new()).expect("its identification");
                self.held.push(held);
            }
            _ => {}
        }
        self.daemons.push(daemon);
    }

    /// A route on the router that leads nowhere, instead of the one to the special servers.
    fn bad_route(&self, kind: &str, address: IpAddr) {
        self.topology.router.ip(&format!("route del {address}"));
        self.topology.router.ip(&format!("route add {kind} {address}"));
    }
}

/// nftables rules: those on the router and those on the servers' own host.
struct Filters {
    ip: &'static str,
    icmp: &'static str,
    router: Vec<String>,
    host: Vec<String>,
}

impl Filters {
    fn new(family: Family) -> Self {
        let (ip, icmp) = match family {
            Family::V4 => ("ip", "icmp"),
            Family::V6 => ("ip6", "icmpv6"),
        };
        Self { ip, icmp, router: Vec::new(), host: Vec::new() }
    }

    fn rule(&self, name: &str, address: IpAddr) -> String {
        let Self { ip, icmp, .. } = self;
        let kind = match (name, *ip) {
            ("host-unreachable", "ip6") => "addr-unreachable",
            ("net-unreachable", "ip6") => "no-route",
            _ => name,
        };
        let action = match kind {
            "drop" => "drop".to_owned(),
            "tcp-reset" => "reject with tcp reset".to_owned(),
            _ => format!("reject with {icmp} type {kind}"),
        };
        format!("{ip} daddr {address} tcp dport 22 {action}")
    }

    fn chain(&self, hook: &str, rules: &[String]) -> String {
        let rules = rules.join("\n    ");
        format!("table inet lab {{\n  chain {hook} {{\n    type filter hook {hook} priority 0\n    {rules}\n  }}\n}}\n")
    }
}
