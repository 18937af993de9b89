//! Names to addresses, as ssh would get them.
//!
//! The hosts file comes first, then DNS, as `hosts: files dns` in nsswitch.conf has it; other modules of nsswitch (mdns,
//! sss, ldap) are not asked. Name servers, `search`, `domain`, `ndots`, `timeout` and `attempts` come from
//! `/etc/resolv.conf`. A name with at least `ndots` dots is tried as it is and then in the search list, others the other way
//! round (`res_search(3)`). Both families are asked for at once. The addresses come in the order of RFC 6724, as from
//! `getaddrinfo(3)`, so that the first one tried is the one ssh would try.
//!
//! Servers are asked one after the other, and the first one that answered is asked first for the next name. An
//! unreachable, silent, lying or missing one is the outcome of the names that needed it and of nothing else.
//!
//! Fingerprints of host keys (SSHFP) are another question to the same servers, asked only by who calls [`Resolver::sshfp`].

mod anchors;
mod dnssec;
mod order;
mod sockets;
mod sshfp;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{Hosts, system_conf};
use sshprobe_probes::case::ResolveFault;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

pub use self::anchors::Anchors;
use self::sockets::{Shortage, Sockets, why_unreachable};
pub use self::sshfp::{Security, Sshfp, SshfpFault, SshfpOptions};
use crate::target::expr::{Expression, Hosts as TargetHosts};
use crate::target::{Families, PortSet};

/// What to resolve with.
#[derive(Debug, Clone)]
pub struct ResolverOptions {
    /// `--resolver`: asked instead of the system's name servers. The search list stays the system's.
    pub servers: Vec<SocketAddr>,
    /// `-4`, `-6`: only this family is asked for.
    pub families: Families,
    /// The longest one lookup takes, whatever servers do. The wait for a free slot is not counted.
    pub deadline: Duration,
    /// The longest one server is waited for, at most an equal share of the deadline. By default what resolv.conf says.
    pub per_server: Option<Duration>,
    /// Lookups at the same time; each takes two descriptors or a few more when packets are lost.
    pub at_once: usize,
    /// The hosts file.
    pub hosts: PathBuf,
    /// The resolver configuration.
    pub resolv_conf: PathBuf,
    /// For [`Resolver::sshfp`]; addresses are looked up the same whatever stands here.
    pub sshfp: SshfpOptions,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            families: Families::Any,
            // What the C library takes by default: two attempts of five seconds.
            deadline: Duration::from_secs(10),
            per_server: None,
            at_once: 256,
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            sshfp: SshfpOptions::default(),
        }
    }
}

/// How long to wait for the other family once one has addresses. Some servers and firewalls drop AAAA queries; nobody
/// should wait the whole timeout for what they could have had.
const OTHER_FAMILY: Duration = Duration::from_secs(1);

/// Resolves names. Reads no file and opens no socket before the first name.
#[derive(Debug)]
pub struct Resolver {
    options: ResolverOptions,
    slots: Semaphore,
    system: OnceLock<System>,
}

impl Resolver {
    /// A resolver that has done nothing yet.
    #[must_use]
    pub fn new(options: ResolverOptions) -> Self {
        // One slot at least: with none nothing would ever resolve.
        let slots = Semaphore::new(options.at_once.clamp(1, Semaphore::MAX_PERMITS));
        Self { options, slots, system: OnceLock::new() }
    }

