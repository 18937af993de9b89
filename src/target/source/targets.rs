//! All targets, as they are walked and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::target::Target;

use super::nothing_left;
use super::stdin::Stdin;
use crate::target::problem::InputProblem;
use crate::target::seen::Exclusions;
use crate::target::set::{Stretch, Walk};
use crate::target::share::Share;

/// All targets, one after the other, each once.
///
/// With stdin among the sources, [`Iterator::next`] waits for its next line. Run it on a thread of its own
/// (`std::thread::spawn`, not `spawn_blocking`: a runtime waits for its blocking tasks when it is dropped, and a read from a
/// terminal ends when the user likes), behind a bounded channel.
///
/// An error is a problem of one line of stdin: show it, go on, and end with exit code 2.
#[derive(Debug)]
pub struct Targets {
    pub(super) fixed: Walk,
    pub(super) stdin: Option<Stdin>,
    /// Counted so far, in all shares together; grows while stdin is read.
    pub(super) total: u64,
    pub(super) share: Share,
    /// Something was given that could be understood.
    pub(super) accepted: bool,
    pub(super) exclusions: Arc<Exclusions>,
    /// What is left of ranges, where they are not to be walked.
    pub(super) stretches: Option<VecDeque<Stretch>>,
}

impl Targets {
    /// The same in as few pieces as it takes, in no particular order: for whoever only counts.
    #[must_use]
    pub fn in_lots(mut self) -> Lots {
        self.stretches = Some(self.fixed.take_ranges().into());
        Lots(self)
    }

    /// How many targets there are in the share; `None` as long as stdin is open.
    ///
    /// (Not called `count`: [`Iterator::count`] would be called instead, and walk them all.)
    #[must_use]
    pub const fn total(&self) -> Option<u64> {
        match self.stdin {
            None => Some(self.share.count(0, self.total)),
            Some(_) => None,
        }
    }

    /// The target with this index, of those that were there from the start, whichever share it is in; `None` behind them, and
    /// where its text means nothing any more.
    #[must_use]
    pub fn at(&self, index: u64) -> Option<Target> {
        self.fixed.set().at(index)?.ok()
    }

    /// A digest of the targets that were there from the start, of their indices and the share: two runs with the same one have
    /// the same to do.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        self.fixed.set().spell(|bytes| context.update(bytes));
        STANDARD.encode(context.finish())
    }

    /// Which of the targets they are.
    #[must_use]
    pub const fn share(&self) -> Share {
        self.share
    }

    /// Whether the next target may have to be waited for.
    #[must_use]
    pub const fn may_block(&self) -> bool {
        self.stdin.is_some()
    }

    /// What is excluded, for addresses that names turn out to have.
    #[must_use]
    pub fn exclusions(&self) -> Arc<Exclusions> {
        self.exclusions.clone()
    }
}

impl Iterator for Targets {
    type Item = Result<Target, InputProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(target) = self.fixed.next() {
            return Some(target.map_err(|error| InputProblem::new("targets", error)));
        }
        let stdin = self.stdin.as_mut()?;
        if let Some(item) = stdin.next(&mut self.total, &mut self.accepted, self.stretches.as_mut()) {
            return Some(item);
        }
        let nothing_came = stdin.lines_seen == 0;
        self.stdin = None;
        if nothing_came {
            return Some(Err(InputProblem::new("stdin", "no target came: write one on each line")));
        }
        // Where only bad lines came they have been reported.
        (self.total == 0 && self.accepted).then(|| Err(nothing_left()))
    }
}

/// Some targets.
#[derive(Debug, Clone)]
pub enum Lot {
    /// One that was named by itself.
    One(Target),
    /// Addresses of a range.
    Stretch(Stretch),
}

/// All targets, those of ranges by the stretch: its time and room depend on how many ranges there are, not on how large.
#[derive(Debug)]
pub struct Lots(Targets);

impl Iterator for Lots {
    type Item = Result<Lot, InputProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(stretch) = self.0.stretches.as_mut().and_then(VecDeque::pop_front) {
                return Some(Ok(Lot::Stretch(stretch)));
            }
            match self.0.next() {
                Some(item) => return Some(item.map(Lot::One)),
                None if self.0.stretches.as_ref().is_none_or(VecDeque::is_empty) => return None,
                None => {}
            }
        }
    }
}
