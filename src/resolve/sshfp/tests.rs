//! Against name servers written here, on loopback, with zones signed here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_resolver::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, NSEC, RRSIG, SigInput};
use hickory_resolver::proto::dnssec::{Algorithm, DigestType, SigningKey, TBS};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber};
use tokio::net::UdpSocket;

use super::*;

const DAY: i64 = 86400;
const ONE: &str = "4 2 0101010101010101010101010101010101010101010101010101010101010101";
const TWO: &str = "1 1 0202020202020202020202020202020202020202";

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

fn record(owner: &str, kind: RecordType, data: &str) -> Record {
    let data = match kind {
        RecordType::CNAME => RData::CNAME(hickory_resolver::proto::rr::rdata::CNAME(name(data))),
        kind => RData::try_from_str(kind, data).unwrap(),
    };
    Record::from_rdata(name(owner), 300, data)
}

fn rdata(text: &str) -> SshfpRecord {
    let mut words = text.split(' ');
    let (algorithm, fp_type) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
    let hex = words.next().unwrap();
    let digest = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    SshfpRecord { algorithm, fp_type, digest }
}

/// A zone that signs: one key for its keys, one for the rest.
struct Zone {
    name: &'static str,
    keys: [(Ed25519SigningKey, DNSKEY); 2],
}

impl Zone {
    fn new(name: &'static str) -> Self {
        let key = |sep: bool| {
            let key = Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap();
            let public = key.to_public_key().unwrap();
            (key, DNSKEY::new(true, sep, false, public))
        };
        Self { name, keys: [key(true), key(false)] }
    }

    /// The signature over records of one name and type, valid from and until so many seconds from now.
    fn signature(&self, records: &[Record], from: i64, until: i64) -> Record {
        let owner = &records[0].name;
        let kind = records[0].record_type();
        let (key, dnskey) = &self.keys[usize::from(kind != RecordType::DNSKEY)];
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let instant = |offset: i64| SerialNumber::new(u32::try_from(now + offset).unwrap());
        let input = SigInput {
            type_covered: kind,
            algorithm: Algorithm::ED25519,
            num_labels: owner.num_labels(),
            original_ttl: records[0].ttl,
            sig_expiration: instant(until),
            sig_inception: instant(from),
            key_tag: dnskey.calculate_key_tag().unwrap(),
            signer_name: name(self.name),
        };
        let tbs = TBS::from_input(owner, DNSClass::IN, &input, records.iter()).unwrap();
        let signature = RRSIG::from_sig(input, key.sign(&tbs).unwrap());
        Record::from_rdata(owner.clone(), 300, RData::DNSSEC(DNSSECRData::RRSIG(signature)))
    }

    fn signed(&self, records: Vec<Record>) -> Vec<Record> {
        let signature = self.signature(&records, -DAY, DAY);
        records.into_iter().chain([signature]).collect()
    }

    fn dnskeys(&self) -> Vec<Record> {
        let data = |(_, key): &(_, DNSKEY)| RData::DNSSEC(DNSSECRData::DNSKEY(key.clone()));
        self.keys.iter().map(|key| Record::from_rdata(name(self.name), 300, data(key))).collect()
    }

    /// The key of keys as a file of trust anchors has it.
    fn key_line(&self) -> String {
        format!("{}. IN DNSKEY {}\n", self.name, self.keys[0].1)
    }

    fn digest_line(&self) -> String {
        let key = &self.keys[0].1;
        let digest = key.to_digest(&name(self.name), DigestType::SHA256).unwrap();
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{}. DS {} 15 2 {hex}\n", self.name, key.calculate_key_tag().unwrap())
    }
}

/// What a server does beside answering.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// It gives keys and signatures.
    signatures: bool,
    /// It says that it has validated, to whoever asks.
    ad: bool,
    /// It refuses to answer who does not forbid it to check.
    refuses: bool,
    /// It never answers queries of this type.
    mute: Option<RecordType>,
}

const SIGNING: Manner = Manner { signatures: true, ad: false, refuses: false, mute: None };

