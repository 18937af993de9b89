//! A scripted SSH server without a socket: for the demo fleet, the tests and the benchmarks.
//!
//! A [`Script`] says what to do, a [`Responder`] does it on one connection, with the same kind of contract as a probe.

mod machine;
mod penalties;
mod script;
mod signer;
mod transport;

#[cfg(test)]
mod tests;

pub use machine::Responder;
pub use penalties::SourcePenalties;
pub use script::{Action, Close, LineEnd, List, Point, Script, Signing, Step, Userauth};
pub use signer::{CertificateTerms, HostKeyPair};
