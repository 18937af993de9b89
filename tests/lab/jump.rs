//! Jump hosts: real OpenSSH on the way to real OpenSSH. The servers at 127.0.7.x of the fleet are reached through a jump host or
//! not at all.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::guard::lab;
use crate::support::netns::shell;
use crate::support::run::{Run, run, sshprobe, told};
use crate::support::servers::{Daemon, HostKeys, Sshd};
use crate::support::topology::{Family, Topology};

/// nobody on Debian, as whom the program runs.
const NOBODY: u32 = 65534;

const TARGET: &str = "127.0.7.4";

struct Ground {
    topology: Topology,
    keys: HostKeys,
    dir: TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self {
            topology: Topology::new(Family::V4.network()),
            keys: HostKeys::generate(),
            dir: TempDir::new().unwrap(),
        };
        fs::set_permissions(ground.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        ground.key("user");
        ground.key("stranger");
        let authorized = fs::read_to_string(ground.path("user.pub")).unwrap();
        ground.file("authorized", &authorized);
        ground.file("restricted", &format!("restrict {authorized}"));
        ground
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn key(&self, name: &str) {
        shell("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &self.path(name)]);
        chown(self.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }

    /// A server of these lines that lets root in by the user's key.
    fn sshd(&self, addr: &str, config: &str) -> Daemon {
        let authorized = self.path("authorized");
        let config =
            format!("{config}\nPermitRootLogin prohibit-password\nAuthorizedKeysFile {authorized}\nLogLevel VERBOSE");
        let sshd = Sshd { key_types: &["ed25519"], config: &config };
        sshd.start(&self.topology.fleet, addr.parse::<IpAddr>().unwrap(), &self.keys)
    }

    /// known_hosts with the servers' key for these names.
    fn known(&self, file: &str, names: &str) -> String {
        let key = fs::read_to_string(self.keys.path("ed25519").with_extension("pub")).unwrap();
        self.file(file, &format!("{names} {key}"))
    }

    fn probe(&self, args: &[&str]) -> Run {
        let mut command = sshprobe(&self.topology.prober, &[]);
        command.args(["--format", "jsonl", "--retries", "0", "--per-host", "50ms", "-l", "root", "--fail-on", "none"]);
        run({
            command.args(args);
            command
        })
    }

    fn one(&self, args: &[&str]) -> (Value, String) {
        let mut run = self.probe(args);
        assert_eq!(run.records.len(), 1, "{args:?}: {}", run.stderr);
        (run.records.remove(0), run.stderr)
    }
}

fn outcome(record: &Value) -> String {
    let text = |field: &str| record[field].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", text("code"), text("arg"), text("stage"))
}

/// The hosts on the way with what is known of their keys.
fn on_the_way(record: &Value) -> Vec<String> {
    let hosts = record["tunnel"]["jump_hosts"].as_array().cloned().unwrap_or_default();
    let text = |host: &Value, field: &str| host[field].as_str().unwrap_or("-").to_owned();
    hosts.iter().map(|host| ["host", "type", "trust", "source"].map(|field| text(host, field)).join(" ")).collect()
}

fn findings(record: &Value) -> Vec<Value> {
    record["findings"].as_array().unwrap().iter().map(|finding| finding["id"].clone()).collect()
}

fn accepted(daemon: &Daemon) -> usize {
    daemon.log().matches("Accepted publickey").count()
}

#[test]
fn a_jump_host_is_logged_in_to_once_and_leads_to_all() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new();
    let bastion = ground.sshd("10.0.0.2", "");
    let _target = ground.sshd(TARGET, "");
    let key = ground.path("user");
    let known = ground.known("known", "10.0.0.2,127.0.7.*");
    let base = ["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.2"];
    let (record, stderr) = ground.one(&[&base[..], &[TARGET]].concat());
    assert_eq!(outcome(&record), "ok - auth", "{record} {stderr}");
    assert!(stderr.contains(", 3 connections, 2 of them to jump hosts\n"), "{stderr}");
    assert_eq!((&record["target"]["via"], &record["tunnel"]["kind"]), (&"jump".into(), &"jump".into()));
    assert_eq!(record["host_keys"][0]["trust"], "match", "{record}");
    assert!(record["tunnel"]["timing_us"]["connect"].is_u64(), "{record}");
    assert_eq!(on_the_way(&record), [format!("root@10.0.0.2 ssh-ed25519 match {known}:1")], "{record}");
    assert!(!findings(&record).contains(&"jump-host-key-unknown".into()), "{record}");
    assert_eq!(accepted(&bastion), 1);
    // A crowd of names that only the jump host knows; every one has its own channel of the one session.
    let names: Vec<String> = (0..100).map(|_| TARGET.to_owned()).collect();
    assert_eq!(names.len(), 100);
    let ports = "22,9000-9199";
    let run = ground.probe(&[&base[..], &["-p", ports, "--per-host", "0", TARGET]].concat());
    assert_eq!(run.records.len(), 201, "{}", run.stderr);
    for record in &run.records {
        let expected = if record["target"]["port"] == 22 { "ok - auth" } else { "proxy-refused refused tunnel" };
        assert_eq!(outcome(record), expected, "{record}");
    }
    let detail =
        run.records.iter().find(|record| record["target"]["port"] == 9000).unwrap()["detail"].as_str().unwrap();
    assert_eq!(detail, "the jump host root@10.0.0.2 could not connect to 127.0.7.4:9000: \"Connection refused\"",);
    assert_eq!(accepted(&bastion), 2);
    assert!(bastion.log().contains(":11: sshprobe"), "{}", bastion.log());
    // The same through ssh_config.
    let config = ground.file(
        "config",
        &format!("Host gate\n  HostName 10.0.0.2\n  User root\n  IdentityFile {key}\n  IdentitiesOnly yes\nHost far\n  HostName {TARGET}\n  ProxyJump gate\n"),
    );
    let (record, stderr) = ground.one(&["--known-hosts", &known, "-F", &config, "far"]);
    assert_eq!(outcome(&record), "ok - auth", "{record} {stderr}");
    assert_eq!(record["target"]["host"], "far");
    // The keys that ssh_config names are given, for targets as for hosts on the way.
    let login = ground.file(
        "login",
        &format!("{}Host far gate\n  User root\n  IdentityFile {key}\n", fs::read_to_string(&config).unwrap()),
    );
    let (record, stderr) = ground.one(&["--known-hosts", &known, "-F", &login, "--depth", "login", "far"]);
    assert_eq!(outcome(&record), "ok - login", "{record} {stderr}");
    assert_eq!(record["auth"]["result"], "accepted", "{record}");
}

#[test]
fn jump_hosts_stand_one_behind_the_other() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new();
    let first = ground.sshd("10.0.0.2", "");
    let second = ground.sshd("127.0.7.3", "");
    let _target = ground.sshd(TARGET, "AllowUsers root@127.0.7.3 root@127.0.0.1");
    let key = ground.path("user");
    let known = ground.known("known", "10.0.0.2,127.0.7.*");
    let (record, stderr) =
        ground.one(&["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.2,root@127.0.7.3", TARGET]);
    assert_eq!(outcome(&record), "ok - auth", "{record} {stderr}");
    assert_eq!((accepted(&first), accepted(&second)), (1, 1));
    // The second one is not there: its own code, by way of the first.
    let (record, _) = ground.one(&["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.2,root@127.0.7.9", TARGET]);
    assert_eq!(outcome(&record), "jump-failed proxy-refused tunnel", "{record}");
    let told = [format!("root@10.0.0.2 ssh-ed25519 match {known}:1"), String::from("root@127.0.7.9 - - -")];
    assert_eq!(on_the_way(&record), told, "{record}");
    // In front of others `none` is no host: what follows is reached straight, whatever is said of it.
    let gate = "Host gate\n  HostName 10.0.0.2\n  User root\n  ProxyJump nowhere.example\n";
    let config = ground.file("gate", gate);
    let (record, stderr) =
        ground.one(&["-F", &config, "--known-hosts", &known, "-i", &key, "-J", "none,gate,root@127.0.7.3", TARGET]);
    assert_eq!(outcome(&record), "ok - auth", "{record} {stderr}");
    // Hosts that need each other are no way.
    let config = ground.file("config", "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
    let (record, _) = ground.one(&["-F", &config, "-i", &key, "a"]);
    assert_eq!(outcome(&record), "local-policy - connect", "{record}");
    assert!(record["detail"].as_str().unwrap().contains("they need each other"), "{record}");
}

#[test]
fn what_is_wrong_with_a_jump_host_is_its_own_code() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new();
    let _good = ground.sshd("10.0.0.2", "");
    let forbids = ground.sshd("10.0.0.4", "AllowTcpForwarding no");
    let _permits = ground.sshd("10.0.0.5", "PermitOpen 127.0.7.5:22");
    let restricted = format!("AuthorizedKeysFile {}", ground.path("restricted"));
    let _restricts = ground.sshd("10.0.0.6", &restricted);
    let _target = ground.sshd(TARGET, "");
    let (key, stranger) = (ground.path("user"), ground.path("stranger"));
    let known = ground.known("known", "10.0.0.*,127.0.7.*");
    let other = ground.file("other", &format!("10.0.0.2 {}", fs::read_to_string(ground.path("user.pub")).unwrap()));
    let empty = ground.file("empty", "");
    for (args, expected) in [
        (
            &["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.4"][..],
            "jump-forbidden administratively-prohibited tunnel",
        ),
        (
            &["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.5"],
            "jump-forbidden administratively-prohibited tunnel",
        ),
        (
            &["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.6"],
            "jump-forbidden administratively-prohibited tunnel",
        ),
        // Nobody listens there.
        (&["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.2:2"], "jump-failed refused tunnel"),
        // Its key is another.
        (&["--known-hosts", &other, "-i", &key, "-J", "root@10.0.0.2"], "jump-failed host-key-changed tunnel"),
        (
            &["--known-hosts", &empty, "--strict-host-keys", "-i", &key, "-J", "root@10.0.0.2"],
            "jump-failed host-key-unknown tunnel",
        ),
        (&["--known-hosts", &known, "-i", &stranger, "-J", "root@10.0.0.2"], "jump-failed auth-key-refused tunnel"),
        (&["--known-hosts", &known, "-i", &key, "-J", "no.such.host.invalid"], "jump-failed dns-servfail tunnel"),
    ] {
        let (record, stderr) = ground.one(&[args, &[TARGET]].concat());
        let seen = outcome(&record).replace("dns-nxdomain", "dns-servfail").replace("dns-timeout", "dns-servfail");
        assert_eq!(seen, expected, "{args:?}: {record} {stderr}");
    }
    // A changed key is never given a signature.
    assert_eq!(accepted(&forbids), 1);
    // Gone through though ssh would have asked, and not without a word.
    let (record, _) = ground.one(&["--known-hosts", &empty, "-i", &key, "-J", "root@10.0.0.2", TARGET]);
    assert_eq!(outcome(&record), "ok - auth", "{record}");
    assert_eq!(on_the_way(&record), ["root@10.0.0.2 ssh-ed25519 unknown -"], "{record}");
    assert!(findings(&record).contains(&"jump-host-key-unknown".into()), "{record}");
    // Nothing to log in with.
    let (record, _) = ground.one(&["--known-hosts", &known, "-J", "root@10.0.0.2", TARGET]);
    assert_eq!(outcome(&record), "jump-failed auth-no-common-method tunnel", "{record}");
}

/// Keys are fetched without judging them; whoever leads there is judged all the same.
#[test]
fn keys_are_fetched_through_a_jump_host_that_is_judged() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new();
    let bastion = ground.sshd("10.0.0.2", "");
    let _target = ground.sshd(TARGET, "");
    let key = ground.path("user");
    let known = ground.known("known", "10.0.0.2");
    let other = ground.file("other", &format!("10.0.0.2 {}", fs::read_to_string(ground.path("user.pub")).unwrap()));
    let empty = ground.file("empty", "");
    let keys = |files: &str| {
        let mut command = sshprobe(&ground.topology.prober, &[]);
        command.args(["keys", "--per-host", "50ms", "-i", &key, "-J", "root@10.0.0.2"]);
        command.args(["--jump-known-hosts", files, TARGET]);
        let (_, stdout, stderr) = told(&command.output().unwrap());
        (stdout.starts_with(&format!("{TARGET} ssh-ed25519 ")), stderr)
    };
    let (fetched, stderr) = keys(&known);
    assert!(fetched && !stderr.contains("warning"), "{stderr}");
    assert!(stderr.contains(" connections, 2 of them to jump hosts\n"), "{stderr}");
    let (fetched, stderr) = keys(&empty);
    let warning = "sshprobe: warning: a key is not known of a jump host on the way: root@10.0.0.2 (ssh-ed25519 SHA256:";
    assert!(fetched && stderr.contains(warning), "{stderr}");
    assert_eq!(accepted(&bastion), 2);
    let (fetched, stderr) = keys(&other);
    assert!(!fetched && stderr.contains("jump-failed (host-key-changed)"), "{stderr}");
    assert_eq!(accepted(&bastion), 2, "a changed key is never given a signature");
}

