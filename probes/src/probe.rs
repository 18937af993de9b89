//! ONE connection's state machine, without the connection.
//!
//! # The driver's contract
//!
//! A [`Probe`] is made over a connection that has just been opened. From then on the driver
//!
//! 1. writes [`Probe::output`] whenever there is any, and tells how much went out with [`Probe::written`];
//! 2. leaves as soon as [`Probe::finished`] says how, after one more try to write what is left;
//! 3. otherwise waits for whichever comes first: bytes to read ([`Probe::input`]), the connection's end
//!    ([`Probe::input_end`]), room to write, or the moment [`Probe::deadline`] ([`Probe::wake`]).
//!
//! In whatever pieces the input comes, the evidence is the same. Nothing the server does moves the deadline of the
//! whole connection. A failed write ([`Probe::write_failed`]) does not end the probe at once: what the server said
//! before it hung up is often still in the receive queue and names the reason.

use std::sync::Arc;

use crate::evidence::{Disconnect, Errno, Evidence, Fault, Icmp, LocalTrouble, Stage};
use crate::kex::ecdh::Lent;
use crate::plan::{Depth, Plan};
use crate::random::{Randomness, Seed};
use crate::stage::auth::AwaitAnswer;
use crate::stage::ident::{self, AwaitIdent};
use crate::stage::kex::{AwaitNewkeys, Exchanging};
use crate::stage::kexinit::AwaitKexinit;
use crate::time::Moment;
use crate::wire::cipher::Opener;
use crate::wire::kexinit::KexInit;
use crate::wire::message::{
    self, SSH_DISCONNECT_BY_APPLICATION, SSH_MSG_DEBUG, SSH_MSG_DISCONNECT, SSH_MSG_IGNORE, SSH_MSG_UNIMPLEMENTED,
};
use crate::wire::packet::{Inbound, Outbound, PacketFault};

/// Bytes a whole conversation may bring. A KEXINIT is 1 KiB and OpenSSH's banner at most 1 MiB; a server that sends
/// more is wasting our time on purpose.
const MAX_RECEIVED: u64 = 4 * 1024 * 1024;

/// Room that is kept for what is to be said next: behind our KEXINIT all writes are small.
const KEPT: usize = 256;

/// How the driver is to leave a finished connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// close(): what is queued is still delivered, then FIN.
    Close,
    /// SO_LINGER 0, then close(): RST. Neither side has said anything, and sshd logs nothing then.
    Reset,
}

/// How a connection ended under the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// read() returned 0.
    Eof,
    /// read() failed for good.
    Failed(Errno),
}

/// ONE connection's state machine. See the [module](self) for the contract.
#[derive(Debug)]
pub struct Probe {
    conversation: Conversation,
    inbound: Inbound,
    state: State,
    /// When TCP was up.
    connected: Moment,
    /// We sent our identification.
    introduced: bool,
    /// A write failed with this, and until then what can be read is still read.
    draining: Option<(Errno, Moment)>,
    /// ICMP complained while the connection was up, and nothing has come since.
    soft: bool,
}

/// What the stages share: where their findings and their packets go.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) plan: Arc<Plan>,
    pub(crate) evidence: Evidence,
    pub(crate) outgoing: Outgoing,
    now: Moment,
    /// When the present stage was entered.
    entered: Moment,
}

/// What is to be written, and what makes packets of it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) packets: Outbound,
    pub(crate) randomness: Randomness,
    queued: Vec<u8>,
    /// No more is to be written.
    mute: bool,
}

impl Outgoing {
    /// Queues one packet, whose payload `write` appends to what it is given.
    pub(crate) fn send_message(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.mute {
            // What leaves in one write is written into one piece of memory.
            self.queued.reserve(KEPT.saturating_sub(self.queued.len()));
            self.packets.seal_message(write, &mut self.randomness, &mut self.queued);
        }
    }
}

impl Conversation {
    /// Queues one packet.
    pub(crate) fn send(&mut self, payload: &[u8]) {
        self.send_message(|out| out.extend_from_slice(payload));
    }

