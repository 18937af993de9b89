//! What runs there: product, version and system from the identification line, and hints from what else was seen.
//!
//! [`identify`] reads the line by the rules of `rules/software.toml`; [`hints`] weighs the evidence that does not depend on
//! it. Neither is proof: a line says what its operator lets it say.

mod hints;
mod pattern;
mod rule;
mod software;

#[cfg(test)]
pub(crate) mod measured;

pub(crate) use hints::honeypot_signs;
pub use hints::{Hints, HoneypotSigns, ReleaseRange, hints};
pub use software::{PatchLevel, Software, identify};
