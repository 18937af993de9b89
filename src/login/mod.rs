//! Real logins: with the credentials that the user gives, by russh, fenced in.
//!
//! What is learned of a server is learned by the probe, on a connection before this one; a login adds whether a credential
//! is accepted, and a session for what needs one.
//!
//! # What becomes of secrets in memory
//!
//! What is read here (files, passphrases, passwords, answers) is wiped when it is no longer needed, and private keys wipe
//! themselves. russh is given a copy of a secret only in order to send it. It wipes its copy of a password, but neither its copies
//! of answers to keyboard-interactive, nor the packets that it writes either into before it encrypts them, nor the text of a key
//! that it decodes: until that memory is used again, they can be found in a dump of the process. No secret is in an argument, in
//! the environment, or in what is shown.

mod algorithms;
pub mod answers;
mod ask;
mod attempts;
pub(crate) mod channel;
mod client;
pub mod credentials;
pub(crate) mod fence;
mod file;
pub mod load;
pub(crate) mod session;
mod sign;
mod terminal;
#[cfg(test)]
mod tests;

pub use credentials::Credentials;
pub use load::Given;
pub(crate) use load::auth_sock;
#[cfg(feature = "cli")]
pub(crate) use terminal::leave as leave_prompt;
