//! The writing end of a run: takes records off the bounded channel and puts them where they were asked for.
//!
//! It blocks where its outputs block, and so the channel fills and the sweep waits: nothing is dropped and nothing piles up.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use sshprobe_probes::record::Record;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::error::Error;
use crate::report::format::{Encoder, Format, Look};
use crate::report::progress::Progress;
use crate::report::selection::Selection;
use crate::report::summary::Summary;

/// Bytes gathered before they are written whatever happens.
const CHUNK: usize = 64 * 1024;

/// How long a written record may wait for company: fewer writes, and no flicker where a progress bar has to step aside.
const LINGER: Duration = Duration::from_millis(20);

/// Between two looks at whether there are more, while they linger: whoever is woken for each record pays as much for that as for
/// writing it. The channel has room for what comes in the meantime.
const GLANCE: Duration = Duration::from_millis(2);

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
    pub fn new(
        format: &Format,
        look: Look,
        selection: Selection,
        place: Place,
        name: String,
        out: Box<dyn Write + Send>,
    ) -> Self {
        Self::through((format.encoder)(look), selection, place, name, out)
    }

    /// The same through an encoder that is none of the formats.
    #[must_use]
    pub fn through(
        mut encoder: Box<dyn Encoder>,
        selection: Selection,
        place: Place,
        name: String,
        out: Box<dyn Write + Send>,
    ) -> Self {
        let mut buffer = Vec::new();
        encoder.begin(&mut buffer);
        Self { encoder, selection, place, name, out, buffer, open: true }
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

    /// Begins with what an earlier part of the run came to.
    #[must_use]
    pub fn going_on_from(mut self, summary: Summary) -> Self {
        self.delivered.summary = summary;
        self
    }

    /// Takes records until the channel closes; blocks, so it wants a thread of its own. `observe` sees each record
    /// that counts. Once there is nobody left to write for, `stop` is called and the rest is thrown away.
    pub fn run(
        mut self,
        mut records: Receiver<Box<Record>>,
        progress: &Progress,
        mut observe: impl FnMut(&Record),
        stop: impl Fn(),
    ) -> Delivered {
        // What stands before the first record is there even if none comes.
        self.flush(progress, &stop);
        while let Some(mut first) = records.blocking_recv() {
            self.take(&mut first, progress, &mut observe, &stop);
            let flush_at = Instant::now() + LINGER;
            loop {
                let next = match records.try_recv() {
                    Ok(record) => Some(record),
                    Err(TryRecvError::Disconnected) => None,
                    Err(TryRecvError::Empty) => {
                        let left = flush_at.saturating_duration_since(Instant::now());
                        if left.is_zero() {
                            break;
                        }
                        thread::sleep(left.min(GLANCE));
                        continue;
                    }
                };
                let Some(mut record) = next else { break };
                self.take(&mut record, progress, &mut observe, &stop);
            }
            self.flush(progress, &stop);
        }
        self.delivered
    }

    /// There is somebody left to write for.
    fn live(&self) -> bool {
        !self.delivered.closed && self.delivered.error.is_none()
    }

    fn take(&mut self, record: &mut Record, progress: &Progress, observe: &mut impl FnMut(&Record), stop: &impl Fn()) {
        if !self.live() {
            return;
        }
        self.delivered.summary.compare(record);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc as std_mpsc};

    use sshprobe_probes::diagnose::Code;
    use sshprobe_probes::evidence::Stage;
    use tokio::sync::mpsc;

    use super::*;
    use crate::report::FORMATS;
    use crate::report::samples::record;

    /// What was written, and after how many writes the place fails, and how.
    #[derive(Clone, Default)]
    struct Paper {
        written: Arc<Mutex<Vec<u8>>>,
        fails_with: Option<i32>,
        gate: Option<Arc<Mutex<std_mpsc::Receiver<()>>>>,
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(errno) = self.fails_with {
                return Err(io::Error::from_raw_os_error(errno));
            }
            if let Some(gate) = &self.gate {
                let _ = gate.lock().expect("gate").recv();
            }
            self.written.lock().expect("paper").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn lines(&self) -> usize {
            self.written.lock().expect("paper").iter().filter(|byte| **byte == b'\n').count()
        }

        fn view(&self, place: Place) -> View {
            let jsonl = FORMATS.iter().find(|format| format.name == "jsonl").expect("a format");
            View::new(jsonl, Look::default(), Selection::All, place, String::from("paper"), Box::new(self.clone()))
        }
    }

    const STDOUT: Place = Place::Stdout { shares_terminal: false };
    const EPIPE: i32 = 32;
    const ENOSPC: i32 = 28;

    fn one() -> Box<Record> {
        Box::new(record("a", Code::Ok, Stage::Auth, ""))
    }

    /// Feeds `count` records and gives what became of them, how many counted, and how often the run was stopped.
    fn feed(views: Vec<View>, count: usize) -> (Delivered, usize, usize) {
        let (sender, receiver) = mpsc::channel(4);
        let seen = AtomicUsize::new(0);
        let stops = AtomicUsize::new(0);
        let delivered = std::thread::scope(|scope| {
            let sink = scope.spawn(|| {
                let observe = |_: &Record| _ = seen.fetch_add(1, Ordering::Relaxed);
                let stop = || _ = stops.fetch_add(1, Ordering::Relaxed);
                Sink::new(views).run(receiver, &Progress::none(), observe, stop)
            });
            for _ in 0..count {
                sender.blocking_send(one()).expect("the sink listens to the end");
            }
            drop(sender);
            sink.join().expect("no panic")
        });
        (delivered, seen.into_inner(), stops.into_inner())
    }

    #[test]
    fn every_record_reaches_every_view() {
        let (out, file) = (Paper::default(), Paper::default());
        let (delivered, seen, stops) = feed(vec![out.view(STDOUT), file.view(Place::File)], 1_000);
        assert_eq!((out.lines(), file.lines(), seen, stops), (1_000, 1_000, 1_000, 0));
        assert_eq!(delivered.summary.targets(), 1_000);
        assert!(delivered.error.is_none() && !delivered.closed);
    }

    #[test]
    fn a_closed_stdout_ends_its_view_and_the_file_goes_on() {
        let out = Paper { fails_with: Some(EPIPE), ..Paper::default() };
        let file = Paper::default();
        let (delivered, seen, stops) = feed(vec![out.view(STDOUT), file.view(Place::File)], 100);
        assert_eq!((file.lines(), seen, stops), (100, 100, 0));
        assert!(delivered.error.is_none() && !delivered.closed);
    }

    #[test]
    fn a_closed_stdout_alone_stops_the_run_quietly() {
        let out = Paper { fails_with: Some(EPIPE), ..Paper::default() };
        let (delivered, _, stops) = feed(vec![out.view(STDOUT)], 100);
        assert_eq!(stops, 1);
        assert!(delivered.error.is_none() && delivered.closed);
    }

    #[test]
    fn a_full_disk_is_an_error_wherever_it_is() {
        for place in [STDOUT, Place::File] {
            let out = Paper { fails_with: Some(ENOSPC), ..Paper::default() };
            let (delivered, _, stops) = feed(vec![Paper::default().view(STDOUT), out.view(place)], 100);
            assert_eq!(stops, 1);
            let error = delivered.error.expect("an error").to_string();
            assert!(error.starts_with("cannot write to paper: No space left on device"), "{error}");
        }
    }

    /// A file whose reader left (a FIFO) is lost output all the same: it was asked for by name.
    #[test]
    fn a_broken_file_is_an_error() {
        let file = Paper { fails_with: Some(EPIPE), ..Paper::default() };
        let (delivered, _, stops) = feed(vec![Paper::default().view(STDOUT), file.view(Place::File)], 10);
        assert!(delivered.error.is_some() && stops == 1);
    }

    #[test]
    fn a_stalled_output_holds_the_sender_back_and_loses_nothing() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (open, gate) = std_mpsc::channel();
        let out = Paper { gate: Some(Arc::new(Mutex::new(gate))), ..Paper::default() };
        let view = out.view(STDOUT);
        let (sender, receiver) = mpsc::channel(4);
        let sink = std::thread::spawn(move || Sink::new(vec![view]).run(receiver, &Progress::none(), |_| {}, || {}));
        // Until something was gathered the sink takes records; once it writes it is stuck, and the channel fills.
        let mut sent = 0;
        runtime.block_on(async {
            while let Ok(result) = tokio::time::timeout(Duration::from_millis(500), sender.send(one())).await {
                result.expect("the sink listens");
                sent += 1;
            }
        });
        assert!(sent < 100_000);
        assert_eq!(out.lines(), 0);
        drop(sender);
        drop(open);
        let delivered = sink.join().expect("no panic");
        assert_eq!((out.lines(), delivered.summary.targets()), (sent, sent as u64));
    }
}
