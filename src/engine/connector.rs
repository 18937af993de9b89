//! Makes connections: through the gate, and judged for whether their end was anybody else's than this machine's.
//!
//! There is one of it in a run. Whoever has connections made, for a target or for a host on the way to one, has them made here.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sshprobe_probes::case::{Case, Connect, Next};
use sshprobe_probes::diagnose::perhaps_not_asked_for;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, LocalTrouble, Silence};
use sshprobe_probes::govern::ledger::Cost;
use sshprobe_probes::govern::penalty::Class;
use sshprobe_probes::govern::trouble::{LocalBackoff, Patience};
use sshprobe_probes::probe::Probe;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::is_stand_in;
use sshprobe_probes::time::Moment;
use tokio::sync::watch;

use super::admission::{Errand, Upshot};
use super::drive::drive;
use super::gate::Gate;
use super::lender::Lender;
use super::log;
#[cfg(feature = "login")]
use super::login::log_in;
use super::route::Route;
use super::stats::Stats;
#[cfg(feature = "login")]
use crate::login::{Credentials, channel::Session};
use crate::sys::clock::Clock;
use crate::sys::entropy;
use crate::sys::neighbours::waits_for_next_hop;
use crate::sys::tables::Tables;
use crate::transport::seam::{LATE, astray};
use crate::transport::{Opening, PathEnd, Stream, Transport};

/// So often one connection is made anew whose end says too little: its way was gone, or its SYNs never left.
const MADE_ANEW: u32 = 1;

/// What every connection of a run is made with.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) gate: Arc<Gate>,
    /// What is logged in with where the way has nothing of its own.
    #[cfg(feature = "login")]
    pub(super) credentials: Arc<Credentials>,
    pub(super) clock: Clock,
    pub(super) tables: Mutex<Tables>,
    /// Connects that may take so long are given less where round trips are known to be short.
    pub(super) adaptive: Option<Duration>,
    pub(super) stats: Arc<Stats>,
    pub(super) lender: Lender,
}

/// The connector of the run that some options have started, once they have: what is made before a run has one, too.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<watch::Sender<Option<Arc<Connector>>>>);

impl UnderWay {
    /// The run begins.
    pub(super) fn begin(&self, connector: &Arc<Connector>) {
        self.0.send_replace(Some(Arc::clone(connector)));
    }

    /// Waits until a run has begun.
    #[cfg(feature = "login")]
    pub(super) async fn connector(&self) -> Arc<Connector> {
        let mut begun = self.0.subscribe();
        loop {
            if let Some(connector) = begun.borrow_and_update().as_ref() {
                return Arc::clone(connector);
            }
            // The sender is held here, so that it cannot have gone away.
            let _ = begun.changed().await;
        }
    }
}

/// What becomes of the session after a login.
#[derive(Default)]
pub(super) enum AfterLogin {
    /// It has served its purpose.
    #[default]
    Leave,
    /// It is to stay.
    #[cfg(feature = "login")]
    Stay,
    /// It has stayed.
    #[cfg(feature = "login")]
    Stayed(Session),
}

/// What became of a connection. Boxed: whoever waits for it would have to hold the room.
enum Attempt {
    /// It is over.
    Done(Box<Evidence>),
    /// Nothing was sent to the target, and the next one may do better: its way was gone, or something here dropped its SYNs.
    Unsent(Box<Evidence>),
}

impl Attempt {
    fn done(evidence: Evidence) -> Self {
        Self::Done(Box::new(evidence))
    }

    fn unsent(evidence: Evidence) -> Self {
        Self::Unsent(Box::new(evidence))
    }
}

impl Connector {
    /// Makes the connections a case asks for.
    pub(super) async fn connections<T: Transport>(
        &self,
        route: &Route<T>,
        case: &mut Case,
        after: &mut AfterLogin,
    ) -> Box<Record> {
        let mut last: Option<Connect> = None;
        loop {
            let now = self.clock.now();
            // Taken apart before anything is waited for, or the room would be held twice.
            let connect = match case.next(now) {
                Next::Connect(connect) => connect,
                Next::Done(record) => {
                    log::done(&record);
                    return record;
                }
            };
            if let Some(before) = &last {
                log::again(before, &connect, now);
            }
            let connect = last.insert(connect);
            let evidence = self.connection(route, connect, after).await;
            log::ended(&evidence, connect.plan.depth);
            case.add(evidence);
        }
    }

