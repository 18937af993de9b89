//! Logins to real servers: what the program makes of each, beside what ssh said.

mod forms;
mod ground;
mod matrix;
mod processes;
