//! The session of a jump host: the host is probed like any target, logged in to, and the session is kept.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::case::{Case, Connect, Next};
use sshprobe_probes::diagnose::{Code, Status};
use sshprobe_probes::escape::escape;
use sshprobe_probes::evidence::{Errno, Evidence, Fault, LocalTrouble, TunnelTrouble};
use sshprobe_probes::govern::trouble::Patience;
use sshprobe_probes::probe::Probe;
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Host, Target, stand_in};
use sshprobe_probes::time::Moment;
use tokio::sync::Mutex;
use tokio::time::{sleep, sleep_until};

use super::connector::ended;
use super::drive::drive;
use super::login::log_in;
use super::names::Resolve;
use super::route::Route;
use super::run::socket_addr;
use crate::login::Credentials;
use crate::login::channel::Session;
use crate::sys::clock::Clock;
use crate::sys::entropy;
use crate::transport::jump::JumpHost;
use crate::transport::{Opening, Stream, Transport};

/// Sessions made with one host in a run. One that ends so often is of no use, and whoever looks at its log should not see more.
const MOST: usize = 8;

/// How long a jump host that failed for a reason that may pass is left alone.
const AGAIN: Duration = Duration::from_secs(30);

/// Between two tries where this machine is short of something.
const SHORT: Duration = Duration::from_millis(500);

/// A jump host of a run.
pub struct JumpSession<T, R> {
    name: String,
    target: Target,
    route: Route<T>,
    credentials: Arc<Credentials>,
    resolver: Arc<R>,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    /// It could not be had, for a reason that holds for the whole run, or until this moment.
    trouble: Option<(TunnelTrouble, Option<Moment>)>,
    made: usize,
}

impl<T, R> fmt::Debug for JumpSession<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JumpSession").field("host", &self.name).finish_non_exhaustive()
    }
}

impl<T: Transport, R: Resolve> JumpSession<T, R> {
    /// The session with `target`, which is reached and judged as `route` says and logged in to with these credentials. Nothing
    /// is done before it is wanted.
    #[must_use]
    pub fn new(target: Target, route: Route<T>, credentials: Arc<Credentials>, resolver: Arc<R>, clock: Clock) -> Self {
        let user = target.user.as_deref().unwrap_or(&route.settings.plan.user);
        let (host, port) = (&target.host, target.port);
        let place = match (host.to_string(), port) {
            (host, 22) => host,
            (host, port) if host.contains(':') => format!("[{host}]:{port}"),
            (host, port) => format!("{host}:{port}"),
        };
        let name = escape(format!("{user}@{place}"));
        Self { name, target, route, credentials, resolver, clock, state: Mutex::default() }
    }

    /// Probes the host and logs in to it.
    async fn make(&self) -> Result<Arc<Session>, (TunnelTrouble, Option<Moment>)> {
        let mut session = None;
        let mut case = self.case().await;
        let record = loop {
            match case.next(self.clock.now()) {
                Next::Connect(connect) => {
                    sleep_until(self.clock.instant(connect.not_before)).await;
                    let evidence = self.connection(&connect, &mut session).await;
                    case.add(evidence);
                }
                Next::Done(record) => break record,
            }
        };
        session
            .map(Arc::new)
            .filter(|_| record.code == Code::Ok)
            .ok_or_else(|| (self.trouble(&record), self.until(&record)))
    }

