//! The part of sshprobe that touches the world: names, sockets, files, clocks, terminals.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod demo;
pub mod engine;
pub mod error;
#[cfg(feature = "cli")]
pub mod report;
pub mod resolve;
pub mod sys;
pub mod target;
pub mod transport;
