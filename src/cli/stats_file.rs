//! `--stats-file`: what the run is doing, for whoever watches machines.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::record::Record;
use tempfile::Builder;

use crate::engine::{Clock, Empty, Stats};
use crate::error::{Error, said};
use crate::journal::folder_of;
use crate::report::Progress;
use crate::report::exposition::{Figures, SynFigures, render};
use crate::sys::memory;

/// Between two versions of the file: Prometheus asks every ten to sixty seconds.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// The file, and what is counted for it alone.
pub(super) struct StatsFile {
    path: PathBuf,
    run: String,
    clock: Clock,
    total: Option<u64>,
    /// The run begins with SYNs.
    sweeps: bool,
    stats: Arc<Stats>,
    codes: Mutex<BTreeMap<Code, u64>>,
    progress: Arc<Progress>,
    /// It was told that the file cannot be written.
    told: Mutex<bool>,
}

impl StatsFile {
    /// Writes the file for the first time, before anything is sent; `codes` are the records of an earlier part of the run.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn begin(
        path: &Path,
        run: &str,
        clock: Clock,
        (total, sweeps): (Option<u64>, bool),
        codes: BTreeMap<Code, u64>,
        (stats, progress): (&Arc<Stats>, &Arc<Progress>),
    ) -> Result<Self, Error> {
        let file = Self {
            path: path.to_owned(),
            run: run.to_owned(),
            clock,
            total,
            sweeps,
            stats: Arc::clone(stats),
            codes: Mutex::new(codes),
            progress: Arc::clone(progress),
            told: Mutex::new(false),
        };
        file.replace(true).map_err(|error| Error::Create { path: path.to_owned(), reason: said(&error) })?;
        Ok(file)
    }

    /// Counts a record.
    pub(super) fn count(&self, record: &Record) {
        *self.codes.lock().unwrap_or_else(PoisonError::into_inner).entry(record.code).or_default() += 1;
    }

    /// Counts addresses without a record.
    pub(super) fn count_empty(&self, empty: &[Empty]) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        empty.iter().for_each(|empty| *codes.entry(empty.code).or_default() += 1);
    }

    /// Brings the file up to date. That it cannot be written is told once, and stops nothing.
    pub(super) fn update(&self, running: bool) {
        let Err(error) = self.replace(running) else { return };
        let told = std::mem::replace(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner), true);
        if !told {
            let line = format!("sshprobe: warning: --stats-file {}: {}", self.path.display(), said(&error));
            self.progress.say(&line);
        }
    }

    /// Whoever reads the file gets all of the old text or all of the new.
    fn replace(&self, running: bool) -> io::Result<()> {
        let codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.now();
        let text = render(&Figures {
            run: self.run.clone(),
            started: self.clock.epoch(),
            elapsed: now.since(sshprobe_probes::time::Moment::START),
            running,
            targets: self.total,
            waiting: self.stats.waiting(),
            in_flight: self.stats.in_flight(),
            opened: self.stats.opened(),
            syn: self.sweeps.then(|| SynFigures { owing: self.stats.owing(), sent: self.stats.syns() }),
            troubles: self.stats.troubles(),
            speaking: self.stats.speaking(),
            answers: (self.stats.answers(), self.stats.resent()),
            loss: self.stats.loss(),
            codes,
            memory: memory::resident(),
        });
        // node_exporter reads every file that ends in .prom: this one must not. It runs as another user.
        let mut new = Builder::new();
        let new = new.prefix(".sshprobe-stats-").permissions(PermissionsExt::from_mode(0o644));
        let mut new = new.tempfile_in(folder_of(&self.path))?;
        new.write_all(text.as_bytes())?;
        new.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}
