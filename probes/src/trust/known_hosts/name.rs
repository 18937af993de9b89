//! The name under which a host is looked up.

use std::fmt;

/// The port that stands in no name.
const SSH_PORT: u16 = 22;

/// What is looked for in known_hosts: a host's name or address, with its port where that is not 22, or an alias.
///
/// Names are compared without regard to case, so all are kept in lower case. An address is nothing special: it is found as
/// it is written, so `::1` and `0:0:0:0:0:0:0:1` are two names, as they are for ssh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupName {
    /// As known_hosts has it.
    name: String,
    /// The same without the port, where `name` has one.
    plain: Option<String>,
}

impl LookupName {
    /// The name of `host` (without brackets, also of an IPv6 address) at `port`.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        // ssh writes no port for 0 either, which is its "none given".
        if port == SSH_PORT || port == 0 {
            Self { name: host, plain: None }
        } else {
            Self { name: format!("[{host}]:{port}"), plain: Some(host) }
        }
    }

    /// An alias (HostKeyAlias): looked up as it is, without a port.
    #[must_use]
    pub fn alias(alias: &str) -> Self {
        Self { name: alias.to_ascii_lowercase(), plain: None }
    }

    /// The host's name without the port, or the alias: what a certificate's principals are compared with.
    #[must_use]
    pub fn host(&self) -> &str {
        self.plain.as_deref().unwrap_or(&self.name)
    }

    /// As it stands in known_hosts, and as `ssh-keygen -F` and `-R` want it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The second name that ssh tries for a port other than 22: the host's without the port.
    #[must_use]
    pub fn fallback(&self) -> Option<&str> {
        self.plain.as_deref()
    }
}

impl fmt::Display for LookupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_part_of_the_name_unless_it_is_22() {
        let name = LookupName::new("Host.Example", 2222);
        assert_eq!((name.to_string().as_str(), name.host()), ("[host.example]:2222", "host.example"));
        assert_eq!(name.fallback(), Some("host.example"));
        let name = LookupName::new("FE80::1%eth0", 22);
        assert_eq!((name.as_str(), name.host(), name.fallback()), ("fe80::1%eth0", "fe80::1%eth0", None));
        assert_eq!(LookupName::new("::1", 2222).as_str(), "[::1]:2222");
        assert_eq!(LookupName::new("h", 0).as_str(), "h");
    }

    #[test]
    fn an_alias_has_no_port() {
        let name = LookupName::alias("Farm:7");
        assert_eq!((name.as_str(), name.host(), name.fallback()), ("farm:7", "farm:7", None));
    }
}
