//! Which way each target goes, by what ssh_config and inventories say of it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::algorithm::{CIPHER, HOST_KEY, KEX, MAC};
use sshprobe_probes::case::Settings;
use sshprobe_probes::escape::escape;
use sshprobe_probes::negotiate::Offer;
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::ssh_config::{HostConfig, Located, resolve_algorithms};
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::trust::Policy;

#[cfg(feature = "login")]
use crate::cli::config::Way;
use crate::cli::config::{CONNECT_TIMEOUT_TELLS, Config};
use crate::cli::hosts::{NamedHosts, Once, paths};
#[cfg(feature = "login")]
use crate::cli::jumps::Jumps;
use crate::engine::{Assigned, By, Options, Route};
use crate::error::Error;
use crate::report::span::show;
use crate::target::{Expression, Families, Hosts};
#[cfg(feature = "login")]
use crate::transport::jump::Farewells;
use crate::transport::{ProxyCommand, Road, Tcp};
use crate::trust::{KnownHostsFiles, TrustFiles};

/// Gives each target its way. Blocks on files, and on the commands of `Match exec` where they are allowed.
pub(super) struct Routes {
    pub(super) hosts: Arc<NamedHosts>,
    given: Said,
    pub(super) options: Options,
    /// The way of all targets without one of their own.
    usual: Road,
    tcp: OnceCell<Result<Tcp, String>>,
    programs: ProxyCommand,
    #[cfg(feature = "login")]
    pub(super) jumps: Jumps,
    families: Families,
    trust_files: TrustFiles,
    user: String,
    settings: HashMap<Rules, Result<Arc<Settings>, String>>,
    pub(super) once: Once,
    pub(super) warnings: Vec<String>,
}

/// What the command line says itself, which outweighs every file.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// `-l`.
    pub user: Option<String>,
    /// `-p`.
    pub port: bool,
    /// `--connect-timeout`.
    pub connect_timeout: bool,
    /// `--known-hosts`.
    pub known_hosts: bool,
    /// `--host-key-alias`.
    pub alias: bool,
    /// A way to all targets.
    pub way: bool,
    /// How many programs run at a time.
    pub programs: usize,
}

/// What of a host's configuration decides how it is judged; hosts with the same share their settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Rules {
    known_hosts: Option<Vec<PathBuf>>,
    revoked: Option<PathBuf>,
    alias: Option<String>,
    /// Lists of algorithms as written, with the place.
    lists: Vec<(Slot, (String, String))>,
}

/// Why there is no way to a host.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRoad {
    /// The hosts on it are reached through each other.
    #[cfg(feature = "login")]
    #[error("more than {} hosts on the way: they need each other", Jumps::MOST)]
    Endless,
    #[error("{0}")]
    Because(String),
}

impl From<String> for NoRoad {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl From<NoRoad> for String {
    fn from(why: NoRoad) -> Self {
        why.to_string()
    }
}

impl Routes {
    /// For a run with these options.
    ///
    /// # Errors
    /// The way that was asked for cannot be gone from here.
    pub(super) fn new(config: &Config, options: &Options) -> Result<Self, Error> {
        #[cfg_attr(not(feature = "login"), expect(unused_mut, reason = "only a jump host changes it"))]
        let mut routes = Self {
            hosts: Arc::clone(&config.hosts),
            given: config.given.clone(),
            options: options.clone(),
            programs: ProxyCommand::new(options.clock, "", config.given.programs),
            usual: config.road(options)?,
            tcp: OnceCell::new(),
            #[cfg(feature = "login")]
            jumps: Jumps::new(config),
            families: config.families,
            trust_files: config.trust_files.clone(),
            user: config.user.clone(),
            settings: HashMap::new(),
            once: Once::default(),
            warnings: Vec::new(),
        };
        #[cfg(feature = "login")]
        if let Way::Jump(chain) = &config.way {
            let road = routes.chain(chain, 0).map_err(|why| Error::usage(format!("--jump: {why}")))?;
            routes.usual = road;
        }
        Ok(routes)
    }

