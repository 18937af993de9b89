//! Against name servers written here, on loopback.

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a server does with a query.
#[derive(Clone)]
enum Answer {
    /// An error code and no record.
    Code(u8),
    /// Addresses of the name asked for; those of the other family are left out.
    Addrs(&'static [&'static str]),
    /// An alias, and the addresses of it.
    Alias(&'static str, &'static [&'static str]),
    /// Addresses of a name nobody asked for.
    Stranger(&'static str, &'static [&'static str]),
    /// Nothing.
    Silence,
    /// The right answer with the wrong id, one to another question, and noise; then what follows.
    Lies(Box<Answer>),
    /// The right id and noise behind it.
    Garbage,
    /// By the family asked for: IPv4, IPv6.
    By(Box<Answer>, Box<Answer>),
    /// Truncated over UDP, and this over TCP.
    OverTcp(&'static [&'static str]),
}

use Answer::{Addrs, Alias, By, Code, Garbage, Lies, OverTcp, Silence, Stranger};

const NOERROR: Answer = Code(0);
const SERVFAIL: Answer = Code(2);
const NXDOMAIN: Answer = Code(3);
const REFUSED: Answer = Code(5);

/// A name server for some names; NXDOMAIN for others.
struct Server {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(names: &[(&str, Answer)]) -> Self {
        // TCP first: its port is more likely to be free for UDP too than the other way round.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let addr = udp.local_addr().unwrap();
        let names: Arc<HashMap<String, Answer>> =
            Arc::new(names.iter().map(|(name, answer)| (name.to_string(), answer.clone())).collect());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, table) = (asked.clone(), names.clone());
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let Ok((len, from)) = udp.recv_from(&mut buffer).await else { return };
                let query = &buffer[..len];
                let (name, kind, _) = question(query);
                log.lock().unwrap().push(format!("{name} {kind}"));
                for datagram in replies(query, table.get(&name).unwrap_or(&NXDOMAIN)) {
                    udp.send_to(&datagram, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = tcp.accept().await else { return };
                let names = names.clone();
                tokio::spawn(async move {
                    while let Ok(len) = stream.read_u16().await {
                        let mut query = vec![0; len.into()];
                        stream.read_exact(&mut query).await.unwrap();
                        let Some(OverTcp(addrs)) = names.get(&question(&query).0) else { return };
                        let reply = message(&query, 0x8180, None, addrs);
                        stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                        stream.write_all(&reply).await.unwrap();
                    }
                });
            }
        });
        Self { addr, asked }
    }

    fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|query| query.split(' ').next() == Some(name)).count()
    }
}

/// The name, the type and the end of the question of a query.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let len = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + len]).into_owned());
        at += 1 + len;
    }
    (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
}

/// A response with addresses, under the name asked for or under an owner given.
fn message(query: &[u8], flags: u16, owner: Option<(&str, bool)>, addrs: &[&str]) -> Vec<u8> {
    let (_, kind, end) = question(query);
    let asked_name: &[u8] = &[0xc0, 12];
    let mut records = Vec::new();
    let mut owner_bytes = asked_name.to_vec();
    if let Some((name, alias)) = owner {
        owner_bytes = encoded(name);
        if alias {
            records.push(record(asked_name, CNAME, &owner_bytes));
        }
    }
    for addr in addrs {
        match addr.parse().unwrap() {
            IpAddr::V4(v4) if kind == A => records.push(record(&owner_bytes, A, &v4.octets())),
            IpAddr::V6(v6) if kind == AAAA => records.push(record(&owner_bytes, AAAA, &v6.octets())),
            _ => {}
        }
    }
    let count = u16::try_from(records.len()).unwrap();
    let mut reply =
        [&query[..2], &flags.to_be_bytes(), &[0, 1], &count.to_be_bytes(), &[0; 4], &query[12..end]].concat();
    reply.extend(records.concat());
    reply
}

