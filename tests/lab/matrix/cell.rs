//! One cell of the matrix: a server at an address of its own, and what the record of a probe must hold.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::support::inetd::Inetd;
use crate::support::netns::Netns;
use crate::support::run::{run, sshprobe};
use crate::support::scenario::address;
use crate::support::topology::Topology;

/// Room for 1022 cells.
pub(super) const NETWORK: &str = "10.0.0.0/22";

/// One pair of algorithms at one address. `S` is what the server needs to know to have no other.
pub(super) struct Cell<S> {
    pub(super) setup: S,
    pub(super) wanted: Wanted,
}

/// What the record must hold.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Under `negotiated`; `None` for null.
    pub(super) agreed: Vec<(&'static str, Option<String>)>,
    /// Type and fingerprint of the host key.
    pub(super) key: (String, String),
    /// The methods listed, in the server's order.
    pub(super) methods: &'static [&'static str],
    /// The outcome.
    pub(super) code: &'static str,
}

/// What serves the cells until dropped.
pub(super) trait Serving {
    /// What the server at this address said; all of them, where they share a process.
    fn log(&self, addr: IpAddr) -> String;
}

impl Serving for Inetd {
    fn log(&self, addr: IpAddr) -> String {
        self.log(addr)
    }
}

/// The addresses of the network, first to last.
pub(super) fn addresses() -> impl Iterator<Item = IpAddr> {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 1));
    (first..first + 1022).map(|number| IpAddr::from(Ipv4Addr::from(number)))
}

/// Serves the cells, each at an address of its own, sweeps them, and compares.
pub(super) fn check<S: Debug, R: Serving>(cells: Vec<Cell<S>>, serve: impl FnOnce(&Netns, BTreeMap<IpAddr, S>) -> R) {
    let topology = Topology::new(NETWORK);
    let mut setups = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    let mut list = String::new();
    assert!(cells.len() <= addresses().count(), "{} cells", cells.len());
    for (addr, cell) in addresses().zip(cells) {
        list.push_str(&format!("{addr}\n"));
        wanted.insert(addr, (format!("{:?}", cell.setup), cell.wanted));
        setups.insert(addr, cell.setup);
    }
    let serving = serve(&topology.fleet, setups);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), list).expect("writing the targets");
    let mut command = sshprobe(&topology.prober, &[]);
    // Each connection starts a process, and some exchanges take it long: no more of them at a time than a small machine bears.
    command.args(["--concurrency", "24", "--timeout", "90s", "--format", "jsonl", "--file", "-"]);
    command.stdin(file.reopen().expect("our own file"));
    let run = run(command);
    assert_eq!(run.records.len(), wanted.len(), "{}", run.stderr);
    let mut wrong = Vec::new();
    for record in &run.records {
        let addr = address(record);
        let (setup, wanted) = &wanted[&addr];
        let differences = wanted.differences(record);
        if !differences.is_empty() {
            wrong.push(format!("{setup}: {differences:?}\n{record}\n{}", serving.log(addr)));
        }
    }
    println!("{} cells in {:?}", wanted.len(), run.took);
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), wanted.len(), wrong.join("\n"));
}

impl Wanted {
    /// What of the record is otherwise.
    pub(super) fn differences(&self, record: &Value) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, found: &Value, wanted: Value| {
            if *found != wanted {
                differences.push(format!("{what} is {found}, not {wanted}"));
            }
        };
        compare("code", &record["code"], self.code.into());
        if self.code != "ok" {
            compare("status", &record["status"], "kex-failure".into());
            compare("negotiated", &record["negotiated"], Value::Null);
            return differences;
        }
        compare("stage", &record["stage"], "auth".into());
        let negotiated = &record["negotiated"];
        for (list, name) in &self.agreed {
            compare(list, &negotiated[list], name.clone().into());
        }
        // Both directions alike.
        compare("cipher_s2c", &negotiated["cipher_s2c"], Value::Null);
        compare("mac_s2c", &negotiated["mac_s2c"], Value::Null);
        let kex = negotiated["kex"].as_str().unwrap_or_default();
        match (dh_bits(kex), negotiated["dh_bits"].as_u64()) {
            (Group::None, bits) => compare("dh_bits", &bits.into(), Value::Null),
            (Group::Bits(wanted), bits) => compare("dh_bits", &bits.into(), wanted.into()),
            // The server's choice out of its list, between what we can bear at least and at most.
            (Group::Chosen, bits) => {
                compare("dh_bits", &bits.is_some_and(|bits| (2047..=8192).contains(&bits)).into(), true.into());
            }
        }
        compare("a product", &record["ident"]["product"].is_string().into(), true.into());
        let key = &record["host_keys"][0];
        compare("key type", &key["type"], self.key.0.as_str().into());
        compare("fingerprint", &key["fingerprint"], self.key.1.as_str().into());
        compare("signature", &key["signature"], "verified".into());
        compare("methods", &record["auth"]["methods"], self.methods.into());
        differences
    }
}

/// The group of a finite-field exchange.
enum Group {
    None,
    Bits(u64),
    Chosen,
}

fn dh_bits(kex: &str) -> Group {
    let Some(group) = kex.strip_prefix("diffie-hellman-group") else { return Group::None };
    match group.split('-').next() {
        Some("1") => Group::Bits(1024),
        Some("14") => Group::Bits(2048),
        Some("15") => Group::Bits(3072),
        Some("16") => Group::Bits(4096),
        Some("17") => Group::Bits(6144),
        Some("18") => Group::Bits(8192),
        _ => Group::Chosen,
    }
}
