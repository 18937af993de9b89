//! What a run may do, and what this machine lets it do.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::case::Settings;
use sshprobe_probes::plan::Plan;
use sshprobe_probes::record::Run;

use super::connector::UnderWay;
use crate::sys::clock::Clock;
use crate::sys::{descriptors, entropy};
use crate::target::Exclusions;
use crate::transport::tcp::{Tcp, Unusable};

/// The knobs of a run.
///
/// [`Options::default`] is what the command line does without options; set the fields that are to differ.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// What every case of the run is told: the plan of a connection, retries, the spacing per host, the run's name.
    pub settings: Arc<Settings>,
    /// The clock of the run, whose start is the epoch that [`Settings::run`] names.
    pub clock: Clock,
    /// How long one connect may take.
    pub connect_timeout: Duration,
    /// A connect is given less than [`Self::connect_timeout`] where round trips are known to be short, but never less than
    /// [`RoundTrips::LEAST`](sshprobe_probes::govern::roundtrip::RoundTrips::LEAST).
    pub adaptive: bool,
    /// Connections in flight. Lowered where descriptors are short.
    pub concurrency: usize,
    /// New connections a second, ramped up; 0 lifts the limit.
    pub rate: u32,
    /// Connections in flight per /24 or /64; 0 lifts the limit.
    pub per_subnet: u32,
    /// A SYN sweep goes in front: plain addresses that do not answer it are not connected to. Its packets have the source and
    /// interface that its sockets were opened with. For a run that goes straight to its targets.
    #[cfg(feature = "syn")]
    pub syn: Option<super::syn::Syn>,
    /// The address connections come from, else as the kernel routes.
    pub source: Option<IpAddr>,
    /// The interface they leave through, else as the kernel routes.
    pub interface: Option<String>,
    /// Every address of a name is a target of its own, with its own record.
    pub all_addresses: bool,
    /// The DNS is asked what it says about the host keys of names; what it says counts only where keys are judged at all.
    pub sshfp: bool,
    /// What to log in with at [`Depth::Login`](sshprobe_probes::plan::Depth::Login).
    #[cfg(feature = "login")]
    pub credentials: Arc<crate::login::Credentials>,
    /// Addresses not to be probed even if a name leads to them. (Targets that are addresses were excluded at their source.)
    pub exclusions: Arc<Exclusions>,
    /// The run, for what comes to be before it and takes part in it: jump hosts.
    pub(super) under_way: UnderWay,
}

/// Why a run cannot start. A program error: nothing has been sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// The way out that was asked for is not there.
    #[error(transparent)]
    Network(#[from] Unusable),
    /// This machine does not even let us have a handful of connections.
    #[error(
        "this process may open {allowed} files and has {open} open: not enough to probe anything; raise the limit (ulimit -n)"
    )]
    Descriptors {
        /// The limit, after it was raised as far as it goes.
        allowed: u64,
        /// How many are in use.
        open: u64,
    },
    /// This build of the library has no russh in it.
    #[error("--depth login: this build cannot log in; build it with the cargo feature `login`")]
    NoLogin,
    /// Something else that the kernel refused.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl Options {
    /// The defaults, with `plan` for every connection.
    ///
    /// The clock starts now: a run that begins much later counts the time until then as its own.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let clock = Clock::start();
        let epoch = clock.epoch();
        // A name for the run is no secret: without randomness the time will do.
        let id = entropy::number().unwrap_or(epoch.0);
        let run = Run { id: format!("{id:016x}").into(), version: env!("CARGO_PKG_VERSION"), epoch };
        let settings = Settings {
            plan: Arc::new(plan),
            retries: 1,
            per_host: Duration::from_millis(1200),
            run: Arc::new(run),
            trust: None,
        };
        Self {
            settings: Arc::new(settings),
            clock,
            connect_timeout: Duration::from_secs(5),
            adaptive: true,
            concurrency: 1000,
            rate: 1000,
            per_subnet: 256,
            #[cfg(feature = "syn")]
            syn: None,
            source: None,
            interface: None,
            all_addresses: false,
            sshfp: false,
            #[cfg(feature = "login")]
            credentials: Arc::default(),
            exclusions: Arc::default(),
            under_way: UnderWay::default(),
        }
    }
}

