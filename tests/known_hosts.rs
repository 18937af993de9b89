//! OpenSSH as the oracle for known_hosts: the tables of `probes/tests/known_hosts/` are asked of `ssh` and `ssh-keygen` again.
//!
//! No packet is sent: sshd stands behind a ProxyCommand, so that any host at any port can be asked for.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sshprobe_probes::hostkey::{fingerprint_sha256, plain_key};
use sshprobe_probes::trust::known_hosts::KnownHosts;
use tempfile::TempDir;

use crate::support::bless;
use crate::table::{Block, Keys, Question, folder, read, tables};

/// Keys that can be shown, so made anew: label, `ssh-keygen -t`, `-b`.
const MADE: &[(&str, &str, &str)] = &[
    ("ed1", "ed25519", "256"),
    ("ed2", "ed25519", "256"),
    ("ed3", "ed25519", "256"),
    ("rsa1", "rsa", "2048"),
    ("rsa2", "rsa", "2048"),
    ("ec1", "ecdsa", "256"),
    ("ec2", "ecdsa", "256"),
    ("ec384", "ecdsa", "384"),
];

/// A workplace with keys, where ssh is there to be asked.
struct Oracle {
    dir: TempDir,
    keys: Keys,
    /// The key types that this OpenSSH knows.
    types: String,
    /// What `ssh-keygen -l` prints of a key, to its label.
    labels: HashMap<(String, String), String>,
}

fn output(program: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).env("LC_ALL", "C");
    command.output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn text(program: &str, args: &[&str]) -> String {
    String::from_utf8_lossy(&output(program, args).stdout).into_owned()
}

fn sshd() -> Option<&'static str> {
    ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists())
}