/// A name server with some records; NXDOMAIN for names without any.
struct Server {
    addr: SocketAddr,
    /// `NAME TYPE BITS`
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(manner: Manner, zones: &[&Zone], records: Vec<Record>) -> Self {
        let mut table: HashMap<Name, Vec<Record>> = HashMap::new();
        for zone in zones {
            let apex = table.entry(name(zone.name)).or_default();
            apex.extend(zone.signed(zone.dnskeys()));
            apex.extend(zone.signed(vec![record(zone.name, RecordType::NS, "ns.test.")]));
        }
        for record in records {
            table.entry(record.name.clone()).or_default().push(record);
        }
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let Ok((length, from)) = udp.recv_from(&mut buffer).await else { return };
                let query = Message::from_vec(&buffer[..length]).unwrap();
                if let Some(answer) = answer(&query, manner, &table, &log) {
                    udp.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        Self { addr, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(
    query: &Message,
    manner: Manner,
    table: &HashMap<Name, Vec<Record>>,
    log: &Mutex<Vec<String>>,
) -> Option<Message> {
    let question = query.queries[0].clone();
    let (name, kind) = (question.name().clone(), question.query_type());
    let dnssec_ok = query.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
    let bits = [(dnssec_ok, " do"), (query.authentic_data, " ad"), (query.checking_disabled, " cd")];
    let bits: String = bits.iter().filter(|(set, _)| *set).map(|(_, bit)| *bit).collect();
    log.lock().unwrap().push(format!("{} {kind}{bits}", name.to_ascii().to_lowercase()));
    if manner.mute == Some(kind) {
        return None;
    }
    let mut reply = blank(query);
    reply.metadata.authentic_data = manner.ad;
    if manner.refuses && !query.checking_disabled {
        reply.metadata.response_code = ResponseCode::ServFail;
        return Some(reply);
    }
    let Some(records) = table.get(&name) else {
        reply.metadata.response_code = ResponseCode::NXDomain;
        return Some(reply);
    };
    for record in records {
        let covered = match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(signature)) => signature.input().type_covered,
            data => data.record_type(),
        };
        let of_dnssec = matches!(record.record_type(), RecordType::RRSIG | RecordType::DNSKEY);
        if (covered == kind || covered == RecordType::CNAME) && (!of_dnssec || manner.signatures && dnssec_ok) {
            reply.add_answer(record.clone());
        }
    }
    Some(reply)
}

/// An answer that holds nothing yet.
fn blank(query: &Message) -> Message {
    let mut reply = query.clone();
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.recursion_available = true;
    reply
}

/// Somebody on the way to a server, who changes what `forge` changes. It is told of the query and of the server's answer.
async fn between(server: &Server, forge: impl Fn(&Message, &mut Message) + Send + 'static) -> Server {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = udp.local_addr().unwrap();
    let upstream = server.addr;
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let Ok((length, from)) = udp.recv_from(&mut buffer).await else { return };
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let relay = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            relay.send_to(&buffer[..length], upstream).await.unwrap();
            let length = relay.recv(&mut buffer).await.unwrap();
            let mut answer = Message::from_vec(&buffer[..length]).unwrap();
            forge(&query, &mut answer);
            udp.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    Server { addr, asked: Arc::clone(&server.asked) }
}

/// A resolver that knows nothing of this machine's files.
fn resolver(servers: &[&Server], anchors: Anchors, change: impl FnOnce(&mut ResolverOptions)) -> Resolver {
    let mut options = ResolverOptions {
        servers: servers.iter().map(|server| server.addr).collect(),
        hosts: "no/such/file".into(),
        resolv_conf: "no/such/file".into(),
        sshfp: SshfpOptions { trust_ad: false, anchors },
        ..ResolverOptions::default()
    };
    change(&mut options);
    Resolver::new(options)
}

fn anchors(lines: &str) -> Anchors {
    lines.parse().unwrap()
}

async fn security(resolver: &Resolver, name: &str) -> Security {
    resolver.sshfp(name).await.unwrap().security
}

/// What a text for people begins with.
#[track_caller]
fn says(security: &Security, beginning: &str) {
    let text = match security {
        Security::Insecure(text) => format!("insecure: {text}"),
        Security::Bogus(text) => format!("bogus: {text}"),
        other => format!("{other:?}"),
    };
    assert!(text.starts_with(beginning), "{text}");
}

#[tokio::test]
async fn a_signed_zone_is_secure_by_its_key_or_the_digest_of_it() {
    let zone = Zone::new("signed.test");
    let both = vec![record("h.signed.test", RecordType::SSHFP, ONE), record("h.signed.test", RecordType::SSHFP, TWO)];
    let server = Server::start(SIGNING, &[&zone], zone.signed(both)).await;
    let found =
        Sshfp { records: vec![rdata(TWO), rdata(ONE)], security: Security::Secure, name: "h.signed.test".into() };
    let root_and_zone = format!(". DS 20326 8 2 {}\n{}", "E0".repeat(32), zone.key_line());
    for lines in [zone.key_line(), zone.digest_line(), root_and_zone] {
        let resolver = resolver(&[&server], anchors(&lines), |_| {});
        assert_eq!(resolver.sshfp("h.signed.test").await, Ok(found.clone()), "{lines}");
    }
    // The same key trusted for another zone, and another key for this one.
    let lines = zone.key_line().replace("signed.test", "other.test");
    says(&security(&resolver(&[&server], anchors(&lines), |_| {}), "h.signed.test").await, "insecure: no trust anchor");
    let lines = Zone::new("signed.test").key_line();
    let stranger = security(&resolver(&[&server], anchors(&lines), |_| {}), "h.signed.test").await;
    says(&stranger, "bogus: none of the keys of signed.test. is the trusted one");
}

/// The validator is given all keys of the anchor's zone: none may get there but under the trusted one's signature.
#[tokio::test]
async fn a_key_beside_the_trusted_one_needs_its_signature() {
    let (zone, rogue) = (Zone::new("signed.test"), Zone::new("signed.test"));
    let host = vec![record("h.signed.test", RecordType::SSHFP, TWO)];
    let honest = zone.signature(&zone.dnskeys(), -DAY, DAY);
    let smuggled: Vec<Record> = zone.dnskeys().into_iter().chain(rogue.dnskeys()).collect();
    let sets = [
        // Under the signature over the honest keys; under one of the rogue's own, beside the honest one; under an old one.
        (smuggled.clone(), vec![honest.clone()], "bogus: no signature over DNSKEY of signed.test. holds"),
        (smuggled.clone(), vec![rogue.signature(&smuggled, -DAY, DAY), honest], "bogus: no signature over DNSKEY"),
        (smuggled.clone(), vec![zone.signature(&smuggled, -9 * DAY, -3 * DAY)], "bogus: the signature over DNSKEY of"),
        (smuggled.clone(), vec![], "insecure: no signature can be checked: 127.0.0.1:"),
        (smuggled.clone(), vec![zone.signature(&smuggled, -DAY, DAY)], "Secure"),
    ];
    for (keys, signatures, text) in sets {
        let records = keys.into_iter().chain(signatures).chain(rogue.signed(host.clone())).collect();
        let server = Server::start(SIGNING, &[], records).await;
        for lines in [zone.key_line(), zone.digest_line()] {
            says(&security(&resolver(&[&server], anchors(&lines), |_| {}), "h.signed.test").await, text);
        }
    }
}

/// A signature covers the records of one class. Keys of another one beside them would be trusted without any, and served as keys
/// of the zone to the next query. hickory 0.26 lets no answer with another class through; it must stay so here without it.
#[tokio::test]
async fn a_key_of_another_class_is_no_key_of_the_zone() {
    let (zone, rogue) = (Zone::new("signed.test"), Zone::new("signed.test"));
    let host = rogue.signed(vec![record("h.signed.test", RecordType::SSHFP, TWO)]);
    let server = Server::start(SIGNING, &[&rogue], host).await;
    for lines in [zone.key_line(), zone.digest_line()] {
        let smuggled = rogue.dnskeys().into_iter().map(|mut key| {
            key.dns_class = DNSClass::CH;
            key
        });
        let mut keys: Vec<Record> = zone.signed(zone.dnskeys()).into_iter().chain(smuggled).collect();
        for key in &mut keys {
            key.ttl = 0;
        }
        let primed = Mutex::new(false);
        let forger = between(&server, move |query, answer| {
            if query.queries[0].query_type() == RecordType::DNSKEY
                && !std::mem::replace(&mut *primed.lock().unwrap(), true)
            {
                *answer = blank(query);
                answer.add_answers(keys.clone());
            }
        })
        .await;
        let security = security(&resolver(&[&forger], anchors(&lines), |_| {}), "h.signed.test").await;
        assert!(!security.vouches(), "{security:?}");
    }
}

#[tokio::test]
async fn signatures_that_do_not_hold_are_told_apart() {
    let zone = Zone::new("signed.test");
    let of = |owner: &str, data: &str| vec![record(owner, RecordType::SSHFP, data)];
    let mut records = zone.signed(of("good.signed.test", ONE));
    // Signed, then changed.
    records.extend(of("tampered.signed.test", TWO));
    records.push(zone.signature(&of("tampered.signed.test", ONE), -DAY, DAY));
    // A record more than was signed.
    records.extend(zone.signed(of("more.signed.test", ONE)));
    records.extend(of("more.signed.test", TWO));
    records.extend(of("bare.signed.test", ONE));
    for (owner, from, until) in
        [("old.signed.test", -9 * DAY, -3 * DAY), ("early.signed.test", 2 * DAY + 3600, 9 * DAY)]
    {
        records.push(zone.signature(&of(owner, ONE), from, until));
        records.extend(of(owner, ONE));
    }
    // A good signature of another name's.
    let mut borrowed = zone.signature(&of("good.signed.test", ONE), -DAY, DAY);
    borrowed.name = name("borrowed.signed.test");
    records.push(borrowed);
    records.extend(of("borrowed.signed.test", ONE));
    let server = Server::start(SIGNING, &[&zone], records).await;
    let resolver = resolver(&[&server], anchors(&zone.key_line()), |_| {});
    for (host, says_what) in [
        ("good", "Secure"),
        ("tampered", "bogus: no signature over SSHFP of tampered.signed.test. holds"),
        ("more", "bogus: no signature over SSHFP of more.signed.test. holds"),
        ("bare", "bogus: SSHFP of bare.signed.test. is not signed, though its zone is"),
        ("old", "bogus: the signature over SSHFP of old.signed.test. expired 3 days ago"),
        ("early", "bogus: the signature over SSHFP of early.signed.test. is not valid before 2 days from now"),
        ("borrowed", "bogus: no signature over SSHFP of borrowed.signed.test. holds"),
    ] {
        let security = security(&resolver, &format!("{host}.signed.test")).await;
        says(&security, says_what);
        assert_eq!(security.vouches(), host == "good");
    }
}

#[tokio::test]
async fn nothing_vouches_where_nothing_is_signed_or_nothing_can_be_checked() {
    let zone = Zone::new("signed.test");
    let records = || zone.signed(vec![record("h.signed.test", RecordType::SSHFP, ONE)]);
    let signing = Server::start(SIGNING, &[&zone], records()).await;
    // It passes no signatures on, as plain forwarders do.
    let plain = Server::start(Manner::default(), &[&zone], records()).await;
    // It loses the queries for keys; and those for what the parent says of them.
    let lossy = Server::start(Manner { mute: Some(RecordType::DNSKEY), ..SIGNING }, &[&zone], records()).await;
    let own = || anchors(&zone.key_line());
    let quick = |options: &mut ResolverOptions| options.per_server = Some(Duration::from_millis(200));
    for (server, anchors, text) in [
        (&signing, Anchors::root(), "insecure: no signature can be checked: 127.0.0.1:"),
        (
            &signing,
            anchors(&zone.key_line().replace("signed", "other")),
            "insecure: no trust anchor is above h.signed.test.",
        ),
        (&plain, own(), "insecure: no signature can be checked: 127.0.0.1:"),
        (&lossy, own(), "insecure: no signature can be checked: 127.0.0.1:"),
    ] {
        let found = resolver(&[server], anchors, quick).sshfp("h.signed.test").await.unwrap();
        says(&found.security, text);
        assert_eq!(found.records, [rdata(ONE)]);
    }
    // A query lost on the way is no broken chain.
    let bare = vec![record("bare.signed.test", RecordType::SSHFP, ONE)];
    let lossy = Server::start(Manner { mute: Some(RecordType::DS), ..SIGNING }, &[&zone], bare).await;
    let security = security(&resolver(&[&lossy], own(), quick), "bare.signed.test").await;
    says(&security, "insecure: the signatures could not be checked: 127.0.0.1:");
}

#[tokio::test]
async fn the_ad_bit_counts_only_for_who_trusts_it() {
    let records = || vec![record("h.plain.test", RecordType::SSHFP, ONE)];
    let lying = Server::start(Manner { ad: true, ..Manner::default() }, &[], records()).await;
    let honest = Server::start(Manner::default(), &[], records()).await;
    let trusting = |options: &mut ResolverOptions| options.sshfp.trust_ad = true;
    says(&security(&resolver(&[&lying], Anchors::root(), |_| {}), "h.plain.test").await, "insecure");
    assert_eq!(lying.asked()[0], "h.plain.test. SSHFP do");
    assert_eq!(security(&resolver(&[&lying], Anchors::root(), trusting), "h.plain.test").await, Security::SecureByAd);
    assert_eq!(lying.asked(), ["h.plain.test. SSHFP do ad"]);
    says(&security(&resolver(&[&honest], Anchors::root(), trusting), "h.plain.test").await, "insecure");
    // Without the bit, signatures count as ever.
    let zone = Zone::new("signed.test");
    let signed = zone.signed(vec![record("h.signed.test", RecordType::SSHFP, ONE)]);
    let server = Server::start(SIGNING, &[&zone], signed).await;
    let resolver = resolver(&[&server], anchors(&zone.key_line()), trusting);
    assert_eq!(security(&resolver, "h.signed.test").await, Security::Secure);
}

#[tokio::test]
async fn a_refusal_over_a_broken_chain_is_seen_through() {
    let zone = Zone::new("signed.test");
    let mut records = zone.signed(vec![record("good.signed.test", RecordType::SSHFP, ONE)]);
    records.push(record("bad.signed.test", RecordType::SSHFP, ONE));
    records.push(record("empty.signed.test", RecordType::TXT, "x"));
    let server = Server::start(Manner { refuses: true, ..SIGNING }, &[&zone], records).await;
    let careless = Server::start(SIGNING, &[], vec![record("bad.signed.test", RecordType::SSHFP, TWO)]).await;
    let ours = resolver(&[&server, &careless], anchors(&zone.key_line()), |_| {});
    says(&security(&ours, "bad.signed.test").await, "bogus: SSHFP of bad.signed.test. is not signed");
    // The resolver is wrong, perhaps by its clock.
    assert_eq!(security(&ours, "good.signed.test").await, Security::Secure);
    // We have no say: the next server is not asked for all that.
    let without = resolver(&[&server, &careless], Anchors::root(), |_| {});
    for (host, what) in [("bad", "has records"), ("empty", "has no record"), ("gone", "knows no such name")] {
        let text = format!(
            "{} answered SERVFAIL, but {what} when asked not to check (CD): the DNSSEC chain is broken",
            server.addr
        );
        assert_eq!(without.sshfp(&format!("{host}.signed.test")).await, Err(SshfpFault::ServFail(text)));
    }
    assert!(careless.asked().is_empty());
}

#[tokio::test]
async fn aliases_are_followed_and_the_weakest_link_counts() {
    let zone = Zone::new("signed.test");
    let alias = |owner: &str, to: &str| vec![record(owner, RecordType::CNAME, to)];
    let host = |owner: &str| vec![record(owner, RecordType::SSHFP, ONE)];
    // Answers of this server hold one link each: the rest of the chain is asked for.
    let mut records = zone.signed(alias("a.signed.test", "b.signed.test"));
    records.extend(zone.signed(alias("b.signed.test", "h.signed.test")));
    records.extend(zone.signed(host("h.signed.test")));
    records.extend(alias("loose.signed.test", "h.signed.test"));
    records.extend(zone.signed(alias("out.signed.test", "h.plain.test")));
    records.extend(host("h.plain.test"));
    records.extend(alias("in.plain.test", "h.signed.test"));
    records.extend(alias("x.plain.test", "y.plain.test"));
    records.extend(alias("y.plain.test", "x.plain.test"));
    records.extend(alias("self.plain.test", "self.plain.test"));
    records.extend(alias("dead.plain.test", "gone.plain.test"));
    let server = Server::start(SIGNING, &[&zone], records).await;
    let resolver = resolver(&[&server], anchors(&zone.key_line()), |_| {});
    let found = resolver.sshfp("a.signed.test").await.unwrap();
    assert_eq!((found.name.as_str(), found.security), ("a.signed.test", Security::Secure));
    for (host, text) in [
        ("loose.signed.test", "bogus: CNAME of loose.signed.test. is not signed"),
        ("out.signed.test", "insecure: no trust anchor is above h.plain.test."),
        ("in.plain.test", "insecure: no trust anchor is above in.plain.test."),
    ] {
        says(&security(&resolver, host).await, text);
    }
    for (host, fault) in [
        ("x.plain.test", SshfpFault::NoRecord),
        ("self.plain.test", SshfpFault::NoRecord),
        ("dead.plain.test", SshfpFault::NxDomain),
    ] {
        assert_eq!(resolver.sshfp(host).await, Err(fault), "{host}");
    }
}

/// The search list makes many names of one; only the one whose address is connected to counts.
#[tokio::test]
async fn the_name_is_the_one_that_has_the_address() {
    let records = vec![
        // A name in the first domain with a fingerprint and no address: some other host's.
        record("web.a.test", RecordType::SSHFP, TWO),
        record("web.b.test", RecordType::A, "192.0.2.1"),
        record("web.b.test", RecordType::SSHFP, ONE),
        // An address without a fingerprint ends the search.
        record("db.a.test", RecordType::A, "192.0.2.2"),
        record("db.b.test", RecordType::SSHFP, TWO),
        record("only.b.test", RecordType::SSHFP, ONE),
    ];
    let server = Server::start(Manner::default(), &[], records).await;
    let files = tempfile::tempdir().unwrap();
    let (hosts, conf) = (files.path().join("hosts"), files.path().join("resolv.conf"));
    std::fs::write(&hosts, "192.0.2.9 listed web.b.test\n").unwrap();
    std::fs::write(&conf, "search a.test b.test\n").unwrap();
    let resolver = resolver(&[&server], Anchors::root(), |options| {
        (options.hosts, options.resolv_conf) = (hosts, conf);
    });
    let found = resolver.sshfp("web").await.unwrap();
    assert_eq!((found.name.as_str(), found.records), ("web.b.test", vec![rdata(ONE)]));
    assert_eq!(resolver.sshfp("db").await, Err(SshfpFault::NoRecord));
    // Nothing is known of an address: the first that has any.
    assert_eq!(resolver.sshfp("only").await.unwrap().name, "only.b.test");
    assert_eq!(resolver.sshfp("web.b.test").await.unwrap().name, "web.b.test");
    assert_eq!(resolver.sshfp("nowhere").await, Err(SshfpFault::NxDomain));
}

#[tokio::test]
async fn faults_are_told_apart_and_odd_records_kept() {
    let odd = "250 77 aa";
    let records = vec![record("odd.test", RecordType::SSHFP, odd), record("empty.test", RecordType::TXT, "x")];
    let server = Server::start(Manner::default(), &[], records).await;
    let resolver = |servers: &[&Server]| {
        resolver(servers, Anchors::root(), |options| options.deadline = Duration::from_millis(300))
    };
    let ours = resolver(&[&server]);
    assert_eq!(ours.sshfp("odd.test").await.unwrap().records, [rdata(odd)]);
    assert_eq!(ours.sshfp("empty.test").await, Err(SshfpFault::NoRecord));
    assert_eq!(ours.sshfp("gone.test").await, Err(SshfpFault::NxDomain));
    server.asked();
    for nobody_is_asked in ["192.0.2.1", "2001:db8::1", "localhost", "a.localhost"] {
        assert_eq!(ours.sshfp(nobody_is_asked).await, Err(SshfpFault::NoRecord));
    }
    for name in ["", ".", "a..b", &"x".repeat(64)] {
        assert!(ours.sshfp(name).await.is_err(), "{name}");
    }
    let mute = Server::start(Manner { mute: Some(RecordType::SSHFP), ..SIGNING }, &[], vec![]).await;
    assert_eq!(resolver(&[&mute]).sshfp("odd.test").await, Err(SshfpFault::Timeout));
    assert_eq!(resolver(&[&mute, &server]).sshfp("odd.test").await.unwrap().records, [rdata(odd)]);
    let nowhere =
        ResolverOptions { servers: vec!["255.255.255.255:53".parse().unwrap()], ..ResolverOptions::default() };
    match Resolver::new(nowhere).sshfp("odd.test").await {
        Err(SshfpFault::ServFail(text)) => {
            assert!(text.starts_with("255.255.255.255:53 cannot be reached: E"), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

/// A fleet in one zone costs one query a host once the keys are known, and addresses cost what they did.
#[tokio::test]
async fn keys_are_asked_for_once() {
    let zone = Zone::new("signed.test");
    let mut records = vec![];
    for host in 0..50 {
        let owner = format!("h{host}.signed.test");
        records.extend(zone.signed(vec![record(&owner, RecordType::SSHFP, ONE)]));
        records.push(record(&owner, RecordType::A, "192.0.2.1"));
    }
    let server = Server::start(SIGNING, &[&zone], records).await;
    let resolver = resolver(&[&server], anchors(&zone.key_line()), |options| options.at_once = 20);
    resolver.lookup("h0.signed.test").await.unwrap();
    let mut asked = server.asked();
    asked.sort_unstable();
    assert_eq!(asked, ["h0.signed.test. A", "h0.signed.test. AAAA"]);
    let names: Vec<String> = (0..50).map(|host| format!("h{host}.signed.test")).collect();
    let all = futures_util::future::join_all(names.iter().map(|name| resolver.sshfp(name))).await;
    assert!(all.iter().all(|found| found.as_ref().is_ok_and(|found| found.security == Security::Secure)), "{all:?}");
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|query| query.contains("DNSKEY")).count(), 1, "{asked:?}");
    assert_eq!(asked.len(), 51, "{asked:?}");
    assert_eq!(resolver.slots.available_permits(), 20);
}

/// Whoever is on the way answers first with records of their own, which nobody is to keep, and then lets the zone's own through:
/// to the second query, or to who says that they check themselves.
#[tokio::test]
async fn what_is_vouched_for_is_what_was_validated() {
    let zone = Zone::new("signed.test");
    let mut records = zone.signed(vec![record("h.signed.test", RecordType::SSHFP, ONE)]);
    // Another host of the zone, taken over by whoever is on the way.
    records.extend(zone.signed(vec![record("other.signed.test", RecordType::SSHFP, TWO)]));
    records.extend(zone.signed(vec![record("alias.signed.test", RecordType::CNAME, "h.signed.test")]));
    let genuine = Server::start(SIGNING, &[&zone], records).await;
    let forged = |owner: &str, kind, data: &str| {
        let mut record = record(owner, kind, data);
        record.ttl = 0;
        record
    };
    let fingerprint = |owner: &str| vec![forged(owner, RecordType::SSHFP, TWO)];
    let to_other = |owner: &str| vec![forged(owner, RecordType::CNAME, "other.signed.test")];
    let with_target = |owner: &str| {
        let target = zone.signed(vec![record("other.signed.test", RecordType::SSHFP, TWO)]);
        to_other(owner).into_iter().chain(target).collect()
    };
    // An alias that is the zone's own, and at its end a record that is not.
    let own_alias = |owner: &str| {
        let alias = zone.signed(vec![record(owner, RecordType::CNAME, "h.signed.test")]);
        alias.into_iter().chain(fingerprint("h.signed.test")).collect()
    };
    let (h, alias) = ("h.signed.test", "alias.signed.test");
    for (host, answers) in [
        (h, fingerprint(h)),
        (h, to_other(h)),
        (h, with_target(h)),
        (alias, fingerprint(alias)),
        (alias, with_target(alias)),
        (alias, own_alias(alias)),
    ] {
        for first in [true, false] {
            let (answers, seen) = (answers.clone(), Mutex::new(false));
            let forger = between(&genuine, move |query, answer| {
                let question = &query.queries[0];
                let meant = question.query_type() == RecordType::SSHFP && *question.name() == name(host);
                let seen = meant && std::mem::replace(&mut *seen.lock().unwrap(), true);
                if meant && if first { !seen } else { !query.checking_disabled } {
                    *answer = blank(query);
                    answer.add_answers(answers.clone());
                }
            })
            .await;
            let resolver = resolver(&[&forger], anchors(&zone.key_line()), |_| {});
            for _ in 0..2 {
                let found = resolver.sshfp(host).await.unwrap();
                let own = Sshfp { records: vec![rdata(ONE)], security: Security::Secure, name: host.into() };
                assert_eq!(found, own, "first {first}");
            }
        }
    }
}

/// Two answers for one name at the same time, one good and one forged: each is judged for itself.
#[tokio::test]
async fn an_answer_is_not_judged_by_another_one() {
    let zone = Zone::new("signed.test");
    let records = zone.signed(vec![record("h.signed.test", RecordType::SSHFP, ONE)]);
    let genuine = Server::start(SIGNING, &[&zone], records).await;
    let count = Mutex::new(0);
    let forger = between(&genuine, move |query, answer| {
        if query.queries[0].query_type() == RecordType::SSHFP {
            let mut count = count.lock().unwrap();
            *count += 1;
            if *count % 2 == 0 {
                // The signature stays.
                answer.answers.retain(|record| record.record_type() != RecordType::SSHFP);
                answer.add_answer(record("h.signed.test", RecordType::SSHFP, TWO));
            }
        }
    })
    .await;
    let resolver = resolver(&[&forger], anchors(&zone.key_line()), |_| {});
    let all = futures_util::future::join_all((0..40).map(|_| resolver.sshfp("h.signed.test"))).await;
    let mut secure = 0;
    for found in all {
        let found = found.unwrap();
        secure += usize::from(found.security == Security::Secure);
        assert_eq!(found.records == [rdata(ONE)], found.security == Security::Secure, "{found:?}");
    }
    assert!(secure >= 20, "{secure}");
}

/// A signed answer made of a wildcard, said of a name that has records of its own, beside an authority that nothing vouches for.
#[tokio::test]
async fn a_wildcard_needs_a_proof_whatever_stands_beside_it() {
    let zone = Zone::new("signed.test");
    let genuine = Server::start(SIGNING, &[&zone], vec![record("plain.signed.test", RecordType::NS, "ns.test.")]).await;
    let mut made = zone.signed(vec![record("*.signed.test", RecordType::SSHFP, TWO)]);
    for record in &mut made {
        record.name = name("h.signed.test");
    }
    // A delegation without signatures, as the zone has many.
    let cut = NSEC::new(name("q.signed.test"), [RecordType::NS, RecordType::NSEC, RecordType::RRSIG]);
    let cut = Record::from_rdata(name("plain.signed.test"), 300, RData::DNSSEC(DNSSECRData::NSEC(cut)));
    let soa = |owner: &str| record(owner, RecordType::SOA, "ns.test. root.test. 1 2 3 4 5");
    let denial: Vec<Record> = zone.signed(vec![cut]).into_iter().chain(zone.signed(vec![soa("signed.test")])).collect();
    for beside in [vec![], vec![soa("plain.signed.test")], vec![soa("signed.test")]] {
        let (made, denial) = (made.clone(), denial.clone());
        let forger = between(&genuine, move |query, answer| {
            let question = &query.queries[0];
            match question.query_type() {
                RecordType::SSHFP => {
                    *answer = blank(query);
                    answer.add_answers(made.clone());
                    answer.add_authorities(beside.clone());
                }
                RecordType::DS if *question.name() == name("plain.signed.test") => {
                    *answer = blank(query);
                    answer.add_authorities(denial.clone());
                }
                _ => {}
            }
        })
        .await;
        let security = security(&resolver(&[&forger], anchors(&zone.key_line()), |_| {}), "h.signed.test").await;
        says(&security, "insecure: h.signed.test. comes of a wildcard, and whether it may is not proved");
    }
}
