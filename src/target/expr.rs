//! One target expression: what the user writes on the command line or on a line of a file.
//!
//! ```text
//! [user@] HOST [:PORTS]
//! HOST   name, 10.0.0.1, 10.0.0.0/24, 10.0.0.1-50, 10.0.0.1-10.0.0.50,
//!        [2001:db8::1], [2001:db8::]/120, [2001:db8::1-2001:db8::ff], [fe80::1%eth0],
//!        and the same without brackets where no port follows
//! PORTS  22, 22,2222, 8000-8010
//! ```
//!
//! or, as ssh takes it, `ssh://[user@]HOST[:PORT]` for one host, or what stands behind Google Cloud's Identity-Aware Proxy, `iap://PROJECT/ZONE/INSTANCE[:PORT]`.
//!
//! An IPv6 address with a port needs brackets. Without them it is taken as an address, except where it could be both:
//! if its last group is a decimal number and an address is left without it (`::1:22`), the expression is refused and
//! the error shows both ways to write it. `::1`, `2001:db8::10`, `fe80::1%eth0` and `2001:db8::1:22/120` cannot be
//! misread and need no brackets.

use std::net::{IpAddr, Ipv6Addr};

use sshprobe_probes::iap::IapTarget;
use sshprobe_probes::ssh_config::behind_scheme;

use super::address::{self, AddrRange, Families, Space};
use super::name;
use super::ports::PortSet;
use super::problem::{ExprError, Fault};

/// What one expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// `user@`.
    pub user: Option<Box<str>>,
    /// The host or hosts.
    pub hosts: Hosts,
    /// The ports behind the colon; the default ones if there is none.
    pub ports: Option<PortSet>,
}

/// The hosts of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// A name, lower-cased, without the trailing dot.
    Name(Box<str>),
    /// One address or a range.
    Addresses(AddrRange),
    /// What stands behind the Identity-Aware Proxy, without its port.
    Iap(Box<IapTarget>),
}

/// What can be connected to as it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// `-4`, `-6`.
    pub families: Families,
    /// `--source`, where it is the targets that are connected to from there.
    pub source: Option<IpAddr>,
    /// Link-local addresses may come without their interface: connections are made through one that was given for all, or by
    /// somebody else.
    pub unscoped: bool,
}

impl Expression {
    /// Whether it names more than one address: silence of one of them is then no fault.
    #[must_use]
    pub const fn is_range(&self) -> bool {
        match &self.hosts {
            Hosts::Name(_) | Hosts::Iap(_) => false,
            Hosts::Addresses(range) => !range.is_single(),
        }
    }

    /// Whether it names what stands behind the Identity-Aware Proxy.
    #[must_use]
    pub const fn is_relayed(&self) -> bool {
        matches!(self.hosts, Hosts::Iap(_))
    }

    /// How many targets it names if no other names them too, at most `u128::MAX`.
    #[must_use]
    pub fn size(&self, default_ports: &PortSet) -> u128 {
        let hosts = match &self.hosts {
            Hosts::Name(_) | Hosts::Iap(_) => 1,
            Hosts::Addresses(range) => range.len(),
        };
        hosts.saturating_mul(self.ports.as_ref().unwrap_or(default_ports).len().into())
    }

    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        // A password is in no error, not even where it should not stand.
        let shown = |fault: &Fault| if *fault == Fault::Password { "" } else { text };
        parse(text).map_err(|fault| ExprError { text: shown(&fault).into(), fault })
    }

    /// Parses what is to be connected to from here.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, or that it cannot be connected to as it stands.
    pub fn of_target(text: &str, allowed: Allowed) -> Result<Self, ExprError> {
        let expression = Self::parse(text)?;
        expression.check_family(text, allowed.families, allowed.source)?;
        if !allowed.unscoped {
            expression.check_scope(text)?;
        }
        Ok(expression)
    }

    /// Refuses what `-4` or `-6` leaves nothing of, and what cannot be connected to from the address of `--source`.
    ///
    /// # Errors
    ///
    /// An address of the other family.
    pub fn check_family(&self, text: &str, families: Families, source: Option<IpAddr>) -> Result<(), ExprError> {
        // The option that was given for it is the one to name.
        let (families, source) = match families {
            Families::Any => (source.map_or(families, Families::of), source),
            _ => (families, None),
        };
        let (has, wants, option) = match (&self.hosts, families) {
            (Hosts::Addresses(AddrRange { space: Space::V6(_), .. }), Families::V4Only) => ("IPv6", "IPv4", "-4"),
            (Hosts::Addresses(AddrRange { space: Space::V4, .. }), Families::V6Only) => ("IPv4", "IPv6", "-6"),
            _ => return Ok(()),
        };
        let option = source.map_or_else(|| option.into(), |source| format!("--source {source}").into());
        Err(ExprError { text: text.into(), fault: Fault::Family { has, wants, option } })
    }

    /// Refuses link-local addresses that no interface was given for: to the kernel they are nowhere.
    ///
    /// # Errors
    ///
    /// There is nothing else among the addresses.
    pub fn check_scope(&self, text: &str) -> Result<(), ExprError> {
        let link_local = |number| Ipv6Addr::from_bits(number).is_unicast_link_local();
        match &self.hosts {
            Hosts::Addresses(AddrRange { space: Space::V6(0), first, last })
                if link_local(*first) && link_local(*last) =>
            {
                Err(ExprError { text: text.into(), fault: Fault::ScopeNeeded })
            }
            _ => Ok(()),
        }
    }
}

