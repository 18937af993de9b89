//! Whether the signatures of an answer lead up to a trusted key.
//!
//! We stand behind a resolver that may or may not validate itself and need not be trusted: the keys of every zone on the way
//! (DNSKEY) and what their parents say of them (DS) are asked of it, and hickory's validator judges. Those queries carry CD,
//! as RFC 4035 section 3.2.2 asks of who validates: a resolver that finds a chain broken must not keep its pieces from us.
//!
//! Before that, the keys of each zone with a trust anchor are fetched and held against it ("priming"). That tells a resolver
//! that passes no signatures on, behind which nothing can be validated, from a chain that does not hold; and it turns a
//! digest, or the one key of several that is trusted, into all the keys of that zone, which is what the validator takes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use futures_util::stream::{self, Stream, StreamExt};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_resolver::proto::dnssec::{Proof, PublicKey, TrustAnchors, Verifier};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber};
use hickory_resolver::{NameServerPool, ResponseCache};
use tokio::time::timeout;

use super::anchors::{Anchor, Anchors};
use super::sockets::Sockets;
use super::sshfp::Security;

/// The longest that keys are taken to be the same, and the shortest, whatever their TTL.
const LONGEST_MEMORY: Duration = Duration::from_secs(3600);
const SHORTEST_MEMORY: Duration = Duration::from_secs(60);

/// One name server as the validator asks it. Clones share what is remembered: answers for the way up to the anchor, each
/// validated by whoever uses it.
#[derive(Clone)]
pub(super) struct Upstream {
    pool: NameServerPool<Sockets>,
    server: SocketAddr,
    /// The longest one query takes.
    per_query: Duration,
    memory: ResponseCache,
    /// The answer to be judged, which is what its question gets. It must not come from memory: that would forget it as its
    /// TTL says, or for other names', and the server would be asked again, and the answer judged would be another one.
    pinned: Option<Arc<(Query, Message)>>,
    /// The first query that got no answer at all. The validator takes that for a chain that does not hold.
    trouble: Arc<Mutex<Option<String>>>,
}

/// The bits a query carries beside its question; DO always.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// "I understand AD" (RFC 6840 section 5.7).
    pub(super) ad: bool,
    /// "Do not check for me".
    pub(super) cd: bool,
}

