//! Runs into `-o FILE` that can go on after they were interrupted, and `--resume`, which goes on with one.
//!
//! Everything is read and checked before anything is sent or changed: another list of targets, another depth or other known
//! keys would make a file whose records do not belong together. See [`crate::journal`] for what is kept, and why.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Host, Target};

use crate::cli::config::Config;
use crate::cli::exit::Exit;
use crate::engine::Empty;
use crate::error::{Error, said};
use crate::journal::{Bits, Content, Log, Shape, State, Unreadable, reread};
use crate::report::{Progress, Selection, Summary, is_packed};
use crate::sys::entropy;
use crate::target::Targets;

/// What a run begins with.
#[derive(Default)]
pub(super) struct Before {
    /// The name of the run, where an earlier part of it had one.
    pub(super) run: Option<String>,
    /// The targets that are done.
    pub(super) done: Bits,
    /// What they came to.
    pub(super) summary: Summary,
    /// The same for the exit code.
    pub(super) exit: Exit,
    /// What there is to tell of it, one line each.
    pub(super) warnings: Vec<String>,
}

/// A file that a run is written to in a way that lets it go on.
pub(super) struct Journal {
    path: PathBuf,
    /// The file, if it is there already, and how much of it stays.
    earlier: Option<(File, u64)>,
    /// FILE.state is as it should be.
    stands: bool,
    log: Log,
}

/// Refuses to replace a file that an unfinished run is to go on with.
pub(super) fn refuse_unfinished(path: &Path) -> Result<(), Error> {
    let state = State::path(path);
    if fs::symlink_metadata(&state).is_err() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--output: {} says that a run into {} was not finished: --resume goes on with it; remove {} to begin anew",
        state.display(),
        path.display(),
        state.display()
    )))
}

/// Sees what is there of a run into the file of `-o`; nothing is changed yet. There is no journal where a run cannot go on.
///
/// # Errors
/// Why the run cannot begin, or go on, as asked.
pub(super) fn prepare(config: &Config, targets: &Targets) -> Result<(Before, Option<Journal>), Error> {
    let refuse = |why: &str| Err(Error::usage(format!("--resume: {why}")));
    let Some((path, format)) = &config.output.file else {
        return if config.resume {
            refuse("there is no file to go on with; name it with -o FILE")
        } else {
            Ok(Default::default())
        };
    };
    let old = fs::metadata(path).ok();
    let obstacle = if format.name != "jsonl" {
        Some("only JSON lines can be gone on with; name a file like out.jsonl")
    } else if targets.may_block() {
        Some("standard input cannot be read a second time; put the targets into a file and name it with -f")
    } else if config.all_addresses {
        Some("with --all-addresses nobody knows which records of a name are missing; leave one of them away")
    } else if old.as_ref().is_some_and(|old| !old.is_file()) {
        Some("the output is no regular file, and nothing can be read back from it")
    } else {
        None
    };
    if !config.resume {
        refuse_unfinished(path)?;
    }
    match obstacle {
        Some(why) if config.resume => return refuse(why),
        Some(_) => return Ok(Default::default()),
        None => {}
    }
    let shape = shape(config, targets)?;
    let (selection, _) = config.output.selections();
    let selection = selection.unwrap_or(Selection::All);
    let state_path = State::path(path);
    let unreadable = |error: &io::Error| Error::usage(format!("--resume: {}: {}", state_path.display(), said(error)));
    let there = config.resume && fs::symlink_metadata(&state_path).is_ok();
    if there && old.is_none() {
        return refuse(&format!(
            "{} is there and {} is not, so what was written is lost; remove {} to begin anew",
            state_path.display(),
            path.display(),
            state_path.display()
        ));
    }
    if !config.resume || old.is_none() {
        let run = format!("{:016x}", entropy::number().unwrap_or_else(|_| u64::from(std::process::id())));
        let state = State { run: run.clone(), shape, ..State::default() };
        let log = Log::new(path, state, Bits::default(), selection);
        let journal = Journal { path: path.clone(), earlier: None, stands: false, log };
        return Ok((Before { run: Some(run), ..Before::default() }, Some(journal)));
    }
    let state = if there { State::load(&state_path).map_err(|error| unreadable(&error))? } else { None };
    if let Some(why) = state.as_ref().and_then(|state| shape.differs_from(&state.shape)) {
        return refuse(&format!("{} was begun {why}", path.display()));
    }
    let (before, file, whole) = read_back(config, targets, path, state.as_ref())?;
    let run = before.run.clone().or_else(|| state.as_ref().map(|state| state.run.clone()));
    let stands = state.as_ref().is_some_and(|state| Some(&state.run) == run.as_ref());
    let state = state.filter(|_| stands);
    let mut before = Before { run, ..before };
    let run = before.run.get_or_insert_with(|| format!("{:016x}", entropy::number().unwrap_or_default())).clone();
    match state {
        Some(state) => {
            let log = Log::new(path, state, before.done.clone(), selection);
            Ok((before, Some(Journal { path: path.clone(), earlier: Some((file, whole)), stands, log })))
        }
        None => {
            if Some(before.done.len()) != targets.total() {
                before.warnings.push(stateless(path, config.output.records, there));
            }
            let log = Log::new(path, State { run, shape, ..State::default() }, before.done.clone(), selection);
            Ok((before, Some(Journal { path: path.clone(), earlier: Some((file, whole)), stands: false, log })))
        }
    }
}

