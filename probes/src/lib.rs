//! Everything about probing SSH servers that can be decided without touching the world.
//!
//! This crate opens no socket, reads no clock and no file, and asks the operating system for no randomness: time is an
//! argument, a seed is an argument, and bytes come and go through method calls. So one state machine serves a sweep of
//! a whole network, a test that feeds one byte at a time, a fuzzer and a replay, over any transport there is. The crate
//! `sshprobe` is what touches the world: names, sockets, timers, files and terminals.
//!
//! # One connection
//!
//! [`probe::Probe`] converses over ONE connection as deep as a [`plan::Plan`] says: identification, KEXINIT, a key exchange
//! whose host-key signature is verified, EXT_INFO, and the methods listed for `none`. Whatever happens, it ends with
//! [`evidence::Evidence`]: what each stage saw, how long it took, and the [`evidence::Fault`] that ended it, if one did.
//! [`diagnose::classify`] makes a [`diagnose::Verdict`] of it. Here the other side is this crate's own scripted server, so
//! there is no socket at all:
//!
//! ```
//! use std::sync::Arc;
//!
//! use sshprobe_probes::diagnose::{Code, classify};
//! use sshprobe_probes::evidence::Evidence;
//! use sshprobe_probes::plan::Plan;
//! use sshprobe_probes::probe::Probe;
//! use sshprobe_probes::random::Seed;
//! use sshprobe_probes::responder::{Responder, Script};
//! use sshprobe_probes::time::Moment;
//!
//! let now = Moment::START;
//! let plan = Arc::new(Plan::default());
//! let evidence = Evidence::new("192.0.2.7:22".parse()?, now);
//! let mut probe = Probe::new(Arc::clone(&plan), Seed([1; 32]), evidence, now);
//! let mut server = Responder::new(Arc::new(Script::healthy(&[7; 32])), Seed([2; 32]), now);
//!
//! while probe.finished().is_none() {
//!     let said = server.output().to_vec();
//!     server.written(said.len());
//!     probe.input(now, &said);
//!
//!     let said = probe.output().to_vec();
//!     probe.written(said.len());
//!     server.input(now, &said);
//! }
//! let evidence = probe.into_evidence(now);
//! assert_eq!(classify(&evidence, plan.depth).code, Code::Ok);
//! assert!(evidence.host_key.is_some());
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! The contract with whoever drives it over a real stream stands at the top of [`probe`]; `examples/sans_io.rs` of the
//! repository keeps it with a blocking socket in some thirty lines.
//!
//! # One target
//!
//! A target may take several connections: a retry after a transient answer, a name's next address, small segments through a
//! black hole. [`case::Case`] decides which, says when each may be begun ([`case::Connect::not_before`]), and at the end gives
//! the one [`record::Record`] of the target. [`govern`] is the manners: the rate of new connections, the spacing per host,
//! the budget of penalties that an OpenSSH server keeps, the back-off when the own machine is in trouble.
//!
//! # What it means
//!
//! [`diagnose::Code`] lists all outcomes, [`diagnose::DIAGNOSES`] explains each: evidence, causes, how to tell them apart,
//! remedy. [`findings`] rates what rides along with any outcome, [`fingerprint`] reads software, version and system out of
//! the identification. One table serves the command `explain`, the documentation and every record.
//!
//! # What it speaks
//!
//! [`wire`] is SSH's encoding: readers, packets, messages, ciphers. [`algorithm`] has the tables of what can be negotiated,
//! [`negotiate`] what both sides agree on, [`kex`] and [`hostkey`] the key exchange and the proof of the host key.
//!
//! # Ways there
//!
//! [`iap`] is what the relay of Google's Identity-Aware Proxy speaks and what the end of a tunnel means; [`proxy`] has SOCKS5,
//! HTTP CONNECT, and what a ProxyCommand is told and says. Sockets, TLS and processes are the driver's here, too.
//!
//! # How a named host is reached
//!
//! [`ssh_config`] reads ssh's configuration as `ssh -G` does, [`inventory`] Ansible's inventories. Files and the environment
//! come through a trait that the caller implements.
//!
//! # Trust in what comes
//!
//! Every byte of a server's is hostile. No length field sizes an allocation unchecked, no byte extends a deadline, and what
//! is shown to a person went through [`escape`]. [`fuzzing`] has one function for each fuzz target.

pub mod algorithm;
pub mod case;
pub mod diagnose;
mod errno;
pub mod escape;
pub mod evidence;
pub mod findings;
pub mod fingerprint;
pub mod fuzzing;
mod glob;
pub mod govern;
pub mod hassh;
mod hex;
pub mod hostkey;
pub mod iap;
pub mod inventory;
pub mod kex;
mod memo;
pub mod negotiate;
pub mod netlink;
pub mod plan;
pub mod probe;
pub mod proxy;
pub mod random;
pub mod record;
pub mod responder;
mod rules;
pub mod ssh_config;
pub mod stage;
pub mod sweep;
pub mod target;
pub mod time;
pub mod trust;
mod wipe;
pub mod wire;
