//! Key exchange (RFC 4253 sections 7 and 8): one file per family of methods, behind one trait.

pub mod ecdh;
mod exchange;
pub mod finite_field;
pub mod hybrid;
mod keys;
mod modp;

pub use exchange::{
    Answer, Exchange, ExchangeHash, Exchanged, KexFault, Preface, Progress, Serve, Served, SharedSecret, Signer,
    Transcript,
};
pub use keys::{Direction, Key, KeySource};
