//! Real logins: with the credentials that the user gives, by russh, fenced in.
//!
//! What is learned of a server is learned by the probe, on a connection before this one; a login adds whether a credential
//! is accepted, and a session for what needs one.

mod algorithms;
pub mod answers;
mod ask;
mod attempts;
pub(crate) mod channel;
mod client;
pub mod credentials;
pub(crate) mod fence;
pub mod load;
pub(crate) mod session;
mod sign;
#[cfg(test)]
mod tests;

pub use credentials::Credentials;
pub use load::Given;
