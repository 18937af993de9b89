//! From raw arguments to a validated configuration. Nothing is opened, created or sent here.

use std::env;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use sshprobe_probes::case::Settings;
#[cfg(feature = "login")]
use sshprobe_probes::escape::quote as quoted;
use sshprobe_probes::hostkey::FingerprintHash;
use sshprobe_probes::negotiate::Offer;
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::proxy::{Credentials, expand};
#[cfg(feature = "login")]
use sshprobe_probes::ssh_config::{Jump, jump_chain};
use sshprobe_probes::trust::{KeyTypes, Policy};

use crate::cli::args::{HashArg, HostArgs, NetworkArgs, Order as OrderArg, PathArgs, SweepArgs, TrustArgs};
use crate::cli::exit::FailOn;
use crate::cli::hosts::{AsTold, NamedHosts};
#[cfg(feature = "iap")]
use crate::cli::iap::IapWay;
use crate::cli::output::{self, Output};
use crate::cli::routes::Said;
use crate::engine::{Options, Unfit};
use crate::error::Error;
use crate::report::next::quote;
use crate::report::span::show;
use crate::resolve::{Anchors, Resolver, ResolverOptions, SshfpOptions};
use crate::sys::user;
use crate::target::{Families, Order, PortSet, Sources, Spelling};
#[cfg(feature = "iap")]
use crate::transport::iap::TokenError;
use crate::transport::tcp::Unusable;
use crate::transport::{Proxy, ProxyCommand, ProxyUrl, Road};
use crate::trust::{KnownHostsFiles, TrustFiles};

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
        if let Some(name) = network.interface.as_deref().filter(|name| if_nametoindex(*name).is_err()) {
            return Err(Error::usage(format!("--interface: there is no interface `{name}`; `ip link` lists them")));
        }
        let families = match (network.ipv4, network.ipv6) {
            (true, _) => Families::V4Only,
            (_, true) => Families::V6Only,
            _ => Families::Any,
        };
        if let Some(source) = network.source.filter(|source| !families.allow(*source)) {
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
        if let Some(path) = &stats_file {
            if path.as_os_str().is_empty() || Some(path) == view.output.as_ref() {
                return Err(Error::usage("--stats-file: name a file of its own"));
            }
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
                families,
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
            source: network.source,
            interface: network.interface,
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

/// Through what targets are reached.
#[derive(Debug, Clone, Default)]
pub enum Way {
    /// Nothing but the network.
    #[default]
    Direct,
    /// A program for each connection, and how many of it run at a time.
    Command(String, usize),
    /// A proxy, with the credentials of the environment.
    Proxy(ProxyUrl, Option<Credentials>),
    /// SSH servers, the one to reach first in front.
    #[cfg(feature = "login")]
    Jump(Vec<Jump>),
    /// The relay of Google Cloud's Identity-Aware Proxy.
    #[cfg(feature = "iap")]
    Iap(Box<IapWay>),
}

/// Why connections cannot begin where they were asked to.
fn no_tcp(why: Unusable) -> Error {
    match why {
        Unusable::Source { address, reason } if reason.kind() == io::ErrorKind::AddrNotAvailable => not_ours(address),
        other => Unfit::from(other).into(),
    }
}

/// `--source` names an address of somebody else's.
pub(super) fn not_ours(source: IpAddr) -> Error {
    Error::usage(format!("--source: {source} is not an address of this machine; `ip address` lists them"))
}

/// The environment variables with the credentials for `--proxy`.
const PROXY_USER: &str = "SSHPROBE_PROXY_USER";
const PROXY_PASSWORD: &str = "SSHPROBE_PROXY_PASSWORD";

fn way(args: PathArgs, targets: &[String], network: &NetworkArgs, depth: Depth) -> Result<Way, Error> {
    #[cfg(feature = "iap")]
    let jumps = args.jump_given();
    #[cfg(feature = "iap")]
    if let Some(iap) = IapWay::new(args.iap, targets)? {
        for (option, given) in [("--proxy-command", args.proxy_command.is_some()), ("--jump", jumps)] {
            if given {
                return Err(Error::usage(format!(
                    "{option}: the targets are reached through the Identity-Aware Proxy; leave {option} away, or the iap://"
                )));
            }
        }
        return Ok(Way::Iap(Box::new(iap.behind(args.proxy.as_deref().map(proxy).transpose()?)?)));
    }
    #[cfg(not(feature = "iap"))]
    let _ = targets;
    if let Some(command) = args.proxy_command {
        if command.eq_ignore_ascii_case("none") {
            return Ok(Way::Direct);
        }
        let begun_here = [("--source", network.source.is_some()), ("--interface", network.interface.is_some())];
        if let Some((option, _)) = begun_here.into_iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{option}: the program of --proxy-command makes the connections; leave it away, or give the program an option like it"
            )));
        }
        if depth == Depth::Connect {
            return Err(Error::usage(
                "--depth connect: a program of --proxy-command does not say when it is connected; take --depth ident",
            ));
        }
        // Its tokens and its length do not depend on the target; a name that is not safe in a shell is that target's matter.
        expand(&command, "host", 22, "user", "host").map_err(|why| Error::usage(format!("--proxy-command: {why}")))?;
        return Ok(Way::Command(command, args.proxy_command_max.get()));
    }
    #[cfg(feature = "login")]
    if let Some(jump) = args.jump.filter(|jump| !jump.eq_ignore_ascii_case("none")) {
        let chain = jump_chain(&jump).ok_or_else(|| {
            Error::usage(format!(
                "--jump: {} is no list of jump hosts; write [USER@]HOST[:PORT], with commas between",
                quoted(&jump, 60)
            ))
        })?;
        return Ok(Way::Jump(chain));
    }
    let Some(url) = args.proxy else { return Ok(Way::Direct) };
    proxy(&url).map(|(url, credentials)| Way::Proxy(url, credentials))
}

