//! Where targets come from: arguments, files, stdin; and what is excluded of them.
//!
//! Arguments and files are read and checked whole before anything is sent, in one pass: they are held as text and
//! intervals (the module `set` keeps them), so that a file may be a pipe and may change afterwards. Stdin is read line by
//! line while its targets are probed; a bad line is an error among the targets, and the rest goes on. Only a NUL byte, which shows
//! that what comes is no text, ends either.

mod list;
mod stdin;
mod targets;

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::expr::{Allowed, Expression};
use super::lines::Lines;
use super::ports::PortSet;
use super::problem::{InputProblem, InputProblems};
use super::seen::{Exclusions, Seen, Spelling};
use super::set::{Order, SetBuilder};
use super::share::Share;

use list::{read_list, shown, split_list};
use stdin::Stdin;
pub use targets::{Lot, Lots, Targets};

/// Everything the user gave about targets. Fill it in, then [`Sources::open`] it.
#[derive(Debug, Clone)]
pub struct Sources {
    /// TARGET arguments.
    pub targets: Vec<String>,
    /// `-f`: files of targets, one on a line; `-` is stdin.
    pub files: Vec<PathBuf>,
    /// Hosts that ssh_config or an inventory lists, behind the arguments and before the files.
    pub listed: Vec<Listed>,
    /// `--exclude`: expressions, several of them with commas between.
    pub exclude: Vec<String>,
    /// `--exclude-file`.
    pub exclude_files: Vec<PathBuf>,
    /// `-p`: the ports of expressions without any.
    pub ports: PortSet,
    /// `--max-targets`: more are refused.
    pub max_targets: u64,
    /// `--order`, `--seed`.
    pub order: Order,
    /// `--shard`: which of the targets are given. [`Sources::max_targets`] bounds all shares together, so that every machine takes
    /// the same lines of stdin.
    pub share: Share,
    /// `-4`, `-6`, `--source`, `--interface`: other targets are refused.
    pub allowed: Allowed,
    /// Who tells names apart that differ in their case only; `None` where they are one.
    pub spelling: Option<Arc<dyn Spelling>>,
}

/// A host that a file lists which is no list of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as an expression.
    pub text: String,
    /// Where it stands.
    pub place: String,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            files: Vec::new(),
            listed: Vec::new(),
            exclude: Vec::new(),
            exclude_files: Vec::new(),
            ports: PortSet::ssh(),
            max_targets: Self::MAX_TARGETS,
            order: Order::Random { seed: 0 },
            share: Share::WHOLE,
            allowed: Allowed::default(),
            spelling: None,
        }
    }
}

impl Sources {
    /// The default of `--max-targets`: a /8 with one port.
    pub const MAX_TARGETS: u64 = 1 << 24;

    /// Reads and checks arguments and files, and makes stdin ready to be read if it was asked for.
    ///
    /// # Errors
    ///
    /// Everything found wrong, in the order of the input: bad expressions and lines, files that cannot be read, hold no
    /// target or are no text, nothing to do, more targets than allowed.
    pub fn open(self) -> Result<Targets, InputProblems> {
        self.open_with(Box::new(std::io::stdin()))
    }

    /// [`Sources::open`] with something else in the place of stdin.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_with(self, stdin: Box<dyn Read + Send>) -> Result<Targets, InputProblems> {
        let mut problems = InputProblems::none();
        let exclusions = Arc::new(self.exclusions(&mut problems));
        let mut seen = Seen::new(exclusions.clone(), self.spelling.clone());
        let mut builder = SetBuilder::default();
        let mut given = false;
        let mut add = |text: &str| {
            given = true;
            let expression = Expression::of_target(text, self.allowed)?;
            builder.add(text, expression, &self.ports, &mut seen);
            Ok(())
        };
        for (i, text) in self.targets.iter().enumerate() {
            if let Err(error) = add(text) {
                problems.push(InputProblem::new(format!("argument {}", i + 1), error));
            }
        }
        for Listed { text, place } in &self.listed {
            if let Err(error) = add(text) {
                problems.push(InputProblem::new(place.clone(), error));
            }
        }
        let mut from_stdin = false;
        for path in &self.files {
            if path.as_os_str() == "-" {
                if from_stdin {
                    problems.push(InputProblem::new(
                        "-f -",
                        "given twice, and there is one standard input: leave one of them away",
                    ));
                }
                from_stdin = true;
            } else if read_list(path, &mut problems, &mut add) == Some(0) {
                problems.push(InputProblem::new(shown(path), "no target in it: write one on each line"));
            }
        }
        if !given && !from_stdin && problems.problems.is_empty() {
            problems.push(InputProblem::new("targets", "none given: write TARGET…, -f FILE or -f - (sshprobe --help)"));
        }
        problems.or(())?;
        let set = builder
            .finish(&mut seen, 0, self.max_targets, self.share)
            .map_err(|count| InputProblem::new("targets", too_many(count, self.max_targets)))?;
        let total = set.total();
        if total == 0 && !from_stdin {
            return Err(nothing_left().into());
        }
        let stdin = from_stdin.then(|| Stdin {
            lines: Lines::new(BufReader::new(stdin)),
            seen,
            ports: self.ports,
            limit: self.max_targets,
            order: self.order,
            share: self.share,
            allowed: self.allowed,
            current: None,
            lines_seen: 0,
        });
        let fixed = set.walk(self.order);
        Ok(Targets { fixed, stdin, total, share: self.share, accepted: given, exclusions, stretches: None })
    }

    fn exclusions(&self, problems: &mut InputProblems) -> Exclusions {
        let mut exclusions = Exclusions::default();
        for text in self.exclude.iter().flat_map(|list| split_list(list)) {
            match Expression::parse(text) {
                Ok(expression) => exclusions.add(&expression),
                Err(error) => problems.push(InputProblem::new("--exclude", error)),
            }
        }
        for path in &self.exclude_files {
            if path.as_os_str() == "-" {
                problems.push(InputProblem::new(
                    "--exclude-file",
                    "stdin can only be a list of targets (-f -): name a file",
                ));
                continue;
            }
            // An empty one is no mistake: a list of exceptions may have none left.
            read_list(path, problems, |text| {
                exclusions.add(&Expression::parse(text)?);
                Ok(())
            });
        }
        exclusions
    }
}

fn nothing_left() -> InputProblem {
    InputProblem::new("targets", "every one of them is excluded: look at --exclude and --exclude-file")
}

fn too_many(count: u128, limit: u64) -> String {
    let count = if count == u128::MAX { format!("at least {count}") } else { count.to_string() };
    format!("{count} of them are more than --max-targets {limit}: raise it, or sweep less at once")
}

#[cfg(test)]
mod tests;
