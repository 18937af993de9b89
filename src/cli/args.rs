//! The raw command line. Only options that work in this build are here; their texts are the help.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use sshprobe_probes::plan::Depth;
use sshprobe_probes::trust::KeyTypes;

use crate::cli::exit::FailOn;
use crate::cli::values;
use crate::target::Share;

/// Probe SSH servers and say, for every address, whether it is fine or why it is not
#[derive(Debug, Parser)]
#[command(
    name = "sshprobe",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true,
    disable_help_subcommand = true,
    subcommand_help_heading = "Commands",
    override_usage = "sshprobe [OPTIONS] TARGET...\n       sshprobe COMMAND",
    max_term_width = 110,
    after_help = AFTER_HELP,
)]
pub struct Cli {
    /// What to do instead of a sweep.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The sweep's own options.
    #[command(flatten)]
    pub sweep: SweepArgs,
}

/// What `-h` leaves out: who needs one of these looks for it in `--help`.
const RARE: &[&str] = &[
    "exclude_files",
    "max_targets",
    "order",
    "seed",
    "shard",
    "connect_timeout",
    "retries",
    "prefer_pq",
    "per_subnet",
    "per_host",
    "host_key_alias",
    "check_host_ip",
    "revoked_host_keys",
    "bad_keys",
    "sshfp",
    "trust_ad",
    "trust_anchor",
    "fingerprint_hash",
    "proxy_command_max",
    "iap_url",
    "access_token_file",
    "allow_exec",
    "certificates",
    "query_keys",
    "source",
    "interface",
    "ipv4",
    "ipv6",
    "all_addresses",
    "records",
    "resume",
    "stats_file",
    "progress",
    "fail_on",
];

impl Cli {
    /// Parses a command line, the program's name first.
    ///
    /// # Errors
    /// What is wrong with it, or the help or version asked for.
    pub fn of_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let asked = words.iter().take_while(|word| *word != "--").find(|word| *word == "-h" || *word == "--help");
        // clap can tell the two apart by itself, but then sets every option of the long one on three lines.
        let command = if asked.is_some_and(|word| word == "-h") { Self::in_brief() } else { Self::command() };
        let behind = words.iter().skip_while(|word| *word != "--").skip(1).count();
        let cli = command.try_get_matches_from(words).and_then(|matches| Self::from_arg_matches(&matches))?;
        cli.names_no_command_late(behind)?;
        Ok(cli)
    }

    /// The command that a command line is of, the program's name first; `None` where it is a sweep.
    #[must_use]
    pub fn command_of(words: &[OsString]) -> Option<clap::Command> {
        Self::command().find_subcommand(words.get(1)?).cloned()
    }

    /// Refuses a command behind options, which would be probed as a host of that name; not so among the last `behind` words, where
    /// none can be one.
    fn names_no_command_late(&self, behind: usize) -> Result<(), clap::Error> {
        let targets = &self.sweep.targets.targets;
        let Some(first) = targets.first().filter(|_| self.command.is_none() && targets.len() > behind) else {
            return Ok(());
        };
        let mut command = Self::command();
        if command.find_subcommand(first).is_none() {
            return Ok(());
        }
        let why = format!(
            "{first}: a command comes before all options: `sshprobe {first} ...`; `sshprobe [OPTIONS] -- {first}` probes a host called {first}"
        );
        Err(command.error(ErrorKind::InvalidSubcommand, why))
    }

    /// The command line as `-h` shows it.
    fn in_brief() -> clap::Command {
        let hide =
            |option: clap::Arg| if RARE.contains(&option.get_id().as_str()) { option.hide(true) } else { option };
        let brief = |command: clap::Command, more| command.mut_args(hide).after_help(more);
        brief(Self::command(), MORE_HELP).mut_subcommand("keys", |keys| brief(keys, MORE_KEYS_HELP))
    }
}

const MORE_HELP: &str = "\
`sshprobe --help` lists every option; `sshprobe explain` every outcome and what to do about it.";

const MORE_KEYS_HELP: &str = "\
`sshprobe keys --help` lists every option.";

