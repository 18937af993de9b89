//! Servers that do what real ones do only on a bad day: each is a list of steps, needs no cryptography and repeats itself on
//! every connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{Shutdown as ShutdownHow, shutdown};

use super::netns::Netns;

/// What a scripted server does next. After the last step it closes; with unread bytes left the kernel makes that a reset.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Send these bytes in one write.
    Send(Vec<u8>),
    /// Send these bytes one by one, this long apart.
    Drip(Vec<u8>, Duration),
    /// Send lines of random text for ever, this long apart, as endlessh does.
    Babble(Duration),
    /// Wait until the client has sent something, and leave it unread.
    Hear,
    /// Read one line.
    ReadLine,
    /// Read this many unencrypted SSH packets (RFC 4253 section 6).
    ReadPackets(u32),
    /// Do nothing for so long.
    Pause(Duration),
    /// Read and say nothing until the client is gone.
    Hold,
    /// Send a FIN, then read until the client is gone: no unread byte turns the end into a reset.
    Finish,
    /// Close with a reset (SO_LINGER 0).
    Reset,
    /// From here on be a pipe to this address.
    Relay(SocketAddr),
}

/// The steps of the server a scenario calls `script:NAME`. `sshd` is a real server for those who lead to one.
pub(crate) fn script(name: &str, sshd: SocketAddr) -> Vec<Step> {
    use Step::{Babble, Drip, Finish, Hear, Hold, Pause, ReadLine, ReadPackets, Relay, Reset};
    let send = |text: &str| Step::Send(text.as_bytes().to_vec());
    let ident = || send("SSH-2.0-scripted_1.0\r\n");
    let second = Duration::from_secs(1);
    match name {
        "close" => vec![],
        "reset" => vec![Reset],
        "silence" => vec![Hold],
        // libwrap sleeps five seconds before it exits: hosts.deny, DenyHosts, fail2ban's hostsdeny. Here it is a little less, as
        // on a busy machine accept() comes late.
        "close-after-5s" => vec![Pause(second * 49 / 10)],
        "close-after-ident" => vec![ident(), ReadLine, Finish],
        "reset-after-ident" => vec![ident(), ReadLine, Reset],
        "ident-then-silence" => vec![ident(), Hold],
        "half-ident" => vec![send("SSH-2.0-scr"), Finish],
        "slow-drip" => vec![Drip(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n".to_vec(), second * 7 / 10), Hold],
        "http" => {
            let page = "<html><body>400 Bad Request</body></html>\r\n";
            let head =
                format!("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", page.len());
            vec![ReadLine, send(&head), send(page), Finish]
        }
        // A fatal alert, protocol_version: what a TLS server makes of the letters "SSH-".
        "tls" => vec![Hear, Step::Send(vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]), Finish],
        "smtp" => vec![send("220 mail.example.org ESMTP Postfix\r\n"), Hold],
        "ftp" => vec![send("220---------- Welcome to Pure-FTPd ----------\r\n220 FTP\r\n"), Hold],
        "endlessh" => vec![Babble(second * 3 / 2)],
        "ssh-1.5" => vec![send("SSH-1.5-Cisco-1.25\n"), Hold],
        // OpenSSH's listener writes and closes; nothing the client might have sent is ever read.
        "maxstartups" => vec![send("Exceeded MaxStartups\r\n")],
        "maxstartups-reads" => vec![send("Exceeded MaxStartups\r\n"), Finish],
        // The same when the client was quicker: its bytes lie unread, so the text is followed by a reset.
        "maxstartups-late" => vec![Hear, send("Exceeded MaxStartups\r\n")],
        "not-allowed" => vec![send("Not allowed at this time\r\n")],
        "not-allowed-reads" => vec![send("Not allowed at this time\r\n"), Finish],
        "not-allowed-late" => vec![Hear, send("Not allowed at this time\r\n")],
        "denied-text" => vec![send("Access to service sshd from nobody@192.0.2.1 has been denied.\r\n"), Finish],
        "broken-sshd" => vec![send("/etc/ssh/sshd_config: No such file or directory\r\n"), Finish],
        "protocol-mismatch" => vec![ReadLine, send("Protocol mismatch.\n"), Finish],
        "garbage-packet" => vec![ident(), ReadLine, Step::Send(vec![0xff; 64]), Finish],
        "disconnect-12" => vec![ident(), ReadLine, Step::Send(disconnect(12, "Too many connections")), Finish],
        "no-common-kex" => vec![ident(), ReadLine, kexinit(0), Finish],
        "no-common-hostkey" => vec![ident(), ReadLine, kexinit(1), Finish],
        "no-common-cipher" => vec![ident(), ReadLine, kexinit(2), Finish],
        "no-common-mac" => vec![ident(), ReadLine, kexinit(4), Finish],
        "no-common-compression" => vec![ident(), ReadLine, kexinit(6), Finish],
        // Our KEXINIT and the first message of the key exchange are read, the reply never comes.
        "close-in-kex" => vec![ident(), ReadLine, kexinit(99), ReadPackets(2), Finish],
        "reset-in-kex" => vec![ident(), ReadLine, kexinit(99), ReadPackets(2), Reset],
        "silence-in-kex" => vec![ident(), ReadLine, kexinit(99), Hold],
        "preamble-then-sshd" => vec![send("This is a private machine.\r\n*** go away ***\r\n"), Relay(sshd)],
        // sslh and the like wait for the client to speak before they choose a backend.
        "client-first-then-sshd" => vec![Hear, Relay(sshd)],
        _ => panic!("no scripted server is called {name}"),
    }
}

/// A KEXINIT with one list of names nobody ever heard of, for index 0 to 9 in the order of RFC 4253 section 7.1.
fn kexinit(unheard_of: usize) -> Step {
    let mut lists = [
        "curve25519-sha256,ecdh-sha2-nistp256",
        "ssh-ed25519,rsa-sha2-512",
        "aes256-ctr,aes128-ctr",
        "aes256-ctr,aes128-ctr",
        "hmac-sha2-256,hmac-sha2-512",
        "hmac-sha2-256,hmac-sha2-512",
        "none",
        "none",
        "",
        "",
    ];
    if let Some(list) = lists.get_mut(unheard_of) {
        *list = "unheard-of@example.org,sesame@example.org";
    }
    let mut payload = vec![20];
    payload.extend([0x5a; 16]);
    for list in lists {
        string(&mut payload, list);
    }
    payload.extend([0; 5]);
    Step::Send(packet(&payload))
}

fn disconnect(code: u32, text: &str) -> Vec<u8> {
    let mut payload = vec![1];
    payload.extend(code.to_be_bytes());
    string(&mut payload, text);
    string(&mut payload, "");
    packet(&payload)
}

fn string(payload: &mut Vec<u8>, text: &str) {
    payload.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
    payload.extend(text.as_bytes());
}

/// The unencrypted packet around a payload (RFC 4253 section 6).
pub(crate) fn packet(payload: &[u8]) -> Vec<u8> {
    let mut padding = 8 - (payload.len() + 5) % 8;
    if padding < 4 {
        padding += 8;
    }
    let mut bytes = u32::try_from(payload.len() + padding + 1).expect("short").to_be_bytes().to_vec();
    bytes.push(u8::try_from(padding).expect("short"));
    bytes.extend(payload);
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

/// A listener that gives each connection to a thread of its own. Dropping it closes the port.
pub(crate) struct Acceptor {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Listens on `addr` inside the namespace; what `serve` returns is of no interest, errors are how clients end it.
    pub(crate) fn start(
        netns: &Netns,
        addr: SocketAddr,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener =
            netns.enter(|| TcpListener::bind(addr)).unwrap_or_else(|error| panic!("listening on {addr}: {error}"));
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        let serve = Arc::new(serve);
        // Inside the namespace too, for those who start a process or open a connection of their own.
        let thread = netns.spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self { listener, thread: Some(thread) }
    }

    /// Serves these steps on `addr`.
    pub(crate) fn script(netns: &Netns, addr: SocketAddr, steps: Vec<Step>) -> Self {
        Self::start(netns, addr, move |mut stream| {
            stream.set_nodelay(true)?;
            steps.iter().try_for_each(|step| take(step, &mut stream))
        })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        // On Linux this wakes accept() with EINVAL.
        let _ = shutdown(self.listener.as_raw_fd(), ShutdownHow::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take(step: &Step, stream: &mut TcpStream) -> io::Result<()> {
    match step {
        Step::Send(bytes) => stream.write_all(bytes),
        Step::Drip(bytes, every) => bytes.iter().try_for_each(|byte| {
            thread::sleep(*every);
            stream.write_all(&[*byte])
        }),
        Step::Babble(every) => babble(stream, *every),
        Step::Hear => stream.peek(&mut [0]).map(drop),
        Step::ReadLine => {
            let mut byte = [0];
            while byte != [b'\n'] {
                stream.read_exact(&mut byte)?;
            }
            Ok(())
        }
        Step::ReadPackets(count) => (0..*count).try_for_each(|_| {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            io::copy(&mut stream.take(u32::from_be_bytes(length).into()), &mut io::sink()).map(drop)
        }),
        Step::Pause(time) => {
            thread::sleep(*time);
            Ok(())
        }
        Step::Hold => io::copy(stream, &mut io::sink()).map(drop),
        Step::Finish => {
            stream.shutdown(Shutdown::Write)?;
            io::copy(stream, &mut io::sink()).map(drop)
        }
        Step::Reset => socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO)),
        Step::Relay(addr) => relay(stream, *addr),
    }
}

/// Lines of 3 to 32 bytes whose content means nothing, until the client is gone.
fn babble(stream: &mut TcpStream, every: Duration) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    loop {
        thread::sleep(every);
        let length = 1 + next() % 30;
        let mut line: Vec<u8> = (0..length).map(|_| b'!' + u8::try_from(next() % 94).expect("below 94")).collect();
        line.extend(b"\r\n");
        stream.write_all(&line)?;
    }
}

/// Copies both ways until both ends have closed.
fn relay(client: &mut TcpStream, addr: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(addr)?;
    server.set_nodelay(true)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Write);
        });
        let copied = io::copy(client, &mut server).map(drop);
        let _ = server.shutdown(Shutdown::Write);
        copied
    })
}
