//! One run: sources, engine and sink put together, and the exit code they come to.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
#[cfg(feature = "syn")]
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::Target;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{Cli, Command, SweepArgs};
use crate::cli::config::Config;
use crate::cli::exit::Exit;
use crate::cli::resume::Before;
use crate::cli::routes::Routes;
use crate::cli::stats_file::{self, StatsFile};
use crate::cli::{complaint, demo, explain, keys, papers, plan, resume, verbose};
use crate::engine::{Assigned, Empty, Engine, Options, Outcome, Stats};
use crate::error::Error;
#[cfg(feature = "login")]
use crate::login::leave_prompt;
use crate::report::{Closing, Delivered, Progress, Reach, Sink, Snapshot, Summary, View};
use crate::resolve::Resolver;
use crate::sys::ignored::ignored;
use crate::sys::{entropy, memory};
use crate::target::Targets;
use crate::transport::Road;

/// Records between the engine and the sink: enough that neither waits for the other's scheduling, little enough that
/// a stalled output is felt at once.
const CHANNEL: usize = 1024;

/// Batches of empty addresses that wait to be counted.
#[cfg(feature = "syn")]
const EMPTY_BATCHES: usize = 64;

/// Between two looks at how far the run is.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// The whole program: parses the command line, does what it says, gives the exit code.
#[must_use]
pub fn main() -> Exit {
    let words: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::of_words(words.iter().cloned()) {
        Ok(cli) => cli,
        // Help and version were asked for; that nobody reads them to the end is no failure.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return Exit::Clean;
        }
        Err(error) => return refuse(&Error::usage(complaint::one_line(&error, Cli::command_of(&words).as_ref()))),
    };
    let done = match cli.command {
        Some(Command::Demo(args)) => demo::run(args),
        Some(Command::Keys(args)) => keys::run(*args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Completions(args)) => papers::completions(args.shell),
        Some(Command::Man) => papers::man(),
        None => sweep(cli.sweep),
    };
    done.unwrap_or_else(|error| refuse(&error))
}

/// Shows a program error, a line each for all that is wrong.
fn refuse(error: &Error) -> Exit {
    complain(&Progress::none(), error);
    Exit::Program
}

pub(super) fn complain(progress: &Progress, error: &Error) {
    for line in error.to_string().lines() {
        progress.say(&format!("sshprobe: error: {line}"));
    }
}

/// `sshprobe TARGET...`
fn sweep(args: SweepArgs) -> Result<Exit, Error> {
    let only_plan = args.plan;
    let order = entropy::number().unwrap_or_else(|_| u64::from(std::process::id()));
    let mut config = Config::new(args, order)?;
    #[cfg(feature = "syn")]
    if !only_plan {
        config.open_sockets()?;
    }
    config.load_hosts()?;
    config.load_trust()?;
    #[cfg(feature = "login")]
    if !only_plan {
        config.load_credentials()?;
    }
    let targets = std::mem::take(&mut config.sources).open()?;
    let (mut before, journal) = resume::prepare(&config, &targets)?;
    config.warnings.append(&mut before.warnings);
    if only_plan {
        return plan::tell(&config, targets, &before.done);
    }
    let (mut worst, total) = (before.exit, targets.total());
    // Opened on one thread, and written to on another.
    let journal = Mutex::new(journal);
    let held = || journal.lock().unwrap_or_else(PoisonError::into_inner);
    let views = || match held().as_mut() {
        Some(journal) => config.output.open_onto(|_| journal.begin(config.output.quiet)),
        None => config.output.open(),
    };
    let observe = |record: &Record, _: &Progress| {
        if let Some(journal) = held().as_mut() {
            journal.note(record);
        }
        worst = worst.max(Exit::of(record, &config.fail_on));
    };
    let note_empty = |empty: &[Empty]| {
        if let Some(journal) = held().as_mut() {
            journal.note_empty(empty);
        }
    };
    // Where they count as failure they are looked at one by one.
    let matters = |code| Exit::of_record(code, true, &config.fail_on) != Exit::Clean;
    let counted = config.output.leaves_empty_out() && !Empty::CODES.into_iter().any(matters);
    let empty = counted.then_some(&note_empty as NoteEmpty<'_>);
    #[cfg(feature = "syn")]
    config.give_up_rights()?;
    let ending = carry_out(&runtime()?, &config, targets, before, views, (observe, empty))?;
    let (written, progress) = (ending.written(), Arc::clone(&ending.progress));
    let finished = ending.tell(&config);
    if let Some(journal) = journal.into_inner().unwrap_or_else(PoisonError::into_inner) {
        journal.end(written, total, &progress, config.output.quiet);
    }
    Ok(finished.max(worst))
}

/// The runtime that everything runs on.
///
/// # Errors
/// The system gives no threads or no epoll instance.
pub(super) fn runtime() -> Result<Runtime, Error> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let built = Builder::new_multi_thread().worker_threads(cores).enable_all().build();
    built.map_err(|source| Error::System { what: "cannot start the runtime", source })
}

