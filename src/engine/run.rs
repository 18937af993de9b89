//! A run: from the first target to the last record.

mod compare;
#[cfg(feature = "syn")]
mod swept;

use std::any::Any;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use sshprobe_probes::case::{Case, ResolveFault};
use sshprobe_probes::escape::escape;
use sshprobe_probes::evidence::LocalTrouble;
use sshprobe_probes::govern::host::HostGate;
use sshprobe_probes::govern::rate::Rate;
use sshprobe_probes::govern::subnet::Subnet;
use sshprobe_probes::govern::trouble::LocalBackoff;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Host, Target, is_stand_in, stand_in};
use sshprobe_probes::trust::SshfpSaid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::connector::{AfterLogin, Connector};
use super::feed::{self, Fed};
use super::gate::Gate;
use super::lender::Lender;
use super::log;
use super::names::Resolve;
use super::options::{Options, Shares, Unfit};
use super::route::{Assigned, By, Route};
use super::stats::Stats;
use crate::sys::clock::Clock;
use crate::sys::entropy;
use crate::sys::tables::Tables;
use crate::target::Exclusions;
use crate::transport::{Tcp, Transport};

/// A resolver keeps its own time; this is for one that does not.
pub(super) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(30);

/// A run that can start.
#[derive(Debug)]
pub struct Engine<T = Tcp> {
    options: Options,
    shares: Shares,
    transport: T,
    tables: Tables,
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
    targets: impl Iterator<Item: Into<Assigned<Tcp>>> + Send + 'static,
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
        let tcp = options.tcp()?;
        Self::prepare_over(options, tcp)
    }
}

