//! Whole runs over loopback, where 127.0.0.0/8 is as many hosts as needed behind one listening socket.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::task::{self, Poll};
use std::{env, io};

use nix::sys::resource::{Resource, setrlimit};
use sshprobe_probes::case::{Connect, Settings};
use sshprobe_probes::diagnose::Code;
use sshprobe_probes::evidence::{Errno, Evidence, Silence, Tunnel, TunnelTrouble};
use sshprobe_probes::plan::{Depth, Plan};
use sshprobe_probes::probe::Leave;
use sshprobe_probes::record::Via;
use sshprobe_probes::responder::{Script, Step};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::*;
use crate::demo::serve;
use crate::sys::conntrack::Conntrack;
use crate::transport::tcp::TcpPath;
use crate::transport::{Opening, PathEnd, SoftError, Stream};

/// Long enough for anything that is going to happen; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(60);

fn host(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x7f01_0000 + number).into()
}

fn target(index: u64, host: Host, port: u16) -> Target {
    Target { input: "test".into(), index, host, port, place: None, user: None, from_range: true }
}

fn targets(count: u32, port: u16) -> impl Iterator<Item = Target> + Send + 'static {
    (0..count).map(move |number| target(number.into(), Host::Addr(host(number), 0), port))
}

/// A server of that script on every address of 127.0.0.0/8: its port.
async fn server(script: Script) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener, Arc::new(script)));
    port
}

async fn healthy() -> u16 {
    server(Script::healthy(&[1; 32])).await
}

fn options() -> Options {
    Options { rate: 0, per_subnet: 0, ..Options::default() }
}

/// Without a pause between connections to one host.
fn unspaced(options: Options) -> Options {
    let settings = Settings { per_host: Duration::ZERO, ..Settings::clone(&options.settings) };
    Options { settings: Arc::new(settings), ..options }
}

/// Names that behave as their first letter says.
struct Names;

impl Resolve for Names {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveFault> {
        match name.as_bytes() {
            [b'h', ..] => std::future::pending().await,
            [b'n', ..] => Err(ResolveFault::NxDomain),
            [b'p', ..] => panic!("a resolver's bug"),
            [b'x', ..] => Ok(vec![host(66)]),
            _ => Ok(vec![host(1), host(2)]),
        }
    }
}

struct Running {
    records: mpsc::Receiver<Box<Record>>,
    stats: Arc<Stats>,
    cancel: CancellationToken,
    done: tokio::task::JoinHandle<Outcome>,
}

fn start<T: Transport>(
    engine: Engine<T>,
    targets: impl Iterator<Item = Target> + Send + 'static,
    sink: usize,
) -> Running {
    let (sink, records) = mpsc::channel(sink);
    let stats = Arc::<Stats>::default();
    let cancel = CancellationToken::new();
    let run = engine.run(targets, Names, sink, cancel.clone(), Arc::clone(&stats));
    let done = tokio::spawn(async move { run.await.unwrap() });
    Running { records, stats, cancel, done }
}

impl Running {
    /// All records by code, and how it ended. Every target has one.
    async fn finish(mut self) -> (BTreeMap<&'static str, Vec<u64>>, Outcome) {
        let mut codes = BTreeMap::<_, Vec<u64>>::new();
        let all = async {
            while let Some(record) = self.records.recv().await {
                codes.entry(record.code.name()).or_default().push(record.target.index);
            }
        };
        timeout(NEVER, all).await.expect("the run ends");
        codes.values_mut().for_each(|indices| indices.sort_unstable());
        (codes, self.done.await.unwrap())
    }

