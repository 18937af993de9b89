//! One connection of a scripted server: its steps, its clock and its output.

use std::sync::Arc;
use std::time::Duration;

use super::script::{Close, Script, Step};
use super::transport::Transport;
use crate::random::{Randomness, Seed};
use crate::time::Moment;

/// How much of what a client says before its time is kept: an identification and a KEXINIT with room to spare.
const EARLY_MAX: usize = 64 * 1024;

/// One connection to a scripted server.
///
/// The driver feeds what it reads, writes what [`Responder::output`] holds, and calls [`Responder::wake`] when the
/// deadline has come. It reads only while [`Responder::reads`], and closes as [`Responder::closed`] says.
#[derive(Debug)]
pub struct Responder {
    script: Arc<Script>,
    pub(super) line: Line,
    step: usize,
    /// Until when the present step waits.
    resume: Option<Moment>,
    /// How much of the present step's bytes has dripped.
    dripped: usize,
    /// What the client said before the SSH conversation began.
    early: Vec<u8>,
    /// V_S
    ident: Vec<u8>,
    phase: Phase,
    deaf: bool,
}

#[derive(Debug)]
enum Phase {
    /// Step by step.
    Steps,
    /// SSH from KEXINIT on.
    Transport(Box<Transport>),
    /// Reads and says nothing.
    Mute,
}

/// The way out: bytes, when they may leave, and what follows them.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) out: Vec<u8>,
    sent: usize,
    /// Bytes from this place on stay back until then.
    held: Option<(usize, Moment)>,
    pub(super) close: Option<Close>,
    pub(super) randomness: Randomness,
    /// A USERAUTH_REQUEST has come.
    pub(super) user_named: bool,
}

impl Line {
    /// All that was to be sent has been written.
    pub(super) fn drained(&self) -> bool {
        self.sent >= self.out.len()
    }

    /// From here on everything leaves this much later.
    pub(super) fn delay(&mut self, now: Moment, by: Duration) {
        self.held = Some(match self.held {
            Some((from, until)) => (from, until + by),
            None => (self.out.len(), now + by),
        });
    }

    fn release(&mut self, now: Moment) {
        self.held = self.held.filter(|(_, until)| now < *until);
    }
}

impl Responder {
    /// A connection made just now. `seed` decides cookie, padding and ephemeral keys.
    #[must_use]
    pub fn new(script: Arc<Script>, seed: Seed, now: Moment) -> Self {
        let randomness = Randomness::new(seed);
        let mut responder = Self {
            script,
            line: Line { out: Vec::new(), sent: 0, held: None, close: None, randomness, user_named: false },
            step: 0,
            resume: None,
            dripped: 0,
            early: Vec::new(),
            ident: Vec::new(),
            phase: Phase::Steps,
            deaf: false,
        };
        responder.run(now);
        responder
    }

    /// Takes bytes read from the connection.
    pub fn input(&mut self, now: Moment, bytes: &[u8]) {
        self.line.release(now);
        if self.line.close.is_some() || self.deaf {
            return;
        }
        match &mut self.phase {
            Phase::Steps => {
                let room = EARLY_MAX.saturating_sub(self.early.len());
                self.early.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                self.run(now);
            }
            Phase::Transport(transport) => {
                if !transport.input(&self.script, &mut self.line, now, bytes) {
                    self.phase = Phase::Mute;
                }
            }
            Phase::Mute => {}
        }
    }

    /// The client has closed its side: nothing more will come, so the responder leaves as well.
    pub fn input_end(&mut self) {
        self.line.close.get_or_insert(Close::Fin);
        self.line.held = None;
    }