pub(super) const AFTER_HELP: &str = "\
Targets:    host  host:port  user@host  ssh://user@host:port
            10.0.0.1  [2001:db8::1]:22  fe80::1%eth0  10.0.0.1-50
            10.0.0.0/24:22  10.0.0.0/24:22,2222  [2001:db8::]/120:22
            iap://PROJECT/ZONE/INSTANCE[:PORT][?interface=nic0]
            iap://PROJECT/REGION/NETWORK/GROUP/HOST[:PORT]
            A word in first place that is a command is that command: `sshprobe -- demo` probes a host called demo.
Durations:  500ms, 8s, 2m, or plain seconds.
Results go to standard output; progress, summary and warnings to standard error.
Exit code:  0 nothing counts as failure, 1 something does, 2 program error, 3 an internal fault, 130 interrupted.";

/// The words that in first place are not a target.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a fleet of scripted servers on loopback, sweep it, and check every verdict
    #[command(args_override_self = true, max_term_width = 110)]
    Demo(DemoArgs),
    /// Write the host keys that servers prove to hold, as known_hosts lines or SSHFP records
    #[command(
        args_override_self = true,
        override_usage = "sshprobe keys [OPTIONS] TARGET...",
        max_term_width = 110,
        after_help = AFTER_KEYS_HELP,
    )]
    Keys(Box<KeysArgs>),
    /// Say what an outcome or a finding means, what causes it, how to tell the causes apart, and the remedy
    #[command(args_override_self = true, max_term_width = 110)]
    Explain(ExplainArgs),
    /// Write completions for a shell to standard output
    #[command(max_term_width = 110)]
    Completions(CompletionsArgs),
    /// Write the manual page to standard output
    #[command(max_term_width = 110)]
    Man,
}

/// `sshprobe explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code, a status or a finding, as records and tables name it; without one all of them are listed
    #[arg(value_name = "CODE|STATUS|FINDING")]
    pub word: Option<String>,
    /// Set headings off; auto: if standard output is a terminal and NO_COLOR is not set
    #[arg(long, value_name = "auto|always|never", value_enum, hide_possible_values = true, default_value_t = When::Auto)]
    pub color: When,
}

/// `sshprobe completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `sshprobe demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How results are shown.
    #[command(flatten)]
    pub view: ViewArgs,
}

const AFTER_KEYS_HELP: &str = "\
Only keys whose signature was verified are written, each host's as soon as it is done; `sort` makes two runs alike. Certificates are not written: of one that is shown, the key in it is.
A server shows one key a connection: each further type takes one more, --per-host later, so three types take about 3s. No user is named, and no known_hosts file is read but for jump hosts.
SSHFP records go by name alone: addresses have none, and the ports of a host share theirs.
Failures go to standard error, a line each; where a host has more types than it proved keys, that is a warning. A run that is interrupted or proves no key leaves FILE of -o as it was.
Exit code:  0 every target proved a key (silent, refused and unreachable addresses of ranges do not count, nor what leads to an excluded place), 1 some did not, 2 program error, 3 an internal fault, 130 interrupted.";

/// `sshprobe keys TARGET...`
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Whose keys.
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Write known_hosts lines, as ssh does; this is the default
    #[arg(long, help_heading = "Keys", conflicts_with = "sshfp")]
    pub known_hosts: bool,
    /// Write SSHFP records for a zone file, as `ssh-keygen -r` does
    #[arg(short = 'D', long, help_heading = "Keys")]
    pub sshfp: bool,
    /// Hash the names in known_hosts lines, as ssh does with HashKnownHosts
    #[arg(short = 'H', long, help_heading = "Keys", conflicts_with = "sshfp")]
    pub hash: bool,
    /// Which keys: one of each type the server offers, or of each of these types, like ed25519,rsa
    #[arg(short = 't', long = "type", value_name = "all|LIST", default_value = "all", value_parser = values::key_types_written, allow_hyphen_values = true, help_heading = "Keys")]
    pub types: KeyTypes,
    /// Write to FILE instead of standard output; what was there is replaced as a whole, once the run is over
    #[arg(short, long, value_name = "FILE", help_heading = "Keys")]
    pub output: Vec<PathBuf>,
    /// How patiently.
    #[command(flatten, next_help_heading = "Probe")]
    pub patience: PatienceArgs,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Through which network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Through what.
    #[command(flatten)]
    pub path: PathArgs,
    /// What jump hosts are logged in to with.
    #[cfg(feature = "login")]
    #[command(flatten, next_help_heading = "Path")]
    pub identity: crate::cli::login::IdentityArgs,
    /// Look the keys of jump hosts up in FILE instead of ssh's own files; may be repeated; none: do not judge them
    #[cfg(feature = "login")]
    #[arg(long, value_name = "FILE|none", help_heading = "Path")]
    pub jump_known_hosts: Vec<PathBuf>,
    /// What standard error shows.
    #[command(flatten, next_help_heading = "Output")]
    pub talk: TalkArgs,
    /// Say what the run would do, how long it may take and what it costs the servers; send nothing, ask for no name
    #[arg(long, help_heading = "Pace")]
    pub plan: bool,
}

