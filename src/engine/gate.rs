//! Admission with waiting: a task asks for a pass, and holds it while its connection is up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sshprobe_probes::govern::ledger::Cost;
use sshprobe_probes::time::Moment;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep_until;

use super::admission::{Admission, Errand, Upshot};
use super::stats::Stats;
use crate::sys::clock::Clock;

/// Lets tasks through as the governors allow.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    clock: Clock,
    stats: Arc<Stats>,
    /// The moment to wake at has come nearer.
    sooner: Notify,
}

#[derive(Debug)]
struct State {
    admission: Admission<oneshot::Sender<Pass>>,
    /// The moment that [`Gate::attend`] sleeps towards.
    awaited: Option<Moment>,
}

/// The right to have one connection up. Given back when dropped, whatever happened.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Option<Arc<Gate>>,
    errand: Errand,
    upshot: Upshot,
}

impl Pass {
    /// How long the connect may take, where round trips are learned from.
    pub(super) fn within(&self) -> Option<Duration> {
        self.errand.within
    }

    /// What became of the connection. Of one that nobody knows the end of, the worst is assumed.
    pub(super) fn came_to(&mut self, upshot: Upshot) {
        self.upshot = upshot;
    }
}

impl Gate {
    pub(super) fn new(admission: Admission<oneshot::Sender<Pass>>, clock: Clock, stats: Arc<Stats>) -> Self {
        Self { state: Mutex::new(State { admission, awaited: None }), clock, stats, sooner: Notify::new() }
    }

    /// Waits until a connection may be opened, and not before `not_before`; whether it was `put_off` before for want of something of
    /// ours.
    pub(super) async fn pass(self: &Arc<Self>, errand: Errand, not_before: Moment, put_off: bool) -> Pass {
        loop {
            let (who, admitted) = oneshot::channel();
            self.lock().admission.want(who, errand, not_before, put_off);
            self.open();
            if let Ok(pass) = admitted.await {
                return pass;
            }
        }
    }

    /// Opens the gate whenever time alone makes room. Never ends: to be polled beside the run.
    pub(super) async fn attend(self: &Arc<Self>) {
        loop {
            self.open();
            let awaited = self.lock().awaited;
            let moment = async {
                match awaited {
                    Some(moment) => sleep_until(self.clock.instant(moment)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = moment => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// A connection could not be opened for want of something of ours: when to try it again.
    pub(super) fn trouble(&self) -> Moment {
        self.stats.trouble();
        self.lock().admission.trouble(self.clock.now())
    }

    /// A connection was not heard of, which may be the doing of a full table of the kernel's: when to try it again.
    pub(super) fn table_full(&self) -> Moment {
        self.stats.trouble();
        self.lock().admission.table_full(self.clock.now())
    }

    /// A connection could be opened.
    pub(super) fn recovered(&self) {
        self.lock().admission.recovered(self.clock.now());
    }

    /// Lets through all who may go now.
    fn open(self: &Arc<Self>) {
        let mut state = self.lock();
        loop {
            let now = self.clock.now();
            let Some((who, errand)) = state.admission.admit(now) else { break };
            self.stats.enter();
            let pass = Pass { gate: Some(Arc::clone(self)), errand, upshot: unknown(errand) };
            if let Err(mut pass) = who.send(pass) {
                // Whoever asked was cancelled meanwhile. Dropped as it is, the pass would take the lock that is held here.
                pass.gate = None;
                self.stats.exit();
                state.admission.leave(errand, Upshot::NOTHING, now);
            }
        }
        let next = state.admission.wake_at();
        let sooner = next.is_some_and(|next| state.awaited.is_none_or(|awaited| next < awaited));
        state.awaited = next;
        drop(state);
        if sooner {
            self.sooner.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock runs foreign code: a state left behind by a panic is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worst that can have become of a connection.
fn unknown(errand: Errand) -> Upshot {
    Upshot { cost: Cost::Charged(errand.class), heard: None }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.stats.exit();
            let now = gate.clock.now();
            let mut state = gate.lock();
            let resent = state.admission.leave(self.errand, self.upshot, now);
            if self.upshot.heard.is_some() {
                gate.stats.answer(resent, state.admission.slowed(now));
            }
            drop(state);
            gate.open();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sshprobe_probes::govern::host::HostGate;
    use sshprobe_probes::govern::penalty::Class;
    use sshprobe_probes::govern::rate::Rate;
    use sshprobe_probes::govern::subnet::Subnet;
    use sshprobe_probes::govern::trouble::LocalBackoff;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    const ERRAND: Errand =
        Errand { server: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 22), class: Class::NoAuth, within: None };

    fn gate(slots: usize) -> (Arc<Gate>, Arc<Stats>) {
        let stats = Arc::<Stats>::default();
        let admission = Admission::new(
            Rate::new(0, Moment::START),
            Subnet::new(0),
            HostGate::new(Duration::ZERO),
            LocalBackoff::new(slots),
        );
        (Arc::new(Gate::new(admission, Clock::start(), Arc::clone(&stats))), stats)
    }

    async fn attended<T>(gate: &Arc<Gate>, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            () = gate.attend() => unreachable!(),
        }
    }

    #[tokio::test]
    async fn a_pass_given_back_lets_the_next_one_through() {
        let (gate, stats) = gate(1);
        attended(&gate, async {
            let first = gate.pass(ERRAND, Moment::START, false).await;
            assert_eq!(stats.in_flight(), 1);
            let second = tokio::spawn({
                let gate = Arc::clone(&gate);
                async move { drop(gate.pass(ERRAND, Moment::START, false).await) }
            });
            tokio::task::yield_now().await;
            assert!(!second.is_finished());
            drop(first);
            second.await.unwrap();
            assert_eq!((stats.in_flight(), stats.opened()), (0, 2));
        })
        .await;
    }

    #[tokio::test]
    async fn whoever_was_cancelled_while_waiting_takes_no_slot() {
        let (gate, stats) = gate(1);
        attended(&gate, async {
            let first = gate.pass(ERRAND, Moment::START, false).await;
            let waiting: Vec<_> = (0..5000)
                .map(|_| {
                    let gate = Arc::clone(&gate);
                    tokio::spawn(async move { gate.pass(ERRAND, Moment::START, false).await })
                })
                .collect();
            tokio::task::yield_now().await;
            for task in &waiting {
                task.abort();
            }
            for task in waiting {
                assert!(task.await.is_err());
            }
            drop(first);
            drop(gate.pass(ERRAND, Moment::START, false).await);
            assert_eq!(stats.in_flight(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_moment_in_the_future_is_waited_for() {
        let (gate, _) = gate(1);
        let then = gate.clock.now() + Duration::from_millis(20);
        attended(&gate, async {
            drop(gate.pass(ERRAND, then, false).await);
            assert!(gate.clock.now() >= then);
        })
        .await;
    }
}
