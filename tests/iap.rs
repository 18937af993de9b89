//! Tunnels through a relay of the Identity-Aware Proxy: every way they fail, and that nothing else differs where they do not.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sshprobe::demo::serve;
use sshprobe_probes::responder::Script;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use crate::support::dns::NameServer;
use crate::support::openssh;
use crate::support::relay::{Act, Authority, GOOD, Relay, count, data, framed, long_close, sid, websocket};
use crate::support::run::{parse, told};

/// What no output may ever hold.
const TOKEN: &str = "ya29.planted-Secret_0123456789";

/// A real sshd, one process a connection, with a banner longer than what a relay may send without an acknowledgement.
struct Sshd {
    addr: SocketAddr,
    _dir: TempDir,
}

impl Sshd {
    fn start() -> Self {
        fs::create_dir_all("/run/sshd").expect("making /run/sshd");
        let dir = TempDir::new().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name).to_str().expect("printable").to_owned();
        openssh::keygen(dir.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
        fs::write(path("banner"), "A line of the banner, which is long.\n".repeat(2000)).expect("written");
        let config = format!("HostKey {}\nBanner {}\nUsePAM no\nPidFile none\n", path("key"), path("banner"));
        fs::write(path("config"), config).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (addr, config) = (listener.local_addr().expect("bound"), path("config"));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(input) = stream.try_clone() else { continue };
                let mut sshd = Command::new("/usr/sbin/sshd");
                sshd.args(["-i", "-f", &config]).stdin(OwnedFd::from(input)).stdout(OwnedFd::from(stream));
                let Ok(mut child) = sshd.stderr(Stdio::null()).spawn() else { continue };
                drop(sshd);
                std::thread::spawn(move || child.wait());
            }
        });
        Self { addr, _dir: dir }
    }
}

/// The file with the token.
fn token_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), format!("{TOKEN}\n")).expect("written");
    file
}

fn sshprobe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(["--known-hosts=none", "--retries=0", "--user=root", "--format=jsonl", "--records=all"]).args(args);
    command.env_remove("CLOUDSDK_AUTH_ACCESS_TOKEN").env_remove("GOOGLE_APPLICATION_CREDENTIALS");
    // No gcloud, no credentials of whoever runs this, and nothing leaves the machine.
    command.env("PATH", "/nonexistent").env("CLOUDSDK_CONFIG", "/nonexistent").env("GCE_METADATA_HOST", "127.0.0.1:1");
    command.stdin(Stdio::null());
    command
}

/// Through the relay at this URL.
fn through(url: &str, token: &std::path::Path, args: &[&str]) -> Command {
    let file = token.to_str().expect("printable");
    let mut command = sshprobe(&["--iap", "--project=my-proj", "--zone=us-central1-a"]);
    command.args(["--iap-url", url, "--access-token-file", file]).args(args);
    command
}

fn output(mut command: Command) -> Output {
    let output = command.output().expect("the program");
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(TOKEN), "the token was shown: {}", String::from_utf8_lossy(&said));
    output
}

/// The records, by the target's host.
fn records(command: Command) -> BTreeMap<String, Value> {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let records = parse(&output.stdout, &stderr);
    let count = records.len();
    let by_host: BTreeMap<_, _> = records
        .into_iter()
        .map(|record| (record["target"]["host"].as_str().expect("a host").to_owned(), record))
        .collect();
    assert_eq!(by_host.len(), count, "a record for each:\n{stderr}");
    by_host
}

/// One thing that a relay can do, and what has to come of it.
struct Row {
    instance: &'static str,
    acts: Vec<Act>,
    code: &'static str,
    arg: Option<&'static str>,
    stage: &'static str,
    close: Option<u64>,
}

