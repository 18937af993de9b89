//! What is probed: one name or address with a port, and where in the user's input it came from.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::iap::IapTarget;

/// One target. Exactly one record comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The expression it came from, as the user wrote it.
    pub input: Arc<str>,
    /// Its place in the order of the input, counted from 0 before ranges are shuffled.
    pub index: u64,
    /// The name or address it goes by.
    pub host: Host,
    /// Where it is, if that is not where its name says: ssh_config's HostName, or what an inventory has.
    pub place: Option<Box<Host>>,
    /// TCP port.
    pub port: u16,
    /// `user@` of the expression, if it had one.
    pub user: Option<Arc<str>>,
    /// It came out of a range: nobody named this very address, so silence of it is no fault.
    pub from_range: bool,
}

impl Target {
    /// Where it is looked for: what is resolved, connected to, and looked up in known_hosts.
    #[must_use]
    pub fn place(&self) -> &Host {
        self.place.as_deref().unwrap_or(&self.host)
    }

    /// The host as it is told: an address with the interface that it was written with, of which the host knows the number.
    #[must_use]
    pub fn shown(&self) -> String {
        match (&self.host, self.input.split_once('%')) {
            (Host::Addr(addr, 1..), Some((_, rest))) => {
                let interface = rest.split(['/', ']']).next().unwrap_or_default();
                format!("{addr}%{interface}")
            }
            (host, _) => host.text(),
        }
    }

    /// What it was called, letter for letter: ssh tells names apart by their case, and interfaces have names. An address out of
    /// a range was called by nobody and goes by itself.
    #[must_use]
    pub fn called(&self) -> Cow<'_, str> {
        match self.host {
            Host::Name(_) | Host::Addr(..) if !self.from_range => Cow::Borrowed(typed_host(&self.input)),
            _ => Cow::Owned(self.host.to_string()),
        }
    }

    /// It is called something else than the place where it is looked for: not the address out of a range that is that place.
    #[must_use]
    pub fn is_called(&self) -> bool {
        !self.from_range || self.place.is_some() || !matches!(self.host, Host::Addr(..))
    }
}

/// The host of an expression that names one, as it was typed: without user, port, brackets and `ssh://`.
#[must_use]
pub fn typed_host(text: &str) -> &str {
    let scheme = text.get(..SSH_SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SSH_SCHEME));
    let text = scheme.and_then(|scheme| text.get(scheme.len()..)).map_or(text, |rest| rest.trim_end_matches('/'));
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if let Some((inner, _)) = host.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return inner;
    }
    match host.split_once(':') {
        // An IPv6 address without brackets has no port behind it.
        Some((host, rest)) if !rest.contains(':') => host,
        _ => host,
    }
}

/// `HOST:PORT`, with the brackets that an IPv6 address takes. Such an address never stands without them before a port: it could
/// not be read back.
#[must_use]
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The same, and the host alone where the port is SSH's own.
#[must_use]
pub fn host_and_odd_port(host: &str, port: u16) -> String {
    if port == SSH_PORT { host.to_owned() } else { host_port(host, port) }
}

/// The port of SSH (RFC 4253 section 4.1).
const SSH_PORT: u16 = 22;

/// What a URI of ssh's begins with.
pub const SSH_SCHEME: &str = "ssh://";

/// What a target is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name to be resolved, lower-cased and without a trailing dot, unless ssh_config tells it apart from that.
    Name(Arc<str>),
    /// An address, for IPv6 with its scope (`%eth0` as an interface index; 0 where there is none).
    Addr(IpAddr, u32),
    /// What stands behind the Identity-Aware Proxy, without a port. It goes by its name, which is one only together with the rest.
    Iap(Arc<IapTarget>),
}

impl Host {
    /// How it is shown, made in one go: a record has it for every target.
    #[must_use]
    pub fn text(&self) -> String {
        const IPV4: usize = "255.255.255.255".len();
        let mut text = String::with_capacity(if matches!(self, Self::Addr(IpAddr::V4(_), 0)) { IPV4 } else { 0 });
        // A String takes everything.
        let _ = write!(text, "{self}");
        text
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Addr(addr, 0) => addr.fmt(f),
            Host::Addr(addr, scope) => write!(f, "{addr}%{scope}"),
            Host::Iap(target) => f.write_str(target.host()),
        }
    }
}