/// `sshprobe TARGET...`
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// What to probe.
    #[command(flatten)]
    pub targets: TargetArgs,
    /// How deep, and how patiently.
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// What to log in with.
    #[cfg(feature = "login")]
    #[command(flatten)]
    pub login: crate::cli::login::LoginArgs,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// By what it begins.
    #[cfg(feature = "syn")]
    #[command(flatten)]
    pub syn: crate::cli::syn::SynArgs,
    /// What host keys are held against.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Through which network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Through what.
    #[command(flatten)]
    pub path: PathArgs,
    /// How results are shown.
    #[command(flatten)]
    pub view: ViewArgs,
    /// Go on with an interrupted run into FILE of -o, JSON lines: what is done is kept and skipped. FILE.state beside it says that there is one; speed may change, targets, depth and trust may not
    #[arg(long, help_heading = "Output")]
    pub resume: bool,
    /// Write what the run is doing to FILE every 5s, as Prometheus text for node_exporter's textfile collector
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub stats_file: Vec<PathBuf>,
    /// What counts as failure: statuses (timeout,refused,...), `none` or `any` [default: every status but ok; timeout, refused and unreachable only for targets not out of a range]
    #[arg(long, value_name = "STATUS,...", value_parser = values::fail_on, help_heading = "Exit code", allow_hyphen_values = true)]
    pub fail_on: Option<FailOn>,
    /// Say what the run would do, how long it may take and what it costs the servers; send nothing, ask for no name
    #[arg(long, help_heading = "Pace")]
    pub plan: bool,
}

/// What to probe.
#[derive(Debug, Args)]
#[command(next_help_heading = "Targets")]
pub struct TargetArgs {
    /// Hosts, addresses and ranges (see below)
    #[arg(value_name = "TARGET", help_heading = "Arguments")]
    pub targets: Vec<String>,
    /// Read targets from FILE, one expression a line, # for comments; - is standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Probe every host that a Host line of ssh_config names without a wildcard
    #[arg(long)]
    pub from_ssh_config: bool,
    /// Probe every host of FILE, an inventory of Ansible in INI or YAML, where and as whom its variables say; may be repeated
    #[arg(long, value_name = "FILE")]
    pub inventory: Vec<PathBuf>,
    /// Ports for targets that name none, like 22,2222 [default: as ssh_config says, else 22]
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true)]
    pub port: Option<String>,
    /// Leave out what this expression covers, and send nothing to it where a name leads there: that is no failure; may be repeated
    #[arg(long, value_name = "TARGET")]
    pub exclude: Vec<String>,
    /// Leave out what the expressions in FILE cover; may be repeated
    #[arg(long = "exclude-file", value_name = "FILE")]
    pub exclude_files: Vec<PathBuf>,
    /// Refuse a sweep of more targets than this
    #[arg(long, value_name = "N", default_value = "16777216", value_parser = values::at_least_one::<u64>, allow_hyphen_values = true)]
    pub max_targets: u64,
    /// Probe the addresses of ranges in this order; other targets keep the order given
    #[arg(long, value_name = "random|given", value_enum, hide_possible_values = true, default_value_t = Order::Random)]
    pub order: Order,
    /// Shuffle ranges by this number, to repeat an order [default: another one each run]
    #[arg(long, value_name = "NUMBER", value_parser = values::seed, allow_hyphen_values = true)]
    pub seed: Option<u64>,
    /// Probe the Ith of N shares of the targets only, to split a sweep over machines: each is given the same targets, and no target falls to two of them
    #[arg(long, value_name = "I/N", value_parser = values::shard, allow_hyphen_values = true)]
    pub shard: Option<Share>,
}