    /// The addresses of a name (ASCII, no trailing dot), in the order to try them, each once, never none.
    ///
    /// Left out is what nothing can be connected to by: the unspecified address, multicast, broadcast, and link-local
    /// IPv6 (no answer says on which interface).
    ///
    /// # Errors
    ///
    /// Why there is no address. Never takes longer than [`ResolverOptions::deadline`] and the wait for a slot.
    pub async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveFault> {
        // The semaphore is never closed; without a permit there is only no limit.
        let _slot = self.slots.acquire().await.ok();
        let system = self.system.get_or_init(|| System::load(&self.options));
        let addrs = match system.static_addresses(name, self.options.families) {
            Some(addrs) => addrs,
            None => {
                let addresses = Addresses { families: self.options.families };
                let deadline = Instant::now() + self.options.deadline;
                system.ask(&system.candidates(name)?, &addresses, deadline).await?.1
            }
        };
        let mut usable: Vec<IpAddr> = Vec::with_capacity(addrs.len());
        for addr in addrs.into_iter().map(|addr| addr.to_canonical()) {
            if is_usable(addr) && self.options.families.allow(addr) && !usable.contains(&addr) {
                usable.push(addr);
            }
        }
        if usable.is_empty() {
            return Err(ResolveFault::NoAddress);
        }
        order::sort(&mut usable, order::source_address);
        Ok(usable)
    }
}

/// Reads what `--resolver` takes: `10.0.0.53`, `10.0.0.53:5353`, `[2001:db8::53]:5353`; port 53 by default.
///
/// # Errors
///
/// One line that says what is wrong.
pub fn server(text: &str) -> Result<SocketAddr, String> {
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let port = match &expression.ports {
        None => Some(53),
        Some(ports) if *ports == PortSet::single(ports.nth(0).unwrap_or(0)) => ports.nth(0),
        Some(_) => None,
    };
    match (expression.user, expression.hosts, port) {
        (None, TargetHosts::Addresses(range), Some(port)) if range.is_single() => {
            match range.space.address(range.first) {
                (addr, 0) => Ok(SocketAddr::new(addr, port)),
                _ => Err(format!("`{text}`: a resolver cannot be reached by a link-local address: write another one")),
            }
        }
        _ => Err(format!("`{text}` is not the address of a resolver: write ADDR or ADDR:PORT, such as 10.0.0.53")),
    }
}

fn is_usable(addr: IpAddr) -> bool {
    let useless = addr.is_unspecified() || addr.is_multicast();
    match addr {
        IpAddr::V4(v4) => !(useless || v4 == Ipv4Addr::BROADCAST),
        IpAddr::V6(v6) => !(useless || v6.is_unicast_link_local()),
    }
}

/// What the system says about names.
#[derive(Debug)]
struct System {
    hosts: Hosts,
    servers: Vec<Server>,
    /// Why there are none.
    no_server: String,
    search: Vec<Name>,
    ndots: usize,
    attempts: usize,
    per_server: Duration,
    /// The server that answered last.
    preferred: AtomicUsize,
}

/// One name server.
#[derive(Debug)]
struct Server {
    addr: SocketAddr,
    client: Client,
    shortage: Shortage,
    /// The same server asked for fingerprints, once somebody does.
    sshfp: OnceLock<Option<sshfp::Asked>>,
}

/// Resends lost packets, checks ids and questions, follows CNAMEs, falls back to TCP and remembers answers.
type Client = hickory_resolver::Resolver<Sockets>;

/// Why a server gave no answer that settles a name.
enum Failure {
    /// Nothing came.
    Silence,
    /// Something else came, or nothing could be sent; the text says what.
    Answer(String),
}

/// What a server says about a name; [`ResolveFault::NoAddress`] where it has none of what was asked for.
type Said<T> = Result<Result<T, ResolveFault>, Failure>;

/// What servers are asked about a name.
trait Question: Sync {
    /// What they have to say.
    type Answer: Send;

    /// Asks one server, which is waited for no longer than `limit`.
    fn put(&self, server: &Server, name: &Name, limit: Duration) -> impl Future<Output = Said<Self::Answer>> + Send;
}

/// The question for addresses.
struct Addresses {
    families: Families,
}

impl Question for Addresses {
    type Answer = Vec<IpAddr>;

    async fn put(&self, server: &Server, name: &Name, limit: Duration) -> Said<Vec<IpAddr>> {
        timeout(limit, ask_both(server, name, self.families)).await.unwrap_or(Err(Failure::Silence))
    }
}