    /// The jump hosts that there are, or come to be, to be left in the end.
    #[cfg(feature = "login")]
    pub(super) fn farewells(&self) -> Farewells {
        self.jumps.farewells.clone()
    }

    /// The way of all targets without one of their own.
    pub(super) const fn usual(&self) -> &Road {
        &self.usual
    }

    /// What there was to tell since the last time, one line each.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// How a target is reached.
    pub(super) fn assign(&mut self, mut target: Target) -> Assigned<Road> {
        if self.hosts.is_empty() || self.usual_is_relay() {
            return target.into();
        }
        let found = self.hosts.lookup(&target, self.given.user.as_deref(), self.given.port);
        let by = match found {
            None => By::Usual,
            Some(Ok(host)) => self.route(&mut target, &host).unwrap_or_else(By::Nothing),
            Some(Err(why)) => By::Nothing(why),
        };
        Assigned { target, by }
    }

    /// Instances are looked up by Google's relay, and their names are none of ssh's.
    const fn usual_is_relay(&self) -> bool {
        #[cfg(feature = "iap")]
        return matches!(self.usual, Road::Iap(_));
        #[cfg(not(feature = "iap"))]
        false
    }

    fn route(&mut self, target: &mut Target, host: &HostConfig) -> Result<By<Road>, String> {
        // What was given stays what it is, also where the configuration could not be asked with it.
        if target.user.is_none() && self.given.user.is_none() && host.user.value != self.user {
            target.user = Some(host.user.value.as_str().into());
        }
        self.locate(target, host)?;
        let rules = self.rules(host);
        let settings = if rules == Rules::default() { None } else { Some(self.settings(&rules)?) };
        let connect = self.connect_timeout(host);
        let transport = if self.given.way {
            connect.map(|connect| self.usual.clone().within(connect))
        } else {
            self.transport(host, connect, 0)?
        };
        #[cfg(feature = "login")]
        let credentials = self.login_with(host);
        #[cfg(feature = "login")]
        let as_usual = credentials.is_none();
        #[cfg(not(feature = "login"))]
        let as_usual = true;
        if settings.is_none() && transport.is_none() && as_usual {
            return Ok(By::Usual);
        }
        Ok(By::Own(Arc::new(Route {
            transport: transport.unwrap_or_else(|| self.usual.clone()),
            settings: settings.unwrap_or_else(|| Arc::clone(&self.options.settings)),
            connect_timeout: connect.unwrap_or(self.options.connect_timeout),
            #[cfg(feature = "login")]
            credentials,
        })))
    }

    /// Moves a target to where its configuration says it is.
    pub(super) fn locate(&mut self, target: &mut Target, host: &HostConfig) -> Result<(), String> {
        for problem in &host.warnings {
            self.warnings.extend(self.once.tell(escape(problem.to_string())));
        }
        target.port = host.port.value;
        let place = self.place(&host.hostname)?;
        target.place = (place != target.host).then(|| Box::new(place));
        Ok(())
    }

    /// Where a host is (HostName).
    pub(super) fn place(&self, hostname: &Located<String>) -> Result<Host, String> {
        let text = hostname.value.as_str();
        let at = placed(hostname);
        let bracketed = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
        let place =
            Expression::parse(&bracketed).map_err(|why| format!("{at}the host's name cannot be used: {why}"))?;
        match place {
            Expression { user: None, hosts: Hosts::Name(name), ports: None } => Ok(Host::Name(name.into())),
            Expression { user: None, hosts: Hosts::Addresses(range), ports: None } if range.is_single() => {
                let (addr, scope) = range.space.address(range.first);
                self.allowed(addr).map_err(|why| format!("{at}{why}"))?;
                Ok(Host::Addr(addr, scope))
            }
            _ => Err(format!("{at}`{}` is no name of a host", escape(text))),
        }
    }

    fn allowed(&self, addr: IpAddr) -> Result<(), String> {
        if self.families.allow(addr) {
            return Ok(());
        }
        let option = if matches!(self.families, Families::V4Only) { "-4" } else { "-6" };
        Err(format!("{addr} is not of the family that {option} allows"))
    }

