//! Whatever a relay may do, and what has to come of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::{Sshd, records, through, token_file};
use crate::support::openssh;
use crate::support::relay::{Act, Authority, GOOD, Relay, count, data, framed, long_close, sid, websocket};

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

#[test]
fn every_way_to_fail_has_its_code() {
    if openssh::have(&["ssh-keygen"]) {
        every_row(None);
    }
}

/// TLS is in between where it counts, and changes nothing of it.
#[test]
fn every_way_to_fail_has_the_same_code_over_tls() {
    if openssh::have(&["ssh-keygen", "openssl"]) {
        every_row(Some(&Authority::new("localhost")));
    }
}

/// Whatever the relay does: its code, parameter and stage, and the close code kept.
fn every_row(authority: Option<&Authority>) {
    let sshd = Sshd::start();
    let table = rows(sshd.addr);
    let plays: BTreeMap<&str, Vec<Act>> = table.iter().map(|row| (row.instance, row.acts.clone())).collect();
    let relay = Relay::start(authority, move |instance| plays.get(instance).cloned().unwrap_or_default());
    let token = token_file();
    let mut args = vec!["-vv", "--timeout=8s"];
    args.extend(table.iter().map(|row| row.instance));
    let url = match authority {
        None => format!("ws://{}", relay.addr),
        Some(_) => format!("wss://localhost:{}", relay.addr.port()),
    };
    let mut command = through(&url, token.path(), &args);
    command.envs(authority.map(|authority| ("SSL_CERT_FILE", authority.ca())));
    let records = records(command);
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
