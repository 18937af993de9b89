//! What only this machine's kernel can tell or do: time, randomness, limits, tables, memory, what became of a
//! socket's packets.

#[cfg(feature = "syn")]
pub mod batch;
#[cfg(feature = "syn")]
pub mod capabilities;
pub mod clock;
pub mod conntrack;
pub mod descriptors;
pub mod entropy;
pub mod error_queue;
#[cfg(any(feature = "cli", feature = "login"))]
pub mod ignored;
pub mod memory;
pub mod neighbours;
mod netlink;
#[cfg(target_os = "linux")]
pub mod orphan;
pub mod own;
#[cfg(feature = "syn")]
pub mod raw;
#[cfg(feature = "syn")]
pub mod routes;
pub mod syns;
pub mod tables;
pub mod unread;
pub mod user;