impl std::str::FromStr for Expression {
    type Err = ExprError;

    fn from_str(text: &str) -> Result<Self, ExprError> {
        Self::parse(text)
    }
}

fn parse(text: &str) -> Result<Expression, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::Empty);
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(Fault::ControlCharacter(c));
    }
    if text.contains(char::is_whitespace) {
        return Err(Fault::Blank);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return match scheme.to_ascii_lowercase().as_str() {
            "iap" => behind_iap(text),
            "ssh" => by_uri(rest),
            _ => Err(Fault::Scheme(scheme.into())),
        };
    }
    // At the last @, as ssh does: a user can be name@REALM.
    let (user, rest) = match text.rsplit_once('@') {
        Some(("", _)) => return Err(Fault::UserMissing),
        Some((user, rest)) => (Some(user.into()), rest),
        None => (None, text),
    };
    if rest.is_empty() {
        return Err(Fault::HostMissing);
    }
    let (hosts, ports) = if let Some(inner) = rest.strip_prefix('[') {
        bracketed(inner)?
    } else {
        match rest.matches(':').count() {
            0 => (hosts(rest, None)?, None),
            1 => host_and_ports(rest)?,
            _ => (bare_v6(rest)?, None),
        }
    };
    Ok(Expression { user, hosts, ports })
}

/// `iap://PROJECT/ZONE/INSTANCE[:PORT]` and what else the relay knows.
fn behind_iap(text: &str) -> Result<Expression, Fault> {
    let target = IapTarget::parse(text)?;
    let ports = target.port().map(PortSet::single);
    Ok(Expression { user: None, hosts: Hosts::Iap(Box::new(target.without_port())), ports })
}

/// What stands behind `ssh://`. One host, and one port: what has lists and ranges is no URI.
fn by_uri(text: &str) -> Result<Expression, Fault> {
    let place = behind_scheme(text).ok_or(Fault::Uri)?;
    // What a user was encoded for may be what no terminal should get.
    if let Some(c) = place.user.iter().flat_map(|user| user.chars()).find(|c| c.is_control()) {
        return Err(Fault::ControlCharacter(c));
    }
    // Elsewhere a colon is part of the name, as ssh has it: bastions take `login@target:SSH:me@bastion`.
    if place.user.as_ref().is_some_and(|user| user.contains(':')) {
        return Err(Fault::Password);
    }
    let (user, ports) = (place.user.map(Into::into), place.port.map(PortSet::single));
    let expression = Expression { user, hosts: hosts(&place.host, None)?, ports };
    if expression.is_range() { Err(Fault::Uri) } else { Ok(expression) }
}

/// A host without port and brackets. `length` is a prefix length that stood behind the brackets.
fn hosts(text: &str, length: Option<&str>) -> Result<Hosts, Fault> {
    if text.contains(':') {
        return address::v6_range(text, length).map(Hosts::Addresses);
    }
    if address::looks_like_v4(text) {
        return match length {
            None => address::v4_range(text),
            Some(_) if text.contains('/') => Err(Fault::PrefixTwice),
            Some(length) => address::v4_range(&format!("{text}/{length}")),
        }
        .map(Hosts::Addresses);
    }
    if let Some((_, scope)) = text.split_once('%') {
        return Err(Fault::ScopeMisplaced(scope.into()));
    }
    match text.split_once('/').map(|(name, _)| name).or(length.map(|_| text)) {
        Some("") => Err(Fault::HostMissing),
        Some(name) => Err(Fault::PrefixOnName(name.into())),
        None => name::dns_name(text).map(Hosts::Name),
    }
}

