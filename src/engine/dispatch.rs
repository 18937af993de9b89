//! The dispatcher: one task that owns all that is counted and decides which connection may start when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sshprobe_probes::case::{Case, Connect, Next};
use sshprobe_probes::evidence::{Evidence, Fault, LocalTrouble};
use sshprobe_probes::govern::host::HostGate;
use sshprobe_probes::govern::rate::Rate;
use sshprobe_probes::govern::subnet::Subnet;
use sshprobe_probes::govern::trouble::{LocalBackoff, Patience};
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::time::Moment;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::clock::{Clock, entropy};
use super::connection::{Ended, connection, guarded};
use super::options::Options;
use super::stats::Stats;
use crate::resolve::Resolver;
use crate::sys::conntrack::Conntrack;
use crate::sys::descriptors;
use crate::target::{Exclusions, InputProblem};

/// Targets read ahead of the dispatcher.
const READ_AHEAD: usize = 256;

/// Cases alive at once beyond those with a connection: they wait for their name, their spacing, a retry, or the sink. What
/// one of them keeps is a few kilobytes at most.
const ALIVE_BEYOND: usize = 4096;

/// Cases that could start but for a limit of theirs (their subnet's, their host's) before no further target is looked at.
const HELD_BACK: usize = 512;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Our own faults: targets whose record says `internal`.
    pub internal: u64,
    /// Bad lines of a stream of targets; each was reported when it came.
    pub problems: u64,
    /// The run was cancelled before all targets were done.
    pub cancelled: bool,
    /// The sink was closed before all records were handed on.
    pub sink_closed: bool,
}

/// A case on its way.
struct Pending {
    case: Case,
    target: Target,
    connect: Connect,
    patience: Patience,
}

/// What tasks tell the dispatcher.
enum Event {
    /// A connection is over, and its slot is free.
    Over { addr: IpAddr, opened: bool },
    /// A case wants another connection, or its first.
    Again(Box<Pending>),
    /// This machine could not even try.
    Trouble(Box<Pending>),
    /// A record was handed on, or could not be.
    Handed { internal: bool, closed: bool },
    /// One more case came to be, from a name with several addresses.
    Born,
}

/// Sweeps `targets`: exactly one record for each goes into `sink`, in the order in which they are done.
///
/// Targets are pulled on a thread of their own, as they may come from a pipe. Nothing is held in memory but what is under
/// way: a sink that is not drained stops the sweep, and nothing is lost. `report` is told of bad lines in a stream of
/// targets. After `cancel` no further record is made; those made are handed on.
pub async fn run<T>(
    options: Options,
    targets: T,
    exclusions: Arc<Exclusions>,
    resolver: Arc<Resolver>,
    sink: mpsc::Sender<Box<Record>>,
    report: impl Fn(&InputProblem) + Send + Sync + 'static,
    cancel: CancellationToken,
    stats: Arc<Stats>,
    clock: Clock,
) -> Outcome
where
    T: Iterator<Item = Result<Target, InputProblem>> + Send + 'static,
{
    let (feed, fed) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        for target in targets {
            // The dispatcher is gone: nobody wants more.
            if feed.blocking_send(target).is_err() {
                return;
            }
        }
    });
    let concurrency = descriptors::available().map_or(options.concurrency, |most| most.min(options.concurrency)).max(1);
    let (events, inbox) = mpsc::unbounded_channel();
    let now = clock.now();
    let dispatcher = Dispatcher {
        rate: Rate::new(options.rate, now),
        subnets: Subnet::new(options.per_subnet),
        hosts: HostGate::new(options.settings.per_host),
        backoff: LocalBackoff::new(concurrency),
        conntrack: Conntrack::default(),
        in_flight: 0,
        alive: 0,
        most_alive: concurrency.saturating_add(ALIVE_BEYOND),
        ready: VecDeque::new(),
        later: BinaryHeap::new(),
        sequence: 0,
        shared: Arc::new(Shared { options, exclusions, resolver, sink, events, stats, clock }),
        tasks: JoinSet::new(),
        outcome: Outcome::default(),
    };
    dispatcher.run(fed, inbox, report, cancel).await
}

