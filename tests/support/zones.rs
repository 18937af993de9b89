//! DNS as it really is: a root of our own with zones below it, signed or not, on NSD, and Unbound in front of it.
//!
//! ```text
//! .           signed; its keys are the trust anchor, written to a file
//! lab.        signed, delegated with a DS record
//! NAME.lab.   the zones a test asks for, each signed in its own way or not
//! ```

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::netns::Netns;
use super::servers::Daemon;

/// How a zone is signed, and what its parent says of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Not at all, as its parent confirms.
    None,
    /// By keys its parent vouches for; what does not exist is denied by NSEC.
    Nsec,
    /// The same with NSEC3.
    Nsec3,
    /// The signatures expired five days ago.
    Expired,
    /// Its parent vouches for another key.
    WrongDs,
    /// Its parent says that it is signed, and it is not.
    Stripped,
}

/// One zone below `lab.`.
pub(crate) struct Zone<'a> {
    /// Its label, such as `signed` for `signed.lab.`
    pub(crate) name: &'a str,
    pub(crate) signing: Signing,
    /// Its records but SOA and NS, one a line, as zone files have them.
    pub(crate) records: &'a str,
    /// What is replaced by what after the zone was signed.
    pub(crate) forged: &'a [(&'a str, &'a str)],
}

/// The authoritative server; until dropped.
pub(crate) struct Zones {
    dir: TempDir,
    address: IpAddr,
    _nsd: Daemon,
}

const ALGORITHM: &str = "ECDSAP256SHA256";
const DAY: u64 = 86400;

