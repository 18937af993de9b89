//! `sshprobe demo`: starts the embedded fleet, sweeps it as any other, and holds every record against what was staged.

use std::collections::HashMap;

use clap::Parser;
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::record::Record;
use sshprobe_probes::trust::{KnownHosts, Policy};

use crate::cli::args::{Cli, DemoArgs, SweepArgs};
use crate::cli::config::Config;
use crate::cli::exit::Exit;
use crate::cli::run;
use crate::demo::{Fleet, UNSTAGED};
use crate::error::Error;
use crate::report::Progress;
use crate::report::span::counted;

/// What differs from an ordinary sweep. The hung hosts should not try the onlooker's patience (nor may the whole be
/// shorter than the 5 s after which TCP wrappers hang up), and a throttling server that is asked again says the same.
const OPTIONS: [&str; 5] = ["sshprobe", "--timeout=8s", "--retries=0", "--order=given", "--"];

/// Runs the demo. The exit code is 0 only if each host was classified as staged.
///
/// # Errors
/// The fleet cannot be started here, or the output cannot be written.
pub(super) fn run(args: DemoArgs) -> Result<Exit, Error> {
    let runtime = run::runtime()?;
    let fleet = runtime
        .block_on(Fleet::start())
        .map_err(|source| Error::System { what: "cannot start the demo's fleet on 127.77.0.0/24", source })?;
    let targets = fleet.targets.iter().map(|(target, _)| target.as_str());
    let mut sweep = sweep_of(targets)?;
    sweep.network.resolver = vec![fleet.resolver];
    sweep.view = args.view;
    let mut config = Config::new(sweep, 0)?;
    config.targets_vanish = true;
    let mut known_hosts = KnownHosts::builder();
    known_hosts.file("demo/known_hosts", fleet.known_hosts.as_bytes());
    config.judge_by(Policy { known_hosts: Some(known_hosts.build().into()), ..Policy::default() });
    let targets = std::mem::take(&mut config.sources).open()?;

    let staged = fleet.targets.iter().map(|(target, host)| (target.clone(), Staged { code: host.code, arg: host.arg }));
    let mut check = Check::new(staged.collect());
    let (finished, read) = run::execute(&runtime, &config, targets, |record| check.observe(record))?;
    let whole = finished == Exit::Clean && read;
    let stderr = Progress::none();
    for line in check.wrong(whole) {
        stderr.say(&format!("sshprobe: error: {line}"));
    }
    if whole && !config.output.quiet {
        stderr.say(&check.verdict());
    }
    let exit = if check.wrong(whole).is_empty() { Exit::Clean } else { Exit::Failure };
    Ok(finished.max(exit))
}

/// The arguments of an ordinary sweep of these targets.
fn sweep_of<'a>(targets: impl Iterator<Item = &'a str>) -> Result<SweepArgs, Error> {
    let cli = Cli::try_parse_from(OPTIONS.into_iter().chain(targets));
    cli.map(|cli| cli.sweep).map_err(|error| Error::usage(super::complaint::one_line(&error, None)))
}

/// What a host was staged as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Staged {
    code: Code,
    arg: Option<&'static str>,
}

/// Holds records against what was staged.
#[derive(Debug)]
struct Check {
    total: usize,
    /// Those that no record came for yet.
    waiting: HashMap<String, Staged>,
    wrong: Vec<String>,
}

impl Check {
    fn new(waiting: HashMap<String, Staged>) -> Self {
        Self { total: waiting.len(), waiting, wrong: Vec::new() }
    }

    fn observe(&mut self, record: &Record) {
        let target = &record.target.input;
        let seen = outcome(record.code, record.arg.as_deref());
        match self.waiting.remove(&**target) {
            Some(staged) if staged.code == record.code && staged.arg == record.arg.as_deref() => {}
            Some(staged) => {
                self.wrong.push(format!(
                    "{target} was staged as {} and classified as {seen}",
                    outcome(staged.code, staged.arg)
                ));
            }
            None => self.wrong.push(format!("{target} has a record too many: {seen}")),
        }
    }

    /// What is wrong, one line each; after a `whole` run a record that never came is wrong too.
    fn wrong(&self, whole: bool) -> Vec<String> {
        let mut missing: Vec<String> =
            self.waiting.keys().filter(|_| whole).map(|target| format!("{target} has no record")).collect();
        missing.sort();
        self.wrong.iter().cloned().chain(missing).collect()
    }

    fn verdict(&self) -> String {
        let right = self.total.saturating_sub(self.wrong(true).len());
        let mut text = format!("{right} of {} classified as staged.", counted(self.total as u64, "host"));
        text.push_str(" Loopback cannot stage:\n");
        for (status, why) in UNSTAGED {
            text.push_str(&format!("  {status:<17}  {why}\n"));
        }
        text
    }
}

fn outcome(code: Code, arg: Option<&str>) -> String {
    arg.map_or_else(|| code.to_string(), |arg| format!("{code} ({arg})"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sshprobe_probes::diagnose::Verdict;
    use sshprobe_probes::evidence::Stage;
    use sshprobe_probes::record::Run;
    use sshprobe_probes::target::{Host, Target};
    use sshprobe_probes::time::UnixMicros;

    use super::*;

    fn record(input: &str, code: Code, arg: Option<&str>) -> Record {
        let target = Target {
            input: Arc::from(input),
            index: 0,
            host: Host::Name(input.into()),
            port: 22,
            place: None,
            user: None,
            from_range: false,
        };
        let mut verdict = Verdict::new(code, Stage::Ident, "");
        verdict.arg = arg.map(str::to_owned);
        Record::assemble(
            &target,
            verdict,
            &[],
            None,
            None,
            1,
            &Run { id: "".into(), version: "0", epoch: UnixMicros(0) },
        )
    }

    fn check() -> Check {
        let staged = [("a", Code::Ok, None), ("b", Code::NotSsh, Some("http")), ("c", Code::Refused, None)];
        Check::new(staged.map(|(target, code, arg)| (target.to_owned(), Staged { code, arg })).into())
    }

    #[test]
    fn only_a_fleet_classified_as_staged_passes() {
        let mut right = check();
        for (target, code, arg) in
            [("b", Code::NotSsh, Some("http")), ("a", Code::Ok, None), ("c", Code::Refused, None)]
        {
            right.observe(&record(target, code, arg));
        }
        assert_eq!(right.wrong(true), Vec::<String>::new());
        assert!(right.verdict().starts_with("3 of 3 hosts classified as staged."));

        let mut wrong = check();
        wrong.observe(&record("a", Code::Refused, None));
        wrong.observe(&record("b", Code::NotSsh, Some("smtp")));
        wrong.observe(&record("b", Code::NotSsh, Some("http")));
        assert_eq!(
            wrong.wrong(true),
            [
                "a was staged as ok and classified as refused",
                "b was staged as not-ssh (http) and classified as not-ssh (smtp)",
                "b has a record too many: not-ssh (http)",
                "c has no record",
            ]
        );
        assert_eq!(wrong.wrong(false).len(), 3);
    }

    #[test]
    fn every_status_is_staged_or_named_as_one_that_loopback_cannot() {
        use sshprobe_probes::diagnose::Status;
        for status in Status::ALL {
            let staged = crate::demo::HOSTS.iter().any(|host| host.code.status() == *status);
            let named = UNSTAGED.iter().any(|(name, _)| *name == status.name());
            assert!(staged != named, "{status}: staged {staged}, named {named}");
        }
    }
}
