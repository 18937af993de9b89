//! Puts a scripted responder behind a listening socket.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use sshprobe_probes::random::Seed;
use sshprobe_probes::responder::{Close, Responder, Script};
use sshprobe_probes::time::Moment;
use tokio::net::{TcpListener, TcpStream};

/// How long to wait after a failed accept(): it fails when descriptors are short, and asking again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Answers every connection as `script` says, until it is dropped.
pub async fn serve(listener: TcpListener, script: Arc<Script>) {
    let begun = Instant::now();
    let mut counter = 0u64;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        counter = counter.wrapping_add(1);
        let mut seed = [0x5e; 32];
        seed[..8].copy_from_slice(&counter.to_be_bytes());
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            let mut responder = Responder::new(script, Seed(seed), moment(begun));
            // A client that goes away is its own affair.
            let _ = converse(&stream, &mut responder, begun).await;
        });
    }
}

/// What the clock of a server shows that began at `begun`.
#[must_use]
pub fn moment(begun: Instant) -> Moment {
    Moment::from_micros(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// Drives one responder over one connection, to its end.
///
/// # Errors
/// The connection broke.
pub async fn converse(stream: &TcpStream, responder: &mut Responder, begun: Instant) -> io::Result<()> {
    let now = || moment(begun);
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    loop {
        while !responder.output().is_empty() {
            match stream.try_write(responder.output()) {
                Ok(count) => responder.written(count),
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
                Err(fault) => return Err(fault),
            }
        }
        match responder.closed() {
            Some(Close::Rst) => return SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Some(Close::Fin) => return Ok(()),
            None => {}
        }
        let deadline = responder.deadline();
        let time = async {
            match deadline {
                Some(at) => tokio::time::sleep_until((begun + Duration::from_micros(at.as_micros())).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = stream.readable(), if responder.reads() => {
                ready?;
                match stream.try_read(&mut buffer) {
                    Ok(0) => responder.input_end(),
                    Ok(count) => responder.input(now(), &buffer[..count]),
                    Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                    Err(fault) => return Err(fault),
                }
            }
            () = time => responder.wake(now()),
        }
    }
}