impl Zones {
    /// Signs the zones and serves them on port 53 of an address that the namespace has.
    pub(crate) fn start(netns: &Netns, address: IpAddr, zones: &[Zone<'_>]) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let mut lab = format!("ns IN A {address}\n");
        let mut names = vec![String::from("."), String::from("lab.")];
        for zone in zones {
            let name = format!("{}.lab.", zone.name);
            let ds = make(dir.path(), &name, zone.signing, zone.records);
            let path = zone_file(dir.path(), &name);
            let mut content = fs::read_to_string(&path).expect("a zone file");
            for (from, to) in zone.forged {
                assert!(content.contains(from), "nothing to forge of {from} in {content}");
                content = content.replace(from, to);
            }
            fs::write(&path, content).expect("writing a zone file");
            lab.push_str(&format!("{name} IN NS ns.lab.\n{ds}"));
            names.push(name);
        }
        let ds = make(dir.path(), "lab.", Signing::Nsec, &lab);
        make(dir.path(), ".", Signing::Nsec, &format!("lab. IN NS ns.lab.\nns.lab. IN A {address}\n{ds}"));
        let mut config = format!(
            "server:\n ip-address: {address}\n username: \"\"\n chroot: \"\"\n database: \"\"\n zonesdir: \"{0}\"\n \
             pidfile: \"{0}/nsd.pid\"\n xfrdfile: \"{0}/xfrd\"\n zonelistfile: \"{0}/zones\"\n xfrdir: \"{0}\"\n \
             server-count: 1\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n",
            dir.path().display()
        );
        for name in &names {
            let file = zone_file(dir.path(), name);
            config.push_str(&format!("zone:\n name: \"{name}\"\n zonefile: \"{}\"\n", file.display()));
        }
        let path = dir.path().join("nsd.conf");
        fs::write(&path, config).expect("writing nsd.conf");
        let mut command = netns.command("nsd");
        command.arg("-d").arg("-c").arg(path);
        let nsd = Daemon::start(command, "nsd started", None);
        Self { dir, address, _nsd: nsd }
    }

    /// The root's trusted key in a file, as a DNSKEY record.
    pub(crate) fn anchor(&self) -> PathBuf {
        key_file(self.dir.path(), ".", "ksk", "key")
    }

    /// The same as a DS record.
    pub(crate) fn anchor_digest(&self) -> PathBuf {
        key_file(self.dir.path(), ".", "ksk", "ds")
    }

    /// The trusted key of one zone, such as `signed.lab.`
    pub(crate) fn anchor_of(&self, zone: &str) -> PathBuf {
        key_file(self.dir.path(), zone, "ksk", "key")
    }

    /// A resolver on port 53 of another address, which asks this server for everything, and validates or not.
    pub(crate) fn resolver(&self, netns: &Netns, address: IpAddr, validates: bool) -> Daemon {
        let dir = TempDir::new().expect("a temporary directory");
        let hints = dir.path().join("hints");
        fs::write(&hints, format!(". 3600000 IN NS ns.lab.\nns.lab. 3600000 IN A {}\n", self.address))
            .expect("writing the root's address");
        let modules = if validates { "validator iterator" } else { "iterator" };
        let config = format!(
            "server:\n interface: {address}\n access-control: 0.0.0.0/0 allow\n do-daemonize: no\n use-syslog: no\n \
             logfile: \"\"\n verbosity: 1\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n directory: \"{}\"\n \
             root-hints: \"{}\"\n trust-anchor-file: \"{}\"\n module-config: \"{modules}\"\n do-ip6: no\n \
             trust-anchor-signaling: no\n num-threads: 1\nremote-control:\n control-enable: no\n",
            dir.path().display(),
            hints.display(),
            self.anchor().display(),
        );
        let path = dir.path().join("unbound.conf");
        fs::write(&path, config).expect("writing unbound.conf");
        let mut command = netns.command("unbound");
        command.arg("-d").arg("-c").arg(&path);
        Daemon::start(command, "start of service", Some(dir))
    }
}

/// Writes the file of a zone and returns what its parent says of it.
fn make(dir: &Path, name: &str, signing: Signing, records: &str) -> String {
    let plain = dir.join(format!("{name}zone"));
    let soa = format!("{name} IN SOA ns.lab. hostmaster.lab. 1 3600 600 86400 300\n{name} IN NS ns.lab.\n");
    fs::write(&plain, format!("$ORIGIN {name}\n$TTL 300\n{soa}{records}")).expect("writing a zone file");
    let signed = zone_file(dir, name);
    if signing == Signing::None {
        fs::copy(&plain, signed).expect("a zone file");
        return String::new();
    }
    let keys = ["zsk", "ksk"].map(|role| key(dir, name, role));
    let ds = fs::read_to_string(key_file(dir, name, "ksk", "ds")).expect("the key's digest");
    match signing {
        Signing::Stripped => {
            fs::copy(&plain, signed).expect("a zone file");
            return ds;
        }
        Signing::WrongDs => {
            key(dir, name, "other");
        }
        _ => {}
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let (from, until) = match signing {
        Signing::Expired => (now - 20 * DAY, now - 5 * DAY),
        _ => (now - DAY, now + 30 * DAY),
    };
    let mut command = Command::new("ldns-signzone");
    command.current_dir(dir).args(["-i", &from.to_string(), "-e", &until.to_string(), "-o", name]);
    if signing == Signing::Nsec3 {
        command.args(["-n", "-t", "0"]);
    }
    command.arg("-f").arg(signed).arg(plain).args(keys);
    run(&mut command);
    match signing {
        Signing::WrongDs => fs::read_to_string(key_file(dir, name, "other", "ds")).expect("the other key's digest"),
        _ => ds,
    }
}

/// What is served of a zone.
fn zone_file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}zone.signed"))
}

/// Where a key of a zone lies, under a name that tells its role.
fn key_file(dir: &Path, name: &str, role: &str, suffix: &str) -> PathBuf {
    dir.join(format!("{name}{role}.{suffix}"))
}

/// Makes a key; returns what ldns-signzone calls it.
fn key(dir: &Path, name: &str, role: &str) -> String {
    let mut command = Command::new("ldns-keygen");
    command.current_dir(dir).args(["-a", ALGORITHM, "-r", "/dev/urandom"]);
    if role != "zsk" {
        command.arg("-k");
    }
    let base = run(command.arg(name)).trim().to_owned();
    for suffix in ["key", "private", "ds"] {
        let from = dir.join(format!("{base}.{suffix}"));
        if from.exists() {
            fs::rename(from, key_file(dir, name, role, suffix)).expect("renaming a key");
        }
    }
    format!("{name}{role}")
}

/// Runs a program to its end and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
