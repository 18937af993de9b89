//! ONE target over as many connections as it takes.
//!
//! A case asks for one connection at a time and decides on the evidence whether another is worth its price: the target pays
//! for each with a process and a log line, and sshd (9.8 and later) bans who makes too many. In all there are six reasons
//! for another one; each has its own condition, limit and place in the record:
//!
//! | reason | when | how often | counts as an attempt |
//! |---|---|---|---|
//! | the name's next address | nothing connected so far, as ssh does | [`Case::MAX_ADDRESSES`] | no |
//! | the same again | the answer, or what broke the way, was [`Transient`] | [`Settings::retries`] | yes |
//! | SERVICE_REQUEST and `none` apart | a server other than OpenSSH died wordlessly of both at once | once | no |
//! | small segments | silence where the server's first big packet should have come | once | no |
//! | the login | it was asked for, the rest is well, and the host key is not one to be kept away from | once, and again where the answer was [`Transient`] | no, yes |
//! | another host key | `--host-key-types` asks for it, or a key that changed leaves a doubt that another known type settles | one a type | no |
//!
//! The name's first address that answers is kept to the end: an address is only ever left because nothing connected.

mod login;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnose::{classify, judge};
use crate::evidence::{Evidence, Fault, Signature, Stage};
use crate::govern::jitter::Jitter;
use crate::govern::penalty::{self, Budget, Class};
use crate::govern::retry::Transient;
use crate::hostkey::{key_type, plain_key};
use crate::negotiate::{Certificates, Offer};
use crate::plan::{Depth, Plan};
use crate::record::{Record, Run, Trust};
use crate::target::{Host, Target};
use crate::time::Moment;
use crate::trust::{Answer, JudgedKey, KeyTypes, KnownHost, Policy, SshfpSaid, judge_keys};

pub use login::LoginOrder;

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
    /// What host keys are held against; `None` if nobody is to judge them.
    pub trust: Option<Arc<Policy>>,
}

impl Settings {
    /// The most connections that can be made to one host, all reasons for another one together. Most targets need one.
    #[must_use]
    pub fn most_connections(&self) -> usize {
        let reached = |depth| usize::from(self.plan.depth >= depth);
        let once_more = reached(Depth::Kexinit) + reached(Depth::Auth) * usize::from(!self.plan.step_by_step);
        let retries =
            if self.plan.depth >= Depth::Ident { usize::try_from(self.retries).unwrap_or(usize::MAX) } else { 0 };
        let others = if self.plan.depth >= Depth::Kex { self.further_keys() } else { 0 };
        retries.saturating_add(1 + once_more).saturating_add(others).min(Case::MAX_CONNECTIONS) + reached(Depth::Login)
    }

    /// The most further connections for other host keys.
    fn further_keys(&self) -> usize {
        match self.trust.as_ref().map(|trust| (&trust.key_types, &trust.known_hosts)) {
            Some((KeyTypes::All, _)) => Case::MAX_CONNECTIONS,
            Some((KeyTypes::Listed(types), _)) => types.len(),
            // Which types are known differs from host to host; sshd makes keys of three types.
            Some((KeyTypes::First, Some(files))) if !files.is_empty() => 2,
            Some((KeyTypes::First, _)) | None => 0,
        }
    }
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
    /// Where to; for a target reached by name through a tunnel the address that stands in for it.
    pub addr: SocketAddr,
    /// Where the target is, for transports that take names.
    pub host: Host,
    /// What it was called, if that is known (`%n` of a ProxyCommand).
    pub name: Option<Box<str>>,
    /// What to do there.
    pub plan: Arc<Plan>,
    /// Not before this moment; until then the case holds no connection slot.
    pub not_before: Moment,
    /// How long the connect may take, where that is less than the way to the target allows.
    pub patience: Option<Duration>,
    /// TCP_MAXSEG to set before connecting, in bytes.
    pub mss: Option<u16>,
    /// What is known of the target, for the order in which host keys are asked for ([`Connect::plan_once_up`]).
    pub known: Option<Arc<KnownHost>>,
    /// It is to log in, held to this.
    pub login: Option<Arc<LoginOrder>>,
}

