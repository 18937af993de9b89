//! Jump hosts on the way to targets, and the keys that ssh_config names to log in with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use sshprobe_probes::case::Settings;
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::ssh_config::{HostConfig, IdentityAgent, Jump as Hop, Located};
use sshprobe_probes::target::{Host, Target};
use sshprobe_probes::trust::{KeyTypes, Policy};

use crate::cli::config::Config;
use crate::cli::hosts::paths;
use crate::cli::routes::{Routes, Rules};
use crate::engine::{JumpSession, Options, Route};
use crate::error::Error;
use crate::login::{Credentials, Given};
use crate::resolve::Resolver;
use crate::sys::user;
use crate::transport::Road;
use crate::transport::jump::{Farewells, Jump, JumpHost};
use crate::trust::TrustFiles;

/// The port of a jump host where nothing says another.
const SSH_PORT: u16 = 22;

/// Jump hosts: what they are logged in to with, and those that have been asked for.
pub(super) struct Jumps {
    settings: Arc<Settings>,
    credentials: Arc<Credentials>,
    resolver: Arc<Resolver>,
    /// By the hosts before them and their own, as written.
    made: HashMap<String, Road>,
    /// Keys that ssh_config names, by where they are.
    named: HashMap<Named, Option<Arc<Credentials>>>,
    pub(super) farewells: Farewells,
}

/// Keys that ssh_config names for a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    identities: Vec<PathBuf>,
    certificates: Vec<PathBuf>,
    agent: Option<PathBuf>,
}

impl Jumps {
    /// So many hosts may be on the way to one: more are a configuration in a circle.
    const MOST: usize = 16;

    pub(super) fn new(config: &Config, options: &Options) -> Result<Self, Error> {
        let usual = &options.settings;
        // A way is a login, whatever the targets behind it are asked; and whose name `-l` gives is theirs.
        let user = user::name(user::local().as_ref()).unwrap_or_else(|| config.user.clone());
        let plan = Plan { depth: Depth::Login, user, accept_new: false, ..Plan::clone(&usual.plan) };
        let trust = match &usual.trust {
            // Fetching keys without judging them says nothing about those on the way.
            Some(trust) if trust.known_hosts.is_none() && !config.given.known_hosts => {
                let known_hosts = TrustFiles::default().load()?.policy.known_hosts;
                Some(Arc::new(Policy { known_hosts, ..Policy::clone(trust) }))
            }
            trust => trust.clone(),
        };
        // Its own key is the one it shows first, whatever is fetched of the targets.
        let trust = trust.map(|trust| {
            let first = KeyTypes::First;
            Arc::new(Policy { key_types: first, alias: None, ..Policy::clone(&trust) })
        });
        Ok(Self {
            settings: Arc::new(Settings { plan: Arc::new(plan), trust, ..Settings::clone(usual) }),
            credentials: Arc::new(config.credentials.keys_only()),
            named: HashMap::new(),
            farewells: Farewells::default(),
            resolver: Arc::new(Resolver::new(config.resolver())),
            made: HashMap::new(),
        })
    }
}

impl Routes {
    /// The way through these hosts, one behind the other. Each is logged in to once for the whole run.
    pub(super) fn chain(&mut self, chain: &[Hop], depth: usize) -> Result<Road, String> {
        let (mut road, mut key) = (None, String::new());
        for hop in chain {
            key += &format!("{hop},");
            road = Some(match self.jumps.made.get(&key) {
                Some(made) => made.clone(),
                None => {
                    let made = self.hop(hop, road, depth + 1)?;
                    self.jumps.made.entry(key.clone()).or_insert(made).clone()
                }
            });
        }
        road.ok_or_else(|| String::from("no host is named"))
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
        // As for ssh, a file that is not there is no key.
        let there =
            |files: &[Located<String>]| paths(files).into_iter().filter(|path| path.exists()).collect::<Vec<_>>();
        let agent = match &host.identity_agent.value {
            IdentityAgent::Socket(socket) => Some(PathBuf::from(socket)),
            IdentityAgent::Variable(name) => std::env::var_os(name).map(PathBuf::from),
            IdentityAgent::Default | IdentityAgent::None => None,
        };
        let named = Named {
            identities: if host.identity_files_named { there(&host.identity_files) } else { Vec::new() },
            certificates: there(&host.certificate_files),
            agent,
        };
        if let Some(known) = self.jumps.named.get(&named) {
            return known.clone();
        }
        let read = self.usable(&named);
        let read = (!read.is_empty()).then(|| Arc::new(read));
        self.jumps.named.insert(named, read.clone());
        read
    }

