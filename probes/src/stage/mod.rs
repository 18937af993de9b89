//! The stages of a probe, one file each: its state, what it observes, its tests.
//!
//! A stage is a type that owns what it needs and is consumed by the step that ends it, so that nothing of a stage
//! survives into the next but what is passed on.

pub mod auth;
pub mod ident;
pub mod kex;
pub mod kexinit;

use crate::evidence::Fault;

/// A message that has no place where it came.
fn unexpected(payload: &[u8], place: &str) -> Fault {
    let number = payload.first().map_or_else(|| String::from("an empty message"), |byte| format!("message {byte}"));
    Fault::Protocol(format!("{number} {place}"))
}
