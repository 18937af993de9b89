//! Hosts as ssh_config and inventories have them, over loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sshprobe_probes::responder::Script;
use tempfile::TempDir;

use crate::support::guard::tools;
use crate::support::loopback::Loopback;
use crate::support::run::{parse, told};

const SEED: [u8; 32] = [7; 32];
const NC: (&str, &str) = ("nc", "netcat-openbsd");

/// A folder with files, and servers.
struct Ground {
    dir: TempDir,
    net: Loopback,
}

impl Ground {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a folder"), net: Loopback::new() }
    }

    fn server(&self) -> SocketAddr {
        self.net.server(Script::healthy(&SEED))
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, content).expect("written");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command
        .args(["--format", "jsonl", "--timeout", "10s", "--retries", "0", "--per-host", "0", "--fail-on", "none"])
        .args(args);
    told(&command.stdin(Stdio::null()).output().expect("the program"))
}

/// The records, in the order of the targets.
fn sweep(args: &[&str]) -> (Vec<Value>, String) {
    let (_, stdout, stderr) = run(args);
    let mut records = parse(stdout.as_bytes(), &stderr);
    records.sort_by_key(|record| record["target"]["index"].as_u64());
    (records, stderr)
}

fn probe(args: &[&str]) -> (Value, String) {
    let (mut records, stderr) = sweep(args);
    assert_eq!(records.len(), 1, "{stderr}");
    (records.remove(0), stderr)
}

fn place(record: &Value) -> String {
    let target = &record["target"];
    let text = |field: &str| target[field].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}:{} {}", text("host"), text("hostname"), text("addr"), target["port"], text("via"))
}

fn key() -> String {
    STANDARD.encode(Script::healthy(&SEED).host_key().blob())
}

#[test]
fn a_named_host_is_reached_where_ssh_config_says_and_an_address_of_a_range_where_it_is() {
    let ground = Ground::new();
    let port = ground.server().port();
    let other = ground.server().port();
    let config = ground.file(
        "config",
        &format!("Host Web1\n  HostName 127.0.0.1\n  Port {port}\n  User deploy\nHost 127.0.0.* WEB1 localhost\n  HostName 127.0.0.1\n  Port {other}\n  User wild\n"),
    );
    let at = |args: &[&str]| {
        let (record, stderr) = probe(&[&["-F", &config], args].concat());
        assert_eq!(record["code"], "ok", "{record} {stderr}");
        (place(&record), record["auth"]["user"].as_str().unwrap().to_owned())
    };
    let here = format!("Web1 127.0.0.1 127.0.0.1:{port} tcp");
    assert_eq!(at(&["Web1"]), (here.clone(), String::from("deploy")));
    // What the command line says outweighs the file.
    assert_eq!(at(&["ann@Web1"]), (here.clone(), String::from("ann")));
    assert_eq!(at(&["-l", "ben", "Web1"]), (here, String::from("ben")));
    let there = format!("Web1 127.0.0.1 127.0.0.1:{other} tcp");
    assert_eq!(at(&[&format!("Web1:{other}")]).0, there);
    assert_eq!(at(&["-p", &other.to_string(), "Web1"]).0, there);
    // An address that was named is a host that was named; out of a range it is not.
    let addr = format!("127.0.0.1 - 127.0.0.1:{other} tcp");
    assert_eq!(at(&["127.0.0.1"]), (addr.clone(), String::from("wild")));
    let (records, _) = sweep(&["-F", &config, "-l", "probe", "-p", &port.to_string(), "127.0.0.1/31"]);
    assert_eq!(records.len(), 2);
    let (records, _) = sweep(&["-F", &config, "--depth", "connect", "127.0.0.2-3"]);
    assert!(records.iter().all(|record| record["target"]["port"] == 22), "{records:?}");
    // ssh tells names apart by their case, and without any file a name is what it is.
    assert_eq!(at(&["WEB1"]), (there.replace("Web1", "WEB1"), String::from("wild")));
    let (record, _) = probe(&["-F", "none", "--depth", "connect", "-4", "localhost"]);
    assert_eq!(place(&record), "localhost - 127.0.0.1:22 tcp");
}

