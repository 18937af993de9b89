//! One integration binary: the command line, the papers, the demo, and the laboratory.

mod cli;
mod demo;
mod lab;
mod papers;
mod runs;
mod screens;
mod support;