impl Connect {
    /// A connection for whose host keys nothing is known.
    #[must_use]
    pub fn new(addr: SocketAddr, plan: Arc<Plan>, not_before: Moment) -> Self {
        let host = Host::Addr(addr.ip(), 0);
        Self { addr, host, name: None, plan, not_before, patience: None, mss: None, known: None, login: None }
    }

    /// The plan to converse by once the connection is up: what is known of the host is only looked up here, so that addresses
    /// that never answer cost nothing.
    #[must_use]
    pub fn plan_once_up(&self) -> Arc<Plan> {
        let deep = self.plan.depth >= Depth::Kexinit;
        match self.known.as_ref().filter(|_| deep).and_then(|known| known.reordered(&self.plan.offer)) {
            Some(offer) => Arc::new(Plan { offer: Arc::new(offer), ..Plan::clone(&self.plan) }),
            None => Arc::clone(&self.plan),
        }
    }
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
///
/// Small, because tens of thousands may wait for their spacing or a retry: what it keeps of a connection that is worth
/// another try is a few lines of evidence.
#[derive(Debug)]
pub struct Case {
    target: Target,
    settings: Arc<Settings>,
    resolve: Option<Duration>,
    /// Those behind the first, which the state has.
    others: Box<[SocketAddr]>,
    connections: Connections,
    /// What the host, if it is one that keeps accounts, holds against us.
    budget: Budget,
    jitter: Jitter,
    attempts: u32,
    /// From here on SERVICE_REQUEST and `none` leave one after the other.
    step_by_step: bool,
    /// From here on with this TCP_MAXSEG.
    mss: Option<u16>,
    /// What is known of the target's host keys.
    known: Option<Arc<KnownHost>>,
    /// From this connection on, which is never the first, only for another host key.
    further: Option<NonZeroUsize>,
    /// The host keys of these types have been asked for by a connection of their own, the last one by the one wanted now.
    fetched: Vec<&'static str>,
    /// All was learned, and the connection wanted now is to log in.
    login: Option<Arc<LoginOrder>>,
    state: State,
}

/// The evidence of the connections made, in their order. That of the first, which is the only one as a rule, stays where it was put.
#[derive(Debug)]
enum Connections {
    None,
    One(Box<Evidence>),
    More(Vec<Evidence>),
}

impl Connections {
    fn push(&mut self, evidence: Box<Evidence>) {
        *self = match std::mem::replace(self, Self::None) {
            Self::None => Self::One(evidence),
            Self::One(first) => Self::More(vec![*first, *evidence]),
            Self::More(mut all) => {
                all.reserve_exact(1);
                all.push(*evidence);
                Self::More(all)
            }
        };
    }
}

impl Deref for Connections {
    type Target = [Evidence];

    fn deref(&self) -> &[Evidence] {
        match self {
            Self::None => &[],
            Self::One(first) => std::slice::from_ref(first),
            Self::More(all) => all,
        }
    }
}

#[derive(Debug)]
enum State {
    /// A connection is wanted, or under way.
    Wanted { addr: SocketAddr, not_before: Moment },
    /// There was no address to connect to.
    Unresolved(ResolveFault),
    /// Everything is known that will be.
    Complete,
}

/// Why there is to be another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Another {
    /// Nothing connected so far: the next address of the name.
    NextAddress(SocketAddr),
    /// The answer was a transient one: the same again.
    Retry(Transient),
    /// The server may have choked on SERVICE_REQUEST and `none` in one segment.
    StepByStep,
    /// Big packets may be lost on the way.
    SmallSegments,
    /// The host key of another type is wanted.
    HostKey(&'static str),
}

impl Case {
    /// The most connections made to one target, whatever the reason. A connection more is what gets an impolite client banned.
    pub const MAX_CONNECTIONS: usize = 8;
    /// The most addresses of one name that are tried, so that no zone file keeps a probe busy for an hour.
    pub const MAX_ADDRESSES: usize = 16;
    /// TCP_MAXSEG of a connection that looks for a path-MTU black hole: 576, which every IPv4 path must carry, less headers.
    pub const SMALL_MSS: u16 = 536;