fn row(
    instance: &'static str,
    acts: Vec<Act>,
    (code, arg, stage): (&'static str, Option<&'static str>, &'static str),
    close: Option<u64>,
) -> Row {
    Row { instance, acts, code, arg, stage, close }
}

/// The rows of what is known of the relay: close codes, handshakes, frames.
fn rows(sshd: SocketAddr) -> Vec<Row> {
    use Act::{Backend, Close, Hang, Message, Pause, Raw, Reset, Upgrade};
    let up = || Upgrade(GOOD);
    let text = |text: &str| Raw(text.as_bytes().to_vec());
    let close = |code, reason: &str| Close(code, reason.as_bytes().to_vec());
    let http = |line: &str| vec![text(&format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"))];
    let banner = || Message(data(b"SSH-2.0-OpenSSH_9.2p1\r\n"));
    let real = || Backend(sshd, 16_384);
    let ok = ("ok", None, "auth");
    let frame = ("iap-protocol", Some("frame"), "tunnel");
    let early = |arg| ("iap-closed-early", arg, "tunnel");
    let lost = ("iap-relay-error", Some("1006"), "tunnel");
    let mut rows = vec![
        // It works, in all the ways in which a relay may frame things.
        row("healthy", vec![up(), real()], ok, None),
        row("in-small-pieces", vec![up(), Backend(sshd, 7)], ok, None),
        row("unknown-tags", vec![up(), Message(framed(0x63, b"x")), Message(framed(3, b"")), real()], ok, None),
        row("ping", vec![up(), Raw(websocket(0x89, b"are you there")), real()], ok, None),
        // WebSocket and relay ends before the session.
        row("close-1000", vec![up(), close(1000, "")], early(Some("1000")), Some(1000)),
        row("close-1001", vec![up(), close(1001, "going away")], early(Some("1001")), Some(1001)),
        row("close-1011", vec![up(), close(1011, "oops")], ("iap-relay-error", Some("1011"), "tunnel"), Some(1011)),
        row("close-bare", vec![up(), Raw(websocket(0x88, b"")), Hang], early(Some("1005")), None),
        row("fin", vec![up()], early(None), None),
        row("rst", vec![up(), Reset], early(None), None),
        row("silent", vec![up(), Hang], ("iap-backend-silent", None, "tunnel"), None),
        row(
            "cut-sid",
            vec![up(), Raw(websocket(0x82, &sid("Sid"))[..6].to_vec()), Hang],
            ("iap-backend-silent", None, "tunnel"),
            None,
        ),
        row(
            "reason-of-123",
            vec![up(), close(4003, &"r".repeat(123))],
            ("iap-backend-unreachable", Some("4003"), "tunnel"),
            Some(4003),
        ),
        row(
            "long-close",
            vec![up(), Message(long_close(4003, b"failed to connect to backend")), close(1000, "")],
            ("iap-backend-unreachable", Some("4003"), "tunnel"),
            Some(4003),
        ),
        row(
            "reason-no-utf8",
            vec![up(), Close(4003, b"\xff\xfe no".to_vec())],
            ("iap-backend-unreachable", Some("4003"), "tunnel"),
            Some(4003),
        ),
        // The handshake.
        row(
            "http-302",
            vec![text("HTTP/1.1 302 Found\r\nLocation: https://portal.example/{token}\r\nContent-Length: 0\r\n\r\n")],
            ("iap-http", Some("302"), "tunnel"),
            None,
        ),
        row(
            "http-401",
            vec![text("HTTP/1.1 401 Unauthorized\r\nContent-Length: 60\r\n\r\nbad token {token}")],
            ("iap-http", Some("401"), "tunnel"),
            None,
        ),
        row("http-403", http("403 Forbidden"), ("iap-http", Some("403"), "tunnel"), None),
        row("http-404", http("404 Not Found"), ("iap-http", Some("404"), "tunnel"), None),
        row("http-407", http("407 Proxy Authentication Required"), ("iap-http", Some("407"), "tunnel"), None),
        row("http-429", http("429 Too Many Requests"), ("iap-http", Some("429"), "tunnel"), None),
        row("http-503", http("503 Service Unavailable"), ("iap-http", Some("503"), "tunnel"), None),
        row("http-200", http("200 OK"), ("iap-http", Some("200"), "tunnel"), None),
        row("no-answer", vec![Hang], ("proxy-unreachable", Some("silent"), "tunnel"), None),
        row("http-odd-words", http("403 No\x1b {token}"), ("iap-http", Some("403"), "tunnel"), None),
        // A code that no endpoint may send is told as it came.
        row("close-5", vec![up(), close(5, "five")], ("iap-relay-error", Some("5"), "tunnel"), Some(5)),
        // What was shown to the relay alone does not come out as the server's words.
        row("token-as-ident", vec![up(), Message(sid("a")), Act::Data("SSH-2.0-{token}\r\n"), Hang], frame, None),
        row(
            "token-as-banner",
            vec![up(), Message(sid("a")), Act::Data("Welcome\r\n"), Act::Data("{token}\r\n"), Hang],
            frame,
            None,
        ),
        row("hangs-up", vec![], early(None), None),
        row(
            "no-subprotocol",
            vec![Upgrade("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"), Hang],
            ("iap-protocol", Some("subprotocol"), "tunnel"),
            None,
        ),
        row(
            "other-subprotocol",
            vec![
                Upgrade(
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n",
                ),
                Hang,
            ],
            ("iap-protocol", Some("subprotocol"), "tunnel"),
            None,
        ),
        row(
            "wrong-accept",
            vec![
                Upgrade(
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: c3VyZWx5IG5vdA==\r\nSec-WebSocket-Protocol: relay.tunnel.cloudproxy.app\r\n",
                ),
                Hang,
            ],
            ("iap-protocol", Some("accept-key"), "tunnel"),
            None,
        ),
        row(
            "no-upgrade",
            vec![
                Upgrade("Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: relay.tunnel.cloudproxy.app\r\n"),
                Hang,
            ],
            ("iap-protocol", Some("upgrade"), "tunnel"),
            None,
        ),
        row(
            "no-http",
            vec![text("SSH-2.0-OpenSSH_9.2p1\r\n"), Hang],
            ("iap-protocol", Some("not-http"), "tunnel"),
            None,
        ),
        // Frames that break the protocol.
        row("data-before-sid", vec![up(), banner(), Hang], frame, None),
        row("ack-before-sid", vec![up(), Message(count(7, 0)), Hang], frame, None),
        row("reconnected", vec![up(), Message(count(2, 0)), Hang], frame, None),
        row("second-sid", vec![up(), Message(sid("a")), Message(sid("b")), Hang], frame, None),
        row("text", vec![up(), Raw(websocket(0x81, b"hello")), Hang], frame, None),
        row("ack-beyond", vec![up(), Message(sid("a")), Message(count(7, 1 << 40)), Hang], frame, None),
        row("long-data", vec![up(), Message(sid("a")), Message(framed(4, &[0; 16_385])), Hang], frame, None),
        row(
            "cut-data",
            vec![up(), Message(sid("a")), Message(b"\x00\x04\x00\x00\x10\x00short".to_vec()), Hang],
            frame,
            None,
        ),
        row("huge-message", vec![up(), Message(sid("a")), Message(vec![0; 70_000]), Hang], frame, None),
        row("masked", vec![up(), Raw(b"\x82\x81\x00\x00\x00\x00x".to_vec()), Hang], frame, None),
        row("opcode", vec![up(), Raw(b"\x83\x01x".to_vec()), Hang], frame, None),
        // The session began, and the server said nothing.
        row("sid-fin", vec![up(), Message(sid("a"))], lost, None),
        row("sid-rst", vec![up(), Message(sid("a")), Pause(Duration::from_millis(100)), Reset], lost, None),
        row(
            "sid-4009",
            vec![up(), Message(sid("a")), close(4009, "destination write failed")],
            ("iap-backend-closed", Some("4009"), "tunnel"),
            Some(4009),
        ),
        row(
            "sid-4010",
            vec![up(), Message(sid("a")), close(4010, "destination read failed")],
            ("iap-backend-closed", Some("4010"), "tunnel"),
            Some(4010),
        ),
        row(
            "sid-long-close",
            vec![up(), Message(sid("a")), Message(long_close(4010, b"destination read failed")), Hang],
            ("iap-backend-closed", Some("4010"), "tunnel"),
            Some(4010),
        ),
        row(
            "sid-4033",
            vec![up(), Message(sid("a")), close(4033, "not authorized")],
            ("iap-not-authorized", Some("4033"), "tunnel"),
            Some(4033),
        ),
        row("sid-1000", vec![up(), Message(sid("a")), close(1000, "")], ("closed-no-ident", None, "ident"), Some(1000)),
        row("sid-silence", vec![up(), Message(sid("a")), Hang], ("connected-no-ident", None, "ident"), None),
        // What SSH saw tells more than how the tunnel ended, which is kept beside it.
        row(
            "banner-4010",
            vec![
                up(),
                Message(sid("a")),
                banner(),
                Pause(Duration::from_millis(200)),
                close(4010, "destination read failed"),
            ],
            ("closed-after-ident", None, "kexinit"),
            Some(4010),
        ),
        row(
            "http-behind",
            vec![up(), Message(sid("a")), Message(data(b"HTTP/1.1 400 Bad Request\r\n\r\n")), close(1000, "")],
            ("not-ssh", Some("http"), "ident"),
            None,
        ),
    ];
    // The announcement in three fragments, slowly (RFC 6455 section 5.4); what follows a frame in its message is ignored.
    let announced = sid("Sid");
    let pieces = [(0x02, &announced[..4]), (0x00, &announced[4..7]), (0x80, &announced[7..])];
    let mut slowly: Vec<Act> = vec![up()];
    for (first, piece) in pieces {
        slowly.extend([Raw(websocket(first, piece)), Pause(Duration::from_millis(150))]);
    }
    for (instance, acts, code, arg, end) in [
        ("gave-up-late", vec![close(1011, "internal")], "iap-relay-error", "1011", 1011),
        ("rights-ended-late", vec![close(4033, "not authorized")], "iap-not-authorized", "4033", 4033),
    ] {
        let mut all = vec![up(), Message(sid("a")), banner(), Pause(Duration::from_millis(200))];
        all.extend(acts);
        rows.push(row(instance, all, (code, Some(arg), "tunnel"), Some(end)));
    }
    slowly.extend([banner(), close(4010, "destination read failed")]);
    rows.push(row("sid-in-pieces", slowly, ("closed-after-ident", None, "kexinit"), Some(4010)));
    let both = [sid("a"), data(b"SSH-2.0-ignored\r\n")].concat();
    rows.push(row(
        "two-in-one",
        vec![up(), Message(both), close(4010, "")],
        ("iap-backend-closed", Some("4010"), "tunnel"),
        Some(4010),
    ));
    for (instance, code, outcome, reason) in [
        ("close-4000", 4000, "iap-relay-error", ""),
        ("close-4001", 4001, "iap-relay-error", ""),
        ("close-4002", 4002, "iap-relay-error", ""),
        ("close-4003", 4003, "iap-backend-unreachable", "failed to connect to backend"),
        ("close-4004", 4004, "iap-relay-error", "reauthenticate"),
        ("close-4005", 4005, "iap-relay-error", ""),
        ("close-4006", 4006, "iap-relay-error", ""),
        ("close-4007", 4007, "iap-relay-error", ""),
        ("close-4008", 4008, "iap-relay-error", ""),
        ("close-4009", 4009, "iap-backend-closed", ""),
        ("close-4010", 4010, "iap-backend-closed", "destination read failed"),
        ("close-4013", 4013, "iap-relay-error", ""),
        ("close-4033", 4033, "iap-not-authorized", "not authorized, {token}"),
        ("close-4047", 4047, "iap-instance-lookup-failed", "Failed to lookup instance"),
        ("close-4051", 4051, "iap-instance-lookup-failed", ""),
        ("close-4064", 4064, "iap-relay-error", ""),
        ("close-4074", 4074, "iap-relay-error", ""),
    ] {
        let arg = Some(&instance[6..]);
        rows.push(row(instance, vec![up(), close(code, reason)], (outcome, arg, "tunnel"), Some(code.into())));
    }
    rows
}

/// Whatever the relay does, by `ws://`: its code, parameter and stage, and the close code kept.
#[test]
fn every_way_to_fail_has_its_code() {
    if !openssh::have(&["ssh-keygen"]) {
        return;
    }
    let sshd = Sshd::start();
    let table = rows(sshd.addr);
    let plays: BTreeMap<&str, Vec<Act>> = table.iter().map(|row| (row.instance, row.acts.clone())).collect();
    let relay = Relay::start(None, move |instance| plays.get(instance).cloned().unwrap_or_default());
    let token = token_file();
    let mut args = vec!["-vv", "--timeout=8s"];
    args.extend(table.iter().map(|row| row.instance));
    let records = records(through(&format!("ws://{}", relay.addr), token.path(), &args));
    let mut wrong = Vec::new();
    for row in &table {
        let record = &records[row.instance];
        let (code, arg, stage) = (&record["code"], record["arg"].as_str(), &record["stage"]);
        let close = record["tunnel"]["close_code"].as_u64();
        if code != row.code || arg != row.arg || stage != row.stage || close != row.close && row.code != "not-ssh" {
            wrong.push(format!("{}: {code} {arg:?} {stage} {close:?}: {}", row.instance, record["detail"]));
        }
        assert_eq!(
            (&record["target"]["via"], &record["tunnel"]["kind"]),
            (&"iap".into(), &"iap".into()),
            "{}",
            row.instance
        );
        assert_eq!(record["target"]["addr"], Value::Null, "nobody here knows it");
    }
    assert!(wrong.is_empty(), "of {}:\n{}", table.len(), wrong.join("\n"));
    assert_eq!(records["close-4033"]["tunnel"]["reason"], "not authorized, [the access token]");
    assert_eq!(records["reason-of-123"]["tunnel"]["reason"].as_str().map(str::len), Some(123));
    let detail = records["http-302"]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("302: to \"https://portal.example/[the access token]\""), "{detail}");
}

/// What the relay was asked is what gcloud asks it, and with the token.
#[test]
fn the_relay_is_asked_as_gcloud_asks() {
    let relay = Relay::start(None, |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let token = token_file();
    records(through(&format!("ws://{}", relay.addr), token.path(), &["vm1:2222"]));
    let seen = relay.seen("vm1");
    assert_eq!(
        seen.request,
        "GET /v4/connect?project=my-proj&port=2222&newWebsocket=True&zone=us-central1-a&instance=vm1&interface=nic0 HTTP/1.1"
    );
    for (name, value) in [
        ("authorization", format!("Bearer {TOKEN}")),
        ("origin", "bot:iap-tunneler".into()),
        ("sec-websocket-protocol", "relay.tunnel.cloudproxy.app".into()),
        ("sec-websocket-version", "13".into()),
        ("host", relay.addr.to_string()),
        ("user-agent", format!("sshprobe/{}", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(seen.headers.get(name), Some(&value), "{name}");
    }
}

/// Targets written out as `iap://…` are told apart by all that is in them, and take the way through the relay by themselves.
#[test]
fn targets_can_say_themselves_where_they_are() {
    let relay = Relay::start(None, |instance| {
        let code = match instance {
            "vm1" => 4003,
            "europe-west1-b/vm1" => 4033,
            "10.1.2.3" => 4047,
            _ => 4010,
        };
        vec![Act::Upgrade(GOOD), Act::Close(code, Vec::new())]
    });
    let (url, token) = (format!("ws://{}", relay.addr), token_file());
    let file = token.path().to_str().expect("printable");
    let to_relay = ["--iap-url", &url, "--access-token-file", file];
    let outcomes = |args: &[&str]| {
        let output = output(sshprobe(args));
        let records = parse(&output.stdout, &String::from_utf8_lossy(&output.stderr));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let outcome = |record: Value| {
            (
                text(&record["target"]["input"]),
                (text(&record["target"]["host"]), text(&record["code"]), record["arg"].clone()),
            )
        };
        records.into_iter().map(outcome).collect::<BTreeMap<_, _>>()
    };
    let of = |host: &str, code: &str, arg: &str| (host.to_owned(), code.to_owned(), Value::from(arg));
    let here = ("iap://my-proj/us-central1-a/vm1".to_owned(), of("vm1", "iap-backend-unreachable", "4003"));
    let there =
        ("iap://my-proj/europe-west1-b/vm1:2222?interface=nic1".to_owned(), of("vm1", "iap-not-authorized", "4033"));
    let behind = (
        "iap://my-proj/europe-west1/net/group/10.1.2.3".to_owned(),
        of("10.1.2.3", "iap-instance-lookup-failed", "4047"),
    );
    // The last one is the first again.
    let args: [&str; 4] = [&here.0, &there.0, &behind.0, "IAP://my-proj/us-central1-a/vm1:22"];
    let expected = [here.clone(), there.clone(), behind.clone()].into();
    assert_eq!(outcomes(&[&to_relay[..], &args].concat()), expected);
    let asked = relay.seen("europe-west1-b/vm1").request;
    assert!(asked.contains("project=my-proj&port=2222&") && asked.contains("interface=nic1"), "{asked}");
    assert!(relay.seen("10.1.2.3").request.contains("region=europe-west1&network=net&host=10.1.2.3&group=group"));

    // Together with plain names, which are instances under --iap.
    let place = ["--iap", "--project=my-proj", "--zone=us-central1-a", &here.0, "vm2"];
    let plain = ("vm2".to_owned(), of("vm2", "iap-backend-closed", "4010"));
    assert_eq!(outcomes(&[&to_relay[..], &place].concat()), [here.clone(), plain].into());

    // Out of a file without --iap nothing leads there; with it a plain name has no place.
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(list.path(), format!("{}\nvm2\n", here.0)).expect("written");
    let from = list.path().to_str().expect("printable");
    let only = |outcomes: BTreeMap<String, (String, String, Value)>, input: &str| outcomes[input].1.clone();
    assert_eq!(only(outcomes(&["--resolver=127.0.0.1:1", "-f", from]), &here.0), "local-policy");
    let placeless = outcomes(&[&to_relay[..], &["--iap", "-f", from]].concat());
    assert_eq!(placeless.get(&here.0), Some(&here.1));
    assert_eq!(only(placeless, "vm2"), "local-policy");
}

/// What a record says of the target, without what tells how it was reached and how long that took.
fn of_the_target(record: &Value) -> Value {
    let mut record = record.clone();
    let fields = record.as_object_mut().expect("an object");
    for way in ["run", "target", "tried", "net", "tunnel", "timing_us", "started"] {
        fields.remove(way);
    }
    record
}

/// Over TLS, with a name looked up, the whole probe of a real sshd: the record is the direct one's.
#[test]
fn a_healthy_tunnel_gives_the_record_of_a_direct_probe() {
    if !openssh::have(&["ssh-keygen", "openssl"]) {
        return;
    }
    let (sshd, authority) = (Sshd::start(), Authority::new("localhost"));
    let addr = sshd.addr;
    let relay = Relay::start(Some(&authority), move |_| vec![Act::Upgrade(GOOD), Act::Backend(addr, 16_384)]);
    let token = token_file();
    let mut command = through(&format!("wss://localhost:{}", relay.addr.port()), token.path(), &["vm1"]);
    command.env("SSL_CERT_FILE", authority.ca());
    let tunnelled = records(command).remove("vm1").expect("a record");
    let direct = records(sshprobe(&[&addr.to_string()])).remove("127.0.0.1").expect("a record");
    assert_eq!((&direct["code"], &direct["host_keys"][0]["signature"]), (&"ok".into(), &"verified".into()));
    assert_eq!(of_the_target(&tunnelled), of_the_target(&direct));
    assert_eq!(tunnelled["target"]["via"], "iap");
    let timing = &tunnelled["tunnel"]["timing_us"];
    for stage in ["dns", "connect", "tls", "upgrade", "sid"] {
        assert!(timing[stage].as_u64().is_some(), "{stage}: {timing}");
    }
    let stages: u64 = timing.as_object().expect("stages").values().filter_map(Value::as_u64).sum();
    assert_eq!(tunnelled["timing_us"]["tunnel"].as_u64(), Some(stages));
    // Its long banner was acknowledged on the way, above 32 KiB, and never beyond what came.
    let seen = relay.seen("vm1");
    assert!(seen.sent > 65_536, "{}", seen.sent);
    assert!(seen.acks.first().is_some_and(|first| (32_769..=65_536).contains(first)), "{:?}", seen.acks);
    assert!(seen.acks.is_sorted() && seen.acks.iter().all(|ack| *ack <= seen.sent), "{:?}", seen.acks);
}

/// An instance's key is written under its name, and a tunnel that failed is told.
#[test]
fn keys_are_fetched_through_tunnels() {
    if !openssh::have(&["ssh-keygen"]) {
        return;
    }
    let sshd = Sshd::start();
    let addr = sshd.addr;
    let relay = Relay::start(None, move |instance| match instance {
        "vm1" => vec![Act::Upgrade(GOOD), Act::Backend(addr, 16_384)],
        _ => vec![Act::Upgrade(GOOD), Act::Close(4003, b"failed to connect to backend".to_vec())],
    });
    let token = token_file();
    let keys = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
        command.args(["keys", "--quiet"]).args(args).stdin(Stdio::null());
        told(&output(command))
    };
    let (_, direct, stderr) = keys(&[&addr.to_string()]);
    let (_, key) = direct.split_once(' ').unwrap_or_else(|| panic!("a line: {direct} {stderr}"));
    let (url, file) = (format!("ws://{}", relay.addr), token.path().to_str().expect("printable"));
    let place = ["--iap", "--project=my-proj", "--zone=us-central1-a", "--iap-url", &url, "--access-token-file", file];
    let (code, lines, stderr) = keys(&[&place[..], &["vm1", "vm2"]].concat());
    assert_eq!((code, lines), (Some(1), format!("vm1 {key}")), "{stderr}");
    assert!(stderr.starts_with("sshprobe: error: vm2: iap-backend-unreachable (4003): "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

/// What TLS and everything before it can fail by.
#[test]
fn relays_that_cannot_be_reached_or_trusted() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let play = |_: &str| vec![Act::Upgrade(GOOD), Act::Hang];
    let (authority, elsewhere) = (Authority::new("localhost"), Authority::new("elsewhere"));
    let (known, other) = (Relay::start(Some(&authority), play), Relay::start(Some(&elsewhere), play));
    // A server that speaks no TLS says so in the clear.
    let plain = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let plain_port = plain.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").and_then(|()| stream.read(&mut [0; 1024]));
        }
    });
    // Accepts, says nothing, and is not served: the kernel does it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = silent.local_addr().map(|addr| (addr.port(), silent)).expect("bound");
    // Bound, so that nobody else gets the port, and not listened on.
    let refusing = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    refusing.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let refusing_port = refusing.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound").port();
    let token = token_file();
    let [known, other] = [&known, &other].map(|relay| relay.addr.port());
    for (port, ca, code, arg, words) in [
        (known, elsewhere.ca(), "iap-tls", None, "UnknownIssuer"),
        (other, elsewhere.ca(), "iap-tls", None, "not valid for name"),
        (plain_port, authority.ca(), "iap-tls", None, "TLS"),
        (silent.0, authority.ca(), "iap-tls", Some("timeout"), "during the TLS handshake"),
        (refusing_port, authority.ca(), "proxy-unreachable", Some("refused"), "refuses TCP"),
    ] {
        let mut command = through(&format!("wss://localhost:{port}"), token.path(), &["--timeout=4s", "vm1"]);
        command.env("SSL_CERT_FILE", ca);
        let record = records(command).remove("vm1").expect("a record");
        let detail = record["detail"].as_str().unwrap_or_default();
        assert_eq!((&record["code"], record["arg"].as_str()), (&code.into(), arg), "{detail}");
        assert!(record["stage"] == "tunnel" && detail.contains(words), "{words}: {detail}");
    }
    let mut command = through("wss://relay.example", token.path(), &["--resolver=127.0.0.1:1", "--timeout=4s", "vm1"]);
    command.env("SSL_CERT_FILE", authority.ca());
    let record = records(command).remove("vm1").expect("a record");
    assert_eq!((&record["code"], record["stage"].as_str()), (&"proxy-unreachable".into(), Some("tunnel")), "{record}");
}

/// The most memory that a program started here has had, in KiB.
fn peak_memory() -> i64 {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_CHILDREN).expect("known").max_rss()
}

/// Five hundred tunnels at once, each with an outcome of its own, and every host with its own key.
#[test]
fn five_hundred_tunnels_are_not_mixed_up() {
    const HOSTS: u16 = 100;
    let runtime = Runtime::new().expect("a runtime");
    let hosts: Vec<SocketAddr> = (0..HOSTS)
        .map(|host| {
            let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
            let addr = listener.local_addr().expect("an address");
            let seed = [host.to_be_bytes()[1]; 32];
            runtime.spawn(serve(listener, Arc::new(Script::healthy(&seed))));
            addr
        })
        .collect();
    let number =
        |name: &str| name.strip_prefix("vm").and_then(|digits| digits.parse::<usize>().ok()).expect("a number");
    let (backends, first) = (hosts.clone(), hosts[0]);
    let all = Arc::new(Barrier::new(500));
    let relay = Relay::start(None, move |instance| {
        let number = number(instance);
        let close = |code| Act::Close(code, format!("of {instance}").into_bytes());
        let end = match number % 5 {
            0 => Act::Backend(backends[number / 5], 16_384),
            1 => close(4003),
            2 => close(4033),
            3 => close(4047),
            _ => Act::Hang,
        };
        vec![Act::Upgrade(GOOD), Act::Meet(Arc::clone(&all)), end]
    });
    let names: Vec<String> = (0..500).map(|number| format!("vm{number}")).collect();
    let mut args = vec!["--rate=0", "-c", "500", "--timeout=20s", "--depth=kex"];
    let token = token_file();
    let alone = Relay::start(None, move |_| vec![Act::Upgrade(GOOD), Act::Backend(first, 16_384)]);
    records(through(&format!("ws://{}", alone.addr), token.path(), &[&args[..], &["vm0"]].concat()));
    let of_one = peak_memory();
    args.extend(names.iter().map(String::as_str));
    let mut tunnelled = records(through(&format!("ws://{}", relay.addr), token.path(), &args));
    assert_eq!(tunnelled.len(), 500);
    // In a debug build it is some 20 KiB. 500 are up at once, as the relay lets none go on before.
    let each = (peak_memory() - of_one) / 500;
    println!("{each} KiB a tunnel");
    assert!(each < 128, "{each} KiB a tunnel");
    let direct: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut args = vec!["--depth=kex", "--rate=0", "--per-host=0"];
    args.extend(direct.iter().map(String::as_str));
    let output = output(sshprobe(&args));
    let keys: BTreeMap<u64, Value> = parse(&output.stdout, "")
        .into_iter()
        .map(|record| {
            (record["target"]["port"].as_u64().expect("a port"), record["host_keys"][0]["fingerprint"].clone())
        })
        .collect();
    for (at, name) in names.iter().enumerate() {
        let record = tunnelled.remove(name).expect("its record");
        let code =
            ["ok", "iap-backend-unreachable", "iap-not-authorized", "iap-instance-lookup-failed", "iap-backend-silent"]
                [at % 5];
        assert_eq!(record["code"], code, "{name}: {}", record["detail"]);
        match at % 5 {
            0 => {
                let key = &keys[&hosts[at / 5].port().into()];
                assert!(key.is_string() && record["host_keys"][0]["fingerprint"] == *key, "{name}");
            }
            1..=3 => assert_eq!(record["tunnel"]["reason"], format!("of {name}")),
            _ => {}
        }
    }
}

/// The token stands in no command line, not even for a moment, and neither does what is told of a run that fails.
#[test]
fn the_token_is_nowhere_to_be_seen() {
    let relay = Relay::start(None, |_| vec![Act::Upgrade(GOOD), Act::Hang]);
    let token = token_file();
    let mut command = through(&format!("ws://{}", relay.addr), token.path(), &["-vv", "--timeout=2s", "vm1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let asked = || !relay.seen("vm1").request.is_empty();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(20));
        if asked() {
            break;
        }
    }
    assert!(asked(), "the tunnel is up");
    for file in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{}/{file}", child.id())).expect("it runs");
        assert!(!String::from_utf8_lossy(&shown).contains(TOKEN), "{file}");
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(!String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).contains(TOKEN));
}

/// Where there is no token, or it is none, nothing is sent, and what is said does not hold what was found.
#[test]
fn without_a_token_nothing_is_sent() {
    let relay = Relay::start(None, |_| vec![]);
    let url = format!("ws://{}", relay.addr);
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("token");
    let refused = |command: Command, words: &str| {
        let output = output(command);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(words), "{words}: {stderr}");
    };
    refused(through(&url, &path, &["vm1"]), "No such file");
    for (text, words) in [("", "no access token"), (&*format!("{TOKEN} {TOKEN}"), "is no access token")] {
        fs::write(&path, text).expect("written");
        refused(through(&url, &path, &["vm1"]), words);
    }
    let google = ["--iap", "--project=p", "--zone=us-central1-a", "vm1"];
    // PATH leads nowhere: there is no gcloud.
    refused(
        sshprobe(&google),
        "or install gcloud and log in with it (gcloud is not installed; the metadata server 127.0.0.1:1: Connection refused (os error 111))",
    );
    let mut command = sshprobe(&google);
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", format!("{TOKEN}\n{TOKEN}"));
    refused(command, "CLOUDSDK_AUTH_ACCESS_TOKEN: what is in it is no access token");
    // A token of Google's credentials goes to Google.
    let mut command = sshprobe(&[&google[..], &["--iap-url", &url]].concat());
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", TOKEN);
    refused(command, "is not Google's, so it gets no token of Google's credentials");
    // gcloud that fails, and one whose words are no token.
    let gcloud = dir.path().join("gcloud");
    for (script, words) in [
        (
            "echo 'ERROR: (gcloud.auth.print-access-token) You do not currently have an active account selected.' >&2\nexit 1",
            "active account",
        ),
        ("echo Please log in first", "gave no access token"),
    ] {
        use std::os::unix::fs::PermissionsExt;
        fs::write(&gcloud, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&gcloud, fs::Permissions::from_mode(0o755)).expect("ours");
        let mut command = sshprobe(&google);
        command.env("PATH", dir.path());
        refused(command, words);
    }
    assert_eq!(relay.seen("vm1").request, "");
    // Where there is one, the run begins; of Google's relay nobody knows the address here.
    fs::write(&gcloud, format!("#!/bin/sh\n[ \"$*\" = 'auth print-access-token' ] && echo {TOKEN}\n"))
        .expect("written");
    let nowhere = [&google[..], &["-vv", "--resolver=127.0.0.1:1", "--timeout=4s"]].concat();
    for (name, value) in [("PATH", dir.path().as_os_str()), ("CLOUDSDK_AUTH_ACCESS_TOKEN", TOKEN.as_ref())] {
        let mut command = sshprobe(&nowhere);
        command.env(name, value);
        let record = records(command).remove("vm1").expect("a record");
        assert_eq!(
            (&record["code"], &record["stage"]),
            (&"proxy-unreachable".into(), &"tunnel".into()),
            "{name}: {record}"
        );
    }
}

/// The token that a server on loopback gives for credentials, or as the metadata server.
fn token_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let body = format!("{{\"access_token\":\"{TOKEN}\",\"expires_in\":3600}}");
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    addr
}

