//! Whose an address is, as this machine's routes have it.

use std::net::IpAddr;

use sshprobe_probes::netlink::Unclear;
use sshprobe_probes::netlink::nexthop::{Kind, kind, route_to};

use super::netlink::ask;

/// What an address is to this machine: one question to the kernel.
///
/// # Errors
/// The kernel does not tell.
pub fn what_is(addr: IpAddr) -> Result<Kind, Unclear> {
    kind(&ask(&route_to(addr, 0))?)
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
            assert_eq!(what_is(addr.parse().unwrap()), Ok(wanted), "{addr}");
        }
    }
}