/// The names to ask for, in order.
struct Candidates {
    names: Vec<Name>,
    /// The first is the name itself.
    itself_first: bool,
}

impl System {
    fn load(options: &ResolverOptions) -> Self {
        let mut hosts = Hosts::default();
        if let Ok(file) = std::fs::File::open(&options.hosts) {
            // A line that is no text ends it; what stands before it is good.
            let _ = hosts.read_hosts_conf(file);
        }
        let mut resolv_conf = std::fs::read(&options.resolv_conf);
        if !options.servers.is_empty() {
            // A file without a name server is refused as a whole, though its search list would be of use.
            let mut content = resolv_conf.unwrap_or_default();
            content.extend(b"\nnameserver 127.0.0.1\n");
            resolv_conf = Ok(content);
        }
        let parsed = match resolv_conf {
            Ok(content) => system_conf::parse_resolv_conf(content).map_err(|error| match error {
                NetError::Io(error) => error.to_string(),
                error => error.to_string(),
            }),
            Err(error) => Err(error.to_string()),
        };
        let (config, opts, no_server) = match parsed {
            Ok((config, opts)) => (config, opts, String::new()),
            Err(why) => {
                let why = format!("no resolver configured: {}: {why}", options.resolv_conf.display());
                (ResolverConfig::default(), ResolverOpts::default(), why)
            }
        };
        let addrs: Vec<SocketAddr> = if options.servers.is_empty() {
            config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect()
        } else {
            options.servers.clone()
        };
        // Every server gets its turn before the deadline, however many are silent.
        let share = options.deadline / u32::try_from(addrs.len().max(1)).unwrap_or(u32::MAX);
        let per_server = options.per_server.unwrap_or(opts.timeout).min(share);
        let servers = addrs.into_iter().filter_map(|addr| Server::new(addr, per_server, opts.edns0)).collect();
        Self {
            hosts,
            servers,
            no_server,
            search: match (config.search(), config.domain()) {
                ([], Some(domain)) => vec![domain.clone()],
                (search, _) => search.to_vec(),
            },
            ndots: opts.ndots,
            attempts: opts.attempts.max(1),
            per_server,
            preferred: AtomicUsize::new(0),
        }
    }

    /// Addresses that no server is asked for: the hosts file's and those of localhost (RFC 6761 section 6.3).
    fn static_addresses(&self, name: &str, families: Families) -> Option<Vec<IpAddr>> {
        let fqdn = Name::from_labels(name.split('.').map(str::as_bytes)).ok()?;
        let mut addrs = Vec::new();
        for kind in record_types(families) {
            if let Some(found) = self.hosts.lookup_static_host(&Query::query(fqdn.clone(), *kind)) {
                addrs.extend(found.answers().iter().filter_map(|record| record.data.ip_addr()));
            }
        }
        if addrs.is_empty() && (name == "localhost" || name.ends_with(".localhost")) {
            addrs = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
            addrs.retain(|addr| families.allow(*addr));
        }
        (!addrs.is_empty()).then_some(addrs)
    }

    /// The names to ask for; never none.
    fn candidates(&self, name: &str) -> Result<Candidates, ResolveFault> {
        let labels = || name.split('.').map(str::as_bytes);
        let as_it_is = Name::from_labels(labels()).ok();
        let searched = self.search.iter().filter_map(|domain| {
            let mut whole = Name::from_labels(labels()).ok()?.append_domain(domain).ok()?;
            whole.set_fqdn(true);
            Some(whole)
        });
        let itself_first = name.matches('.').count() >= self.ndots;
        let mut names: Vec<Name> = Vec::with_capacity(self.search.len() + 1);
        let in_order: Vec<Name> = if itself_first {
            as_it_is.into_iter().chain(searched).collect()
        } else {
            searched.chain(as_it_is).collect()
        };
        for candidate in in_order {
            if !names.contains(&candidate) {
                names.push(candidate);
            }
        }
        if names.is_empty() {
            return Err(ResolveFault::ServFail(format!("{name} cannot be put into a query")));
        }
        Ok(Candidates { names, itself_first })
    }

