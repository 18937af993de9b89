//! Records what a server says to a probe that offers one algorithm, for `probes/tests/transcripts/`.
//!
//! `record ADDRESS:PORT LIST/NAME FILE`, for example `record 127.0.0.1:2222 kex/curve25519-sha256 FILE`. The probe's seed is
//! a known one: whoever has the file can open it.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sshprobe_probes::evidence::{Evidence, Signature};
use sshprobe_probes::fuzzing::{SEED, transcript_plan};
use sshprobe_probes::probe::{End, Probe};
use sshprobe_probes::time::Moment;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [addr, algorithm, file] = arguments.as_slice() else { return Err("ADDRESS:PORT LIST/NAME FILE".into()) };
    let addr: SocketAddr = addr.parse()?;
    let (list, name) = algorithm.split_once('/').ok_or("LIST/NAME")?;
    let plan = transcript_plan(list, name)?;

    let began = Instant::now();
    let now = || Moment::from_micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    let mut probe = Probe::new(Arc::new(plan), SEED, Evidence::new(addr, Moment::START), now());
    let (mut transcript, mut buffer) = (Vec::new(), [0; 4096]);
    while probe.finished().is_none() {
        let output = probe.output().to_vec();
        stream.write_all(&output)?;
        probe.written(output.len());
        match stream.read(&mut buffer) {
            Ok(0) => probe.input_end(now(), End::Eof),
            Ok(count) => {
                transcript.extend_from_slice(&buffer[..count]);
                probe.input(now(), &buffer[..count]);
            }
            Err(fault) if matches!(fault.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => probe.wake(now()),
            Err(fault) => return Err(fault.into()),
        }
    }
    let evidence = probe.into_evidence(now());
    let verified = evidence.host_key.as_ref().is_some_and(|key| key.signature == Signature::Verified);
    if !verified || evidence.fault.is_some() {
        return Err(format!("{algorithm}: {:?}", evidence.fault).into());
    }
    std::fs::write(file, transcript)?;
    Ok(())
}
