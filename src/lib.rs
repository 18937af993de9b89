//! Probes SSH servers and says why one fails: the part that touches the world. What can be decided without touching it
//! (protocol, diagnosis, records) is in [`sshprobe_probes`].
//!
//! [`target::Sources`] turns expressions such as `10.0.0.0/24:22` into targets, [`resolve::Resolver`] names into addresses,
//! [`engine::Options`] are the knobs of a run. `examples/embed.rs` of the repository probes one host in twenty lines.
//!
//! [`engine::run`] probes every target of an iterator and sends one [record](sshprobe_probes::record::Record) for each into
//! a channel. It runs on any tokio runtime; a [cancellation token](tokio_util::sync::CancellationToken) ends it early.
//!
//! ```
//! use std::io::Write;
//! use std::sync::Arc;
//!
//! use sshprobe::engine::{self, Options, Stats};
//! use sshprobe::resolve::{Resolver, ResolverOptions};
//! use sshprobe::target::Sources;
//! use sshprobe_probes::plan::{Depth, Plan};
//! use tokio::sync::mpsc;
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A server of two lines, to have something to probe.
//! let server = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let port = server.local_addr()?.port();
//! std::thread::spawn(move || server.accept().map(|(mut client, _)| client.write_all(b"SSH-2.0-Example_1.0\r\n")));
//!
//! let options = Options::new(Plan { depth: Depth::Ident, ..Plan::default() });
//! let sources = Sources { targets: vec![format!("127.0.0.1:{port}")], ..Sources::default() };
//! // Lines of stdin may be bad; arguments have been checked by then.
//! let targets = sources.open()?.filter_map(Result::ok);
//! let resolver = Resolver::new(ResolverOptions::default());
//! let (sink, mut records) = mpsc::channel(64);
//! let cancel = CancellationToken::new();
//! let run = engine::run(options, targets, resolver, sink, cancel, Arc::new(Stats::default()));
//!
//! // Records are to be taken while the run goes on: it waits for whoever does not.
//! let take = async {
//!     while let Some(record) = records.recv().await {
//!         println!("{}: {}", record.target.input, record.detail);
//!         assert_eq!(record.ident.as_ref().map(|ident| ident.software.as_str()), Some("Example_1.0"));
//!     }
//! };
//! let (outcome, ()) = tokio::join!(run, take);
//! assert!(!outcome?.internal_fault);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod demo;
pub mod engine;
pub mod error;
#[cfg(feature = "cli")]
pub mod journal;
#[cfg(feature = "login")]
pub mod login;
#[cfg(feature = "cli")]
pub mod report;
pub mod resolve;
pub mod ssh_config;
#[cfg(feature = "syn")]
pub mod sweep;
pub mod sys;
pub mod target;
pub mod transport;
pub mod trust;
