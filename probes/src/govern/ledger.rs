//! What all connections of a run together cost us with each server that may keep accounts (PerSourcePenalties).
//!
//! A [`Case`](crate::case::Case) plans by what its own connections cost. Several targets may be one server, though: a host under
//! many names, or one named twice. sshd adds up what comes from one source address, whatever name it was looked for by.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use super::penalty::{self, Budget, Class};
use crate::diagnose::{Code, classify};
use crate::evidence::Evidence;
use crate::plan::Depth;
use crate::time::Moment;

/// How a connection ended, to whoever keeps accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Nobody was there to charge it, or it is nobody who would.
    Nothing,
    /// It was charged, at worst, as this.
    Charged(Class),
    /// It was refused for what is outstanding: of ours, or of somebody behind the same address.
    Refused,
}

impl Cost {
    /// What a connection came to that was to go as deep as `depth`.
    #[must_use]
    pub fn of(evidence: &Evidence, depth: Depth) -> Self {
        let Some(class) = Class::of(evidence).filter(|_| penalty::may_charge(evidence.ident.as_ref())) else {
            let told = evidence.connected() && classify(evidence, depth).code == Code::ThrottledOrPenalised;
            return if told { Self::Refused } else { Self::Nothing };
        };
        Self::Charged(class)
    }
}

/// The accounts of all servers of a run.
///
/// Remembers those with a connection up and those to whom something is owed, nothing else.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: HashMap<SocketAddr, Account>,
    /// When accounts run down; an entry may be out of date.
    clearing: BinaryHeap<Reverse<(Moment, SocketAddr)>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    budget: Budget,
    /// What the connections that are up will be charged, at worst.
    pending: Duration,
    up: u32,
    /// Nobody knocks again before this moment.
    rest: Moment,
}

impl Account {
    /// When nothing is to be remembered any more.
    fn clear_at(&self, now: Moment) -> Moment {
        self.rest.max(now + self.budget.outstanding(now))
    }
}

impl Ledger {
    /// How long a server that refused us is left alone, by all targets together.
    pub const REST: Duration = Duration::from_secs(20);
    /// How soon to ask again where connections that are up hold the rest of what is affordable.
    const RECHECK: Duration = Duration::from_millis(250);

    /// Nothing is owed to anybody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a connection to `server` that will be charged as `class`, at worst, may start now. If it does, say so with
    /// [`Self::started`] before asking again.
    ///
    /// # Errors
    /// When to ask again: always later than `now`.
    pub fn may_start(&mut self, server: SocketAddr, class: Class, now: Moment) -> Result<(), Moment> {
        self.forget(now);
        let Some(account) = self.accounts.get(&server) else { return Ok(()) };
        if account.rest > now {
            return Err(account.rest);
        }
        if account.up > 0 && account.pending + account.budget.outstanding(now) + class.charge() > Budget::OUTSTANDING {
            return Err(now + Self::RECHECK);
        }
        match account.budget.earliest(class, now) {
            at if at > now => Err(at),
            _ => Ok(()),
        }
    }

    /// A connection to `server` is being opened.
    pub fn started(&mut self, server: SocketAddr, class: Class) {
        let account = self.accounts.entry(server).or_default();
        account.up = account.up.saturating_add(1);
        account.pending = account.pending.saturating_add(class.charge());
    }

    /// A connection that was [`Self::started`] as `class` has ended, and came to this.
    pub fn ended(&mut self, server: SocketAddr, class: Class, cost: Cost, now: Moment) {
        self.forget(now);
        let Some(account) = self.accounts.get_mut(&server) else { return };
        account.up = account.up.saturating_sub(1);
        account.pending = account.pending.saturating_sub(class.charge());
        match cost {
            Cost::Nothing => {}
            Cost::Charged(class) => account.budget.spend(class, now),
            Cost::Refused => account.rest = now + Self::REST,
        }
        let clear = account.clear_at(now);
        if clear > now {
            self.clearing.push(Reverse((clear, server)));
        } else if account.up == 0 {
            self.accounts.remove(&server);
        }
    }

