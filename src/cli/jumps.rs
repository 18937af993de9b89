//! Jump hosts on the way to targets, and the keys that ssh_config names to log in with.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use sshprobe_probes::case::Settings;
use sshprobe_probes::escape::escape;
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::ssh_config::{HostConfig, IdentityAgent, Jump as Hop, Located, straight};
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::trust::KeyTypes;

use crate::cli::config::Config;
use crate::cli::routes::{NoRoad, Routes, Rules, placed};
use crate::engine::{JumpSession, Route};
use crate::login::{Credentials, Given, auth_sock};
use crate::resolve::{Resolver, ResolverOptions};
use crate::sys::user;
use crate::transport::Road;
use crate::transport::jump::{Farewells, Jump, JumpHost};
use crate::trust::{KnownHostsFiles, TrustFiles};

/// The port of a jump host where nothing says another.
const SSH_PORT: u16 = 22;

/// Jump hosts: what they are logged in to with, and those that have been asked for.
pub(super) struct Jumps {
    /// What judges them where the run has nothing that does.
    own_trust: Option<KnownHostsFiles>,
    /// Where the machine has no name for the local user.
    local_user: String,
    resolver: ResolverOptions,
    credentials: Arc<Credentials>,
    /// `--agent`.
    agent: bool,
    ground: Option<Ground>,
    /// By the hosts before them and their own, as written.
    made: HashMap<String, Road>,
    /// Files that ssh_config names and that are not there, as far as was told.
    missing: HashSet<PathBuf>,
    /// Keys that ssh_config names, by where they are.
    named: HashMap<Named, Option<Arc<Credentials>>>,
    pub(super) farewells: Farewells,
}

/// What all of them are judged by, and found with.
#[derive(Debug, Clone)]
struct Ground {
    settings: Arc<Settings>,
    resolver: Arc<Resolver>,
}

/// Keys that ssh_config names for a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    identities: Vec<PathBuf>,
    certificates: Vec<PathBuf>,
    agent: Option<PathBuf>,
    /// Agents that may have a key whose file holds its public half alone or is encrypted.
    holders: Vec<PathBuf>,
    /// IdentitiesOnly: of the agent's keys only those that a file names.
    only_named: bool,
}

impl Jumps {
    /// So many hosts may be on the way to one: more are a configuration in a circle.
    pub(super) const MOST: usize = 16;

    pub(super) fn new(config: &Config) -> Self {
        Self {
            own_trust: config.hop_files.clone(),
            local_user: config.user.clone(),
            resolver: config.resolver_here(),
            credentials: Arc::new(config.credentials.keys_only()),
            agent: config.login.given.agent,
            missing: HashSet::new(),
            named: HashMap::new(),
            farewells: Farewells::default(),
            made: HashMap::new(),
            ground: None,
        }
    }

    /// What jump hosts have in common, made with the first of them: most runs have none.
    fn ground(&mut self, usual: &Settings) -> Result<Ground, String> {
        if let Some(ground) = &self.ground {
            return Ok(ground.clone());
        }
        // A way is a login, whatever the targets behind it are asked; and whose name `-l` gives is theirs.
        let user = user::name(user::local().as_ref()).unwrap_or_else(|| self.local_user.clone());
        let plan = Plan { depth: Depth::Login, user: user.into(), accept_new: false, ..Plan::clone(&usual.plan) };
        let mut trust = usual.trust.as_deref().cloned();
        if let Some(trust) = &mut trust {
            if trust.known_hosts.is_none()
                && let Some(known_hosts) = self.own_trust.clone()
            {
                // Fetching keys without judging them says nothing about those on the way.
                let files = TrustFiles { known_hosts, ..TrustFiles::default() };
                let loaded = files.load().map_err(|error| error.to_string())?;
                trust.known_hosts = loaded.policy.known_hosts;
            }
            // Its own key is the one it shows first, whatever is fetched of the targets.
            (trust.key_types, trust.alias) = (KeyTypes::First, None);
        }
        let settings = Settings { plan: Arc::new(plan), trust: trust.map(Arc::new), ..Settings::clone(usual) };
        let resolver = Arc::new(Resolver::new(self.resolver.clone()));
        Ok(self.ground.insert(Ground { settings: Arc::new(settings), resolver }).clone())
    }
}

impl Routes {
    /// How many hosts are on the way to others, as far as targets were assigned.
    pub(super) fn jump_hosts(&self) -> u64 {
        self.jumps.made.len() as u64
    }