fn host_and_ports(text: &str) -> Result<(Hosts, Option<PortSet>), Fault> {
    let (host, ports) = text.split_once(':').unwrap_or((text, ""));
    if host.is_empty() {
        return Err(Fault::HostMissing);
    }
    // The host first: of two mistakes the left one is named.
    let hosts = hosts(host, None)?;
    if ports.is_empty() {
        return Err(Fault::PortAfterColon(host.into()));
    }
    Ok((hosts, Some(PortSet::parse(ports)?)))
}

/// `[HOST]`, then `/LENGTH` and `:PORTS`. Brackets are for IPv6, but known_hosts writes `[10.0.0.1]:2222` too.
fn bracketed(inner: &str) -> Result<(Hosts, Option<PortSet>), Fault> {
    let (host, tail) = inner.split_once(']').ok_or(Fault::BracketOpen)?;
    if host.is_empty() {
        return Err(Fault::HostMissing);
    }
    let (length, ports) = match tail.split_once(':') {
        Some((length, ports)) => (length, Some(ports)),
        None => (tail, None),
    };
    let length = match length {
        "" => None,
        length => Some(length.strip_prefix('/').ok_or_else(|| Fault::BracketTail(tail.into()))?),
    };
    let hosts = hosts(host, length)?;
    let ports = match ports {
        None => None,
        Some("") => return Err(Fault::PortAfterColon(format!("[{host}]").into())),
        Some(ports) => Some(PortSet::parse(ports)?),
    };
    Ok((hosts, ports))
}

/// Two colons or more and no bracket: an IPv6 address that nothing else can be meant by, or an error that helps.
fn bare_v6(text: &str) -> Result<Hosts, Fault> {
    let scope_or_length = text.find(['%', '/']);
    let addrs = scope_or_length.map_or(text, |at| &text[..at]);
    if !addrs.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'-' | b',')) || !text.is_ascii() {
        return Err(Fault::TooManyColons);
    }
    match address::v6_range(text, None) {
        Ok(range) => {
            let end = addrs.rsplit_once('-').map_or(addrs, |(_, end)| end);
            match (address::port_in_disguise(end), addrs.rsplit_once(':')) {
                // Behind a scope or a prefix length would be the place of a port: what stands before it is none.
                (Some(port), Some((shorter, _))) if scope_or_length.is_none() => {
                    Err(Fault::Ambiguous { shorter: shorter.into(), port, whole: addrs.into() })
                }
                _ => Ok(Hosts::Addresses(range)),
            }
        }
        Err(fault) => Err(match text.rsplit_once(':') {
            Some((host, ports)) if looks_like_ports(ports) && address::v6_range(host, None).is_ok() => {
                Fault::NeedsBrackets(match host.split_once('/') {
                    Some((addr, length)) => format!("[{addr}]/{length}:{ports}").into(),
                    None => format!("[{host}]:{ports}").into(),
                })
            }
            _ if text.contains(',') => Fault::Comma,
            // `10.0.0.1:22:23`
            _ if text.split(':').next().is_some_and(|first| first.contains('.')) => Fault::TooManyColons,
            _ => fault,
        }),
    }
}

