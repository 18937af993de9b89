//! From evidence to a verdict: what a connection's facts mean, its likely causes and the remedy.
//!
//! [`classify`] judges one connection, [`judge`] all those of a case; [`DIAGNOSES`] explains every code.

mod classify;
mod code;
mod connect;
mod disconnect;
mod finding;
mod ident;
mod judge;
mod login;
mod pair;
mod place;
mod server_log;
mod session;
mod sniff;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod trust;
mod tunnel;
mod verdict;

pub use crate::findings::{FINDINGS, FindingText};
pub use classify::classify;
pub use code::{Code, Status, UnknownName};
pub(crate) use connect::local_verdict;
pub use connect::{ends_connect, perhaps_not_asked_for};
pub use finding::{Finding, FindingId};
pub use judge::judge;
pub use pair::{pair, worth_comparing};
pub use place::{Place, shell_word};
pub use table::{DIAGNOSES, Diagnosis};
pub use trust::overrule;
pub use verdict::{Answer, Confidence, Verdict};
