//! Inventories of Ansible, INI and YAML: hosts, groups, and the variables that say how a host is reached.
//!
//! [`parse`] reads one file. Ranges (`web[01:20]`, `db-[a:f]`, with a step, several in a name), `:children`, `:vars`, groups
//! in groups, YAML's anchors and merges are read as Ansible reads them; a child's variables outweigh its parents', a host's
//! outweigh all. `ansible_ssh_host`, `_port` and `_user`, the older names, outweigh the newer ones, as they do there.
//!
//! # Where this differs from Ansible
//!
//! * Templates (`{{ … }}`) stay what they are: a host whose address or port is one is left out, a user that is one is not
//!   set, and a warning tells.
//! * The folders group_vars and host_vars, inventories that are programs or plug-ins, and vaults are not read.
//! * `ansible_group_priority` is not looked at: of groups at one depth the later name wins.
//! * A range that ends before it begins, a port 0 and a word in place of a group are faults here; Ansible passes over them.
//!   A number in place of a name is a name here.
//! * An inventory names hosts at most 1048576 times, ranges counted as what they stand for.

mod file;
mod ini;
mod model;
mod range;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;

pub use file::{Format, parse};
pub use model::{Inventory, InventoryGroup, InventoryHost};
