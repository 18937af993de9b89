//! A run: from the first target to the last record.

use std::any::Any;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use sshprobe_probes::case::{Case, Connect, Next, ResolveFault, Settings};
use sshprobe_probes::evidence::{Errno, Evidence, Fault, LocalTrouble};
use sshprobe_probes::govern::host::HostGate;
use sshprobe_probes::govern::rate::Rate;
use sshprobe_probes::govern::subnet::Subnet;
use sshprobe_probes::govern::trouble::{LocalBackoff, Patience};
use sshprobe_probes::probe::Probe;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Host, Target};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::drive::drive;
use super::feed::{self, Fed};
use super::gate::Gate;
use super::log;
use super::names::Resolve;
use super::options::{Options, Shares, Unfit};
use super::stats::Stats;
use crate::sys::clock::Clock;
use crate::sys::conntrack::Conntrack;
use crate::sys::entropy;
use crate::target::Exclusions;
use crate::transport::{Opening, Tcp, Transport};

/// A resolver keeps its own time; this is for one that does not.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(30);

/// A run that can start.
#[derive(Debug)]
pub struct Engine<T = Tcp> {
    options: Options,
    shares: Shares,
    transport: T,
    warnings: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// Something panicked: a bug of ours. The targets it hit have an `internal` record.
    pub internal_fault: bool,
    /// It was cancelled: targets are missing.
    pub cancelled: bool,
    /// Nobody took the records any more: targets are missing.
    pub sink_closed: bool,
}

/// Probes every target, and sends one record for each to `sink`.
///
/// Targets are taken from their source as there is room for them, and never all at once. Records come in the order in which
/// targets are done. A slow receiver slows the run and loses nothing. When `cancel` is cancelled, no more targets are taken
/// and connections are dropped; records that are ready still go out. Cancel-safe: dropped, it leaves nothing running but the
/// thread that reads the source, which ends at its next target.
///
/// # Errors
/// What keeps the run from starting; nothing has been sent then.
pub async fn run<R: Resolve>(
    options: Options,
    targets: impl Iterator<Item = Target> + Send + 'static,
    resolver: R,
    sink: mpsc::Sender<Box<Record>>,
    cancel: CancellationToken,
    stats: Arc<Stats>,
) -> Result<Outcome, Unfit> {
    Engine::prepare(options)?.run(targets, resolver, sink, cancel, stats).await
}

impl Engine {
    /// Sees whether the machine can do what is asked, and makes do with what it has where it cannot.
    ///
    /// # Errors
    /// What keeps the run from starting.
    pub fn prepare(options: Options) -> Result<Self, Unfit> {
        let tcp = Tcp::new(options.clock, options.connect_timeout);
        let tcp = tcp.from(options.source, options.interface.as_deref())?;
        Self::prepare_over(options, tcp)
    }
}

impl<T: Transport> Engine<T> {
    /// [`Engine::prepare`] for another way to the targets.
    ///
    /// # Errors
    /// What keeps the run from starting.
    pub fn prepare_over(options: Options, transport: T) -> Result<Self, Unfit> {
        let shares = Shares::of_this_process(options.concurrency)?;
        let mut warnings = Vec::new();
        if shares.connections < options.concurrency {
            warnings.push(format!(
                "descriptors are short: {} connections in flight instead of {}; raise the limit (ulimit -n)",
                shares.connections, options.concurrency
            ));
        }
        Ok(Self { options, shares, transport, warnings })
    }

    /// What the machine does not allow as asked, one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Connections that may be in flight, after everything.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.shares.connections
    }

    /// Probes every target. See [`run`].
    ///
    /// # Errors
    /// When the machine has not even a thread for it.
    pub async fn run<R: Resolve>(
        self,
        targets: impl Iterator<Item = Target> + Send + 'static,
        resolver: R,
        sink: mpsc::Sender<Box<Record>>,
        cancel: CancellationToken,
        stats: Arc<Stats>,
    ) -> Result<Outcome, Unfit> {
        let Self { options, shares, transport, .. } = self;
        let fed = feed::start(targets).map_err(|source| Unfit::System { what: "a thread for the targets", source })?;
        let clock = options.clock;
        let admission = Admission::new(
            Rate::new(options.rate, clock.now()),
            Subnet::new(options.per_subnet),
            HostGate::new(options.settings.per_host),
            LocalBackoff::new(shares.connections),
        );
        let works = Arc::new(Works {
            gate: Arc::new(Gate::new(admission, clock, Arc::clone(&stats))),
            transport,
            resolver,
            settings: options.settings,
            all_addresses: options.all_addresses,
            exclusions: options.exclusions,
            clock,
            conntrack: Mutex::new(Conntrack::of_this_machine()),
            cases: Arc::new(Semaphore::new(shares.cases)),
            names: Arc::new(Semaphore::new(shares.names)),
            questions: Semaphore::new(shares.questions),
            // Dropped with this future, it ends all tasks that it started.
            stop: cancel.child_token(),
            sink,
            stats,
            internal: AtomicBool::new(false),
            sink_closed: AtomicBool::new(false),
        });
        let _ends_all = works.stop.clone().drop_guard();
        let all = u32::try_from(shares.cases).unwrap_or(u32::MAX);
        let names = u32::try_from(shares.names).unwrap_or(u32::MAX);
        tokio::select! {
            () = async {
                works.feed(fed).await;
                // Whoever holds a permit has not finished. Names first: they ask for a case's permit before they give theirs back.
                let _ = works.names.acquire_many(names).await;
                let _ = works.cases.acquire_many(all).await;
            } => {}
            () = works.gate.attend() => {}
        }
        Ok(Outcome {
            internal_fault: works.internal.load(Ordering::Relaxed),
            cancelled: cancel.is_cancelled(),
            sink_closed: works.sink_closed.load(Ordering::Relaxed),
        })
    }
}