    /// Bytes to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        let to = self.line.held.map_or(self.line.out.len(), |(from, _)| from);
        self.line.out.get(self.line.sent..to).unwrap_or_default()
    }

    /// `count` bytes of the output were written.
    pub fn written(&mut self, count: usize) {
        self.line.sent = self.line.sent.saturating_add(count);
        if self.line.drained() {
            if let Some((from, _)) = &mut self.line.held {
                *from = 0;
            }
            self.line.out.clear();
            self.line.sent = 0;
        }
    }

    /// When to call [`Responder::wake`] at the latest; `None` if nothing is waited for but the client.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let held = self.line.held.map(|(_, until)| until);
        self.resume.into_iter().chain(held).min()
    }

    /// Time has passed.
    pub fn wake(&mut self, now: Moment) {
        self.line.release(now);
        self.run(now);
    }

    /// Whether the driver is to read; a responder that does not read leaves the bytes to the kernel.
    #[must_use]
    pub fn reads(&self) -> bool {
        !self.deaf
    }

    /// Over, once the remaining output is written.
    #[must_use]
    pub fn closed(&self) -> Option<Close> {
        if self.line.held.is_some() { None } else { self.line.close }
    }

    /// Whether the client has named a user: an sshd charges it more for that, where there is no such user.
    #[must_use]
    pub fn user_was_named(&self) -> bool {
        self.line.user_named
    }

    /// Does one step after another until one waits.
    fn run(&mut self, now: Moment) {
        let script = Arc::clone(&self.script);
        while matches!(self.phase, Phase::Steps) && self.line.close.is_none() {
            let Some(step) = script.steps.get(self.step) else {
                self.phase = Phase::Mute;
                return;
            };
            if self.resume.is_some_and(|moment| now < moment) {
                return;
            }
            let resumed = self.resume.take().is_some();
            let done = match step {
                Step::Send(bytes) => {
                    self.line.out.extend_from_slice(bytes);
                    true
                }
                Step::Drip { bytes, every } => self.drip(bytes, *every, now),
                Step::Ident { line, end, every } => {
                    self.ident.clone_from(line);
                    match every {
                        None => {
                            self.line.out.extend_from_slice(line);
                            self.line.out.extend_from_slice(end.bytes());
                            true
                        }
                        Some(every) => self.drip(&[line, end.bytes()].concat(), *every, now),
                    }
                }
                Step::Wait(time) => {
                    if !resumed {
                        self.resume = Some(now + *time);
                    }
                    resumed
                }
                Step::AwaitInput => !self.early.is_empty(),
                Step::AwaitLine => self.early.contains(&b'\n'),
                Step::Tarpit { every } => {
                    self.tarpit_line();
                    self.resume = Some(now + *every);
                    false
                }
                Step::Deaf => {
                    self.deaf = true;
                    true
                }
                Step::Mute => {
                    self.phase = Phase::Mute;
                    true
                }
                Step::Close(close) => {
                    self.line.close = Some(*close);
                    true
                }
                Step::Transport => {
                    self.begin_transport(now);
                    true
                }
            };
            if !done {
                return;
            }
            self.step = self.step.saturating_add(1);
            self.dripped = 0;
        }
    }

    fn drip(&mut self, bytes: &[u8], every: Duration, now: Moment) -> bool {
        self.line.out.extend(bytes.get(self.dripped));
        self.dripped = self.dripped.saturating_add(1);
        let done = self.dripped >= bytes.len();
        if !done {
            self.resume = Some(now + every);
        }
        done
    }

    /// 3 to 34 random letters: never `SSH-`, as they are lower case.
    fn tarpit_line(&mut self) {
        let mut random = [0; 35];
        self.line.randomness.fill(&mut random);
        let [length, letters @ ..] = random;
        let length = usize::from(length % 32).saturating_add(3);
        self.line.out.extend(letters.iter().take(length).map(|byte| b'a'.saturating_add(byte % 26)));
        self.line.out.extend_from_slice(b"\r\n");
    }

    fn begin_transport(&mut self, now: Moment) {
        let (ident, early) = (std::mem::take(&mut self.ident), std::mem::take(&mut self.early));
        let mut transport = Box::new(Transport::new(&self.script, &mut self.line, now, ident));
        let speaking = transport.input(&self.script, &mut self.line, now, &early);
        self.phase = if speaking { Phase::Transport(transport) } else { Phase::Mute };
    }
}