    async fn until(&self, what: impl Fn(&Stats) -> bool) {
        let happens = async {
            while !what(&self.stats) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(NEVER, happens).await.expect("it happens");
    }
}

fn prepared(options: Options) -> Engine {
    Engine::prepare(options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_target_has_one_record() {
    let port = healthy().await;
    let (codes, outcome) = start(prepared(options()), targets(200, port), 8).finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", (0..200).collect())]));
    assert_eq!(outcome, Outcome::default());
}

#[tokio::test]
async fn one_thread_is_enough() {
    let port = healthy().await;
    let (codes, _) = start(prepared(options()), targets(50, port), 8).finish().await;
    assert_eq!(codes["ok"].len(), 50);
}

#[tokio::test]
async fn a_sink_that_stalls_stops_the_feed_and_loses_nothing() {
    let port = healthy().await;
    let engine = prepared(Options { concurrency: 4, ..options() });
    let cases = engine.shares.cases as u64;
    let running = start(engine, targets(1000, port), 1);
    // One record lies in the channel, each case holds one that nobody takes, and one more target waits for a place.
    running.until(|stats| stats.fed() == cases + 2 && stats.in_flight() == 0).await;
    assert_eq!(running.stats.done(), 1);
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", (0..1000).collect())]));
}

#[tokio::test]
async fn cancelled_it_drops_what_is_in_flight_and_hands_out_what_is_done() {
    let mute = server(Script::steps(vec![Step::Mute])).await;
    let (refused, _kept) = refusing();
    let few = targets(5, refused).chain((5..).map(move |n| target(n, Host::Addr(host(n as u32), 0), mute)));
    let running = start(prepared(Options { concurrency: 20, ..options() }), few, 1);
    running.until(|stats| stats.in_flight() == 20 && stats.opened() == 25).await;
    running.cancel.cancel();
    let stats = Arc::clone(&running.stats);
    let (codes, outcome) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("refused", (0..5).collect())]));
    assert_eq!(outcome, Outcome { cancelled: true, ..Outcome::default() });
    assert_eq!(stats.in_flight(), 0);
}

/// A port where connections are refused as long as the socket lives.
fn refusing() -> (u16, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap().port(), socket)
}

#[tokio::test]
async fn without_a_sink_there_is_no_run() {
    let port = healthy().await;
    let mut running = start(prepared(options()), (0..).map(move |n| target(n, Host::Addr(host(1), 0), port)), 1);
    running.records.close();
    let (_, outcome) = running.finish().await;
    assert_eq!(outcome, Outcome { sink_closed: true, ..Outcome::default() });
}

#[tokio::test]
async fn a_dropped_run_ends_its_tasks() {
    let mute = server(Script::steps(vec![Step::Mute])).await;
    let running = start(prepared(options()), targets(10, mute), 1);
    running.until(|stats| stats.in_flight() == 10).await;
    running.done.abort();
    running.until(|stats| stats.in_flight() == 0).await;
}

#[tokio::test]
async fn names_that_hang_hold_nobody_up() {
    let port = healthy().await;
    let name = |index, name: &str| target(index, Host::Name(name.into()), port);
    let first: Vec<_> = (0..500).map(|n| name(n, "hangs")).collect();
    // Names stand in line for the resolver: those that are to be answered come first.
    let all = [name(500, "nowhere"), name(501, "two"), name(502, "panics")].into_iter().chain(first);
    let all = all.chain((503..600).map(move |n| target(n, Host::Addr(host(n as u32), 0), port)));
    let mut running = start(prepared(options()), all, 1000);
    running.until(|stats| stats.done() == 100).await;
    running.cancel.cancel();
    let mut internal = 0;
    while let Some(record) = running.records.recv().await {
        match record.target.index {
            500 => assert_eq!(record.code, Code::DnsNxdomain),
            502 => {
                assert_eq!(record.code, Code::Internal);
                assert!(record.detail.contains("a resolver's bug"), "{}", record.detail);
                internal += 1;
            }
            _ => assert_eq!(record.code, Code::Ok, "{}", record.detail),
        }
    }
    assert_eq!(internal, 1);
    assert!(running.done.await.unwrap().internal_fault);
}

#[tokio::test]
async fn each_address_of_a_name_can_be_a_target() {
    let port = healthy().await;
    let all = || [target(0, Host::Name("two".into()), port)].into_iter();
    let (codes, _) = start(prepared(options()), all(), 8).finish().await;
    assert_eq!(codes["ok"], [0]);
    let (codes, _) = start(prepared(Options { all_addresses: true, ..options() }), all(), 8).finish().await;
    assert_eq!(codes["ok"], [0, 0]);
}

#[tokio::test]
async fn an_excluded_address_is_not_probed_by_its_name() {
    let port = healthy().await;
    let mut exclusions = Exclusions::default();
    exclusions.add(&crate::target::Expression::parse(&host(66).to_string()).unwrap());
    let engine = prepared(Options { exclusions: Arc::new(exclusions), ..options() });
    let mut running = start(engine, [target(0, Host::Name("x".into()), port)].into_iter(), 8);
    let stats = Arc::clone(&running.stats);
    let record = running.records.recv().await.unwrap();
    assert_eq!(
        (record.code, record.detail.as_str()),
        (Code::LocalPolicy, "not probed: every address of the name is excluded")
    );
    let (others, _) = running.finish().await;
    assert_eq!((others.len(), stats.opened()), (0, 0));
}

