//! The part of sshprobe that touches the world: names, sockets, files, clocks, terminals.

pub mod resolve;
pub mod target;