impl Oracle {
    /// `None`, said aloud, where OpenSSH is not installed.
    fn new() -> Option<Self> {
        let ssh = Command::new("ssh").arg("-V").output().is_ok();
        if sshd().is_none() || !ssh {
            eprintln!("SKIPPED: ssh and sshd are not here to be asked");
            return None;
        }
        // Only root's sshd wants it, and only root can make it.
        let _ = fs::create_dir_all("/run/sshd");
        let dir = TempDir::new().expect("a temporary directory");
        let mut keys = Keys::kept();
        let path = |name: &str| dir.path().join(name).into_os_string().into_string().expect("printable");
        let make = |args: &[&str]| assert!(output("ssh-keygen", args).status.success(), "ssh-keygen {args:?}");
        for (label, kind, bits) in MADE {
            make(&["-q", "-N", "", "-C", "", "-t", kind, "-b", bits, "-f", &path(label)]);
            keys.add(label, fs::read_to_string(path(&format!("{label}.pub"))).expect("the public key").trim());
            let config = format!("HostKey {}\nUsePAM no\nPidFile none\nStrictModes no\nLogLevel QUIET\n", path(label));
            fs::write(path(&format!("{label}.conf")), config).expect("written");
        }
        let (ca, certified) = (path("ed2"), path("ed1.pub"));
        make(&["-q", "-s", &ca, "-h", "-I", "host", "-n", "h,host.example", "-V", "always:forever", &certified]);
        keys.add("edcert", fs::read_to_string(path("ed1-cert.pub")).expect("the certificate").trim());
        let types = text("ssh", &["-Q", "key"]);
        let labels = keys.0.iter().map(|(label, (kind, blob))| {
            let plain = plain_key(blob).expect("a key");
            ((printed_type(kind), fingerprint_sha256(&plain)), label.clone())
        });
        let labels = labels.collect();
        Some(Self { dir, keys, types, labels })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn kind(&self, label: &str) -> &str {
        &self.keys.0[label].0
    }

    /// Whether this OpenSSH knows the types of all keys in a file; versions drop some and packagers leave some out.
    fn knows(&self, block: &Block) -> bool {
        let known = |label: &str| self.types.lines().any(|kind| kind == self.kind(label));
        let named = |label: &str| {
            block.lines.iter().any(|line| {
                line.match_indices(&format!("{{{label}"))
                    .any(|(at, found)| matches!(line.as_bytes().get(at + found.len()), Some(b'.' | b'}')))
            })
        };
        self.keys.0.keys().all(|label| !named(label) || known(label))
    }

    /// What ssh writes to standard error when it is to connect to a server with the question's key.
    fn ssh(&self, file: &Path, question: &Question) -> String {
        let kind = self.kind(&question.key);
        let algorithm = format!("HostKeyAlgorithms={}", if kind == "ssh-rsa" { "rsa-sha2-512" } else { kind });
        self.ask(file, question, &["-v"], &["BatchMode=yes", "StrictHostKeyChecking=yes", &algorithm])
    }

    /// ssh with further arguments and options: its standard error, and its standard output.
    fn ask(&self, file: &Path, question: &Question, more: &[&str], options: &[&str]) -> String {
        let config = self.path(&format!("{}.conf", question.key));
        let mut ssh = Command::new("ssh");
        ssh.stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK").env("LC_ALL", "C");
        ssh.env("SSH_ASKPASS", self.path("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        ssh.args(["-T", "-F", "none", "-l", "nobody", "-p", &question.port.to_string()]).args(more);
        ssh.args(["-o", &format!("ProxyCommand={} -i -f {}", sshd().expect("it was there"), config.display())]);
        ssh.args(["-o", &format!("UserKnownHostsFile={}", file.display())]);
        for option in [
            "GlobalKnownHostsFile=none",
            "UpdateHostKeys=no",
            "HashKnownHosts=no",
            "VerifyHostKeyDNS=no",
            "IdentityFile=none",
            "PreferredAuthentications=none",
            "KexAlgorithms=curve25519-sha256",
        ]
        .iter()
        .chain(options)
        {
            ssh.args(["-o", option]);
        }
        match question.host.strip_prefix('@') {
            Some(alias) => ssh.args(["-o", &format!("HostKeyAlias={alias}"), "--", "somewhere", "true"]),
            None => ssh.args(["--", &question.host, "true"]),
        };
        let output = ssh.output().unwrap_or_else(|error| panic!("{ssh:?}: {error}"));
        [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    }

    /// The answers to a question, in the words of the tables.
    fn answers(&self, file: &Path, question: &Question) -> String {
        // ssh writes addresses in its own way before it looks them up: `-G` shows the result.
        let resolved = self.ask(file, question, &["-G"], &[]);
        let resolved = |wanted: &str| {
            let value = resolved.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == wanted);
            value.map(|(_, value)| value.to_owned())
        };
        let alias = resolved("hostkeyalias");
        let host = alias.clone().or_else(|| resolved("hostname")).expect("a hostname").to_ascii_lowercase();
        let with_port = alias.is_none() && question.port != 22;
        let name = if with_port { format!("[{host}]:{}", question.port) } else { host.clone() };
        assert_eq!(question.name().to_string(), name, "the name that ssh looks for");

        let (lines, found) = self.found(file, &name);
        let said = self.ssh(file, question);
        let place = |before: &str| {
            let place = format!("{}:", file.display());
            let said = said.lines().find_map(|line| line.split_once(before)?.1.strip_prefix(&place));
            said.and_then(|line| line.trim().parse::<u32>().ok()).unwrap_or_else(|| panic!("no place:\n{said:?}"))
        };
        let mut answers = if said.contains("REVOKED HOST KEY DETECTED") {
            String::from("revoked")
        } else if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            let kind = self.kind(&question.key);
            let same = lines.iter().any(|(label, marked)| !marked && self.kind(label) == kind);
            format!("{} {}", if same { "changed" } else { "other-type" }, place(" key in "))
        } else if said.contains(" host key is known for ") {
            String::from("unknown")
        } else if said.contains("Permission denied") {
            format!("match {}", place("Found key in "))
        } else {
            panic!("ssh said of {} {} {}:\n{said}", question.host, question.port, question.key)
        };
        let _ = write!(answers, " | {found}");
        if with_port {
            let _ = write!(answers, " | {}", self.found(file, &host).1);
        }
        answers
    }

    /// What `ssh-keygen -F` finds: labels, whether marked; and all of it as the tables write it.
    fn found(&self, file: &Path, name: &str) -> (Vec<(String, bool)>, String) {
        let said = text("ssh-keygen", &["-l", "-F", name, "-f", file.to_str().expect("printable")]);
        let (mut lines, mut words) = (Vec::new(), Vec::new());
        let mut rows = said.lines();
        while let Some(row) = rows.next() {
            let (_, place) = row.split_once(" found: line ").unwrap_or_else(|| panic!("ssh-keygen -F: {said}"));
            let (number, marker) = place.trim().split_once(' ').unwrap_or((place.trim(), ""));
            let key = rows.next().unwrap_or_else(|| panic!("ssh-keygen -F: {said}"));
            let mut key = key.split_whitespace().skip(1);
            let (kind, print) = (key.next().expect("a type"), key.next().expect("a fingerprint"));
            let (kind, marker) = match marker {
                "" => (kind, ""),
                // There a certificate stands for its key.
                "CA" => (kind.trim_end_matches("-CERT"), "@ca"),
                "REVOKED" => (kind.trim_end_matches("-CERT"), "@revoked"),
                other => panic!("marker {other}"),
            };
            let label = self.labels.get(&(kind.to_owned(), print.to_owned()));
            let label = label.unwrap_or_else(|| panic!("a key without a label: {said}"));
            words.push(format!("{number}={label}{marker}"));
            lines.push((label.clone(), !marker.is_empty()));
        }
        (lines, if words.is_empty() { String::from("-") } else { words.join(" ") })
    }
}

/// A type as `ssh-keygen -l` prints it.
fn printed_type(kind: &str) -> String {
    let plain = kind.trim_end_matches("-cert-v01@openssh.com").trim_end_matches("@openssh.com");
    let name = match plain {
        "ssh-ed25519" => "ED25519",
        "ssh-rsa" => "RSA",
        "ssh-dss" => "DSA",
        "sk-ssh-ed25519" => "ED25519-SK",
        "sk-ecdsa-sha2-nistp256" => "ECDSA-SK",
        _ => "ECDSA",
    };
    format!("{name}{}", if kind.contains("-cert-") { "-CERT" } else { "" })
}

/// All questions of a table, answered; several at a time, as most of it is waiting for processes.
fn ask(oracle: &Oracle, name: &str, blocks: &[Block]) -> HashMap<(usize, usize), String> {
    let files = blocks.iter().enumerate().map(|(at, block)| {
        let file = oracle.path(&format!("{name}-{at}"));
        fs::write(&file, block.content(&oracle.keys)).expect("written");
        file
    });
    let files: Vec<PathBuf> = files.collect();
    let asked: Vec<(usize, usize)> = blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| oracle.knows(block))
        .flat_map(|(at, block)| (0..block.questions.len()).map(move |question| (at, question)))
        .collect();
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(row) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (file, block) = (&files[row.0], &blocks[row.0]);
                    let said = oracle.answers(file, &block.questions[row.1]);
                    answers.lock().expect("no panic").insert(*row, said);
                }
            });
        }
    });
    answers.into_inner().expect("no panic")
}

