//! Real servers: OpenSSH, Dropbear, lshd and tinysshd, each with keys made for the occasion.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::netns::{Netns, shell};
use super::scripted::Acceptor;

/// Host keys of the three types that OpenSSH makes by default.
pub(crate) struct HostKeys {
    dir: TempDir,
}

impl HostKeys {
    /// The types, as `ssh-keygen -t` calls them.
    pub(crate) const TYPES: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

    /// Makes none yet.
    pub(crate) fn empty() -> Self {
        Self { dir: TempDir::new().expect("a temporary directory") }
    }

    /// Makes one key of each type.
    pub(crate) fn generate() -> Self {
        let keys = Self::empty();
        for kind in Self::TYPES {
            keys.add(kind, kind, &[]);
        }
        keys
    }

    /// Makes another key: of this ssh-keygen type with these further options, to be known as `name`.
    pub(crate) fn add(&self, name: &str, kind: &str, options: &[&str]) {
        let path = self.path(name);
        let mut args = vec!["-q", "-t", kind, "-N", "", "-C", "lab", "-f", path.to_str().expect("printable")];
        args.extend(options);
        shell("ssh-keygen", &args);
    }

    /// Where the private key of this type lies.
    pub(crate) fn path(&self, kind: &str) -> PathBuf {
        self.dir.path().join(kind)
    }

    /// What `ssh-keygen -lf` calls the key of this type.
    pub(crate) fn fingerprint(&self, kind: &str) -> String {
        fingerprint(&self.path(kind).with_extension("pub"))
    }
}

/// The SHA256 fingerprint that `ssh-keygen -lf` prints of a public key file.
pub(crate) fn fingerprint(public_key: &Path) -> String {
    let printed = shell("ssh-keygen", &["-l", "-f", public_key.to_str().expect("printable")]);
    printed.split_whitespace().nth(1).expect("bits, fingerprint, comment, type").to_owned()
}

/// A server that runs until dropped.
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    _dir: Option<TempDir>,
}

impl Daemon {
    /// Starts a server and waits until its standard error has a line with `ready` in it.
    pub(crate) fn start(mut command: Command, ready: &str, dir: Option<TempDir>) -> Self {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut said = String::new();
        let up = lines.by_ref().any(|line| {
            said.push_str(&line);
            said.push('\n');
            line.contains(ready)
        });
        assert!(up, "{name} ended without saying {ready:?}:\n{said}");
        let log = Arc::new(Mutex::new(said));
        let keeper = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines {
                let mut log = keeper.lock().expect("no panic while locked");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log, _dir: dir }
    }

    /// What the server wrote to its standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic while locked").clone()
    }

    /// Stops every process that it has started, and those of these, without ending them: sessions stay, and say nothing more.
    pub(crate) fn freeze_children(&self) {
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            let Ok(children) = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")) else { continue };
            for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
                parents.push(child);
                let pid = nix::unistd::Pid::from_raw(child.try_into().expect("a process id"));
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP);
            }
        }
    }

    /// Stops the process without ending it: the kernel goes on accepting for it.
    pub(crate) fn freeze(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().expect("a process id"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("stopping our own child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an sshd is to be like, beyond its address: `stock` is Debian's configuration without PAM, which the lab has no use for.
pub(crate) struct Sshd<'a> {
    /// Which of the keys it has; all where empty.
    pub(crate) key_types: &'a [&'a str],
    /// Lines of sshd_config that come first and so win.
    pub(crate) config: &'a str,
}

impl Sshd<'_> {
    /// Debian's defaults.
    pub(crate) const STOCK: Sshd<'static> = Sshd { key_types: &[], config: "" };

    /// Starts `sshd -D -e` on the address (the wildcard serves every address of the namespace).
    pub(crate) fn start(&self, netns: &Netns, listen: IpAddr, keys: &HostKeys) -> Daemon {
        // Debian's sshd refuses to start without its privilege separation directory.
        fs::create_dir_all("/run/sshd").expect("making /run/sshd");
        let dir = TempDir::new().expect("a temporary directory");
        let mut config =
            format!("{}\nListenAddress {listen}\nPort 22\nPidFile none\nUsePAM no\nStrictModes no\n", self.config);
        config.push_str("KbdInteractiveAuthentication no\n");
        // Of this one the last line wins, not the first.
        if !config.contains("MaxStartups") {
            config.push_str("MaxStartups 1000:30:2000\n");
        }
        let types = if self.key_types.is_empty() { &HostKeys::TYPES } else { self.key_types };
        for kind in types {
            config.push_str(&format!("HostKey {}\n", keys.path(kind).display()));
        }
        let path = dir.path().join("sshd_config");
        fs::write(&path, config).expect("writing sshd_config");
        // Two hundred key exchanges at once are hard on a small machine. They come after the scripted servers, which keep time,
        // and still before whatever else the machine does: see guard.rs.
        let mut command = netns.command("nice");
        // sshd insists on its full path, for it executes itself again.
        command.args(["-n", "5", "/usr/sbin/sshd", "-D", "-e", "-f"]).arg(&path);
        Daemon::start(command, "Server listening on", Some(dir))
    }
}