/// A proxy, with the credentials of the environment.
fn proxy(url: &str) -> Result<(ProxyUrl, Option<Credentials>), Error> {
    // Not shown: it may hold a password that somebody has put there.
    let url = url.parse::<ProxyUrl>().map_err(|why| Error::usage(format!("--proxy: the URL {why}")))?;
    let credentials = match (env::var(PROXY_USER), env::var(PROXY_PASSWORD)) {
        (Err(env::VarError::NotPresent), Err(env::VarError::NotPresent)) => None,
        (Ok(user), Ok(password)) => {
            let given = Credentials::new(&user, &password);
            Some(given.map_err(|why| Error::usage(format!("{PROXY_USER}, {PROXY_PASSWORD}: {why}")))?)
        }
        _ => {
            return Err(Error::usage(format!(
                "{PROXY_USER}, {PROXY_PASSWORD}: both or none of them have to be set, as UTF-8"
            )));
        }
    };
    Ok((url, credentials))
}

/// How host keys are judged, whatever the files say.
#[derive(Debug, Clone, Default)]
pub struct TrustRules {
    /// Which keys are fetched.
    pub key_types: KeyTypes,
    /// A key that is not known is a failure.
    pub strict: bool,
    /// The name every host is looked up by.
    pub alias: Option<String>,
    /// Addresses of names are looked up too.
    pub check_host_ip: bool,
    /// How fingerprints are shown.
    pub fingerprint_hash: FingerprintHash,
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

