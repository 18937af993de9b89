//! The loop of a SYN sweep.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sshprobe_probes::diagnose::perhaps_not_asked_for;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, LocalTrouble};
use sshprobe_probes::govern::rate::Rate;
use sshprobe_probes::govern::trouble::Patience;
use sshprobe_probes::sweep::cookie::Cookie;
use sshprobe_probes::sweep::flight::{Done, Flights, Place, Schedule};
use sshprobe_probes::sweep::reply::{Answer, Carried, What, silence};
use sshprobe_probes::time::Moment;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::inbox::Inbox;
use super::sockets::Sockets;
use super::sources::{Source, Sources};
use super::trouble::{Pause, Refusal, Standing};
use super::ways::Ways;
use crate::sys::batch::{BATCH, Incoming, Outgoing};
use crate::sys::clock::Clock;
use crate::sys::neighbours::waits_for_next_hop;
use crate::sys::tables::Tables;

/// What is given to a sweep.
#[derive(Debug)]
pub enum Launch<W, A> {
    /// Send SYNs there. Plain addresses only: without scope, and none that stands for many hosts. Half a million of these may
    /// be under way: what they bring along should be small.
    Sweep(SocketAddr, W),
    /// Hand it on in its turn.
    Aside(A),
}

/// What became of it.
#[derive(Debug)]
pub enum Found<W, A> {
    /// Somebody listens; or nobody does, or nobody can be reached: then the evidence's fault says how.
    Told(SocketAddr, W, Box<Evidence>),
    /// No SYN of ours says anything about it. An ordinary connection will.
    Unswept(SocketAddr, W),
    /// The same, as a table of neighbours has no room: one of many that will be waited for long. Its place is to be given back when
    /// it is done with.
    Kept(SocketAddr, W, OwnedSemaphorePermit),
    /// It was to be handed on.
    Aside(A),
    /// A bug of ours ended the sweep.
    Broken,
}

/// How a sweep goes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// When SYNs are sent again.
    pub schedule: Schedule,
    /// Packets a second, ramped up; 0 lifts the limit.
    pub rate: u32,
    /// So many that a table of neighbours has no room for are handed on at a time.
    pub kept: usize,
}

/// Who wants to know how it goes.
pub trait Watch<W>: Send + 'static {
    /// An address owes an answer from now on.
    fn launched(&mut self);
    /// One does not any more.
    fn landed(&mut self);
    /// So many SYNs have left.
    fn sent(&mut self, syns: u64);
    /// This machine could not send.
    fn trouble(&mut self);
    /// There is nobody at an address. Given back, it is told like everything else; else that was all.
    fn empty(&mut self, at: SocketAddr, what: W, how: Nobody) -> Option<W>;
    /// Called every now and then.
    fn look(&mut self, now: Moment);
}

/// How it shows that there is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nobody {
    /// Not one SYN was answered.
    Silent,
    /// The host, or whoever speaks for it, answered with a reset.
    Refuses,
}

/// Addresses that owe an answer, and those behind them in the queue, at the most: some 110 bytes each. One SYN to each may be set aside,
/// which takes up as much again, until two seconds after the address was done with at the latest. Silence takes five seconds
/// by default, so that it goes at 100,000 addresses a second.
pub const MOST: usize = 1 << 19;

/// Results that nobody has taken yet, of which so many let no more SYNs out to new addresses, and nobody be given up. Answers still
/// come in.
const PILE: usize = 4096;

/// Addresses that a table of neighbours has no room for, and that wait to be handed on, at the most. They keep nobody else waiting: who
/// finds no room among them is sent SYNs a second time, and has a record that says what was short if that is in vain as well.
const KEPT: usize = 1 << 16;

/// What is taken out of the inbox at a time.
const CHUNK: usize = 64;

/// Batches that are taken from one socket before the others have their turn.
const ROUNDS: usize = 16;