#[test]
fn a_proxy_command_of_ssh_config_carries_the_probe_of_its_host() {
    if !tools(&[NC]) {
        return;
    }
    let ground = Ground::new();
    let server = ground.server();
    let port = server.port();
    let config = ground.file(
        "config",
        &format!(
            "Host far\n  HostName inside.example\n  Port {port}\n  ProxyCommand nc 127.0.0.1 %p # %h as %r, called %n\n\
             Host odd\n  ProxyCommand nc %q %p\n\
             Host hostile\n  HostName 127.0.0.1\n  User $(reboot)\n  ProxyCommand nc %h %p %r\n\
             Host near\n  HostName 127.0.0.1\n  Port {port}\n\
             Host broken\n  HostName 127.0.0.1\n  Port {port}\n  ProxyCommand false\n"
        ),
    );
    let (records, stderr) = sweep(&["-F", &config, "far", "odd", "hostile", "near"]);
    let codes: Vec<_> = records.iter().map(|record| record["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["ok", "local-policy", "local-policy", "ok"], "{records:#?} {stderr}");
    assert_eq!(place(&records[0]), format!("far inside.example -:{port} proxy-command"));
    assert_eq!(place(&records[3]), format!("near 127.0.0.1 127.0.0.1:{port} tcp"));
    let detail = |record: &Value| record["detail"].as_str().unwrap().to_owned();
    assert_eq!(
        detail(&records[1]),
        format!("not probed: {config}:6: ProxyCommand: %q means nothing here"),
        "{}",
        records[1]
    );
    assert!(detail(&records[2]).starts_with(&format!("not probed: {config}:10: ")), "{}", records[2]);
    // A way on the command line is the way of all.
    let (record, _) = probe(&["-F", &config, "-l", "probe", "broken"]);
    assert_eq!(record["code"], "proxy-command-failed", "{record}");
    let (record, _) = probe(&["-F", &config, "-l", "probe", "--proxy-command", "none", "broken"]);
    assert_eq!((record["code"].as_str(), record["target"]["via"].as_str()), (Some("ok"), Some("tcp")));
    // In it %h is where the host is, and %n what it was called.
    let command = format!("sh -c 'test %n-%h = far-inside.example && exec nc 127.0.0.1 {port}'");
    let (record, _) = probe(&["-F", &config, "--proxy-command", &command, "far"]);
    assert_eq!(record["code"], "ok", "{record}");
    // A program does not say when it is connected.
    let (record, _) = probe(&["-F", &config, "--depth", "connect", "far"]);
    assert_eq!(record["code"], "local-policy", "{record}");
}

#[test]
fn keys_are_held_against_the_files_that_ssh_config_names_for_their_host() {
    let ground = Ground::new();
    let port = ground.server().port();
    let known = ground.file("known", &format!("[127.0.0.1]:{port} ssh-ed25519 {}\npool ssh-ed25519 {0}\n", key()));
    let revoked = ground.file("revoked", &format!("ssh-ed25519 {}\n", key()));
    let config = ground.file(
        "config",
        &format!(
            "Host *\n  HostName 127.0.0.1\n  Port {port}\n  GlobalKnownHostsFile none\n\
             Host plain\n  UserKnownHostsFile {known} {}\n\
             Host alias\n  UserKnownHostsFile {known}\n  HostKeyAlias pool\n\
             Host stranger\n  UserKnownHostsFile {known}\n  HostKeyAlias other\n\
             Host empty\n  UserKnownHostsFile none\n\
             Host gone\n  UserKnownHostsFile {known}\n  RevokedHostKeys {revoked}\n\
             Host lost\n  RevokedHostKeys {}\n",
            ground.path("missing"),
            ground.path("missing-too"),
        ),
    );
    let hosts = ["plain", "alias", "stranger", "empty", "gone", "lost"];
    let (records, stderr) = sweep(&[&["-F", &config, "-l", "probe"], &hosts[..]].concat());
    let trust = |record: &Value| record["host_keys"][0]["trust"].as_str().unwrap_or("-").to_owned();
    let seen: Vec<_> =
        records.iter().map(|record| format!("{} {}", record["code"].as_str().unwrap(), trust(record))).collect();
    assert_eq!(
        seen,
        ["ok match", "ok match", "ok unknown", "ok unknown", "host-key-revoked revoked", "local-policy -"],
        "{stderr}"
    );
    assert_eq!(records[1]["host_keys"][0]["source"], format!("{known}:2"));
    let detail = records[5]["detail"].as_str().unwrap();
    assert!(detail.contains(&ground.path("missing-too")) && detail.contains("cannot be read"), "{detail}");
    // Files named on the command line are those of all hosts.
    let (record, _) = probe(&["-F", &config, "-l", "probe", "--known-hosts", "none", "plain"]);
    assert_eq!(trust(&record), "unchecked");
}

#[test]
fn lists_of_algorithms_are_those_of_ssh_config() {
    let ground = Ground::new();
    let port = ground.server().port();
    let config = ground.file(
        "config",
        &format!(
            "Host *\n  HostName 127.0.0.1\n  Port {port}\n\
             Host dh\n  KexAlgorithms diffie-hellman-group14-sha256\n\
             Host less\n  KexAlgorithms -curve25519-*\n  Ciphers aes256-ctr\n  MACs hmac-sha2-512\n\
             Host rsa\n  HostKeyAlgorithms rsa-sha2-512\n\
             Host none\n  KexAlgorithms kexguess2@matt.ucc.asn.au\n"
        ),
    );
    let (records, stderr) =
        sweep(&["-F", &config, "-l", "probe", "--known-hosts", "none", "dh", "less", "rsa", "none"]);
    let codes: Vec<_> = records.iter().map(|record| record["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["ok", "ok", "no-common-hostkey", "local-policy"], "{stderr}");
    assert_eq!(records[0]["negotiated"]["kex"], "diffie-hellman-group14-sha256");
    let less = &records[1]["negotiated"];
    assert_eq!((&less["cipher"], &less["mac"]), (&"aes256-ctr".into(), &"hmac-sha2-512".into()));
    assert!(!less["kex"].as_str().unwrap().starts_with("curve25519"), "{less}");
    let detail = records[3]["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{config}:13: KexAlgorithms: ")), "{detail}");
}

#[test]
fn every_host_of_ssh_config_or_of_an_inventory_is_a_target() {
    let ground = Ground::new();
    let port = ground.server().port();
    let config = ground.file(
        "config",
        &format!("Host a b *.example !c\nHost *\n  HostName 127.0.0.1\n  Port {port}\n  User deploy\n"),
    );
    let (records, stderr) = sweep(&["-F", &config, "--from-ssh-config"]);
    let places: Vec<_> = records.iter().map(place).collect();
    assert_eq!(places, ["a", "b"].map(|name| format!("{name} 127.0.0.1 127.0.0.1:{port} tcp")), "{stderr}");
    let ini = ground.file(
        "hosts.ini",
        &format!(
            "[web]\nweb[1:2] ansible_host=127.0.0.1 ansible_port={port} ansible_user=ansible\n\
             [other]\nhere ansible_connection=local\na\n\
             behind ansible_host=127.0.0.1 ansible_port={port} ansible_ssh_common_args='-o ProxyJump=gate'\n\
             plain ansible_host=127.0.0.1 ansible_port={port} ansible_ssh_common_args='-o ServerAliveInterval=5'\n"
        ),
    );
    let (records, stderr) = sweep(&["-F", &config, "--inventory", &ini]);
    let places: Vec<_> = records.iter().map(place).collect();
    assert_eq!(
        places,
        ["web1", "web2", "a", "plain"].map(|name| format!("{name} 127.0.0.1 127.0.0.1:{port} tcp")),
        "{stderr}"
    );
    let users: Vec<_> = records.iter().map(|record| record["auth"]["user"].as_str().unwrap()).collect();
    // What the inventory leaves open ssh_config says.
    assert_eq!(users, ["ansible", "ansible", "deploy", "deploy"]);
    let detour = "behind is left out: ansible_ssh_common_args leads through another host or program";
    assert!(stderr.contains(&format!("{ini}:6: {detour}")), "{stderr}");
    assert!(stderr.contains(&format!("{ini}:4: here is left out: its ansible_connection is local")), "{stderr}");
    let yaml = ground.file(
        "hosts.yml",
        &format!("all:\n  hosts:\n    x:\n      ansible_host: 127.0.0.1\n      ansible_port: {port}\n"),
    );
    let (record, stderr) = probe(&["-F", "none", "-l", "probe", "--inventory", &yaml]);
    assert_eq!(place(&record), format!("x 127.0.0.1 127.0.0.1:{port} tcp"), "{stderr}");
    // What the command line says outweighs the inventory.
    let (records, _) = sweep(&["-F", "none", "-l", "ann", "--inventory", &ini, "--exclude", "a"]);
    assert!(records.iter().all(|record| record["auth"]["user"] == "ann") && records.len() == 3, "{records:?}");
}

#[test]
fn excluded_is_excluded_by_whatever_name() {
    let ground = Ground::new();
    let port = ground.server().port();
    let config = ground.file(
        "config",
        &format!("Host a\n  HostName 127.0.0.1\nHost b\n  HostName db.example\nHost *\n  Port {port}\n"),
    );
    let (records, _) = sweep(&["-F", &config, "--exclude", "127.0.0.0/8,db.example", "a", "b"]);
    for record in records {
        assert_eq!((&record["code"], &record["arg"]), (&"local-policy".into(), &"excluded".into()), "{record}");
        assert_eq!(record["detail"], "not probed: what it stands for is excluded");
    }
    // What was asked for is no failure, whether it is excluded by its own name, where it leads, or what the DNS says of it.
    for (args, records, code) in [
        (&["--exclude", "a", "a", "c"][..], 1, 0),
        (&["--exclude", "127.0.0.0/8", "a", "c"], 2, 0),
        (&["-F", "none", "--exclude", "127.0.0.0/8,::1", "localhost"], 1, 0),
        (&["--exclude", "127.0.0.0/8", "--fail-on", "any", "a", "c"], 2, 1),
        (&["--exclude", "127.0.0.0/8", "--fail-on", "local-error", "a"], 1, 1),
        // A host that can be reached through an excluded one alone is not excluded itself.
        (&["--exclude", "127.0.0.0/8", "d"], 1, 1),
    ] {
        let config = ground.file(
            "more",
            &format!(
                "Host a\n  HostName 127.0.0.1\nHost c\n  HostName 127.0.0.1\n  Port {port}\n  ProxyCommand nc 127.0.0.1 {port}\n\
                 Host d\n  HostName 10.0.0.1\n  ProxyJump a\nHost *\n  Port {port}\n"
            ),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
        command.args(["--format", "jsonl", "--known-hosts", "none", "-F", &config]).args(args).stdin(Stdio::null());
        let (ended, stdout, stderr) = told(&command.output().expect("the program"));
        assert_eq!((ended, stdout.lines().count()), (Some(code), records), "{args:?}: {stdout}{stderr}");
    }
}

#[test]
fn keys_are_fetched_where_ssh_config_says() {
    if !tools(&[NC]) {
        return;
    }
    let ground = Ground::new();
    let port = ground.server().port();
    let config = ground.file(
        "config",
        &format!("Host a\n  HostName 127.0.0.1\n  Port {port}\nHost b\n  ProxyCommand nc 127.0.0.1 {port}\n"),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["keys", "-q", "-F", &config, "a", "b"]).stdin(Stdio::null());
    let (code, lines, stderr) = told(&command.output().expect("the program"));
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    // As ssh looks them up: by HostName.
    let expected = [format!("[127.0.0.1]:{port} ssh-ed25519 {}", key()), format!("b ssh-ed25519 {}", key())];
    assert_eq!((code, lines, stderr.as_str()), (Some(0), expected.iter().map(String::as_str).collect(), ""));
    // What leads to an excluded place has no key, and that is no failure.
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["keys", "-F", &config, "--exclude", "127.0.0.1", "a", "b"]).stdin(Stdio::null());
    let (code, lines, stderr) = told(&command.output().expect("the program"));
    assert_eq!((code, lines), (Some(0), format!("{}\n", expected[1])), "{stderr}");
    assert!(stderr.contains(": not probed: what it stands for is excluded\n"), "{stderr}");
    assert!(stderr.contains("; 1 at an excluded place"), "{stderr}");
}

#[test]
fn commands_of_match_exec_run_only_where_they_may() {
    let ground = Ground::new();
    let port = ground.server().port();
    let mark = ground.path("mark");
    let config = ground.file(
        "config",
        &format!("Host *\n  HostName 127.0.0.1\nMatch exec \"touch {mark}\"\n  Port {port}\nHost *\n  Port 1\n"),
    );
    let (records, stderr) = sweep(&["-F", &config, "-l", "probe", "a", "b"]);
    assert!(records.iter().all(|record| record["target"]["port"] == 1) && !Path::new(&mark).exists(), "{records:?}");
    assert_eq!(stderr.matches(&format!("warning: {config}:3: Match exec")).count(), 1, "{stderr}");
    let (record, stderr) = probe(&["-F", &config, "-l", "probe", "--allow-exec", "a"]);
    assert_eq!((&record["code"], Path::new(&mark).exists()), (&"ok".into(), true), "{stderr}");
}

/// What ssh has to say of a host, but for what it was called.
fn ssh_says(config: &str, name: &str) -> String {
    let output = Command::new("ssh").args(["-G", "-F", config, name]).stdin(Stdio::null()).output().expect("ssh");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().filter(|line| !line.starts_with("host ")).collect::<Vec<_>>().join("\n")
}

/// `alpha` and `ALPHA` are two targets where ssh reaches them differently, and one where it does not.
#[test]
fn names_that_differ_in_their_case_are_as_many_targets_as_ssh_makes_of_them() {
    const NAMES: [&str; 6] = ["alpha", "Alpha", "ALPHA", "beta.Example", "BETA.example", "beta.example"];
    if !tools(&[("ssh", "openssh-client")]) {
        return;
    }
    let ground = Ground::new();
    let port = ground.server().port();
    let usual = format!("  HostName 127.0.0.1\n  Port {port}\n");
    for (at, lines) in [
        "",
        "Host *\n  User all\n",
        "Host alpha\n  User small\n",
        "Host ALPHA\n  User big\n",
        "Host A*\n  User big\n",
        "Host !ALPHA *\n  User small\n",
        "Host B*\n  ConnectTimeout 7\n",
        "Match originalhost Alpha\n  HostKeyAlias x\n",
        "Match host Alpha\n  HostKeyAlias x\n",
        "Match host alpha\n  HostKeyAlias x\n",
    ]
    .into_iter()
    .enumerate()
    {
        let config = ground.file(&format!("config{at}"), &format!("{lines}Host *\n{usual}"));
        let (records, stderr) = sweep(&[&["-F", &config, "--depth", "ident"][..], &NAMES].concat());
        let hosts: Vec<_> = records.iter().map(|record| record["target"]["host"].as_str().unwrap()).collect();
        let as_ssh = NAMES.map(|name| {
            let lower = name.to_ascii_lowercase();
            if ssh_says(&config, name) == ssh_says(&config, &lower) { lower } else { name.to_owned() }
        });
        // In the order in which they were named.
        let mut expected: Vec<&str> = Vec::new();
        as_ssh.iter().for_each(|name| {
            if !expected.contains(&name.as_str()) {
                expected.push(name)
            }
        });
        assert_eq!(hosts, expected, "{lines}{stderr}");
    }
    // What is filled in with the name tells all of them apart.
    let config = ground.file("filled", &format!("Host *\n  IdentityFile %n.key\n{usual}"));
    let (records, _) = sweep(&[&["-F", &config, "--depth", "ident"][..], &NAMES].concat());
    assert_eq!(records.len(), NAMES.len());
    // No file has anything to say, so that a name is what the DNS makes of it.
    let (records, _) = sweep(&["-F", "none", "--depth", "connect", "-4", "localhost", "LOCALHOST"]);
    assert_eq!(records.len(), 1);
}

/// Whoever is told apart is still excluded, known and found again by what it is.
#[test]
fn a_name_in_capitals_is_excluded_known_and_resumed() {
    let ground = Ground::new();
    let port = ground.server().port();
    let known = ground.file("known", &format!("[alpha.example]:{port} ssh-ed25519 {}\n", key()));
    let proxy = format!("ProxyCommand nc 127.0.0.1 {port}");
    let config = ground.file(
        "config",
        &format!("Host ALPHA.example\n  User big\nHost *\n  Port {port}\n  UserKnownHostsFile {known}\n  {proxy}\n"),
    );
    let file = ground.path("out.jsonl");
    let args = ["-F", &config, "-o", &file, "alpha.example", "ALPHA.example", "Alpha.example"];
    if tools(&[NC]) {
        let (records, stderr) = sweep(&args);
        let seen: Vec<_> = records.iter().map(|record| (place(record), &record["host_keys"][0]["trust"])).collect();
        let there = |host: &str, name: &str| format!("{host} {name} -:{port} proxy-command");
        assert_eq!(
            seen,
            [
                (there("alpha.example", "-"), &"match".into()),
                (there("ALPHA.example", "alpha.example"), &"match".into())
            ],
            "{stderr}"
        );
        // Half of it is done: the other half alone is to do.
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, whole.lines().next().unwrap().to_owned() + "\n").unwrap();
        let (code, _, stderr) = run(&[&args[..], &["--resume"]].concat());
        let again = fs::read_to_string(&file).unwrap();
        assert_eq!((code, again.lines().count()), (Some(0), 2), "{stderr}");
        let names = ["\"host\":\"alpha.example\"", "\"host\":\"ALPHA.example\""];
        assert!(names.iter().all(|name| again.matches(name).count() == 1), "{again}");
    }
    let (code, _, stderr) = run(&["-F", &config, "--exclude", "Alpha.Example", "ALPHA.example", "alpha.example"]);
    assert!(code == Some(2) && stderr.contains("every one of them is excluded"), "{stderr}");
}

/// As for ssh, a key that is named and cannot be used is told and passed over, and its passphrase is asked for once for all
/// hosts that name it.
#[cfg(feature = "login")]
#[test]
fn hosts_that_are_reached_through_each_other_are_told_by_one_line_of_the_file() {
    let ground = Ground::new();
    let config = ground.file("config", "Host a\n ProxyJump b\nHost b\n ProxyJump a\n");
    let (record, _) = probe(&["-F", &config, "a:9"]);
    let told = format!("not probed: {config}:2: ProxyJump: more than 16 hosts on the way: they need each other");
    assert_eq!(record["detail"], told, "{record}");
}

#[test]
fn an_address_with_an_interface_is_told_as_it_was_written() {
    for (written, host) in
        [("[FE80::1%lo]:9", "fe80::1%lo"), ("fe80::1%1", "fe80::1%1"), ("me@[fe80::2%lo]:9", "fe80::2%lo")]
    {
        let (record, _) = probe(&["-F", "none", "--depth", "connect", "--connect-timeout", "4s", written]);
        assert_eq!(record["target"]["host"], host, "{record}");
    }
}

#[test]
fn a_named_key_that_cannot_be_used_keeps_no_host_from_being_probed() {
    use std::os::unix::fs::PermissionsExt as _;

    if !tools(&[("ssh-keygen", "openssh-client")]) {
        return;
    }
    let ground = Ground::new();
    let port = ground.server().port();
    let (sealed, count) = (ground.path("sealed"), ground.path("count"));
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "secret", "-f", &sealed]).status();
    assert!(made.expect("ssh-keygen").success());
    let ask = ground.file("ask", &format!("#!/bin/sh\necho asked >> {count}\nexit 1\n"));
    fs::set_permissions(&ask, fs::Permissions::from_mode(0o755)).expect("our own file");
    let config = ground.file(
        "config",
        &format!(
            "Host *\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {sealed}\n  IdentityAgent {}\n",
            ground.path("no-agent")
        ),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["--format", "jsonl", "--per-host", "0", "-l", "probe", "--known-hosts", "none", "-F", &config]);
    command.args(["--depth", "login", "a", "b", "c"]).env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force");
    let (_, stdout, stderr) = told(&command.stdin(Stdio::null()).output().expect("the program"));
    let records = parse(stdout.as_bytes(), &stderr);
    assert_eq!(records.len(), 3, "{stderr}");
    for record in records {
        assert_eq!(record["code"], "auth-no-common-method", "{record} {stderr}");
        assert!(record["detail"].as_str().unwrap().contains("nothing was given to log in with"), "{record}");
    }
    assert_eq!(fs::read_to_string(&count).unwrap(), "asked\n", "{stderr}");
    assert_eq!(stderr.matches("warning: named by ssh_config: ").count(), 2, "{stderr}");
}