    /// A target with its addresses, in the order to try them. `resolve` is how long resolving took; `entropy` decides random delays.
    ///
    /// Without any address it is [`ResolveFault::NoAddress`].
    #[must_use]
    pub fn new(
        target: Target,
        addrs: impl IntoIterator<Item = SocketAddr>,
        resolve: Option<Duration>,
        settings: Arc<Settings>,
        now: Moment,
        entropy: u64,
    ) -> Self {
        let mut addrs = addrs.into_iter().take(Self::MAX_ADDRESSES);
        let state = match addrs.next() {
            Some(addr) => State::Wanted { addr, not_before: now },
            None => State::Unresolved(ResolveFault::NoAddress),
        };
        let step_by_step = settings.plan.step_by_step;
        let trust = settings.trust.as_ref().filter(|trust| trust.judges());
        let known = trust.map(|trust| Arc::new(KnownHost::new(trust, &target)));
        Self {
            target,
            settings,
            resolve,
            others: addrs.collect(),
            connections: Connections::None,
            budget: Budget::default(),
            jitter: Jitter::new(entropy),
            attempts: 1,
            step_by_step,
            mss: None,
            known,
            further: None,
            fetched: Vec::new(),
            login: None,
            state,
        }
    }

    /// With what the DNS says about the host keys of the target's name.
    #[must_use]
    pub fn with_sshfp(self, said: SshfpSaid) -> Self {
        let known = self.settings.trust.as_ref();
        let known = known.map(|trust| Arc::new(KnownHost::new(trust, &self.target).with_sshfp(said)));
        Self { known, ..self }
    }

    /// A target whose name has no address.
    #[must_use]
    pub fn unresolved(
        target: Target,
        fault: ResolveFault,
        resolve: Duration,
        settings: Arc<Settings>,
        now: Moment,
    ) -> Self {
        let state = State::Unresolved(fault);
        Self { state, ..Self::new(target, [], Some(resolve), settings, now, 0) }
    }

    /// What to do now. Call again after [`Case::add`]; before that, and after the end, the answer stays the same.
    pub fn next(&mut self, now: Moment) -> Next {
        match &self.state {
            State::Wanted { addr, not_before } => {
                // The offer of a connection for one type of key has nothing to be put in order.
                let known = if self.fetched.is_empty() && self.login.is_none() { self.known.clone() } else { None };
                let (plan, not_before) = (self.plan(), *not_before);
                Next::Connect(Connect {
                    addr: *addr,
                    host: self.target.place().clone(),
                    // Without one of its own it goes by its host.
                    name: self.target.is_called().then(|| self.target.called().into()),
                    plan,
                    not_before,
                    patience: None,
                    mss: self.mss,
                    known,
                    login: self.login.clone(),
                })
            }
            State::Unresolved(fault) => {
                let resolve = self.resolve.unwrap_or_default();
                Next::Done(Box::new(Record::unresolved(&self.target, fault, resolve, &self.settings.run, now)))
            }
            State::Complete => {
                let further = self.further.map_or(self.connections.len(), NonZeroUsize::get);
                let verdict = judge(&self.connections, further, self.settings.plan.depth);
                Next::Done(Box::new(Record::assemble(
                    &self.target,
                    verdict,
                    &self.connections,
                    self.known.as_deref(),
                    self.resolve,
                    self.attempts,
                    &self.settings.run,
                )))
            }
        }
    }