    /// What transport a host needs by its configuration; `None` where that has nothing to say. `depth` counts the hosts behind
    /// this one that are reached through it.
    pub(super) fn transport(
        &mut self,
        host: &HostConfig,
        connect: Option<Duration>,
        depth: usize,
    ) -> Result<Option<Road>, NoRoad> {
        if let Some(jump) = &host.proxy_jump {
            let at = placed(jump);
            #[cfg(feature = "login")]
            return match self.chain(&jump.value, depth) {
                Ok(road) => Ok(Some(connect.map_or(road.clone(), |connect| road.within(connect)))),
                // Hosts that need each other: the line that it begins with says it, not each of them over and over.
                Err(NoRoad::Endless) if depth > 0 => Err(NoRoad::Endless),
                Err(why) => Err(format!("{at}ProxyJump: {why}").into()),
            };
            #[cfg(not(feature = "login"))]
            return Err(format!("{at}ProxyJump: this build has no jump hosts ({depth})").into());
        }
        if let Some(command) = &host.proxy_command {
            let at = placed(command);
            let told = |why: &dyn std::fmt::Display| format!("{at}ProxyCommand: {why}");
            if self.options.settings.plan.depth == Depth::Connect {
                return Err(told(
                    &"a program does not say when it is connected; take --depth ident, or --proxy-command none",
                )
                .into());
            }
            let ready = command.value.command.as_ref().map_err(|why| told(why))?;
            return Ok(Some(Road::Command(self.programs.ready(ready))));
        }
        Ok(self.tcp(connect)?)
    }

    /// The network alone, for a host with a ConnectTimeout of its own.
    pub(super) fn tcp(&self, connect: Option<Duration>) -> Result<Option<Road>, String> {
        connect.map(|connect| Ok(Road::Tcp(self.plain_tcp()?.within(connect)))).transpose()
    }

    /// The network alone. Where connections begin is looked at once.
    pub(super) fn plain_tcp(&self) -> Result<Tcp, String> {
        self.tcp.get_or_init(|| self.options.tcp().map_err(|why| why.to_string())).clone()
    }

    /// ConnectTimeout, where it is another than the run's.
    pub(super) fn connect_timeout(&mut self, host: &HostConfig) -> Option<Duration> {
        let given = host.connect_timeout.as_ref().filter(|_| !self.given.connect_timeout)?;
        let connect = given.value.min(self.options.settings.plan.timeout);
        if connect < CONNECT_TIMEOUT_TELLS {
            let at = placed(given);
            let line = format!(
                "{at}ConnectTimeout {} is short: an unreachable host is known as such only after 3.1s and looks silent before",
                show(connect)
            );
            self.warnings.extend(self.once.tell(line));
        }
        (connect != self.options.connect_timeout).then_some(connect)
    }

    fn rules(&self, host: &HostConfig) -> Rules {
        self.rules_under(host, &self.options.settings)
    }

    /// What of a host's configuration counts where its like are judged by `usual`.
    pub(super) fn rules_under(&self, host: &HostConfig, usual: &Settings) -> Rules {
        let judged = usual.trust.as_ref().is_some_and(|trust| trust.known_hosts.is_some());
        let set = |keyword: &str| host.settings.first(keyword).is_some();
        let files = judged && !self.given.known_hosts && (set("userknownhostsfile") || set("globalknownhostsfile"));
        let alias = host.host_key_alias.as_ref().filter(|_| judged && !self.given.alias);
        let written = [
            (Slot::Kex, &host.kex_algorithms),
            (Slot::HostKey, &host.host_key_algorithms),
            (Slot::Cipher, &host.ciphers),
            (Slot::Mac, &host.macs),
        ];
        let lists = written.into_iter().filter_map(|(slot, list)| {
            let list = list.as_ref()?;
            Some((slot, (list.value.clone(), placed(list))))
        });
        Rules {
            known_hosts: files.then(|| [paths(&host.user_known_hosts), paths(&host.global_known_hosts)].concat()),
            revoked: host.revoked_host_keys.as_ref().filter(|_| judged).map(|file| PathBuf::from(&file.value)),
            alias: alias.map(|alias| alias.value.clone()),
            lists: lists.collect(),
        }
    }

