//! Users, keys and servers that are gone with the test, and the two who log in: the program and ssh.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::netns::shell;
use crate::support::run::{Run, run, sshprobe};
use crate::support::servers::{Daemon, HostKeys, Sshd, dropbear};
use crate::support::topology::{Family, Topology};

/// nobody, as whom the program runs.
const NOBODY: u32 = 65534;

/// The secrets there are. None of them may ever be shown.
pub(super) const PASSWORD: &str = "Correct-Horse-61";
pub(super) const WRONG_PASSWORD: &str = "Wrong-Battery-62";
pub(super) const PASSPHRASE: &str = "Staple-Phrase-63";
/// One-time codes: each is good once.
pub(super) const CODES: [&str; 6] = ["11223344", "22334455", "33445566", "44556677", "55667788", "66778899"];

pub(super) struct Ground {
    pub(super) topology: Topology,
    pub(super) dir: TempDir,
    host_keys: HostKeys,
    agent: Child,
    servers: Vec<Daemon>,
}

impl Ground {
    pub(super) fn new() -> Self {
        let topology = Topology::new(Family::V4.network());
        let dir = TempDir::new().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let path = |name: &str| dir.path().join(name).to_str().expect("printable").to_owned();
        let key = |name: &str, kind: &str, phrase: &str| {
            shell("ssh-keygen", &["-q", "-t", kind, "-N", phrase, "-C", name, "-f", &path(name)]);
        };
        for name in ["good", "spare1", "spare2", "spare3", "spare4", "spare5", "spare6", "certified", "expired", "ca"] {
            key(name, "ed25519", "");
        }
        key("locked-up", "ed25519", PASSPHRASE);
        key("rsa", "rsa", "");
        key("ec", "ecdsa", "");
        for (name, from) in [("certified", "-1h:+1h"), ("expired", "-2h:-1h")] {
            let public = path(&format!("{name}.pub"));
            shell("ssh-keygen", &["-q", "-s", &path("ca"), "-I", name, "-n", "alice", "-V", from, &public]);
        }
        let public = |name: &str| fs::read_to_string(path(&format!("{name}.pub"))).expect("a public key");
        let authorized: String = ["good", "locked-up", "rsa", "ec"].map(public).concat();
        fs::write(path("authorized"), &authorized).expect("written");
        for (name, content) in [
            ("password", format!("{PASSWORD}\n")),
            ("wrong-password", format!("{WRONG_PASSWORD}\nnot this\n")),
            ("anything", format!("password = {PASSWORD}\n* = {PASSWORD}\n* = {PASSWORD}\n* = {PASSWORD}\n")),
            ("answers-half", format!("password = {PASSWORD}\n")),
        ] {
            fs::write(path(name), content).expect("written");
        }
        for (at, code) in CODES.iter().enumerate() {
            fs::write(path(&format!("answers{at}")), format!("Password: = {PASSWORD}\nverification = {code}\n"))
                .expect("written");
        }
        // Answers ssh as the files answer the program.
        let script = format!(
            "#!/bin/sh\ncase \"$1\" in *erification*) echo $CODE;; *passphrase*) echo {PASSPHRASE};; *) echo $WORD;; esac\n"
        );
        fs::write(path("askpass"), script).expect("written");
        for entry in fs::read_dir(dir.path()).expect("a folder") {
            let file = entry.expect("an entry").path();
            chown(&file, Some(NOBODY), Some(NOBODY)).expect("root may");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("root may");
        }
        for (name, mode) in [("askpass", 0o755), ("authorized", 0o644), ("ca.pub", 0o644)] {
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).expect("root may");
        }
        users(&topology, dir.path(), &authorized);
        let socket = path("agent");
        let nobody = NOBODY.to_string();
        let as_nobody = ["--reuid", &nobody, "--regid", &nobody, "--clear-groups"];
        fs::create_dir(path("agents")).expect("a folder");
        chown(path("agents"), Some(NOBODY), Some(NOBODY)).expect("root may");
        let socket = socket.replace("/agent", "/agents/socket");
        let agent = Command::new("setpriv")
            .args(as_nobody)
            .args(["ssh-agent", "-D", "-a", &socket])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ssh-agent");
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        let added = Command::new("setpriv")
            .args(as_nobody)
            .args(["ssh-add", "-q", &path("good")])
            .env("SSH_AUTH_SOCK", &socket)
            .output()
            .expect("ssh-add");
        assert!(added.status.success(), "{added:?}");
        let ground = Self { topology, dir, host_keys: HostKeys::generate(), agent, servers: Vec::new() };
        let known: String = HostKeys::TYPES
            .iter()
            .map(|kind| fs::read_to_string(ground.host_keys.path(kind).with_extension("pub")).expect("a key"))
            .map(|key| format!("10.0.0.* {key}"))
            .collect();
        fs::write(ground.path("known_hosts"), known).expect("written");
        ground
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An sshd at this address with these lines.
    pub(super) fn sshd(&mut self, octet: u8, config: &str) {
        let config = format!("{config}\nAuthorizedKeysFile {}\n", self.path("authorized").display());
        let server = Sshd { key_types: &[], config: &self.filled(&config) };
        let daemon = server.start(&self.topology.fleet, Family::V4.address(octet), &self.host_keys);
        self.servers.push(daemon);
    }

    /// A Dropbear at this address; its key is put into known_hosts.
    pub(super) fn dropbear(&mut self, octet: u8) {
        let addr = Family::V4.address(octet);
        let (daemon, _) = dropbear(&self.topology.fleet, SocketAddr::new(addr, 22));
        let mut scan = self.topology.prober.command("ssh-keyscan");
        let line = scan.args(["-t", "ed25519", &addr.to_string()]).output().expect("ssh-keyscan").stdout;
        let known = fs::read_to_string(self.path("known_hosts")).expect("written before");
        // The first line that speaks of the host would be the other servers'.
        let known = known.replace("10.0.0.* ", &format!("10.0.0.*,!{addr} "));
        fs::write(self.path("known_hosts"), known + &String::from_utf8_lossy(&line)).expect("written");
        self.servers.push(daemon);
    }

