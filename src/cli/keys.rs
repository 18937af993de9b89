//! `sshprobe keys`: the host keys that servers prove to hold, for known_hosts or for a zone.
//!
//! It is a sweep to the depth at which keys are proven, whose records are written another way. Lines come as their hosts are
//! done: whoever waits for order waits for the slowest host, and `sort` gives it for nothing.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::Path;
#[cfg(feature = "login")]
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use sshprobe_probes::diagnose::{Code, FindingId};
use sshprobe_probes::escape::escape;
use sshprobe_probes::record::{Named, Record};
use sshprobe_probes::target::host_and_odd_port;
use sshprobe_probes::trust::KeyTypes;

use crate::cli::args::{Cli, KeysArgs};
use crate::cli::config::Config;
#[cfg(feature = "login")]
use crate::cli::config::known_hosts_files;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::replacement::Replacement;
use crate::cli::resume::Before;
use crate::cli::run::{self, Ending};
use crate::cli::{complaint, plan, values};
use crate::error::Error;
use crate::journal::Bits;
use crate::report::keys::{Asked, Form, Gain, KeyLines};
use crate::report::layout::ascii;
use crate::report::span::{connections, count, counted, show};
use crate::report::{Place, Progress, Selection, View, is_packed, packed_otherwise};
use crate::sys::entropy;
use crate::target::{Expression, Hosts};
#[cfg(feature = "login")]
use crate::trust::{KnownHostsFiles, TrustFiles};

/// What differs from an ordinary sweep: nothing of userauth, so nobody is ever named; and nobody judges, so that a file made
/// anew does not depend on the old one.
const OPTIONS: [&str; 4] = ["sshprobe", "--depth=kex", "--user=nobody", "--known-hosts=none"];

/// Fetches keys and writes them.
///
/// # Errors
/// What keeps the run from starting.
pub(super) fn run(args: KeysArgs) -> Result<Exit, Error> {
    let only_plan = args.plan;
    let (mut config, asked) = understand(args)?;
    config.load_hosts()?;
    config.load_trust()?;
    #[cfg(feature = "login")]
    if !only_plan {
        config.load_credentials()?;
    }
    let targets = std::mem::take(&mut config.sources).open()?;
    if only_plan {
        return plan::tell(&config, targets, &Bits::default());
    }
    let output = config.output.file.as_ref().map(|(path, _)| path.as_path());
    let mut tally = Tally::default();
    let mut file = None;
    let views = || {
        let (view, replacement) = view(asked.clone(), output)?;
        file = replacement;
        Ok(vec![view])
    };
    let (ascii_only, quiet) = (config.output.ascii, config.output.quiet);
    let observe = |record: &Record, progress: &Progress| {
        let way = if quiet { None } else { tally.way(record) };
        for line in way.into_iter().chain(tally.add(record, asked.of(record), quiet)) {
            progress.say(&if ascii_only { ascii(&line) } else { line });
        }
    };
    let ending = run::carry_out(&run::runtime()?, &config, targets, Before::default(), views, (observe, None))?;
    let mut exit = ending.settle().max(tally.exit);
    let mut replaced = false;
    match (file, output, less_than_whole(&tally, &ending)) {
        (Some(file), _, None) => {
            file.finish()?;
            replaced = true;
        }
        (Some(_), Some(path), Some(why)) => {
            ending.progress.say(&format!("sshprobe: error: {} is left as it was: {why}", path.display()));
            exit = exit.max(Exit::Failure);
        }
        _ => {}
    }
    if !quiet && tally.targets > 0 && ending.delivered() {
        ending.progress.say(&tally.closing(&ending, output.filter(|_| replaced)));
    }
    Ok(exit)
}

