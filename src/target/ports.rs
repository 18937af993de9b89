//! Lists of ports: `22`, `22,2222`, `8000-8010`.

use std::sync::Arc;

use super::problem::Fault;

/// A set of TCP ports: sorted, disjoint, inclusive ranges that do not touch each other.
///
/// Cheap to clone: a file of a million lines shares one set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortSet(Arc<[(u16, u16)]>);

impl PortSet {
    /// Port 22 alone.
    #[must_use]
    pub fn ssh() -> Self {
        Self::single(22)
    }

    /// One port.
    #[must_use]
    pub fn single(port: u16) -> Self {
        Self(Arc::from([(port, port)]))
    }

    /// Every port that a connection can be made to: 1 to 65535.
    #[must_use]
    pub fn all() -> Self {
        Self(Arc::from([(1, u16::MAX)]))
    }

    /// No port.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::from([]))
    }

    fn from_ranges(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if u32::from(first) <= u32::from(*end) + 1 => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into())
    }

    /// Reads a comma-separated list of ports and port ranges.
    ///
    /// # Errors
    ///
    /// Anything that is not a number from 1 to 65535, and ranges that end before they start.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut ranges = Vec::new();
        for part in text.split(',') {
            ranges.push(match part.split_once('-') {
                None => {
                    let port = port(part)?;
                    (port, port)
                }
                Some((first, last)) => {
                    let (first, last) = (port(first)?, port(last)?);
                    if last < first {
                        return Err(Fault::PortRangeReversed { first, last });
                    }
                    (first, last)
                }
            });
        }
        Ok(Self::from_ranges(ranges))
    }

    /// How many ports there are, at most 65535.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|(first, last)| u32::from(last - first) + 1).sum()
    }

    /// Whether there is no port in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The port at place `n` in ascending order.
    #[must_use]
    pub fn nth(&self, n: u32) -> Option<u16> {
        let mut rest = n;
        for (first, last) in self.0.iter() {
            let span = u32::from(last - first) + 1;
            if rest < span {
                return u16::try_from(u32::from(*first) + rest).ok();
            }
            rest -= span;
        }
        None
    }

    /// Whether `port` is in it.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&port))
    }

    /// The ports of `self` that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        if self == other {
            return Self::none();
        }
        let mut left = Vec::new();
        for &(first, last) in self.0.iter() {
            let mut from = u32::from(first);
            for &(cut, end) in other.0.iter().filter(|(cut, end)| *cut <= last && *end >= first) {
                if u32::from(cut) > from {
                    // The cut starts behind `from`, so it is at least 1 here.
                    left.push((from, u32::from(cut) - 1));
                }
                from = u32::from(end) + 1;
            }
            if from <= u32::from(last) {
                left.push((from, u32::from(last)));
            }
        }
        let narrow = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
        Self::from_ranges(left.into_iter().map(|(first, last)| (narrow(first), narrow(last))).collect())
    }

    /// The ports of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        if other.is_empty() || self == other {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        Self::from_ranges(self.0.iter().chain(other.0.iter()).copied().collect())
    }
}

impl std::fmt::Display for PortSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

/// What `-p` takes: the same lists as behind a target's colon.
impl std::str::FromStr for PortSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|fault| fault.to_string())
    }
}

fn port(text: &str) -> Result<u16, Fault> {
    if text.is_empty() {
        return Err(Fault::PortMissing);
    }
    // `u16::from_str` takes a leading plus; nobody writes a port so.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::PortNotNumber(text.into()));
    }
    match text.parse::<u16>() {
        Ok(0) => Err(Fault::PortZero),
        Ok(port) => Ok(port),
        Err(_) => Err(Fault::PortTooBig(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn lists_are_sorted_and_merged() {
        for (text, canonical, len) in [
            ("22", "22", 1),
            ("2222,22", "22,2222", 2),
            ("22,22,22", "22", 1),
            ("8000-8010", "8000-8010", 11),
            ("22,23,24", "22-24", 3),
            ("1-65535", "1-65535", 65_535),
            ("65535,1-10,5-20", "1-20,65535", 21),
            ("0022", "22", 1),
        ] {
            let ports = PortSet::parse(text).unwrap();
            assert_eq!((ports.to_string().as_str(), ports.len()), (canonical, len), "{text}");
        }
    }

    #[test]
    fn bad_lists_say_what_is_wrong() {
        for (text, message) in [
            ("", "a port is missing: write 1 to 65535"),
            ("22,", "a port is missing: write 1 to 65535"),
            ("22,,23", "a port is missing: write 1 to 65535"),
            ("-22", "a port is missing: write 1 to 65535"),
            ("22-", "a port is missing: write 1 to 65535"),
            ("0", "port 0 cannot be connected to: write 1 to 65535"),
            ("99999", "there is no port 99999: write 1 to 65535"),
            ("184467440737095516160", "there is no port 184467440737095516160: write 1 to 65535"),
            ("ssh", "`ssh` is not a port number: write 1 to 65535"),
            ("+22", "`+22` is not a port number: write 1 to 65535"),
            (" 22", "` 22` is not a port number: write 1 to 65535"),
            ("22-20", "the port range 22-20 ends before it starts: write 20-22"),
            ("1-2-3", "`2-3` is not a port number: write 1 to 65535"),
        ] {
            assert_eq!(text.parse::<PortSet>().unwrap_err(), message, "{text:?}");
        }
    }

    fn some_ports() -> impl Strategy<Value = BTreeSet<u16>> {
        let near_the_ends = prop_oneof![1u16..12, 65_525u16..=65_535];
        proptest::collection::btree_set(near_the_ends, 0..12)
    }

    fn set(ports: &BTreeSet<u16>) -> PortSet {
        PortSet::from_ranges(ports.iter().map(|p| (*p, *p)).collect())
    }

    fn members(ports: &PortSet) -> BTreeSet<u16> {
        (0..ports.len()).map(|n| ports.nth(n).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets(a in some_ports(), b in some_ports()) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(members(&x), a.clone());
            prop_assert_eq!(x.nth(x.len()), None);
            prop_assert_eq!(members(&x.minus(&y)), a.difference(&b).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(members(&x.plus(&y)), a.union(&b).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(x.plus(&y), y.plus(&x));
            prop_assert!(x.minus(&PortSet::all()).is_empty());
            for port in (1..15).chain(65_520..=65_535) {
                prop_assert_eq!(x.contains(port), a.contains(&port));
            }
        }
    }
}
