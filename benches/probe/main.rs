//! CPU per complete probe beside the floor measured in the same run.
//!
//! `cargo bench --bench probe` starts a responder in a process of its own on loopback, probes it with the real engine,
//! and prints the CPU time of this process per probe: TCP, identification, KEXINIT, key exchange with the signature
//! verified, method list. The floor is what no prober can do without: TCP connect and close, one X25519 key generation
//! and agreement, one Ed25519 verification. Only the ratio means anything on a shared machine.

// A bench that cannot set itself up ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod floor;
#[path = "../shared/median.rs"]
mod median;
#[path = "../shared/responder.rs"]
mod responder;
mod run;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--responder") => run::responder(),
        _ => run::bench(),
    }
}
