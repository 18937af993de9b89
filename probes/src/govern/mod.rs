//! Pacing and budgets: pure, tested under virtual time.
pub mod host;
pub mod jitter;
pub mod penalty;
pub mod rate;
pub mod subnet;
pub mod trouble;