/// Between two tries to hand on what nobody had room for.
const RETRY: Duration = Duration::from_millis(5);

/// Between two looks at whether anybody still wants to know.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Starts a sweep of what comes into `inbox`, on a thread of its own. It ends when all of that is done, or when nobody takes what
/// it finds any more; the inbox is closed then.
///
/// # Errors
/// When the machine has no thread left.
pub fn start<W, A, F>(
    sockets: Arc<Sockets>,
    pace: Pace,
    clock: Clock,
    mut watch: impl Watch<W>,
    inbox: Arc<Inbox<Launch<W, A>>>,
    out: mpsc::Sender<F>,
) -> io::Result<()>
where
    W: Send + 'static,
    A: Send + 'static,
    F: From<Found<W, A>> + Send + 'static,
{
    thread::Builder::new().name(String::from("sweep")).spawn(move || {
        let sweep = AssertUnwindSafe(|| Sweeper::new(&sockets, pace, clock, &mut watch, &inbox, &out).run());
        if catch_unwind(sweep).is_err() {
            let _ = out.blocking_send(Found::Broken.into());
        }
        inbox.close();
    })?;
    Ok(())
}

struct Sweeper<'a, W, A, F, V> {
    sockets: &'a Sockets,
    clock: Clock,
    watch: &'a mut V,
    inbox: &'a Inbox<Launch<W, A>>,
    sources: Sources,
    ways: Ways,
    out: &'a mpsc::Sender<F>,
    flights: Flights<Passenger<W>>,
    rate: Rate,
    /// A packet may be sent; else, when the next one may.
    token: Result<(), Moment>,
    /// Taken from the inbox, and not launched yet.
    incoming: VecDeque<Launch<W, A>>,
    /// To be launched a second time.
    suspect: VecDeque<(SocketAddr, W)>,
    /// The last one that was launched was one of those.
    suspect_last: bool,
    /// More may come into the inbox.
    more: bool,
    /// To be sent, of IPv4 and of IPv6.
    outbox: [Outbox; 2],
    /// Whose turn it is to send first.
    turn: usize,
    /// To be sent again from a moment on, as it cannot be sent where others can: one SYN to an address at the most, and without its
    /// packet, as there may be as many of these as addresses.
    aside: BTreeMap<(Moment, u64), (Place, Patience, Standing)>,
    set_aside: u64,
    pause: Pause,
    /// Packets that have left.
    out_so_far: u64,
    ready: VecDeque<Found<W, A>>,
    /// Found to have no room in a table of neighbours, and not handed on yet.
    kept: VecDeque<(SocketAddr, W)>,
    places: Arc<Semaphore>,
    received: Incoming,
    tables: Tables,
    /// Packets lost by our own sockets, and when that was last noticed.
    lost: u64,
    lost_at: Option<Moment>,
}

/// What is known of an address that owes an answer.
struct Passenger<W> {
    what: W,
    /// Where its SYNs come from.
    source: Source,
    /// One of them has left this machine.
    sent: bool,
    /// So many are still to leave it.
    waiting: u8,
    /// Its SYN or the answer may have been lost here once already.
    suspect: bool,
    /// One of them was left out, as the one before it still waited.
    behind: bool,
}

#[derive(Default)]
struct Outbox {
    packets: Vec<Outgoing>,
    /// The same SYNs.
    syns: Vec<Syn>,
}

struct Syn {
    id: u64,
    place: Place,
    patience: Patience,
    standing: Standing,
}

impl Outbox {
    /// Puts the first one behind all others.
    fn rotate(&mut self) {
        self.packets.rotate_left(1);
        self.syns.rotate_left(1);
    }

    fn push(&mut self, packet: Outgoing, syn: Syn) {
        self.packets.push(packet);
        self.syns.push(syn);
    }

    /// Takes the first one out.
    fn take_first(&mut self) -> Option<Syn> {
        self.drop_first(1).next()
    }

