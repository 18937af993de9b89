//! The SYN sweep in front of the probe: plain addresses go through it, everything else past it.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::sweep::flight::Schedule;
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::time::Moment;
use tokio::sync::mpsc;

use super::empty::Empty;
use super::feed::Fed;
use super::route::{Assigned, By};
use super::run::socket_addr;
use super::stats::Stats;
use crate::sweep::{self, Found, Inbox, Launch, Nobody, Pace, Sockets, Watch};
use crate::sys::clock::Clock;

/// That a run begins with a SYN sweep.
#[derive(Debug, Clone)]
pub struct Syn {
    /// What it sends and listens with. For one run at a time: of two, each would take answers to the other.
    pub sockets: Arc<Sockets>,
    /// SYNs to an address after the first.
    pub retries: u32,
    /// Who counts the addresses of ranges where there is nobody, if they are to have no record: most of a range is nothing else,
    /// and a record costs more than the packets.
    pub nobody: Option<SyncSender<Vec<Empty>>>,
}

/// So many of them go to whoever counts them at once, if that takes no longer than [`SOON`].
const COUNTED: usize = 1024;
const SOON: Duration = Duration::from_millis(100);

/// So many of them wait at the most, until whoever counts them is waited for.
const UNCOUNTED: usize = 1 << 16;

/// Results on their way to the engine: what it takes up in the time that the sweep waits until it tries again.
const AHEAD: usize = 1024;

impl Syn {
    /// When SYNs are sent again: after a while, then after twice that each time, as long as the last one is waited for. With the
    /// defaults, after 1 and 3 s, as a connect does; and an address is given up when a connect would be.
    #[must_use]
    pub fn schedule(&self, connect_timeout: Duration) -> Schedule {
        let first_gap = connect_timeout / self.retries.saturating_mul(2).saturating_add(1);
        let gap = first_gap * 2;
        let until_last = match self.retries {
            0 => Duration::ZERO,
            retries => first_gap + gap.saturating_mul(retries - 1),
        };
        Schedule { retries: self.retries, first_gap, gap, patience: connect_timeout.saturating_sub(until_last) }
    }

    /// Starts the sweep, and the thread that reads the targets for it.
    ///
    /// # Errors
    /// When the machine has no thread or descriptor left.
    pub(super) fn start<T: Send + Sync + 'static>(
        self,
        targets: impl Iterator<Item: Into<Assigned<T>>> + Send + 'static,
        pace: Pace,
        clock: Clock,
        stats: Arc<Stats>,
    ) -> std::io::Result<mpsc::Receiver<Fed<T>>> {
        let (out, fed) = mpsc::channel(AHEAD);
        let inbox = Arc::new(Inbox::new()?);
        let broken = out.downgrade();
        let counted = Arc::clone(&stats);
        let watcher = Watcher { stats, nobody: self.nobody, uncounted: Vec::new(), told: clock.now() };
        sweep::start::<Ticket, Assigned<T>, Fed<T>>(self.sockets, pace, clock, watcher, Arc::clone(&inbox), out)?;
        thread::Builder::new().name(String::from("targets")).spawn(move || {
            let walk = AssertUnwindSafe(|| {
                let mut kinds = Kinds::default();
                for target in targets {
                    counted.feed();
                    if !inbox.put(launch(target.into(), &mut kinds)) {
                        return;
                    }
                }
            });
            if catch_unwind(walk).is_err()
                && let Some(out) = broken.upgrade()
            {
                let _ = out.blocking_send(Fed::Broken);
            }
            inbox.end();
        })?;
        Ok(fed)
    }
}

/// Whether a target is to be swept.
fn launch<T>(assigned: Assigned<T>, kinds: &mut Kinds) -> Launch<Ticket, Assigned<T>> {
    match (&assigned.by, plain(&assigned.target)) {
        (By::Usual, Some(addr)) => {
            let to = socket_addr(addr, 0, assigned.target.port);
            Launch::Sweep(to, Ticket { index: assigned.target.index, kind: kinds.of(assigned.target) })
        }
        _ => Launch::Aside(assigned),
    }
}

