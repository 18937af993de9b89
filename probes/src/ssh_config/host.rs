//! What a configuration comes to for one host.

use std::time::Duration;

use super::expand::{Tokens, expand, tilde};
use super::files::Files;
use super::jump::{self, Jump};
use super::query::{Query, is_safe_host, is_safe_user};
use super::reading::{Reading, SSH_PORT, Stop};
use super::settings::{Located, Settings};
use super::world::{Fault, Local, World};
use crate::trust::{Effect, Problem, Source};

/// Files that ssh offers keys from where no IdentityFile is set, in its order.
const DEFAULT_IDENTITIES: [&str; 7] =
    ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"];

/// Known keys of the user, where UserKnownHostsFile is not set.
const USER_KNOWN_HOSTS: [&str; 2] = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];

/// Known keys of the system, where GlobalKnownHostsFile is not set.
const GLOBAL_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// How one host is reached, with the line that says so beside each value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// The name as given.
    pub original: String,
    /// The name or address to connect to (HostName), in lower case.
    pub hostname: Located<String>,
    /// The port, 22 by default.
    pub port: Located<u16>,
    /// Whom to log in as, by default the local user.
    pub user: Located<String>,
    /// Private keys, in order; `none` is left out.
    pub identity_files: Vec<Located<String>>,
    /// Whether IdentityFile named them: else they are ssh's own, of which most are not there.
    pub identity_files_named: bool,
    /// Only these keys are offered, whatever an agent has more.
    pub identities_only: Located<bool>,
    /// Where the agent is.
    pub identity_agent: Located<IdentityAgent>,
    /// Certificates, in order; `none` is left out.
    pub certificate_files: Vec<Located<String>>,
    /// The user's known_hosts files; empty for `none`.
    pub user_known_hosts: Vec<Located<String>>,
    /// The system's; empty for `none`.
    pub global_known_hosts: Vec<Located<String>>,
    /// A file of revoked keys.
    pub revoked_host_keys: Option<Located<String>>,
    /// The name to look up in known_hosts in place of the host's.
    pub host_key_alias: Option<Located<String>>,
    /// A command that lists known keys. It is told here and never run.
    pub known_hosts_command: Option<Located<String>>,
    /// A command as the way there.
    pub proxy_command: Option<Located<ProxyCommand>>,
    /// Hosts on the way there, the first one in front.
    pub proxy_jump: Option<Located<Vec<Jump>>>,
    /// The longest wait for a connection, whole seconds.
    pub connect_timeout: Option<Located<Duration>>,
    /// How often to try, 1 by default.
    pub connection_attempts: Located<u32>,
    /// Host-key algorithms as written; [`super::resolve_algorithms`] makes a list of it. So the next three.
    pub host_key_algorithms: Option<Located<String>>,
    /// Key exchange methods as written.
    pub kex_algorithms: Option<Located<String>>,
    /// Ciphers as written.
    pub ciphers: Option<Located<String>>,
    /// MACs as written.
    pub macs: Option<Located<String>>,
    /// Signature algorithms for user keys as written.
    pub pubkey_accepted_algorithms: Option<Located<String>>,
    /// Signature algorithms of authorities as written.
    pub ca_signature_algorithms: Option<Located<String>>,
    /// What becomes of unknown and changed keys.
    pub strict_host_key_checking: Located<StrictHostKeyChecking>,
    /// Whether the address is looked up beside the name.
    pub check_host_ip: Located<bool>,
    /// Whether SSHFP records are asked for: `true`, `false`, `ask`.
    pub verify_host_key_dns: Option<Located<String>>,
    /// The least RSA key that is accepted, in bits.
    pub required_rsa_size: Option<Located<u32>>,
    /// The local address to connect from.
    pub bind_address: Option<Located<String>>,
    /// The interface to connect from.
    pub bind_interface: Option<Located<String>>,
    /// Which addresses may be used.
    pub address_family: Located<AddressFamily>,
    /// Methods of authentication, in order, where PreferredAuthentications is set.
    pub preferred_authentications: Option<Located<Vec<String>>>,
    /// No question is asked.
    pub batch_mode: Located<bool>,
    /// All values as the lines gave them.
    pub settings: Settings,
    /// What was passed over, and where.
    pub warnings: Vec<Problem>,
}

