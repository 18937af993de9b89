//! ssh_config(5): how a named host is reached, as `ssh -G` would have it.
//!
//! [`resolve`] looks one host up in the files of [`Files`] and gives a [`HostConfig`], each value with the line it came from;
//! [`concrete_hosts`] lists the hosts that the files name. Reading files, matching names of files, the environment and the
//! commands of `Match exec` are the caller's: a [`World`]. [`resolve_algorithms`] makes a list of algorithms of what a line
//! says about them.
//!
//! The grammar is that of OpenSSH: keywords in any case, blanks or one `=` behind them, single and double quotes, comments,
//! the first value wins (IdentityFile, CertificateFile and SendEnv add up), Host with negation, Match with `host`,
//! `originalhost`, `user`, `localuser`, `tagged`, `exec`, `canonical`, `final` and `all`, a second pass where `Match final`
//! stands anywhere or CanonicalizeHostname is set, Include to a depth of 16. A line that ssh refuses makes [`resolve`] fail,
//! whichever host was asked for: with part of a configuration nobody knows where a probe would go.
//!
//! # Where this differs from ssh
//!
//! The tables in `tests/ssh_config/` of this crate hold what the real `ssh -G` says; every difference stands here.
//!
//! * CanonicalizeHostname is not done: the second pass sees the name as it was, `Match canonical` holds in it, and a warning
//!   tells. CanonicalDomains and CanonicalizePermittedCNAMEs are passed over.
//! * `Match exec` runs where the caller's [`World`] allows it. Else the block does not hold, negated or not, and a warning
//!   tells. It is never run behind an Include that does not hold, where ssh runs it for nothing.
//! * `Match localnetwork`, `version`, `sessiontype` and `command` do not hold, negated or not, and a warning tells. OpenSSH
//!   before 9.4 and 10.0 refuses such lines, and also `Tag` and `Match tagged`, which are known here.
//! * Keywords that decide nothing about a probe (forwarding, terminals, multiplexing, GSSAPI, logging) are accepted with any
//!   arguments and have no value here, those of newer versions, of Apple's ssh (`UseKeychain`) and of Debian's and Red Hat's included.
//! * Names of algorithms are not held against a table: a misspelt one is left out when a list is made, where ssh refuses it.
//! * A port may be a number or `ssh`, no other name out of services(5).
//! * Tokens in User (OpenSSH 10.1) stay as they are. `%j` (OpenSSH 9.6) is known, and enters `%C` as it does there.
//! * Each host of a ProxyJump is shown in its one form (`[1.2.3.4]`, no `ssh://`); ssh so shows the last one alone.
//! * `ProxyJump none # why` is none; ssh takes it for a host of that name.
//! * A destination without a host (`u@`) and a host with a comma are refused.
//! * A ProxyCommand that would hand a name with a shell's characters to a shell is refused ([`BadCommand`]). ssh holds only
//!   names from its command line against that.
//! * A key named by the user's and by the system's configuration is one; ssh lists it twice.
//! * Debian's ssh accepts files that a user's own group may write; here, as in OpenSSH itself, they are refused.
//! * Bytes that are not UTF-8 become U+FFFD.
//! * KnownHostsCommand is told and never run.

mod address;
mod algorithms;
mod criteria;
mod expand;
mod files;
mod host;
mod hosts;
mod include;
mod jump;
mod keyword;
mod number;
mod pattern;
mod query;
mod reading;
mod settings;
#[cfg(test)]
mod tests;
mod word;
mod world;

pub(crate) use address::canonical as canonical_address;
pub use algorithms::{NoAlgorithm, resolve as resolve_algorithms};
pub use files::Files;
pub use host::{
    AddressFamily, BadCommand, HostConfig, IdentityAgent, Problems, ProxyCommand, StrictHostKeyChecking, resolve,
};
pub use hosts::{ConcreteHosts, concrete_hosts};
pub use jump::{Jump, behind_scheme, chain as jump_chain, straight};
pub use query::{BadQuery, Query, is_safe_host, is_safe_user};
pub use settings::{Located, Settings};
pub use world::{Exec, Fault, Local, World};
