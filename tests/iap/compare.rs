//! A direct probe beside the tunnel.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sshprobe::demo::serve;
use sshprobe_probes::responder::Script;
use tokio::runtime::Runtime;

use super::{records, through, token_file};
use crate::support::dns::NameServer;
use crate::support::relay::{Act, GOOD, Relay};

/// A listener whose queue is full: whoever comes now hears nothing.
struct Full {
    addr: SocketAddr,
    _all: Vec<socket2::Socket>,
}

impl Full {
    fn new() -> Self {
        let socket = || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("ours");
            socket
        };
        let listener = socket();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        listener.listen(0).expect("bound");
        let place = listener.local_addr().expect("bound");
        let mut all = vec![listener];
        // One is taken into the queue, and those behind it wait without an answer.
        for _ in 0..4 {
            let client = socket();
            let _ = client.connect(&place);
            all.push(client);
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { addr: place.as_socket().expect("an address"), _all: all }
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
    let by = |url: &str, args: &[&str]| {
        let args = [&["--compare-direct", "--resolver", &resolver, "--depth=auth"], args].concat();
        let records = records(through(url, token.path(), &args));
        assert_eq!(records.len(), 1, "one record for the target");
        records.into_values().next().expect("a record")
    };
    let probe = |target: &str| by(&url, &[target]);
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
            "iap-unknown-instance",
            "guest-silent",
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
    // A queue that is full: the kernel drops every further SYN, as a filter would.
    let full = Full::new();
    let silent = |target: String| by(&url, &["--connect-timeout=1s", &target]);
    let record = silent(format!("vm-here:{}", full.addr.port()));
    assert_eq!(outcome(&record), of("ok", "timeout-connect", "iap-only"), "{record}");
    let record = silent(group("tunnel.lab", full.addr.port()));
    assert_eq!(outcome(&record), of("iap-backend-unreachable", "timeout-connect", "guest-silent"), "{record}");
    let closing = |code| Relay::start(None, move |_| vec![Act::Upgrade(GOOD), Act::Close(code, Vec::new())]);
    let (stranger, troubled) = (closing(4047), closing(1011));
    let record = by(&format!("ws://{}", stranger.addr), &[&format!("vm-here:{}", own.port())]);
    assert_eq!(outcome(&record), of("iap-instance-lookup-failed", "ok", "iap-unknown-instance"), "{record}");
    // Nothing can be meant by the relay's own trouble, and what is excluded is excluded: no second look is taken.
    let here = format!("vm-here:{}", own.port());
    let record = by(&format!("ws://{}", troubled.addr), &[&here]);
    assert_eq!(outcome(&record), of("iap-relay-error", "", ""), "{record}");
    let record = by(&url, &["--exclude", "127.0.0.1", &here]);
    assert_eq!(outcome(&record), of("ok", "", ""), "{record}");
    let record = probe("gone");
    assert_eq!(outcome(&record), of("iap-backend-unreachable", "dns-nxdomain", ""), "{record}");
    // Not asked for, nothing is done.
    let record =
        records(through(&url, token.path(), &["--resolver", &resolver, "gone"])).remove("gone").expect("a record");
    assert_eq!(record["direct"], Value::Null);
}