#[tokio::test]
async fn a_source_that_panics_is_our_fault_and_said_so() {
    let port = healthy().await;
    let broken = targets(3, port).chain(std::iter::once_with(|| panic!("a source's bug")));
    let (codes, outcome) = start(prepared(options()), broken, 8).finish().await;
    assert_eq!(codes["ok"], [0, 1, 2]);
    assert!(outcome.internal_fault);
}

/// TCP, but for what a test needs to go wrong.
struct Faulty {
    tcp: Tcp,
    /// Reading from this host panics.
    cursed: Option<IpAddr>,
    /// So many attempts find this machine short of descriptors.
    short: AtomicUsize,
    /// There is no local port left towards this host.
    portless: Option<IpAddr>,
    /// The process is stopped for this long, once, when a connection is up.
    stopped: Mutex<Option<Duration>>,
}

struct FaultyPath {
    path: TcpPath,
    cursed: bool,
}

impl Transport for Faulty {
    type Stream = FaultyPath;

    async fn open(&self, connect: &Connect) -> Opening<FaultyPath> {
        let shorter = self.short.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if shorter.is_ok() {
            return Opening::Short(Errno::EMFILE);
        }
        if self.portless == Some(connect.addr.ip()) {
            return Opening::Short(Errno::EADDRNOTAVAIL);
        }
        match self.tcp.open(connect).await {
            Opening::Up(path, evidence) => {
                if let Some(span) = self.stopped.lock().unwrap().take() {
                    std::thread::sleep(span);
                }
                Opening::Up(FaultyPath { path, cursed: self.cursed == Some(connect.addr.ip()) }, evidence)
            }
            Opening::Down(evidence) => Opening::Down(evidence),
            Opening::Lapsed(evidence) => Opening::Lapsed(evidence),
            Opening::Short(errno) => Opening::Short(errno),
        }
    }
}

impl AsyncRead for FaultyPath {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        assert!(!self.cursed, "a probe's bug");
        Pin::new(&mut self.path).poll_read(cx, into)
    }
}

impl AsyncWrite for FaultyPath {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.path).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.path).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.path).poll_shutdown(cx)
    }
}

impl Stream for FaultyPath {
    fn outlived(&self, error: &io::Error) -> Option<SoftError> {
        self.path.outlived(error)
    }

    fn pending(&mut self) -> Option<SoftError> {
        self.path.pending()
    }

    async fn leave(self, how: Leave, asked_why: bool) -> PathEnd {
        self.path.leave(how, asked_why).await
    }
}

fn sound(options: &Options) -> Faulty {
    let tcp = Tcp::new(options.clock, options.connect_timeout);
    Faulty { tcp, cursed: None, short: 0.into(), portless: None, stopped: Mutex::new(None) }
}

fn faulty(options: Options, cursed: Option<IpAddr>, short: usize) -> Engine<Faulty> {
    let transport = Faulty { cursed, short: short.into(), ..sound(&options) };
    Engine::prepare_over(options, transport).unwrap()
}

#[tokio::test]
async fn a_panic_in_one_probe_is_that_targets_record_alone() {
    let port = healthy().await;
    let engine = faulty(options(), Some(host(7)), 0);
    let running = start(engine, targets(20, port), 8);
    let stats = Arc::clone(&running.stats);
    let (codes, outcome) = running.finish().await;
    assert_eq!(codes["internal"], [7]);
    assert_eq!(codes["ok"].len(), 19);
    assert_eq!(outcome, Outcome { internal_fault: true, ..Outcome::default() });
    assert_eq!((stats.in_flight(), stats.done()), (0, 20), "its slot was given back");
}

#[tokio::test]
async fn what_this_machine_lacks_for_a_while_is_waited_for() {
    let port = healthy().await;
    let engine = faulty(unspaced(options()), None, 60);
    let running = start(engine, targets(40, port), 8);
    let stats = Arc::clone(&running.stats);
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", (0..40).collect())]));
    assert_eq!(stats.troubles(), 60);
}