#[test]
fn a_named_key_that_is_not_there_is_told_once_as_by_ssh_and_ssh_s_own_defaults_are_not() {
    if !tools(&[("ssh", "openssh-client")]) {
        return;
    }
    let ground = Ground::new();
    let port = ground.server().port();
    let (key, cert) = (ground.path("no-key"), ground.path("no-cert"));
    let named = format!("  IdentityFile {key}\n  CertificateFile {cert}\n");
    let place = format!("  HostName 127.0.0.1\n  Port {port}\n");
    // Twice for one of them, at another line.
    let config = ground.file("config", &format!("Host a\n  IdentityFile {key}\nHost a b c\n{named}Host *\n{place}"));
    let login = ["-F", &config, "--depth", "login", "--per-host", "0", "--known-hosts", "none"];
    let told = |host: &[&str]| {
        let (_, stdout, stderr) = run(&[&login[..], host].concat());
        assert_eq!(parse(stdout.as_bytes(), &stderr).len(), host.len(), "{stderr}");
        stderr.lines().filter(|line| line.contains("there is no such file")).map(str::to_owned).collect::<Vec<_>>()
    };
    let line = |at: u32, what: &str| {
        format!("sshprobe: warning: {config}:{at}: {what}: there is no such file; hosts are asked without it")
    };
    let both = |at| [line(at, &format!("IdentityFile {key}")), line(5, &format!("CertificateFile {cert}"))];
    assert_eq!(told(&["a", "b", "c"]), both(2));
    assert_eq!(told(&["c", "b"]), both(4));
    assert_eq!(told(&["d"]), [""; 0], "the keys that ssh looks for by itself");
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", &config, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "a"]);
    let theirs = ssh.env("LC_ALL", "C").env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).output().expect("ssh");
    let theirs = String::from_utf8_lossy(&theirs.stderr).into_owned();
    assert!(theirs.contains(&format!("no such identity: {key}")), "{theirs}");
    // Where no key is wanted, none is missed.
    let (_, _, stderr) = run(&["-F", &config, "--known-hosts", "none", "a"]);
    assert!(!stderr.contains("no such file"), "{stderr}");
}

