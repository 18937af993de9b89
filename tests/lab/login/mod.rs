//! Logins to real servers: what the program makes of each, beside what ssh said.

mod ground;
mod matrix;
