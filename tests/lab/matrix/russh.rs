//! russh, within the test itself: it has mlkem768x25519-sha256, which Debian's OpenSSH has not yet.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use russh::keys::Algorithm;
use russh::server::{Config, Handler};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::cell::{Serving, check};
use super::pins::{Lists, Pins, cells};
use crate::support::guard::lab;
use crate::support::netns::Netns;
use crate::support::servers::HostKeys;

#[test]
fn matrix_of_russh() {
    let Some(_lab) = lab() else { return };
    let keys = HostKeys::generate();
    let mut lists = Lists::new();
    let mut add = |kind: &str, names: &mut dyn Iterator<Item = &str>| {
        // "clear" is no name of the wire's, and "none" nobody should be offered.
        let names = names.filter(|name| !["none", "clear"].contains(name));
        lists.insert(kind.to_owned(), names.map(str::to_owned).collect());
    };
    add("kex", &mut russh::kex::ALL_KEX_ALGORITHMS.iter().map(|name| name.as_ref()));
    // RSA host keys are met with OpenSSH and Dropbear.
    add(
        "host_key",
        &mut ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"].into_iter(),
    );
    add("cipher", &mut russh::cipher::ALL_CIPHERS.iter().map(|name| name.as_ref()));
    add("mac", &mut russh::mac::ALL_MAC_ALGORITHMS.iter().map(|name| name.as_ref()));
    assert!(lists["kex"].iter().any(|name| name == "mlkem768x25519-sha256"), "{lists:?}");
    let methods = &["password", "publickey", "hostbased", "keyboard-interactive"];
    let cells = cells(&lists, &keys, methods, |pins, key| {
        let key = key.map(|key| key.path.clone()).expect("a key that ssh-keygen makes");
        (pins.clone(), key)
    });
    check(cells, Server::start);
}

fn config((pins, key): (Pins, String)) -> Config {
    let mut config = Config {
        keys: vec![russh::keys::load_secret_key(key, None).expect("a key of ssh-keygen's")],
        // Its delay against guessers is not what is tested.
        auth_rejection_time: Duration::ZERO,
        ..Config::default()
    };
    config.preferred.key = Cow::Owned(vec![Algorithm::new(pins.host_key()).expect("a name it has")]);
    if let Some(name) = pins.get("kex") {
        config.preferred.kex = Cow::Owned(vec![name.try_into().expect("a name it has")]);
    }
    if let Some(name) = pins.get("cipher") {
        config.preferred.cipher = Cow::Owned(vec![name.try_into().expect("a name it has")]);
    }
    if let Some(name) = pins.get("mac") {
        config.preferred.mac = Cow::Owned(vec![name.try_into().expect("a name it has")]);
    }
    config
}

/// Lets nobody in.
struct Refuse;

impl Handler for Refuse {
    type Error = russh::Error;
}

/// One listener for all cells, on a thread of its own.
struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(netns: &Netns, cells: BTreeMap<IpAddr, (Pins, String)>) -> Self {
        let configs: BTreeMap<IpAddr, Arc<Config>> =
            cells.into_iter().map(|(addr, cell)| (addr, Arc::new(config(cell)))).collect();
        let listener = netns.enter(|| std::net::TcpListener::bind("0.0.0.0:22")).expect("port 22 of the namespace");
        listener.set_nonblocking(true).expect("our own socket");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, configs) => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

async fn accept(listener: std::net::TcpListener, configs: BTreeMap<IpAddr, Arc<Config>>) {
    let listener = TcpListener::from_std(listener).expect("our own socket");
    while let Ok((stream, _)) = listener.accept().await {
        let Some(config) = stream.local_addr().ok().and_then(|addr| configs.get(&addr.ip())) else { continue };
        let config = Arc::clone(config);
        tokio::spawn(async move {
            if let Ok(session) = russh::server::run_stream(config, stream, Refuse).await {
                let _ = session.await;
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Serving for Server {
    fn log(&self, _: IpAddr) -> String {
        String::new()
    }
}
