//! The writing end of a run: takes records off the bounded channel and puts them where they were asked for.
//!
//! It blocks where its outputs block, and so the channel fills and the sweep waits: nothing is dropped and nothing piles up.

use std::io::{self, Write};
use std::time::Duration;

use sshprobe_probes::record::Record;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::report::format::{Encoder, Format, Look};
use crate::report::progress::Progress;
use crate::report::selection::Selection;
use crate::report::summary::Summary;

/// Bytes gathered before they are written whatever happens.
const CHUNK: usize = 64 * 1024;

/// How long a written record may wait for company: fewer writes, and no flicker where a progress bar has to step aside.
const LINGER: Duration = Duration::from_millis(20);

/// Where a view goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Standard output. If its reader goes away the view just ends.
    Stdout {
        /// It is the terminal that progress is drawn on.
        shares_terminal: bool,
    },
    /// A file that was asked for: to lose it is an error.
    File,
}

/// One stream of records.
pub struct View {
    encoder: Box<dyn Encoder>,
    selection: Selection,
    place: Place,
    name: String,
    out: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    open: bool,
}

impl View {
    /// A view of the records selected, in a format, on `out`, which errors call `name`.
    #[must_use]
    pub fn new(format: &Format, look: Look, selection: Selection, place: Place, name: String, out: Box<dyn Write + Send>) -> Self {
        Self { encoder: (format.encoder)(look), selection, place, name, out, buffer: Vec::new(), open: true }
    }

    fn take(&mut self, record: &Record) -> io::Result<()> {
        if self.open && self.selection.keeps(record) {
            self.encoder.record(record, &mut self.buffer)?;
        }
        Ok(())
    }

    fn flush(&mut self, progress: &Progress) -> io::Result<()> {
        if !self.open || self.buffer.is_empty() {
            return Ok(());
        }
        let (out, buffer) = (&mut self.out, &self.buffer);
        let mut write = || out.write_all(buffer).and_then(|()| out.flush());
        let result = match self.place {
            Place::Stdout { shares_terminal: true } => progress.suspend(write),
            _ => write(),
        };
        self.buffer.clear();
        result
    }
}

/// What became of the records.
#[derive(Debug, Default)]
pub struct Delivered {
    /// What they add up to.
    pub summary: Summary,
    /// Nobody read standard output to the end, and nothing else was to be written.
    pub closed: bool,
    /// A view was lost that must not be.
    pub error: Option<Error>,
}

/// Every view of a run.
pub struct Sink {
    views: Vec<View>,
    delivered: Delivered,
}

impl Sink {
    /// A sink that feeds these views.
    #[must_use]
    pub fn new(views: Vec<View>) -> Self {
        Self { views, delivered: Delivered::default() }
    }

    /// Takes records until the channel closes; blocks, so it wants a thread of its own. `observe` sees each record
    /// that counts. Once there is nobody left to write for, `stop` is called and the rest is thrown away.
    pub fn run(
        mut self,
        mut records: Receiver<Box<Record>>,
        runtime: &Handle,
        progress: &Progress,
        mut observe: impl FnMut(&Record),
        stop: impl Fn(),
    ) -> Delivered {
        while let Some(first) = records.blocking_recv() {
            self.take(&first, progress, &mut observe, &stop);
            let flush_at = Instant::now() + LINGER;
            loop {
                let next = match records.try_recv() {
                    Ok(record) => Some(record),
                    Err(TryRecvError::Disconnected) => None,
                    Err(TryRecvError::Empty) => {
                        runtime.block_on(async { timeout_at(flush_at, records.recv()).await }).ok().flatten()
                    }
                };
                let Some(record) = next else { break };
                self.take(&record, progress, &mut observe, &stop);
            }
            self.flush(progress, &stop);
        }
        self.delivered
    }

    /// There is somebody left to write for.
    fn live(&self) -> bool {
        !self.delivered.closed && self.delivered.error.is_none()
    }

    fn take(&mut self, record: &Record, progress: &Progress, observe: &mut impl FnMut(&Record), stop: &impl Fn()) {
        if !self.live() {
            return;
        }
        observe(record);
        self.delivered.summary.add(record);
        let mut full = false;
        let listed = |view: &View| view.place == Place::File || view.selection.keeps(record);
        if !self.views.iter().all(listed) {
            self.delivered.summary.hide();
        }
        for at in 0..self.views.len() {
            let view = &mut self.views[at];
            let result = view.take(record);
            full |= view.buffer.len() >= CHUNK;
            self.settle(at, result, stop);
        }
        if full {
            self.flush(progress, stop);
        }
    }

    fn flush(&mut self, progress: &Progress, stop: &impl Fn()) {
        for at in 0..self.views.len() {
            let result = self.views[at].flush(progress);
            self.settle(at, result, stop);
        }
    }

    /// What a failed write means: the end of that view, and perhaps of the run.
    fn settle(&mut self, at: usize, result: io::Result<()>, stop: &impl Fn()) {
        let Err(source) = result else { return };
        let view = &mut self.views[at];
        view.open = false;
        view.buffer = Vec::new();
        let reader_left = source.kind() == io::ErrorKind::BrokenPipe && view.place != Place::File;
        if !reader_left {
            let error = Error::Write { destination: view.name.clone(), source };
            self.delivered.error.get_or_insert(error);
            stop();
        } else if self.views.iter().all(|view| !view.open) {
            self.delivered.closed = true;
            stop();
        }
    }
}