/// The address that stands in for a target which is reached by its name through a tunnel, so that nobody here knows its
/// address. Nothing is ever sent there: it tells targets apart where connections are paced and evidence is compared.
///
/// Made of the name and port, each in a /64 of its own of a prefix that is nobody's (fd00::/8 with the second half all ones,
/// which no interface has: RFC 4193 wants random bits there, and RFC 7136 an address that is not reserved).
#[must_use]
pub fn stand_in(host: &Host, port: u16) -> SocketAddr {
    // FNV-1a: any function that spreads does.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let whole = match host {
        // The same name stands for another machine in another zone.
        Host::Iap(target) => target.to_string(),
        Host::Name(_) | Host::Addr(..) => host.to_string(),
    };
    for byte in whole.bytes().chain(port.to_be_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let prefix = 0xfd00_0000_0000_0000 | hash >> 8;
    let bits = u128::from(prefix) << 64 | STAND_IN_TAIL;
    SocketAddr::new(Ipv6Addr::from_bits(bits).into(), port)
}

/// The lower half of every such address.
const STAND_IN_TAIL: u128 = 0xffff_ffff_ffff_ffff;

/// Whether an address is one that [`stand_in`] makes.
#[must_use]
pub fn is_stand_in(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V6(addr) => addr.to_bits() >> 120 == 0xfd && addr.to_bits() & STAND_IN_TAIL == STAND_IN_TAIL,
        IpAddr::V4(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_stands_behind_its_host() {
        for (host, port, whole, short) in [
            ("web1", 22, "web1:22", "web1"),
            ("web1", 2222, "web1:2222", "web1:2222"),
            ("10.0.0.1", 23, "10.0.0.1:23", "10.0.0.1:23"),
            ("::1", 22, "[::1]:22", "::1"),
            ("fe80::1%3", 2222, "[fe80::1%3]:2222", "[fe80::1%3]:2222"),
        ] {
            assert_eq!((host_port(host, port).as_str(), host_and_odd_port(host, port).as_str()), (whole, short));
        }
    }

    #[test]
    fn a_target_is_called_what_was_typed() {
        for (text, host) in [
            ("Web1", "Web1"),
            ("ann@REALM@Web1.:22,2222", "Web1."),
            ("[Web1]:22", "Web1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("ann@[FE80::1%eth0]:22", "FE80::1%eth0"),
            ("2001:DB8::0:1", "2001:DB8::0:1"),
            ("ssh://ann@Web1:22/", "Web1"),
            ("SSH://Web1", "Web1"),
            ("ssh://[::1]:22", "::1"),
        ] {
            assert_eq!(typed_host(text), host, "{text}");
        }
        let target = Target {
            input: "fe80::%eth0/120".into(),
            index: 0,
            host: Host::Addr("fe80::7".parse().unwrap(), 3),
            place: None,
            port: 22,
            user: None,
            from_range: true,
        };
        assert_eq!(target.called(), "fe80::7%3");
    }

    #[test]
    fn stand_ins_differ_by_name_and_port_and_are_known_as_such() {
        let name = |name: &str| Host::Name(name.into());
        let all = [
            stand_in(&name("web1"), 22),
            stand_in(&name("web2"), 22),
            stand_in(&name("web1"), 2222),
            stand_in(&Host::Addr("10.0.0.1".parse().unwrap(), 0), 22),
            stand_in(&Host::Iap(Arc::new("iap://p/z/web1".parse().unwrap())), 22),
            stand_in(&Host::Iap(Arc::new("iap://p/other-z/web1".parse().unwrap())), 22),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(is_stand_in(one.ip()), "{one}");
            let subnet = |addr: &SocketAddr| match addr.ip() {
                IpAddr::V6(addr) => addr.to_bits() >> 64,
                IpAddr::V4(_) => unreachable!(),
            };
            assert!(
                all[..at].iter().all(|other| subnet(other) != subnet(one)),
                "one fleet behind a tunnel is no subnet"
            );
        }
        assert_eq!(all[0], stand_in(&name("web1"), 22));
        for real in ["10.0.0.1", "fd00::1", "2001:db8::ffff:ffff:ffff:ffff", "::1"] {
            assert!(!is_stand_in(real.parse().unwrap()), "{real}");
        }
    }
}
