//! What is given away once, or never: exclusions, and all that was given already.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use sshprobe_probes::target::Host;

use super::address::{AddrRange, Space};
use super::expr::{Expression, Hosts};
use super::ports::PortSet;
use super::region::{Piece, Region};

/// Who says whether a name as it was typed is more than its lower-case form. ssh_config may give `alpha` and `ALPHA` different
/// places; the DNS does not.
pub trait Spelling: std::fmt::Debug + Send + Sync {
    /// Whether `typed` is reached in another way than `name`, the same in lower case and without a trailing dot.
    fn counts(&self, typed: &str, name: &str, user: Option<&str>) -> bool;
}

/// What must not be probed: `--exclude` and `--exclude-file`.
///
/// An exclusion without a port excludes every port. A name excludes the name, not the addresses it has; an excluded
/// address holds for what names resolve to as well, if whoever resolves them asks [`Exclusions::covers_address`].
#[derive(Debug, Clone, Default)]
pub struct Exclusions {
    spaces: BTreeMap<Space, Region>,
    names: HashMap<Box<str>, PortSet>,
}

impl Exclusions {
    /// Excludes what an expression names. Its user does not matter.
    pub fn add(&mut self, expression: &Expression) {
        let ports = expression.ports.clone().unwrap_or_else(PortSet::all);
        match &expression.hosts {
            Hosts::Name(name) => {
                let excluded = self.names.entry(name.clone()).or_insert_with(PortSet::none);
                *excluded = excluded.plus(&ports);
            }
            // No name of a host can be written like that.
            Hosts::Iap(target) => {
                let excluded = self.names.entry(target.to_string().into()).or_insert_with(PortSet::none);
                *excluded = excluded.plus(&ports);
            }
            Hosts::Addresses(range) => {
                self.spaces.entry(range.space).or_default().claim(range.first, range.last, &ports);
            }
        }
    }

    /// Whether nothing is excluded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spaces.is_empty() && self.names.is_empty()
    }

    /// Whether a port of an address is excluded. An exclusion without a scope holds on every interface.
    #[must_use]
    pub fn covers_address(&self, addr: IpAddr, scope: u32, port: u16) -> bool {
        let (space, number) = Space::of(addr.to_canonical(), scope);
        let anywhere = matches!(space, Space::V6(scope) if scope != 0).then_some(Space::V6(0));
        [Some(space), anywhere]
            .into_iter()
            .flatten()
            .filter_map(|space| self.spaces.get(&space))
            .any(|region| region.contains(number, port))
    }

    /// Whether a port of a name is excluded.
    #[must_use]
    pub fn covers_name(&self, name: &str, port: u16) -> bool {
        self.names.get(name).is_some_and(|ports| ports.contains(port))
    }

    /// Whether a port of where a target is found to be is excluded: excluded is excluded, by whatever name.
    #[must_use]
    pub fn cover(&self, place: &Host, port: u16) -> bool {
        match place {
            Host::Addr(addr, scope) => self.covers_address(*addr, *scope, port),
            Host::Name(name) => self.covers_name(name, port),
            Host::Iap(_) => false,
        }
    }

    /// What of a space is not to be given away from the start.
    fn region(&self, space: Space) -> Region {
        let mut region = self.spaces.get(&space).cloned().unwrap_or_default();
        if let (Space::V6(1..), Some(anywhere)) = (space, self.spaces.get(&Space::V6(0))) {
            for (first, last, ports) in anywhere.pieces() {
                region.claim(first, last, ports);
            }
        }
        region
    }
}

/// Everything given away already, so that no target comes twice: not out of two expressions, and not out of a file and
/// stdin.
#[derive(Debug)]
pub(crate) struct Seen {
    exclusions: Arc<Exclusions>,
    /// Where there is none, the spelling of names is nothing.
    spelling: Option<Arc<dyn Spelling>>,
    spaces: HashMap<Space, Region>,
    /// By two keyed hashes of the name: two names in a trillion trillions share them.
    names: HashMap<u128, PortSet>,
    hashers: (RandomState, RandomState),
    /// A set of ports for each distinct list, so that a million lines share one.
    lists: HashSet<PortSet>,
}

impl Seen {
    pub(crate) fn new(exclusions: Arc<Exclusions>, spelling: Option<Arc<dyn Spelling>>) -> Self {
        Self {
            exclusions,
            spelling,
            spaces: HashMap::new(),
            names: HashMap::new(),
            hashers: (RandomState::new(), RandomState::new()),
            lists: HashSet::new(),
        }
    }

    pub(super) fn shared(&mut self, ports: PortSet) -> PortSet {
        match self.lists.get(&ports) {
            Some(shared) => shared.clone(),
            None => {
                self.lists.insert(ports.clone());
                ports
            }
        }
    }

    /// Whether a name is told apart from its lower-case form.
    pub(super) fn as_typed(&self, typed: &str, name: &str, user: Option<&str>) -> bool {
        typed != name && self.spelling.as_ref().is_some_and(|spelling| spelling.counts(typed, name, user))
    }

    /// The ports of a name that nobody had yet, and which are not excluded for what it is in lower case.
    pub(super) fn claim_name(&mut self, name: &str, lower: &str, ports: &PortSet) -> PortSet {
        let key = u128::from(self.hashers.0.hash_one(name)) << 64 | u128::from(self.hashers.1.hash_one(name));
        let excluded = &self.exclusions.names;
        let taken = self.names.entry(key).or_insert_with(|| excluded.get(lower).cloned().unwrap_or_else(PortSet::none));
        let fresh = ports.minus(taken);
        *taken = taken.plus(ports);
        fresh
    }

    pub(super) fn claim_range(&mut self, range: &AddrRange, ports: &PortSet) -> Vec<Piece> {
        let exclusions = &self.exclusions;
        let region = self.spaces.entry(range.space).or_insert_with(|| exclusions.region(range.space));
        region.claim(range.first, range.last, ports)
    }
}