/// What all tasks of a run share.
struct Works<T, R> {
    gate: Arc<Gate>,
    transport: T,
    resolver: R,
    settings: Arc<Settings>,
    all_addresses: bool,
    exclusions: Arc<Exclusions>,
    clock: Clock,
    conntrack: Mutex<Conntrack>,
    cases: Arc<Semaphore>,
    names: Arc<Semaphore>,
    questions: Semaphore,
    stop: CancellationToken,
    sink: mpsc::Sender<Box<Record>>,
    stats: Arc<Stats>,
    internal: AtomicBool,
    sink_closed: AtomicBool,
}

impl<T: Transport, R: Resolve> Works<T, R> {
    /// Starts a task for every target, as there is room.
    async fn feed(self: &Arc<Self>, mut fed: mpsc::Receiver<Fed>) {
        while let Some(Some(fed)) = self.stop.run_until_cancelled(fed.recv()).await {
            let target = match fed {
                Fed::Target(target) => target,
                Fed::Broken => return self.internal.store(true, Ordering::Relaxed),
            };
            self.stats.feed();
            // Names have room of their own: a resolver that keeps them waiting keeps no address waiting.
            let room = if let Host::Name(_) = target.host { &self.names } else { &self.cases };
            let Some(room) = self.room(room).await else { return };
            let works = Arc::clone(self);
            match target.host.clone() {
                Host::Name(name) => drop(tokio::spawn(async move { works.name(target, &name, room).await })),
                Host::Addr(addr, scope) => {
                    let addrs = vec![socket_addr(addr, scope, target.port)];
                    drop(tokio::spawn(async move { works.addresses(target, addrs, None, room).await }));
                }
            }
        }
    }

    /// A place, as soon as there is one; `None` if the run is stopped before.
    async fn room(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        self.stop.run_until_cancelled(Arc::clone(places).acquire_owned()).await?.ok()
    }

    /// A target that is a name: from the question to its record, or to those of its addresses.
    async fn name(self: Arc<Self>, target: Target, name: &str, room: OwnedSemaphorePermit) {
        let Some((found, took)) = self.guarded(&target, self.resolve(name)).await else { return };
        let Some(mut place) = self.room(&self.cases).await else { return };
        let mut addrs = match found {
            Ok(addrs) => addrs.into_iter().map(|addr| socket_addr(addr, 0, target.port)).collect::<Vec<_>>(),
            Err(fault) => {
                drop(room);
                let settings = Arc::clone(&self.settings);
                let case = Case::unresolved(target.clone(), fault, took, settings, self.clock.now());
                return self.see(target, case).await;
            }
        };
        let found = addrs.len();
        addrs.retain(|addr| !self.exclusions.covers_address(addr.ip(), 0, addr.port()));
        if addrs.is_empty() && found > 0 {
            // Excluded is excluded, by whatever name.
            let (run, now) = (&self.settings.run, self.clock.now());
            return self.hand_on(Box::new(Record::local(&target, LocalTrouble::Policy, None, run, now))).await;
        }
        if !self.all_addresses || addrs.len() < 2 {
            drop(room);
            return self.addresses(target, addrs, Some(took), place).await;
        }
        let mut addrs = addrs.into_iter().peekable();
        while let Some(addr) = addrs.next() {
            let (works, target) = (Arc::clone(&self), target.clone());
            tokio::spawn(async move { works.addresses(target, vec![addr], Some(took), place).await });
            if addrs.peek().is_none() {
                return;
            }
            self.stats.feed();
            match self.room(&self.cases).await {
                Some(next) => place = next,
                None => return,
            }
        }
    }

    /// Asks for a name's addresses; how long that took without the wait for its turn.
    async fn resolve(&self, name: &str) -> (Result<Vec<IpAddr>, ResolveFault>, Duration) {
        let _turn = self.questions.acquire().await;
        let began = self.clock.now();
        let found = timeout(RESOLVE_TIMEOUT, self.resolver.resolve(name)).await.unwrap_or(Err(ResolveFault::Timeout));
        let took = self.clock.now().since(began);
        log::resolved(name, &found, took);
        (found, took)
    }

