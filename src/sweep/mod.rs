//! The SYN sweep: which addresses listen, found out without a connection, in front of the probe.
//!
//! [`Sockets`] are opened while the process still has the right to, once for all runs, which use them one after the other.
//! [`start`] then takes destinations from an [`Inbox`], sends them SYNs, and says of each what came of it: an answer, silence, or
//! that this machine would not send. One thread does it all, and looks at what came in before it sends more: so it never sends
//! faster than it can listen.
//!
//! Packets, cookies and the memory of who owes an answer are pure and in [`sshprobe_probes::sweep`].

mod inbox;
mod ports;
mod sockets;
mod sources;
mod sweeper;
mod trouble;
mod ways;

pub use inbox::Inbox;
pub use sockets::{Sockets, Unopened};
pub use sweeper::{Found, Launch, MOST, Nobody, Pace, Watch, start};
