//! Walking an address space: in which order, with which packets, and what their answers mean.
//!
//! A SYN sweep keeps no connection. [`cookie`] makes the numbers of each SYN from a key and its destination, so that an answer
//! can be told from a stray or forged packet by those numbers alone; [`packet`] writes the SYN, [`reply`] reads what comes
//! back, [`filter`] keeps everything else from being looked at, and [`flight`] remembers no more than which addresses still owe
//! an answer.

#[cfg(feature = "syn")]
pub mod cookie;
#[cfg(feature = "syn")]
pub mod filter;
#[cfg(feature = "syn")]
pub mod flight;
#[cfg(feature = "syn")]
pub mod packet;
pub mod permutation;
#[cfg(feature = "syn")]
pub mod reply;
#[cfg(feature = "syn")]
mod siphash;