/// Credentials of a file, named or where gcloud leaves them, and the metadata server: their token reaches Google's relay, which
/// its certificate proves, and no other host.
#[test]
fn tokens_for_googles_credentials_go_to_google_alone() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let authority = Authority::new("tunnel.cloudproxy.app");
    let relay = Relay::start(Some(&authority), |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let (_names, resolver) = NameServer::here();
    let (endpoint, dir) = (token_server(), TempDir::new().expect("a temporary directory"));
    let file = dir.path().join("application_default_credentials.json");
    let credentials = |uri: &str| {
        let text = format!(
            r#"{{"type":"authorized_user","client_id":"i","client_secret":"s3cret-planted","refresh_token":"r3fresh-planted","token_uri":"{uri}"}}"#
        );
        fs::write(&file, text).expect("written");
    };
    credentials(&format!("http://{endpoint}/token"));
    let (url, resolver) = (format!("wss://tunnel.cloudproxy.app:{}", relay.addr.port()), resolver.to_string());
    let google = ["--iap", "--project=p", "--zone=us-central1-a", "--iap-url", &url, "--resolver", &resolver, "-vv"];
    let ways = [
        ("named", "GOOGLE_APPLICATION_CREDENTIALS", file.clone().into_os_string()),
        ("well-known", "CLOUDSDK_CONFIG", dir.path().as_os_str().to_owned()),
        ("metadata", "GCE_METADATA_HOST", endpoint.to_string().into()),
    ];
    for (instance, name, value) in &ways {
        let mut command = sshprobe(&[&google[..], &[*instance]].concat());
        command.env("SSL_CERT_FILE", authority.ca()).env(name, value);
        let record = records(command).remove(*instance).expect("a record");
        assert_eq!(record["code"], "iap-backend-unreachable", "{instance}: {record}");
        assert_eq!(relay.seen(instance).headers.get("authorization"), Some(&format!("Bearer {TOKEN}")), "{instance}");
    }
    let refused = |command: Command, words: &str| {
        let output = output(command);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(words) && !stderr.contains("planted"), "{words}: {stderr}");
    };
    // To another relay goes none of them.
    for (instance, name, value) in &ways {
        let mut command =
            sshprobe(&["--iap", "--project=p", "--zone=us-central1-a", "--iap-url=wss://localhost:1", instance]);
        command.env("SSL_CERT_FILE", authority.ca()).env(name, value);
        refused(command, "localhost is not Google's, so it gets no token of Google's credentials");
    }
    // And no secret goes where a file leads away from Google.
    credentials("https://evil.example/token");
    let mut command = sshprobe(&[&google[..], &["vm1"]].concat());
    command.env("SSL_CERT_FILE", authority.ca()).env("GOOGLE_APPLICATION_CREDENTIALS", &file);
    refused(command, "its token_uri is neither https:// of Google's");
    fs::write(&file, r#"{"type":"external_account","x":"planted"}"#).expect("written");
    let mut command = sshprobe(&[&google[..], &["vm1"]].concat());
    command.env("SSL_CERT_FILE", authority.ca()).env("GOOGLE_APPLICATION_CREDENTIALS", &file);
    refused(command, "credentials of the kind \"external_account\" are not read here");
    assert_eq!(relay.seen("vm1").request, "");
}