    fn drop_first(&mut self, count: usize) -> impl Iterator<Item = Syn> {
        self.packets.drain(..count);
        self.syns.drain(..count)
    }
}

impl<'a, W, A, F: From<Found<W, A>>, V: Watch<W>> Sweeper<'a, W, A, F, V> {
    fn new(
        sockets: &'a Sockets,
        pace: Pace,
        clock: Clock,
        watch: &'a mut V,
        inbox: &'a Inbox<Launch<W, A>>,
        out: &'a mpsc::Sender<F>,
    ) -> Self {
        Self {
            sockets,
            clock,
            watch,
            inbox,
            sources: Sources::default(),
            ways: Ways::new(),
            out,
            flights: Flights::new(pace.schedule, MOST),
            rate: Rate::new(pace.rate, clock.now()),
            token: Ok(()),
            incoming: VecDeque::with_capacity(CHUNK),
            suspect: VecDeque::new(),
            suspect_last: false,
            more: true,
            outbox: [Outbox::default(), Outbox::default()],
            turn: 0,
            aside: BTreeMap::new(),
            set_aside: 0,
            out_so_far: 0,
            pause: Pause::default(),
            ready: VecDeque::new(),
            kept: VecDeque::new(),
            places: Arc::new(Semaphore::new(pace.kept)),
            received: Incoming::default(),
            tables: Tables::of_this_machine(),
            lost: sockets.lost(),
            lost_at: None,
        }
    }

    fn run(&mut self) {
        loop {
            let all_heard = self.listen();
            // What waits unheard may be the answer that somebody is given up for; and who cannot listen fast enough must not
            // send faster.
            let mut sent = 0;
            if all_heard {
                self.give_up();
            }
            self.watch.look(self.clock.now());
            if !self.hand_on() {
                return;
            }
            if all_heard {
                self.load();
                sent = self.send();
            }
            if self.is_done() {
                return;
            }
            if all_heard && sent == 0 {
                self.rest();
            }
        }
    }

    fn is_done(&self) -> bool {
        let none_to_come = !self.more && self.incoming.is_empty() && self.suspect.is_empty();
        none_to_come && self.flights.is_empty() && self.ready.is_empty() && self.kept.is_empty()
    }

    /// Takes what has come in; whether that is all of it.
    fn listen(&mut self) -> bool {
        let mut all = true;
        let sockets = self.sockets;
        for family in sockets.families() {
            for carried in [Carried::Tcp, Carried::Icmp] {
                let mut answers = Vec::new();
                let mut rounds = 0;
                let mut more = true;
                while more && rounds < ROUNDS {
                    let count = family.take(carried, &mut self.received, |from, bytes| {
                        answers.extend(match from {
                            None => sockets.cookies.answer(bytes),
                            // Where it went to is not told; the cookie is in its port and number.
                            Some(from) => sockets.cookies.answer_over_ipv6(from, Ipv6Addr::UNSPECIFIED, carried, bytes),
                        });
                    });
                    more = count == BATCH;
                    rounds += 1;
                    let now = self.clock.now();
                    answers.drain(..).for_each(|answer| self.heard(&answer, now));
                }
                all &= !more;
            }
        }
        all
    }

    fn heard(&mut self, answer: &Answer, now: Moment) {
        // Quoted by an ICMP message or told by IPv4, it is an answer only to where the SYN came from.
        let (id, to) = (answer.id, answer.local.ip());
        let Some(passenger) = self.flights.owing(id) else { return };
        if !to.is_unspecified() && to != self.sources.addr(passenger.source, answer.target.ip()) {
            return;
        }
        let Some(Done { target, what: passenger, first, .. }) = self.flights.answered(id) else { return };
        let (source, suspect, mut what) = (passenger.source, passenger.suspect, passenger.what);
        if answer.what == What::Reset {
            match self.watch.empty(target, what, Nobody::Refuses) {
                Some(back) => what = back,
                None => return self.watch.landed(),
            }
        }
        let mut evidence = Box::new(answer.evidence(first, now));
        if perhaps_not_asked_for(&evidence) {
            self.tables.neighbours.look(now);
            if self.tables.neighbours.full_since(first) {
                what = match self.keep(target, what, suspect) {
                    None => return self.watch.landed(),
                    Some(what) => what,
                };
                evidence = Box::new(silence(target, first, now));
                evidence.fault = Some(Fault::Local(LocalTrouble::Unfound));
            }
        }
        evidence.path.local = Some(SocketAddr::new(self.sources.addr(source, target.ip()), answer.local.port()));
        self.land(Found::Told(target, what, evidence));
    }