/// What a pipe gives it gives but once.
#[test]
fn a_configuration_is_read_once_so_that_it_may_come_through_a_pipe() {
    use std::io::Write as _;

    let ground = Ground::new();
    let port = ground.server().port();
    let config = format!("Host a b\n  HostName 127.0.0.1\n  Port {port}\n");
    for targets in [&["a", "b"][..], &["--from-ssh-config"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
        command
            .args(["--format", "jsonl", "--known-hosts", "none", "--depth", "ident", "-F", "/dev/stdin"])
            .args(targets);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        child.stdin.take().expect("a pipe").write_all(config.as_bytes()).expect("written");
        let (code, stdout, stderr) = told(&child.wait_with_output().expect("it ends"));
        assert_eq!((code, stdout.matches(&format!("\"port\":{port}")).count()), (Some(0), 2), "{stdout}{stderr}");
    }
}

#[test]
fn a_plan_tells_who_goes_elsewhere() {
    let ground = Ground::new();
    let config = ground.file(
        "config",
        "Host a\n  HostName b.example\nHost c\n  ProxyCommand nc %h %p\nHost d\n  ProxyCommand nc %q\n",
    );
    let (code, text, stderr) = run(&["--plan", "-F", &config, "a", "c", "d", "e"]);
    let said =
        "of the targets 1 at another name or address than they are called, 1 through a ProxyCommand of their own";
    assert!(code == Some(0) && text.split_whitespace().collect::<Vec<_>>().join(" ").contains(said), "{text} {stderr}");
}

#[test]
fn bad_configurations_are_told_before_anything_is_sent() {
    let ground = Ground::new();
    let server = ground.server();
    let config = ground.file("config", "Host a\n  Frobnicate yes\n");
    let empty = ground.file("empty", "Host *\n  Port 22\n");
    let inventory = ground.file("inventory", "[web\nx\n");
    let only_local = ground.file("local.ini", "x ansible_connection=local\n");
    let target = server.to_string();
    let missing = ground.path("missing");
    for (args, line) in [
        (&["-F", &config, &target][..], format!("{config}:2: \"frobnicate\" is no keyword")),
        (&["-F", &missing, &target], format!("{missing}: cannot be read: there is no such file")),
        (&["-F", &empty, "--from-ssh-config"], String::from("--from-ssh-config: no Host line names a host")),
        (&["--inventory", &inventory], format!("--inventory: {inventory}:1: ")),
        (&["--inventory", &missing], format!("--inventory {missing}: cannot be read: there is no such file")),
        (&["--inventory", &only_local], format!("--inventory {only_local}: no host in it that is reached by ssh")),
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        let said = stderr.lines().find(|told| told.starts_with("sshprobe: error: ")).unwrap_or_default();
        assert!(said.starts_with(&format!("sshprobe: error: {line}")), "{args:?}: {stderr}");
    }
}