impl<T: Transport> Engine<T> {
    /// [`Engine::prepare`] for another way to the targets.
    ///
    /// # Errors
    /// What keeps the run from starting.
    pub fn prepare_over(options: Options, transport: T) -> Result<Self, Unfit> {
        if cfg!(not(feature = "login")) && options.settings.plan.depth == Depth::Login {
            return Err(Unfit::NoLogin);
        }
        let shares = Shares::of_this_process(options.concurrency)?;
        let mut warnings = Vec::new();
        if shares.connections < options.concurrency {
            warnings.push(format!(
                "descriptors are short: {} connections in flight instead of {}; raise the limit (ulimit -n)",
                shares.connections, options.concurrency
            ));
        }
        Ok(Self { options, shares, transport, tables: Tables::of_this_machine(), warnings })
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
        targets: impl Iterator<Item: Into<Assigned<T>>> + Send + 'static,
        resolver: R,
        sink: mpsc::Sender<Box<Record>>,
        cancel: CancellationToken,
        stats: Arc<Stats>,
    ) -> Result<Outcome, Unfit> {
        let Self { options, shares, transport, tables, warnings: _ } = self;
        let clock = options.clock;
        let fed = start_feed(targets, &options, shares.cases, &stats)
            .map_err(|source| Unfit::System { what: "a thread for the targets", source })?;
        let admission = Admission::new(
            Rate::new(options.rate, clock.now()),
            Subnet::new(options.per_subnet),
            HostGate::new(options.settings.per_host),
            LocalBackoff::new(shares.connections),
        );
        let connector = Arc::new(Connector {
            gate: Arc::new(Gate::new(admission, clock, Arc::clone(&stats))),
            #[cfg(feature = "login")]
            credentials: options.credentials,
            clock,
            tables: Mutex::new(tables),
            adaptive: options.adaptive.then_some(options.connect_timeout),
            stats: Arc::clone(&stats),
            lender: Lender::default(),
        });
        options.under_way.begin(&connector);
        let works = Arc::new(Works {
            connector,
            usual: Arc::new(Route {
                transport,
                settings: options.settings,
                connect_timeout: options.connect_timeout,
                #[cfg(feature = "login")]
                credentials: None,
            }),
            resolver,
            all_addresses: options.all_addresses,
            sshfp: options.sshfp,
            exclusions: options.exclusions,
            clock,
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
            () = works.connector.gate.attend() => {}
        }
        Ok(Outcome {
            internal_fault: works.internal.load(Ordering::Relaxed),
            cancelled: cancel.is_cancelled(),
            sink_closed: works.sink_closed.load(Ordering::Relaxed),
        })
    }
}

/// Begins to read the targets: straight into the engine, or through a SYN sweep.
fn start_feed<T: Transport>(
    targets: impl Iterator<Item: Into<Assigned<T>>> + Send + 'static,
    options: &Options,
    cases: usize,
    stats: &Arc<Stats>,
) -> std::io::Result<mpsc::Receiver<Fed<T>>> {
    #[cfg(feature = "syn")]
    if let Some(syn) = options.syn.clone() {
        // What waits long for this machine leaves half of the places to what does not.
        let (schedule, kept) = (syn.schedule(options.connect_timeout), cases / 2);
        let pace = crate::sweep::Pace { schedule, rate: options.rate, kept };
        return syn.start(targets, pace, options.clock, Arc::clone(stats));
    }
    let _ = (options, cases, stats);
    feed::start(targets)
}

/// What all tasks of a run share.
struct Works<T, R> {
    connector: Arc<Connector>,
    /// How targets are reached that have no way of their own.
    usual: Arc<Route<T>>,
    resolver: R,
    all_addresses: bool,
    sshfp: bool,
    exclusions: Arc<Exclusions>,
    clock: Clock,
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
    async fn feed(self: &Arc<Self>, mut fed: mpsc::Receiver<Fed<T>>) {
        while let Some(Some(fed)) = self.stop.run_until_cancelled(fed.recv()).await {
            #[cfg_attr(not(feature = "syn"), expect(unused_mut, reason = "there is no sweep"))]
            let mut kept: Option<OwnedSemaphorePermit> = None;
            let Assigned { target, by } = match fed {
                Fed::Target(target) => {
                    self.stats.feed();
                    target
                }
                #[cfg(feature = "syn")]
                Fed::Counted(target) => target,
                #[cfg(feature = "syn")]
                Fed::Kept(target, place) => {
                    kept = Some(place);
                    target
                }
                #[cfg(feature = "syn")]
                Fed::Swept(target, evidence) => {
                    self.swept(target, evidence).await;
                    continue;
                }
                Fed::Broken => return self.internal.store(true, Ordering::Relaxed),
            };
            let route = match by {
                By::Usual => Arc::clone(&self.usual),
                By::Own(route) => route,
                By::Nothing(why) => {
                    self.hand_on(self.not_probed(&target, &why)).await;
                    continue;
                }
            };
            if !route.transport.leads_to(target.place()) {
                let why = "it is reached through the Identity-Aware Proxy only; give --iap";
                self.hand_on(self.not_probed(&target, why)).await;
                continue;
            }
            if target.place.as_deref().is_some_and(|place| self.exclusions.cover(place, target.port)) {
                self.hand_on(self.excluded(&target, "what it stands for is excluded")).await;
                continue;
            }
            // Names have room of their own: as long as there is some, a resolver that keeps them waiting keeps no address
            // waiting. Behind more names than that, the targets that follow wait with them.
            // So have those whose way is to be made first (a jump host's session): who waits for it is nobody's hindrance.
            let awaited = route.transport.is_made_first();
            let room = if !awaited && matches!(target.place(), Host::Addr(..)) { &self.cases } else { &self.names };
            let Some(room) = self.room(room).await else { return };
            let works = Arc::clone(self);
            match target.place().clone() {
                Host::Name(name) => drop(tokio::spawn(async move { works.name(target, route, &name, room).await })),
                // The relay knows where it is; its name is none of the DNS.
                Host::Iap(_) => {
                    let case = Box::new(self.case(&target, &route, [stand_in(target.place(), target.port)], None));
                    start(async move { works.see(&target, &route, case, room).await }).await;
                }
                Host::Addr(addr, scope) if awaited => {
                    let addr = socket_addr(addr, scope, target.port);
                    drop(tokio::spawn(async move { works.behind(target, route, addr, room).await }));
                }
                Host::Addr(addr, scope) => {
                    let addr = socket_addr(addr, scope, target.port);
                    let case = Box::new(self.case(&target, &route, [addr], None));
                    start(async move {
                        let _kept = kept;
                        works.see(&target, &route, case, room).await;
                    })
                    .await;
                }
            }
        }
    }

    /// A place, as soon as there is one; `None` if the run is stopped before.
    async fn room(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        self.stop.run_until_cancelled(Arc::clone(places).acquire_owned()).await?.ok()
    }

