//! Keeps FILE.state while a run goes on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::record::Record;

use super::bits::Bits;
use super::state::State;
use crate::report::Selection;

/// Between two versions of the state at least. What comes in between would be asked again after a crash.
const EVERY: Duration = Duration::from_secs(1);

/// Writing the state takes at most this part of the time: that of a /8 is some megabytes.
const SHARE: u32 = 20;

/// A run's state, in memory and beside its file.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    state: State,
    /// Which records get a line.
    selection: Selection,
    /// Every target that has a record, be it written or not.
    done: Bits,
    /// What is on the disk is behind.
    stale: bool,
    not_before: Instant,
    trouble: Option<io::Error>,
}

impl Log {
    /// The log of a run of which `done` is done, kept beside `file`.
    #[must_use]
    pub fn new(file: &Path, state: State, done: Bits, selection: Selection) -> Self {
        let path = State::path(file);
        Self { path, state, selection, done, stale: true, not_before: Instant::now(), trouble: None }
    }

    /// Where it is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The targets that have a record.
    #[must_use]
    pub const fn done(&self) -> &Bits {
        &self.done
    }

    /// Puts the state beside the file, before anything is sent.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&mut self) -> io::Result<()> {
        self.state.save(&self.path)?;
        self.saved(Instant::now());
        Ok(())
    }

    /// Takes note of a record of the run. That the state cannot be written is no reason to stop: [`Self::suspend`] tells.
    pub fn note(&mut self, record: &Record) {
        self.done.add(record.target.index);
        if self.selection.keeps(record) {
            return;
        }
        self.state.unwritten.add(record.target.index, record.code, record.connections);
        self.outdate();
    }

    /// Takes note of empty addresses of ranges that have no record: which, and what they came to.
    pub fn note_empty(&mut self, empty: impl IntoIterator<Item = (u64, Code)>) {
        for (index, code) in empty {
            self.done.add(index);
            self.state.unwritten.add(index, code, 0);
        }
        self.outdate();
    }

    fn outdate(&mut self) {
        self.stale = true;
        if Instant::now() >= self.not_before {
            self.update();
        }
    }

    fn update(&mut self) {
        let begun = Instant::now();
        match self.state.save(&self.path) {
            Ok(()) => self.trouble = None,
            Err(error) => self.trouble = Some(error),
        }
        self.saved(begun);
    }

    fn saved(&mut self, begun: Instant) {
        self.stale = self.trouble.is_some();
        self.not_before = Instant::now() + EVERY.max(begun.elapsed() * SHARE);
    }

    /// The run ends before its time: the state stays, as it is now.
    ///
    /// # Errors
    /// It cannot be brought up to date.
    pub fn suspend(mut self) -> io::Result<()> {
        if self.stale {
            self.update();
        }
        self.trouble.map_or(Ok(()), Err)
    }

    /// The run is done: no state is needed any more.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn finish(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sshprobe_probes::diagnose::Code;
    use sshprobe_probes::evidence::Stage;

    use super::*;
    use crate::report::samples::record;

    fn silent(index: u64) -> Record {
        let mut record = record("10.0.0.1", Code::TimeoutConnect, Stage::Connect, "");
        (record.target.index, record.from_range) = (index, true);
        record
    }

    #[test]
    fn what_has_no_line_is_kept_in_the_state() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("out");
        let mut log = Log::new(&file, State::default(), Bits::default(), Selection::Answered);
        log.begin().unwrap();
        assert_eq!(State::load(&State::path(&file)).unwrap(), Some(State::default()));
        let mut named = silent(7);
        named.from_range = false;
        for record in [&silent(3), &silent(5), &named, &silent(3)] {
            log.note(record);
        }
        assert_eq!(log.done().iter().collect::<Vec<_>>(), [3, 5, 7]);
        log.suspend().unwrap();
        let state = State::load(&State::path(&file)).unwrap().unwrap();
        assert_eq!(state.unwritten.which.iter().collect::<Vec<_>>(), [3, 5]);
        assert_eq!(state.unwritten.codes, [(Code::TimeoutConnect, 2)].into());
        let log = Log::new(&file, state, Bits::default(), Selection::Answered);
        log.finish().unwrap();
        assert!(!State::path(&file).exists());
    }

    #[test]
    fn a_state_that_cannot_be_written_is_told_in_the_end_and_stops_nothing() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let mut log = Log::new(&folder.join("out"), State::default(), Bits::default(), Selection::Answered);
        log.begin().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        log.note(&silent(1));
        assert!(log.suspend().is_err());
        let mut log = Log::new(&folder.join("out"), State::default(), Bits::default(), Selection::All);
        assert!(log.begin().is_err());
    }
}