/// What the relay says decides whether it is asked again: what may pass by itself is, as often as was allowed, and what is
/// final is not.
#[test]
fn the_relays_verdict_decides_whether_to_try_again() {
    let http = |line: &str, more: &str| {
        vec![Act::Raw(format!("HTTP/1.1 {line}\r\n{more}Content-Length: 0\r\n\r\n").into_bytes())]
    };
    let close = |code| vec![Act::Upgrade(GOOD), Act::Close(code, Vec::new())];
    let after_sid = |code| vec![Act::Upgrade(GOOD), Act::Message(sid("a")), Act::Close(code, Vec::new())];
    // What the relay does the first time, and how often it is asked in all. The second answer is final.
    let first: BTreeMap<&str, (Vec<Act>, u64)> = [
        ("hangs-up", (vec![], 2)),
        ("fin-after-101", (vec![Act::Upgrade(GOOD)], 2)),
        ("http-401", (http("401 Unauthorized", ""), 2)),
        ("http-429", (http("429 Too Many Requests", "Retry-After: 1\r\n"), 2)),
        ("http-503", (http("503 Service Unavailable", ""), 2)),
        ("http-302", (http("302 Found", ""), 1)),
        ("http-403", (http("403 Forbidden", ""), 1)),
        ("http-404", (http("404 Not Found", ""), 1)),
        ("http-407", (http("407 Proxy Authentication Required", ""), 1)),
        ("close-1001", (close(1001), 2)),
        ("close-1011", (close(1011), 2)),
        ("close-4000", (close(4000), 2)),
        ("close-4001", (close(4001), 2)),
        ("close-4003", (close(4003), 1)),
        ("close-4004", (close(4004), 2)),
        ("close-4005", (close(4005), 1)),
        ("close-4008", (close(4008), 1)),
        ("close-4010", (close(4010), 2)),
        ("close-4033", (close(4033), 1)),
        ("close-4047", (close(4047), 1)),
        ("close-4074", (close(4074), 2)),
        ("sid-4004", (after_sid(4004), 2)),
        ("sid-4010", (after_sid(4010), 2)),
        ("sid-1000", (after_sid(1000), 2)),
        ("data-first", (vec![Act::Upgrade(GOOD), Act::Message(data(b"x")), Act::Hang], 1)),
    ]
    .into();
    let names: Vec<&str> = first.keys().copied().collect();
    let (plays, asked) = (first.clone(), std::sync::Mutex::new(BTreeMap::<String, u64>::new()));
    let relay = Relay::start(None, move |instance| {
        let mut asked = asked.lock().expect("no panic while locked");
        let count = asked.entry(instance.to_owned()).or_default();
        *count += 1;
        if *count == 1 {
            plays[instance].0.clone()
        } else {
            vec![Act::Upgrade(GOOD), Act::Close(4033, b"again".to_vec())]
        }
    });
    let token = token_file();
    let args = [&["--retries=3", "--per-host=0"][..], &names].concat();
    let mut command = through(&format!("ws://{}", relay.addr), token.path(), &[]);
    // The option of the helper is the first, and the last one counts.
    command.args(args);
    for (name, record) in records(command) {
        let attempts = first[name.as_str()].1;
        assert_eq!(record["attempts"], attempts, "{name}: {}", record["detail"]);
        assert_eq!(record["tried"].as_array().map(Vec::len), usize::try_from(attempts).ok(), "{name}");
        // What had reached the server tells more than what did not.
        if attempts == 2 && name != "sid-1000" {
            assert_eq!(record["code"], "iap-not-authorized", "{name}: the last answer counts");
        }
    }
}

