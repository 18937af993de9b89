//! The whole of Debian's OpenSSH: every key exchange with every host-key algorithm, every cipher with every MAC, each pair from
//! an sshd that has no other. What there is, `ssh -Q` tells, so that the matrix grows with the distribution.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::support::guard::lab;
use crate::support::inetd::{Inetd, Options};
use crate::support::netns::shell;
use crate::support::run::{run, sshprobe};
use crate::support::scenario::address;
use crate::support::servers::HostKeys;
use crate::support::topology::Topology;

/// Room for 1022 cells.
const NETWORK: &str = "10.0.0.0/22";

/// No crate that could be relied on has these: beside a cipher that needs a MAC they end the negotiation.
const LACKING_MACS: [&str; 4] =
    ["umac-64@openssh.com", "umac-128@openssh.com", "umac-64-etm@openssh.com", "umac-128-etm@openssh.com"];

/// One pair of algorithms at one address.
struct Cell {
    /// What sshd is told.
    options: Vec<String>,
    /// What the record must hold under `negotiated`; `None` for null.
    agreed: Vec<(&'static str, Option<String>)>,
    /// Type and fingerprint of the host key.
    key: (String, String),
    /// The outcome.
    code: &'static str,
}

#[test]
fn matrix_of_openssh_key_exchanges_and_host_keys() {
    let Some(_lab) = lab() else { return };
    let keys = HostKeys::generate();
    let mut cells = Vec::new();
    let host_keys: Vec<HostKey> =
        query("HostKeyAlgorithms").iter().filter_map(|name| HostKey::of(name, &keys)).collect();
    let kex = query("kex");
    // Lest a mistake in the reading make the matrix small.
    for name in ["curve25519-sha256", "sntrup761x25519-sha512@openssh.com", "diffie-hellman-group14-sha256"] {
        assert!(kex.iter().any(|kex| kex == name), "no {name} in {kex:?}");
    }
    assert!(host_keys.len() >= 12, "{}", host_keys.len());
    for kex in &kex {
        for host_key in &host_keys {
            let mut options = host_key.options.clone();
            options.extend(["-o".to_owned(), format!("KexAlgorithms={kex}")]);
            cells.push(Cell {
                options,
                agreed: vec![("kex", Some(kex.clone())), ("host_key", Some(host_key.algorithm.clone()))],
                key: host_key.key.clone(),
                code: "ok",
            });
        }
    }
    check(cells);
}

#[test]
fn matrix_of_openssh_ciphers_and_macs() {
    let Some(_lab) = lab() else { return };
    let keys = HostKeys::generate();
    let host_key = HostKey::of("ssh-ed25519", &keys).expect("a key of this type");
    let (ciphers, macs) = (query("cipher"), query("mac"));
    assert!(ciphers.iter().any(|cipher| cipher == "aes128-ctr") && macs.iter().any(|mac| mac == "hmac-sha2-256"));
    let mut cells = Vec::new();
    for cipher in &ciphers {
        let aead = cipher.contains("gcm") || cipher.contains("poly1305");
        for mac in &macs {
            let lacking = !aead && LACKING_MACS.contains(&mac.as_str());
            let mut options = host_key.options.clone();
            for pinned in [format!("Ciphers={cipher}"), format!("MACs={mac}")] {
                options.extend(["-o".to_owned(), pinned]);
            }
            cells.push(Cell {
                options,
                agreed: vec![("cipher", Some(cipher.clone())), ("mac", (!aead).then(|| mac.clone()))],
                key: host_key.key.clone(),
                code: if lacking { "no-common-mac" } else { "ok" },
            });
        }
    }
    check(cells);
}

/// A host-key algorithm and what an sshd needs to have no other.
struct HostKey {
    algorithm: String,
    options: Vec<String>,
    key: (String, String),
}

impl HostKey {
    /// Makes the key, and its certificate where the algorithm wants one. `None` for keys that need a security key's hardware.
    fn of(algorithm: &str, keys: &HostKeys) -> Option<Self> {
        let plain = algorithm.replace("-cert-v01@openssh.com", "");
        let (name, kind, bits, key_type) = match plain.as_str() {
            "ssh-ed25519" => ("ed25519", "ed25519", "256", "ssh-ed25519"),
            "ecdsa-sha2-nistp256" => ("ecdsa", "ecdsa", "256", "ecdsa-sha2-nistp256"),
            "ecdsa-sha2-nistp384" => ("ecdsa-384", "ecdsa", "384", "ecdsa-sha2-nistp384"),
            "ecdsa-sha2-nistp521" => ("ecdsa-521", "ecdsa", "521", "ecdsa-sha2-nistp521"),
            "rsa-sha2-512" | "rsa-sha2-256" | "ssh-rsa" => ("rsa", "rsa", "3072", "ssh-rsa"),
            "ssh-dss" => ("dsa", "dsa", "1024", "ssh-dss"),
            _ if plain.starts_with("sk-") || plain.starts_with("webauthn-sk-") => return None,
            _ => panic!("OpenSSH has a host-key algorithm of which nothing is known here: {algorithm}"),
        };
        let path = keys.path(name);
        if !path.exists() {
            keys.add(name, kind, &["-b", bits]);
        }
        let path = path.to_str().expect("printable");
        let mut options = vec!["-h".to_owned(), path.to_owned()];
        options.extend(["-o".to_owned(), format!("HostKeyAlgorithms={algorithm}")]);
        let mut key_type = key_type.to_owned();
        if plain != algorithm {
            key_type.push_str("-cert-v01@openssh.com");
            let certificate = format!("{path}-cert.pub");
            if !std::path::Path::new(&certificate).exists() {
                let authority = keys.path("ed25519");
                let authority = authority.to_str().expect("printable");
                shell("ssh-keygen", &["-q", "-s", authority, "-h", "-I", "lab", "-n", "lab", &format!("{path}.pub")]);
            }
            options.extend(["-o".to_owned(), format!("HostCertificate={certificate}")]);
        }
        Some(Self { algorithm: algorithm.to_owned(), options, key: (key_type, keys.fingerprint(name)) })
    }
}

/// What OpenSSH has of a kind.
fn query(kind: &str) -> Vec<String> {
    shell("ssh", &["-Q", kind]).lines().map(str::to_owned).collect()
}

/// Serves the cells, each at an address of its own, sweeps them, and compares.
fn check(cells: Vec<Cell>) {
    let topology = Topology::new(NETWORK);
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 1));
    let cells: BTreeMap<IpAddr, Cell> =
        (first..).map(|number| IpAddr::from(Ipv4Addr::from(number))).zip(cells).collect();
    let options: Options = cells.iter().map(|(addr, cell)| (*addr, cell.options.clone())).collect();
    let inetd = Inetd::start(&topology.fleet, options);
    let mut list = String::new();
    for addr in cells.keys() {
        list.push_str(&format!("{addr}\n"));
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), list).expect("writing the targets");
    let mut command = sshprobe(&topology.prober, &[]);
    // Each connection starts a process, and some exchanges take it long: no more of them at a time than a small machine bears.
    command.args(["--concurrency", "24", "--timeout", "90s", "--format", "jsonl", "--file", "-"]);
    command.stdin(file.reopen().expect("our own file"));
    let run = run(command);
    assert_eq!(run.records.len(), cells.len(), "{}", run.stderr);
    let mut wrong = Vec::new();
    for record in &run.records {
        let addr = address(record);
        let cell = &cells[&addr];
        let differences = cell.differences(record);
        if !differences.is_empty() {
            wrong.push(format!("{:?}: {differences:?}\n{record}\n{}", cell.options, inetd.log(addr)));
        }
    }
    println!("{} cells in {:?}", cells.len(), run.took);
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
}

impl Cell {
    fn differences(&self, record: &Value) -> Vec<String> {
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
        let key = &record["host_keys"][0];
        compare("key type", &key["type"], self.key.0.as_str().into());
        compare("fingerprint", &key["fingerprint"], self.key.1.as_str().into());
        compare("signature", &key["signature"], "verified".into());
        compare("methods", &record["auth"]["methods"], ["publickey", "password"].as_slice().into());
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
