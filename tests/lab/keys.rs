//! `sshprobe keys` held against ssh, ssh-keyscan and ssh-keygen: what it writes ssh accepts, and nothing else is in it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::fleet::Fleet;
use crate::support::guard::lab;
use crate::support::run::sshprobe;
use crate::support::topology::Family;

/// Real servers, an impostor at 8 and nobody at 10. The rest is stock: three keys each.
const SERVERS: &str = "
*   openssh                    ok           ok                  -  auth
2   openssh:two-ports          ok           ok                  -  auth
3   openssh:rsa                ok           ok                  -  auth
4   openssh:ecdsa              ok           ok                  -  auth
6   dropbear                   ok           ok                  -  auth
7   tinysshd                   ok           ok                  -  auth
8   responder:wrong-signature  kex-failure  bad-host-signature  -  kex
10  host:closed                refused      refused             -  connect
";

/// Everything in the fleet that has a key, as ssh is told it: host and port.
fn honest(family: Family) -> Vec<(String, u16)> {
    let mut hosts: Vec<(String, u16)> = [2, 3, 4, 6, 7, 9].map(|octet| (family.address(octet).to_string(), 22)).into();
    hosts.push((family.address(2).to_string(), 2222));
    hosts.extend([22, 2222].map(|port| (String::from("Two.lab.test"), port)));
    hosts.push((String::from("stock.lab.test"), 22));
    hosts
}

struct Ground {
    fleet: Fleet,
    family: Family,
    home: TempDir,
}

impl Ground {
    fn new(family: Family) -> Self {
        let fleet = Fleet::of(SERVERS, family);
        let (two, stock) = (family.address(2), family.address(9));
        fleet
            .topology
            .prober
            .etc("hosts", &format!("127.0.0.1 localhost\n{two} two.lab.test\n{stock} stock.lab.test\n"));
        Self { fleet, family, home: TempDir::new().expect("a folder") }
    }

    fn keys(&self, args: &[&str]) -> Output {
        let mut command = sshprobe(&self.fleet.topology.prober, &[]);
        command.arg("keys").args(args).args(["--per-host", "50ms"]);
        command.output().expect("timeout(1)")
    }

    /// All that is honest, and the two that are not.
    fn targets(&self) -> Vec<String> {
        let written = |(host, port): (String, u16)| match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
            _ => format!("{host}:{port}"),
        };
        let others = [8, 10].map(|octet| (self.family.address(octet).to_string(), 22));
        honest(self.family).into_iter().chain(others).map(written).collect()
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    }

    fn inside(&self, program: &str) -> Command {
        self.fleet.topology.prober.command(program)
    }

    /// What ssh says of a host whose keys stand in this file and nowhere else. There is no way to log in.
    fn ssh(&self, file: &str, host: &str, port: u16, algorithm: &str) -> String {
        let mut ssh = self.inside("ssh");
        ssh.args(["-F", "none", "-p", &port.to_string()]);
        let known = format!("UserKnownHostsFile={file}");
        let algorithms = format!("HostKeyAlgorithms={algorithm}");
        for option in [
            known.as_str(),
            algorithms.as_str(),
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "BatchMode=yes",
            "IdentityFile=none",
            "UpdateHostKeys=no",
        ] {
            ssh.args(["-o", option]);
        }
        let output = ssh.arg(format!("root@{host}")).arg("true").output().expect("ssh");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    #[track_caller]
    fn assert_accepted(&self, file: &str, host: &str, port: u16, kind: &str) {
        let algorithm = if kind == "ssh-rsa" { "rsa-sha2-512" } else { kind };
        let said = self.ssh(file, host, port, algorithm);
        assert!(said.contains("Permission denied"), "{host} {port} {kind}: {said}");
    }

    fn keyscan(&self, host: &str, port: u16) -> BTreeSet<String> {
        let mut keyscan = self.inside("ssh-keyscan");
        keyscan.args(["-T", "20", "-t", "rsa,ecdsa,ed25519", "-p", &port.to_string(), host]);
        let output = keyscan.output().expect("ssh-keyscan");
        lines(&output.stdout).into_iter().filter(|line| !line.starts_with('#')).collect()
    }
}

