//! `sshprobe demo`: an embedded fleet on loopback, so that the main job can be seen, and an installed binary can test
//! itself, without a network, without root and with nothing installed.

mod fleet;
mod names;
mod serve;

pub use fleet::{Fleet, HOSTS, Host, UNSTAGED};
pub use serve::{converse, moment, serve};
