//! A direct probe beside one through a relay, for what both together tell (`--compare-direct`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::case::Settings;
use sshprobe_probes::diagnose::{pair, worth_comparing};
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::record::Record;
use sshprobe_probes::target::{Host, Target};

use super::super::connector::AfterLogin;
use super::super::names::Resolve;
use super::super::route::Route;
use super::{Works, socket_addr};
use crate::transport::Transport;

impl<T: Transport, R: Resolve> Works<T, R> {
    /// Probes the host of `record` directly too, if that was asked for and may mean something, and puts down what the two mean together. It is paced
    /// like every other connection, and goes no deeper than to the host key, by which it is known whether the address is the
    /// host's own.
    pub(super) async fn compare(&self, target: &Target, route: &Route<T>, record: &mut Record) {
        let Some((transport, names)) = route.transport.beside(target.place()) else { return };
        if !worth_comparing(record) {
            return;
        }
        let Some(direct) = Box::pin(self.directly(target, route, transport, &names)).await else { return };
        let (direct, finding) = pair(record, &direct);
        record.direct = Some(Box::new(direct));
        record.findings.extend(finding);
    }

    /// What comes of the host directly; nothing where it has no name there, or is excluded.
    async fn directly(&self, target: &Target, route: &Route<T>, transport: T, names: &[String]) -> Option<Box<Record>> {
        let shared = &route.settings;
        let depth = shared.plan.depth.min(Depth::Kex);
        let plan = Arc::new(Plan { depth, ..Plan::clone(&shared.plan) });
        // What is known of the host's keys was held against those of the tunnel.
        let settings = Arc::new(Settings { plan, trust: None, ..Settings::clone(shared) });
        let route = Route {
            transport,
            settings,
            connect_timeout: route.connect_timeout,
            #[cfg(feature = "login")]
            credentials: None,
        };
        let mut last = None;
        let allowed = |name: &&String| !self.exclusions.covers_name(&name.to_ascii_lowercase(), target.port);
        for name in names.iter().filter(allowed) {
            let found = match name.parse::<IpAddr>() {
                Ok(addr) => Ok(vec![addr]),
                Err(_) => self.resolve(name).await.0,
            };
            let addrs = match found {
                Ok(addrs) if !addrs.is_empty() => addrs,
                Ok(_) => continue,
                Err(fault) => {
                    last = Some((name, fault));
                    continue;
                }
            };
            let all = addrs.into_iter().map(|addr| socket_addr(addr, 0, target.port));
            let allowed = |addr: &SocketAddr| !self.exclusions.covers_address(addr.ip(), 0, addr.port());
            let addrs: Vec<_> = all.filter(allowed).collect();
            let first = addrs.first()?;
            let host = Host::Addr(first.ip(), 0);
            let target = Target { host, place: None, ..target.clone() };
            let mut case = self.case(&target, &route, addrs, None);
            return Some(self.connector.connections(&route, &mut case, &mut AfterLogin::Leave).await);
        }
        let run = &route.settings.run;
        let (name, fault) = last?;
        let target = Target { host: Host::Name(name.as_str().into()), place: None, ..target.clone() };
        Some(Box::new(Record::unresolved(&target, &fault, Duration::ZERO, run, self.clock.now())))
    }
}
