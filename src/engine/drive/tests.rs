//! A probe over streams that do what no server can be made to do on cue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sshprobe_probes::evidence::{Evidence, Fault, Icmp, Stage};
use sshprobe_probes::plan::Plan;
use sshprobe_probes::random::Seed;
use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::transport::{PathEnd, SoftError};

/// What reading from a [`Staged`] stream comes to; at the end of the list it waits for ever.
enum Read {
    Bytes(Vec<u8>),
    /// One byte every millisecond of CPU time, and always another one.
    Flood,
    Soft(i32),
    Hard(i32),
}

#[derive(Default)]
struct Staged {
    reads: VecDeque<Read>,
    /// Every write fails with this.
    deaf: Option<i32>,
    /// The last error read was one that is outlived.
    soft: bool,
    pending: Option<i32>,
}

impl AsyncRead for Staged {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(next) = self.reads.pop_front() else { return Poll::Pending };
        match next {
            Read::Bytes(bytes) => into.put_slice(&bytes),
            Read::Flood => {
                thread::sleep(Duration::from_millis(1));
                into.put_slice(b"x");
                self.reads.push_front(Read::Flood);
            }
            Read::Soft(errno) | Read::Hard(errno) => {
                self.soft = matches!(next, Read::Soft(_));
                return Poll::Ready(Err(io::Error::from_raw_os_error(errno)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Staged {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(match self.deaf {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            // A byte at a time: what is left over has to be offered again.
            None => Ok(bytes.len().min(1)),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const ICMP: Icmp = Icmp { kind: 3, code: 1, from: None, v6: false };

impl Stream for Staged {
    fn outlived(&self, error: &io::Error) -> Option<SoftError> {
        self.soft.then(|| SoftError { errno: errno(error), icmp: Some(ICMP) })
    }

    fn pending(&mut self) -> Option<SoftError> {
        self.pending.take().map(|errno| SoftError { errno: Errno(errno), icmp: None })
    }

    async fn leave(self, _: Leave, _: bool) -> PathEnd {
        PathEnd::default()
    }
}

async fn driven(mut stream: Staged, plan: Plan) -> Evidence {
    let clock = Clock::start();
    let evidence = Evidence::new("127.0.0.1:22".parse().unwrap(), clock.now());
    let mut probe = Probe::new(Arc::new(plan), Seed([7; 32]), evidence, clock.now());
    drive(&mut stream, &mut probe, clock).await;
    probe.into_evidence(clock.now())
}

fn staged(reads: impl IntoIterator<Item = Read>) -> Staged {
    Staged { reads: reads.into_iter().collect(), ..Staged::default() }
}

fn plan(millis: u64) -> Plan {
    Plan { timeout: Duration::from_millis(millis), ..Plan::default() }
}

#[tokio::test]
async fn a_flood_does_not_starve_the_deadline() {
    // The header of a packet that would take half a minute to come at this pace.
    let header = [b"SSH-2.0-flood\r\n".to_vec(), vec![0, 0, 0x70, 0x04, 4]].concat();
    let began = Instant::now();
    let evidence = driven(staged([Read::Bytes(header), Read::Flood]), plan(100)).await;
    assert_eq!(evidence.fault, Some(Fault::Timeout));
    assert_eq!(evidence.stage, Stage::Kexinit);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_error_that_is_outlived_is_noted_and_the_connection_goes_on() {
    let reads = [Read::Soft(Errno::EHOSTUNREACH.0), Read::Bytes(b"SSH-2.0-late\r\n".to_vec())];
    let evidence = driven(staged(reads), plan(60)).await;
    assert!(evidence.ident.is_some(), "what came afterwards was heard");
    assert_eq!(evidence.fault, Some(Fault::Timeout), "the complaint had passed: the later silence is the server's");
    assert_eq!((evidence.path.errno, evidence.path.icmp), (Some(Errno::EHOSTUNREACH), Some(ICMP)));
}

#[tokio::test]
async fn silence_is_asked_for_its_reason_before_it_is_judged() {
    let stream = Staged { pending: Some(Errno::ENETUNREACH.0), ..Staged::default() };
    let evidence = driven(stream, plan(40)).await;
    assert_eq!((evidence.fault, evidence.path.errno), (Some(Fault::Lost), Some(Errno::ENETUNREACH)));
}

#[tokio::test]
async fn a_reset_ends_it_at_once() {
    let evidence = driven(staged([Read::Hard(Errno::ECONNRESET.0)]), plan(60_000)).await;
    assert_eq!((evidence.fault, evidence.stage), (Some(Fault::Reset), Stage::Ident));
}

#[tokio::test]
async fn after_a_failed_write_what_was_said_is_still_read() {
    let stream = Staged {
        deaf: Some(Errno::EPIPE.0),
        ..staged([
            Read::Bytes(b"SSH-2.0-x\r\n".to_vec()),
            Read::Bytes(b"too many sessions\r\n".to_vec()),
            Read::Bytes(Vec::new()),
        ])
    };
    let evidence = driven(stream, plan(60_000)).await;
    assert!(evidence.ident.is_some());
    assert_eq!(evidence.unparsed, b"too many sessions\r\n");
}