    /// Ends the wait for those who have been silent long enough, as far as there is room for what it came to: where they stand they
    /// take up a tenth of that.
    fn give_up(&mut self) {
        if self.is_piled_up() {
            return;
        }
        let now = self.clock.now();
        let Some(first) = self.flights.silent(now) else { return };
        self.tables.look(now);
        let lost = self.sockets.lost();
        if lost > self.lost {
            tracing::info!("{} packets were lost, as they came faster than they were taken", lost - self.lost);
            self.watch.trouble();
            (self.lost, self.lost_at) = (lost, Some(now));
        }
        let mut next = Some(first);
        while let Some(done) = next {
            match self.judge_silence(done, now) {
                Some(found) => self.land(found),
                None => self.watch.landed(),
            }
            next = if self.is_piled_up() { None } else { self.flights.silent(now) };
        }
    }

    /// What a silence means; `None` if it has to be heard once more, is handed on later, or nobody wants to hear of it.
    fn judge_silence(&mut self, done: Done<Passenger<W>>, now: Moment) -> Option<Found<W, A>> {
        let Done { target, what: Passenger { mut what, source, sent, waiting, suspect, behind }, first, last } = done;
        // Its answer may have been among what this machine dropped.
        let lost = self.lost_at.is_some_and(|lost| lost >= last);
        // Nobody is silent on what this machine has not sent yet, or too late to be waited for.
        let unsent = waiting > 0;
        if (lost || unsent || behind) && !suspect {
            self.suspect.push_back((target, what));
            return None;
        }
        if lost || self.tables.conntrack.full_since(first) {
            return Some(Found::Unswept(target, what));
        }
        // To ask about each costs more than its packets did.
        let full = self.tables.neighbours.full_since(first);
        let kept = full && (unsent || waits_for_next_hop(target));
        if kept {
            what = self.keep(target, what, suspect)?;
        }
        if sent && !unsent && !kept {
            what = self.watch.empty(target, what, Nobody::Silent)?;
        }
        let mut evidence = Box::new(silence(target, first, now));
        let source_port = self.sockets.cookies.of(target.ip(), target.port()).source_port;
        evidence.path.local = Some(SocketAddr::new(self.sources.addr(source, target.ip()), source_port));
        if unsent || kept {
            let trouble = if kept { LocalTrouble::Unfound } else { LocalTrouble::ResourceLimit };
            evidence.fault = Some(Fault::Local(trouble));
        } else if !sent {
            evidence.path.errno = Some(Errno::EPERM);
            evidence.fault = Some(Fault::Local(LocalTrouble::Policy));
        }
        Some(Found::Told(target, what, evidence))
    }

    /// Has an address handed on that a table of neighbours may have no room for, or launched a second time. Where there is no room for it
    /// either, it is given back: more was not to be had for it.
    fn keep(&mut self, target: SocketAddr, what: W, suspect: bool) -> Option<W> {
        if self.kept.len() < KEPT {
            self.kept.push_back((target, what));
        } else if !suspect {
            self.suspect.push_back((target, what));
        } else {
            return Some(what);
        }
        None
    }

    /// Nobody takes what was found, for now.
    fn is_piled_up(&self) -> bool {
        self.ready.len() >= PILE
    }

