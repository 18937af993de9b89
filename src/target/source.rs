//! Where targets come from: arguments, files, stdin; and what is excluded of them.
//!
//! Arguments and files are read and checked whole before anything is sent, in one pass: they are held as text and
//! intervals (the module `set` keeps them), so that a file may be a pipe and may change afterwards. Stdin is read line by
//! line while its targets are probed; a bad line is an error among the targets, and the rest goes on.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::target::Target;

use super::address::Families;
use super::expr::Expression;
use super::lines::{LineFault, Lines};
use super::ports::PortSet;
use super::problem::{InputProblem, InputProblems, Quoted};
use super::seen::{Exclusions, Seen, Spelling};
use super::set::{Order, SetBuilder, Stretch, Walk};
use super::share::Share;

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
    /// `-4`, `-6`.
    pub families: Families,
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
            families: Families::Any,
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
            let expression = Expression::parse(text)?;
            expression.check_family(text, self.families)?;
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
            families: self.families,
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

/// The expressions of a comma-separated list. A number behind an expression with a port is a port of it: no host is
/// called so.
fn split_list(list: &str) -> Vec<&str> {
    let mut expressions = Vec::new();
    let (mut start, mut at) = (0, 0);
    for part in list.split(',') {
        let continues = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if at > 0 && !(continues && list[start..at - 1].contains(':')) {
            expressions.push(&list[start..at - 1]);
            start = at;
        }
        at += part.len() + 1;
    }
    expressions.push(&list[start..]);
    expressions.into_iter().map(str::trim).collect()
}

/// Gives each line of a file to `add`: how many there were, `None` if the file could not be read to its end.
fn read_list(
    path: &Path,
    problems: &mut InputProblems,
    mut add: impl FnMut(&str) -> Result<(), super::problem::ExprError>,
) -> Option<u64> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            problems.push(InputProblem::new(shown(path), format!("cannot be opened: {}", reason(&error))));
            return None;
        }
    };
    let mut lines = Lines::new(BufReader::new(file));
    let mut count = 0;
    loop {
        let place = |number: u64| format!("{}:{number}", shown(path));
        let (result, binary) = match lines.next() {
            Ok(None) => return Some(count),
            Ok(Some(Ok(text))) => (add(text).map_err(|error| error.to_string()), false),
            Ok(Some(Err(fault))) => (Err(fault.to_string()), fault == LineFault::Binary),
            Err(error) => {
                problems.push(InputProblem::new(shown(path), format!("cannot be read: {}", reason(&error))));
                return None;
            }
        };
        count += 1;
        if let Err(message) = result {
            problems.push(InputProblem::new(place(lines.number()), message));
        }
        // Its other lines are no better.
        if binary {
            return None;
        }
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "it is a directory".into(),
        _ => error.to_string(),
    }
}

/// A path for an error's place: as it is, unless it holds what no terminal should get.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.is_empty() || text.chars().any(char::is_control) { Quoted(&text).to_string() } else { text.into_owned() }
}

fn nothing_left() -> InputProblem {
    InputProblem::new("targets", "every one of them is excluded: look at --exclude and --exclude-file")
}

fn too_many(count: u128, limit: u64) -> String {
    let count = if count == u128::MAX { format!("at least {count}") } else { count.to_string() };
    format!("{count} of them are more than --max-targets {limit}: raise it, or sweep less at once")
}

/// All targets, one after the other, each once.
///
/// With stdin among the sources, [`Iterator::next`] waits for its next line. Run it on a thread of its own
/// (`std::thread::spawn`, not `spawn_blocking`: a runtime waits for its blocking tasks when it is dropped, and a read from a
/// terminal ends when the user likes), behind a bounded channel.
///
/// An error is a problem of one line of stdin: show it, go on, and end with exit code 2.
#[derive(Debug)]
pub struct Targets {
    fixed: Walk,
    stdin: Option<Stdin>,
    /// Counted so far, in all shares together; grows while stdin is read.
    total: u64,
    share: Share,
    /// Something was given that could be understood.
    accepted: bool,
    exclusions: Arc<Exclusions>,
    /// What is left of ranges, where they are not to be walked.
    stretches: Option<VecDeque<Stretch>>,
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

/// Targets as they come in.
struct Stdin {
    lines: Lines<BufReader<Box<dyn Read + Send>>>,
    seen: Seen,
    ports: PortSet,
    limit: u64,
    order: Order,
    share: Share,
    families: Families,
    /// The targets of the line read last.
    current: Option<Walk>,
    lines_seen: u64,
}

impl std::fmt::Debug for Stdin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdin").field("line", &self.lines.number()).finish_non_exhaustive()
    }
}

