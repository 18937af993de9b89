//! The session of a jump host: the host is probed like any target, logged in to, and the session is kept.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{self, Arc, MutexGuard, PoisonError};
use std::time::Duration;

use sshprobe_probes::case::{Case, ResolveFault};
use sshprobe_probes::diagnose::{Code, Status};
use sshprobe_probes::escape::escape;
use sshprobe_probes::evidence::TunnelTrouble;
use sshprobe_probes::record::{self, Record};
use sshprobe_probes::target::{Host, Target, host_and_odd_port, stand_in};
use sshprobe_probes::time::Moment;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connector::{AfterLogin, UnderWay};
use super::log;
use super::names::Resolve;
use super::options::Options;
use super::route::Route;
use super::run::{RESOLVE_TIMEOUT, not_excluded, socket_addr};
use crate::login::channel::Session;
use crate::sys::clock::Clock;
use crate::sys::entropy;
use crate::target::Exclusions;
use crate::transport::Transport;
use crate::transport::jump::JumpHost;

/// Sessions made with one host in a run. One that ends so often is of no use, and whoever looks at its log should not see more.
const MOST: usize = 8;

/// How long a jump host that failed for a reason that may pass is left alone at first; twice as long each further time, up to 16
/// times.
const AGAIN: Duration = Duration::from_secs(30);

/// A jump host of a run.
pub struct JumpSession<T, R> {
    name: String,
    target: Target,
    route: Route<T>,
    resolver: Arc<R>,
    clock: Clock,
    run: UnderWay,
    exclusions: Arc<Exclusions>,
    state: Mutex<State>,
    current: sync::Mutex<Current>,
}

/// What there is of it for those who want to go through it.
#[derive(Default)]
struct Current {
    session: Option<Arc<Session>>,
    way: Arc<[record::JumpHost]>,
}

/// What is known to whoever makes the session.
#[derive(Default)]
struct State {
    /// It could not be had, for a reason that holds for the whole run, or until this moment.
    trouble: Option<(TunnelTrouble, Option<Moment>)>,
    /// Sessions that came up.
    made: usize,
    /// Tries in a row that came to none.
    failed: u32,
}

impl<T, R> fmt::Debug for JumpSession<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JumpSession").field("host", &self.name).finish_non_exhaustive()
    }
}