    /// How many servers are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.accounts.len()
    }

    fn forget(&mut self, now: Moment) {
        while let Some(&Reverse((clear, server))) = self.clearing.peek() {
            if clear > now {
                break;
            }
            self.clearing.pop();
            // It may be in use again, or owe more since: then another entry follows.
            if self.accounts.get(&server).is_some_and(|account| account.up == 0 && account.clear_at(now) <= now) {
                self.accounts.remove(&server);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responder::SourcePenalties;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    fn server(port: u16) -> SocketAddr {
        (Ipv4Addr::new(10, 0, 0, 1), port).into()
    }

    #[test]
    fn what_several_targets_cost_one_server_is_added_up() {
        let mut ledger = Ledger::new();
        for name in 0..2 {
            assert_eq!(ledger.may_start(server(22), Class::InvalidUser, at(name)), Ok(()));
            ledger.started(server(22), Class::InvalidUser);
            ledger.ended(server(22), Class::InvalidUser, Cost::Charged(Class::InvalidUser), at(name));
        }
        assert_eq!(
            ledger.may_start(server(22), Class::InvalidUser, at(2)),
            Err(at(3000)),
            "10 s and 5 more are 12 at 3 s"
        );
        assert_eq!(ledger.may_start(server(22), Class::NoAuth, at(2)), Ok(()), "a second more is affordable");
        assert_eq!(ledger.may_start(server(2222), Class::InvalidUser, at(2)), Ok(()), "another port is another sshd");
    }

    #[test]
    fn connections_that_are_up_count_as_what_they_will_cost() {
        let mut ledger = Ledger::new();
        ledger.started(server(22), Class::InvalidUser);
        ledger.started(server(22), Class::InvalidUser);
        assert!(ledger.may_start(server(22), Class::InvalidUser, at(0)).is_err_and(|again| again > at(0)));
        ledger.ended(server(22), Class::InvalidUser, Cost::Nothing, at(1));
        assert_eq!(ledger.may_start(server(22), Class::InvalidUser, at(1)), Ok(()));
        ledger.ended(server(22), Class::InvalidUser, Cost::Nothing, at(2));
        assert_eq!(ledger.remembered(), 0);
    }

    #[test]
    fn who_refused_us_is_left_alone_by_all() {
        let mut ledger = Ledger::new();
        ledger.started(server(22), Class::NoAuth);
        ledger.ended(server(22), Class::NoAuth, Cost::Refused, at(100));
        assert_eq!(ledger.may_start(server(22), Class::NoAuth, at(200)), Err(at(20_100)));
        assert_eq!(ledger.may_start(server(22), Class::NoAuth, at(20_100)), Ok(()));
        assert_eq!(ledger.remembered(), 0);
    }

    #[test]
    fn what_is_dearer_than_all_that_may_be_outstanding_waits_until_nothing_is() {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.may_start(server(22), Class::Crash, at(0)), Ok(()));
        ledger.started(server(22), Class::NoAuth);
        ledger.ended(server(22), Class::NoAuth, Cost::Charged(Class::Crash), at(0));
        assert_eq!(ledger.may_start(server(22), Class::Crash, at(0)), Err(at(90_000)));
    }

    proptest! {
        /// However many targets lead there, in whatever order: they never meet a refusal of an sshd that nobody else talks to.
        #[test]
        fn no_schedule_that_the_ledger_allows_is_ever_refused(
            wants in proptest::collection::vec((0u64..30_000, 0usize..3, 1u64..3000, 0usize..3), 1..60),
        ) {
            const ASKED: [Class; 3] = [Class::NoAuth, Class::InvalidUser, Class::AuthFail];
            let (mut ledger, mut sshd) = (Ledger::new(), SourcePenalties::new());
            // When it is wanted next, and when the ones that are up will end and as what.
            let mut waiting: Vec<(Moment, Class, u64, Class)> = wants
                .iter()
                .map(|(when, class, lasts, fate)| {
                    let class = ASKED[*class];
                    let fate = if ASKED[*fate].charge() <= class.charge() { ASKED[*fate] } else { class };
                    (at(*when), class, *lasts, fate)
                })
                .collect();
            let mut up: Vec<(Moment, Class, Class)> = Vec::new();
            let mut steps = 0;
            while !waiting.is_empty() || !up.is_empty() {
                steps += 1;
                prop_assert!(steps < 100_000, "it comes to an end");
                let now = waiting.iter().map(|each| each.0).chain(up.iter().map(|each| each.0)).min().unwrap_or(at(0));
                if let Some(at) = up.iter().position(|each| each.0 == now) {
                    let (_, class, fate) = up.swap_remove(at);
                    sshd.charge(SOURCE, fate, now);
                    ledger.ended(server(22), class, Cost::Charged(fate), now);
                    continue;
                }
                let Some(which) = waiting.iter().position(|each| each.0 == now) else { continue };
                let (_, class, lasts, fate) = waiting.swap_remove(which);
                match ledger.may_start(server(22), class, now) {
                    Ok(()) => {
                        prop_assert!(sshd.admits(SOURCE, now), "refused at {now:?}");
                        ledger.started(server(22), class);
                        up.push((now + Duration::from_millis(lasts), class, fate));
                    }
                    Err(again) => {
                        prop_assert!(again > now);
                        waiting.push((again, class, lasts, fate));
                    }
                }
            }
            ledger.forget(at(10_000_000));
            prop_assert_eq!(ledger.remembered(), 0);
        }
    }
}
