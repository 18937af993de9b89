//! One integration binary: the command line, the papers, the demo, and the laboratory.

mod cli;
mod demo;
mod examples;
mod lab;
mod outcomes;
mod papers;
mod readers;
mod runs;
mod screens;
mod ssh_config;
mod support;

/// Shared with `probes/tests/ssh_config.rs`, which reads the same tables without asking ssh.
#[path = "../probes/tests/ssh_config/table.rs"]
mod config_table;
