//! Targets come from a blocking iterator on a thread of its own: stdin may keep it waiting as long as it likes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::route::Assigned;

/// Targets read ahead. Few: they are made faster than probed, and whoever interrupts stdin wants no backlog.
const AHEAD: usize = 64;

/// Room that the thread waits for before it goes on: being woken costs more than making a target does.
const TURN: usize = AHEAD / 2;

/// What the thread hands over.
#[derive(Debug)]
pub(super) enum Fed<T> {
    /// The next target.
    Target(Assigned<T>),
    /// One that has gone through a SYN sweep, or past it, and was counted there.
    #[cfg(feature = "syn")]
    Counted(Assigned<T>),
    /// The same, of many that may take long: its place is to be given back when it is done with.
    #[cfg(feature = "syn")]
    Kept(Assigned<T>, tokio::sync::OwnedSemaphorePermit),
    /// A target that was sent SYNs, and what came of it.
    #[cfg(feature = "syn")]
    Swept(sshprobe_probes::target::Target, Box<sshprobe_probes::evidence::Evidence>),
    /// The source panicked: our bug, and there is no next target.
    Broken,
}

/// Starts the thread, from within a runtime. It ends with its source, or at the first target after the receiver was dropped.
///
/// # Errors
/// When the machine has no thread left.
pub(super) fn start<T: Send + Sync + 'static>(
    targets: impl Iterator<Item: Into<Assigned<T>>> + Send + 'static,
) -> std::io::Result<mpsc::Receiver<Fed<T>>> {
    let (ahead, fed) = mpsc::channel(AHEAD);
    let runtime = Handle::current();
    thread::Builder::new().name(String::from("targets")).spawn(move || {
        let mut targets = targets;
        let walk = AssertUnwindSafe(|| {
            while let Ok(room) = runtime.block_on(ahead.reserve_many(TURN)) {
                for place in room {
                    match targets.next() {
                        // Each goes on its way at once: on standard input the next one may be long in coming.
                        Some(target) if !ahead.is_closed() => place.send(Fed::Target(target.into())),
                        _ => return,
                    }
                }
            }
        });
        if catch_unwind(walk).is_err() {
            let _ = ahead.blocking_send(Fed::Broken);
        }
    })?;
    Ok(fed)
}
