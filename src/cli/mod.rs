//! The command line: raw arguments, validated configuration, the run itself and its exit code.

pub mod args;
pub mod complaint;
pub mod config;
mod demo;
pub mod duration;
pub mod exit;
mod local_user;
pub mod output;
pub mod run;
mod values;
mod verbose;