    /// A target whose addresses are known. Holds its place to the end: records that nobody takes keep new targets out.
    async fn addresses(
        self: Arc<Self>,
        target: Target,
        addrs: Vec<SocketAddr>,
        resolve: Option<Duration>,
        _place: OwnedSemaphorePermit,
    ) {
        // It decides random delays only: without randomness there is none.
        let entropy = entropy::number().unwrap_or_default();
        let settings = Arc::clone(&self.settings);
        let case = Case::new(target.clone(), addrs, resolve, settings, self.clock.now(), entropy);
        self.see(target, case).await;
    }

    /// Sees a case to its end, and hands its record on.
    async fn see(&self, target: Target, case: Case) {
        if let Some(record) = self.guarded(&target, self.connections(case)).await {
            self.hand_on(record).await;
        }
    }

    /// Runs a part of a target's work. `None` if the run is stopped meanwhile, or if it panicked: then the record that says
    /// so has been handed on.
    async fn guarded<W: Future>(&self, target: &Target, work: W) -> Option<W::Output> {
        match AssertUnwindSafe(self.stop.run_until_cancelled(work)).catch_unwind().await {
            Ok(done) => done,
            Err(panic) => {
                self.internal.store(true, Ordering::Relaxed);
                let record = Record::internal(target, words(&*panic), &self.settings.run, self.clock.now());
                self.hand_on(Box::new(record)).await;
                None
            }
        }
    }

    async fn hand_on(&self, record: Box<Record>) {
        if self.sink.send(record).await.is_err() {
            self.sink_closed.store(true, Ordering::Relaxed);
            self.stop.cancel();
        } else {
            self.stats.finish();
        }
    }

    /// Makes the connections a case asks for.
    async fn connections(&self, mut case: Case) -> Box<Record> {
        let mut before: Option<Connect> = None;
        loop {
            let now = self.clock.now();
            match case.next(now) {
                Next::Connect(connect) => {
                    if let Some(before) = &before {
                        log::again(before, &connect, now);
                    }
                    let evidence = self.connection(&connect).await;
                    log::ended(&evidence, connect.plan.depth);
                    case.add(evidence);
                    before = Some(connect);
                }
                Next::Done(record) => return record,
            }
        }
    }

    /// Makes one connection, however often this machine is short of something.
    async fn connection(&self, connect: &Connect) -> Evidence {
        let mut patience = Patience::default();
        let mut not_before = connect.not_before;
        loop {
            let pass = self.gate.pass(connect.addr.ip(), not_before).await;
            log::admitted(connect);
            // Boxed: of all who wait for a pass, none has to hold the room for a conversation.
            let shortage = match Box::pin(self.attempt(connect)).await {
                Ok(evidence) => return evidence,
                Err(shortage) => shortage,
            };
            not_before = self.gate.trouble();
            drop(pass);
            let now = self.clock.now();
            log::short(connect.addr, shortage.0, not_before.since(now));
            if patience.exhausted(now) {
                let mut evidence = Evidence::new(connect.addr, now);
                evidence.path.errno = shortage.0;
                evidence.fault = Some(Fault::Local(LocalTrouble::ResourceLimit));
                return evidence;
            }
        }
    }

    /// Opens a connection and converses.
    async fn attempt(&self, connect: &Connect) -> Result<Evidence, Shortage> {
        self.conntrack().look(self.clock.now());
        match self.transport.open(connect).await {
            Opening::Short(errno) => Err(Shortage(Some(errno))),
            Opening::Down(evidence) => {
                if evidence.fault == Some(Fault::ConnectTimeout) {
                    let mut conntrack = self.conntrack();
                    conntrack.look(self.clock.now());
                    if conntrack.full_since(evidence.started) {
                        return Err(Shortage(None));
                    }
                }
                self.gate.recovered();
                Ok(evidence)
            }
            Opening::Up(stream, mut evidence) => {
                self.gate.recovered();
                log::connected(&evidence);
                let seed = match entropy::seed() {
                    Ok(seed) => seed,
                    Err(none) => {
                        self.internal.store(true, Ordering::Relaxed);
                        evidence.fault = Some(Fault::Internal(none.to_string()));
                        return Ok(evidence);
                    }
                };
                let probe = Probe::new(Arc::clone(&connect.plan), seed, evidence, self.clock.now());
                Ok(drive(stream, probe, self.clock).await)
            }
        }
    }

    fn conntrack(&self) -> MutexGuard<'_, Conntrack> {
        self.conntrack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This machine lacked something; which error number said so, if one did. A full connection-tracking table has none.
struct Shortage(Option<Errno>);

fn socket_addr(addr: IpAddr, scope: u32, port: u16) -> SocketAddr {
    match addr {
        IpAddr::V4(addr) => (addr, port).into(),
        IpAddr::V6(addr) => SocketAddrV6::new(addr, port, 0, scope).into(),
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests;