fn replies(query: &[u8], answer: &Answer) -> Vec<Vec<u8>> {
    match answer {
        Code(code) => vec![message(query, 0x8180 | u16::from(*code), None, &[])],
        Addrs(addrs) => vec![message(query, 0x8180, None, addrs)],
        Alias(name, addrs) => vec![message(query, 0x8180, Some((name, true)), addrs)],
        Stranger(name, addrs) => vec![message(query, 0x8180, Some((name, false)), addrs)],
        Silence => vec![],
        Lies(after) => {
            let mut wrong_id = message(query, 0x8180, None, &["192.0.2.66", "2001:db8::66"]);
            wrong_id[0] ^= 0x55;
            let mut other_question = message(query, 0x8180, None, &["192.0.2.67", "2001:db8::67"]);
            other_question[13] ^= 0x02;
            let mut all = vec![wrong_id, other_question, vec![0], vec![], query[..1].to_vec()];
            all.extend(replies(query, after));
            all
        }
        Garbage => vec![[&query[..2], &[0xff; 40]].concat()],
        By(v4, v6) => replies(query, if question(query).1 == AAAA { v6 } else { v4 }),
        OverTcp(_) => vec![message(query, 0x8380, None, &[])],
    }
}

/// Options that read nothing of this machine's.
struct Lab {
    options: ResolverOptions,
    _files: tempfile::TempDir,
}

impl Lab {
    fn new(servers: &[&Server], hosts: &str, resolv_conf: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
            path
        };
        let options = ResolverOptions {
            servers: servers.iter().map(|server| server.addr).collect(),
            hosts: write("hosts", hosts),
            resolv_conf: write("resolv.conf", resolv_conf),
            ..ResolverOptions::default()
        };
        Self { options, _files: files }
    }

    fn with(mut self, change: impl FnOnce(&mut ResolverOptions)) -> Self {
        change(&mut self.options);
        self
    }

    fn resolver(&self) -> Resolver {
        Resolver::new(self.options.clone())
    }

    async fn lookup(&self, name: &str) -> Result<Vec<String>, ResolveFault> {
        let addrs = self.resolver().lookup(name).await?;
        Ok(addrs.iter().map(ToString::to_string).collect())
    }
}

fn servfail(server: &Server, what: &str) -> ResolveFault {
    ResolveFault::ServFail(format!("{} {what}", server.addr))
}

