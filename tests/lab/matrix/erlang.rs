//! Erlang/OTP's ssh, which other products have built in. What there is, it says itself.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cell::{Serving, check};
use super::pins::{Lists, Pins, cells};
use crate::support::guard::lab_with;
use crate::support::netns::{Netns, shell};
use crate::support::servers::{Daemon, HostKeys};

const TOOLS: &[(&str, &str)] = &[("escript", "erlang-base"), ("/usr/share/doc/erlang-ssh", "erlang-ssh")];

#[test]
fn matrix_of_erlang_otp_ssh() {
    let Some(_lab) = lab_with(TOOLS) else { return };
    let mut lists = Lists::new();
    for line in shell("escript", &[script().to_str().expect("printable"), "list"]).lines() {
        let (kind, name) = line.split_once(' ').expect("a kind and a name");
        let kind = if kind == "public_key" { "host_key" } else { kind };
        // As a MAC the names of RFC 5647 stand for their cipher. Of its Ed448 keys no tool of the lab's makes one.
        if !(kind == "mac" && name.starts_with("AEAD_") || name == "ssh-ed448") {
            lists.entry(kind.to_owned()).or_default().push(name.to_owned());
        }
    }
    for name in ["curve25519-sha256", "ecdsa-sha2-nistp256", "aes256-ctr", "hmac-sha2-512"] {
        assert!(lists.values().flatten().any(|each| each == name), "no {name} in {lists:?}");
    }
    let keys = HostKeys::generate();
    let methods = &["publickey", "keyboard-interactive", "password"];
    let cells = cells(&lists, &keys, methods, |pins, key| {
        let key = key.map(|key| key.path.clone()).expect("a key that ssh-keygen makes");
        (pins.clone(), key)
    });
    check(cells, Erlang::start);
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/serve_erlang.escript")
}

/// One virtual machine for all cells.
struct Erlang {
    daemon: Daemon,
}

impl Erlang {
    fn start(netns: &Netns, cells: BTreeMap<IpAddr, (Pins, String)>) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let terms: String = cells.iter().map(|(addr, (pins, key))| term(*addr, pins, key, dir.path())).collect();
        let file = dir.path().join("cells");
        fs::write(&file, terms).expect("writing the cells");
        let mut command = netns.command("nice");
        command.args(["-n", "5", "escript"]).arg(script()).arg("serve").arg(&file);
        Self { daemon: Daemon::start(command, "ready", Some(dir)) }
    }
}

/// A cell as the script reads it, with a folder for its key, as that is found by its name.
fn term(addr: IpAddr, pins: &Pins, key: &str, dir: &Path) -> String {
    let system = dir.join(addr.to_string());
    fs::create_dir(&system).expect("a new folder");
    let name = match pins.host_key() {
        "ssh-ed25519" => "ed25519",
        "ssh-dss" => "dsa",
        name if name.starts_with("ecdsa-") => "ecdsa",
        _ => "rsa",
    };
    fs::copy(key, system.join(format!("ssh_host_{name}_key"))).expect("copying a key");
    let mut preferred = vec![format!("{{public_key, ['{}']}}", pins.host_key())];
    for kind in ["kex", "cipher", "mac"] {
        preferred.extend(pins.get(kind).map(|name| format!("{{{kind}, ['{name}']}}")));
    }
    format!("{{\"{addr}\", \"{}\", [{}]}}.\n", system.display(), preferred.join(", "))
}

impl Serving for Erlang {
    fn log(&self, _: IpAddr) -> String {
        self.daemon.log()
    }
}
