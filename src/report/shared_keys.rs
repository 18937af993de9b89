//! The same host key at several addresses: clones of one image, a pool, or something that answers for all of them.
//!
//! Records go out as they come, so the first host of a group is out before the second is seen: it has no finding, and the
//! summary lists the groups.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::diagnose::{Finding, FindingId};
use sshprobe_probes::escape::escape;
use sshprobe_probes::evidence::Signature;
use sshprobe_probes::hostkey::canonical_key;
use sshprobe_probes::record::{HostKey, Record};
use sshprobe_probes::target::host_and_odd_port;

/// Keys remembered. Past so many, those not seen yet go by: a run that meets more has more hosts than anybody can act on
/// one by one, and its memory is to stay flat.
const KEYS: usize = 1 << 20;

/// Groups told of at the end.
const GROUPS: usize = 5;

/// Who showed which key.
#[derive(Debug)]
pub(super) struct SharedKeys {
    keys: HashMap<u64, Holder>,
    /// Those that a second address showed too.
    groups: HashMap<u64, Group>,
    /// Which addresses have been counted for which of those, as numbers.
    counted: HashSet<u64>,
    /// Keyed anew in each run: nobody can make two keys that look like one.
    hasher: RandomState,
    most: usize,
    full: bool,
    /// Room for the keys of the record that is looked at, as numbers, and for the bytes of one of them.
    proven: Vec<u64>,
    blob: Vec<u8>,
    /// Room for what is said of it.
    sentence: String,
}

/// The first address that showed a key. Small, because there may be a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    addr: IpAddr,
    port: u16,
}

/// A key at several addresses.
#[derive(Debug, Clone)]
struct Group {
    key: String,
    first: String,
    hosts: u64,
}

impl Default for SharedKeys {
    fn default() -> Self {
        Self {
            keys: HashMap::new(),
            groups: HashMap::new(),
            counted: HashSet::new(),
            hasher: RandomState::new(),
            most: KEYS,
            full: false,
            proven: Vec::new(),
            blob: Vec::new(),
            sentence: String::new(),
        }
    }
}

impl SharedKeys {
    /// Notes the keys that a record's target proved, and puts a finding into the record where another address has shown one
    /// of them before. Several ports or names of one address are one host.
    pub(super) fn note(&mut self, record: &mut Record) {
        let Some(addr) = record.target.addr else { return };
        let mut proven = std::mem::take(&mut self.proven);
        self.find_proven(record, &mut proven);
        for &id in &proven {
            self.compare(id, addr, record);
        }
        self.proven = proven;
    }