    fn land(&mut self, found: Found<W, A>) {
        self.watch.landed();
        self.ready.push_back(found);
    }

    /// Hands on what there is room for; `false` once nobody takes it.
    fn hand_on(&mut self) -> bool {
        while !self.ready.is_empty() {
            match self.out.try_reserve() {
                Ok(place) => {
                    if let Some(found) = self.ready.pop_front() {
                        place.send(found.into());
                    }
                }
                Err(TrySendError::Full(())) => return true,
                Err(TrySendError::Closed(())) => return false,
            }
        }
        while !self.kept.is_empty() {
            // Who takes them has places for others, too.
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { break };
            let Ok(room) = self.out.try_reserve() else { break };
            if let Some((target, what)) = self.kept.pop_front() {
                room.send(Found::Kept(target, what, place).into());
            }
        }
        !self.out.is_closed()
    }

    /// Makes SYNs ready: those to be sent again first, then those to new addresses.
    fn load(&mut self) {
        let now = self.clock.now();
        if self.pause.until(now).is_some() {
            return;
        }
        self.ways.look(now);
        self.tables.neighbours.look(now);
        self.fetch(now);
        let waiting = self.outbox.iter().flat_map(|outbox| &outbox.syns);
        let doubtful = waiting.clone().filter(|syn| syn.standing.is_doubtful()).count();
        if doubtful > self.pause.room() {
            return;
        }
        let mut fresh = waiting.filter(|syn| !syn.standing.is_out()).count() - doubtful;
        while fresh < BATCH {
            fresh += 1;
            if self.token.is_err() {
                self.token = self.rate.permit(now);
            }
            if self.token.is_err() || !(self.again(now) || self.launch(now)) {
                return;
            }
            // Asked for at once, so that it is known when the next one comes.
            self.token = self.rate.permit(now);
        }
    }

    /// Takes back some of those that were set aside until now: fewer than others are let in, as most of them will be refused again.
    fn fetch(&mut self, now: Moment) {
        let mut back = 0;
        while back < BATCH / 4 {
            let Some(first) = self.aside.first_entry().filter(|first| first.key().0 <= now) else { return };
            let (place, patience, standing) = first.remove();
            // Of somebody who is done nothing needs to be known any more.
            let Some(to) = self.flights.target(place) else { continue };
            let Some(source) = self.flights.at(place).map(|passenger| passenger.source) else { continue };
            let cookie = self.sockets.cookies.of(to.ip(), to.port());
            self.write(source, to, Syn { id: cookie.id, place, patience, standing }, cookie, now);
            back += 1;
        }
    }

    fn again(&mut self, now: Moment) -> bool {
        let Some(again) = self.flights.again(now) else { return false };
        if let Some(passenger) = self.flights.at(again.place) {
            if passenger.waiting > 0 {
                // Two at once would say no more than one.
                passenger.behind = true;
                return true;
            }
            let source = passenger.source;
            let cookie = self.sockets.cookies.of(again.target.ip(), again.target.port());
            self.write_first(source, again.target, cookie, again.place, now);
        }
        true
    }

    /// Launches the next address that can be; `false` if there is none now.
    fn launch(&mut self, now: Moment) -> bool {
        while self.flights.has_room() && !self.is_piled_up() {
            // In turn: there may be as many of them as of others.
            let turn = !self.suspect_last || (self.incoming.is_empty() && !self.more);
            self.suspect_last = turn && !self.suspect.is_empty();
            if let Some((to, what)) = turn.then(|| self.suspect.pop_front()).flatten() {
                match self.depart(now, to, what, true) {
                    Ok(()) => return true,
                    Err(what) => self.ready.push_back(Found::Unswept(to, what)),
                }
                continue;
            }
            if self.incoming.is_empty() && self.more {
                self.more = self.inbox.take(CHUNK, &mut self.incoming);
            }
            match self.incoming.pop_front() {
                None if !self.suspect.is_empty() => {}
                None => return false,
                Some(Launch::Aside(what)) => self.ready.push_back(Found::Aside(what)),
                Some(Launch::Sweep(to, what)) => match self.depart(now, to, what, false) {
                    Ok(()) => return true,
                    Err(what) => self.ready.push_back(Found::Unswept(to, what)),
                },
            }
        }
        false
    }

