//! The networks the lab's tests stand on.
//!
//! ```text
//! prober ── router ──┬── fleet    the whole network on AnyIP: one wildcard listener serves every address
//!                    └── special  single addresses taken out of it, each with a server of its own
//! ```
//!
//! Special addresses need a namespace of their own, since Linux lets nobody listen on an address while another listens on the
//! wildcard of the same port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netns::Netns;

/// The prober's own addresses and the router's on the same link: what an ICMP error of the router comes from.
pub(crate) const PROBER_V4: &str = "192.0.2.1";
pub(crate) const ROUTER_V4: &str = "192.0.2.254";
pub(crate) const PROBER_V6: &str = "fd00:0:0:a::1";
pub(crate) const ROUTER_V6: &str = "fd00:0:0:a::fe";

/// The prober's only way out, and the special servers'.
pub(crate) const PROBER_DEVICE: &str = "router0";
pub(crate) const SPECIAL_DEVICE: &str = "router0";

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// The network of 256 addresses the scenario lies on.
    pub(crate) fn network(self) -> &'static str {
        match self {
            Family::V4 => "10.0.0.0/24",
            Family::V6 => "fd00:0:0:1::/120",
        }
    }

    /// The network as a target expression.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Family::V4 => "10.0.0.0/24:22",
            Family::V6 => "[fd00:0:0:1::]/120:22",
        }
    }

    /// The address with this last octet.
    pub(crate) fn address(self, octet: u8) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::new(10, 0, 0, octet).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, octet.into()).into(),
        }
    }

    /// The router as the prober sees it.
    pub(crate) fn router(self) -> IpAddr {
        match self {
            Family::V4 => ROUTER_V4,
            Family::V6 => ROUTER_V6,
        }
        .parse()
        .expect("an address")
    }
}

/// The four namespaces.
pub(crate) struct Topology {
    pub(crate) prober: Netns,
    pub(crate) router: Netns,
    pub(crate) fleet: Netns,
    pub(crate) special: Netns,
}

impl Topology {
    /// A prober, a router and a fleet that owns every address of `network`.
    pub(crate) fn new(network: &str) -> Self {
        let topology = Self {
            prober: Netns::new("prober"),
            router: Netns::new("router"),
            fleet: Netns::new("fleet"),
            special: Netns::new("special"),
        };
        let Self { prober, router, fleet, special } = &topology;
        prober.link(
            PROBER_DEVICE,
            &[&format!("{PROBER_V4}/24"), &format!("{PROBER_V6}/64")],
            router,
            "prober0",
            &[&format!("{ROUTER_V4}/24"), &format!("{ROUTER_V6}/64")],
        );
        router.link(
            "fleet0",
            &["198.51.100.1/30", "fd00:0:0:b::1/64"],
            fleet,
            "router0",
            &["198.51.100.2/30", "fd00:0:0:b::2/64"],
        );
        router.link(
            "special0",
            &["198.51.100.5/30", "fd00:0:0:c::1/64"],
            special,
            SPECIAL_DEVICE,
            &["198.51.100.6/30", "fd00:0:0:c::2/64"],
        );
        for (netns, v4, v6) in [
            (prober, ROUTER_V4, ROUTER_V6),
            (fleet, "198.51.100.1", "fd00:0:0:b::1"),
            (special, "198.51.100.5", "fd00:0:0:c::1"),
        ] {
            netns.ip(&format!("route add default via {v4}"));
            netns.ip(&format!("-6 route add default via {v6}"));
        }
        let via = if network.contains(':') { "fd00:0:0:b::2" } else { "198.51.100.2" };
        router.ip(&format!("route add {network} via {via}"));
        fleet.ip(&format!("route add local {network} dev lo"));
        topology
    }

    /// Takes one address out of the fleet and gives it to the special namespace.
    pub(crate) fn take_out(&self, address: impl std::fmt::Display) {
        let address = address.to_string();
        let via = if address.contains(':') { "fd00:0:0:c::2" } else { "198.51.100.6" };
        self.router.ip(&format!("route add {address} via {via}"));
        // An address proper, not AnyIP: it is bound to without ado, and ICMP errors come from it.
        let nodad = if address.contains(':') { "nodad" } else { "" };
        self.special.ip(&format!("addr add {address} dev lo {nodad}"));
    }
}