    /// Asks for the candidates in turn until there is an answer for one, and says which.
    async fn ask<'a, Q: Question>(
        &self,
        candidates: &'a Candidates,
        question: &Q,
        deadline: Instant,
    ) -> Result<(&'a Name, Q::Answer), ResolveFault> {
        if self.servers.is_empty() {
            return Err(ResolveFault::ServFail(self.no_server.clone()));
        }
        let mut faults = Vec::new();
        for candidate in &candidates.names {
            match self.ask_servers(candidate, question, deadline).await {
                Ok(answer) => return Ok((candidate, answer)),
                // Silence for one name is silence for the next.
                Err(ResolveFault::Timeout) => {
                    faults.push(ResolveFault::Timeout);
                    break;
                }
                Err(fault) => faults.push(fault),
            }
        }
        // As res_search(3): what was said of the name itself if that was asked first, else the most that is known.
        let weight = |fault: &ResolveFault| match fault {
            ResolveFault::NxDomain => 0,
            ResolveFault::Timeout => 1,
            ResolveFault::ServFail(_) => 2,
            ResolveFault::NoAddress => 3,
        };
        let told =
            if candidates.itself_first { faults.into_iter().next() } else { faults.into_iter().max_by_key(weight) };
        Err(told.unwrap_or(ResolveFault::Timeout))
    }

    /// Asks servers in turn until one settles the name.
    async fn ask_servers<Q: Question>(
        &self,
        name: &Name,
        question: &Q,
        deadline: Instant,
    ) -> Result<Q::Answer, ResolveFault> {
        let mut fault = ResolveFault::Timeout;
        let start = self.preferred.load(Ordering::Relaxed);
        for turn in 0..self.attempts * self.servers.len() {
            let at = (start + turn) % self.servers.len();
            let Some(server) = self.servers.get(at) else { break };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match question.put(server, name, left.min(self.per_server)).await {
                Ok(settled) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return settled;
                }
                Err(Failure::Answer(text)) => fault = ResolveFault::ServFail(format!("{} {text}", server.addr)),
                Err(Failure::Silence) => {
                    // Nothing was asked: that is no silence of the server's.
                    if let Some(errno) = server.shortage.errno() {
                        fault = ResolveFault::ServFail(format!("no query could be sent: {errno:?} on this machine"));
                    }
                }
            }
        }
        Err(fault)
    }
}

impl Server {
    fn new(addr: SocketAddr, per_server: Duration, edns0: bool) -> Option<Self> {
        let sockets = Sockets::default();
        let shortage = sockets.shortage();
        let config = ResolverConfig::from_name_servers(vec![connections(addr)]);
        let mut builder = Client::builder_with_config(config, sockets);
        *builder.options_mut() = client_options(per_server);
        builder.options_mut().edns0 = edns0;
        Some(Self { addr, client: builder.build().ok()?, shortage, sshfp: OnceLock::new() })
    }
}

/// How a server is reached.
fn connections(addr: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = addr.port();
        connection
    });
    NameServerConfig::new(addr.ip(), true, connections.to_vec())
}

/// How one server is asked: it alone, once, and not the hosts file, which is looked into here, before the search list, as the
/// C library does.
fn client_options(per_server: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = per_server;
    options.attempts = 0;
    options.num_concurrent_reqs = 1;
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options
}

const fn record_types(families: Families) -> &'static [RecordType] {
    match families {
        Families::Any => &[RecordType::AAAA, RecordType::A],
        Families::V4Only => &[RecordType::A],
        Families::V6Only => &[RecordType::AAAA],
    }
}