impl Upstream {
    pub(super) fn new(pool: NameServerPool<Sockets>, server: SocketAddr, per_query: Duration) -> Self {
        let memory = ResponseCache::new(256, ttl_config());
        Self { pool, server, per_query, memory, pinned: None, trouble: Arc::default() }
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// The same server, with nothing remembered of it.
    pub(super) fn afresh(&self) -> Self {
        Self::new(self.pool.clone(), self.server, self.per_query)
    }

    /// Sends a query, whatever is remembered.
    pub(super) async fn ask(&self, query: Query, bits: Bits) -> Result<DnsResponse, NetError> {
        let mut request = DnsRequest::from_query(query, request_options());
        request.metadata.authentic_data = bits.ad;
        request.metadata.checking_disabled = bits.cd;
        self.pass_on(request).await
    }

    async fn pass_on(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        timeout(self.per_query, self.pool.send(request).first_answer()).await.unwrap_or(Err(NetError::Timeout))
    }

    /// The same server and memory, with an answer that is here already.
    fn pinning(&self, query: Query, answer: Message) -> Self {
        Self { pinned: Some(Arc::new((query, answer))), ..self.clone() }
    }

    /// What the validator is told: what is pinned, or from memory, or asked with CD.
    async fn serve(self, mut request: DnsRequest) -> Result<DnsResponse, NetError> {
        let Some(query) = request.queries.first().cloned() else {
            return Err("no query in request".into());
        };
        if let Some((_, answer)) = self.pinned.as_deref().filter(|(pinned, _)| *pinned == query) {
            return Ok(DnsResponse::from_message(answer.clone())?);
        }
        if let Some(remembered) = self.memory.get(&query, Instant::now()) {
            return remembered.and_then(|message| Ok(DnsResponse::from_message(message)?));
        }
        request.metadata.authentic_data = false;
        request.metadata.checking_disabled = true;
        match self.pass_on(request).await {
            Ok(response) => {
                let message = only_needed(response, query.query_type());
                self.memory.insert(query, Ok(message.clone()), Instant::now());
                Ok(DnsResponse::from_message(message)?)
            }
            Err(error) => {
                if error.is_no_records_found() || error.is_nx_domain() {
                    self.memory.insert(query, Err(error.clone()), Instant::now());
                } else {
                    let what = format!("{} has no answer for {} of {}", self.server, query.query_type(), query.name());
                    let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    trouble.get_or_insert(format!("{what}: {error}"));
                }
                Err(error)
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DnsHandle for Upstream {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = Sockets;

    fn send(&self, request: DnsRequest) -> Self::Response {
        stream::once(self.clone().serve(request)).boxed()
    }
}

fn request_options() -> DnsRequestOptions {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = true;
    options
}

fn ttl_config() -> hickory_resolver::TtlConfig {
    let mut options = hickory_resolver::config::ResolverOpts::default();
    options.positive_max_ttl = Some(LONGEST_MEMORY);
    options.negative_max_ttl = Some(SHORTEST_MEMORY);
    hickory_resolver::TtlConfig::from_opts(&options)
}

/// The answer, and of the rest what proofs are made of. Each further set of records (the name servers, their addresses) would
/// be validated too, zone by zone, for nothing.
fn only_needed(response: DnsResponse, asked: RecordType) -> Message {
    let mut message = response.into_message();
    message.additionals.clear();
    // In the validator's eyes a delegation without an answer counts for a query for NS.
    message.authorities.retain(|record| match record.record_type() {
        RecordType::NS => asked == RecordType::NS,
        kind => matches!(kind, RecordType::SOA | RecordType::NSEC | RecordType::NSEC3 | RecordType::RRSIG),
    });
    message
}

/// A question and the answer it got.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) query: Query,
    pub(super) response: DnsResponse,
}

/// Judges answers of one server.
pub(super) struct Validator {
    upstream: Upstream,
    trusted: Arc<TrustAnchors>,
    zones: Vec<Primed>,
    until: Instant,
}

/// A zone with a trust anchor.
struct Primed {
    zone: Name,
    /// Why no chain can begin there: nothing vouches, or the keys are others than the trusted ones.
    obstacle: Option<Security>,
}

impl Validator {
    /// Asks the server for the keys of every zone with a trust anchor.
    pub(super) async fn prime(upstream: Upstream, anchors: &Anchors) -> Self {
        let anchors = anchors.all();
        let mut zones: Vec<Name> = anchors.iter().map(|anchor| anchor.zone.clone()).collect();
        zones.sort();
        zones.dedup();
        let asked = zones
            .iter()
            .map(|zone| upstream.ask(Query::query(zone.clone(), RecordType::DNSKEY), Bits { ad: false, cd: true }));
        let answers = join_all(asked).await;
        let mut trusted = TrustAnchors::empty();
        let mut memory = LONGEST_MEMORY;
        let mut primed = Vec::with_capacity(zones.len());
        for (zone, answer) in zones.into_iter().zip(answers) {
            let found = match answer {
                Ok(response) => keys_of(&zone, &response, &anchors, upstream.server).map(|keys| (keys, response)),
                Err(error) => Err(Security::Insecure(format!(
                    "no signature can be checked: {} gives no keys of {zone}: {error}",
                    upstream.server
                ))),
            };
            let obstacle = match found {
                Ok((keys, response)) => {
                    for key in keys {
                        memory = memory.min(Duration::from_secs(key.ttl.into()));
                        if let RData::DNSSEC(DNSSECRData::DNSKEY(key)) = &key.data {
                            trusted.insert_with_name(key.public_key(), (&zone).into());
                        }
                    }
                    let query = Query::query(zone.clone(), RecordType::DNSKEY);
                    upstream.memory.insert(query, Ok(only_needed(response, RecordType::DNSKEY)), Instant::now());
                    None
                }
                Err(obstacle) => {
                    memory = SHORTEST_MEMORY;
                    Some(obstacle)
                }
            };
            primed.push(Primed { zone, obstacle });
        }
        let until = Instant::now() + memory.max(SHORTEST_MEMORY);
        Self { upstream, trusted: Arc::new(trusted), zones: primed, until }
    }

    /// Whether the keys are fresh enough to go on with.
    pub(super) fn is_current(&self) -> bool {
        Instant::now() < self.until
    }

    /// A query that got no answer while this validator worked.
    pub(super) fn trouble(&self) -> Option<String> {
        self.upstream.trouble()
    }

    /// The records that the exchanges lead to, as validated, if they and all the aliases on the way are secure. Each exchange
    /// asks for what the one before it says the name is an alias of.
    ///
    /// # Errors
    ///
    /// What is to be said of the records that were received: never that anything vouches for them.
    pub(super) async fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Record>, Security> {
        let mut verdict: Option<Security> = None;
        let mut reached: Option<Validated> = None;
        for exchange in exchanges {
            let asked = exchange.query.name();
            let strays = reached.as_ref().is_some_and(|before| before.end != *asked);
            let judged = match self.judge_one(exchange).await {
                Ok(_) if strays => Err(Security::Insecure(format!("nothing leads to {asked}"))),
                judged => judged,
            };
            match judged {
                Ok(validated) => reached = Some(validated),
                Err(worse) => {
                    verdict = Some(match verdict {
                        Some(bad) => worst(bad, worse),
                        None => worse,
                    });
                    reached = None;
                }
            }
        }
        match (verdict, reached) {
            (Some(verdict), _) => Err(verdict),
            (None, Some(Validated { records, .. })) if !records.is_empty() => Ok(records),
            (None, _) => Err(Security::Insecure("the answer could not be validated: it holds no record".into())),
        }
    }

    async fn judge_one(&self, exchange: &Exchange) -> Result<Validated, Security> {
        let (name, kind) = (exchange.query.name(), exchange.query.query_type());
        let names = super::aliases(name, &exchange.response.answers);
        let mut verdict = Security::Secure;
        for owner in &names {
            // The nearest anchor decides: what is above it has no say.
            let nearest = self.zones.iter().filter(|zone| zone.zone.zone_of(owner));
            match nearest.max_by_key(|zone| zone.zone.num_labels()) {
                None => verdict = worst(verdict, Security::Insecure(format!("no trust anchor is above {owner}"))),
                Some(Primed { obstacle: Some(obstacle), .. }) => verdict = worst(verdict, obstacle.clone()),
                Some(_) => {}
            }
        }
        if verdict != Security::Secure {
            return Err(verdict);
        }
        let upstream = self.upstream.pinning(exchange.query.clone(), only_needed(exchange.response.clone(), kind));
        // A validator for this answer alone. hickory's keeps its verdicts under a hash of 64 bits with a key that is known
        // (hickory-net 0.26 `ValidationCacheKey`): no forged set of records shall be found under the verdict on a good one.
        let handle = DnssecDnsHandle::with_trust_anchor(upstream, Arc::clone(&self.trusted));
        let (message, whole) = match handle.lookup(exchange.query.clone(), request_options()).first_answer().await {
            Ok(message) => (message, Proof::Secure),
            // The records stand, but perhaps not for this name (RFC 4035 section 5.3.4).
            Err(NetError::Dns(DnsError::Nsec { response, proof, .. })) => (*response, proof),
            Err(error) => return Err(Security::Insecure(format!("the answer could not be validated: {error}"))),
        };
        let names = super::aliases(name, &message.answers);
        let records: Vec<&Record> = message
            .answers
            .iter()
            .filter(|record| record.record_type() == kind || record.record_type() == RecordType::CNAME)
            .filter(|record| names.contains(&&record.name))
            .collect();
        if records.is_empty() {
            return Err(Security::Insecure("the answer could not be validated: it holds no record".into()));
        }
        let by_dname = message.answers.iter().any(|record| record.record_type() == RecordType::DNAME);
        for record in &records {
            let signatures = signatures(&message.answers, &record.name, record.record_type());
            verdict = worst(
                verdict,
                match record.proof {
                    Proof::Secure => Security::Secure,
                    Proof::Insecure => Security::Insecure(format!("the zone of {} is not signed", record.name)),
                    // A server makes such an alias up as it answers; it is never signed (RFC 6672 section 5.3.1).
                    _ if by_dname && signatures.is_empty() && record.record_type() == RecordType::CNAME => {
                        Security::Insecure(format!("{} is an alias by DNAME, which is not validated here", record.name))
                    }
                    Proof::Bogus => Security::Bogus(why_bogus(record, &signatures)),
                    Proof::Indeterminate => {
                        Security::Insecure(format!("{kind} of {} could not be validated", record.name))
                    }
                },
            );
        }
        // Records made of a wildcard stand only beside a proof that the name has none of its own (RFC 4035 section 5.3.4). The
        // validator does not look for one in an answer whose authorities are all of zones without signatures.
        let of_wildcard = records.iter().any(|record| {
            let signatures = signatures(&message.answers, &record.name, record.record_type());
            signatures.iter().any(|signature| signature.input().num_labels < record.name.num_labels())
        });
        let denies = |record: &Record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3);
        let proved = message.authorities.iter().any(|record| denies(record) && record.proof == Proof::Secure);
        if whole != Proof::Secure || (of_wildcard && !proved) {
            // Where a name is denied by NSEC, hickory 0.26 asks for more of it than RFC 4035 section 3.1.3.3 makes servers
            // send: what it calls bogus may well be none.
            let why = format!("{name} comes of a wildcard, and whether it may is not proved");
            verdict = worst(verdict, Security::Insecure(why));
        }
        if verdict != Security::Secure {
            return Err(verdict);
        }
        let end = names.last().map_or_else(|| name.clone(), |end| (*end).clone());
        let records = records.into_iter().filter(|record| record.record_type() == kind).cloned().collect();
        Ok(Validated { records, end })
    }
}

/// What an answer holds by signatures alone.
struct Validated {
    /// Of the type asked for.
    records: Vec<Record>,
    /// What the name is an alias of in the end, or the name.
    end: Name,
}

/// The one that vouches less.
fn worst(one: Security, other: Security) -> Security {
    let rank = |security: &Security| match security {
        Security::Secure => 0,
        Security::SecureByAd => 1,
        Security::Insecure(_) => 2,
        Security::Bogus(_) => 3,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// The signatures over the records of a name and type.
fn signatures<'a>(records: &'a [Record], owner: &Name, kind: RecordType) -> Vec<&'a RRSIG> {
    let of_owner = records.iter().filter(|record| record.name == *owner);
    of_owner
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(signature)) if signature.input().type_covered == kind => Some(signature),
            _ => None,
        })
        .collect()
}