#[tokio::test]
async fn silence_while_our_own_connection_tracking_is_full_blames_nobody() {
    // A listener that never accepts, with a full backlog: SYNs vanish as a full table makes them.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap();
    let _fillers: Vec<_> = (0..4)
        .map(|_| {
            let filler =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM.nonblocking(), None).unwrap();
            let _ = filler.connect(&addr);
            filler
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let full_at = |max: &str| std::fs::write(folder.path().join("nf_conntrack_max"), max).unwrap();
    std::fs::write(folder.path().join("nf_conntrack_count"), "1000").unwrap();
    full_at("1000");
    let mut engine = prepared(unspaced(Options { connect_timeout: Duration::from_millis(50), ..options() }));
    engine.tables.conntrack = Conntrack::in_folder(folder.path());
    let port = addr.as_socket().unwrap().port();
    let here = target(0, Host::Addr(Ipv4Addr::LOCALHOST.into(), 0), port);
    let running = start(engine, [here].into_iter(), 8);
    running.until(|stats| stats.troubles() > 0).await;
    assert_eq!(running.stats.done(), 0);
    full_at("100000");
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("timeout-connect", vec![0])]), "now it is the target's silence");
}

#[tokio::test]
async fn what_this_machine_lacks_for_good_is_its_own_error() {
    let port = healthy().await;
    let engine = faulty(unspaced(options()), None, usize::MAX);
    let (codes, outcome) = start(engine, targets(3, port), 8).finish().await;
    assert_eq!(codes, BTreeMap::from([("local-resource-limit", vec![0, 1, 2])]));
    assert_eq!(outcome, Outcome::default());
}

