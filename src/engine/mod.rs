//! Drives cases: pulls targets, resolves names, admits connections, drives one probe over each, hands records on.
//!
//! Small, because what to do next is decided by `Case` and `govern`, which have no clock and no socket.

mod clock;
mod connection;
mod dispatch;
mod drive;
mod options;
mod stats;

pub use clock::Clock;
pub use dispatch::{Outcome, run};
pub use options::Options;
pub use stats::{Snapshot, Stats};
