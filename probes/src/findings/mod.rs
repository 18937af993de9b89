//! What one connection's evidence shows beside its outcome: dated algorithms, weak keys, oddities.
//!
//! [`findings`] looks for them, [`FINDINGS`] explains each, [`rate`] says what public guidance thinks of an algorithm.

mod detect;
mod rating;
mod table;

#[cfg(test)]
mod tests;

pub use detect::findings;
pub use rating::{RatedAlgorithm, Rating, rate};
pub use table::{FINDINGS, FindingText, Severity};