/// A direct probe beside the tunnel: one record, the tunnel's, with what the other way came to and what both mean.
#[test]
fn a_direct_probe_beside_the_tunnel_says_where_the_fault_is() {
    let runtime = Runtime::new().expect("a runtime");
    let server = |seed: u8| {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        runtime.spawn(serve(listener, Arc::new(Script::healthy(&[seed; 32]))));
        addr
    };
    let (own, other) = (server(1), server(2));
    // Bound, so that nobody else gets the port, and not listened on.
    let refusing = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    refusing.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let closed = refusing.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound");
    let relay = Relay::start(None, move |instance| match instance {
        "vm-here" => vec![Act::Upgrade(GOOD), Act::Backend(own, 16_384)],
        "127.0.0.1" => vec![Act::Upgrade(GOOD), Act::Close(4033, Vec::new())],
        _ => vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())],
    });
    let (_names, resolver) = NameServer::here();
    let (url, resolver, token) = (format!("ws://{}", relay.addr), resolver.to_string(), token_file());
    let probe = |target: &str| {
        let args = ["--compare-direct", "--resolver", &resolver, "--depth=auth", target];
        let records = records(through(&url, token.path(), &args));
        assert_eq!(records.len(), 1, "one record for the target");
        records.into_values().next().expect("a record")
    };
    let outcome = |record: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ids =
            |id: &&str| record["findings"].as_array().expect("findings").iter().any(|finding| finding["id"] == *id);
        let of_pairs = [
            "iap-only",
            "open-without-iap",
            "iap-range-not-allowed",
            "sshd-not-listening",
            "iap-rights-missing",
            "direct-other-host",
        ];
        let found = of_pairs.iter().copied().filter(ids).collect::<Vec<_>>().join(",");
        (text(&record["code"]), text(&record["direct"]["code"]), found)
    };
    let of = |code: &str, direct: &str, found: &str| (code.to_owned(), direct.to_owned(), found.to_owned());
    let record = probe(&format!("vm-here:{}", own.port()));
    assert_eq!(outcome(&record), of("ok", "ok", "open-without-iap"), "{record}");
    assert_eq!(
        (&record["direct"]["addr"], &record["direct"]["same_host_key"], &record["direct"]["stage"]),
        (&"127.0.0.1".into(), &true.into(), &"kex".into())
    );
    assert_eq!(
        (&record["stage"], &record["connections"], &record["target"]["addr"]),
        (&"auth".into(), &1.into(), &Value::Null)
    );
    let record = probe(&format!("vm-here:{}", other.port()));
    assert_eq!(outcome(&record), of("ok", "ok", "direct-other-host"), "{record}");
    // The relay's simulator knows no other name that leads here: of the tunnel, 4003; the name is looked up all the same.
    let group = |host: &str, port: u16| format!("iap://my-proj/us-central1/net/group/{host}:{port}");
    let record = probe(&group("tunnel.lab", closed.port()));
    assert_eq!(outcome(&record), of("iap-backend-unreachable", "refused", "sshd-not-listening"), "{record}");
    let record = probe(&group("tunnel.lab", own.port()));
    assert_eq!(outcome(&record), of("iap-backend-unreachable", "ok", "iap-range-not-allowed"), "{record}");
    let record = probe(&group("127.0.0.1", own.port()));
    assert_eq!(outcome(&record), of("iap-not-authorized", "ok", "iap-rights-missing"), "{record}");
    let record = probe("gone");
    assert_eq!(outcome(&record), of("iap-backend-unreachable", "dns-nxdomain", ""), "{record}");
    // Not asked for, nothing is done.
    let record =
        records(through(&url, token.path(), &["--resolver", &resolver, "gone"])).remove("gone").expect("a record");
    assert_eq!(record["direct"], Value::Null);
}

