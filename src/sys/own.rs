//! What is this machine's own, as its routes have it: addresses, and what does not lead to anybody else.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use sshprobe_probes::netlink::Unclear;
use sshprobe_probes::netlink::nexthop::{Kind, kind, route_to};

use super::netlink::ask;

/// What an address is to this machine: one question to the kernel. `scope` is the interface to get there by, else 0.
///
/// # Errors
/// The kernel does not tell.
pub fn what_is(addr: IpAddr, scope: u32) -> Result<Kind, Unclear> {
    kind(&ask(&route_to(addr, scope))?)
}

/// What leads to nobody but this machine. The kernel takes what is sent there for others all the same, and it vanishes without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loopback {
    /// The interface that connections are made through, or 0.
    interface: u32,
}

impl Loopback {
    /// Where nothing that is sent from `source` and through `interface` leaves this machine.
    #[must_use]
    pub fn of(source: Option<IpAddr>, interface: Option<&str>) -> Option<Self> {
        let stays = source.is_some_and(|source| source.is_loopback()) || interface.is_some_and(is_loopback);
        let interface = interface.and_then(|name| if_nametoindex(name).ok()).unwrap_or(0);
        stays.then_some(Self { interface })
    }

    /// Whether it leads to an address: through the loopback interface not even to those of this machine's other ones. Where the
    /// kernel does not tell, nothing speaks against it.
    #[must_use]
    pub fn leads_to(self, to: SocketAddr) -> bool {
        // As from one loopback address to another, for most runs of this kind.
        if self.interface == 0 && to.ip().is_loopback() {
            return true;
        }
        let scope = if let SocketAddr::V6(to) = to { to.scope_id() } else { 0 };
        what_is(to.ip(), if scope == 0 { self.interface } else { scope }) != Ok(Kind::Elsewhere)
    }
}

fn is_loopback(interface: &str) -> bool {
    getifaddrs().is_ok_and(|mut all| {
        all.any(|each| each.interface_name == interface && each.flags.contains(InterfaceFlags::IFF_LOOPBACK))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_knows_its_own() {
        for (addr, wanted) in [
            ("127.0.0.1", Kind::Own),
            ("127.9.9.9", Kind::Own),
            ("::1", Kind::Own),
            ("127.255.255.255", Kind::Broadcast),
            // TEST-NET-1, whether or not there is a route to it.
            ("192.0.2.77", Kind::Elsewhere),
            ("2001:db8::77", Kind::Elsewhere),
        ] {
            let addr: IpAddr = addr.parse().unwrap();
            assert_eq!(what_is(addr, 0), Ok(wanted), "{addr}");
            let loopback = Loopback { interface: 0 };
            assert_eq!(loopback.leads_to((addr, 22).into()), wanted != Kind::Elsewhere, "{addr}");
        }
    }

    #[test]
    fn nothing_gets_out_by_the_loopback() {
        let (own, other) = ("::1".parse().ok(), "2001:db8::7".parse().ok());
        for (source, interface, stays) in [
            (own, None, true),
            (None, Some("lo"), true),
            (other, Some("lo"), true),
            (other, None, false),
            (None, Some("nosuchif0"), false),
            (None, None, false),
        ] {
            assert_eq!(Loopback::of(source, interface).is_some(), stays, "{source:?} {interface:?}");
        }
    }
}
