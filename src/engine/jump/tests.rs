//! Whole runs over loopback through jump hosts that are russh's own server: who is admitted when, and who is blamed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelOpenFailure};
use sshprobe_probes::case::{Connect, Settings};
use sshprobe_probes::evidence::{Evidence, Fault};
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::responder::Script;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::demo::serve;
use crate::engine::{Assigned, By, Engine, Stats};
use crate::login::Given;
use crate::transport::tcp::TcpPath;
use crate::transport::{Jump, Opening, Road, Tcp};

/// Long enough for anything that is going to happen; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(60);

/// Behind the jump hosts of these tests nobody answers here, neither yes nor no.
const VOID: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9));

fn host(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 7, 0, number).into()
}

/// One server is not asked by all at once, whatever the spacing: it may keep accounts.
fn one_of_many(number: u64) -> IpAddr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 7, 1 + high, low).into()
}

/// A jump host that lets everybody in.
#[derive(Clone)]
struct Bastion {
    /// A connection is served once it gets one of these.
    open: Arc<Semaphore>,
    /// What was asked for the void is granted once it gets one of these.
    void: Arc<Semaphore>,
    connections: Arc<AtomicUsize>,
    channels: Arc<AtomicUsize>,
    /// So many requests for a channel end the session they come by.
    faults: Arc<AtomicUsize>,
}

impl Default for Bastion {
    fn default() -> Self {
        let open = Arc::new(Semaphore::new(1000));
        Self {
            open,
            void: Arc::new(Semaphore::new(0)),
            connections: Arc::default(),
            channels: Arc::default(),
            faults: Arc::default(),
        }
    }
}

impl Bastion {
    /// On every address of 127.0.0.0/8: its port.
    async fn start(&self) -> u16 {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let keys = vec![PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()];
        let config =
            Arc::new(server::Config { keys, auth_rejection_time: Duration::ZERO, ..server::Config::default() });
        let bastion = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                bastion.connections.fetch_add(1, Ordering::Relaxed);
                let (bastion, config) = (bastion.clone(), Arc::clone(&config));
                tokio::spawn(async move {
                    bastion.open.acquire().await.unwrap().forget();
                    if let Ok(session) = run_stream(config, stream, bastion).await {
                        let _ = session.await;
                    }
                });
            }
        });
        port
    }

    fn channels(&self) -> usize {
        self.channels.load(Ordering::Relaxed)
    }
}

impl server::Handler for Bastion {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, _: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let faulty = self.faults.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if faulty.is_ok() {
            return Err(russh::Error::Disconnect);
        }
        let (host, port) = (host.parse::<IpAddr>().unwrap(), u16::try_from(port).unwrap());
        let (void, channels) = (Arc::clone(&self.void), Arc::clone(&self.channels));
        channels.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            if host == VOID {
                void.acquire().await.unwrap().forget();
                reply.accept().await;
                let _ = tokio::io::copy(&mut channel.into_stream(), &mut tokio::io::sink()).await;
            } else if let Ok(mut target) = TcpStream::connect((host, port)).await {
                reply.accept().await;
                let _ = copy_bidirectional(&mut channel.into_stream(), &mut target).await;
            } else {
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
            }
            channels.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(())
    }
}

/// Nobody here has a name.
struct Nameless;

impl Resolve for Nameless {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, ResolveFault> {
        Err(ResolveFault::NxDomain)
    }
}

fn options(concurrency: usize) -> Options {
    let options = Options::default();
    let settings = Settings { per_host: Duration::ZERO, ..Settings::clone(&options.settings) };
    Options { rate: 0, concurrency, per_subnet: 0, settings: Arc::new(settings), ..options }
}

fn credentials() -> Arc<crate::login::Credentials> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    std::fs::write(file.path(), key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    let given = Given { identities: vec![file.path().to_owned()], ..Given::default() };
    Arc::new(given.load(&mut Vec::new()).unwrap())
}

fn target(index: u64, addr: IpAddr, port: u16) -> Target {
    Target { input: "test".into(), index, host: Host::Addr(addr, 0), port, place: None, user: None, from_range: true }
}

/// The way through a jump host that is reached by `transport`.
fn through<T: Transport>(options: &Options, transport: T, addr: IpAddr, port: u16) -> Jump {
    let plan = Plan { depth: Depth::Login, ..Plan::clone(&options.settings.plan) };
    let settings = Settings { plan: Arc::new(plan), ..Settings::clone(&options.settings) };
    let route = Route {
        transport,
        settings: Arc::new(settings),
        connect_timeout: options.connect_timeout,
        credentials: Some(credentials()),
    };
    let session = JumpSession::new(target(0, addr, port), route, Arc::new(Nameless), options);
    Jump::new(options.clock, Arc::new(session), 1, options.connect_timeout)
}