    /// The settings of hosts with these rules. Made once: a file that names a fleet's known hosts is read once.
    fn settings(&mut self, rules: &Rules) -> Result<Arc<Settings>, String> {
        if let Some(made) = self.settings.get(rules) {
            return made.clone();
        }
        let base = Arc::clone(&self.options.settings);
        let made = self.make(rules, &base).map(Arc::new);
        self.settings.insert(rules.clone(), made.clone());
        made
    }

    pub(super) fn make(&mut self, rules: &Rules, base: &Settings) -> Result<Settings, String> {
        let plan = Arc::new(Plan { offer: Arc::new(offer(&base.plan.offer, rules)?), ..Plan::clone(&base.plan) });
        let trust = match &base.trust {
            Some(trust) => Some(Arc::new(self.policy(trust, rules)?)),
            None => None,
        };
        Ok(Settings { plan, trust, ..Settings::clone(base) })
    }

    fn policy(&mut self, usual: &Policy, rules: &Rules) -> Result<Policy, String> {
        let mut policy = Policy::clone(usual);
        if let Some(alias) = &rules.alias {
            policy.alias = Some(alias.as_str().into());
        }
        if let Some(files) = &rules.known_hosts {
            let files = TrustFiles { known_hosts: KnownHostsFiles::Configured(files.clone()), ..TrustFiles::default() };
            policy.known_hosts = self.load(&files)?.known_hosts;
        }
        if let Some(file) = &rules.revoked {
            let revoked = self.trust_files.revoked.iter().chain([file]).cloned().collect();
            let files = TrustFiles { known_hosts: KnownHostsFiles::None, revoked, bad_keys: Vec::new() };
            policy.revoked = self.load(&files)?.revoked;
        }
        Ok(policy)
    }

    fn load(&mut self, files: &TrustFiles) -> Result<Policy, String> {
        let loaded = files.load().map_err(|error| error.to_string())?;
        for line in loaded.warnings {
            self.warnings.extend(self.once.tell(line));
        }
        Ok(loaded.policy)
    }
}

/// The line that gives a value, in front of what is said of it.
pub(super) fn placed<V>(value: &Located<V>) -> String {
    value.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default()
}

/// What is offered where ssh_config says it. Of what its lists name, what cannot be spoken here is left out.
fn offer(usual: &Offer, rules: &Rules) -> Result<Offer, String> {
    let mut offer = usual.clone();
    for (keyword, (written, at)) in &rules.lists {
        let bad = |why: &dyn std::fmt::Display| format!("{at}{}: {why}", keyword.name());
        let (defaults, all) = keyword.names(usual);
        let list = resolve_algorithms(written, &defaults, &all).map_err(|why| bad(&why))?;
        offer = match keyword {
            Slot::Kex => offer.with_kex(&list),
            Slot::HostKey => offer.with_host_key(&list),
            Slot::Cipher => offer.with_cipher(&list),
            Slot::Mac => offer.with_mac(&list),
        }
        .map_err(|why| bad(&why))?;
    }
    Ok(offer)
}

/// A list of KEXINIT that ssh_config has a keyword for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    Kex,
    HostKey,
    Cipher,
    Mac,
}

impl Slot {
    const fn name(self) -> &'static str {
        match self {
            Self::Kex => "KexAlgorithms",
            Self::HostKey => "HostKeyAlgorithms",
            Self::Cipher => "Ciphers",
            Self::Mac => "MACs",
        }
    }

    /// What is offered, and all that can be spoken.
    fn names(self, usual: &Offer) -> (Vec<&'static str>, Vec<&'static str>) {
        match self {
            Self::Kex => (usual.kex_names(), KEX.iter().map(|it| it.name).collect()),
            Self::HostKey => (usual.host_key_names(), HOST_KEY.iter().map(|it| it.name).collect()),
            Self::Cipher => (usual.cipher_names(), CIPHER.iter().map(|it| it.name).collect()),
            Self::Mac => (usual.mac_names(), MAC.iter().map(|it| it.name).collect()),
        }
    }
}
