//! One integration binary: the command line, the papers, the demo, and the laboratory.

mod papers;
