//! The part of sshprobe that touches the world: names, sockets, files, clocks, terminals.

pub mod target;