    /// A target that is a name: from the question to its record, or to those of its addresses.
    async fn name(self: Arc<Self>, target: Target, route: Arc<Route<T>>, name: &str, room: OwnedSemaphorePermit) {
        let Some((found, took)) = self.guarded(&target, pin!(self.addresses(&target, &route, name))).await else {
            return;
        };
        if !self.way(&target, &route).await {
            return;
        }
        let said = if self.sshfp && found.is_ok() {
            let Some(said) = self.guarded(&target, pin!(self.fingerprints(name))).await else { return };
            Some(said)
        } else {
            None
        };
        let mut cases = match self.cases_of(&target, &route, found, took) {
            Ok(cases) => cases,
            Err(record) => return self.hand_on(record).await,
        };
        if let Some(said) = said {
            cases = cases.into_iter().map(|case| case.with_sshfp(said.clone())).collect();
        }
        for (at, case) in cases.into_iter().enumerate() {
            if at > 0 {
                self.stats.feed();
            }
            let Some(place) = self.room(&self.cases).await else { return };
            let (works, target, route) = (Arc::clone(&self), target.clone(), Arc::clone(&route));
            let case = Box::new(case);
            tokio::spawn(async move { works.see(&target, &route, case, place).await });
        }
        drop(room);
    }

    /// A target that is an address, behind a way that is to be made first: from there to its record.
    async fn behind(
        self: Arc<Self>,
        target: Target,
        route: Arc<Route<T>>,
        addr: SocketAddr,
        room: OwnedSemaphorePermit,
    ) {
        if !self.way(&target, &route).await {
            return;
        }
        let Some(place) = self.room(&self.cases).await else { return };
        drop(room);
        let case = Box::new(self.case(&target, &route, [addr], None));
        self.see(&target, &route, case, place).await;
    }

    /// Waits until a target's way is there, or is known not to be: its connection will find out and say why. False if the
    /// target is done with.
    async fn way(&self, target: &Target, route: &Route<T>) -> bool {
        !route.transport.is_made_first() || self.guarded(target, pin!(route.transport.ready())).await.is_some()
    }

    /// What a name comes to: one case, or one for each address, or a record at once.
    fn cases_of(
        &self,
        target: &Target,
        route: &Route<T>,
        found: Result<Vec<IpAddr>, ResolveFault>,
        took: Option<Duration>,
    ) -> Result<Vec<Case>, Box<Record>> {
        let addrs = match found {
            Ok(addrs) => addrs,
            Err(fault) => {
                let settings = Arc::clone(&route.settings);
                let took = took.unwrap_or_default();
                return Ok(vec![Case::unresolved(target.clone(), fault, took, settings, self.clock.now())]);
            }
        };
        let Some(addrs) = not_excluded(&self.exclusions, addrs, target.port) else {
            return Err(self.excluded(target, "every address of the name is excluded"));
        };
        if self.all_addresses && addrs.len() > 1 {
            return Ok(addrs.into_iter().map(|addr| self.case(target, route, [addr], took)).collect());
        }
        Ok(vec![self.case(target, route, addrs, took)])
    }

    fn case(
        &self,
        target: &Target,
        route: &Route<T>,
        addrs: impl IntoIterator<Item = SocketAddr>,
        resolve: Option<Duration>,
    ) -> Case {
        // It decides random delays only: without randomness there is none.
        self.case_by(entropy::number().unwrap_or_default(), target, route, addrs, resolve)
    }

    fn case_by(
        &self,
        entropy: u64,
        target: &Target,
        route: &Route<T>,
        addrs: impl IntoIterator<Item = SocketAddr>,
        resolve: Option<Duration>,
    ) -> Case {
        Case::new(target.clone(), addrs, resolve, Arc::clone(&route.settings), self.clock.now(), entropy)
    }

    /// Where a name leads, and how long it took to find out: its addresses, or, over a way that takes names, what stands in for
    /// them.
    async fn addresses(
        &self,
        target: &Target,
        route: &Route<T>,
        name: &str,
    ) -> (Result<Vec<IpAddr>, ResolveFault>, Option<Duration>) {
        if route.transport.takes_names() {
            return (Ok(vec![stand_in(target.place(), target.port).ip()]), None);
        }
        let (found, took) = self.resolve(name).await;
        (found, Some(took))
    }