#[tokio::test]
async fn what_servers_say_is_told_apart() {
    let server = Server::start(&[
        ("both.test", Addrs(&["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.1"])),
        ("four.test", Addrs(&["192.0.2.4"])),
        ("empty.test", NOERROR),
        ("broken.test", SERVFAIL),
        ("closed.test", REFUSED),
        ("garbage.test", Garbage),
        ("alias.test", Alias("real.test", &["192.0.2.7"])),
        ("stranger.test", Stranger("other.test", &["192.0.2.8", "2001:db8::8"])),
        ("big.test", OverTcp(&["192.0.2.9"])),
        ("under_score.test", Addrs(&["192.0.2.10"])),
    ])
    .await;
    let lab = Lab::new(&[&server], "", "");
    let mut both = lab.lookup("both.test").await.unwrap();
    both.sort_unstable();
    assert_eq!(both, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert_eq!(lab.lookup("four.test").await.unwrap(), ["192.0.2.4"]);
    assert_eq!(lab.lookup("alias.test").await.unwrap(), ["192.0.2.7"]);
    assert_eq!(lab.lookup("big.test").await.unwrap(), ["192.0.2.9"]);
    assert_eq!(lab.lookup("under_score.test").await.unwrap(), ["192.0.2.10"]);
    assert_eq!(lab.lookup("gone.test").await, Err(ResolveFault::NxDomain));
    assert_eq!(lab.lookup("empty.test").await, Err(ResolveFault::NoAddress));
    assert_eq!(lab.lookup("broken.test").await, Err(servfail(&server, "answered SERVFAIL")));
    assert_eq!(lab.lookup("closed.test").await, Err(servfail(&server, "answered REFUSED")));
    assert_eq!(lab.lookup("garbage.test").await, Err(servfail(&server, "answered with something malformed")));
    // An answer about another name is none.
    assert!(matches!(lab.lookup("stranger.test").await, Err(ResolveFault::NoAddress | ResolveFault::NxDomain)));
}

#[tokio::test]
async fn one_family_can_fail_alone() {
    let by = |v4: Answer, v6: Answer| By(Box::new(v4), Box::new(v6));
    let server = Server::start(&[
        ("mute6.test", by(Addrs(&["192.0.2.1"]), Silence)),
        ("broken6.test", by(Addrs(&["192.0.2.2"]), SERVFAIL)),
        ("denied6.test", by(Addrs(&["192.0.2.3"]), NXDOMAIN)),
        ("half-denied.test", by(NOERROR, NXDOMAIN)),
        ("unsure.test", by(SERVFAIL, NOERROR)),
    ])
    .await;
    let lab = Lab::new(&[&server], "", "");
    assert_eq!(lab.lookup("mute6.test").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(lab.lookup("broken6.test").await.unwrap(), ["192.0.2.2"]);
    assert_eq!(lab.lookup("denied6.test").await.unwrap(), ["192.0.2.3"]);
    assert_eq!(lab.lookup("half-denied.test").await, Err(ResolveFault::NoAddress));
    assert_eq!(lab.lookup("unsure.test").await, Err(servfail(&server, "answered SERVFAIL")));
}

#[tokio::test]
async fn only_the_family_asked_for() {
    let server = Server::start(&[("both.test", Addrs(&["192.0.2.1", "2001:db8::1"]))]).await;
    for (families, addr, kind) in [(Families::V4Only, "192.0.2.1", A), (Families::V6Only, "2001:db8::1", AAAA)] {
        server.asked.lock().unwrap().clear();
        let lab = Lab::new(&[&server], "127.0.0.9 four\n", "").with(|options| options.families = families);
        assert_eq!(lab.lookup("both.test").await.unwrap(), [addr]);
        assert_eq!(*server.asked.lock().unwrap(), [format!("both.test {kind}")]);
        // The hosts file has only the other family: DNS is asked then, and denies the name.
        let four = lab.lookup("four").await;
        assert_eq!(
            four,
            if families == Families::V4Only { Ok(vec!["127.0.0.9".into()]) } else { Err(ResolveFault::NxDomain) }
        );
    }
}

#[tokio::test]
async fn lies_do_no_harm() {
    let server = Server::start(&[
        ("spoofed.test", Lies(Box::new(Addrs(&["192.0.2.1"])))),
        ("nowhere.test", Addrs(&["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1"])),
        ("partly.test", Addrs(&["0.0.0.0", "192.0.2.2", "::ffff:192.0.2.2"])),
    ])
    .await;
    let lab = Lab::new(&[&server], "0.0.0.0 blocked.test\n", "");
    assert_eq!(lab.lookup("spoofed.test").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(lab.lookup("nowhere.test").await, Err(ResolveFault::NoAddress));
    assert_eq!(lab.lookup("partly.test").await.unwrap(), ["192.0.2.2"]);
    assert_eq!(lab.lookup("blocked.test").await, Err(ResolveFault::NoAddress));
}

#[tokio::test]
async fn a_server_that_hangs_ends_at_the_deadline() {
    let server = Server::start(&[("mute.test", Silence), ("lies.test", Lies(Box::new(Silence)))]).await;
    let lab = Lab::new(&[&server], "", "").with(|options| options.deadline = Duration::from_millis(150));
    assert_eq!(lab.lookup("mute.test").await, Err(ResolveFault::Timeout));
    assert_eq!(lab.lookup("lies.test").await, Err(ResolveFault::Timeout));
}

/// Broadcast is refused by the kernel: nothing is sent.
#[tokio::test]
async fn a_server_without_a_way_to_it_is_named() {
    let good = Server::start(&[("a.test", Addrs(&["192.0.2.1"]))]).await;
    let nowhere: SocketAddr = "255.255.255.255:53".parse().unwrap();
    let lab = Lab::new(&[], "", "").with(|options| options.servers = vec![nowhere]);
    match lab.lookup("a.test").await {
        Err(ResolveFault::ServFail(text)) => {
            assert!(text.starts_with("255.255.255.255:53 cannot be reached: E"), "{text}")
        }
        other => panic!("{other:?}"),
    }
    let lab = lab.with(|options| options.servers.push(good.addr));
    assert_eq!(lab.lookup("a.test").await.unwrap(), ["192.0.2.1"]);
}

/// A silent or failing first server costs its share once; later names ask first who answered.
#[tokio::test]
async fn the_next_server_is_asked() {
    let mute = Server::start(&[("a.test", Silence), ("b.test", Silence)]).await;
    let failing = Server::start(&[("a.test", REFUSED), ("b.test", REFUSED)]).await;
    let good = Server::start(&[("a.test", Addrs(&["192.0.2.1"])), ("b.test", Addrs(&["192.0.2.2"]))]).await;
    let lab =
        Lab::new(&[&mute, &failing, &good], "", "").with(|options| options.per_server = Some(Duration::from_secs(1)));
    let resolver = lab.resolver();
    assert_eq!(resolver.lookup("a.test").await, Ok(vec![IpAddr::from([192, 0, 2, 1])]));
    assert_eq!(resolver.lookup("b.test").await, Ok(vec![IpAddr::from([192, 0, 2, 2])]));
    assert_eq!((mute.asked("b.test"), failing.asked("b.test")), (0, 0));
}

#[tokio::test]
async fn the_hosts_file_comes_first() {
    let server = Server::start(&[("db.test", Addrs(&["192.0.2.1"]))]).await;
    let hosts = "127.0.0.2 web web.test # one\n\n127.0.0.3 DB.test\nfe80::1%eth0 odd\nnonsense\n127.0.0.4 web\n";
    let lab = Lab::new(&[&server], hosts, "search example.org\n");
    assert_eq!(lab.lookup("web").await.unwrap(), ["127.0.0.2", "127.0.0.4"]);
    assert_eq!(lab.lookup("db.test").await.unwrap(), ["127.0.0.3"]);
    assert_eq!(server.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn the_search_list_is_followed_as_by_the_c_library() {
    let server = Server::start(&[
        ("web.b.test", Addrs(&["192.0.2.1"])),
        ("web.prod.b.test", Addrs(&["192.0.2.2"])),
        ("full.name", Addrs(&["192.0.2.3"])),
        ("full.name.a.test", Addrs(&["192.0.2.66"])),
        ("bare", Addrs(&["192.0.2.4"])),
        ("empty.a.test", NOERROR),
        ("sick.name", SERVFAIL),
    ])
    .await;
    let lab = Lab::new(&[&server], "", "search a.test b.test\n");
    assert_eq!(lab.lookup("web").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(server.asked("web"), 0);
    assert_eq!(lab.lookup("web.prod").await.unwrap(), ["192.0.2.2"]);
    assert_eq!(server.asked("web.prod"), 2);
    assert_eq!(lab.lookup("full.name").await.unwrap(), ["192.0.2.3"]);
    assert_eq!(lab.lookup("bare").await.unwrap(), ["192.0.2.4"]);
    assert_eq!(lab.lookup("no.such.name").await, Err(ResolveFault::NxDomain));
    assert_eq!(lab.lookup("empty").await, Err(ResolveFault::NoAddress));
    assert_eq!(lab.lookup("sick.name").await, Err(servfail(&server, "answered SERVFAIL")));

    let many_dots = Lab::new(&[&server], "", "search a.test\noptions ndots:2\n");
    assert_eq!(many_dots.lookup("full.name").await.unwrap(), ["192.0.2.66"]);
}

#[tokio::test]
async fn without_a_resolver_the_rest_goes_on() {
    for (resolv_conf, why) in
        [("", "no nameservers found in config"), ("search a.test\n", "no nameservers found in config")]
    {
        let lab = Lab::new(&[], "127.0.0.2 web\n", resolv_conf);
        assert_eq!(lab.lookup("web").await.unwrap(), ["127.0.0.2"]);
        let mut localhost = lab.lookup("localhost").await.unwrap();
        localhost.sort_unstable();
        assert_eq!(localhost, ["127.0.0.1", "::1"]);
        match lab.lookup("db").await {
            Err(ResolveFault::ServFail(text)) => {
                assert!(text.starts_with("no resolver configured: ") && text.ends_with(why), "{text}")
            }
            other => panic!("{other:?}"),
        }
    }
    let lab = Lab::new(&[], "", "").with(|options| {
        options.resolv_conf = "no/such/file".into();
        options.hosts = "no/such/file".into();
    });
    match lab.lookup("db").await {
        Err(ResolveFault::ServFail(text)) => {
            assert_eq!(text, "no resolver configured: no/such/file: No such file or directory (os error 2)");
        }
        other => panic!("{other:?}"),
    }
    // --resolver needs no file.
    let server = Server::start(&[("db", Addrs(&["192.0.2.1"]))]).await;
    let lab = lab.with(|options| options.servers = vec![server.addr]);
    assert_eq!(lab.lookup("db").await.unwrap(), ["192.0.2.1"]);
}

/// Names are not asked for before there is a slot, and the wait for one is not counted as the server's.
#[tokio::test]
async fn lookups_take_turns() {
    let names: Vec<String> = (0..40).map(|n| format!("h{n}.test")).collect();
    let table: Vec<(&str, Answer)> = names.iter().map(|name| (name.as_str(), Addrs(&["192.0.2.1"]))).collect();
    let server = Server::start(&table).await;
    let lab = Lab::new(&[&server], "", "").with(|options| options.at_once = 2);
    let resolver = lab.resolver();
    let all = futures_util::future::join_all(names.iter().map(|name| resolver.lookup(name))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(resolver.slots.available_permits(), 2);
}

#[tokio::test]
async fn no_name_makes_it_panic() {
    let server = Server::start(&[]).await;
    let lab = Lab::new(&[&server], "", "search a.test\n");
    let (long_label, long_name) = ("x".repeat(64), ["x"; 200].join("."));
    for name in ["", ".", "..", "a..b", "*", "\u{fc}", &long_label, &long_name] {
        assert!(lab.lookup(name).await.is_err(), "{name}");
    }
}

#[test]
fn resolver_addresses() {
    for (text, addr) in [
        ("10.0.0.53", "10.0.0.53:53"),
        ("10.0.0.53:5353", "10.0.0.53:5353"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
    ] {
        assert_eq!(server(text), Ok(addr.parse().unwrap()));
    }
    for (text, message) in [
        ("dns.example", "`dns.example` is not the address of a resolver: write ADDR or ADDR:PORT, such as 10.0.0.53"),
        ("10.0.0.0/24", "`10.0.0.0/24` is not the address of a resolver: write ADDR or ADDR:PORT, such as 10.0.0.53"),
        ("10.0.0.1:1,2", "`10.0.0.1:1,2` is not the address of a resolver: write ADDR or ADDR:PORT, such as 10.0.0.53"),
        ("a@10.0.0.1", "`a@10.0.0.1` is not the address of a resolver: write ADDR or ADDR:PORT, such as 10.0.0.53"),
        ("fe80::1%lo", "`fe80::1%lo`: a resolver cannot be reached by a link-local address: write another one"),
        ("10.0.0.1:0", "`10.0.0.1:0`: port 0 cannot be connected to: write 1 to 65535"),
    ] {
        assert_eq!(server(text).unwrap_err(), message);
    }
}
