//! The SSH libraries for Python: Paramiko, AsyncSSH and Twisted Conch. What each has, it says itself.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::Value;
use sshprobe_probes::algorithm::Offer;

use super::cell::{NETWORK, Serving, addresses, check};
use super::key::Key;
use super::offered::probe;
use super::pins::{Lists, cells};
use crate::support::guard::{Lab, lab_with};
use crate::support::netns::{Netns, shell};
use crate::support::scripted::Acceptor;
use crate::support::servers::{Daemon, HostKeys};
use crate::support::topology::Topology;

#[test]
fn matrix_of_paramiko() {
    matrix("paramiko", &["password"], &["curve25519-sha256@libssh.org", "ssh-ed25519", "aes256-ctr", "hmac-sha2-512"]);
}

#[test]
fn matrix_of_asyncssh() {
    matrix(
        "asyncssh",
        &["publickey", "keyboard-interactive", "password"],
        &["curve25519-sha256", "ssh-ed25519", "aes256-ctr", "hmac-sha2-512"],
    );
}

#[test]
fn matrix_of_twisted_conch() {
    matrix("twisted", &["password"], &["curve25519-sha256", "ssh-ed25519", "aes256-ctr", "hmac-sha2-512"]);
}

/// AsyncSSH 2.10 keeps in the key, which all connections share, which algorithm is to sign: whoever agreed on one is signed for
/// with what another client agreed on in the meantime. An AsyncSSH that is mended comes to `ok`.
#[test]
fn asyncssh_that_signs_as_for_another_client_is_a_bad_signature() {
    let Some(_lab) = lab_of("asyncssh") else { return };
    let keys = HostKeys::generate();
    let topology = Topology::new(NETWORK);
    let mut addresses = addresses();
    let (direct, held) = (addresses.next().expect("a network"), addresses.next().expect("a network"));
    let key = Key::of("rsa-sha2-512", &keys).expect("a key that ssh-keygen makes");
    let cells = BTreeMap::from([(direct, serde_json::json!({ "key": key.path }))]);
    let server = Library::start(&topology.fleet, &script("asyncssh"), cells);
    let with = |addr, algorithm: &str| {
        let offer = Offer::modern().with_host_key(&[algorithm]).expect("a name in the table");
        probe(&topology.prober, addr, offer)
    };
    let (agreed, both_kexinits) = mpsc::channel();
    let (go_on, resumed) = mpsc::channel();
    let resumed = Mutex::new(resumed);
    let _relay = Acceptor::start(&topology.fleet, SocketAddr::new(held, 22), move |client| {
        hold_after_first_write(client, SocketAddr::new(direct, 22), &|| {
            let _ = agreed.send(());
            let _ = resumed.lock().expect("no panic while locked").recv();
        })
    });
    let (first, between) = std::thread::scope(|scope| {
        let first = scope.spawn(|| with(held, "rsa-sha2-512"));
        both_kexinits.recv_timeout(Duration::from_secs(20)).expect("the first client agrees on something");
        let between = with(direct, "rsa-sha2-256");
        go_on.send(()).expect("the relay waits");
        (first.join().expect("a record"), between)
    });
    assert_eq!(between["code"], "ok", "{between}\n{}", server.log(direct));
    if first["code"] == "ok" {
        println!("this AsyncSSH keeps its connections apart");
        return;
    }
    assert_eq!(first["code"], "bad-host-signature", "{first}\n{}", server.log(direct));
    assert_eq!(first["host_keys"][0]["fingerprint"], key.fingerprint.as_str());
    let causes = first["diagnoses"][0]["causes"].to_string();
    assert!(causes.contains("AsyncSSH"), "{causes}");
}

/// Relays a connection and calls `wait` between the client's first write, its identification and KEXINIT, and the second.
fn hold_after_first_write(mut client: TcpStream, server: SocketAddr, wait: &dyn Fn()) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    let answering = std::thread::spawn(move || io::copy(&mut answers, &mut back));
    let mut buffer = [0; 16 * 1024];
    let length = client.read(&mut buffer)?;
    server.write_all(&buffer[..length])?;
    let length = client.read(&mut buffer)?;
    wait();
    server.write_all(&buffer[..length])?;
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)?;
    let _ = answering.join();
    Ok(())
}

/// One cell for each algorithm of the library. `some` are names it must have, lest a mistake in the reading make the matrix
/// small.
fn matrix(library: &str, methods: &'static [&'static str], some: &[&str]) {
    let Some(_lab) = lab_of(library) else { return };
    let script = script(library);
    let mut list = python(&script);
    list.push("list".to_owned());
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let lists: Lists = serde_json::from_str(&shell(list[0], &list[1..])).expect("lists of names");
    for name in some {
        assert!(lists.values().flatten().any(|each| each == name), "no {name} in {lists:?}");
    }
    let keys = HostKeys::generate();
    let cells = cells(&lists, &keys, methods, |pins, key| {
        let mut cell = pins.json();
        if let Some(key) = key {
            cell["key"] = key.path.as_str().into();
        }
        cell
    });
    check(cells, |netns, cells| Library::start(netns, &script, cells));
}

/// The lab, if Debian's Python has the library.
fn lab_of(library: &str) -> Option<Lab> {
    let module = format!("/usr/lib/python3/dist-packages/{library}");
    lab_with(&[("/usr/bin/python3", "python3"), (&module, &format!("python3-{library}"))])
}

fn script(library: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/servers/serve_{library}.py"))
}

/// Debian's own Python, whatever stands first in PATH, with no word of what is deprecated and no trace left in the tree.
fn python(script: &Path) -> Vec<String> {
    let script = script.to_str().expect("printable");
    ["/usr/bin/python3", "-B", "-W", "ignore", script].map(str::to_owned).to_vec()
}

/// One process for all cells.
struct Library {
    daemon: Daemon,
}

impl Library {
    fn start(netns: &Netns, script: &Path, cells: BTreeMap<IpAddr, Value>) -> Self {
        let dir = tempfile::TempDir::new().expect("a temporary directory");
        let file = dir.path().join("cells.json");
        let json = serde_json::to_string(&cells).expect("addresses and names");
        std::fs::write(&file, json).expect("writing the cells");
        let mut command = netns.command("nice");
        command.args(["-n", "5"]).args(python(script)).arg("serve").arg(&file);
        Self { daemon: Daemon::start(command, "ready", Some(dir)) }
    }
}

impl Serving for Library {
    fn log(&self, _: IpAddr) -> String {
        self.daemon.log()
    }
}