/// The sweep behind it, and what is to be written.
fn understand(args: KeysArgs) -> Result<(Config, Asked), Error> {
    let form = if args.sshfp { Form::Sshfp } else { Form::KnownHosts { hashed: args.hash } };
    let mut types = args.types;
    if args.known_hosts
        && let Some(file) = args.targets.targets.first().filter(|text| Path::new(text.as_str()).is_file())
    {
        let file = complaint::quote(file);
        return Err(Error::usage(format!(
            "--known-hosts: {file} is a file, and this option takes none: -o FILE writes the lines to FILE, --file FILE reads targets from it"
        )));
    }
    if form == Form::Sshfp {
        for text in &args.targets.targets {
            if Expression::parse(text).is_ok_and(|expression| matches!(expression.hosts, Hosts::Addresses(_))) {
                let text = complaint::quote(text);
                return Err(Error::usage(format!("--sshfp: {text}: addresses have no SSHFP records; name the hosts")));
            }
        }
        types = with_sshfp(types)?;
    }
    let cli = Cli::try_parse_from(OPTIONS).map_err(|error| Error::usage(complaint::one_line(&error, None)))?;
    let mut sweep = cli.sweep;
    sweep.targets = args.targets;
    sweep.probe.patience = args.patience;
    sweep.pace = args.pace;
    sweep.network = args.network;
    sweep.path = args.path;
    #[cfg(feature = "login")]
    {
        sweep.login.identity = args.identity;
    }
    sweep.trust.host_key_types = types.clone();
    // What is written to by default may be named as well.
    let file = output::once("-o", &args.output)?.filter(|path| *path != Path::new("-"));
    if let Some(path) = file.filter(|path| is_packed(path) || packed_otherwise(path).is_some()) {
        let bare = path.with_extension("").display().to_string();
        let reason = format!("keys are written as ssh reads them, which is not packed; name {bare}");
        return Err(Error::Create { path: path.to_owned(), reason });
    }
    sweep.view.output = file.into_iter().map(Path::to_owned).collect();
    sweep.view.talk = args.talk;
    let order = entropy::number().unwrap_or_else(|_| u64::from(std::process::id()));
    #[cfg_attr(not(feature = "login"), expect(unused_mut, reason = "only a jump host changes it"))]
    let mut config = Config::new(sweep, order)?;
    #[cfg(feature = "login")]
    {
        // The keys fetched are not judged, but those on the way are. What is given here outweighs ssh_config, as elsewhere.
        config.given.known_hosts = !args.jump_known_hosts.is_empty();
        let known_hosts = known_hosts_files("--jump-known-hosts", &args.jump_known_hosts)?;
        if let KnownHostsFiles::Named(files) = &known_hosts {
            check_known_hosts(&mut config, files)?;
        }
        config.hop_files = Some(known_hosts);
    }
    let asked = Asked { form, types, each_once: config.all_addresses };
    Ok((config, asked))
}

/// What was named must be there, whether or not a jump host comes up, and is not what is written to.
#[cfg(feature = "login")]
fn check_known_hosts(config: &mut Config, files: &[PathBuf]) -> Result<(), Error> {
    if let Some((output, _)) = &config.output.file {
        let files: Vec<&Path> = files.iter().map(AsRef::as_ref).collect();
        output::check(output, &files)?;
    }
    let known_hosts = KnownHostsFiles::Named(files.to_vec());
    let loaded = TrustFiles { known_hosts, ..TrustFiles::default() }
        .load()
        .map_err(|error| Error::usage(error.to_string().replacen("--known-hosts", "--jump-known-hosts", 1)))?;
    config.warnings.extend(loaded.warnings);
    Ok(())
}

/// Those of the types that SSHFP has an algorithm for, so that no connection is made for the others.
fn with_sshfp(types: KeyTypes) -> Result<KeyTypes, Error> {
    let mut listed = match types {
        KeyTypes::Listed(listed) => listed,
        KeyTypes::First | KeyTypes::All => values::every_key_type().collect(),
    };
    listed.retain(|kind| !kind.starts_with("sk-"));
    if listed.is_empty() {
        return Err(Error::usage(
            "--type: security keys have no SSHFP records; leave --sshfp away, or name other types",
        ));
    }
    Ok(KeyTypes::Listed(listed))
}

