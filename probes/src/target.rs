//! What is probed: one name or address with a port, and where in the user's input it came from.

use std::net::IpAddr;
use std::sync::Arc;

/// One target. Exactly one record comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The expression it came from, as the user wrote it.
    pub input: Arc<str>,
    /// Its place in the order of the input, counted from 0 before ranges are shuffled.
    pub index: u64,
    /// The name or address it goes by.
    pub host: Host,
    /// TCP port.
    pub port: u16,
    /// `user@` of the expression, if it had one.
    pub user: Option<Arc<str>>,
    /// It came out of a range: nobody named this very address, so silence of it is no fault.
    pub from_range: bool,
}

/// What a target is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name to be resolved, lower-cased, without a trailing dot.
    Name(Arc<str>),
    /// An address, for IPv6 with its scope (`%eth0` as an interface index; 0 where there is none).
    Addr(IpAddr, u32),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Addr(addr, 0) => addr.fmt(f),
            Host::Addr(addr, scope) => write!(f, "{addr}%{scope}"),
        }
    }
}
