//! Network namespaces made by the test, gone with it, named so that parallel runs never meet.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What every name begins with; the process id that made it follows.
const PREFIX: &str = "sshprobe-lab-";

/// One network namespace. Dropping it kills what still runs in it and deletes it.
pub(crate) struct Netns {
    name: String,
}

impl Netns {
    /// Makes a namespace with loopback up, IPv4 and IPv6 forwarding on and the limits on ICMP errors lifted.
    pub(crate) fn new(role: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{role}", std::process::id());
        shell("ip", &["netns", "add", &name]);
        let netns = Self { name };
        netns.ip("link set lo up");
        netns.sysctl("net/ipv4/ip_forward", "1");
        netns.sysctl("net/ipv6/conf/all/forwarding", "1");
        // Without these an address behind a filter looks like silence: the kernel sends one ICMP error a second to a destination.
        netns.sysctl("net/ipv4/icmp_ratelimit", "0");
        netns.sysctl("net/ipv6/icmp/ratelimit", "0");
        // These two are per namespace only since Linux 6.14; before, the whole machine shares them and only the first namespace shows them.
        netns.try_sysctl("net/ipv4/icmp_msgs_per_sec", "1000000");
        netns.try_sysctl("net/ipv4/icmp_msgs_burst", "1000000");
        netns
    }

    /// Runs `ip -n NAME` with these words.
    pub(crate) fn ip(&self, words: &str) {
        let mut args = vec!["-n", &self.name];
        args.extend(words.split_whitespace());
        shell("ip", &args);
    }

    /// Runs many lines of words for `ip`, at once.
    pub(crate) fn batch(&self, lines: &str) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), lines).expect("writing the lines");
        shell("ip", &["-n", &self.name, "-batch", file.path().to_str().expect("a printable path")]);
    }

    /// Loads nftables rules.
    pub(crate) fn nft(&self, ruleset: &str) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), ruleset).expect("writing the rules");
        let path = file.path().to_str().expect("a printable path");
        shell("ip", &["netns", "exec", &self.name, "nft", "-f", path]);
    }

    /// Sets a kernel parameter below /proc/sys.
    pub(crate) fn sysctl(&self, key: &str, value: &str) {
        self.enter(|| fs::write(Path::new("/proc/sys").join(key), value))
            .unwrap_or_else(|error| panic!("{key} = {value} in {}: {error}", self.name));
    }

    /// One of the kernel's figures of the namespace: of `Ip`, `Tcp` and so on, as /proc/net/snmp names them.
    pub(crate) fn figure(&self, of: &str, name: &str) -> u64 {
        let text = self.enter(|| fs::read_to_string("/proc/thread-self/net/snmp")).expect("figures");
        let named = |line: &&str| line.split_once(':').is_some_and(|(layer, _)| layer == of);
        let mut lines = text.lines().filter(named).map(str::split_whitespace);
        let (names, numbers) = lines.next().zip(lines.next()).expect("two lines");
        let (_, number) = names.zip(numbers).find(|(named, _)| *named == name).expect(name);
        number.parse().expect("a number")
    }

    fn try_sysctl(&self, key: &str, value: &str) {
        let _ = self.enter(|| fs::write(Path::new("/proc/sys").join(key), value));
    }

    /// Runs `work` on a thread inside the namespace: its sockets and the processes it starts live there.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = self.open();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(file, CLONE_NEWNET).expect("entering the namespace");
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Like [`Netns::enter`], but goes on in the background.
    pub(crate) fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let file = self.open();
        thread::spawn(move || {
            setns(file, CLONE_NEWNET).expect("entering the namespace");
            work()
        })
    }

    fn open(&self) -> File {
        File::open(Path::new("/run/netns").join(&self.name)).expect("the namespace's file")
    }

    /// A command that runs inside, with its own resolv.conf and hosts if [`Netns::etc`] made them. `ip` becomes the program:
    /// the child's process id is the program's.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null());
        command
    }

    /// Puts a file of this content over /etc/FILE for the commands run inside.
    pub(crate) fn etc(&self, file: &str, content: &str) {
        let path = self.etc_dir().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making /etc/netns/NAME");
        fs::write(path, content).expect("writing below /etc/netns");
    }

    /// Lets nobody but root read such a file.
    pub(crate) fn seal(&self, file: &str) {
        fs::set_permissions(self.etc_dir().join(file), fs::Permissions::from_mode(0o600)).expect("our own file");
    }

    fn etc_dir(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
    }

    /// Joins this namespace and another with a veth pair; both ends get the addresses (with prefix length) given, of either family.
    pub(crate) fn link(&self, mine: &str, addresses: &[&str], peer: &Netns, theirs: &str, peer_addresses: &[&str]) {
        self.ip(&format!("link add {mine} type veth peer name {theirs} netns {}", peer.name));
        for (netns, device, addresses) in [(self, mine, addresses), (peer, theirs, peer_addresses)] {
            for address in addresses {
                // Duplicate address detection would keep an IPv6 address unusable for its first second.
                let nodad = if address.contains(':') { "nodad" } else { "" };
                netns.ip(&format!("addr add {address} dev {device} {nodad}"));
            }
            netns.ip(&format!("link set dev {device} up"));
        }
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        delete(&self.name);
        let _ = fs::remove_dir_all(self.etc_dir());
        let _ = fs::remove_dir("/etc/netns");
    }
}

const CLONE_NEWNET: CloneFlags = CloneFlags::CLONE_NEWNET;

/// Kills what runs in the namespace, all of it started by whoever made the namespace, and deletes it.
fn delete(name: &str) {
    if let Ok(pids) = output("ip", &["netns", "pids", name]) {
        let pids = String::from_utf8_lossy(&pids.stdout);
        for pid in pids.lines().filter_map(|line| line.trim().parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    let _ = output("ip", &["netns", "del", name]);
}

/// Deletes namespaces whose maker was killed before it could.
pub(crate) fn sweep_leftovers() {
    let Ok(list) = output("ip", &["netns", "list"]) else { return };
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let Some(name) = line.split_whitespace().next().filter(|name| name.starts_with(PREFIX)) else { continue };
        let maker = name.trim_start_matches(PREFIX).split('-').next().unwrap_or_default();
        // A zombie that nobody waits for still has its folder there, but no program any more.
        if fs::read_link(Path::new("/proc").join(maker).join("exe")).is_err() {
            delete(name);
            let _ = fs::remove_dir_all(Path::new("/etc/netns").join(name));
        }
    }
}

fn output(program: &str, args: &[&str]) -> std::io::Result<Output> {
    Command::new(program).args(args).stdin(Stdio::null()).output()
}

/// Runs a program to its end and returns what it printed; a failure fails the test with what it said.
pub(crate) fn shell(program: &str, args: &[&str]) -> String {
    let output = output(program, args).unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {}: {}\n{}",
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
