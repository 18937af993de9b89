//! One connection of one case, from the first SYN to the evidence.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use sshprobe_probes::case::{Case, Connect};
use sshprobe_probes::evidence::{Errno, Evidence};
use sshprobe_probes::probe::Probe;

use super::clock::{Clock, seed};
use super::drive::drive;
use crate::transport::{Opening, Transport};

/// How a connection ended for the engine.
pub(super) enum Ended {
    /// There is evidence.
    Seen(Box<Evidence>),
    /// This machine could not even try.
    Trouble(Errno),
    /// Our own code panicked; the text is the panic's.
    Panicked(String),
}

/// Opens and drives one connection. A panic in here is caught: it is one target's misfortune, not the run's.
pub(super) async fn connection(transport: &Transport, connect: &Connect, clock: &Clock) -> Ended {
    let attempt = async {
        let mut evidence = Evidence::new(connect.addr, clock.now());
        match transport.open(connect, &mut evidence, clock).await {
            Opening::Open(stream) => {
                let mut probe = Probe::new(Arc::clone(&connect.plan), seed(), evidence, clock.now());
                drive(&stream, &mut probe, clock).await;
                Ended::Seen(Box::new(probe.into_evidence(clock.now())))
            }
            Opening::Failed => {
                evidence.ended = clock.now();
                Ended::Seen(Box::new(evidence))
            }
            Opening::Trouble(errno) => Ended::Trouble(errno),
        }
    };
    AssertUnwindSafe(attempt).catch_unwind().await.unwrap_or_else(|panic| Ended::Panicked(said(&*panic)))
}

/// A case's next step, with the same protection.
pub(super) fn guarded<T>(case: &mut Case, step: impl FnOnce(&mut Case) -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(|| step(case))).map_err(|panic| said(&*panic))
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| String::from("a panic without a message"))
}
