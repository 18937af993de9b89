//! One integration binary: the command line, the papers, the demo, and the laboratory.

mod cli;
mod demo;
mod examples;
mod known_hosts;
mod lab;
mod outcomes;
mod papers;
mod readers;
mod runs;
mod screens;
mod support;

/// Shared with `probes/tests/known_hosts.rs`, which reads the same tables without asking ssh.
#[path = "../probes/tests/known_hosts/table.rs"]
mod table;
