//! The state machine over a stream of one's own, here a blocking socket of the standard library: no runtime, no engine.
//!
//! `cargo run --example sans_io -- 192.0.2.7:22`

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use sshprobe_probes::diagnose::classify;
use sshprobe_probes::evidence::{Errno, Evidence};
use sshprobe_probes::plan::Plan;
use sshprobe_probes::probe::{End, Probe};
use sshprobe_probes::random::Seed;
use sshprobe_probes::time::Moment;

/// Converses over one connection to `addr` as deep as `plan` says.
pub fn converse(addr: SocketAddr, plan: Arc<Plan>) -> io::Result<Evidence> {
    // The machine reads no clock and draws no randomness: both are given to it.
    let begun = Instant::now();
    let now = || Moment::START + begun.elapsed();
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;

    let mut stream = TcpStream::connect_timeout(&addr, plan.timeout)?;
    let mut evidence = Evidence::new(addr, Moment::START);
    evidence.timing.connect = Some(begun.elapsed());
    let mut probe = Probe::new(plan, Seed(seed), evidence, now());
    let mut buffer = [0; 16 * 1024];
    loop {
        // 1. Write what it has to say.
        while !probe.output().is_empty() {
            match stream.write(probe.output()) {
                Ok(count) => probe.written(count),
                Err(error) => probe.write_failed(now(), errno(&error)),
            }
        }
        // 2. Leave when it is done; dropping the stream closes it.
        if probe.finished().is_some() {
            return Ok(probe.into_evidence(now()));
        }
        // 3. Wait for bytes, for the end, or for the moment at which it wants to be woken.
        let patience = probe.deadline().since(now());
        if patience.is_zero() {
            probe.wake(now());
            continue;
        }
        stream.set_read_timeout(Some(patience))?;
        match stream.read(&mut buffer) {
            Ok(0) => probe.input_end(now(), End::Eof),
            Ok(count) => probe.input(now(), &buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => probe.wake(now()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => probe.input_end(now(), End::Failed(errno(&error))),
        }
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or_default())
}

fn main() -> Result<(), Box<dyn Error>> {
    let addr = std::env::args().nth(1).ok_or("name an address and a port")?.parse()?;
    let plan = Arc::new(Plan::default());
    let evidence = converse(addr, Arc::clone(&plan))?;
    let verdict = classify(&evidence, plan.depth);
    println!("{addr}: {} ({})", verdict.code, verdict.detail);
    if let Some(diagnosis) = verdict.code.diagnosis() {
        diagnosis.remedy.iter().for_each(|line| println!("  try: {line}"));
    }
    Ok(())
}
