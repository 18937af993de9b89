//! Drives the scripted SSH server of `sshprobe_probes` over real connections: what needs real cryptography to go wrong, and
//! crowds of addresses that no sshd could serve.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sshprobe_probes::random::Seed;
use sshprobe_probes::responder::{Action, Close, Point, Responder, Script, Signing, Step, Userauth};
use sshprobe_probes::time::Moment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
                    let _ = over.run_until_cancelled(accept(listener, script)).await;
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

async fn accept(listener: TcpListener, script: Arc<Script>) {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
    loop {
        // Out of descriptors the backlog waits; anything else concerns one connection alone.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        let mut seed = [0x77; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let script = Arc::clone(&script);
        tokio::spawn(async move { drive(stream, script, Seed(seed)).await });
    }
}

/// Moves bytes between the connection and the responder until either is done.
async fn drive(mut stream: TcpStream, script: Arc<Script>, seed: Seed) -> io::Result<()> {
    let begun = Instant::now();
    let now = || Moment::from_micros(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    stream.set_nodelay(true)?;
    let mut responder = Responder::new(script, seed, now());
    let mut buffer = [0; 4096];
    loop {
        while !responder.output().is_empty() {
            let written = stream.write(responder.output()).await?;
            responder.written(written);
        }
        match responder.closed() {
            Some(Close::Rst) => return socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
            Some(Close::Fin) => return Ok(()),
            None => {}
        }
        let reads = responder.reads();
        let until = responder.deadline().map(|deadline| deadline.since(now()));
        tokio::select! {
            read = stream.read(&mut buffer), if reads => match read? {
                0 => responder.input_end(),
                count => responder.input(now(), &buffer[..count]),
            },
            () = tokio::time::sleep(until.unwrap_or_default()), if until.is_some() => responder.wake(now()),
            else => return Ok(()),
        }
    }
}