fn looks_like_ports(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sshprobe_probes::target::typed_host;

    fn show(expression: &Expression) -> String {
        let user = expression.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let hosts = match &expression.hosts {
            Hosts::Name(name) => format!("name {name}"),
            Hosts::Iap(target) => format!("relayed {target}"),
            Hosts::Addresses(range) => {
                let ((first, scope), (last, _)) = (range.space.address(range.first), range.space.address(range.last));
                let scope = if scope == 0 { String::new() } else { format!(" scope {scope}") };
                if range.is_single() { format!("addr {first}{scope}") } else { format!("{first} to {last}{scope}") }
            }
        };
        let ports = expression.ports.as_ref().map(|ports| format!(" port {ports}")).unwrap_or_default();
        format!("{user}{hosts}{ports}")
    }

    /// Interface `lo` has index 1 in every network namespace of Linux.
    const GOOD: &[(&str, &str)] = &[
        ("web1", "name web1"),
        ("Web1.Example.ORG.", "name web1.example.org"),
        ("web1:2222", "name web1 port 2222"),
        ("iap://p/z/web1", "relayed iap://p/z/web1"),
        ("IAP://p/z/web1:2222?interface=nic1", "relayed iap://p/z/web1?interface=nic1 port 2222"),
        ("iap://p/us-east1/net/group/[2001:db8::1]:22", "relayed iap://p/us-east1/net/group/[2001:db8::1] port 22"),
        ("web1:22,2222,8000-8010", "name web1 port 22,2222,8000-8010"),
        ("root@web1", "root@name web1"),
        ("ssh://web1", "name web1"),
        ("SSH://web1", "name web1"),
        ("ssh://Web1:2222/", "name web1 port 2222"),
        ("ssh://web1:", "name web1"),
        ("ssh://adm%40REALM;x=y@web1:22", "adm@REALM@name web1 port 22"),
        ("ssh://10.0.0.1:22", "addr 10.0.0.1 port 22"),
        ("ssh://root@[::1]:22", "root@addr ::1 port 22"),
        ("ssh://[fe80::1%lo]", "addr fe80::1 scope 1"),
        ("adm@REALM@web1:22", "adm@REALM@name web1 port 22"),
        ("a:b@web1", "a:b@name web1"),
        ("[web1]:2222", "name web1 port 2222"),
        ("10-0-0-1.example.org", "name 10-0-0-1.example.org"),
        ("demo", "name demo"),
        ("10.0.0.1", "addr 10.0.0.1"),
        ("10.0.0.1:22", "addr 10.0.0.1 port 22"),
        ("[10.0.0.1]:2222", "addr 10.0.0.1 port 2222"),
        ("root@10.0.0.1:22", "root@addr 10.0.0.1 port 22"),
        ("10.0.0.0/24:22", "10.0.0.0 to 10.0.0.255 port 22"),
        ("10.0.0.5/24", "10.0.0.0 to 10.0.0.255"),
        ("[10.0.0.0/24]:22", "10.0.0.0 to 10.0.0.255 port 22"),
        ("[10.0.0.0]/24:22", "10.0.0.0 to 10.0.0.255 port 22"),
        ("10.0.0.0/24:22,2222", "10.0.0.0 to 10.0.0.255 port 22,2222"),
        ("10.0.0.1/32", "addr 10.0.0.1"),
        ("10.0.0.1/31", "10.0.0.0 to 10.0.0.1"),
        ("0.0.0.0/0", "0.0.0.0 to 255.255.255.255"),
        ("10.0.0.1-50", "10.0.0.1 to 10.0.0.50"),
        ("10.0.0.1-50:22", "10.0.0.1 to 10.0.0.50 port 22"),
        ("10.0.0.1-10.0.0.50", "10.0.0.1 to 10.0.0.50"),
        ("10.0.0.250-10.0.1.5:22-23", "10.0.0.250 to 10.0.1.5 port 22-23"),
        ("10.0.0.7-7", "addr 10.0.0.7"),
        ("2001:db8::1", "addr 2001:db8::1"),
        ("2001:db8::10", "addr 2001:db8::10"),
        ("2001:DB8::1F", "addr 2001:db8::1f"),
        ("::1", "addr ::1"),
        ("::", "addr ::"),
        ("fe80::1", "addr fe80::1"),
        ("2001:db8:0:0:0:0:0:22", "addr 2001:db8::22"),
        ("fe80::a00:27ff:fe4e:6612", "addr fe80::a00:27ff:fe4e:6612"),
        ("[2001:db8::1]", "addr 2001:db8::1"),
        ("[2001:db8::1]:22", "addr 2001:db8::1 port 22"),
        ("[::1:22]", "addr ::1:22"),
        ("root@[::1]:22", "root@addr ::1 port 22"),
        ("root@::1", "root@addr ::1"),
        ("::ffff:10.0.0.1", "addr 10.0.0.1"),
        ("[::ffff:10.0.0.0]/120", "10.0.0.0 to 10.0.0.255"),
        ("2001:db8::/120", "2001:db8:: to 2001:db8::ff"),
        ("2001:db8::1:22/120", "2001:db8::1:0 to 2001:db8::1:ff"),
        ("[2001:db8::]/120", "2001:db8:: to 2001:db8::ff"),
        ("[2001:db8::]/120:22", "2001:db8:: to 2001:db8::ff port 22"),
        ("[2001:db8::/120]:22", "2001:db8:: to 2001:db8::ff port 22"),
        ("[2001:db8::1]/128:22", "addr 2001:db8::1 port 22"),
        ("::/0", ":: to ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::1-2001:db8::ff", "2001:db8::1 to 2001:db8::ff"),
        ("[2001:db8::1-2001:db8::20]:22", "2001:db8::1 to 2001:db8::20 port 22"),
        ("fe80::1%lo", "addr fe80::1 scope 1"),
        ("[fe80::1%lo]:22", "addr fe80::1 scope 1 port 22"),
        ("fe80::1:22%lo", "addr fe80::1:22 scope 1"),
        ("fe80::1%1", "addr fe80::1 scope 1"),
        ("[fe80::%lo]/120:22", "fe80:: to fe80::ff scope 1 port 22"),
        ("fe80::%lo/120", "fe80:: to fe80::ff scope 1"),
        ("fe80::/120%lo", "fe80:: to fe80::ff scope 1"),
    ];

    const BAD: &[(&str, &str)] = &[
        ("", "the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22"),
        ("  ", "`  `: the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22"),
        ("10.0.0.0/33", "`10.0.0.0/33`: the prefix length 33 is too long for IPv4: write /0 to /32"),
        ("[::]/129", "`[::]/129`: the prefix length 129 is too long for IPv6: write /0 to /128"),
        ("10.0.0.0/999999", "`10.0.0.0/999999`: the prefix length 999999 is too long for IPv4: write /0 to /32"),
        ("10.0.0.0/", "`10.0.0.0/`: `/` is not a prefix length: write a number of bits, such as /24"),
        (
            "10.0.0.0/255.255.255.0",
            "`10.0.0.0/255.255.255.0`: `/255.255.255.0` is not a prefix length: write a number of bits, such as /24",
        ),
        ("10.0.0.0/x", "`10.0.0.0/x`: `/x` is not a prefix length: write a number of bits, such as /24"),
        ("[2001:db8::/120]/120", "`[2001:db8::/120]/120`: has two prefix lengths: write [2001:db8::]/120:22"),
        ("[10.0.0.0/24]/24", "`[10.0.0.0/24]/24`: has two prefix lengths: write [2001:db8::]/120:22"),
        ("web1/24", "`web1/24`: a prefix length belongs to an address, and `web1` is a name: write 10.0.0.0/24"),
        ("[web1]/24", "`[web1]/24`: a prefix length belongs to an address, and `web1` is a name: write 10.0.0.0/24"),
        ("host:99999", "`host:99999`: there is no port 99999: write 1 to 65535"),
        ("host:0", "`host:0`: port 0 cannot be connected to: write 1 to 65535"),
        ("host:", "`host:`: no port follows the colon: write host:22, or host alone for the default port"),
        ("[::1]:", "`[::1]:`: no port follows the colon: write [::1]:22, or [::1] alone for the default port"),
        ("host:ssh", "`host:ssh`: `ssh` is not a port number: write 1 to 65535"),
        ("host:22,", "`host:22,`: a port is missing: write 1 to 65535"),
        ("10.0.0.0/24:22-20", "`10.0.0.0/24:22-20`: the port range 22-20 ends before it starts: write 20-22"),
        ("::1:22", "`::1:22`: this could be port 22 of ::1 or an address: write [::1]:22 or [::1:22]"),
        (
            "root@2001:db8::1:22",
            "`root@2001:db8::1:22`: this could be port 22 of 2001:db8::1 or an address: write [2001:db8::1]:22 or [2001:db8::1:22]",
        ),
        (
            "::1-::5:22",
            "`::1-::5:22`: this could be port 22 of ::1-::5 or an address: write [::1-::5]:22 or [::1-::5:22]",
        ),
        (
            "2001:db8::/120:22",
            "`2001:db8::/120:22`: a port behind an IPv6 address needs brackets: write [2001:db8::]/120:22",
        ),
        ("fe80::1%lo:22", "`fe80::1%lo:22`: a port behind an IPv6 address needs brackets: write [fe80::1%lo]:22"),
        (
            "2001:db8:1:2:3:4:5:6:22",
            "`2001:db8:1:2:3:4:5:6:22`: a port behind an IPv6 address needs brackets: write [2001:db8:1:2:3:4:5:6]:22",
        ),
        ("::1:22,2222", "`::1:22,2222`: a port behind an IPv6 address needs brackets: write [::1]:22,2222"),
        (":::22", "`:::22`: a port behind an IPv6 address needs brackets: write [::]:22"),
        (
            "2001:db8::g",
            "`2001:db8::g`: has more than one colon: write host:port, and an IPv6 address with a port as [2001:db8::1]:22",
        ),
        (
            "host:22:23",
            "`host:22:23`: has more than one colon: write host:port, and an IPv6 address with a port as [2001:db8::1]:22",
        ),
        (
            "10.0.0.1:22:23",
            "`10.0.0.1:22:23`: has more than one colon: write host:port, and an IPv6 address with a port as [2001:db8::1]:22",
        ),
        (
            "1::2::3",
            "`1::2::3`: `1::2::3` is not an IPv6 address: write it like 2001:db8::1, with a port [2001:db8::1]:22",
        ),
        (
            "[1::2::3]:22",
            "`[1::2::3]:22`: `1::2::3` is not an IPv6 address: write it like 2001:db8::1, with a port [2001:db8::1]:22",
        ),
        ("[::1", "`[::1`: the bracket is never closed: write [ADDRESS] or [ADDRESS]:22"),
        ("[::1:22", "`[::1:22`: the bracket is never closed: write [ADDRESS] or [ADDRESS]:22"),
        ("[::1]22", "`[::1]22`: `22` cannot follow the bracket: write [ADDRESS], [ADDRESS]:22 or [ADDRESS]/120:22"),
        ("[]:22", "`[]:22`: the host is missing: write host, host:port or user@host"),
        (":22", "`:22`: the host is missing: write host, host:port or user@host"),
        ("user@", "`user@`: the host is missing: write host, host:port or user@host"),
        ("user@:22", "`user@:22`: the host is missing: write host, host:port or user@host"),
        (
            "ssh://bob:s3cret@host",
            "a colon stands in the user's name: a password is given by --password-file FILE, and is not shown here",
        ),
        ("@host", "`@host`: no user stands before the @: write user@host, or host alone"),
        ("10.0.0.9-3", "`10.0.0.9-3`: the range ends before it starts: write 10.0.0.3-9"),
        ("10.0.0.9-10.0.0.3:22", "`10.0.0.9-10.0.0.3:22`: the range ends before it starts: write 10.0.0.3-10.0.0.9"),
        ("[::9-::3]", "`[::9-::3]`: the range ends before it starts: write [::3-::9]"),
        ("10.0.0.1-", "`10.0.0.1-`: this is no address range: write 10.0.0.1-50 or 10.0.0.1-10.0.0.50"),
        ("10.0.0.1-2-3", "`10.0.0.1-2-3`: this is no address range: write 10.0.0.1-50 or 10.0.0.1-10.0.0.50"),
        ("10.0.0-5.1", "`10.0.0-5.1`: this is no address range: write 10.0.0.1-50 or 10.0.0.1-10.0.0.50"),
        (
            "10.0.0.1-256",
            "`10.0.0.1-256`: `256` is not an IPv4 address (as the end of a range it is too much): write four numbers from 0 to 255",
        ),
        ("10.0.0.1-5/24", "`10.0.0.1-5/24`: a range has no prefix length: write 10.0.0.1-50 or 10.0.0.0/24"),
        ("[::1-::5]/120", "`[::1-::5]/120`: a range has no prefix length: write 10.0.0.1-50 or 10.0.0.0/24"),
        ("::1-ff", "`::1-ff`: this is no IPv6 address range: write both ends in full, [2001:db8::1-2001:db8::ff]:22"),
        ("10.0.0.*", "`10.0.0.*`: there are no wildcards: write 10.0.0.0/24 or 10.0.0.1-50"),
        ("web*", "`web*`: there are no wildcards: write 10.0.0.0/24 or 10.0.0.1-50"),
        (
            "10.0.0.256",
            "`10.0.0.256`: `10.0.0.256` is not an IPv4 address (`256` is too much): write four numbers from 0 to 255",
        ),
        ("10.0.0", "`10.0.0`: `10.0.0` is not an IPv4 address (3 numbers): write four numbers from 0 to 255"),
        (
            "10.0.0.0.1",
            "`10.0.0.0.1`: `10.0.0.0.1` is not an IPv4 address (5 numbers): write four numbers from 0 to 255",
        ),
        ("22", "`22`: `22` is not an IPv4 address (1 number): write four numbers from 0 to 255"),
        (
            "10..0.1",
            "`10..0.1`: `10..0.1` is not an IPv4 address (a number is missing): write four numbers from 0 to 255",
        ),
        (
            "010.0.0.1",
            "`010.0.0.1`: `010.0.0.1` is not an IPv4 address (010 may be read as octal): write four numbers from 0 to 255",
        ),
        ("10.0/16", "`10.0/16`: `10.0` is not an IPv4 address (2 numbers): write four numbers from 0 to 255"),
        (
            "host.5",
            "`host.5`: `host.5` is not an IPv4 address (and a name does not end in a number): write four numbers from 0 to 255",
        ),
        (
            "0x7f.1",
            "`0x7f.1`: `0x7f.1` is not an IPv4 address (and a name does not end in a number): write four numbers from 0 to 255",
        ),
        ("iap://p/z/i:0", "`iap://p/z/i:0`: \"0\" is no port: write one from 1 to 65535"),
        ("http://host:22", "`http://host:22`: the scheme http:// is not known: write host or host:port without it"),
        ("ssh://", "`ssh://`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://@host", "`ssh://@host`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://host/x", "`ssh://host/x`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://host:0", "`ssh://host:0`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://host:22,23", "`ssh://host:22,23`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://10.0.0.1-5", "`ssh://10.0.0.1-5`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://10.0.0.0/24", "`ssh://10.0.0.0/24`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://[::1-::5]", "`ssh://[::1-::5]`: is no URI of one host: write ssh://[USER@]HOST[:PORT]"),
        ("ssh://a%0ab@host", "`ssh://a%0ab@host`: has the control character U+000A in it: remove it"),
        ("a b", "`a b`: has a blank in it: write one target at a time"),
        (" a", "` a`: has a blank in it: write one target at a time"),
        ("a,b", "`a,b`: has a comma in it: write one target at a time, and several ports as host:22,2222"),
        ("::1,::2", "`::1,::2`: has a comma in it: write one target at a time, and several ports as host:22,2222"),
        ("a\nb", "`a\\u{a}b`: has the control character U+000A in it: remove it"),
        ("a\u{1b}[31m", "`a\\u{1b}[31m`: has the control character U+001B in it: remove it"),
        ("a\u{9b}b", "`a\\u{9b}b`: has the control character U+009B in it: remove it"),
        ("bücher.example", "`bücher.example`: the name is not ASCII: write it in its punycode form (xn--…)"),
        ("10.0.0.1\u{2013}50", "`10.0.0.1–50`: the name is not ASCII: write it in its punycode form (xn--…)"),
        ("-oProxyCommand=x", "`-oProxyCommand=x`: a host name has no `=`: letters, digits, -, _ and dots only"),
        ("-web", "`-web`: a host name does not start with a dash"),
        ("a..b", "`a..b`: the name has an empty part: write one dot between two parts"),
        (".", "`.`: the name has an empty part: write one dot between two parts"),
        ("host;id", "`host;id`: a host name has no `;`: letters, digits, -, _ and dots only"),
        ("$(id)", "`$(id)`: a host name has no `$`: letters, digits, -, _ and dots only"),
        ("10.0.0.1]", "`10.0.0.1]`: a host name has no `]`: letters, digits, -, _ and dots only"),
        ("10.0.0.1%lo", "`10.0.0.1%lo`: %lo belongs to link-local IPv6 addresses (fe80::/10) only: leave it away"),
        ("web%lo", "`web%lo`: %lo belongs to link-local IPv6 addresses (fe80::/10) only: leave it away"),
        (
            "2001:db8::1%lo",
            "`2001:db8::1%lo`: %lo belongs to link-local IPv6 addresses (fe80::/10) only: leave it away",
        ),
        ("fe80::1%", "`fe80::1%`: no interface follows the %: write fe80::1%eth0"),
        ("fe80::1%nosuch0", "`fe80::1%nosuch0`: there is no interface `nosuch0` here: `ip link` lists them"),
        ("[fe80::1%nosuch0]:22", "`[fe80::1%nosuch0]:22`: there is no interface `nosuch0` here: `ip link` lists them"),
    ];

    #[test]
    fn every_good_form() {
        for (text, meaning) in GOOD {
            match Expression::parse(text) {
                Ok(expression) => assert_eq!(show(&expression), *meaning, "{text}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn every_bad_input_has_its_line() {
        for (text, message) in BAD {
            assert_eq!(Expression::parse(text).expect_err(text).to_string(), *message);
        }
        let label = "x".repeat(64);
        let error = Expression::parse(&label).unwrap_err().to_string();
        assert_eq!(error, format!("`{label}`: a part of the name is 64 bytes long: DNS allows 63"));
        let error = Expression::parse(&["x"; 128].join(".")).unwrap_err().to_string();
        assert!(error.ends_with("…`: the name is 255 bytes long: DNS allows 253"), "{error}");
    }

    /// What an error tells the user to write must be right.
    #[test]
    fn remedies_parse() {
        for (bad, remedies) in [
            ("::1:22", &["[::1]:22", "[::1:22]"] as &[_]),
            ("2001:db8::/120:22", &["[2001:db8::]/120:22"]),
            ("::1-::5:22", &["[::1-::5]:22", "[::1-::5:22]"]),
            ("10.0.0.9-3", &["10.0.0.3-9"]),
        ] {
            let error = Expression::parse(bad).unwrap_err().to_string();
            for remedy in remedies {
                assert!(error.contains(remedy), "{error}");
                Expression::parse(remedy).unwrap();
            }
        }
    }

    #[test]
    fn families() {
        for (text, families, message) in [
            ("::1", Families::V4Only, "`::1`: is an IPv6 target, but -4 allows only IPv4: leave the target or -4 away"),
            (
                "10.0.0.0/8",
                Families::V6Only,
                "`10.0.0.0/8`: is an IPv4 target, but -6 allows only IPv6: leave the target or -6 away",
            ),
        ] {
            let expression = Expression::parse(text).unwrap();
            // Whatever else says so.
            let other = if families == Families::V4Only { "192.0.2.7" } else { "2001:db8::7" }.parse().ok();
            for source in [None, other] {
                assert_eq!(expression.check_family(text, families, source).unwrap_err().to_string(), message);
            }
            assert_eq!(expression.check_family(text, Families::Any, None), Ok(()));
            let told = expression.check_family(text, Families::Any, other).unwrap_err().to_string();
            let option = if families == Families::V4Only { "-4" } else { "-6" };
            assert_eq!(told, message.replace(option, &format!("--source {}", other.unwrap())));
        }
        let name = Expression::parse("web1").unwrap();
        assert_eq!(name.check_family("web1", Families::V6Only, "2001:db8::7".parse().ok()), Ok(()));
    }

    #[test]
    fn link_local_addresses_need_an_interface() {
        let check = |text: &str| Expression::parse(text).unwrap().check_scope(text).map_err(|error| error.to_string());
        for text in ["fe80::1", "[fe80::1]:22", "[fe80::]/120", "[fe80::1-fe80::9]"] {
            let told = format!(
                "`{text}`: a link-local address needs its interface: write it like fe80::1%eth0, or give --interface NAME"
            );
            assert_eq!(check(text), Err(told));
        }
        for text in ["fe80::1%lo", "[fe80::%lo]/120", "2001:db8::1", "[fe00::]/8", "10.0.0.1", "web1"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    /// Strings made of what expressions are made of come deeper into the parser than arbitrary ones.
    fn nearly_an_expression() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "10.0.0.1",
            "10.0.0",
            "256",
            "0",
            "1",
            "22",
            "99999",
            "-",
            "/",
            "/24",
            "/129",
            ":",
            "::",
            "::1",
            "fe80::1",
            "2001:db8::",
            "[",
            "]",
            "%",
            "lo",
            "@",
            "user",
            ",",
            "web",
            ".",
            "*",
            "\u{1b}",
            "ü",
            " ",
            "://",
            "iap",
            "ssh",
            "ssh://",
            "Web",
            "%40",
            ";",
            "f",
            "ffff",
        ]);
        proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
    }

    fn survives(text: &str) {
        match Expression::parse(text) {
            Ok(expression) => {
                // What is taken for the typed host is the host.
                let typed = typed_host(text);
                match &expression.hosts {
                    Hosts::Name(name) => {
                        let lower = typed.to_ascii_lowercase();
                        assert_eq!(lower.strip_suffix('.').unwrap_or(&lower), &**name, "{text}");
                    }
                    Hosts::Addresses(range) if range.is_single() && !text.contains('/') && !text.contains('-') => {
                        assert_eq!(hosts(typed, None).as_ref(), Ok(&expression.hosts), "{text}");
                    }
                    _ => {}
                }
                if let Hosts::Addresses(range) = &expression.hosts {
                    assert!(range.first <= range.last, "{text}");
                }
                assert!(
                    expression.ports.as_ref().is_none_or(|ports| !ports.is_empty() && !ports.contains(0)),
                    "{text}"
                );
            }
            Err(error) => {
                let line = error.to_string();
                assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn no_string_makes_it_panic(text: String) {
            survives(&text);
        }

        #[test]
        fn no_near_expression_makes_it_panic(text in nearly_an_expression()) {
            survives(&text);
        }

        /// Whatever is taken without brackets means the same with them: nothing is guessed.
        #[test]
        fn bare_addresses_are_those_in_brackets(bits: u128, zeroes in 0u32..128) {
            let addr = std::net::Ipv6Addr::from_bits(bits & (u128::MAX << zeroes | 0xff));
            let bare = Expression::parse(&addr.to_string());
            let bracketed = Expression::parse(&format!("[{addr}]")).unwrap();
            match bare {
                Ok(bare) => prop_assert_eq!(bare, bracketed),
                Err(error) => prop_assert!(matches!(error.fault, Fault::Ambiguous { .. }), "{}", error),
            }
        }
    }
}