    fn depart(&mut self, now: Moment, to: SocketAddr, what: W, suspect: bool) -> Result<(), W> {
        let Some(source) = self.ways.source(self.sockets, to).and_then(|source| self.sources.of(source, to.ip()))
        else {
            return Err(what);
        };
        let cookie = self.sockets.cookies.of(to.ip(), to.port());
        let passenger = Passenger { what, source, sent: false, waiting: 0, suspect, behind: false };
        let place = self.flights.launch(now, to, cookie.id, passenger).map_err(|passenger| passenger.what)?;
        self.watch.launched();
        self.write_first(source, to, cookie, place, now);
        Ok(())
    }

    /// Makes a SYN ready that has not been tried yet.
    fn write_first(&mut self, source: Source, to: SocketAddr, cookie: Cookie, place: Place, now: Moment) {
        let (patience, standing) = (Patience::default(), Standing::default());
        if self.write(source, to, Syn { id: cookie.id, place, patience, standing }, cookie, now)
            && let Some(passenger) = self.flights.at(place)
        {
            passenger.waiting = passenger.waiting.saturating_add(1);
        }
    }

    fn write(&mut self, source: Source, to: SocketAddr, syn: Syn, cookie: Cookie, now: Moment) -> bool {
        // Some 71 minutes go into it, and wrap around.
        let sent = now.as_micros() as u32;
        let syns = self.sources.syns(source, to.ip());
        // Source and destination are of one family, and there is room: it is written.
        let packet = Outgoing::new(to, |out| syns.write(to.ip(), to.port(), cookie, sent, out));
        let [v4, v6] = &mut self.outbox;
        let outbox = if to.is_ipv6() { v6 } else { v4 };
        packet.map(|packet| outbox.push(packet, syn)).is_some()
    }

