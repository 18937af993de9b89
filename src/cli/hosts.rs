//! What is said of hosts by their names: ssh_config, and inventories of Ansible.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sshprobe_probes::escape::escape;
use sshprobe_probes::inventory::{self, InventoryHost};
use sshprobe_probes::ssh_config::{BadQuery, Files, HostConfig, Located, Query, is_safe_user};
use sshprobe_probes::target::{Host, Target, typed_host};
use sshprobe_probes::trust::Source;

use crate::cli::args::HostArgs;
use crate::error::Error;
use crate::report::next::quote;
use crate::ssh_config::SshConfig;
use crate::sys::unread::unread;
use crate::target::{Expression, Listed, Sources, Spelling};

/// What the hosts' names are looked up in.
#[derive(Debug, Default)]
pub struct NamedHosts {
    /// `None` where nothing would be found.
    config: Option<SshConfig>,
    inventory: HashMap<Box<str>, InventoryHost>,
    /// The options as they would be typed again.
    options: String,
}

impl NamedHosts {
    /// Reads what `args` name, and adds the hosts listed there to the sources.
    ///
    /// # Errors
    /// A file that was named cannot be read, or what is read has a fault.
    pub(super) fn load(args: &HostArgs, sources: &mut Sources, warnings: &mut Vec<String>) -> Result<Self, Error> {
        let files = args.ssh_config.as_deref().map_or(Files::Default, Files::named);
        let config = SshConfig::new(files.clone(), args.allow_exec);
        let mut hosts = Self::default();
        if let Some(file) = &args.ssh_config {
            hosts.options += &format!("-F {} ", quote(file));
        }
        if args.allow_exec {
            hosts.options += "--allow-exec ";
        }
        for path in &args.inventory {
            hosts.inventory(path, sources, warnings)?;
        }
        if args.from_ssh_config {
            list_config(&config, sources, warnings)?;
        }
        let there = match &files {
            Files::None => false,
            Files::Named(_) => true,
            Files::Default => config.is_there(),
        };
        if there && (matches!(files, Files::Named(_)) || names_hosts(sources)) {
            // ssh gives no host a configuration where a line is wrong.
            config.check()?;
        }
        if there || !hosts.inventory.is_empty() {
            hosts.config = Some(config);
        }
        Ok(hosts)
    }

    /// Whether nothing is known of any host.
    pub(super) const fn is_empty(&self) -> bool {
        self.config.is_none()
    }

    /// Whether hosts came out of an inventory.
    pub(super) fn of_inventory(&self) -> bool {
        !self.inventory.is_empty()
    }

    /// The options as they would be typed again, with a blank after each.
    pub(super) fn options(&self) -> &str {
        &self.options
    }

    /// How a target is reached; `None` where nothing is said of it: an address of a range, an instance behind the relay.
    ///
    /// `user` and `port_given` are what the command line says, which outweighs everything.
    pub(super) fn lookup(
        &self,
        target: &Target,
        user: Option<&str>,
        port_given: bool,
    ) -> Option<Result<HostConfig, String>> {
        let config = self.config.as_ref()?;
        if target.from_range || matches!(target.host, Host::Iap(_)) {
            return None;
        }
        let listed = self.inventory.get(&*target.input);
        let own_port = listed.is_none() && Expression::parse(&target.input).is_ok_and(|given| given.ports.is_some());
        let own_user = target.user.as_deref().or(user).map(str::to_owned);
        // A name that no shell may be given harms nobody where none gets it.
        let (own_user, unsafe_user) = match own_user {
            Some(user) if !is_safe_user(&user) => (None, true),
            user => (user, false),
        };
        let own_port = (port_given || own_port).then_some(target.port);
        let query = query(typed_host(&target.input), listed, own_user, own_port);
        let found = config.lookup(&query).map_err(|error| error.to_string().replace('\n', "; "));
        let program = |host: &HostConfig| host.proxy_command.is_some() || host.proxy_jump.is_some();
        Some(match found {
            Ok(host) if unsafe_user && program(&host) => Err(BadQuery::User.to_string()),
            found => found,
        })
    }

    /// Whether something is said of a host as it was typed that is not said of its name in lower case. Lines that are asked
    /// for by commands are, where that is allowed.
    fn tell_apart(&self, typed: &str, name: &str, user: Option<&str>) -> bool {
        let Some(config) = &self.config else { return false };
        let user = user.filter(|user| is_safe_user(user));
        let found = |host: &str| {
            let mut found = config.lookup(&query(host, self.inventory.get(host), user.map(str::to_owned), None));
            if let Ok(found) = &mut found {
                // Told apart by what they were called everything would be; and a dot at the end is none of the place.
                found.original.clear();
                found.hostname.value.truncate(found.hostname.value.trim_end_matches('.').len());
            }
            found.map_err(|error| error.to_string())
        };
        found(typed) != found(name)
    }