/// What is told of single connections names who they are for, and not the address that stands in for an unknown one.
#[test]
fn what_is_told_of_a_tunnel_names_the_host() {
    let relay = Relay::start(None, |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let token = token_file();
    let output = output(through(&format!("ws://{}", relay.addr), token.path(), &["-vv", "vm1:2222"]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    for words in ["vm1:2222 admitted", "vm1:2222 ended in "] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    assert!(!stderr.contains("[fd"), "{stderr}");
}

/// An HTTP proxy that answers with this head, and carries bytes where that is a 200. Gives its address and what it was asked.
pub(crate) fn http_proxy(runtime: &Runtime, head: &'static str) -> (SocketAddr, Arc<std::sync::Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let (addr, asked) = (listener.local_addr().expect("bound"), Arc::<std::sync::Mutex<Vec<String>>>::default());
    let keeper = Arc::clone(&asked);
    runtime.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let keeper = Arc::clone(&keeper);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(client.read_u8().await?);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let peer = request.split(' ').nth(1).unwrap_or_default().to_owned();
                keeper.lock().expect("no panic while locked").push(request);
                client.write_all(head.as_bytes()).await?;
                if head.starts_with("HTTP/1.1 200 ") {
                    // Whatever name: the relay is here.
                    let port = peer.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
                    let mut relay = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut relay).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    (addr, asked)
}

/// A proxy before the relay is asked for it by its name, its refusals are told apart, and its time is told.
#[test]
fn a_proxy_before_the_relay_is_gone_through_and_its_refusals_are_its_own() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let (authority, runtime) = (Authority::new("tunnel.cloudproxy.app"), Runtime::new().expect("a runtime"));
    let relay = Relay::start(Some(&authority), |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let (token, url) = (token_file(), format!("wss://tunnel.cloudproxy.app:{}", relay.addr.port()));
    for (head, code, arg, reason) in [
        ("HTTP/1.1 200 Connected\r\n\r\n", "iap-backend-unreachable", "4003", ""),
        ("HTTP/1.1 403 Not this port\r\n\r\n", "proxy-refused", "403", "HTTP/1.1 403 Not this port"),
        ("HTTP/1.1 407 Who is it\r\n\r\n", "proxy-auth", "407", "HTTP/1.1 407 Who is it"),
        ("SSH-2.0-x\r\n", "proxy-unreachable", "not-a-proxy", ""),
    ] {
        let (proxy, asked) = http_proxy(&runtime, head);
        let proxy = format!("http://{proxy}");
        // Nobody resolves the relay's name here: that is the proxy's to do.
        let args = ["--proxy", &proxy, "--resolver=127.0.0.1:1", "--timeout=8s", "vm1"];
        let mut command = through(&url, token.path(), &args);
        command
            .env("SSL_CERT_FILE", authority.ca())
            .env("SSHPROBE_PROXY_USER", "ann")
            .env("SSHPROBE_PROXY_PASSWORD", "s3cret");
        let record = records(command).remove("vm1").expect("a record");
        assert_eq!((&record["code"], record["arg"].as_str()), (&code.into(), Some(arg)), "{record}");
        let (tunnel, via) = (&record["tunnel"], &record["target"]["via"]);
        assert_eq!((tunnel["kind"].as_str(), via.as_str()), (Some("iap"), Some("iap")), "{record}");
        assert_eq!(tunnel["reason"].as_str().unwrap_or_default(), reason);
        assert!(tunnel["timing_us"]["proxy"].is_u64() && tunnel["timing_us"]["connect"].is_u64(), "{tunnel}");
        let asked = asked.lock().expect("no panic while locked").join("");
        let peer = format!("tunnel.cloudproxy.app:{}", relay.addr.port());
        assert!(asked.starts_with(&format!("CONNECT {peer} HTTP/1.1\r\n")), "{asked}");
        assert!(
            asked.contains("Proxy-Authorization: Basic YW5uOnMzY3JldA==") && !record.to_string().contains("s3cret")
        );
    }
    // Nobody there.
    let args = ["--proxy=http://127.0.0.1:1", "--timeout=8s", "vm1"];
    let mut command = through(&url, token.path(), &args);
    command.env("SSL_CERT_FILE", authority.ca());
    let record = records(command).remove("vm1").expect("a record");
    assert_eq!((&record["code"], record["arg"].as_str()), (&"proxy-unreachable".into(), Some("connect")), "{record}");
}