    /// Sends what is ready; how many SYNs went.
    fn send(&mut self) -> usize {
        let mut sent = 0;
        // Where one family can send nothing, it does not stand in the other's way.
        self.turn = 1 - self.turn;
        for family in [self.turn, 1 - self.turn] {
            let sockets = if family == 0 { &self.sockets.v4 } else { &self.sockets.v6 };
            let Some(sockets) = sockets else { continue };
            while let Some(outbox) = self.outbox.get_mut(family).filter(|outbox| !outbox.syns.is_empty()) {
                let now = self.clock.now();
                if self.pause.until(now).is_some() {
                    return sent;
                }
                match sockets.send(&outbox.packets) {
                    Ok(count) => {
                        sent += count;
                        self.watch.sent(count as u64);
                        self.out_so_far += count as u64;
                        self.pause.over();
                        for syn in outbox.drop_first(count) {
                            if let Some(passenger) = self.flights.at(syn.place) {
                                passenger.sent = true;
                                passenger.waiting = passenger.waiting.saturating_sub(1);
                            }
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => self.refused(family, Errno(error.raw_os_error().unwrap_or_default()), now),
                }
            }
        }
        sent
    }

    /// The kernel would not send the first SYN of an outbox.
    fn refused(&mut self, family: usize, errno: Errno, now: Moment) {
        let refusal = match Refusal::of(errno) {
            Refusal::Filtered if self.conntrack_is_full(now) => Refusal::Short,
            refusal => refusal,
        };
        let Some(outbox) = self.outbox.get_mut(family) else { return };
        let Some(syn) = outbox.syns.first_mut() else { return };
        let (id, place) = (syn.id, syn.place);
        if refusal == Refusal::Short && self.flights.at(place).is_none() {
            // Whoever it was for is done.
            return drop(outbox.drop_first(1));
        }
        let full = self.tables.neighbours.full_since(now);
        let altogether = if full { Patience::NEIGHBOURS } else { Patience::TOTAL };
        match refusal {
            Refusal::QueueFull => return self.pause.queue_full(now),
            Refusal::Short if !syn.patience.exhausted(altogether, now) => {
                self.watch.trouble();
                // Others may lack nothing: those whose neighbours are known, of a table of neighbours that is full.
                let wait = if full { Some(syn.standing.left_alone()) } else { syn.standing.refused(self.out_so_far) };
                let Some(wait) = wait else {
                    outbox.rotate();
                    return self.pause.short(now, outbox.syns.len());
                };
                let Some(syn) = outbox.take_first() else { return };
                // So many in a row are a full queue all the same, as a rule, or nobody else is left.
                self.pause.short(now, BATCH);
                self.set_aside += 1;
                self.aside.insert((now + wait, self.set_aside), (syn.place, syn.patience, syn.standing));
                return;
            }
            Refusal::Short | Refusal::Filtered | Refusal::NoWay => drop(outbox.drop_first(1)),
        }
        if refusal == Refusal::Filtered {
            // The next try may get through; if none does, that is told.
            if let Some(passenger) = self.flights.at(place) {
                passenger.waiting = passenger.waiting.saturating_sub(1);
            }
            return;
        }
        let Some(done) = self.flights.answered(id) else { return };
        self.land(match refusal {
            Refusal::NoWay => Found::Unswept(done.target, done.what.what),
            _ => {
                let mut evidence = Box::new(silence(done.target, done.first, now));
                evidence.path.errno = Some(errno);
                evidence.fault = Some(Fault::Local(LocalTrouble::ResourceLimit));
                Found::Told(done.target, done.what.what, evidence)
            }
        });
    }

    /// A full table drops packets as a filter does.
    fn conntrack_is_full(&mut self, now: Moment) -> bool {
        self.tables.conntrack.look(now);
        self.tables.conntrack.full_since(now)
    }

    /// Waits until there is something to do.
    fn rest(&self) {
        let now = self.clock.now();
        let room = self.flights.has_room() && !self.is_piled_up();
        let waiting = self.outbox.iter().any(|outbox| !outbox.syns.is_empty());
        let new = room && (self.more || !self.incoming.is_empty() || !self.suspect.is_empty());
        let pause = self.pause.until(now);
        // While nothing may be sent, what is due is not.
        let due = pause
            .or(self.token.err())
            .map_or(self.flights.wake(), |until| self.flights.wake().map(|due| due.max(until)));
        let wakes = [
            // Of what is piled up it is seen soon enough whether anybody takes it.
            due.filter(|_| !self.is_piled_up()),
            pause.filter(|_| waiting || new),
            self.aside.first_key_value().map(|((at, _), _)| pause.map_or(*at, |until| until.max(*at))),
            self.token.err().filter(|_| new),
            (!self.ready.is_empty()).then(|| now + RETRY),
            Some(now + LONGEST_REST),
        ];
        let until = wakes.into_iter().flatten().min().unwrap_or(now);
        let millis = until.since(now).as_micros().div_ceil(1000);
        let patience = PollTimeout::try_from(u32::try_from(millis).unwrap_or(0)).unwrap_or(PollTimeout::ZERO);
        let sockets = self.sockets.families().flat_map(crate::sys::raw::RawSockets::watched);
        // What may not be taken out yet is no reason to wake.
        let awaits_new = new && self.incoming.is_empty() && pause.is_none() && self.token.is_ok();
        let watched = sockets.chain(awaits_new.then(|| self.inbox.arrival()));
        let mut watched: Vec<_> = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Whatever it says: the next round sees what there is to do.
        let _ = poll(&mut watched, patience);
    }
}