fn behind(options: &Options, jump: Jump) -> Arc<Route<Road>> {
    Arc::new(Route {
        transport: Road::Jump(jump),
        settings: Arc::clone(&options.settings),
        connect_timeout: options.connect_timeout,
        credentials: None,
    })
}

fn own(target: Target, route: &Arc<Route<Road>>) -> Assigned<Road> {
    Assigned { target, by: By::Own(Arc::clone(route)) }
}

struct Running {
    records: mpsc::Receiver<Box<Record>>,
    stats: Arc<Stats>,
    _cancel: tokio_util::sync::DropGuard,
}

fn start(options: Options, targets: Vec<Assigned<Road>>) -> Running {
    let (sink, records) = mpsc::channel(targets.len());
    let (stats, cancel) = (Arc::<Stats>::default(), CancellationToken::new());
    let tcp = Road::Tcp(options.tcp().unwrap());
    let engine = Engine::prepare_over(options, tcp).unwrap();
    let run = engine.run(targets.into_iter(), Nameless, sink, cancel.clone(), Arc::clone(&stats));
    tokio::spawn(async move { run.await.unwrap() });
    Running { records, stats, _cancel: cancel.drop_guard() }
}

impl Running {
    /// Every record that comes, by index.
    async fn finish(&mut self) -> BTreeMap<u64, Box<Record>> {
        let mut all = BTreeMap::new();
        let collect = async {
            while let Some(record) = self.records.recv().await {
                assert!(all.insert(record.target.index, record).is_none(), "one record a target");
            }
        };
        tokio::time::timeout(NEVER, collect).await.expect("the run ends");
        all
    }

    async fn until(&self, what: impl Fn(&Stats) -> bool) {
        let happens = async {
            while !what(&self.stats) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(NEVER, happens).await.expect("it happens");
    }
}

fn codes(records: &BTreeMap<u64, Box<Record>>) -> BTreeMap<String, usize> {
    records.values().fold(BTreeMap::new(), |mut codes, record| {
        let arg = record.arg.as_deref().map(|arg| format!(" {arg}")).unwrap_or_default();
        *codes.entry(format!("{}{arg}", record.code.name())).or_default() += 1;
        codes
    })
}

async fn healthy() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener, Arc::new(Script::healthy(&[1; 32]))));
    port
}

/// A port where connections are refused as long as the socket lives.
fn refusing() -> (u16, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap().port(), socket)
}