/// The keys of a zone, all of them, if a trusted one among them signs them.
fn keys_of(
    zone: &Name,
    response: &DnsResponse,
    anchors: &[Anchor],
    server: SocketAddr,
) -> Result<Vec<Record>, Security> {
    let keys: Vec<Record> = response
        .answers
        .iter()
        .filter(|record| record.record_type() == RecordType::DNSKEY && record.name == *zone)
        // A signature over the keys says nothing of records of another class: they are not among what it covers.
        .filter(|record| record.dns_class == DNSClass::IN)
        .cloned()
        .collect();
    let signatures = signatures(&response.answers, zone, RecordType::DNSKEY);
    if keys.is_empty() || signatures.is_empty() {
        let what = if keys.is_empty() { "keys" } else { "signature of the keys" };
        return Err(Security::Insecure(format!("no signature can be checked: {server} gives no {what} of {zone}")));
    }
    let trusted: Vec<&DNSKEY> = keys
        .iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key),
            _ => None,
        })
        .filter(|key| key.zone_key() && !key.revoke())
        .filter(|key| anchors.iter().any(|anchor| anchor.zone == *zone && anchor.trusted.is(zone, key)))
        .collect();
    if trusted.is_empty() {
        return Err(Security::Bogus(format!("none of the keys of {zone} is the trusted one")));
    }
    let now = SerialNumber::new(now());
    // Few of each, or checking them all would be the attack (CVE-2023-50387).
    let holds = signatures.iter().take(8).any(|signature| {
        let input = signature.input();
        // RFC 4035 section 5.3.1.
        let applies = input.signer_name == *zone
            && input.num_labels == zone.num_labels()
            && now <= input.sig_expiration
            && now >= input.sig_inception;
        applies
            && trusted.iter().take(4).any(|key| {
                key.public_key().algorithm() == input.algorithm
                    && key.calculate_key_tag().is_ok_and(|tag| tag == input.key_tag)
                    && key.verify_rrsig(zone, DNSClass::IN, signature, keys.iter()).is_ok()
            })
    });
    if holds {
        return Ok(keys);
    }
    match keys.first() {
        Some(first) => Err(Security::Bogus(why_bogus(first, &signatures))),
        None => Err(Security::Bogus(format!("the keys of {zone} are not signed by the trusted one"))),
    }
}

