//! TCP, with everything the kernel tells an ordinary user about why it failed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use sshprobe_probes::case::Connect;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, Stage};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::Opening;
use crate::engine::Clock;
use crate::sys::error_queue;

/// How TCP connections are opened.
#[derive(Debug, Clone)]
pub struct Tcp {
    /// How long one connect may take. Below 3.5 s a dead neighbour (3.1 s) looks like silence.
    pub connect_timeout: Duration,
    /// The source address to bind to.
    pub source: Option<IpAddr>,
    /// The interface to send through (SO_BINDTODEVICE).
    pub interface: Option<String>,
}

impl Tcp {
    pub(super) async fn open(&self, connect: &Connect, evidence: &mut Evidence, clock: &Clock) -> Opening {
        evidence.mss = connect.mss;
        let opening = self.connect(connect, evidence, clock).await;
        let took = clock.now().since(evidence.started);
        match opening {
            Ok(stream) => {
                evidence.timing.connect = Some(took);
                evidence.path.local = stream.local_addr().ok();
                evidence.stage = Stage::Ident;
                Opening::Open(stream)
            }
            Err(Refusal::Trouble(errno)) => Opening::Trouble(errno),
            Err(Refusal::Silence) => {
                evidence.fault = Some(Fault::ConnectTimeout);
                evidence.timing.connect = Some(took);
                Opening::Failed
            }
            Err(Refusal::Error(errno)) => {
                evidence.path.errno = Some(errno);
                evidence.fault = Some(Fault::Connect);
                evidence.timing.connect = Some(took);
                Opening::Failed
            }
        }
    }

    async fn connect(
        &self,
        connect: &Connect,
        evidence: &mut Evidence,
        clock: &Clock,
    ) -> Result<TcpStream, Refusal> {
        let socket = self.socket(connect)?;
        match socket.connect(&connect.addr.into()) {
            Ok(()) => {}
            Err(fault) if fault.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            Err(fault) => return Err(Refusal::of(&fault)),
        }
        let stream = TcpStream::from_std(socket.into()).map_err(|fault| Refusal::Trouble(errno(&fault)))?;
        let deadline = clock.instant(evidence.started + self.connect_timeout);
        let connected = async {
            loop {
                stream.writable().await?;
                if let Some(fault) = stream.take_error()? {
                    return Err(fault);
                }
                // Readiness may be spurious: only a connected socket has a peer.
                let peer = stream.try_io(Interest::WRITABLE, || match stream.peer_addr() {
                    Err(fault) if fault.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
                    other => other,
                });
                match peer {
                    Ok(_) => return Ok(()),
                    Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                    Err(fault) => return Err(fault),
                }
            }
        };
        match timeout_at(deadline, connected).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(fault)) => {
                evidence.path.icmp = error_queue::take(&stream);
                Err(Refusal::of(&fault))
            }
            Err(_) => Err(Refusal::Silence),
        }
    }

    fn socket(&self, connect: &Connect) -> Result<Socket, Refusal> {
        let trouble = |fault: io::Error| Refusal::Trouble(errno(&fault));
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(connect.addr), kind, Some(Protocol::TCP)).map_err(trouble)?;
        // Without it the verdict is coarser and slower, not wrong.
        let _ = error_queue::enable(&socket, connect.addr.is_ipv6());
        socket.set_tcp_nodelay(true).map_err(trouble)?;
        if let Some(mss) = connect.mss {
            socket.set_tcp_mss(u32::from(mss)).map_err(trouble)?;
        }
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes())).map_err(trouble)?;
        }
        if let Some(source) = self.source
            && source.is_ipv4() == connect.addr.is_ipv4()
        {
            socket.bind(&SocketAddr::new(source, 0).into()).map_err(trouble)?;
        }
        Ok(socket)
    }
}

/// Why there is no connection.
#[derive(Debug)]
enum Refusal {
    /// This machine's own shortage.
    Trouble(Errno),
    /// Nothing came within the time.
    Silence,
    /// connect() failed.
    Error(Errno),
}

impl Refusal {
    /// Shortages are told apart from what the network said. EAGAIN is what connect() gives where no port is left.
    fn of(fault: &io::Error) -> Self {
        let errno = errno(fault);
        match errno {
            Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EADDRNOTAVAIL | Errno::EAGAIN => {
                Refusal::Trouble(errno)
            }
            _ => Refusal::Error(errno),
        }
    }
}

/// The error's number; EIO for the few that the standard library makes up itself.
pub(crate) fn errno(fault: &io::Error) -> Errno {
    Errno(fault.raw_os_error().unwrap_or(Errno::EIO.0))
}

/// Leaves with RST instead of FIN when the stream is dropped.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    // Failing means that the connection is gone already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
