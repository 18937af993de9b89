//! One integration binary: the command line, the papers, the demo, and the laboratory.

// A test ends by them; the lint's own exemption knows functions with #[test] alone, and not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod certificates;
mod cli;
mod demo;
mod examples;
mod fingerprints;
#[cfg(feature = "iap")]
mod iap;
mod keys;
mod known_hosts;
mod lab;
#[cfg(all(feature = "login", feature = "iap"))]
mod login;
mod named;
mod outcomes;
mod papers;
mod penalties;
mod readers;
mod revocation;
mod runs;
mod scale;
mod screens;
mod ssh_config;
mod support;
mod trust_files;
mod ways;

/// Shared with `probes/tests/ssh_config.rs`, which reads the same tables without asking ssh.
#[path = "../probes/tests/ssh_config/table.rs"]
mod config_table;
/// Shared with `probes/tests/known_hosts.rs`, which reads the same tables without asking ssh.
#[path = "../probes/tests/known_hosts/table.rs"]
mod table;
