//! Fingerprints of host keys in DNS (SSHFP, RFC 4255), and what vouches for them.
//!
//! The name asked for is the one whose addresses are connected to. Nothing here is done, read or asked before the first
//! [`Resolver::sshfp`].

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use sshprobe_probes::case::ResolveFault;
use sshprobe_probes::trust::sshfp::SshfpRecord;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::dnssec::{Bits, Exchange, Upstream, Validator};
use super::sockets::Sockets;
use super::{
    Addresses, Anchors, Candidates, Failure, Question, Resolver, ResolverOptions, Said, Server, System, answered,
    client_options, connections, verdict,
};

/// More answers than any chain of aliases takes that a server leaves to us.
const MOST_HOPS: usize = 8;

/// What is believed of an answer.
#[derive(Debug, Clone, Default)]
pub struct SshfpOptions {
    /// `--trust-ad`: the AD bit of an answer vouches, as under `options trust-ad` in resolv.conf. It says that the resolver
    /// has validated, and is only as good as the resolver and the way to it. Otherwise the bit is not looked at.
    pub trust_ad: bool,
    /// Where chains of signatures begin.
    pub anchors: Anchors,
}

/// The SSHFP records of a host. If anything vouches, they are the very ones that it vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sshfp {
    /// All of them, sorted; never none.
    pub records: Vec<SshfpRecord>,
    /// What vouches for them.
    pub security: Security,
    /// The name they were asked for: whole, without a dot at its end.
    pub name: String,
}

/// What vouches for records. The texts say why nothing does, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// Signatures lead from a trust anchor to them, checked here.
    Secure,
    /// The resolver says that it has checked (AD), and is trusted to ([`SshfpOptions::trust_ad`]).
    SecureByAd,
    /// Nothing: the zone is not signed, or no signature can be checked.
    Insecure(String),
    /// They should be signed, and the signatures are missing or do not hold.
    Bogus(String),
}

impl Security {
    /// Whether the records may be believed.
    #[must_use]
    pub fn vouches(&self) -> bool {
        matches!(self, Self::Secure | Self::SecureByAd)
    }
}

/// Why there are no SSHFP records. Denials are not validated: none is no ground to believe a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshfpFault {
    /// The name exists and has none.
    #[error("no SSHFP record")]
    NoRecord,
    /// There is no such name.
    #[error("no such name")]
    NxDomain,
    /// No server gave an answer of use; the text says which and what it said, such as SERVFAIL because the chain of
    /// signatures is broken: then it gives an answer to who asks it not to check.
    #[error("{0}")]
    ServFail(String),
    /// No server answered in time.
    #[error("no answer in time")]
    Timeout,
}

impl From<ResolveFault> for SshfpFault {
    fn from(fault: ResolveFault) -> Self {
        match fault {
            ResolveFault::NoAddress => Self::NoRecord,
            ResolveFault::NxDomain => Self::NxDomain,
            ResolveFault::ServFail(text) => Self::ServFail(text),
            ResolveFault::Timeout => Self::Timeout,
        }
    }
}

impl Resolver {
    /// The SSHFP records of a host (ASCII, no trailing dot), and what vouches for them.
    ///
    /// Asked for is the name that [`Resolver::lookup`] found addresses by, of those the search list makes; if the addresses
    /// came from the hosts file, each in turn. Addresses and `localhost` have no records, and nobody is asked.
    ///
    /// # Errors
    ///
    /// Why there are none. Never takes longer than [`ResolverOptions::deadline`] and the wait for a slot.
    pub async fn sshfp(&self, name: &str) -> Result<Sshfp, SshfpFault> {
        if name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost") {
            return Err(SshfpFault::NoRecord);
        }
        let _slot = self.slots.acquire().await.ok();
        let system = self.system.get_or_init(|| System::load(&self.options));
        Ok(system.sshfp(name, &self.options).await?)
    }
}

impl System {
    async fn sshfp(&self, name: &str, options: &ResolverOptions) -> Result<Sshfp, ResolveFault> {
        let deadline = Instant::now() + options.deadline;
        let mut candidates = self.candidates(name)?;
        if candidates.names.len() > 1 && self.static_addresses(name, options.families).is_none() {
            // Mostly remembered from when the addresses were looked up.
            let addresses = Addresses { families: options.families };
            if let Ok((found, _)) = self.ask(&candidates, &addresses, deadline).await {
                candidates = Candidates { names: vec![found.clone()], itself_first: true };
            }
        }
        let fingerprints = Fingerprints { options: &options.sshfp, per_server: self.per_server, deadline };
        Ok(self.ask(&candidates, &fingerprints, deadline).await?.1)
    }
}