/// What every task needs.
struct Shared {
    options: Options,
    exclusions: Arc<Exclusions>,
    resolver: Arc<Resolver>,
    sink: mpsc::Sender<Box<Record>>,
    events: mpsc::UnboundedSender<Event>,
    stats: Arc<Stats>,
    clock: Clock,
}

struct Dispatcher {
    rate: Rate,
    subnets: Subnet,
    hosts: HostGate,
    backoff: LocalBackoff,
    conntrack: Conntrack,
    in_flight: usize,
    /// Cases without a record yet.
    alive: usize,
    most_alive: usize,
    /// May start as soon as the limits allow.
    ready: VecDeque<Box<Pending>>,
    /// May not start before a moment.
    later: BinaryHeap<Reverse<Timed>>,
    /// Keeps what is due at one moment in the order in which it came.
    sequence: u64,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    outcome: Outcome,
}

/// A case in the queue of those that wait for a moment.
struct Timed {
    at: Moment,
    sequence: u64,
    pending: Box<Pending>,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Timed {}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl Dispatcher {
    async fn run(
        mut self,
        mut fed: mpsc::Receiver<Result<Target, InputProblem>>,
        mut inbox: mpsc::UnboundedReceiver<Event>,
        report: impl Fn(&InputProblem),
        cancel: CancellationToken,
    ) -> Outcome {
        let mut exhausted = false;
        loop {
            let wake = self.start_what_may();
            self.count();
            if exhausted && self.alive == 0 {
                break;
            }
            let hungry = !exhausted && self.ready.len() < HELD_BACK && self.alive < self.most_alive && wake.slots;
            let clock = self.shared.clock;
            let timer = async {
                match wake.at {
                    Some(at) => sleep_until(clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    self.outcome.cancelled = true;
                    break;
                }
                Some(event) = inbox.recv() => self.handle(event),
                target = fed.recv(), if hungry => match target {
                    Some(Ok(target)) => self.take(target),
                    Some(Err(problem)) => {
                        self.outcome.problems += 1;
                        report(&problem);
                    }
                    None => exhausted = true,
                },
                () = timer => {}
                Some(_) = self.tasks.join_next() => {}
            }
            if self.outcome.sink_closed {
                break;
            }
        }
        // What is in flight is dropped, sockets and all; what was handed on stays handed on.
        self.tasks.shutdown().await;
        while let Ok(event) = inbox.try_recv() {
            if let Event::Handed { internal, .. } = event {
                self.outcome.internal += u64::from(internal);
            }
        }
        self.outcome
    }

    fn count(&self) {
        let waiting = self.ready.len() + self.later.len();
        self.shared.stats.in_flight.store(self.in_flight as u64, Relaxed);
        self.shared.stats.waiting.store(waiting as u64, Relaxed);
    }

    /// A target from the source becomes a case: at once if it is an address, after a look-up if it is a name.
    fn take(&mut self, target: Target) {
        self.shared.stats.fed.fetch_add(1, Relaxed);
        self.alive += 1;
        let shared = Arc::clone(&self.shared);
        match &target.host {
            Host::Addr(addr, scope) => {
                let addr = socket_addr(*addr, *scope, target.port);
                if let Some(pending) = shared.begin(target, vec![addr], None) {
                    self.ready.push_back(pending);
                } else {
                    self.alive -= 1;
                }
            }
            Host::Name(_) => {
                self.tasks.spawn(async move { shared.resolve(target).await });
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Over { addr, opened } => {
                let now = self.shared.clock.now();
                self.in_flight -= 1;
                self.subnets.leave(addr);
                self.hosts.ended(addr, now);
                if opened {
                    self.backoff.recovered(now);
                }
            }
            Event::Again(pending) => self.ready.push_back(pending),
            Event::Trouble(pending) => self.trouble(pending),
            Event::Handed { internal, closed } => {
                self.alive -= 1;
                self.outcome.internal += u64::from(internal);
                self.outcome.sink_closed |= closed;
            }
            Event::Born => self.alive += 1,
        }
    }

    /// The same connection is tried again later, for a while; then the record says whose trouble it was.
    fn trouble(&mut self, mut pending: Box<Pending>) {
        let now = self.shared.clock.now();
        self.shared.stats.trouble.fetch_add(1, Relaxed);
        if pending.patience.exhausted(now) {
            let mut evidence = Evidence::new(pending.connect.addr, now);
            evidence.fault = Some(Fault::Local(LocalTrouble::ResourceLimit));
            pending.case.add(evidence);
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move { shared.advance(pending).await });
            return;
        }
        let at = self.backoff.note(self.in_flight, now);
        self.wait(at, pending);
    }

    fn wait(&mut self, at: Moment, pending: Box<Pending>) {
        self.sequence += 1;
        self.later.push(Reverse(Timed { at, sequence: self.sequence, pending }));
    }

    /// Starts every connection that may start now; says what to wait for.
    fn start_what_may(&mut self) -> Wake {
        let now = self.shared.clock.now();
        while self.later.peek().is_some_and(|Reverse(timed)| timed.at <= now) {
            if let Some(Reverse(timed)) = self.later.pop() {
                self.ready.push_back(timed.pending);
            }
        }
        let mut wake = Wake { at: None, slots: true };
        for _ in 0..self.ready.len() {
            if self.in_flight >= self.backoff.allowed() {
                wake.slots = false;
                break;
            }
            let Some(pending) = self.ready.pop_front() else { break };
            let addr = pending.connect.addr.ip();
            let not_before = pending.connect.not_before;
            if not_before > now {
                self.wait(not_before, pending);
                continue;
            }
            if let Err(at) = self.hosts.may_start(addr, now) {
                self.wait(at, pending);
                continue;
            }
            if !self.subnets.enter(addr) {
                self.ready.push_back(pending);
                continue;
            }
            if let Err(at) = self.rate.permit(now) {
                self.subnets.leave(addr);
                self.ready.push_front(pending);
                wake = Wake { at: Some(at), slots: false };
                break;
            }
            self.hosts.started(addr);
            self.start(pending, now);
        }
        let due = self.later.peek().map(|Reverse(timed)| timed.at);
        wake.at = [wake.at, due].into_iter().flatten().min();
        wake
    }

    fn start(&mut self, pending: Box<Pending>, now: Moment) {
        self.in_flight += 1;
        self.shared.stats.connections.fetch_add(1, Relaxed);
        let full = self.conntrack.full(now);
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move { shared.connect(pending, full).await });
    }
}

/// What the dispatcher waits for beside events.
struct Wake {
    /// Something may be possible then.
    at: Option<Moment>,
    /// Whether a new target could start now at all.
    slots: bool,
}

impl Shared {
    /// A case with its first connection. `None` where the case was done at once, which none with an address is.
    fn begin(&self, target: Target, addrs: Vec<SocketAddr>, resolve: Option<Duration>) -> Option<Box<Pending>> {
        let now = self.clock.now();
        let settings = Arc::clone(&self.options.settings);
        let mut case = Case::new(target.clone(), addrs, resolve, settings, now, entropy());
        match case.next(now) {
            Next::Connect(connect) => Some(Box::new(Pending { case, target, connect, patience: Patience::default() })),
            Next::Done(_) => None,
        }
    }

