//! The part of sshprobe that touches the world: names, sockets, files, clocks, terminals.

#[cfg(feature = "cli")]
pub mod demo;
pub mod target;