/// Where the lines go: the file of `-o`, which nobody sees before it is whole, or standard output.
fn view(asked: Asked, output: Option<&Path>) -> Result<(View, Option<Replacement>), Error> {
    let lines = Box::new(KeyLines::new(asked));
    let Some(path) = output else {
        let stdout = io::stdout();
        let place = Place::Stdout { shares_terminal: stdout.is_terminal() };
        let name = String::from("standard output");
        return Ok((View::through(lines, Selection::All, place, name, Box::new(stdout)), None));
    };
    let (file, replacement) = Replacement::begin(path)?;
    let name = path.display().to_string();
    Ok((View::through(lines, Selection::All, Place::File, name, Box::new(file)), replacement))
}

/// Why a file is not to take the old one's place: it holds less than it would be taken for.
fn less_than_whole(tally: &Tally, ending: &Ending) -> Option<&'static str> {
    if ending.interrupted {
        Some("the run was interrupted")
    } else if !ending.delivered() {
        Some("the new one could not be written to its end")
    } else if tally.keys == 0 {
        Some("no key was proven")
    } else {
        None
    }
}

/// What the records come to.
#[derive(Debug, Default)]
struct Tally {
    targets: u64,
    connections: u64,
    keys: u64,
    hosts: u64,
    failed: u64,
    /// Hosts with some of their keys.
    partly: u64,
    silent: u64,
    /// Not probed, as their places are excluded.
    excluded: u64,
    exit: Exit,
    /// What was told of jump hosts: once is enough.
    told: BTreeSet<Arc<str>>,
}

impl Tally {
    /// The line to be told of the way to a target, if it was not before. Lines of keys say nothing of it.
    fn way(&mut self, record: &Record) -> Option<String> {
        let unknown = record.findings.iter().find(|finding| finding.id == FindingId::JumpHostKeyUnknown)?;
        let new = self.told.insert(Arc::clone(&unknown.detail));
        new.then(|| format!("sshprobe: warning: {}", unknown.detail))
    }

    /// Counts a record; gives the line to be told of it, if there is anything to tell. A failure is told even to the `quiet`.
    fn add(&mut self, record: &Record, gain: Gain, quiet: bool) -> Option<String> {
        self.targets += 1;
        self.connections += u64::from(record.connections);
        let target = || {
            let Named { host, port, .. } = &record.target;
            escape(host_and_odd_port(host, *port))
        };
        if record.is_excluded() {
            // That is what was asked for.
            self.excluded += 1;
            return (!quiet).then(|| format!("sshprobe: warning: {}: {}", target(), record.detail));
        }
        match gain {
            Gain::Nothing => {
                self.silent += 1;
                None
            }
            Gain::Failed(why) => {
                self.failed += 1;
                let internal = record.code == Code::Internal;
                self.exit = self.exit.max(if internal { Exit::Internal } else { Exit::Failure });
                Some(format!("sshprobe: error: {}: {why}", target()))
            }
            Gain::Keys { keys, lacking, .. } => {
                self.keys += keys.len() as u64;
                self.hosts += 1;
                // No failure: Dropbear 2022.83 offers RSA without having a key, and dies when it is asked for.
                let why = lacking?;
                self.partly += 1;
                (!quiet).then(|| format!("sshprobe: warning: {}: {why}", target()))
            }
        }
    }

    /// What there is to say in the end.
    fn closing(&self, ending: &Ending, written_to: Option<&Path>) -> String {
        let mut line = format!("{} of {}", counted(self.keys, "key"), counted(self.hosts, "host"));
        if let Some(path) = written_to {
            line += &format!(" written to {}", path.display());
        }
        line += &format!(" in {}, {}", show(ending.elapsed), connections(self.connections, ending.to_jump_hosts));
        for (n, what) in [
            (self.failed, "without a proven key"),
            (self.partly, "with some of theirs only"),
            (self.silent, "silent, refused or unreachable in ranges"),
            (self.excluded, "at an excluded place"),
        ] {
            if n > 0 {
                line += &format!("; {} {what}", count(n));
            }
        }
        if ending.interrupted {
            line += "; interrupted, the rest was not probed";
        }
        line
    }
}