/// What becomes of a jump host in the middle of a run is never told as its targets'.
#[test]
fn a_jump_host_that_is_gone_is_not_taken_for_a_silent_target() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new();
    let bastion = ground.sshd("10.0.0.2", "");
    let _target = ground.sshd(TARGET, "");
    let (key, known) = (ground.path("user"), ground.known("known", "10.0.0.2,127.0.7.*"));
    let mut command = sshprobe(&ground.topology.prober, &[]);
    command.args([
        "--format",
        "jsonl",
        "-q",
        "--retries",
        "0",
        "--per-host",
        "0",
        "-l",
        "root",
        "--connect-timeout",
        "4s",
    ]);
    command.args(["--known-hosts", &known, "-i", &key, "-J", "root@10.0.0.2", "-f", "-"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("timeout(1)");
    let mut targets = process.stdin.take().unwrap();
    let mut records = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&records.next().expect("a record").unwrap()).unwrap();
    writeln!(targets, "{TARGET}").unwrap();
    let record = next();
    assert_eq!(outcome(&record), "ok - auth", "{record}");
    bastion.freeze_children();
    writeln!(targets, "127.0.7.4:2222").unwrap();
    let record = next();
    assert_eq!(outcome(&record), "jump-failed lost-midway tunnel", "{record}");
    // The host itself takes logins still: the next target goes by a new session.
    writeln!(targets, "127.0.7.4:2223").unwrap();
    let record = next();
    assert_eq!(outcome(&record), "proxy-refused refused tunnel", "{record}");
    drop(targets);
    process.wait().unwrap();
}