fn lines(text: &[u8]) -> Vec<String> {
    std::str::from_utf8(text).expect("ASCII").lines().map(str::to_owned).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn written(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The types of key that the lines have under this name.
fn types<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let words = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    words.filter(|words| words[0] == name).map(|words| words[1]).collect()
}

fn written_keys_are_accepted(family: Family) {
    let ground = Ground::new(family);
    let targets = ground.targets();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let output = ground.keys(&targets);
    let told = stderr(&output);
    let found = lines(&output.stdout);
    let file = ground.file("plain", &output.stdout);

    // Line by line what ssh-keyscan has for the honest ones, which is not lower-cased there.
    let mut expected = BTreeSet::new();
    for (host, port) in honest(family) {
        let seen = ground.keyscan(&host, port);
        assert!(!seen.is_empty(), "ssh-keyscan found nothing at {host}");
        expected.extend(seen.into_iter().map(|line| line.replace("Two.lab.test", "two.lab.test")));
    }
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected, "{told}");
    assert_eq!(found.len(), expected.len(), "no line twice");

    // The impostor and the absent: no line, a reason each, and the exit code.
    assert_eq!(output.status.code(), Some(1), "{told}");
    let (impostor, absent) = (family.address(8), family.address(10));
    assert!(
        told.lines().any(|line| line.starts_with(&format!("sshprobe: error: {impostor}: bad-host-signature: "))),
        "{told}"
    );
    assert!(told.lines().any(|line| line.starts_with(&format!("sshprobe: error: {absent}: refused: "))), "{told}");
    // Dropbear offers RSA, has no such key here, and dies of being asked for it.
    let dropbear = format!("sshprobe: warning: {}: no ssh-rsa key: ", family.address(6));
    let others = told.lines().filter(|line| !line.starts_with(&dropbear)).count();
    assert_eq!(others, 3, "{told}");
    let closing = told.lines().last().expect("a line");
    assert!(closing.starts_with(&format!("{} keys of 10 hosts in ", found.len())), "{closing}");
    assert!(closing.contains(" connections; 2 without a proven key"), "{closing}");

    // ssh takes every single key, and without the file none.
    for (host, port) in honest(family) {
        let kinds = types(&found, &written(&host, port));
        assert!(!kinds.is_empty(), "{host} {port}");
        for kind in kinds {
            ground.assert_accepted(&file, &host, port, kind);
        }
    }
    let said = ground.ssh("/dev/null", "stock.lab.test", 22, "ssh-ed25519");
    assert!(said.contains("Host key verification failed"), "{said}");
    let said = ground.ssh(&file, &impostor.to_string(), 22, "ssh-ed25519");
    assert!(!said.contains("Permission denied"), "{said}");
}

#[test]
fn keys_written_are_those_of_ssh_keyscan_and_ssh_accepts_them_v4() {
    let Some(_lab) = lab() else { return };
    written_keys_are_accepted(Family::V4);
}

#[test]
fn keys_written_are_those_of_ssh_keyscan_and_ssh_accepts_them_v6() {
    let Some(_lab) = lab() else { return };
    written_keys_are_accepted(Family::V6);
}

#[test]
fn keys_under_hashed_names_are_found_by_ssh_and_ssh_keygen() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new(Family::V4);
    let targets = ground.targets();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let plain = lines(&ground.keys(&targets).stdout);
    let output = ground.keys(&[&targets[..], &["--hash"]].concat());
    let hashed = lines(&output.stdout);
    assert_eq!(hashed.len(), plain.len(), "{}", stderr(&output));
    let salts: BTreeSet<&str> = hashed.iter().filter_map(|line| line.split('|').nth(2)).collect();
    assert_eq!(salts.len(), hashed.len(), "a salt of its own for each line");
    let file = ground.file("hashed", &output.stdout);
    for (host, port) in honest(Family::V4) {
        let name = written(&host, port);
        let kinds = types(&plain, &name);
        let found = ground.inside("ssh-keygen").args(["-F", &name, "-f", &file]).output().expect("ssh-keygen");
        let found: Vec<String> = lines(&found.stdout).into_iter().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(found.len(), kinds.len(), "{name}: {found:?}");
        ground.assert_accepted(&file, &host, port, kinds[0]);
    }
}

#[test]
fn keys_as_sshfp_records_are_those_of_ssh_keygen() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new(Family::V4);
    let output = ground.keys(&["--sshfp", "stock.lab.test"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut expected = BTreeSet::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = ground.fleet.keys.path(kind).with_extension("pub").display().to_string();
        let printed =
            ground.inside("ssh-keygen").args(["-r", "stock.lab.test", "-f", &key]).output().expect("ssh-keygen");
        expected.extend(lines(&printed.stdout));
    }
    assert_eq!(expected.len(), 6);
    assert_eq!(lines(&output.stdout).into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn keys_of_the_types_asked_for_alone_are_fetched() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new(Family::V4);
    let output = ground.keys(&["-t", "rsa", "10.0.0.9", "10.0.0.3"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found = lines(&output.stdout);
    assert_eq!((types(&found, "10.0.0.9"), types(&found, "10.0.0.3")), (vec!["ssh-rsa"], vec!["ssh-rsa"]));
    assert!(stderr(&output).contains(", 2 connections"), "{}", stderr(&output));

    // A server without one has failed, and a key of another type is no substitute.
    let output = ground.keys(&["-t", "rsa", "10.0.0.7"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let told = "sshprobe: error: 10.0.0.7: no key of the types asked for; it has ssh-ed25519\n";
    assert!(stderr(&output).starts_with(told), "{}", stderr(&output));

    // Of a range, whoever does not answer was not expected to.
    let output = ground.keys(&["-t", "ed25519", "10.0.0.9-10"]);
    assert_eq!((output.status.code(), lines(&output.stdout).len()), (Some(0), 1), "{}", stderr(&output));
    assert!(stderr(&output).contains("; 1 silent, refused or unreachable in ranges"), "{}", stderr(&output));
}
