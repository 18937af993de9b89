//! The engine: feeds targets to cases, opens the connections they ask for, drives the probes, hands the records on.
//!
//! Small, because [`Case`](sshprobe_probes::case::Case) decides what is done and
//! [`govern`](sshprobe_probes::govern) decides when.

mod admission;
mod connector;
mod drive;
mod empty;
mod feed;
mod gate;
#[cfg(feature = "login")]
mod jump;
mod lender;
mod log;
#[cfg(feature = "login")]
mod login;
mod names;
mod options;
mod route;
mod run;
mod stats;
#[cfg(feature = "syn")]
mod syn;

pub use crate::sys::clock::Clock;
pub use empty::Empty;
#[cfg(feature = "login")]
pub use jump::JumpSession;
pub use names::Resolve;
pub use options::{Options, Unfit};
pub use route::{Assigned, By, Route};
pub use run::{Engine, Outcome, run};
pub use stats::Stats;
#[cfg(feature = "syn")]
pub use syn::Syn;