/// What ssh itself does as a ProxyCommand, and what its words come to.
#[test]
fn ssh_w_carries_the_probe_too() {
    let Some(_lab) = lab() else { return };
    let ground = Ground::new();
    let _bastion = ground.sshd("10.0.0.2", "");
    let _forbids = ground.sshd("10.0.0.4", "AllowTcpForwarding no");
    let _target = ground.sshd(TARGET, "");
    let known = ground.known("known", "10.0.0.*,127.0.7.*");
    let other = ground.file("other", &format!("10.0.0.2 {}", fs::read_to_string(ground.path("user.pub")).unwrap()));
    let command = |files: &str, key: &str, host: &str| {
        let key = ground.path(key);
        format!(
            "ssh -F none -i {key} -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile={files} -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes -W %h:%p root@{host}"
        )
    };
    for (command, port, expected) in [
        (command(&known, "user", "10.0.0.2"), "22", "ok - auth"),
        (command(&known, "user", "10.0.0.2"), "9000", "proxy-refused refused tunnel"),
        (command(&known, "user", "10.0.0.4"), "22", "jump-forbidden administratively-prohibited tunnel"),
        (command(&known, "stranger", "10.0.0.2"), "22", "jump-failed auth-failed tunnel"),
        (command(&other, "user", "10.0.0.2"), "22", "jump-failed host-key-changed tunnel"),
        (command(&known, "user", "10.0.0.9"), "22", "jump-failed refused tunnel"),
    ] {
        let (record, stderr) = ground.one(&["--known-hosts", &known, "--proxy-command", &command, "-p", port, TARGET]);
        assert_eq!(outcome(&record), expected, "{command}: {record} {stderr}");
    }
}
