//! Targets that come in line by line while others are probed.

use std::collections::VecDeque;
use std::io::{BufReader, Read};

use sshprobe_probes::target::Target;

use super::too_many;
use crate::sys::unread::unread;
use crate::target::expr::{Allowed, Expression};
use crate::target::lines::{LineFault, Lines};
use crate::target::ports::PortSet;
use crate::target::problem::{InputProblem, Quoted};
use crate::target::seen::Seen;
use crate::target::set::{Order, SetBuilder, Stretch, Walk};
use crate::target::share::Share;

/// Targets as they come in.
pub(super) struct Stdin {
    pub(super) lines: Lines<BufReader<Box<dyn Read + Send>>>,
    pub(super) seen: Seen,
    pub(super) ports: PortSet,
    pub(super) limit: u64,
    pub(super) order: Order,
    pub(super) share: Share,
    pub(super) allowed: Allowed,
    /// The targets of the line read last.
    pub(super) current: Option<Walk>,
    pub(super) lines_seen: u64,
}

impl std::fmt::Debug for Stdin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdin").field("line", &self.lines.number()).finish_non_exhaustive()
    }
}

impl Stdin {
    /// The next target; where there are `stretches`, what is left of ranges goes there.
    pub(super) fn next(
        &mut self,
        total: &mut u64,
        accepted: &mut bool,
        mut stretches: Option<&mut VecDeque<Stretch>>,
    ) -> Option<Result<Target, InputProblem>> {
        loop {
            if let Some(target) = self.current.as_mut().and_then(Iterator::next) {
                return Some(target.map_err(|error| self.problem(error)));
            }
            let text = match self.lines.next() {
                Ok(Some(Ok(text))) => text.to_owned(),
                // Its other lines are no better, as of a file.
                Ok(Some(Err(fault @ LineFault::Binary))) => {
                    self.lines_seen += 1;
                    let problem = self.problem(format!("{fault}; nothing behind it is read"));
                    self.close();
                    return Some(Err(problem));
                }
                Ok(Some(Err(fault))) => {
                    self.lines_seen += 1;
                    return Some(Err(self.problem(fault)));
                }
                Ok(None) => return None,
                Err(error) => {
                    self.lines_seen += 1;
                    let problem = self.problem(format!("cannot be read on from here: {}", unread(&error)));
                    self.close();
                    return Some(Err(problem));
                }
            };
            self.lines_seen += 1;
            match self.line(&text, *total) {
                Ok(mut walk) => {
                    *accepted = true;
                    *total += walk.total();
                    if let Some(stretches) = stretches.as_deref_mut() {
                        stretches.extend(walk.take_ranges());
                    }
                    self.current = Some(walk);
                }
                Err(problem) => return Some(Err(problem)),
            }
        }
    }

    /// The targets of a line that nobody had before.
    fn line(&mut self, text: &str, total: u64) -> Result<Walk, InputProblem> {
        let expression = Expression::of_target(text, self.allowed).map_err(|error| self.problem(error))?;
        // Refused before anything of it is marked as seen: a smaller line may name the same addresses again. What of
        // the line has come before is not subtracted, so that a line's size alone decides.
        let left = self.limit.saturating_sub(total);
        if left == 0 {
            let problem = self
                .problem(format!("--max-targets {} are reached: this line and all behind it are left out", self.limit));
            self.close();
            return Err(problem);
        }
        let size = expression.size(&self.ports);
        if size > left.into() {
            return Err(self.problem(format!(
                "{}: {size} targets are more than --max-targets {} leaves ({left}): the line is left out",
                Quoted(text),
                self.limit
            )));
        }
        let mut builder = SetBuilder::default();
        builder.add(text, expression, &self.ports, &mut self.seen);
        let set = builder
            .finish(&mut self.seen, total, left, self.share)
            .map_err(|count| self.problem(too_many(count, self.limit)))?;
        Ok(set.walk(match self.order {
            Order::Given => Order::Given,
            // Ranges of the same size must not all be walked in the same order.
            Order::Random { seed } => Order::Random { seed: seed.wrapping_add(self.lines.number()) },
        }))
    }

    /// Reads nothing more.
    fn close(&mut self) {
        self.lines = Lines::new(BufReader::new(Box::new(std::io::empty())));
    }

    fn problem(&self, message: impl std::fmt::Display) -> InputProblem {
        InputProblem::new(format!("stdin line {}", self.lines.number()), message)
    }
}