impl Options {
    /// Gives the run the name of an earlier part of it.
    pub fn name_run(&mut self, id: String) {
        let run = Arc::new(Run { id: id.into(), ..(*self.settings.run).clone() });
        self.settings = Arc::new(Settings { run, ..(*self.settings).clone() });
    }

    /// Plain TCP as these options have it, for a way to the targets that begins with it.
    ///
    /// # Errors
    /// The address or interface asked for is not this machine's.
    pub fn tcp(&self) -> Result<Tcp, Unusable> {
        Tcp::new(self.clock, self.connect_timeout).from(self.source, self.interface.as_deref())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new(Plan::default())
    }
}

/// How many of everything there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Connections in flight.
    pub(super) connections: usize,
    /// Names asked for at a time: each question may hold a socket.
    pub(super) questions: usize,
    /// Targets taken from the source and not done: in flight, pacing, or waiting for their record to be taken.
    pub(super) cases: usize,
    /// Names waiting for their addresses, beside those.
    pub(super) names: usize,
}

impl Shares {
    /// Descriptors for everything that is no connection: output, timers, signals, name servers' configuration.
    const RESERVE: u64 = 16;
    const QUESTIONS: usize = 128;
    /// A question goes out over two sockets, one for each family.
    const PER_QUESTION: usize = 2;

    /// Raises the limit of this process as far as needed, and makes do with what there is.
    pub(super) fn of_this_process(wanted: usize) -> Result<Self, Unfit> {
        let wanted = wanted.max(1);
        let open = descriptors::open();
        let needed = open + Self::RESERVE + (wanted + Self::QUESTIONS * Self::PER_QUESTION) as u64;
        let allowed =
            descriptors::allow(needed).map_err(|source| Unfit::System { what: "the limit of open files", source })?;
        Self::of(wanted, allowed, open).ok_or(Unfit::Descriptors { allowed, open })
    }

    fn of(wanted: usize, allowed: u64, open: u64) -> Option<Self> {
        let free = usize::try_from(allowed.checked_sub(open + Self::RESERVE)?).unwrap_or(usize::MAX);
        let questions = (free / 8).clamp(1, Self::QUESTIONS);
        let left = free.checked_sub(questions * Self::PER_QUESTION)?;
        let connections = wanted.min(left);
        if connections == 0 {
            return None;
        }
        // While one connection is up, others wait for their retry, seconds each: enough of them to keep the slots busy. A
        // case that waits takes two or three kilobytes.
        Some(Self { connections, questions, cases: connections * 4 + 256, names: 4096 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_descriptors_leave_everything_as_asked() {
        let shares = Shares::of(1000, 2000, 10).unwrap();
        assert_eq!((shares.connections, shares.questions), (1000, 128));
        assert!(shares.cases > shares.connections);
    }

    #[test]
    fn too_few_lower_the_connections_and_leave_room_for_the_rest() {
        let shares = Shares::of(1000, 64, 12).unwrap();
        assert_eq!((shares.connections, shares.questions), (28, 4));
        assert!(shares.connections + 2 * shares.questions + 12 < 64);
    }

    #[test]
    fn none_at_all_is_an_error() {
        assert_eq!(Shares::of(1000, 20, 12), None);
        assert_eq!(Shares::of(1000, 30, 12), None, "enough for a name, none for a connection");
        assert!(Shares::of(1000, 31, 12).is_some());
    }

    #[test]
    fn two_runs_have_two_names() {
        assert_ne!(Options::default().settings.run.id, Options::default().settings.run.id);
    }
}