    /// Queues one packet, whose payload `write` appends to what it is given.
    pub(crate) fn send_message(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.outgoing.send_message(write);
    }

    /// Ends the present stage and times it; enters the next, if there is one.
    pub(crate) fn enter(&mut self, next: Option<Stage>) {
        let took = Some(self.now.since(self.entered));
        let timing = &mut self.evidence.timing;
        match self.evidence.stage {
            Stage::Ident => timing.ident = took,
            Stage::Kexinit => timing.kexinit = took,
            Stage::Kex => timing.kex = took,
            Stage::Auth => timing.auth = took,
            Stage::Resolve | Stage::Connect | Stage::Tunnel | Stage::Login => {}
        }
        self.entered = self.now;
        if let Some(stage) = next {
            self.evidence.stage = stage;
        }
    }
}

/// Where the conversation stands.
#[derive(Debug)]
pub(crate) enum State {
    Ident(AwaitIdent),
    Kexinit(AwaitKexinit),
    Kex(Exchanging),
    Newkeys(AwaitNewkeys),
    Auth(AwaitAnswer),
    LastWords(LastWords),
    Over(Leave),
}

/// The server writes clear text where its first packet should be: it is about to hang up and says why. OpenSSH does so
/// when it dislikes our identification, switches when they have no session left.
#[derive(Debug)]
pub(crate) struct LastWords {
    fault: Fault,
    until: Moment,
}

/// What a packet led to.
#[derive(Debug)]
pub(crate) enum Turn {
    /// On with this state.
    Next(State),
    /// On with this state, and what follows in the input is opened with new keys.
    Rekey(State, Opener, bool),
    /// The depth asked for is reached.
    Reached,
}

impl Probe {
    /// A probe over a connection that was made at `now`; `evidence` says what dialling saw.
    #[must_use]
    pub fn new(plan: Arc<Plan>, seed: Seed, mut evidence: Evidence, now: Moment) -> Self {
        evidence.step_by_step = plan.step_by_step;
        let deep_enough = plan.depth == Depth::Connect;
        if !deep_enough {
            evidence.stage = Stage::Ident;
        }
        evidence.ended = now;
        Self {
            conversation: Conversation {
                plan,
                evidence,
                outgoing: Outgoing {
                    packets: Outbound::new(),
                    randomness: Randomness::new(seed),
                    queued: Vec::new(),
                    mute: false,
                },
                now,
                entered: now,
            },
            inbound: Inbound::new(),
            state: if deep_enough { State::Over(Leave::Reset) } else { State::Ident(AwaitIdent::default()) },
            connected: now,
            introduced: false,
            draining: None,
            soft: false,
        }
    }

    /// The same with an ephemeral key that other connections use, too: one less to make.
    #[must_use]
    pub fn lending(mut self, key: Lent) -> Self {
        self.conversation.outgoing.randomness = self.conversation.outgoing.randomness.lending(key);
        self
    }

    /// Feeds bytes read from the connection, in whatever pieces they came.
    pub fn input(&mut self, now: Moment, bytes: &[u8]) {
        self.expire(now);
        if matches!(self.state, State::Over(_)) {
            return;
        }
        self.soft &= bytes.is_empty();
        let received = &mut self.conversation.evidence.received;
        *received = received.saturating_add(bytes.len() as u64);
        let rest = if let State::Ident(_) = self.state { self.identify(bytes) } else { bytes };
        if matches!(self.state, State::Over(_)) {
            self.uncount(rest.len());
            return;
        }
        // Only now: where this machine was late, what had come by then was not an answer to us.
        self.speak();
        if let State::LastWords(_) = self.state {
            self.last_words(rest);
            return;
        }
        self.inbound.feed(rest);
        self.packets();
        if self.conversation.evidence.received > MAX_RECEIVED {
            self.over(Some(Fault::Protocol(format!("more than {MAX_RECEIVED} bytes and no end of it"))));
        }
    }