    fn inventory(&mut self, path: &Path, sources: &mut Sources, warnings: &mut Vec<String>) -> Result<(), Error> {
        let name = escape(path.to_string_lossy().as_ref());
        let content = fs::read(path).map_err(|error| {
            Error::usage(format!("--inventory {name}: cannot be read: {}; name a file in INI or YAML", unread(&error)))
        })?;
        let read = inventory::parse(&name, &content).map_err(|problems| {
            Error::usage(
                problems.iter().map(|problem| format!("--inventory: {problem}")).collect::<Vec<_>>().join("\n"),
            )
        })?;
        warnings.extend(read.warnings.iter().map(|problem| escape(problem.to_string())));
        let before = sources.listed.len();
        for host in read.hosts {
            let by = host.connection.as_ref().map(|connection| &*connection.value);
            if let Some(by) = by.filter(|by| !matches!(*by, "ssh" | "smart" | "paramiko" | "paramiko_ssh")) {
                let (at, name, by) = (&host.at, escape(&host.name), escape(by));
                warnings.push(format!("{at}: {name} is left out: its ansible_connection is {by}"));
                continue;
            }
            if let Some(variable) = host.detour {
                let (at, name) = (&host.at, escape(&host.name));
                warnings.push(format!(
                    "{at}: {name} is left out: {variable} leads through another host or program; say so in ssh_config instead (-F FILE)"
                ));
                continue;
            }
            if list(&host.name, &host.at, sources, warnings) {
                self.inventory.entry(host.name.as_str().into()).or_insert(host);
            }
        }
        if sources.listed.len() == before {
            return Err(Error::usage(format!(
                "--inventory {name}: no host in it that is reached by ssh; name another file"
            )));
        }
        Ok(())
    }
}

/// What is asked for a host that goes by this name. What was said of it outweighs what an inventory lists.
fn query(host: &str, listed: Option<&InventoryHost>, user: Option<String>, port: Option<u16>) -> Query {
    Query {
        host: listed.map_or(host, |it| &it.address.value).to_owned(),
        user: user.or_else(|| Some(listed?.user.as_ref()?.value.clone())),
        port: port.or_else(|| Some(listed?.port.as_ref()?.value)),
        options: listed.and_then(|it| it.identity_file.as_ref()).map(identity).into_iter().collect(),
    }
}

/// Tells names apart that differ in their case only, where ssh would.
#[derive(Debug)]
pub(super) struct AsTold {
    pub(super) hosts: Arc<NamedHosts>,
    /// `-l`.
    pub(super) user: Option<String>,
}

impl Spelling for AsTold {
    fn counts(&self, typed: &str, name: &str, user: Option<&str>) -> bool {
        self.hosts.tell_apart(typed, name, user.or(self.user.as_deref()))
    }
}

/// As Ansible hands it to ssh.
fn identity(file: &Located<String>) -> String {
    format!("IdentityFile \"{}\"", file.value)
}

/// Adds every host that the configuration names one by one.
fn list_config(config: &SshConfig, sources: &mut Sources, warnings: &mut Vec<String>) -> Result<(), Error> {
    let found = config.concrete_hosts();
    warnings.extend(found.problems.iter().map(|problem| escape(problem.to_string())));
    let before = sources.listed.len();
    for host in found.hosts {
        let at = host.at.unwrap_or_else(|| Source { file: "ssh_config".into(), line: None });
        list(&host.value, &at, sources, warnings);
    }
    if sources.listed.len() == before {
        return Err(Error::usage(
            "--from-ssh-config: no Host line names a host without a wildcard; name a file with -F",
        ));
    }
    Ok(())
}

/// Adds a host by its name alone. One that cannot be a target's is told of.
fn list(name: &str, at: &Source, sources: &mut Sources, warnings: &mut Vec<String>) -> bool {
    match Expression::parse(name) {
        Ok(host) if host.user.is_none() && host.ports.is_none() && !host.is_range() && !host.is_relayed() => {
            sources.listed.push(Listed { text: name.to_owned(), place: at.to_string() });
            true
        }
        Ok(_) => {
            warnings.push(format!("{at}: `{}` is left out: it is no name of one host", escape(name)));
            false
        }
        Err(error) => {
            warnings.push(format!("{at}: the host is left out: {error}"));
            false
        }
    }
}

/// Whether a host may be among the targets that was named, so that the configuration counts.
fn names_hosts(sources: &Sources) -> bool {
    let named = |text: &String| Expression::parse(text).is_ok_and(|expression| !expression.is_range());
    !sources.listed.is_empty() || !sources.files.is_empty() || sources.targets.iter().any(named)
}

/// Tells each thing once, however many hosts it is said of.
#[derive(Debug, Default)]
pub(super) struct Once(HashSet<String>);

impl Once {
    /// `line`, unless it was told.
    pub(super) fn tell(&mut self, line: String) -> Option<String> {
        self.0.insert(line.clone()).then_some(line)
    }
}

/// The paths of a configuration's values.
pub(super) fn paths(values: &[Located<String>]) -> Vec<PathBuf> {
    values.iter().map(|value| PathBuf::from(&value.value)).collect()
}
