//! sshprobe beside its peers on one fleet, in one run.
//!
//! `cargo bench --bench fleet` makes two network namespaces, fills one with healthy SSH hosts served by a responder in a
//! process of its own, and sends whatever is installed of sshprobe's peers over it from the other: complete probes, complete
//! probes of a real OpenSSH, and plain port scans. Of each program it prints CPU time per host, hosts a second, the highest
//! resident memory, and how many of the hosts it found; ratios to sshprobe beside them, since only these mean anything on a
//! shared machine. The order turns round with every round, and medians count.
//!
//! `cargo bench --bench fleet -- accuracy` holds the false timeouts of every rate against what loss predicts; some 20 minutes.
//!
//! `cargo bench --bench fleet -- sweep` holds the SYN sweep against zmap and masscan: how soon 262,144 live addresses are found, and
//! what an address costs that answers, or that is silent.
//!
//! `cargo bench --bench fleet -- costs` counts what one more target costs in system calls, allocations and memory.
//!
//! It needs root for the namespaces. Nothing leaves them.

// A bench that cannot set itself up ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accuracy;
mod contest;
mod costs;
mod ground;
mod measure;
#[path = "../shared/median.rs"]
mod median;
// The laboratory's namespaces; it uses more of them than the bench.
#[allow(dead_code)]
#[path = "../../tests/support/netns.rs"]
mod netns;
// Whether its favourite comes first is for each bench to say.
#[allow(dead_code)]
#[path = "../shared/responder.rs"]
mod responder;
mod sweep;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(mode) if mode == ground::RESPONDER => ground::responder(),
        Some(mode) if mode == measure::MEASURE => measure::measure(arguments),
        Some(mode) if mode == measure::WATCH => measure::watching(arguments),
        _ if !nix::unistd::geteuid().is_root() => {
            eprintln!("SKIPPED: the fleet bench makes network namespaces, which takes root");
        }
        Some(mode) if mode == "accuracy" => {
            if !accuracy::accuracy(arguments.next().as_deref().and_then(std::ffi::OsStr::to_str)) {
                eprintln!("more was missed than chance explains");
                std::process::exit(1);
            }
        }
        Some(mode) if mode == "costs" => costs::costs(),
        Some(mode) if mode == "sweep" => sweep::sweep(),
        _ => contest::bench(),
    }
}