/// All that has to be known of a target beside its address and port to make it anew: half a million may be under way.
#[derive(Debug)]
struct Ticket {
    index: u64,
    kind: Arc<Kind>,
}

/// What the targets of one expression have in common.
#[derive(Debug, PartialEq, Eq)]
struct Kind {
    input: Arc<str>,
    user: Option<Arc<str>>,
    from_range: bool,
}

/// The kind of the last target: the next one is of the same, as a rule.
#[derive(Debug, Default)]
struct Kinds(Option<Arc<Kind>>);

impl Kinds {
    fn of(&mut self, target: Target) -> Arc<Kind> {
        let same = |kind: &&Arc<Kind>| {
            let one_input = Arc::ptr_eq(&kind.input, &target.input) || kind.input == target.input;
            one_input && kind.user == target.user && kind.from_range == target.from_range
        };
        if let Some(kind) = self.0.as_ref().filter(same) {
            return Arc::clone(kind);
        }
        let Target { input, user, from_range, .. } = target;
        Arc::clone(self.0.insert(Arc::new(Kind { input, user, from_range })))
    }
}

impl Ticket {
    fn target(self, at: SocketAddr) -> Target {
        let Kind { input, user, from_range } = &*self.kind;
        Target {
            input: Arc::clone(input),
            index: self.index,
            host: Host::Addr(at.ip(), 0),
            place: None,
            port: at.port(),
            user: user.clone(),
            from_range: *from_range,
        }
    }
}

/// The address of a target that is nothing but one. What has a scope is left to connect(), as an answer does not say which it came
/// from; so is what stands for many hosts, or for none, to which connect() does not even send.
fn plain(target: &Target) -> Option<IpAddr> {
    let Host::Addr(addr, 0) = target.host else { return None };
    let one_host = match addr {
        IpAddr::V4(addr) => !addr.is_multicast() && !addr.is_broadcast() && !addr.is_unspecified(),
        IpAddr::V6(addr) => {
            !addr.is_multicast()
                && !addr.is_unspecified()
                && !addr.is_unicast_link_local()
                && addr.to_ipv4_mapped().is_none()
        }
    };
    (one_host && target.place.is_none()).then_some(addr)
}

impl<T> From<Found<Ticket, Assigned<T>>> for Fed<T> {
    fn from(found: Found<Ticket, Assigned<T>>) -> Self {
        match found {
            Found::Told(at, ticket, evidence) => Fed::Swept(ticket.target(at), evidence),
            Found::Unswept(at, ticket) => Fed::Counted(ticket.target(at).into()),
            Found::Kept(at, ticket, place) => Fed::Kept(ticket.target(at).into(), place),
            Found::Aside(assigned) => Fed::Counted(assigned),
            Found::Broken => Fed::Broken,
        }
    }
}

/// Keeps the run's figures up to date.
struct Watcher {
    stats: Arc<Stats>,
    nobody: Option<SyncSender<Vec<Empty>>>,
    uncounted: Vec<Empty>,
    /// When some were last told.
    told: Moment,
}

impl Watch<Ticket> for Watcher {
    fn launched(&mut self) {
        self.stats.launch();
    }

    fn landed(&mut self) {
        self.stats.land();
    }

    fn sent(&mut self, syns: u64) {
        self.stats.send_syns(syns);
    }

    fn trouble(&mut self) {
        self.stats.trouble();
    }

    fn empty(&mut self, at: SocketAddr, ticket: Ticket, how: Nobody) -> Option<Ticket> {
        // Whoever was named has a record whatever comes of it.
        if self.nobody.is_none() || !ticket.kind.from_range {
            return Some(ticket);
        }
        self.uncounted.push(Empty { index: ticket.index, addr: at.ip(), code: code(how) });
        None
    }

