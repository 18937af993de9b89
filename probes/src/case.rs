//! ONE target over as many connections as it takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::plan::Plan;
use crate::record::{Record, Run};
use crate::target::Target;
use crate::time::Moment;

/// What is the same for every case of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The plan of an ordinary connection.
    pub plan: Arc<Plan>,
    /// Further tries after a transient answer.
    pub retries: u32,
    /// Between connections to one host, from the end of one to the start of the next.
    pub per_host: Duration,
    /// The run every record names.
    pub run: Arc<Run>,
}

/// What a case wants next.
#[derive(Debug)]
pub enum Next {
    /// Open a connection, then give its evidence to [`Case::add`].
    Connect(Connect),
    /// Nothing more: the target's one record.
    Done(Box<Record>),
}

/// A connection to be opened.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Where to.
    pub addr: SocketAddr,
    /// What to do there.
    pub plan: Arc<Plan>,
    /// Not before this moment; until then the case holds no connection slot.
    pub not_before: Moment,
    /// TCP_MAXSEG to set before connecting, in bytes.
    pub mss: Option<u16>,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveFault {
    /// NXDOMAIN: the name does not exist.
    NxDomain,
    /// SERVFAIL, REFUSED or another error code of the resolver's; the text names it.
    ServFail(String),
    /// The name exists and has no address (of the family asked for).
    NoAddress,
    /// No resolver answered in time.
    Timeout,
}

/// The state of one target.
#[derive(Debug)]
pub struct Case {
    target: Target,
    settings: Arc<Settings>,
    evidence: Vec<Evidence>,
}

impl Case {
    /// A target with its addresses, in the order to try them. `resolve` is how long resolving took; `entropy` decides random delays.
    #[must_use]
    pub fn new(target: Target, addrs: Vec<SocketAddr>, resolve: Option<Duration>, settings: Arc<Settings>, now: Moment, entropy: u64) -> Self {
        let _ = (addrs, resolve, entropy, now);
        Self { target, settings, evidence: Vec::new() }
    }

    /// A target whose name has no address.
    #[must_use]
    pub fn unresolved(target: Target, fault: ResolveFault, resolve: Duration, settings: Arc<Settings>, now: Moment) -> Self {
        let _ = (fault, resolve, now);
        Self { target, settings, evidence: Vec::new() }
    }

    /// What to do now. Call again after [`Case::add`].
    pub fn next(&mut self, now: Moment) -> Next {
        let _ = (now, &self.target, &self.settings, &self.evidence);
        Next::Done(Box::default())
    }

    /// The evidence of the connection asked for.
    pub fn add(&mut self, evidence: Evidence) {
        self.evidence.push(evidence);
    }
}