/// What it means that there is no state for a file, or, where one is `there`, that it is none of its run's.
fn stateless(path: &Path, records: Selection, there: bool) -> String {
    let state = State::path(path).display().to_string();
    let whose = match (there, records) {
        (true, _) => format!("{state} is of another run or spoilt"),
        (false, Selection::All) => format!("there is no {state}"),
        // That is no damage: such a run has no line for some of its targets, even when it has come to its end.
        (false, _) => format!("there is no {state} (a run that is finished leaves none)"),
    };
    let again = match records {
        Selection::All => "",
        _ => ", and addresses of ranges that were silent, refused or unreachable, which have no line, are asked again",
    };
    let path = path.display();
    format!("--resume: {whose}: that {path} was begun with the same depth and known keys cannot be checked{again}")
}

/// Reads what an earlier part of the run has written: what it comes to, the file, and how much of it stays.
fn read_back(
    config: &Config,
    targets: &Targets,
    path: &Path,
    state: Option<&State>,
) -> Result<(Before, File, u64), Error> {
    let refuse = |why: String| Error::usage(format!("--resume: {}: {why}", path.display()));
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| refuse(said(&error)))?;
    lock(&file, path)?;
    let (_, on_stdout) = config.output.selections();
    let mut before = Before::default();
    let content = if is_packed(path) { Content::Zstd } else { Content::Plain };
    let whole = reread(&file, content, |record| {
        match &before.run {
            None => before.run = Some(record.run.to_string()),
            Some(run) if **run == *record.run => {}
            Some(_) => return Err(String::from("is of another run than the lines before it")),
        }
        belongs(&record, targets)?;
        if !before.done.add(record.target.index) {
            return Err(String::from("is of the same target as a line before it"));
        }
        before.exit = before.exit.max(Exit::of(&record, &config.fail_on));
        if !on_stdout.keeps(&record) {
            before.summary.hide();
        }
        before.summary.recall(record);
        Ok(())
    });
    let whole = whole.map_err(|error| match error {
        Unreadable::Io(error) => refuse(format!("cannot be read: {}", said(&error))),
        other => refuse(format!("{other}, so it is not what this run has written")),
    })?;
    // Of an empty file it cannot be told whose it is; then its state is believed.
    if let Some(state) = state.filter(|state| before.run.as_ref().is_none_or(|run| *run == state.run)) {
        recall_unwritten(config, targets, state, &mut before, on_stdout)
            .map_err(|index| refuse(format!("its state says that target {index} has no line, and there is one")))?;
    }
    Ok((before, file, whole))
}

/// Whether a record is of the target that this call has in its place, or the rest of the sentence that says whose it is.
fn belongs(record: &Record, targets: &Targets) -> Result<(), String> {
    let named = &record.target;
    let ours = targets.at(named.index).filter(|target| targets.share().has(target.index));
    // An ssh_config may give a host another port and address than its target has.
    let same = |target: &Target| *target.input == *named.input && target.shown() == named.host;
    match ours {
        Some(target) if same(&target) => Ok(()),
        Some(target) => {
            Err(format!("is of {}, and this call has {} in its place", place(&named.host, &named.input), {
                place(&target.shown(), &target.input)
            }))
        }
        None => Err(format!("is of {}, which this call does not probe", place(&named.host, &named.input))),
    }
}

fn place(host: &str, input: &str) -> String {
    let quote = |text: &str| sshprobe_probes::escape::quote(text, 200);
    if host == input { quote(host) } else { format!("{} of {}", quote(host), quote(input)) }
}