/// Sweeps the targets. `observe` sees every record that counts; what the records mean for the exit code is up to it. The answer is
/// what became of the run itself, and whether somebody read all it had to say: if not, it ended before its last target.
///
/// # Errors
/// What keeps the run from starting: nothing has been sent then, and no file touched that was there before.
pub(super) fn execute(
    runtime: &Runtime,
    config: &Config,
    targets: Targets,
    mut observe: impl FnMut(&Record) + Send,
) -> Result<(Exit, bool), Error> {
    let observe = |record: &Record, _: &Progress| observe(record);
    let ending = carry_out(runtime, config, targets, Before::default(), || config.output.open(), (observe, None))?;
    let read = ending.delivered();
    Ok((ending.tell(config), read))
}

/// Sees empty addresses of ranges that have no record.
pub(super) type NoteEmpty<'a> = &'a (dyn Fn(&[Empty]) + Sync);

/// Sweeps the targets that are not done `before` for whatever `views` opens, once nothing else can keep the run from starting;
/// `observe` may tell of what it sees. Whoever gives `empty` needs no record of empty addresses of ranges, and gets those that have
/// none.
///
/// # Errors
/// As for [`execute`].
pub(super) fn carry_out(
    runtime: &Runtime,
    config: &Config,
    targets: Targets,
    before: Before,
    views: impl FnOnce() -> Result<Vec<View>, Error>,
    (mut observe, empty): (impl FnMut(&Record, &Progress) + Send, Option<NoteEmpty<'_>>),
) -> Result<Ending, Error> {
    let mut options = config.engine();
    options.exclusions = targets.exclusions();
    if let Some(run) = before.run {
        options.name_run(run);
    }
    let empty = empty.and_then(|note| Some((note, uncounted(&mut options)?)));
    let (run, clock) = (Arc::clone(&options.settings.run), options.clock);
    let routes = Routes::new(config, &options)?;
    #[cfg(feature = "iap")]
    if let Road::Iap(iap) = routes.usual() {
        // Without a token nothing is sent. gcloud may take seconds over it, before anything is timed.
        runtime.block_on(iap.check()).map_err(|error| config.no_token(&error))?;
    }
    #[cfg(feature = "login")]
    let farewells = routes.farewells();
    let engine = Engine::prepare_over(options, routes.usual().clone())?;
    let resolver = Resolver::new(config.resolver());
    let stop = Stop::watched_by(runtime)?;
    let (stats, progress) = (Arc::new(Stats::default()), Arc::new(config.output.progress()));
    let total = targets.total();
    let stats_file = match &config.stats_file {
        None => None,
        Some(path) => {
            let codes = before.summary.codes().clone();
            let targets = (total, config.sweeps());
            Some(Arc::new(StatsFile::begin(path, &run.id, clock, targets, codes, (&stats, &progress))?))
        }
    };
    let views = views()?;

    let started = Instant::now();
    verbose::listen(config.output.verbose, &progress, config.output.ascii);
    if !config.output.quiet {
        let warnings = config.warnings.iter().chain(engine.warnings());
        warnings.for_each(|line| progress.say(&format!("sshprobe: warning: {line}")));
    }
    let bad_lines = Arc::new(AtomicBool::new(false));
    let targets = good_ones(targets, Arc::clone(&progress), Arc::clone(&bad_lines));
    let (done, at_start) = (before.done, before.summary.targets());
    let targets = targets.filter(move |target| !done.has(target.index));
    let targets = assigned(targets, routes, Arc::clone(&progress), config.output.quiet);
    let (sender, records) = mpsc::channel(CHANNEL);
    let (outcome, delivered) = std::thread::scope(|scope| {
        let sink = std::thread::Builder::new().name(String::from("records")).spawn_scoped(scope, || {
            let observe = |record: &Record| {
                stats_file.iter().for_each(|file| file.count(record));
                observe(record, &progress);
            };
            let sink = Sink::new(views).going_on_from(before.summary);
            sink.run(records, &progress, observe, || stop.cancel.cancel())
        });
        let sink = sink.map_err(|source| Error::System { what: "a thread for the records", source })?;
        let empties = empty.map(|(note, batches)| {
            let stats_file = stats_file.clone();
            let count = move || {
                let mut summary = Summary::default();
                for batch in batches {
                    stats_file.iter().for_each(|file| file.count_empty(&batch));
                    note(&batch);
                    batch.iter().for_each(|empty| summary.add_empty(empty.code, empty.addr));
                }
                summary
            };
            std::thread::Builder::new().name(String::from("empty")).spawn_scoped(scope, count)
        });
        let empties =
            empties.transpose().map_err(|source| Error::System { what: "a thread for what has no record", source })?;
        let outcome = runtime.block_on(async {
            // No deeper than a handshake nobody says what it is.
            let speaks = config.depth > Depth::Connect;
            let shown = tick(&progress, &stats, (total, at_start, speaks), stats_file.clone());
            // On one of the runtime's own threads: from here, each task it starts and each target it gets would be news to
            // another thread.
            let run = tokio::spawn(engine.run(targets, resolver, sender, stop.cancel.clone(), Arc::clone(&stats)));
            let outcome = tokio::select! {
                outcome = run => outcome.unwrap_or_else(|ended| resume_unwind(ended.into_panic())),
                never = shown => match never {},
            };
            #[cfg(feature = "login")]
            farewells.say().await;
            outcome
        });
        let delivered = sink.join().and_then(|mut delivered| {
            if let Some(empties) = empties {
                delivered.summary.absorb(empties.join()?);
            }
            Ok(delivered)
        });
        Ok::<_, Error>((outcome, delivered))
    })?;
    progress.finish();
    stats_file.iter().for_each(|file| file.update(false));
    Ok(Ending {
        progress,
        outcome: outcome?,
        delivered: delivered.ok(),
        bad_lines: bad_lines.load(Ordering::Relaxed),
        interrupted: stop.interrupted.load(Ordering::Relaxed),
        elapsed: started.elapsed(),
        to_jump_hosts: stats.to_jump_hosts(),
    })
}

/// Has the SYN sweep hand over, in batches, the empty addresses of ranges that get no record; `None` where there is no sweep.
#[cfg_attr(not(feature = "syn"), expect(unused_variables, clippy::unnecessary_wraps, reason = "there is no sweep"))]
fn uncounted(options: &mut Options) -> Option<Receiver<Vec<Empty>>> {
    #[cfg(feature = "syn")]
    if let Some(syn) = options.syn.as_mut() {
        let (counter, batches) = sync_channel(EMPTY_BATCHES);
        syn.nobody = Some(counter);
        return Some(batches);
    }
    None
}

/// How a run ended, to be told on standard error and by the exit code.
pub(super) struct Ending {
    pub(super) progress: Arc<Progress>,
    outcome: Outcome,
    /// `None` if the sink panicked.
    delivered: Option<Delivered>,
    bad_lines: bool,
    pub(super) interrupted: bool,
    pub(super) elapsed: Duration,
    /// Connections that no record counts.
    pub(super) to_jump_hosts: u64,
}

impl Ending {
    /// All that was to be written to a file reached its place.
    fn written(&self) -> bool {
        self.delivered.as_ref().is_some_and(|delivered| delivered.error.is_none())
    }

    /// All that was written reached its place, and somebody read it.
    pub(super) fn delivered(&self) -> bool {
        self.delivered.as_ref().is_some_and(|delivered| delivered.error.is_none() && !delivered.closed)
    }

    /// Tells what went wrong with the run itself.
    pub(super) fn settle(&self) -> Exit {
        let progress = &self.progress;
        let mut exit = Exit::Clean;
        if self.bad_lines {
            exit = exit.max(Exit::Program);
        }
        if self.outcome.internal_fault {
            exit = exit.max(Exit::Internal);
        }
        if self.interrupted {
            exit = exit.max(Exit::Interrupted);
        }
        let Some(delivered) = &self.delivered else {
            progress.say(
                "sshprobe: error: a fault of this program: the writer of the records died, and some of them are lost",
            );
            return exit.max(Exit::Internal);
        };
        if let Some(error) = &delivered.error {
            complain(progress, error);
            exit = exit.max(Exit::Program);
        }
        exit
    }

    /// The same, and then how the run went.
    fn tell(self, config: &Config) -> Exit {
        let exit = self.settle();
        let Some(delivered) = &self.delivered else { return exit };
        let nothing_to_tell = delivered.closed || (delivered.summary.targets() == 0 && exit == Exit::Program);
        if !config.output.quiet && !nothing_to_tell {
            let ssh_options = config.ssh_options();
            let closing = Closing {
                elapsed: self.elapsed,
                to_jump_hosts: self.to_jump_hosts,
                interrupted: self.interrupted,
                list_all: config.output.list_all(),
                look: config.output.stderr(),
                reach: Reach {
                    gone: config.targets_vanish,
                    options: &config.reach_options(),
                    ssh: ssh_options.as_deref(),
                },
            };
            self.progress.say(&delivered.summary.render(&closing));
        }
        exit
    }
}

/// The targets without what is wrong among them, which is told as it comes up: a bad line on stdin spoils no other.
fn good_ones(
    targets: Targets,
    progress: Arc<Progress>,
    bad: Arc<AtomicBool>,
) -> impl Iterator<Item = Target> + Send + 'static {
    targets.filter_map(move |target| match target {
        Ok(target) => Some(target),
        Err(problem) => {
            bad.store(true, Ordering::Relaxed);
            progress.say(&format!("sshprobe: error: {problem}"));
            None
        }
    })
}