/// Where the agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityAgent {
    /// Where `$SSH_AUTH_SOCK` says.
    Default,
    /// None is asked.
    None,
    /// Where another variable says, which may not be set.
    Variable(String),
    /// A socket.
    Socket(String),
}

/// What becomes of unknown and changed keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrictHostKeyChecking {
    /// `no`, `off`.
    Off,
    /// `accept-new`.
    AcceptNew,
    /// `ask`, the default.
    Ask,
    /// `yes`.
    Yes,
}

/// Which addresses may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// `any`, the default.
    Any,
    /// `inet`.
    Inet,
    /// `inet6`.
    Inet6,
}

/// A ProxyCommand: as written, and for this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyCommand {
    /// As written.
    pub written: String,
    /// With its tokens replaced, for a shell; or why that was not done. ssh runs it with `exec ` in front.
    pub command: Result<String, BadCommand>,
}

/// Why a ProxyCommand cannot be run for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// A shell would take a name for more than a name. ssh lets such pass if they come from a file.
    #[error("%{token} would hand \"{name}\" to a shell", name = crate::escape::escape(name))]
    UnsafeName {
        /// The token's letter.
        token: char,
        /// What it stands for.
        name: String,
    },
    /// A token that means nothing there. ssh tells when it is to connect.
    #[error("{0}")]
    Token(String),
}

