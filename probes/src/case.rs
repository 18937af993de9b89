//! ONE target over as many connections as it takes.
//!
//! A case asks for one connection at a time and decides on the evidence whether another is worth its price: the target pays
//! for each with a process and a log line, and sshd (9.8 and later) bans who makes too many. In all there are five reasons
//! for another one; each has its own condition, limit and place in the record:
//!
//! | reason | when | how often | counts as an attempt |
//! |---|---|---|---|
//! | the name's next address | nothing connected so far, as ssh does | [`Case::MAX_ADDRESSES`] | no |
//! | the same again | the answer was [`Transient`] | [`Settings::retries`] | yes |
//! | SERVICE_REQUEST and `none` apart | a server other than OpenSSH died wordlessly of both at once | once | no |
//! | small segments | silence where the server's first big packet should have come | once | no |
//! | another host key | `--host-key-types` asks for it, or a key that changed leaves a doubt that another known type settles | one a type | no |
//!
//! The name's first address that answers is kept to the end: an address is only ever left because nothing connected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnose::{classify, judge};
use crate::evidence::{Evidence, Fault, LocalTrouble, Signature, Stage};
use crate::govern::jitter::Jitter;
use crate::govern::penalty::{self, Budget, Class};
use crate::govern::retry::Transient;
use crate::hostkey::{key_type, plain_key};
use crate::negotiate::Offer;
use crate::plan::{Depth, Plan};
use crate::record::{Record, Run};
use crate::target::Target;
use crate::time::Moment;
use crate::trust::{Answer, KeyTypes, KnownHost, Policy, SshfpSaid};

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
        retries.saturating_add(1 + once_more).saturating_add(others).min(Case::MAX_CONNECTIONS)
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
    /// Where to.
    pub addr: SocketAddr,
    /// What to do there.
    pub plan: Arc<Plan>,
    /// Not before this moment; until then the case holds no connection slot.
    pub not_before: Moment,
    /// TCP_MAXSEG to set before connecting, in bytes.
    pub mss: Option<u16>,
    /// What is known of the target, for the order in which host keys are asked for ([`Connect::plan_once_up`]).
    pub known: Option<Arc<KnownHost>>,
}