    /// What the servers wrote.
    pub(super) fn log(&self, at: usize) -> String {
        self.servers[at].log()
    }

    pub(super) fn filled(&self, text: &str) -> String {
        text.replace("{dir}", self.dir.path().to_str().expect("printable"))
    }

    /// Writes a file for the program to read, or hands it one that is there.
    pub(super) fn hand_over(&self, name: &str, content: Option<&str>) {
        let path = self.path(name);
        content.into_iter().for_each(|content| fs::write(&path, content).expect("written"));
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("root may");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("root may");
    }

    /// Gives the agent one key more.
    pub(super) fn add_to_agent(&self, name: &str) {
        let mut add = Command::new("setpriv");
        add.args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups", "ssh-add", "-q"]);
        let added =
            add.arg(self.path(name)).env("SSH_AUTH_SOCK", self.path("agents/socket")).output().expect("ssh-add");
        assert!(added.status.success(), "{added:?}");
    }

    /// The program logs in as `user`; everything it wrote beside the record.
    pub(super) fn ours(&self, octet: u8, user: &str, args: &[&str]) -> (Value, Run) {
        let run = run(self.command(octet, user, args));
        assert_eq!(run.records.len(), 1, "{args:?}: {}", run.stderr);
        (run.records[0].clone(), run)
    }

    /// The program about to do so.
    pub(super) fn command(&self, octet: u8, user: &str, args: &[&str]) -> Command {
        let mut command = sshprobe(&self.topology.prober, &[]);
        command.args(["--format", "jsonl", "--depth", "login", "--per-host", "10ms", "-vv", "-l", user]);
        command.arg("--known-hosts").arg(self.path("known_hosts"));
        command.args(args.iter().map(|arg| self.filled(arg))).arg(Family::V4.address(octet).to_string());
        command.env("SSH_AUTH_SOCK", self.path("agents/socket"));
        command.env("SSH_ASKPASS", self.path("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        command
    }

    /// ssh logs in as `user`: whether it did, and what it said.
    pub(super) fn ssh(&self, octet: u8, user: &str, args: &[&str], word: &str, code: &str) -> (bool, String) {
        let mut ssh = self.topology.prober.command("ssh");
        let known = format!("UserKnownHostsFile={}", self.path("known_hosts").display());
        ssh.env("LC_ALL", "C").args(["-v", "-F", "none", "-l", user, "-o", &known]);
        for option in ["StrictHostKeyChecking=yes", "GlobalKnownHostsFile=none", "NumberOfPasswordPrompts=1"] {
            ssh.args(["-o", option]);
        }
        ssh.args(args.iter().map(|arg| self.filled(arg)));
        ssh.env("SSH_AUTH_SOCK", self.path("agents/socket")).env("WORD", word).env("CODE", code);
        ssh.env("SSH_ASKPASS", self.path("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        let output = ssh.arg(Family::V4.address(octet).to_string()).arg("true").output().expect("ssh");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(super) fn address(octet: u8) -> IpAddr {
        Family::V4.address(octet)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// Users that exist for the servers of the lab alone: /etc is another one in their namespace.
fn users(topology: &Topology, dir: &Path, authorized: &str) {
    let homes = dir.join("homes");
    let hash = shell("openssl", &["passwd", "-6", PASSWORD]);
    let hash = hash.trim();
    let machine = |file: &str| fs::read_to_string(Path::new("/etc").join(file)).expect("a file of the system");
    let (mut passwd, mut shadow, mut group) = (machine("passwd"), machine("shadow"), machine("group"));
    // On which day the password was changed; 0 is what `chage -d 0` makes of it: it has expired.
    let people =
        [("alice", hash.to_owned(), 19000), ("locked", format!("!{hash}"), 19000), ("stale", hash.to_owned(), 0)];
    for (at, (user, secret, changed)) in people.into_iter().enumerate() {
        let (id, home) = (4100 + u32::try_from(at).expect("three"), homes.join(user));
        passwd += &format!("{user}:x:{id}:{id}::{}:/bin/sh\n", home.display());
        shadow += &format!("{user}:{secret}:{changed}:0:99999:7:::\n");
        group += &format!("{user}:x:{id}:\n");
        fs::create_dir_all(home.join(".ssh")).expect("a home");
        fs::write(home.join(".ssh/authorized_keys"), authorized).expect("written");
        for path in [home.clone(), home.join(".ssh"), home.join(".ssh/authorized_keys")] {
            chown(&path, Some(id), Some(id)).expect("root may");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("root may");
        }
    }
    topology.fleet.etc("passwd", &passwd);
    topology.fleet.etc("shadow", &shadow);
    topology.fleet.seal("shadow");
    topology.fleet.etc("group", &group);
    let codes = dir.join("codes");
    fs::create_dir(&codes).expect("a folder");
    let secret = codes.join("alice");
    fs::write(&secret, format!("JBSWY3DPEHPK3PXPJBSWY3DPEH\n\" TOTP_AUTH\n{}\n", CODES.join("\n"))).expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("our own file");
    let pam = format!(
        "auth required pam_unix.so nodelay\n\
         auth required pam_google_authenticator.so secret={}/${{USER}} user=root nullok\n\
         account required pam_unix.so\nsession required pam_permit.so\npassword required pam_unix.so\n",
        codes.display()
    );
    topology.fleet.etc("pam.d/sshd", &pam);
    topology.fleet.etc("pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n");
}
