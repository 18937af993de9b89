//! One address a row, with an sshd of its own behind it, and the two who ask: the program and ssh.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::case::{Row, said_by_ssh, written};
use crate::support::inetd::Inetd;
use crate::support::netns::shell;
use crate::support::run::{Run, run, sshprobe};
use crate::support::servers::HostKeys;
use crate::support::topology::{Family, Topology};

/// Rows that are asked about with the same options.
pub(super) struct Group<'a> {
    /// Options of the program; `{dir}` is the folder that files are in, `{h}` and `{n}` the first row's.
    pub(super) ours: &'a [&'a str],
    /// The same for ssh.
    pub(super) ssh: &'a [&'a str],
    pub(super) rows: &'a [Row],
}

/// Every row's server, and the files.
pub(super) struct Ground {
    pub(super) topology: Topology,
    pub(super) keys: HostKeys,
    pub(super) inetd: Inetd,
    /// Readable by nobody, as whom the program runs.
    pub(super) dir: TempDir,
    certificates: BTreeMap<IpAddr, String>,
}

/// Labels of the keys there are.
const KEYS: [(&str, &str); 8] = [
    ("ed1", "ed25519"),
    ("ed2", "ed25519"),
    ("ec1", "ecdsa"),
    ("ec2", "ecdsa"),
    ("rsa1", "rsa"),
    ("rsa2", "rsa"),
    ("ca1", "ed25519"),
    ("ca2", "ed25519"),
];

/// The last octet of the first row's address: three digits for all of them, so that no address is the beginning of another.
const FIRST: u8 = 100;

/// The address and the name of a row.
pub(super) fn place(at: usize) -> (IpAddr, String) {
    let octet = FIRST + u8::try_from(at).expect("few rows");
    (Ipv4Addr::new(10, 0, 0, octet).into(), format!("c{octet}.lab.test"))
}

impl Ground {
    /// A server for each row, in order.
    pub(super) fn new(rows: &[Row]) -> Self {
        fs::create_dir_all("/run/sshd").expect("making /run/sshd");
        let keys = HostKeys::empty();
        for (label, kind) in KEYS {
            keys.add(label, kind, if kind == "rsa" { &["-b", "2048"] } else { &[] });
        }
        let topology = Topology::new(Family::V4.network());
        let dir = TempDir::new().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let mut hosts = String::from("127.0.0.1 localhost\n");
        let (mut commands, mut certificates) = (BTreeMap::new(), BTreeMap::new());
        for (at, row) in rows.iter().enumerate() {
            let (addr, name) = place(at);
            hosts += &format!("{addr} {name}\n");
            let (config, certificate) = sshd_config(row, &keys, &addr.to_string(), &name);
            let path = dir.path().join(format!("sshd_config-{at}"));
            fs::write(&path, config).expect("written");
            let command = ["/usr/sbin/sshd", "-i", "-e", "-f", path.to_str().expect("printable")];
            commands.insert(addr, command.map(str::to_owned).to_vec());
            certificates.extend(certificate.map(|blob| (addr, blob)));
        }
        topology.prober.etc("hosts", &hosts);
        let inetd = Inetd::start_at(&topology.fleet, &[22, 2222], commands);
        Self { topology, keys, inetd, dir, certificates }
    }

    /// A file for the program and ssh to read.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("our own file");
        path.display().to_string()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The key of a label as known_hosts has it: type and base64.
    pub(super) fn public(&self, label: &str) -> String {
        public(&self.keys, label)
    }

    /// `text` with its placeholders filled for this row.
    pub(super) fn filled(&self, text: &str, at: usize) -> String {
        let (addr, name) = place(at);
        let mut filled = text.replace("{h}", &addr.to_string()).replace("{n}", &name);
        filled = filled.replace("{dir}", &self.dir.path().display().to_string());
        for (label, _) in KEYS {
            filled = filled.replace(&format!("{{{label}}}"), &self.public(label));
        }
        if filled.contains("{#h}") {
            filled = filled.replace("{#h}", &self.hashed(&addr.to_string()));
        }
        if filled.contains("{#h:2222}") {
            filled = filled.replace("{#h:2222}", &self.hashed(&format!("[{addr}]:2222")));
        }
        filled
    }

    /// A name as `ssh-keygen -H` writes it.
    fn hashed(&self, name: &str) -> String {
        let file = self.file("to-be-hashed", format!("{name} {}\n", self.public("ed1")));
        shell("ssh-keygen", &["-q", "-H", "-f", &file]);
        let line = fs::read_to_string(&file).expect("hashed");
        line.split(' ').next().expect("a name").to_owned()
    }

    /// The program as an ordinary sweep of these targets.
    pub(super) fn sweep(&self, targets: &[String], options: &[String]) -> Run {
        let mut command = sshprobe(&self.topology.prober, &[]);
        command.args(["--format", "jsonl", "-l", "nosuch"]).args(options).args(targets);
        run(command)
    }