/// Counts what is done and not in the file; the error is the index of a target that is.
fn recall_unwritten(
    config: &Config,
    targets: &Targets,
    state: &State,
    before: &mut Before,
    on_stdout: Selection,
) -> Result<(), u64> {
    let unwritten = &state.unwritten;
    if let Some(index) = unwritten.which.iter().find(|index| !before.done.add(*index)) {
        return Err(index);
    }
    let addrs = unwritten.which.iter().filter_map(|index| match targets.at(index)?.host {
        Host::Addr(addr, _) => Some(addr),
        Host::Name(_) | Host::Iap(_) => None::<IpAddr>,
    });
    before.summary.recall_empty(&unwritten.codes, unwritten.connections, addrs);
    for code in unwritten.codes.keys() {
        before.exit = before.exit.max(Exit::of_record(*code, true, &config.fail_on));
    }
    if on_stdout != Selection::All {
        (0..unwritten.which.len()).for_each(|_| before.summary.hide());
    }
    Ok(())
}

/// What may not change while a run goes on.
fn shape(config: &Config, targets: &Targets) -> Result<Shape, Error> {
    Ok(Shape {
        targets: targets.digest(),
        depth: config.depth.name().to_owned(),
        reach: config.reach_options(),
        trust: trust(config)?,
        user: config.user.clone(),
        records: match config.output.records {
            Selection::All => "all",
            _ => "answered",
        }
        .to_owned(),
    })
}

/// A digest of the files that host keys are held against; of one that is not there, that it is not.
fn trust(config: &Config) -> Result<String, Error> {
    let mut context = digest::Context::new(&digest::SHA256);
    for path in config.trust_files.paths().iter().chain(&config.trust_anchor) {
        let content = fs::read(path).ok();
        let length = content.as_ref().map(Vec::len);
        context.update(format!("{path:?} {length:?}\n").as_bytes());
        context.update(content.as_deref().unwrap_or_default());
    }
    Ok(STANDARD.encode(context.finish()))
}

/// Whether a file cannot be made where it should be, though the disk is not full.
fn forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Takes the file for this run alone.
fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Error::usage(format!("--output: another run is writing to {}; name another file", path.display())))
        }
        // A file system that has no locks is no reason not to write.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

impl Journal {
    /// Makes the file ready to be written to: what is torn at its end is cut off, or it is begun anew.
    ///
    /// # Errors
    /// The file or its state cannot be written.
    pub(super) fn begin(&mut self, quiet: bool) -> Result<Box<dyn Write + Send>, Error> {
        let failed = |path: &Path, error: &io::Error| Error::Create { path: path.to_owned(), reason: said(error) };
        let at_file = |error: io::Error| failed(&self.path, &error);
        let (mut file, whole) = match self.earlier.take() {
            Some(earlier) => earlier,
            None => {
                // Not emptied before it is known that nobody else writes to it.
                let file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path);
                let file = file.map_err(at_file)?;
                lock(&file, &self.path)?;
                (file, 0)
            }
        };
        file.set_len(whole).map_err(at_file)?;
        file.seek(SeekFrom::Start(whole)).map_err(at_file)?;
        // Never a state without a file: the state comes second, and what it stands for is in the file.
        if !self.stands {
            let state = State::path(&self.path);
            match self.log.begin() {
                Ok(()) => {}
                // The file may be ours in a folder that is not: it goes on without a state as after one was lost.
                Err(error) if forbidden(&error) => {
                    if !quiet {
                        let why = said(&error);
                        let line = format!("sshprobe: warning: {} cannot be kept: {why}", state.display());
                        Progress::none()
                            .say(&format!("{line}; --resume will not see whether it goes on with the same run"));
                    }
                }
                Err(error) => return Err(failed(&state, &error)),
            }
        }
        Ok(Box::new(file))
    }

    /// Takes note of a record.
    pub(super) fn note(&mut self, record: &Record) {
        self.log.note(record);
    }

    /// Takes note of empty addresses that have no record.
    pub(super) fn note_empty(&mut self, empty: &[Empty]) {
        self.log.note_empty(empty.iter().map(|empty| (empty.index, empty.code)));
    }

    /// Ends the journal: with the run if every one of its targets has a record that was written, else for a later part of it.
    pub(super) fn end(self, written: bool, total: Option<u64>, progress: &Progress, quiet: bool) {
        let (path, state) = (self.path.display().to_string(), State::path(&self.path));
        if written && Some(self.log.done().len()) == total {
            if let Err(error) = self.log.finish() {
                progress.say(&format!("sshprobe: warning: {} cannot be removed: {}", state.display(), said(&error)));
            }
            return;
        }
        if let Err(error) = self.log.suspend() {
            progress.say(&format!(
                "sshprobe: warning: {} is not up to date ({}): --resume asks silent addresses again",
                state.display(),
                said(&error)
            ));
        }
        if !quiet {
            progress.say(&format!("sshprobe: {path} holds what is done: the same command with --resume goes on"));
        }
    }
}