/// The question for fingerprints.
struct Fingerprints<'a> {
    options: &'a SshfpOptions,
    per_server: Duration,
    /// When whatever vouches must have been found: later than a server that answers nothing is waited for.
    deadline: Instant,
}

impl Question for Fingerprints<'_> {
    type Answer = Sshfp;

    async fn put(&self, server: &Server, name: &Name, limit: Duration) -> Said<Sshfp> {
        let Some(asked) = server.asked(&self.options.anchors, self.per_server) else {
            return Err(Failure::Answer("cannot be asked for signatures".into()));
        };
        let trust_ad = self.options.trust_ad;
        match timeout(limit, asked.fetch(name, Bits { ad: trust_ad, cd: false })).await {
            Ok(Ok(Ok(found))) => Ok(Ok(asked.vouched(name, found, trust_ad, self.deadline).await)),
            Ok(Ok(Err(none))) => Ok(Err(none)),
            Ok(Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)))) => {
                let unchecked = asked.unchecked(name, self.per_server, self.deadline).await;
                unchecked.ok_or_else(|| Failure::Answer(answered(ResponseCode::ServFail)))
            }
            Ok(Err(error)) => verdict(&error, server.addr),
            Err(_) => Err(Failure::Silence),
        }
    }
}

impl Server {
    /// This server as it is asked for fingerprints. Its client for addresses takes no part: it validates nothing and
    /// remembers less than is needed here.
    fn asked(&self, anchors: &Anchors, per_server: Duration) -> Option<&Asked> {
        let asked = self.sshfp.get_or_init(|| {
            let context = PoolContext::new(client_options(per_server), TlsConfig::new().ok()?);
            let servers = [connections(self.addr)];
            let pool = NameServerPool::from_config(servers, Arc::new(context), Sockets::sharing(self.shortage.clone()));
            Some(Asked::new(Upstream::new(pool, self.addr, per_server), anchors.clone()))
        });
        asked.as_ref()
    }
}

/// One server, asked for fingerprints.
pub(super) struct Asked {
    upstream: Upstream,
    anchors: Anchors,
    /// Held while the trust anchors are held against the zones' keys: the others wait for the same.
    validator: Mutex<Option<Arc<Validator>>>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

/// What a server has of a name; where it has no record, that is an answer and no error.
type Fetched = Result<Found, ResolveFault>;

/// Records as they were received, and the answers that led to them.
struct Found {
    records: Vec<SshfpRecord>,
    exchanges: Vec<Exchange>,
}

impl Asked {
    pub(super) fn new(upstream: Upstream, anchors: Anchors) -> Self {
        Self { upstream, anchors, validator: Mutex::default() }
    }

    /// Asks for the records of a name and of what it is an alias of.
    async fn fetch(&self, name: &Name, bits: Bits) -> Result<Fetched, NetError> {
        let mut exchanges: Vec<Exchange> = Vec::new();
        let mut name = name.clone();
        for _ in 0..MOST_HOPS {
            let query = Query::query(name.clone(), RecordType::SSHFP);
            let response = match self.upstream.ask(query.clone(), bits).await {
                Ok(response) => response,
                Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                    ResponseCode::NXDomain => return Ok(Err(ResolveFault::NxDomain)),
                    ResponseCode::NoError => return Ok(Err(ResolveFault::NoAddress)),
                    code => return Err(NetError::Dns(DnsError::ResponseCode(code))),
                },
                Err(error) => return Err(error),
            };
            let names = super::aliases(&name, &response.answers);
            let records = fingerprints(response.answers.iter().filter(|record| names.contains(&&record.name)));
            let end = names.last().map_or_else(|| name.clone(), |end| (*end).clone());
            let denied = response.response_code == ResponseCode::NXDomain;
            // Whoever says where the zone begins has looked: there is nothing more to ask (RFC 2308 section 2).
            let settled = response.soa().is_some() || end == name;
            exchanges.push(Exchange { query, response });
            if !records.is_empty() {
                return Ok(Ok(Found { records, exchanges }));
            }
            if denied {
                return Ok(Err(ResolveFault::NxDomain));
            }
            if settled {
                break;
            }
            name = end;
        }
        Ok(Err(ResolveFault::NoAddress))
    }