    /// The evidence of the connection asked for.
    pub fn add(&mut self, evidence: impl Into<Box<Evidence>>) {
        let State::Wanted { addr, not_before } = self.state else { return };
        let mut evidence = evidence.into();
        if self.login.is_some() {
            // One that was not even opened was made for a login too.
            evidence.login.get_or_insert_default();
        }
        let another = match &self.login {
            Some(_) => self.login_again(&evidence),
            None if self.further.is_some() => None,
            None => self.another(&evidence),
        };
        if let Some(class) = Class::of(&evidence) {
            self.budget.spend(class, evidence.ended);
        }
        let ended = evidence.ended;
        self.connections.push(evidence);
        let per_host = self.settings.per_host;
        let learned_all = self.login.is_some();
        let next = another.or_else(|| if learned_all { None } else { self.another_key().map(Another::HostKey) });
        let Some(another) = next else {
            if !learned_all {
                self.login = self.login_order().map(Arc::new);
            }
            self.state = if self.login.is_some() && !learned_all {
                let addr = self.connections.last().map_or(addr, |last| last.addr);
                State::Wanted { addr, not_before: self.affordable(ended + per_host).max(not_before) }
            } else {
                State::Complete
            };
            return;
        };
        let (addr, at) = match another {
            Another::NextAddress(next) => (next, ended),
            Another::Retry(transient) => {
                let delay = transient.delay(self.attempts, per_host, &mut self.jitter);
                self.attempts = self.attempts.saturating_add(1);
                (addr, self.affordable(ended + delay))
            }
            Another::StepByStep => {
                self.step_by_step = true;
                (addr, self.affordable(ended + per_host))
            }
            Another::SmallSegments => {
                self.mss = Some(Self::SMALL_MSS);
                (addr, self.affordable(ended + per_host))
            }
            Another::HostKey(kind) => {
                self.further = self.further.or(NonZeroUsize::new(self.connections.len()));
                self.fetched.push(kind);
                (addr, self.affordable(ended + per_host))
            }
        };
        self.state = State::Wanted { addr, not_before: at.max(not_before) };
    }

    fn another(&self, evidence: &Evidence) -> Option<Another> {
        // Our own trouble says nothing about the target, and a further connection would meet it again.
        match evidence.fault.as_ref()? {
            Fault::Internal(_) => return None,
            Fault::Local(trouble) if trouble.is_lack() => return None,
            _ => {}
        }
        // Trouble of our own too, but of one address: no route to it is often no IPv6 here at all, and the name may have IPv4.
        if let Some(transient) = self.way_may_mend(evidence) {
            return Some(Another::Retry(transient));
        }
        if !evidence.connected() {
            return self.next_address().map(Another::NextAddress);
        }
        let made = self.connections.iter().filter(|earlier| earlier.connected()).count() + 1;
        if made >= Self::MAX_CONNECTIONS {
            return None;
        }
        if !self.step_by_step && choked_on_both_at_once(evidence) {
            return Some(Another::StepByStep);
        }
        if self.mss.is_none() && fell_silent_before_a_big_packet(evidence) {
            return Some(Another::SmallSegments);
        }
        if self.attempts > self.settings.retries {
            return None;
        }
        Transient::of(classify(evidence, self.depth()).code).map(Another::Retry)
    }

    /// The way to the target broke, not the target, and may lead there the next time.
    fn way_may_mend(&self, evidence: &Evidence) -> Option<Transient> {
        let trouble = evidence.tunnel.as_ref()?.trouble.as_ref()?;
        let transient = trouble.transient?;
        // What SSH saw before the end tells more: then it is no matter of the way.
        let of_the_way = classify(evidence, self.settings.plan.depth).code == trouble.code;
        let made = self.connections.len().saturating_add(1);
        (of_the_way && self.attempts <= self.settings.retries && made < Self::MAX_CONNECTIONS).then_some(transient)
    }

    /// The address after the last one tried, if nothing has connected so far.
    fn next_address(&self) -> Option<SocketAddr> {
        if self.connections.iter().any(Evidence::connected) {
            return None;
        }
        self.others.get(self.connections.len()).copied()
    }

    /// The earliest moment from `at` on at which the host, if it keeps accounts, would not ban us for one connection more.
    fn affordable(&self, at: Moment) -> Moment {
        let ident = self.connections.iter().rev().find_map(|connection| connection.ident.as_ref());
        if !penalty::may_charge(ident) {
            return at;
        }
        self.budget.earliest(Class::expected(self.depth()), at)
    }

    /// How deep the next connection goes.
    fn depth(&self) -> Depth {
        let asked = self.settings.plan.depth;
        match &self.login {
            Some(_) => asked,
            None if self.further.is_some() => asked.min(Depth::Kex),
            None => asked.min(Depth::Auth),
        }
    }

