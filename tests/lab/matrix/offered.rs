//! Servers that cannot be told what to offer: Dropbear, tinysshd and lshd. Here it is the probe that offers one algorithm
//! after the other, each that the server has in its KEXINIT.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use sshprobe::engine::{self, Options};
use sshprobe::resolve::{Resolver, ResolverOptions};
use sshprobe::target::Sources;
use sshprobe_probes::algorithm::{CIPHER, Named, Offer};
use sshprobe_probes::plan::Plan;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::cell::{NETWORK, Wanted, addresses};
use super::pins::{aead, code};
use crate::support::guard::{lab, lab_with};
use crate::support::netns::Netns;
use crate::support::servers::{dropbear_with, lshd, tinysshd};
use crate::support::topology::Topology;

/// The wildcard: every address of the network leads to the one server.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 22);

#[test]
fn matrix_of_dropbear() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(NETWORK);
    let (_server, fingerprints) = dropbear_with(&topology.fleet, ANY, &["ed25519", "ecdsa", "rsa"]);
    let types = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"];
    let keys: BTreeMap<_, _> = types.into_iter().zip(fingerprints).collect();
    let seen = matrix(&topology.prober, &keys, &["publickey", "password"]);
    for name in ["curve25519-sha256", "rsa-sha2-256", "ecdsa-sha2-nistp256", "aes256-ctr", "hmac-sha2-256"] {
        assert!(seen.iter().any(|each| each == name), "no {name} in {seen:?}");
    }
}

#[test]
fn matrix_of_tinysshd() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(NETWORK);
    let (_server, fingerprint) = tinysshd(&topology.fleet, ANY);
    let seen = matrix(&topology.prober, &BTreeMap::from([("ssh-ed25519", fingerprint)]), &["publickey"]);
    assert!(seen.iter().any(|name| name == "sntrup761x25519-sha512@openssh.com"), "{seen:?}");
}

#[test]
fn matrix_of_lshd_with_an_rsa_key() {
    lshd_with("rsa", "ssh-rsa");
}

#[test]
fn matrix_of_lshd_with_a_dsa_key() {
    lshd_with("dsa", "ssh-dss");
}

fn lshd_with(kind: &str, key_type: &'static str) {
    let Some(_lab) = lab_with(&[("lshd", "lsh-server"), ("lsh-keygen", "lsh-utils")]) else { return };
    let topology = Topology::new(NETWORK);
    let (_server, fingerprint) = lshd(&topology.fleet, SocketAddr::new(first_address(), 22), kind);
    let seen = matrix(&topology.prober, &BTreeMap::from([(key_type, fingerprint)]), &["password", "publickey"]);
    for name in ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", key_type, "3des-cbc", "hmac-md5"] {
        assert!(seen.iter().any(|each| each == name), "no {name} in {seen:?}");
    }
}

/// A Dropbear without an RSA key lists RSA all the same, and closes when it comes to that.
#[test]
fn dropbear_that_lists_a_key_it_lacks_is_told_by_the_algorithm() {
    let Some(_lab) = lab() else { return };
    let topology = Topology::new(NETWORK);
    let (_server, _) = dropbear_with(&topology.fleet, ANY, &["ed25519"]);
    let offer = Offer::modern().with_host_key(&["rsa-sha2-256"]).expect("a name in the table");
    let record = probe(&topology.prober, first_address(), offer);
    if record["code"] == "no-common-hostkey" {
        println!("this Dropbear lists only what it has");
        return;
    }
    assert_eq!(record["code"], "kex-closed", "{record}");
    let detail = record["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("rsa-sha2-256"), "{detail}");
}

/// One probe for each name the server offers; returns the names that were agreed on.
fn matrix(netns: &Netns, keys: &BTreeMap<&str, String>, methods: &'static [&'static str]) -> Vec<String> {
    let addr = first_address();
    let first = probe(netns, addr, Offer::modern());
    assert_eq!(first["code"], "ok", "{first}");
    let list = |name: &str| -> Vec<String> {
        serde_json::from_value(first["kexinit"][name].clone())
            .unwrap_or_else(|error| panic!("{name}: {error}: {first}"))
    };
    let ciphers = list("cipher_c2s");
    // To agree on a MAC takes a cipher that needs one.
    let needs_mac = CIPHER.iter().find(|cipher| !cipher.aead() && ciphers.iter().any(|each| each == cipher.name()));
    let mut agreed = Vec::new();
    let mut wrong = Vec::new();
    for (kind, names) in
        [("kex", list("kex")), ("host_key", list("host_key")), ("cipher", ciphers), ("mac", list("mac_c2s"))]
    {
        for name in names.into_iter().filter(|name| !marker(name)) {
            let modern = Offer::modern();
            let offer = match (kind, needs_mac) {
                ("kex", _) => modern.with_kex(&[&name]),
                ("host_key", _) => modern.with_host_key(&[&name]),
                ("cipher", _) => modern.with_cipher(&[&name]),
                (_, Some(cipher)) => modern.with_mac(&[&name]).and_then(|offer| offer.with_cipher(&[cipher.name()])),
                (_, None) => continue,
            };
            let Ok(offer) = offer else {
                assert_ne!(code(kind, &name), "ok", "sshprobe has no {kind} {name} any more");
                continue;
            };
            let record = probe(netns, addr, offer);
            let key_type = record["host_keys"][0]["type"].as_str().unwrap_or_default().to_owned();
            let key = (key_type.clone(), keys.get(key_type.as_str()).cloned().unwrap_or_default());
            let mut algorithms = vec![(kind, Some(name.clone()))];
            if kind == "cipher" && aead(&name) {
                algorithms.push(("mac", None));
            }
            let wanted = Wanted { agreed: algorithms, key, methods, code: "ok" };
            let differences = wanted.differences(&record);
            if !differences.is_empty() {
                wrong.push(format!("{kind} {name}: {differences:?}\n{record}"));
            }
            agreed.push(name);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), agreed.len(), wrong.join("\n"));
    agreed
}

/// The one that all probes here go to.
fn first_address() -> IpAddr {
    addresses().next().expect("a network")
}

/// In the list of key exchanges, but none.
fn marker(name: &str) -> bool {
    name.starts_with("kex-strict-") || name.starts_with("ext-info-") || name.starts_with("kexguess")
}

/// What the library finds at this address with this offer. The command line has no option for it.
pub(super) fn probe(netns: &Netns, addr: IpAddr, offer: Offer) -> Value {
    netns.enter(|| {
        // One thread for everything: a socket belongs to the namespace of the thread that made it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let sources = Sources { targets: vec![addr.to_string()], max_targets: 1, ..Sources::default() };
            let targets = sources.open().expect("an address").filter_map(Result::ok);
            let plan = Plan { offer: Arc::new(offer), ..Plan::default() };
            let resolver = Resolver::new(ResolverOptions::default());
            let (sink, mut records) = mpsc::channel(1);
            let run =
                engine::run(Options::new(plan), targets, resolver, sink, CancellationToken::new(), Arc::default());
            let (outcome, record) = tokio::join!(run, records.recv());
            outcome.expect("a run that can start");
            serde_json::to_value(record.expect("a record for the target")).expect("a record is JSON")
        })
    })
}