/// How deep one probe goes, and how patiently.
#[derive(Debug, Args)]
#[command(next_help_heading = "Probe")]
pub struct ProbeArgs {
    /// How deep one probe goes
    #[arg(long, value_name = "connect|ident|kexinit|kex|auth|login", default_value = "auth", value_parser = values::depth)]
    pub depth: Depth,
    /// The user named when asking for the methods, and logged in as at depth login; no credential is sent that was not given [default: as ssh_config says, else the local user]
    #[arg(short = 'l', long, value_name = "USER", value_parser = values::user)]
    pub user: Option<String>,
    /// How patiently.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// How patiently one connection is made.
#[derive(Debug, Args)]
pub struct PatienceArgs {
    /// How long one connect may take, and down to 3.5s where the round trips of a network are known to be short; under 3.5s an
    /// unreachable host looks silent [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = values::span, allow_hyphen_values = true)]
    pub connect_timeout: Option<Duration>,
    /// How long one whole connection may take; waiting for its turn is not counted
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = values::span, allow_hyphen_values = true)]
    pub timeout: Duration,
    /// Post-quantum key exchanges before all others; else they are used only where nothing cheaper is offered
    #[arg(long)]
    pub prefer_pq: bool,
    /// Further tries after a transient answer (throttled, closed or reset before the identification; of a relay, what may pass by itself), and SYNs of a SYN sweep after the first [default: 1, of SYNs 2]
    #[arg(long, value_name = "N", value_parser = values::retries, allow_hyphen_values = true)]
    pub retries: Option<u32>,
}

/// What host keys are held against.
#[derive(Debug, Args)]
#[command(next_help_heading = "Host keys")]
pub struct TrustArgs {
    /// Look host keys up in FILE instead of ssh's own files (known_hosts and known_hosts2 in ~/.ssh, ssh_known_hosts and ssh_known_hosts2 in /etc/ssh); may be repeated; none: do not judge them
    #[arg(long, value_name = "FILE|none")]
    pub known_hosts: Vec<PathBuf>,
    /// Which keys to fetch: first, the one that known_hosts can judge; all, one of each type; or types, like ed25519,rsa. Each further one takes a connection
    #[arg(long, value_name = "first|all|LIST", default_value = "first", value_parser = values::key_types, allow_hyphen_values = true)]
    pub host_key_types: KeyTypes,
    /// Count a host key that is not known as failure, unless another key of the host is the one known
    #[arg(long)]
    pub strict_host_keys: bool,
    /// Look every host up by this name and without its port, as ssh does with HostKeyAlias
    #[arg(long, value_name = "NAME", value_parser = values::alias)]
    pub host_key_alias: Option<String>,
    /// Compare the key of a name with what is known of its address too, as ssh does with CheckHostIP
    #[arg(long)]
    pub check_host_ip: bool,
    /// Refuse the keys in FILE, a list of public keys or an OpenSSH KRL, whatever else is known; may be repeated
    #[arg(long, value_name = "FILE")]
    pub revoked_host_keys: Vec<PathBuf>,
    /// Refuse the keys whose fingerprints FILE lists, one a line with a reason: keys that the world has; may be repeated
    #[arg(long, value_name = "FILE")]
    pub bad_keys: Vec<PathBuf>,
    /// Compare the keys of names with their SSHFP records in the DNS, and validate those with DNSSEC
    #[arg(long)]
    pub sshfp: bool,
    /// Believe the resolver where it says that it has validated SSHFP records (the AD bit): for one on this machine, or over a path that is trusted
    #[arg(long, requires = "sshfp")]
    pub trust_ad: bool,
    /// Begin DNSSEC validation at the keys in FILE (DNSKEY or DS lines as in a zone file) instead of the root's
    #[arg(long, value_name = "FILE", requires = "sshfp")]
    pub trust_anchor: Option<PathBuf>,
    /// The hash of fingerprints shown; md5 is for old lists
    #[arg(long, value_name = "sha256|md5", value_enum, hide_possible_values = true, default_value_t = HashArg::Sha256)]
    pub fingerprint_hash: HashArg,
}

/// `--fingerprint-hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HashArg {
    /// `SHA256:` and base64
    Sha256,
    /// `MD5:` and pairs of hexadecimal digits
    Md5,
}