    /// Makes one connection, however often this machine is short of something.
    async fn connection<T: Transport>(
        &self,
        route: &Route<T>,
        connect: &mut Connect,
        after: &mut AfterLogin,
    ) -> Box<Evidence> {
        let mut patience = Patience::default();
        let mut not_before = connect.not_before;
        let mut made_anew = 0;
        let mut put_off = false;
        loop {
            // Without a pass: the way may need some itself before it is there.
            if let Err(tunnel) = route.transport.ready().await {
                let now = self.clock.now();
                return Box::new(astray(Evidence::new(connect.addr, now), tunnel, now));
            }
            let within = self.adaptive.filter(|most| {
                *most == route.connect_timeout && route.transport.shakes_hands() && !is_stand_in(connect.addr.ip())
            });
            let class = Class::expected(connect.plan.depth);
            let errand = Errand { server: connect.addr, class, within };
            let mut pass = self.gate.pass(errand, not_before, put_off).await;
            if put_off {
                patience.in_line(self.clock.now().since(not_before));
            }
            connect.patience = pass.within();
            log::admitted(connect);
            // Boxed: of all who wait for a pass, none has to hold the room for a conversation.
            let shortage = match Box::pin(self.attempt(route, connect, after)).await {
                Ok(Attempt::Unsent(_)) if made_anew < MADE_ANEW => {
                    pass.came_to(Upshot::NOTHING);
                    made_anew += 1;
                    (not_before, put_off) = (self.clock.now(), true);
                    log::made_anew(connect.addr);
                    continue;
                }
                Ok(Attempt::Done(evidence) | Attempt::Unsent(evidence)) => {
                    let heard = evidence.handshake().filter(|_| within.is_some());
                    pass.came_to(Upshot { cost: Cost::of(&evidence, connect.plan.depth), heard });
                    return evidence;
                }
                Err(shortage) => shortage,
            };
            if !shortage.may_have_sent() {
                pass.came_to(Upshot::NOTHING);
            }
            not_before = self.put_off(shortage);
            put_off = true;
            drop(pass);
            let now = self.clock.now();
            log::short(connect.addr, shortage, not_before.since(now));
            if patience.exhausted(shortage.altogether(), now) {
                let mut evidence = Evidence::new(connect.addr, now);
                evidence.path.errno = shortage.errno();
                evidence.fault = Some(Fault::Local(shortage.trouble()));
                return Box::new(evidence);
            }
        }
    }

    /// When a connection that ran into a shortage may be tried again.
    ///
    /// connect() says EADDRNOTAVAIL where no local port, or no local address at all, is left towards that one destination:
    /// others lack nothing, and lose no slot by it. A full table of the kernel's gets no emptier by fewer slots.
    fn put_off(&self, shortage: Shortage) -> Moment {
        if shortage == Shortage::Errno(Errno::EADDRNOTAVAIL) {
            self.stats.trouble();
            return self.clock.now() + LocalBackoff::LONGEST_WAIT;
        }
        if shortage.is_full_table() { self.gate.table_full() } else { self.gate.trouble() }
    }

    /// Opens a connection and converses.
    async fn attempt<T: Transport>(
        &self,
        route: &Route<T>,
        connect: &Connect,
        after: &mut AfterLogin,
    ) -> Result<Attempt, Shortage> {
        self.tables().look(self.clock.now());
        let conversation = match route.transport.open(connect).await {
            // Boxed: of all who wait for an answer, and of a sweep's addresses most wait in vain, none has to hold the room.
            Opening::Up(stream, evidence) => Box::pin(self.converse(route, connect, after, stream, evidence)),
            Opening::Down(evidence) => return self.down(route, connect, evidence),
            Opening::Lapsed(evidence) => return Ok(Attempt::unsent(evidence)),
            Opening::Short(errno) => return Err(Shortage::Errno(errno)),
        };
        conversation.await.map(Attempt::done)
    }

    /// Converses over a connection that is up, and leaves it.
    #[cfg_attr(not(feature = "login"), expect(unused_variables, reason = "there is no login"))]
    async fn converse<T: Transport>(
        &self,
        route: &Route<T>,
        connect: &Connect,
        after: &mut AfterLogin,
        mut stream: T::Stream,
        evidence: Evidence,
    ) -> Result<Evidence, Shortage> {
        #[cfg(feature = "login")]
        if let Some(order) = &connect.login {
            log::connected(&evidence);
            self.gate.recovered();
            let credentials = route.credentials.as_ref().unwrap_or(&self.credentials);
            let stays = !matches!(after, AfterLogin::Leave);
            let logged_in = log_in(stream, evidence, connect, order, credentials, self.clock, stays);
            let (evidence, end, session) = Box::pin(logged_in).await;
            if let Some(session) = session {
                *after = AfterLogin::Stayed(session);
            }
            return ended(route, connect, evidence, end);
        }
        let mut probe = self.probe(connect, evidence)?;
        self.gate.recovered();
        let leave = drive(&mut stream, &mut probe, self.clock).await;
        let evidence = probe.into_evidence(self.clock.now());
        let end = stream.leave(leave, evidence.fault.is_some()).await;
        ended(route, connect, evidence, end)
    }

    /// A probe for a connection that is up.
    fn probe(&self, connect: &Connect, evidence: Evidence) -> Result<Probe, Shortage> {
        log::connected(&evidence);
        // Randomness is a resource of this machine like any other.
        let seed = entropy::seed().map_err(|_| Shortage::Behind)?;
        let probe = Probe::new(connect.plan_once_up(), seed, evidence, self.clock.now());
        // Nothing secret goes over a probe's connection: logins have keys of their own.
        Ok(match self.lender.lend() {
            Some(key) => probe.lending(key),
            None => probe,
        })
    }

