//! The part of sshprobe that touches the world: names, sockets, files, clocks, terminals.

pub mod engine;
pub mod sys;
pub mod target;
pub mod transport;
