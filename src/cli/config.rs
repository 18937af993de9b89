//! From raw arguments to a validated configuration. Nothing is opened, created or sent here.

mod again;
mod trust;
mod way;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::net::if_::{if_indextoname, if_nametoindex};
use sshprobe_probes::case::Settings;
use sshprobe_probes::hostkey::FingerprintHash;
use sshprobe_probes::negotiate::Offer;
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::trust::Policy;

use crate::cli::args::{HashArg, HostArgs, NetworkArgs, Order as OrderArg, SweepArgs};
use crate::cli::exit::FailOn;
use crate::cli::hosts::{AsTold, NamedHosts};
use crate::cli::output::{self, Output};
use crate::cli::routes::Said;
use crate::cli::values::{Source, is_link_local};
use crate::engine::Options;
use crate::error::Error;
use crate::report::span::show;
use crate::resolve::{Anchors, ResolverOptions, SshfpOptions};
use crate::sys::user;
use crate::target::{Allowed, Families, Order, PortSet, Sources, Spelling};
#[cfg(feature = "login")]
use crate::trust::KnownHostsFiles;
use crate::trust::TrustFiles;

pub use self::trust::TrustRules;
#[cfg(feature = "login")]
pub(super) use self::trust::known_hosts_files;
use self::trust::trust_files;
pub use self::way::Way;
#[cfg(feature = "syn")]
pub(super) use self::way::not_ours;
use self::way::way;

/// `--connect-timeout` unless it is given.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// `--retries` unless it is given, for what comes behind a connect.
const RETRIES: u32 = 1;

/// A dead neighbour is reported by the kernel after 3.1 s (three ARP or ND tries a second apart), and some ICMP errors
/// are heeded only on the first retransmission: whoever waits less takes both for silence.
pub const CONNECT_TIMEOUT_TELLS: Duration = Duration::from_millis(3_500);

/// A sweep as it was asked for, every value in bounds and no two at odds.
#[derive(Debug)]
pub struct Config {
    /// Where targets come from.
    pub sources: Sources,
    /// How deep one probe goes.
    pub depth: Depth,
    /// The user named with `none` where a target names none.
    pub user: String,
    /// Post-quantum key exchange methods are offered first.
    pub prefer_pq: bool,
    /// One connect.
    pub connect_timeout: Duration,
    /// One whole connection.
    pub timeout: Duration,
    /// Further tries after a transient answer.
    pub retries: u32,
    /// A SYN sweep in front.
    #[cfg(feature = "syn")]
    pub syn: Option<crate::cli::syn::SynSweep>,
    /// Connections in flight.
    pub concurrency: usize,
    /// New connections a second; 0 is no limit.
    pub rate: u32,
    /// Connections in flight per /24 or /64.
    pub per_subnet: u32,
    /// Between two connections to one host.
    pub per_host: Duration,
    /// The files that host keys are held against.
    pub trust_files: TrustFiles,
    /// The files that jump hosts are judged by where the targets are not.
    #[cfg(feature = "login")]
    pub hop_files: Option<KnownHostsFiles>,
    /// The rules by which they are, without what is in the files.
    pub trust_rules: TrustRules,
    /// Both together, once the files were read ([`Self::load_trust`]).
    pub trust: Option<Arc<Policy>>,
    /// The DNS is asked for the fingerprints of host keys, and what is believed of its answer.
    pub sshfp: Option<SshfpOptions>,
    /// The keys that DNSSEC validation begins at, if not the root's.
    pub trust_anchor: Option<PathBuf>,
    /// Through what targets are reached.
    pub way: Way,
    /// Where hosts are looked up by their names.
    pub host_args: HostArgs,
    /// What is said there, once it was read ([`Self::load_hosts`]).
    pub hosts: Arc<NamedHosts>,
    /// What the command line says itself.
    pub given: Said,
    /// What to log in with, by name.
    #[cfg(feature = "login")]
    pub login: crate::cli::login::Login,
    /// The same, once it was read ([`Self::load_credentials`]).
    #[cfg(feature = "login")]
    pub credentials: Arc<crate::login::Credentials>,
    /// Name servers asked; the system's where there are none.
    pub resolvers: Vec<SocketAddr>,
    /// Where connections come from.
    pub source: Option<IpAddr>,
    /// Through which interface.
    pub interface: Option<String>,
    /// Which addresses of names are used.
    pub families: Families,
    /// Every address of a name is a target of its own.
    pub all_addresses: bool,
    /// Where results go.
    pub output: Output,
    /// Where it is told what the run is doing.
    pub stats_file: Option<PathBuf>,
    /// The run is to go on with the file of `-o`.
    pub resume: bool,
    /// What counts as failure.
    pub fail_on: FailOn,
    /// What is obeyed although it will mislead; one line each.
    pub warnings: Vec<String>,
    /// Nobody can look at the targets again when the run is over.
    pub targets_vanish: bool,
}