    /// When it is worth another try, if its answer may have been one of the moment.
    fn until(&self, record: &Record) -> Option<Moment> {
        let passes = matches!(
            record.code.status(),
            Status::Timeout | Status::Throttled | Status::LocalError | Status::Closed | Status::DnsFailure
        );
        passes.then(|| self.clock.now() + AGAIN)
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

    async fn case(&self) -> Case {
        let (target, settings) = (self.target.clone(), Arc::clone(&self.route.settings));
        let port = target.port;
        let (addrs, took) = match target.place() {
            Host::Addr(addr, scope) => (Ok(vec![socket_addr(*addr, *scope, port)]), None),
            host if self.route.transport.takes_names() => (Ok(vec![stand_in(host, port)]), None),
            Host::Name(name) => {
                let began = self.clock.now();
                let found = self.resolver.resolve(name).await;
                let addrs = found.map(|addrs| addrs.into_iter().map(|addr| socket_addr(addr, 0, port)).collect());
                (addrs, Some(self.clock.now().since(began)))
            }
            Host::Iap(_) => (Ok(Vec::<SocketAddr>::new()), None),
        };
        let now = self.clock.now();
        match addrs {
            Ok(addrs) => Case::new(target, addrs, took, settings, now, entropy::number().unwrap_or_default()),
            Err(fault) => Case::unresolved(target, fault, took.unwrap_or_default(), settings, now),
        }
    }

    /// Makes one connection, however often this machine is short of something.
    async fn connection(&self, connect: &Connect, session: &mut Option<Session>) -> Evidence {
        let mut patience = Patience::default();
        loop {
            let errno = match self.attempt(connect, session).await {
                Ok(evidence) => return evidence,
                Err(errno) => errno,
            };
            let now = self.clock.now();
            if patience.exhausted(now) {
                let mut evidence = Evidence::new(connect.addr, now);
                evidence.path.errno = errno;
                evidence.fault = Some(Fault::Local(LocalTrouble::ResourceLimit));
                return evidence;
            }
            sleep(SHORT).await;
        }
    }

    async fn attempt(&self, connect: &Connect, session: &mut Option<Session>) -> Result<Evidence, Option<Errno>> {
        let (mut stream, evidence) = match self.route.transport.open(connect).await {
            Opening::Up(stream, evidence) => (stream, evidence),
            Opening::Down(evidence) => return Ok(evidence),
            Opening::Short(errno) => return Err(Some(errno)),
        };
        if let Some(order) = &connect.login {
            let logged_in = log_in(stream, evidence, connect, order, &self.credentials, self.clock, true);
            let (evidence, end, kept) = logged_in.await;
            *session = kept;
            return ended(&self.route, connect, evidence, end).map_err(|shortage| shortage.0);
        }
        let seed = entropy::seed().map_err(|_| None)?;
        let mut probe = Probe::new(connect.plan_once_up(), seed, evidence, self.clock.now());
        let leave = drive(&mut stream, &mut probe, self.clock).await;
        let left = self.clock.now();
        let end = stream.leave(leave).await;
        ended(&self.route, connect, probe.into_evidence(left), end).map_err(|shortage| shortage.0)
    }
}

impl<T: Transport, R: Resolve> JumpHost for JumpSession<T, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn leave(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let session = self.state.lock().await.session.take();
            // Whoever still has a part in it holds on to something that ends with the run anyway.
            if let Some(session) = session.and_then(Arc::into_inner) {
                session.leave().await;
            }
        })
    }

    fn session(&self) -> Pin<Box<dyn Future<Output = Result<Arc<Session>, TunnelTrouble>> + Send + '_>> {
        Box::pin(async {
            // Whoever comes first makes it, and the others wait for that.
            let mut state = self.state.lock().await;
            if let Some((trouble, until)) = &state.trouble
                && until.is_none_or(|until| self.clock.now() < until)
            {
                return Err(trouble.clone());
            }
            if let Some(session) = state.session.take().filter(|session| !session.is_over()) {
                state.session = Some(Arc::clone(&session));
                return Ok(session);
            }
            let made = if state.made < MOST {
                state.made += 1;
                self.make().await
            } else {
                let detail =
                    format!("the jump host {} was asked for {MOST} sessions, and is asked for no more", self.name);
                let arg = Some(Code::LostMidway.name().to_owned());
                Err((TunnelTrouble::lasting(Code::JumpFailed, arg, detail), None))
            };
            match made {
                Ok(session) => {
                    (state.session, state.trouble) = (Some(Arc::clone(&session)), None);
                    Ok(session)
                }
                Err((trouble, until)) => {
                    state.trouble = Some((trouble.clone(), until));
                    Err(trouble)
                }
            }
        })
    }
}
