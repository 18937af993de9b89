//! Sweeps of fleets in network namespaces made by the test. They need root and are skipped, loudly, without it.

#[cfg(feature = "syn")]
mod accuracy;
#[cfg(feature = "syn")]
mod conntrack;
mod disk;
mod ground;
mod interrupt;
mod jump;
mod keys;
mod limits;
#[cfg(feature = "login")]
mod login;
mod matrix;
mod names;
mod neighbours;
mod origin;
mod path;
mod sshfp;
mod sweep;
#[cfg(feature = "syn")]
mod syn;
mod trust;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How many records there are of each code, every target once.
fn codes(records: &[Value]) -> BTreeMap<&str, usize> {
    let distinct: BTreeSet<_> = records.iter().map(|record| record["target"]["index"].as_u64()).collect();
    assert_eq!(distinct.len(), records.len(), "a target has two records");
    let mut codes = BTreeMap::new();
    records.iter().for_each(|record| *codes.entry(record["code"].as_str().expect("a code")).or_default() += 1);
    codes
}
