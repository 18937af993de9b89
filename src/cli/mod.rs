//! The command line: raw arguments, validated configuration, the run itself and its exit code.

pub mod args;
pub mod complaint;
pub mod config;
pub mod duration;
pub mod exit;
pub mod local_user;
pub mod output;
mod values;