#[tokio::test]
async fn no_local_port_towards_one_host_costs_the_others_no_slot() {
    let mute = server(Script::steps(vec![Step::Mute])).await;
    let options = Options { concurrency: 20, ..options() };
    let transport = Faulty { portless: Some(host(0)), ..sound(&options) };
    let running = start(Engine::prepare_over(options, transport).unwrap(), targets(100, mute), 8);
    running.until(|stats| stats.troubles() > 0 && stats.in_flight() == 20).await;
    running.cancel.cancel();
    running.finish().await;
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_process_is_stopped_is_no_silence_of_the_target() {
    let port = healthy().await;
    let plan = Plan { timeout: Duration::from_secs(3), ..Plan::default() };
    let options = Options { rate: 0, ..Options::new(plan) };
    let transport = Faulty { stopped: Mutex::new(Some(Duration::from_millis(4200))), ..sound(&options) };
    let running = start(Engine::prepare_over(options, transport).unwrap(), targets(1, port), 8);
    let stats = Arc::clone(&running.stats);
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", vec![0])]));
    assert_eq!(stats.troubles(), 1);
}

const CHILD: &str = "SSHPROBE_TEST_PORT";

/// Runs a test of this program once more, in a process of its own, with the port of a server in the environment.
async fn in_a_child(test: &str, port: u16) {
    in_a_child_of("env", &[], test, port).await;
}

/// The same, started by another program.
async fn in_a_child_of(starter: &'static str, args: &'static [&str], test: &str, port: u16) {
    let test = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let child = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(starter);
        command
            .args(args)
            .arg(env::current_exe().unwrap())
            .args(["--exact", &test, "--nocapture", "--test-threads=1"])
            .env(CHILD, port.to_string());
        command.output().unwrap()
    });
    let output = child.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_descriptors_are_made_do_with_and_nobody_is_blamed() {
    let Ok(port) = env::var(CHILD) else {
        return in_a_child("few_descriptors_are_made_do_with_and_nobody_is_blamed", healthy().await).await;
    };
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
    let engine = prepared(options());
    assert!(engine.concurrency() < 64, "{}", engine.concurrency());
    let [warning] = engine.warnings() else { panic!("{:?}", engine.warnings()) };
    assert!(warning.starts_with("descriptors are short: "), "{warning}");
    let running = start(engine, targets(300, port.parse().unwrap()), 8);
    let stats = Arc::clone(&running.stats);
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", (0..300).collect())]));
    assert_eq!(stats.troubles(), 0, "it did not even come to that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptors_that_others_took_are_waited_for() {
    let Ok(port) = env::var(CHILD) else {
        return in_a_child("descriptors_that_others_took_are_waited_for", healthy().await).await;
    };
    setrlimit(Resource::RLIMIT_NOFILE, 128, 128).unwrap();
    let engine = prepared(options());
    // From here on the process has none left: socket() gives EMFILE.
    let hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    let running = start(engine, targets(50, port.parse().unwrap()), 8);
    running.until(|stats| stats.troubles() > 3).await;
    drop(hoard);
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", (0..50).collect())]));
}

#[tokio::test]
async fn a_silent_server_keeps_its_slot_no_longer_than_its_own_deadline() {
    let mute = server(Script::steps(vec![Step::Mute])).await;
    let plan = Plan { timeout: Duration::from_millis(200), ..Plan::default() };
    let options = Options { concurrency: 1, rate: 0, ..Options::new(plan) };
    let (codes, _) = start(prepared(options), targets(3, mute), 8).finish().await;
    assert_eq!(codes, BTreeMap::from([("connected-no-ident", vec![0, 1, 2])]));
}

#[tokio::test]
async fn a_connection_on_which_nothing_was_said_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = target(0, Host::Addr(Ipv4Addr::LOCALHOST.into(), 0), listener.local_addr().unwrap().port());
    let plan = Plan { depth: Depth::Connect, ..Plan::default() };
    let running = start(prepared(Options::new(plan)), [here].into_iter(), 8);
    let (mut peer, _) = listener.accept().await.unwrap();
    let (codes, _) = running.finish().await;
    assert_eq!(codes, BTreeMap::from([("ok", vec![0])]));
    let error = peer.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// The lines of `script`, by a shell.
fn sh(script: &str) -> bool {
    Command::new("sh").args(["-ec", script]).status().is_ok_and(|status| status.success())
}

/// Needs root: makes itself a network namespace in which its own segments are answered with ICMP once it is connected.
#[tokio::test]
async fn icmp_about_a_connection_that_is_up_is_noted_and_the_deadline_kept() {
    const NAME: &str = "icmp_about_a_connection_that_is_up_is_noted_and_the_deadline_kept";
    if env::var(CHILD).is_err() {
        if !sh("unshare -n nft list ruleset") {
            eprintln!("SKIPPED {NAME}: needs root, unshare and nft");
            return;
        }
        return in_a_child_of("unshare", &["-n"], NAME, 0).await;
    }
    assert!(sh("ip link set lo up"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plan = Plan { timeout: Duration::from_secs(2), ..Plan::default() };
    let here = target(0, Host::Addr(Ipv4Addr::LOCALHOST.into(), 0), port);
    let mut running = start(prepared(Options::new(plan)), [here].into_iter(), 8);
    let (mut peer, _) = listener.accept().await.unwrap();
    assert!(sh(&format!(
        "nft add table ip t
         nft 'add chain ip t out {{ type filter hook output priority 0; }}'
         nft add rule ip t out tcp dport {port} reject with icmp host-unreachable"
    )));
    // Now it has something to answer, and its answer meets the filter.
    peer.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await.unwrap();
    let record = running.records.recv().await.unwrap();
    assert_eq!(record.code, Code::LostMidway, "{}", record.detail);
    assert_eq!(record.net.as_ref().and_then(|net| net.errno.clone()).as_deref(), Some("EHOSTUNREACH"));
    assert!(record.timing_us.total.is_some_and(|total| total >= 2_000_000), "it went on to its deadline");
}

/// A way that, once, fell silent before it led anywhere, which was noticed so long after it was due.
struct LateWay {
    tcp: Tcp,
    late: Mutex<Option<Duration>>,
}

impl Transport for LateWay {
    type Stream = TcpPath;

    async fn open(&self, connect: &Connect) -> Opening<TcpPath> {
        let Some(late) = self.late.lock().unwrap().take() else { return self.tcp.open(connect).await };
        let (now, mut tunnel) = (connect.not_before, Tunnel::new(Via::Iap));
        tunnel.silence = Some(Silence { since: now, due: now });
        tunnel.trouble = Some(TunnelTrouble::lasting(Code::ProxyUnreachable, None, String::from("silent")));
        Opening::broken(Evidence::new(connect.addr, now), tunnel, now + late)
    }
}

/// One place judges every silence of a way: noticed much too late it is this machine's own, and the way is tried again.
#[tokio::test]
async fn a_silence_of_the_way_is_judged_like_one_of_the_target() {
    let port = healthy().await;
    for (late, code) in [(100, "proxy-unreachable"), (1500, "ok")] {
        let options = options();
        let way = LateWay { tcp: options.tcp().unwrap(), late: Mutex::new(Some(Duration::from_millis(late))) };
        let engine = Engine::prepare_over(options, way).unwrap();
        let (codes, _) = start(engine, targets(1, port), 8).finish().await;
        assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [code], "{late} ms late");
    }
}
