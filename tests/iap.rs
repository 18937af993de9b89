//! Tunnels through a relay of the Identity-Aware Proxy: every way they fail, and that nothing else differs where they do not.

mod compare;
mod outcomes;
mod proxies;
mod tokens;
mod tunnels;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::openssh;
use crate::support::run::parse;

/// What no output may ever hold.
const TOKEN: &str = "ya29.planted-Secret_0123456789";

/// A real sshd, one process a connection, with a banner longer than what a relay may send without an acknowledgement.
struct Sshd {
    addr: SocketAddr,
    _dir: TempDir,
}

impl Sshd {
    fn start() -> Self {
        fs::create_dir_all("/run/sshd").expect("making /run/sshd");
        let dir = TempDir::new().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name).to_str().expect("printable").to_owned();
        openssh::keygen(dir.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
        fs::write(path("banner"), "A line of the banner, which is long.\n".repeat(2000)).expect("written");
        let config = format!("HostKey {}\nBanner {}\nUsePAM no\nPidFile none\n", path("key"), path("banner"));
        fs::write(path("config"), config).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (addr, config) = (listener.local_addr().expect("bound"), path("config"));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(input) = stream.try_clone() else { continue };
                let mut sshd = Command::new("/usr/sbin/sshd");
                sshd.args(["-i", "-f", &config]).stdin(OwnedFd::from(input)).stdout(OwnedFd::from(stream));
                let Ok(mut child) = sshd.stderr(Stdio::null()).spawn() else { continue };
                drop(sshd);
                std::thread::spawn(move || child.wait());
            }
        });
        Self { addr, _dir: dir }
    }
}

/// The file with the token.
fn token_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), format!("{TOKEN}\n")).expect("written");
    file
}

fn sshprobe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["--known-hosts=none", "--retries=0", "--user=root", "--format=jsonl", "--records=all"]).args(args);
    command.env_remove("CLOUDSDK_AUTH_ACCESS_TOKEN").env_remove("GOOGLE_APPLICATION_CREDENTIALS");
    // No gcloud, no credentials of whoever runs this, and nothing leaves the machine.
    command.env("PATH", "/nonexistent").env("CLOUDSDK_CONFIG", "/nonexistent").env("GCE_METADATA_HOST", "127.0.0.1:1");
    command.stdin(Stdio::null());
    command
}

/// Through the relay at this URL.
fn through(url: &str, token: &std::path::Path, args: &[&str]) -> Command {
    let file = token.to_str().expect("printable");
    let mut command = sshprobe(&["--iap", "--project=my-proj", "--zone=us-central1-a"]);
    command.args(["--iap-url", url, "--access-token-file", file]).args(args);
    command
}

fn output(mut command: Command) -> Output {
    let output = command.output().expect("the program");
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(TOKEN), "the token was shown: {}", String::from_utf8_lossy(&said));
    output
}

/// The records, by the target's host.
fn records(command: Command) -> BTreeMap<String, Value> {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let records = parse(&output.stdout, &stderr);
    let count = records.len();
    let by_host: BTreeMap<_, _> = records
        .into_iter()
        .map(|record| (record["target"]["host"].as_str().expect("a host").to_owned(), record))
        .collect();
    assert_eq!(by_host.len(), count, "a record for each:\n{stderr}");
    by_host
}