    /// The records with what vouches for them, before the deadline.
    async fn vouched(&self, name: &Name, found: Found, trust_ad: bool, deadline: Instant) -> Sshfp {
        if trust_ad && found.exchanges.iter().all(|exchange| exchange.response.authentic_data) {
            return sshfp(name, found.records, Security::SecureByAd);
        }
        match timeout_at(deadline, self.validated(name, &found)).await {
            Ok((records, security)) => sshfp(name, records, security),
            Err(_) => {
                let late = "the signatures could not be checked in time".into();
                sshfp(name, found.records, Security::Insecure(late))
            }
        }
    }

    /// The records that signatures vouch for; or those found, and why nothing vouches for them.
    async fn validated(&self, name: &Name, found: &Found) -> (Vec<SshfpRecord>, Security) {
        let (records, first) = judged(&*self.validator().await, found).await;
        if !matches!(first, Security::Bogus(_)) {
            return (records, first);
        }
        // To the validator a lost query for a key is a chain that does not hold, and so is a key changed since it was
        // remembered. That is too hard a word for either: once more, with nothing remembered, and an eye on the queries.
        let again = Self::new(self.upstream.afresh(), self.anchors.clone());
        let doubt = |why: &str| Security::Insecure(format!("the signatures could not be checked: {why}"));
        match again.fetch(name, Bits { ad: false, cd: true }).await {
            Ok(Ok(found)) => {
                let validator = again.validator().await;
                match (judged(&validator, &found).await, validator.trouble()) {
                    ((records, Security::Bogus(_)), Some(trouble)) => (records, doubt(&trouble)),
                    (second, _) => second,
                }
            }
            Ok(Err(none)) => (records, doubt(&SshfpFault::from(none).to_string())),
            Err(error) => (records, doubt(&error.to_string())),
        }
    }

    /// What there is to say after SERVFAIL if the server has an answer for who asks it not to check: then it refused because
    /// it found the chain of signatures broken. The next server is not asked: it may only be more careless.
    async fn unchecked(
        &self,
        name: &Name,
        per_server: Duration,
        deadline: Instant,
    ) -> Option<Result<Sshfp, ResolveFault>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = timeout(left.min(per_server), self.fetch(name, Bits { ad: false, cd: true })).await;
        let broken = |has: &str| {
            let server = self.upstream.server();
            let text = format!(
                "{server} answered SERVFAIL, but {has} when asked not to check (CD): the DNSSEC chain is broken"
            );
            Some(Err(ResolveFault::ServFail(text)))
        };
        match answer {
            Ok(Ok(Ok(found))) => match self.vouched(name, found, false, deadline).await {
                // Not ours to say what is broken; but that something is must not get lost.
                Sshfp { security: Security::Insecure(_), .. } => broken("has records"),
                judged => Some(Ok(judged)),
            },
            Ok(Ok(Err(ResolveFault::NxDomain))) => broken("knows no such name"),
            Ok(Ok(Err(_))) => broken("has no record"),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    async fn validator(&self) -> Arc<Validator> {
        let mut held = self.validator.lock().await;
        if let Some(validator) = held.as_ref().filter(|validator| validator.is_current()) {
            return Arc::clone(validator);
        }
        // What was remembered goes with the keys it was judged by.
        let primed = Arc::new(Validator::prime(self.upstream.afresh(), &self.anchors).await);
        *held = Some(Arc::clone(&primed));
        primed
    }
}

/// What a validator makes of the answers. Records are called secure only as it hands them back, never as they were received.
async fn judged(validator: &Validator, found: &Found) -> (Vec<SshfpRecord>, Security) {
    match validator.judge(&found.exchanges).await {
        Ok(secure) => (fingerprints(secure.iter()), Security::Secure),
        Err(security) => (found.records.clone(), security),
    }
}

/// The fingerprints among records, sorted, each once.
fn fingerprints<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<SshfpRecord> {
    let mut fingerprints: Vec<SshfpRecord> = records
        .filter_map(|record| match &record.data {
            RData::SSHFP(data) => Some(SshfpRecord {
                algorithm: data.algorithm.into(),
                fp_type: data.fingerprint_type.into(),
                digest: data.fingerprint.clone(),
            }),
            _ => None,
        })
        .collect();
    fingerprints.sort();
    fingerprints.dedup();
    fingerprints
}

fn sshfp(name: &Name, records: Vec<SshfpRecord>, security: Security) -> Sshfp {
    let name = name.to_ascii();
    Sshfp { records, security, name: name.strip_suffix('.').unwrap_or(&name).to_owned() }
}
