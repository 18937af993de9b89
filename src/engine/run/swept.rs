//! A target that a SYN sweep has an answer of.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sshprobe_probes::case::Next;
use sshprobe_probes::evidence::Evidence;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::target::Target;

use super::{Works, log, words};
use crate::engine::names::Resolve;
use crate::sys::entropy;
use crate::transport::Transport;

impl<T: Transport, R: Resolve> Works<T, R> {
    /// Makes the record of a target whose SYN was answered, or was not; one that listens goes on to the probe, unless that is all
    /// that was asked. Waits for room: an open address that cannot be probed yet holds the sweep up.
    pub(super) async fn swept(self: &Arc<Self>, target: Target, evidence: Box<Evidence>) {
        let route = Arc::clone(&self.usual);
        let done = evidence.fault.is_some() || route.settings.plan.depth == Depth::Connect;
        // Of what is done there is nothing to be delayed at random.
        let entropy = if done { 0 } else { entropy::number().unwrap_or_default() };
        let mut case = self.case_by(entropy, &target, &route, vec![evidence.addr], None);
        if done {
            let judged = AssertUnwindSafe(|| {
                log::ended(&evidence, route.settings.plan.depth);
                case.add(*evidence);
                case.next(self.clock.now())
            });
            // Nothing in there waits. Tens of thousands of these come a second: they go without what waiting would take.
            match catch_unwind(judged) {
                Ok(Next::Done(record)) => {
                    log::done(&record);
                    return self.hand_on(record).await;
                }
                Ok(Next::Connect(_)) => {}
                Err(panic) => return self.hand_on(self.internal(&target, words(&*panic))).await,
            }
        }
        let Some(room) = self.room(&self.cases).await else { return };
        let (works, case) = (Arc::clone(self), Box::new(case));
        drop(tokio::spawn(async move { works.see(&target, &route, case, room).await }));
    }
}