    /// One connection; then the case's next step.
    async fn connect(self: Arc<Self>, mut pending: Box<Pending>, conntrack_full: bool) {
        let ended = connection(&self.options.transport, &pending.connect, &self.clock).await;
        let addr = pending.connect.addr.ip();
        let over = |opened| {
            let _ = self.events.send(Event::Over { addr, opened });
        };
        match ended {
            Ended::Seen(evidence) => {
                over(true);
                // A full conntrack table drops our SYNs without a word: the silence is this machine's.
                if conntrack_full && evidence.fault == Some(Fault::ConnectTimeout) {
                    let _ = self.events.send(Event::Trouble(pending));
                    return;
                }
                pending.patience = Patience::default();
                match guarded(&mut pending.case, |case| case.add(*evidence)) {
                    Ok(()) => self.advance(pending).await,
                    Err(panic) => self.internal(&pending.target, &panic).await,
                }
            }
            Ended::Trouble(_) => {
                over(false);
                let _ = self.events.send(Event::Trouble(pending));
            }
            Ended::Panicked(panic) => {
                over(true);
                self.internal(&pending.target, &panic).await;
            }
        }
    }

    /// Asks the case what is next: another connection, or its record.
    async fn advance(&self, mut pending: Box<Pending>) {
        let now = self.clock.now();
        match guarded(&mut pending.case, |case| case.next(now)) {
            Ok(Next::Connect(connect)) => {
                pending.connect = connect;
                let _ = self.events.send(Event::Again(pending));
            }
            Ok(Next::Done(record)) => {
                // What the case holds is not needed while the sink lets us wait.
                drop(pending);
                self.hand(record, false).await;
            }
            Err(panic) => self.internal(&pending.target, &panic).await,
        }
    }

