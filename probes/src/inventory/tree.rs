//! Groups, hosts and variables as both formats give them, and what they come to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::model::{Inventory, InventoryGroup, InventoryHost};
use super::range::{self, MOST_HOSTS};
use crate::escape::escape;
use crate::ssh_config::Located;
use crate::trust::{Effect, Problem, Source};

/// The group of all hosts.
pub(super) const ALL: &str = "all";

/// The group of hosts that are in no other.
pub(super) const UNGROUPED: &str = "ungrouped";

/// Variables that say how a host is reached; of two that say the same, Ansible takes the later one here.
const VARIABLES: [&str; 11] = [
    "ansible_host",
    "ansible_ssh_host",
    "ansible_port",
    "ansible_ssh_port",
    "ansible_user",
    "ansible_ssh_user",
    "ansible_ssh_private_key_file",
    "ansible_connection",
    ARGUMENTS[0],
    ARGUMENTS[1],
    ARGUMENTS[2],
];

/// What Ansible gives ssh on its command line.
const ARGUMENTS: [&str; 3] = ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// Whether arguments of ssh's lead by a way that is not in ssh_config: `-J HOST`, `-o ProxyJump=HOST`, `-o ProxyCommand=...`.
fn lead_elsewhere(arguments: &str) -> bool {
    let lower = arguments.to_ascii_lowercase();
    lower.contains("proxyjump")
        || lower.contains("proxycommand")
        || arguments.split_whitespace().any(|word| word.trim_matches(['\'', '"']).starts_with("-J"))
}

type Variables = HashMap<&'static str, Located<String>>;

#[derive(Debug, Default)]
struct Group {
    variables: Variables,
    children: BTreeSet<String>,
    hosts: BTreeSet<usize>,
}

#[derive(Debug)]
struct Host {
    name: String,
    at: Source,
    variables: Variables,
}

