//! The name under which a host is looked up.

use std::fmt;

use crate::ssh_config::canonical_address;

/// The port that stands in no name.
const SSH_PORT: u16 = 22;

/// What is looked for in known_hosts: a host's name or address, with its port where that is not 22, or an alias.
///
/// Names are compared without regard to case, so all are kept in lower case. Addresses are written as ssh writes them, in the
/// way of inet_ntop(3): `0:0:0:0:0:0:0:1` is looked for as `::1`, `127.1` as `127.0.0.1`. What known_hosts holds is not
/// rewritten: a line for `0:0:0:0:0:0:0:1` is never found.
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
        let host = canonical_address(&host).unwrap_or(host);
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
    fn addresses_are_looked_for_as_ssh_writes_them() {
        for (host, written) in [
            ("0:0::1", "::1"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("::ffff:102:304", "::ffff:1.2.3.4"),
            ("::102:304", "::1.2.3.4"),
            ("::304", "::304"),
            ("::", "::"),
            ("FE80:0::1%Eth0", "fe80::1%eth0"),
            ("127.1", "127.0.0.1"),
            ("0x7F.1", "127.0.0.1"),
            ("010.0.0.1", "8.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("1.1.257", "1.1.1.1"),
            ("0", "0.0.0.0"),
        ] {
            assert_eq!(LookupName::new(host, 22).as_str(), written);
        }
        for name in
            ["1.2.3.4.5", "256.1.1.1", "1.1.65536", "4294967296", "08.1", "0x", "1.", ".1", "+1", "", "1.2.3.4 ", "a"]
        {
            assert_eq!(LookupName::new(name, 22).as_str(), name);
        }
        assert_eq!(LookupName::alias("127.1").as_str(), "127.1");
    }

    #[test]
    fn an_alias_has_no_port() {
        let name = LookupName::alias("Farm:7");
        assert_eq!((name.as_str(), name.host(), name.fallback()), ("farm:7", "farm:7", None));
    }
}
