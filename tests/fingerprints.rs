//! SSHFP records and lists of fingerprints against `ssh-keygen -r` and `ssh-keygen -l`.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::trust::bad_keys::BadKeys;
use sshprobe_probes::trust::sshfp::{SshfpAnswer, SshfpGap, SshfpRecord, compare, records_for};
use tempfile::TempDir;

use crate::support::openssh::{have, keygen, run};

const KEYS: [(&str, &str, &str); 6] = [
    ("ed25519", "ed25519", "256"),
    ("rsa", "rsa", "2048"),
    ("small-rsa", "rsa", "1024"),
    ("nistp256", "ecdsa", "256"),
    ("nistp384", "ecdsa", "384"),
    ("nistp521", "ecdsa", "521"),
];

/// The names of the keys made; DSA is one where ssh-keygen still makes it.
fn make_keys(dir: &Path) -> Vec<&'static str> {
    let mut names: Vec<_> = KEYS
        .map(|(name, kind, bits)| {
            keygen(dir, &["-q", "-t", kind, "-b", bits, "-N", "", "-C", name, "-f", name]);
            name
        })
        .into();
    if run(dir, "ssh-keygen", &["-q", "-t", "dsa", "-N", "", "-C", "dsa", "-f", "dsa"]).status.success() {
        names.push("dsa");
    }
    names
}

fn line(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(format!("{name}.pub"))).expect("a public key")
}

fn blob(dir: &Path, name: &str) -> Vec<u8> {
    STANDARD.decode(line(dir, name).split_whitespace().nth(1).expect("type and key")).expect("base64")
}

#[test]
fn records_are_those_of_ssh_keygen() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    let mut all = Vec::new();
    let names = make_keys(dir);
    for name in &names {
        let records = records_for(&blob(dir, name));
        let file = format!("{name}.pub");
        let ours: String = records.iter().map(|record| record.zone_line("host.example") + "\n").collect();
        assert_eq!(ours, keygen(dir, &["-r", "host.example", "-f", &file]));
        // The general form, and the same without its name, is read back.
        let general = keygen(dir, &["-r", "host.example", "-g", "-f", &file]);
        let read =
            |line: &str| SshfpRecord::from_text(line.split_once("TYPE44 ").expect("a type").1).expect("a record");
        assert_eq!(general.lines().map(read).collect::<Vec<_>>(), records);
        all.extend(records);
    }
    for name in &names {
        let blob = blob(dir, name);
        assert_eq!(compare(&records_for(&blob), &blob), SshfpAnswer::Match);
        // Three curves and two RSA keys under one name: OpenSSH takes a record of another key of the algorithm for a change.
        let alone = ["ed25519", "dsa"].contains(name);
        let expect = if alone { SshfpAnswer::Match } else { SshfpAnswer::Mismatch };
        assert_eq!(compare(&all, &blob), expect, "{name}");
        let other = records_for(&self::blob(dir, if *name == "ed25519" { "rsa" } else { "ed25519" }));
        assert_eq!(compare(&other, &blob), SshfpAnswer::Partial(SshfpGap::Algorithm), "{name}");
    }
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    for name in make_keys(dir) {
        let file = format!("{name}.pub");
        let print = |hash: &str| {
            let said = keygen(dir, &["-l", "-E", hash, "-f", &file]);
            said.split_whitespace().nth(1).expect("bits, fingerprint").to_owned()
        };
        let md5 = print("md5");
        let bare = md5.strip_prefix("MD5:").expect("a prefix").to_uppercase();
        for listed in [print("sha256"), md5, bare, line(dir, name).trim_end().to_owned()] {
            let mut bad = BadKeys::default();
            assert_eq!(bad.file("bad", format!("# {name}\n{listed} of every box\n").as_bytes()), []);
            let (at, comment) = bad.find(&blob(dir, name)).unwrap_or_else(|| panic!("{listed}"));
            assert_eq!(at.to_string(), "bad:2");
            assert!(comment.ends_with("of every box"), "{comment}");
            assert_eq!(bad.find(b"another"), None);
        }
    }
}
