//! One integration binary: the command line, the papers, the demo, and the laboratory.

mod cli;
mod lab;
mod papers;
mod support;