    /// What of it can be used. As ssh does, what cannot is told and passed over: a host is probed all the same.
    fn usable(&mut self, named: &Named) -> Credentials {
        let mut all = Credentials::default();
        let mut add = |given: Given| {
            let mut told = Vec::new();
            match given.load(&mut told) {
                Ok(read) => all = all.behind(read),
                Err(why) if told.is_empty() => told.push(why),
                Err(_) => {}
            }
            for line in told {
                self.warnings.extend(self.once.tell(format!("named by ssh_config: {line}")));
            }
        };
        if let Some(socket) = &named.agent {
            add(Given { agent_socket: Some(socket.clone()), ..Given::default() });
        }
        if named.certificates.is_empty() {
            for path in named.identities.iter().rev() {
                add(Given { identities: vec![path.clone()], ..Given::default() });
            }
        } else {
            let (identities, certificates) = (named.identities.clone(), named.certificates.clone());
            add(Given { identities, certificates, ..Given::default() });
        }
        all
    }

    /// Excluded is excluded, also as a way.
    fn excluded(&self, target: &Target) -> bool {
        match target.place() {
            Host::Addr(addr, scope) => self.options.exclusions.covers_address(*addr, *scope, target.port),
            Host::Name(name) => self.options.exclusions.covers_name(name, target.port),
            Host::Iap(_) => false,
        }
    }

    /// The way through one host, which is reached over `before`, or, if it is the first, as its own configuration says.
    fn hop(&mut self, hop: &Hop, before: Option<Road>, depth: usize) -> Result<Road, String> {
        if depth > Jumps::MOST {
            return Err(format!("more than {} hosts on the way: they need each other", Jumps::MOST));
        }
        let host = self.place(&Located { value: hop.host.clone(), at: None })?;
        let mut target = Target {
            input: hop.host.as_str().into(),
            index: 0,
            host,
            place: None,
            port: hop.port.unwrap_or(SSH_PORT),
            user: hop.user.as_deref().map(Into::into),
            from_range: false,
        };
        let (mut settings, mut connect, mut own) = (Arc::clone(&self.jumps.settings), None, None);
        let mut credentials = Arc::clone(&self.jumps.credentials);
        match self.hosts.lookup(&target, None, hop.port.is_some()) {
            None if self.excluded(&target) => return Err(format!("the jump host {hop} is excluded")),
            None => {}
            Some(Err(why)) => return Err(why),
            Some(Ok(host)) => {
                target.user.get_or_insert_with(|| host.user.value.as_str().into());
                self.locate(&mut target, &host)?;
                if self.excluded(&target) {
                    return Err(format!("the jump host {hop} is excluded"));
                }
                let rules = self.rules_under(&host, &settings);
                if rules != Rules::default() {
                    settings = Arc::new(self.make(&rules, &settings)?);
                }
                connect = self.connect_timeout(&host);
                if let Some(named) = self.named_keys(&host) {
                    credentials = Arc::new(credentials.behind(Credentials::clone(&named)));
                }
                if before.is_none() {
                    own = self.transport(&host, connect, depth)?;
                }
            }
        }
        let transport = match before.or(own) {
            Some(road) => road,
            None => self.options.tcp().map(Road::Tcp).map_err(|why| why.to_string())?,
        };
        let connect_timeout = connect.unwrap_or(self.options.connect_timeout);
        let route = Route { transport, settings, connect_timeout, credentials: None };
        let resolver = Arc::clone(&self.jumps.resolver);
        let session = JumpSession::new(target, route, credentials, resolver, self.options.clock);
        let session: Arc<dyn JumpHost> = Arc::new(session);
        self.jumps.farewells.add(Arc::clone(&session));
        Ok(Road::Jump(Jump::new(self.options.clock, session, self.options.connect_timeout)))
    }
}