    fn look(&mut self, now: Moment) {
        let waiting = self.uncounted.len();
        if waiting >= COUNTED || (waiting > 0 && now.since(self.told) >= SOON) {
            self.told = now;
            self.tell(waiting >= UNCOUNTED);
        }
    }
}

impl Watcher {
    /// Has those counted that wait for it, now if whoever counts them has time, or whenever that is.
    fn tell(&mut self, whenever: bool) {
        let Some(nobody) = &self.nobody else { return };
        let (count, empty) = (self.uncounted.len() as u64, std::mem::take(&mut self.uncounted));
        let told = if whenever { nobody.send(empty).map_err(TrySendError::from) } else { nobody.try_send(empty) };
        match told {
            Ok(()) => self.stats.finish_empty(count),
            Err(TrySendError::Full(empty)) => self.uncounted = empty,
            // Nobody counts any more: the run is at its end.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if !self.uncounted.is_empty() {
            self.tell(true);
        }
    }
}

/// What the record of such an address would say.
const fn code(how: Nobody) -> Code {
    match how {
        Nobody::Silent => Code::TimeoutConnect,
        Nobody::Refuses => Code::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use sshprobe_probes::case::{Case, Next};
    use sshprobe_probes::sweep::reply::{Answer, What, silence};

    use super::*;

    fn target(host: Host) -> Target {
        let place = None;
        Target { input: "x".into(), index: 0, host, place, port: 22, user: None, from_range: false }
    }

    #[test]
    fn only_plain_addresses_are_swept() {
        let addr = |text: &str, scope| target(Host::Addr(text.parse().unwrap(), scope));
        for text in ["10.0.0.1", "127.0.0.1", "2001:db8::1", "fd00::1", "::1"] {
            assert!(plain(&addr(text, 0)).is_some(), "{text}");
        }
        for text in ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(plain(&addr(text, 0)).is_none(), "{text}");
        }
        assert!(plain(&addr("fe80::1", 2)).is_none());
        assert!(plain(&target(Host::Name("web1".into()))).is_none());
        let elsewhere = Target { place: Some(Box::new(Host::Name("web1".into()))), ..addr("10.0.0.1", 0) };
        assert!(plain(&elsewhere).is_none());
    }

    #[test]
    fn an_address_is_given_up_when_a_connect_would_be() {
        let sockets = Sockets::open(None, None);
        let Ok(sockets) = sockets.map(Arc::new) else { return eprintln!("SKIPPED: raw sockets need root") };
        let schedule = |retries, millis| {
            Syn { sockets: Arc::clone(&sockets), retries, nobody: None }.schedule(Duration::from_millis(millis))
        };
        for (retries, millis) in [(0, 5000), (1, 5000), (2, 5000), (10, 7000), (2, 1)] {
            let Schedule { retries: tries, first_gap, gap, patience } = schedule(retries, millis);
            let tries = if tries == 0 { Duration::ZERO } else { first_gap + gap * (tries - 1) };
            assert_eq!(tries + patience, Duration::from_millis(millis));
            assert!(retries == 0 || patience >= gap);
        }
        let [first_gap, gap, patience] = [1, 2, 2].map(Duration::from_secs);
        assert_eq!(schedule(2, 5000), Schedule { retries: 2, first_gap, gap, patience });
        assert_eq!(schedule(0, 5000).patience, Duration::from_secs(5));
    }

    #[test]
    fn a_target_is_made_anew_from_its_ticket() {
        let (mut kinds, mut tickets) = (Kinds::default(), Vec::new());
        for (input, user, from_range, addr) in [
            ("10.0.0.0/8", None, true, "10.0.0.1"),
            ("10.0.0.0/8", None, true, "10.0.0.2"),
            ("me@10.0.0.0/8", Some("me"), true, "10.0.0.3"),
            ("10.0.0.4", None, false, "10.0.0.4"),
            ("[2001:db8::]/64", None, true, "2001:db8::1"),
        ] {
            let host = Host::Addr(addr.parse().unwrap(), 0);
            let user = user.map(Into::into);
            let target = Target { input: input.into(), index: 7, user, from_range, ..target(host) };
            let Launch::Sweep(to, ticket) = launch::<()>(target.clone().into(), &mut kinds) else {
                panic!("{input} is not swept")
            };
            tickets.push(Arc::clone(&ticket.kind));
            assert_eq!(ticket.target(to), target);
        }
        assert!(Arc::ptr_eq(&tickets[0], &tickets[1]), "one is enough for a range");
    }

    /// What is only counted is counted as what its record would have been.
    #[test]
    fn who_is_not_there_is_counted_as_it_would_be_told() {
        let settings = crate::engine::Options::default().settings;
        let to = SocketAddr::from(([10, 0, 0, 1], 22));
        let (sent, now) = (Moment::START, Moment::from_micros(5_000_000));
        let reset = Answer { target: to, local: to, id: 0, what: What::Reset };
        for (how, evidence) in [(Nobody::Silent, silence(to, sent, now)), (Nobody::Refuses, reset.evidence(sent, now))]
        {
            let target = Target { from_range: true, ..target(Host::Addr(to.ip(), 0)) };
            let mut case = Case::new(target, [to], None, Arc::clone(&settings), sent, 0);
            case.add(evidence);
            let Next::Done(record) = case.next(now) else { panic!("{how:?} is not all") };
            assert_eq!((record.code, record.connections), (code(how), 0));
            assert!(Empty::CODES.contains(&record.code));
        }
    }

    fn counted_of(stats: &Arc<Stats>, nobody: SyncSender<Vec<Empty>>) -> Watcher {
        Watcher { stats: Arc::clone(stats), nobody: Some(nobody), uncounted: Vec::new(), told: Moment::START }
    }

    #[test]
    fn who_counts_slowly_loses_nobody() {
        let (stats, (nobody, counted)) = (Arc::new(Stats::default()), sync_channel(1));
        let mut watcher = counted_of(&stats, nobody);
        let kind = |from_range| Arc::new(Kind { input: "x".into(), user: None, from_range });
        let to = SocketAddr::from(([10, 0, 0, 1], 22));
        let named = watcher.empty(to, Ticket { index: 0, kind: kind(false) }, Nobody::Silent);
        assert!(named.is_some(), "who was named has a record");
        for index in 0..3 * COUNTED as u64 {
            assert!(watcher.empty(to, Ticket { index, kind: kind(true) }, Nobody::Refuses).is_none());
            watcher.look(Moment::START);
        }
        // One batch waits at the counter's, and the rest here, however often it is tried.
        assert_eq!((stats.done(), watcher.uncounted.len()), (COUNTED as u64, 2 * COUNTED));
        let rest = std::thread::spawn(move || drop(watcher));
        let indices: Vec<u64> = counted.into_iter().flatten().map(|empty| empty.index).collect();
        rest.join().unwrap();
        assert_eq!(indices, (0..3 * COUNTED as u64).collect::<Vec<_>>());
        assert_eq!(stats.done(), 3 * COUNTED as u64);
    }

    #[test]
    fn few_are_counted_soon() {
        let (stats, (nobody, counted)) = (Arc::new(Stats::default()), sync_channel(1));
        let mut watcher = counted_of(&stats, nobody);
        let kind = Arc::new(Kind { input: "x".into(), user: None, from_range: true });
        watcher.empty(([10, 0, 0, 1], 22).into(), Ticket { index: 0, kind }, Nobody::Silent);
        watcher.look(Moment::START);
        assert!(counted.try_recv().is_err());
        watcher.look(Moment::START + SOON);
        assert_eq!(counted.try_recv().unwrap().len(), 1);
    }
}