/// The table with these answers in place of those it has; rows that were not asked keep theirs.
fn answered(kept: &str, blocks: &[Block], answers: &HashMap<(usize, usize), String>) -> String {
    let mut out = String::new();
    let (mut titles, mut question) = (0usize, 0usize);
    for row in kept.lines() {
        let Some(asked) = row.strip_prefix("? ") else {
            if row.starts_with("== ") {
                (titles, question) = (titles + 1, 0);
            }
            let _ = writeln!(out, "{row}");
            continue;
        };
        let asked = asked.split("=>").next().unwrap_or(asked).trim();
        let block = titles - 1;
        let said = answers.get(&(block, question)).unwrap_or(&blocks[block].questions[question].answers);
        let _ = writeln!(out, "? {asked} => {said}");
        question += 1;
    }
    out
}

#[test]
fn ssh_still_says_what_the_tables_say() {
    let Some(oracle) = Oracle::new() else { return };
    for name in tables() {
        let kept = fs::read_to_string(folder().join(&name)).expect("the table");
        let blocks = read(&kept);
        let answers = ask(&oracle, &name, &blocks);
        let out = answered(&kept, &blocks, &answers);
        bless::compare(&format!("probes/tests/known_hosts/{name}"), &out);
        // The keys of this run are others than the kept ones; the answers may not depend on that.
        for ((block, question), said) in answers {
            let mut asked = blocks[block].questions[question].clone();
            asked.answers.clone_from(&said);
            let here = blocks[block].answers(&oracle.keys, &asked);
            assert_eq!(here, said, "{name}: {}: {} {} {}", blocks[block].title, asked.host, asked.port, asked.key);
        }
    }
}