/// How fast.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Connections in flight, SYNs of a SYN sweep not counted; lowered by itself if descriptors are short
    #[arg(short, long, value_name = "N", default_value = "1000", value_parser = values::at_least_one_nonzero, allow_hyphen_values = true)]
    pub concurrency: NonZeroUsize,
    /// New connections a second, and packets of a SYN sweep, ramped up; 0 lifts the limit (docs/rates.md: what a rate misses)
    #[arg(long, value_name = "N", default_value = "1000", value_parser = values::whole::<u32>, allow_hyphen_values = true)]
    pub rate: u32,
    /// Connections in flight per /24 (IPv4) or /64 (IPv6), SYNs of a SYN sweep not counted
    #[arg(long, value_name = "N", default_value = "256", value_parser = values::at_least_one_u32, allow_hyphen_values = true)]
    pub per_subnet: NonZeroU32,
    /// Time between the end of a connection to a host and the next one to it: its ports go one after another, and one that hangs holds up the next; 0: all at once
    #[arg(long, value_name = "DURATION", default_value = "1.2s", value_parser = values::span_or_zero, allow_hyphen_values = true)]
    pub per_host: Duration,
}

/// Through which network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Ask this name server instead of the system's; may be repeated [default: the system's]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = values::resolver)]
    pub resolver: Vec<SocketAddr>,
    /// Connect from this address of this machine, a link-local one with its interface (fe80::7%eth0) [default: the system's choice]
    #[arg(long, value_name = "ADDR", value_parser = values::source)]
    pub source: Option<values::Source>,
    /// Connect through this interface [default: the system's choice]
    #[arg(long, value_name = "NAME", value_parser = values::interface)]
    pub interface: Option<String>,
    /// Probe over IPv4 only: of names their IPv4 addresses; a target that is an IPv6 address or range is refused, as by ssh
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Probe over IPv6 only: of names their IPv6 addresses; a target that is an IPv4 address or range is refused, as by ssh
    #[arg(short = '6')]
    pub ipv6: bool,
    /// Make every address of a name a target of its own
    #[arg(long)]
    pub all_addresses: bool,
}

/// Through what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Path")]
pub struct PathArgs {
    /// Read FILE instead of ~/.ssh/config and /etc/ssh/ssh_config for how named hosts are reached; none: no such file
    #[arg(short = 'F', long, value_name = "FILE|none")]
    pub ssh_config: Option<String>,
    /// Let `Match exec` of ssh_config run its commands; else such a Match does not hold
    #[arg(long)]
    pub allow_exec: bool,
    /// Reach targets through this program, as by ssh's ProxyCommand; %h, %p, %r, %n and %% mean what they do there; none: whatever ssh_config says, directly
    #[arg(long, value_name = "COMMAND", conflicts_with = "proxy")]
    pub proxy_command: Option<String>,
    /// Programs of --proxy-command and ProxyCommand that run at a time
    #[arg(long, value_name = "N", default_value = "8", value_parser = values::at_least_one_nonzero, allow_hyphen_values = true)]
    pub proxy_command_max: NonZeroUsize,
    // The help shows the brackets, which are no link.
    #[allow(rustdoc::broken_intra_doc_links)]
    /// Reach targets through this proxy: socks5://HOST[:PORT], or socks5h:// and http://, which leave names to the proxy; credentials from SSHPROBE_PROXY_USER and SSHPROBE_PROXY_PASSWORD
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    #[allow(rustdoc::broken_intra_doc_links)]
    /// Reach targets through these SSH servers, one behind the other: [USER@]HOST[:PORT],...; each is logged in to once, with what -i and --agent give, and its own key is checked; none: whatever ssh_config says, directly
    #[cfg(feature = "login")]
    #[arg(short = 'J', long, value_name = "HOST,...|none", conflicts_with_all = ["proxy", "proxy_command"])]
    pub jump: Option<String>,
    /// Through Google's relay.
    #[cfg(feature = "iap")]
    #[command(flatten)]
    pub iap: IapArgs,
}

impl PathArgs {
    /// Whether there may be hosts on the way that are logged in to, or keys of targets that a file names.
    #[must_use]
    pub const fn hops(&self, targets: &TargetArgs) -> bool {
        self.jump_given() || self.ssh_config.is_some() || targets.from_ssh_config || !targets.inventory.is_empty()
    }

    /// Whether `-J` was given.
    #[must_use]
    pub const fn jump_given(&self) -> bool {
        #[cfg(feature = "login")]
        return self.jump.is_some();
        #[cfg(not(feature = "login"))]
        false
    }
}