/// Seconds since 1970, as signatures count them: modulo 2³² (RFC 4034 section 3.1.5).
fn now() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds & u64::from(u32::MAX)).unwrap_or_default()
}

/// What is wrong with the signatures over a record that no chain leads to.
fn why_bogus(record: &Record, signatures: &[&RRSIG]) -> String {
    let what = format!("{} of {}", record.record_type(), record.name);
    let now = now();
    let instant = SerialNumber::new(now);
    // Serial number arithmetic: the difference is right where the comparison is.
    let since = |then: &RRSIG| now.wrapping_sub(then.input().sig_expiration.get());
    let until = |then: &RRSIG| then.input().sig_inception.get().wrapping_sub(now);
    if signatures.is_empty() {
        return format!("{what} is not signed, though its zone is");
    }
    if let Some(seconds) = signatures.iter().map(|signature| since(signature)).min()
        && signatures.iter().all(|signature| instant > signature.input().sig_expiration)
    {
        return format!("the signature over {what} expired {} ago", span(seconds));
    }
    if let Some(seconds) = signatures.iter().map(|signature| until(signature)).min()
        && signatures.iter().all(|signature| instant < signature.input().sig_inception)
    {
        return format!("the signature over {what} is not valid before {} from now", span(seconds));
    }
    format!("no signature over {what} holds")
}

/// A span to be read by people.
fn span(seconds: u32) -> String {
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}