/// Everything that is wrong, at least one thing. ssh would refuse to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let sign = if at == 0 { "" } else { "\n" };
            write!(f, "{sign}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Looks a host up.
///
/// # Errors
/// What is wrong in the files, with file and line. Like ssh, this gives no configuration where a line is wrong, also where
/// it would not hold for this host.
pub fn resolve(query: &Query, files: &Files, local: &Local, world: &dyn World) -> Result<HostConfig, Problems> {
    let mut reading = Reading {
        local,
        world,
        original: &query.host,
        host: query.host.clone(),
        final_pass: false,
        wants_final: false,
        settings: Settings::default(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let whole = read(&mut reading, query, files);
    match whole {
        Ok(config) => Ok(config),
        Err(Stop) => Err(Problems(reading.problems)),
    }
}

fn read(reading: &mut Reading<'_>, query: &Query, files: &Files) -> Result<HostConfig, Stop> {
    if let Some(user) = &query.user {
        reading.settings.set("user", Located::unplaced(user.clone()));
    }
    if let Some(port) = query.port {
        reading.settings.set("port", Located::unplaced(port.to_string()));
    }
    for option in &query.options {
        reading.option(option)?;
    }
    pass(reading, files)?;
    let hostname = reading.final_host().or_else(|what| fail(reading, "hostname", what))?;
    let placed = reading.settings.first("hostname").and_then(|setting| setting.at.clone());
    let canonicalize =
        reading.settings.first("canonicalizehostname").filter(|setting| setting.value != "false").cloned();
    if let Some(setting) = &canonicalize
        && let Some(at) = setting.at.clone()
    {
        let what = String::from("CanonicalizeHostname is not done: the name is taken as it is");
        reading.warnings.push(Problem { effect: Effect::Counts, at, what });
    }
    if reading.wants_final || canonicalize.is_some() {
        reading.settings.set("hostname", Located { value: hostname.clone(), at: placed.clone() });
        reading.host.clone_from(&hostname);
        reading.final_pass = true;
        pass(reading, files)?;
    }
    let mut seen = Vec::new();
    reading.warnings.retain(|warning| {
        // The second pass tells everything again.
        let new = !seen.contains(warning);
        seen.push(warning.clone());
        new
    });
    Builder { hostname: Located { value: hostname, at: placed }, query, reading }.build()
}

fn pass(reading: &mut Reading<'_>, files: &Files) -> Result<(), Stop> {
    for (path, standing) in files.in_order(reading.local) {
        match reading.file(&path, standing, None)? {
            Err(fault) if matches!(files, Files::Named(_)) => {
                let why = match fault {
                    Fault::Other(why) => why,
                    _ => String::from("there is no such file"),
                };
                let at = Source { file: path.into(), line: None };
                reading.problems.push(Problem { effect: Effect::LeftOut, at, what: format!("cannot be read: {why}") });
                return Err(Stop);
            }
            // One of ssh's own places, where it does not mind.
            _ => {}
        }
    }
    Ok(())
}

/// Notes what is wrong with a value that came from a line long read.
fn fail<T>(reading: &mut Reading<'_>, keyword: &str, what: String) -> Result<T, Stop> {
    let at = reading.settings.first(keyword).and_then(|setting| setting.at.clone());
    let at = at.unwrap_or_else(|| Source { file: "command-line".into(), line: None });
    reading.problems.push(Problem {
        effect: Effect::LeftOut,
        at,
        what: crate::escape::escape(format!("{keyword}: {what}")),
    });
    Err(Stop)
}

struct Builder<'a, 'r> {
    hostname: Located<String>,
    query: &'a Query,
    reading: &'a mut Reading<'r>,
}

impl Builder<'_, '_> {
    fn build(self) -> Result<HostConfig, Stop> {
        let settings = self.reading.settings.clone();
        let (local, world) = (self.reading.local, self.reading.world);
        let user = settings.first("user").cloned().unwrap_or_else(|| Located::unplaced(local.user.clone()));
        let port = number(&settings, "port").and_then(|port| match u16::try_from(port.value) {
            Ok(value) => Some(Located { value, at: port.at }),
            Err(_) => None,
        });
        let port = port.unwrap_or(Located::unplaced(SSH_PORT));
        let jump = settings.first("proxyjump").filter(|jump| jump.value != "none").cloned();
        let tokens = Tokens {
            local,
            host: &self.hostname.value.clone(),
            original: &self.query.host,
            alias: settings.text("hostkeyalias").unwrap_or(&self.query.host),
            port: port.value,
            user: &user.value,
            jump: jump.as_ref().map_or("", |jump| &jump.value),
        };
        let path = |text: &str| {
            let absolute = tilde(text, local, world)?;
            expand(&absolute, |letter| tokens.client(letter), Some(&|name| world.variable(name)))
        };
        let mut paths = |keyword: &'static str, defaults: Vec<String>, expanded: bool| -> Result<Vec<_>, Stop> {
            let set = settings.all(keyword);
            let defaults: Vec<_> = defaults.into_iter().map(Located::unplaced).collect();
            let list = if set.is_empty() { &defaults } else { set };
            let named = list.iter().filter(|setting| !setting.value.eq_ignore_ascii_case("none"));
            let made = named.map(|setting| {
                let value = if expanded { path(&setting.value) } else { tilde(&setting.value, local, world) };
                value.map(|value| Located { value, at: setting.at.clone() })
            });
            made.collect::<Result<Vec<_>, String>>().or_else(|what| fail(self.reading, keyword, what))
        };
        let identities = DEFAULT_IDENTITIES.iter().map(|name| format!("~/.ssh/{name}")).collect();
        let identity_files = paths("identityfile", identities, true)?;
        let certificate_files = paths("certificatefile", Vec::new(), true)?;
        let user_known_hosts = paths("userknownhostsfile", USER_KNOWN_HOSTS.map(str::to_owned).to_vec(), true)?;
        let global_known_hosts = paths("globalknownhostsfile", GLOBAL_KNOWN_HOSTS.map(str::to_owned).to_vec(), false)?;
        let revoked_host_keys = paths("revokedhostkeys", Vec::new(), true)?.into_iter().next();
        let agent = settings.first("identityagent").cloned();
        let identity_agent = match agent {
            None => Located::unplaced(IdentityAgent::Default),
            Some(agent) => {
                let value = match &*agent.value {
                    "SSH_AUTH_SOCK" => Ok(IdentityAgent::Default),
                    text if text.eq_ignore_ascii_case("none") => Ok(IdentityAgent::None),
                    text => match text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                        Some(name) => Ok(IdentityAgent::Variable(name.to_owned())),
                        None => path(text).map(IdentityAgent::Socket),
                    },
                };
                let value = value.or_else(|what| fail(self.reading, "identityagent", what))?;
                Located { value, at: agent.at }
            }
        };
        let proxy =
            settings.first("proxycommand").filter(|command| !command.value.eq_ignore_ascii_case("none")).cloned();
        let proxy = proxy.filter(|_| jump.is_none());
        let proxy_command = proxy.map(|proxy| proxy.map(|written| proxy_command(written, &tokens)));
        let proxy_jump = jump.and_then(|jump| {
            let chain = jump::chain(&jump.value)?;
            Some(Located { value: chain, at: jump.at })
        });
        let connection_attempts = number(&settings, "connectionattempts").unwrap_or(Located::unplaced(1));
        if connection_attempts.value == 0 {
            return fail(self.reading, "connectionattempts", String::from("0 tries are none"));
        }
        let text = |keyword: &str| settings.first(keyword).cloned();
        let flag = |keyword: &str| {
            let set = settings.first(keyword).cloned();
            set.map_or(Located::unplaced(false), |setting| setting.map(|value| value == "yes"))
        };
        Ok(HostConfig {
            original: self.query.host.clone(),
            identity_files,
            identity_files_named: settings.first("identityfile").is_some(),
            identities_only: flag("identitiesonly"),
            identity_agent,
            certificate_files,
            user_known_hosts,
            global_known_hosts,
            revoked_host_keys,
            host_key_alias: text("hostkeyalias"),
            known_hosts_command: text("knownhostscommand")
                .filter(|command| !command.value.eq_ignore_ascii_case("none")),
            proxy_command,
            proxy_jump,
            connect_timeout: number(&settings, "connecttimeout")
                .map(|seconds| seconds.map(|seconds| Duration::from_secs(seconds.into()))),
            connection_attempts,
            host_key_algorithms: text("hostkeyalgorithms"),
            kex_algorithms: text("kexalgorithms"),
            ciphers: text("ciphers"),
            macs: text("macs"),
            pubkey_accepted_algorithms: text("pubkeyacceptedalgorithms"),
            ca_signature_algorithms: text("casignaturealgorithms"),
            strict_host_key_checking: text("stricthostkeychecking").map_or(
                Located::unplaced(StrictHostKeyChecking::Ask),
                |setting| {
                    setting.map(|value| match &*value {
                        "true" => StrictHostKeyChecking::Yes,
                        "false" => StrictHostKeyChecking::Off,
                        "accept-new" => StrictHostKeyChecking::AcceptNew,
                        _ => StrictHostKeyChecking::Ask,
                    })
                },
            ),
            check_host_ip: flag("checkhostip"),
            verify_host_key_dns: text("verifyhostkeydns"),
            required_rsa_size: number(&settings, "requiredrsasize"),
            bind_address: text("bindaddress"),
            bind_interface: text("bindinterface"),
            address_family: text("addressfamily").map_or(Located::unplaced(AddressFamily::Any), |setting| {
                setting.map(|value| match &*value {
                    "inet" => AddressFamily::Inet,
                    "inet6" => AddressFamily::Inet6,
                    _ => AddressFamily::Any,
                })
            }),
            preferred_authentications: text("preferredauthentications")
                .map(|setting| setting.map(|list| list.split(',').map(str::to_owned).collect())),
            batch_mode: flag("batchmode"),
            hostname: self.hostname,
            port,
            user,
            settings,
            warnings: std::mem::take(&mut self.reading.warnings),
        })
    }
}

/// Names that come from a file or the command line are held against what a shell reads before one gets them.
fn proxy_command(written: String, tokens: &Tokens<'_>) -> ProxyCommand {
    let mut hostile = None;
    let expanded = expand(
        &written,
        |token| {
            let name = tokens.proxy(token)?;
            let safe = if token == 'r' { is_safe_user(&name) } else { is_safe_host(&name) };
            if !safe {
                hostile.get_or_insert(BadCommand::UnsafeName { token, name: name.clone() });
            }
            Some(name)
        },
        None,
    );
    ProxyCommand { written, command: hostile.map_or(expanded.map_err(BadCommand::Token), Err) }
}

fn number(settings: &Settings, keyword: &str) -> Option<Located<u32>> {
    let setting = settings.first(keyword)?;
    Some(Located { value: setting.value.parse().ok()?, at: setting.at.clone() })
}
