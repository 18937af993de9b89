//! What is said of host keys, beside what the real ssh says of the same server with the same files.

mod attacks;
mod case;
mod certificates;
mod ground;
mod names;
mod options;
mod plain;
mod revoked;
mod types;