/// An inventory while it is read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    groups: BTreeMap<String, Group>,
    hosts: Vec<Host>,
    places: HashMap<String, usize>,
    /// How often a host was named, the same one again included.
    named: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Tree {
    pub(super) fn problem(&mut self, at: &Source, what: impl AsRef<str>) {
        self.problems.push(Problem { effect: Effect::LeftOut, at: at.clone(), what: escape(what.as_ref()) });
    }

    pub(super) fn warn(&mut self, at: &Source, what: impl AsRef<str>) {
        self.warnings.push(Problem { effect: Effect::Counts, at: at.clone(), what: escape(what.as_ref()) });
    }

    pub(super) fn add_group(&mut self, name: &str) {
        self.groups.entry(name.to_owned()).or_default();
    }

    pub(super) fn has_group(&self, name: &str) -> bool {
        name == ALL || name == UNGROUPED || self.groups.contains_key(name)
    }

    pub(super) fn add_child(&mut self, group: &str, child: &str) {
        self.add_group(child);
        self.groups.entry(group.to_owned()).or_default().children.insert(child.to_owned());
    }

    /// Adds the hosts that a word stands for, a port behind it included.
    pub(super) fn add_hosts(&mut self, group: &str, word: &str, at: &Source) -> Vec<usize> {
        if word.is_empty() || word.ends_with(':') {
            self.problem(at, format!("\"{word}\" names no host"));
            return Vec::new();
        }
        let (pattern, port) = with_port(word);
        let names = match range::expand(pattern, MOST_HOSTS.saturating_sub(self.named)) {
            Ok(names) => names,
            Err(fault) => {
                self.problem(at, format!("\"{word}\" {fault}"));
                return Vec::new();
            }
        };
        self.named = self.named.saturating_add(names.len());
        let mut added = Vec::with_capacity(names.len());
        for name in names {
            let next = self.hosts.len();
            let place = *self.places.entry(name.clone()).or_insert(next);
            if place == next {
                self.hosts.push(Host { name, at: at.clone(), variables: Variables::new() });
            }
            self.groups.entry(group.to_owned()).or_default().hosts.insert(place);
            added.push(place);
        }
        if let Some(port) = port {
            for place in &added {
                self.set_host(*place, "ansible_port", port, at);
            }
        }
        added
    }

    pub(super) fn set_host(&mut self, host: usize, name: &str, value: &str, at: &Source) {
        if let Some(host) = self.hosts.get_mut(host) {
            set(&mut host.variables, name, value, at);
        }
    }

    pub(super) fn set_group(&mut self, group: &str, name: &str, value: &str, at: &Source) {
        set(&mut self.groups.entry(group.to_owned()).or_default().variables, name, value, at);
    }

    /// What it all comes to.
    ///
    /// # Errors
    /// What was wrong while it was read, and groups that are their own children.
    pub(super) fn finish(mut self, whole: &Source) -> Result<Inventory, Vec<Problem>> {
        let depths = match self.depths() {
            Ok(depths) => depths,
            Err(name) => {
                self.problem(whole, format!("the group \"{name}\" is among its own children"));
                return Err(self.problems);
            }
        };
        let members = self.members(&depths);
        // A child outweighs its parents; of groups at one depth the later name.
        let mut of_host: Vec<Vec<(usize, &str)>> = vec![Vec::new(); self.hosts.len()];
        for (name, hosts) in &members {
            for host in hosts {
                if let Some(groups) = of_host.get_mut(*host) {
                    groups.push((depths.get(name).copied().unwrap_or(0), name));
                }
            }
        }
        let (mut hosts, mut problems, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for (host, mut groups) in self.hosts.iter().zip(of_host) {
            groups.sort_unstable();
            let mut variables = Variables::new();
            for (_, group) in &groups {
                variables.extend(self.groups.get(*group).into_iter().flat_map(|group| group.variables.clone()));
            }
            variables.extend(host.variables.clone());
            let mut groups: Vec<String> = groups.into_iter().map(|(_, name)| name.to_owned()).collect();
            groups.retain(|name| name != ALL);
            groups.sort_unstable();
            match finished(host, &variables, groups, &mut warnings) {
                Ok(Some(host)) => hosts.push(host),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        self.problems.extend(problems);
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        self.warnings.extend(warnings);
        let name = |host: &usize| self.hosts.get(*host).map(|host| host.name.clone());
        let groups = members.iter().map(|(group, hosts)| InventoryGroup {
            name: group.clone(),
            hosts: hosts.iter().filter_map(name).collect(),
        });
        Ok(Inventory { hosts, groups: groups.collect(), warnings: self.warnings })
    }

    /// How far each group is below `all`; the longest way counts. A group on a circle is an error.
    fn depths(&self) -> Result<BTreeMap<String, usize>, String> {
        let mut parents: HashMap<&str, usize> = HashMap::new();
        for child in self.groups.values().flat_map(|group| &group.children) {
            let count = parents.entry(child).or_default();
            *count = count.saturating_add(1);
        }
        let mut depths: BTreeMap<String, usize> = BTreeMap::new();
        let mut open: Vec<&str> =
            self.groups.keys().map(String::as_str).filter(|name| !parents.contains_key(name)).collect();
        for name in &open {
            depths.insert((*name).to_owned(), usize::from(*name != ALL));
        }
        while let Some(name) = open.pop() {
            let below = depths.get(name).copied().unwrap_or(0).saturating_add(1);
            for child in self.groups.get(name).into_iter().flat_map(|group| &group.children) {
                let depth = depths.entry(child.clone()).or_default();
                *depth = below.max(*depth);
                if let Some(count) = parents.get_mut(&**child) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        open.push(child);
                    }
                }
            }
        }
        match parents.iter().filter(|(_, count)| **count > 0).map(|(name, _)| *name).min() {
            Some(name) => Err(name.to_owned()),
            None => Ok(depths),
        }
    }

    /// The hosts of each group, those of its children included.
    fn members(&self, depths: &BTreeMap<String, usize>) -> BTreeMap<String, BTreeSet<usize>> {
        let mut names: Vec<&String> = self.groups.keys().collect();
        // The deepest first: what is below is whole by then.
        names.sort_by_key(|name| std::cmp::Reverse(depths.get(*name)));
        let mut members: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for name in names {
            let Some(group) = self.groups.get(name) else { continue };
            let below = group.children.iter().filter_map(|child| members.get(child)).flatten();
            let hosts = group.hosts.iter().chain(below).copied().collect();
            members.insert(name.clone(), hosts);
        }
        members.insert(ALL.to_owned(), (0..self.hosts.len()).collect());
        let named = |(name, _): &(&String, &BTreeSet<usize>)| *name != ALL && *name != UNGROUPED;
        let grouped: BTreeSet<usize> = members.iter().filter(named).flat_map(|(_, hosts)| hosts).copied().collect();
        let ungrouped: BTreeSet<usize> = (0..self.hosts.len()).filter(|host| !grouped.contains(host)).collect();
        if ungrouped.is_empty() {
            members.remove(UNGROUPED);
        } else {
            members.insert(UNGROUPED.to_owned(), ungrouped);
        }
        members
    }
}

/// Whether a variable says anything about how a host is reached.
pub(super) fn is_known(name: &str) -> bool {
    VARIABLES.contains(&name)
}

fn set(variables: &mut Variables, name: &str, value: &str, at: &Source) {
    if let Some(known) = VARIABLES.iter().find(|known| **known == name) {
        variables.insert(known, Located { value: value.to_owned(), at: Some(at.clone()) });
    }
}

/// `host:port`, with `[v6]:port`; a bare IPv6 address has no port.
fn with_port(word: &str) -> (&str, Option<&str>) {
    let is_port = |port: &str| !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let Some((host, port)) = word.rsplit_once(':').filter(|(_, port)| is_port(port)) else {
        let bare = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        return (bare.filter(|bare| bare.parse::<std::net::Ipv6Addr>().is_ok()).unwrap_or(word), None);
    };
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'))
        && address.parse::<std::net::Ipv6Addr>().is_ok()
    {
        return (address, Some(port));
    }
    // A colon in brackets belongs to a range.
    let outside = host.split(['[', ']']).step_by(2).all(|part| !part.contains(':'));
    if outside { (host, Some(port)) } else { (word, None) }
}

/// A value that Ansible would make of others first.
fn is_template(value: &Located<String>) -> bool {
    value.value.contains("{{") || value.value.contains("{%")
}

fn finished(
    host: &Host,
    variables: &Variables,
    groups: Vec<String>,
    warnings: &mut Vec<Problem>,
) -> Result<Option<InventoryHost>, Problem> {
    let of = |names: [&str; 2]| names.into_iter().rev().find_map(|name| variables.get(name));
    let mut warn = |value: &Located<String>, what: String| {
        warnings.push(Problem {
            effect: Effect::Counts,
            at: value.at.clone().unwrap_or_else(|| host.at.clone()),
            what: escape(what),
        });
    };
    let (address, port) = (of(["ansible_host", "ansible_ssh_host"]), of(["ansible_port", "ansible_ssh_port"]));
    for value in [address, port].into_iter().flatten() {
        if is_template(value) {
            warn(value, format!("{} is left out: where it is, is a template, which only Ansible can fill", host.name));
            return Ok(None);
        }
    }
    let mut whole = |value: Option<&Located<String>>, what: &str| {
        let value = value?;
        if is_template(value) {
            warn(value, format!("the {what} of {} is a template, which only Ansible can fill", host.name));
            return None;
        }
        Some(value.clone())
    };
    let user = whole(of(["ansible_user", "ansible_ssh_user"]), "user");
    let identity_file = whole(variables.get("ansible_ssh_private_key_file"), "key");
    let connection = whole(variables.get("ansible_connection"), "connection");
    let detour =
        ARGUMENTS.into_iter().find(|name| variables.get(name).is_some_and(|value| lead_elsewhere(&value.value)));
    let port = match port {
        None => None,
        Some(text) => match text.value.trim().parse::<u16>().ok().filter(|port| *port != 0) {
            Some(value) => Some(Located { value, at: text.at.clone() }),
            None => {
                let at = text.at.clone().unwrap_or_else(|| host.at.clone());
                return Err(Problem {
                    effect: Effect::LeftOut,
                    at,
                    what: escape(format!("\"{}\" is no port", text.value)),
                });
            }
        },
    };
    let own = || Located { value: host.name.clone(), at: Some(host.at.clone()) };
    let address = address.filter(|address| !address.value.is_empty()).cloned().unwrap_or_else(own);
    Ok(Some(InventoryHost {
        name: host.name.clone(),
        at: host.at.clone(),
        address,
        port,
        user,
        identity_file,
        connection,
        detour,
        groups,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_behind_hosts() {
        for (word, host, port) in [
            ("h", "h", None),
            ("h:22", "h", Some("22")),
            ("web[1:3]", "web[1:3]", None),
            ("web[1:3]:22", "web[1:3]", Some("22")),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:22", "::1", Some("22")),
            ("2001:db8::1:22", "2001:db8::1:22", None),
            ("h:x", "h:x", None),
        ] {
            assert_eq!(with_port(word), (host, port), "{word}");
        }
    }
}