impl<T: Transport, R: Resolve> JumpSession<T, R> {
    /// The session with `target`, which is reached, judged and logged in to as `route` says, in the run of `options`. Nothing is
    /// done before it is wanted.
    #[must_use]
    pub fn new(target: Target, route: Route<T>, resolver: Arc<R>, options: &Options) -> Self {
        let user = target.user.as_deref().unwrap_or(&route.settings.plan.user);
        let place = host_and_odd_port(&target.shown(), target.port);
        let name = escape(format!("{user}@{place}"));
        Self {
            name,
            target,
            route,
            resolver,
            clock: options.clock,
            run: options.under_way.clone(),
            exclusions: Arc::clone(&options.exclusions),
            state: Mutex::default(),
            current: sync::Mutex::default(),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Probes the host and logs in to it, by connections that are admitted and judged like those to any target.
    async fn make(&self) -> Result<Session, (TunnelTrouble, Option<Duration>)> {
        let connector = self.run.connector().await;
        let mut after = AfterLogin::Stay;
        let work = async {
            let mut case = self.case().await?;
            Some(connector.connections(&self.route, &mut case, &mut after).await)
        };
        let Some(record) = log::naming(&self.target, pin!(work)).await else {
            let detail = format!("not probed: the jump host {} is excluded", self.name);
            return Err((TunnelTrouble::lasting(Code::LocalPolicy, None, detail), None));
        };
        connector.stats.reach_jump_host(record.connections);
        self.current().way = self.way_of(&record);
        match after {
            AfterLogin::Stayed(session) if record.code == Code::Ok => Ok(session),
            _ => Err((self.trouble(&record), Self::until(&record))),
        }
    }

    /// The hosts up to this one, by its record.
    fn way_of(&self, record: &Record) -> Arc<[record::JumpHost]> {
        let key = record.host_keys.first();
        let this = record::JumpHost {
            host: self.name.clone(),
            kind: key.map(|key| key.kind.clone().into_owned()),
            fingerprint: key.map(|key| key.fingerprint.clone()),
            trust: key.map(|key| key.trust),
            source: key.and_then(|key| key.source.clone()),
        };
        let before = record.tunnel.iter().flat_map(|way| &way.jump_hosts);
        before.cloned().chain([this]).collect()
    }

    /// After how long it is worth another try, if its answer may have been one of the moment.
    fn until(record: &Record) -> Option<Duration> {
        let passes = matches!(
            record.code.status(),
            Status::Timeout | Status::Throttled | Status::LocalError | Status::Closed | Status::DnsFailure
        );
        passes.then_some(AGAIN)
    }

    fn trouble(&self, record: &Record) -> TunnelTrouble {
        let (code, detail) = match record.code {
            // It is well, and there is no session all the same: `none` was enough, or nothing was given.
            Code::Ok => (Code::AuthNoCommonMethod, "nothing was given to log in there with; give -i FILE or --agent"),
            code => (code, record.detail.as_str()),
        };
        let detail = format!("the jump host {}: {code}: {detail}", self.name);
        // Trouble of this machine is nobody else's, on the way to a jump host as elsewhere.
        match code.status() {
            Status::LocalError => TunnelTrouble::lasting(code, None, detail),
            _ => TunnelTrouble::lasting(Code::JumpFailed, Some(code.name().to_owned()), detail),
        }
    }

    /// `None` if all that its name leads to is excluded: that is so by whatever name.
    async fn case(&self) -> Option<Case> {
        let (target, settings) = (self.target.clone(), Arc::clone(&self.route.settings));
        let port = target.port;
        let (addrs, took) = match target.place() {
            Host::Addr(addr, scope) => (Ok(vec![socket_addr(*addr, *scope, port)]), None),
            host if self.route.transport.takes_names() => (Ok(vec![stand_in(host, port)]), None),
            Host::Name(name) => {
                let began = self.clock.now();
                let asked = timeout(RESOLVE_TIMEOUT, self.resolver.resolve(name)).await;
                let found = asked.unwrap_or(Err(ResolveFault::Timeout));
                let addrs = match found {
                    Ok(addrs) => Ok(not_excluded(&self.exclusions, addrs, port)?),
                    Err(fault) => Err(fault),
                };
                (addrs, Some(self.clock.now().since(began)))
            }
            Host::Iap(_) => (Ok(Vec::<SocketAddr>::new()), None),
        };
        let now = self.clock.now();
        Some(match addrs {
            Ok(addrs) => Case::new(target, addrs, took, settings, now, entropy::number().unwrap_or_default()),
            Err(fault) => Case::unresolved(target, fault, took.unwrap_or_default(), settings, now),
        })
    }
}

impl<T: Transport, R: Resolve> JumpHost for JumpSession<T, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn leave(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let session = self.current().session.take();
            // Whoever still has a part in it holds on to something that ends with the run anyway.
            if let Some(session) = session.and_then(Arc::into_inner) {
                session.leave().await;
            }
        })
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.current().session.clone().filter(|session| !session.is_over())
    }

    fn way(&self) -> Arc<[record::JumpHost]> {
        Arc::clone(&self.current().way)
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = Result<(), TunnelTrouble>> + Send + '_>> {
        Box::pin(async {
            if self.session().is_some() {
                return Ok(());
            }
            // Whoever comes first makes it, and the others wait for that.
            let mut state = self.state.lock().await;
            if self.session().is_some() {
                return Ok(());
            }
            if let Some((trouble, until)) = &state.trouble
                && until.is_none_or(|until| self.clock.now() < until)
            {
                return Err(trouble.clone());
            }
            let made = if state.made < MOST {
                self.make().await
            } else {
                let detail =
                    format!("the jump host {} was asked for {MOST} sessions, and is asked for no more", self.name);
                let arg = Some(Code::LostMidway.name().to_owned());
                Err((TunnelTrouble::lasting(Code::JumpFailed, arg, detail), None))
            };
            match made {
                Ok(session) => {
                    (state.trouble, state.failed) = (None, 0);
                    state.made += 1;
                    self.current().session = Some(Arc::new(session));
                    Ok(())
                }
                Err((trouble, passes)) => {
                    let until = passes.map(|again| self.clock.now() + again * (1 << state.failed.min(4)));
                    state.failed = state.failed.saturating_add(1);
                    state.trouble = Some((trouble.clone(), until));
                    Err(trouble)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
