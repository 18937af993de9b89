//! One run: sources, engine and sink put together, and the exit code they come to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use sshprobe_probes::record::Record;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{Cli, Command, SweepArgs};
use crate::cli::config::Config;
use crate::cli::exit::Exit;
use crate::cli::{complaint, demo};
use crate::engine::{self, Stats};
use crate::error::Error;
use crate::report::{Closing, Progress, Sink, Snapshot, View};
use crate::resolve::Resolver;
use crate::target::Targets;

/// Records between the engine and the sink: enough that neither waits for the other's scheduling, little enough that
/// a stalled output is felt at once.
const CHANNEL: usize = 1024;

/// Between two looks at how far the run is.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// The whole program: parses the command line, does what it says, gives the exit code.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version were asked for; that nobody reads them to the end is no failure.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return Exit::Clean;
        }
        Err(error) => return refuse(&Error::usage(complaint::one_line(&error))),
    };
    let done = match cli.command {
        Some(Command::Demo(args)) => demo::run(args),
        None => sweep(cli.sweep),
    };
    done.unwrap_or_else(|error| refuse(&error))
}

/// Shows a program error, a line each for all that is wrong.
fn refuse(error: &Error) -> Exit {
    complain(&Progress::none(), error);
    Exit::Program
}

fn complain(progress: &Progress, error: &Error) {
    for line in error.to_string().lines() {
        progress.say(&format!("sshprobe: error: {line}"));
    }
}

/// `sshprobe TARGET...`
fn sweep(args: SweepArgs) -> Result<Exit, Error> {
    let mut config = Config::new(args, entropy)?;
    let targets = std::mem::take(&mut config.sources).open()?;
    let views = config.output.open()?;
    let fail_on = config.fail_on.clone();
    let mut worst = Exit::Clean;
    let finished = execute(&runtime()?, &config, targets, views, |record| {
        worst = worst.max(Exit::of_record(record.code, record.from_range, &fail_on));
    })?;
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

/// Sweeps the targets into the views. `observe` sees every record that counts; what the records mean for the exit code is
/// up to it, what the run itself means is the answer.
///
/// # Errors
/// The system refuses what the run cannot do without, before anything is sent.
pub(super) fn execute(
    runtime: &Runtime,
    config: &Config,
    targets: Targets,
    views: Vec<View>,
    mut observe: impl FnMut(&Record) + Send,
) -> Result<Exit, Error> {
    let started = Instant::now();
    let cancel = CancellationToken::new();
    let stats = Arc::new(Stats::default());
    let progress = Arc::new(config.output.progress());
    let warn = |line: &str| {
        if !config.output.quiet {
            progress.say(&format!("sshprobe: warning: {line}"));
        }
    };
    config.warnings.iter().for_each(|line| warn(line));

    let interrupted = Arc::new(AtomicBool::new(false));
    let watch = runtime.block_on(async { watch_signals(cancel.clone(), Arc::clone(&interrupted)) });
    watch.map_err(|source| Error::System { what: "cannot watch for signals", source })?;

    let total = targets.total();
    let bad_lines = Arc::new(AtomicBool::new(false));
    let targets = {
        let (progress, bad_lines) = (Arc::clone(&progress), Arc::clone(&bad_lines));
        targets.filter_map(move |target| {
            target
                .map_err(|problem| {
                    bad_lines.store(true, Ordering::Relaxed);
                    progress.say(&format!("sshprobe: error: {problem}"));
                })
                .ok()
        })
    };
    let (sender, records) = mpsc::channel(CHANNEL);
    let (_outcome, delivered) = std::thread::scope(|scope| {
        let sink = scope
            .spawn(|| Sink::new(views).run(records, runtime.handle(), &progress, &mut observe, || cancel.cancel()));
        let outcome = runtime.block_on(async {
            let ticker = tokio::spawn(tick(Arc::clone(&progress), Arc::clone(&stats), total));
            let outcome = engine::run(
                config.engine(),
                targets,
                Resolver::new(config.resolver()),
                sender,
                cancel.clone(),
                Arc::clone(&stats),
            )
            .await;
            ticker.abort();
            outcome
        });
        (outcome, sink.join())
    });
    progress.finish();

    let mut exit = Exit::Clean;
    if bad_lines.load(Ordering::Relaxed) {
        exit = exit.max(Exit::Program);
    }
    let interrupted = interrupted.load(Ordering::Relaxed);
    if interrupted {
        exit = exit.max(Exit::Interrupted);
    }
    let Ok(delivered) = delivered else {
        progress.say("sshprobe: error: a fault of this program: the writer of results died");
        return Ok(exit.max(Exit::Internal));
    };
    if let Some(error) = &delivered.error {
        complain(&progress, error);
        exit = exit.max(Exit::Program);
    }
    let nothing_to_tell = delivered.closed || (delivered.summary.targets() == 0 && exit == Exit::Program);
    if !config.output.quiet && !nothing_to_tell {
        let closing = Closing { elapsed: started.elapsed(), interrupted, list_all: config.output.list_all() };
        progress.say(&delivered.summary.render(closing));
    }
    Ok(exit)
}

/// The first SIGINT or SIGTERM ends the run in good order, the second at once: an output may be stalled for good.
fn watch_signals(cancel: CancellationToken, interrupted: Arc<AtomicBool>) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if interrupted.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
            cancel.cancel();
        }
    });
    Ok(())
}

async fn tick(progress: Arc<Progress>, stats: Arc<Stats>, total: Option<u64>) {
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    loop {
        every.tick().await;
        progress.update(Snapshot { done: stats.done(), total, in_flight: stats.in_flight() });
    }
}

/// A number that no other run has.
fn entropy() -> u64 {
    let mut bytes = [0; 8];
    // Where the system has no randomness the time will do: the order of a sweep is no secret.
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64),
    }
}