    /// What ssh writes to standard error about a target; the file is all that it knows. There is no way to log in.
    pub(super) fn ssh(&self, target: &str, file: &str, options: &[String]) -> String {
        let (host, port) = target.split_once(':').unwrap_or((target, "22"));
        let mut ssh = self.topology.prober.command("ssh");
        ssh.env("LC_ALL", "C").args(["-F", "none", "-l", "nosuch", "-p", port]);
        let known = format!("UserKnownHostsFile={file}");
        let fixed = [
            "BatchMode=yes",
            // Refuses what BatchMode refuses, and says why.
            "StrictHostKeyChecking=yes",
            known.as_str(),
            "GlobalKnownHostsFile=none",
            "IdentityFile=none",
            "PreferredAuthentications=none",
            "UpdateHostKeys=no",
        ];
        for option in options.iter().map(String::as_str).chain(fixed) {
            ssh.args(["-o", option]);
        }
        let output = ssh.args([host, "true"]).output().expect("ssh");
        assert_eq!(output.status.code(), Some(255), "{target}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// The labels of all keys that the server at this address may show, by their base64.
    pub(super) fn labels(&self, addr: IpAddr) -> BTreeMap<String, String> {
        let base64 = |label: &str| self.public(label).split(' ').nth(1).expect("base64").to_owned();
        let mut labels: BTreeMap<String, String> =
            KEYS.iter().map(|(label, _)| (base64(label), (*label).to_owned())).collect();
        labels.extend(self.certificates.get(&addr).map(|blob| (blob.clone(), String::from("cert"))));
        labels
    }

    /// Asks both about every row of a group: all in one sweep with one file, and each by itself for its exit code.
    fn ask(&self, group: &Group<'_>, first: usize) -> Vec<String> {
        let mut content = String::new();
        let mut lines: Vec<Vec<u32>> = Vec::new();
        let mut number = 0;
        for (at, row) in group.rows.iter().enumerate() {
            let filled = self.filled(row.known, first + at);
            let row_lines: Vec<&str> = filled.split_terminator('\n').collect();
            lines.push(
                row_lines
                    .iter()
                    .map(|_| {
                        number += 1;
                        number
                    })
                    .collect(),
            );
            row_lines.iter().for_each(|line| content += &format!("{line}\n"));
        }
        let file = self.file(&format!("known_hosts-{first}"), content);
        let options = |given: &[&str]| given.iter().map(|option| self.filled(option, first)).collect::<Vec<_>>();
        let (mut ours, ssh) = (options(group.ours), options(group.ssh));
        ours.extend([String::from("--known-hosts"), file.clone()]);
        let targets: Vec<String> =
            group.rows.iter().enumerate().map(|(at, row)| self.filled(row.target, first + at)).collect();
        let sweep = self.sweep(&targets, &ours);
        let records: BTreeMap<&str, &Value> = sweep
            .records
            .iter()
            .map(|record| (record["target"]["input"].as_str().expect("an input"), record))
            .collect();
        assert_eq!(records.len(), targets.len(), "one record a target: {}", sweep.stderr);
        assert!(!sweep.stderr.contains("warning"), "{}", sweep.stderr);
        let mut wrong = Vec::new();
        for (at, row) in group.rows.iter().enumerate() {
            let target = &targets[at];
            let labels = self.labels(place(first + at).0);
            let lines: Vec<String> = lines[at].iter().map(|line| format!("{file}:{line}")).collect();
            let alone = self.sweep(std::slice::from_ref(target), &ours);
            let record = records[target.as_str()];
            let said = written(record, &labels, &lines);
            let again = written(&alone.records[0], &labels, &lines);
            if said != again {
                wrong.push(format!("{}: alone it is\n    {again}\n    and in the sweep\n    {said}", row.name));
            }
            let ssh_said = self.ssh(target, &file, &ssh);
            let differences = row.differences(record, &said, alone.status.code(), &said_by_ssh(&ssh_said));
            if !differences.is_empty() {
                wrong.extend(differences);
                wrong.push(format!(
                    "    because {}\n    ssh: {}",
                    record["detail"],
                    ssh_said.trim().replace('\n', "\n         ")
                ));
            }
        }
        wrong
    }
}

/// Asks about all rows of all groups; fails with everything that is not as the tables say.
pub(super) fn check(groups: &[Group<'_>]) -> Ground {
    let rows: Vec<Row> = groups.iter().flat_map(|group| group.rows.iter().copied()).collect();
    let ground = Ground::new(&rows);
    ground.check(groups);
    ground
}

impl Ground {
    /// The same on ground that was made before, for all groups it was made for.
    pub(super) fn check(&self, groups: &[Group<'_>]) {
        let (mut wrong, mut first) = (Vec::new(), 0);
        for group in groups {
            wrong.extend(self.ask(group, first));
            first += group.rows.len();
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
}

fn public(keys: &HostKeys, label: &str) -> String {
    let line = fs::read_to_string(keys.path(label).with_extension("pub")).expect("the public key");
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// A server's configuration, and the base64 of its certificate.
fn sshd_config(row: &Row, keys: &HostKeys, addr: &str, name: &str) -> (String, Option<String>) {
    let (labels, certified) = row.server.split_once(" / ").map_or((row.server, None), |(keys, how)| (keys, Some(how)));
    let mut config = String::from("UsePAM no\nStrictModes no\nKbdInteractiveAuthentication no\nPidFile none\n");
    for label in labels.split(' ') {
        config += &format!("HostKey {}\n", keys.path(label).display());
    }
    let Some(how) = certified else { return (config, None) };
    let how = how.replace("{h}", addr).replace("{n}", name);
    let mut words = how.split(' ');
    let authority = keys.path(words.next().expect("an authority"));
    let label = labels.split(' ').next().expect("a key");
    // Beside a copy of the key, for ssh-keygen names the certificate after it.
    let copy = keys.path(&format!("{addr}.pub"));
    fs::copy(keys.path(label).with_extension("pub"), &copy).expect("copied");
    let mut args = vec!["-q", "-s", authority.to_str().expect("printable"), "-I", "lab"];
    args.extend(words);
    args.push(copy.to_str().expect("printable"));
    shell("ssh-keygen", &args);
    let certificate = keys.path(&format!("{addr}-cert.pub"));
    config += &format!("HostCertificate {}\n", certificate.display());
    let line = fs::read_to_string(&certificate).expect("the certificate");
    (config, line.split(' ').nth(1).map(str::to_owned))
}
