//! Key exchange (RFC 4253 sections 7 and 8): one file per family of methods, behind one trait.

pub mod ecdh;
mod exchange;
mod keys;

pub use exchange::{Exchange, ExchangeHash, Exchanged, KexFault, Preface, Progress, SharedSecret, Transcript};
pub use keys::{Direction, derive_key};