impl Config {
    /// Validates the arguments of a sweep. `entropy` decides the order where no seed was given.
    ///
    /// # Errors
    /// The first thing wrong, as one line that names the option and the remedy.
    pub fn new(args: SweepArgs, entropy: u64) -> Result<Self, Error> {
        #[cfg(feature = "login")]
        let login = crate::cli::login::Login::new(args.login, args.probe.depth, args.path.hops(&args.targets))?;
        #[cfg(feature = "syn")]
        let syn = args.syn;
        let SweepArgs { targets, probe, pace, trust, network, path, view, resume, stats_file, fail_on, .. } = args;
        let patience = probe.patience;
        let mut warnings = Vec::new();
        let mut short = Vec::new();
        let connect_timeout = connect_timeout(patience.connect_timeout, patience.timeout, &mut short)?;
        let user = match probe.user.clone() {
            Some(user) => user,
            None => user::name(user::local().as_ref())
                .ok_or_else(|| Error::usage("--user: this machine has no name for the local user; give one"))?,
        };
        let (source, interface) = begun_at(&network)?;
        let families = match (network.ipv4, network.ipv6) {
            (true, _) => Families::V4Only,
            (_, true) => Families::V6Only,
            _ => Families::Any,
        };
        if let Some(source) = source.filter(|source| !families.allow(*source)) {
            let option = if network.ipv4 { "-4" } else { "-6" };
            return Err(Error::usage(format!(
                "--source: {source} is not of the family that {option} allows; leave one of them away"
            )));
        }
        let ports = targets.port.as_deref().map_or(Ok(PortSet::ssh()), PortSet::parse);
        let ports = ports.map_err(|fault| Error::usage(format!("--port: {fault}")))?;
        let order = match (targets.order, targets.seed) {
            (OrderArg::Given, Some(_)) => {
                return Err(Error::usage(
                    "--seed: there is nothing to shuffle with --order given; leave one of them away",
                ));
            }
            (OrderArg::Given, None) => Order::Given,
            (OrderArg::Random, seed) => Order::Random { seed: seed.unwrap_or(entropy) },
        };
        let lists =
            trust.known_hosts.iter().chain(&trust.revoked_host_keys).chain(&trust.bad_keys).chain(&trust.trust_anchor);
        let inputs = targets.files.iter().chain(&targets.inventory).chain(&targets.exclude_files).chain(lists);
        let inputs: Vec<&Path> = inputs.map(AsRef::as_ref).collect();
        let output = Output::new(&view, &inputs)?;
        let stats_file = output::once("--stats-file", &stats_file)?.map(Path::to_owned);
        if let Some(path) = &stats_file {
            output::check_stats_file(path, output.file.as_ref().map(|(path, _)| path.as_path()))?;
            output::check(path, &inputs)?;
        }
        let given = Said {
            user: probe.user,
            port: targets.port.is_some(),
            connect_timeout: patience.connect_timeout.is_some(),
            known_hosts: !trust.known_hosts.is_empty(),
            alias: trust.host_key_alias.is_some(),
            way: path.proxy_command.is_some() || path.proxy.is_some() || path.jump_given(),
            programs: path.proxy_command_max.get(),
        };
        let host_args = HostArgs {
            ssh_config: path.ssh_config.clone(),
            allow_exec: path.allow_exec,
            from_ssh_config: targets.from_ssh_config,
            inventory: targets.inventory,
        };
        let way = way(path, &targets.targets, &network, probe.depth)?;
        // Of what is behind a way, no neighbour is asked for here.
        warnings.extend(short.into_iter().filter(|_| matches!(way, Way::Direct)));
        Ok(Self {
            sources: Sources {
                targets: targets.targets,
                files: targets.files,
                listed: Vec::new(),
                exclude: targets.exclude,
                exclude_files: targets.exclude_files,
                ports,
                max_targets: targets.max_targets,
                order,
                share: targets.shard.unwrap_or_default(),
                allowed: Allowed {
                    families,
                    // What is behind a way is connected to from elsewhere.
                    source: source.filter(|_| matches!(way, Way::Direct)),
                    unscoped: interface.is_some() || !matches!(way, Way::Direct),
                },
                spelling: None,
            },
            depth: probe.depth,
            user,
            prefer_pq: patience.prefer_pq,
            connect_timeout,
            timeout: patience.timeout,
            retries: patience.retries.unwrap_or(RETRIES),
            #[cfg(feature = "syn")]
            syn: crate::cli::syn::SynSweep::new(syn, patience.retries, &way)?,
            concurrency: pace.concurrency.get(),
            rate: pace.rate,
            per_subnet: pace.per_subnet.get(),
            per_host: pace.per_host,
            trust_files: trust_files(&trust, probe.depth)?,
            #[cfg(feature = "login")]
            hop_files: None,
            sshfp: trust.sshfp.then(|| SshfpOptions { trust_ad: trust.trust_ad, anchors: Anchors::root() }),
            trust_anchor: trust.trust_anchor,
            trust_rules: TrustRules {
                key_types: trust.host_key_types,
                strict: trust.strict_host_keys,
                alias: trust.host_key_alias,
                check_host_ip: trust.check_host_ip,
                fingerprint_hash: match trust.fingerprint_hash {
                    HashArg::Sha256 => FingerprintHash::Sha256,
                    HashArg::Md5 => FingerprintHash::Md5,
                },
            },
            trust: None,
            way,
            host_args,
            hosts: Arc::default(),
            given,
            #[cfg(feature = "login")]
            login,
            #[cfg(feature = "login")]
            credentials: Arc::default(),
            resolvers: network.resolver,
            source,
            interface,
            families,
            all_addresses: network.all_addresses,
            output,
            resume,
            stats_file,
            fail_on: fail_on.unwrap_or_default(),
            warnings,
            targets_vanish: false,
        })
    }
}