/// Starts Dropbear with an Ed25519 key of its own; also returns the key's fingerprint.
pub(crate) fn dropbear(netns: &Netns, listen: SocketAddr) -> (Daemon, String) {
    let (daemon, mut fingerprints) = dropbear_with(netns, listen, &["ed25519"]);
    (daemon, fingerprints.remove(0))
}

/// Starts Dropbear with keys of these types, as `dropbearkey -t` calls them; also returns their fingerprints.
pub(crate) fn dropbear_with(netns: &Netns, listen: SocketAddr, kinds: &[&str]) -> (Daemon, Vec<String>) {
    let dir = TempDir::new().expect("a temporary directory");
    let mut command = netns.command("dropbear");
    command.args(["-F", "-E", "-P"]).arg(dir.path().join("pid")).arg("-p").arg(listen.to_string());
    let mut fingerprints = Vec::new();
    for kind in kinds {
        let key = dir.path().join(kind);
        let made = shell("dropbearkey", &["-t", kind, "-f", key.to_str().expect("printable")]);
        let public = made.lines().find(|line| line.contains(" AAAA")).expect("the public key");
        let file = key.with_extension("pub");
        fs::write(&file, format!("{public}\n")).expect("writing the public key");
        fingerprints.push(fingerprint(&file));
        command.arg("-r").arg(&key);
    }
    let daemon = Daemon::start(command, "Not backgrounding", Some(dir));
    await_listener(netns, listen);
    (daemon, fingerprints)
}

/// Starts lshd with a key of this type, as `lsh-keygen -a` calls it, and with every cipher and MAC it has; also returns the
/// key's fingerprint.
pub(crate) fn lshd(netns: &Netns, listen: SocketAddr, kind: &str) -> (Daemon, String) {
    let dir = TempDir::new().expect("a temporary directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("printable").to_owned();
    let (seed, key, public) = (path("seed"), path("key"), path("key.ssh"));
    // What lsh-make-seed would ask a keyboard for. lsh takes no file that others might read.
    let mut randomness = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut randomness)).expect("randomness");
    fs::write(&seed, randomness).expect("writing the seed");
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o600)).expect("our own file");
    let script = format!(
        "export LSH_YARROW_SEED_FILE={seed}; lsh-keygen -a {kind} | lsh-writekey -c none -o {key} && \
         lsh-export-key --openssh -r {key}.pub -o {public}"
    );
    shell("sh", &["-c", &script]);
    let mut command = netns.command("env");
    command.arg(format!("LSH_YARROW_SEED_FILE={seed}")).args(["lshd", "--trace", "--host-key", &key, "--interface"]);
    command.arg(listen.ip().to_string()).args([
        "-p",
        &listen.port().to_string(),
        "--crypto=all",
        "--mac=hmac-sha1",
        "--mac=hmac-md5",
    ]);
    let daemon = Daemon::start(command, "Trying to bind", Some(dir));
    await_listener(netns, listen);
    (daemon, fingerprint(Path::new(&public)))
}

/// Starts tinysshd, one process a connection as from inetd, with a key of its own; also returns the key's fingerprint.
pub(crate) fn tinysshd(netns: &Netns, listen: SocketAddr) -> (Acceptor, String) {
    let dir = TempDir::new().expect("a temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("own directory");
    let keys = dir.path().join("keys");
    let path = keys.to_str().expect("printable").to_owned();
    shell("tinysshd-makekey", &["-q", &path]);
    let file = dir.path().join("key.pub");
    fs::write(&file, shell("tinysshd-printkey", &[&path])).expect("writing the public key");
    let fingerprint = fingerprint(&file);
    let acceptor = Acceptor::start(netns, listen, move |stream| {
        let input = OwnedFd::from(stream.try_clone()?);
        let mut child = Command::new("tinysshd")
            .arg(dir.path().join("keys"))
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(stream)))
            .stderr(Stdio::null())
            .spawn()?;
        child.wait().map(drop)
    });
    (acceptor, fingerprint)
}

/// For servers that do not tell when they listen.
fn await_listener(netns: &Netns, addr: SocketAddr) {
    netns.enter(|| {
        let give_up = Instant::now() + Duration::from_secs(20);
        while let Err(error) = TcpStream::connect(addr) {
            assert!(Instant::now() < give_up, "{addr}: {error}");
            thread::sleep(Duration::from_millis(10));
        }
    });
}