/// Through the relay of Google Cloud's Identity-Aware Proxy.
#[cfg(feature = "iap")]
#[derive(Debug, Args)]
pub struct IapArgs {
    /// Reach targets, which are names of instances then, through Google Cloud's Identity-Aware Proxy (IAP); goes without saying where all of them are iap://...
    #[arg(long, conflicts_with = "proxy_command")]
    pub iap: bool,
    /// The project of the instances that are not written as iap://PROJECT/ZONE/INSTANCE
    #[arg(long, value_name = "ID", requires = "iap")]
    pub project: Option<String>,
    /// Their zone, like us-central1-a
    #[arg(long, value_name = "ZONE", requires = "iap")]
    pub zone: Option<String>,
    /// Another relay than Google's; it is given the token of --access-token-file only [default: wss://tunnel.cloudproxy.app/v4]
    #[arg(long, value_name = "URL")]
    pub iap_url: Option<String>,
    /// Show the relay the access token in FILE [default: CLOUDSDK_AUTH_ACCESS_TOKEN of the environment, else by the credentials in GOOGLE_APPLICATION_CREDENTIALS, else of `gcloud auth print-access-token`, of Application Default Credentials, of the metadata server]
    #[arg(long, value_name = "FILE")]
    pub access_token_file: Option<PathBuf>,
    /// Probe each host directly too, as deep as its host key, and say what both together mean: a firewall that keeps the relay out, nothing that listens, a hung machine
    #[arg(long)]
    pub compare_direct: bool,
}

/// What is read of hosts by their names, out of the options it is spread over.
#[derive(Debug, Clone, Default)]
pub struct HostArgs {
    /// `-F`.
    pub ssh_config: Option<String>,
    /// `--allow-exec`.
    pub allow_exec: bool,
    /// `--from-ssh-config`.
    pub from_ssh_config: bool,
    /// `--inventory`.
    pub inventory: Vec<PathBuf>,
}

/// How results are shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ViewArgs {
    /// What standard output gets
    #[arg(long, value_name = "table|jsonl|csv", default_value = "table", value_parser = values::format)]
    pub format: &'static crate::report::Format,
    /// Write the records to FILE too, as its suffix says (.csv, .txt a table, else JSON lines; .zst behind it: packed)
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// The columns of table and csv, in this order, like status,host,why; a wrong name lists them all [default: the most useful ones]
    #[arg(long, value_name = "LIST", value_parser = values::columns, allow_hyphen_values = true)]
    pub columns: Option<crate::report::Columns>,
    /// Which records are written as JSON lines and csv; answered: all but silent, refused and unreachable addresses of ranges
    #[arg(long, value_name = "all|answered", value_enum, hide_possible_values = true, default_value_t = Records::All)]
    pub records: Records,
    /// Which rows the table shows; answered: all but silent, refused and unreachable addresses of ranges; problems: those of them that are not ok
    #[arg(long, value_name = "problems|answered|all", value_enum, hide_possible_values = true, default_value_t = Show::Answered)]
    pub show: Show,
    /// Colour the table; auto: if standard output is a terminal and NO_COLOR is not set
    #[arg(long, value_name = "auto|always|never", value_enum, hide_possible_values = true, default_value_t = When::Auto)]
    pub color: When,
    /// What standard error shows.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// What standard error shows.
#[derive(Debug, Args)]
pub struct TalkArgs {
    /// Draw progress on standard error; auto: if it is a terminal
    #[arg(long, value_name = "auto|always|never", value_enum, hide_possible_values = true, default_value_t = When::Auto)]
    pub progress: When,
    /// Tell on standard error what becomes of each connection; -vv: of each of its stages
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No progress, summary or warnings; errors are still told
    #[arg(short, long)]
    pub quiet: bool,
}

/// `--order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Ranges are shuffled, so that no subnet is hit in one burst
    Random,
    /// Ascending
    Given,
}

/// `--records`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Records {
    /// Every target
    All,
    /// Silent, refused and unreachable addresses of ranges are left to the summary
    Answered,
}

/// `--show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// What is not ok
    Problems,
    /// What answered, and every target named one by one
    Answered,
    /// Every target
    All,
}

/// `--progress`, `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// If it makes sense there
    Auto,
    /// Even if it does not
    Always,
    /// Not at all
    Never,
}