/// A file of these lines, and a question to go with it.
fn single(oracle: &Oracle, name: &str, lines: &[&str], port: u16) -> (PathBuf, Question, KnownHosts) {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    let content = Block { lines, ..Block::default() }.content(&oracle.keys);
    let file = oracle.path(name);
    fs::write(&file, &content).expect("written");
    let mut builder = KnownHosts::builder();
    builder.file(name, &content);
    let question = Question { host: "h".into(), port, key: "ed1".into(), answers: String::new() };
    (file, question, builder.build())
}

#[test]
fn the_types_asked_for_first_are_those_that_ssh_prefers() {
    let Some(oracle) = Oracle::new() else { return };
    for (at, (lines, port)) in [
        (&["h {rsa1}"][..], 22),
        (&["h {rsa1}", "h {ec1}", "h {rsa2}"], 22),
        (&["h {ec384}", "*,!g {rsa1}", "g {ec1}"], 22),
        (&["h {rsa1}", "@revoked h {rsa1}", "h {ec1}"], 22),
        (&["h {rsa1}", "@revoked * {rsa2}", "h {rsa2}"], 22),
        (&["h {rsa2}", "@revoked * {rsa2}", "h {rsa1}"], 22),
        (&["@revoked h {rsa1}"], 22),
        (&["{hash:h} {rsa1}", "h ssh-rsa AAAA"], 22),
        (&["h {rsa1}"], 2222),
        (&["h {rsa1}", "[h]:2222 {ec1}"], 2222),
    ]
    .into_iter()
    .enumerate()
    {
        let (file, question, store) = single(&oracle, &format!("order-{at}"), lines, port);
        let said = oracle.ask(&file, &question, &["-vvv"], &["BatchMode=yes", "StrictHostKeyChecking=yes"]);
        let preferred = said.lines().find_map(|line| line.split_once("prefer hostkeyalgs: "));
        let mut preferred: Vec<&str> = preferred.map_or("", |(_, list)| list.trim()).split(',').collect();
        preferred.retain(|name| !name.is_empty() && !name.contains("-cert-"));
        let mut preferred: Vec<&str> =
            preferred.into_iter().map(|name| if name.starts_with("rsa-") { "ssh-rsa" } else { name }).collect();
        preferred.dedup();
        let known = store.lookup(&question.name());
        let mut types: Vec<&str> = known.key_types().collect();
        types.sort_unstable();
        preferred.sort_unstable();
        assert_eq!(types, preferred, "{lines:?} {port}:\n{said}");
    }
}

#[test]
fn other_names_of_a_key_are_those_that_ssh_tells() {
    let Some(oracle) = Oracle::new() else { return };
    let lines = [
        "a {ed1}",
        "B,c {ed1} comment",
        "h {ed2}",
        "@revoked d {ed1}",
        "@cert-authority d {ed1}",
        "*.example,!x.example {ed1}",
        "{hash:e} {ed1}",
        "{hash:[f]:2222} {ed1}",
        "g {ed3}",
        "i {edcert}",
        "j ssh-rsa {ed1.64}",
        "[h]:2223 {ed1}",
        "k {ed1}",
    ];
    let (file, question, store) = single(&oracle, "others", &lines, 2222);
    // A question is put to a terminal or to a program: here to one that keeps it and says no.
    let (program, kept) = (oracle.path("askpass"), oracle.path("asked"));
    fs::write(&program, format!("#!/bin/sh\nprintf '%s' \"$1\" >'{}'\necho no\n", kept.display())).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("own file");
    oracle.ask(&file, &question, &[], &["StrictHostKeyChecking=ask"]);
    let asked = fs::read_to_string(&kept).expect("ssh asked");
    let place = format!("{}:", file.display());
    let told: Vec<(&str, &str)> =
        asked.lines().filter_map(|line| line.trim().strip_prefix(&place)?.split_once(": ")).collect();
    let told: Vec<String> = told
        .into_iter()
        .map(|(line, names)| match names {
            "[hashed name]" => format!("[hashed] others:{line}"),
            names => names.to_owned(),
        })
        .collect();
    assert!(told.len() >= 7, "{asked}");
    assert_eq!(store.known_as(oracle.keys.blob("ed1"), &question.name(), 99), told, "{asked}");
}