    /// Compares one key that `addr` proved with those before it.
    fn compare(&mut self, id: u64, addr: IpAddr, record: &mut Record) {
        let Some(first) = self.keys.get(&id).copied() else {
            if self.keys.len() < self.most {
                self.keys.insert(id, Holder { addr, port: record.target.port });
            } else {
                self.full = true;
            }
            return;
        };
        if first.addr == addr {
            return;
        }
        if !self.groups.contains_key(&id) {
            let key = record.host_keys.iter().find(|key| self.id(key) == Some(id));
            let key = key.map(|key| escape(format!("{} {}", key.kind, key.fingerprint))).unwrap_or_default();
            let first = host_and_odd_port(&first.addr.to_string(), first.port);
            self.groups.insert(id, Group { key, first, hosts: 1 });
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        if self.counted.len() >= self.most {
            self.full = true;
        } else if self.counted.insert(self.hasher.hash_one((id, addr))) {
            group.hosts += 1;
        }
        let Group { key, first, hosts } = group;
        // Where one image has made a fleet, every record has it.
        self.sentence.clear();
        let _ = write!(self.sentence, "{first} has shown {key} before; with this one {hosts} hosts have it");
        record.findings.push(Finding::new(FindingId::SharedHostKey, &*self.sentence));
    }

    /// The keys that a record's target proved, each once: a certificate and the plain key in it are one.
    fn find_proven(&mut self, record: &Record, ids: &mut Vec<u64>) {
        ids.clear();
        ids.extend(record.host_keys.iter().filter_map(|key| self.id(key)));
        ids.sort_unstable();
        ids.dedup();
    }

    /// The number of a proven key. Of the key itself, not of a fingerprint: MD5's can be forged.
    fn id(&mut self, key: &HostKey) -> Option<u64> {
        if key.signature != Signature::Verified {
            return None;
        }
        self.blob.clear();
        STANDARD.decode_vec(&key.key, &mut self.blob).ok()?;
        let plain = canonical_key(&self.blob).ok()?;
        Some(self.hasher.hash_one(&*plain))
    }

    /// What there is to tell at the end; the largest groups first, the key of each on a line of its own, as it is long.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut groups: Vec<&Group> = self.groups.values().collect();
        groups.sort_by(|one, other| other.hosts.cmp(&one.hosts).then_with(|| one.first.cmp(&other.first)));
        let mut lines: Vec<String> = groups
            .iter()
            .take(GROUPS)
            .map(|group| format!("{} hosts, {} among them:\n      {}", group.hosts, group.first, group.key))
            .collect();
        if groups.len() > GROUPS {
            lines.push(format!("and {} more keys at several addresses", groups.len() - GROUPS));
        }
        if self.full {
            lines.push(format!("only the first {} keys were compared", self.most));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::healthy;

    fn record(addr: &str, port: u16, fingerprint: &str) -> Record {
        let mut record = healthy(addr);
        record.target.addr = addr.parse().ok();
        record.target.port = port;
        record.host_keys[0].fingerprint = fingerprint.to_owned();
        record.host_keys[0].key = STANDARD.encode(format!("\0\0\0\x01k{fingerprint}"));
        record
    }

    fn findings(keys: &mut SharedKeys, mut record: Record) -> Vec<String> {
        keys.note(&mut record);
        let shared = record.findings.into_iter().filter(|finding| finding.id == FindingId::SharedHostKey);
        shared.map(|finding| finding.detail.to_string()).collect()
    }

    #[test]
    fn the_second_host_and_all_later_ones_have_the_finding() {
        let mut keys = SharedKeys::default();
        assert_eq!(findings(&mut keys, record("10.0.0.1", 22, "SHA256:a")), [""; 0]);
        assert_eq!(findings(&mut keys, record("10.0.0.2", 22, "SHA256:b")), [""; 0]);
        assert_eq!(
            findings(&mut keys, record("10.0.0.3", 2222, "SHA256:a")),
            ["10.0.0.1 has shown ssh-ed25519 SHA256:a before; with this one 2 hosts have it"]
        );
        assert_eq!(
            findings(&mut keys, record("2001:db8::1", 22, "SHA256:a")),
            ["10.0.0.1 has shown ssh-ed25519 SHA256:a before; with this one 3 hosts have it"]
        );
        assert_eq!(keys.lines(), ["3 hosts, 10.0.0.1 among them:\n      ssh-ed25519 SHA256:a"]);
    }

    #[test]
    fn ports_of_one_address_are_one_host() {
        let mut keys = SharedKeys::default();
        for port in [22, 2222, 22] {
            assert_eq!(findings(&mut keys, record("10.0.0.1", port, "SHA256:a")), [""; 0]);
        }
        assert_eq!(keys.lines(), [""; 0]);
    }

    #[test]
    fn an_address_is_counted_once_however_often_and_in_whatever_order_it_comes() {
        for order in [[1, 2, 2, 1], [2, 1, 2, 2], [2, 2, 1, 1]] {
            let mut keys = SharedKeys::default();
            for (at, last) in order.into_iter().enumerate() {
                let _ = findings(&mut keys, record(&format!("10.0.0.{last}"), 22 + at as u16, "SHA256:a"));
            }
            assert!(keys.lines()[0].starts_with("2 hosts, "), "{order:?}: {:?}", keys.lines());
        }
        let mut keys = SharedKeys::default();
        let mut both = record("10.0.0.1", 22, "SHA256:a");
        both.host_keys.push(both.host_keys[0].clone());
        let _ = findings(&mut keys, both.clone());
        both.target.addr = "10.0.0.2".parse().ok();
        assert_eq!(findings(&mut keys, both).len(), 1, "a certificate and its key are one");
    }

    #[test]
    fn what_nobody_proved_to_hold_is_nobodys_key() {
        let mut keys = SharedKeys::default();
        for addr in ["10.0.0.1", "10.0.0.2"] {
            let mut record = record(addr, 22, "SHA256:a");
            record.host_keys[0].signature = Signature::Bad;
            assert_eq!(findings(&mut keys, record), [""; 0]);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_said_to_be() {
        let mut keys = SharedKeys { most: 2, ..SharedKeys::default() };
        for (addr, key) in [("10.0.0.1", "SHA256:a"), ("10.0.0.2", "SHA256:b"), ("10.0.0.3", "SHA256:c")] {
            assert_eq!(findings(&mut keys, record(addr, 22, key)), [""; 0]);
        }
        assert_eq!(findings(&mut keys, record("10.0.0.4", 22, "SHA256:c")), [""; 0], "not remembered");
        assert_eq!(findings(&mut keys, record("10.0.0.4", 22, "SHA256:b")).len(), 1);
        assert_eq!(keys.keys.len(), 2);
        assert_eq!(keys.lines().last().map(String::as_str), Some("only the first 2 keys were compared"));
    }
}
