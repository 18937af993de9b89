//! What an inventory comes to.

use crate::ssh_config::Located;
use crate::trust::{Problem, Source};

/// The hosts and groups of an inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Each host once, in the order of the file.
    pub hosts: Vec<InventoryHost>,
    /// All groups by name, `all` and, if it has hosts, `ungrouped` among them.
    pub groups: Vec<InventoryGroup>,
    /// What was passed over, and where.
    pub warnings: Vec<Problem>,
}

/// A host as Ansible would reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InventoryHost {
    /// Its name in the inventory.
    pub name: String,
    /// The line that names it first.
    pub at: Source,
    /// Where it is: `ansible_host`, else its name.
    pub address: Located<String>,
    /// `ansible_port`; `None` leaves it to ssh_config and the default.
    pub port: Option<Located<u16>>,
    /// `ansible_user`; `None` leaves it to ssh_config and the default.
    pub user: Option<Located<String>>,
    /// `ansible_ssh_private_key_file`, as written.
    pub identity_file: Option<Located<String>>,
    /// `ansible_connection`: where it is there and not `ssh` or `smart`, Ansible may reach the host by other means.
    pub connection: Option<Located<String>>,
    /// The variable that has Ansible reach it through a jump host or a ProxyCommand, by options for ssh.
    pub detour: Option<&'static str>,
    /// The groups it is in, sorted, without `all`.
    pub groups: Vec<String>,
}

/// A group with all its hosts, those of its children included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InventoryGroup {
    /// Its name.
    pub name: String,
    /// The names of its hosts, in the order of the file.
    pub hosts: Vec<String>,
}

impl Inventory {
    /// The hosts of a group; none if there is no such group.
    pub fn hosts_of(&self, group: &str) -> impl Iterator<Item = &InventoryHost> {
        let known = group == super::tree::ALL;
        self.hosts.iter().filter(move |host| known || host.groups.iter().any(|name| name == group))
    }
}
