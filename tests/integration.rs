//! One integration binary: the command line, the papers, the demo, and the laboratory.

mod certificates;
mod cli;
mod demo;
mod examples;
mod fingerprints;
mod lab;
mod outcomes;
mod papers;
mod readers;
mod revocation;
mod runs;
mod screens;
mod support;