/// Asks one server for both families at once.
async fn ask_both(server: &Server, name: &Name, families: Families) -> Said<Vec<IpAddr>> {
    let [first, second] = match record_types(families) {
        [only] => return ask_one(server, name, *only).await,
        [first, second, ..] => [*first, *second],
        [] => return Ok(Err(ResolveFault::NoAddress)),
    };
    let (first, second) = (pin!(ask_one(server, name, first)), pin!(ask_one(server, name, second)));
    let (one, other) = match select(first, second).await {
        Either::Left((one, other)) => (one, Either::Left(other)),
        Either::Right((one, other)) => (one, Either::Right(other)),
    };
    let other = if matches!(one, Ok(Ok(_))) {
        timeout(OTHER_FAMILY, other).await.unwrap_or(Err(Failure::Silence))
    } else {
        other.await
    };
    both(one, other)
}

/// What two answers for two families say together.
fn both(one: Said<Vec<IpAddr>>, other: Said<Vec<IpAddr>>) -> Said<Vec<IpAddr>> {
    use ResolveFault::{NoAddress, NxDomain};
    match (one, other) {
        (Ok(Ok(mut addrs)), Ok(Ok(more))) => {
            addrs.extend(more);
            Ok(Ok(addrs))
        }
        (Ok(Ok(addrs)), _) | (_, Ok(Ok(addrs))) => Ok(Ok(addrs)),
        // Some servers deny the whole name where only its AAAA is missing: the other answer knows better.
        (Ok(Err(NoAddress)), Ok(Err(_))) | (Ok(Err(_)), Ok(Err(NoAddress))) => Ok(Err(NoAddress)),
        // NXDOMAIN is said of the name, not of the type (RFC 8020), so that one answer is enough.
        (Ok(Err(NxDomain)), _) | (_, Ok(Err(NxDomain))) => Ok(Err(NxDomain)),
        // Nothing of one family and no answer for the other: not known.
        (Err(Failure::Answer(text)), _) | (_, Err(Failure::Answer(text))) => Err(Failure::Answer(text)),
        _ => Err(Failure::Silence),
    }
}

async fn ask_one(server: &Server, name: &Name, kind: RecordType) -> Said<Vec<IpAddr>> {
    let found = match server.client.lookup(name.clone(), kind).await {
        Ok(found) => found,
        Err(error) => return verdict(&error, server.addr),
    };
    let records = found.answers();
    // Only what belongs to the name or to what it is an alias of.
    let names = aliases(name, records);
    let addrs: Vec<IpAddr> = records
        .iter()
        .filter(|record| record.record_type() == kind && names.contains(&&record.name))
        .filter_map(|record| record.data.ip_addr())
        .collect();
    Ok(if addrs.is_empty() { Err(ResolveFault::NoAddress) } else { Ok(addrs) })
}

/// The name and what it is an alias of, one after the other; the records may come in any order.
fn aliases<'a>(name: &'a Name, records: &'a [Record]) -> Vec<&'a Name> {
    let mut names = vec![name];
    for _ in records {
        let known = names.len();
        for record in records {
            if let RData::CNAME(target) = &record.data
                && names.contains(&&record.name)
                && !names.contains(&&target.0)
            {
                names.push(&target.0);
            }
        }
        if names.len() == known {
            break;
        }
    }
    names
}

/// What an error of the client's means.
fn verdict<T>(error: &NetError, server: SocketAddr) -> Said<T> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Ok(Err(ResolveFault::NxDomain)),
            ResponseCode::NoError => Ok(Err(ResolveFault::NoAddress)),
            code => Err(Failure::Answer(answered(code))),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Err(Failure::Answer(answered(*code))),
        NetError::Timeout => Err(Failure::Silence),
        // All that is left of an error of the socket's.
        NetError::NoConnections | NetError::Io(_) => Err(Failure::Answer(why_unreachable(server))),
        NetError::Proto(_) => Err(Failure::Answer("answered with something malformed".into())),
        error => Err(Failure::Answer(format!("gave no answer: {error}"))),
    }
}

/// The code by the name that `dig` shows.
fn answered(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::NotAuth => "NOTAUTH",
        code => return format!("answered {}", code.to_str()),
    };
    format!("answered {name}")
}