    /// Tells that the connection has ended: no more input will come.
    pub fn input_end(&mut self, now: Moment, end: End) {
        self.conversation.now = now;
        let cut = match &mut self.state {
            State::Over(_) => return,
            State::Ident(state) => state.end(&mut self.conversation.evidence),
            State::LastWords(words) => Some(words.fault.clone()),
            _ => {
                self.keep_unparsed();
                None
            }
        };
        let errno = match (end, self.draining) {
            (_, Some((errno, _))) | (End::Failed(errno), None) => Some(errno),
            (End::Eof, None) => None,
        };
        self.conversation.outgoing.mute = true;
        let ended = match errno {
            Some(errno) => {
                self.conversation.evidence.path.errno = Some(errno);
                match errno {
                    // Whatever the server did, this machine could not go on.
                    Errno::ENOBUFS | Errno::ENOMEM => Fault::Local(LocalTrouble::ResourceLimit),
                    Errno::ENETDOWN | Errno::ENODEV => Fault::Local(LocalTrouble::NoRoute),
                    errno if torn(errno) => Fault::Reset,
                    _ => Fault::Lost,
                }
            }
            None => Fault::Eof,
        };
        self.over(Some(cut.unwrap_or(ended)));
    }

    /// Bytes to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.conversation.outgoing.queued
    }

    /// `count` bytes of the output were written.
    pub fn written(&mut self, count: usize) {
        let output = &mut self.conversation.outgoing.queued;
        if count >= output.len() {
            // Give the memory back if it is much: most of a connection's life is waiting.
            if output.capacity() > KEPT {
                *output = Vec::new();
            }
            output.clear();
        } else {
            output.drain(..count);
        }
    }

    /// A write failed: nothing more is written, but what the server sent before is still read for a moment.
    pub fn write_failed(&mut self, now: Moment, errno: Errno) {
        self.conversation.outgoing.queued = Vec::new();
        self.conversation.outgoing.mute = true;
        if self.draining.is_none() {
            self.draining = Some((errno, now + self.conversation.plan.drain));
        }
    }

    /// ICMP said something about the connection while it was up. That may pass: the connection goes on, but if it
    /// never gets anywhere the network is to blame.
    pub fn soft_error(&mut self, errno: Errno, icmp: Option<Icmp>) {
        self.soft = true;
        self.conversation.evidence.path.errno = Some(errno);
        if icmp.is_some() {
            self.conversation.evidence.path.icmp = icmp;
        }
    }

    /// When to call [`Probe::wake`] at the latest.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        let limit = self.limit();
        let speak = self.speaks().then(|| self.connected + self.conversation.plan.speak_after);
        let drain = self.draining.map(|(_, until)| until);
        let words = match &self.state {
            State::LastWords(words) => Some(words.until),
            _ => None,
        };
        [speak, drain, words].into_iter().flatten().fold(limit, Moment::min)
    }

    /// Time has passed.
    pub fn wake(&mut self, now: Moment) {
        self.expire(now);
        self.speak();
    }

    /// Ends what has lasted too long.
    fn expire(&mut self, now: Moment) {
        self.conversation.now = now;
        if matches!(self.state, State::Over(_)) {
            return;
        }
        if let Some((errno, until)) = self.draining
            && now >= until
        {
            self.input_end(now, End::Failed(errno));
            return;
        }
        if let State::LastWords(words) = &self.state
            && now >= words.until.min(self.limit())
        {
            let fault = words.fault.clone();
            self.over(Some(fault));
            return;
        }
        if now >= self.limit() {
            match &mut self.state {
                State::Ident(state) => state.flush(&mut self.conversation.evidence),
                _ => self.keep_unparsed(),
            }
            self.over(Some(if self.soft { Fault::Lost } else { Fault::Timeout }));
        }
    }

    /// Speaks first if the server has been silent for long enough.
    fn speak(&mut self) {
        if self.speaks() && self.conversation.now >= self.connected + self.conversation.plan.speak_after {
            self.introduce();
            self.conversation.evidence.spoke_first = true;
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.conversation.evidence
    }

    /// Over, once the remaining output is written (best effort).
    #[must_use]
    pub fn finished(&self) -> Option<Leave> {
        match self.state {
            State::Over(leave) => Some(leave),
            _ => None,
        }
    }

    /// What was seen. A probe that is given up before it finished counts as timed out.
    #[must_use]
    pub fn into_evidence(mut self, now: Moment) -> Evidence {
        if self.finished().is_none() {
            self.conversation.now = now;
            self.over(Some(Fault::Timeout));
        }
        self.conversation.evidence
    }

    /// When the connection's time is up.
    fn limit(&self) -> Moment {
        self.conversation.evidence.started + self.conversation.plan.timeout
    }

    /// Still waiting for the server to speak first.
    fn speaks(&self) -> bool {
        !self.introduced && matches!(self.state, State::Ident(_)) && self.draining.is_none()
    }

    fn introduce(&mut self) {
        self.introduced = true;
        if !self.conversation.outgoing.mute {
            let Conversation { plan, outgoing: Outgoing { queued, .. }, .. } = &mut self.conversation;
            // With room for the KEXINIT that follows, as a rule in the same write.
            let kexinit = KexInit::HEAD.saturating_add(plan.offer.behind_cookie().len());
            queued.reserve(plan.ident.len().saturating_add(kexinit).saturating_add(KEPT));
            queued.extend_from_slice(&plan.ident);
            queued.extend_from_slice(b"\r\n");
        }
    }

    /// Reads up to the end of the identification; returns what follows it.
    fn identify<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let State::Ident(state) = &mut self.state else { return bytes };
        let plan = Arc::clone(&self.conversation.plan);
        let ours = self.introduced.then_some(plan.ident.as_slice());
        let at = self.conversation.now.since(self.connected);
        match state.input(at, bytes, ours, &mut self.conversation.evidence) {
            ident::Step::More => &[],
            ident::Step::Over(fault, used) => {
                self.over(Some(fault));
                bytes.get(used..).unwrap_or_default()
            }
            ident::Step::Identified(used) => {
                let rest = bytes.get(used..).unwrap_or_default();
                if plan.depth == Depth::Ident {
                    self.conversation.enter(None);
                    self.over(None);
                    return rest;
                }
                self.conversation.enter(Some(Stage::Kexinit));
                if !self.introduced {
                    self.introduce();
                }
                self.state = State::Kexinit(AwaitKexinit::start(&mut self.conversation));
                rest
            }
        }
    }

    /// Handles every whole packet that has come.
    fn packets(&mut self) {
        while !matches!(self.state, State::Over(_)) {
            let earlier = self.inbound.sequence();
            let payload = match self.inbound.packet() {
                Ok(Some(payload)) => payload,
                Ok(None) => return,
                Err(fault) => {
                    let unread = self.inbound.unread().to_vec();
                    let fault = broken(fault);
                    if !matches!(self.state, State::Kexinit(_)) || earlier > 0 || !prose(&unread) {
                        // The head alone: how much of what follows is there already is chance.
                        self.conversation.evidence.unparsed = unread.into_iter().take(4).collect();
                        return self.over(Some(fault));
                    }
                    let until = self.conversation.now + self.conversation.plan.drain;
                    self.state = State::LastWords(LastWords { fault, until });
                    self.inbound = Inbound::new();
                    return self.last_words(&unread);
                }
            };
            let state = std::mem::replace(&mut self.state, State::Over(Leave::Close));
            let turn = dispatch(state, payload, earlier, &mut self.conversation);
            match turn {
                Ok(Turn::Next(state)) => self.state = state,
                Ok(Turn::Rekey(state, opener, strict)) => {
                    self.state = state;
                    self.inbound.rekey(opener, strict);
                }
                Ok(Turn::Reached) => return self.finish(None),
                Err(fault) => return self.finish(Some(fault)),
            }
        }
    }

    /// Collects clear text until there is enough of it or no more comes.
    fn last_words(&mut self, bytes: &[u8]) {
        let State::LastWords(words) = &self.state else { return };
        let fault = words.fault.clone();
        let unparsed = &mut self.conversation.evidence.unparsed;
        let used = bytes.len().min(Evidence::FIRST_BYTES.saturating_sub(unparsed.len()));
        unparsed.extend_from_slice(bytes.get(..used).unwrap_or_default());
        if unparsed.len() >= Evidence::FIRST_BYTES {
            self.uncount(bytes.len().saturating_sub(used));
            self.over(Some(fault));
        }
    }

    /// Keeps what came where a packet should have been: servers put their last words there in clear text.
    fn keep_unparsed(&mut self) {
        let unread = self.inbound.unread();
        let kept = unread.get(..unread.len().min(Evidence::FIRST_BYTES)).unwrap_or_default();
        self.conversation.evidence.unparsed = kept.to_vec();
    }

    fn over(&mut self, fault: Option<Fault>) {
        if !matches!(self.state, State::Over(_)) {
            self.finish(fault);
        }
    }

    fn finish(&mut self, fault: Option<Fault>) {
        let conversation = &mut self.conversation;
        // Say goodbye where the other side still listens and speaks SSH: it is what the operator's log will show.
        let listens = !matches!(fault, Some(Fault::Eof | Fault::Reset | Fault::Lost | Fault::Disconnected));
        if conversation.evidence.stage > Stage::Ident && listens {
            // This code keeps OpenSSH's log line at INFO; any other is logged as an error.
            let goodbye = message::Disconnect { code: SSH_DISCONNECT_BY_APPLICATION, description: b"sshprobe" };
            conversation.send_message(|out| goodbye.write(out));
        }
        let silent = conversation.evidence.received == 0 && !self.introduced;
        conversation.evidence.fault = fault;
        conversation.evidence.ended = conversation.now;
        self.state = State::Over(if silent { Leave::Reset } else { Leave::Close });
        self.uncount(self.inbound.buffered());
        self.inbound = Inbound::new();
    }

    /// Bytes beyond the end were received, but not looked at.
    fn uncount(&mut self, bytes: usize) {
        let received = &mut self.conversation.evidence.received;
        *received = received.saturating_sub(bytes as u64);
    }
}