impl Stdin {
    /// The next target; where there are `stretches`, what is left of ranges goes there.
    fn next(
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
                Ok(Some(Err(fault))) => {
                    self.lines_seen += 1;
                    return Some(Err(self.problem(fault)));
                }
                Ok(None) => return None,
                Err(error) => {
                    self.lines_seen += 1;
                    let problem = self.problem(format!("cannot be read on from here: {}", reason(&error)));
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
        let checked = Expression::parse(text).and_then(|expression| {
            expression.check_family(text, self.families)?;
            Ok(expression)
        });
        let expression = checked.map_err(|error| self.problem(error))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn sources(targets: &[&str]) -> Sources {
        Sources {
            targets: targets.iter().map(ToString::to_string).collect(),
            order: Order::Given,
            ..Sources::default()
        }
    }

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn with_files(mut sources: Sources, files: &[&tempfile::NamedTempFile]) -> Sources {
        sources.files.extend(files.iter().map(|file| file.path().to_owned()));
        sources
    }

    fn refused(sources: Sources) -> String {
        sources.open_with(Box::new(std::io::empty())).expect_err("must be refused").to_string()
    }

    /// What comes out: `host:port` or the problem.
    fn run(sources: Sources, stdin: &'static [u8]) -> Vec<String> {
        let mut targets = sources.open_with(Box::new(stdin)).unwrap_or_else(|problems| panic!("{problems}"));
        let mut out = Vec::new();
        let mut next_index = 0;
        for item in &mut targets {
            out.push(match item {
                Ok(target) => {
                    assert_eq!(target.index, next_index);
                    next_index += 1;
                    format!("{}:{}", target.host, target.port)
                }
                Err(problem) => problem.to_string(),
            });
        }
        assert_eq!(targets.total(), Some(next_index));
        assert!(!targets.may_block());
        out
    }

    fn from_stdin(mut sources: Sources) -> Sources {
        sources.files.push("-".into());
        sources
    }

    #[test]
    fn arguments_then_files_in_order() {
        let (one, two) = (file(b"# fleet\na\r\n10.0.0.1:2222  # jump\n"), file(b"b\na\n"));
        let mut sources = with_files(sources(&["z", "10.0.0.0/31"]), &[&one, &two]);
        sources.ports = "22,23".parse().unwrap();
        assert_eq!(
            run(sources, b""),
            [
                "z:22",
                "z:23",
                "10.0.0.0:22",
                "10.0.0.0:23",
                "10.0.0.1:22",
                "10.0.0.1:23",
                "a:22",
                "a:23",
                "10.0.0.1:2222",
                "b:22",
                "b:23"
            ]
        );
    }

    #[test]
    fn bad_arguments_are_numbered() {
        assert_eq!(
            refused(sources(&["a", "10.0.0.0/33", "host:0", ""])),
            "argument 2: `10.0.0.0/33`: the prefix length 33 is too long for IPv4: write /0 to /32\n\
             argument 3: `host:0`: port 0 cannot be connected to: write 1 to 65535\n\
             argument 4: the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22"
        );
        let mut only_v4 = sources(&["::1"]);
        only_v4.families = Families::V4Only;
        assert_eq!(
            refused(only_v4),
            "argument 1: `::1`: is an IPv6 target, but -4 allows only IPv4: leave the target or -4 away"
        );
    }

    #[test]
    fn nothing_to_do_is_an_error() {
        assert_eq!(refused(sources(&[])), "targets: none given: write TARGET…, -f FILE or -f - (sshprobe --help)");
        for content in [&b""[..], b"\n\n", b"# a\n  # b"] {
            let empty = file(content);
            assert_eq!(
                refused(with_files(sources(&["a"]), &[&empty])),
                format!("{}: no target in it: write one on each line", empty.path().display())
            );
        }
        let mut excluded = sources(&["10.0.0.0/24", "web"]);
        excluded.exclude = vec!["10.0.0.0/8,web".into()];
        assert_eq!(refused(excluded), "targets: every one of them is excluded: look at --exclude and --exclude-file");
    }

    #[test]
    fn bad_files_are_named_with_their_line() {
        let missing = Sources { files: vec!["no/such/list".into()], ..Sources::default() };
        assert_eq!(refused(missing), "no/such/list: cannot be opened: there is no such file");
        let directory = tempfile::tempdir().unwrap();
        let message = refused(Sources { files: vec![directory.path().into()], ..Sources::default() });
        assert_eq!(message, format!("{}: cannot be read: it is a directory", directory.path().display()));

        let binary = file(b"10.0.0.1\n\x7fELF\x02\0\0\nbad:0\n");
        assert_eq!(
            refused(with_files(sources(&[]), &[&binary])),
            format!("{}:2: a NUL byte: this is a binary file and no list of targets", binary.path().display())
        );
        let bad = file(b"a\n\n# c\nhost:99999\n\xff\n10.0.0.9-3\na b\n");
        let path = bad.path().display();
        assert_eq!(
            refused(with_files(sources(&[]), &[&bad])),
            format!(
                "{path}:4: `host:99999`: there is no port 99999: write 1 to 65535\n\
                 {path}:5: the line is not UTF-8: write names in ASCII (punycode)\n\
                 {path}:6: `10.0.0.9-3`: the range ends before it starts: write 10.0.0.3-9\n\
                 {path}:7: `a b`: has a blank in it: write one target at a time"
            )
        );
        let long = file("x".repeat(9999).as_bytes());
        assert_eq!(
            refused(with_files(sources(&[]), &[&long])),
            format!("{}:1: the line is longer than 4096 bytes: write one target a line", long.path().display())
        );
        assert_eq!(shown(Path::new("a\u{1b}[2J")), r"`a\u{1b}[2J`");
    }

    #[test]
    fn exclusions_come_from_lists_and_files() {
        let list = file(b"# never\n10.0.0.0/30:22\n");
        let mut some = sources(&["10.0.0.0/29:22-23", "web", "db"]);
        some.exclude = vec!["10.0.0.4-6:22,23,web".into(), "10.0.0.7:23".into()];
        some.exclude_files = vec![list.path().into()];
        assert_eq!(
            run(some, b""),
            ["10.0.0.0:23", "10.0.0.1:23", "10.0.0.2:23", "10.0.0.3:23", "10.0.0.7:22", "db:22"]
        );
        let mut bad = sources(&["a"]);
        bad.exclude = vec!["10.0.0.0/33".into(), "a,,b".into()];
        bad.exclude_files = vec!["-".into()];
        assert_eq!(
            refused(bad),
            "--exclude: `10.0.0.0/33`: the prefix length 33 is too long for IPv4: write /0 to /32\n\
             --exclude: the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22\n\
             --exclude-file: stdin can only be a list of targets (-f -): name a file"
        );
    }

    #[test]
    fn lists_split_at_commas_that_are_none_of_ports() {
        for (list, parts) in [
            ("a", &["a"] as &[_]),
            ("a,b", &["a", "b"]),
            ("a:22,2222,b", &["a:22,2222", "b"]),
            ("10.0.0.0/24:22,80-90,10.1.0.0/16", &["10.0.0.0/24:22,80-90", "10.1.0.0/16"]),
            ("a, b", &["a", "b"]),
            ("a,22", &["a", "22"]),
            ("", &[""]),
            ("a,", &["a", ""]),
        ] {
            assert_eq!(split_list(list), parts, "{list}");
        }
    }

    #[test]
    fn too_many_targets_are_refused_with_their_number() {
        let mut big = sources(&["10.0.0.0/8:22,2222"]);
        assert_eq!(
            refused(big.clone()),
            "targets: 33554432 of them are more than --max-targets 16777216: raise it, or sweep less at once"
        );
        big.max_targets = 1 << 25;
        assert_eq!(big.open_with(Box::new(std::io::empty())).unwrap().total(), Some(1 << 25));
        assert_eq!(
            refused(sources(&["[::]/0"])),
            "targets: at least 340282366920938463463374607431768211455 of them are more than --max-targets 16777216: \
             raise it, or sweep less at once"
        );
        let slash_8 = sources(&["10.0.0.0/8"]).open_with(Box::new(std::io::empty())).unwrap();
        assert_eq!(slash_8.total(), Some(Sources::MAX_TARGETS));
    }

    #[test]
    fn bad_lines_on_stdin_do_not_stop_the_rest() {
        assert_eq!(
            run(from_stdin(sources(&[])), b"a\nhost:0\n\0\nb:23\n\xff\na\n10.0.0.254/31 # r\n::1:22\n"),
            [
                "a:22",
                "stdin line 2: `host:0`: port 0 cannot be connected to: write 1 to 65535",
                "stdin line 3: a NUL byte: this is a binary file and no list of targets",
                "b:23",
                "stdin line 5: the line is not UTF-8: write names in ASCII (punycode)",
                "10.0.0.254:22",
                "10.0.0.255:22",
                "stdin line 8: `::1:22`: this could be port 22 of ::1 or an address: write [::1]:22 or [::1:22]",
            ]
        );
    }

    /// What came from an argument, an earlier line or a range does not come again.
    #[test]
    fn stdin_is_merged_with_everything_before() {
        let mut given = from_stdin(sources(&["a", "10.0.0.0/30"]));
        given.exclude = vec!["10.0.0.5".into()];
        assert_eq!(
            run(given, b"10.0.0.2\nA\n10.0.0.4\n10.0.0.0/29\n10.0.0.7\na:23"),
            [
                "a:22",
                "10.0.0.0:22",
                "10.0.0.1:22",
                "10.0.0.2:22",
                "10.0.0.3:22",
                "10.0.0.4:22",
                "10.0.0.6:22",
                "10.0.0.7:22",
                "a:23"
            ]
        );
    }

    #[test]
    fn an_empty_stdin_is_an_error_and_so_is_an_excluded_one() {
        let none = "stdin: no target came: write one on each line";
        assert_eq!(run(from_stdin(sources(&[])), b"# only this\n"), [none]);
        assert_eq!(run(from_stdin(sources(&["a"])), b""), ["a:22", none]);
        let mut excluded = from_stdin(sources(&["a"]));
        excluded.exclude = vec!["a,b".into()];
        assert_eq!(
            run(excluded, b"b\n"),
            ["targets: every one of them is excluded: look at --exclude and --exclude-file"]
        );
        assert_eq!(run(from_stdin(sources(&["a"])), b"a\n"), ["a:22"]);
    }

    #[test]
    fn stdin_obeys_the_limit() {
        let mut limited = from_stdin(sources(&["a"]));
        limited.max_targets = 4;
        assert_eq!(
            run(limited, b"10.0.0.0/24\n10.0.0.0/31\nb\nc\nd\n"),
            [
                "a:22",
                "stdin line 1: `10.0.0.0/24`: 256 targets are more than --max-targets 4 leaves (3): the line is left out",
                "10.0.0.0:22",
                "10.0.0.1:22",
                "b:22",
                "stdin line 4: --max-targets 4 are reached: this line and all behind it are left out",
            ]
        );
    }

    /// Lines are swept as they come: the second read may only happen once the first line's targets are out.
    #[test]
    fn stdin_is_streamed() {
        struct InTwo(Arc<AtomicBool>, u32);
        impl Read for InTwo {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.1 += 1;
                match self.1 {
                    1 => (&b"a\n"[..]).read(buffer),
                    2 => {
                        assert!(self.0.load(Ordering::SeqCst), "read ahead before the first target was given");
                        (&b"b"[..]).read(buffer)
                    }
                    3 => Err(std::io::ErrorKind::Interrupted.into()),
                    4 => Ok(0),
                    _ => unreachable!("read behind the end"),
                }
            }
        }
        let given = Arc::new(AtomicBool::new(false));
        let mut targets = from_stdin(sources(&[])).open_with(Box::new(InTwo(given.clone(), 0))).unwrap();
        assert_eq!((targets.total(), targets.may_block()), (None, true));
        assert_eq!(targets.next().unwrap().unwrap().host.to_string(), "a");
        given.store(true, Ordering::SeqCst);
        assert_eq!(targets.next().unwrap().unwrap().host.to_string(), "b");
        assert_eq!(targets.next(), None);
        assert_eq!((targets.total(), targets.next()), (Some(2), None));
    }

    #[test]
    fn a_stdin_that_breaks_is_reported_once() {
        struct Broken(u32);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                if self.0 == 1 { (&b"a\n"[..]).read(buffer) } else { Err(std::io::Error::other("gone")) }
            }
        }
        let targets = from_stdin(sources(&[])).open_with(Box::new(Broken(0))).unwrap();
        let out: Vec<String> = targets
            .map(|item| item.map_or_else(|problem| problem.to_string(), |target| target.host.to_string()))
            .collect();
        assert_eq!(out, ["a", "stdin line 1: cannot be read on from here: gone"]);
    }

    #[test]
    fn a_digest_is_that_of_what_is_to_be_done() {
        let digest = |sources: Sources| sources.open_with(Box::new(std::io::empty())).unwrap().digest();
        let given = || sources(&["a", "10.0.0.0/28", "b:23"]);
        let one = digest(given());
        let list = file(b"10.0.0.0/28 # the same\nb:23\n");
        assert_eq!(digest(with_files(sources(&["a"]), &[&list])), one);
        assert_eq!(digest(Sources { order: Order::Random { seed: 5 }, max_targets: 99, ..given() }), one);
        for other in [
            sources(&["a", "b:23", "10.0.0.0/28"]),
            sources(&["a", "10.0.0.0-15", "b:23"]),
            Sources { ports: "23".parse().unwrap(), ..given() },
            Sources { exclude: vec!["10.0.0.3".into()], ..given() },
            Sources { share: Share::new(1, 2).unwrap(), ..given() },
            sources(&["a", "10.0.0.0/28", "b:23", "c"]),
        ] {
            assert_ne!(digest(other), one);
        }
    }

    /// The engine walks targets on a thread of its own.
    #[test]
    fn targets_can_be_sent_to_a_thread() {
        fn sendable<T: Send + 'static>() {}
        sendable::<Targets>();
    }
}