    /// A connection that did not come up: the target's answer, or this machine's own silence.
    fn down<T>(&self, route: &Route<T>, connect: &Connect, evidence: Evidence) -> Result<Attempt, Shortage> {
        let dropped = matches!(evidence.fault, Some(Fault::Local(LocalTrouble::Dropped(_))));
        let silence = silence(&evidence, route, connect);
        if silence.is_some_and(|silence| overslept(&evidence, silence)) {
            return Err(Shortage::Behind);
        }
        let not_asked_for = evidence.fault == Some(Fault::Connect) && perhaps_not_asked_for(&evidence);
        if silence.is_some() || dropped || not_asked_for {
            let since = silence.map_or(evidence.started, |silence| silence.since);
            let (untracked, crowded) = self.full_since(since);
            let unfound = match evidence.fault {
                Some(Fault::ConnectTimeout) => crowded && waits_for_next_hop(connect.addr),
                _ => crowded && (dropped || not_asked_for),
            };
            if unfound {
                return Err(Shortage::Unfound);
            }
            if untracked && !not_asked_for {
                return Err(Shortage::Untracked);
            }
        }
        if dropped {
            // By a queue that was full, or by a filter, which will do it again.
            return Ok(Attempt::unsent(evidence));
        }
        self.gate.recovered();
        Ok(Attempt::done(evidence))
    }

    /// Whether the connection-tracking table, and one of neighbours, were full since then.
    fn full_since(&self, since: Moment) -> (bool, bool) {
        let mut tables = self.tables();
        tables.look(self.clock.now());
        (tables.conntrack.full_since(since), tables.neighbours.full_since(since))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is over, with what the way to the target knows of its end.
fn ended<T>(route: &Route<T>, connect: &Connect, mut evidence: Evidence, end: PathEnd) -> Result<Evidence, Shortage> {
    if evidence.fault.is_some() && evidence.path.icmp.is_none() {
        evidence.path.icmp = end.icmp;
    }
    evidence.tunnel = end.tunnel.or(evidence.tunnel);
    if silence(&evidence, route, connect).is_some_and(|silence| overslept(&evidence, silence)) {
        return Err(Shortage::Behind);
    }
    Ok(evidence)
}

/// The silence that a connection ended by, if it did: of the target, or of whatever is on the way to it.
fn silence<T>(evidence: &Evidence, route: &Route<T>, connect: &Connect) -> Option<Silence> {
    let since = evidence.started;
    let within = connect.patience.unwrap_or(route.connect_timeout);
    match evidence.fault {
        Some(Fault::Timeout | Fault::Lost) => Some(Silence { since, due: since + connect.plan.timeout }),
        Some(Fault::ConnectTimeout) => Some(Silence { since, due: since + within.min(connect.plan.timeout) }),
        // The kernel gave up, in its own time.
        Some(Fault::Connect) if evidence.path.errno == Some(Errno::ETIMEDOUT) => {
            Some(Silence { since, due: evidence.ended })
        }
        Some(Fault::Tunnel) => evidence.tunnel.as_ref()?.silence,
        _ => None,
    }
}

/// Whether the end of a silence was noticed much too late. The answer may have lain in the socket all the while, so that it is
/// nobody else's.
fn overslept(evidence: &Evidence, silence: Silence) -> bool {
    evidence.ended.since(silence.due) > LATE
}

/// This machine lacked something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortage {
    /// An error number said what.
    Errno(Errno),
    /// CPU, or randomness for a connection that was up.
    Behind,
    /// Nothing got past our own netfilter.
    Untracked,
    /// There was no room for another neighbour.
    Unfound,
}

impl Shortage {
    fn errno(self) -> Option<Errno> {
        if let Self::Errno(errno) = self { Some(errno) } else { None }
    }

    /// What a record says of it.
    fn trouble(self) -> LocalTrouble {
        match self {
            Self::Errno(_) => LocalTrouble::ResourceLimit,
            Self::Behind => LocalTrouble::Behind,
            Self::Untracked => LocalTrouble::Untracked,
            Self::Unfound => LocalTrouble::Unfound,
        }
    }

    /// Whether the target may have heard of us all the same.
    fn may_have_sent(self) -> bool {
        self == Self::Behind
    }

    fn is_full_table(self) -> bool {
        matches!(self, Self::Untracked | Self::Unfound)
    }

    /// For how long it is borne.
    fn altogether(self) -> Duration {
        if self == Self::Unfound { Patience::NEIGHBOURS } else { Patience::TOTAL }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => errno.fmt(f),
            Self::Behind => f.write_str("CPU or randomness"),
            Self::Untracked => f.write_str("the connection-tracking table is full"),
            Self::Unfound => f.write_str("the table of neighbours is full"),
        }
    }
}
