//! A probe of one host inside another program: `cargo run --example embed -- web1.example:22`

use std::error::Error;
use std::sync::Arc;

use sshprobe::engine::{self, Options};
use sshprobe::resolve::{Resolver, ResolverOptions};
use sshprobe::target::Sources;
use sshprobe_probes::record::Record;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Probes one target as `sshprobe TARGET` would.
pub async fn probe(target: &str) -> Result<Box<Record>, Box<dyn Error>> {
    let sources = Sources { targets: vec![target.to_owned()], max_targets: 1, ..Sources::default() };
    let targets = sources.open()?.filter_map(Result::ok);
    let resolver = Resolver::new(ResolverOptions::default());
    let (sink, mut records) = mpsc::channel(1);
    let run = engine::run(Options::default(), targets, resolver, sink, CancellationToken::new(), Arc::default());
    // Records are to be taken while the run goes on: it waits for whoever does not.
    let (outcome, record) = tokio::join!(run, records.recv());
    outcome?;
    record.ok_or_else(|| "every target has a record".into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).ok_or("name a host")?;
    let record = probe(&target).await?;
    println!("{}: {} ({})", record.target.host, record.code, record.detail);
    for key in &record.host_keys {
        println!("  {} {}", key.kind, key.fingerprint);
    }
    for line in record.diagnoses.iter().flat_map(|diagnosis| &diagnosis.remedy) {
        println!("  try: {line}");
    }
    Ok(())
}