#[tokio::test]
async fn a_chain_of_two_needs_no_more_than_one_connection_at_a_time() {
    let (first, second, port) = (Bastion::default(), Bastion::default(), healthy().await);
    let options = options(1);
    let one = through(&options, options.tcp().unwrap(), host(1), first.start().await);
    let two = through(&options, Road::Jump(one), host(2), second.start().await);
    let route = behind(&options, two);
    let mut running = start(options, (0..5).map(|n| own(target(n, host(9), port), &route)).collect());
    assert_eq!(codes(&running.finish().await), BTreeMap::from([(String::from("ok"), 5)]));
    // Each jump host is probed and logged in to, by connections that are admitted like all others.
    assert_eq!((running.stats.opened(), running.stats.in_flight()), (2 + 2 + 5, 0));
    assert_eq!(first.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn who_waits_for_a_slow_jump_host_keeps_nobody_else_waiting() {
    let slow = Bastion { open: Arc::new(Semaphore::new(0)), ..Bastion::default() };
    let (port, options) = (healthy().await, options(2));
    let route = behind(&options, through(&options, options.tcp().unwrap(), host(1), slow.start().await));
    // More than there are places for targets in work.
    let waiting = (0..300).map(|n| own(target(n, one_of_many(n), port), &route));
    let direct = (300..320).map(|n| target(n, one_of_many(n), port).into());
    let mut running = start(options, waiting.chain(direct).collect());
    running.until(|stats| stats.done() == 20).await;
    assert_eq!(running.stats.in_flight(), 1, "the connection to the jump host, and no other");
    slow.open.add_permits(2);
    assert_eq!(codes(&running.finish().await), BTreeMap::from([(String::from("ok"), 320)]));
    assert_eq!(slow.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_jump_host_takes_its_time_and_none_of_its_targets() {
    let slow = Bastion { open: Arc::new(Semaphore::new(0)), ..Bastion::default() };
    let (port, given) = (healthy().await, options(10));
    let plan = Plan { timeout: Duration::from_secs(10), ..Plan::default() };
    let options =
        Options { settings: Arc::new(Settings { plan: Arc::new(plan), ..Settings::clone(&given.settings) }), ..given };
    let jump = through(&options, options.tcp().unwrap(), host(1), slow.start().await);
    // The targets have less time than the jump host takes.
    let short = Plan { timeout: Duration::from_millis(1200), ..Plan::clone(&options.settings.plan) };
    let settings = Arc::new(Settings { plan: Arc::new(short), ..Settings::clone(&options.settings) });
    let route = Arc::new(Route { settings, ..Arc::into_inner(behind(&options, jump)).unwrap() });
    let mut running = start(options, vec![own(target(0, host(9), port), &route)]);
    running.until(|stats| stats.in_flight() == 1).await;
    sleep(Duration::from_millis(1500)).await;
    slow.open.add_permits(2);
    let records = running.finish().await;
    assert_eq!(codes(&records), BTreeMap::from([(String::from("ok"), 1)]));
    assert!(records[&0].timing_us.total.is_some_and(|total| total < 1_200_000), "{:?}", records[&0].timing_us);
}

#[tokio::test]
async fn targets_behind_a_jump_host_that_failed_take_no_pass() {
    let (port, _kept) = refusing();
    let options = options(1);
    let route = behind(&options, through(&options, options.tcp().unwrap(), host(1), port));
    let mut running = start(options, (0..50).map(|n| own(target(n, host(9), 22), &route)).collect());
    assert_eq!(codes(&running.finish().await), BTreeMap::from([(String::from("jump-failed refused"), 50)]));
    assert_eq!((running.stats.opened(), running.stats.in_flight()), (1, 0));
}

/// The pass is given back meanwhile: the jump host needs the only one.
#[tokio::test]
async fn a_session_that_ends_over_a_channel_is_made_anew_for_it() {
    let (bastion, port) = (Bastion { faults: Arc::new(1.into()), ..Bastion::default() }, healthy().await);
    let options = options(1);
    let route = behind(&options, through(&options, options.tcp().unwrap(), host(1), bastion.start().await));
    let mut running = start(options, vec![own(target(0, host(9), port), &route)]);
    let records = running.finish().await;
    assert_eq!(codes(&records), BTreeMap::from([(String::from("ok"), 1)]));
    assert_eq!((records[&0].connections, bastion.connections.load(Ordering::Relaxed)), (1, 4));
    assert_eq!(running.stats.in_flight(), 0);
}

#[tokio::test]
async fn a_jump_host_that_ends_every_session_is_told_as_what_it_is() {
    let (bastion, port) = (Bastion { faults: Arc::new(1000.into()), ..Bastion::default() }, healthy().await);
    let options = options(1);
    let route = behind(&options, through(&options, options.tcp().unwrap(), host(1), bastion.start().await));
    let mut running = start(options, (0..8).map(|n| own(target(n, host(9), port), &route)).collect());
    assert_eq!(codes(&running.finish().await), BTreeMap::from([(String::from("jump-failed lost-midway"), 8)]));
    // How many of them lose one and the same session is chance.
    let connections = bastion.connections.load(Ordering::Relaxed);
    assert!(connections <= 2 * MOST, "it is not asked for ever: {connections}");
}

/// TCP whose first connect came to nothing, which was noticed so long after it was due.
struct Late {
    tcp: Tcp,
    timeout: Duration,
    late: sync::Mutex<Option<Duration>>,
}

impl Transport for Late {
    type Stream = TcpPath;

    async fn open(&self, connect: &Connect) -> Opening<TcpPath> {
        let Some(late) = self.late.lock().unwrap().take() else { return self.tcp.open(connect).await };
        let mut evidence = Evidence::new(connect.addr, connect.not_before);
        (evidence.fault, evidence.ended) = (Some(Fault::ConnectTimeout), evidence.started + self.timeout + late);
        Opening::Down(evidence)
    }
}

#[tokio::test]
async fn a_jump_host_is_not_blamed_for_what_this_machine_slept_through() {
    let (bastion, port) = (Bastion::default(), healthy().await);
    let door = bastion.start().await;
    for (late, code) in [(100, "jump-failed timeout-connect"), (1500, "ok")] {
        let options = options(10);
        let (tcp, timeout) = (options.tcp().unwrap(), options.connect_timeout);
        let late = Late { tcp, timeout, late: sync::Mutex::new(Some(Duration::from_millis(late))) };
        let route = behind(&options, through(&options, late, host(1), door));
        let mut running = start(options, vec![own(target(0, host(9), port), &route)]);
        assert_eq!(codes(&running.finish().await), BTreeMap::from([(code.to_owned(), 1)]));
        assert_eq!(running.stats.troubles(), u64::from(code == "ok"));
    }
}

#[tokio::test]
async fn a_target_has_its_own_connect_timeout_behind_a_jump_host() {
    let bastion = Bastion::default();
    let options = options(10);
    let jump = through(&options, options.tcp().unwrap(), host(1), bastion.start().await);
    let Road::Jump(jump) = Road::Jump(jump).within(Duration::from_millis(300)) else { unreachable!() };
    let route = behind(&options, jump);
    let mut running = start(options, vec![own(target(0, VOID, 22), &route)]);
    let records = running.finish().await;
    assert_eq!(codes(&records), BTreeMap::from([(String::from("timeout-connect"), 1)]));
    assert!(records[&0].detail.contains("and in 0.3 s neither did so nor refused"), "{}", records[&0].detail);
}

/// Fifty are refused and fifty given up while another channel of the same session is in the middle of its conversation.
#[tokio::test]
async fn a_hundred_channels_that_come_to_nothing_harm_no_other_and_leave_nothing() {
    let (bastion, (closed, _kept)) = (Bastion::default(), refusing());
    // It says nothing until all others are done.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let live = listener.local_addr().unwrap();
    let options = options(1000);
    let jump = through(&options, options.tcp().unwrap(), host(1), bastion.start().await);
    let patient = behind(&options, jump.clone());
    let Road::Jump(jump) = Road::Jump(jump).within(Duration::from_millis(300)) else { unreachable!() };
    let hasty = behind(&options, jump);
    let mut all = vec![own(target(0, live.ip(), live.port()), &patient)];
    all.extend((1..51).map(|n| own(target(n, host(9), closed), &patient)));
    all.extend((51..101).map(|n| own(target(n, VOID, 22), &hasty)));
    let mut running = start(options, all);
    let (waiting, _) = listener.accept().await.unwrap();
    running.until(|stats| stats.done() == 100).await;
    assert_eq!(bastion.channels(), 51, "the live one, and those that nobody waits for any more");
    // What is granted so late is closed.
    bastion.void.add_permits(50);
    let closed_again = async {
        while bastion.channels() > 1 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(NEVER, closed_again).await.expect("nothing is left of them");
    // Now it speaks, and the whole probe goes through.
    let script = Arc::new(Script::healthy(&[1; 32]));
    let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut server = TcpStream::connect(inner.local_addr().unwrap()).await.unwrap();
    tokio::spawn(serve(inner, script));
    let mut waiting = waiting;
    tokio::spawn(async move { copy_bidirectional(&mut waiting, &mut server).await });
    let records = running.finish().await;
    let expected = [("ok", 1), ("proxy-refused connect-failed", 50), ("timeout-connect", 50)];
    assert_eq!(codes(&records), expected.map(|(code, n)| (code.to_owned(), n)).into());
    assert_eq!(records[&0].code, Code::Ok, "{}", records[&0].detail);
    assert_eq!(bastion.connections.load(Ordering::Relaxed), 2, "one session for all");
    assert_eq!(running.stats.in_flight(), 0);
}

/// Every name leads here, and to an address where nobody is to be asked.
struct Everywhere;

impl Resolve for Everywhere {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, ResolveFault> {
        Ok(vec![host(1)])
    }
}

#[tokio::test]
async fn a_jump_host_whose_name_leads_to_what_is_excluded_is_not_connected_to() {
    let (bastion, port) = (Bastion::default(), healthy().await);
    let mut exclusions = crate::target::Exclusions::default();
    exclusions.add(&crate::target::Expression::parse("127.7.0.1").unwrap());
    let options = Options { exclusions: Arc::new(exclusions), ..options(2) };
    let named = Target { host: Host::Name("gate.example".into()), ..target(0, host(1), bastion.start().await) };
    let settings = Settings {
        plan: Arc::new(Plan { depth: Depth::Login, ..Plan::default() }),
        ..Settings::clone(&options.settings)
    };
    let route = Route {
        transport: options.tcp().unwrap(),
        settings: Arc::new(settings),
        connect_timeout: options.connect_timeout,
        credentials: Some(credentials()),
    };
    let session = JumpSession::new(named, route, Arc::new(Everywhere), &options);
    let route = behind(&options, Jump::new(options.clock, Arc::new(session), 1, options.connect_timeout));
    let mut running = start(options, vec![own(target(0, host(9), port), &route)]);
    assert_eq!(codes(&running.finish().await), BTreeMap::from([(String::from("local-policy"), 1)]));
    assert_eq!(bastion.connections.load(Ordering::Relaxed), 0);
}
