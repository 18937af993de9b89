//! Go's x/crypto/ssh, as the honeypot sshesame has it: Debian packages no other server that is built on it.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use sshprobe_probes::algorithm::Offer;

use super::cell::{NETWORK, Serving, addresses, check};
use super::offered::probe;
use super::pins::{cells, lists};
use crate::support::guard::lab_with;
use crate::support::netns::Netns;
use crate::support::servers::{Daemon, HostKeys};
use crate::support::topology::Topology;

const TOOLS: &[(&str, &str)] = &[("sshesame", "sshesame")];

#[test]
fn matrix_of_go_x_crypto_as_sshesame() {
    let Some(_lab) = lab_with(TOOLS) else { return };
    let keys = HostKeys::generate();
    // The names in the source of x/crypto/ssh. It pins no signature algorithm: an RSA key comes with all it can do.
    let lists = lists(&[
        (
            "kex",
            "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 \
             diffie-hellman-group14-sha256 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1",
        ),
        ("host_key", "ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-512"),
        (
            "cipher",
            "aes128-gcm@openssh.com chacha20-poly1305@openssh.com aes128-ctr aes192-ctr aes256-ctr aes128-cbc 3des-cbc \
             arcfour arcfour128 arcfour256",
        ),
        ("mac", "hmac-sha2-256-etm@openssh.com hmac-sha2-256 hmac-sha1 hmac-sha1-96"),
    ]);
    let cells = cells(&lists, &keys, &["password", "publickey"], |pins, key| {
        let key = key.map(|key| key.path.as_str()).expect("a key that ssh-keygen makes");
        let mut config = format!("  host_keys: [{key}]\nssh_proto:\n  version: SSH-2.0-sshesame\n");
        for (kind, setting) in [("kex", "key_exchanges"), ("cipher", "ciphers"), ("mac", "macs")] {
            if let Some(name) = pins.get(kind) {
                config.push_str(&format!("  {setting}: [\"{name}\"]\n"));
            }
        }
        // It does no -etm MAC with CBC: see below.
        if pins.get("cipher").is_some_and(|cipher| cipher.ends_with("-cbc")) {
            config.push_str("  macs: [\"hmac-sha2-256\"]\n");
        }
        config
    });
    check(cells, Honeypots::start);
}

/// x/crypto/ssh agrees on a CBC cipher with an -etm MAC and sends its packets as with any other MAC (golang/go#32075, open as
/// this is written). No client gets further; one that is mended comes to `ok`.
#[test]
fn go_that_does_no_etm_with_cbc_is_told_by_cipher_and_mac() {
    let Some(_lab) = lab_with(TOOLS) else { return };
    let keys = HostKeys::generate();
    let topology = Topology::new(NETWORK);
    let addr = addresses().next().expect("a network");
    let key = keys.path("ed25519");
    let config = format!("  host_keys: [{}]\nssh_proto:\n  ciphers: [\"aes128-cbc\"]\n", key.display());
    let _server = Honeypots::start(&topology.fleet, BTreeMap::from([(addr, config)]));
    let record = probe(&topology.prober, addr, Offer::modern());
    if record["code"] == "ok" {
        println!("this x/crypto/ssh does what it agrees on");
        return;
    }
    assert_eq!(record["code"], "protocol-error", "{record}");
    let detail = record["detail"].as_str().unwrap_or_default();
    assert!(detail.ends_with("(under aes128-cbc with hmac-sha2-256-etm@openssh.com)"), "{detail}");
    assert_eq!(record["host_keys"][0]["signature"], "verified", "{record}");
}

/// One process a cell, as each has one configuration and one address.
struct Honeypots(BTreeMap<IpAddr, Daemon>);

impl Honeypots {
    fn start(netns: &Netns, configs: BTreeMap<IpAddr, String>) -> Self {
        let start = |(addr, config): (IpAddr, String)| {
            let dir = tempfile::TempDir::new().expect("a temporary directory");
            let file = dir.path().join("sshesame.yaml");
            fs::write(&file, format!("server:\n  listen_address: {addr}:22\n{config}"))
                .expect("writing the configuration");
            let mut command = netns.command("nice");
            command.args(["-n", "5", "sshesame", "-config"]).arg(&file).arg("-data_dir").arg(dir.path());
            (addr, Daemon::start(command, "Listening on", Some(dir)))
        };
        Self(configs.into_iter().map(start).collect())
    }
}

impl Serving for Honeypots {
    fn log(&self, addr: IpAddr) -> String {
        self.0[&addr].log()
    }
}
