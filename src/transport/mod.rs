//! How a byte stream to a target is opened.
//!
//! A transport yields the stream and, in the [`Evidence`], what its path showed on the way: addresses, timing, errno,
//! ICMP. Each is one file and one variant here; the probe runs unchanged over all of them.

pub(crate) mod tcp;

use sshprobe_probes::case::Connect;
use sshprobe_probes::evidence::{Errno, Evidence};
use tokio::net::TcpStream;

pub use tcp::Tcp;

use crate::engine::Clock;

/// A way to reach targets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Transport {
    /// Straight over TCP.
    Tcp(Tcp),
}

/// What came of opening a stream.
#[derive(Debug)]
pub enum Opening {
    /// It is open.
    Open(TcpStream),
    /// The target or the network said no, or nothing: the evidence's fault says what.
    Failed,
    /// This machine could not even try.
    Trouble(Errno),
}

impl Transport {
    /// Opens a stream as `connect` says; what was learned on the way goes into `evidence`.
    pub async fn open(&self, connect: &Connect, evidence: &mut Evidence, clock: &Clock) -> Opening {
        match self {
            Transport::Tcp(tcp) => tcp.open(connect, evidence, clock).await,
        }
    }
}
