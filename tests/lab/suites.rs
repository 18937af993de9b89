//! Every algorithm of the modern suite against an OpenSSH that speaks no other.

use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::run::{run, sshprobe};
use crate::support::topology::Family;

const KEX: [&str; 5] = [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
];
const RSA_SIGNATURES: [&str; 2] = ["rsa-sha2-512", "rsa-sha2-256"];
const AEAD: [&str; 3] = ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"];
const CTR: [&str; 3] = ["aes128-ctr", "aes192-ctr", "aes256-ctr"];
const MAC: [&str; 4] =
    ["hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"];
const CURVES: [&str; 2] = ["384", "521"];

#[test]
fn suites_of_openssh_one_by_one() {
    let Some(_lab) = lab() else { return };
    let mut servers = Vec::new();
    let mut server = |name: String, key: &str, agreed: String| servers.push((name, key.to_owned(), agreed));
    for kex in KEX {
        server(format!("KexAlgorithms={kex}"), "ssh-ed25519", format!("kex={kex}"));
    }
    for algorithm in RSA_SIGNATURES {
        server(format!("HostKeyAlgorithms={algorithm}"), "ssh-rsa", format!("hostkey={algorithm}"));
    }
    for bits in CURVES {
        let key = format!("ecdsa-sha2-nistp{bits}");
        server(format!("ecdsa-{bits}"), &key, format!("hostkey={key}"));
    }
    for cipher in AEAD {
        server(format!("Ciphers={cipher}"), "ssh-ed25519", format!("cipher={cipher}"));
    }
    for cipher in CTR {
        for mac in MAC {
            let agreed = format!("cipher={cipher} mac={mac}");
            server(format!("Ciphers={cipher};MACs={mac}"), "ssh-ed25519", agreed);
        }
    }
    let mut scenario =
        String::from("* openssh ok ok - auth ident kexinit key=ssh-ed25519 methods=publickey,password\n");
    for (octet, (name, key, agreed)) in (1..).zip(&servers) {
        let evidence = format!("ident kexinit key={key} methods=publickey,password {agreed}");
        scenario.push_str(&format!("{octet} openssh:{name} ok ok - auth {evidence}\n"));
    }
    let fleet = Fleet::of(&scenario, Family::V4);
    let last = u8::try_from(servers.len()).expect("less than 256");
    let mut command = sshprobe(&fleet.topology.prober, &[]);
    command.args([&format!("10.0.0.1-{last}"), "--format", "jsonl"]);
    let run = run(command);
    assert_eq!(run.records.len(), servers.len(), "{}", run.stderr);
    for octet in 1..=last {
        let address = Family::V4.address(octet).to_string();
        let record = run.records.iter().find(|record| record["target"]["addr"] == address).expect("its record");
        let expected = fleet.scenario.at(octet);
        let differences = expected.differences(octet, record, &fleet.context);
        assert!(differences.is_empty(), "{}: {differences:?}\n{record}", expected.behaviour);
        assert_eq!(record["negotiated"]["strict_kex"], fleet_is_strict(record), "{record}");
    }
}

/// Strict key exchange is in force when the server offers it too, whatever its version is called.
fn fleet_is_strict(record: &serde_json::Value) -> bool {
    record["kexinit"]["kex"].as_array().is_some_and(|kex| kex.iter().any(|name| name == "kex-strict-s-v00@openssh.com"))
}
