//! Tunnels that are up: what is asked of the relay, what comes through, and many at a time.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use sshprobe::demo::serve;
use sshprobe_probes::responder::Script;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use super::{Sshd, TOKEN, output, records, sshprobe, through, token_file};
use crate::support::openssh;
use crate::support::relay::{Act, Authority, GOOD, Relay};
use crate::support::run::{parse, told};

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
