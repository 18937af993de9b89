//! Pacing, budgets and retry policy: pure, tested under virtual time.
//!
//! A driver that is about to open a connection asks, in this order: [`trouble`] how many may be in flight, [`host`] whether the
//! host has had its rest, [`ledger`] whether it can bear another one, [`subnet`] whether its neighbourhood has room, and last [`rate`], whose token cannot be given back.
//! [`penalty`] and [`retry`] are asked by [`crate::case::Case`].

pub mod congestion;
pub mod host;
pub mod jitter;
pub mod ledger;
pub mod penalty;
pub mod rate;
pub mod retry;
pub mod roundtrip;
pub mod subnet;
pub mod trouble;
