//! The command line: raw arguments, validated configuration, the run itself and its exit code.

pub mod args;
mod census;
pub mod complaint;
pub mod config;
mod demo;
pub mod duration;
pub mod exit;
pub mod explain;
mod hosts;
#[cfg(feature = "iap")]
pub mod iap;
#[cfg(feature = "login")]
mod jumps;
mod keys;
#[cfg(feature = "login")]
pub mod login;
pub mod output;
mod papers;
mod plan;
mod replacement;
mod resume;
mod routes;
pub mod run;
mod screen;
mod stats_file;
#[cfg(feature = "syn")]
pub mod syn;
mod values;
mod verbose;