    /// The way through these hosts, one behind the other. Each is logged in to once for the whole run.
    pub(super) fn chain(&mut self, chain: &[Hop], depth: usize) -> Result<Road, NoRoad> {
        let (straight, chain) = straight(chain);
        let (mut road, mut key) = (None, if straight { String::from("none,") } else { String::new() });
        for hop in chain {
            key += &format!("{hop},");
            road = Some(match self.jumps.made.get(&key) {
                Some(made) => made.clone(),
                None => {
                    let made = self.hop(hop, road, straight, depth + 1)?;
                    self.jumps.made.entry(key.clone()).or_insert(made).clone()
                }
            });
        }
        road.ok_or_else(|| String::from("no host is named").into())
    }

    /// What to log in to a target with, if its configuration names keys of its own.
    pub(super) fn login_with(&mut self, host: &HostConfig) -> Option<Arc<Credentials>> {
        if self.options.settings.plan.depth < Depth::Login {
            return None;
        }
        let named = self.named_keys(host)?;
        Some(Arc::new(self.options.credentials.behind(Credentials::clone(&named))))
    }

    /// The keys that a host's configuration names (IdentityFile, CertificateFile, IdentityAgent): those are given, as what is on
    /// the command line is. ssh's own defaults are not. A key is read, and its passphrase asked for, once.
    fn named_keys(&mut self, host: &HostConfig) -> Option<Arc<Credentials>> {
        let agent = match &host.identity_agent.value {
            IdentityAgent::Socket(socket) => Some(PathBuf::from(socket)),
            IdentityAgent::Variable(name) => std::env::var_os(name).map(PathBuf::from),
            IdentityAgent::Default | IdentityAgent::None => None,
        };
        // ssh has one agent for a host. What --agent gives is given whatever the file says.
        let own = self.jumps.agent || host.identity_agent.value == IdentityAgent::Default;
        let holders = agent.iter().cloned().chain(auth_sock().filter(|_| own)).collect();
        let named_files = if host.identity_files_named { &host.identity_files[..] } else { &[] };
        let identities = self.there("IdentityFile", named_files);
        let certificates = self.there("CertificateFile", &host.certificate_files);
        let named = Named { identities, certificates, agent, holders, only_named: host.identities_only.value };
        if let Some(known) = self.jumps.named.get(&named) {
            return known.clone();
        }
        let read = self.usable(&named);
        let read = (!read.is_empty()).then(|| Arc::new(read));
        self.jumps.named.insert(named, read.clone());
        read
    }

    /// Those of the files that are there. As by ssh, another is passed over, and told; once, however many hosts it is named for. Where
    /// only the public half of a key is left (`FILE.pub`), an agent may have the other.
    fn there(&mut self, keyword: &str, files: &[Located<String>]) -> Vec<PathBuf> {
        let mut there = Vec::new();
        for file in files {
            let path = PathBuf::from(&file.value);
            // What cannot be looked at is told where it is read.
            if path.try_exists().unwrap_or(true) {
                there.push(path);
                continue;
            }
            let public = PathBuf::from(format!("{}.pub", file.value));
            if keyword == "IdentityFile" && public.exists() {
                there.push(public);
            } else if self.jumps.missing.insert(path) {
                let (at, name) = (placed(file), escape(&file.value));
                self.warnings.push(format!("{at}{keyword} {name}: there is no such file; hosts are asked without it"));
            }
        }
        there
    }

    /// What of it can be used. As ssh does, what cannot is told and passed over: a host is probed all the same.
    fn usable(&mut self, named: &Named) -> Credentials {
        let mut all = Credentials::default();
        let mut add = |given: Given| {
            let mut told = Vec::new();
            match given.load(&mut told) {
                Ok(read) => all = read.behind(std::mem::take(&mut all)),
                Err(why) if told.is_empty() => told.push(why),
                Err(_) => {}
            }
            for line in told {
                self.warnings.extend(self.once.tell(format!("named by ssh_config: {line}")));
            }
        };
        let given = |identities| Given { identities, holders: named.holders.clone(), ..Given::default() };
        if named.certificates.is_empty() {
            named.identities.iter().for_each(|path| add(given(vec![path.clone()])));
        } else {
            // All of it is read at once, and a public half that no agent has would keep the others out.
            let usable = |path: &&PathBuf| {
                let public = path.extension().is_some_and(|suffix| suffix == "pub");
                !public || given(vec![PathBuf::clone(path)]).load(&mut Vec::new()).is_ok()
            };
            let identities = named.identities.iter().filter(usable).cloned().collect();
            add(Given { certificates: named.certificates.clone(), ..given(identities) });
        }
        if let Some(socket) = named.agent.as_ref().filter(|_| !named.only_named) {
            add(Given { agent_socket: Some(socket.clone()), ..Given::default() });
        }
        all
    }

