//! The whole of Debian's OpenSSH: every key exchange with every host-key algorithm, every cipher with every MAC, each pair from
//! an sshd that has no other. What there is, `ssh -Q` tells, so that the matrix grows with the distribution.

use super::cell::{Cell, Wanted, check};
use super::key::Key;
use crate::support::guard::lab;
use crate::support::inetd::Inetd;
use crate::support::netns::shell;
use crate::support::servers::HostKeys;

/// No crate that could be relied on has these: beside a cipher that needs a MAC they end the negotiation.
const LACKING_MACS: [&str; 4] =
    ["umac-64@openssh.com", "umac-128@openssh.com", "umac-64-etm@openssh.com", "umac-128-etm@openssh.com"];

const METHODS: &[&str] = &["publickey", "password"];

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
            let agreed = vec![("kex", Some(kex.clone())), ("host_key", Some(host_key.algorithm.clone()))];
            let wanted = Wanted { agreed, key: host_key.key.clone(), methods: METHODS, code: "ok" };
            cells.push(Cell { setup: sshd(host_key, &[format!("KexAlgorithms={kex}")]), wanted });
        }
    }
    check(cells, Inetd::start);
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
            let agreed = vec![("cipher", Some(cipher.clone())), ("mac", (!aead).then(|| mac.clone()))];
            let code = if lacking { "no-common-mac" } else { "ok" };
            let wanted = Wanted { agreed, key: host_key.key.clone(), methods: METHODS, code };
            cells.push(Cell { setup: sshd(&host_key, &[format!("Ciphers={cipher}"), format!("MACs={mac}")]), wanted });
        }
    }
    check(cells, Inetd::start);
}

/// An sshd that has no other host key and these further options.
fn sshd(host_key: &HostKey, pinned: &[String]) -> Vec<String> {
    // Debian's sshd refuses to start without its privilege separation directory.
    std::fs::create_dir_all("/run/sshd").expect("making /run/sshd");
    let mut command: Vec<String> = ["/usr/sbin/sshd", "-i", "-e", "-f", "/dev/null"].map(str::to_owned).to_vec();
    for option in ["UsePAM=no", "StrictModes=no", "KbdInteractiveAuthentication=no"] {
        command.extend(["-o".to_owned(), option.to_owned()]);
    }
    command.extend(host_key.options.iter().cloned());
    for option in pinned {
        command.extend(["-o".to_owned(), option.clone()]);
    }
    command
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
        if plain.starts_with("sk-") || plain.starts_with("webauthn-sk-") {
            return None;
        }
        let Some(key) = Key::of(&plain, keys) else {
            panic!("OpenSSH has a host-key algorithm of which nothing is known here: {algorithm}")
        };
        let path = key.path;
        let mut options = vec!["-h".to_owned(), path.clone()];
        options.extend(["-o".to_owned(), format!("HostKeyAlgorithms={algorithm}")]);
        let mut kind = key.kind.to_owned();
        if plain != algorithm {
            kind.push_str("-cert-v01@openssh.com");
            let certificate = format!("{path}-cert.pub");
            if !std::path::Path::new(&certificate).exists() {
                let authority = keys.path("ed25519");
                let authority = authority.to_str().expect("printable");
                shell("ssh-keygen", &["-q", "-s", authority, "-h", "-I", "lab", "-n", "lab", &format!("{path}.pub")]);
            }
            options.extend(["-o".to_owned(), format!("HostCertificate={certificate}")]);
        }
        Some(Self { algorithm: algorithm.to_owned(), options, key: (kind, key.fingerprint) })
    }
}

/// What OpenSSH has of a kind.
fn query(kind: &str) -> Vec<String> {
    shell("ssh", &["-Q", kind]).lines().map(str::to_owned).collect()
}
