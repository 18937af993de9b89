//! The part of sshprobe that touches the world: names, sockets, files, clocks, terminals.

#[cfg(feature = "cli")]
pub mod cli;
pub mod error;
#[cfg(feature = "cli")]
pub mod report;

pub mod target;
