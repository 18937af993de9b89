//! The addresses that SYNs come from: this machine has few of them, and those under way many.

use std::net::IpAddr;

use sshprobe_probes::sweep::packet::Syns;

/// Where the SYNs to one destination come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The destination itself: it is this machine's own.
    Itself,
    /// One of [`Sources`].
    Known(u16),
}

/// What SYNs are written by, for each of this machine's addresses that some come from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    known: Vec<(IpAddr, Syns)>,
}

/// Of the links that there are the usual one. A segment size that is too large does no harm, as no segment follows.
const MTU: u16 = 1500;

/// More addresses than a machine has.
const MOST: usize = 1 << 12;

impl Sources {
    /// `source`, of SYNs to `to`; `None` if there are too many of them.
    pub(super) fn of(&mut self, source: IpAddr, to: IpAddr) -> Option<Source> {
        if source == to {
            return Some(Source::Itself);
        }
        let at = match self.known.iter().position(|(known, _)| *known == source) {
            Some(at) => at,
            None if self.known.len() == MOST => return None,
            None => {
                self.known.push((source, Syns::new(source, MTU)));
                self.known.len() - 1
            }
        };
        u16::try_from(at).ok().map(Source::Known)
    }

    /// The address.
    pub(super) fn addr(&self, source: Source, to: IpAddr) -> IpAddr {
        match source {
            Source::Known(at) => self.known.get(usize::from(at)).map_or(to, |(addr, _)| *addr),
            Source::Itself => to,
        }
    }

    /// What writes SYNs from there to `to`.
    pub(super) fn syns(&self, source: Source, to: IpAddr) -> Syns {
        match source {
            Source::Known(at) => self.known.get(usize::from(at)).map(|(_, syns)| *syns),
            Source::Itself => None,
        }
        .unwrap_or_else(|| Syns::new(to, MTU))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart_and_bounded() {
        let addr = |number: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(number));
        let (to, mut sources) = (addr(1 << 24), Sources::default());
        assert_eq!(sources.of(to, to), Some(Source::Itself));
        for number in 0..MOST as u32 {
            let source = sources.of(addr(number), to).unwrap();
            assert_eq!((source, sources.of(addr(number), to)), (Source::Known(number as u16), Some(source)));
            assert_eq!(sources.addr(source, to), addr(number));
        }
        assert_eq!((sources.of(addr(MOST as u32), to), sources.of(to, to)), (None, Some(Source::Itself)));
        assert_eq!((sources.addr(Source::Itself, to), sources.syns(Source::Itself, to)), (to, Syns::new(to, MTU)));
    }
}