impl Connect {
    /// A connection for whose host keys nothing is known.
    #[must_use]
    pub const fn new(addr: SocketAddr, plan: Arc<Plan>, not_before: Moment) -> Self {
        Self { addr, plan, not_before, mss: None, known: None }
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
    addrs: Box<[SocketAddr]>,
    connections: Vec<Evidence>,
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
    /// From this connection on only for another host key.
    further: Option<usize>,
    /// The host keys of these types have been asked for by a connection of their own, the last one by the one wanted now.
    fetched: Vec<&'static str>,
    state: State,
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
        mut addrs: Vec<SocketAddr>,
        resolve: Option<Duration>,
        settings: Arc<Settings>,
        now: Moment,
        entropy: u64,
    ) -> Self {
        addrs.truncate(Self::MAX_ADDRESSES);
        let state = match addrs.first() {
            Some(&addr) => State::Wanted { addr, not_before: now },
            None => State::Unresolved(ResolveFault::NoAddress),
        };
        let step_by_step = settings.plan.step_by_step;
        let known = settings.trust.as_ref().map(|trust| Arc::new(KnownHost::new(trust, &target)));
        Self {
            target,
            settings,
            resolve,
            addrs: addrs.into_boxed_slice(),
            connections: Vec::new(),
            budget: Budget::default(),
            jitter: Jitter::new(entropy),
            attempts: 1,
            step_by_step,
            mss: None,
            known,
            further: None,
            fetched: Vec::new(),
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
        Self { state, ..Self::new(target, Vec::new(), Some(resolve), settings, now, 0) }
    }

    /// What to do now. Call again after [`Case::add`]; before that, and after the end, the answer stays the same.
    pub fn next(&mut self, now: Moment) -> Next {
        match &self.state {
            State::Wanted { addr, not_before } => {
                // The offer of a connection for one type of key has nothing to be put in order.
                let known = if self.fetched.is_empty() { self.known.clone() } else { None };
                let (plan, not_before) = (self.plan(), *not_before);
                Next::Connect(Connect { addr: *addr, plan, not_before, mss: self.mss, known })
            }
            State::Unresolved(fault) => {
                let resolve = self.resolve.unwrap_or_default();
                Next::Done(Box::new(Record::unresolved(&self.target, fault, resolve, &self.settings.run, now)))
            }
            State::Complete => {
                let further = self.further.unwrap_or(self.connections.len());
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
    pub fn add(&mut self, evidence: Evidence) {
        let State::Wanted { addr, not_before } = self.state else { return };
        let another = if self.further.is_some() { None } else { self.another(&evidence) };
        if let Some(class) = Class::of(&evidence) {
            self.budget.spend(class, evidence.ended);
        }
        let ended = evidence.ended;
        self.connections.reserve_exact(1);
        self.connections.push(evidence);
        let Some(another) = another.or_else(|| self.another_key().map(Another::HostKey)) else {
            self.state = State::Complete;
            return;
        };
        let per_host = self.settings.per_host;
        let (addr, at) = match another {
            Another::NextAddress(next) => (next, ended),
            Another::Retry(transient) => {
                self.attempts = self.attempts.saturating_add(1);
                let delay = transient.delay(per_host, &mut self.jitter);
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
                self.further.get_or_insert(self.connections.len());
                self.fetched.push(kind);
                (addr, self.affordable(ended + per_host))
            }
        };
        self.state = State::Wanted { addr, not_before: at.max(not_before) };
    }

    fn another(&self, evidence: &Evidence) -> Option<Another> {
        // Our own trouble says nothing about the target, and a further connection would meet it again.
        if let Fault::Internal(_) | Fault::Local(LocalTrouble::ResourceLimit) = evidence.fault.as_ref()? {
            return None;
        }
        // Trouble of our own too, but of one address: no route to it is often no IPv6 here at all, and the name may have IPv4.
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
        Transient::of(classify(evidence, self.settings.plan.depth).code).map(Another::Retry)
    }

    /// The address after the last one tried, if nothing has connected so far.
    fn next_address(&self) -> Option<SocketAddr> {
        if self.connections.iter().any(Evidence::connected) {
            return None;
        }
        self.addrs.get(self.connections.len() + 1).copied()
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
        if self.further.is_some() { asked.min(Depth::Kex) } else { asked }
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
        let odd = |blob: &[u8]| matches!(known.known().answer(blob), Answer::Changed(_) | Answer::OtherType(_));
        let doubtful = plain.iter().any(|blob| odd(blob));
        known.worth_fetching(server, &seen, doubtful).first().copied()
    }

    /// The plan of the next connection: the run's, shared, unless this target needs one of its own.
    fn plan(&self) -> Arc<Plan> {
        let shared = &self.settings.plan;
        if let Some(kind) = self.fetched.last() {
            let certificates = self.known.as_ref().is_some_and(|known| known.wants_certificates());
            let offer = Offer::clone(&shared.offer).with_key_type(kind, certificates);
            return Arc::new(Plan { depth: self.depth(), offer: Arc::new(offer), ..Plan::clone(shared) });
        }
        let user = self.target.user.as_deref().filter(|user| *user != shared.user);
        if user.is_none() && self.step_by_step == shared.step_by_step {
            return Arc::clone(shared);
        }
        let mut own = Plan::clone(shared);
        own.step_by_step = self.step_by_step;
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
mod tests {
    use super::*;
    use crate::evidence::{Auth, Errno, HostKey, Identification, PreambleLine, Signature};
    use crate::target::Host;
    use crate::time::UnixMicros;
    use crate::wire::kexinit::KexInit;
    use proptest::prelude::*;
    use serde_json::Value;

    const FIRST: &str = "10.0.0.1:22";
    const SECOND: &str = "10.0.0.2:22";
    const PER_HOST: Duration = Duration::from_millis(1200);
    /// How long every connection of these tests lasts.
    const LASTS: Duration = Duration::from_millis(100);

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    fn settings(retries: u32) -> Settings {
        let run = Run { id: "test".into(), version: "0", epoch: UnixMicros(0) };
        Settings { plan: Arc::new(Plan::default()), retries, per_host: PER_HOST, run: Arc::new(run), trust: None }
    }

    fn target() -> Target {
        let host = Host::Name("demo.example".into());
        Target { input: "demo.example".into(), index: 0, host, port: 22, user: None, from_range: false }
    }

    fn case(addrs: &[&str], settings: Settings) -> Case {
        let addrs = addrs.iter().copied().map(addr).collect();
        Case::new(target(), addrs, None, Arc::new(settings), at(0), 42)
    }

    /// What one connection of a script came to, written upon evidence that has just been opened.
    type Ending = Box<dyn Fn(&mut Evidence)>;

    fn ending(change: impl Fn(&mut Evidence) + 'static) -> Ending {
        Box::new(change)
    }

    fn ok() -> Ending {
        ending(|evidence| {
            reached_auth(evidence, "OpenSSH_9.2p1", None);
            evidence.auth.as_mut().unwrap().methods = Some(vec![b"publickey".to_vec()]);
        })
    }

    /// A KEXINIT with ten empty lists.
    fn kexinit() -> KexInit {
        let mut payload = vec![0; 1 + 16 + 10 * 4 + 1 + 4];
        payload[0] = crate::wire::kexinit::SSH_MSG_KEXINIT;
        KexInit::parse(&payload).unwrap()
    }

    fn reached_auth(evidence: &mut Evidence, software: &str, fault: Option<Fault>) {
        identified(evidence, software, Stage::Auth, fault);
        evidence.kexinit = Some(kexinit());
        evidence.host_key = Some(HostKey { blob: Vec::new(), signature: Signature::Verified });
        let auth = Auth { user: "root".into(), service_accepted: true, none_sent: true, ..Auth::default() };
        evidence.auth = Some(auth);
    }

    fn identified(evidence: &mut Evidence, software: &str, stage: Stage, fault: Option<Fault>) {
        evidence.ident = Some(Identification { raw: format!("SSH-2.0-{software}").into_bytes() });
        evidence.received = 64;
        (evidence.stage, evidence.fault) = (stage, fault);
    }

    fn dies_at_none(software: &'static str, fault: Fault) -> Ending {
        ending(move |evidence| reached_auth(evidence, software, Some(fault.clone())))
    }

    fn silent_at(stage: Stage) -> Ending {
        ending(move |evidence| {
            identified(evidence, "OpenSSH_9.2p1", stage, Some(Fault::Timeout));
            evidence.kexinit = (stage > Stage::Kexinit).then(kexinit);
        })
    }

    fn no_ident(fault: Fault) -> Ending {
        ending(move |evidence| {
            evidence.path.errno = (fault == Fault::Reset).then_some(Errno::ECONNRESET);
            (evidence.stage, evidence.fault) = (Stage::Ident, Some(fault.clone()));
        })
    }

    fn refusal_text(text: &'static str) -> Ending {
        ending(move |evidence| {
            (evidence.stage, evidence.fault) = (Stage::Ident, Some(Fault::Eof));
            evidence.preamble.count = 1;
            evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: text.into() });
            evidence.first_bytes = format!("{text}\r\n").into_bytes();
            evidence.received = evidence.first_bytes.len() as u64;
        })
    }

    fn refused() -> Ending {
        ending(|evidence| {
            evidence.path.errno = Some(Errno::ECONNREFUSED);
            evidence.fault = Some(Fault::Connect);
        })
    }

    fn local(trouble: LocalTrouble) -> Ending {
        ending(move |evidence| evidence.fault = Some(Fault::Local(trouble)))
    }

    /// Plays a script against a case: every connection it asks for comes to the script's next ending.
    struct Play {
        asked: Vec<Connect>,
        record: Value,
    }

    impl Play {
        fn of(mut case: Case, script: &[Ending]) -> Self {
            let mut now = at(0);
            let mut asked: Vec<Connect> = Vec::new();
            for ending in script {
                let Next::Connect(connect) = case.next(now) else {
                    panic!("over before {} of the script", asked.len())
                };
                now = now.max(connect.not_before);
                case.add(evidence(&connect, now, ending));
                now = now + LASTS;
                asked.push(connect);
            }
            let Next::Done(record) = case.next(now) else { panic!("more wanted after the script") };
            Self { asked, record: serde_json::to_value(&record).unwrap() }
        }

        fn code(&self) -> &str {
            self.record["code"].as_str().unwrap()
        }

        fn counts(&self) -> (u64, u64) {
            (self.record["connections"].as_u64().unwrap(), self.record["attempts"].as_u64().unwrap())
        }

        /// From the end of each connection to the moment at which the next may begin.
        fn pauses(&self) -> Vec<Duration> {
            self.asked.windows(2).map(|pair| pair[1].not_before.since(pair[0].not_before + LASTS)).collect()
        }
    }

    fn evidence(connect: &Connect, start: Moment, ending: &Ending) -> Evidence {
        let mut evidence = Evidence::new(connect.addr, start);
        evidence.mss = connect.mss;
        evidence.step_by_step = connect.plan.step_by_step;
        evidence.ended = start + LASTS;
        ending(&mut evidence);
        evidence
    }

    #[test]
    fn no_host_gets_more_connections_than_are_said_to_be_the_most() {
        let worst: Vec<Ending> = vec![
            no_ident(Fault::Eof),
            silent_at(Stage::Kexinit),
            dies_at_none("dropbear_2022.83", Fault::Eof),
            dies_at_none("dropbear_2022.83", Fault::Eof),
        ];
        assert_eq!(Play::of(case(&[FIRST], settings(1)), &worst).counts().0, 4);
        assert_eq!(settings(1).most_connections(), 4);
        assert_eq!(settings(100).most_connections(), Case::MAX_CONNECTIONS);
        let at_depth = |depth| {
            let plan = Arc::new(Plan { depth, ..Plan::default() });
            Settings { plan, ..settings(2) }.most_connections()
        };
        assert_eq!(Depth::ALL.map(at_depth), [1, 3, 4, 4, 5]);
    }

    #[test]
    fn a_first_connection_that_goes_well_is_the_only_one() {
        let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[ok()]);
        assert_eq!((play.code(), play.counts()), ("ok", (1, 1)));
        let connect = &play.asked[0];
        assert_eq!((connect.addr, connect.not_before, connect.mss), (addr(FIRST), at(0), None));
        assert!(!connect.plan.step_by_step);
    }

    #[test]
    fn closing_before_the_identification_is_asked_again_once() {
        let play = Play::of(case(&[FIRST], settings(1)), &[no_ident(Fault::Eof), no_ident(Fault::Eof)]);
        assert_eq!((play.code(), play.counts()), ("closed-no-ident", (2, 2)));
        let pause = play.pauses()[0];
        assert!(pause >= PER_HOST && pause <= PER_HOST + Transient::DROPPED_JITTER, "{pause:?}");
        let play = Play::of(case(&[FIRST], settings(1)), &[no_ident(Fault::Reset), ok()]);
        assert_eq!((play.code(), play.counts()), ("ok", (2, 2)));
    }

    #[test]
    fn retries_are_as_many_as_were_allowed() {
        let play = Play::of(case(&[FIRST], settings(0)), &[no_ident(Fault::Eof)]);
        assert_eq!((play.code(), play.counts()), ("closed-no-ident", (1, 1)));
        let script: Vec<Ending> = (0..4).map(|_| no_ident(Fault::Eof)).collect();
        assert_eq!(Play::of(case(&[FIRST], settings(3)), &script).counts(), (4, 4));
    }

    #[test]
    fn a_throttled_server_is_asked_again_after_seconds() {
        let play = Play::of(case(&[FIRST], settings(1)), &[refusal_text("Exceeded MaxStartups"), ok()]);
        assert_eq!((play.code(), play.counts()), ("ok", (2, 2)));
        let pause = play.pauses()[0];
        assert!(pause >= Transient::THROTTLED_LEAST && pause <= Transient::THROTTLED_MOST, "{pause:?}");
    }

    #[test]
    fn one_that_penalises_is_never_asked_again() {
        let play = Play::of(case(&[FIRST], settings(5)), &[refusal_text("Not allowed at this time")]);
        assert_eq!((play.code(), play.counts()), ("throttled-or-penalised", (1, 1)));
        let script = [no_ident(Fault::Eof), refusal_text("Not allowed at this time")];
        assert_eq!(Play::of(case(&[FIRST], settings(5)), &script).counts(), (2, 2));
    }

    #[test]
    fn the_next_address_is_tried_while_nothing_connected() {
        let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[refused(), ok()]);
        assert_eq!((play.code(), play.counts().1), ("ok", 1));
        assert_eq!(play.asked.iter().map(|connect| connect.addr).collect::<Vec<_>>(), [addr(FIRST), addr(SECOND)]);
        assert_eq!(play.pauses(), [Duration::ZERO], "another host need not wait for the first");
        let tried: Vec<&str> =
            play.record["tried"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert_eq!(tried, ["refused", "ok"]);
        let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[refused(), refused()]);
        assert_eq!(play.code(), "refused");
    }

    #[test]
    fn an_address_that_answered_is_never_left_for_another() {
        for last in [ending(|evidence| identified(evidence, "x", Stage::Kexinit, Some(Fault::Eof))), refused()] {
            let play = Play::of(case(&[FIRST, SECOND], settings(1)), &[no_ident(Fault::Eof), last]);
            assert!(play.asked.iter().all(|connect| connect.addr == addr(FIRST)));
        }
        let failed = ending(|evidence| identified(evidence, "x", Stage::Kexinit, Some(Fault::Eof)));
        Play::of(case(&[FIRST, SECOND], settings(1)), &[failed]);
    }

    #[test]
    fn the_second_address_is_kept_through_its_retries() {
        let play = Play::of(case(&[FIRST, SECOND, FIRST], settings(1)), &[refused(), no_ident(Fault::Eof), ok()]);
        assert_eq!(play.asked[2].addr, addr(SECOND));
        assert_eq!((play.code(), play.counts().1), ("ok", 2));
    }

    #[test]
    fn a_server_that_chokes_on_both_at_once_gets_them_one_after_the_other() {
        for fault in [Fault::Eof, Fault::Reset] {
            let play = Play::of(case(&[FIRST], settings(0)), &[dies_at_none("dropbear_2022.83", fault), ok()]);
            assert_eq!((play.code(), play.counts()), ("ok", (2, 1)));
            assert!(!play.asked[0].plan.step_by_step && play.asked[1].plan.step_by_step);
            assert_eq!(play.pauses(), [PER_HOST]);
        }
        let twice = [dies_at_none("dropbear_2022.83", Fault::Eof), dies_at_none("dropbear_2022.83", Fault::Eof)];
        assert_eq!(Play::of(case(&[FIRST], settings(3)), &twice).code(), "refused-at-userauth", "and once only");
    }

    #[test]
    fn openssh_does_not_choke_and_is_left_alone() {
        let play = Play::of(case(&[FIRST], settings(3)), &[dies_at_none("OpenSSH_9.9", Fault::Eof)]);
        assert_eq!((play.code(), play.counts()), ("refused-at-userauth", (1, 1)));
    }

    #[test]
    fn a_server_that_gives_its_reason_did_not_choke() {
        let reasoned = ending(|evidence| {
            reached_auth(evidence, "dropbear_2022.83", Some(Fault::Disconnected));
            evidence.disconnect = Some(crate::evidence::Disconnect { code: 2, text: b"no".to_vec() });
        });
        assert_eq!(Play::of(case(&[FIRST], settings(3)), &[reasoned]).counts(), (1, 1));
    }

    #[test]
    fn silence_before_a_big_packet_is_tried_again_in_small_segments() {
        for stage in [Stage::Kexinit, Stage::Kex] {
            let play = Play::of(case(&[FIRST], settings(0)), &[silent_at(stage), ok()]);
            assert_eq!((play.code(), play.counts()), ("pmtu-black-hole", (2, 1)));
            assert_eq!(play.asked.iter().map(|connect| connect.mss).collect::<Vec<_>>(), [None, Some(536)]);
            assert_eq!(play.pauses(), [PER_HOST]);
        }
        let play = Play::of(case(&[FIRST], settings(3)), &[silent_at(Stage::Kexinit), silent_at(Stage::Kexinit)]);
        assert_eq!((play.code(), play.counts()), ("kexinit-timeout", (2, 1)), "and once only");
        assert_eq!(Play::of(case(&[FIRST], settings(3)), &[silent_at(Stage::Auth)]).counts(), (1, 1));
    }

    #[test]
    fn trouble_of_our_own_ends_the_case() {
        let play = Play::of(case(&[FIRST, SECOND], settings(3)), &[local(LocalTrouble::ResourceLimit)]);
        assert_eq!(play.code(), "local-resource-limit");
        let play = Play::of(case(&[FIRST], settings(3)), &[no_ident(Fault::Eof), local(LocalTrouble::ResourceLimit)]);
        assert_eq!(play.code(), "closed-no-ident", "it never replaces what the target said");
        let bug = ending(|evidence| evidence.fault = Some(Fault::Internal("a state that cannot be".into())));
        assert_eq!(Play::of(case(&[FIRST, SECOND], settings(3)), &[bug]).code(), "internal");
    }

    #[test]
    fn a_family_without_a_route_does_not_keep_the_other_from_being_tried() {
        let play = Play::of(case(&["[2001:db8::1]:22", SECOND], settings(3)), &[local(LocalTrouble::NoRoute), ok()]);
        assert_eq!((play.code(), play.counts().1), ("ok", 1));
        assert_eq!(Play::of(case(&[FIRST], settings(3)), &[local(LocalTrouble::NoRoute)]).code(), "local-no-route");
    }

    #[test]
    fn no_target_gets_more_connections_than_the_cap() {
        let script: Vec<Ending> = (0..Case::MAX_CONNECTIONS).map(|_| no_ident(Fault::Eof)).collect();
        let play = Play::of(case(&[FIRST], settings(1000)), &script);
        assert_eq!(play.counts(), (8, 8));
    }

    #[test]
    fn a_server_that_keeps_accounts_is_given_time_to_forget() {
        // After a connection that crashed a session process, at 90 s, the next one would be refused for 75 s.
        let next_after = |software: Option<&str>, depth: Depth| {
            let mut settings = settings(1);
            settings.plan = Arc::new(Plan { depth, ..Plan::default() });
            let mut case = case(&[FIRST], settings);
            case.budget.spend(Class::Crash, at(0));
            let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing wanted") };
            case.add(match software {
                None => evidence(&connect, at(0), &no_ident(Fault::Eof)),
                Some(software) => {
                    let software = software.to_owned();
                    let silent = move |evidence: &mut Evidence| {
                        identified(evidence, &software, Stage::Kexinit, Some(Fault::Timeout));
                    };
                    evidence(&connect, at(0), &ending(silent))
                }
            });
            let Next::Connect(connect) = case.next(at(100)) else { panic!("no second connection wanted") };
            connect.not_before
        };
        // 90 s and the second of this connection, less the 12 s that may be outstanding, of which the next one takes its share.
        assert_eq!(next_after(None, Depth::Auth), at(84_000), "it may be one that keeps accounts");
        assert_eq!(next_after(Some("OpenSSH_9.9"), Depth::Auth), at(84_000), "the next one will name a user: 5 s");
        assert_eq!(next_after(Some("OpenSSH_9.9"), Depth::Kexinit), at(80_000), "the next one will not: 1 s");
        assert_eq!(next_after(Some("OpenSSH_9.2p1"), Depth::Auth), at(100) + PER_HOST);
        assert_eq!(next_after(Some("dropbear"), Depth::Auth), at(100) + PER_HOST);
    }

    #[test]
    fn more_addresses_than_anyone_needs_are_not_all_tried() {
        let many: Vec<String> = (0..100).map(|last| format!("10.0.0.{last}:22")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let script: Vec<Ending> = (0..Case::MAX_ADDRESSES).map(|_| refused()).collect();
        assert_eq!(Play::of(case(&many, settings(1)), &script).code(), "refused");
    }

    #[test]
    fn a_name_without_an_address_is_over_at_once() {
        let faults = [
            (ResolveFault::NxDomain, "dns-nxdomain"),
            (ResolveFault::ServFail("REFUSED".into()), "dns-servfail"),
            (ResolveFault::NoAddress, "dns-no-address"),
            (ResolveFault::Timeout, "dns-timeout"),
        ];
        for (fault, code) in faults {
            let case = Case::unresolved(target(), fault, Duration::from_millis(3), Arc::new(settings(1)), at(3));
            let play = Play::of(case, &[]);
            assert_eq!((play.code(), play.counts().0), (code, 0));
        }
        assert_eq!(Play::of(case(&[], settings(1)), &[]).code(), "dns-no-address");
    }

    #[test]
    fn the_targets_own_user_is_the_one_named() {
        let mut named = target();
        named.user = Some("alice".into());
        let settings = Arc::new(settings(1));
        let mut case = Case::new(named, vec![addr(FIRST)], None, Arc::clone(&settings), at(0), 0);
        let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing wanted") };
        assert_eq!(connect.plan.user, "alice");
        let mut case = Case::new(target(), vec![addr(FIRST)], None, Arc::clone(&settings), at(0), 0);
        let Next::Connect(connect) = case.next(at(0)) else { panic!("nothing wanted") };
        assert!(Arc::ptr_eq(&connect.plan, &settings.plan), "all others share one plan");
    }

    #[test]
    fn a_plan_that_is_step_by_step_from_the_start_is_not_changed() {
        let mut settings = settings(3);
        settings.plan = Arc::new(Plan { step_by_step: true, ..Plan::default() });
        let play = Play::of(case(&[FIRST], settings), &[dies_at_none("dropbear_2022.83", Fault::Eof)]);
        assert!(play.asked[0].plan.step_by_step);
        assert_eq!((play.code(), play.counts()), ("refused-at-userauth", (1, 1)));
    }

    #[test]
    fn time_never_goes_backwards_whatever_the_evidence_says() {
        let addrs = vec![addr(FIRST), addr(SECOND)];
        let mut case = Case::new(target(), addrs, None, Arc::new(settings(1)), at(5000), 0);
        let Next::Connect(connect) = case.next(at(5000)) else { panic!("nothing wanted") };
        case.add(evidence(&connect, at(0), &refused()));
        let Next::Connect(connect) = case.next(at(5000)) else { panic!("nothing wanted") };
        assert_eq!((connect.addr, connect.not_before), (addr(SECOND), at(5000)));
    }

    #[test]
    fn a_key_that_came_was_no_black_hole() {
        let after_the_key = ending(|evidence| {
            identified(evidence, "OpenSSH_9.2p1", Stage::Kex, Some(Fault::Timeout));
            evidence.kexinit = Some(kexinit());
            evidence.host_key = Some(HostKey { blob: Vec::new(), signature: Signature::Verified });
        });
        assert_eq!(Play::of(case(&[FIRST], settings(3)), &[after_the_key]).counts(), (1, 1));
    }

    #[test]
    fn asking_twice_changes_nothing_and_what_comes_after_the_end_is_ignored() {
        let mut case = case(&[FIRST], settings(1));
        let (Next::Connect(one), Next::Connect(two)) = (case.next(at(0)), case.next(at(5))) else {
            panic!("nothing wanted")
        };
        assert_eq!((one.addr, one.not_before), (two.addr, two.not_before));
        case.add(evidence(&one, at(0), &ok()));
        case.add(evidence(&one, at(0), &refused()));
        let (Next::Done(one), Next::Done(two)) = (case.next(at(200)), case.next(at(300))) else { panic!("not over") };
        assert_eq!(serde_json::to_value(one).unwrap(), serde_json::to_value(two).unwrap());
    }

    #[test]
    fn a_waiting_case_is_small() {
        assert!(size_of::<Case>() <= 256, "{} bytes", size_of::<Case>());
    }

    fn any_fault() -> impl Strategy<Value = Option<Fault>> {
        prop_oneof![
            Just(None),
            Just(Some(Fault::Connect)),
            Just(Some(Fault::ConnectTimeout)),
            Just(Some(Fault::Local(LocalTrouble::NoRoute))),
            Just(Some(Fault::Local(LocalTrouble::ResourceLimit))),
            Just(Some(Fault::Timeout)),
            Just(Some(Fault::Eof)),
            Just(Some(Fault::Eof)),
            Just(Some(Fault::Reset)),
            Just(Some(Fault::Lost)),
            Just(Some(Fault::Disconnected)),
            Just(Some(Fault::Protocol("odd".into()))),
            Just(Some(Fault::Internal("bug".into()))),
        ]
    }

    fn any_stage() -> impl Strategy<Value = Stage> {
        prop_oneof![
            Just(Stage::Connect),
            Just(Stage::Ident),
            Just(Stage::Ident),
            Just(Stage::Kexinit),
            Just(Stage::Kex),
            Just(Stage::Auth),
        ]
    }

    prop_compose! {
        fn any_ending()(
            stage in any_stage(),
            fault in any_fault(),
            software in prop_oneof![Just(None), Just(Some("OpenSSH_9.9")), Just(Some("dropbear"))],
            text in prop_oneof![3 => Just(None), 1 => Just(Some("Exceeded MaxStartups")), 1 => Just(Some("Not allowed at this time"))],
            none_sent: bool,
            lasts in 0u64..30_000_000,
        ) -> (Stage, Option<Fault>, Option<&'static str>, Option<&'static str>, bool, u64) {
            (stage, fault, software, text, none_sent, lasts)
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_a_case_ends_with_one_record_within_its_limits(
            endings in proptest::collection::vec(any_ending(), 64),
            addresses in 1usize..20,
            retries in 0u32..12,
            entropy: u64,
            spacing in prop_oneof![Just(Duration::ZERO), Just(PER_HOST)],
        ) {
            let mut settings = settings(retries);
            settings.per_host = spacing;
            let addrs = (0..addresses).map(|last| addr(&format!("10.0.0.{last}:22"))).collect();
            let mut case = Case::new(target(), addrs, None, Arc::new(settings), at(0), entropy);
            let (mut now, mut not_before) = (at(0), at(0));
            let mut last: Option<(SocketAddr, Moment)> = None;
            let (mut asked, mut connected, mut steps, mut small) = (0, 0, 0, 0);
            let mut endings = endings.into_iter();
            let record = loop {
                let connect = match case.next(now) {
                    Next::Connect(connect) => connect,
                    Next::Done(record) => break record,
                };
                asked += 1;
                prop_assert!(connect.not_before >= not_before, "never backwards");
                not_before = connect.not_before;
                now = now.max(not_before);
                if let Some((addr, ended)) = last {
                    prop_assert!(addr != connect.addr || now.since(ended) >= spacing, "spaced");
                    prop_assert!(connected == 0 || addr == connect.addr, "an address that answered is kept");
                }
                let (stage, fault, software, text, none_sent, lasts) = endings.next().unwrap();
                let mut evidence = Evidence::new(connect.addr, now);
                (evidence.stage, evidence.fault, evidence.mss) = (stage, fault, connect.mss);
                evidence.step_by_step = connect.plan.step_by_step;
                evidence.ident = software.map(|software| Identification { raw: format!("SSH-2.0-{software}").into_bytes() });
                evidence.auth = (stage == Stage::Auth).then(|| Auth { none_sent, ..Auth::default() });
                if let Some(text) = text {
                    evidence.preamble.lines.push(PreambleLine { at: Duration::ZERO, bytes: text.into() });
                }
                now = now + Duration::from_micros(lasts);
                evidence.ended = now;
                connected += usize::from(evidence.connected());
                steps += usize::from(connect.plan.step_by_step);
                small += usize::from(connect.mss.is_some());
                last = Some((connect.addr, now));
                case.add(evidence);
            };
            prop_assert!(connected <= Case::MAX_CONNECTIONS);
            prop_assert!(asked < Case::MAX_ADDRESSES + Case::MAX_CONNECTIONS);
            prop_assert!(steps < Case::MAX_CONNECTIONS && small < Case::MAX_CONNECTIONS);
            let record = serde_json::to_value(record).unwrap();
            let attempts = record["attempts"].as_u64().unwrap();
            prop_assert!(attempts >= 1 && attempts <= 1 + u64::from(retries));
            prop_assert!(matches!(case.next(now), Next::Done(_)));
        }
    }
}
