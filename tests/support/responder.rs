//! Drives the scripted SSH server of `sshprobe_probes` over real connections: what needs real cryptography to go wrong, and
//! crowds of addresses that no sshd could serve.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use sshprobe::demo;
use sshprobe_probes::responder::{Action, Close, Point, Script, Signing, Step, Userauth};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::netns::Netns;

/// The script of the server a scenario calls `responder:NAME`.
pub(crate) fn responder(name: &str) -> Script {
    let healthy = || Script::healthy(&[0x1a; 32]);
    match name {
        "wrong-signature" => healthy().signing(Signing::Wrong),
        "renamed-signature" => healthy().signing(Signing::OtherName),
        "corrupt-packet" => healthy().on(Point::Newkeys, Action::CorruptNext),
        "close-after-newkeys" => healthy().on(Point::Newkeys, Action::Close(Close::Fin)),
        "service-denied" => healthy().disconnect(Point::Service, 7, "Service not available"),
        "disconnect-on-none" => healthy().disconnect(Point::Userauth, 2, "Go away"),
        "nothing-enabled" => healthy().disconnect(Point::Userauth, 2, "no authentication methods enabled"),
        "close-on-none" => healthy().on(Point::Userauth, Action::Close(Close::Fin)),
        "silence-on-none" => healthy().on(Point::Userauth, Action::Mute),
        "none-accepted" => healthy().userauth(Userauth::Success),
        // Under another name than OpenSSH's, which never does this and so gets no second chance.
        "chokes-on-pipelining" => {
            healthy().with_steps(vec![Script::ident("SSH-2.0-choker_1.0"), Step::Transport]).chokes_on_pipelining()
        }
        "noise" => healthy().noise(Point::Service).noise(Point::Userauth),
        _ => panic!("no responder is called {name}"),
    }
}

/// A server for any number of connections on a few threads. Dropping it closes the port and every connection.
pub(crate) struct Crowd {
    over: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Listens on `addr` inside the namespace with this many threads.
    pub(crate) fn start(netns: &Netns, addr: SocketAddr, script: Script, threads: usize) -> Self {
        let script = Arc::new(script);
        let over = CancellationToken::new();
        let serve = |_| {
            let (script, over) = (Arc::clone(&script), over.clone());
            let listener = netns.enter(|| listen(addr)).unwrap_or_else(|error| panic!("listening on {addr}: {error}"));
            netns.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let listener = TcpListener::from_std(listener).expect("a listener");
                    let _ = over.run_until_cancelled(demo::serve(listener, script)).await;
                });
            })
        };
        let threads = (0..threads).map(serve).collect();
        Self { over, threads }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.cancel();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One of several listeners on the same address: the kernel spreads connections over them.
fn listen(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(8192)?;
    Ok(socket.into())
}
