//! Real logins: with the credentials that the user gives, by russh, fenced in.
//!
//! What is learned of a server is learned by the probe, on a connection before this one; a login adds whether a credential
//! is accepted, and a session for what needs one.

#![expect(dead_code, reason = "the engine does not log in yet")]

pub mod answers;
mod attempts;
pub mod credentials;
pub(crate) mod fence;
pub(crate) mod session;
mod sign;