    /// The way through one host, which is reached over `before`, or, if it is the first, as its own configuration says, unless it
    /// is to be reached straight.
    fn hop(&mut self, hop: &Hop, before: Option<Road>, straight: bool, depth: usize) -> Result<Road, NoRoad> {
        if depth > Jumps::MOST {
            return Err(NoRoad::Endless);
        }
        let host = match self.place(&Located { value: hop.host.clone(), at: None })? {
            // As it is written: ssh_config tells names apart by their case.
            Host::Name(_) => Host::Name(hop.host.as_str().into()),
            host => host,
        };
        let mut target = Target {
            input: hop.host.as_str().into(),
            index: 0,
            host,
            place: None,
            port: hop.port.unwrap_or(SSH_PORT),
            user: hop.user.as_deref().map(Into::into),
            from_range: false,
        };
        let Ground { mut settings, resolver } = self.jumps.ground(&self.options.settings)?;
        let (mut connect, mut own) = (None, None);
        let mut credentials = Arc::clone(&self.jumps.credentials);
        match self.hosts.lookup(&target, None, hop.port.is_some()) {
            None => {}
            Some(Err(why)) => return Err(why.into()),
            Some(Ok(host)) => {
                target.user.get_or_insert_with(|| host.user.value.as_str().into());
                self.locate(&mut target, &host)?;
                let rules = self.rules_under(&host, &settings);
                if rules != Rules::default() {
                    settings = Arc::new(self.make(&rules, &settings)?);
                }
                connect = self.connect_timeout(&host);
                if let Some(named) = self.named_keys(&host) {
                    credentials = Arc::new(credentials.behind(Credentials::clone(&named)));
                }
                if before.is_none() {
                    own = if straight { self.tcp(connect)? } else { self.transport(&host, connect, depth)? };
                }
            }
        }
        let exclusions = &self.options.exclusions;
        if exclusions.cover(target.place(), target.port) || exclusions.cover(&target.host, target.port) {
            return Err(format!("the jump host {hop} is excluded").into());
        }
        let before = before.map(|road| connect.map_or(road.clone(), |connect| road.within(connect)));
        let transport = match before.or(own) {
            Some(road) => road,
            None => Road::Tcp(self.plain_tcp()?),
        };
        let connect_timeout = connect.unwrap_or(self.options.connect_timeout);
        let hosts = transport.jump_hosts() + 1;
        let route = Route { transport, settings, connect_timeout, credentials: Some(credentials) };
        let session = JumpSession::new(target, route, resolver, &self.options);
        let session: Arc<dyn JumpHost> = Arc::new(session);
        self.jumps.farewells.add(Arc::clone(&session));
        Ok(Road::Jump(Jump::new(self.options.clock, session, hosts, self.options.connect_timeout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::engine::By;

    /// How the first target goes, by what these options say.
    fn way(args: &[&str]) -> Arc<Route<Road>> {
        let words = ["sshprobe"].iter().chain(args).map(|word| (*word).into());
        let mut config = Config::new(Cli::of_words(words).unwrap().sweep, 1).unwrap();
        config.load_hosts().unwrap();
        let mut targets = std::mem::take(&mut config.sources).open().unwrap();
        let mut routes = Routes::new(&config, &config.engine()).unwrap();
        match routes.assign(targets.next().unwrap().unwrap()).by {
            By::Own(route) => route,
            other => panic!("{other:?}"),
        }
    }

    fn ssh_config(lines: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        file
    }

    #[test]
    fn hosts_on_the_way_are_counted_those_on_the_way_to_them_among_them() {
        let file = ssh_config("Host far\n  ProxyJump gate\nHost gate\n  ProxyJump outer,middle\n");
        let file = file.path().to_str().unwrap();
        assert_eq!(way(&["-F", file, "far"]).transport.jump_hosts(), 3);
        assert_eq!(way(&["-F", file, "gate"]).transport.jump_hosts(), 2);
    }

    #[test]
    fn a_channel_is_waited_for_as_long_as_the_targets_own_connect_timeout_says() {
        let file = ssh_config("Host far\n  ProxyJump gate\nHost far near\n  ConnectTimeout 4\n");
        let file = file.path().to_str().unwrap();
        for args in [&["-F", file, "far"][..], &["-F", file, "-J", "gate", "near"]] {
            let route = way(args);
            let told = format!("{:?}", route.transport);
            assert!(route.transport.jumps() && told.ends_with("patience: 4s })"), "{told}");
            assert_eq!(route.connect_timeout.as_secs(), 4);
        }
        assert!(format!("{:?}", way(&["-F", file, "-J", "none", "near"]).transport).contains("timeout: 4s"));
    }
}
