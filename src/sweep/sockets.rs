//! Everything of a sweep that needs a right to be opened.

use std::io;
use std::net::{IpAddr, SocketAddr};

use sshprobe_probes::sweep::cookie::{Cookies, SourcePorts};

use super::ports::Reserved;
use crate::sys::entropy;
use crate::sys::own::Loopback;
use crate::sys::raw::RawSockets;

/// The raw sockets of both families, the source ports kept for them, and the key of the cookies.
#[derive(Debug)]
pub struct Sockets {
    pub(super) v4: Option<RawSockets>,
    pub(super) v6: Option<RawSockets>,
    pub(super) cookies: Cookies,
    /// Nothing that is sent by them leaves this machine.
    loopback: Option<Loopback>,
    _reserved: Reserved,
}

/// Why there is no SYN sweep. A program error: nothing has been sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unopened {
    /// Neither root nor CAP_NET_RAW.
    #[error("raw sockets need root or CAP_NET_RAW (sudo setcap cap_net_raw+ep \"$(command -v sshprobe)\")")]
    NoRight,
    /// The address to send from is none of this machine's.
    #[error("cannot send from {0}: it is not an address of this machine")]
    NotOurs(IpAddr),
    /// Something else that the kernel refused.
    #[error("no raw socket: {0}")]
    System(#[from] io::Error),
}

impl Sockets {
    /// Opens them; packets are sent from `source` and through `interface`, where given.
    ///
    /// # Errors
    /// The right to it is missing, or the machine cannot. Where it has no IPv6, that is none.
    pub fn open(source: Option<IpAddr>, interface: Option<&str>) -> Result<Self, Unopened> {
        let seed = || entropy::seed().map_err(|why| io::Error::other(why.to_string()));
        let reserved = Reserved::find(seed()?)?;
        let ports = reserved.ports;
        // What is of the other family than the source is left to connect(), which says what is wrong with that.
        let wanted = |v6: bool| source.is_none_or(|source| source.is_ipv6() == v6);
        let family = |v6| open(v6, source, interface, ports);
        let v4 = if wanted(false) { Some(family(false)?) } else { None };
        let v6 = match wanted(true).then(|| family(true)).transpose() {
            Err(Unopened::System(error)) if v4.is_some() => {
                tracing::debug!("no raw sockets of IPv6: {error}");
                None
            }
            opened => opened?,
        };
        let (cookies, loopback) = (Cookies::new(seed()?, ports), Loopback::of(source, interface));
        Ok(Self { v4, v6, cookies, loopback, _reserved: reserved })
    }

    /// Those that lead to an address.
    const fn towards(&self, to: IpAddr) -> Option<&RawSockets> {
        match to {
            IpAddr::V4(_) => self.v4.as_ref(),
            IpAddr::V6(_) => self.v6.as_ref(),
        }
    }

    /// Where SYNs to there come from; `None` if there is no way, or none that may be used.
    pub(super) fn source_towards(&self, to: SocketAddr) -> Option<IpAddr> {
        let sockets = self.towards(to.ip())?;
        // connect() finds the same, and words it.
        if self.loopback.is_some_and(|loopback| !loopback.leads_to(to)) {
            return None;
        }
        sockets.source_towards(to).ok()
    }

    /// Packets lost by all of them so far.
    pub(super) fn lost(&self) -> u64 {
        self.families().map(RawSockets::lost).sum()
    }

    pub(super) fn families(&self) -> impl Iterator<Item = &RawSockets> {
        self.v4.iter().chain(&self.v6)
    }
}

fn open(v6: bool, source: Option<IpAddr>, interface: Option<&str>, ports: SourcePorts) -> Result<RawSockets, Unopened> {
    RawSockets::open(v6, source, interface, ports).map_err(|error| match (error.kind(), source) {
        (io::ErrorKind::PermissionDenied, _) => Unopened::NoRight,
        (io::ErrorKind::AddrNotAvailable, Some(source)) => Unopened::NotOurs(source),
        _ => Unopened::System(error),
    })
}