    async fn internal(&self, target: &Target, panic: &str) {
        let record = Record::internal(target, panic, &self.options.settings.run, self.clock.now());
        self.hand(Box::new(record), true).await;
    }

    async fn hand(&self, record: Box<Record>, internal: bool) {
        let closed = self.sink.send(record).await.is_err();
        self.stats.done.fetch_add(u64::from(!closed), Relaxed);
        let _ = self.events.send(Event::Handed { internal, closed });
    }

    /// A name becomes one case over its addresses, or one for each.
    async fn resolve(self: Arc<Self>, target: Target) {
        let begun = self.clock.now();
        let Host::Name(name) = &target.host else { return };
        let found = self.resolver.lookup(name).await;
        let now = self.clock.now();
        let took = now.since(begun);
        let settings = Arc::clone(&self.options.settings);
        let addrs = match found {
            Ok(addrs) => addrs,
            Err(fault) => {
                let mut case = Case::unresolved(target.clone(), fault, took, settings, now);
                if let Next::Done(record) = case.next(now) {
                    self.hand(record, false).await;
                }
                return;
            }
        };
        let mut allowed: Vec<_> = addrs.iter().map(|addr| socket_addr(*addr, 0, target.port)).collect();
        allowed.retain(|addr| !self.exclusions.covers_address(addr.ip(), 0, addr.port()));
        if allowed.is_empty() {
            // Excluded is excluded, by whatever name: nothing is sent.
            let run = &self.options.settings.run;
            let record = Record::local(&target, LocalTrouble::Policy, None, run, now);
            return self.hand(Box::new(record), false).await;
        }
        if !self.options.all_addresses {
            return self.wanted(target, allowed, took).await;
        }
        let mut rest = allowed.into_iter();
        let first = rest.next();
        for addr in rest {
            let _ = self.events.send(Event::Born);
            self.wanted(target.clone(), vec![addr], took).await;
        }
        if let Some(addr) = first {
            self.wanted(target, vec![addr], took).await;
        }
    }

    async fn wanted(&self, target: Target, addrs: Vec<SocketAddr>, took: Duration) {
        match self.begin(target.clone(), addrs, Some(took)) {
            Some(pending) => {
                let _ = self.events.send(Event::Again(pending));
            }
            None => self.internal(&target, "a case with addresses wants no connection").await,
        }
    }
}

fn socket_addr(addr: IpAddr, scope: u32, port: u16) -> SocketAddr {
    match addr {
        IpAddr::V4(addr) => (addr, port).into(),
        IpAddr::V6(addr) => SocketAddrV6::new(addr, port, 0, scope).into(),
    }
}