    /// The type of host key that one more connection is worth to, after all that was asked for by others.
    fn another_key(&self) -> Option<&'static str> {
        let known = self.known.as_ref().filter(|_| self.settings.plan.depth >= Depth::Kex)?;
        // The last one brought a key: a server that does not let us any more is left alone.
        self.connections.last()?.host_key.as_ref().filter(|key| key.signature != Signature::Bad)?;
        let made = self.connections.iter().filter(|each| each.connected()).count();
        if made >= Self::MAX_CONNECTIONS {
            return None;
        }
        let server = self.connections.iter().rev().find_map(|each| each.kexinit.as_ref())?;
        let shown = self.connections.iter().filter_map(|each| each.host_key.as_ref());
        let plain: Vec<_> = shown.filter_map(|key| plain_key(&key.blob).ok()).collect();
        let mut seen: Vec<&str> = plain.iter().filter_map(|blob| key_type(blob)).collect();
        seen.extend(&self.fetched);
        known.worth_fetching(server, &seen, self.doubtful(known)).first().copied()
    }

    /// A key was shown that differs from those known, and nothing else, as a certificate that holds, has settled what it is.
    fn doubtful(&self, known: &KnownHost) -> bool {
        let odd = |key: &[u8]| {
            let answer = plain_key(key).map(|plain| known.known().answer(&plain));
            matches!(answer, Ok(Answer::Changed(_) | Answer::OtherType(_)))
        };
        // What is as known, which is what most are, is not worth a judgement.
        let shown = || self.connections.iter().filter_map(|each| each.host_key.as_ref());
        if !shown().any(|key| odd(&key.blob)) {
            return false;
        }
        let now = self.connections.last().map_or(Moment::START, |last| last.ended);
        let connections: Vec<&Evidence> = self.connections.iter().collect();
        let keys = judge_keys(&connections, Some(known), self.settings.run.wall_clock(now));
        let settled = |key: &JudgedKey<'_>| key.judgement.accepted() || key.judgement.trust == Trust::Revoked;
        keys.iter().any(|key| odd(key.blob) && !settled(key))
    }

    /// The plan of the next connection: the run's, shared, unless this target needs one of its own.
    fn plan(&self) -> Arc<Plan> {
        let shared = &self.settings.plan;
        if let Some(kind) = self.fetched.last().filter(|_| self.login.is_none()) {
            let certificates = self.known.as_ref().is_some_and(|known| known.certificates() != Certificates::Behind);
            let offer = Offer::clone(&shared.offer).with_key_type(kind, certificates);
            return Arc::new(Plan { depth: self.depth(), offer: Arc::new(offer), ..Plan::clone(shared) });
        }
        let user = self.target.user.as_deref().filter(|user| *user != &*shared.user);
        if user.is_none() && self.step_by_step == shared.step_by_step && self.depth() == shared.depth {
            return Arc::clone(shared);
        }
        let mut own = Plan::clone(shared);
        (own.step_by_step, own.depth) = (self.step_by_step, self.depth());
        if let Some(user) = user {
            own.user = user.into();
        }
        Arc::new(own)
    }
}

/// The server went without a word after SERVICE_REQUEST and `none` had left in one write.
///
/// Some embedded servers read one packet and drop the rest. OpenSSH never chokes on it: there the same ending may be
/// RefuseConnection, at 10 s of penalty for each try.
fn choked_on_both_at_once(evidence: &Evidence) -> bool {
    let pipelined = evidence.stage == Stage::Auth
        && evidence.auth.as_ref().is_some_and(|auth| auth.none_sent && auth.methods.is_none() && !auth.none_accepted);
    let wordless = matches!(evidence.fault, Some(Fault::Eof | Fault::Reset));
    let openssh = evidence.ident.as_ref().is_some_and(|ident| ident.software().starts_with(b"OpenSSH"));
    pipelined && wordless && !openssh
}

/// The identification came and the first packet that may be bigger than the path's MTU did not: KEXINIT, or the reply with the
/// host key. Smaller segments tell whether the path or the server is to blame.
fn fell_silent_before_a_big_packet(evidence: &Evidence) -> bool {
    let awaited = match evidence.stage {
        Stage::Kexinit => true,
        Stage::Kex => evidence.host_key.is_none(),
        _ => false,
    };
    awaited && evidence.fault == Some(Fault::Timeout)
}

#[cfg(test)]
mod tests;