    /// Reads the files that host keys are held against. What cannot be used of them becomes a warning.
    ///
    /// # Errors
    /// A file that was named cannot be read.
    pub fn load_trust(&mut self) -> Result<(), Error> {
        // At a depth at which no key is seen, no file is worth a warning; but one that was named must be there.
        let loaded = self.trust_files.load()?;
        if self.depth >= Depth::Kex {
            self.warnings.extend(loaded.warnings);
        }
        self.judge_by(loaded.policy);
        if let (Some(path), Some(sshfp)) = (&self.trust_anchor, &mut self.sshfp) {
            let anchors = Anchors::from_file(path);
            sshfp.anchors = anchors.map_err(|problem| Error::usage(format!("--trust-anchor: {problem}")))?;
        }
        Ok(())
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

    /// Judges host keys by what is in `policy`, and by the rules that the options set.
    pub fn judge_by(&mut self, policy: Policy) {
        let rules = self.trust_rules.clone();
        self.trust = Some(Arc::new(Policy {
            key_types: rules.key_types,
            strict: rules.strict,
            alias: rules.alias.map(Into::into),
            check_host_ip: rules.check_host_ip,
            fingerprint_hash: rules.fingerprint_hash,
            ..policy
        }));
    }

    /// What the engine is told. Its clock starts here.
    #[must_use]
    pub fn engine(&self) -> Options {
        let mut plan = Plan { depth: self.depth, user: self.user.clone(), timeout: self.timeout, ..Plan::default() };
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

    /// The options of ssh's that lead it where this run goes, as they would be typed, with a blank after each; `None` where it has
    /// none for the way.
    #[must_use]
    pub fn ssh_options(&self) -> Option<String> {
        let mut out = String::new();
        self.host_args.ssh_config.iter().for_each(|file| out += &format!("-F {} ", quote(file)));
        match &self.way {
            Way::Direct => {}
            Way::Command(command, _) => out += &format!("-o {} ", quote(&format!("ProxyCommand={command}"))),
            #[cfg(feature = "login")]
            Way::Jump(chain) => {
                let chain: Vec<_> = chain.iter().map(ToString::to_string).collect();
                out += &format!("-J {} ", quote(&chain.join(",")));
            }
            Way::Proxy(..) => return None,
            #[cfg(feature = "iap")]
            Way::Iap(_) => return None,
        }
        self.source.iter().for_each(|addr| out += &format!("-b {addr} "));
        self.interface.iter().for_each(|name| out += &format!("-B {} ", quote(name)));
        #[cfg(feature = "login")]
        for (option, paths) in
            [("-i ", &self.login.given.identities), ("-o CertificateFile=", &self.login.given.certificates)]
        {
            paths.iter().for_each(|path| out += &format!("{option}{} ", quote(&path.to_string_lossy())));
        }
        out += match self.families {
            Families::V4Only => "-4 ",
            Families::V6Only => "-6 ",
            Families::Any => "",
        };
        Some(out)
    }

    /// The options that decide how a target is reached and judged, as they would be typed again, with a blank after each.
    #[must_use]
    pub fn reach_options(&self) -> String {
        let mut out = String::new();
        out += self.hosts.options();
        self.resolvers.iter().for_each(|server| out += &format!("--resolver {} ", quote(&server.to_string())));
        match &self.way {
            Way::Direct => {}
            Way::Command(command, _) => out += &format!("--proxy-command {} ", quote(command)),
            #[cfg(feature = "login")]
            Way::Jump(chain) => {
                let chain: Vec<_> = chain.iter().map(ToString::to_string).collect();
                out += &format!("--jump {} ", quote(&chain.join(",")));
            }
            Way::Proxy(url, _) => out += &format!("--proxy {} ", quote(&url.to_string())),
            #[cfg(feature = "iap")]
            Way::Iap(iap) => out += &iap.options(),
        }
        self.source.iter().for_each(|addr| out += &format!("--source {addr} "));
        self.interface.iter().for_each(|name| out += &format!("--interface {} ", quote(name)));
        match &self.trust_files.known_hosts {
            KnownHostsFiles::Default | KnownHostsFiles::Configured(_) => {}
            KnownHostsFiles::None => out += "--known-hosts none ",
            KnownHostsFiles::Named(paths) => {
                paths.iter().for_each(|path| out += &format!("--known-hosts {} ", quote(&path.to_string_lossy())));
            }
        }
        let mut files = |option: &str, paths: &[PathBuf]| {
            paths.iter().for_each(|path| out += &format!("{option} {} ", quote(&path.to_string_lossy())));
        };
        files("--revoked-host-keys", &self.trust_files.revoked);
        files("--bad-keys", &self.trust_files.bad_keys);
        let rules = &self.trust_rules;
        match &rules.key_types {
            KeyTypes::First => {}
            KeyTypes::All => out += "--host-key-types all ",
            KeyTypes::Listed(types) => out += &format!("--host-key-types {} ", types.join(",")),
        }
        rules.alias.iter().for_each(|name| out += &format!("--host-key-alias {} ", quote(name)));
        for (given, option) in [(rules.strict, "--strict-host-keys "), (rules.check_host_ip, "--check-host-ip ")] {
            if given {
                out += option;
            }
        }
        if let Some(sshfp) = &self.sshfp {
            out += "--sshfp ";
            out += if sshfp.trust_ad { "--trust-ad " } else { "" };
            let anchor = |path: &PathBuf| format!("--trust-anchor {} ", quote(&path.to_string_lossy()));
            self.trust_anchor.iter().for_each(|path| out += &anchor(path));
        }
        #[cfg(feature = "login")]
        {
            out += &self.login.options();
        }
        match self.families {
            Families::V4Only => out += "-4 ",
            Families::V6Only => out += "-6 ",
            Families::Any => {}
        }
        out
    }

    /// Whether the run begins with SYNs.
    #[must_use]
    pub const fn sweeps(&self) -> bool {
        #[cfg(feature = "syn")]
        return self.syn.is_some();
        #[cfg(not(feature = "syn"))]
        false
    }

    /// The way to the targets, for an engine with these options.
    ///
    /// # Errors
    /// The address or interface to begin at is not this machine's.
    pub fn road(&self, options: &Options) -> Result<Road, Error> {
        Ok(match &self.way {
            Way::Direct => Road::Tcp(options.tcp().map_err(no_tcp)?),
            // What they begin with; the routes make the rest of it.
            #[cfg(feature = "login")]
            Way::Jump(_) => Road::Tcp(options.tcp().map_err(no_tcp)?),
            Way::Command(command, most) => Road::Command(ProxyCommand::new(options.clock, command, *most)),
            Way::Proxy(url, credentials) => {
                let (tcp, resolver) = (options.tcp().map_err(no_tcp)?, Arc::new(Resolver::new(self.resolver())));
                Road::Proxy(Box::new(Proxy::new(options.clock, tcp, url.clone(), credentials.clone(), resolver)))
            }
            #[cfg(feature = "iap")]
            Way::Iap(iap) => {
                let (tcp, resolver) = (options.tcp().map_err(no_tcp)?, Arc::new(Resolver::new(self.resolver())));
                Road::Iap(Box::new(iap.road(options.clock, tcp, resolver)?))
            }
        })
    }

    /// Why there is no token for the relay, as a program error.
    #[cfg(feature = "iap")]
    pub(super) fn no_token(&self, error: &TokenError) -> Error {
        match &self.way {
            Way::Iap(iap) => iap.no_token(error),
            _ => Error::usage(error.to_string()),
        }
    }

    /// What names are resolved with.
    #[must_use]
    pub fn resolver(&self) -> ResolverOptions {
        ResolverOptions {
            servers: self.resolvers.clone(),
            families: self.families,
            sshfp: self.sshfp.clone().unwrap_or_default(),
            ..ResolverOptions::default()
        }
    }
}

/// What `option` names.
///
/// # Errors
/// `none` stands beside files.
pub(super) fn known_hosts_files(option: &str, paths: &[PathBuf]) -> Result<KnownHostsFiles, Error> {
    let none = |path: &PathBuf| path.as_os_str() == "none";
    match paths {
        [] => Ok(KnownHostsFiles::Default),
        [only] if none(only) => Ok(KnownHostsFiles::None),
        paths if paths.iter().any(none) => Err(Error::usage(format!(
            "{option}: none stands alone; leave it or the files away (a file of that name is ./none)"
        ))),
        paths => Ok(KnownHostsFiles::Named(paths.to_vec())),
    }
}

/// Where host keys are looked up.
fn trust_files(args: &TrustArgs, depth: Depth) -> Result<TrustFiles, Error> {
    let known_hosts = known_hosts_files("--known-hosts", &args.known_hosts)?;
    if depth < Depth::Kex {
        let without = [
            ("--known-hosts", matches!(known_hosts, KnownHostsFiles::Named(_))),
            ("--strict-host-keys", args.strict_host_keys),
            ("--host-key-alias", args.host_key_alias.is_some()),
            ("--host-key-types", args.host_key_types != KeyTypes::First),
            ("--check-host-ip", args.check_host_ip),
            ("--revoked-host-keys", !args.revoked_host_keys.is_empty()),
            ("--bad-keys", !args.bad_keys.is_empty()),
            ("--sshfp", args.sshfp),
        ];
        if let Some((option, _)) = without.iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{option}: no host key is seen at --depth {}; write --depth kex or deeper, or leave the option away",
                depth.name()
            )));
        }
    }
    if matches!(known_hosts, KnownHostsFiles::None) {
        let without = [
            ("--strict-host-keys", args.strict_host_keys),
            ("--host-key-alias", args.host_key_alias.is_some()),
            ("--check-host-ip", args.check_host_ip),
        ];
        if let Some((option, _)) = without.iter().find(|(_, given)| *given) {
            return Err(Error::usage(format!(
                "{option}: there is nothing to look up with --known-hosts none; leave one of them away"
            )));
        }
    }
    Ok(TrustFiles { known_hosts, revoked: args.revoked_host_keys.clone(), bad_keys: args.bad_keys.clone() })
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
pub(super) mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;
    use crate::report::Selection;

    pub(in crate::cli) fn config(args: &[&str]) -> Result<Config, String> {
        let cli = Cli::try_parse_from(std::iter::once("sshprobe").chain(args.iter().copied())).expect("parses");
        Config::new(cli.sweep, 7).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = config(&["host"]).expect("valid");
        assert_eq!(config.depth, Depth::Auth);
        assert_eq!(config.connect_timeout, Duration::from_secs(5));
        assert_eq!(config.timeout, Duration::from_secs(20));
        assert_eq!(config.retries, 1);
        assert_eq!(config.concurrency, 1000);
        assert_eq!(config.rate, 1000);
        assert_eq!(config.per_subnet, 256);
        assert_eq!(config.per_host, Duration::from_millis(1_200));
        assert_eq!(config.sources.max_targets, 16_777_216);
        assert_eq!(config.sources.order, Order::Random { seed: 7 });
        assert_eq!(config.sources.targets, ["host"]);
        assert_eq!((config.output.records, config.output.show), (Selection::All, Selection::Answered));
        assert_eq!(config.output.format.name, "table");
        assert_eq!(config.fail_on, FailOn::Expected);
        assert_eq!(config.warnings, Vec::<String>::new());
    }

    #[test]
    fn options_at_odds_are_refused() {
        for (args, line) in [
            (
                &["--connect-timeout", "30s", "h"][..],
                "--connect-timeout 30s is longer than --timeout 20s, which bounds the whole connection; raise --timeout or lower --connect-timeout",
            ),
            (&["--port", "22,0", "h"], "--port: port 0 cannot be connected to: write 1 to 65535"),
            (
                &["--interface", "nosuchif0", "h"],
                "--interface: there is no interface `nosuchif0`; `ip link` lists them",
            ),
            (
                &["-4", "--source", "::1", "h"],
                "--source: ::1 is not of the family that -4 allows; leave one of them away",
            ),
            (
                &["--order", "given", "--seed", "1", "h"],
                "--seed: there is nothing to shuffle with --order given; leave one of them away",
            ),
        ] {
            assert_eq!(config(args).err().as_deref(), Some(line), "{args:?}");
        }
    }

    #[test]
    fn a_connect_timeout_that_cannot_tell_is_obeyed_with_one_warning() {
        let short = config(&["--connect-timeout", "1s", "h"]).expect("obeyed");
        assert_eq!(short.connect_timeout, Duration::from_secs(1));
        assert_eq!(short.warnings.len(), 1);
        assert!(
            short.warnings[0].starts_with("--connect-timeout 1s is short: an unreachable host"),
            "{:?}",
            short.warnings
        );
        let whole = config(&["--timeout", "2s", "h"]).expect("obeyed");
        assert_eq!((whole.connect_timeout, whole.warnings.len()), (Duration::from_secs(2), 1));
        assert!(whole.warnings[0].starts_with("--timeout 2s is short"), "{:?}", whole.warnings);
        assert_eq!(config(&["--connect-timeout", "3.5s", "h"]).expect("fine").warnings.len(), 0);
    }

    #[test]
    fn the_engine_is_told_what_was_asked_for_and_its_own_defaults_are_ours() {
        let ours = config(&["h"]).expect("valid").engine();
        let its = Options::default();
        assert_eq!(ours.settings.retries, its.settings.retries);
        assert_eq!(ours.settings.per_host, its.settings.per_host);
        assert_eq!(ours.settings.plan.timeout, its.settings.plan.timeout);
        assert_eq!(ours.settings.plan.depth, its.settings.plan.depth);
        assert_eq!((ours.connect_timeout, ours.concurrency), (its.connect_timeout, its.concurrency));
        assert_eq!((ours.rate, ours.per_subnet), (its.rate, its.per_subnet));

        let args =
            ["--depth=kex", "-l", "alice", "--timeout=9s", "--connect-timeout=4s", "--retries=3", "-c7", "--rate=0"];
        let more = ["--per-subnet=5", "--per-host=0", "--source=127.0.0.1", "--interface=lo", "--all-addresses", "h"];
        let told = config(&[&args[..], &more[..]].concat()).expect("valid").engine();
        let plan = &told.settings.plan;
        assert_eq!((plan.depth, plan.user.as_str(), plan.timeout), (Depth::Kex, "alice", Duration::from_secs(9)));
        assert_eq!((told.settings.retries, told.settings.per_host), (3, Duration::ZERO));
        assert_eq!(
            (told.connect_timeout, told.concurrency, told.rate, told.per_subnet),
            (Duration::from_secs(4), 7, 0, 5)
        );
        assert_eq!(told.source.map(|addr| addr.to_string()).as_deref(), Some("127.0.0.1"));
        assert_eq!((told.interface.as_deref(), told.all_addresses), (Some("lo"), true));
    }

    #[test]
    fn post_quantum_methods_come_first_where_they_are_preferred() {
        let first = |args: &[&str]| {
            let options = config(args).expect("valid").engine();
            options.settings.plan.offer.kex().split(',').next().map(str::to_owned).expect("a method")
        };
        assert_eq!(first(&["h"]), "curve25519-sha256");
        assert!(first(&["--prefer-pq", "h"]).starts_with("mlkem768"));
    }

    #[test]
    fn a_second_look_goes_the_same_way() {
        let config =
            config(&["--resolver=[2001:db8::53]:53", "--source=::1", "--interface=lo", "-6", "h"]).expect("valid");
        assert_eq!(config.reach_options(), "--resolver '[2001:db8::53]:53' --source ::1 --interface lo -6 ");
    }

    /// Without a list of revoked keys a second look would call a revoked key known.
    #[test]
    fn a_second_look_judges_by_the_same_files_and_rules() {
        let given = "--known-hosts known --known-hosts 'my keys' --revoked-host-keys krl --bad-keys bad \
                     --host-key-types ssh-rsa --host-key-alias pool --strict-host-keys --check-host-ip ";
        let quoted = given.replace("'my keys'", "QUOTED");
        let words = quoted.split_whitespace().map(|word| if word == "QUOTED" { "my keys" } else { word });
        let config = config(&words.chain(["h"]).collect::<Vec<_>>()).expect("valid");
        assert_eq!(config.reach_options(), given);
    }

    #[test]
    fn a_short_timeout_is_warned_of_where_neighbours_are_asked_for() {
        let warned = |args: &[&str]| !config(args).expect("valid").warnings.is_empty();
        assert!(warned(&["--timeout=2s", "h"]));
        assert!(!warned(&["--timeout=2s", "--proxy=http://127.0.0.1:1", "h"]));
        assert!(!warned(&["--timeout=2s", "--proxy-command=nc %h %p", "h"]));
    }

    #[test]
    fn the_resolver_is_told_what_was_asked_for() {
        let told =
            config(&["--resolver=192.0.2.53", "--resolver=[2001:db8::53]:5353", "-6", "h"]).expect("valid").resolver();
        let servers: Vec<String> = told.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
        assert_eq!(told.families, Families::V6Only);
    }

    #[cfg(feature = "syn")]
    #[test]
    fn a_syn_sweep_goes_straight_to_the_targets_or_not_at_all() {
        let retries = |args: &[&str]| {
            let config = config(args).expect("valid");
            (config.syn.map(|syn| syn.retries), config.retries)
        };
        assert_eq!(retries(&["--syn", "10.0.0.1"]), (Some(2), 1));
        assert_eq!(
            retries(&["--syn", "--retries=0", "--depth=connect", "--proxy-command=none", "10.0.0.1"]),
            (Some(0), 0)
        );
        assert_eq!(retries(&["10.0.0.1"]), (None, 1));
        for (args, line) in [
            (
                &["--proxy-command=nc %h %p"][..],
                "--syn: a program makes the connections (--proxy-command), and SYNs from here do not lead there; leave --syn away",
            ),
            (
                &["--proxy=socks5://192.0.2.1"],
                "--syn: the targets are reached through a proxy (--proxy), and SYNs from here do not lead there; leave --syn away",
            ),
            #[cfg(feature = "login")]
            (
                &["-Jhop"],
                "--syn: the targets are reached through jump hosts (--jump), and SYNs from here do not lead there; leave --syn away",
            ),
            #[cfg(feature = "iap")]
            (
                &["--iap", "--project=p", "--zone=z"],
                "--syn: the targets are reached through the Identity-Aware Proxy, and SYNs from here do not lead there; leave --syn away",
            ),
        ] {
            assert_eq!(config(&[&["--syn", "h"][..], args].concat()).err().as_deref(), Some(line));
        }
    }

    #[cfg(feature = "login")]
    #[test]
    fn ssh_is_led_the_same_way() {
        let options = |args: &[&str]| config(&[args, &["web1"]].concat()).expect("valid").ssh_options();
        assert_eq!(options(&[]).as_deref(), Some(""));
        let told =
            ["-F", "none", "--depth", "login", "-i", "/my keys/id", "-J", "a,b:2222", "--source", "192.0.2.1", "-4"];
        assert_eq!(options(&told).as_deref(), Some("-F none -J a,b:2222 -b 192.0.2.1 -i '/my keys/id' -4 "));
        let command = ["--proxy-command", "nc %h %p"];
        assert_eq!(options(&command).as_deref(), Some("-o 'ProxyCommand=nc %h %p' "));
        assert_eq!(options(&["--proxy", "socks5://192.0.2.1:1080"]), None, "ssh has no proxy of its own");
    }

    #[test]
    fn of_an_option_given_twice_the_last_counts() {
        assert_eq!(config(&["--rate", "0", "--rate", "5", "h"]).expect("valid").rate, 5);
    }
}
