//! Walking an address space: in which order, and (later) with which packets.

pub mod permutation;