impl Config {
    /// Reads what is said of hosts by their names, and adds those listed there to the targets.
    ///
    /// # Errors
    /// A file that was named cannot be read, or has a fault.
    pub fn load_hosts(&mut self) -> Result<(), Error> {
        self.hosts = Arc::new(NamedHosts::load(&self.host_args, &mut self.sources, &mut self.warnings)?);
        self.targets_vanish |= self.hosts.of_inventory();
        self.sources.spelling = self.spelling();
        Ok(())
    }

    /// Who tells names apart by their case; names of instances are none of ssh's.
    fn spelling(&self) -> Option<Arc<dyn Spelling>> {
        #[cfg(feature = "iap")]
        if matches!(self.way, Way::Iap(_)) {
            return None;
        }
        let as_told = || AsTold { hosts: Arc::clone(&self.hosts), user: self.given.user.clone() };
        (!self.hosts.is_empty()).then(|| Arc::new(as_told()) as Arc<dyn Spelling>)
    }

    /// Reads what to log in with, and asks for the passphrases of keys that have one.
    ///
    /// # Errors
    /// Something cannot be used.
    #[cfg(feature = "login")]
    pub fn load_credentials(&mut self) -> Result<(), Error> {
        if !self.login.given.is_empty() {
            self.credentials = Arc::new(self.login.given.load(&mut self.warnings).map_err(Error::usage)?);
        }
        Ok(())
    }

    /// What the engine is told. Its clock starts here.
    #[must_use]
    pub fn engine(&self) -> Options {
        let mut plan =
            Plan { depth: self.depth, user: self.user.as_str().into(), timeout: self.timeout, ..Plan::default() };
        #[cfg(feature = "login")]
        {
            plan.accept_new = self.login.accept_new;
        }
        if self.prefer_pq {
            plan.offer = Arc::new(Offer::modern().prefer_pq());
        }
        let mut options = Options::new(plan);
        let trust = self.trust.clone();
        let settings =
            Settings { retries: self.retries, per_host: self.per_host, trust, ..(*options.settings).clone() };
        options.settings = Arc::new(settings);
        options.connect_timeout = self.connect_timeout;
        options.adaptive = !self.given.connect_timeout;
        options.concurrency = self.concurrency;
        options.rate = self.rate;
        options.per_subnet = self.per_subnet;
        options.source = self.source;
        options.interface = self.interface.clone();
        options.all_addresses = self.all_addresses;
        #[cfg(feature = "login")]
        {
            options.credentials = Arc::clone(&self.credentials);
        }
        #[cfg(feature = "syn")]
        {
            options.syn = self.syn.as_ref().and_then(crate::cli::syn::SynSweep::engine);
        }
        options.sshfp = self.sshfp.is_some() && self.depth >= Depth::Kex;
        options
    }