/// The targets with the way that each goes; what there is to tell of one is told as it comes up.
fn assigned(
    targets: impl Iterator<Item = Target> + Send + 'static,
    mut routes: Routes,
    progress: Arc<Progress>,
    quiet: bool,
) -> impl Iterator<Item = Assigned<Road>> + Send + 'static {
    targets.map(move |target| {
        let assigned = routes.assign(target);
        for line in routes.warnings() {
            if !quiet {
                progress.say(&format!("sshprobe: warning: {line}"));
            }
        }
        assigned
    })
}

/// What ends a run before its last target.
struct Stop {
    cancel: CancellationToken,
    /// It was a signal that ended it.
    interrupted: Arc<AtomicBool>,
}

impl Stop {
    /// Watches for signals as long as the runtime lives. The first SIGINT, SIGTERM or SIGHUP ends the run in good order, the
    /// second at once: an output may be stalled for good. A SIGHUP that was to be ignored is (nohup).
    fn watched_by(runtime: &Runtime) -> Result<Self, Error> {
        let stop = Self { cancel: CancellationToken::new(), interrupted: Arc::default() };
        let (cancel, interrupted) = (stop.cancel.clone(), Arc::clone(&stop.interrupted));
        let _context = runtime.enter();
        let watch = |kind| signal(kind).map_err(|source| Error::System { what: "cannot watch for signals", source });
        let (mut interrupt, mut terminate) = (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
        let mut hang_up = if ignored(Signal::SIGHUP) { None } else { Some(watch(SignalKind::hangup())?) };
        runtime.spawn(async move {
            loop {
                let hung_up = async {
                    match &mut hang_up {
                        Some(hang_up) => hang_up.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hung_up => {}
                }
                // Before anything ends the program: its thread does not get to it.
                #[cfg(feature = "login")]
                leave_prompt();
                if interrupted.swap(true, Ordering::Relaxed) {
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
                cancel.cancel();
            }
        });
        Ok(stop)
    }
}

/// Shows how far the run is, for as long as it is polled.
async fn tick(
    progress: &Progress,
    stats: &Stats,
    (total, at_start, speaks): (Option<u64>, u64, bool),
    file: Option<Arc<StatsFile>>,
) -> Infallible {
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    let mut written = Instant::now();
    loop {
        every.tick().await;
        if let Some(file) = file.clone().filter(|_| written.elapsed() >= stats_file::EVERY) {
            written = Instant::now();
            // A disk may keep it waiting, and the run must not wait for that.
            tokio::task::spawn_blocking(move || file.update(true));
        }
        if !progress.is_shown() {
            continue;
        }
        progress.update(Snapshot {
            done: at_start + stats.done(),
            total,
            in_flight: stats.in_flight(),
            owing: stats.owing(),
            speaking: speaks.then(|| stats.speaking()),
            troubles: stats.troubles(),
            loss: stats.loss(),
            slowed: stats.slowed(),
            memory: memory::resident(),
        });
    }
}