    /// Asks for a name's addresses; how long that took without the wait for its turn.
    async fn resolve(&self, name: &str) -> (Result<Vec<IpAddr>, ResolveFault>, Duration) {
        let _turn = self.questions.acquire().await;
        let began = self.clock.now();
        // Boxed: of all who wait for their turn, none has to hold the room for a resolver.
        let asked = Box::pin(self.resolver.resolve(name));
        let found = timeout(RESOLVE_TIMEOUT, asked).await.unwrap_or(Err(ResolveFault::Timeout));
        let took = self.clock.now().since(began);
        log::resolved(name, &found, took);
        (found, took)
    }

    /// Asks what the DNS says about a name's host keys. That takes no time of the target's.
    async fn fingerprints(&self, name: &str) -> SshfpSaid {
        let _turn = self.questions.acquire().await;
        let asked = Box::pin(self.resolver.sshfp(name));
        timeout(RESOLVE_TIMEOUT, asked).await.unwrap_or(SshfpSaid::Timeout)
    }

    /// Sees a case to its end, and hands its record on. Holds its place until that is taken: records that nobody wants keep
    /// new targets out. The case comes boxed: what a future is given it holds twice.
    async fn see(&self, target: &Target, route: &Route<T>, mut case: Box<Case>, place: OwnedSemaphorePermit) {
        let work = async {
            let mut record = self.connector.connections(route, &mut case, &mut AfterLogin::Leave).await;
            self.compare(target, route, &mut record).await;
            record
        };
        let record = self.guarded(target, pin!(log::naming(target, pin!(work)))).await;
        // While it waits, the record is all that is needed.
        drop(case);
        if let Some(record) = record {
            self.hand_on(record).await;
        }
        drop(place);
    }

    /// Runs a part of a target's work. `None` if the run is stopped meanwhile, or if it panicked: then the record that says
    /// so has been handed on.
    ///
    /// Takes the work by reference, because what a future is given it holds twice.
    async fn guarded<W: Future>(&self, target: &Target, work: Pin<&mut W>) -> Option<W::Output> {
        match AssertUnwindSafe(self.stop.run_until_cancelled(work)).catch_unwind().await {
            Ok(done) => done,
            Err(panic) => {
                self.hand_on(self.internal(target, words(&*panic))).await;
                None
            }
        }
    }

    /// The record of a target whose task panicked.
    fn internal(&self, target: &Target, words: &str) -> Box<Record> {
        self.internal.store(true, Ordering::Relaxed);
        Box::new(Record::internal(target, words, &self.usual.settings.run, self.clock.now()))
    }

    /// The record of a target to which nothing was sent, and why.
    fn not_probed(&self, target: &Target, why: &str) -> Box<Record> {
        let (run, now) = (&self.usual.settings.run, self.clock.now());
        let mut record = Record::local(target, LocalTrouble::Policy, None, run, now);
        record.detail = format!("not probed: {}", escape(why));
        Box::new(record)
    }

    /// A target was accepted and leads to a place that is excluded: it has its record, as every target has.
    fn excluded(&self, target: &Target, why: &str) -> Box<Record> {
        let mut record = Record::excluded(target, &self.usual.settings.run, self.clock.now());
        record.detail = format!("not probed: {why}");
        Box::new(record)
    }

    async fn hand_on(&self, record: Box<Record>) {
        let speaking = record.ident.is_some();
        if self.sink.send(record).await.is_err() {
            self.sink_closed.store(true, Ordering::Relaxed);
            self.stop.cancel();
        } else {
            self.stats.finish(speaking);
        }
    }
}

/// Starts a task. As far as it gets without waiting it gets here, to the queue for connections at least: lists keep their order,
/// whichever thread the task goes to.
async fn start(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    if poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await.is_pending() {
        drop(tokio::spawn(work));
    }
}

/// The addresses of a name that are not excluded, by whatever name; `None` if there are some, and all of them are.
pub(super) fn not_excluded(exclusions: &Exclusions, addrs: Vec<IpAddr>, port: u16) -> Option<Vec<SocketAddr>> {
    let none = addrs.is_empty();
    // What stands in for an address that nobody here knows is in no network.
    let open = |addr: &IpAddr| is_stand_in(*addr) || !exclusions.covers_address(*addr, 0, port);
    let open: Vec<_> = addrs.into_iter().filter(open).map(|addr| socket_addr(addr, 0, port)).collect();
    (none || !open.is_empty()).then_some(open)
}

pub(super) fn socket_addr(addr: IpAddr, scope: u32, port: u16) -> SocketAddr {
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
