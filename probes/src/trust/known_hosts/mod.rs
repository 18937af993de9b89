//! known_hosts as OpenSSH reads it (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), with the oddities that its manual leaves out:
//! `probes/tests/known_hosts/` holds several hundred questions with the answers that `ssh` and `ssh-keygen` give.

mod answer;
mod builder;
mod key;
mod line;
mod name;
mod pattern;
mod store;
#[cfg(test)]
mod tests;
mod write;

pub use answer::{Answer, Entry, Known};
pub use builder::KnownHostsBuilder;
pub use name::LookupName;
pub use store::KnownHosts;
pub use write::{hashed_name, known_hosts_line};