/// Hands a packet to the state that awaits it. The transport's own messages are handled here, wherever they come.
fn dispatch(state: State, payload: &[u8], earlier: u32, conversation: &mut Conversation) -> Result<Turn, Fault> {
    match payload.first().copied() {
        Some(SSH_MSG_DISCONNECT) => {
            let said =
                message::Disconnect::parse(payload).map_err(|fault| Fault::Protocol(format!("DISCONNECT: {fault}")))?;
            let text = said.description.get(..said.description.len().min(Disconnect::TEXT_MAX)).unwrap_or_default();
            conversation.evidence.disconnect = Some(Disconnect { code: said.code, text: text.to_vec() });
            return Err(Fault::Disconnected);
        }
        Some(number @ (SSH_MSG_IGNORE | SSH_MSG_DEBUG | SSH_MSG_UNIMPLEMENTED)) => {
            let strict = match &state {
                State::Kex(exchange) => exchange.strict(),
                State::Newkeys(newkeys) => newkeys.strict(),
                _ => false,
            };
            if strict {
                return Err(Fault::Protocol(format!("strict KEX violation: message {number} during the key exchange")));
            }
            return Ok(Turn::Next(state));
        }
        _ => {}
    }
    match state {
        State::Kexinit(state) => state.packet(payload, earlier, conversation),
        State::Kex(state) => state.packet(payload, conversation),
        State::Newkeys(state) => state.packet(payload, conversation),
        State::Auth(state) => state.packet(payload, conversation),
        State::Ident(_) | State::LastWords(_) | State::Over(_) => {
            Err(Fault::Internal(String::from("a packet where none is read")))
        }
    }
}

fn broken(fault: PacketFault) -> Fault {
    if fault.is_corruption() { Fault::Mac } else { Fault::Protocol(fault.to_string()) }
}

/// Printable text, as no packet's length field is.
fn prose(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && bytes.iter().take(4).all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
}

/// The peer tore the connection down, as opposed to the network losing it.
fn torn(errno: Errno) -> bool {
    matches!(errno, Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED)
}