    /// Whether the run begins with SYNs.
    #[must_use]
    pub const fn sweeps(&self) -> bool {
        #[cfg(feature = "syn")]
        return self.syn.is_some();
        #[cfg(not(feature = "syn"))]
        false
    }

    /// What the names of targets are resolved with.
    #[must_use]
    pub fn resolver(&self) -> ResolverOptions {
        ResolverOptions { families: self.families_of_names(), ..self.resolver_here() }
    }

    /// Which addresses of targets' names are used: from an address of one family nothing is sent to the other.
    #[must_use]
    pub fn families_of_names(&self) -> Families {
        if matches!(self.way, Way::Direct) { self.families_from_here() } else { self.families }
    }

    /// The same of what is connected to from this machine itself.
    fn families_from_here(&self) -> Families {
        self.source.map_or(self.families, Families::of)
    }

    /// What the names of those are resolved with that are connected to from this machine itself: of proxies, relays, jump hosts.
    #[must_use]
    pub fn resolver_here(&self) -> ResolverOptions {
        ResolverOptions {
            servers: self.resolvers.clone(),
            families: self.families_from_here(),
            sshfp: self.sshfp.clone().unwrap_or_default(),
            ..ResolverOptions::default()
        }
    }
}

/// From which address and through which interface connections are made.
fn begun_at(network: &NetworkArgs) -> Result<(Option<IpAddr>, Option<String>), Error> {
    let known = |option: &str, name: &str| match if_nametoindex(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::usage(format!("{option}: there is no interface `{name}`; `ip link` lists them"))),
    };
    let interface = network.interface.as_deref();
    interface.map_or(Ok(()), |name| known("--interface", name))?;
    let Some(Source { addr, scope }) = &network.source else { return Ok((None, interface.map(str::to_owned))) };
    // As getaddrinfo(3) takes it, an interface may be named by its index.
    let scope = scope.as_deref().map(|scope| by_index(scope).unwrap_or_else(|| scope.to_owned()));
    scope.as_deref().map_or(Ok(()), |name| known("--source", name))?;
    match (scope, interface) {
        (Some(scope), Some(interface)) if scope != interface => Err(Error::usage(format!(
            "--source: {addr}%{scope} is an address of another interface than --interface {interface}; leave one of them away"
        ))),
        (None, None) if is_link_local(*addr) => Err(Error::usage(format!(
            "--source: {addr} is link-local, and leads nowhere without its interface; add --interface NAME, or write {addr}%NAME"
        ))),
        (scope, interface) => Ok((Some(*addr), scope.or_else(|| interface.map(str::to_owned)))),
    }
}

/// The name of the interface with this index, where it is one.
fn by_index(text: &str) -> Option<String> {
    if_indextoname(text.parse().ok()?).ok()?.into_string().ok()
}

/// The connect timeout that goes with the whole connection's. One that was given is obeyed or refused, the default yields.
fn connect_timeout(given: Option<Duration>, whole: Duration, warnings: &mut Vec<String>) -> Result<Duration, Error> {
    if let Some(connect) = given.filter(|connect| *connect > whole) {
        return Err(Error::usage(format!(
            "--connect-timeout {} is longer than --timeout {}, which bounds the whole connection; raise --timeout or lower --connect-timeout",
            show(connect),
            show(whole)
        )));
    }
    let connect = given.unwrap_or(CONNECT_TIMEOUT).min(whole);
    if connect < CONNECT_TIMEOUT_TELLS {
        let option = if given.is_some() { "--connect-timeout" } else { "--timeout" };
        warnings.push(format!(
            "{option} {} is short: an unreachable host is known as such only after 3.1s and looks silent before; 3.5s or more tells them apart",
            show(connect)
        ));
    }
    Ok(connect)
}

#[cfg(test)]
pub(super) mod tests;
