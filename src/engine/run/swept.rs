//! A target that a SYN sweep has an answer of.

use std::pin::pin;
use std::sync::Arc;

use sshprobe_probes::case::Next;
use sshprobe_probes::evidence::Evidence;
use sshprobe_probes::plan::Depth;
use sshprobe_probes::target::Target;

use super::{Works, log};
use crate::engine::names::Resolve;
use crate::sys::entropy;
use crate::transport::Transport;

impl<T: Transport, R: Resolve> Works<T, R> {
    /// Makes the record of a target whose SYN was answered, or was not; one that listens goes on to the probe, unless that is all
    /// that was asked. Waits for room: an open address that cannot be probed yet holds the sweep up.
    pub(super) async fn swept(self: &Arc<Self>, target: Target, evidence: Evidence) {
        let route = Arc::clone(&self.usual);
        let done = evidence.fault.is_some() || route.settings.plan.depth == Depth::Connect;
        // Of what is done there is nothing to be delayed at random.
        let entropy = if done { 0 } else { entropy::number().unwrap_or_default() };
        let mut case = self.case_by(entropy, &target, &route, vec![evidence.addr], None);
        if done {
            let judged = async {
                log::ended(&evidence, route.settings.plan.depth);
                case.add(evidence);
                case.next(self.clock.now())
            };
            // Nothing in there waits, so that it can only end, or panic.
            let Some(next) = self.guarded(&target, pin!(log::naming(&target, pin!(judged)))).await else { return };
            if let Next::Done(record) = next {
                log::done(&record);
                return self.hand_on(record).await;
            }
        }
        let Some(room) = self.room(&self.cases).await else { return };
        let works = Arc::clone(self);
        drop(tokio::spawn(async move { works.see(&target, &route, case, room).await }));
    }
}
